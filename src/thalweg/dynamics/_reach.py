"""How far a stability certificate holds: what random starts come to.

A certificate from the Jacobian is local. Here starts are followed until they are close to a known
attractor, blow up, or run out of time; shares come with binomial intervals.

Source of the interval: Wilson, J. Am. Stat. Assoc. 22, 209 (1927).
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Int, PyTree
from numpy.typing import ArrayLike

from thalweg.core import (
    AbstractDynamics,
    AbstractMap,
    ArgumentError,
    Outcome,
    require_x64,
)

from ._simulate import simulate

UNDECIDED = -1
"""The label of a start that had come to nothing known when its time was up."""

BLOWN_UP = -2
"""The label of a start that left the extent."""

NONFINITE = -3
"""The label of a start that met NaN or infinity."""

_WIDTH = 256
"""Starts in one compiled call."""

_SEGMENTS = 16
"""Visits to the host: starts that have come to something make room for others."""

_NEAR = 1e-3


@dataclasses.dataclass(frozen=True)
class Share:
    """A share of the starts, with its 95 % interval.

    Attributes:
        count: Starts that did.
        starts: All starts.
    """

    count: int
    starts: int

    @property
    def share(self) -> float:
        """The share itself."""
        return self.count / self.starts

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        return wilson_interval(self.count, self.starts)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.3g} ({low:.3g}-{high:.3g})"


@dataclasses.dataclass(frozen=True, eq=False)
class Reach:
    """What many starts came to.

    Attributes:
        attractors: The attractors asked about, `(attractors, dof)`.
        labels: For each start the number of its attractor, `UNDECIDED`, `BLOWN_UP` or `NONFINITE`,
            `(starts,)`.
        end: Last points, `(starts, dof)`; NaN for those that blew up.
        arrival: Time by which each was seen to have come to something, `(starts,)`.
        resting: Undecided starts that hardly move any more: near a rest that is not among the
            attractors, or crawling past one, `(starts,)`.
        radius: How close to an attractor counts as having come to it.
        time: How long each start had.
    """

    attractors: Float[np.ndarray, "attractors dof"]
    labels: Int[np.ndarray, " starts"]
    end: Float[np.ndarray, "starts dof"]
    arrival: Float[np.ndarray, " starts"]
    resting: Int[np.ndarray, " starts"]
    radius: float
    time: float

    def to(self, attractor: int) -> Share:
        """The share that came to an attractor."""
        return self._share(attractor)

    @property
    def blown_up(self) -> Share:
        """The share that left the extent or became NaN."""
        gone = int(np.isin(self.labels, (BLOWN_UP, NONFINITE)).sum())
        return Share(gone, len(self.labels))

    @property
    def undecided(self) -> Share:
        """The share that had come to nothing known."""
        return self._share(UNDECIDED)

    def _share(self, label: int) -> Share:
        return Share(int((self.labels == label).sum()), len(self.labels))

    def __str__(self) -> str:
        parts = [f"attractor {i} {self.to(i)}" for i in range(len(self.attractors))]
        parts += [f"blown up {self.blown_up}", f"undecided {self.undecided}"]
        return f"{len(self.labels)} starts: " + ", ".join(parts)


def wilson_interval(count: int, total: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's interval for a share.

    Args:
        count: Successes.
        total: Trials.
        z: Quantile of the normal distribution; 95 % by default.

    Raises:
        ArgumentError: if there are no trials, or more successes than trials.
    """
    if not 0 <= count <= total or total < 1:
        raise ArgumentError(f"count={count} of total={total}: 0 ≤ count ≤ total is expected")
    p, share = count / total, z * z / total
    middle = (p + 0.5 * share) / (1.0 + share)
    half = z * math.sqrt(p * (1.0 - p) / total + 0.25 * share / total) / (1.0 + share)
    return (0.0 if count == 0 else middle - half, 1.0 if count == total else middle + half)


