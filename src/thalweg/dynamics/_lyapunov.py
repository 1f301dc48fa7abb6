"""Lyapunov spectra by QR: the mean rates at which neighbouring paths part.

Tangent vectors are carried along the path by the linearised flow and made orthonormal again at
short intervals; the mean logarithms of the diagonal of R are the exponents, largest first. What
usually spoils them is mended: the tangent frame has a transient of its own before anything is
counted; the interval is so short that no vector is lost in rounding; and the error bar comes from
blocks of the run. At a stable fixed point the result is the real parts of its eigenvalues.

Sources: Benettin, Galgani, Giorgilli & Strelcyn, Meccanica 15, 9 (1980); Shimada & Nagashima,
Prog. Theor. Phys. 61, 1605 (1979). Dimension: Kaplan & Yorke, Lect. Notes Math. 730, 204 (1979).
"""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree
from numpy.typing import ArrayLike

from thalweg.core import (
    AbstractDynamics,
    AbstractMap,
    ArgumentError,
    Outcome,
    Point,
    jacobian,
    require_x64,
)

from ._simulate import check_velocity, find_solver, runge_kutta_step, simulate

_RESOLUTION = 0.25
"""A step, in units of the inverse of the largest spectral norm of the Jacobian met in a pilot."""

_STRETCH = 5.0
"""An interval between two QR decompositions, in the same units: vectors stretch by at most e⁵."""

_PILOT = 33
_RUNNING = -1


@dataclasses.dataclass(frozen=True, eq=False)
class LyapunovSpectrum:
    """Lyapunov exponents, one row a start.

    Attributes:
        exponents: Largest first, `(starts, count)`, in the inverse of the time unit (of a step,
            for a map); NaN where the path ended early.
        errors: Standard errors from the scatter between blocks, `(starts, count)`.
        outcome: `Outcome` codes, `(starts,)`.
        end: Last points, `(starts, dof)`.
        time: Time (steps, for a map) over which was averaged.
        step: Length of a step of the integrator (1 for a map).
        interval: Time between two QR decompositions.
        dof: Dimension of the space.
    """

    exponents: Float[np.ndarray, "starts count"]
    errors: Float[np.ndarray, "starts count"]
    outcome: Int[np.ndarray, " starts"]
    end: Float[np.ndarray, "starts dof"]
    time: float
    step: float
    interval: float
    dof: int

    @property
    def dimension(self) -> Float[np.ndarray, " starts"]:
        """Kaplan-Yorke dimension of each start's attractor; NaN if too few exponents are known."""
        return np.array([kaplan_yorke(row, self.dof) for row in self.exponents])

    def pooled(self) -> tuple[Float[np.ndarray, " count"], Float[np.ndarray, " count"]]:
        """Mean over the starts and its standard error, for starts that share an attractor.

        The error is that of the scatter between the starts; with one start, that of its blocks.
        """
        known = self.exponents[self.outcome == Outcome.success]
        if not len(known):
            gone = np.full(self.exponents.shape[1], np.nan)
            return gone, gone
        if len(known) == 1:
            return known[0], self.errors[self.outcome == Outcome.success][0]
        return known.mean(axis=0), known.std(axis=0, ddof=1) / math.sqrt(len(known))

    def __str__(self) -> str:
        mean, error = self.pooled()
        parts = ", ".join(f"{m:.5g} ± {e:.1g}" for m, e in zip(mean, error, strict=True))
        ok = int((self.outcome == Outcome.success).sum())
        return (
            f"Lyapunov exponents {parts} ({ok} of {len(self.outcome)} starts, time {self.time:g})"
        )


def kaplan_yorke(exponents: ArrayLike, dof: int | None = None) -> float:
    """The Kaplan-Yorke dimension `k + Σᵢ₌₁ᵏ λᵢ / |λₖ₊₁|`.

    `k` is the largest number of exponents whose sum is not negative.

    Args:
        exponents: Lyapunov exponents.
        dof: Dimension of the space; by default all exponents are given.

    Returns:
        The dimension; 0 if all exponents are negative, `dof` if the sum of all is not negative,
        NaN if an exponent is NaN or too few are given.
    """
    ordered = np.sort(np.asarray(exponents, float))[::-1]
    size = len(ordered) if dof is None else dof
    if not len(ordered) or np.isnan(ordered).any():
        return math.nan
    sums = np.cumsum(ordered)
    if sums[0] < 0:
        return 0.0
    held = int(np.max(np.flatnonzero(sums >= 0))) + 1
    if held == len(ordered):
        return float(size) if held == size else math.nan
    return held + float(sums[held - 1] / abs(ordered[held]))


