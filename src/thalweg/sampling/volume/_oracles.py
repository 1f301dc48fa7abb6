"""Yes/no oracles: who is asked whether a point belongs, one point at a time or many at once."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from thalweg.core import AbstractOracle, ArgumentError, Block, Flag, Point, PRNGKey, host_call

Region = Callable[[Float[Array, "dof lanes"]], Bool[Array, " lanes"]]
"""Which points of a block count: `BoxRegion`, `Container`, or any function of `(dof, lanes)`."""

_BLOCK = 4096
"""Points in one compiled call; fewer are padded, so that there is one program."""


class AbstractBatchOracle(AbstractOracle):
    """An oracle that answers best for many points at once, on the host.

    `__call__` stays the definition; `many` must have the same law.
    """

    @abc.abstractmethod
    def many(self, key: PRNGKey, x: Float[np.ndarray, "points dof"]) -> Bool[np.ndarray, " points"]:
        """One answer for each row of `x`; chance, if any, comes from `fold_in(key, row)`."""


class FunctionOracle(AbstractOracle):
    """Any JAX function `(key, x) -> bool` as an oracle.

    Attributes:
        function: Takes a key and a flat point `(dof,)`, returns one boolean.
        deterministic: Whether the key makes no difference: repeats are then not asked for.
    """

    function: Callable[[PRNGKey, Point], Any] = eqx.field(static=True)
    deterministic: bool = eqx.field(static=True, default=False)

    def __call__(self, key: PRNGKey, x: Point) -> Bool[Array, ""]:
        """`function(key, x)`."""
        return jnp.asarray(self.function(key, x), bool).reshape(())


class HostOracle(AbstractBatchOracle):
    """A Python function outside JAX that answers for a batch of points.

    Attributes:
        function: Takes points `(points, dof)` and one 64-bit seed for each, `(points,)`, and
            returns `(points,)` booleans. All its randomness must come from the seeds, or runs
            cannot be repeated.
        deterministic: Whether the seeds make no difference.
    """

    function: Callable[[np.ndarray, np.ndarray], Any] = eqx.field(static=True)
    deterministic: bool = eqx.field(static=True, default=False)

    def __call__(self, key: PRNGKey, x: Point) -> Bool[Array, ""]:
        """One visit to the host; `many` asks for a batch at the price of one."""
        shape = jax.ShapeDtypeStruct((), bool)
        seed = jax.random.bits(key, (), jnp.uint64)
        return host_call(self._single, shape, seed, x)

    def many(self, key: PRNGKey, x: Float[np.ndarray, "points dof"]) -> Bool[np.ndarray, " points"]:
        """One call of the function.

        Raises:
            ArgumentError: if it does not return one boolean for each point.
        """
        rows = jnp.arange(padded(len(x)))
        return self._checked(x, np.asarray(_seeds(key, rows))[: len(x)])

    def _single(self, seed: np.ndarray, x: np.ndarray) -> np.ndarray:
        return self._checked(x[None], seed[None])[0]

    def _checked(self, x: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        answers = np.asarray(self.function(x, seeds))
        if answers.shape != (len(x),):
            raise ArgumentError(
                f"the oracle returned an array of shape {answers.shape} for {len(x)} points",
                "it takes (points, dof) and seeds (points,), and returns (points,) booleans",
            )
        if answers.dtype != bool and not np.isin(answers, (0, 1)).all():
            raise ArgumentError(
                "the oracle returned values other than True and False (or 1 and 0)",
                "a weight between 0 and 1 is not an answer: draw a pass with that probability",
            )
        return answers.astype(bool)


class BoxRegion(eqx.Module):
    """The points between two corners, shapes `(dof,)`: a region for a volume."""

    lower: Float[Array, " dof"]
    upper: Float[Array, " dof"]

    def __check_init__(self):
        if self.lower.shape != self.upper.shape or not bool(jnp.all(self.lower < self.upper)):
            raise ArgumentError("BoxRegion: every entry of `lower` must be below that of `upper`")

    def __call__(self, x: Block) -> Flag:
        """Whether each point of a block lies between the corners."""
        shape = (-1,) + (1,) * (x.ndim - 1)
        low, high = self.lower.reshape(shape), self.upper.reshape(shape)
        return jnp.all((low <= x) & (x <= high), axis=0)


def padded(count: int) -> int:
    """The next power of two, so that batches of many sizes share a few compiled programs."""
    return 1 << max(6, (count - 1).bit_length())


def inside(
    region: Region | None, x: Float[np.ndarray, "points dof"]
) -> Bool[np.ndarray, " points"]:
    """Which points lie in a region; all of them without one."""
    if region is None or not len(x):
        return np.ones(len(x), bool)
    rows = np.minimum(np.arange(padded(len(x))), len(x) - 1)
    return np.array(_inside(region, x[rows].T), bool)[: len(x)]


@eqx.filter_jit
def _inside(region: Region, x: Float[Array, "dof lanes"] | np.ndarray) -> Bool[Array, " lanes"]:
    return jnp.asarray(region(jnp.asarray(x)), bool)


@jax.jit
def _seeds(key: PRNGKey, rows: Array) -> Array:
    return jax.vmap(lambda row: jax.random.bits(jax.random.fold_in(key, row), (), jnp.uint64))(rows)


def ask_many(
    oracle: AbstractOracle, key: PRNGKey, x: Float[np.ndarray, "points dof"]
) -> Bool[np.ndarray, " points"]:
    """One answer of an oracle for each of many points.

    Args:
        oracle: Who is asked: compiled in blocks, or by its own `many`.
        key: Point `i` is asked with the key `fold_in(key, i)`.
        x: Points, `(points, dof)`.

    Returns:
        The answers, `(points,)`.
    """
    if not len(x):
        return np.zeros(0, bool)
    if isinstance(oracle, AbstractBatchOracle):
        return oracle.many(key, np.asarray(x, np.float64))
    parts = []
    for first in range(0, len(x), _BLOCK):
        chunk = x[first : first + _BLOCK]
        rows = np.minimum(np.arange(_BLOCK), len(chunk) - 1)
        answers = _answers(oracle, key, jnp.asarray(first), jnp.asarray(chunk[rows]))
        parts.append(np.asarray(answers)[: len(chunk)])
    return np.concatenate(parts)


@eqx.filter_jit
def _answers(
    oracle: AbstractOracle, key: PRNGKey, first: Array, x: Float[Array, "points dof"]
) -> Bool[Array, " points"]:
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, first + jnp.arange(len(x)))
    return jax.vmap(oracle)(keys, x)
