"""Floquet multipliers of cycles where they are known in closed form, or by Liouville's formula."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import AbstractDynamics, AbstractMap, ArgumentError
from thalweg.dynamics import Verdict, floquet_multipliers, simulate


class Oscillator(AbstractDynamics):
    """The normal form of the Hopf bifurcation, or van der Pol's equation: one program for both.

    `r' = μ r - c r³`, `θ' = ω`; or `x'' = μ (1 - x²) x' - x`.
    """

    def __call__(self, t, x, drive):
        del t
        mu, cubic, omega, is_van_der_pol = drive
        normal = (mu - cubic * (x @ x)) * x + omega * jnp.stack([-x[1], x[0]])
        van_der_pol = jnp.stack([x[1], mu * (1 - x[0] ** 2) * x[1] - x[0]])
        return jnp.where(is_van_der_pol, van_der_pol, normal)


class Logistic(AbstractMap):
    """`x → r x (1 - x)`."""

    def __call__(self, t, x, drive):
        del t
        return drive * x * (1.0 - x)


def drive(mu, cubic=1.0, omega=1.0, *, van_der_pol=False):
    return tuple(jnp.asarray(float(value)) for value in (mu, cubic, omega, van_der_pol))


@pytest.mark.parametrize(
    ("mu", "cubic", "omega", "verdict"),
    [(0.5, 1.0, 2.0, Verdict.stable), (0.02, 0.3, 1.0, Verdict.stable),
     (-0.2, -0.2, 3.0, Verdict.unstable)],
)  # fmt: skip
def test_hopf_normal_form(mu, cubic, omega, verdict):
    """The cycle has `r² = μ/c`, `T = 2π/ω`, and the multiplier `exp(-2 μ T)` (linearise in r)."""
    radius, period = math.sqrt(mu / cubic), 2 * math.pi / omega
    start = [1.02 * radius, 0.03]
    found = floquet_multipliers(Oscillator(), start, drive(mu, cubic, omega), period=1.01 * period)
    assert found.period == pytest.approx(period, rel=1e-9)
    assert np.linalg.norm(found.x) == pytest.approx(radius, rel=1e-8)
    assert found.closure < 1e-8 * radius
    along, other = found.multipliers
    assert along == pytest.approx(1.0, abs=1e-8)
    assert found.error < 1e-8
    assert other == pytest.approx(math.exp(-2 * mu * period), rel=1e-7)
    assert found.verdict is verdict
    assert found.unstable == (verdict is Verdict.unstable)


def test_van_der_pol():
    """Period 6.66328686 at μ = 1; by Liouville the product of the multipliers is
    `exp ∮ tr J dt`, `tr J = μ (1 - x²)`."""
    wish = drive(1.0, van_der_pol=True)
    found = floquet_multipliers(Oscillator(), [2.0, 0.0], wish, period=6.6)
    assert found.period == pytest.approx(6.66328686, abs=1e-8)
    assert found.error < 1e-7
    assert found.verdict is Verdict.stable
    times = np.linspace(0.0, found.period, 513)
    path = simulate(Oscillator(), found.x, times, wish, rtol=1e-11, atol=1e-13).x[0]
    trace = np.trapezoid(1 - path[:, 0] ** 2, times)  # spectral accuracy: periodic
    assert np.prod(found.multipliers).real == pytest.approx(math.exp(trace), rel=1e-5)
    assert found.transverse[0] == pytest.approx(8.6e-4, abs=1e-5)
    assert "stable cycle of period 6.6632869: multipliers 1, 0.0008597" in str(found)


def test_cycles_in_families_decide_nothing():
    """A harmonic oscillator: every circle is a cycle, both multipliers are 1."""
    found = floquet_multipliers(Oscillator(), [1.0, 0.0], drive(0.0, 0.0, 2.0), period=3.1)
    assert found.period == pytest.approx(math.pi, rel=1e-9)
    np.testing.assert_allclose(found.multipliers, [1.0, 1.0], atol=1e-7)
    assert found.verdict is Verdict.undecided


@pytest.mark.parametrize(
    ("r", "verdict"),
    [(3.2, Verdict.stable), (3.5, Verdict.unstable), (1 + 6**0.5, Verdict.undecided)],
)
def test_the_logistic_map_at_period_two(r, verdict):
    """The multiplier of the 2-cycle is `4 + 2 r - r²`: 0.16 at r = 3.2, -1 at `1 + √6`."""
    x = (r + 1 + math.sqrt((r - 3) * (r + 1))) / (2 * r)
    found = floquet_multipliers(Logistic(), [x + 1e-4], r, period=2)
    assert found.multipliers[0] == pytest.approx(4 + 2 * r - r * r, abs=1e-9)
    assert found.x[0] == pytest.approx(x, abs=1e-10)
    assert found.verdict is verdict
    assert len(found.transverse) == 1


def test_wrong_calls():
    with pytest.raises(ArgumentError, match="period=-1"):
        floquet_multipliers(Logistic(), [0.5], 3.2, period=-1)
    with pytest.raises(ArgumentError, match="whole steps"):
        floquet_multipliers(Logistic(), [0.5], 3.2, period=1.5)
    with pytest.raises(ArgumentError, match="one finite point"):
        floquet_multipliers(Oscillator(), [[0.5]], drive(1.0), period=1)
    with pytest.raises(ArgumentError, match="does not last"):
        floquet_multipliers(Logistic(), [5.0], 3.2, period=30)
