"""The ladder of force fields from molecular mechanics to machine learning: one entry a rung."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, PRNGKey
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

from ._rung import Builder, Choices, Knobs, Notches, Rung, parse_knobs

_BOND = 300_000.0
"""Usual stiffness of a bond, in kJ/(mol nm²)."""

_ANGLE = 400.0
"""Usual stiffness of an angle, in kJ/(mol rad²)."""


def _harmonic(molecule: Molecule, dataset: Dataset, key: PRNGKey) -> ForceField:
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


def _stock(molecule: Molecule, dataset: Dataset, key: PRNGKey) -> ForceField:
    return forcefield_from_mmff(molecule.topology(), molecule.positions)


def _class_one(molecule: Molecule, dataset: Dataset, key: PRNGKey) -> ForceField:
    return generic_forcefield(molecule.topology(), molecule.positions, "I")


def _class_two(molecule: Molecule, dataset: Dataset, key: PRNGKey) -> ForceField:
    return generic_forcefield(molecule.topology(), molecule.positions, "II")


def _amber(molecule: Molecule, dataset: Dataset, key: PRNGKey) -> ForceField:
    if not molecule.has_residues:
        raise ArgumentError(
            f"Amber14 needs names of residues and atoms, and {molecule.name} has none",
            "give a PDB file, or leave the force fields called amber14 out",
        )
    assert molecule.file is not None
    return amber_from_file(molecule.file)[0]


Learned = Callable[[Topology, Dataset, PRNGKey, Choices], AbstractBlock]
"""Topology, training set, random numbers, knobs in; a block with nothing learned yet out."""


def _on(mechanics: Builder, learned: Learned) -> Callable[[Choices], Builder]:
    """Molecular mechanics and what is learned on top of it, fitted together."""

    def make(choices: Choices) -> Builder:
        def both(molecule: Molecule, dataset: Dataset, key: PRNGKey) -> ForceField:
            base = mechanics(molecule, dataset, key)
            block = learned(base.topology, dataset, key, choices)
            return ForceField(base.topology, base.blocks | {"learned": block})

        return both

    return make


def _alone(learned: Learned) -> Callable[[Choices], Builder]:
    """A learned block, and a wall that keeps atoms apart where there are no data."""

    def make(choices: Choices) -> Builder:
        def build(molecule: Molecule, dataset: Dataset, key: PRNGKey) -> ForceField:
            topology = molecule.topology()
            wall = ZBLRepulsion.for_topology(topology)
            block = learned(topology, dataset, key, choices)
            return ForceField(topology, {"wall": wall, "learned": block})

        return build

    return make


def _splines(topology: Topology, dataset: Dataset, key: PRNGKey, at: Choices) -> AbstractBlock:
    return PairSplines.for_topology(topology, knots=int(at["knots"]), cutoff=at["cutoff"])


def _symmetry_functions(
    topology: Topology, dataset: Dataset, key: PRNGKey, at: Choices
) -> AbstractBlock:
    descriptor = SymmetryDescriptor.even(
        len(set(topology.numbers.tolist())),
        cutoff=at["cutoff"],
        radial=int(at["radial"]),
        angular=int(at["angular"]),
    )
    block = SymmetryFunctions.for_topology(
        topology,
        key=key,
        descriptor=descriptor,
        width=int(at["width"]),
        depth=int(at["depth"]),
        dtype="float32",
    )
    return block.calibrated(jnp.asarray(dataset.positions))


def _invariant(topology: Topology, dataset: Dataset, key: PRNGKey, at: Choices) -> AbstractBlock:
    return InvariantMessages.for_topology(topology, key=key, dtype="float32", **_messages(at))


def _equivariant(topology: Topology, dataset: Dataset, key: PRNGKey, at: Choices) -> AbstractBlock:
    return EquivariantMessages.for_topology(topology, key=key, dtype="float32", **_messages(at))


def _messages(at: Choices) -> dict[str, Any]:
    return {
        "cutoff": at["cutoff"],
        "features": int(at["features"]),
        "layers": int(at["layers"]),
        "basis": int(at["basis"]),
    }


_CUTOFFS = (0.35, 0.5, 0.7)
"""In nm: second, third and fourth neighbours."""

_SPLINE = (
    {"knots": 30, "cutoff": 0.6},
    {"knots": (12, 30, 60), "cutoff": (0.4, 0.6, 0.9)},
)
"""Knobs: where they usually stand, and the values of each from cheap to dear, those first that
change the cost most."""

# Bonds move by hundredths of the cutoff: few, wide radial functions see that, but learn it slowly.
_FUNCTION = (
    {"width": 24, "depth": 2, "radial": 24, "angular": 3, "cutoff": 0.5},
    {
        "angular": (1, 3, 5),
        "radial": (8, 16, 24, 40),
        "width": (8, 24, 64),
        "depth": (1, 2, 3),
        "cutoff": _CUTOFFS,
    },
)

_MESSAGE = (
    {"features": 32, "layers": 2, "basis": 16, "cutoff": 0.5},
    {
        "features": (8, 16, 32, 64),
        "layers": (1, 2, 3),
        "basis": (8, 16, 32),
        "cutoff": _CUTOFFS,
    },
)

_ENERGIES = 0.2
"""Weight of energies, in Å⁻²: they alone tell the conformers apart, whose passes no run crosses."""

_MECHANICS = FitConfig(method="gauss-newton", energy_weight=_ENERGIES)
_FUNCTIONS = FitConfig(
    method="adam", steps=4_000, batch=16, rate_network=1e-2, energy_weight=_ENERGIES
)
_MESSAGES = FitConfig(
    method="adam", steps=4_000, batch=16, rate_network=5e-3, energy_weight=_ENERGIES
)


def _learned(
    name: str,
    summary: str,
    make: Callable[[Choices], Builder],
    knobs: tuple[Choices, Notches],
    config: FitConfig,
    *,
    residues: bool = False,
) -> Rung:
    return Rung(name, summary, make(knobs[0]), config, residues, Knobs(make, *knobs))


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
        _learned(
            "splines",
            "class II and a curve for each kind of pair",
            _on(_class_two, _splines),
            _SPLINE,
            _MECHANICS,
        ),
        _learned(
            "acsf",
            "networks over symmetry functions",
            _alone(_symmetry_functions),
            _FUNCTION,
            _FUNCTIONS,
        ),
        _learned("invariant", "invariant messages", _alone(_invariant), _MESSAGE, _MESSAGES),
        _learned("equivariant", "equivariant messages", _alone(_equivariant), _MESSAGE, _MESSAGES),
        _learned(
            "delta",
            "class II and networks over symmetry functions",
            _on(_class_two, _symmetry_functions),
            _FUNCTION,
            _FUNCTIONS,
        ),
        _learned(
            "amber14-delta",
            "Amber14, fitted, and networks over symmetry functions",
            _on(_amber, _symmetry_functions),
            _FUNCTION,
            _FUNCTIONS,
            residues=True,
        ),
    )
}
"""All rungs."""


def ladder(name: str) -> Rung:
    """A rung by name, its knobs turned as the name says: `delta-width8-cutoff0.4`.

    Raises:
        ArgumentError: if there is none of that name, or no such knob.
    """
    kinds = sorted((kind for kind in LADDER if name.startswith(kind)), key=len)
    for kind in reversed(kinds):
        turned = parse_knobs(name.removeprefix(kind))
        if turned is not None:
            return LADDER[kind].with_knobs(turned)
    raise ArgumentError(f"no kind of force field is called {name!r}", f"one of {', '.join(LADDER)}")
