"""Diagnostics against laws that are known, and a kernel that is broken on purpose."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import sampling as ts
from thalweg.core import ArgumentError
from thalweg.sampling._diagnostics import autocorrelation_time, between_chain_ess
from thalweg.sampling.kernels import info, metropolis, select


def autoregression(rho, kept, chains, key=0):
    noise = np.asarray(jax.random.normal(jax.random.key(key), (kept, chains)))
    x = [noise[0]]
    for one in noise[1:]:
        x.append(rho * x[-1] + math.sqrt(1 - rho * rho) * one)
    return np.array(x)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_autocorrelation_time_of_an_autoregression(rho):
    """τ = (1 + ρ)/(1 - ρ), by both estimates."""
    x = autoregression(rho, 4_000, 64)
    exact = (1 + rho) / (1 - rho)
    assert abs(autocorrelation_time(x) / exact - 1) < 0.1
    ess = between_chain_ess(x.mean(axis=0), 1.0)
    assert abs(64 * 4_000 / ess / exact - 1) < 4 * math.sqrt(2 / 63)
    assert autocorrelation_time(np.ones((50, 3))) == math.inf


def test_rhat_knows_chains_that_disagree():
    x = autoregression(0.5, 500, 8)
    assert 0.99 < ts.split_rhat(x) < 1.02
    assert ts.split_rhat(x + np.arange(8)) > 1.5
    # The same mean and another spread: only the folded form sees it.
    assert ts.split_rhat(x * np.where(np.arange(8) % 2, 3.0, 1.0)) > 1.1
    assert math.isnan(ts.split_rhat(np.ones((100, 4))))


@pytest.mark.parametrize("k", [0.25, 0.5, 1.0])
def test_pareto_shape(k):
    """The 3σ error of the shape from the 600 largest of 40,000 numbers is about 0.2."""
    u = np.asarray(jax.random.uniform(jax.random.key(3), (40_000,)))
    assert abs(ts.pareto_k(u**-k) - k) < 0.2


def test_bias_test_against_known_frequencies():
    found = np.full((2, 10), 0.5) + 0.01 * np.array([[1.0], [-1.0]]) * np.arange(10) / 10
    assert ts.bias_test(found, np.array([1.0, 1.0])).worst > 3
    with pytest.raises(ArgumentError, match="chains"):
        ts.bias_test(found[:, :3], np.array([1.0, 1.0]))


class Redraw(ts.StoredWeight):
    """The mistake: the weight of the current point is drawn again in every step."""

    def step(self, target, key, state):
        again, rest = jax.random.split(key)
        state = eqx.tree_at(lambda s: s.log_weight, state, self.fresh(target, again, state))
        return super().step(target, rest, state)


@pytest.mark.slow
@pytest.mark.statistical
def test_a_kernel_that_draws_its_weight_again_is_caught_on_line():
    """The balance of stored and fresh weights: |z| < 5 (6e-7) if kept, far beyond it if not."""
    target = ts.double_well("lognormal", 1.0).target
    wishes = {"chains": 256, "steps": 1_500, "warmup": 100, "start": -1.0, "key": 4}
    good = ts.sample(target, ts.StoredWeight(scale=1.0), **wishes)
    bad = ts.sample(target, Redraw(scale=1.0), **wishes)
    assert abs(good.check.z) < 5
    assert abs(good.check.shift - 1.0) < 5 * good.check.shift_error
    assert abs(good.check.variance - 1.0) < 0.05
    assert bad.check.z > 10
    assert "stored-weights" in [flag.name for flag in bad.flags]
    assert "stored-weights" not in [flag.name for flag in good.flags]


def test_balance_of_stored_and_fresh_holds_for_any_noise():
    """Size-biased against fresh draws of a law with zeros, by enumeration."""
    weights, chances = np.array([0.0, 0.5, 3.0]), np.array([0.3, 0.5, 0.2])
    biased = weights * chances / (weights * chances).sum()
    balance = sum(
        biased[i] * chances[j] * (float(f > s) - (f < s) * f / s)
        for i, s in enumerate(weights)
        for j, f in enumerate(weights)
        if s > 0
    )
    assert abs(balance) < 1e-15


def test_tools_of_kernels_are_public():
    accept = metropolis(jax.random.key(0), jnp.array([0.0, -jnp.inf, 1.0]))
    assert accept.tolist() == [True, False, True]
    assert select(accept, jnp.ones(3), jnp.zeros(3)).tolist() == [1.0, 0.0, 1.0]
    assert info(accept, 2, ~accept).evaluations.tolist() == [2, 2, 2]
