"""The kernels: what a chain proposes, and whether it goes there.

One rule for all. A chain keeps the weight `W` that was measured when it arrived, and goes to a
proposal of measured weight `W'` with probability `min(1, W'/W)` (Frenkel, Schrenk & Martiniani,
PNAS 114, 6924 (2017), equation 1; Andrieu & Roberts, Ann. Stat. 37, 697 (2009)). Measuring the
present point again, or averaging a repeat into `W`, would change the distribution.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from ._plan import FACTORS, Cloud, Plan
from ._random import Purpose, Stream, ball


@dataclasses.dataclass(frozen=True)
class Proposals:
    """Where chains want to go.

    Attributes:
        points: Coordinates (the centres, for clouds); they may lie outside the box.
        choices: Index of the multiple of the step that was used.
        drops: The points of each cloud; no columns without a cloud.
    """

    points: Float[np.ndarray, "n dof"]
    choices: Int[np.ndarray, " n"]
    drops: Float[np.ndarray, "n k dof"]


def propose_starts(
    plan: Plan, stream: Stream, epoch: int, chains: np.ndarray, tries: np.ndarray, x: np.ndarray
) -> Proposals:
    """First points: given ones, those of the assay before, or anywhere in the box.

    Args:
        plan: The campaign.
        stream: Its random numbers.
        epoch: How often the assay was replaced.
        chains: Which chains.
        tries: How often each has tried in vain.
        x: Where each chain stands; NaN if nowhere yet.
    """
    u = stream.uniform(epoch, chains, tries, Purpose.start, plan.space.dof)
    points = plan.space.anywhere(u)
    if plan.start is not None:
        points = np.array(plan.start)[chains % len(plan.start)]
    points = np.where(np.isnan(x), points, x)
    u = _drop_numbers(plan, stream, epoch, chains, tries, Purpose.start_drops)
    return Proposals(points, np.full(len(chains), FACTORS.index(1.0)), _drops(plan, points, u))


def propose_moves(
    plan: Plan,
    stream: Stream,
    epoch: int,
    chains: np.ndarray,
    steps: np.ndarray,
    x: np.ndarray,
    factor: np.ndarray,
) -> Proposals:
    """The next points.

    Args:
        plan: The campaign.
        stream: Its random numbers.
        epoch: How often the assay was replaced.
        chains: Which chains.
        steps: The step of each that the proposal decides.
        x: Where each chain stands.
        factor: Multiple of the step for each; NaN while it is being tuned.
    """
    dof = plan.space.dof
    u = stream.uniform(epoch, chains, steps, Purpose.propose, dof + 1)
    drawn = np.minimum((u[:, dof] * len(FACTORS)).astype(int), len(FACTORS) - 1)
    known = [FACTORS.index(f) if f == f else 0 for f in factor.tolist()]
    choices = np.where(np.isnan(factor), drawn, known)
    points = plan.space.propose(x, u[:, :dof], np.array(FACTORS)[choices])
    if plan.refresh:
        points = np.where((steps % plan.refresh == 0)[:, None], x, points)
    u = _drop_numbers(plan, stream, epoch, chains, steps, Purpose.drops)
    return Proposals(points, choices, _drops(plan, points, u))


def _drop_numbers(
    plan: Plan,
    stream: Stream,
    epoch: int,
    chains: np.ndarray,
    steps: np.ndarray,
    purpose: Purpose,
) -> np.ndarray:
    if not isinstance(plan.kernel, Cloud):
        return np.zeros((len(chains), 0, plan.space.dof + 1))
    k, one_more = plan.kernel.points, plan.space.dof + 1
    u = stream.uniform(epoch, chains, steps, purpose, k * one_more)
    return u.reshape(len(chains), k, one_more)


def _drops(plan: Plan, points: np.ndarray, u: np.ndarray) -> np.ndarray:
    if not isinstance(plan.kernel, Cloud):
        return np.zeros((*u.shape[:2], plan.space.dof))
    offsets = plan.kernel.radius * plan.space.steps * ball(u)
    return plan.space.wrap(points[:, None, :] + offsets)


def total_weight(plan: Plan, values: Sequence[float]) -> tuple[float, float]:
    """Logarithm and sign of a proposal's weight: the mean of replicates, the sum over a cloud."""
    total = math.fsum(values) / (1 if plan.is_cloud else len(values))
    return (math.log(abs(total)) if total else -math.inf), math.copysign(1.0, total)


def accepts(log_w: float, log_w_new: float, u: float) -> bool:
    """Whether the chain moves, given a uniform number."""
    return log_w_new > -math.inf and math.log(u) < log_w_new - log_w


def acceptance_numbers(
    stream: Stream, epoch: int, chains: Sequence[int], steps: Sequence[int]
) -> list[float]:
    """The uniform number that decides each step."""
    if not len(chains):
        return []
    u = stream.uniform(epoch, np.array(chains), np.array(steps), Purpose.accept, 1)
    return u[:, 0].tolist()
