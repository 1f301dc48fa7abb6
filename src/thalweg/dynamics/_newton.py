"""Damped Newton iterations for many starts at once, in one compiled loop.

Every lane solves `F(x) = 0`, where `F` is the velocity of a flow or `g(x) - x` of a map, with the
exact Jacobian. A step is shortened until the residual falls or the next step would be shorter; where
the Jacobian is singular or no short step helps, the lane takes Levenberg-Marquardt steps until
Newton's converge again. A lane stuck in a minimum of the residual takes one full Newton step
unchecked, a few times, before it is given up. There is one evaluation of `F` and its Jacobian an iteration: a rejected step is the next iteration with a
shorter one.

Source: P. Deuflhard, Newton Methods for Nonlinear Problems (Springer 2004), chapter 3; J. J. Moré,
Lect. Notes Math. 630, 105 (1978).
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from thalweg.core import RUNNING, AbstractDynamics, AbstractMap, ArgumentError, Outcome

from ._circuit import AbstractCircuit

_DECREASE = 1e-4
"""Share of the decrease that a linear model promises, which an accepted step must reach."""

_SHORTEST = 2.0**-7
"""Newton steps shorter than this are given up for Levenberg's."""

_LARGEST_MU = 1e6
"""A Levenberg parameter at which steps no longer move anything: the scaled rows are about one."""

_KICKS = 6
"""Times that a lane stuck in a minimum of the residual leaves it by a full, unchecked Newton step."""

_RESIDUAL = 1e-13
"""A residual below this share of the point's size is as small as rounding lets it be."""

DOUBT = 16.0
"""A point that converged is taken to be within so many further Newton steps of the fixed point.

At a regular one such a step is rounding; at a root of multiplicity `m` it goes `1/m` of the way.
"""

_LAST_STEP = -2
"""The status of a lane that has converged and takes one more step."""


@dataclasses.dataclass(frozen=True)
class Newton:
    """How fixed points are searched for.

    Attributes:
        tol: A lane has converged when the next Newton step is shorter than this share of the
            point's largest coordinate or of the scale of the starts, whichever is larger. That
            step is still taken, so that the error is about the square of it.
        max_steps: Iterations of a lane.
        extent: Largest coordinate, in units of the scale of the starts; a lane beyond it escaped.
        same: Points closer than this, relative in the same sense, are one.
        width: Lanes that run together; results do not depend on it.
    """

    tol: float = 1e-9
    max_steps: int = 200
    extent: float = 1e6
    same: float = 1e-6
    width: int = 64

    def __post_init__(self):
        for name in ("tol", "extent", "same"):
            if not getattr(self, name) > 0:
                raise ArgumentError(f"{name}={getattr(self, name)!r} must be positive")
        for name in ("max_steps", "width"):
            if getattr(self, name) < 1:
                raise ArgumentError(f"{name}={getattr(self, name)!r} must be at least 1")


class Lanes(eqx.Module):
    """What a block of lanes holds; lanes come first.

    Attributes:
        x: Points, `(lanes, dof)`.
        residual: `F(x)`.
        matrix: Jacobian of `F`.
        rows: Rates that make the residual a length: the largest entry of each row of the Jacobian
            at the start.
        newton: The full Newton step from `x`; not finite where the Jacobian is singular.
        factor: Share of it that is tried next.
        mu: Levenberg parameter; zero while Newton's steps are taken.
        kicks: How often it was stuck; negative while its next step is accepted unchecked.
        steps: Iterations used.
        status: Negative while it runs, then an `Outcome`.
        shift: Once it has ended: by how much the Jacobian changes within `DOUBT` Newton steps.
    """

    x: Float[Array, "lanes dof"]
    residual: Float[Array, "lanes dof"]
    matrix: Float[Array, "lanes dof dof"]
    rows: Float[Array, "lanes dof"]
    newton: Float[Array, "lanes dof"]
    factor: Float[Array, " lanes"]
    mu: Float[Array, " lanes"]
    kicks: Int[Array, " lanes"]
    steps: Int[Array, " lanes"]
    status: Int[Array, " lanes"]
    shift: Float[Array, " lanes"]


def residual_of(
    dynamics: AbstractDynamics | AbstractMap, x: Float[Array, " dof"], drive: PyTree
) -> Float[Array, " dof"]:
    """What vanishes at a fixed point: the velocity, or the displacement of a map."""
    moved = dynamics(jnp.zeros((), x.dtype), x, drive)
    return moved - x if isinstance(dynamics, AbstractMap) else moved


def _residual_and_matrix(dynamics: Any, drive: PyTree, x: Array) -> tuple[Array, Array]:
    def both(point: Array) -> tuple[Array, Array]:
        value = residual_of(dynamics, point, drive)
        return value, value

    matrix, value = jax.jacfwd(both, has_aux=True)(x)
    if isinstance(dynamics, AbstractCircuit):
        value = jnp.where(dynamics.inside(x, drive), value, jnp.nan)
    return value, matrix


