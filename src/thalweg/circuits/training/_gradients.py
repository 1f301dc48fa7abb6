"""How gradients travel back through a recurrent network."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Float

from ._cell import AbstractCell, join
from ._networks import SequenceNetwork
from ._numerics import cast
from ._step import sample_losses
from ._tasks import Task

_SAMPLES = 32
_LAGS = (1, 2, 5, 10, 20, 50, 100, 200, 300)


@dataclasses.dataclass(frozen=True)
class GradientFlow:
    """What reaches the past of a sequence.

    Attributes:
        norms: ‖∂L/∂h_t‖ against the lag T − t, from 0, averaged (geometrically) over samples.
        oscillation: Share of the components of ∂L/∂h_t whose sign is not that of ∂L/∂h_{t+1},
            against the lag, from 1; one half is noise, near one is oscillation.
        step_singular_values: Largest, median and smallest singular value of ∂h_{t+1}/∂h_t of one
            sample, `(times, 3)`.
        lags: Lags of `singular_values`.
        singular_values: All singular values of ∂h_T/∂h_{T−lag} of that sample, `(lags, dof)`.
    """

    norms: np.ndarray
    oscillation: np.ndarray
    step_singular_values: np.ndarray
    lags: np.ndarray
    singular_values: np.ndarray

    def ratio(self, lag: int) -> float:
        """‖∂L/∂h_{T−lag}‖ / ‖∂L/∂h_T‖."""
        return float(self.norms[lag] / self.norms[0])


def gradient_flow(
    model: Any, task: Task, *, samples: int = _SAMPLES, jacobians: bool = True
) -> GradientFlow:
    """Measure the gradients of the loss at every time, and the Jacobians between times.

    Args:
        model: A network that reads sequences.
        task: Whose first test samples are used.
        samples: How many, for the gradients.
        jacobians: Whether singular values are wanted: they cost dof³ for each step.

    Raises:
        ArgumentError: if the network reads no sequences.
    """
    if not isinstance(model, SequenceNetwork):
        raise ArgumentError("gradient_flow needs a network that reads sequences")
    wide = cast(model, jnp.float64)
    x = jnp.asarray(task.test.x[:samples], jnp.float64)
    y = task.test.y[:samples]
    y = jnp.asarray(y, jnp.float64) if task.loss == "square" else jnp.asarray(y)
    gradients = np.asarray(_gradients(wide, x, y, task.loss))[::-1]
    size = np.linalg.norm(gradients, axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        norms = np.exp(np.mean(np.log(size), axis=1))
    both = gradients[1:] * gradients[:-1]
    counted = np.maximum((both != 0).sum(axis=(1, 2)), 1)
    steps, lags, values = np.zeros((0, 3)), np.zeros(0, int), np.zeros((0, 0))
    if jacobians:
        steps, lags, values = _jacobians(wide.cell, x[0])
    return GradientFlow(norms, (both < 0).sum(axis=(1, 2)) / counted, steps, lags, values)


@eqx.filter_jit
def _gradients(
    model: SequenceNetwork, x: Float[Array, "batch time inputs"], y: Array, loss: str
) -> Float[Array, "time batch dof"]:
    """∂L_b/∂h_t for every sample b and time t."""
    none = jnp.zeros((x.shape[1], x.shape[0], model.cell.dof), x.dtype)
    return jax.grad(lambda nudges: jnp.sum(sample_losses(model(x, nudges), y, loss)))(none)


def _jacobians(
    cell: AbstractCell, x: Float[Array, "time inputs"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Singular values of each of the last steps, and of their products."""
    length = min(len(x), _LAGS[-1])
    matrices = np.asarray(_step_jacobians(cell, x, length))
    lags = np.array([lag for lag in (*_LAGS, length) if lag <= length])
    lags = np.unique(lags)
    product = np.eye(cell.dof)
    values = []
    for lag, matrix in enumerate(matrices[::-1], start=1):
        product = product @ matrix
        if not np.isfinite(product).all():
            lags = lags[lags < lag]
            break
        if lag in lags:
            values.append(np.linalg.svd(product, compute_uv=False))
    good = matrices[np.isfinite(matrices).all(axis=(1, 2))]
    each = np.linalg.svd(good, compute_uv=False)
    steps = np.stack([each.max(axis=1), np.median(each, axis=1), each.min(axis=1)], axis=1)
    return steps, lags, np.array(values)


@eqx.filter_jit
def _step_jacobians(
    cell: AbstractCell, x: Float[Array, "time inputs"], length: int
) -> Float[Array, "length dof dof"]:
    zero = jnp.zeros((), x.dtype)

    def step(state: Array, u: Array) -> tuple[Array, Array]:
        return cell(zero, state, u), state

    _, before = jax.lax.scan(step, join(cell.begin(())), x)
    one: Any = lambda pair: jax.jacfwd(lambda h: cell(zero, h, pair[1]))(pair[0])
    return jax.lax.map(one, (before[-length:], x[-length:]))
