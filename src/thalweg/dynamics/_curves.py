"""Folds and Hopf points in two parameters: the borders between regimes.

A fold curve solves `F = 0, F_x v = 0, |v|² = 1`, a Hopf curve `F = 0, F_x (a + ib) = iω (a + ib)`
with a normalised eigenvector, both with two parameters free. They are continued like branches.

Source: Kuznetsov, Elements of Applied Bifurcation Theory, section 10.3 and chapter 8.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree
from numpy.typing import ArrayLike

from thalweg.core import AbstractMap, ArgumentError, require_x64

from ._arclength import Curve, Ending, Event, Node, StepRule, trace
from ._continuation import Family
from ._hopf import first_lyapunov_coefficient
from ._simulate import check_velocity

Special = Literal["cusp", "bogdanov-takens", "bautin"]
Bounds = tuple[tuple[int | float, int | float], tuple[int | float, int | float]]


def same_pair(p: Any, q: Any) -> tuple[Any, Any]:
    """The pair of parameters itself as the external input."""
    return p, q


@dataclasses.dataclass(frozen=True, eq=False)
class BifurcationCurve:
    """Folds or Hopf points in the plane of two parameters.

    Attributes:
        kind: `fold` or `hopf`.
        parameters: `(points, 2)`, in order along the curve.
        x: Fixed points, `(points, dof)`.
        frequencies: `ω` of Hopf points, `(points,)`; NaN for folds.
        special: Points of codimension two, as `(name, (p, q))`: `cusp` (two folds meet),
            `bogdanov-takens` (a second eigenvalue at zero), `bautin` (a Hopf point between
            supercritical and subcritical).
        endings: Why it ended, at either end.
    """

    kind: Literal["fold", "hopf"]
    parameters: Float[np.ndarray, "points 2"]
    x: Float[np.ndarray, "points dof"]
    frequencies: Float[np.ndarray, " points"]
    special: tuple[tuple[Special, tuple[float, float]], ...]
    endings: tuple[Ending, Ending]

    def __str__(self) -> str:
        ends = " and ".join(dict.fromkeys(self.endings))
        more = "".join(f"; {name} at ({p:.6g}, {q:.6g})" for name, (p, q) in self.special)
        return f"{self.kind} curve of {len(self.parameters)} points ({ends}){more}"


def fold_curve(
    dynamics: Any,
    x0: ArrayLike,
    at: tuple[int | float, int | float],
    bounds: Bounds,
    *,
    drive: Callable[[Any, Any], PyTree] = same_pair,
    rule: StepRule = StepRule(),
    scale: int | float | None = None,
    extent: int | float = 1e6,
) -> BifurcationCurve:
    """The curve of folds through a fold, in two parameters.

    Args:
        dynamics: A flow or a map, or a function of the two parameters that returns one.
        x0: The fixed point at the fold, or near it, `(dof,)`.
        at: The two parameters there.
        bounds: Least and largest value of each parameter.
        drive: Function of the two parameters that returns the external input; by default it is
            the pair.
        rule: Step lengths, with each parameter in units of its interval.
        scale: Unit of the state; by default the largest coordinate of `x0`, at least 1.
        extent: The curve ends when a coordinate is larger than this.

    Returns:
        The curve, from one end to the other.

    Raises:
        ArgumentError: if there is no fold near `x0`, or an argument is out of range.
        PrecisionError: if float64 is off.
    """
    task = _Task(Family(dynamics, drive), x0, at, bounds, scale, extent, "fold")
    slope = np.asarray(_slope(task.family, task.x, *at))
    guess = np.concatenate([task.x, np.linalg.svd(slope)[2][-1], at])
    return task.run(guess, rule)


def hopf_curve(
    dynamics: Any,
    x0: ArrayLike,
    at: tuple[int | float, int | float],
    bounds: Bounds,
    *,
    drive: Callable[[Any, Any], PyTree] = same_pair,
    rule: StepRule = StepRule(),
    scale: int | float | None = None,
    extent: int | float = 1e6,
) -> BifurcationCurve:
    """The curve of Hopf points of a flow through one of them, in two parameters.

    It ends as `bound` where its frequency vanishes, at a Bogdanov-Takens point.

    Args:
        dynamics: A flow, or a function of the two parameters that returns one.
        x0: The fixed point at the Hopf point, or near it, `(dof,)`.
        at: The two parameters there.
        bounds: Least and largest value of each parameter.
        drive: Function of the two parameters that returns the external input; by default it is
            the pair.
        rule: Step lengths, with each parameter in units of its interval.
        scale: Unit of the state; by default the largest coordinate of `x0`, at least 1.
        extent: The curve ends when a coordinate is larger than this.

    Returns:
        The curve, from one end to the other.

    Raises:
        ArgumentError: if there is no Hopf point near `x0`, or an argument is out of range.
        PrecisionError: if float64 is off.
    """
    task = _Task(Family(dynamics, drive), x0, at, bounds, scale, extent, "hopf")
    if task.discrete:
        raise ArgumentError("a map has no Hopf points", "hopf_curve needs a flow")
    values, vectors = np.linalg.eig(np.asarray(_slope(task.family, task.x, *at)))
    pairs = np.flatnonzero(np.imag(values) > 0)
    if not len(pairs):
        raise ArgumentError(
            f"every eigenvalue is real at x0={task.x}", "begin from a Hopf point of `continuation`"
        )
    which = pairs[int(np.argmin(np.abs(np.real(values[pairs]))))]
    vector = vectors[:, which] / np.linalg.norm(vectors[:, which])
    task.reference = np.stack([np.real(vector), np.imag(vector)])
    head = [task.x, *task.reference, [np.imag(values[which])], at]
    return task.run(np.concatenate(head), rule)


class _Task:
    """The arguments of a curve, checked, and the units in which it works."""

    def __init__(
        self,
        family: Family,
        x0: ArrayLike,
        at: tuple[int | float, int | float],
        bounds: Bounds,
        scale: int | float | None,
        extent: int | float,
        kind: Literal["fold", "hopf"],
    ):
        require_x64()
        self.x = np.asarray(x0, np.float64)
        limits = np.asarray(bounds, np.float64)
        if self.x.ndim != 1 or not np.isfinite(self.x).all():
            raise ArgumentError(
                f"x0 has shape {self.x.shape}: one point of finite numbers expected"
            )
        if limits.shape != (2, 2) or not (limits[:, 0] < limits[:, 1]).all():
            raise ArgumentError(f"bounds={bounds} must be two intervals", "((0, 1), (-1, 1)), say")
        if not ((limits[:, 0] <= at) & (np.asarray(at) <= limits[:, 1])).all():
            raise ArgumentError(f"at={at} does not lie within bounds={bounds}")
        dynamics, given = family.at(jnp.asarray(float(at[0])), jnp.asarray(float(at[1])))
        check_velocity(dynamics, self.x, given)
        self.family, self.at = family, at
        self.kind: Literal["fold", "hopf"] = kind
        self.discrete = isinstance(dynamics, AbstractMap)
        n = len(self.x)
        unit = max(1.0, float(np.abs(self.x).max())) if scale is None else float(scale)
        inner = n if kind == "fold" else 2 * n + 1
        self.units = np.concatenate([np.full(n, unit), np.ones(inner), np.ptp(limits, axis=1)])
        reach = np.full(n, extent)
        far = np.full(inner, np.inf)
        self.lower = np.concatenate([-reach, -far, limits[:, 0]])
        self.reference = np.zeros((2, n))
        self.upper = np.concatenate([reach, far, limits[:, 1]])

    def run(self, guess: np.ndarray, rule: StepRule) -> BifurcationCurve:
        """Trace both ways from the point near the guess."""
        n = len(self.x)
        if self.kind == "hopf":
            omega = guess[3 * n]
            self.units[3 * n] = omega
            self.lower[3 * n] = 1e-3 * omega
        curve = Curve(
            self._evaluate, self._signals, self.lower / self.units, self.upper / self.units, rule
        )
        first = self._first(curve, guess / self.units)
        if first is None:
            raise ArgumentError(
                f"Newton's method found no {self.kind} near x0={self.x}, parameters {self.at}",
                "begin from one that `continuation` has located",
            )
        back = curve.node(first.u, first.slope, -first.tangent)
        ahead, ahead_events, ahead_end = trace(curve, first)
        behind, behind_events, behind_end = trace(curve, back)
        if ahead_end == "closed":
            behind, behind_events, behind_end = behind[:1], [], "closed"
        points = np.array([node.u * self.units for node in [*behind[:0:-1], *ahead]])
        events = [*behind_events[::-1], *ahead_events]
        special = tuple(self._named(event) for event in events)
        return BifurcationCurve(
            kind=self.kind,
            parameters=points[:, -2:],
            x=points[:, :n],
            frequencies=points[:, 3 * n] if self.kind == "hopf" else np.full(len(points), np.nan),
            special=special,
            endings=(behind_end, ahead_end),
        )

    def _first(self, curve: Curve, guess: np.ndarray) -> Node | None:
        """Correct the guess with one of the parameters held, whichever works."""
        for held in (-1, -2):
            row = np.zeros(len(guess))
            row[held] = 1.0
            found = curve.start(guess, row, row)
            if found is not None:
                return found
        return None

    def _evaluate(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        point = jnp.asarray(u * self.units)
        if self.kind == "fold":
            value, slope = _fold_system(self.family, point, len(self.x))
        else:
            value, slope = _hopf_system(self.family, point, jnp.asarray(self.reference))
        return np.asarray(value), np.asarray(slope) * self.units

    def _signals(self, u: np.ndarray, tangent: np.ndarray, slope: np.ndarray) -> tuple[int, ...]:
        del tangent
        n = len(self.x)
        point, plain = u * self.units, slope / self.units
        if self.kind == "hopf":
            dynamics, drive = self.family.flow_at(*jnp.asarray(point[-2:]))
            return (1 if first_lyapunov_coefficient(dynamics, point[:n], drive) > 0 else -1,)
        v = point[n : 2 * n]
        w = _left_kernel(plain[:n, :n], v)
        curvature = w @ (plain[n : 2 * n, :n] @ v)
        return (1 if curvature > 0 else -1, 1 if w @ v > 0 else -1)

    def _named(self, event: Event) -> tuple[Special, tuple[float, float]]:
        p, q = event.node.u[-2:] * self.units[-2:]
        name: Special = "bautin"
        if self.kind == "fold":
            name = "bogdanov-takens" if 1 in event.changed else "cusp"
        return name, (float(p), float(q))


def _left_kernel(matrix: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The left null vector with the sign of the adjugate `κ v wᵀ`, which is continuous."""
    left, _, right = np.linalg.svd(matrix)
    sign = np.linalg.det(left) * np.linalg.det(right) * np.sign(right[-1] @ v)
    return left[:, -1] * (1.0 if sign >= 0 else -1.0)


