"""Statistics of the network of minima, as graph theory sees it."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pandas as pd
import scipy.sparse as sparse
from jaxtyping import Float, Int
from scipy.sparse import csgraph

from thalweg.core import ArgumentError

from ._network import TransitionNetwork

_EXACT = 2000
"""Networks of more minima than this have their paths sampled from so many sources."""

_BLOCK = 256
"""Sources whose distances are held in memory at a time."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class NetworkStatistics:
    """What the connections of a landscape look like.

    Everything is about the *simple graph* of one component: minima are nodes, and two are joined
    once if any transition state joins them. Quantities that do not exist (the clustering of a
    network without a pair, a correlation without variance) are NaN.

    Attributes:
        n_nodes: Minima in the graph.
        n_edges: Pairs of them that are joined.
        n_transition_states: Transition states among them, before anything was dropped.
        n_degenerate: Of these, dropped because they join a minimum to itself.
        n_parallel: Dropped because another joins the same pair.
        n_left_out: Minima of other components, which are left out.
        degrees: Number of neighbours of each minimum.
        ids: Ids of the minima, in the same order.
        energies: Their energies.
        local_clustering: Of each minimum, the share of pairs of its neighbours that are joined.
        betweenness: Of each minimum, the share of shortest paths between others through it.
        n_sources: Minima from which paths were counted; fewer than `n_nodes` if sampled.
        clustering: Mean of `local_clustering` (Watts and Strogatz), minima with fewer than two
            neighbours counting as 0.
        transitivity: Three times the number of triangles over that of connected triples.
        mean_path: Mean number of steps on the shortest path between two minima.
        diameter: Largest number of steps on a shortest path; from sampled sources a lower bound.
        assortativity: Pearson correlation of the degrees at the two ends of an edge.
        energy_correlation: Spearman rank correlation of degree with energy; negative when low
            minima are hubs.
        random_clustering: Expected clustering of a random graph of the same size,
            `2m / (n(n - 1))`.
        random_path: Expected mean path of one, `(ln n - γ) / ln(2m/n) + 1/2` (Fronczak, Fronczak
            & Hołyst, Phys. Rev. E 70, 056110, 2004).
        small_world: `(clustering / random_clustering) / (mean_path / random_path)`; well above
            1 in a small world (Humphries & Gurney, PLoS ONE 3, e0002051, 2008).
    """

    n_nodes: int
    n_edges: int
    n_transition_states: int
    n_degenerate: int
    n_parallel: int
    n_left_out: int
    ids: Int[np.ndarray, " nodes"]
    energies: Float[np.ndarray, " nodes"]
    degrees: Int[np.ndarray, " nodes"]
    local_clustering: Float[np.ndarray, " nodes"]
    betweenness: Float[np.ndarray, " nodes"]
    n_sources: int
    clustering: float
    transitivity: float
    mean_path: float
    diameter: int
    assortativity: float
    energy_correlation: float
    random_clustering: float
    random_path: float
    small_world: float

    @property
    def mean_degree(self) -> float:
        """Mean number of neighbours."""
        return 2.0 * self.n_edges / self.n_nodes if self.n_nodes else math.nan

    @property
    def density(self) -> float:
        """Share of all pairs that are joined."""
        pairs = self.n_nodes * (self.n_nodes - 1) / 2
        return self.n_edges / pairs if pairs else math.nan

    @property
    def sampled(self) -> bool:
        """Whether path lengths and betweenness come from a sample of sources."""
        return self.n_sources < self.n_nodes

    @property
    def frame(self) -> pd.DataFrame:
        """One row for each minimum: `id`, `energy`, `degree`, `clustering`, `betweenness`."""
        return pd.DataFrame(
            {
                "id": self.ids,
                "energy": self.energies,
                "degree": self.degrees,
                "clustering": self.local_clustering,
                "betweenness": self.betweenness,
            }
        )

    @property
    def degree_distribution(self) -> pd.DataFrame:
        """One row for each degree that occurs.

        Columns: `degree`, `count` and `cumulative`, the share of minima with at least that
        degree, which is what a scale-free network shows as a straight line in log-log axes.
        """
        degree, count = np.unique(self.degrees, return_counts=True)
        above = np.cumsum(count[::-1])[::-1]
        share = above / max(self.n_nodes, 1)
        return pd.DataFrame({"degree": degree, "count": count, "cumulative": share})

    @property
    def summary(self) -> dict[str, int | float | bool]:
        """All the numbers that describe the whole graph, by name."""
        numbers: dict[str, int | float | bool] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if not isinstance(getattr(self, field.name), np.ndarray)
        }
        most = int(self.degrees.max(initial=0))
        extra = {"mean_degree": self.mean_degree, "density": self.density, "largest_degree": most}
        return {**numbers, **extra, "sampled": self.sampled}

    def __str__(self) -> str:
        least = "≥ " if self.sampled else ""
        return (
            f"{self.n_nodes} minima, {self.n_edges} edges (of {self.n_transition_states} "
            f"transition states; {self.n_degenerate} degenerate and {self.n_parallel} parallel "
            f"dropped); mean degree {self.mean_degree:.2f}, clustering {self.clustering:.3f} "
            f"(random {self.random_clustering:.3f}), mean path {self.mean_path:.3f} (random "
            f"{self.random_path:.3f}), diameter {least}{self.diameter}, assortativity "
            f"{self.assortativity:.3f}"
        )


