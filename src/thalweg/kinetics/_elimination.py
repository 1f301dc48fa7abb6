"""Graph transformation: taking states out of a Markov chain without changing what is left.

Eliminating a state `x` gives every pair of its neighbours the rate of passing through it,
`q_ij += q_ix q_xj / d_x` with `d_x = Σ_j≠x q_xj`, and every neighbour its waiting time,
`c_i += c_x q_ix / d_x`. First-passage times, committors and stationary probabilities of the
remaining states stay what they were. `d_x` is a sum of rates and never a difference, so that each
result has nearly all its digits at any temperature.

States with few neighbours go first, many at a time, no two of them joined; when the rest has
filled up it is stored densely and eliminated in blocks, by matrix products of numbers that are
not negative. Numbers have an exponent of their own (`_elimination_kernel`).

In the cold, rates through eliminated states span hundreds of decades, although the smallest hardly
ever matter. Where a result can be checked afterwards, the dense part may leave out those that are
290 decades below the largest of their row, and stays with floats. Leaving out rates `δ_ij` changes
any solution `t` of `Σ_j q_ij (t_i - t_j) = c_i` by `Σ G_ki δ_ij (t_i - t_j)`, with `G_ki` the time
spent in `i` on the way from `k`; `G_ki c_i <= t_k`. So its relative error is at most
`max t · Σ δ_ij / c_i` (`log_neglect`). If that is above 1e-15, exponents are carried throughout.

Source: W. K. Grassmann, M. I. Taksar and D. P. Heyman, Oper. Res. 33, 1107 (1985); D. J. Wales,
J. Chem. Phys. 130, 204111 (2009). The error bound is of C. A. O'Cinneide, Numer. Math. 65, 109
(1993).
"""

import dataclasses
import math
from typing import Any

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Bool, Float, Int

from . import _elimination_kernel as kernels
from ._sparse_log import log_sum

_RADIX = 480 * math.log(2.0)
# States of up to this times the smallest number of neighbours are eliminated in one round.
_SLACK = 1.6
# Filled beyond this share, the rest is stored densely.
_DENSE = 0.2
_BLOCK, _WIDE_BLOCK = 96, 64
# Rows of the dense part are scaled so that this is the logarithm of their largest rate: sums of a
# million of these do not overflow.
_TOP = 640.0
# Logarithms that floats may span there: then even a product of two of the smallest, divided by the
# largest, does not underflow (2 (640 - 670) - 640 > -708).
_SPAN = 670.0
# Whatever does underflow later on is divided by a pivot and multiplied with a rate at most. With
# pivots of at least this size that stays e^48 below the smallest rate at the outset.
_LEAST_PIVOT = math.exp(10.0)
# Rates below this may be left out: then neither a factor nor a product underflows.
_FLOOR = -25.0
# The largest relative error that rates left out may cause (logarithm).
_NEGLIGIBLE = math.log(1e-15)

Wide = tuple[np.ndarray, np.ndarray]
Factors = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Rows = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def widen(log: Float[np.ndarray, "*shape"]) -> Wide:
    """Numbers from their natural logarithms (`-inf`: zero) as mantissas and exponents."""
    zero = np.isneginf(log)
    safe = np.where(zero, 0.0, log)
    exponent = np.round(safe / _RADIX)
    return np.where(zero, 0.0, np.exp(safe - exponent * _RADIX)), exponent.astype(np.int32)


