"""What to search next, on graphs whose right answer is plain."""

import jax
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.landscape._connect import (
    LinkRule,
    PairDistances,
    between_components,
    discovery_weights,
    missing_links,
    single_ended,
    untrap,
)

NOTHING = np.zeros((0, 2), int)


def on_a_line(*places, stretch=1.0):
    """Minima on a line; the aligned distance is `stretch` times that of the invariants."""
    features = np.asarray(places, float)[:, None]
    return PairDistances(
        features, lambda i, j: stretch * abs(float(features[i, 0] - features[j, 0]))
    )


def rows(pairs):
    return [tuple(sorted(row)) for row in pairs.tolist()]


class TestSingleEnded:
    def test_fewest_searches_first_then_lowest_energy(self):
        energies, searches = np.array([-1.0, -3.0, -2.0, -4.0]), np.array([0, 0, 0, 2])
        plan = single_ended(energies, searches, 8)
        assert plan.tolist() == [1, 2, 0, 1, 2, 0, 3, 1]

    def test_resuming_gives_the_same_plan(self):
        energies = np.array([-1.0, -3.0, -2.0])
        whole = single_ended(energies, np.zeros(3, int), 20)
        first = single_ended(energies, np.zeros(3, int), 7)
        done = np.bincount(first, minlength=3)
        rest = single_ended(energies, done, 13)
        assert np.concatenate([first, rest]).tolist() == whole.tolist()

    def test_weights_are_shares(self):
        weights = np.array([1.0, 0.25, 0.25])
        plan = single_ended(np.zeros(3), np.zeros(3, int), 600, weights)
        np.testing.assert_allclose(np.bincount(plan), [400, 100, 100], atol=1)

    def test_nothing_to_do(self):
        assert single_ended(np.zeros(0), np.zeros(0, int), 5).shape == (0,)
        assert single_ended(np.zeros(3), np.zeros(3, int), 0).shape == (0,)
        with pytest.raises(ArgumentError, match="positive"):
            single_ended(np.zeros(2), np.zeros(2, int), 5, np.array([1.0, 0.0]))

    def test_discoveries_attract_searches(self):
        weights = discovery_weights(np.array([0, 100, 100, 1000]), np.array([0, 40, 3, 0]))
        assert weights[0] == 1.0
        assert weights[1] == pytest.approx(41 / 101)
        assert weights[2] == weights[3] == 0.05


class TestPairDistances:
    def test_estimate_learns_the_ratio(self):
        distances = on_a_line(0.0, 1.0, 3.0, stretch=2.0)
        pairs = np.array([[0, 1], [2, 0]])
        np.testing.assert_allclose(distances.estimate(pairs), [1.0, 3.0])
        np.testing.assert_allclose(distances.aligned(pairs[:1]), [2.0])
        np.testing.assert_allclose(distances.estimate(pairs), [2.0, 6.0])
        assert distances.is_aligned(np.array([[1, 0], [0, 2]])).tolist() == [True, False]

    def test_each_pair_is_aligned_once(self):
        calls = []
        distances = PairDistances(np.zeros((3, 1)), lambda i, j: calls.append((i, j)) or 1.0)
        distances.aligned(np.array([[0, 1], [1, 0]]))
        distances.aligned(np.array([[1, 0], [1, 2]]))
        assert calls == [(0, 1), (1, 2)]
        assert distances.evaluations == 2

    def test_extend_keeps_positions(self):
        distances = on_a_line(0.0, 5.0)
        assert rows(distances.neighbours(1)) == [(0, 1)]
        distances.extend(np.array([[4.0]]))
        assert rows(distances.neighbours(1)) == [(0, 2), (1, 2)]

    def test_neighbours_in(self):
        distances = on_a_line(0.0, 1.0, 2.0, 9.0)
        assert rows(distances.neighbours_in(np.array([0, 3]), 1)) == [(0, 1), (0, 2)]


class TestBetweenComponents:
    def test_nearest_pairs_of_the_spanning_tree(self):
        distances = on_a_line(0.0, 1.0, 3.0, 3.5, 9.0)
        components = np.array([0, 0, 1, 1, 2])
        pairs = between_components(components, distances, NOTHING, 2)
        assert rows(pairs) == [(1, 2), (3, 4)]

    def test_room_is_filled_with_further_pairs(self):
        distances = on_a_line(0.0, 1.0, 3.0)
        components = np.array([0, 0, 1])
        assert rows(between_components(components, distances, NOTHING, 5)) == [(1, 2), (0, 2)]

    def test_failed_pairs_are_given_up(self):
        distances = on_a_line(0.0, 1.0, 3.0)
        components = np.array([0, 0, 1])
        tried = np.array([[2, 1]])
        assert rows(between_components(components, distances, tried, 5)) == [(0, 2)]
        assert len(between_components(components, distances, tried, 5, tries=2)) == 2
        tried = np.array([[2, 1], [0, 2]])
        assert between_components(components, distances, tried, 5).shape == (0, 2)

    def test_everything_connected(self):
        distances = on_a_line(0.0, 1.0)
        assert between_components(np.zeros(2, int), distances, NOTHING, 5).shape == (0, 2)

    def test_a_far_component_is_not_forgotten(self):
        """All near neighbours of everybody are at home, yet a pair across is found."""
        distances = on_a_line(*np.linspace(0, 1, 40), *np.linspace(100, 101, 40))
        components = np.repeat([0, 1], 40)
        pairs = between_components(components, distances, NOTHING, 1, neighbours=4)
        assert rows(pairs) == [(39, 40)]


