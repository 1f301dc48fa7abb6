"""Floquet multipliers: what one turn around a cycle does to a small perturbation.

Source: Y. A. Kuznetsov, Elements of Applied Bifurcation Theory, 3rd ed., Springer 2004, sections
1.5 (multipliers), 10.1 (shooting).
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, PyTree
from numpy.typing import ArrayLike

from thalweg.core import AbstractDynamics, AbstractMap, ArgumentError, Point, require_x64

from ._certify import Verdict
from ._lyapunov import jacobians
from ._simulate import at_time, check_velocity, simulate

_TURNS = 8
"""Steps of Newton's method with which a cycle is closed, at most."""

_CLOSED = 1e-10
"""A cycle that misses closing by this share of its size is closed."""

_LOOKS = 9
"""Points at which the size of the path is looked at; each keeps a matrix."""

_BORDER = 1e-6
"""A modulus this near 1 has no side, however well the multiplier along the cycle is met."""

_SLACK = 10.0
"""The same, in units of the error of the multiplier along the cycle, which is known to be 1."""


@dataclasses.dataclass(frozen=True, eq=False)
class FloquetMultipliers:
    """A closed path and its multipliers.

    Attributes:
        multipliers: Eigenvalues of `monodromy`, `(dof,)`. For a flow the first is the one along the
            cycle, which is 1 in exact arithmetic; the others follow by modulus, the largest first.
        monodromy: The derivative of the point after one period by that at its start,
            `(dof, dof)`.
        x: A point of the cycle, `(dof,)`, closer than the one given.
        period: Its period, in the time unit of the flow, or in steps.
        closure: Distance by which the path misses closing.
        error: How far the multiplier along the cycle is from 1; 0 for a map, which has none.
        doubt: A modulus nearer to 1 than this has no side.
        discrete: Whether it is the cycle of a map.
    """

    multipliers: Complex[np.ndarray, " dof"]
    monodromy: Float[np.ndarray, "dof dof"]
    x: Float[np.ndarray, " dof"]
    period: float
    closure: float
    error: float
    doubt: float
    discrete: bool

    @property
    def transverse(self) -> Complex[np.ndarray, " others"]:
        """The multipliers that decide: all but that along the cycle of a flow."""
        return self.multipliers if self.discrete else self.multipliers[1:]

    @property
    def unstable(self) -> int:
        """Number of unstable directions."""
        return int((np.abs(self.transverse) > 1 + self.doubt).sum())

    @property
    def verdict(self) -> Verdict:
        """Whether it attracts: every multiplier but the one along it is inside the unit circle."""
        away = np.abs(self.transverse) - 1.0
        if not np.isfinite(away).all() or (self.unstable == 0 and (away > -self.doubt).any()):
            return Verdict.undecided
        return Verdict.unstable if self.unstable else Verdict.stable

    def __str__(self) -> str:
        some = self.multipliers[:6].tolist()
        shown = ", ".join(f"{v:.4g}" if v.imag else f"{v.real:.4g}" for v in some)
        return (
            f"{self.verdict} cycle of period {self.period:.8g}: multipliers {shown}"
            f"{', …' if len(self.multipliers) > 6 else ''}"
        )


def floquet_multipliers(
    dynamics: AbstractDynamics | AbstractMap,
    x: ArrayLike,
    drive: PyTree = None,
    *,
    period: int | float,
    rtol: float = 1e-10,
    atol: float = 1e-12,
) -> FloquetMultipliers:
    """The Floquet multipliers of a cycle, which is first closed by Newton's method.

    The path and the matrix `M` with `dM/dt = J(x(t)) M`, `M(0) = 1` are integrated together over
    one period; point and period are mended by single shooting, `x(T) = x(0)` with a step across
    the velocity, so a cycle of any stability near the one given is met. For a map `M` is the
    product of the Jacobians along the cycle, and the period stays.

    One multiplier of a flow's cycle is 1. By how much it is missed is measured and reported as
    `error`; a modulus within ten times that of 1, or 1e-6, decides nothing. Small multipliers are
    accurate to about `rtol` times the norm of `M`, not relative to themselves.

    Args:
        dynamics: The vector field or map; differentiable, and it must not depend on time.
        x: A point near the cycle, `(dof,)`: the first of a `Cycle`'s `loop`, say.
        drive: Constant external input.
        period: Its period, to a few percent; a whole number of steps for a map.
        rtol: Relative error allowed in a step of the integrator.
        atol: Absolute error allowed in a step.

    Returns:
        The multipliers with what they rest on.

    Raises:
        ArgumentError: if an argument is out of range, or the path does not last a period.
        PrecisionError: if float64 is off.
    """
    require_x64()
    point = np.asarray(x, np.float64)
    if point.ndim != 1 or not point.size or not np.isfinite(point).all():
        raise ArgumentError(f"x has shape {point.shape}: one finite point, (dof,), is expected")
    if not (period > 0 and math.isfinite(period)):
        raise ArgumentError(f"period={period} must be positive")
    check_velocity(dynamics, point, drive)
    if isinstance(dynamics, AbstractMap):
        if period != round(period):
            raise ArgumentError(f"period={period}: a map takes whole steps")
        return _of_map(dynamics, point, drive, round(period))
    return _of_flow(dynamics, point, drive, float(period), (rtol, atol))


