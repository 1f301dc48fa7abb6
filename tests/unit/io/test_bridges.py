"""A force field in ASE and in OpenMM is the same energy."""

import jax
import numpy as np
import pytest

from thalweg.core import ArgumentError, value_and_grad
from thalweg.forcefields import ForceField, SymmetryFunctions
from thalweg.io import ase_calculator, generic_forcefield, molecule, openmm_force, to_openmm


@pytest.fixture(scope="module")
def ethanol():
    return molecule("ethanol")


@pytest.fixture(scope="module")
def hybrid(ethanol):
    """Class II mechanics and a network with random weights: nothing that OpenMM has."""
    base = generic_forcefield(ethanol.topology(), ethanol.positions, "II")
    learned = SymmetryFunctions.for_topology(base.topology, key=jax.random.key(0), width=4)
    return ForceField(base.topology, base.blocks | {"learned": learned})


@pytest.fixture(scope="module")
def geometry(ethanol):
    return ethanol.positions + 0.003 * np.sin(np.arange(27.0)).reshape(9, 3)


def both(forcefield, x):
    energy, gradient = value_and_grad(forcefield, x.reshape(-1))
    return float(energy), -np.asarray(gradient).reshape(-1, 3)


def test_ase_has_energies_in_ev_and_forces_in_ev_per_angstrom(ethanol, hybrid, geometry):
    ase = pytest.importorskip("ase")
    from ase.optimize import BFGS
    from ase.units import kJ, mol

    atoms = ase.Atoms(ethanol.numbers, 10.0 * geometry)
    atoms.calc = ase_calculator(hybrid)
    energy, force = both(hybrid, geometry)
    assert atoms.get_potential_energy() == pytest.approx(energy * kJ / mol, rel=1e-12)
    np.testing.assert_allclose(atoms.get_forces(), force * kJ / mol / 10, rtol=1e-9, atol=1e-12)
    step = np.zeros((9, 3))
    step[0, 0] = 1e-4
    ends = [ase.Atoms(ethanol.numbers, 10.0 * geometry + s * step) for s in (1, -1)]
    for end in ends:
        end.calc = atoms.calc
    slope = (ends[0].get_potential_energy() - ends[1].get_potential_energy()) / 2e-4
    assert atoms.get_forces()[0, 0] == pytest.approx(-slope, rel=1e-5)
    before = atoms.get_potential_energy()
    BFGS(atoms, logfile=None).run(fmax=0.05, steps=20)
    assert atoms.get_potential_energy() < before


def test_ase_refuses_other_atoms_and_cells(ethanol, hybrid):
    ase = pytest.importorskip("ase")
    calculator = ase_calculator(hybrid)
    other = ase.Atoms(ethanol.numbers[::-1], 10.0 * ethanol.positions, calculator=calculator)
    with pytest.raises(ArgumentError, match="atom 0 has atomic number"):
        other.get_potential_energy()
    fewer = ase.Atoms([1], [[0, 0, 0]], calculator=calculator)
    with pytest.raises(ArgumentError, match="the Atoms object has 1 atoms"):
        fewer.get_potential_energy()
    periodic = ase.Atoms(
        ethanol.numbers, 10.0 * ethanol.positions, cell=[9, 9, 9], pbc=True, calculator=calculator
    )
    with pytest.raises(ArgumentError, match="that of the force field none"):
        periodic.get_potential_energy()


def context(openmm, system, x, step=0.0005):
    found = openmm.Context(
        system,
        openmm.VerletIntegrator(step),
        openmm.Platform.getPlatformByName("Reference"),
    )
    found.setPositions(x)
    return found


def told(openmm, found):
    state = found.getState(getEnergy=True, getForces=True)
    kilojoule = openmm.unit.kilojoule_per_mole
    force = state.getForces(asNumpy=True).value_in_unit(kilojoule / openmm.unit.nanometer)
    return state.getPotentialEnergy().value_in_unit(kilojoule), np.asarray(force)


def test_openmm_follows_any_force_field(hybrid, geometry):
    openmm = pytest.importorskip("openmm")
    system = openmm.System()
    for mass in hybrid.topology.masses:
        system.addParticle(float(mass))
    system.addForce(openmm_force(hybrid))
    found = context(openmm, system, geometry)
    energy, force = told(openmm, found)
    expected = both(hybrid, geometry)
    assert energy == pytest.approx(expected[0], rel=1e-9)
    np.testing.assert_allclose(force, expected[1], rtol=1e-8, atol=1e-6)

    def total():
        state = found.getState(getEnergy=True)
        both = state.getPotentialEnergy() + state.getKineticEnergy()
        return both.value_in_unit(openmm.unit.kilojoule_per_mole)

    found.setVelocitiesToTemperature(300.0, 1)
    before = total()
    found.getIntegrator().step(40)
    assert total() == pytest.approx(before, abs=0.5)


def test_openmm_adds_it_to_its_own_forces_for_some_particles(ethanol, hybrid, geometry):
    """Mechanics by OpenMM on all, and again by us on the second of two molecules."""
    openmm = pytest.importorskip("openmm")
    mechanics = generic_forcefield(ethanol.topology(), ethanol.positions, "I")
    system = to_openmm(mechanics)
    for mass in hybrid.topology.masses:
        system.addParticle(float(mass))
        for force in system.getForces():
            if isinstance(force, openmm.NonbondedForce):
                force.addParticle(0.0, 0.1, 0.0)
    system.addForce(openmm_force(hybrid, particles=range(9, 18)))
    x = np.concatenate([geometry, ethanol.positions + 5.0])
    energy, force = told(openmm, context(openmm, system, x))
    one, two = both(mechanics, geometry), both(hybrid, ethanol.positions + 5.0)
    assert energy == pytest.approx(one[0] + two[0], rel=1e-6)
    np.testing.assert_allclose(force[9:], two[1], rtol=1e-6, atol=1e-4)
    with pytest.raises(ArgumentError, match="names 2 particles"):
        openmm_force(hybrid, particles=[0, 1])
