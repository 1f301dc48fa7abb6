"""Molecular mechanics beside OpenMM's Reference platform, RDKit's MMFF94, and closed forms."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import openmm
import pytest
from openmm import app, unit

from thalweg.forcefields import (
    Ewald,
    ForceField,
    Geometry,
    PairRule,
    Topology,
    with_neighbours,
)
from thalweg.forcefields._check import interchangeable
from thalweg.io import (
    forcefield_from_mmff,
    forcefield_from_openmm,
    generic_forcefield,
    system_from_structure,
    to_openmm,
    topology_from_smiles,
)
from thalweg.io._molecules import molecule_of

_HEAVY = (
    ("ACE", 1, "CH3"),
    ("ACE", 1, "C"),
    ("ACE", 1, "O"),
    ("ALA", 2, "N"),
    ("ALA", 2, "CA"),
    ("ALA", 2, "CB"),
    ("ALA", 2, "C"),
    ("ALA", 2, "O"),
    ("NME", 3, "N"),
    ("NME", 3, "C"),
)


@pytest.fixture(scope="module")
def dipeptide():
    """Alanine dipeptide with Amber14: OpenMM's system, topology and positions in nm."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    molecule = Chem.AddHs(Chem.MolFromSmiles("CC(=O)N[C@@H](C)C(=O)NC"))
    AllChem.EmbedMolecule(molecule, randomSeed=7)
    heavy = molecule.GetConformer().GetPositions()[: len(_HEAVY)] / 10.0
    topology, residues = app.Topology(), {}
    chain, atoms = topology.addChain(), []
    for number, (residue, place, name) in enumerate(_HEAVY):
        if place not in residues:
            residues[place] = topology.addResidue(residue, chain)
        symbol = molecule.GetAtomWithIdx(number).GetSymbol()
        element = app.Element.getBySymbol(symbol)
        atoms.append(topology.addAtom(name, element, residues[place]))
    for bond in molecule.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if max(i, j) < len(_HEAVY):
            topology.addBond(atoms[i], atoms[j])
    modeller = app.Modeller(topology, [openmm.Vec3(*x) for x in heavy] * unit.nanometer)
    forcefield = app.ForceField("amber14-all.xml")
    modeller.addHydrogens(forcefield, platform=openmm.Platform.getPlatformByName("Reference"))
    system = forcefield.createSystem(modeller.topology, nonbondedMethod=app.NoCutoff)
    return system, modeller.topology, _nanometres(modeller.positions)


@pytest.fixture(scope="module")
def water():
    """A function from a method of OpenMM to its system of TIP3P water, and the box."""
    forcefield = app.ForceField("amber14/tip3p.xml")
    modeller = app.Modeller(app.Topology(), [] * unit.nanometer)
    modeller.addSolvent(forcefield, boxSize=openmm.Vec3(1.9, 1.95, 2.0) * unit.nanometer)

    def make(method):
        return forcefield.createSystem(
            modeller.topology,
            nonbondedMethod=method,
            nonbondedCutoff=0.9 * unit.nanometer,
            constraints=None,
            rigidWater=False,
        )

    x = _nanometres(modeller.positions)
    # Off the rest lengths, so that the bonded terms are there too; molecules stay whole.
    noise = np.asarray(jax.random.normal(jax.random.key(3), x.shape))
    return make, modeller.topology, x + 0.003 * noise


def test_dipeptide_term_by_term(dipeptide):
    """Amber14 in vacuum, every term to 1e-10 relative."""
    system, topology, x = dipeptide
    ours = forcefield_from_openmm(system, topology)
    energies, gradient = _measured(ours, x)
    theirs, forces = _reference(system, x)
    grouped = {
        "HarmonicBondForce": ["bonds"],
        "HarmonicAngleForce": ["angles"],
        "PeriodicTorsionForce": ["torsions", "impropers"],
        "NonbondedForce": ["lennard-jones", "coulomb"],
    }
    assert {name for names in grouped.values() for name in names} == set(energies)
    for force, names in grouped.items():
        assert sum(energies[name] for name in names) == pytest.approx(theirs[force], rel=1e-10)
    assert gradient == pytest.approx(-forces, abs=1e-9 * np.abs(forces).max())


@pytest.mark.parametrize("method", ["CutoffPeriodic", "PME"])
def test_water_box(water, method):
    """TIP3P water: PME; reaction field, a switch and what it does to the tail. To 1e-9 relative."""
    make, topology, x = water
    system = make(getattr(app, method))
    if method == "CutoffPeriodic":
        (force,) = [f for f in system.getForces() if isinstance(f, openmm.NonbondedForce)]
        force.setUseSwitchingFunction(True)
        force.setSwitchingDistance(0.75)
    ours = with_neighbours(forcefield_from_openmm(system, topology), x, skin=0.04)
    energies, gradient = _measured(ours, x)
    theirs, forces = _reference(system, x)
    charges = "ewald" if method == "PME" else "coulomb"
    nonbonded = energies["lennard-jones"] + energies[charges]
    assert nonbonded == pytest.approx(theirs["NonbondedForce"], rel=1e-9)
    assert energies["bonds"] == pytest.approx(theirs["HarmonicBondForce"], rel=1e-10)
    assert gradient == pytest.approx(-forces, abs=1e-9 * np.abs(forces).max())


