"""The two ways to lower the loss: Adam on batches, and Gauss-Newton on all frames.

Sources: Kingma & Ba, ICLR (2015); Loshchilov & Hutter, ICLR (2017) (cosine); Marquardt, J. Soc.
Indust. Appl. Math. 11, 431 (1963).
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from thalweg.core import Array, Float, Int, PRNGKey, value_and_grad

from ._dataset import KCAL, KCAL_ANGSTROM
from ._loss import Batch, Weights, chunks, loss
from ._parameters import Moves, Parameters

_SMALLEST = 1e-12
_LARGEST = 1e12
"""Damping beyond which no step can be found."""

_ENOUGH = 1e-9
"""Relative decrease of the loss at which Gauss-Newton has converged."""


class Advanced(NamedTuple):
    """After a block of steps: moves, the engine's memory, loss before each step, whether done."""

    moves: Moves
    memory: Any
    losses: np.ndarray
    done: bool


class Adam:
    """Adam with a cosine schedule; numbers with and without a prior have rates of their own."""

    name = "adam"

    def __init__(
        self,
        parameters: Parameters,
        data: Batch,
        weights: Weights,
        *,
        steps: int,
        block: int,
        batch: int,
        rates: tuple[float, float],
        key: PRNGKey,
    ):
        """Prepare.

        Args:
            parameters: What moves.
            data: All frames.
            weights: Of the loss.
            steps: Of the schedule.
            block: Steps of one compiled call.
            batch: Frames of a step.
            rates: Of the parameters with a prior, and of networks.
            key: For the order of frames.
        """
        self.parameters, self.data, self.weights = parameters, data, weights
        self.steps, self.block_size, self.key = steps, block, key
        self.batch = min(batch, len(data.x))
        self.per_epoch = len(data.x) // self.batch
        self.rates = {
            name: rates[0] if name in parameters.physical else rates[1] for name in parameters.names
        }

    def init(self, moves: Moves) -> Any:
        """Adam's moments."""
        import optax  # takes long to import

        return optax.scale_by_adam().init(moves)

    def advance(self, moves: Moves, memory: Any, step: int) -> Advanced:
        """One block of steps from step `step`."""
        size = min(self.block_size, self.steps - step)
        index = np.stack([self._batch(k) for k in range(step, step + size)])
        progress = np.arange(step, step + size) / self.steps
        cosine = 0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * progress))
        moves, memory, losses = _adam_block(
            moves,
            memory,
            self.parameters,
            self.data,
            self.weights,
            jnp.asarray(index),
            jnp.asarray(cosine),
            self.rates,
        )
        return Advanced(moves, memory, np.asarray(losses), False)

    def _batch(self, step: int) -> np.ndarray:
        epoch, place = divmod(step, self.per_epoch)
        order = self._order(epoch)
        return order[place * self.batch : (place + 1) * self.batch]

    def _order(self, epoch: int) -> np.ndarray:
        if getattr(self, "_kept", (-1,))[0] != epoch:
            key = jax.random.fold_in(self.key, epoch)
            self._kept = epoch, np.asarray(jax.random.permutation(key, len(self.data.x)), np.int32)
        return self._kept[1]


@eqx.filter_jit
def _adam_block(
    moves: Moves,
    memory: Any,
    parameters: Parameters,
    data: Batch,
    weights: Weights,
    index: Int[Array, "steps batch"],
    cosine: Float[Array, " steps"],
    rates: dict[str, float],
) -> tuple[Moves, Any, Array]:
    import optax

    chain = optax.scale_by_adam()

    def step(carry: tuple[Moves, Any], now: tuple[Array, Array]) -> tuple[tuple[Moves, Any], Array]:
        moves, memory = carry
        rows, factor = now
        batch = Batch(*(array[rows] for array in data))
        value, gradient = jax.value_and_grad(loss)(moves, parameters, batch, weights)
        # optax counts steps in int32 and raises floats to them: strict promotion would forbid it.
        with jax.numpy_dtype_promotion("standard"):
            change: Any
            change, memory = chain.update(gradient, memory, moves)
            moved = {
                name: u - (factor * rates[name] * change[name]).astype(u.dtype)
                for name, u in moves.items()
            }
        return (moved, memory), value

    (moves, memory), losses = jax.lax.scan(step, (moves, memory), (index, cosine))
    return moves, memory, losses


