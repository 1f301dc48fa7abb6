"""Compiled pieces of training: a step on a batch, and the score of a set."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from thalweg.core import Array, Float, Int

from ._networks import StaticNetwork
from ._tasks import Split, Task

_CHUNK = 512
"""Samples that are scored at once."""


class Score(NamedTuple):
    """Of a set.

    Attributes:
        loss: Mean loss.
        score: Accuracy, or mean square error.
        unsettled: Share of samples for which some circuit found no rest.
    """

    loss: float
    score: float
    unsettled: float


class Stepped(NamedTuple):
    """After a step: trained numbers, the optimiser's state, loss and gradient norm before it."""

    trained: Any
    memory: Any
    loss: Array
    gradient: Array


def packs(order: np.ndarray, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Batches of one size, `(indices, weights)`: the last is filled up with samples of weight 0."""
    found = []
    for first in range(0, len(order), size):
        index = order[first : first + size]
        weight = np.ones(size, np.float32)
        weight[len(index) :] = 0.0
        filled = np.zeros(size, np.int32)
        filled[: len(index)] = index
        found.append((filled, weight))
    return found


def sample_losses(logits: Array, y: Array, loss: str) -> Float[Array, " batch"]:
    """The loss of each sample, averaged over times if there are several answers."""
    if loss == "square":
        return (logits[..., 0] - y) ** 2
    each = optax.softmax_cross_entropy_with_integer_labels(logits, y)
    return each if each.ndim == 1 else jnp.mean(each, axis=-1)


def _objective(
    trained: Any, rest: Any, x: Array, y: Array, weight: Array, loss: str
) -> Float[Array, ""]:
    model = eqx.combine(trained, rest)
    losses = sample_losses(model(x), y, loss) + model.extra_loss(x)
    # A sample of weight 0 must not spoil the sum if it is no number.
    counted = jnp.where(weight > 0, losses, 0.0)
    return jnp.sum(counted) / jnp.sum(weight)


@eqx.filter_jit(donate="none")
def train_step(  # noqa: PLR0913 - all of them are traced
    trained: Any,
    rest: Any,
    memory: Any,
    x: Array,
    y: Array,
    index: Int[Array, " batch"],
    weight: Float[Array, " batch"],
    chain: optax.GradientTransformation,
    loss: str,
) -> Stepped:
    """One step of the optimiser on the samples of `index`."""
    value, gradient = jax.value_and_grad(_objective)(
        trained, rest, x[index], y[index], weight, loss
    )
    # optax counts steps in int32 and raises floats to them: strict promotion would forbid it.
    with jax.numpy_dtype_promotion("standard"):
        change, memory = chain.update(gradient, memory, trained)
        moved = optax.apply_updates(trained, change)
    return Stepped(moved, memory, value, optax.tree.norm(gradient))


@eqx.filter_jit
def _score_chunk(
    model: Any, x: Array, y: Array, weight: Float[Array, " batch"], loss: str, scored: int
) -> Float[Array, "3"]:
    """Sums of loss, score and unsettled samples."""
    logits = model(x)
    losses = sample_losses(logits, y, loss)
    if loss == "square":
        right = losses
    else:
        hits = (jnp.argmax(logits, axis=-1).astype(y.dtype) == y).astype(losses.dtype)
        right = hits if hits.ndim == 1 else jnp.mean(hits[:, -scored:], axis=-1)
    bad = jnp.zeros(len(x), bool)
    if isinstance(model, StaticNetwork):
        for layer, entry in zip(model.layers, model.entries(x), strict=True):
            bad = bad | layer.unsettled(entry)
    columns = jnp.stack([losses, right, bad.astype(losses.dtype)])
    return jnp.sum(jnp.where(weight > 0, columns, 0.0), axis=1)


def score(model: Any, task: Task, split: Split) -> Score:
    """Loss and score of a network on a set."""
    size = min(_CHUNK, len(split))
    sums = np.zeros(3)
    for index, weight in packs(np.arange(len(split)), size):
        sums += np.asarray(
            _score_chunk(
                model,
                jnp.asarray(split.x[index]),
                jnp.asarray(split.y[index]),
                jnp.asarray(weight),
                task.loss,
                task.scored,
            ),
            np.float64,
        )
    loss, right, bad = sums / len(split)
    return Score(float(loss), float(right), float(bad))
