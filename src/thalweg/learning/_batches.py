"""Minibatches of a loss: what they are drawn from, their noise, and a step of descent."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from thalweg.core import ArgumentError, serial_blas

from ._criteria import PairwiseAuc
from ._energy import LossEnergy

_ROWS = 1_024
"""Data whose gradients are made in one compiled call."""


class BatchLoss(eqx.Module):
    """A loss that is a mean over data: what minibatches are drawn from.

    Attributes:
        rows_loss: `(x, rows) -> ()`: the mean loss over the data of these rows, penalty included.
        count: Number of data.
    """

    rows_loss: Callable[..., Any]
    count: int = eqx.field(static=True)

    @classmethod
    def of(cls, energy: Any) -> "BatchLoss":
        """Of a `LossEnergy` whose criterion is a mean over the data.

        Raises:
            ArgumentError: if it is no loss of data, or its criterion compares data with each
                other (the area under the ROC curve).
        """
        if not isinstance(energy, LossEnergy):
            raise ArgumentError(
                f"{type(energy).__name__} is no loss of data, and has no minibatches",
                "pass a LossEnergy, or BatchLoss(rows_loss, count)",
            )
        if isinstance(energy.criterion, PairwiseAuc):
            raise ArgumentError(
                "the area under the ROC curve compares data with each other: it is no mean over "
                "data, so batches have no unbiased gradient",
                "use cross-entropy or squared-error",
            )
        return cls(_EnergyRows(energy), len(energy.data))

    def __call__(self, x: Array) -> Array:
        """The loss of all data."""
        return self.rows_loss(x, jnp.arange(self.count))


class _EnergyRows(eqx.Module):
    energy: LossEnergy

    def __call__(self, x: Array, rows: Array) -> Array:
        data = self.energy.data
        part = eqx.tree_at(
            lambda d: (d.inputs, d.targets), data, (data.inputs[rows], data.targets[rows])
        )
        return self.energy.loss(x, part) + self.energy.l2 * jnp.sum(x * x)


def gradient_noise(
    loss: BatchLoss, x: Float[np.ndarray, " dof"], batch: int = 1, *, replace: bool = True
) -> Float[np.ndarray, "dof dof"]:
    """Covariance of the gradient of a batch at a point.

    Args:
        loss: What batches are drawn from.
        x: Flat parameters.
        batch: Data in a batch.
        replace: Whether a batch may hold a datum more than once.
    """
    check_batch(loss, batch, replace=replace)
    x = np.asarray(x, float)
    total, square = np.zeros(len(x)), np.zeros((len(x), len(x)))
    for first in range(0, loss.count, _ROWS):
        rows = np.arange(first, min(first + _ROWS, loss.count))
        padded = jnp.asarray(np.resize(rows, _ROWS if loss.count > _ROWS else loss.count))
        g = np.asarray(_row_gradients(loss, jnp.asarray(x), padded))[: len(rows)]
        total += g.sum(axis=0)
        with serial_blas():
            square += g.T @ g
    mean = total / loss.count
    one = square / loss.count - np.outer(mean, mean)
    finite = 1.0 if replace else (loss.count - batch) / (loss.count - 1)
    return one * finite / batch


@eqx.filter_jit
def _row_gradients(loss: BatchLoss, x: Array, rows: Array) -> Array:
    return jax.vmap(lambda row: jax.grad(loss.rows_loss)(x, row[None]))(rows)


def check_batch(loss: BatchLoss, batch: int, *, replace: bool) -> None:
    """Refuse a batch that cannot be drawn."""
    if batch < 1 or (not replace and batch > loss.count):
        raise ArgumentError(f"batch={batch}: expected 1 to {loss.count} data")


@eqx.filter_jit
def local_model(loss: BatchLoss, x: Array) -> tuple[Array, Array, Array]:
    """Value, gradient and Hessian of the loss of all data."""
    return loss(x), jax.grad(loss)(x), jax.hessian(loss)(x)


@dataclasses.dataclass(frozen=True)
class Draw:
    """How a batch is drawn."""

    batch: int
    replace: bool

    def __call__(self, key: PRNGKeyArray, count: int) -> Int[Array, " batch"]:
        if self.replace:
            return jax.random.randint(key, (self.batch,), 0, count)
        return jax.random.choice(key, count, (self.batch,), replace=False)


def descend_batch(
    draw: Draw, loss: BatchLoss, learning_rate: Array, x: Array, key: PRNGKeyArray
) -> Array:
    """One step of all replicas, `(replicas, dof)`, each with a batch of its own."""

    def one(x: Array, key: PRNGKeyArray) -> Array:
        return x - learning_rate * jax.grad(loss.rows_loss)(x, draw(key, loss.count))

    return jax.vmap(one)(x, jax.random.split(key, x.shape[0]))
