import dataclasses

import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork

# Two components: 0-1-2 (with two transition states between 0 and 1, and a loop) and 3-4; 5 alone.
ENERGIES = np.array([-4.0, -5.0, -3.0, -2.0, -2.5, 0.0])
TS = [(-1.0, 0, 1), (-2.0, 1, 0), (-0.5, 1, 2), (-4.5, 1, 1), (-1.5, 3, 4), (0.0, 0, 2)]


@pytest.fixture
def network():
    return TransitionNetwork.bare(
        ENERGIES, np.array([t[0] for t in TS]), np.array([t[1:] for t in TS])
    )


def test_components_are_counted_from_the_global_minimum(network):
    assert network.global_minimum == 1
    assert network.components.tolist() == [0, 0, 0, 1, 1, 2]
    assert network.n_components == 3


def test_degenerate_and_parallel_transition_states_are_kept(network):
    assert network.n_transition_states == 6
    assert network.degenerate.tolist() == [False, False, False, True, False, False]
    assert network.lowest_edges().tolist() == [1, 4, 2, 5]


def test_lowest_barrier(network):
    assert network.lowest_barrier(0, 1) == -2.0
    assert network.lowest_barrier(0, 2) == -0.5  # over 1; straight across it is 0
    assert network.lowest_barrier(3, 0) == np.inf
    assert network.lowest_barrier(2, 2) == -3.0
    assert network.lowest_barriers(5).tolist() == [np.inf] * 5 + [0.0]


def test_barriers_at_energy_zero_are_no_gaps():
    """A sparse matrix would take a weight of zero for a missing edge."""
    network = TransitionNetwork.bare(np.array([-1.0, -2.0]), np.array([0.0]), np.array([[0, 1]]))
    assert network.lowest_barrier(0, 1) == 0.0
    assert network.n_components == 1


def test_subsets(network):
    part = network.component(1)
    assert (part.ids.tolist(), part.ts_ids.tolist()) == ([3, 4], [4])
    assert part.ts_minima.tolist() == [[0, 1]]
    below = network.below(-1.0)
    assert below.ids.tolist() == [0, 1, 2, 3, 4]
    assert below.ts_ids.tolist() == [0, 1, 3, 4]
    assert network.below(-100.0).n_minima == 0


def test_subsets_keep_coordinates(network):
    network = dataclasses.replace(network, points=np.arange(12.0).reshape(6, 2))
    assert network.component(1).points.tolist() == [[6.0, 7.0], [8.0, 9.0]]


def test_empty_networks_answer_what_they_can():
    empty = TransitionNetwork.bare(np.zeros(0), np.zeros(0), np.zeros((0, 2), dtype=int))
    assert (empty.n_minima, empty.n_components) == (0, 0)
    assert len(empty.spanning_forest.energies) == 0
    with pytest.raises(ArgumentError, match="no minima"):
        _ = empty.global_minimum


def test_wrong_positions_are_named(network):
    with pytest.raises(ArgumentError, match="outside"):
        network.lowest_barrier(0, 6)
    with pytest.raises(ArgumentError, match="positions 0…2"):
        TransitionNetwork.bare(np.zeros(2), np.zeros(1), np.array([[0, 2]]))


def test_arrays_cannot_be_changed(network):
    with pytest.raises(ValueError, match="read-only"):
        network.energies[0] = 1.0