def narrow(mantissa: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """Natural logarithms of mantissas and exponents."""
    with np.errstate(divide="ignore"):
        log = np.log(mantissa)
    return np.where(mantissa > 0, log + exponent * _RADIX, -np.inf)


def negligible(log_error: float) -> bool:
    """Whether a relative error, given by its logarithm, is one that nobody need care about."""
    return bool(log_error <= _NEGLIGIBLE)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Elimination:
    """A chain from which all states but some have been eliminated, and how to get back.

    Attributes:
        n: Number of states in all.
        core: States of the dense part: first those eliminated there, then those kept.
        eliminated: How many of the core are eliminated.
        matrix: Dense factors and rates, in place; with exponents in `exponents` unless empty.
        exponents: See `matrix`.
        pivots: Exit rates of the core's eliminated states.
        row_log_scale: What the rows of the core were multiplied with.
        rows: Rates of the states eliminated before, as compressed rows.
        factors: `(i, s, mantissa, exponent)` of `q_is / d_s`, in the order of elimination.
        log_lost: Logarithms of how much of each core state's rates was left out at most.
    """

    n: int
    core: Int[np.ndarray, " core"]
    eliminated: int
    matrix: Float[np.ndarray, "core core"]
    exponents: Int[np.ndarray, "_ _"]
    pivots: Wide
    row_log_scale: Float[np.ndarray, " core"]
    rows: Rows
    factors: Factors
    log_lost: Float[np.ndarray, " core"]

    @property
    def kept(self) -> Int[np.ndarray, " kept"]:
        """The states that are left."""
        return self.core[self.eliminated :]

    def log_rates(self) -> Float[np.ndarray, "kept kept"]:
        """Logarithms of the rates between the kept states; the diagonal is `-inf`."""
        part = slice(self.eliminated, None)
        block = self.matrix[part, part]
        exponents = self.exponents[part, part] if self.exponents.size else np.zeros_like(block)
        log = narrow(block, exponents) - self.row_log_scale[part, None]
        np.fill_diagonal(log, -np.inf)
        return log

    def log_neglect(self, log_source: Float[np.ndarray, " n"]) -> float:
        """`ln Σ_i δ_i / c_i`: rates that were left out, times what the source makes of a visit."""
        if np.isneginf(self.log_lost).all():
            return -math.inf
        m, e = widen(log_source)
        kernels.forward_list(*self.factors, m, e)
        lost = ~np.isneginf(self.log_lost)
        return log_sum(self.log_lost[lost] - narrow(m[self.core], e[self.core])[lost])

    def gather(self, log_source: Float[np.ndarray, " n"]) -> Float[np.ndarray, " kept"]:
        """What the kept states inherit of a source (waiting times, say), as logarithms."""
        m, e = self._forward(log_source)
        inherited = narrow(m[self.eliminated :], e[self.eliminated :])
        return inherited - self.row_log_scale[self.eliminated :]

    def solve(
        self,
        log_source: Float[np.ndarray, " n"],
        log_boundary: Float[np.ndarray, " n"],
    ) -> Float[np.ndarray, " n"]:
        """Solve `Σ_j q_ij (t_i - t_j) = c_i` for the eliminated states.

        Args:
            log_source: `ln c`; only non-negative sources have one.
            log_boundary: `ln t` at the kept states.

        Returns:
            `ln t` of every state.
        """
        m, e = widen(log_source)
        kernels.forward_list(*self.factors, m, e)
        core_m, core_e = self._enter(m, e)
        kernels.forward_dense(self.matrix, self.exponents, self.eliminated, core_m, core_e)
        kept = slice(self.eliminated, None)
        core_m[kept], core_e[kept] = widen(log_boundary[self.kept])
        kernels.backward_dense(
            self.matrix, self.exponents, self.eliminated, *self.pivots, core_m, core_e
        )
        m[self.core], e[self.core] = core_m, core_e
        kernels.backward_rows(*self.rows, m, e)
        return narrow(m, e)

    def stationary(self, log_kept: Float[np.ndarray, " kept"]) -> Float[np.ndarray, " n"]:
        """Extend stationary weights of the kept states to all (logarithms, not normalised)."""
        log = np.full(self.n, -np.inf)
        log[self.kept] = log_kept
        m, e = widen(log[self.core] - self.row_log_scale)
        kernels.stationary_dense(self.matrix, self.exponents, self.eliminated, m, e)
        all_m, all_e = widen(np.full(self.n, -np.inf))
        all_m[self.core], all_e[self.core] = widen(narrow(m, e) + self.row_log_scale)
        kernels.stationary_list(*self.factors, all_m, all_e)
        return narrow(all_m, all_e)

    def _forward(self, log_source: Float[np.ndarray, " n"]) -> Wide:
        m, e = widen(log_source)
        kernels.forward_list(*self.factors, m, e)
        m, e = self._enter(m, e)
        kernels.forward_dense(self.matrix, self.exponents, self.eliminated, m, e)
        return m, e

    def _enter(self, m: np.ndarray, e: np.ndarray) -> Wide:
        """Sources of the core, scaled as its rows are."""
        return widen(narrow(m[self.core], e[self.core]) + self.row_log_scale)


def eliminate(
    log_rates: sparse.csr_array,
    keep: Bool[np.ndarray, " n"],
    *,
    wide: bool | None = None,
    lossy: bool = False,
) -> Elimination:
    """Eliminate all states but some.

    Args:
        log_rates: Logarithms of the rates, one stored entry for each ordered pair that has one,
            none on the diagonal.
        keep: Which states stay. From every other state some path must lead to one of them.
        wide: Whether to carry exponents through the dense part too; by default, if the rates
            span so many decades that floats might not do.
        lossy: Whether, instead, rates may be left out that are far too small to matter; the caller
            must check `log_neglect`.

    Returns:
        The elimination, which solves for any source.
    """
    n = len(keep)
    ptr, idx = log_rates.indptr.astype(np.int64), log_rates.indices.astype(np.int32)
    m, e = widen(log_rates.data)
    alive, rows, factors = np.ones(n, dtype=bool), [], []
    while True:
        candidates = np.flatnonzero(alive & ~keep)
        left = int(alive.sum())
        if not len(candidates) or len(idx) > _DENSE * left * left:
            break
        degree = np.diff(ptr)
        order = candidates[np.argsort(degree[candidates], kind="stable")]
        limit = max(int(_SLACK * degree[order[0]]), int(degree[order[0]]) + 1)
        chosen = kernels.choose(ptr, idx, order, limit)
        dm, de = kernels.row_sums(ptr, m, e)
        states = np.flatnonzero(chosen)
        taken = np.repeat(chosen, degree)
        rows.append(
            (states, degree[states], idx[taken], m[taken], e[taken], dm[states], de[states])
        )
        ptr, idx, m, e, *found = kernels.eliminate_round(ptr, idx, m, e, chosen, dm, de)
        factors.append(found)
        alive[states] = False
    core = np.concatenate((np.flatnonzero(alive & ~keep), np.flatnonzero(alive & keep)))
    count = int((alive & ~keep).sum())
    log = _dense(core, ptr, idx, narrow(m, e))
    return Elimination(
        n=n,
        core=core,
        eliminated=count,
        rows=_join_rows(rows),
        factors=_join(factors, (np.int32, np.int32, np.float64, np.int32)),
        **_eliminate_core(log, count, wide=wide, lossy=lossy),
    )


def _dense(core: np.ndarray, ptr: np.ndarray, idx: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Logarithms of the rates among the states of the core, as a full matrix."""
    position = np.full(len(ptr) - 1, -1)
    position[core] = np.arange(len(core))
    owner = np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))
    full = np.full((len(core), len(core)), -np.inf)
    full[position[owner], position[idx]] = log
    return full


def _eliminate_core(log: np.ndarray, count: int, *, wide: bool | None, lossy: bool) -> dict:
    """Eliminate the first `count` states of a full matrix of logarithms."""
    scale = _TOP - np.max(log, axis=1, initial=-np.inf)
    empty = ~np.isfinite(scale)
    scale[empty] = 0.0
    log += scale[:, None]
    none = np.full(len(log), -np.inf)
    if wide is None:
        lowest = np.min(log, where=np.isfinite(log), initial=_TOP)
        wide = bool(lowest < _TOP - _SPAN)
    if not wide and (found := _eliminate_blocks(np.exp(log), count)):
        return {**found, "row_log_scale": scale, "log_lost": none}
    if lossy:
        matrix = np.exp(np.where(log < _FLOOR, -np.inf, log))
        if found := _eliminate_blocks(matrix, count, floor=math.exp(_FLOOR)):
            lost = np.where(empty, none, math.log(len(log)) + _FLOOR - scale)
            return {**found, "row_log_scale": scale, "log_lost": lost}
    matrix, exponents = widen(log)
    pivots = (np.ones(count), np.zeros(count, dtype=np.int32))
    _eliminate_wide_blocks(matrix, exponents, pivots)
    return {
        "matrix": matrix,
        "exponents": exponents,
        "pivots": pivots,
        "row_log_scale": scale,
        "log_lost": none,
    }


def _eliminate_blocks(matrix: np.ndarray, count: int, *, floor: float = 0.0) -> dict | None:
    """Blocked elimination in floats, in place; nothing if a pivot comes near underflow.

    With a `floor`, rates below it are left out when it is their turn.
    """
    pivots = np.ones(count)
    least = floor or _LEAST_PIVOT
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        kernels.panel(matrix, start, stop, pivots, floor)
        if pivots[start:stop].min() < least:
            return None
        for low in range(stop, len(matrix), 512):
            part = slice(low, low + 512)
            matrix[part, stop:] += matrix[part, start:stop] @ matrix[start:stop, stop:]
    return {
        "matrix": matrix,
        "exponents": np.zeros((0, 0), dtype=np.int32),
        "pivots": (pivots, np.zeros(count, dtype=np.int32)),
    }


def _eliminate_wide_blocks(matrix: np.ndarray, exponents: np.ndarray, pivots: Wide) -> None:
    """The same with exponents: matrix products for each sum of two exponents that occur."""
    for start in range(0, len(pivots[0]), _WIDE_BLOCK):
        stop = min(start + _WIDE_BLOCK, len(pivots[0]))
        kernels.panel_wide(matrix, exponents, start, stop, *pivots)
        right = _levels(matrix[start:stop, stop:], exponents[start:stop, stop:])
        for low in range(stop, len(matrix), 512):
            rows = slice(low, low + 512)
            target = matrix[rows, stop:], exponents[rows, stop:]
            left = _levels(matrix[rows, start:stop], exponents[rows, start:stop])
            floor = kernels.least_exponent(*target)
            for total in sorted({e + f for e in left for f in right}, reverse=True):
                if total <= floor - kernels.NEGLIGIBLE:
                    break
                pairs = [(left[e], right[total - e]) for e in left if total - e in right]
                product = sum(a @ b for a, b in pairs)
                kernels.add_product(*target, product, total)


def _levels(matrix: np.ndarray, exponents: np.ndarray) -> dict[int, np.ndarray]:
    """The part of a matrix that belongs to each exponent."""
    occurring = np.unique(exponents[matrix != 0])
    return {int(e): np.where(exponents == e, matrix, 0.0) for e in occurring}


def _join(parts: list, kinds: tuple[type, ...]) -> Any:
    """Lists of arrays, end to end."""
    if not parts:
        return tuple(np.zeros(0, dtype=kind) for kind in kinds)
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _join_rows(parts: list) -> Rows:
    """Eliminated rows as `(states, pointers, columns, mantissas, exponents, pivots)`."""
    kinds = (np.int64, np.int64, np.int32, np.float64, np.int32, np.float64, np.int32)
    states, degree, idx, m, e, dm, de = _join(parts, kinds)
    ptr = np.concatenate(([0], np.cumsum(degree))).astype(np.int64)
    return states, ptr, idx, m, e, dm, de