def _step(matrix: Array, residual: Array) -> Array:
    """`-J⁻¹ F`; not finite where the Jacobian is singular."""
    return -jnp.linalg.solve(matrix, residual[..., None])[..., 0]


def _levenberg(matrix: Array, residual: Array, rows: Array, mu: Array) -> Array:
    """`-(JᵀJ + μ)⁻¹ Jᵀ F` of the row-scaled problem."""
    scaled = matrix / rows[..., None]
    right = jnp.einsum("lij,li->lj", scaled, residual / rows)
    normal = jnp.einsum("lij,lik->ljk", scaled, scaled)
    normal = normal + mu[:, None, None] * jnp.eye(matrix.shape[-1], dtype=matrix.dtype)
    return -jnp.linalg.solve(normal, right[..., None])[..., 0]


def _size(x: Array, scale: Array) -> Array:
    return jnp.maximum(jnp.max(jnp.abs(x), axis=-1), scale)


def _merit(residual: Array, rows: Array) -> Array:
    return jnp.sqrt(jnp.mean((residual / rows) ** 2, axis=-1))


def _finite(*arrays: Array) -> Bool[Array, " lanes"]:
    """Lane by lane."""
    flat = [jnp.isfinite(a).reshape(a.shape[0], -1).all(axis=1) for a in arrays]
    return jnp.stack(flat).all(axis=0)


def _pick(mask: Array, new: Array, old: Array) -> Array:
    return jnp.where(mask.reshape(mask.shape + (1,) * (new.ndim - 1)), new, old)


def _begin(x: Array) -> Lanes:
    """Lanes that have not been evaluated: the first iteration tries a step of no length."""
    lanes, dof = x.shape
    return Lanes(
        x=x,
        residual=jnp.full_like(x, jnp.inf),
        matrix=jnp.zeros((lanes, dof, dof), x.dtype),
        rows=jnp.ones_like(x),
        newton=jnp.zeros_like(x),
        factor=jnp.ones(lanes, x.dtype),
        mu=jnp.zeros(lanes, x.dtype),
        kicks=jnp.zeros(lanes, jnp.int32),
        steps=jnp.zeros(lanes, jnp.int32),
        status=jnp.full(lanes, RUNNING, jnp.int32),
        shift=jnp.zeros(lanes, x.dtype),
    )


def _verdict(settings: Newton, scale: Array, lane: Lanes, tried: Array) -> tuple[Array, Array]:
    """How each running lane stands after an iteration that tried a step, and whether it is stuck."""
    size = _size(lane.x, scale)
    damped = lane.mu > 0
    short = jnp.max(jnp.abs(tried), axis=-1) <= 1e-3 * settings.tol * size
    stuck = (lane.mu > _LARGEST_MU) | (damped & (lane.mu < 1.0) & short)
    stuck = stuck & (lane.kicks >= 0)
    status = jnp.where(stuck & (lane.kicks >= _KICKS), int(Outcome.stalled), RUNNING)
    # Where Newton's steps cannot be taken, the residual itself must be as small as it can be.
    solved = damped & (_merit(lane.residual, lane.rows) <= _RESIDUAL * size)
    small = ~damped & (jnp.max(jnp.abs(lane.newton), axis=-1) <= settings.tol * size)
    status = jnp.where(solved | small, _LAST_STEP, status)
    escaped = jnp.max(jnp.abs(lane.x), axis=-1) > settings.extent * scale
    status = jnp.where(escaped, int(Outcome.escaped), status)
    late = (status == RUNNING) & (lane.steps >= settings.max_steps)
    return jnp.where(late, int(Outcome.max_steps), status).astype(jnp.int32), stuck


def _natural(lane: Lanes, residual: Array, scale: Array, length: Array) -> Array:
    """Deuflhard's natural monotonicity test: is the simplified Newton step at the trial shorter?

    Unlike the residual it does not change when the equations are scaled or mixed, so that it lets
    a lane through where some of them must grow for a while.
    """
    weights = jnp.abs(lane.x) + scale
    next_step = _step(lane.matrix, residual)
    return _merit(next_step, weights) < (1 - length / 4) * _merit(lane.newton, weights)


