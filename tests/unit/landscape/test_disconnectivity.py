import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork, disconnectivity_tree


def network(energies, ts):
    return TransitionNetwork.bare(
        np.array(energies, dtype=float),
        np.array([t[0] for t in ts], dtype=float),
        np.array([t[1:] for t in ts], dtype=int).reshape(-1, 2),
    )


# LJ7: its four minima and the lowest transition state of each pair (spec: complete survey).
LJ7 = network(
    [-16.505384, -15.935043, -15.593211, -15.533060],
    [
        (-15.444734, 0, 1),
        (-15.319864, 1, 2),
        (-15.283421, 1, 3),
        (-15.033384, 0, 2),
        (-15.026438, 0, 3),
        (-15.097846, 1, 1),
        (-14.816400, 3, 3),
    ],
)


def leaf(tree, point):
    return int(np.flatnonzero(tree.ids == point)[0])


def test_exact_tree_of_lj7():
    tree = disconnectivity_tree(LJ7, levels=None)
    assert tree.n_leaves == 4
    assert tree.message == ""
    assert tree.join(leaf(tree, 0), leaf(tree, 1)) == -15.444734
    assert tree.join(leaf(tree, 0), leaf(tree, 2)) == -15.319864
    assert tree.join(leaf(tree, 2), leaf(tree, 3)) == -15.283421
    assert tree.height[tree.roots].tolist() == [-15.283421]
    assert tree.size[tree.roots].tolist() == [4]
    assert tree.ids[tree.lowest[tree.roots[0]]] == 0


def test_levels_round_up_and_the_top_joins_everything():
    tree = disconnectivity_tree(LJ7, levels=10)
    assert len(tree.levels) == 10
    assert tree.levels[-1] == -15.283421
    above = tree.levels[np.searchsorted(tree.levels, -15.444734)]
    assert tree.join(leaf(tree, 0), leaf(tree, 1)) == above
    assert len(tree.roots) == 1


def test_one_level_makes_a_star():
    tree = disconnectivity_tree(LJ7, levels=1)
    assert tree.parent.tolist() == [4, 4, 4, 4, -1]


def test_given_levels_may_leave_basins_apart():
    tree = disconnectivity_tree(LJ7, levels=[-15.4])
    assert len(tree.roots) == 3
    assert tree.join(leaf(tree, 0), leaf(tree, 1)) == -15.4
    assert tree.join(leaf(tree, 0), leaf(tree, 2)) == np.inf


def test_lines_do_not_cross():
    """Every basin spans an interval of leaves of its own, and stands within it."""
    energies = [(-(i * 7919 % 101)) / 10 for i in range(60)]
    ts = [(12 + (i * 37 % 41) / 10, i, (i * i + 3 * i) % i) for i in range(1, 60)]
    for order in ("centre", "energy", "size"):
        for levels in (None, 12):
            tree = disconnectivity_tree(network(energies, ts), levels=levels, order=order)
            first, last = tree.x.copy(), tree.x.copy()
            first[tree.n_leaves :], last[tree.n_leaves :] = np.inf, -np.inf
            for node, parent in enumerate(tree.parent):
                if parent >= 0:
                    assert parent > node
                    first[parent] = min(first[parent], first[node])
                    last[parent] = max(last[parent], last[node])
            np.testing.assert_array_equal(last - first + 1, tree.size)
            assert ((tree.x >= first) & (tree.x <= last)).all()
            assert (tree.branch >= tree.height).all()


def test_centre_keeps_a_straight_stem():
    chain = network([-9.0, *[-1.0] * 8], [(float(i), 0, i) for i in range(1, 9)])
    tree = disconnectivity_tree(chain, levels=None)
    stem = tree.ancestors(leaf(tree, 0))
    assert len(set(tree.x[stem])) == 1
    assert tree.x[stem[0]] == 4.0, "branches hang evenly on both sides"


def test_two_funnels_stand_side_by_side():
    energies = [-9.0, *[-1.0] * 6, -8.0, *[-1.0] * 6]
    ts = [(float(i), 0, i) for i in range(1, 7)] + [(float(i), 7, 7 + i) for i in range(1, 7)]
    tree = disconnectivity_tree(network(energies, [*ts, (20.0, 0, 7)]), levels=None)
    low, high = sorted((tree.x[leaf(tree, 0)], tree.x[leaf(tree, 7)]))
    assert (low, high) == (3.0, 10.0)
    assert tree.x[tree.roots[0]] == 6.5


def test_unconnected_minima_are_left_out_with_a_word():
    apart = network([-3.0, -2.0, -1.0, 0.0], [(0.0, 0, 1), (1.0, 2, 3)])
    tree = disconnectivity_tree(apart)
    assert sorted(tree.ids) == [0, 1]
    assert "2 of 4 minima are not connected to the global minimum" in tree.message
    everything = disconnectivity_tree(apart, components="all")
    assert sorted(everything.ids) == [0, 1, 2, 3]
    assert len(everything.roots) == 2
    assert everything.message == ""


def test_small_components_can_be_left_out():
    apart = network([-3.0, -2.0, -1.0], [(0.0, 0, 1)])
    tree = disconnectivity_tree(apart, components="all", min_size=2)
    assert sorted(tree.ids) == [0, 1]
    assert "fewer than 2" in tree.message


@pytest.mark.parametrize("levels", [None, 5, [0.0, 1.0]])
@pytest.mark.parametrize("components", ["global", "all"])
def test_what_little_there_is_can_be_drawn(levels, components):
    empty = disconnectivity_tree(network([], []), levels=levels, components=components)
    assert (empty.n_leaves, empty.message) == (0, "there are no minima yet")
    one = disconnectivity_tree(network([-1.0], []), levels=levels, components=components)
    assert (one.n_leaves, one.message) == (1, "")
    loop = network([-1.0], [(0.0, 0, 0)])
    assert disconnectivity_tree(loop, levels=levels, components=components).n_leaves == 1
    bare = network([-1.0, 0.0], [])
    tree = disconnectivity_tree(bare, levels=levels, components=components)
    assert tree.n_leaves == (1 if components == "global" else 2)
    assert "there are no transition states" in tree.message


def test_energy_limit():
    tree = disconnectivity_tree(LJ7, e_max=-15.30, levels=None)
    assert sorted(tree.ids) == [0, 1, 2]
    assert "1 of 4 minima are not connected" in tree.message
    assert "no minimum lies below" in disconnectivity_tree(LJ7, e_max=-99.0).message


@pytest.mark.parametrize("levels", [0, [], [1.0, 1.0], [2.0, 1.0]])
def test_wrong_levels_are_refused(levels):
    with pytest.raises(ArgumentError, match="levels"):
        disconnectivity_tree(LJ7, levels=levels)


def test_ten_thousand_minima_in_a_chain_need_no_recursion():
    count = 10_000
    chain = network(
        -np.arange(count)[::-1] / count, [(float(i), i, i + 1) for i in range(count - 1)]
    )
    tree = disconnectivity_tree(chain, levels=None)
    assert tree.size[-1] == count