class GaussNewton:
    """Levenberg and Marquardt's damped Gauss-Newton on all frames.

    The Jacobian is never held: its normal equations are summed over chunks of frames, from
    ∂/∂x of ∂E/∂u, whose cost grows with the number of coordinates and not of parameters.
    """

    name = "gauss-newton"

    def __init__(self, parameters: Parameters, data: Batch, weights: Weights, *, steps: int):
        """Prepare.

        Args:
            parameters: What moves.
            data: All frames.
            weights: Of the loss.
            steps: Steps at most.
        """
        self.parameters, self.data, self.weights, self.steps = parameters, data, weights, steps
        size = parameters.count * data.x.shape[1] * 8
        self.chunk = int(np.clip(32e6 // size, 1, 64))

    def init(self, moves: Moves) -> Array:
        """The damping."""
        return jnp.asarray(1e-3)

    def advance(self, moves: Moves, memory: Array, step: int) -> Advanced:
        """One step: the damping rises until the loss falls."""
        value, slope, curvature = self._normal(moves)
        flat, unravel = ravel_pytree(moves)
        damping = float(memory)
        if not np.isfinite(value):
            return Advanced(moves, memory, np.array([value]), True)
        scale = np.diag(curvature).copy()
        scale[scale <= 0] = 1.0
        while damping < _LARGEST:
            move = np.linalg.lstsq(curvature + damping * np.diag(scale), -slope, rcond=1e-14)[0]
            trial = unravel(flat + jnp.asarray(move, flat.dtype))
            new = self._loss(trial)
            if np.isfinite(new) and new < value:
                done = value - new < _ENOUGH * max(value, 1e-30) or new < 1e-24
                memory = jnp.asarray(max(damping / 5.0, _SMALLEST))
                return Advanced(trial, memory, np.array([value]), done)
            damping = max(damping * 4.0, 1e-8)
        return Advanced(moves, jnp.asarray(damping), np.array([value]), True)

    def _loss(self, moves: Moves) -> float:
        flat, unravel = ravel_pytree(moves)
        return self._sums(_loss_chunk, flat, unravel)[0]

    def _normal(self, moves: Moves) -> tuple[float, np.ndarray, np.ndarray]:
        flat, unravel = ravel_pytree(moves)
        value, terms = self._sums(_normal_chunk, flat, unravel)
        assert terms is not None
        return value, *terms

    def _sums(
        self, function: Any, flat: Array, unravel: Any
    ) -> tuple[float, tuple[np.ndarray, np.ndarray] | None]:
        """The loss, and half of its gradient and Gauss-Newton matrix, summed over chunks."""
        total: list[Any] = []
        for rows, real in chunks(len(self.data.x), self.chunk):
            part = Batch(*(array[rows] for array in self.data))
            counted = jnp.asarray((np.arange(len(rows)) < real).astype(float))
            found = [
                np.asarray(one, float)
                for one in function(flat, unravel, self.parameters, part, counted)
            ]
            total = found if not total else [a + b for a, b in zip(total, found, strict=True)]
        m, dof = self.data.x.shape
        force, energy, first = total[:3]
        w, prior = float(self.weights.energy) / max(m - 1, 1), float(self.weights.prior)
        mask, u = np.asarray(ravel_pytree(self._mask())[0], float), np.asarray(flat)
        value = force / (m * dof) + w * (energy - first**2 / m) + prior * np.sum(mask * u**2)
        if len(total) == 3:
            return float(value), None
        gf, hf, ge, he, je = total[3:]
        slope = gf / (m * dof) + w * (ge - je * first / m) + prior * mask * u
        curvature = hf / (m * dof) + w * (he - np.outer(je, je) / m) + prior * np.diag(mask)
        return float(value), (slope, curvature)

    def _mask(self) -> Moves:
        """1 for parameters with a prior."""
        return {
            name: jnp.full(u.shape, 1.0 if name in self.parameters.physical else 0.0)
            for name, u in self.parameters.start().items()
        }


@eqx.filter_jit
def _loss_chunk(
    flat: Array, unravel: Any, parameters: Parameters, batch: Batch, counted: Array
) -> tuple[Array, ...]:
    energy, force = _errors(flat, unravel, parameters, batch)
    return _three(energy, force, counted)


def _errors(flat: Array, unravel: Any, parameters: Parameters, batch: Batch) -> tuple[Array, Array]:
    energy, gradient = value_and_grad(parameters.force_field(unravel(flat)), batch.x.T)
    return (energy - batch.energy) / KCAL, (-gradient.T - batch.force) / KCAL_ANGSTROM


def _three(energy: Array, force: Array, counted: Array) -> tuple[Array, Array, Array]:
    square = jnp.sum(force**2, axis=1)
    return (
        jnp.sum(counted * square),
        jnp.sum(counted * energy**2),
        jnp.sum(counted * energy),
    )


@eqx.filter_jit
def _normal_chunk(
    flat: Array, unravel: Any, parameters: Parameters, batch: Batch, counted: Array
) -> tuple[Array, ...]:
    def single(u: Array, x: Array) -> Array:
        return parameters.force_field(unravel(u))(x)

    def slopes(x: Array) -> tuple[Array, Array]:
        along = jax.grad(single)
        return along(flat, x), jax.jacfwd(along, argnums=1)(flat, x)

    energy, force = _errors(flat, unravel, parameters, batch)
    je, jf = jax.vmap(slopes)(batch.x)
    je, jf = je / KCAL, -jf / KCAL_ANGSTROM
    weighted = counted[:, None, None] * jf
    return (
        *_three(energy, force, counted),
        jnp.einsum("fpd,fd->p", weighted, force),
        jnp.einsum("fpd,fqd->pq", weighted, jf),
        jnp.einsum("fp,f->p", je, counted * energy),
        jnp.einsum("fp,fq->pq", je * counted[:, None], je),
        jnp.einsum("fp,f->p", je, counted),
    )