def network_statistics(
    network: TransitionNetwork, *, sources: int | None = None, seed: int = 0
) -> NetworkStatistics:
    """Graph statistics of the component of the global minimum.

    Source: Doye, Phys. Rev. Lett. 88, 238701 (2002), for the networks of clusters; Watts &
    Strogatz, Nature 393, 440 (1998), for small worlds; Newman, Phys. Rev. Lett. 89, 208701
    (2002), for assortativity; Brandes & Pich, Int. J. Bifurc. Chaos 17, 2303 (2007), for
    betweenness from sampled sources.

    Args:
        network: The landscape's network.
        sources: Minima from which shortest paths are followed, drawn without replacement.
            Default: all of them up to 2000 minima, else 500.
        seed: Of the draw.

    Raises:
        ArgumentError: if there are no minima, or `sources` is not positive.
    """
    import networkx as nx  # here, since few who read a landscape want it, and it takes long
    from scipy.stats import rankdata

    if sources is not None and sources < 1:
        raise ArgumentError(f"sources={sources} must be at least 1")
    whole = network.n_minima
    if whole == 0:
        raise ArgumentError("the network holds no minima", "map the system first")
    part = network.component()
    edges = _simple_edges(part)
    count = part.n_minima
    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(edges.tolist())
    degrees = np.bincount(edges.ravel(), minlength=count)
    chosen = _sources(count, sources, seed)
    mean_path, diameter = _paths(count, edges, chosen)
    by_node: Any = nx.clustering(graph)  # a dict for a whole graph, says its documentation
    local = np.array([by_node[node] for node in range(count)], float)
    triples = float(np.sum(degrees * (degrees - 1)) / 2)
    closed = float(np.sum(local * degrees * (degrees - 1)) / 2)
    n_degenerate = int(part.degenerate.sum())
    clustering = float(local.mean())
    chance, step = _random_graph(count, len(edges))
    return NetworkStatistics(
        n_nodes=count,
        n_edges=len(edges),
        n_transition_states=part.n_transition_states,
        n_degenerate=n_degenerate,
        n_parallel=part.n_transition_states - n_degenerate - len(edges),
        n_left_out=whole - count,
        ids=part.ids,
        energies=part.energies,
        degrees=degrees,
        local_clustering=local,
        betweenness=_betweenness(count, edges, chosen),
        n_sources=len(chosen),
        clustering=clustering,
        transitivity=_ratio(closed, triples),
        mean_path=mean_path,
        diameter=diameter,
        assortativity=_correlation(*_edge_degrees(degrees, edges)),
        energy_correlation=_correlation(rankdata(degrees), rankdata(part.energies)),
        random_clustering=chance,
        random_path=step,
        small_world=_ratio(_ratio(clustering, chance), _ratio(mean_path, step)),
    )


