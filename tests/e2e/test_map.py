"""Maps as a whole: the same from any number of lanes, resumed as if never stopped, safe from bad
input."""

import time

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import EnergyError, FreeSpace, HostEnergy, StoreMismatchError, System
from thalweg.energies import system as catalogue
from thalweg.workflows import StopReason, explore

SHORT = {"quenches": 64, "walkers": 0, "climbs": 128, "pairs": 4}


def _energies(result):
    network = result.landscape.network
    return np.sort(network.energies), np.sort(network.ts_energies)


def test_the_same_points_from_any_number_of_lanes(tmp_path):
    """Same key, other width and thread count: the same landscape, to the last bit."""
    lj8 = catalogue("lj8")
    one = explore(lj8, tmp_path / "a.db", transition_states=30, lanes=64, workers=1, **SHORT)
    other = explore(lj8, tmp_path / "b.db", transition_states=30, lanes=192, workers=2, **SHORT)
    for few, many in zip(_energies(one), _energies(other), strict=True):
        np.testing.assert_array_equal(few, many)


@pytest.mark.slow
def test_the_same_complete_landscape_from_less_than_a_block_of_lanes(tmp_path):
    """Narrow lanes are another program: no same bits, but the same points of LJ7."""
    lj7 = catalogue("lj7")
    wide = explore(lj7, tmp_path / "a.db", transition_states=12, **SHORT)
    narrow = explore(lj7, tmp_path / "b.db", transition_states=12, lanes=24, **SHORT)
    for one, other in zip(_energies(wide), _energies(narrow), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_a_map_that_is_stopped_and_resumed_is_the_same_map(tmp_path):
    lj8 = catalogue("lj8")
    through = explore(lj8, tmp_path / "a.db", transition_states=38, **SHORT)
    rounds = []

    def stop_soon():
        rounds.append(1)
        return len(rounds) == 2

    part = explore(lj8, tmp_path / "b.db", interrupted=stop_soon, **SHORT)
    assert part.reason is StopReason.interrupted
    before = part.landscape.network.n_transition_states
    part.landscape.close()
    resumed = explore(lj8, tmp_path / "b.db", transition_states=38, **SHORT)
    assert resumed.landscape.network.n_transition_states > before
    assert resumed.landscape.integrity().ok
    for one, other in zip(_energies(through), _energies(resumed), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_the_first_energy_is_told_before_anything_is_certified(tmp_path):
    told = []

    done = explore(catalogue("lj3"), tmp_path / "a.db", budget=1.0, found=told.append, **SHORT)
    assert told == [pytest.approx(-3.0, abs=1e-6)]  # an equilateral triangle
    assert done.landscape.network.energies.min() == pytest.approx(-3.0, abs=1e-9)


def test_another_systems_store_is_refused(tmp_path):
    explore(catalogue("lj3"), tmp_path / "lj3.db", budget=1.0, **SHORT)
    with pytest.raises(StoreMismatchError, match="lj3"):
        explore(catalogue("lj4"), tmp_path / "lj3.db", **SHORT)


def _wrong_gradient(x):
    return float(np.sum(x**2)), -2.0 * x


def _wrong_shape(x):
    return float(np.sum(x**2)), np.zeros(7)


@pytest.mark.parametrize(
    ("energy", "message"),
    [
        (lambda x: jnp.sum(x) * jnp.nan, "finite|NaN"),
        (lambda x: jnp.sum(x) + jnp.inf, "finite"),
        (lambda x: x * 2.0, "scalar|shape"),
        (HostEnergy(_wrong_gradient, 3), "gradient"),
        (HostEnergy(_wrong_shape, 3), "shape|size|7"),
    ],
    ids=["nan", "inf", "vector", "wrong gradient", "wrong shape"],
)
def test_an_energy_that_breaks_its_contract_is_refused(tmp_path, energy, message):
    with pytest.raises(EnergyError, match=message):
        explore(System(energy, shape=(3,)), tmp_path / "bad.db", **SHORT)


@pytest.mark.parametrize(
    ("energy", "failure"),
    [
        (lambda x: -jnp.sum(x**4), "escaped"),
        (lambda x: -jnp.sum(jnp.exp(x**2)), "collapsed"),
    ],
)
def test_an_unbounded_energy_ends_in_a_named_outcome(tmp_path, energy, failure):
    system = System(energy, space=FreeSpace((2,), extent=50.0), floor=-1e8)
    result = explore(system, tmp_path / "unbounded.db", **SHORT)
    assert result.reason is StopReason.no_minimum
    assert result.progress is not None
    assert failure in result.progress.failures


def test_zero_temperature_only_goes_down(tmp_path):
    result = explore(
        catalogue("lj7"),
        tmp_path / "cold.db",
        temperature=0.0,
        walkers=16,
        hops=3,
        budget=5.0,
        quenches=16,
        climbs=16,
    )
    assert result.landscape.network.energies.min() == pytest.approx(-16.505384, abs=1e-6)


@pytest.mark.parametrize(
    ("wish", "value"),
    [("budget", 0.0), ("budget", -1.0), ("quenches", 0), ("temperature", -0.1), ("lanes", 0)],
)
def test_senseless_wishes_are_refused(tmp_path, wish, value):
    with pytest.raises(ValueError, match=wish):
        explore(catalogue("lj3"), tmp_path / "x.db", **{wish: value})
    assert not (tmp_path / "x.db").exists()


def test_rounds_begin_small_and_double(tmp_path):
    """What a search costs is known after the first few; the sizes end at what was asked for."""
    found = explore(catalogue("lj8"), tmp_path / "a.db", transition_states=30, **SHORT)
    rounds = found.landscape.store.frame("rounds")
    tries = rounds.groupby("kind")["attempts"].apply(list)
    assert tries["minimise"] == [8, 16, 32, 8]
    assert tries["climb"] == [min(4 << k, 128) for k in range(len(tries["climb"]))]


def test_a_budget_ends_a_map_whose_rounds_would_take_longer(tmp_path):
    """A quench of this energy takes some tenths of a second, and all 10,000 of them an hour."""

    def slow(x):
        time.sleep(0.01)
        return float(np.sum((x**2 - 1.0) ** 2)), 4 * x * (x**2 - 1.0)

    wells = System(HostEnergy(slow, 2), shape=(2,), name="slow wells")
    began = time.perf_counter()
    found = explore(wells, tmp_path / "a.db", budget=5, quenches=10_000)
    assert found.reason is StopReason.budget
    assert found.landscape.network.n_minima >= 2
    assert time.perf_counter() - began < 60
