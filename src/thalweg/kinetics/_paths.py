"""The fastest paths between two sets of states, and the lowest.

A path's weight is the probability that a walker takes exactly these steps, the product of the
branching probabilities `k_ij / Σ_l k_il`; the fastest path is the heaviest. Dijkstra's algorithm
finds it with `-ln` of the branching probabilities as lengths, and Yen's the next ones.

Source: D. A. Evans and D. J. Wales, J. Chem. Phys. 121, 1080 (2004); J. Y. Yen, Management Science
17, 712 (1971).
"""

import dataclasses
import heapq

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Bool, Float, Int
from scipy.sparse import csgraph

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork

from ._sparse_log import log_sum, owners, row_log_sums


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RatePath:
    """A path through a chain.

    Attributes:
        states: Positions of its states, from A to B.
        ids: Their ids.
        transition_states: Position of the dominating transition state of each step (that with
            the largest rate); empty if the chain has no network.
        log_branching: `ln` of the branching probability of each step.
        log_rates: `ln` of the rate constant of each step.
        log_weight: `ln` of the whole path's probability, the start's share of A included.
        limiting_step: The step of the smallest equilibrium flux `π_i k_ij`, which limits the rate.
    """

    states: Int[np.ndarray, " states"]
    ids: Int[np.ndarray, " states"]
    transition_states: Int[np.ndarray, " steps"]
    log_branching: Float[np.ndarray, " steps"]
    log_rates: Float[np.ndarray, " steps"]
    log_weight: float
    limiting_step: int

    @property
    def weight(self) -> float:
        """Probability of the path."""
        return float(np.exp(self.log_weight))

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.states) - 1


class _Graph:
    """Lengths `-ln P_ij`, with an entrance that leads to A and an exit that B leads to."""

    def __init__(
        self,
        log_rates: sparse.csr_array,
        a: Bool[np.ndarray, " n"],
        b: Bool[np.ndarray, " n"],
        log_share: Float[np.ndarray, " n"],
    ):
        n = len(a)
        rows = owners(log_rates)
        branching = log_rates.data - row_log_sums(log_rates)[rows]
        # A path begins when it leaves A for the last time and ends when it first meets B.
        inner = ~b[rows] & ~a[log_rates.indices]
        in_a, in_b = np.flatnonzero(a), np.flatnonzero(b)
        start, stop = np.full(len(in_a), n), np.full(len(in_b), n + 1)
        heads = np.concatenate((rows[inner], start, in_b))
        tails = np.concatenate((log_rates.indices[inner], in_a, stop))
        lengths = np.concatenate((-branching[inner], -log_share[in_a], np.zeros(len(in_b))))
        order = np.lexsort((tails, heads))
        self.tails = tails[order].astype(np.int32)
        # Steps that are certain keep a length that a sparse graph does not take for "no edge".
        self.lengths = np.maximum(lengths[order], 1e-300)
        self.ptr = np.concatenate(([0], np.cumsum(np.bincount(heads, minlength=n + 2))))
        self.n, self.entrance, self.exit = n, n, n + 1

    def length(self, i: int, j: int) -> float:
        row = slice(self.ptr[i], self.ptr[i + 1])
        return float(self.lengths[row][np.searchsorted(self.tails[row], j)])

    def shortest(
        self, start: int, barred: list[int], without: set[int]
    ) -> tuple[float, list[int]] | None:
        """The shortest way from `start` to the exit that avoids some states and first steps."""
        lengths = self.lengths.copy()
        for state in barred:
            lengths[self.ptr[state] : self.ptr[state + 1]] = np.inf
        if barred:
            lengths[np.isin(self.tails, barred)] = np.inf
        row = slice(self.ptr[start], self.ptr[start + 1])
        lengths[row][np.isin(self.tails[row], list(without))] = np.inf
        shape = (self.n + 2, self.n + 2)
        graph = sparse.csr_array((lengths, self.tails, self.ptr), shape=shape)
        distance, before = csgraph.dijkstra(graph, indices=start, return_predecessors=True)
        if not np.isfinite(distance[self.exit]):
            return None
        way = [self.exit]
        while way[-1] != start:
            way.append(int(before[way[-1]]))
        return float(distance[self.exit]), way[::-1]


