"""Bennett's acceptance ratio against an exact case."""

import jax
import numpy as np
import pytest

from thalweg.sampling import bennett


@pytest.mark.parametrize("shift", [0.0, 3.0, 1e4])
def test_two_gaussian_wells(shift):
    """Two harmonic wells: f₁ - f₀ = ½ ln(k₁/k₀) and whatever the second is raised by."""
    k0, k1, apart = 1.0, 4.0, 0.7
    zero = np.asarray(jax.random.normal(jax.random.key(0), (4000,))) / np.sqrt(k0)
    one = apart + np.asarray(jax.random.normal(jax.random.key(1), (4000,))) / np.sqrt(k1)

    def gap(x):
        return 0.5 * k1 * (x - apart) ** 2 + shift - 0.5 * k0 * x**2

    value, error = bennett(gap(zero), -gap(one))
    assert abs(value - (0.5 * np.log(k1 / k0) + shift)) < 4 * error
    assert error < 0.05


def test_too_few_samples():
    assert all(np.isnan(bennett(np.zeros(1), np.zeros(5))))


@pytest.mark.parametrize("spread", [0.0, 1e-9, 1e-6])
def test_states_that_hardly_differ_have_a_small_error_and_no_nan(spread):
    forward = 0.3 + spread * np.sin(np.arange(200.0))
    backward = -0.3 + spread * np.cos(np.arange(300.0))
    difference, error = bennett(forward, backward)
    assert difference == pytest.approx(0.3, abs=1e-5)
    assert 0.0 <= error <= max(spread, 1e-15)
