"""The loss of a model on data, as an energy over its flat parameters."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from thalweg.core import AbstractEnergy, ArgumentError, Point, Scalar

from ._criteria import AbstractCriterion, CrossEntropy, PairwiseAuc, SquaredError, log_odds
from ._data import LearningData
from ._layered_expansion import layered_expansion
from ._mlp import Chain

_ROWS_AT_ONCE = 512
"""Rows of all points together that are evaluated in step on a CPU."""

_NUMBERS = 2**21
"""Derivatives by pairs of units that are held at a time for a dense Hessian."""


@dataclasses.dataclass(frozen=True)
class Unravel:
    """From a flat point to a pytree of parameters; equal for equal shapes, so programs are shared.

    Attributes:
        structure: The tree.
        shapes: Shapes of its leaves.
    """

    structure: Any
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, params: PyTree) -> "Unravel":
        """The structure of some parameters.

        Raises:
            ArgumentError: if a leaf is not an array of floating-point numbers.
        """
        leaves, structure = jax.tree.flatten(params)
        for leaf in leaves:
            if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
                raise ArgumentError(
                    f"a parameter is {jnp.result_type(leaf)}, and must be a floating-point array",
                    "split the model: params, static = eqx.partition(model, eqx.is_inexact_array)",
                )
        if not leaves:
            raise ArgumentError("there are no parameters: the tree has no arrays")
        return cls(structure, tuple(np.shape(leaf) for leaf in leaves))

    @property
    def dof(self) -> int:
        """Number of parameters."""
        return sum(math.prod(shape) for shape in self.shapes)

    def __call__(self, x: Point) -> PyTree:
        """The parameters behind a flat point, in its precision."""
        parts = jnp.split(x, self._ends())
        leaves = [part.reshape(s) for part, s in zip(parts, self.shapes, strict=True)]
        return jax.tree.unflatten(self.structure, leaves)

    def places(self) -> PyTree:
        """The place of each parameter in the flat point, in the shape of the parameters."""
        parts = np.split(np.arange(self.dof), self._ends())
        leaves = [part.reshape(s) for part, s in zip(parts, self.shapes, strict=True)]
        return jax.tree.unflatten(self.structure, leaves)

    def _ends(self) -> np.ndarray:
        """Where one leaf ends and the next begins."""
        return np.cumsum([math.prod(shape) for shape in self.shapes])[:-1]


class FunctionModel(eqx.Module):
    """A plain function `(params, inputs) -> outputs` as a model.

    Attributes:
        function: Takes the parameters and rows of inputs, returns rows of outputs.
    """

    function: Callable[..., Any] = eqx.field(static=True)

    def __call__(self, params: PyTree, inputs: Array) -> Array:
        """What the function says; one output may come without its axis."""
        outputs = self.function(params, inputs)
        return outputs[:, None] if outputs.ndim == 1 else outputs


class LossEnergy(AbstractEnergy):
    """`mean of the criterion + l2 · Σ p²`, over all data, as an energy of flat parameters.

    The penalty has no factor of one half, and counts every parameter, biases too, unless
    `penalised` says which. Derivatives are exact; rows are evaluated in chunks, whose
    intermediate values are computed again for the gradient instead of being kept, so that memory
    does not grow with the number of rows.

    Attributes:
        predict: `(parameters, inputs) -> outputs`.
        criterion: Loss of a row.
        data: The rows.
        l2: Strength of the penalty.
        unravel: From a flat point to the parameters.
        chunk: Rows at a time; `None` for all at once.
        penalised: Which parameters are penalised, `(dof,)`; `None` for all.
        kinks: Whether the model has kinks (ReLU), which second derivatives do not see.
    """

    zero_cut: ClassVar[float | None] = 1e-11

    predict: Callable[..., Any]
    criterion: AbstractCriterion
    data: LearningData
    l2: Float[Array, ""]
    unravel: Unravel = eqx.field(static=True)
    chunk: int | None = eqx.field(static=True, default=None)
    penalised: Bool[Array, " dof"] | None = None
    kinks: bool = eqx.field(static=True, default=False)

    @property
    def smooth(self) -> bool:
        """Whether the model is smooth, as far as is known."""
        return not self.kinks

    @property
    def lanes_at_once(self) -> int | None:
        """Rows of one point fill the caches where there are many; few rows go together."""
        return max(1, _ROWS_AT_ONCE // len(self.data))

    def __call__(self, x: Point) -> Scalar:
        """Loss over all data and penalty."""
        return self.loss(x, self.data) + self.penalty(x)

    def penalty(self, x: Point) -> Scalar:
        """`l2 Σ p²` over what is penalised."""
        held = x if self.penalised is None else jnp.where(self.penalised, x, 0.0)
        return self.l2.astype(x.dtype) * jnp.sum(held * held)

    def second_derivatives(self, x: Point) -> Float[Array, "dof dof"]:
        """Dense Hessian: of perceptrons by matrix products, of other models column by column."""
        chain = self._chain()
        return super().second_derivatives(x) if chain is None else self._layered(chain, x)[2]

    def expansion(self, x: Point) -> tuple[Scalar, Point, Float[Array, "dof dof"]]:
        """Loss, gradient and dense Hessian; those of perceptrons share one pass."""
        chain = self._chain()
        return super().expansion(x) if chain is None else self._layered(chain, x)

    def _layered(self, chain: Chain, x: Point) -> tuple[Scalar, Point, Float[Array, "dof dof"]]:
        """All three, layer by layer."""

        def block(inputs: Array, targets: Array, valid: Array) -> tuple[Array, Array, Array]:
            inputs, targets = inputs.astype(x.dtype), _like(targets, x)
            weights = valid.astype(x.dtype) / len(self.data)
            return layered_expansion(chain, self.criterion, x, inputs, targets, weights)

        zero = jnp.zeros((), x.dtype), jnp.zeros_like(x), jnp.zeros((x.size, x.size), x.dtype)
        chunk = min(len(self.data), self.chunk or len(self.data), 1 + _NUMBERS // chain.held())
        found = self._sum(block, self.data.inputs, self.data.targets, zero, chunk)
        penalty, slope = jax.value_and_grad(self.penalty)(x)
        held = jnp.ones(x.size, bool) if self.penalised is None else self.penalised
        curved = jnp.diag(jnp.where(held, 2.0 * self.l2.astype(x.dtype), 0.0))
        return found[0] + penalty, found[1] + slope, found[2] + curved

    def _chain(self) -> Chain | None:
        """The layers of the model, if it is a chain with every parameter and a loss of rows."""
        if not isinstance(self.criterion, CrossEntropy | SquaredError):
            return None
        of = getattr(self.predict, "chain", None)
        chain = None if of is None else of(self.unravel)
        known = chain is not None and np.array_equal(
            np.sort(chain.order()), np.arange(self.unravel.dof)
        )
        return chain if known else None

    def outputs(self, x: Point, inputs: Float[Array, "n features"]) -> Float[Array, "n outputs"]:
        """What the model with flat parameters `x` says: logits, or values."""
        return self.predict(self.unravel(x), inputs.astype(x.dtype))

    def loss(self, x: Point, data: LearningData) -> Scalar:
        """The criterion on any data, without the penalty."""
        if self.chunk is None or self.chunk >= len(data):
            outputs = self.outputs(x, data.inputs)
            return jnp.mean(self.criterion(outputs, _like(data.targets, x)))
        if isinstance(self.criterion, PairwiseAuc):
            return self._pairs(x, data)

        def block(inputs: Array, targets: Array, valid: Array) -> Array:
            losses = self.criterion(self.outputs(x, inputs), _like(targets, x))
            return jnp.sum(jnp.where(valid, losses, 0.0))

        zero = jnp.zeros((), x.dtype)
        return self._sum(block, data.inputs, data.targets, zero, self.chunk) / len(data)

    def _pairs(self, x: Point, data: LearningData) -> Scalar:
        """Pairs of a chunk with all rows; the outputs of all rows are kept."""
        assert isinstance(self.criterion, PairwiseAuc)
        odds = log_odds(self.all_outputs(x, data.inputs))
        shares = self.criterion.shares

        def block(left: Array, mine: Array, valid: Array) -> Array:
            return jnp.sum(jnp.where(valid, shares(left, mine, odds, data.targets), 0.0))

        assert self.chunk is not None
        return self._sum(block, odds, data.targets, jnp.zeros((), x.dtype), self.chunk) / len(data)

    def all_outputs(
        self, x: Point, inputs: Float[Array, "n features"]
    ) -> Float[Array, "n outputs"]:
        """`outputs`, chunk by chunk."""
        if self.chunk is None or self.chunk >= inputs.shape[0]:
            return self.outputs(x, inputs)
        rows = _blocks(inputs, self.chunk)
        body = jax.checkpoint(lambda block: self.outputs(x, block))
        outputs = jax.lax.map(body, rows)
        return outputs.reshape(-1, outputs.shape[-1])[: inputs.shape[0]]

    def _sum(
        self, block: Callable[..., Any], inputs: Array, targets: Array, zero: Any, chunk: int
    ) -> Any:
        """Sum of `block(inputs, targets, valid)` over chunks of rows, the last one filled up."""
        count = inputs.shape[0]
        places = np.arange(-(-count // chunk) * chunk).reshape(-1, chunk)
        rows = (_blocks(inputs, chunk), _blocks(targets, chunk), places < count)
        add = functools.partial(jax.tree.map, jnp.add)
        step = jax.checkpoint(lambda total, row: (add(total, block(*row)), None))
        return jax.lax.scan(step, zero, rows)[0]


def _like(targets: Array, x: Point) -> Array:
    """Classes as they are, numbers in the precision of the point."""
    return targets.astype(x.dtype) if jnp.issubdtype(targets.dtype, jnp.floating) else targets


def _blocks(rows: Array, chunk: int) -> Array:
    """Rows in blocks of `chunk`, the last one filled up with the last row."""
    count = -(-rows.shape[0] // chunk)
    missing = count * chunk - rows.shape[0]
    filled = jnp.pad(rows, [(0, missing), *((0, 0) for _ in rows.shape[1:])], mode="edge")
    return filled.reshape(count, chunk, *rows.shape[1:])
