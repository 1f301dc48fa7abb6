r"""Which kernel, and how many draws to average: asked of a pilot, answered with a reason.

A pilot lets a few chains forget their starts, then draws 8 times at each of 32 points. What decides
is $s$, the standard deviation of $\ln\hat w$ at one point (for energies: of $\hat E/kT$):

- On a flat landscape stored weights accept $\mathrm{erfc}(s/2)$ of the moves: half at $s = 1$, a
  sixth at $s = 2$. A chain that met a large weight by luck stays with it, so the loss of effective
  samples is larger still.
- If the noise of $\ln\hat w$ falls with work as $s^2 \propto 1/\mathrm{work}$ (longer inner runs,
  larger batches, more particles), effective samples for the work are most at $s \approx 1.2$, a
  broad optimum between 1 and 1.5.
- Averaging $k$ *weights* is another matter: $s_k^2 = \ln(1 + (e^{s^2} - 1)/k)$ for lognormal noise
  falls so slowly that one draw is nearly always best, unless a step has costs of its own.
- The penalty method is best at $s \approx 1.75$ for each energy.

Sources: Doucet, Pitt, Deligiannidis & Kohn, Biometrika 102, 295 (2015); Sherlock, Thiery & Lee,
Biometrika 104, 727 (2017); Pitt, Silva, Giordani & Kohn, J. Econometrics 171, 134 (2012).
"""

import dataclasses
import importlib.util
import math
from typing import Any

import equinox as eqx
import jax
import numpy as np
import scipy.special

from thalweg.core import ArgumentError, Array, Float, PRNGKey, as_key

from ._diagnostics import pareto_k
from ._starts import begin
from ._targets import ExactWeight, NoisyEnergy, NoisyWeight, Oracle, Target, check_target
from ._warmup import warm_up
from .kernels import (
    AbstractKernel,
    AcceptIfPass,
    Blackjax,
    Cloud,
    CorrelatedWeight,
    Metropolis,
    Penalty,
    StoredWeight,
    SupportMove,
    draw_log_weight,
)

BEST_NOISE = 1.2
"""s at which stored weights give most for work that lowers s² in proportion."""

BEST_ENERGY_NOISE = 1.75
"""The same for each energy of the penalty method."""

_POINTS = 32
_REPEATS = 8
_SETTLE = 700
_HEAVY = 0.7
_LOOK = 0.45
_STICKS = 1.7
_REPLAY = 2.0
_FEW = 0.05
_MOST_DROPS = 256
_EASY = 0.01


@dataclasses.dataclass(frozen=True, kw_only=True)
class Advice:
    """What a pilot found and what follows from it.

    Attributes:
        kernel: The kernel to use.
        reason: Why, in a sentence or two.
        law: What it samples.
        noise: Standard deviation s of the log-weight (of the energy in units of kT) at one point.
        skew: Skewness of that noise; zero for Gaussian noise.
        zero: Share of weights that are zero (of answers that are no).
        tail: Estimated Pareto shape of the upper tail of the weights; above 0.7 their variance
            may be infinite.
        replicates: Draws to average into one weight or energy.
        work: Factor by which to lengthen what makes one draw, where its noise s² falls in
            proportion; below 1 it may be shortened.
        survives: Share of moves that the noise leaves on a flat landscape: about the share of a
            noise-free chain's effective samples that is left.
        refused: Why no kernel can be trusted with this target; empty if one can.
        evaluations: Calls of the target that the pilot took.
    """

    kernel: AbstractKernel
    reason: str
    law: str
    noise: float
    skew: float
    zero: float
    tail: float
    replicates: int
    work: float
    survives: float
    refused: str
    evaluations: int


