"""Fixed points: all of them, against another root finder, and what becomes of bad starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from thalweg.core import AbstractDynamics, AbstractMap, ArgumentError, EulerMap
from thalweg.dynamics import Newton, certify, fixed_points


class Power(AbstractDynamics):
    """`dx/dt = -xᵖ + drive`: a root of multiplicity p without a drive."""

    p: jax.Array

    def __call__(self, t, x, drive=None):
        pushed = -(jnp.abs(x) ** self.p) * jnp.where(self.p % 2 == 1, jnp.sign(x), 1.0)
        return pushed if drive is None else pushed + drive


class Network(AbstractDynamics):
    """A leaky tanh network with strong weights: several fixed points."""

    W: jax.Array

    def __call__(self, t, x, drive=None):
        return -x + self.W @ jnp.tanh(x)


class Henon(AbstractMap):
    """M. Hénon, Commun. Math. Phys. 50, 69 (1976)."""

    a: jax.Array
    b: jax.Array

    def __call__(self, t, x, drive=None):
        return jnp.stack([1 - self.a * x[0] ** 2 + x[1], self.b * x[0]])


@pytest.fixture(scope="module")
def network():
    draws = jax.random.normal(jax.random.key(7), (6, 6))
    return Network(1.2 * jnp.eye(6) + 1.5 * (draws + draws.T) / np.sqrt(12))


@pytest.fixture(scope="module")
def found(network):
    return fixed_points(network, dof=6, scale=2.0, number=512)


def test_agrees_with_scipy_from_other_starts(network, found):
    W = np.asarray(network.W)
    starts = np.asarray(jax.random.uniform(jax.random.key(99), (800, 6), minval=-4, maxval=4))
    theirs = []
    for start in starts:
        ended = scipy.optimize.root(
            lambda x: -x + W @ np.tanh(x),
            start,
            jac=lambda x: -np.eye(6) + W * (1 - np.tanh(x) ** 2),
            tol=1e-13,
        )
        if ended.success and np.max(np.abs(ended.fun)) < 1e-10:
            away = [np.max(np.abs(ended.x - x)) for x in theirs]
            if not away or min(away) > 1e-6:
                theirs.append(ended.x)
    # Their starts are few at the origin, which only few of them lead to.
    theirs.append(np.zeros(6))
    assert len(found) == len({tuple(np.round(x, 6) + 0.0) for x in theirs}) == 15
    for x in theirs:
        assert np.min(np.max(np.abs(found.points - x), axis=1)) < 1e-10


def test_record_is_consistent(network, found):
    count = len(found)
    assert count % 2 == 1  # the mirror image of each, and the origin
    assert found.points.shape == (count, 6)
    assert found.spectra.shape == (count, 6)
    assert found.matrices.shape == (count, 6, 6)
    assert found.hits.sum() == found.outcomes["success"]
    assert sum(found.outcomes.values()) == found.starts == 512
    assert found.converged == found.outcomes["success"] / 512
    assert np.max(found.residuals) < 1e-12
    assert np.all(np.diff(found.margins) <= 1e-8 * found.rate)
    np.testing.assert_array_equal(found.stable, found.margins > 0)
    for x, matrix in zip(found.points, found.matrices, strict=True):
        slope = 1 - np.tanh(x) ** 2
        np.testing.assert_allclose(matrix, -np.eye(6) + np.asarray(network.W) * slope, atol=1e-13)


def test_results_do_not_depend_on_the_width_of_a_block(network, found):
    starts = np.asarray(jax.random.normal(jax.random.key(0), (70, 6))) * 2.0
    one = fixed_points(network, starts=starts, scale=2.0)
    two = fixed_points(network, starts=starts, scale=2.0, newton=Newton(width=7))
    np.testing.assert_allclose(one.points, two.points, atol=1e-12)
    np.testing.assert_array_equal(one.hits, two.hits)


def test_bad_starts_end_in_named_outcomes():
    starts = np.array([[np.nan], [np.inf], [0.4], [-3.0]])
    found = fixed_points(Power(jnp.asarray(1.0)), 2.0, starts=starts)
    assert found.outcomes == {"success": 2, "nonfinite": 2}
    np.testing.assert_allclose(found.points, [[2.0]])
    nowhere = fixed_points(Power(jnp.asarray(2.0)), -1.0, dof=1, number=16)  # -x² - 1 = 0
    assert len(nowhere) == 0
    assert nowhere.converged == 0
    assert set(nowhere.outcomes) <= {"stalled", "max_steps", "escaped"}
    broken = fixed_points(Power(jnp.asarray(1.0)), jnp.nan, dof=1, number=16)
    assert broken.outcomes == {"nonfinite": 16}
    certificate = certify(Power(jnp.asarray(2.0)), -1.0, dof=1, number=16)
    assert certificate.verdict == "undecided"
    assert certificate.reason == "no fixed point was found from 16 starts"


def test_runaways_are_called_escaped():
    # 1/(1 + x²) falls towards zero for ever.
    class Tail(AbstractDynamics):
        def __call__(self, t, x, drive=None):
            return 1 / (1 + x**2)

    found = fixed_points(Tail(), dof=1, number=8)
    assert len(found) == 0
    assert "escaped" in found.outcomes


@pytest.mark.parametrize("power", [2.0, 3.0, 5.0])
def test_a_multiple_root_is_one_point_and_undecided(power):
    certificate = certify(Power(jnp.asarray(power)), dof=1, number=64)
    assert len(certificate.points) == 1
    assert abs(certificate.points[0].x[0]) < 1e-6
    assert certificate.verdict == "undecided"
    assert "not hyperbolic" in certificate.points[0].reason


def test_maps_have_multipliers():
    a, b = 1.4, 0.3
    found = fixed_points(Henon(jnp.asarray(a), jnp.asarray(b)), dof=2, number=64)
    x = (b - 1 + np.array([1, -1]) * np.sqrt((1 - b) ** 2 + 4 * a)) / (2 * a)
    np.testing.assert_allclose(np.sort(found.points[:, 0]), np.sort(x), rtol=1e-12)
    assert found.discrete
    for point, multipliers in zip(found.points, found.spectra, strict=True):
        root = np.sqrt((a * point[0]) ** 2 + b)
        np.testing.assert_allclose(
            np.sort(multipliers.real), np.sort(-a * point[0] + np.array([root, -root])), rtol=1e-12
        )
    np.testing.assert_allclose(found.margins, 1 - np.abs(found.spectra).max(1))
    # a = 0.1: one of them attracts; both criteria and the verdict say so.
    certificate = certify(Henon(jnp.asarray(0.1), jnp.asarray(b)), dof=2, number=64, scale=4.0)
    assert [p.verdict for p in certificate.points] == ["stable", "unstable"]


def test_the_euler_map_rests_where_the_flow_does():
    flow = Power(jnp.asarray(1.0))
    for step, verdict in ((1.9, "stable"), (2.1, "unstable"), (2.0, "undecided")):
        asked = certify(flow, 3.0, dof=1, number=4, step=step)
        if step != 2.0:
            assert certify(EulerMap(flow, step), 3.0, dof=1, number=4).verdict == verdict
        assert asked.euler == verdict
        assert asked.verdict == "stable"
        assert asked.points[0].critical_step == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "does not say how many coordinates"),
        ({"starts": np.zeros(3)}, "expected \\(number, dof\\)"),
        ({"dof": 1, "number": 0}, "number=0"),
        ({"dof": 1, "scale": -1.0}, "must be positive"),
        ({"starts": np.zeros((4, 5))}, "expected the same shape"),
    ],
)
def test_wrong_calls_are_told(network, wrong, says):
    with pytest.raises((ArgumentError, TypeError), match=says):
        fixed_points(Wide(), **wrong)


class Wide(AbstractDynamics):
    """Returns two numbers, whatever it is given."""

    def __call__(self, t, x, drive=None):
        return jnp.zeros(2)


def test_wrong_settings_are_told():
    with pytest.raises(ArgumentError, match=r"tol=0\.0"):
        Newton(tol=0.0)
    with pytest.raises(ArgumentError, match="max_steps=0"):
        Newton(max_steps=0)
    with pytest.raises(ArgumentError, match="is a map"):
        certify(Henon(jnp.asarray(1.4), jnp.asarray(0.3)), dof=2, step=0.1)
    with pytest.raises(ArgumentError, match="must be a positive number"):
        certify(Power(jnp.asarray(1.0)), dof=1, step=-0.1)
