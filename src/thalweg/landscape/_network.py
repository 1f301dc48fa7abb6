"""The transition network: everything found, as frozen arrays."""

import dataclasses
import functools

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Bool, Float, Int
from scipy.sparse import csgraph

from thalweg.core import ArgumentError


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SpanningForest:
    """The edges that decide every barrier: a minimum spanning forest, lowest edge first.

    Attributes:
        minima: Indices of the two minima that each edge joins, shape `(edges, 2)`.
        transition_states: Index of the transition state behind each edge.
        energies: Its energy, ascending.
    """

    minima: Int[np.ndarray, "edges 2"]
    transition_states: Int[np.ndarray, " edges"]
    energies: Float[np.ndarray, " edges"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TransitionNetwork:
    """Minima as nodes and transition states as edges (a multigraph with loops).

    Everything is indexed by position; `ids` and `ts_ids` say which position is which in the store.
    The arrays are read-only.

    Attributes:
        ids: Ids of the minima.
        energies: Energies of the minima, in the system's unit.
        orders: Point-group orders of the minima.
        log_products: Log-products of positive curvatures of the minima.
        hits: How often each minimum was found.
        ts_ids: Ids of the transition states.
        ts_energies: Energies of the transition states.
        ts_orders: Point-group orders of the transition states.
        ts_log_products: Log-products of their positive curvatures (the negative one left out).
        ts_hits: How often each transition state was found.
        ts_minima: Positions of the two minima of each transition state.
        points: Coordinates of the minima, or `None` if they were not loaded.
        ts_points: Coordinates of the transition states, or `None`.
    """

    ids: Int[np.ndarray, " minima"]
    energies: Float[np.ndarray, " minima"]
    orders: Int[np.ndarray, " minima"]
    log_products: Float[np.ndarray, " minima"]
    hits: Int[np.ndarray, " minima"]
    ts_ids: Int[np.ndarray, " ts"]
    ts_energies: Float[np.ndarray, " ts"]
    ts_orders: Int[np.ndarray, " ts"]
    ts_log_products: Float[np.ndarray, " ts"]
    ts_hits: Int[np.ndarray, " ts"]
    ts_minima: Int[np.ndarray, "ts 2"]
    points: Float[np.ndarray, "minima dof"] | None = None
    ts_points: Float[np.ndarray, "ts dof"] | None = None

    def __post_init__(self):
        for field in dataclasses.fields(self):
            array = getattr(self, field.name)
            if array is not None:
                array = array.view()
                array.setflags(write=False)
                object.__setattr__(self, field.name, array)
        ends = self.ts_minima
        if ends.size and (ends.min() < 0 or ends.max() >= self.n_minima):
            raise ArgumentError(
                f"ts_minima holds positions {ends.min()}…{ends.max()}, but there are "
                f"{self.n_minima} minima (0…{self.n_minima - 1})"
            )

    @classmethod
    def bare(
        cls,
        energies: Float[np.ndarray, " minima"],
        ts_energies: Float[np.ndarray, " ts"],
        ts_minima: Int[np.ndarray, "ts 2"],
    ) -> "TransitionNetwork":
        """A network of energies and connections alone; all else takes a neutral value.

        Args:
            energies: Energies of the minima.
            ts_energies: Energies of the transition states.
            ts_minima: Positions of the two minima of each transition state.
        """
        minima, ts = len(energies), len(ts_energies)
        return cls(
            ids=np.arange(minima),
            energies=energies,
            orders=np.ones(minima, dtype=int),
            log_products=np.zeros(minima),
            hits=np.zeros(minima, dtype=int),
            ts_ids=np.arange(ts),
            ts_energies=ts_energies,
            ts_orders=np.ones(ts, dtype=int),
            ts_log_products=np.zeros(ts),
            ts_hits=np.zeros(ts, dtype=int),
            ts_minima=ts_minima,
        )

    @property
    def n_minima(self) -> int:
        """Number of minima."""
        return len(self.energies)

    @property
    def n_transition_states(self) -> int:
        """Number of transition states, degenerate ones included."""
        return len(self.ts_energies)

    @property
    def global_minimum(self) -> int:
        """Position of the lowest minimum (of equals, the one with the lowest id).

        Raises:
            ArgumentError: if there are no minima.
        """
        if self.n_minima == 0:
            raise ArgumentError("the network holds no minima", "map the system first")
        return int(np.lexsort((self.ids, self.energies))[0])

    @property
    def degenerate(self) -> Bool[np.ndarray, " ts"]:
        """Which transition states join a minimum to itself."""
        return self.ts_minima[:, 0] == self.ts_minima[:, 1]

    @functools.cached_property
    def components(self) -> Int[np.ndarray, " minima"]:
        """A label for each minimum: equal where a path of transition states joins two.

        Component 0 holds the global minimum; the others follow by descending size.
        """
        if self.n_minima == 0:
            return np.zeros(0, dtype=int)
        count, labels = csgraph.connected_components(self._adjacency(), directed=False)
        sizes = np.bincount(labels, minlength=count)
        lowest = np.full(count, np.inf)
        np.minimum.at(lowest, labels, self.energies)
        order = np.lexsort((lowest, -sizes))
        first = labels[self.global_minimum]
        order = np.concatenate(([first], order[order != first]))
        rank = np.empty(count, dtype=int)
        rank[order] = np.arange(count)
        return rank[labels]

    @property
    def n_components(self) -> int:
        """Number of components; 1 when everything is connected."""
        return int(self.components.max(initial=-1)) + 1

    def _adjacency(self) -> sparse.csr_array:
        """Which pairs are joined, as a sparse matrix of counts."""
        ends = self.ts_minima
        ones = np.ones(len(ends), dtype=np.int64)
        return sparse.csr_array(
            (ones, (ends[:, 0], ends[:, 1])), shape=(self.n_minima, self.n_minima)
        )

    def lowest_edges(self) -> Int[np.ndarray, " pairs"]:
        """Positions of the lowest transition state of every joined pair, by ascending energy.

        Ties go to the lowest id. Degenerate rearrangements join no pair.
        """
        candidates = np.flatnonzero(~self.degenerate)
        order = np.lexsort((self.ts_ids[candidates], self.ts_energies[candidates]))
        candidates = candidates[order]
        ends = np.sort(self.ts_minima[candidates], axis=1)
        pair = ends[:, 0] * max(self.n_minima, 1) + ends[:, 1]
        _, first = np.unique(pair, return_index=True)
        return candidates[np.sort(first)]

    @functools.cached_property
    def spanning_forest(self) -> SpanningForest:
        """The minimum spanning forest by transition-state energy, lowest edge first.

        Between any two minima, the highest edge of its path is the lowest possible barrier.
        Source: Hu, Oper. Res. 9, 898 (1961), the maximum-capacity route.
        """
        edges = self.lowest_edges()
        ends = self.ts_minima[edges]
        # Ranks instead of energies: the sparse solver takes a zero for "no edge".
        ranks = np.arange(1, len(edges) + 1)
        shape = (self.n_minima, self.n_minima)
        if len(edges):
            graph = sparse.csr_array((ranks, (ends.min(axis=1), ends.max(axis=1))), shape=shape)
            kept = np.sort(csgraph.minimum_spanning_tree(graph).data.astype(int)) - 1
        else:
            kept = np.zeros(0, dtype=int)
        return SpanningForest(
            minima=ends[kept],
            transition_states=edges[kept],
            energies=self.ts_energies[edges[kept]],
        )

    def lowest_barriers(self, a: int) -> Float[np.ndarray, " minima"]:
        """For every minimum, the lowest energy over which a path from `a` can pass.

        Args:
            a: Position of a minimum.

        Returns:
            The energy of the highest transition state on the best path (not the height above
            `a`); the energy of `a` itself at `a`, and infinity where no path leads.
        """
        self._check(a)
        forest = self.spanning_forest
        barriers = np.full(self.n_minima, np.inf)
        barriers[a] = self.energies[a]
        if not len(forest.energies):
            return barriers
        ranks = np.arange(1, len(forest.energies) + 1)
        ends = forest.minima
        graph = sparse.csr_array(
            (ranks, (ends[:, 0], ends[:, 1])), shape=(self.n_minima, self.n_minima)
        )
        graph = graph + graph.T
        order, parents = csgraph.breadth_first_order(graph, a, directed=False)
        edge = np.zeros(self.n_minima, dtype=int)
        forward = np.where(parents[ends[:, 1]] == ends[:, 0], ends[:, 1], ends[:, 0])
        edge[forward] = ranks
        highest = np.zeros(self.n_minima, dtype=int)
        for node in order[1:]:
            highest[node] = max(highest[parents[node]], edge[node])
        reached = order[1:]
        barriers[reached] = forest.energies[highest[reached] - 1]
        return barriers

    def lowest_barrier(self, a: int, b: int) -> float:
        """The lowest energy over which a path from `a` to `b` can pass.

        Args:
            a: Position of a minimum.
            b: Position of another.

        Returns:
            Energy of the highest transition state on the best path; infinity if no path leads
            there; the energy of the minimum itself if `a` equals `b`.
        """
        self._check(b)
        return float(self.lowest_barriers(a)[b])

    def select(self, keep: Bool[np.ndarray, " minima"]) -> "TransitionNetwork":
        """The network of the chosen minima and the transition states among them.

        Args:
            keep: Which minima stay.
        """
        position = np.cumsum(keep) - 1
        ts_keep = keep[self.ts_minima[:, 0]] & keep[self.ts_minima[:, 1]]
        return self._take(keep, ts_keep, position[self.ts_minima[ts_keep]])

    def below(self, e_max: float) -> "TransitionNetwork":
        """The network of the minima and transition states with energies of at most `e_max`."""
        part = self.select(self.energies <= e_max)
        ts_keep = part.ts_energies <= e_max
        return part._take(np.ones(part.n_minima, dtype=bool), ts_keep, part.ts_minima[ts_keep])

    def component(self, label: int = 0) -> "TransitionNetwork":
        """The network of one component; 0 is the one with the global minimum."""
        return self.select(self.components == label)

    def _take(
        self,
        keep: Bool[np.ndarray, " minima"],
        ts_keep: Bool[np.ndarray, " ts"],
        ts_minima: Int[np.ndarray, "kept 2"],
    ) -> "TransitionNetwork":
        return TransitionNetwork(
            ids=self.ids[keep],
            energies=self.energies[keep],
            orders=self.orders[keep],
            log_products=self.log_products[keep],
            hits=self.hits[keep],
            ts_ids=self.ts_ids[ts_keep],
            ts_energies=self.ts_energies[ts_keep],
            ts_orders=self.ts_orders[ts_keep],
            ts_log_products=self.ts_log_products[ts_keep],
            ts_hits=self.ts_hits[ts_keep],
            ts_minima=ts_minima,
            points=None if self.points is None else self.points[keep],
            ts_points=None if self.ts_points is None else self.ts_points[ts_keep],
        )

    def _check(self, position: int) -> None:
        if not 0 <= position < self.n_minima:
            raise ArgumentError(
                f"minimum {position} is outside 0…{self.n_minima - 1}",
                "minima are counted by position here; `np.flatnonzero(network.ids == id)` "
                "finds the position of an id",
            )