@eqx.filter_jit
def _slope(family: Family, x: Any, p: Any, q: Any) -> Float[Array, "dof dof"]:
    return jax.jacfwd(lambda y: family.residual(y, jnp.asarray(p), jnp.asarray(q)))(jnp.asarray(x))


@eqx.filter_jit
def _fold_system(
    family: Family, u: Float[Array, " unknowns"], n: int
) -> tuple[Float[Array, " equations"], Float[Array, "equations unknowns"]]:
    def system(u: Array) -> Array:
        x, v, p, q = u[:n], u[n : 2 * n], u[-2], u[-1]
        value, along = jax.jvp(lambda y: family.residual(y, p, q), (x,), (v,))
        return jnp.concatenate([value, along, (v @ v - 1.0)[None]])

    return system(u), jax.jacfwd(system)(u)


@eqx.filter_jit
def _hopf_system(
    family: Family, u: Float[Array, " unknowns"], reference: Float[Array, "2 dof"]
) -> tuple[Float[Array, " equations"], Float[Array, "equations unknowns"]]:
    """The phase of the eigenvector is fixed by the one that the curve begins with."""
    n = reference.shape[1]

    def system(u: Array) -> Array:
        x, a, b = u[:n], u[n : 2 * n], u[2 * n : 3 * n]
        omega, p, q = u[3 * n], u[-2], u[-1]
        value, push = jax.linearize(lambda y: family.residual(y, p, q), x)
        norm = jnp.stack([a @ a + b @ b - 1.0, reference[0] @ b - reference[1] @ a])
        return jnp.concatenate([value, push(a) + omega * b, push(b) - omega * a, norm])

    return system(u), jax.jacfwd(system)(u)