@dataclasses.dataclass(frozen=True)
class _Pilot:
    """Repeated draws, `(repeats, points)`, where they were made, and their price."""

    values: Float[np.ndarray, "repeats points"]
    x: Float[np.ndarray, "dof points"]
    scale: float | None
    calls: int

    @property
    def finite(self) -> np.ndarray:
        return np.where(np.isfinite(self.values), self.values, np.nan)

    def noise(self) -> float:
        """Pooled standard deviation at one point."""
        with np.errstate(invalid="ignore"):
            count = np.isfinite(self.values).sum(axis=0)
            enough = count > 1
            if not enough.any():
                return math.nan
            spread = np.nanvar(self.finite[:, enough], axis=0, ddof=1)
        return float(np.sqrt(np.average(spread, weights=count[enough] - 1)))

    def scores(self) -> np.ndarray:
        """Deviations from the mean of each point, in units of its own scatter."""
        known = np.isfinite(self.values).sum(axis=0) > 2
        part = self.finite[:, known]
        if not part.size:
            return np.zeros(0)
        away = part - np.nanmean(part, axis=0)
        spread = np.nanstd(part, axis=0, ddof=1)
        scores = away / np.where(spread > 0, spread, 1.0)
        return scores[np.isfinite(scores)]

    def tail(self) -> float:
        """Pareto shape of the weights, each in units of its point's typical weight."""
        known = np.isfinite(self.values).any(axis=0)
        away = self.values[:, known] - np.nanmedian(self.finite[:, known], axis=0)
        return pareto_k(np.exp(np.clip(away, -700, 300)).reshape(-1)) if away.size else math.nan


def advise(
    target: Any,
    key: PRNGKey | int = 0,
    *,
    start: Any = None,
    step_cost: float | int = 0.0,
) -> Advice:
    """Choose a kernel for a target by a pilot, and say why.

    Args:
        target: What is to be sampled.
        key: Random key, or a number to make one of.
        start: Where to begin, as for `sample`.
        step_cost: What a step costs besides its evaluations, in evaluations: a round trip to a
            laboratory, say. It makes several draws in one step worth while.

    Raises:
        ArgumentError: if it is no target, or no start has a positive weight.
    """
    check_target(target)
    if step_cost < 0:
        raise ArgumentError(f"step_cost={step_cost} is negative")
    root = as_key(key)
    if isinstance(target, ExactWeight):
        return _for_exact(target)
    settled = _settle(target, root, start)
    if isinstance(target, Oracle):
        return _for_oracle(target, root, settled)
    pilot = _pilot(target, root, settled, _REPEATS)
    if isinstance(target, NoisyEnergy):
        return _for_energy(target, pilot)
    return _for_weight(target, root, settled, pilot, step_cost)


def noise_efficiency(s: float, acceptance: float = 0.3, time: float = 20.0) -> float:
    r"""Effective samples of a stored-weight chain, relative to the same chain without noise.

    The bounding chain of Doucet et al. (2015), which accepts with the product of the noise-free
    probability and that of the noise alone: for lognormal noise, with $\varrho(z)$ the acceptance
    of the noise from a stored excess $z \sim N(s^2/2, s^2)$ and $\bar\varrho = \mathrm{erfc}(s/2)$,

    $$
    \tau(s) = \frac{2\langle 1/\varrho\rangle}{a} - 1 + \frac{\tau_0 + 1}{\bar\varrho}
    - \frac{2}{a\bar\varrho} .
    $$

    Args:
        s: Standard deviation of the log-weight.
        acceptance: Acceptance $a$ without noise.
        time: Autocorrelation time $\tau_0$ without noise, in steps.
    """
    if s < 1e-6:
        return 1.0
    z = np.linspace(-8 * s, 8 * s, 4001) + s * s / 2
    density = np.exp(-(((z - s * s / 2) / s) ** 2) / 2)
    density /= density.sum()
    leave = scipy.special.ndtr(-(z + s * s / 2) / s)
    leave += np.exp(-z + scipy.special.log_ndtr((z - s * s / 2) / s))
    mean = math.erfc(s / 2)
    inverse = float(np.sum(density / leave))
    tau = 2 * inverse / acceptance - 1 + (time + 1) / mean - 2 / (acceptance * mean)
    return time / tau


def averaged_noise(s: float, replicates: int) -> float:
    """S of the logarithm of the mean of several lognormal weights of equal mean."""
    return math.sqrt(math.log1p(math.expm1(min(s * s, 600.0)) / replicates))


def best_replicates(s: float, step_cost: float | int = 0.0, most: int = 1_024) -> int:
    """How many weights to average for most effective samples for the cost.

    Args:
        s: Standard deviation of the log-weight of one draw.
        step_cost: Cost of a step besides its evaluations, in evaluations.
        most: Largest number to consider.
    """
    counts = [k for k in sorted({round(2 ** (i / 4)) for i in range(41)}) if k <= most]
    gain = [noise_efficiency(averaged_noise(s, k)) / (k + step_cost) for k in counts]
    return counts[int(np.argmax(gain))]


