"""Correction maps: an energy on a grid of two dihedrals.

Source: MacKerell, Feig and Brooks, J. Comput. Chem. 25, 1400 (2004).
"""

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import Array, Float, Int, Scalar

from ._block import AbstractBlock, Geometry, Quantity
from ._torsions import dihedrals


class CorrectionMaps(AbstractBlock):
    """`Σ E(φ, ψ)` of a bicubic periodic spline through an energy map.

    The spline's derivatives at the grid points are those of the natural choice for a closed
    curve, the periodic cubic spline; the map's values are the parameters.

    Attributes:
        atoms: The two quadruples one after another, `(t, 8)`.
        kind: Which map each has, `(t,)`.
        values: Energies at φ = 2πa/size, ψ = 2πb/size, `(maps, size, size)`, in kJ/mol.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {"values": Quantity("kJ/mol", 4.0)}
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "t 8"]
    kind: Int[Array, " t"]
    values: Float[Array, "maps size size"]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        first, second = (
            self._place(*dihedrals(geometry, atoms))
            for atoms in (self.atoms[:, :4], self.atoms[:, 4:])
        )
        size = self.values.shape[1]
        slope = jnp.asarray(_spline_slopes(size), self.values.dtype)
        along = jnp.einsum("mac,bc->mab", self.values, slope)
        known = jnp.stack([self.values, along], axis=-1)
        known = jnp.stack([known, jnp.einsum("ab,mbck->mack", slope, known)], axis=-2)
        ends = jnp.arange(2)
        rows = ((first[0][:, None] + ends) % size)[:, :, None]
        columns = ((second[0][:, None] + ends) % size)[:, None, :]
        corners = known[self.kind[:, None, None], rows, columns]
        return jnp.einsum("tabij,tai,tbj->", corners, _hermite(first[1]), _hermite(second[1]))

    def _place(
        self, cosine: Float[Array, " t"], sine: Float[Array, " t"]
    ) -> tuple[Int[Array, " t"], Float[Array, " t"]]:
        """Cell of a dihedral, and how far along it."""
        size = self.values.shape[1]
        turn = jnp.arctan2(sine, cosine) / (2.0 * np.pi)
        place = (turn - jnp.floor(turn)) * size
        cell = jnp.clip(jnp.floor(place), 0, size - 1)
        return cell.astype(int), place - jax.lax.stop_gradient(cell)


def _hermite(t: Float[Array, " t"]) -> Float[Array, "t 2 2"]:
    """Weights of value and slope at the two ends of a cell."""
    near = jnp.stack([(1.0 + 2.0 * t) * (1.0 - t) ** 2, t * (1.0 - t) ** 2], axis=-1)
    far = jnp.stack([t**2 * (3.0 - 2.0 * t), t**2 * (t - 1.0)], axis=-1)
    return jnp.stack([near, far], axis=-2)


def _spline_slopes(size: int) -> Float[np.ndarray, "size size"]:
    """Slopes of the periodic cubic spline at its knots, in units of the cell, from its values.

    Continuity of the second derivative: d₋ + 4d + d₊ = 3(y₊ - y₋).
    """
    one = np.eye(size)
    up, down = np.roll(one, 1, axis=1), np.roll(one, -1, axis=1)
    return np.linalg.solve(4.0 * one + up + down, 3.0 * (up - down))
