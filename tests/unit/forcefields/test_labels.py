"""Labelling: kept, resumed, and honest about what failed."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from thalweg.core import ArgumentError, value_and_grad
from thalweg.forcefields.fitting import Dataset
from thalweg.io import (
    AbstractLabelMethod,
    AseCalculator,
    OpenmmSystem,
    Pyscf,
    Xtb,
    label,
    label_energy,
    label_method,
    label_system,
    molecule,
)

from .conftest import WATER

Z = np.array([8, 1, 1], np.int32)


@dataclasses.dataclass(frozen=True)
class Counting(AbstractLabelMethod):
    """A spring from the origin for every atom; fails where the first atom is far to the left."""

    calls: list

    @property
    def name(self):
        return "spring"

    def prepare(self, numbers, charge):
        def labeller(x):
            self.calls.append(x)
            if x[0, 0] < -1:
                raise ArithmeticError("the SCF did not converge")
            if x[0, 0] > 1:
                return np.nan, x
            return 0.5 * float(np.sum(x**2)), x

        return labeller


def _frames(count):
    return Dataset.of(Z, WATER + 0.01 * np.arange(count)[:, None, None])


def test_labels_are_kept_and_never_computed_twice(tmp_path):
    calls = []
    first = label(_frames(4), Counting(calls), cache=tmp_path / "labels.db")
    assert len(calls) == 4
    np.testing.assert_allclose(first.forces, -first.positions)
    told = []
    again = label(_frames(6), Counting(calls), cache=tmp_path / "labels.db", report=told.append)
    assert len(calls) == 6
    np.testing.assert_array_equal(again.energies[:4], first.energies)
    assert (told[-1].done, told[-1].cached, told[-1].failed) == (6, 4, 0)
    # Another charge is another label.
    label(dataclasses.replace(_frames(1), charge=1), Counting(calls), cache=tmp_path / "labels.db")
    assert len(calls) == 7


def test_a_killed_run_goes_on(tmp_path):
    calls = []

    class Killed(BaseException):
        pass

    @dataclasses.dataclass(frozen=True)
    class Mortal(Counting):
        def prepare(self, numbers, charge):
            inner = super().prepare(numbers, charge)
            count = itertools.count()

            def labeller(x):
                if next(count) == 3:
                    raise Killed
                return inner(x)

            return labeller

    with pytest.raises(Killed):
        label(_frames(5), Mortal(calls), cache=tmp_path / "labels.db")
    assert len(calls) == 3
    done = label(_frames(5), Counting(calls), cache=tmp_path / "labels.db")
    assert len(calls) == 5
    assert done.labelled.all()


def test_what_fails_is_marked_with_its_reason():
    x = np.repeat(WATER[None], 6, axis=0)
    x[1, 0, 0] = -2.0
    x[2, 0, 0] = 2.0
    x[3, 1] = np.nan
    x[4, 2] = x[4, 1] + 0.001
    done = label(Dataset.of(Z, x), Counting([]))
    assert done.labelled.tolist() == [True, False, False, False, False, True]
    assert done.reasons[1] == "ArithmeticError: the SCF did not converge"
    assert "the energy is nan" in done.reasons[2]
    assert done.reasons[3] == "atom 1 has no finite position"
    assert done.reasons[4].startswith("atoms 1 and 2 are 0.00")


def test_stopping_leaves_the_rest_unlabelled():
    done = label(_frames(5), Counting([]), stop=lambda: True)
    assert done.labelled.sum() == 1
    assert done.reasons[4] == "not labelled: stopped before"


def test_names_of_methods():
    assert label_method("gfn2") == Xtb("GFN2-xTB")
    assert label_method("GFN1-xTB") == Xtb("GFN1-xTB")
    assert label_method("b3lyp/def2-svp") == Pyscf("b3lyp", "def2-svp")
    for name in ("gfn3", "b3lyp", "magic/def2-svp"):
        with pytest.raises(ArgumentError, match="no label method"):
            label_method(name)


def test_xtb_fails_without_losing_its_way():
    pytest.importorskip("tblite")
    x = np.repeat(WATER[None], 3, axis=0)
    x[1, 2] = x[1, 1] + 0.025  # two hydrogens nearly on top of each other
    x[1, 0] = x[1, 1] - 0.022
    clean = label(Dataset.of(Z, WATER), Xtb())
    done = label(Dataset.of(Z, x), Xtb())
    assert done.labelled[2]
    assert done.energies[2] == pytest.approx(clean.energies[0], abs=1e-6)


def test_a_label_does_not_depend_on_what_came_before():
    pytest.importorskip("tblite")
    labeller = Xtb().prepare(Z, 0)
    fresh = labeller(WATER)
    labeller(WATER * 1.1)
    energy, gradient = labeller(WATER)
    assert energy == fresh[0]
    np.testing.assert_array_equal(gradient, fresh[1])


def test_a_method_is_an_energy_and_a_system():
    pytest.importorskip("tblite")
    direct = label(Dataset.of(Z, WATER), Xtb().sharpened())
    system = label_system(Z, WATER, Xtb(), name="water")
    energy, gradient = system.energy.probe(WATER.reshape(-1))
    assert energy == pytest.approx(direct.energies[0], abs=1e-8)
    np.testing.assert_allclose(gradient, -direct.forces.reshape(-1), atol=1e-6)
    assert system.units.length == "nm"
    assert system.labels == ("O", "H", "H")


@pytest.mark.slow
def test_processes_give_the_same_labels(tmp_path):
    pytest.importorskip("tblite")
    alone = label(_frames(3), Xtb())
    told = []
    shared = label(_frames(3), Xtb(), workers=2, cache=tmp_path / "l.db", report=told.append)
    np.testing.assert_allclose(shared.energies, alone.energies, atol=1e-6)
    assert told[-1].done == 3


def test_openmm_systems_label(water):
    openmm = pytest.importorskip("openmm")
    system = openmm.System()
    for mass in water.topology.masses:
        system.addParticle(mass)
    bond, angle = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce()
    bond.addBond(0, 1, 0.09572, 462_750.4)
    bond.addBond(0, 2, 0.09572, 462_750.4)
    angle.addAngle(1, 0, 2, 1.82421813, 836.8)
    system.addForce(bond)
    system.addForce(angle)
    done = label(_frames(3), OpenmmSystem(system))
    x = jax.numpy.asarray(done.points.T)
    energies, gradients = value_and_grad(water, x)
    np.testing.assert_allclose(done.energies, energies, rtol=1e-10)
    np.testing.assert_allclose(done.forces.reshape(3, 9), -np.asarray(gradients).T, atol=1e-7)
    with pytest.raises(ArgumentError, match="3 particles"):
        label(Dataset.of(Z[:2], WATER[None, :2]), OpenmmSystem(system))


def test_ase_calculators_label():
    emt = pytest.importorskip("ase.calculators.emt")
    x = np.array([[0.0, 0.0, 0.0], [0.25, 0.0, 0.0]])
    numbers = np.array([29, 29], np.int32)
    done = label(Dataset.of(numbers, x), AseCalculator(emt.EMT, "emt"))
    step = 1e-5
    moved = np.repeat(x[None], 2, axis=0)
    moved[0, 1, 0] += step
    moved[1, 1, 0] -= step
    ends = label(Dataset.of(numbers, moved), AseCalculator(emt.EMT, "emt")).energies
    assert done.forces[0, 1, 0] == pytest.approx(-(ends[0] - ends[1]) / (2 * step), rel=1e-6)


def test_energies_of_labels_join_the_engine():
    energy = label_energy(Z, Counting([]))
    value, gradient = value_and_grad(energy, jax.numpy.asarray(WATER.reshape(-1)))
    assert float(value) == pytest.approx(0.5 * np.sum(WATER**2))
    np.testing.assert_allclose(gradient, WATER.reshape(-1))


def test_a_folder_of_a_molecules_name_is_not_the_molecule(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "water").mkdir()
    assert molecule("water").numbers.tolist() == [8, 1, 1]
    with pytest.raises(ArgumentError, match="no file water"):
        molecule("water.xyz")