def _settle(target: Target, key: PRNGKey, start: Any) -> tuple[Array, float | None, int]:
    """Points that a short chain reached, its move size and its price."""
    kernel = _plain(target)
    one = None if start is None else np.asarray(start, dtype=float).reshape(-1)[: target.domain.dof]
    precision = jax.dtypes.canonicalize_dtype(float)
    state, rounds = begin(kernel, target, jax.random.fold_in(key, 0), one, _POINTS, precision)
    warm, state, story = warm_up(kernel, target, jax.random.fold_in(key, 1), state, _SETTLE)
    scale = None if warm.scale is None else float(np.asarray(warm.scale))
    return kernel.position(state), scale, story.evaluations + rounds * _POINTS


def _plain(target: Target) -> AbstractKernel:
    if isinstance(target, Oracle):
        return AcceptIfPass()
    if isinstance(target, NoisyEnergy):
        return Penalty(replicates=4 if target.variance_from == "unknown" else 1)
    return StoredWeight()


def _pilot(target: Target, key: PRNGKey, settled: tuple, repeats: int) -> _Pilot:
    x, scale, calls = settled
    values = np.asarray(_repeat(target, jax.random.fold_in(key, 2 + repeats), x, repeats))
    return _Pilot(values, np.asarray(x), scale, calls + values.size)


@eqx.filter_jit
def _repeat(target: Target, key: PRNGKey, x: Array, repeats: int) -> Array:
    def once(key: PRNGKey) -> Array:
        if isinstance(target, NoisyEnergy):
            return target.draw(key, x)[0]
        return draw_log_weight(target, key, x)[0]

    return jax.lax.map(once, jax.random.split(key, repeats))


def _for_exact(target: ExactWeight) -> Advice:
    dof = target.domain.dof
    kernel: AbstractKernel = Metropolis()
    if dof <= 3:
        reason = f"the weight is exact and has {dof} coordinates: Metropolis is all it takes"
    elif target.domain.support is not None:
        reason = "the weight is exact and ends at walls, where gradients do not help: Metropolis"
    elif importlib.util.find_spec("blackjax") is None:
        reason = "the weight is exact: Metropolis (with BlackJAX installed: NUTS)"
    else:
        kernel = Blackjax(algorithm="nuts")
        reason = (
            f"the weight is exact and has {dof} coordinates: gradients pay, so NUTS of BlackJAX"
        )
    return _advice(target, kernel, reason, noise=0.0)


def _for_oracle(target: Oracle, key: PRNGKey, settled: tuple) -> Advice:
    pilot = _pilot(target, key, settled, 64)
    passed = float(np.isfinite(pilot.values).mean())
    support, dof, calls = target.domain.support, target.domain.dof, pilot.calls
    if support is not None:
        x = support.uniform(jax.random.fold_in(key, 5), dof, 4_096).astype(pilot.x.dtype)
        share = float(np.mean(np.asarray(target.draw(jax.random.fold_in(key, 6), x))))
        calls += 4_096
        if share > _EASY:
            reason = (
                f"{100 * share:.1f} % of uniform points of the support pass: drawing trial points "
                f"uniformly costs about {2 / share:.0f} answers for an independent draw, less than "
                "any walk"
            )
            kernel = AcceptIfPass(proposal=SupportMove(support))
            return _advice(
                target, kernel, reason, noise=0.0, zero=1 - passed, survives=share, calls=calls
            )
    if passed >= _FEW:
        reason = (
            f"the oracle says yes to {100 * passed:.0f} % of questions at typical points: accept "
            "if and only if it says yes, one answer a step, is exact and the cheapest per answer"
        )
        kernel = AcceptIfPass()
    else:
        drops = int(min(_MOST_DROPS, math.ceil(0.3 / max(passed, 1e-3))))
        reason = (
            f"the oracle says yes to only {100 * passed:.2g} % of questions at typical points: a "
            f"cloud of {drops} answers a step spares rounds (not answers)"
        )
        kernel = Cloud(drops=drops, radius=pilot.scale or 1.0)
    return _advice(target, kernel, reason, noise=0.0, zero=1 - passed, survives=passed, calls=calls)


def _skewness(scores: Float[np.ndarray, " draws"]) -> float:
    """Third standardised moment; zero for a few numbers, or equal ones."""
    away = scores - scores.mean() if len(scores) > 8 else np.zeros(1)
    spread = float(np.mean(away**2))
    return float(np.mean(away**3)) / spread**1.5 if spread > 0 else 0.0


