"""Fixed points of a flow or a map as a parameter moves, and the bifurcations on their way.

| found | of a flow | of a map | told by |
|---|---|---|---|
| `fold` | a real eigenvalue at 0 | at 1 | the parameter turns back along the branch |
| `branch` | the same | the same | another branch crosses (transcritical, pitchfork) |
| `hopf` | a pair ±iω | | the number of unstable eigenvalues changes by two |
| `neimark-sacker` | | a pair on the unit circle | the same |
| `flip` | | an eigenvalue at -1 | the number changes by one; the period doubles |

Neutral saddles (a pair of real eigenvalues λ, -λ) are no bifurcations and are not reported.

Source: Kuznetsov, Elements of Applied Bifurcation Theory, chapters 3-5 and 10.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int, PyTree
from numpy.typing import ArrayLike

from thalweg.core import AbstractDynamics, AbstractMap, ArgumentError, require_x64

from ._arclength import Curve, Ending, Event, Node, StepRule, trace
from ._hopf import first_lyapunov_coefficient
from ._simulate import check_velocity

Kind = Literal["fold", "branch", "hopf", "neimark-sacker", "flip"]
Dynamics = AbstractDynamics | AbstractMap

_FOLD, _BRANCH, _UNSTABLE = 0, 1, 2
_REAL = 1e-6
"""An eigenvalue's angle below which it counts as real."""


def same(parameter: Any) -> Any:
    """The parameter itself as the external input."""
    return parameter


class Family(eqx.Module):
    """A dynamics that depends on parameters.

    Attributes:
        dynamics: The dynamics, or a function of the parameters that returns one.
        drive: A function of the parameters that returns the external input.
    """

    dynamics: Any
    drive: Callable[..., PyTree] = eqx.field(static=True)

    def at(self, *parameters: Any) -> tuple[Dynamics, PyTree]:
        """Dynamics and drive at some values of the parameters."""
        dynamics = self.dynamics
        if not isinstance(dynamics, AbstractDynamics | AbstractMap):
            dynamics = dynamics(*parameters)
        return dynamics, self.drive(*parameters)

    def flow_at(self, *parameters: Any) -> tuple[AbstractDynamics, PyTree]:
        """The same for a family of flows."""
        dynamics, drive = self.at(*parameters)
        assert isinstance(dynamics, AbstractDynamics)
        return dynamics, drive

    def residual(self, x: Array, *parameters: Array) -> Array:
        """What vanishes at a fixed point: the velocity, or the move of a map."""
        dynamics, drive = self.at(*parameters)
        value = dynamics(jnp.zeros((), x.dtype), x, drive)
        return value - x if isinstance(dynamics, AbstractMap) else value


@dataclasses.dataclass(frozen=True, eq=False)
class Bifurcation:
    """A point of a branch at which its stability or its direction changes.

    Attributes:
        kind: See the module's table.
        parameter: Where.
        x: The fixed point there, `(dof,)`.
        eigenvalues: Of the flow's Jacobian (of the map's, for a map), `(dof,)`.
        frequency: `ω` of a Hopf point, in radians for the time unit (the angle, in radians for a
            step, of a Neimark-Sacker point); NaN for others.
        coefficient: First Lyapunov coefficient of a Hopf point: negative where the cycle that is
            born is stable (supercritical), positive where it is not; NaN for others.
        direction: The way `(x, parameter)`, `(dof + 1,)`, along the branch that crosses, at a
            branch point; along this branch at others.
        position: It lies between this point of the branch and the next.
    """

    kind: Kind
    parameter: float
    x: Float[np.ndarray, " dof"]
    eigenvalues: Complex[np.ndarray, " dof"]
    frequency: float
    coefficient: float
    direction: Float[np.ndarray, " unknowns"]
    position: int

    def __str__(self) -> str:
        more = "" if math.isnan(self.frequency) else f", ω = {self.frequency:.6g}"
        if not math.isnan(self.coefficient):
            more += ", supercritical" if self.coefficient < 0 else ", subcritical"
        return f"{self.kind} at {self.parameter:.8g}{more}"


