"""Finding a transition state with an oracle that hardly ever passes away from it.

Particles fly from `x` with a random kinetic energy along a barrier of 12 kT; a point passes if the
energy suffices to cross. Source of the problem: Frenkel, Schrenk & Martiniani, PNAS 114, 6924
(2017).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

from thalweg.sampling import softness_ladder

TOP = 30.0 / math.sqrt(2.0 * math.pi)


def barrier(x):
    return TOP * jnp.exp(-0.5 * x * x)


def kinetic(key):
    return 0.5 * jax.random.normal(key, (), jnp.float64) ** 2


def crosses(x, energy, softness):
    return (jnp.abs(x[0]) < 2.0) & (softness * energy > TOP - barrier(x[0]))


def moments():
    """`⟨x²⟩` and `P(|x| < 1)` under `p(x) = erfc √(V(0) - V(x))`, by quadrature."""

    def p(x):
        return special.erfc(math.sqrt(TOP - TOP * math.exp(-0.5 * x * x)))

    norm = integrate.quad(p, 0, 2)[0]
    square = integrate.quad(lambda x: x * x * p(x), 0, 2)[0] / norm
    return square, integrate.quad(p, 0, 1)[0] / norm


def test_exact_moments():
    square, inside = moments()
    assert square == pytest.approx(0.06324, abs=5e-6)
    assert inside == pytest.approx(0.99880, abs=5e-6)


@pytest.mark.statistical
def test_softness_ladder_finds_it_and_keeps_its_law():
    """Median first passage 52 calls (95 %: 116), where a cloud needs some 2e5; exact moments."""
    samples = softness_ladder(
        crosses, kinetic, [2.0 - 1e-9], jax.random.key(1), step=1.0, sweeps=2500, chains=600
    )
    first = samples.first_calls(lambda x: np.abs(x[..., 0]) < 1)
    assert np.isfinite(first).all()
    assert 40 <= np.median(first) <= 64
    assert 100 <= np.quantile(first, 0.95) <= 132
    settled = samples.points[500:, :, 0]
    assert samples.passed[500:].all()
    square, inside = moments()
    for values, exact in [(settled**2, square), (np.abs(settled) < 1, inside)]:
        means = values.mean(axis=0)
        error = means.std(ddof=1) / math.sqrt(len(means))
        assert abs(means.mean() - exact) < 5 * error
        assert error < 0.01 * exact
    assert (samples.exchange > 0.3).all()


@pytest.mark.statistical
def test_one_strict_replica_is_lost_where_the_ladder_is_quick():
    """Without softer replicas hardly any chain gets there in fifty times the calls."""
    samples = softness_ladder(
        crosses,
        kinetic,
        [2.0 - 1e-9],
        jax.random.key(2),
        softness=[1.0],
        step=0.25,
        sweeps=2600,
        chains=200,
    )
    first = samples.first_calls(lambda x: np.abs(x[..., 0]) < 1)
    assert np.median(first) == np.inf
