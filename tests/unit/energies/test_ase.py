"""Systems from ASE."""

import sys

import ase
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones as AseLennardJones
from ase.constraints import FixAtoms

from thalweg.core import (
    ArgumentError,
    ClusterSymmetry,
    PeriodicSpace,
    PeriodicSymmetry,
    check_energy,
    value_and_grad,
)
from thalweg.energies import LennardJones, PairEnergy
from thalweg.io import system_from_ase


def test_a_molecule_with_emt():
    system = system_from_ase(molecule("CH4"), EMT)
    assert system.name == "ch4"
    assert system.labels == ("C", "H", "H", "H", "H")
    assert system.units.energy == "eV"
    assert isinstance(system.symmetry, ClusterSymmetry)
    assert len(set(system.symmetry.species)) == 2
    check_energy(system)


def test_lennard_jones_agrees_with_ours():
    atoms = ase.Atoms("Ar5", positions=np.eye(5, 3) * 1.5)
    calculator = AseLennardJones(rc=1000.0)  # so far out that the shift is below 1e-17
    system = system_from_ase(atoms, calculator)
    x = 1.2 * jax.random.normal(jax.random.key(0), (15, 4))
    value, grad = value_and_grad(system.energy, x)
    expected, expected_grad = PairEnergy(LennardJones(), (0,) * 5).lane_value_and_grad(x)
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(grad, expected_grad, rtol=1e-9, atol=1e-9)


def test_a_periodic_crystal():
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    system = system_from_ase(atoms, EMT())
    assert isinstance(system.space, PeriodicSpace)
    assert isinstance(system.symmetry, PeriodicSymmetry)
    assert system.symmetry.cube
    np.testing.assert_allclose(system.space.box, atoms.cell.lengths())
    value, grad = value_and_grad(system.energy, jnp.asarray(atoms.get_positions().ravel()))
    assert float(value) == pytest.approx(-0.0056 * 32, abs=0.1)  # EMT's zero is the bulk
    assert float(jnp.max(jnp.abs(grad))) < 1e-10


def test_the_atoms_are_left_alone():
    atoms = molecule("H2O", calculator=EMT())
    before = atoms.get_positions()
    system = system_from_ase(atoms)
    value_and_grad(system.energy, jnp.zeros(9).at[3].set(2.0).at[7].set(2.0))[0].block_until_ready()
    np.testing.assert_array_equal(atoms.get_positions(), before)


def test_what_is_not_supported_says_so():
    atoms = molecule("H2O")
    with pytest.raises(ArgumentError, match="no calculator"):
        system_from_ase(atoms)
    atoms.set_constraint(FixAtoms([0]))
    with pytest.raises(ArgumentError, match="constraint"):
        system_from_ase(atoms, EMT)
    with pytest.raises(ArgumentError, match="orthorhombic"):
        system_from_ase(bulk("Cu"), EMT)
    slab = bulk("Cu", cubic=True)
    slab.pbc = (True, True, False)
    with pytest.raises(ArgumentError, match="all three"):
        system_from_ase(slab, EMT)


def test_without_ase(monkeypatch):
    monkeypatch.setitem(sys.modules, "ase", None)
    with pytest.raises(ArgumentError, match=r"pip install 'thalweg\[ase\]'"):
        system_from_ase(object(), EMT)


def test_worker_processes():
    system = system_from_ase(molecule("H2O"), EMT, workers=2)
    single = system_from_ase(molecule("H2O"), EMT)
    x = jnp.stack([system.start(jax.random.key(k)) for k in range(4)], axis=1)
    value, grad = value_and_grad(system.energy, x)
    expected, expected_grad = value_and_grad(single.energy, x)
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(grad, expected_grad)
    system.energy.close()
