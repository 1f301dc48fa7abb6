"""The ladder of force fields from molecular mechanics to machine learning: one entry a rung."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError
from thalweg.forcefields import (
    AbstractBlock,
    EquivariantMessages,
    ForceField,
    HarmonicAngles,
    HarmonicBonds,
    InvariantMessages,
    PairSplines,
    SymmetryDescriptor,
    SymmetryFunctions,
    Topology,
    ZBLRepulsion,
    class_means,
    term_kinds,
)
from thalweg.forcefields.fitting import Dataset, FitConfig
from thalweg.io import Molecule, amber_from_file, forcefield_from_mmff, generic_forcefield

Builder = Callable[[Molecule, Dataset], ForceField]
"""A molecule and the training set in; a force field to be fitted out."""


@dataclasses.dataclass(frozen=True)
class Rung:
    """One kind of force field.

    Attributes:
        name: What it is called.
        summary: What it is, in a few words.
        build: Makes one for a molecule.
        config: How it is fitted best; `None`: it is judged as it stands.
        residues: Whether the molecule's file must name residues and atoms.
    """

    name: str
    summary: str
    build: Builder
    config: FitConfig | None
    residues: bool = False

    def suits(self, molecule: Molecule) -> bool:
        """Whether it can be made for a molecule."""
        return molecule.has_residues or not self.residues


_BOND = 300_000.0
"""Usual stiffness of a bond, in kJ/(mol nm²)."""

_ANGLE = 400.0
"""Usual stiffness of an angle, in kJ/(mol rad²)."""


def _harmonic(molecule: Molecule, dataset: Dataset) -> ForceField:
    """Bonds and angles whose lengths are the training set's means."""
    topology = molecule.topology()
    x = dataset.positions if len(dataset) else molecule.positions[None]
    blocks = {}
    if len(topology.bonds):
        kind = term_kinds(topology.ranks, topology.bonds)
        i, j = topology.bonds.T
        means = class_means(kind, np.linalg.norm(x[:, i] - x[:, j], axis=-1).mean(axis=0))
        blocks["bonds"] = HarmonicBonds(
            jnp.asarray(topology.bonds),
            jnp.asarray(kind),
            jnp.full(len(means), _BOND),
            jnp.asarray(means),
        )
    if len(topology.angles):
        kind = term_kinds(topology.ranks, topology.angles)
        i, j, k = topology.angles.T
        one, other = x[:, i] - x[:, j], x[:, k] - x[:, j]
        scalar = np.sum(one * other, axis=-1)
        sine = np.linalg.norm(np.cross(one, other), axis=-1)
        means = class_means(kind, np.arctan2(sine, scalar).mean(axis=0))
        blocks["angles"] = HarmonicAngles(
            jnp.asarray(topology.angles),
            jnp.asarray(kind),
            jnp.full(len(means), _ANGLE),
            jnp.asarray(means),
        )
    if not blocks:
        raise ArgumentError("a molecule without bonds has no harmonic force field")
    return ForceField(topology, blocks)


def _stock(molecule: Molecule, dataset: Dataset) -> ForceField:
    return forcefield_from_mmff(molecule.topology(), molecule.positions)


def _class_one(molecule: Molecule, dataset: Dataset) -> ForceField:
    return generic_forcefield(molecule.topology(), molecule.positions, "I")


def _class_two(molecule: Molecule, dataset: Dataset) -> ForceField:
    return generic_forcefield(molecule.topology(), molecule.positions, "II")


def _amber(molecule: Molecule, dataset: Dataset) -> ForceField:
    if not molecule.has_residues:
        raise ArgumentError(
            f"Amber14 needs names of residues and atoms, and {molecule.name} has none",
            "give a PDB file, or leave the force fields called amber14 out",
        )
    assert molecule.file is not None
    return amber_from_file(molecule.file)[0]


Learned = Callable[[Topology, Dataset], AbstractBlock]
"""Topology and training set in; a block with nothing learned yet out."""


