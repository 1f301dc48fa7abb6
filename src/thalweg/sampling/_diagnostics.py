r"""How far the draws can be trusted.

Error bars come from the scatter *between* chains, which are independent: it needs no model of the
autocorrelation and is not fooled by it. What it cannot see is a region that no chain has reached.

Sources: Vehtari, Gelman, Simpson, Carpenter & Bürkner, Bayesian Anal. 16, 667 (2021) (rank-
normalised split R-hat); Geyer, Stat. Sci. 7, 473 (1992) (initial monotone sequence); Vehtari,
Simpson, Gelman, Yao & Gabry, J. Mach. Learn. Res. 25, 72 (2024) (Pareto k).
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from thalweg.core import ArgumentError, Float

_MOST = 200_000
"""Values that ranks are taken of: more do not change the second decimal of R-hat."""

_EVEN = 1e-12


def split_rhat(draws: Float[np.ndarray, "kept chains"]) -> float:
    """Rank-normalised split R-hat, the larger of its bulk and tail forms.

    Args:
        draws: One observable along several chains.

    Returns:
        The ratio; above 1.01 the chains disagree. NaN for fewer than two chains or four draws, and
        for chains that are constant and equal.
    """
    kept, chains = draws.shape
    if chains < 2 or kept < 4:
        return math.nan
    thin = max(1, kept * chains // _MOST)
    if kept // thin < 4:
        thin = max(1, kept // 4)
    halves = kept // thin // 2
    used = draws[::thin][: 2 * halves]
    split = np.concatenate([used[:halves], used[halves:]], axis=1)
    folded = np.abs(split - np.median(split))
    return max(_rhat(_normal_scores(split)), _rhat(_normal_scores(folded)))


def _normal_scores(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata  # takes long to import

    ranks = rankdata(values, axis=None).reshape(values.shape)
    return scipy.special.ndtri((ranks - 0.375) / (values.size + 0.25))


def _rhat(values: np.ndarray) -> float:
    count = len(values)
    within = values.var(axis=0, ddof=1).mean()
    if within <= _EVEN:
        return math.nan
    between = values.mean(axis=0).var(ddof=1)
    return math.sqrt((count - 1) / count + between / within)


def autocorrelation_time(draws: Float[np.ndarray, "kept chains"]) -> float:
    """Integrated autocorrelation time, in units of the spacing of the draws.

    Correlations are averaged over chains and summed up to the end of Geyer's initial monotone
    sequence; chains share one mean, so that chains which sit in different places count as
    correlated.

    Args:
        draws: One observable along the chains.

    Returns:
        The time: 1 for independent draws, infinite for chains that never move.
    """
    kept, chains = draws.shape
    if kept < 4:
        return math.nan
    used = draws[:, :: max(1, chains // 256)]
    away = used - used.mean()
    spectrum = np.fft.rfft(away, 2 * kept, axis=0)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[:kept].mean(axis=1)
    covariance /= np.arange(kept, 0, -1)
    if covariance[0] <= _EVEN * max(1.0, float(np.max(np.abs(used))) ** 2):
        return math.inf
    rho = covariance / covariance[0]
    pairs = rho[0 : kept - kept % 2 : 2] + rho[1 : kept - kept % 2 : 2]
    ends = np.flatnonzero(pairs <= 0)
    pairs = pairs[: int(ends[0]) if len(ends) else len(pairs)]
    return max(1.0, float(2 * np.minimum.accumulate(pairs).sum() - 1)) if len(pairs) else 1.0


def between_chain_ess(means: Float[np.ndarray, " chains"], variance: float) -> float:
    """Effective sample size of all chains together.

    Args:
        means: Mean of the observable along each chain.
        variance: Variance of the observable under the target.

    Returns:
        `chains · variance / Var(means)`, with relative error `sqrt(2 / (chains - 1))`; NaN for
        fewer than four chains, or chains with one and the same mean.
    """
    chains = len(means)
    scatter = float(np.var(means, ddof=1)) if chains > 3 else 0.0
    return chains * variance / scatter if scatter > 0 else math.nan


def longest_expected(steps: int, acceptance: float) -> float:
    """Longest run of rejections to expect if all steps were alike: `ln n / -ln(1 - a)`."""
    if acceptance >= 1:
        return 0.0
    return math.log(max(steps, 2)) / -math.log1p(-acceptance) if acceptance > 0 else math.inf


def pareto_k(values: Float[np.ndarray, " many"]) -> float:
    """Shape of a generalised Pareto law fitted to the upper tail of positive numbers.

    The estimator of Zhang & Stephens, Technometrics 51, 316 (2009), with the weak prior of
    Pareto-smoothed importance sampling. At `k ≥ 1/2` the variance is infinite; estimates above 0.7
    mean that no affordable number of draws would tell.

    Args:
        values: The numbers; zeros count as part of the body.

    Returns:
        The shape; NaN for fewer than 25 numbers or a tail without spread.
    """
    values = np.sort(values[np.isfinite(values)])
    tail = int(min(0.2 * len(values), 3 * math.sqrt(len(values))))
    if tail < 5 or values[-1] <= values[-tail - 1]:
        return math.nan
    x = values[-tail:] - values[-tail - 1]
    x = x[x > 0]
    if len(x) < 5:
        return math.nan
    count = 30 + int(math.sqrt(len(x)))
    quarter = x[int(len(x) / 4 + 0.5) - 1]
    theta = 1 / x[-1] + (1 - np.sqrt(count / (np.arange(1, count + 1) - 0.5))) / 3 / quarter
    k = np.mean(np.log1p(-theta[:, None] * x), axis=1)
    profile = len(x) * (np.log(-(theta / k)) - k - 1)
    weight = scipy.special.softmax(profile)
    best = float(np.sum(theta * weight))
    raw = float(np.mean(np.log1p(-best * x)))
    return (len(x) * raw + 10 * 0.5) / (len(x) + 10)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredCheck:
    r"""Whether stored weights are what stored weights must be: a check that needs no known answer.

    At stationarity a stored weight $\hat w_s$ is size-biased and a fresh one $\hat w_f$ at the same
    point is not. The pair's density, $m(s)\,m(f)\,\hat w_s$, turns symmetric when multiplied by
    $\min(1, \hat w_f/\hat w_s)$. So for any law of the noise

    $$
    P(\hat w_f > \hat w_s) = \Big\langle \frac{\hat w_f}{\hat w_s};\ \hat w_f < \hat w_s\Big\rangle
    $$

    with both sides between 0 and 1, and $\langle\hat w_f/\hat w_s\rangle = P(\hat w > 0)$. For
    Gaussian noise in the logarithm $\langle\ln\hat w_s - \ln\hat w_f\rangle = s^2$. A program that
    draws the weight of its current point again fails the first, and finds 0 for the last.

    Attributes:
        balance: Difference of the two sides; zero if all is well.
        balance_error: Its standard error.
        shift: Mean of `log stored - log fresh`.
        shift_error: Its standard error.
        variance: Variance of fresh log-weights at one point, averaged over points.
        ratio: Mean of `fresh / stored`.
        positive: Share of fresh weights that are not zero.
        evaluations: Calls of the target that the check took.
    """

    balance: float
    balance_error: float
    shift: float
    shift_error: float
    variance: float
    ratio: float
    positive: float
    evaluations: int

    @property
    def z(self) -> float:
        """`balance` in units of its error."""
        return self.balance / self.balance_error if self.balance_error > 0 else 0.0


def compare_stored(stored: jax.Array, fresh: jax.Array, again: jax.Array) -> jax.Array:
    """Six numbers a chain: balance, shift, variance, ratio, both finite, positive."""
    ratio = jnp.exp(fresh - stored)
    balance = (fresh > stored).astype(stored.dtype) - jnp.where(fresh < stored, ratio, 0.0)
    some = jnp.isfinite(fresh)
    both = some & jnp.isfinite(again)
    shift = jnp.where(some, stored - fresh, 0.0)
    variance = jnp.where(both, (fresh - again) ** 2 / 2, 0.0)
    return jnp.stack(
        [balance, shift, variance, ratio, both.astype(ratio.dtype), some.astype(ratio.dtype)]
    )


def summarise_check(sums: Float[np.ndarray, "six chains"], visits: int, calls: int) -> StoredCheck:
    """The check from sums over visits, one column for each chain."""
    mean = sums / visits
    chains = sums.shape[1]
    error = mean.std(axis=1, ddof=1) / math.sqrt(chains) if chains > 1 else np.full(6, math.nan)
    total = mean.mean(axis=1)
    positive = float(total[5])
    return StoredCheck(
        balance=float(total[0]),
        balance_error=float(error[0]),
        shift=float(total[1] / positive) if positive else math.nan,
        shift_error=float(error[1] / positive) if positive else math.nan,
        variance=float(total[2] / total[4]) if total[4] else math.nan,
        ratio=float(total[3]),
        positive=positive,
        evaluations=calls,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BiasTest:
    """Frequencies of numbered states beside their exact probabilities.

    Attributes:
        expected: Exact probabilities.
        observed: Measured frequencies.
        z: Their difference in units of the standard error between chains.
        total_variation: Half the sum of absolute differences.
    """

    expected: Float[np.ndarray, " states"]
    observed: Float[np.ndarray, " states"]
    z: Float[np.ndarray, " states"]
    total_variation: float

    @property
    def worst(self) -> float:
        """Largest `|z|`."""
        return float(np.max(np.abs(self.z)))


def bias_test(
    frequencies: Float[np.ndarray, "states chains"], weights: Float[np.ndarray, " states"]
) -> BiasTest:
    """Compare what chains on an enumerable space did with what they claim.

    Args:
        frequencies: Share of its steps that each chain spent in each state.
        weights: Average weight of every state; they need not sum to one.

    Raises:
        ArgumentError: if shapes disagree, or there are fewer than eight chains.
    """
    if frequencies.shape[0] != len(weights):
        raise ArgumentError(
            f"frequencies has {frequencies.shape[0]} states and weights {len(weights)}"
        )
    if frequencies.shape[1] < 8:
        raise ArgumentError(f"frequencies has {frequencies.shape[1]} chains, expected at least 8")
    expected = weights / weights.sum()
    observed = frequencies.mean(axis=1)
    error = frequencies.std(axis=1, ddof=1) / math.sqrt(frequencies.shape[1])
    return BiasTest(
        expected=expected,
        observed=observed,
        z=(observed - expected) / np.maximum(error, 1e-15),
        total_variation=float(np.abs(observed - expected).sum() / 2),
    )
