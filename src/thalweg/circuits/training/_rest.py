"""Where an ORGaNICs circuit with recurrent weights W_r ≠ I rests, and the derivative of that.

The rest solves  y = bz + (1 − √a) ⊙ (W_r y),  a = c + W(a ⊙ y²)  with c = (b₀σ)². It is found by
sweeps that treat the diagonal of W_r exactly, so that two of them suffice at W_r = I; where they do
not settle, by solving for y and updating a in turn. Derivatives come from the implicit function
theorem, one linear system with the transposed Jacobian, whatever number of sweeps was needed.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core import Array, Float

from ._numerics import safe_sqrt

_SWEEPS = 100
_SOLVES = 30
_SLOW_SOLVES = 300
_SHARE = 0.3

Batch = Float[Array, "batch n"]
Matrix = Float[Array, "n n"]


class Circuit(NamedTuple):
    """What fixes the rest of a batch of circuits that share their weights.

    Attributes:
        drive: bz, `(batch, n)`.
        floor: (b₀σ)², `(n,)`.
        recurrent: W_r.
        pool: W ≥ 0.
    """

    drive: Batch
    floor: Float[Array, " n"]
    recurrent: Matrix
    pool: Matrix


def residual(circuit: Circuit, y: Batch, a: Batch) -> tuple[Batch, Batch]:
    """The right-hand sides of τ_y dy/dt and τ_a da/dt."""
    echo = y @ circuit.recurrent.T
    return (
        circuit.drive - y + (1.0 - safe_sqrt(a)) * echo,
        circuit.floor - a + (jax.nn.relu(a) * y * y) @ circuit.pool.T,
    )


def identity_rest(
    drive: Float[Array, "*batch n"], floor: Float[Array, " n"], pool: Matrix
) -> tuple[Float[Array, "*batch n"], Float[Array, "*batch n"]]:
    """The rest for W_r = I in closed form: a = c + W(bz)², y = bz/√a."""
    a = floor + (drive * drive) @ pool.T
    return drive * jax.lax.rsqrt(a), a


@jax.custom_vjp
def rest(circuit: Circuit) -> tuple[Batch, Batch]:
    """The rest, y and a, for any W_r.

    Samples that did not settle come back as they were after the last update; `unsettled` says
    which.
    """
    return _solve(circuit)


def unsettled(circuit: Circuit, y: Batch, a: Batch) -> Array:
    """Samples whose right-hand sides are not small, or not numbers, `(batch,)`."""
    fy, fa = residual(circuit, y, a)
    error = jnp.max(jnp.abs(jnp.concatenate([fy, fa], axis=-1)), axis=-1)
    scale = 1.0 + jnp.max(jnp.abs(jnp.concatenate([y, a], axis=-1)), axis=-1)
    return ~(error <= 1e4 * jnp.finfo(y.dtype).eps * scale)


def _tolerance(dtype: Any) -> float:
    return 32.0 * float(jnp.finfo(dtype).eps)


def _change(new: tuple[Batch, ...], old: tuple[Batch, ...]) -> Array:
    """The largest change, against the largest number of the same sample."""
    worst = jnp.zeros((), new[0].dtype)
    for n, o in zip(new, old, strict=True):
        moved = jnp.max(jnp.abs(n - o), axis=-1)
        worst = jnp.maximum(worst, jnp.max(moved / (1e-6 + jnp.max(jnp.abs(n), axis=-1))))
    return worst


def _iterate(step: Any, start: tuple[Batch, Batch], limit: int) -> tuple[Any, Array]:
    """Repeat until nothing moves; the last values and whether they settled."""
    tol = _tolerance(start[0].dtype)

    def going(carry: Any) -> Array:
        count, _, change = carry
        return (count < limit) & ~(change <= tol) & ~jnp.isnan(change)

    def once(carry: Any) -> Any:
        count, old, _ = carry
        new = step(old)
        return count + 1, new, _change(new, old)

    first = (jnp.zeros((), jnp.int32), start, jnp.asarray(jnp.inf, start[0].dtype))
    _, last, change = jax.lax.while_loop(going, once, first)
    return last, change <= tol


def _solve(circuit: Circuit) -> tuple[Batch, Batch]:
    drive, floor, recurrent, pool = circuit
    diagonal = jnp.diagonal(recurrent)

    def sweep(old: tuple[Batch, Batch]) -> tuple[Batch, Batch]:
        y, a = old
        gain = 1.0 - safe_sqrt(a)
        y = (drive + gain * (y @ recurrent.T - diagonal * y)) / (1.0 - gain * diagonal)
        return y, floor + (jax.nn.relu(a) * y * y) @ pool.T

    y, a = identity_rest(drive, floor, pool)
    last, settled = _iterate(sweep, (y, a), _SWEEPS)
    return jax.lax.cond(settled, lambda: last, lambda: _solve_in_turn(circuit)[0])


def _solve_in_turn(circuit: Circuit) -> tuple[tuple[Batch, Batch], Array]:
    """The authors' iteration: y from a by a linear solve, then a from y.

    It is repeated with a moved only part of the way where that alone does not settle. The values,
    and whether they settled.
    """
    drive, floor, recurrent, pool = circuit
    unit = jnp.eye(len(floor), dtype=floor.dtype)

    def turn(share: float, old: tuple[Batch, Batch]) -> tuple[Batch, Batch]:
        _, a = old
        matrix = unit - (1.0 - safe_sqrt(a))[..., None] * recurrent
        y = jnp.linalg.solve(matrix, drive[..., None])[..., 0]
        new = floor + (jax.nn.relu(a) * y * y) @ pool.T
        return y, a + share * (new - a)

    y = drive @ recurrent.T
    a = floor + (y * y) @ pool.T
    start = (y * jax.lax.rsqrt(a), a)
    last, settled = _iterate(functools.partial(turn, 1.0), start, _SOLVES)
    return jax.lax.cond(
        settled,
        lambda: (last, settled),
        lambda: _iterate(functools.partial(turn, _SHARE), start, _SLOW_SOLVES),
    )


def _forward(circuit: Circuit) -> Any:
    y, a = rest(circuit)
    return (y, a), (circuit, y, a)


def _backward(kept: Any, cotangent: tuple[Batch, Batch]) -> tuple[Circuit]:
    """−λᵀ ∂F/∂circuit with Jᵀ λ = cotangent."""
    circuit, y, a = kept
    p, q = _adjoint(circuit, y, a, *cotangent)
    gain = 1.0 - safe_sqrt(a)
    return (
        Circuit(
            drive=-p,
            floor=-jnp.sum(q, axis=0),
            recurrent=-(gain * p).T @ y,
            pool=-q.T @ (jax.nn.relu(a) * y * y),
        ),
    )


rest.defvjp(_forward, _backward)


def _adjoint(circuit: Circuit, y: Batch, a: Batch, vy: Batch, va: Batch) -> tuple[Batch, Batch]:
    """Solve Jᵀ (p, q) = (vy, va): by the transposed sweeps, by elimination where they fail."""
    _, _, recurrent, pool = circuit
    diagonal = jnp.diagonal(recurrent)
    gain = 1.0 - safe_sqrt(a)
    half = _half_slope(recurrent, y, a)

    def sweep(old: tuple[Batch, Batch]) -> tuple[Batch, Batch]:
        p, q = old
        q = y * y * (q @ pool) - half * p - va
        pulled = (gain * p) @ recurrent - gain * diagonal * p
        return (pulled + 2.0 * y * a * (q @ pool) - vy) / (1.0 - gain * diagonal), q

    start = (-vy / (1.0 - gain * diagonal), -va)
    last, settled = _iterate(sweep, start, _SWEEPS)
    dense = functools.partial(_adjoint_dense, circuit, y, a, vy, va)
    return jax.lax.cond(settled, lambda: last, dense)


def _adjoint_dense(
    circuit: Circuit, y: Batch, a: Batch, vy: Batch, va: Batch
) -> tuple[Batch, Batch]:
    matrix = rest_jacobian(circuit, y, a)
    both = jnp.concatenate([vy, va], axis=-1)[..., None]
    solution = jnp.linalg.solve(jnp.swapaxes(matrix, -1, -2), both)[..., 0]
    p, q = jnp.split(solution, 2, axis=-1)
    return p, q


def rest_jacobian(circuit: Circuit, y: Batch, a: Batch) -> Float[Array, "batch two_n two_n"]:
    """The Jacobian of the right-hand sides at (y, a), for τ = 1, in the order (y, a)."""
    _, floor, recurrent, pool = circuit
    unit = jnp.eye(len(floor), dtype=floor.dtype)
    top = [
        (1.0 - safe_sqrt(a))[..., None] * recurrent - unit,
        -_half_slope(recurrent, y, a)[..., None] * unit,
    ]
    bottom = [pool * (2.0 * y * a)[..., None, :], pool * (y * y)[..., None, :] - unit]
    return jnp.concatenate(
        [jnp.concatenate(top, axis=-1), jnp.concatenate(bottom, axis=-1)], axis=-2
    )


def _half_slope(recurrent: Matrix, y: Batch, a: Batch) -> Batch:
    """(W_r y) / (2√a), zero where a ≤ 0."""
    root = safe_sqrt(a)
    return jnp.where(root > 0, (y @ recurrent.T) / (2.0 * jnp.where(root > 0, root, 1.0)), 0.0)