def _simple_edges(network: TransitionNetwork) -> Int[np.ndarray, "edges 2"]:
    """Every pair that is joined, once, each with the smaller position first."""
    ends = np.sort(network.ts_minima[~network.degenerate], axis=1)
    return np.unique(ends, axis=0).reshape(-1, 2)


def _sources(count: int, wanted: int | None, seed: int) -> Int[np.ndarray, " sources"]:
    """Where shortest paths begin."""
    number = (count if count <= _EXACT else 500) if wanted is None else min(wanted, count)
    if number == count:
        return np.arange(count)
    return np.sort(np.asarray(jax.random.permutation(jax.random.key(seed), count))[:number])


def _adjacency(count: int, edges: np.ndarray) -> sparse.csr_array:
    both = np.concatenate([edges, edges[:, ::-1]])
    return sparse.csr_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count))


def _distances(
    count: int, edges: np.ndarray, chosen: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers of steps from blocks of sources to all minima, by breadth-first search."""
    graph = _adjacency(count, edges)
    for first in range(0, len(chosen), _BLOCK):
        block = chosen[first : first + _BLOCK]
        yield block, csgraph.dijkstra(graph, unweighted=True, indices=block)


def _paths(count: int, edges: np.ndarray, chosen: np.ndarray) -> tuple[float, int]:
    """Mean and largest number of steps on shortest paths."""
    if count < 2:
        return math.nan, 0
    total, longest = 0.0, 0
    for _, steps in _distances(count, edges, chosen):
        total += float(steps.sum())
        longest = max(longest, int(steps.max()))
    return total / (len(chosen) * (count - 1)), longest


def _betweenness(count: int, edges: np.ndarray, chosen: np.ndarray) -> Float[np.ndarray, " nodes"]:
    """Brandes' dependencies summed over the sources, whole levels of many sources at a time.

    Normalised so that 1 means every shortest path between two others; from sampled sources
    scaled to all of them.

    Source: Brandes, J. Math. Sociol. 25, 163 (2001).
    """
    if count < 3:
        return np.zeros(count)
    graph = _adjacency(count, edges)
    total = np.zeros(count)
    for block, steps in _distances(count, edges, chosen):
        level = steps.T  # nodes first
        deepest = int(level.max())
        paths = (level == 0).astype(float)
        for depth in range(1, deepest + 1):
            paths += (level == depth) * (graph @ (paths * (level == depth - 1)))
        carried = np.zeros_like(paths)
        for depth in range(deepest, 0, -1):
            share = np.where(level == depth, (1.0 + carried) / np.maximum(paths, 1.0), 0.0)
            carried += (level == depth - 1) * paths * (graph @ share)
        carried[block, np.arange(len(block))] = 0.0
        total += carried.sum(axis=1)
    return total / (len(chosen) / count * (count - 1) * (count - 2))


def _edge_degrees(degrees: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Degrees at both ends of every edge, each edge both ways."""
    left, right = degrees[edges[:, 0]], degrees[edges[:, 1]]
    return np.concatenate([left, right]), np.concatenate([right, left])


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation; NaN if either does not vary."""
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])


def _random_graph(nodes: int, edges: int) -> tuple[float, float]:
    """Expected clustering and mean path of an Erdős-Rényi graph; NaN where they do not exist."""
    if nodes < 2:
        return math.nan, math.nan
    degree = 2.0 * edges / nodes
    chance = degree / (nodes - 1)
    if degree <= 1:  # too sparse to hold together
        return chance, math.nan
    return chance, (math.log(nodes) - float(np.euler_gamma)) / math.log(degree) + 0.5


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else math.nan
