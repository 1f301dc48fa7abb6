import dataclasses

import numpy as np
import pytest

from thalweg.core import ArgumentError, SolveError
from thalweg.energies import system as catalogue
from thalweg.landscape import pathway


@pytest.fixture(scope="module")
def path(mueller_brown):
    return pathway(*mueller_brown, 0, 1)


def test_sequence_and_rows(path, mueller_brown):
    _, network = mueller_brown
    assert path.minima == (0, 2, 1)
    assert path.transition_states == (1, 0)
    np.testing.assert_array_equal(path.kinds[path.rows], [0, 1, 0, 1, 0])
    assert np.sum(path.kinds >= 0) == 5
    stationary = path.points[path.rows]
    expected = np.stack([network.points[0], network.ts_points[1], network.points[2]])
    np.testing.assert_allclose(stationary[:3], expected, atol=1e-9)
    assert path.step_of_row[path.rows].tolist() == [0, 0, 1, 1, 1]
    assert path.highest == 1
    np.testing.assert_allclose(path.barriers[:, 0].max(), path.barrier)


def test_energy_falls_from_every_transition_state(path):
    rise = np.diff(path.energies)
    for i, (low, high) in enumerate(zip(path.rows[:-1], path.rows[1:], strict=True)):
        assert np.all(rise[low:high] * (-1) ** i > 0)


def test_slopes_and_tangents_belong_to_the_path(path, mueller_brown):
    import jax

    gradient = np.asarray(jax.vmap(jax.grad(mueller_brown[0].energy))(path.points))
    np.testing.assert_allclose(np.sum(gradient * path.tangents, axis=1), path.slopes, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(gradient, axis=1), np.abs(path.slopes), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(path.tangents, axis=1), 1.0)


def test_the_way_back(path, mueller_brown):
    back = pathway(*mueller_brown, 1, 0)
    assert back.transition_states == path.transition_states[::-1]
    np.testing.assert_allclose(back.points, path.points[::-1], atol=1e-9)
    assert back.length == pytest.approx(path.length, abs=1e-10)


def test_steps_table(path):
    steps = path.steps
    assert list(steps.transition_state) == [1, 0]
    assert list(steps.minimum_a) == [0, 2]
    assert steps.length.sum() == pytest.approx(path.length)
    # Every coordinate counts as a particle here: the index lies between one and both of them.
    move = np.diff(path.points[path.rows[::2]], axis=0)
    expected = np.sum(move**2, axis=1) ** 2 / np.sum(move**4, axis=1)
    np.testing.assert_allclose(steps.cooperativity, expected)
    np.testing.assert_allclose(steps.largest_displacement, np.abs(move).max(axis=1))
    assert np.all(steps.distance <= steps.length)


@pytest.mark.parametrize("n", [9, 50, 401])
def test_resample(path, mueller_brown, n):
    import jax

    short = path.resample(n)
    assert len(short.points) == n
    np.testing.assert_array_equal(short.points[short.rows], path.points[path.rows])
    np.testing.assert_array_equal(short.energies[short.rows], path.energies[path.rows])
    assert short.length == path.length
    for low, high in zip(short.rows[:-1], short.rows[1:], strict=True):
        gaps = np.diff(short.lengths[low : high + 1])
        np.testing.assert_allclose(gaps, gaps[0])
    energies = np.asarray(jax.vmap(mueller_brown[0].energy)(short.points))
    np.testing.assert_allclose(short.energies, energies, atol=5e-3)


def test_resample_needs_room(path):
    with pytest.raises(ArgumentError, match="n=8 points are too few"):
        path.resample(8)


def test_via_is_followed(path, mueller_brown):
    given = pathway(*mueller_brown, 0, 1, via=[1, 0])
    np.testing.assert_array_equal(given.points, path.points)


def test_a_store_that_is_wrong_is_corrected(path, mueller_brown):
    surface, network = mueller_brown
    # Transition state 0 joins 1 and 2 in truth; here it seems a way from 0 to 1.
    wrong = dataclasses.replace(network, ts_minima=np.array([[0, 1], [0, 2]]))
    found = pathway(surface, wrong, 0, 1)
    assert found.minima == path.minima
    (correction,) = found.corrections
    assert correction.transition_state == 0
    assert correction.stored == (0, 1)
    assert set(correction.found) == {1, 2}
    with pytest.raises(SolveError, match=r"ends in minimum \d and minimum \d, not in minima 0 and 1"):
        pathway(surface, wrong, 0, 1, via=[0])


def test_a_minimum_that_is_not_stored_breaks_the_path(mueller_brown):
    surface, network = mueller_brown
    part = network.select(np.array([True, True, False]))
    part = dataclasses.replace(
        part,
        ts_ids=np.array([0]),
        ts_energies=network.ts_energies[:1],
        ts_orders=network.ts_orders[:1],
        ts_log_products=network.ts_log_products[:1],
        ts_hits=network.ts_hits[:1],
        ts_minima=np.array([[0, 1]]),
        ts_points=network.ts_points[:1],
    )
    with pytest.raises(ArgumentError, match="different pieces"):
        pathway(surface, part, 0, 1)
    with pytest.raises(SolveError, match="not in the store"):
        pathway(surface, part, 0, 1, via=[0])


def test_wrong_calls(mueller_brown):
    surface, network = mueller_brown
    with pytest.raises(ArgumentError, match="no minimum with the id 9"):
        pathway(surface, network, 0, 9)
    with pytest.raises(ArgumentError, match="no coordinates"):
        pathway(surface, dataclasses.replace(network, points=None), 0, 1)
    with pytest.raises(ArgumentError, match="has 9 coordinates"):
        pathway(catalogue("lj3"), network, 0, 1)
    with pytest.raises(SolveError, match="no index-1 saddle"):
        pathway(surface, dataclasses.replace(network, ts_points=network.points[:2]), 0, 1)


def test_text(path):
    assert str(path).startswith("2 steps, barrier 106.034674")
    assert str(path).endswith("0 -[1]- 2 -[0]- 1")
