"""First-passage times, committors, stationary probabilities and rate constants of a chain.

Everything is in logarithms, so that nothing under- or overflows, and comes from
`_elimination.eliminate`, which never subtracts.
"""

import dataclasses
import math

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Bool, Float

from ._elimination import Elimination, eliminate, negligible
from ._sparse_log import log_matrix, log_sum, owners, reaches, size


def _exp(value: float) -> float:
    """`exp` that says infinity where it overflows."""
    return math.exp(value) if value < 709.78 else math.inf


@dataclasses.dataclass(frozen=True, kw_only=True)
class RateConstants:
    """How fast a chain goes from the set of states A to the set B, in four ways.

    With `p_a` the equilibrium probability of `a` within A (they add up to 1), `t_aB` the mean
    first-passage time from `a` to B, `q'_aB` the rate from `a` to B and `c'_a` the mean waiting
    time factor after all states outside A and B have been eliminated:

    Attributes:
        log_mfpt: `ln Σ_a p_a t_aB`, the mean first-passage time from equilibrium in A.
        log_rate: `ln Σ_a p_a / t_aB`.
        log_steady_state: `ln Σ_a p_a q'_aB`: time spent outside A and B does not count, and A
            stays in equilibrium.
        log_non_steady_state: `ln Σ_a p_a q'_aB / c'_a`: time spent outside counts.

    Source: D. J. Wales, J. Chem. Phys. 130, 204111 (2009), eqs. 3 to 5 (there written from right to
    left).
    """

    log_mfpt: float
    log_rate: float
    log_steady_state: float
    log_non_steady_state: float

    @property
    def mfpt(self) -> float:
        """Mean first-passage time; infinite where no path leads, or above 1e308."""
        return _exp(self.log_mfpt)

    @property
    def rate(self) -> float:
        """Mean of the inverse first-passage times."""
        return _exp(self.log_rate)

    @property
    def steady_state(self) -> float:
        """The steady-state rate constant."""
        return _exp(self.log_steady_state)

    @property
    def non_steady_state(self) -> float:
        """The non-steady-state rate constant."""
        return _exp(self.log_non_steady_state)


def collapse(
    log_rates: sparse.csr_array, groups: list[Bool[np.ndarray, " n"]], keep: Bool[np.ndarray, " n"]
) -> tuple[sparse.csr_array, np.ndarray]:
    """The states of each group made one absorbing state, and all others but `keep` left out.

    Returns:
        Rates, with the groups as the last states, and the new position of every old state.
    """
    n = len(keep)
    inside = keep & ~np.logical_or.reduce(groups)
    count = int(inside.sum())
    position = np.full(n, -1)
    position[inside] = np.arange(count)
    for i, group in enumerate(groups):
        position[group] = count + i
    rows, columns = owners(log_rates), log_rates.indices
    stays = inside[rows] & (position[columns] >= 0)
    total = count + len(groups)
    log = log_matrix(position[rows[stays]], position[columns[stays]], log_rates.data[stays], total)
    return log, position