def _with(build: Builder, learned: Learned) -> Builder:
    """Molecular mechanics and what is learned on top of it, fitted together."""

    def both(molecule: Molecule, dataset: Dataset) -> ForceField:
        base = build(molecule, dataset)
        return ForceField(base.topology, base.blocks | {"learned": learned(base.topology, dataset)})

    return both


def _alone(learned: Learned) -> Builder:
    """A learned block, and a wall that keeps atoms apart where there are no data."""

    def build(molecule: Molecule, dataset: Dataset) -> ForceField:
        topology = molecule.topology()
        wall = ZBLRepulsion.for_topology(topology)
        return ForceField(topology, {"wall": wall, "learned": learned(topology, dataset)})

    return build


def _splines(topology: Topology, dataset: Dataset) -> AbstractBlock:
    return PairSplines.for_topology(topology)


def _symmetry_functions(topology: Topology, dataset: Dataset) -> AbstractBlock:
    # Bonds move by hundredths of the cutoff: few, wide functions see that, but learn it slowly.
    descriptor = SymmetryDescriptor.even(len(set(topology.numbers.tolist())), radial=24)
    block = SymmetryFunctions.for_topology(
        topology, key=jax.random.key(0), descriptor=descriptor, dtype="float32"
    )
    return block.calibrated(jnp.asarray(dataset.positions))


def _invariant(topology: Topology, dataset: Dataset) -> AbstractBlock:
    return InvariantMessages.for_topology(topology, key=jax.random.key(0), dtype="float32")


def _equivariant(topology: Topology, dataset: Dataset) -> AbstractBlock:
    return EquivariantMessages.for_topology(topology, key=jax.random.key(0), dtype="float32")


_ENERGIES = 0.2
"""Weight of energies, in Å⁻²: they alone tell the conformers apart, whose passes no run crosses."""

_MECHANICS = FitConfig(method="gauss-newton", energy_weight=_ENERGIES)
_FUNCTIONS = FitConfig(
    method="adam", steps=4_000, batch=16, rate_network=1e-2, energy_weight=_ENERGIES
)
_MESSAGES = FitConfig(
    method="adam", steps=4_000, batch=16, rate_network=5e-3, energy_weight=_ENERGIES
)

LADDER: dict[str, Rung] = {
    rung.name: rung
    for rung in (
        Rung("mmff", "MMFF94 as it stands", _stock, None),
        Rung("mmff-fit", "MMFF94, its parameters fitted", _stock, _MECHANICS),
        Rung("amber14", "Amber14 as it stands", _amber, None, residues=True),
        Rung("amber14-fit", "Amber14, its parameters fitted", _amber, _MECHANICS, residues=True),
        Rung("harmonic", "harmonic bonds and angles", _harmonic, _MECHANICS),
        Rung("class1", "class I: torsions, charges, Lennard-Jones", _class_one, _MECHANICS),
        Rung("class2", "class II: anharmonic, all couplings", _class_two, _MECHANICS),
        Rung(
            "splines",
            "class II and a curve for each kind of pair",
            _with(_class_two, _splines),
            _MECHANICS,
        ),
        Rung("acsf", "networks over symmetry functions", _alone(_symmetry_functions), _FUNCTIONS),
        Rung("invariant", "invariant messages", _alone(_invariant), _MESSAGES),
        Rung("equivariant", "equivariant messages", _alone(_equivariant), _MESSAGES),
        Rung(
            "delta",
            "class II and networks over symmetry functions",
            _with(_class_two, _symmetry_functions),
            _FUNCTIONS,
        ),
        Rung(
            "amber14-delta",
            "Amber14, fitted, and networks over symmetry functions",
            _with(_amber, _symmetry_functions),
            _FUNCTIONS,
            residues=True,
        ),
    )
}
"""All rungs."""


def ladder(name: str) -> Rung:
    """A rung by name.

    Raises:
        ArgumentError: if there is none of that name.
    """
    if name not in LADDER:
        raise ArgumentError(
            f"no kind of force field is called {name!r}", f"one of {', '.join(LADDER)}"
        )
    return LADDER[name]