class TestMissingLinks:
    def test_many_short_gaps_beat_a_long_one(self):
        distances = on_a_line(0.0, 1.0, 2.0, 3.0)
        pairs = missing_links(np.arange(4), distances, (0, 3), NOTHING)
        assert rows(pairs) == [(0, 1), (1, 2), (2, 3)]

    def test_connected_pairs_cost_nothing(self):
        places = np.array([[0, 0], [1, 0], [0, 5], [6, 5], [6, 0]], float)
        distances = PairDistances(places, lambda i, j: float(np.linalg.norm(places[i] - places[j])))
        components = np.array([0, 1, 1, 1, 2])  # 1, 2 and 3 are connected, over a long way
        assert rows(missing_links(components, distances, (0, 4), NOTHING)) == [(0, 1), (1, 4)]

    def test_failed_gaps_are_gone_round(self):
        places = np.array([[0, 0], [1, 0], [2, 0], [0.9, 1.2]], float)
        distances = PairDistances(places, lambda i, j: float(np.linalg.norm(places[i] - places[j])))
        first = missing_links(np.arange(4), distances, (0, 2), NOTHING)
        assert rows(first) == [(0, 1), (1, 2)]
        again = missing_links(np.arange(4), distances, (0, 2), first[:1])
        assert rows(again) == [(0, 2)]
        tried = np.array([[0, 1], [1, 0], [0, 2], [2, 0]])
        assert rows(missing_links(np.arange(4), distances, (0, 2), tried)) == [
            (0, 3), (1, 3), (1, 2),
        ]  # fmt: skip
        tried = np.concatenate([tried, tried[:, ::-1], [[0, 3], [0, 3]]])
        assert missing_links(np.arange(4), distances, (0, 2), tried).shape == (0, 2)

    def test_connected_ends(self):
        distances = on_a_line(0.0, 1.0)
        assert missing_links(np.zeros(2, int), distances, (0, 1), NOTHING).shape == (0, 2)

    def test_aligned_distances_decide(self):
        """The invariants say that 1 lies on the way; alignment says that it does not."""
        features = np.array([[0.0], [1.0], [2.0], [50.0], [51.0]])
        exact = {(0, 1): 9.0, (1, 2): 9.0, (0, 2): 2.0, (3, 4): 1.0}
        distances = PairDistances(features, lambda i, j: exact[i, j])
        distances.aligned(np.array([[3, 4]]))
        components = np.array([0, 1, 2, 3, 3])
        assert rows(missing_links(components, distances, (0, 2), NOTHING)) == [(0, 2)]

    def test_power_of_the_distance(self):
        distances = on_a_line(0.0, 1.4, 2.0)
        rule = LinkRule(power=0.5)
        assert rows(missing_links(np.arange(3), distances, (0, 2), NOTHING, rule)) == [(0, 2)]

    def test_agrees_with_the_complete_graph(self):
        """Near neighbours suffice: the same gaps as with all of them."""
        key = jax.random.key(4)
        places = np.asarray(jax.random.normal(key, (60, 2)))
        exact = lambda i, j: float(np.linalg.norm(places[i] - places[j]))
        components = np.arange(60) // 3
        few = missing_links(components, PairDistances(places, exact), (0, 59), NOTHING)
        every = LinkRule(neighbours=59)
        all_ = missing_links(components, PairDistances(places, exact), (0, 59), NOTHING, every)
        assert rows(few) == rows(all_)

    def test_thousands_of_minima(self):
        """5000 minima: few alignments, and the gaps lead from one end to the other."""
        places = np.asarray(jax.random.normal(jax.random.key(1), (5000, 12)))
        exact = lambda i, j: 1.3 * float(np.linalg.norm(places[i] - places[j]))
        distances = PairDistances(places, exact)
        components = np.minimum(np.arange(5000) // 2, 1000)
        pairs = missing_links(components, distances, (0, 1501), NOTHING)
        assert len(pairs) > 1
        met = {int(components[0])}
        for pair in components[pairs].tolist():
            assert set(pair) & met
            met |= set(pair)
        assert int(components[1501]) in met
        assert distances.evaluations < 100


class TestUntrap:
    def test_high_barrier_for_a_small_descent_first(self):
        energies = np.array([-10.0, -9.5, -9.0, -5.0])
        barriers = np.array([-10.0, -4.0, -8.8, -4.0])
        distances = on_a_line(0.0, 1.2, 2.0, 9.0)
        pairs = untrap(energies, barriers, distances, NOTHING, 2)
        assert pairs.tolist() == [[1, 2], [3, 2]]

    def test_tried_and_unreached(self):
        energies = np.array([-10.0, -9.5, -9.0])
        barriers = np.array([-10.0, -4.0, np.inf])
        distances = on_a_line(0.0, 1.2, 2.0)
        assert untrap(energies, barriers, distances, NOTHING, 9).tolist() == [[1, 0]]
        assert untrap(energies, barriers, distances, np.array([[0, 1]]), 9).shape == (0, 2)
