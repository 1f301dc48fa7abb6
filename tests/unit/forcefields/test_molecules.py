"""Molecules in, systems out, and what is refused with which atom named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError, ClusterSymmetry
from thalweg.forcefields import (
    Coulomb,
    ForceField,
    HarmonicBonds,
    PairRule,
    Topology,
    check_structure,
    class_means,
    forcefield_system,
    side_kinds,
    term_kinds,
)
from thalweg.forcefields._system import rotatable
from thalweg.io import (
    forcefield_from_mmff,
    forcefield_from_openmm,
    generic_forcefield,
    molecule,
    to_openmm,
    topology_from_ase,
    topology_from_smiles,
    topology_from_structure,
    topology_from_xyz,
)


@pytest.fixture(scope="module")
def ethanol():
    return topology_from_smiles("CCO")


def test_smiles_and_its_structure_have_one_topology(ethanol, tmp_path):
    import ase

    topology, x = ethanol
    assert topology.n_atoms == 9
    assert (len(topology.bonds), len(topology.angles), len(topology.propers)) == (8, 13, 12)
    numbers = [int(z) for z in topology.numbers]
    seen = topology_from_structure(numbers, x)
    assert np.array_equal(seen.bonds, topology.bonds)
    atoms = ase.Atoms(numbers, positions=10.0 * x)
    assert np.array_equal(topology_from_ase(atoms).bonds, topology.bonds)
    rows = [f"{s} {a} {b} {c}" for s, (a, b, c) in zip("CCOHHHHHH", 10.0 * x, strict=True)]
    path = tmp_path / "ethanol.xyz"
    path.write_text("\n".join(["9", "", *rows]))
    read, there = topology_from_xyz(path)
    assert np.array_equal(read.bonds, topology.bonds)
    assert there == pytest.approx(x, abs=1e-12)


def test_flat_centres_have_impropers():
    """Acetamide: C and N; the acetate ion has one, and its charge, and two equal oxygen atoms."""
    assert sorted(topology_from_smiles("CC(=O)N")[0].impropers[:, 2].tolist()) == [1, 3]
    ion, x = topology_from_smiles("CC(=O)[O-]")
    assert ion.charge == -1
    assert ion.ranks[2] == ion.ranks[3]
    assert topology_from_structure([int(z) for z in ion.numbers], x, charge=-1).charge == -1
    charged = forcefield_from_mmff(ion, x).blocks["coulomb"]
    assert isinstance(charged, Coulomb)
    assert float(jnp.sum(charged.charges())) == pytest.approx(-1.0, abs=1e-12)


def test_kinds_follow_symmetry(ethanol):
    """Ethanol: CH3 hydrogens are one class, CH2 hydrogens another."""
    topology, _ = ethanol
    kinds = term_kinds(topology.ranks, topology.bonds)
    assert kinds.max() + 1 == 5
    sides = side_kinds(topology.ranks, topology.angles)
    for (i, _, k), (one, other) in zip(topology.angles, sides, strict=True):
        assert (one == other) == (topology.ranks[i] == topology.ranks[k])
    backwards = side_kinds(topology.ranks, topology.angles[:, ::-1])
    assert np.array_equal(sides[:, 0] == sides[:, 1], backwards[:, 0] == backwards[:, 1])
    means = class_means(kinds, [float(k) for k in kinds])
    assert np.array_equal(means, np.arange(5))


def test_system_of_a_molecule(ethanol):
    """Methyl and methylene hydrogens interchange, starts have room, units are kJ/mol and nm."""
    topology, x = ethanol
    forcefield = generic_forcefield(topology, x, "I")
    made = forcefield_system(forcefield, x, name="ethanol")
    assert isinstance(made.symmetry, ClusterSymmetry)
    assert made.symmetry.inversion
    assert sorted(np.unique(made.symmetry.species, return_counts=True)[1]) == [1, 1, 1, 1, 2, 3]
    assert made.units.energy == "kJ/mol"
    assert 0.09 < made.length < 0.15
    assert made.labels == tuple("CCOHHHHHH")
    axes, moved = rotatable(topology)
    assert sorted(map(sorted, axes.tolist())) == [[0, 1], [1, 2]]
    assert sorted(moved.sum(axis=1).tolist()) == [1, 3]
    starts = np.asarray(jax.jit(jax.vmap(made.start))(jax.random.split(jax.random.key(1), 20)))
    for start in starts:
        check_structure(forcefield, start)
        i, j = topology.bonds.T
        r = start.reshape(-1, 3)
        lengths = np.linalg.norm(r[i] - r[j], axis=1)
        assert lengths == pytest.approx(np.linalg.norm(x[i] - x[j], axis=1), abs=0.04)
    # The hydroxyl hydrogen turns all the way round.
    spread = starts.reshape(20, -1, 3)[:, 8] - starts.reshape(20, -1, 3)[:, 2]
    assert np.linalg.norm(spread.std(axis=0)) > 0.03


def test_rings_do_not_turn():
    topology, _ = topology_from_smiles("c1ccccc1C")
    axes, _ = rotatable(topology)
    assert axes.tolist() in ([[5, 6]], [[6, 5]])


def test_structures_that_cannot_be_right(ethanol):
    topology, x = ethanol
    bonds = HarmonicBonds(
        jnp.asarray(topology.bonds), jnp.zeros(8, jnp.int32), jnp.ones(1), jnp.ones(1)
    )
    forcefield = ForceField(topology, {"bonds": bonds})
    check_structure(forcefield, x)
    with pytest.raises(ArgumentError, match=r"24 coordinates and the topology 9 atoms"):
        check_structure(forcefield, x[:8])
    with pytest.raises(ArgumentError, match="C1 is at"):
        check_structure(forcefield, np.where(np.arange(9)[:, None] == 1, np.nan, x))
    near = x.copy()
    near[8] = near[2] + 0.3 * (near[8] - near[2])
    with pytest.raises(ArgumentError, match=r"O2 and H8 \(0\.0\d+ nm\)"):
        check_structure(forcefield, near)
    with pytest.raises(ArgumentError, match="more pairs"):
        check_structure(forcefield, 0.1 * x)


def test_molecules_that_cannot_be_read(tmp_path):
    with pytest.raises(ArgumentError, match="no SMILES"):
        topology_from_smiles("C(C")
    wrong = tmp_path / "wrong.xyz"
    wrong.write_text("2\n\nC 0 0 0\nXq 0 0 1.5\n")
    with pytest.raises(ArgumentError, match="atom 1 is of the unknown element 'Xq'"):
        topology_from_xyz(wrong)
    wrong.write_text("nothing")
    with pytest.raises(ArgumentError, match="no xyz file"):
        topology_from_xyz(wrong)
    with pytest.raises(ArgumentError, match="atomic number 0"):
        topology_from_structure([6, 0], np.zeros((2, 3)))
    with pytest.raises(ArgumentError, match=r"clash.* C0 and O1 \(0\.0100 nm\)"):
        topology_from_structure([6, 8], np.array([[0.0, 0.0, 0.0], [0.01, 0.0, 0.0]]))
    with pytest.raises(ArgumentError, match="O1 is at"):
        topology_from_structure([6, 8], np.array([[0.0, 0.0, 0.0], [np.nan, 0.0, 0.0]]))
    wrong.write_text("2\n\nC 0 0 0\nXq 0 0 1.5\n")
    with pytest.raises(ArgumentError, match="'Xq' in line 4 is no element"):
        molecule(str(wrong))


def test_elements_without_parameters():
    """Selenium is none of MMFF94's: the error names the atom."""
    topology, x = topology_from_smiles("C[Se]C")
    with pytest.raises(ArgumentError, match="Se1"):
        forcefield_from_mmff(topology, x)
    with pytest.raises(ArgumentError, match="class_='III'"):
        generic_forcefield(topology, x, "III")


def test_foreign_forces_are_refused(ethanol):
    openmm = pytest.importorskip("openmm")
    topology, x = ethanol
    system = openmm.System()
    for mass in topology.masses:
        system.addParticle(mass)
    system.addForce(openmm.CustomBondForce("r"))
    with pytest.raises(ArgumentError, match="CustomBondForce is a force that cannot"):
        forcefield_from_openmm(system, topology)
    system.removeForce(0)
    system.addConstraint(0, 1, 0.15)
    with pytest.raises(ArgumentError, match="between C0 and C1"):
        forcefield_from_openmm(system, topology)
    with pytest.raises(ArgumentError, match="9 particles and the topology 2 atoms"):
        forcefield_from_openmm(system, Topology.from_bonds([1, 1], [(0, 1)], masses=[1.0, 1.0]))
    with pytest.raises(ArgumentError, match=r"'valence' .* no counterpart"):
        to_openmm(generic_forcefield(topology, x, "II"))
    bare = Coulomb(PairRule.of(topology), jnp.asarray(topology.ranks), jnp.ones(6), buffer=0.005)
    with pytest.raises(ArgumentError, match="buffered"):
        to_openmm(ForceField(topology, {"charges": bare}))
