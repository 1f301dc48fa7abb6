"""What a simulation leaves: the paths, and how each of them ended."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from thalweg.core import Outcome


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectories:
    """Paths of a flow, a map or a stochastic flow, one row a start.

    Attributes:
        times: When points were kept, `(times,)`.
        x: The points, `(paths, times, dof)`; NaN after a path has ended early.
        outcome: `Outcome` codes, `(paths,)`: `success`, `escaped` (a coordinate grew beyond
            `extent`: it blows up), `nonfinite` (the velocity became NaN or infinite, so that no
            step was small enough), or `max_steps` (the error tolerance asked for more steps).
        ended: The time up to which each path is known, `(paths,)`.
        steps: Steps of the integrator, `(paths,)`.
        extent: How large a coordinate may be.
    """

    times: Float[np.ndarray, " times"]
    x: Float[np.ndarray, "paths times dof"]
    outcome: Int[np.ndarray, " paths"]
    ended: Float[np.ndarray, " paths"]
    steps: Int[np.ndarray, " paths"]
    extent: float

    @property
    def ok(self) -> Bool[np.ndarray, " paths"]:
        """Which paths reached the last time, `(paths,)`."""
        return self.outcome == Outcome.success

    @property
    def end(self) -> Float[np.ndarray, "paths dof"]:
        """The last points, `(paths, dof)`: NaN for paths that ended early."""
        return self.x[:, -1]

    def counts(self) -> dict[str, int]:
        """How many paths ended in which way."""
        codes, numbers = np.unique(self.outcome, return_counts=True)
        return {
            Outcome(int(code)).name: int(number)
            for code, number in zip(codes, numbers, strict=True)
        }

    def __str__(self) -> str:
        ends = ", ".join(f"{number} {name}" for name, number in self.counts().items())
        return (
            f"{len(self.x)} paths of {self.x.shape[2]} coordinates, {len(self.times)} times from "
            f"{self.times[0]:g} to {self.times[-1]:g}: {ends}"
        )