def fastest_ways(
    log_rates: sparse.csr_array,
    a: Bool[np.ndarray, " n"],
    b: Bool[np.ndarray, " n"],
    log_share: Float[np.ndarray, " n"],
    count: int,
) -> list[list[int]]:
    """The `count` heaviest paths from A to B without loops, heaviest first, as lists of states."""
    graph = _Graph(log_rates, a, b, log_share)
    first = graph.shortest(graph.entrance, [], set())
    if first is None:
        return []
    found = [first[1]]
    waiting: list[tuple[float, list[int]]] = []
    while len(found) < count:
        last = found[-1]
        for k in range(len(last) - 2):
            root, spur = last[: k + 1], last[k]
            without = {way[k + 1] for way in found if way[: k + 1] == root}
            branch = graph.shortest(spur, root[:-1], without)
            if branch is None:
                continue
            way = root[:-1] + branch[1]
            length = sum(graph.length(i, j) for i, j in zip(root, root[1:], strict=False))
            if all(way != other for _, other in waiting):
                heapq.heappush(waiting, (length + branch[0], way))
        if not waiting:
            break
        found.append(heapq.heappop(waiting)[1])
    return [way[1:-1] for way in found]


def describe(
    way: list[int],
    log_rates: sparse.csr_array,
    log_share: Float[np.ndarray, " n"],
    log_weights: Float[np.ndarray, " n"],
    ids: Int[np.ndarray, " n"],
    dominating: sparse.csr_array | None,
) -> RatePath:
    """A path as a record; `dominating` holds a transition state's position plus one."""
    states = np.array(way, dtype=int)
    steps = list(zip(way, way[1:], strict=False))
    logs = np.array([_entry(log_rates, i, j) for i, j in steps], dtype=float)
    branching = logs - row_log_sums(log_rates)[states[:-1]]
    edges = [] if dominating is None else [int(_entry(dominating, i, j)) - 1 for i, j in steps]
    return RatePath(
        states=states,
        ids=ids[states],
        transition_states=np.array(edges, dtype=int),
        log_branching=branching,
        log_rates=logs,
        log_weight=float(log_share[states[0]] + branching.sum()),
        limiting_step=int(np.argmin(log_weights[states[:-1]] + logs)),
    )


def share(log_weights: Float[np.ndarray, " n"], a: Bool[np.ndarray, " n"]) -> np.ndarray:
    """`ln` of the equilibrium probabilities within A; `-inf` outside."""
    out = np.full(len(a), -np.inf)
    out[a] = log_weights[a] - log_sum(log_weights[a])
    return out


def lowest_path(network: TransitionNetwork, a: int, b: int) -> tuple[list[int], list[int]]:
    """The path over the lowest barriers: every barrier on it is as low as it can be.

    It runs along the minimum spanning forest of the network.

    Args:
        network: Minima and transition states.
        a: Position of the minimum that it begins at.
        b: Position of the one that it ends at.

    Returns:
        Positions of the minima, and of the transition states between them.

    Raises:
        ArgumentError: if no path leads from `a` to `b`.
    """
    network.lowest_barrier(a, b)  # checks the positions
    if network.components[a] != network.components[b]:
        raise ArgumentError(
            f"no path leads from minimum {a} (component {network.components[a]}) to minimum {b} "
            f"(component {network.components[b]})",
            "map the system further, or choose minima of one component",
        )
    forest = network.spanning_forest
    marks = np.arange(1, len(forest.energies) + 1)
    shape = (network.n_minima, network.n_minima)
    graph = sparse.csr_array((marks, (forest.minima[:, 0], forest.minima[:, 1])), shape=shape)
    graph = (graph + graph.T).tocsr()
    _, before = csgraph.breadth_first_order(graph, b, directed=False)
    way = [a]
    while way[-1] != b:
        way.append(int(before[way[-1]]))
    edges = [
        int(forest.transition_states[int(_entry(graph, i, j)) - 1])
        for i, j in zip(way, way[1:], strict=False)
    ]
    return way, edges


def _entry(matrix: sparse.csr_array, i: int, j: int) -> float:
    """A stored entry (not a sum over the row, as indexing a sparse matrix would be)."""
    row = slice(matrix.indptr[i], matrix.indptr[i + 1])
    found = np.flatnonzero(matrix.indices[row] == j)
    return float(matrix.data[row][found[0]]) if len(found) else -np.inf
