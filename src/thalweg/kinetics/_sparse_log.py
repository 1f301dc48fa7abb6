"""Sparse matrices that hold logarithms."""

from collections.abc import Iterable

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Bool, Float, Int
from scipy.sparse import csgraph

from thalweg.core import ArgumentError

States = int | np.integer | np.ndarray | Iterable[int]
"""One state, several, or a mask, by position."""


def log_sum(values: Float[np.ndarray, " n"]) -> float:
    """`ln Σ exp(values)`; `-inf` of nothing."""
    top = float(np.max(values, initial=-np.inf))
    if not np.isfinite(top):
        return top
    return top + float(np.log(np.sum(np.exp(values - top))))


def log_matrix(
    rows: Int[np.ndarray, " entries"],
    columns: Int[np.ndarray, " entries"],
    logs: Float[np.ndarray, " entries"],
    n: int,
) -> sparse.csr_array:
    """Compressed rows of logarithms; entries of one place are added up, the diagonal left out."""
    keep = (rows != columns) & ~np.isneginf(logs)
    place = rows[keep].astype(np.int64) * n + columns[keep]
    order = np.argsort(place, kind="stable")
    place, logs = place[order], logs[keep][order]
    if len(place):
        first = np.flatnonzero(np.concatenate(([True], np.diff(place) > 0)))
        logs = np.logaddexp.reduceat(logs, first)
        place = place[first]
    ptr = np.concatenate(([0], np.cumsum(np.bincount(place // max(n, 1), minlength=n))))
    return sparse.csr_array((logs, (place % max(n, 1)).astype(np.int32), ptr), shape=(n, n))


def row_log_sums(log: sparse.csr_array) -> Float[np.ndarray, " n"]:
    """`ln Σ_j exp(log_ij)` of every row; `-inf` of an empty one."""
    sums = np.full(log.shape[0], -np.inf)
    filled = np.flatnonzero(np.diff(log.indptr))
    if len(filled):
        sums[filled] = np.logaddexp.reduceat(log.data, log.indptr[filled])
    return sums


def owners(log: sparse.csr_array) -> Int[np.ndarray, " entries"]:
    """The row of every stored entry."""
    return np.repeat(np.arange(log.shape[0]), np.diff(log.indptr))


def structure(log: sparse.csr_array) -> sparse.csr_array:
    """Which places are stored, as ones."""
    ones = np.ones(log.nnz, dtype=np.int8)
    return sparse.csr_array((ones, log.indices, log.indptr), shape=log.shape)


def reaches(log: sparse.csr_array, target: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """From which states a path leads to the target (its own states included)."""
    n = log.shape[0]
    if not target.any():
        return np.zeros(n, dtype=bool)
    # One more state, from which every state of the target can be reached backwards.
    back = structure(log).T.tocoo()
    inside = np.flatnonzero(target)
    rows = np.concatenate((back.coords[0], np.full(len(inside), n)))
    columns = np.concatenate((back.coords[1], inside))
    graph = sparse.csr_array(
        (np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(n + 1, n + 1)
    )
    found = csgraph.breadth_first_order(graph, n, return_predecessors=False)
    out = np.zeros(n + 1, dtype=bool)
    out[found] = True
    return out[:n]


def mask(states: States, n: int, name: str) -> Bool[np.ndarray, " n"]:
    """States as a mask.

    Raises:
        ArgumentError: if there are none, or some do not exist.
    """
    chosen = np.atleast_1d(np.asarray(list(states) if isinstance(states, Iterable) else states))
    if chosen.dtype == bool:
        if chosen.shape != (n,):
            raise ArgumentError(f"{name} is a mask of {len(chosen)} states, but there are {n}")
    else:
        if len(chosen) and not np.issubdtype(chosen.dtype, np.integer):
            raise ArgumentError(f"{name} holds {chosen[0]!r}, which is no position of a state")
        chosen = chosen.astype(np.int64)
        wrong = chosen[(chosen < 0) | (chosen >= n)]
        if len(wrong):
            raise ArgumentError(
                f"{name} names state {wrong[0]}, but there are {n} (0…{n - 1})",
                "states are counted by position; `chain.positions(ids)` finds those of ids",
            )
        positions = chosen
        chosen = np.zeros(n, dtype=bool)
        chosen[positions] = True
    if not chosen.any():
        raise ArgumentError(f"{name} holds no state")
    return chosen
