"""The ladder of force fields from molecular mechanics to machine learning: one entry a rung."""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError
from thalweg.forcefields import ForceField, HarmonicAngles, HarmonicBonds, Topology
from thalweg.forcefields.fitting import Dataset, FitConfig

Builder = Callable[[Topology, np.ndarray, Dataset], ForceField]
"""Topology, a geometry `(n, 3)` in nm and the training set in; a force field to be fitted out."""


@dataclasses.dataclass(frozen=True)
class Rung:
    """One kind of force field.

    Attributes:
        name: What it is called.
        summary: What it is, in a few words.
        build: Makes one for a molecule.
        config: How it is fitted best.
    """

    name: str
    summary: str
    build: Builder
    config: FitConfig


_BOND = 300_000.0
"""Usual stiffness of a bond, in kJ/(mol nm²)."""

_ANGLE = 400.0
"""Usual stiffness of an angle, in kJ/(mol rad²)."""


def _classes(topology: Topology, atoms: np.ndarray) -> np.ndarray:
    """Which terms are alike: those whose atoms have the same symmetry classes, read either way."""
    words = [tuple(int(rank) for rank in topology.ranks[list(term)]) for term in atoms]
    words = [min(word, word[::-1]) for word in words]
    order = {word: place for place, word in enumerate(sorted(set(words)))}
    return np.asarray([order[word] for word in words], np.int32)


def _class_means(values: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Mean over frames and terms of each class, from `(m, terms)`."""
    return np.array([values[:, kind == k].mean() for k in range(int(kind.max(initial=-1)) + 1)])


def _harmonic(topology: Topology, positions: np.ndarray, dataset: Dataset) -> ForceField:
    """Bonds and angles whose lengths are the training set's means."""
    x = dataset.positions if len(dataset) else positions[None]
    blocks = {}
    if len(topology.bonds):
        kind = _classes(topology, topology.bonds)
        i, j = topology.bonds.T
        means = _class_means(np.linalg.norm(x[:, i] - x[:, j], axis=-1), kind)
        blocks["bonds"] = HarmonicBonds(
            jnp.asarray(topology.bonds),
            jnp.asarray(kind),
            jnp.full(len(means), _BOND),
            jnp.asarray(means),
        )
    if len(topology.angles):
        kind = _classes(topology, topology.angles)
        i, j, k = topology.angles.T
        one, other = x[:, i] - x[:, j], x[:, k] - x[:, j]
        scalar = np.sum(one * other, axis=-1)
        sine = np.linalg.norm(np.cross(one, other), axis=-1)
        means = _class_means(np.arctan2(sine, scalar), kind)
        blocks["angles"] = HarmonicAngles(
            jnp.asarray(topology.angles),
            jnp.asarray(kind),
            jnp.full(len(means), _ANGLE),
            jnp.asarray(means),
        )
    if not blocks:
        raise ArgumentError("a molecule without bonds has no harmonic force field")
    return ForceField(topology, blocks)


LADDER: dict[str, Rung] = {
    rung.name: rung
    for rung in (
        Rung(
            "harmonic",
            "harmonic bonds and angles",
            _harmonic,
            FitConfig(method="gauss-newton"),
        ),
    )
}
"""All rungs, the fastest first."""


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
