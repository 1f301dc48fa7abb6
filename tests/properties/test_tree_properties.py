"""Disconnectivity trees against brute force, and what must not change them."""

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from thalweg.landscape import TransitionNetwork, disconnectivity_tree

energy = st.integers(-20, 0).map(lambda n: n / 4)  # coarse, so that equal energies happen


@st.composite
def networks(draw, most=9):
    """Random networks with loops, parallel transition states and separate parts."""
    energies = draw(st.lists(energy, min_size=1, max_size=most))
    ends = st.integers(0, len(energies) - 1)
    ts = draw(st.lists(st.tuples(ends, ends, st.integers(1, 12)), max_size=3 * most))
    heights = [max(energies[a], energies[b]) + rise / 4 for a, b, rise in ts]
    pairs = np.array([(a, b) for a, b, _ in ts], dtype=int).reshape(-1, 2)
    return TransitionNetwork.bare(np.array(energies), np.array(heights, dtype=float), pairs)


def minimax(network):
    """Lowest barriers between all pairs: Floyd and Warshall with (min, max)."""
    count = network.n_minima
    barrier = np.full((count, count), math.inf)
    for (a, b), height in zip(network.ts_minima, network.ts_energies, strict=True):
        barrier[a, b] = barrier[b, a] = min(barrier[a, b], height)
    np.fill_diagonal(barrier, network.energies)
    for k in range(count):
        barrier = np.minimum(barrier, np.maximum(barrier[:, [k]], barrier[[k], :]))
    return barrier


def joins(tree):
    """Height at which each pair of ids joins."""
    return {
        frozenset((int(tree.ids[a]), int(tree.ids[b]))): tree.join(a, b)
        for a, b in itertools.combinations(range(tree.n_leaves), 2)
    }


@given(networks())
def test_exact_tree_and_network_agree_with_brute_force(network):
    barrier = minimax(network)
    tree = disconnectivity_tree(network, levels=None, components="all")
    assert sorted(tree.ids) == list(range(network.n_minima))
    for pair, height in joins(tree).items():
        a, b = pair
        assert height == barrier[a, b]
    for a in range(network.n_minima):
        np.testing.assert_array_equal(network.lowest_barriers(a), barrier[a])


@given(networks(), st.integers(1, 7))
def test_levels_are_the_next_above_the_barrier(network, count):
    barrier = minimax(network)
    tree = disconnectivity_tree(network, levels=count, components="all")
    for pair, height in joins(tree).items():
        a, b = pair
        if math.isinf(barrier[a, b]):
            assert math.isinf(height)
        else:
            assert height == tree.levels[tree.levels >= barrier[a, b]].min()


@given(networks(), st.data(), st.sampled_from([None, 4]), st.sampled_from(["centre", "size"]))
def test_order_of_the_lists_does_not_matter(network, data, levels, order):
    """Same heights for the same minima; the same drawing when ids travel with the minima."""
    minima = np.array(data.draw(st.permutations(range(network.n_minima))), dtype=int)
    ts = np.array(data.draw(st.permutations(range(network.n_transition_states))), dtype=int)
    place = np.argsort(minima)
    shuffled = TransitionNetwork(
        ids=network.ids[minima],
        energies=network.energies[minima],
        orders=network.orders[minima],
        log_products=network.log_products[minima],
        hits=network.hits[minima],
        ts_ids=network.ts_ids[ts],
        ts_energies=network.ts_energies[ts],
        ts_orders=network.ts_orders[ts],
        ts_log_products=network.ts_log_products[ts],
        ts_hits=network.ts_hits[ts],
        ts_minima=place[network.ts_minima[ts]],
    )
    one = disconnectivity_tree(network, levels=levels, components="all", order=order)
    two = disconnectivity_tree(shuffled, levels=levels, components="all", order=order)
    np.testing.assert_array_equal(one.ids, two.ids)
    for name in ("parent", "height", "branch", "x", "size", "lowest"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(shuffled.ids[two.minimum], network.ids[one.minimum])


@given(networks())
def test_shape_of_a_tree(network):
    tree = disconnectivity_tree(network, levels=None, components="all")
    assert len(tree.roots) == network.n_components
    assert tree.size[tree.roots].sum() == network.n_minima
    inner = tree.parent >= 0
    assert (tree.parent[inner] > np.flatnonzero(inner)).all()
    assert (tree.height[tree.parent[inner]] >= tree.height[inner]).all()
    children = np.bincount(tree.parent[inner], minlength=len(tree.parent))
    assert (children[tree.n_leaves :] >= 2).all()
    np.testing.assert_array_equal(tree.height[: tree.n_leaves], network.energies[tree.minimum])
