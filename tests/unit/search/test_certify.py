"""Certificates: what passes, what does not, and why."""

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import Outcome, PrecisionError, SolveError, System
from thalweg.energies import system as catalogue
from thalweg.search import certify_many, climb, push_off, quench, tolerance_beside


def _saddle(x):
    return x[0] ** 2 - x[1] ** 2 + 0.25 * x[1] ** 4


def test_a_saddle_is_no_minimum_and_the_certificate_says_so():
    system = System(_saddle, shape=(2,))
    point = certify_many(system, np.zeros((1, 2)), index=0)[0]
    assert point.certificate.outcome is Outcome.wrong_index
    assert point.certificate.index == 1
    passed = certify_many(system, np.zeros((1, 2)), index=1)[0]
    assert passed.certificate.ok
    np.testing.assert_allclose(passed.certificate.curvatures, (-2.0, 2.0))
    np.testing.assert_allclose(passed.certificate.log_product, np.log(2.0))
    np.testing.assert_allclose(np.abs(passed.mode), (0.0, 1.0), atol=1e-12)


def test_flat_valley_has_unexplained_zero_modes():
    system = System(lambda x: (x[0] - 1.0) ** 2, shape=(3,))
    point = certify_many(system, np.array([[0.9, 0.3, -0.2]]), index=0)[0]
    assert point.certificate.outcome is Outcome.unexplained_zero_modes
    assert (point.certificate.zero_modes, point.certificate.expected_zero_modes) == (2, 0)


def test_detached_atom_is_not_a_minimum():
    dimer = np.array([[0.0, 0.0, 0.0], [2 ** (1 / 6), 0.0, 0.0]])
    far = np.vstack([dimer, [[50.0, 0.0, 0.0]]])
    point = certify_many(catalogue("lj3"), far.reshape(1, -1), index=0)[0]
    assert point.certificate.outcome is not Outcome.success


def test_newton_polishes_to_rounding():
    lj3 = catalogue("lj3")
    near = np.array([[0, 0, 0], [1.1225, 0, 0], [0.561, 0.972, 0]]).reshape(1, -1)
    point = certify_many(lj3, near, index=0)[0]
    assert point.certificate.ok
    assert point.certificate.gradient_norm < 1e-12
    np.testing.assert_allclose(point.value, -3.0, atol=1e-14)
    assert point.certificate.order == 12  # D3h
    assert point.certificate.zero_modes == 6


def test_linear_molecule_has_five_zero_modes():
    line = np.array([[-1.11, 0, 0], [0.0, 0, 0], [1.11, 0, 0]]).reshape(1, -1)
    point = certify_many(catalogue("lj3"), line, index=2)[0]
    assert point.certificate.zero_modes == 5
    assert point.certificate.ok


def test_nonfinite_point_is_named():
    point = certify_many(catalogue("lj3"), np.zeros((1, 9)), index=0)[0]
    assert point.certificate.outcome is Outcome.nonfinite


def test_quench_climb_and_push_off_on_mueller_brown():
    mueller = catalogue("muller-brown")
    saddle = climb(mueller, [-0.8, 0.6], [1.0, -1.0]).value
    np.testing.assert_allclose(saddle.value, -40.664843509, atol=1e-8)
    ends = push_off(mueller, np.stack([saddle.x] * 2), np.stack([saddle.mode, -saddle.mode]))
    energies = sorted(quench(mueller, x).value.value for x in ends.x)
    np.testing.assert_allclose(energies, [-146.699517210, -80.767818130], atol=1e-8)


def test_valleys_that_begin_softly_are_followed():
    """As in the loss of a large network: beside the saddle the gradient is below the tolerance."""
    soft = System(lambda x: 1e-5 * ((x[0] ** 2 - 1) ** 2 + x[1] ** 2), shape=(2,))
    saddle = certify_many(soft, np.zeros((1, 2)), index=1)[0]
    both = np.stack([saddle.mode, -saddle.mode])
    stuck = push_off(soft, np.zeros((2, 2)), both)
    assert np.all(np.abs(stuck.x) < 0.03)
    tol = tolerance_beside(soft, np.array([saddle.curvature]))
    ends = push_off(soft, np.zeros((2, 2)), both, tol=tol)
    assert np.all(ends.outcome == Outcome.success)
    np.testing.assert_allclose(np.sort(ends.x[:, 0]), [-1.0, 1.0], atol=1e-3)


def test_the_tolerance_beside_sharp_saddles_is_the_usual_one():
    mueller = catalogue("muller-brown")
    assert tolerance_beside(mueller, np.array([-700.0, -3.0])) > 1e-6


def test_wrong_size_names_the_argument():
    with pytest.raises(ValueError, match="x0 has 3 coordinates; lj3 has 9"):
        quench(catalogue("lj3"), [1.0, 2.0, 3.0])


def test_nan_start_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        quench(catalogue("lj3"), np.full(9, np.nan))


def test_failure_raises_only_on_request():
    runaway = System(lambda x: -jnp.sum(x), shape=(2,))
    solution = quench(runaway, [0.0, 0.0], throw=False)
    assert not solution.ok
    with pytest.raises(SolveError, match="step limit"):
        quench(runaway, [0.0, 0.0])


def test_single_precision_is_refused(monkeypatch):
    monkeypatch.setattr("jax.config.read", lambda name: False)
    with pytest.raises(PrecisionError, match="enable_float64"):
        certify_many(catalogue("lj3"), np.zeros((1, 9)), index=0)