def lyapunov_spectrum(  # noqa: PLR0913 - all but two have defaults
    dynamics: AbstractDynamics | AbstractMap,
    x0: ArrayLike,
    drive: PyTree = None,
    *,
    time: int | float,
    transient: int | float | None = None,
    count: int | None = None,
    step: int | float | None = None,
    interval: int | float | None = None,
    blocks: int = 16,
    solver: str | Any = "tsit5",
    extent: int | float = 1e6,
) -> LyapunovSpectrum:
    """The Lyapunov exponents of a flow or a map, for many starts at once.

    Args:
        dynamics: The vector field or map; it must be differentiable.
        x0: Starts, `(dof,)` or `(starts, dof)`.
        drive: Constant external input.
        time: Over how long to average, after the transient; whole steps for a map.
        transient: How long to wait first, for the path and for the frame of tangent vectors; a
            quarter of `time` by default.
        count: How many exponents; all by default.
        step: Length of a Runge-Kutta step. By default a quarter of the inverse of the largest
            spectral norm of the Jacobian that a pilot of the length of the transient meets.
        interval: Time between QR decompositions, by default so short that no vector can stretch
            by more than e⁵; one step for a map.
        blocks: Blocks for the error bar.
        solver: A name of `thalweg.dynamics.SOLVERS`, or a diffrax solver.
        extent: A path has blown up when a coordinate is larger than this.

    Returns:
        The exponents with their errors, largest first.

    Raises:
        ArgumentError: if an argument is out of range, or no pilot path stays finite and `step` is
            not given.
        PrecisionError: if float64 is off.
    """
    require_x64()
    starts = np.atleast_2d(np.asarray(x0, np.float64))
    if starts.ndim != 2 or not starts.size or not np.isfinite(starts).all():
        raise ArgumentError(f"x0 has shape {np.shape(x0)}: finite numbers, (starts, dof), expected")
    check_velocity(dynamics, starts[0], drive)
    dof = starts.shape[1]
    wanted = dof if count is None else count
    wait = 0.25 * time if transient is None else transient
    if not (time > 0 and wait >= 0 and 1 <= wanted <= dof and blocks >= 2):
        raise ArgumentError(
            f"time={time}, transient={wait}, count={wanted}, blocks={blocks}: the time must be "
            f"positive, the transient not negative, the count 1 to {dof}, the blocks at least 2"
        )
    if isinstance(dynamics, AbstractMap):
        method, step, between = None, 1.0, interval or 1.0
    else:
        method = find_solver(solver)
        rate = 0.0
        if step is None or interval is None:
            rate = _largest_rate(dynamics, starts, drive, max(wait, 0.05 * time), extent)
        step = step or min(_RESOLUTION / rate, time / blocks)
        between = interval or max(step, min(_STRETCH / rate, time / blocks))
    inner = max(1, round(between / step))
    outer = max(1, math.ceil(time / (blocks * inner * step) - 1e-9))
    frames = math.ceil(wait / (inner * step) - 1e-9)
    plan = (jnp.asarray(step), jnp.asarray(inner), jnp.asarray(outer), jnp.asarray(frames))
    sums, status, end = _spectrum(
        (dynamics, method, drive),
        jnp.asarray(starts), plan, jnp.asarray(float(extent)), wanted, blocks,
    )  # fmt: skip
    rates = np.asarray(sums) / (outer * inner * step)
    ended = np.asarray(status).astype(np.int64)
    rates = np.where((ended == Outcome.success)[:, None, None], rates, np.nan)
    mean = rates.mean(axis=1)
    error = rates.std(axis=1, ddof=1) / math.sqrt(blocks)
    order = np.argsort(-mean, axis=1, kind="stable")
    return LyapunovSpectrum(
        exponents=np.take_along_axis(mean, order, axis=1),
        errors=np.take_along_axis(error, order, axis=1),
        outcome=ended,
        end=np.asarray(end),
        time=float(blocks * outer * inner * step),
        step=float(step),
        interval=float(inner * step),
        dof=dof,
    )


