"""What a campaign has sampled: the same number of steps of every chain."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from thalweg.core import ArgumentError

from ._log import Event
from ._plan import Plan
from ._space import Space


@dataclasses.dataclass(frozen=True)
class Estimate:
    """An average with its error, from the scatter between chains.

    Attributes:
        value: The average.
        error: Standard error; NaN with a single chain.
        ess: Number of independent samples that would give this error; NaN if that is unknown.
        chains: Number of chains.
    """

    value: float
    error: float
    ess: float
    chains: int

    def __str__(self) -> str:
        return f"{self.value:.6g} ± {self.error:.2g}"


@dataclasses.dataclass(frozen=True, eq=False)
class CampaignSamples:
    """Samples of conditions, distributed as their average weight.

    Attributes:
        space: The conditions.
        first: Step of the first sample.
        points: Coordinates.
        weights: Share of each point of a cloud in its cloud (they add up to one); the sign of
            each sample of a signed outcome; otherwise one.
    """

    space: Space
    first: int
    points: Float[np.ndarray, "steps chains k dof"]
    weights: Float[np.ndarray, "steps chains k"]

    @property
    def steps(self) -> int:
        """Number of steps of each chain."""
        return self.points.shape[0]

    @property
    def chains(self) -> int:
        """Number of chains."""
        return self.points.shape[1]

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Values of each condition, shaped `(steps, chains, k)`."""
        return self.space.columns(self.points)

    def frame(self) -> pd.DataFrame:
        """One row for each sample, points of weight zero left out."""
        steps, chains, k = self.weights.shape
        grid = np.indices((steps, chains, k))
        frame = pd.DataFrame(
            {
                "chain": grid[1].ravel(),
                "step": grid[0].ravel() + self.first,
                "weight": self.weights.ravel(),
                **{name: column.ravel() for name, column in self.columns.items()},
            }
        )
        frame = frame.loc[frame["weight"] != 0]
        return frame.sort_values(by=["chain", "step"], kind="stable").reset_index(drop=True)

    def average(self, function: Callable[[Mapping[str, np.ndarray]], np.ndarray]) -> Estimate:
        """Average of a function of the conditions.

        Args:
            function: From the conditions' columns, by name, to an array of the same shape:
                `lambda c: c["pH"] > 7` for a probability.

        Raises:
            ArgumentError: if there is no sample yet, or the function returns another shape.
        """
        if not self.weights.size:
            raise ArgumentError(
                "there are no samples yet", "every chain must get beyond the burn-in first"
            )
        values = np.asarray(function(self.columns), float)
        if values.shape != self.weights.shape:
            raise ArgumentError(
                f"function: returned shape {values.shape}, expected {self.weights.shape}"
            )
        return ratio(values, self.weights)


def ratio(
    values: Float[np.ndarray, "steps chains k"], weights: Float[np.ndarray, "steps chains k"]
) -> Estimate:
    """Weighted average with the delta method's error between chains."""
    values = np.where(weights != 0, values, 0.0)
    chains = weights.shape[1]
    above, below = np.sum(values * weights, axis=(0, 2)), np.sum(weights, axis=(0, 2))
    total = below.sum()
    if total == 0:
        return Estimate(math.nan, math.nan, math.nan, chains)
    mean = float(above.sum() / total)
    if chains < 2:
        return Estimate(mean, math.nan, math.nan, chains)
    scatter = np.sum((above - mean * below) ** 2) * chains / (chains - 1)
    error = float(math.sqrt(scatter) / abs(total))
    spread = float(np.sum(weights * (values - mean) ** 2) / total)
    ess = spread / error**2 if error > 0 and spread > 0 else math.nan
    return Estimate(mean, error, ess, chains)


class History:
    """Every chain's states in order, read from the log's decisions."""

    def __init__(self, plan: Plan):
        self._plan = plan
        self.sequence = 0
        self._epochs: dict[int, list[list[tuple[list, list[float]]]]] = {}

    def extend(self, decisions: Iterable[Event]) -> None:
        """Take more decisions in."""
        for event in decisions:
            body = event.body
            self.sequence = event.sequence
            fresh = [[] for _ in range(self._plan.chains)]
            trail = self._epochs.setdefault(body["epoch"], fresh)[body["chain"]]
            if body["accepted"]:
                trail.append(self._state(body))
            elif trail:
                trail.append(trail[-1])

    def _state(self, body: Mapping) -> tuple[list, list[float]]:
        if not self._plan.is_cloud:
            return [body["proposal"]], [body["sign"]]
        total = abs(math.fsum(body["weights"]))
        return body["drops"], [w / total for w in body["weights"]]

    def common(self, epoch: int) -> int:
        """The step that every chain has reached; 0 before that."""
        return max(0, min(map(len, self._epochs.get(epoch, [[]]))) - 1)

    def samples(self, epoch: int, first: int, last: int) -> CampaignSamples:
        """Steps `first` to `last` of every chain."""
        plan = self._plan
        k = plan.width if plan.is_cloud else 1
        steps = max(0, last - first + 1)
        points = np.zeros((steps, plan.chains, k, plan.space.dof))
        weights = np.zeros((steps, plan.chains, k))
        if steps:
            for c, trail in enumerate(self._epochs[epoch]):
                part = trail[first : last + 1]
                points[:, c] = [state[0] for state in part]
                weights[:, c] = [state[1] for state in part]
        return CampaignSamples(plan.space, first, points, weights)
