"""What to search next: strategies that turn what is known into a list of work.

They know no energy and run nothing. Minima are positions `0 … minima - 1`; the record of what
has been tried is an array with one row a trial, `(trials, 2)`, in any order and with repeats.
All are deterministic.

| question | function |
|---|---|
| from which minima to climb next | `single_ended` |
| which pairs would join separate components | `between_components` |
| which gaps remain on the way from one minimum to another | `missing_links` |
| which minima seem to be trapped behind too high a barrier | `untrap` |

Distances after alignment cost milliseconds a pair, too much for every pair of thousands of minima.
`PairDistances` therefore ranks by invariants, which cost nothing, and aligns only what is about to
be chosen.
"""

import dataclasses
import heapq
from collections.abc import Callable, Iterable

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Bool, Float, Int
from scipy.sparse import csgraph
from scipy.spatial import KDTree

from thalweg.core import ArgumentError

Pairs = Int[np.ndarray, "pairs 2"]
Trials = Int[np.ndarray, "trials 2"]
PerMinimum = Float[np.ndarray, " minima"]


class PairDistances:
    """Distances between minima: a free estimate for all pairs, the aligned one on demand.

    The estimate is the distance of the minima's invariants, times a factor: the one that nine in
    ten aligned distances have exceeded so far. It is low on purpose, so that a pair is aligned
    before it is ruled out. Aligned distances are remembered.
    """

    def __init__(
        self,
        features: Float[np.ndarray, "minima features"],
        exact: Callable[[int, int], float],
    ):
        """Start with some minima.

        Args:
            features: Their invariants; the points themselves where the symmetry has none.
            exact: The aligned distance of two minima, given their positions.
        """
        self.features = np.asarray(features, float)
        self._exact = exact
        self._known: dict[tuple[int, int], float] = {}
        self._sorted = (np.zeros(0, int), np.zeros(0))
        self._ratios: list[float] = []
        self._tree: KDTree | None = None

    def extend(self, features: Float[np.ndarray, "more features"]) -> None:
        """Append minima; positions of earlier ones stay."""
        self.features = np.concatenate([self.features, features])
        self._tree = None

    @property
    def evaluations(self) -> int:
        """Number of aligned distances computed so far."""
        return len(self._known)

    def estimate(self, pairs: Pairs) -> Float[np.ndarray, " pairs"]:
        """The aligned distance where it is known, the scaled distance of the invariants else."""
        gaps = self.features[pairs[:, 0]] - self.features[pairs[:, 1]]
        ratio = float(np.quantile(self._ratios, 0.1)) if self._ratios else 1.0
        values = ratio * np.linalg.norm(gaps, axis=1)
        known, row = self._find(pairs)
        values[known] = self._table()[1][row]
        return values

    def _table(self) -> tuple[Int[np.ndarray, " known"], Float[np.ndarray, " known"]]:
        """Names of the aligned pairs in ascending order, and their distances."""
        if len(self._sorted[0]) != len(self._known):
            pairs = np.array(list(self._known), int).reshape(-1, 2)
            names, values = _pair_names(pairs), np.fromiter(self._known.values(), float)
            order = np.argsort(names)
            self._sorted = names[order], values[order]
        return self._sorted

    def _find(self, pairs: Pairs) -> tuple[Bool[np.ndarray, " pairs"], Int[np.ndarray, " found"]]:
        """Which pairs are aligned, and the rows of the table that hold them."""
        names, _ = self._table()
        wanted = _pair_names(pairs)
        if not len(names):
            return np.zeros(len(pairs), bool), np.zeros(0, int)
        row = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
        found = names[row] == wanted
        return found, row[found]

    def aligned(self, pairs: Pairs) -> Float[np.ndarray, " pairs"]:
        """Aligned distances; each pair is computed once."""
        values = np.empty(len(pairs))
        for row, (i, j) in enumerate(np.sort(pairs, axis=1).tolist()):
            if (i, j) not in self._known:
                value = self._known[i, j] = float(self._exact(i, j))
                proxy = float(np.linalg.norm(self.features[i] - self.features[j]))
                if proxy > 0:
                    self._ratios.append(value / proxy)
            values[row] = self._known[i, j]
        return values

    def is_aligned(self, pairs: Pairs) -> Bool[np.ndarray, " pairs"]:
        """Whether the aligned distance of each pair is known."""
        return self._find(pairs)[0]

    def neighbours(self, count: int) -> Pairs:
        """Every minimum with its `count` nearest others, each pair once, `i < j`."""
        if self._tree is None:
            self._tree = KDTree(self.features)
        return self._nearest(self._tree, np.arange(len(self.features)), None, count + 1)

    def neighbours_in(self, members: Int[np.ndarray, " members"], count: int) -> Pairs:
        """Every minimum outside `members` with its `count` nearest inside, each pair once."""
        inside = np.zeros(len(self.features), bool)
        inside[members] = True
        tree = KDTree(self.features[members])
        return self._nearest(tree, np.flatnonzero(~inside), members, count)

    def _nearest(
        self,
        tree: KDTree,
        asking: Int[np.ndarray, " asking"],
        names: Int[np.ndarray, " members"] | None,
        count: int,
    ) -> Pairs:
        count = min(count, tree.n)
        if not len(asking) or not count:
            return np.zeros((0, 2), int)
        found = np.asarray(tree.query(self.features[asking], k=count)[1]).reshape(-1, count)
        found = found if names is None else names[found]
        pairs = np.stack([np.repeat(asking, count), found.reshape(-1)], axis=1)
        pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
        return np.unique(pairs, axis=0)


