"""Newton's method towards stationary points of any index, and how it ends."""

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError, FreeSpace, Outcome, System
from thalweg.energies import double_well, mueller_brown
from thalweg.landscape import stationary_points
from thalweg.search import certify_many, newton_many

SURFACE = System(mueller_brown, name="surface", space=FreeSpace((2,), extent=20.0), length=0.3)


def test_minima_and_transition_states_alike():
    starts = np.array([[-0.5, 1.4], [0.6, 0.0], [-0.1, 0.5], [0.2, 0.3], [-0.8, 0.6]])
    ended = newton_many(SURFACE, starts)
    assert np.all(ended.outcome == Outcome.success)
    found = certify_many(SURFACE, ended.x, None)
    assert [c.certificate.index for c in found] == [0, 0, 0, 1, 1]
    energies = [-146.699517, -108.166724, -80.767818, -72.248940, -40.664844]
    got = sorted(c.value for c in found)
    np.testing.assert_allclose(got, sorted(energies), atol=1e-6)


def test_the_result_does_not_depend_on_company():
    starts = np.stack([np.cos(np.arange(70.0)), np.sin(np.arange(70.0) ** 2)], axis=1)
    together = newton_many(SURFACE, starts)
    alone = newton_many(SURFACE, starts[66:67])
    np.testing.assert_array_equal(together.outcome[66], alone.outcome[0])
    np.testing.assert_allclose(together.x[66], alone.x[0], atol=1e-9)
    assert together.steps[66] == alone.steps[0]


def test_named_ends():
    def slope(x):
        return jnp.sum(x) + 0.0 * jnp.sum(x**2)

    def waning(x):
        return jnp.exp(-x[0]) + x[1] ** 2  # its infimum is at infinity

    def holes(x):
        return jnp.where(x[0] > 0, jnp.sum(x**2), jnp.nan)

    for function, start, outcomes in (
        (slope, [0.1, 0.2], {Outcome.stalled, Outcome.max_steps}),
        (waning, [0.0, 1.0], {Outcome.escaped}),
        (holes, [-1.0, 0.0], {Outcome.nonfinite}),
    ):
        built = System(function, name="ends", space=FreeSpace((2,), extent=10.0))
        ended = newton_many(built, np.array([start]))
        assert Outcome(int(ended.outcome[0])) in outcomes
    deep = System(double_well, name="deep", space=FreeSpace((2,)), floor=0.5)
    ended = newton_many(deep, np.array([[0.9, 0.1]]))
    assert Outcome(int(ended.outcome[0])) is Outcome.collapsed


def test_a_double_well_is_complete():
    built = System(double_well, name="well", space=FreeSpace((2,)), length=0.5)
    found = stationary_points(built, np.array([[0.9, 0.1], [-0.8, 0.3], [0.1, 0.1], [0.8, 0.0]]))
    assert found.distinct == found.counts == {0: 2, 1: 1}
    assert found.missing is False
    assert found.hits.sum() == 4
    assert found.table()[2]["index"] == 1
    assert "as of a complete set" in found.statement()
    assert stationary_points(built, np.array([[0.9, 0.1], [-0.8, 0.3]])).missing


def test_wrong_calls():
    with pytest.raises(ArgumentError, match=r"expected \(points, 2\)"):
        newton_many(SURFACE, np.zeros((3, 5)))
    with pytest.raises(ArgumentError, match="max_steps=0"):
        newton_many(SURFACE, np.zeros((1, 2)), max_steps=0)
    with pytest.raises(ArgumentError, match="starts=0"):
        stationary_points(SURFACE, 0)