def test_madelung():
    """Rock salt: 1.7475645946331821906 (OEIS A085469), by plain sum and by mesh."""
    half = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), -1).reshape(-1, 3)
    sign = half.sum(axis=1) % 2
    box = jnp.asarray(2.0 * np.eye(3))
    geometry = Geometry(jnp.asarray(half, float), box)
    charge = jnp.asarray([1.0, -1.0])

    def madelung(alpha, **how):
        rule = PairRule.but(np.zeros((0, 2), int), cutoff=1.0)
        block = Ewald(rule, jnp.asarray(sign), charge, alpha=alpha, **how)
        return -2.0 * float(eqx.filter_jit(block)(geometry)) / (8 * 138.93545764438198)

    # Real space with the nearest images only: α so large that nothing else is left.
    assert madelung(9.0, waves=(34, 34, 34)) == pytest.approx(1.7475645946331822, abs=1e-10)


def _nanometres(positions):
    return np.asarray(positions.value_in_unit(unit.nanometer), float)


def _measured(forcefield, x):
    """Energies by block, and the gradient of their sum."""

    @eqx.filter_jit
    def both(ff, flat):
        (_, energies), gradient = jax.value_and_grad(
            lambda y: (lambda e: (sum(e.values()), e))(ff.energies(y)), has_aux=True
        )(flat)
        return energies, gradient.reshape(-1, 3)

    energies, gradient = both(forcefield, jnp.asarray(x).reshape(-1))
    return {name: float(value) for name, value in energies.items()}, np.asarray(gradient)


def _reference(system, x):
    """OpenMM's energies by force, and forces."""
    for group, force in enumerate(system.getForces()):
        force.setForceGroup(group)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(x)
    energies = {
        force.getName(): context.getState(getEnergy=True, groups={group})
        .getPotentialEnergy()
        ._value
        for group, force in enumerate(system.getForces())
    }
    forces = context.getState(getForces=True).getForces(asNumpy=True)._value
    return energies, np.asarray(forces)


@pytest.fixture(scope="module")
def alkyne():
    """N-hydroxymethyl but-2-ynamide: a linear centre, an amide, groups of equal atoms."""
    return topology_from_smiles("CC#CC(=O)NCO", seed=3)


def test_mmff_term_by_term(alkyne):
    """MMFF94 beside RDKit's own energies, term by term; Coulomb's constant is another there."""
    from rdkit.Chem import rdForceFieldHelpers

    topology, x = alkyne
    ours = forcefield_from_mmff(topology, x)
    energies, _ = _measured(ours, x)
    molecule = molecule_of(topology, x)
    switches = ("Bond", "Angle", "StretchBend", "Oop", "Torsion", "VdW", "Ele")

    def theirs(*chosen):
        known = rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule)
        for name in switches:
            getattr(known, f"SetMMFF{name}Term")(name in chosen)
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(
            molecule, known, nonBondedThresh=1000.0, ignoreInterfragInteractions=False
        )
        return 4.184 * field.CalcEnergy()

    valence = energies["valence"] + energies["linear angles"]
    assert valence == pytest.approx(theirs("Bond", "Angle", "StretchBend"), rel=1e-9)
    assert energies["planes"] == pytest.approx(theirs("Oop"), rel=1e-9)
    assert energies["torsions"] == pytest.approx(theirs("Torsion"), rel=1e-9)
    assert energies["buffered 14-7"] == pytest.approx(theirs("VdW"), rel=1e-9)
    # Coulomb's constant is another there.
    other = 332.0716 * 0.4184 / 138.93545764438198
    assert energies["coulomb"] * other == pytest.approx(theirs("Ele"), rel=1e-9)


@pytest.mark.slow
def test_class_two_keeps_permutations(alkyne):
    """Exchanging the equivalent atoms of a methyl and of a CH2 group, every coupling on."""
    topology, x = alkyne
    forcefield = generic_forcefield(topology, x, "II")
    couplings = forcefield.blocks["valence"]
    names = [f for f in couplings.quantities if "_" in f]
    loud = eqx.tree_at(
        lambda block: [getattr(block, name) for name in names],
        couplings,
        [
            couplings.quantities[name].spread
            * jnp.asarray(np.cos(np.arange(getattr(couplings, name).size) + 1.0)).reshape(
                getattr(couplings, name).shape
            )
            for name in names
        ],
    )
    forcefield = ForceField(topology, forcefield.blocks | {"valence": loud})
    shaken = x + 0.01 * np.sin(1.7 * np.arange(x.size)).reshape(x.shape)
    species = np.asarray(interchangeable(forcefield, shaken.reshape(-1)))
    assert sorted(np.unique(species, return_counts=True)[1])[-2:] == [2, 3]
    gradient = np.asarray(eqx.filter_jit(forcefield.forces)(jnp.asarray(x).reshape(-1)))
    assert np.all(np.isfinite(gradient))


