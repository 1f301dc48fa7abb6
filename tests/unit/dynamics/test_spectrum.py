"""Reading a linearisation: eigenvalues, measures, metrics."""

import jax
import numpy as np
import pytest
import scipy.linalg

from thalweg.core import ArgumentError
from thalweg.dynamics import (
    critical_step,
    damping_ratios,
    diagonal_metric,
    frequencies,
    margin,
    margin_error,
    matrix_measure,
    spectrum,
)


def draws(seed, *shape):
    return np.asarray(jax.random.normal(jax.random.key(seed), shape))


def test_spectra_are_sorted_and_agree_with_scipy():
    stack = draws(0, 5, 9, 9)
    values = spectrum(stack)
    assert np.all(np.diff(values.real, axis=1) <= 1e-12)
    for row, matrix in zip(values, stack, strict=True):
        theirs = scipy.linalg.eigvals(matrix)
        assert max(np.min(np.abs(theirs - v)) for v in row) < 1e-9
    stack = stack.copy()
    stack[1, 0, 0] = np.nan
    again = spectrum(stack)
    assert np.isnan(again[1]).all()
    np.testing.assert_array_equal(again[0], values[0])
    with pytest.raises(ArgumentError, match="square"):
        spectrum(np.zeros((2, 3)))


def test_an_oscillator_reads_as_it_should():
    # ẍ + 2ζω ẋ + ω² x = 0
    zeta, omega = 0.2, 3.0
    values = spectrum(np.array([[0, 1], [-(omega**2), -2 * zeta * omega]]))
    np.testing.assert_allclose(damping_ratios(values), zeta)
    np.testing.assert_allclose(frequencies(values), omega * np.sqrt(1 - zeta**2) / (2 * np.pi))
    assert margin(values) == pytest.approx(zeta * omega)
    assert critical_step(values) == pytest.approx(2 * zeta / omega)
    assert critical_step(-values) == 0
    assert damping_ratios(np.zeros(2, complex)).tolist() == [0, 0]


def test_the_error_of_a_margin_covers_what_rounding_does():
    # A Jordan block moves by ε^(1/n): the bound must know.
    n = 8
    block = -np.eye(n) + np.diag(np.ones(n - 1), 1)
    basis = draws(3, n, n)
    sharp = margin_error(basis @ block @ np.linalg.inv(basis))
    assert abs(sharp.value - 1.0) < sharp.error
    assert sharp.condition > 1e6
    normal = margin_error(-np.diag(np.arange(1.0, 9)))
    assert normal.error < 1e-12
    assert normal.condition == pytest.approx(1.0)
    for seed in range(20):
        matrix, noise = draws(seed, n, n), 1e-9 * draws(seed + 100, n, n)
        before = margin_error(matrix, uncertainty=np.linalg.norm(noise))
        assert abs(margin(spectrum(matrix + noise)) - before.value) <= before.error


def test_measures_bound_the_growth_in_their_norm():
    matrix, weights = draws(4, 6, 6) - 3 * np.eye(6), np.exp(draws(5, 6))
    norms = {"one": 1, "two": 2, "infinity": np.inf}
    step = 1e-7
    for name, order in norms.items():
        for d in (None, weights):
            scaled = matrix if d is None else d[:, None] * matrix / d
            direct = (np.linalg.norm(np.eye(6) + step * scaled, order) - 1) / step
            assert matrix_measure(matrix, name, d) == pytest.approx(direct, abs=1e-5)
            assert matrix_measure(matrix, name, d) >= spectrum(matrix).real.max()
    with pytest.raises(ArgumentError, match="none of"):
        matrix_measure(matrix, "three")
    with pytest.raises(ArgumentError, match="positive numbers"):
        matrix_measure(matrix, "two", -weights)


def test_a_diagonal_metric_is_found_exactly_for_m_matrices():
    for seed in range(50):
        weights = np.abs(draws(seed, 7, 7))
        radius = np.max(np.abs(np.linalg.eigvals(weights)))
        inside = np.eye(7) - 0.98 * weights / radius
        found = diagonal_metric(inside)
        assert found is not None
        both = found.t[:, None] * inside
        assert np.linalg.eigvalsh(both + both.T)[0] > 0
        assert found.least > 0
        assert np.all(inside @ found.v > 0)
        assert diagonal_metric(np.eye(7) - 1.02 * weights / radius) is None
    assert diagonal_metric(np.zeros((2, 2))) is None
    with pytest.raises(ArgumentError, match="Z-matrix"):
        diagonal_metric(np.ones((2, 2)))