def single_ended(
    energies: PerMinimum,
    searches: Int[np.ndarray, " minima"],
    budget: int,
    weights: PerMinimum | None = None,
    *,
    burst: int = 1,
) -> Int[np.ndarray, " budget"]:
    """The minima to climb from next, in order of service.

    Fair queueing: the next search goes to the minimum with the fewest bursts of searches for its
    weight, the lowest in energy first. Where there are more minima than can ever be searched,
    bursts keep the work at the bottom of the landscape.

    Args:
        energies: Energies of the minima.
        searches: Searches that each has had.
        budget: Number of searches to hand out.
        weights: Shares, positive; equal by default. See `discovery_weights`.
        burst: Searches that a minimum is given one after another.

    Returns:
        A position for each search; a minimum may come several times.
    """
    if not len(energies) or budget <= 0:
        return np.zeros(0, int)
    weights = np.ones(len(energies)) if weights is None else np.asarray(weights, float)
    if not np.all(weights > 0):
        raise ArgumentError("single_ended: every weight must be positive")
    rank = np.argsort(np.argsort(energies, kind="stable"), kind="stable")

    def turn(position: int, done: int) -> tuple[float, int, int, int]:
        return (done // burst + 1) / weights[position], int(rank[position]), position, done

    heap = [turn(position, done) for position, done in enumerate(searches.tolist())]
    heapq.heapify(heap)
    plan = []
    for _ in range(budget):
        _, _, position, done = heap[0]
        plan.append(position)
        heapq.heapreplace(heap, turn(position, done + 1))
    return np.asarray(plan)


def discovery_weights(
    searches: Int[np.ndarray, " minima"],
    singletons: Int[np.ndarray, " minima"],
    floor: float = 0.05,
) -> PerMinimum:
    """Shares of future searches by the chance that the next one finds something new.

    The chance is the Good-Turing estimate, findings seen once over searches made, with one
    fictitious success, so that an unexplored minimum has the weight 1.

    Args:
        searches: Searches from each minimum.
        singletons: Transition states found exactly once from each minimum.
        floor: Least weight: no minimum is given up.

    Source: Good, Biometrika 40, 237 (1953).
    """
    return np.clip((singletons + 1.0) / (searches + 1.0), floor, 1.0)


def between_components(
    components: Int[np.ndarray, " minima"],
    distances: PairDistances,
    tried: Trials,
    limit: int,
    *,
    tries: int = 1,
    neighbours: int = 16,
) -> Pairs:
    """The nearest pairs of minima in different components, to be joined next.

    First the pairs of a minimum spanning tree over the components, so that few connections
    unite many of them; then, if there is room, further pairs by distance.

    Args:
        components: Label of each minimum's component; 0 is the one to grow.
        distances: Distances of the minima.
        tried: Trials tried so far, one row a trial.
        limit: Largest number of pairs returned.
        tries: Trials after which a pair is given up.
        neighbours: Neighbours of each minimum that are considered.

    Returns:
        Pairs, nearest first; none when everything is connected or given up.
    """
    pairs = _candidates(components, distances, neighbours, (0,))
    pairs = pairs[_trials(pairs, tried) < tries]
    if not len(pairs) or limit <= 0:
        return pairs[:0]
    pairs = pairs[np.argsort(distances.estimate(pairs), kind="stable")]
    groups = _Groups(int(components.max()) + 1)
    joins = np.asarray([groups.join(*row) for row in components[pairs].tolist()], bool)
    # Twice as many as asked for are aligned, so that the estimate need only be roughly right.
    shortlist = np.concatenate([pairs[joins], pairs[~joins]])[: 2 * limit]
    spanning = np.arange(len(shortlist)) < joins.sum()
    order = np.lexsort((distances.aligned(shortlist), ~spanning))[:limit]
    chosen = shortlist[order]
    return chosen[np.argsort(distances.aligned(chosen), kind="stable")]


def missing_links(
    components: Int[np.ndarray, " minima"],
    distances: PairDistances,
    ends: tuple[int, int],
    tried: Trials,
    rule: "LinkRule | None" = None,
) -> Pairs:
    """The gaps on the shortest way from one minimum to another, to be attempted now.

    The way is shortest in the graph of all pairs, where a pair that is connected costs nothing
    and any other a growing function of its distance, so that many short gaps are preferred to a
    long one. As connected pairs cost nothing, the nodes are components.

    Args:
        components: Label of each minimum's component.
        distances: Distances of the minima.
        ends: The two minima that are to be connected.
        tried: Trials tried so far, one row a trial.
        rule: The cost of a gap.

    Returns:
        Pairs in the order of the way; none when the ends are connected, or when every way leads
        over a pair that was given up.

    Source: Carr, Trygubenko & Wales, J. Chem. Phys. 122, 234903 (2005).
    """
    rule = LinkRule() if rule is None else rule
    start, goal = (int(components[end]) for end in ends)
    if start == goal:
        return np.zeros((0, 2), int)
    pairs = _candidates(components, distances, rule.neighbours, (start, goal))
    trials = _trials(pairs, tried)
    pairs, trials = pairs[trials < rule.tries], trials[trials < rule.tries]
    way = np.zeros(0, int)
    # An aligned distance may move the way elsewhere: repeat until the way is made of aligned ones.
    for _ in range(rule.rounds):
        cost = np.maximum(distances.estimate(pairs), 1e-6) ** rule.power * rule.penalty**trials
        way = _shortest(components[pairs], cost, start, goal, int(components.max()) + 1)
        if distances.is_aligned(pairs[way]).all():
            break
        distances.aligned(pairs[way])
    return pairs[way]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkRule:
    """What a gap costs in `missing_links`.

    Attributes:
        power: The cost is the distance to this power.
        tries: Trials after which a pair is given up.
        penalty: Factor on the cost for every trial that failed.
        neighbours: Neighbours of each minimum that are considered.
        rounds: How often the way is found again with aligned distances.
    """

    power: float = 2.0
    tries: int = 2
    penalty: float = 4.0
    neighbours: int = 16
    rounds: int = 30


def untrap(
    energies: PerMinimum,
    barriers: PerMinimum,
    distances: PairDistances,
    tried: Trials,
    limit: int,
    *,
    tries: int = 1,
) -> Pairs:
    """Pairs that might lower a barrier which is high for the energy that lies behind it.

    A minimum is suspicious when the way from it to the lowest minimum climbs high compared with
    the descent. Each is paired with the nearest minimum that reaches the bottom more easily.

    Args:
        energies: Energies of the minima.
        barriers: Energy of the highest transition state on each one's best way to the lowest
            minimum, infinite where there is none (`TransitionNetwork.lowest_barriers`).
        distances: Distances of the minima.
        tried: Trials tried so far, one row a trial.
        limit: Largest number of pairs returned.
        tries: Trials after which a pair is given up.

    Returns:
        Pairs `(trapped, easier)`, most suspicious first.

    Source: Strodel, Whittleston & Wales, J. Am. Chem. Soc. 129, 16005 (2007).
    """
    bottom = energies.min(initial=np.inf)
    descent = energies - bottom
    reach = np.isfinite(barriers) & (descent > 0)
    climb = np.where(reach, barriers - energies, 0.0)
    ratio = np.where(reach, climb / np.where(reach, descent, 1.0), -np.inf)
    pairs = []
    for i in np.argsort(-ratio, kind="stable")[: int(reach.sum())].tolist():
        if len(pairs) >= limit:
            break
        easier = np.flatnonzero((barriers < barriers[i]) & (energies < barriers[i]))
        options = np.stack([np.full(len(easier), i), easier], axis=1)
        options = options[_trials(options, tried) < tries]
        if len(options):
            near = options[np.argsort(distances.estimate(options), kind="stable")[:3]]
            pairs.append(near[np.argmin(distances.aligned(near))])
    return np.asarray(pairs, int).reshape(-1, 2)


def _candidates(
    components: Int[np.ndarray, " minima"],
    distances: PairDistances,
    neighbours: int,
    hubs: Iterable[int],
) -> Pairs:
    """Pairs across components: near neighbours, and everything to the hubs, so none is cut off."""
    parts = [distances.neighbours(neighbours)]
    for hub in hubs:
        members = np.flatnonzero(components == hub)
        parts.append(distances.neighbours_in(members, max(1, neighbours // 4)))
    pairs = np.unique(np.concatenate(parts), axis=0)
    return pairs[components[pairs[:, 0]] != components[pairs[:, 1]]]


def _pair_names(pairs: Pairs) -> Int[np.ndarray, " pairs"]:
    """One number for each unordered pair."""
    return pairs.min(axis=1, initial=2**31) * 2**31 + pairs.max(axis=1, initial=0)


def _trials(pairs: Pairs, tried: Trials) -> Int[np.ndarray, " pairs"]:
    """How often each pair occurs, in either order, among those tried."""
    if not len(tried) or not len(pairs):
        return np.zeros(len(pairs), int)
    names, counts = np.unique(_pair_names(np.asarray(tried, int)), return_counts=True)
    wanted = _pair_names(pairs)
    slot = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    return np.where(names[slot] == wanted, counts[slot], 0)


def _shortest(
    edges: Pairs, cost: Float[np.ndarray, " pairs"], start: int, goal: int, nodes: int
) -> Int[np.ndarray, " steps"]:
    """Which edges make up the cheapest way; of parallel edges the cheapest counts."""
    order = np.argsort(cost, kind="stable")
    low_high = np.sort(edges[order], axis=1)
    names, first = np.unique(low_high[:, 0] * nodes + low_high[:, 1], return_index=True)
    best = order[first]
    low, high = names // nodes, names % nodes
    graph = sparse.csr_array((cost[best], (low, high)), shape=(nodes, nodes))
    _, previous = csgraph.dijkstra(graph, directed=False, indices=start, return_predecessors=True)
    way, node = [], goal
    while node != start:
        before = int(previous[node])
        if before < 0:
            return np.zeros(0, int)
        way.append(best[np.searchsorted(names, min(node, before) * nodes + max(node, before))])
        node = before
    return np.asarray(way[::-1], int)


class _Groups:
    """Disjoint sets of components."""

    def __init__(self, count: int):
        self._parent = list(range(count))

    def _root(self, a: int) -> int:
        while self._parent[a] != a:
            self._parent[a] = self._parent[self._parent[a]]
            a = self._parent[a]
        return a

    def join(self, a: int, b: int) -> bool:
        """Unite two sets; whether they were different."""
        a, b = self._root(a), self._root(b)
        self._parent[max(a, b)] = min(a, b)
        return a != b
