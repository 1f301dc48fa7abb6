"""Cycles: recognising that a path has come to one."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PyTree
from numpy.typing import ArrayLike

from thalweg.core import AbstractDynamics, AbstractMap, ArgumentError, require_x64

from ._simulate import at_time, simulate

_SAMPLES = 8193
_LOOP = 256
_CLOSED = 2e-3
"""How well a loop must close, as a share of its size; sampling alone costs about 1e-4."""

_STEADY = 0.01
"""How much its size may change over the time that it is watched."""

_MOST_STEPS = 512


@dataclasses.dataclass(frozen=True, eq=False)
class Cycle:
    """A periodic path.

    Attributes:
        loop: Points along one period, `(points, dof)`; the points themselves, for a map.
        period: Its period, in the time unit of the flow, or in steps.
        size: Largest extent of the loop along a coordinate.
        closure: How far it misses closing, as a share of `size`.
    """

    loop: Float[np.ndarray, "points dof"]
    period: float
    size: float
    closure: float

    def distance(self, x: ArrayLike) -> float:
        """Distance of a point from the loop's points, as a share of its size."""
        gaps = np.linalg.norm(self.loop - np.asarray(x, np.float64), axis=1)
        return float(gaps.min()) / self.size


def recognise_cycle(
    dynamics: AbstractDynamics | AbstractMap,
    x: ArrayLike,
    drive: PyTree = None,
    *,
    time: int | float,
    extent: int | float = 1e6,
) -> Cycle | None:
    """The cycle on which a point lies, if it lies on one.

    The path from the point is watched for `time`. It is a cycle if it comes back through the plane
    across its first velocity to within a fifth of a percent of its size, and its size stays the
    same within a percent: a slowly damped oscillation is not one. Recognised, not certified: that
    is what `floquet_multipliers` is for.

    Args:
        dynamics: The vector field or map; it must not depend on time.
        x: Where a path has settled, `(dof,)`.
        drive: Constant external input.
        time: How long to watch; several periods. At most 512 steps of a map are looked at.
        extent: A path has blown up when a coordinate is larger than this.

    Returns:
        The cycle, or `None`.

    Raises:
        ArgumentError: if an argument is out of range.
        PrecisionError: if float64 is off.
    """
    require_x64()
    point = np.asarray(x, np.float64)
    if point.ndim != 1 or not np.isfinite(point).all() or not time > 0:
        raise ArgumentError(f"x {point.shape} must be one finite point and time={time} positive")
    if isinstance(dynamics, AbstractMap):
        return _map_cycle(dynamics, point, drive, min(math.ceil(time), _MOST_STEPS), extent)
    times = np.linspace(0.0, time, _SAMPLES)
    paths = simulate(dynamics, point, times, drive, rtol=1e-9, atol=1e-12, extent=extent)
    if not paths.ok[0]:
        return None
    path = paths.x[0]
    velocity = np.asarray(
        dynamics(jnp.zeros(()), jnp.asarray(point), at_time(drive, 0.0)), np.float64
    )
    size = float(np.ptp(path, axis=0).max())
    if not size > 1e-6 * max(1.0, float(np.abs(path).max())):
        return None
    above = (path - point) @ velocity
    for k in np.flatnonzero((above[:-1] < 0) & (above[1:] >= 0)):
        share = above[k] / (above[k] - above[k + 1])
        back = path[k] + share * (path[k + 1] - path[k])
        miss = float(np.linalg.norm(back - point)) / size
        if miss > _CLOSED:
            continue
        once = k + 1
        last = path[-once:]
        if once > len(path) // 2 or not np.ptp(path[:once], axis=0).max() > 0.5 * size:
            return None
        if abs(np.ptp(last, axis=0).max() / np.ptp(path[:once], axis=0).max() - 1) > _STEADY:
            return None
        rows = np.linspace(0, k, _LOOP).astype(int)
        period = times[k] + share * (times[k + 1] - times[k])
        return Cycle(path[rows], float(period), size, miss)
    return None


def _map_cycle(
    dynamics: AbstractMap, point: np.ndarray, drive: PyTree, steps: int, extent: int | float
) -> Cycle | None:
    """The smallest period with which a map's point comes back."""
    paths = simulate(dynamics, point, np.arange(steps + 1), drive, extent=extent)
    if not paths.ok[0]:
        return None
    path = paths.x[0]
    gaps = np.linalg.norm(path[1:] - point, axis=1)
    near = np.flatnonzero(gaps <= 1e-6 * max(1.0, float(np.abs(point).max())))
    if not len(near) or near[0] == 0:
        return None
    period = int(near[0]) + 1
    size = float(np.ptp(path[:period], axis=0).max())
    return Cycle(path[:period], float(period), size, float(gaps[near[0]]) / size)