@pytest.mark.slow
def test_linear_alkyne_has_forces():
    """Propyne, its carbon atoms exactly in a line: no NaN, with class I, class II and MMFF94."""
    topology, x = topology_from_smiles("CC#C", seed=1)
    axis = x[2] - x[0]
    axis = axis / np.linalg.norm(axis)
    for atom in (0, 1, 2, 6):
        x[atom] = x[0] + axis * ((x[atom] - x[0]) @ axis)
    fields = [forcefield_from_mmff(topology, x)]
    fields += [generic_forcefield(topology, x, class_) for class_ in ("I", "II")]

    @eqx.filter_jit
    def gradients(flat):
        return [jax.grad(field)(flat) for field in fields]

    for gradient in gradients(jnp.asarray(x).reshape(-1)):
        assert np.all(np.isfinite(np.asarray(gradient)))


def test_a_pdb_file_is_a_system_with_amber14(dipeptide, tmp_path):
    system, topology, x = dipeptide
    path = tmp_path / "dipeptide.pdb"
    with path.open("w") as file:
        app.PDBFile.writeFile(topology, 10.0 * x * unit.angstrom, file, keepIds=True)
    found = system_from_structure(path, "amber14")
    assert found.name == "dipeptide"
    # Parameters and atoms are those of the file; the energy is asked for at full precision.
    energy = float(found.energy(jnp.asarray(x.ravel())))
    assert energy == pytest.approx(_total(system, x), rel=1e-10)


def test_round_trip(dipeptide, water):
    """To OpenMM and there again: the dipeptide, and water with PME, to 1e-6 kJ/mol."""
    system, topology, x = dipeptide
    there = to_openmm(forcefield_from_openmm(system, topology))
    assert _total(there, x) == pytest.approx(_total(system, x), abs=1e-6)
    make, topology, x = water
    system = make(app.PME)
    there = to_openmm(forcefield_from_openmm(system, topology))
    assert _total(there, x) == pytest.approx(_total(system, x), abs=1e-6)


def test_torsion_forms():
    """Ryckaert-Bellemans, a correction map and phases other than 0 and 180° beside OpenMM's."""
    system = openmm.System()
    for _ in range(5):
        system.addParticle(12.0)
    ryckaert = openmm.RBTorsionForce()
    ryckaert.addTorsion(0, 1, 2, 3, 9.28, 12.16, -13.12, -3.06, 26.24, -31.5)
    periodic = openmm.PeriodicTorsionForce()
    periodic.addTorsion(0, 1, 2, 3, 2, 0.7, 5.0)
    periodic.addTorsion(0, 1, 2, 3, 2, 0.1, 3.0)
    periodic.addTorsion(4, 1, 3, 2, 6, np.pi, 2.0)
    maps = openmm.CMAPTorsionForce()
    grid = np.cos(np.arange(24) * 2 * np.pi / 24)[:, None] + np.sin(
        2 * np.arange(24)[None] * 2 * np.pi / 24
    )
    maps.addMap(24, list(grid.T.reshape(-1)))
    maps.addTorsion(0, 0, 1, 2, 3, 1, 2, 3, 4)
    for force in (ryckaert, periodic, maps):
        system.addForce(force)
    x = np.asarray(
        [[0, 0, 0], [0.15, 0.01, 0], [0.2, 0.15, 0.02], [0.33, 0.17, 0.11], [0.4, 0.1, 0.25]]
    )
    bonds = [(0, 1), (1, 2), (2, 3), (3, 4)]
    topology = Topology.from_bonds([6] * 5, bonds, masses=[12.0] * 5)
    ours = forcefield_from_openmm(system, topology)
    energies, gradient = _measured(ours, x)
    theirs, forces = _reference(system, x)
    assert energies["ryckaert"] == pytest.approx(theirs["RBTorsionForce"], rel=1e-10)
    assert energies["maps"] == pytest.approx(theirs["CMAPTorsionForce"], rel=1e-10)
    periodic = energies["torsions"] + energies["torsions 2"] + energies["impropers"]
    assert periodic == pytest.approx(theirs["PeriodicTorsionForce"], rel=1e-10)
    assert gradient == pytest.approx(-forces, abs=1e-9 * np.abs(forces).max())
    again = to_openmm(ours)
    assert _total(again, x) == pytest.approx(_total(system, x), abs=1e-9)


def _total(system, x):
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(x)
    return context.getState(getEnergy=True).getPotentialEnergy()._value