def reach(  # noqa: PLR0913 - all but four have defaults
    dynamics: AbstractDynamics | AbstractMap,
    starts: ArrayLike,
    attractors: ArrayLike,
    drive: PyTree = None,
    *,
    time: int | float,
    radius: int | float | None = None,
    rtol: int | float = 1e-6,
    atol: int | float = 1e-9,
    extent: int | float = 1e6,
    max_steps: int = 20_000,
) -> Reach:
    """Follow starts until each has come to an attractor, has blown up, or has run out of time.

    Being close to a stable fixed point is taken for coming to it: `radius` must be small beside
    its basin. Nothing is said about starts that were not tried.

    Args:
        dynamics: The vector field or map; it must not depend on time.
        starts: Where to begin, `(starts, dof)`.
        attractors: Stable fixed points, `(attractors, dof)`, as `certify` finds them.
        drive: Constant external input.
        time: How long each start has; steps, for a map.
        radius: How close, in the Euclidean norm, counts as having come to an attractor; by default
            a thousandth of the least distance between two of them, or of the size of a single one
            (at least 1).
        rtol: Relative error of a step.
        atol: Absolute error of a step.
        extent: A start has blown up when a coordinate is larger than this.
        max_steps: Most steps of a flow in a sixteenth of the time; a start that needs more stays
            undecided.

    Returns:
        What became of each start.

    Raises:
        ArgumentError: if an argument is out of range or does not fit the dynamics.
        PrecisionError: if float64 is off.
    """
    require_x64()
    x = np.array(starts, np.float64)
    known = np.asarray(attractors, np.float64)
    if x.ndim != 2 or known.ndim != 2 or x.shape[1] != known.shape[1] or not len(x):
        raise ArgumentError(
            f"starts {x.shape} and attractors {known.shape} must be (starts, dof) and "
            "(attractors, dof)"
        )
    if not np.isfinite(known).all() or not np.isfinite(x).all():
        raise ArgumentError("starts and attractors must be finite")
    near = _radius(known) if radius is None else float(radius)
    discrete = isinstance(dynamics, AbstractMap)
    if not (time > 0 and near > 0):
        raise ArgumentError(f"time={time} and radius={near} must be positive")
    piece = math.ceil(time / _SEGMENTS) if discrete else time / _SEGMENTS
    settings = {} if discrete else {"rtol": rtol, "atol": atol, "max_steps": max_steps}
    labels = np.full(len(x), UNDECIDED)
    arrival = np.zeros(len(x))
    stuck = np.zeros(len(x), bool)
    resting = np.zeros(len(x), np.int64)
    width = min(_WIDTH, len(x))
    for segment in range(_SEGMENTS + 1):
        alive = np.flatnonzero((labels == UNDECIDED) & ~stuck)
        if len(known):
            away = np.linalg.norm(x[alive, None] - known[None], axis=2)
            there = away.min(axis=1) <= near
            labels[alive[there]] = away[there].argmin(axis=1)
            alive = alive[~there]
        if segment == _SEGMENTS or not len(alive):
            break
        for first in range(0, len(alive), width):
            rows = alive[first : first + width]
            padded = rows[np.minimum(np.arange(width), len(rows) - 1)]
            paths = simulate(dynamics, x[padded], [0.0, piece], drive, extent=extent, **settings)
            ends, codes = paths.end[: len(rows)], paths.outcome[: len(rows)]
            moved = np.linalg.norm(ends - x[rows], axis=1)
            resting[rows] = moved <= 1e-3 * near
            ok = codes == Outcome.success
            x[rows] = np.where(ok[:, None] | (codes == Outcome.max_steps)[:, None], ends, np.nan)
            labels[rows[codes == Outcome.escaped]] = BLOWN_UP
            labels[rows[codes == Outcome.nonfinite]] = NONFINITE
            stuck[rows[codes == Outcome.max_steps]] = True
            arrival[rows] += piece
    resting[(labels != UNDECIDED) | stuck] = 0
    return Reach(known, labels, x, arrival, resting, near, float(piece * _SEGMENTS))


def _radius(attractors: np.ndarray) -> float:
    """A thousandth of the least distance between two attractors, or of the size of one."""
    if len(attractors) < 2:
        return _NEAR * max(1.0, float(np.abs(attractors).max(initial=0.0)))
    gaps = np.linalg.norm(attractors[:, None] - attractors[None], axis=2)
    least = float(gaps[~np.eye(len(attractors), dtype=bool)].min())
    if not least > 0:
        raise ArgumentError("two attractors are the same point")
    return _NEAR * least
