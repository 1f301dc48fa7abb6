"""Learned pair terms at the price of a tabulated potential: uniform cubic B-splines of a distance.

They are the edges of a Kolmogorov-Arnold network whose inputs are distances: each pair of types
has a curve of its own, and an evaluation reads four coefficients whatever their number.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Float, Int, Scalar

from ._block import AbstractBlock, Geometry, Quantity
from ._learned import check_cutoff, pair_distances, unordered_pairs
from ._repulsion import pair_kinds
from ._topology import Topology


class PairSplines(AbstractBlock):
    """`Σ s(r)` over all pairs, with a curve for each kind of pair; two continuous derivatives.

    The curves end at the cutoff with value, slope and curvature zero, and go on as parabolas inside
    the first knot; add `ZBLRepulsion` for a wall.

    Attributes:
        types: Type of each atom, `(n,)`.
        kinds: Curve of each pair of types, `(types, types)`.
        special: Pairs with a curve of their own, as bonded ones may have, `(s, 2)`.
        special_kind: Their curves, `(s,)`.
        coefficients: Of the B-splines, `(curves, knots)`, in kJ/mol.
        start: First knot, in nm.
        cutoff: Last knot, in nm.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {"coefficients": Quantity("kJ/mol", 10.0)}
    layout: ClassVar[Mapping[str, str]] = {
        "types": "rows",
        "special": "atoms",
        "special_kind": "rows",
    }

    types: Int[Array, " n"]
    kinds: Int[Array, "types types"]
    special: Int[Array, "s 2"]
    special_kind: Int[Array, " s"]
    coefficients: Float[Array, "curves knots"]
    start: float = eqx.field(static=True)
    cutoff: float = eqx.field(static=True)

    @classmethod
    def for_topology(
        cls,
        topology: Topology,
        *,
        knots: int = 30,
        start: float = 0.05,
        cutoff: float = 0.6,
        types: Literal["element", "rank"] = "element",
        separate: int = 3,
    ) -> "PairSplines":
        """Curves that are zero everywhere, to be fitted.

        Args:
            topology: Whose atoms.
            knots: Coefficients of a curve.
            start: First knot, in nm.
            cutoff: Last knot, in nm.
            types: Whether atoms are told apart by element or by symmetry class.
            separate: Pairs up to so many bonds apart (at most 3) have curves of their own.

        Raises:
            ArgumentError: if the knots do not ascend, or an argument is none of the above.
        """
        if not 0 <= start < check_cutoff(cutoff) or knots < 4:
            raise ArgumentError(
                f"knots={knots} from {start} to {cutoff} nm", "at least 4, ascending from 0"
            )
        if types not in ("element", "rank") or separate not in range(4):
            raise ArgumentError(
                f"types={types!r}, separate={separate}", "'element' or 'rank', and 0 to 3"
            )
        labels = topology.numbers if types == "element" else topology.ranks
        names, numbered = np.unique(labels, return_inverse=True)
        kinds = np.asarray(pair_kinds(len(names)))
        special, keys = [], []
        bonded = {(int(i), int(j)) for i, j in topology.bonds}
        for distance, table in ((1, topology.bonds), (2, topology.excluded), (3, topology.pairs14)):
            for i, j in table if distance <= separate else ():
                if distance == 2 and (int(i), int(j)) in bonded:
                    continue
                special.append((int(i), int(j)))
                keys.append((distance, int(kinds[numbered[i], numbered[j]])))
        curves = {key: int(kinds.max()) + 1 + k for k, key in enumerate(sorted(set(keys)))}
        return cls(
            jnp.asarray(numbered, jnp.int32),
            jnp.asarray(kinds, jnp.int32),
            jnp.asarray(np.array(special, np.int32).reshape(-1, 2)),
            jnp.asarray(np.array([curves[key] for key in keys], np.int32)),
            jnp.zeros((int(kinds.max()) + 1 + len(curves), knots)),
            float(start),
            float(cutoff),
        )

    @classmethod
    def of_function(
        cls,
        function: Callable[[np.ndarray], np.ndarray],
        topology: Topology,
        *,
        knots: int,
        start: float,
        cutoff: float,
    ) -> "PairSplines":
        """One curve for all pairs, the least-squares spline of a function of r in nm.

        Raises:
            ArgumentError: if the knots do not ascend, or the function is not finite between them.
        """
        plain = cls.for_topology(topology, knots=knots, start=start, cutoff=cutoff, separate=0)
        r = np.linspace(start, cutoff, 4 * knots + 1)
        values = np.asarray(function(r), float)
        if not np.isfinite(values).all():
            raise ArgumentError(
                f"function({r[~np.isfinite(values)][0]:.4g} nm) is not finite", "begin further out"
            )
        design = np.zeros((len(r), knots + 3))
        place, weights = _weights(jnp.asarray(r), start, cutoff, knots)
        for offset in range(4):
            design[np.arange(len(r)), np.asarray(place) + offset] = np.asarray(weights[offset])
        # The last three coefficients are zero; B-splines condition the normal equations well.
        free = design[:, :knots]
        fitted = np.linalg.solve(free.T @ free, free.T @ values)
        curves = jnp.broadcast_to(jnp.asarray(fitted), plain.coefficients.shape)
        return eqx.tree_at(lambda block: block.coefficients, plain, curves)

    def curve(self, kind: Int[Array, " m"], r: Float[Array, " m"]) -> Float[Array, " m"]:
        """Values of the curves `kind` at distances `r`, in kJ/mol."""
        knots = self.coefficients.shape[1]
        padded = jnp.pad(self.coefficients, ((0, 0), (0, 3))).astype(r.dtype)
        place, weights = _weights(r, self.start, self.cutoff, knots)
        return sum(
            (weight * padded[kind, place + offset] for offset, weight in enumerate(weights)),
            jnp.zeros_like(r),
        )

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        i, j, real = unordered_pairs(geometry)
        r = pair_distances(geometry, i, j, real)
        energy = jnp.sum(real * self.curve(self.kinds[self.types[i], self.types[j]], r))
        if not len(self.special):
            return energy
        i, j = self.special.T
        r = geometry.distances(i, j)
        usual = self.curve(self.kinds[self.types[i], self.types[j]], r)
        return energy + jnp.sum(self.curve(self.special_kind, r) - usual)


def _weights(
    r: Float[Array, " m"], start: float, cutoff: float, knots: int
) -> tuple[Int[Array, " m"], tuple[Float[Array, " m"], ...]]:
    """First of the four B-splines that are not zero at r, and their values.

    Inside the first knot these are the parabolas that touch them there; beyond the last, zero.
    """
    u = (r - start) / ((cutoff - start) / knots)
    beyond = u >= knots
    u = jnp.where(beyond, 0.0, u)
    place = jnp.maximum(jnp.floor(u), 0.0)
    t = u - place
    place = jnp.where(beyond, knots - 1, place.astype(jnp.int32))
    cube = jnp.where(t > 0, t, 0.0) ** 3
    weights = (
        (1.0 - 3.0 * t + 3.0 * t * t - cube) / 6.0,
        (4.0 - 6.0 * t * t + 3.0 * cube) / 6.0,
        (1.0 + 3.0 * t + 3.0 * t * t - 3.0 * cube) / 6.0,
        cube / 6.0,
    )
    return place, tuple(jnp.where(beyond, 0.0, weight) for weight in weights)
