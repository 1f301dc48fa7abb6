r"""The most likely Markov chain behind observed trajectories.

Two kinds of observation: every jump with its time (`estimate_generator`), or the state at equal
intervals (`estimate_from_lag`), between which any number of jumps may hide.

Sources: P. Billingsley, *Statistical Inference for Markov Processes* (1961), for the first;
J. D. Kalbfleisch and J. F. Lawless, J. Am. Stat. Assoc. 80, 863 (1985), and M. Bladt and
M. Sørensen, J. R. Stat. Soc. B 67, 395 (2005), for the second; C. Van Loan, IEEE Trans. Autom.
Control 23, 395 (1978), for the integrals. For the reversible estimate compare
B. Trendelkamp-Schroer and F. Noé, Phys. Rev. X 6, 011009 (2016), in discrete time.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable

import numpy as np
import scipy.linalg as linalg
from jaxtyping import Float, Int
from scipy import optimize

from thalweg.core import ArgumentError

from ._chain import MarkovChain


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class JumpStatistics:
    """What a fully observed chain did: all that its likelihood depends on.

    Attributes:
        counts: How often it jumped from `i` to `j`; the diagonal is zero.
        times: How long it spent in each state.
    """

    counts: Float[np.ndarray, "n n"]
    times: Float[np.ndarray, " n"]

    @classmethod
    def of(
        cls,
        states: Iterable[Int[np.ndarray, " _"]],
        times: Iterable[Float[np.ndarray, " _"]],
        n_states: int | None = None,
    ) -> "JumpStatistics":
        """Count the jumps of trajectories.

        Args:
            states: Successive states of each trajectory (rows of `JumpTrajectories.states`).
            times: How long each of them lasted. The last one may have been cut short.
            n_states: Number of states; default: the largest seen plus one.
        """
        ways, waits = [np.asarray(w) for w in states], [np.asarray(t) for t in times]
        n = n_states or int(max((w.max(initial=-1) for w in ways), default=-1)) + 1
        counts, total = np.zeros((n, n)), np.zeros(n)
        for way, wait in zip(ways, waits, strict=True):
            if way.shape != wait.shape or way.min(initial=0) < 0 or way.max(initial=0) >= n:
                raise ArgumentError(
                    f"a trajectory has {len(way)} states within 0…{n - 1} and {len(wait)} times",
                    "one waiting time belongs to each state; drop frames of state -1 by `commit`",
                )
            away = way[:-1] != way[1:]
            np.add.at(counts, (way[:-1][away], way[1:][away]), 1.0)
            np.add.at(total, way, wait)
        return cls(counts=counts, times=total)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GeneratorEstimate:
    """A generator that was estimated.

    Attributes:
        generator: Rates, rows adding up to zero.
        errors: Standard error of each rate from the curvature of the likelihood, `k_ij / √N_ij`;
            infinite for a rate that was never seen; `None` where it is not known (from a lag).
        log_likelihood: `ln` of the likelihood reached.
        iterations: How many it took.
        converged: Whether it converged.
    """

    generator: Float[np.ndarray, "n n"]
    errors: Float[np.ndarray, "n n"] | None
    log_likelihood: float
    iterations: int
    converged: bool

    def chain(self, time_unit: str = "reduced") -> MarkovChain:
        """The estimate as a chain."""
        return MarkovChain.from_generator(self.generator, time_unit=time_unit)


def estimate_generator(
    observed: JumpStatistics,
    *,
    reversible: bool = False,
    max_iterations: int = 100_000,
    tolerance: float = 1e-12,
) -> GeneratorEstimate:
    """The generator of maximum likelihood for fully observed jumps.

    Without a constraint it is `N_ij / R_i`: jumps over time spent. With `reversible=True` it is the
    best among those that obey detailed balance, which is found by iteration.

    Args:
        observed: Jumps and times.
        reversible: Whether detailed balance must hold.
        max_iterations: When to give up.
        tolerance: Relative change of any rate at which the iteration ends.

    Raises:
        ArgumentError: if a state was never visited, or with `reversible` never left.
    """
    counts, times = observed.counts, observed.times
    if not (times > 0).all():
        state = int(np.flatnonzero(~(times > 0))[0])
        raise ArgumentError(
            f"no time was spent in state {state}, so nothing is known of its rates",
            "leave it out, or observe for longer",
        )
    if reversible:
        rates, used, converged = _reversible(counts, times, max_iterations, tolerance)
    else:
        rates, used, converged = counts / times[:, None], 0, True
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = counts + counts.T if reversible else counts
        errors = np.where(seen > 0, rates / np.sqrt(seen), np.inf)
    np.fill_diagonal(errors, 0.0)
    used_pairs = counts > 0
    likelihood = float(np.sum(counts[used_pairs] * np.log(rates[used_pairs])))
    likelihood -= float(times @ rates.sum(axis=1))
    return GeneratorEstimate(
        generator=_close(rates),
        errors=errors,
        log_likelihood=likelihood,
        iterations=used,
        converged=converged,
    )


def _reversible(
    counts: np.ndarray, times: np.ndarray, max_iterations: int, tolerance: float
) -> tuple[np.ndarray, int, bool]:
    """Rates `s_ij / π_i` with symmetric `s`, by turns of the best `s` and the best `π`."""
    both, leaving = counts + counts.T, counts.sum(axis=1)
    if not (leaving > 0).all():
        raise ArgumentError(
            f"state {int(np.flatnonzero(leaving == 0)[0])} was never left, so detailed balance "
            "cannot be asked of it",
            "observe for longer, or estimate without `reversible`",
        )
    weight, rates = times / times.sum(), np.zeros_like(counts)
    for iteration in range(1, max_iterations + 1):
        ratio = times / weight
        flux = both / (ratio[:, None] + ratio[None, :])
        weight = times * flux.sum(axis=1) / leaving
        weight /= weight.sum()
        ratio = times / weight
        flux = both / (ratio[:, None] + ratio[None, :])
        new = flux / weight[:, None]
        change = np.abs(new - rates).max(initial=0.0, where=new > 0)
        rates = new
        if change <= tolerance * rates.max(initial=0.0):
            return rates, iteration, True
    return rates, max_iterations, False


def estimate_from_lag(
    counts: Float[np.ndarray, "n n"],
    lag: float,
    *,
    reversible: bool = False,
    max_iterations: int = 1000,
    tolerance: float = 1e-10,
) -> GeneratorEstimate:
    """The generator of maximum likelihood for states observed at equal intervals.

    The likelihood `Σ_ij C_ij ln exp(Q τ)_ij` is raised from `matrix_logarithm` by a quasi-Newton
    method, in the logarithms of the rates, so that no rate becomes negative; its gradient is an
    integral of matrix exponentials. Whether a generator fits the counts at all, and whether only
    one does, is another question: it is doubtful once the interval exceeds the relaxation times.

    Args:
        counts: How often state `j` was seen one interval after state `i` (`count_transitions`).
        lag: The interval.
        reversible: Whether detailed balance must hold.
        max_iterations: When to give up.
        tolerance: Relative change of the likelihood at which it ends.

    Raises:
        ArgumentError: if a state was never seen to be followed by one.
    """
    start = matrix_logarithm(counts, lag)
    n = len(start)
    off = ~np.eye(n, dtype=bool)
    # Logarithms need a little of everything to begin with.
    start = np.where(off, np.maximum(start, 1e-3 * start[off].max(initial=1e-300)), 0.0)
    model = _reversible_rates if reversible else _free_rates
    total = counts.sum()

    def cost(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        rates, pull_back = model(parameters, n)
        likelihood, slope = _lag_likelihood(_close(rates), counts, lag)
        return -likelihood / total, -pull_back(slope) / total

    if reversible:
        log_pi = MarkovChain.from_generator(start).log_stationary
        flux = np.log(start, where=off, out=np.zeros((n, n))) + log_pi[:, None]
        flux = np.logaddexp(flux, flux.T) - math.log(2.0)
        begin = np.concatenate((flux[np.triu_indices(n, 1)], log_pi))
    else:
        begin = np.log(start[off])
    found = optimize.minimize(
        cost,
        begin,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iterations, "ftol": tolerance * 1e-2, "gtol": 1e-9, "maxcor": 30},
    )
    return GeneratorEstimate(
        generator=_close(model(found.x, n)[0]),
        errors=None,
        log_likelihood=-float(found.fun) * float(total),
        iterations=int(found.nit),
        converged=bool(found.success),
    )


Model = tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]


def _free_rates(parameters: np.ndarray, n: int) -> Model:
    """Rates from their logarithms, and how a gradient in rates becomes one in these."""
    off = ~np.eye(n, dtype=bool)
    rates = np.zeros((n, n))
    rates[off] = np.exp(np.clip(parameters, -500.0, 500.0))
    return rates, lambda slope: (rates * slope)[off]


def _reversible_rates(parameters: np.ndarray, n: int) -> Model:
    """Rates `s_ij / π_i` from `ln s` (upper triangle) and `ln π`."""
    upper = np.triu_indices(n, 1)
    flux = np.full((n, n), -np.inf)
    flux[upper] = parameters[: len(upper[0])]
    flux = np.maximum(flux, flux.T)
    rates = np.exp(np.clip(flux - parameters[len(upper[0]) :, None], -500.0, 500.0))
    np.fill_diagonal(rates, 0.0)

    def pull_back(slope: np.ndarray) -> np.ndarray:
        weighted = rates * slope
        return np.concatenate(((weighted + weighted.T)[upper], -weighted.sum(axis=1)))

    return rates, pull_back


def _lag_likelihood(
    generator: np.ndarray, counts: np.ndarray, lag: float
) -> tuple[float, np.ndarray]:
    """Likelihood of counts at an interval, and its slope along every rate."""
    n = len(generator)
    forward = np.maximum(linalg.expm(generator * lag), 1e-300)
    likelihood = float(np.sum(counts * np.log(forward)))
    weight = counts / forward
    block = np.block([[generator.T * lag, weight * lag], [np.zeros((n, n)), generator.T * lag]])
    # ∫ exp(Qᵀs) W exp(Qᵀ(τ - s)) ds: the entry (k, l) is the slope along Q_kl.
    integral = linalg.expm(block)[:n, n:]
    return likelihood, integral - np.diag(integral)[:, None]


def matrix_logarithm(counts: Float[np.ndarray, "n n"], lag: float) -> Float[np.ndarray, "n n"]:
    """The generator nearest to `ln P / lag`, where `P` are the observed transition probabilities.

    Negative rates, which a sampled `P` may imply, become zero. A quick estimate, not the most
    likely one.

    Args:
        counts: How often state `j` was seen one interval after state `i`.
        lag: The interval.

    Raises:
        ArgumentError: if a state was never seen to be followed by one, or the lag is not positive.
    """
    total = counts.sum(axis=1)
    if not (math.isfinite(lag) and lag > 0):
        raise ArgumentError(f"lag={lag} must be a positive number")
    if not (total > 0).all():
        state = int(np.flatnonzero(total <= 0)[0])
        raise ArgumentError(
            f"state {state} was never seen with a successor", "leave it out, or observe for longer"
        )
    p = counts / total[:, None]
    log = np.real(np.asarray(linalg.logm(p + 0j))) / lag
    if not np.isfinite(log).all():
        log = (p - np.eye(len(p))) / lag
    return _close(np.maximum(log, 0.0))


def count_transitions(
    trajectories: Iterable[Int[np.ndarray, " _"]], lag: int = 1, n_states: int | None = None
) -> Float[np.ndarray, "n n"]:
    """How often state `j` is seen `lag` frames after state `i`, in overlapping windows.

    Args:
        trajectories: States at equal intervals; frames of a negative state count for nothing.
        lag: Number of frames.
        n_states: Number of states; default: the largest seen plus one.
    """
    ways = [np.asarray(way) for way in trajectories]
    n = n_states or int(max((way.max(initial=-1) for way in ways), default=-1)) + 1
    counts = np.zeros((n, n))
    for way in ways:
        first, last = way[:-lag], way[lag:]
        known = (first >= 0) & (last >= 0)
        np.add.at(counts, (first[known], last[known]), 1.0)
    return counts


def _close(rates: np.ndarray) -> np.ndarray:
    """With a diagonal that makes every row add up to zero."""
    out = rates.copy()
    np.fill_diagonal(out, 0.0)
    np.fill_diagonal(out, -out.sum(axis=1))
    return out
