"""What chains produced, and what it is worth."""

import dataclasses
import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from thalweg.core import Float, Int

from ._diagnostics import (
    StoredCheck,
    autocorrelation_time,
    between_chain_ess,
    longest_expected,
    split_rhat,
)
from ._warmup import WarmUp
from .kernels import AbstractKernel

if TYPE_CHECKING:
    import xarray

_RHAT = 1.01
_RHAT_MANY = 1.05
_MANY = 32
"""R-hat is at least `sqrt(1 + 1/ess)` of half a chain; of many short chains the mean is good even
where no single one is."""

_NOISY = 1.7
_STICKY = 5.0
_FLOOR = 5.0
_ALARM = 5.0


@dataclasses.dataclass(frozen=True)
class Flag:
    """A reason for not trusting samples as they are.

    Attributes:
        name: `rhat`, `sticking`, `few-effective`, `noise`, `stored-weights`, `approximate`,
            `short` or `interrupted`.
        message: What was seen, and what helps.
    """

    name: str
    message: str


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Draws from a target, with what they cost and how far they can be trusted.

    Attributes:
        draws: Kept draws, `(kept, chains, dof)`; every one follows the target's law.
        log_weights: Stored log-weight at each kept step; zeros where a kernel stores none.
        points: Weighted points of a kernel that recycles waste, `(kept, chains, points, dof)`, if
            they were asked for.
        weights: Their weights, which sum to 1 over the points.
        means: Mean of every observable over all steps of each chain, `(observables, chains)`.
        variance: Variance of every observable under the target.
        names: Names of the observables.
        steps: Steps of every chain after warm-up.
        thin: Steps from one kept draw to the next.
        evaluations: Calls of the target by each chain after warm-up.
        accepted: Moves accepted by each chain.
        longest: Longest run of rejections of each chain.
        kernel: The kernel, its move size frozen.
        law: What was sampled.
        reason: Why this kernel, if it was chosen automatically.
        warmup: What was thrown away.
        check: Stored weights compared with fresh ones, where that makes sense.
        seconds: How long it took, compilation included.
        interrupted: Whether it was stopped before its end.
    """

    draws: Float[np.ndarray, "kept chains dof"]
    log_weights: Float[np.ndarray, "kept chains"]
    points: Float[np.ndarray, "kept chains points dof"] | None
    weights: Float[np.ndarray, "kept chains points"] | None
    means: Float[np.ndarray, "observables chains"]
    variance: Float[np.ndarray, " observables"]
    names: tuple[str, ...]
    steps: int
    thin: int
    evaluations: Int[np.ndarray, " chains"]
    accepted: Int[np.ndarray, " chains"]
    longest: Int[np.ndarray, " chains"]
    kernel: AbstractKernel
    law: str
    reason: str
    warmup: WarmUp
    check: StoredCheck | None
    seconds: float
    interrupted: bool

    @property
    def chains(self) -> int:
        """How many chains ran."""
        return self.draws.shape[1]

    @property
    def acceptance(self) -> float:
        """Share of moves accepted."""
        return float(self.accepted.sum()) / max(1, self.steps * self.chains)

    @property
    def total_evaluations(self) -> int:
        """Calls of the target, warm-up and checks included."""
        extra = self.check.evaluations if self.check else 0
        return int(self.evaluations.sum()) + self.warmup.evaluations + extra

    @cached_property
    def mean(self) -> Float[np.ndarray, " observables"]:
        """Average of every observable."""
        return self.means.mean(axis=1)

    @cached_property
    def error(self) -> Float[np.ndarray, " observables"]:
        """Standard error of the averages, from the scatter between chains; NaN for one chain."""
        if self.chains < 2:
            return np.full(len(self.means), math.nan)
        return self.means.std(axis=1, ddof=1) / math.sqrt(self.chains)

    @cached_property
    def ess(self) -> Float[np.ndarray, " observables"]:
        """Effective sample sizes, from the scatter between chains."""
        pairs = zip(self.means, self.variance, strict=True)
        return np.array([between_chain_ess(mean, float(v)) for mean, v in pairs])

    @cached_property
    def ess_per_evaluation(self) -> Float[np.ndarray, " observables"]:
        """Effective samples for each call of the target after warm-up."""
        return self.ess / max(1, int(self.evaluations.sum()))

    @cached_property
    def rhat(self) -> Float[np.ndarray, " dof"]:
        """Rank-normalised split R-hat of every coordinate."""
        return np.array([split_rhat(self.draws[:, :, i]) for i in range(self.draws.shape[2])])

    @cached_property
    def autocorrelation(self) -> Float[np.ndarray, " dof"]:
        """Integrated autocorrelation time of every coordinate, in steps."""
        times = [autocorrelation_time(self.draws[:, :, i]) for i in range(self.draws.shape[2])]
        return self.thin * np.array(times)

    @property
    def longest_stick(self) -> float:
        """Longest run of rejections: the median over chains."""
        return float(np.median(self.longest))

    @cached_property
    def flags(self) -> tuple[Flag, ...]:
        """Reasons for not trusting the samples as they are; empty if none is known."""
        return tuple(_flags(self))

    def summary(self) -> pd.DataFrame:
        """One row for each observable: mean, error, sd, ess, ess_per_evaluation, rhat, tau.

        `rhat` and `tau` (autocorrelation time, in steps) belong to coordinates; observables of
        your own have none.
        """
        own = self.names[0][:1] != "x"
        none = np.full(len(self.names), math.nan)
        return pd.DataFrame(
            {
                "mean": self.mean,
                "error": self.error,
                "sd": np.sqrt(self.variance),
                "ess": self.ess,
                "ess_per_evaluation": self.ess_per_evaluation,
                "rhat": none if own else self.rhat,
                "tau": none if own else self.autocorrelation,
            },
            index=pd.Index(self.names, name="observable"),
        )

    def to_xarray(self) -> "xarray.Dataset":
        """Draws `x (chain, draw, coordinate)` and `log_weight (chain, draw)`; needs xarray."""
        import xarray

        data: dict[str, Any] = {
            "x": (("chain", "draw", "coordinate"), np.swapaxes(self.draws, 0, 1)),
            "log_weight": (("chain", "draw"), self.log_weights.T),
        }
        if self.points is not None and self.weights is not None:
            dims = ("chain", "draw", "point")
            data["point"] = ((*dims, "coordinate"), np.swapaxes(self.points, 0, 1))
            data["weight"] = (dims, np.swapaxes(self.weights, 0, 1))
        facts = {"law": self.law, "kernel": self.kernel.name, "thin": self.thin}
        return xarray.Dataset(data, attrs=facts)

    def to_arviz(self) -> Any:
        """The draws as ArviZ's `InferenceData`; needs ArviZ."""
        import arviz

        data = self.to_xarray()
        return arviz.from_dict(
            posterior={"x": data["x"].to_numpy()},
            sample_stats={"log_weight": data["log_weight"].to_numpy()},
            dims={"x": ["coordinate"]},
        )

    def __str__(self) -> str:
        """A few lines for people."""
        lines = [
            f"{self.chains} chains of {self.steps} steps, kernel {self.kernel.name}: {self.law}",
            f"accepted {100 * self.acceptance:.1f} %, longest stick {self.longest_stick:.0f} "
            f"steps, {int(self.evaluations.sum()):,} evaluations",
            self.summary().to_string(float_format=lambda value: f"{value:.4g}"),
        ]
        return "\n".join([*lines, *(f"{flag.name}: {flag.message}" for flag in self.flags)])


