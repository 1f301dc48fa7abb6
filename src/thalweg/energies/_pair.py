"""Pair energies: the sum of a term over all pairs of particles, free or in a periodic box."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import AbstractLaneEnergy, ArgumentError, LaneKernel, Point, Scalar

from ._pair_kernel import (
    PARAMETERS,
    PairFunction,
    hvp_kernel,
    hvp_sum,
    value_and_grad_kernel,
    value_and_grad_sum,
)
from ._pair_terms import AbstractPairTerm


class PairEnergy(AbstractLaneEnergy):
    """`E(x) = Σ_{i<j} v(|x_i - x_j|)` in three dimensions.

    `__call__` is the definition, differentiable in the points and in the term's parameters. The
    block methods evaluate many points at once, on a CPU with a compiled kernel; they cannot be
    differentiated.

    Attributes:
        term: Energy of one pair.
        species: Kind of every particle, from 0.
        box: Edges of the periodic box, or `None`; distances are to the nearest image, so the
            term's range should not exceed half the shortest edge.
    """

    term: AbstractPairTerm
    species: tuple[int, ...] = eqx.field(static=True)
    box: tuple[float, float, float] | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        kinds = jax.eval_shape(self.term.table).shape[0]
        if len(self.species) < 2 or min(self.species) < 0 or max(self.species) >= kinds:
            raise ArgumentError(
                f"species={self.species!r} does not fit {type(self.term).__name__}",
                f"give at least two particles, each of a kind from 0 to {kinds - 1}",
            )
        if self.box is not None and not (len(self.box) == 3 and min(self.box) > 0):
            raise ArgumentError(f"box={self.box!r}: expected three positive edges, or None")

    def __call__(self, x: Point) -> Scalar:
        """The sum over all pairs, at one point of shape `(3 particles,)`."""
        first, second = np.triu_indices(len(self.species), 1)
        points = x.reshape(-1, 3)
        d = points[first] - points[second]
        if self.box is not None:
            edges = jnp.asarray(self.box, x.dtype)
            d = d - edges * jnp.round(d / edges)
        kind = np.asarray(self.species)
        rows = self.term.table().astype(x.dtype)[kind[first], kind[second]]
        parameters = tuple(rows[:, k] for k in range(rows.shape[1]))
        return jnp.sum(self.term.pair(jnp.sum(d * d, axis=1), parameters)[0])

    def lane_value_and_grad(
        self, x: Float[Array, "dof lanes"]
    ) -> tuple[Float[Array, " lanes"], Float[Array, "dof lanes"]]:
        """Energies and gradients of a block."""
        pair = self.term.pair
        value, grad = _value_and_grad_kernel(pair).call(
            [(x.shape[1],), x.shape],
            functools.partial(value_and_grad_sum, pair),
            x,
            *self._operands(x),
        )
        return value, grad

    def lane_hvp(
        self, x: Float[Array, "dof lanes"], v: Float[Array, "dof lanes"]
    ) -> Float[Array, "dof lanes"]:
        """Hessian-vector products of a block."""
        pair = self.term.pair
        (product,) = _hvp_kernel(pair).call(
            [x.shape], lambda *a: (hvp_sum(pair, *a),), x, v, *self._operands(x)
        )
        return product

    def _operands(self, x: Array) -> tuple[Array, Array, Array]:
        """Table, species (then the number of kinds) and box (zeros: none), in the dtype of `x`."""
        table = self.term.table().astype(x.dtype)
        kinds, _, columns = table.shape
        rows = jnp.pad(table.reshape(kinds * kinds, columns), ((0, 0), (0, PARAMETERS - columns)))
        species = jnp.asarray((*self.species, kinds), x.dtype)
        return rows, species, jnp.asarray(self.box or (0.0, 0.0, 0.0), x.dtype)


@functools.cache
def _value_and_grad_kernel(pair: PairFunction) -> LaneKernel:
    return LaneKernel(value_and_grad_kernel, pair)


@functools.cache
def _hvp_kernel(pair: PairFunction) -> LaneKernel:
    return LaneKernel(hvp_kernel, pair)
