"""Which pairs of atoms a pair potential is summed over, and how it ends at a cutoff."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Bool, Float, Int, Scalar

from ._block import Geometry
from ._topology import Topology

PairFunction = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""Energies of pairs from distances and the indices of the two atoms, which broadcast."""


class PairRule(eqx.Module):
    """A sum over pairs: all but the excluded ones, and special pairs at a fraction.

    Special pairs (those three bonds apart, as a rule) are summed apart: scaled, and without the
    cutoff. Excluded pairs are left out before any power of their distance is taken, so that
    neither their energy nor its gradient can become infinite.

    Without a list of neighbours in the geometry the sum is dense, over an `(n, n)` table: faster
    than lists for a few hundred atoms.

    Attributes:
        excluded: Pairs i < j that the sum leaves out, special ones among them, sorted, `(e, 2)`.
        special: Pairs with a scale of their own, `(s, 2)`.
        special_kind: Which scale each has, `(s,)`.
        scales: The scales.
        cutoff: Distance in nm beyond which pairs do not interact; `None`: never.
        switch: Distance from which the energy is switched off smoothly; `None`: it jumps.
    """

    layout: ClassVar[Mapping[str, str]] = {
        "excluded": "atoms",
        "special": "atoms",
        "special_kind": "rows",
    }

    excluded: Int[Array, "e 2"]
    special: Int[Array, "s 2"]
    special_kind: Int[Array, " s"]
    scales: tuple[float, ...] = eqx.field(static=True)
    cutoff: float | None = eqx.field(static=True)
    switch: float | None = eqx.field(static=True)

    def __check_init__(self):
        if self.cutoff is not None and not self.cutoff > 0:
            raise ArgumentError(f"cutoff={self.cutoff!r} is not positive", "give it in nm")
        if self.switch is not None and (self.cutoff is None or not 0 < self.switch < self.cutoff):
            raise ArgumentError(
                f"switch={self.switch!r} does not lie between 0 and cutoff={self.cutoff!r}",
                "both in nm",
            )

    @classmethod
    def but(
        cls,
        excluded: np.ndarray,
        special: np.ndarray | None = None,
        scale: np.ndarray | float = 1.0,
        *,
        cutoff: float | None = None,
        switch: float | None = None,
    ) -> "PairRule":
        """All pairs but some.

        Args:
            excluded: Pairs without interaction, `(e, 2)`; special ones need not be among them.
            special: Pairs with a scale of their own, `(s, 2)`.
            scale: Their scales, `(s,)`, or one for all.
            cutoff: In nm.
            switch: In nm, below the cutoff.

        Raises:
            ArgumentError: if the cutoff is not positive or the switch does not lie below it.
        """
        pairs = np.zeros((0, 2), np.int32) if special is None else np.asarray(special, np.int32)
        pairs = pairs.reshape(-1, 2)
        each = np.round(np.broadcast_to(np.asarray(scale, float), len(pairs)), 13)
        scales, kinds = np.unique(each, return_inverse=True)
        both = np.concatenate([np.asarray(excluded, np.int32).reshape(-1, 2), pairs])
        return cls(
            jnp.asarray(np.unique(np.sort(both, axis=1), axis=0).astype(np.int32)),
            jnp.asarray(pairs),
            jnp.asarray(kinds.astype(np.int32).reshape(-1)),
            tuple(float(s) for s in scales),
            None if cutoff is None else float(cutoff),
            None if switch is None else float(switch),
        )

    @classmethod
    def of(
        cls,
        topology: Topology,
        scale14: float = 1.0,
        *,
        cutoff: float | None = None,
        switch: float | None = None,
    ) -> "PairRule":
        """Pairs three bonds apart at the fraction `scale14`, those farther apart in full."""
        return cls.but(topology.excluded, topology.pairs14, scale14, cutoff=cutoff, switch=switch)

    def total(
        self, geometry: Geometry, pair: PairFunction, special: PairFunction | None = None
    ) -> Scalar:
        """Sum of `pair` over the ordinary pairs and of `special`, scaled, over the special ones.

        Args:
            geometry: The structure.
            pair: Energy of a pair.
            special: Energy of a special pair before scaling; by default the same.
        """
        apart = self.cutoff is not None or geometry.pairs is not None or special is not None
        if geometry.pairs is None:
            energy = self._dense(geometry, pair, specials=not apart)
        else:
            energy = self._listed(geometry, geometry.pairs, pair)
        if not apart or len(self.special) == 0:
            return energy
        i, j = self.special.T
        scale = jnp.asarray(self.scales, energy.dtype)[self.special_kind]
        return energy + jnp.sum(scale * (special or pair)(geometry.distances(i, j), i, j))

    def _dense(self, geometry: Geometry, pair: PairFunction, *, specials: bool) -> Scalar:
        x = geometry.positions
        n = len(x)
        weight = jnp.asarray(np.triu(np.ones((n, n)), 1), x.dtype)
        weight = weight.at[self.excluded[:, 0], self.excluded[:, 1]].set(0.0)
        if specials and len(self.special):
            low, high = jnp.min(self.special, axis=1), jnp.max(self.special, axis=1)
            scale = jnp.asarray(self.scales, x.dtype)[self.special_kind]
            weight = weight.at[low, high].set(scale)
        square = jnp.sum(geometry.nearest(x[None] - x[:, None]) ** 2, axis=-1)
        counted = weight != 0
        # The barrier lets XLA compute the table of derivatives once instead of once an atom.
        r = jnp.sqrt(jax.lax.optimization_barrier(jnp.where(counted, square, 1.0)))
        atoms = jnp.arange(n)
        energies = weight * pair(r, atoms[:, None], atoms[None, :])
        return jnp.sum(self._ended(r, jnp.where(counted, energies, 0.0)))

    def _listed(
        self, geometry: Geometry, pairs: Int[Array, "pairs 2"], pair: PairFunction
    ) -> Scalar:
        i, j = pairs.T
        counted = (i != j) & ~self._is_excluded(i, j)
        r = jnp.where(counted, geometry.distances(i, j), 1.0)
        energies = jnp.where(counted, pair(r, i, j), 0.0)
        return jnp.sum(self._ended(r, energies))

    def _is_excluded(self, i: Int[Array, " p"], j: Int[Array, " p"]) -> Bool[Array, " p"]:
        """By bisection of the sorted table; both columns, for i·n + j overflows 32 bits."""
        if len(self.excluded) == 0:
            return jnp.zeros(i.shape, bool)
        low, high = jnp.minimum(i, j), jnp.maximum(i, j)
        first = jnp.searchsorted(self.excluded[:, 0], low, side="left")
        last = jnp.searchsorted(self.excluded[:, 0], low, side="right")
        column = self.excluded[:, 1]
        for _ in range(int(np.ceil(np.log2(len(self.excluded) + 1)))):
            middle = (first + last) // 2
            below = (first < last) & (column[jnp.minimum(middle, len(column) - 1)] < high)
            first = jnp.where(below, middle + 1, first)
            last = jnp.where(below, last, jnp.maximum(first, middle))
        place = jnp.minimum(first, len(column) - 1)
        return (self.excluded[place, 0] == low) & (column[place] == high)

    def _ended(self, r: jax.Array, energies: jax.Array) -> jax.Array:
        if self.cutoff is None:
            return energies
        if self.switch is not None:
            energies = energies * switching(r, self.switch, self.cutoff)
        return jnp.where(r < self.cutoff, energies, 0.0)


def switching(r: jax.Array, begin: float, end: float) -> Float[jax.Array, "..."]:
    """1 up to `begin`, 0 from `end` on, with two continuous derivatives: 1 - 10x³ + 15x⁴ - 6x⁵."""
    x = jnp.clip((r - begin) / (end - begin), 0.0, 1.0)
    return 1.0 - x**3 * (10.0 - x * (15.0 - 6.0 * x))
