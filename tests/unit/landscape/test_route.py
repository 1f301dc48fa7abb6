import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork, lowest_route
from thalweg.landscape._route import route_via


def network(edges, minima=None):
    ends = np.array([edge[:2] for edge in edges], int)
    energies = np.zeros(ends.max() + 1) if minima is None else np.array(minima, float)
    return TransitionNetwork.bare(energies, np.array([edge[2] for edge in edges], float), ends)


def test_the_lowest_barrier_wins_over_fewer_steps():
    direct = network([(0, 3, 5.0), (0, 1, 2.0), (1, 2, 4.0), (2, 3, 2.0)])
    assert lowest_route(direct, 0, 3) == ([0, 1, 2, 3], [1, 2, 3])


def test_below_the_barrier_the_sum_of_barriers_decides():
    # Every path passes 9; beyond it one step of 5 beats two of 3, the choice of a spanning tree.
    found = network([(0, 1, 9.0), (1, 2, 5.0), (1, 3, 3.0), (3, 2, 3.0)])
    assert lowest_route(found, 0, 2) == ([0, 1, 2], [0, 1])


def test_equal_sums_take_fewest_steps():
    found = network([(0, 1, 2.0), (1, 2, 2.0), (0, 2, 4.0), (2, 3, 9.0)], [0.0, 0.0, 0.0, 0.0])
    assert lowest_route(found, 0, 3) == ([0, 2, 3], [2, 3])


def test_of_parallel_edges_the_lowest_is_taken():
    assert lowest_route(network([(0, 1, 2.0), (1, 0, 1.0), (0, 0, 0.5)]), 0, 1) == ([0, 1], [1])


def test_the_way_back_is_the_same(key):
    import jax

    for k in jax.random.split(key, 20):
        a, b, c = jax.random.split(k, 3)
        ends = np.asarray(jax.random.randint(a, (40, 2), 0, 15))
        ends = np.concatenate([ends, np.stack([np.arange(14), np.arange(1, 15)], axis=1)])
        heights = 2.0 + np.asarray(jax.random.uniform(b, (54,)))
        found = TransitionNetwork.bare(np.asarray(jax.random.uniform(c, (15,))), heights, ends)
        there, back = lowest_route(found, 0, 14), lowest_route(found, 14, 0)
        assert there == (back[0][::-1], back[1][::-1])
        assert heights[there[1]].max() == found.lowest_barrier(0, 14)


def test_no_path_and_no_step():
    apart = network([(0, 1, 2.0), (2, 2, 3.0)])
    with pytest.raises(ArgumentError, match="different pieces"):
        lowest_route(apart, 0, 2)
    with pytest.raises(ArgumentError, match="to itself"):
        lowest_route(apart, 1, 1)


def test_via():
    found = network([(0, 1, 2.0), (1, 1, 4.0), (2, 1, 2.0)])
    assert route_via(found, 0, 2, [0, 1, 2]) == ([0, 1, 1, 2], [0, 1, 2])
    assert route_via(found, 1, 1, [1]) == ([1, 1], [1])


@pytest.mark.parametrize(
    ("via", "complaint"),
    [([], "empty"), ([7], "no transition state"), ([2], "chain breaks"), ([0], "chain ends")],
)
def test_via_that_does_not_hold(via, complaint):
    with pytest.raises(ArgumentError, match=complaint):
        route_via(network([(0, 1, 2.0), (1, 1, 4.0), (2, 1, 2.0)]), 0, 2, via)