def _for_energy(target: NoisyEnergy, pilot: _Pilot) -> Advice:
    s = pilot.noise()
    scores = pilot.scores()
    skew = _skewness(scores)
    count = max(1, round((s / BEST_ENERGY_NOISE) ** 2))
    if target.exact_variance:
        how = "its variance is known: the penalty method is exact for Gaussian noise"
    else:
        # The estimated penalty is unbiased to three digits while σ²/n stays below 0.2.
        count = max(4, count, math.ceil(math.sqrt(2 * s * s / 0.2)))
        how = f"its variance is estimated from {count} repeats: penalty method with correction"
    odd = ""
    if abs(skew) > 1.0:
        odd = (
            f"; its noise is skewed ({skew:+.1f}), not Gaussian, so the penalty is biased: average "
            "more draws"
        )
    reason = (
        f"energies are unbiased with s = {s:.2f} kT, weights made of them are not; {how}, with "
        f"{count} draw{'s' if count > 1 else ''} averaged{odd}"
    )
    left = math.erfc(s / math.sqrt(count) / 2)
    return _advice(
        target,
        Penalty(replicates=count),
        reason,
        noise=s,
        skew=skew,
        replicates=count,
        work=(s / BEST_ENERGY_NOISE) ** 2,
        survives=left,
        calls=pilot.calls,
    )


def _for_weight(
    target: NoisyWeight, key: PRNGKey, settled: tuple, pilot: _Pilot, step_cost: float | int
) -> Advice:
    s, tail, calls = pilot.noise(), pilot.tail(), pilot.calls
    zero = float(np.mean(~np.isfinite(pilot.values)))
    s = 0.0 if math.isnan(s) else s
    scores = pilot.scores()
    skew = _skewness(scores)
    refused = ""
    if tail > _LOOK:
        # Lognormal weights look like that as well when s is large; their logarithms tell.
        larger = _pilot(target, key, settled, 128)
        scores, tail, s = larger.scores(), larger.tail(), larger.noise()
        calls += larger.values.size
        skew = _skewness(scores)
        if tail > _HEAVY and skew > 0.5:
            refused = (
                f"the weights have a tail like a power law (Pareto shape {tail:.2f}, logarithms "
                f"skewed by {skew:+.1f}): their variance is probably infinite, and a chain that "
                "meets one of the rare huge ones stays with it for the rest of the run"
            )
    count = best_replicates(s, step_cost)
    left = noise_efficiency(averaged_noise(s, count))
    kernel: AbstractKernel = StoredWeight(replicates=count)
    if target.noise_shape is not None and s > _REPLAY:
        kernel = CorrelatedWeight(correlation=0.9, split=True)
        reason = (
            f"log-weights scatter by s = {s:.2f}, where stored weights stick, and the noise can be "
            "replayed: it moves by small steps of its own, in turn with the point"
        )
        count = 1
    else:
        reason = (
            f"weights are unbiased, their logarithms scatter by s = {s:.2f}: each drawn weight is "
            f"stored; about {100 * left:.2g} % of a noise-free chain's effective samples are left"
        )
        if count > 1:
            reason += f" with {count} draws averaged"
        if s > _STICKS:
            reason += (
                f". Make one draw {(s / BEST_NOISE) ** 2:.1f} times as long if that lowers s² in "
                "proportion, or make it replayable"
            )
    return _advice(
        target,
        kernel,
        reason,
        noise=s,
        skew=skew,
        zero=zero,
        tail=tail,
        replicates=count,
        work=(s / BEST_NOISE) ** 2,
        survives=left,
        refused=refused,
        calls=calls,
    )


def _advice(  # noqa: PLR0913 - a record with defaults
    target: Target,
    kernel: AbstractKernel,
    reason: str,
    *,
    noise: float,
    skew: float = 0.0,
    zero: float = 0.0,
    tail: float = math.nan,
    replicates: int = 1,
    work: float = 1.0,
    survives: float = 1.0,
    refused: str = "",
    calls: int = 0,
) -> Advice:
    return Advice(
        kernel=kernel,
        reason=reason,
        law=target.law,
        noise=noise,
        skew=skew,
        zero=zero,
        tail=tail,
        replicates=replicates,
        work=work,
        survives=survives,
        refused=refused,
        evaluations=calls,
    )
