"""The catalogue, and the contract that every system in it keeps."""

import importlib.metadata

import pytest

from thalweg.core import (
    EnergyError,
    System,
    UnknownSystemError,
    check_curvature,
    check_energy,
    probes,
)
from thalweg.energies import _catalogue, names, system

EXAMPLES = [entry.example for entry in names()] + ["ljat4", "rosenbrock3", "morse7-rho14"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_keeps_its_contract(name):
    built = system(name)
    assert built.name == name
    check_energy(built)
    check_curvature(built)


@pytest.mark.parametrize("name", EXAMPLES)
def test_starts_lie_within_the_extent(name):
    built = system(name)
    points = probes(built, 16)
    assert points.shape == (16, built.space.dof)
    assert float(abs(points).max()) <= built.space.extent


def test_names_are_forgiving_about_case_and_umlauts():
    assert system(" LJ13 ").space.dof == 39
    for spelling in ("muller-brown", "mueller-brown", "Müller-Brown"):
        assert system(spelling).space.dof == 2


@pytest.mark.parametrize(
    ("wrong", "suggestion"), [("lg13", "lj<N>"), ("tomson12", "thomson<N>"), ("muler", "muller-")]
)
def test_an_unknown_name_gets_suggestions(wrong, suggestion):
    with pytest.raises(UnknownSystemError, match=suggestion):
        system(wrong)


def test_a_hopeless_name_gets_the_list():
    with pytest.raises(UnknownSystemError, match=r"known: lj<N>, morse"):
        system("xyzzy")


@pytest.mark.parametrize("name", ["lj1", "lj99999", "blj4", "ljat2", "rosenbrock1"])
def test_sizes_out_of_range_are_refused(name):
    with pytest.raises(UnknownSystemError, match="from"):
        system(name)


@pytest.fixture
def plugin(monkeypatch):
    """Install an entry point for the duration of a test."""

    def install(value):
        point = importlib.metadata.EntryPoint("My-Well", value, "thalweg.systems")
        monkeypatch.setattr(
            _catalogue.importlib.metadata, "entry_points", lambda group: (point,) * bool(group)
        )
        _catalogue._plugins.cache_clear()

    yield install
    monkeypatch.undo()
    _catalogue._plugins.cache_clear()


def _my_well():
    return System(lambda x: (x**2).sum(), (1,), name="my-well")


def test_a_plugin_is_found(plugin, monkeypatch):
    plugin("some.module:build")
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda self: _my_well)
    assert system("my-well").name == "my-well"
    assert any(entry.name == "my-well" for entry in names())


def test_a_plugin_that_returns_something_else_is_refused(plugin, monkeypatch):
    plugin("some.module:build")
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda self: dict)
    with pytest.raises(UnknownSystemError, match="returned a dict"):
        system("my-well")


def test_a_binary_mixture_fits_its_box():
    built = system("blj60")
    assert built.labels.count("A") == 48
    assert float(built.energy.term.cutoff) <= 0.5 * built.energy.box[0] + 1e-12
    assert system("blj256").energy.term.cutoff == 2.5
    assert system("blj60-rho1.3").energy.box[0] == pytest.approx((60 / 1.3) ** (1 / 3))


def test_an_energy_error_is_an_argument_error():
    assert issubclass(EnergyError, ValueError)