def _flags(samples: Samples) -> list[Flag]:
    found = []
    if samples.interrupted:
        found.append(Flag("interrupted", f"stopped after {samples.steps} steps"))
    if not samples.kernel.exact:
        found.append(
            Flag("approximate", f"{samples.kernel.name} samples the target only approximately")
        )
    worst = float(np.nanmax(samples.rhat, initial=0.0))
    if worst > (_RHAT if samples.chains < _MANY else _RHAT_MANY):
        found.append(
            Flag("rhat", f"R-hat is {worst:.3f}: chains disagree; run them longer, or temper")
        )
    expected = longest_expected(samples.steps, samples.acceptance)
    if samples.longest_stick > _STICKY * expected:
        found.append(
            Flag(
                "sticking",
                f"the longest run of rejections is {samples.longest_stick:.0f} steps where "
                f"{expected:.0f} are usual at this acceptance: less noise is needed, or moves of "
                "the noise",
            )
        )
    small = samples.ess[np.isfinite(samples.ess)] / samples.chains
    if samples.steps and small.size and small.min() < _FLOOR:
        found.append(
            Flag(
                "few-effective",
                f"a chain holds only {small.min():.1f} effective samples of the slowest "
                "observable: this number, and all error bars, rest on the starting points",
            )
        )
    check = samples.check
    if check is not None:
        if abs(check.z) > _ALARM:
            found.append(
                Flag(
                    "stored-weights",
                    f"stored and fresh weights break their balance by {check.balance:+.3f} "
                    f"({check.z:+.0f} standard errors): weights are drawn again somewhere, or the "
                    "chains have not reached equilibrium",
                )
            )
        noise = math.sqrt(check.variance) if check.variance >= 0 else 0.0
        if noise > _NOISY:
            found.append(
                Flag(
                    "noise",
                    f"log-weights scatter by s = {noise:.2f} at one point; above {_NOISY} chains "
                    "stick: make the weight less noisy (`thalweg.sampling.advise` says how much)",
                )
            )
    return found