class _Variation(AbstractDynamics):
    """A flow with its linearisation: `(x, M)`, flat, in one point of `dof + dof²` numbers."""

    dynamics: AbstractDynamics
    dof: int

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree) -> Point:
        """Velocity of the point, and `J M`."""
        matrix = x[self.dof :].reshape(self.dof, self.dof)
        velocity, push = jax.linearize(lambda y: self.dynamics(t, y, drive), x[: self.dof])
        return jnp.concatenate([velocity, jax.vmap(push, 1, 1)(matrix).ravel()])


def _of_flow(
    dynamics: AbstractDynamics,
    x: np.ndarray,
    drive: PyTree,
    period: float,
    tolerances: tuple[float, float],
) -> FloquetMultipliers:
    dof = len(x)
    law = _Variation(dynamics, dof)
    rtol, atol = tolerances

    def turn(x: np.ndarray, period: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Where the path is after a period, the matrix, and its largest extent on the way."""
        begin = np.concatenate([x, np.eye(dof).ravel()])
        path = simulate(
            law, begin, np.linspace(0.0, period, _LOOKS), drive, rtol=rtol, atol=atol, extent=1e150
        )
        if not path.ok[0]:
            raise ArgumentError(
                f"the path from x does not last a period of {period:g}: {path.counts()}",
                "give a point near a cycle",
            )
        size = float(np.ptp(path.x[0, :, :dof], axis=0).max())
        return path.x[0, -1, :dof], path.x[0, -1, dof:].reshape(dof, dof), size

    got = turn(x, period)
    for _ in range(_TURNS):
        end, matrix, size = got
        miss = float(np.linalg.norm(end - x))
        if miss <= _CLOSED * size:
            break
        for step in _steps(x, end, matrix, *(_velocity(dynamics, at, drive) for at in (x, end))):
            closer, longer = x + step[:dof], period + float(step[dof])
            if not 0.5 * period < longer < 2.0 * period:
                continue
            new = turn(closer, longer)
            # A step that shrinks the path is on its way to the rest inside, not to a cycle.
            if np.linalg.norm(new[0] - closer) < miss and new[2] > 0.5 * size:
                x, period, got = closer, longer, new
                break
        else:
            break
    end, matrix, _ = got
    values = np.linalg.eigvals(matrix).astype(complex)
    values = values[np.argsort(-np.abs(values), kind="stable")]
    along = int(np.argmin(np.abs(values - 1.0)))
    error = float(np.abs(values[along] - 1.0))
    return FloquetMultipliers(
        multipliers=np.append(values[along], np.delete(values, along)),
        monodromy=matrix, x=x, period=period, closure=float(np.linalg.norm(end - x)), error=error,
        doubt=max(_BORDER, _SLACK * error), discrete=False,
    )  # fmt: skip


def _steps(
    x: np.ndarray, end: np.ndarray, matrix: np.ndarray, velocity: np.ndarray, arrival: np.ndarray
) -> list[np.ndarray]:
    """Changes of point and period, `(dof + 1,)`, that close the path: Newton's, and of time alone.

    Newton's is across the velocity, and of least length where cycles come in families.
    """
    dof = len(x)
    system = np.zeros((dof + 1, dof + 1))
    system[:dof, :dof] = matrix - np.eye(dof)
    system[:dof, dof] = arrival
    system[dof, :dof] = velocity
    newton = np.linalg.lstsq(system, np.append(x - end, 0.0), rcond=1e-9)[0]
    later = float(arrival @ (x - end) / (arrival @ arrival))
    return [newton, np.append(np.zeros(dof), later)]


def _velocity(dynamics: AbstractDynamics, x: np.ndarray, drive: PyTree) -> np.ndarray:
    return np.asarray(dynamics(jnp.zeros(()), jnp.asarray(x), at_time(drive, 0.0)), np.float64)


def _of_map(dynamics: AbstractMap, x: np.ndarray, drive: PyTree, period: int) -> FloquetMultipliers:
    dof = len(x)

    def turn(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        path = simulate(dynamics, x, np.arange(period + 1), drive, extent=1e150)
        if not path.ok[0]:
            raise ArgumentError(f"the path from x does not last {period} steps: {path.counts()}")
        matrix = np.eye(dof)
        for factor in np.asarray(jacobians(dynamics, jnp.asarray(path.x[0, :-1]), drive)):
            matrix = factor @ matrix
        return path.x[0, -1], matrix, float(np.abs(path.x[0]).max())

    end, matrix, size = turn(x)
    for _ in range(_TURNS):
        miss = float(np.linalg.norm(end - x))
        if miss <= _CLOSED * size:
            break
        step = np.linalg.lstsq(matrix - np.eye(dof), x - end, rcond=1e-9)[0]
        got = turn(x + step)
        if not np.linalg.norm(got[0] - x - step) < miss:
            break
        x, (end, matrix, size) = x + step, got
    values = np.linalg.eigvals(matrix).astype(complex)
    return FloquetMultipliers(
        multipliers=values[np.argsort(-np.abs(values), kind="stable")],
        monodromy=matrix, x=x, period=float(period), closure=float(np.linalg.norm(end - x)),
        error=0.0, doubt=_BORDER, discrete=True,
    )  # fmt: skip