def _largest_rate(
    dynamics: AbstractDynamics, starts: np.ndarray, drive: PyTree, time: int | float, extent: float
) -> float:
    """The largest spectral norm of the Jacobian along pilot paths from a few starts."""
    some = starts[np.linspace(0, len(starts) - 1, min(4, len(starts))).astype(int)]
    pilot = simulate(
        dynamics, some, np.linspace(0, time, _PILOT), drive, rtol=1e-6, atol=1e-8, extent=extent
    )
    points = pilot.x.reshape(-1, starts.shape[1])
    points = points[np.isfinite(points).all(axis=1)]
    norms = np.linalg.norm(np.asarray(jacobians(dynamics, jnp.asarray(points), drive)), 2, (1, 2))
    rate = float(np.max(norms, initial=0.0, where=np.isfinite(norms)))
    if not pilot.ok.any():
        ends = ", ".join(pilot.counts())
        raise ArgumentError(
            f"no step can be chosen: every pilot path ended early ({ends})",
            "give step= and interval=, or starts that stay finite",
        )
    return max(rate, 1.0 / time)


@eqx.filter_jit
def jacobians(
    dynamics: AbstractDynamics | AbstractMap, points: Float[Array, "points dof"], drive: PyTree
) -> Float[Array, "points dof dof"]:
    """The Jacobian at each point."""
    return jax.vmap(lambda x: jacobian(dynamics, x, drive))(points)


@eqx.filter_jit
def _spectrum(
    law: tuple[Any, Any, PyTree],
    starts: Float[Array, "starts dof"],
    plan: tuple[Array, Array, Array, Array],
    extent: Float[Array, ""],
    count: int,
    blocks: int,
) -> tuple[Float[Array, "starts blocks count"], Int[Array, " starts"], Float[Array, "starts dof"]]:
    """Sums of the logarithms of the diagonal of R over each block."""
    dynamics, method, drive = law
    step, inner, outer, frames = plan

    def field(t: Array, y: tuple[Point, Array]) -> tuple[Point, Array]:
        """The velocity at a point, and that of tangent vectors, the columns."""
        x, vectors = y
        velocity, push = jax.linearize(lambda z: dynamics(t, z, drive), x)
        return velocity, jax.vmap(push, in_axes=1, out_axes=1)(vectors)

    def advance(number: Array, y: tuple[Point, Array]) -> tuple[Point, Array]:
        t = number.astype(step.dtype) * step
        if method is None:
            return field(t, y)
        return runge_kutta_step(method, field, t, step, y)

    def orthonormal(vectors: Array) -> tuple[Array, Array]:
        q, r = jnp.linalg.qr(vectors)
        return q, jnp.log(jnp.abs(jnp.diagonal(r)))

    def stretch(number: Array, carry: tuple) -> tuple:
        """One interval; a path that has ended stays where it is."""
        x, vectors, sums, status, done = carry
        new, moved = jax.lax.fori_loop(done, done + inner, advance, (x, vectors))
        code = jnp.where(jnp.max(jnp.abs(new)) > extent, int(Outcome.escaped), _RUNNING)
        code = jnp.where(jnp.all(jnp.isfinite(new)), code, int(Outcome.nonfinite))
        status = jnp.where(status == _RUNNING, code, status)
        goes_on = status == _RUNNING
        frame, logs = orthonormal(jnp.where(goes_on, moved, vectors))
        x = jnp.where(goes_on, new, x)
        return x, frame, sums + jnp.where(goes_on, logs, 0.0), status, done + inner

    def path(x: Point) -> tuple[Array, Array, Point]:
        frame = jnp.linalg.qr(jax.random.normal(jax.random.key(0), (x.size, count), x.dtype))[0]
        zero = jnp.zeros(count, x.dtype)
        begin = (x, frame, zero, jnp.asarray(_RUNNING), jnp.asarray(0))
        begin = jax.lax.fori_loop(0, frames, stretch, begin)

        def block(carry: tuple, _: None) -> tuple[tuple, Array]:
            x, frame, _, status, done = carry
            carry = (x, frame, zero, status, done)
            carry = jax.lax.fori_loop(0, outer, stretch, carry)
            return carry, carry[2]

        (x, _, _, status, _), sums = jax.lax.scan(block, begin, None, length=blocks)
        status = jnp.where(status == _RUNNING, int(Outcome.success), status)
        return sums, status, x

    return jax.vmap(path)(starts)