def _advance(evaluate: Any, settings: Newton, scale: Array, lane: Lanes) -> Lanes:
    """One iteration of every running lane, with one evaluation."""
    running, last = lane.status < 0, lane.status == _LAST_STEP
    fresh = lane.steps == 0
    damped = (lane.mu > 0) & ~last
    step = jax.lax.cond(
        jnp.any(damped & running),
        lambda: _pick(
            damped, _levenberg(lane.matrix, lane.residual, lane.rows, lane.mu), lane.newton
        ),
        lambda: lane.newton,
    )
    length = jnp.where(damped | last, 1.0, lane.factor)
    # A kick is a Newton step no longer than the point itself.
    kicked = lane.kicks < 0
    reach = _size(lane.x, scale) / jnp.maximum(jnp.max(jnp.abs(step), axis=-1), 1e-300)
    length = jnp.where(kicked, jnp.minimum(reach, length), length)
    trial = lane.x + length[:, None] * step
    residual, matrix = evaluate(trial)
    rows = jnp.max(jnp.abs(matrix), axis=-1)
    rows = jnp.where((rows > 0) & jnp.isfinite(rows), rows, 1.0)
    rows = _pick(fresh, rows, lane.rows)
    before, after = _merit(lane.residual, rows), _merit(residual, rows)
    lower = jnp.where(last, after <= before, after < (1 - _DECREASE * length) * before)
    lower = lower | (~damped & ~last & _natural(lane, residual, scale, length))
    good = running & _finite(trial, residual, matrix) & (lower | fresh | kicked)
    x, residual = _pick(good, trial, lane.x), _pick(good, residual, lane.residual)
    matrix = _pick(good, matrix, lane.matrix)
    newton = _step(matrix, residual)
    # Newton: lengthen after a success, halve after a failure, and give up below a shortest step.
    factor = jnp.where(good, jnp.minimum(1.0, 2 * lane.factor), lane.factor / 2)
    give_up = ~damped & (factor < _SHORTEST)
    # Levenberg: the usual factors, and back to Newton's steps once the damping has become small.
    mu = jnp.where(good, lane.mu / 8, jnp.maximum(4 * lane.mu, 1e-6))
    mu = jnp.where(damped, jnp.where(good & (mu < 1e-8), 0.0, mu), jnp.where(give_up, 1e-3, 0.0))
    mu = jnp.where((mu == 0) & ~_finite(newton), 1e-8, mu)
    moved = Lanes(
        x=x,
        residual=residual,
        matrix=matrix,
        rows=rows,
        newton=newton,
        factor=jnp.where(damped | give_up, 1.0, factor),
        mu=mu,
        kicks=jnp.where(good | give_up, jnp.abs(lane.kicks), lane.kicks),
        steps=lane.steps + running.astype(jnp.int32),
        status=lane.status,
        shift=lane.shift,
    )
    tried = jnp.where(fresh[:, None], scale, step)
    status, stuck = _verdict(settings, scale, moved, tried)
    stuck = stuck & (status == RUNNING)
    moved = eqx.tree_at(
        lambda a: (a.mu, a.factor, a.kicks),
        moved,
        (
            jnp.where(stuck & _finite(newton), 0.0, mu),
            jnp.where(stuck, 1.0, moved.factor),
            jnp.where(stuck, -(jnp.abs(moved.kicks) + 1), moved.kicks),
        ),
    )
    status = jnp.where(last, int(Outcome.success), status)
    status = jnp.where(fresh & ~good, int(Outcome.nonfinite), status).astype(jnp.int32)
    return _settle(running, eqx.tree_at(lambda a: a.status, moved, status), lane)


def _settle(running: Array, new: Lanes, old: Lanes) -> Lanes:
    """Lanes that had ended stay as they were."""
    return jax.tree.map(lambda a, b: _pick(running, a, b), new, old)


def _block(evaluate: Any, settings: Newton, scale: Array, x: Array) -> Lanes:
    lane = jax.lax.while_loop(
        lambda lane: jnp.any(lane.status < 0),
        lambda lane: _advance(evaluate, settings, scale, lane),
        _begin(x),
    )
    nearby = evaluate(lane.x + DOUBT * lane.newton)[1]
    shift = jnp.sqrt(jnp.sum((nearby - lane.matrix) ** 2, axis=(1, 2)))
    shift = jnp.where(jnp.isfinite(shift), shift, jnp.inf)
    return eqx.tree_at(lambda a: a.shift, lane, shift)


@eqx.filter_jit
def search(
    dynamics: AbstractDynamics | AbstractMap,
    drive: PyTree,
    starts: Float[Array, "blocks width dof"],
    scale: Float[Array, ""],
    settings: Newton,
    *,
    many: bool = False,
) -> Lanes:
    """Blocks of lanes, one after another in one program.

    Args:
        dynamics: The system; with `many`, one for each lane: its arrays have the axes
            `(blocks, width)` in front.
        drive: The drive, or one for each lane.
        starts: Starting points.
        scale: Typical size of a coordinate.
        settings: Tolerances and limits.
        many: Whether every lane has a system of its own.

    Returns:
        The lanes where they ended, `(blocks, width, …)`.
    """
    axes = (eqx.if_array(0), eqx.if_array(0), 0) if many else (None, None, 0)
    evaluate = eqx.filter_vmap(_residual_and_matrix, in_axes=axes)
    if not many:
        return jax.lax.map(
            lambda x: _block(lambda at: evaluate(dynamics, drive, at), settings, scale, x), starts
        )
    arrays, rest = eqx.partition((dynamics, drive), eqx.is_array)

    def one(block: tuple[PyTree, Array]) -> Lanes:
        system, inputs = eqx.combine(block[0], rest)
        return _block(lambda at: evaluate(system, inputs, at), settings, scale, block[1])

    return jax.lax.map(one, (arrays, starts))