@dataclasses.dataclass(frozen=True, eq=False)
class Branch:
    """A branch of fixed points.

    Attributes:
        parameters: `(points,)`, in the order of the branch: they turn back at folds.
        x: Fixed points, `(points, dof)`.
        eigenvalues: `(points, dof)`, of the flow's or the map's Jacobian.
        unstable: How many of them are unstable, `(points,)`.
        bifurcations: In order along the branch.
        ending: `bound` (the parameter left its interval, or a coordinate its extent), `closed` (the
            branch came back to its start), `max_points`, or `stuck` (no step was small enough: the
            branch may end there, or the dynamics is not smooth).
        discrete: Whether it is a map's.
    """

    parameters: Float[np.ndarray, " points"]
    x: Float[np.ndarray, "points dof"]
    eigenvalues: Complex[np.ndarray, "points dof"]
    unstable: Int[np.ndarray, " points"]
    bifurcations: tuple[Bifurcation, ...]
    ending: Ending
    discrete: bool

    @property
    def stable(self) -> Bool[np.ndarray, " points"]:
        """Which points are stable."""
        return self.unstable == 0

    def of_kind(self, kind: Kind) -> tuple[Bifurcation, ...]:
        """The bifurcations of one kind."""
        return tuple(found for found in self.bifurcations if found.kind == kind)

    def __str__(self) -> str:
        found = "; ".join(map(str, self.bifurcations)) or "no bifurcation"
        return (
            f"{len(self.parameters)} fixed points from {self.parameters[0]:g} to "
            f"{self.parameters[-1]:g} ({self.ending}): {found}"
        )


def continuation(  # noqa: PLR0913 - all but four have defaults
    dynamics: Any,
    x0: ArrayLike,
    start: int | float,
    stop: int | float,
    *,
    bounds: tuple[int | float, int | float] | None = None,
    drive: Callable[[Any], PyTree] = same,
    rule: StepRule = StepRule(),
    scale: int | float | None = None,
    extent: int | float = 1e6,
) -> Branch:
    """Follow a fixed point from one value of a parameter towards another, through folds.

    The branch begins at the fixed point that Newton's method finds from `x0` at `start`, sets out
    towards `stop`, and ends where the parameter leaves its `bounds`. Steps are measured with the
    parameter in units of the length of `bounds` and the state in units of `scale`.

    Args:
        dynamics: A flow or a map, or a function of the parameter that returns one.
        x0: Near the fixed point to begin with, `(dof,)`.
        start: Value of the parameter there.
        stop: Value to go to.
        bounds: Least and largest value of the parameter; by default `start` and `stop`.
        drive: Function of the parameter that returns the external input; by default the parameter
            is the input.
        rule: Step lengths.
        scale: Unit of the state; by default the largest coordinate of `x0`, at least 1.
        extent: The branch ends when a coordinate is larger than this.

    Returns:
        The branch with its bifurcations.

    Raises:
        ArgumentError: if there is no fixed point near `x0`, or an argument is out of range.
        PrecisionError: if float64 is off.
    """
    if start == stop:
        raise ArgumentError(f"start={start} and stop={stop} are equal")
    within = (min(start, stop), max(start, stop)) if bounds is None else bounds
    task = _Task(Family(dynamics, drive), x0, start, within, scale, extent)
    curve = task.curve(rule)
    row = np.zeros(len(task.units))
    row[-1] = 1.0
    first = curve.start(task.point, row, row * math.copysign(1.0, stop - start))
    if first is None:
        raise ArgumentError(
            f"Newton's method found no fixed point near x0={np.asarray(x0)} at {start:g}",
            "begin from one of thalweg.dynamics.fixed_points",
        )
    return task.branch(*trace(curve, first))


