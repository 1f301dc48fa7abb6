"""Graphs with known statistics, and random ones against networkx."""

import math

import jax
import networkx as nx
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork, network_statistics


def network(edges, count=None):
    ends = np.array(list(edges), int).reshape(-1, 2)
    count = int(ends.max()) + 1 if count is None else count
    energies = np.arange(count, dtype=float)
    return TransitionNetwork.bare(energies, np.full(len(ends), count + 1.0), ends)


def test_complete_graph():
    found = network_statistics(network(nx.complete_graph(7).edges))
    assert (found.n_nodes, found.n_edges, found.diameter) == (7, 21, 1)
    assert found.mean_degree == 6
    assert found.clustering == found.transitivity == found.mean_path == found.density == 1
    assert math.isnan(found.assortativity)
    assert math.isnan(found.energy_correlation)
    assert not found.betweenness.any()


def test_star():
    leaves = 8
    found = network_statistics(network((0, i) for i in range(1, leaves + 1)))
    assert found.clustering == found.transitivity == 0
    assert found.assortativity == pytest.approx(-1)
    assert found.diameter == 2
    # n - 1 pairs at distance 1, all other pairs at 2.
    assert found.mean_path == pytest.approx(2 * leaves / (leaves + 1))
    np.testing.assert_allclose(found.betweenness, [1.0] + [0.0] * leaves, atol=1e-12)
    assert found.degree_distribution.to_dict("list") == {
        "degree": [1, leaves],
        "count": [leaves, 1],
        "cumulative": [1.0, pytest.approx(1 / (leaves + 1))],
    }
    assert found.energy_correlation < 0  # the hub is the lowest


def test_line():
    n = 9
    found = network_statistics(network((i, i + 1) for i in range(n - 1)))
    assert found.diameter == n - 1
    assert found.mean_path == pytest.approx((n + 1) / 3)
    k = np.arange(n)
    np.testing.assert_allclose(found.betweenness, 2 * k * (n - 1 - k) / ((n - 1) * (n - 2)))


def test_loops_and_parallel_edges_are_dropped_and_counted():
    found = network_statistics(network([(0, 1), (1, 0), (0, 1), (1, 2), (2, 2), (0, 0), (3, 3)], 5))
    assert (found.n_nodes, found.n_edges, found.n_left_out) == (3, 2, 2)
    assert (found.n_transition_states, found.n_degenerate, found.n_parallel) == (6, 2, 2)
    assert found.degrees.tolist() == [1, 2, 1]


def test_a_single_minimum():
    found = network_statistics(network([(0, 0)]))
    assert (found.n_nodes, found.n_edges, found.n_degenerate) == (1, 0, 1)
    assert math.isnan(found.mean_path)
    assert found.diameter == 0
    assert "1 minima, 0 edges" in str(found)


@pytest.mark.parametrize("seed", range(4))
def test_against_networkx(seed):
    graph = nx.powerlaw_cluster_graph(80, 3, 0.4, seed=seed)
    found = network_statistics(network(graph.edges))
    assert found.clustering == pytest.approx(nx.average_clustering(graph))
    assert found.transitivity == pytest.approx(nx.transitivity(graph))
    assert found.mean_path == pytest.approx(nx.average_shortest_path_length(graph))
    assert found.diameter == nx.diameter(graph)
    assert found.assortativity == pytest.approx(nx.degree_assortativity_coefficient(graph))
    between = nx.betweenness_centrality(graph)
    np.testing.assert_allclose(found.betweenness, [between[i] for i in range(80)], atol=1e-12)
    local = nx.clustering(graph)
    np.testing.assert_allclose(found.local_clustering, [local[i] for i in range(80)])


def test_random_graph_is_like_its_own_expectation():
    # 400 nodes, 1600 edges: clustering 0.02 ± 0.003 and path 2.98 ± 0.02 over seeds.
    found = network_statistics(network(nx.gnm_random_graph(400, 1600, seed=3).edges, 400))
    assert found.clustering == pytest.approx(found.random_clustering, abs=0.01)
    assert found.mean_path == pytest.approx(found.random_path, rel=0.05)
    assert found.small_world == pytest.approx(1.0, abs=0.5)


def test_sampling():
    graph = network(nx.barabasi_albert_graph(300, 4, seed=1).edges)
    whole = network_statistics(graph)
    part = network_statistics(graph, sources=100, seed=5)
    assert part.sampled
    assert not whole.sampled
    assert part.n_sources == 100
    assert part.mean_path == pytest.approx(whole.mean_path, rel=0.05)
    assert part.diameter <= whole.diameter
    assert part.clustering == whole.clustering
    # The busiest minima stay the busiest.
    assert np.argmax(part.betweenness) == np.argmax(whole.betweenness)
    assert part.betweenness.sum() == pytest.approx(whole.betweenness.sum(), rel=0.1)
    again = network_statistics(graph, sources=100, seed=5)
    np.testing.assert_array_equal(again.betweenness, part.betweenness)


def test_numbers_as_data(key):
    found = network_statistics(network(nx.path_graph(5).edges))
    assert {"mean_degree", "small_world", "n_parallel", "sampled"} <= set(found.summary)
    assert not any(isinstance(value, (np.ndarray, jax.Array)) for value in found.summary.values())
    assert list(found.frame) == ["id", "energy", "degree", "clustering", "betweenness"]
    assert len(found.frame) == 5


def test_wrong_calls():
    with pytest.raises(ArgumentError, match="sources=0"):
        network_statistics(network([(0, 1)]), sources=0)
    empty = TransitionNetwork.bare(np.zeros(0), np.zeros(0), np.zeros((0, 2), int))
    with pytest.raises(ArgumentError, match="no minima"):
        network_statistics(empty)
