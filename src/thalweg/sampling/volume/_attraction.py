"""Basins of attraction of a dynamics, as an oracle for `basin_volume`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import ArrayLike

from thalweg.core import AbstractDynamics, AbstractMap, ArgumentError, Point, PRNGKey, require_x64
from thalweg.dynamics import reach

from ._oracles import AbstractBatchOracle


class AttractionMembership(AbstractBatchOracle):
    """Whether a flow or a map, left alone, comes to a stable fixed point.

    The flow is integrated with steps that adapt, in blocks; what has arrived, or has blown up,
    makes room for others. Points outside the basin that wander for ever cost the full `time`:
    naming the other attractors lets them be answered as soon as they arrive.

    Attributes:
        dynamics: The vector field or map.
        fixed_point: The attractor whose basin it is, flat.
        others: Further attractors, `(others, dof)`.
        time: How long a point has; steps, for a map. What has not arrived by then is outside.
        radius: How close counts as having arrived; `None`: see `thalweg.dynamics.reach`.
        drive: Constant external input.
        extent: A point has blown up when a coordinate is larger than this.
    """

    dynamics: AbstractDynamics | AbstractMap
    fixed_point: Point
    others: Float[Array, "others dof"]
    time: float
    radius: float | None
    drive: Any
    extent: float

    def __init__(
        self,
        dynamics: AbstractDynamics | AbstractMap,
        fixed_point: ArrayLike,
        *,
        time: int | float,
        others: ArrayLike | None = None,
        radius: int | float | None = None,
        drive: Any = None,
        extent: int | float = 1e6,
    ):
        """Bind an attractor.

        Raises:
            ArgumentError: if a number is out of range, or the attractors do not fit each other.
            PrecisionError: if float64 is off.
        """
        require_x64()
        self.dynamics = dynamics
        point = np.asarray(fixed_point, np.float64)
        rest = np.zeros((0, point.size)) if others is None else np.asarray(others, np.float64)
        if point.ndim != 1 or rest.ndim != 2 or rest.shape[1] != point.size:
            raise ArgumentError(
                f"fixed_point {point.shape} and others {rest.shape} must be (dof,) and "
                "(others, dof)"
            )
        if not (time > 0 and extent > 0 and (radius is None or radius > 0)):
            raise ArgumentError(
                f"time={time}, extent={extent} and radius={radius} must be positive"
            )
        self.fixed_point = jnp.asarray(point)
        self.others = jnp.asarray(rest)
        self.time = float(time)
        self.radius = None if radius is None else float(radius)
        self.drive = drive
        self.extent = float(extent)

    @property
    def minimum(self) -> Point:
        """The fixed point: where `basin_volume` puts its centre."""
        return self.fixed_point

    @property
    def deterministic(self) -> bool:
        """Yes: the key makes no difference."""
        return True

    def many(self, key: PRNGKey, x: Float[np.ndarray, "points dof"]) -> Bool[np.ndarray, " points"]:
        """Whether each point comes to the fixed point."""
        del key
        hit = np.isfinite(x).all(axis=1) & (np.abs(x).max(axis=1, initial=0.0) <= self.extent)
        if hit.any():
            attractors = np.concatenate([np.asarray(self.fixed_point)[None], self.others])
            found = reach(
                self.dynamics, x[hit], attractors, self.drive,
                time=self.time, radius=self.radius, extent=self.extent,
            )  # fmt: skip
            hit[hit] = found.labels == 0
        return hit

    def __call__(self, key: PRNGKey, x: Point) -> Bool[Array, ""]:
        """One visit to the host; `many` asks for a batch at the price of one."""
        del key

        def single(x: Any) -> np.ndarray:
            return self.many(jax.random.key(0), np.asarray(x, np.float64)[None])[:1].reshape(())

        return jax.pure_callback(
            single, jax.ShapeDtypeStruct((), bool), x, vmap_method="sequential"
        )