def switch_branch(
    dynamics: Any,
    point: Bifurcation,
    start: int | float,
    stop: int | float,
    *,
    drive: Callable[[Any], PyTree] = same,
    rule: StepRule = StepRule(),
    scale: int | float | None = None,
    extent: int | float = 1e6,
) -> tuple[Branch, Branch]:
    """The two halves of the branch that crosses at a branch point.

    Args:
        dynamics: As for `continuation`.
        point: A bifurcation of kind `branch`.
        start: One bound of the parameter.
        stop: The other bound.
        drive: As for `continuation`.
        rule: Step lengths.
        scale: Unit of the state.
        extent: A half ends when a coordinate is larger than this.

    Raises:
        ArgumentError: if it is no branch point, or no crossing branch is found.
    """
    if point.kind != "branch":
        raise ArgumentError(f"a {point.kind} has no crossing branch", "give a branch point")
    task = _Task(Family(dynamics, drive), point.x, point.parameter, (start, stop), scale, extent)
    curve = task.curve(rule)
    halves = []
    for sign in (1.0, -1.0):
        first = _leave(curve, task.point, sign * point.direction / task.units)
        if first is None:
            raise ArgumentError(f"no branch crosses at {point.parameter:g}, or none was found")
        halves.append(task.branch(*trace(curve, first)))
    return halves[0], halves[1]