def log_mfpts(
    log_rates: sparse.csr_array,
    target: Bool[np.ndarray, " n"],
    log_source: Float[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, " n"]:
    """`ln` of the mean first-passage time from every state to the target.

    Args:
        log_rates: `ln k_ij`, without a diagonal.
        target: Which states end the passage.
        log_source: `ln` of what a unit of time in each state counts for (default 0: one).

    Returns:
        `-inf` on the target, `inf` from where it is not sure to be reached.
    """
    n = len(target)
    can = reaches(log_rates, target)
    # A state from which one can get to where the target cannot be reached never surely arrives.
    open_ended = ~can
    rows = owners(log_rates)
    away = ~target[rows]
    if open_ended.any():
        outside = sparse.csr_array(
            (log_rates.data[away], (rows[away], log_rates.indices[away])), shape=(n, n)
        )
        open_ended = reaches(outside, open_ended) & ~target
    keep = ~open_ended
    out = np.full(n, np.inf)
    out[target] = -np.inf
    log, position = collapse(log_rates, [target], keep)
    inside = keep & ~target
    if not inside.any():
        return out
    kept = np.zeros(size(log), dtype=bool)
    kept[-1] = True
    source = np.full(size(log), -np.inf)
    source[:-1] = 0.0 if log_source is None else log_source[inside]
    nothing = np.full(size(log), -np.inf)
    reduced = eliminate(log, kept, lossy=True)
    times = reduced.solve(source, nothing)
    if not negligible(reduced.log_neglect(source) + times[:-1].max()):
        times = eliminate(log, kept, wide=True).solve(source, nothing)
    out[inside] = times[position[inside]]
    return out


def committor(
    log_rates: sparse.csr_array, a: Bool[np.ndarray, " n"], b: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """`ln` of the probability of reaching B before A from every state.

    Returns:
        `-inf` in A and 0 in B; NaN from where neither can be reached.
    """
    known = reaches(log_rates, a | b)
    log, position = collapse(log_rates, [a, b], known)
    m = size(log)
    kept = np.zeros(m, dtype=bool)
    kept[-2:] = True
    boundary = np.full(m, -np.inf)
    boundary[-1] = 0.0
    nothing = np.full(m, -np.inf)
    reduced = eliminate(log, kept, lossy=True)
    solved = reduced.solve(nothing, boundary)
    neglect = reduced.log_neglect(np.zeros(m))
    if np.isfinite(neglect):
        # A probability changes by no more than the time until it is decided, times the neglect.
        times = reduced.solve(np.zeros(m), nothing)
        if not negligible(neglect + (times - solved)[:-2].max()):
            solved = eliminate(log, kept, wide=True).solve(nothing, boundary)
    solved[-2:] = -np.inf, 0.0
    out = np.full(len(a), np.nan)
    out[known] = np.minimum(solved[position[known]], 0.0)
    return out


def log_stationary(log_rates: sparse.csr_array) -> Float[np.ndarray, " n"]:
    """`ln` of the stationary probabilities of a chain in which every state leads to every other."""
    n = size(log_rates)
    keep = np.zeros(n, dtype=bool)
    keep[0] = True
    log = eliminate(log_rates, keep).stationary(np.zeros(1))
    return log - log_sum(log)


def rate_constants(
    log_rates: sparse.csr_array,
    log_weights: Float[np.ndarray, " n"],
    a: Bool[np.ndarray, " n"],
    b: Bool[np.ndarray, " n"],
) -> tuple[RateConstants, RateConstants]:
    """Rate constants from A to B and back, from one elimination of everything else.

    Args:
        log_rates: `ln k_ij`, without a diagonal.
        log_weights: `ln π`.
        a: Which states are in A.
        b: Which states are in B; none of A.
    """
    useful = reaches(log_rates, a | b)
    position = np.cumsum(useful) - 1
    rows, columns = owners(log_rates), log_rates.indices
    stays = useful[rows] & useful[columns]
    log = log_matrix(
        position[rows[stays]], position[columns[stays]], log_rates.data[stays], int(useful.sum())
    )
    kept = (a | b)[useful]
    reduced = eliminate(log, kept, lossy=True)
    logs, waits = reduced.log_rates(), reduced.gather(np.zeros(reduced.n))
    if not _sure(reduced, logs, waits):
        reduced = eliminate(log, kept, wide=True)
        logs, waits = reduced.log_rates(), reduced.gather(np.zeros(reduced.n))
    states = np.flatnonzero(useful)[reduced.kept]
    i, j = np.nonzero(~np.isneginf(logs))
    small = log_matrix(i, j, logs[i, j], len(states))
    in_a, weights = a[states], log_weights[states]
    forward = _one_way(small, logs, waits, weights, in_a)
    return forward, _one_way(small, logs, waits, weights, ~in_a)


def _sure(reduced: Elimination, logs: np.ndarray, waits: np.ndarray) -> bool:
    """Whether rates left out change neither the rates between the kept states nor their waits.

    A unit of time in a kept state `a` has at most `c'_a / c_i` of it in `i` until the next kept
    one.
    """
    ones = np.zeros(reduced.n)
    neglect = reduced.log_neglect(ones)
    if np.isneginf(neglect):
        return True
    times = reduced.solve(ones, np.full(len(ones), -np.inf))
    away = ~np.eye(len(logs), dtype=bool)
    share = (waits[:, None] - logs)[away].max(initial=-np.inf)
    return negligible(neglect + max(share, times.max()))


def _one_way(
    small: sparse.csr_array,
    logs: Float[np.ndarray, "k k"],
    waits: Float[np.ndarray, " k"],
    weights: Float[np.ndarray, " k"],
    source: Bool[np.ndarray, " k"],
) -> RateConstants:
    """Rate constants out of `source` in the reduced chain."""
    share = weights[source] - log_sum(weights[source])
    exits = np.logaddexp.reduce(logs[np.ix_(source, ~source)], axis=1)
    times = log_mfpts(small, ~source, waits)[source]
    return RateConstants(
        log_mfpt=log_sum(share + times) if not np.isposinf(times).any() else math.inf,
        log_rate=log_sum(share - times),
        log_steady_state=log_sum(share + exits),
        log_non_steady_state=log_sum(share + exits - waits[source]),
    )
