"""What is asked about a force field, through few compiled programs."""

import dataclasses
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import AbstractEnergy, ArgumentError, PRNGKey

from ._copies import doubled
from ._forcefield import ForceField
from ._topology import Topology

_CHUNK = 32
"""Points in a block: one program for every question."""


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A force field at a structure.

    Attributes:
        energy: The force field.
        x: The structure, `(n, 3)`, in nm.
        key: Randomness.
        topology: Its atoms, if it knows them.
        single: Whether part of it computes in float32, which limits what can be told.
    """

    energy: AbstractEnergy
    x: np.ndarray
    key: PRNGKey
    topology: Topology | None
    single: bool

    @classmethod
    def of(cls, energy: AbstractEnergy, x: np.ndarray, key: PRNGKey) -> "Case":
        """Check the arguments.

        Raises:
            ArgumentError: if `x` is not a structure of its atoms, or its energy is not finite.
        """
        topology = getattr(energy, "topology", None)
        if x.size % 3 or (topology is not None and x.size != 3 * topology.n_atoms):
            atoms = "whole atoms" if topology is None else f"{topology.n_atoms} atoms"
            raise ArgumentError(f"x has {x.size} coordinates, expected those of {atoms}")
        leaves = [leaf for leaf in jax.tree.leaves(energy) if eqx.is_inexact_array(leaf)]
        single = any(leaf.dtype == jnp.float32 for leaf in leaves)
        case = cls(energy, x.reshape(-1, 3), key, topology, single)
        if not np.isfinite(case.energies(case.x[None])).all():
            raise ArgumentError(
                "the energy at x is not finite", "begin from a structure near a minimum, in nm"
            )
        return case

    @functools.cached_property
    def pair(self) -> ForceField | None:
        """Two copies of it, or nothing if a block cannot be copied."""
        if not isinstance(self.energy, ForceField) or self.energy.box is not None:
            return None
        try:
            return doubled(self.energy)
        except ArgumentError:
            return None

    def energies(self, points: np.ndarray) -> np.ndarray:
        """Of structures `(m, n, 3)`, in kJ/mol."""
        return _in_chunks(lambda block: _energies(self.energy, block), points)

    def pair_energies(self, points: np.ndarray) -> np.ndarray:
        """Of two copies, `(m, 2 n, 3)`, in kJ/mol."""
        pair = self.pair
        assert pair is not None
        return _in_chunks(lambda block: _energies(pair, block), points)

    def forces(self, points: np.ndarray) -> np.ndarray:
        """On the atoms of structures `(m, n, 3)`, in kJ/(mol nm)."""
        return _in_chunks(lambda block: _forces(self.energy, block), points)

    def along(self, points: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Energy and its first two derivatives along `(n, 3)` at `(m, n, 3)`; `(m, 3)`."""
        line = jnp.asarray(direction.ravel())
        return _in_chunks(lambda block: _derivatives(self.energy, block, line), points)

    def draw(self, place: int, shape: tuple[int, ...]) -> np.ndarray:
        """Normal numbers; each place has its own."""
        return np.array(jax.random.normal(jax.random.fold_in(self.key, place), shape))

    def limit(self, double: float, single: float) -> float:
        """The limit that rounding allows."""
        return single if self.single else double


def _in_chunks(function: Any, points: np.ndarray) -> np.ndarray:
    flat = points.reshape(len(points), -1)
    padded = np.concatenate([flat, np.repeat(flat[-1:], -len(flat) % _CHUNK, axis=0)])
    blocks = [
        np.asarray(function(jnp.asarray(padded[k : k + _CHUNK])), float)
        for k in range(0, len(padded), _CHUNK)
    ]
    return np.concatenate(blocks)[: len(points)]


@eqx.filter_jit
def _energies(energy: AbstractEnergy, points: jax.Array) -> jax.Array:
    return jax.lax.map(energy, points, batch_size=8)


@eqx.filter_jit
def _forces(energy: AbstractEnergy, points: jax.Array) -> jax.Array:
    given = getattr(energy, "forces", None) or (lambda x: -jax.grad(energy)(x).reshape(-1, 3))
    return jax.lax.map(given, points, batch_size=8)


@eqx.filter_jit
def _derivatives(energy: AbstractEnergy, points: jax.Array, line: jax.Array) -> jax.Array:
    def first(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.jvp(energy, (x,), (line,))

    def both(x: jax.Array) -> jax.Array:
        (value, slope), (_, curvature) = jax.jvp(first, (x,), (line,))
        return jnp.stack([value, slope, curvature])

    return jax.lax.map(both, points, batch_size=8)
