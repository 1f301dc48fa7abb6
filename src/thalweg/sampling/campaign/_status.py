"""How a campaign does, and what deserves a warning."""

import dataclasses
import math
import time
from typing import Any

import numpy as np

from ._plan import Outcome, Plan, Single
from ._samples import CampaignSamples, Estimate, ratio
from ._space import Choice
from ._state import State

_NOISY = 1.7
"""Standard deviation of the log-weight from which a stored weight sticks: beyond it, averaging
planned replicates pays (Doucet et al., Biometrika 102, 295 (2015))."""

_AIM = 1.2
"""The same, where it is best."""

_STICKY = 5.0
"""A run of rejections so many times longer than chance allows is a stuck chain."""

_LOST = 0.05
_SIGN = 0.3
_TRIES = 20


@dataclasses.dataclass(frozen=True)
class CampaignStatus:
    """A campaign at a glance.

    Attributes:
        name: File name or URL.
        title: What its makers call it.
        outcome: What a measurement returns.
        assay: Version of the assay; `epoch` counts how often it was replaced.
        epoch: See `assay`.
        chains: Number of chains; `started` of them have a first point.
        started: See `chains`.
        common_step: The step that every chain has reached.
        furthest_step: The step that the fastest chain has reached.
        burn_in: Steps that samples leave out.
        factor: Multiple of the steps in use; `None` while it is being tuned.
        asked: Wells asked for; `told`, `lost`, `censored` of them; `pending` are still out.
        told: See `asked`.
        lost: See `asked`.
        censored: See `asked`.
        pending: See `asked`.
        overdue: Pending wells whose lease is over.
        conflicts: Results that contradicted an earlier one.
        observed: Measurements that nobody asked for.
        repeats: Wells that measured the noise.
        plates: Plates filled.
        acceptance: Share of steps that moved.
        longest_stick: Longest run of rejections, in steps.
        noise: Standard deviation of the logarithm of one measured weight; NaN if unknown.
        redraw_ratio: Average of a fresh weight over the stored one at the same point: at
            equilibrium it is the probability that a fresh weight is not zero, 1 for positive
            weights, whatever the noise.
        averages: Average of each condition (share of each choice).
        ess: Smallest number of independent samples behind these averages.
        warnings: What is wrong or not yet to be trusted.
        head: Hash of the whole log: note it in the laboratory book.
        events: Number of events in the log.
    """

    name: str
    title: str
    outcome: str
    assay: str
    epoch: int
    chains: int
    started: int
    common_step: int
    furthest_step: int
    burn_in: int
    factor: float | None
    asked: int
    told: int
    lost: int
    censored: int
    pending: int
    overdue: int
    conflicts: int
    observed: int
    repeats: int
    plates: int
    acceptance: float
    longest_stick: int
    noise: float
    redraw_ratio: Estimate | None
    averages: dict[str, Estimate]
    ess: float
    warnings: tuple[str, ...]
    head: str
    events: int

    def to_json(self) -> dict[str, Any]:
        """Plain objects."""
        return dataclasses.asdict(self)


def summarise(state: State, samples: CampaignSamples, name: str) -> CampaignStatus:
    """All of it from the folded log and the samples."""
    plan, tally = state.plan, state.tally
    steps = int(state.step.sum())
    averages = _averages(samples)
    ess = min((e.ess for e in averages.values() if e.ess == e.ess), default=math.nan)
    now = time.time()
    status = CampaignStatus(
        name=name,
        title=plan.name,
        outcome=plan.outcome.value,
        assay=state.assay,
        epoch=state.epoch,
        chains=plan.chains,
        started=int(state.started.sum()),
        common_step=state.common_step,
        furthest_step=int(state.step.max()),
        burn_in=plan.burn_in,
        factor=state.factor,
        asked=tally.asked,
        told=tally.told,
        lost=tally.lost,
        censored=tally.censored,
        pending=len(state.pending),
        overdue=sum(r.until is not None and r.until <= now for r in state.pending.values()),
        conflicts=tally.conflicts,
        observed=tally.observed,
        repeats=tally.repeats,
        plates=tally.plates,
        acceptance=float(state.moves.sum()) / steps if steps else math.nan,
        longest_stick=int(state.longest.max()),
        noise=noise(state),
        redraw_ratio=redraw_ratio(state),
        averages=averages,
        ess=ess,
        warnings=(),
        head=state.head,
        events=state.sequence,
    )
    return dataclasses.replace(status, warnings=tuple(_warnings(plan, state, status, samples)))