class _Task:
    """The arguments of a continuation, checked, and the units in which it works."""

    def __init__(
        self,
        family: Family,
        x0: ArrayLike,
        at: int | float,
        bounds: tuple[int | float, int | float],
        scale: int | float | None,
        extent: int | float,
    ):
        require_x64()
        begin = np.asarray(x0, np.float64)
        if begin.ndim != 1 or not np.isfinite(begin).all():
            raise ArgumentError(f"x0 has shape {begin.shape}: one point of finite numbers expected")
        if not np.isfinite([*bounds, at]).all() or not min(bounds) <= at <= max(bounds):
            raise ArgumentError(f"the parameter {at} must lie between its bounds {bounds}")
        if bounds[0] == bounds[1]:
            raise ArgumentError(f"the bounds {bounds} of the parameter are equal")
        probe, given = family.at(jnp.asarray(float(at)))
        check_velocity(probe, begin, given)
        unit = max(1.0, float(np.abs(begin).max())) if scale is None else float(scale)
        if not (unit > 0 and extent > 0):
            raise ArgumentError(f"scale={scale} and extent={extent} must be positive")
        self.family = family
        self.discrete = isinstance(probe, AbstractMap)
        self.units = np.append(np.full(len(begin), unit), abs(bounds[1] - bounds[0]))
        self.point = np.append(begin, at) / self.units
        reach = np.full(len(begin), extent)
        self.lower = np.append(-reach, min(bounds)) / self.units
        self.upper = np.append(reach, max(bounds)) / self.units

    def curve(self, rule: StepRule) -> Curve:
        """What is traced."""
        signals = _signals(self.units, discrete=self.discrete)
        return Curve(self._evaluate, signals, self.lower, self.upper, rule)

    def _evaluate(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = _residual_and_slope(self.family, jnp.asarray(u * self.units))
        return np.asarray(value), np.asarray(slope) * self.units

    def branch(self, nodes: list[Node], events: list[Event], ending: Ending) -> Branch:
        """The record of a traced curve."""
        points = np.array([node.u * self.units for node in nodes])
        values = np.array(
            [spectrum_of(node.slope / self.units, discrete=self.discrete) for node in nodes]
        )
        named = (_name(self.family, self.units, e, discrete=self.discrete) for e in events)
        return Branch(
            parameters=points[:, -1],
            x=points[:, :-1],
            eigenvalues=values,
            unstable=np.asarray(count_unstable(values, discrete=self.discrete), np.int64),
            bifurcations=tuple(found for found in named if found is not None),
            ending=ending,
            discrete=self.discrete,
        )


def _leave(curve: Curve, u: np.ndarray, way: np.ndarray) -> Node | None:
    """The first node a step along a given way, so that the old branch is out of Newton's reach."""
    way = way / np.linalg.norm(way)
    for share in (1.0, 0.3, 3.0):
        found = curve.correct(u + share * curve.rule.first * way, way)
        if found is not None:
            return curve.node(found[0], found[1], way)
    return None


@eqx.filter_jit
def _residual_and_slope(
    family: Family, u: Float[Array, " unknowns"]
) -> tuple[Float[Array, " dof"], Float[Array, "dof unknowns"]]:
    def residual(u: Array) -> Array:
        return family.residual(u[:-1], u[-1])

    return residual(u), jax.jacfwd(residual)(u)


def _signals(units: np.ndarray, *, discrete: bool) -> Callable[..., tuple[int, ...]]:
    """Sign of the parameter's move, sign of the bordered determinant, number of unstable ones."""

    def signals(u: np.ndarray, tangent: np.ndarray, slope: np.ndarray) -> tuple[int, ...]:
        del u
        fold = 1 if tangent[-1] >= 0 else -1
        sign = np.linalg.slogdet(np.vstack([slope, tangent]))[0]
        values = spectrum_of(slope / units, discrete=discrete)
        return fold, int(sign), count_unstable(values, discrete=discrete)

    return signals


def spectrum_of(slope: np.ndarray, *, discrete: bool) -> Complex[np.ndarray, " dof"]:
    """The eigenvalues of the dynamics' own Jacobian, from the slope of the residual."""
    values = np.linalg.eigvals(slope[:, : len(slope)]).astype(complex)
    return values + 1.0 if discrete else values


def count_unstable(values: Complex[np.ndarray, "*batch dof"], *, discrete: bool) -> Any:
    """How many eigenvalues are unstable."""
    bad = np.abs(values) > 1 if discrete else np.real(values) > 0
    return int(bad.sum()) if values.ndim == 1 else bad.sum(axis=-1)


def _name(family: Family, units: np.ndarray, event: Event, *, discrete: bool) -> Bifurcation | None:
    """What a change of signals is; `None` if it is nothing (a sign lost in rounding)."""
    node, changed = event.node, event.changed
    point = node.u * units
    slope = node.slope / units
    values = spectrum_of(slope, discrete=discrete)
    off = np.abs(np.abs(values) - 1) if discrete else np.abs(np.real(values))
    critical = values[int(np.argmin(off))]
    angle = abs(np.angle(critical)) if discrete else abs(critical.imag)
    complex_pair = angle > _REAL * max(1.0, float(np.abs(values).max()))
    flip = discrete and abs(angle - math.pi) < 1e-3 and abs(critical.imag) < 1e-12
    frequency = coefficient = math.nan
    direction = node.tangent * units
    kind: Kind
    if _BRANCH in changed:
        kind = "branch"
        direction = _crossing(node) * units
    elif _FOLD in changed:
        kind = "fold"
    elif flip:
        kind = "flip"
    elif complex_pair and _UNSTABLE in changed:
        kind = "neimark-sacker" if discrete else "hopf"
        frequency = float(angle)
        if not discrete:
            dynamics, drive = family.flow_at(jnp.asarray(point[-1]))
            coefficient = first_lyapunov_coefficient(dynamics, point[:-1], drive)
    else:
        return None
    return Bifurcation(
        kind=kind,
        parameter=float(point[-1]),
        x=point[:-1],
        eigenvalues=values,
        frequency=frequency,
        coefficient=coefficient,
        direction=direction / np.linalg.norm(direction),
        position=event.position,
    )


def _crossing(node: Node) -> np.ndarray:
    """The way across the branch in the two-dimensional kernel of the slope."""
    kernel = np.linalg.svd(node.slope)[2][-2:]
    along = kernel @ node.tangent
    return np.array([-along[1], along[0]]) @ kernel / np.linalg.norm(along)