def _averages(samples: CampaignSamples) -> dict[str, Estimate]:
    if not samples.weights.size:
        return {}
    columns, found = samples.columns, {}
    for c in samples.space.conditions:
        if isinstance(c, Choice):
            for value in c.values:
                found[f"{c.name}={value}"] = ratio(
                    (columns[c.name] == value).astype(float), samples.weights
                )
        else:
            found[c.name] = ratio(columns[c.name].astype(float), samples.weights)
    return found


def noise(state: State) -> float:
    """Standard deviation of the logarithm of one weight: planned replicates, then pairs."""
    if state.plan.outcome is Outcome.passed:
        return math.nan
    total, dof = state.replicate_sum, state.replicate_dof
    places: dict[tuple[int, int], list[float]] = {}
    for chain, step, _, weight in state.repeats:
        if weight:
            places.setdefault((chain, step), []).append(math.log(abs(weight)))
    for logs in places.values():
        if len(logs) > 1:
            total += float(np.sum((np.array(logs) - np.mean(logs)) ** 2))
            dof += len(logs) - 1
    return math.sqrt(total / dof) if dof else math.nan


def redraw_ratio(state: State) -> Estimate | None:
    """Fresh over stored weight at the chains' points, by chain."""
    if state.plan.outcome is Outcome.signed:
        return None
    by_chain: dict[int, list[float]] = {}
    for chain, _, stored, weight in state.repeats:
        by_chain.setdefault(chain, []).append(weight / stored)
    if len(by_chain) < 2:
        return None
    means = np.array([np.mean(values) for values in by_chain.values()])
    error = float(means.std(ddof=1) / math.sqrt(len(means)))
    return Estimate(float(means.mean()), error, float(len(means)), len(means))


def _warnings(
    plan: Plan, state: State, status: CampaignStatus, samples: CampaignSamples
) -> list[str]:
    found = [*_about_results(status), *_about_noise(plan, status)]
    stuck = state.tries.max()
    if stuck > _TRIES:
        found.append(
            f"a chain has tried {stuck} first points in vain: give start points where the weight "
            "is not zero"
        )
    if plan.chains < 4:
        found.append(f"{plan.chains} chains: error bars need four at least, better twenty")
    steps = samples.steps
    if not steps:
        found.append("no samples yet: every chain must get beyond the burn-in")
        return found
    if status.ess < 5 * samples.chains or status.ess != status.ess:
        found.append(
            "fewer than five independent samples for each chain: the error bars are not to be "
            "trusted yet"
        )
    limit = longest_by_chance(status.acceptance, int(state.step.sum()))
    if status.longest_stick > _STICKY * limit:
        found.append(
            f"a chain stood still for {status.longest_stick} steps, where chance explains "
            f"{limit:.0f}: the noise is too large or the steps are, see refresh and replicates"
        )
    if plan.outcome is Outcome.signed:
        sign = abs(float(samples.weights.sum(axis=2).mean()))
        if sign < _SIGN:
            found.append(f"the average sign is {sign:.2f}: signs cancel, and errors explode")
    return found


def _about_results(status: CampaignStatus) -> list[str]:
    found = []
    if status.told and status.lost > _LOST * status.told:
        found.append(
            f"{100 * status.lost / status.told:.0f} % of wells were lost: harmless only if the "
            "loss depends neither on the condition nor on the result"
        )
    if status.conflicts:
        found.append(f"{status.conflicts} results contradicted earlier ones, which stand")
    if status.overdue:
        found.append(f"{status.overdue} wells are overdue: the next plate offers them again")
    if status.factor is None:
        found.append(f"steps are being tuned until every chain has done {status.burn_in}")
    return found


def _about_noise(plan: Plan, status: CampaignStatus) -> list[str]:
    found = []
    if isinstance(plan.kernel, Single):
        s = status.noise / math.sqrt(plan.kernel.replicates)
        if s > _NOISY:
            wells = math.ceil((status.noise / _AIM) ** 2)
            found.append(
                f"log-weights scatter by {s:.1f}: chains stick; {wells} replicates would be best"
            )
    if plan.outcome is Outcome.passed and status.acceptance < 0.02:
        found.append("fewer than 2 % of proposals pass: a cloud needs fewer rounds")
    return found


def longest_by_chance(acceptance: float, steps: int) -> float:
    """Longest run of rejections that so many independent steps would show."""
    if not 0 < acceptance < 1 or steps < 2:
        return 1.0
    return max(1.0, math.log(steps) / -math.log1p(-acceptance))
