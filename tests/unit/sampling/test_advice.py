"""What a pilot sees, and which kernel follows from it."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import sampling as ts
from thalweg.core import ArgumentError
from thalweg.sampling._advice import averaged_noise


def test_lognormal_noise_is_measured():
    """256 draws give s to 5 %: five standard errors of 0.045."""
    advice = ts.advise(ts.double_well("lognormal", 1.0).target, start=-1.0)
    assert advice.kernel.name == "stored-weight"
    assert abs(advice.noise - 1.0) < 0.22
    assert advice.replicates == 1
    assert abs(advice.work - (advice.noise / 1.2) ** 2) < 1e-12
    assert not advice.refused
    assert "<w(x)>" in advice.law


def test_a_tail_like_a_power_law_is_refused():
    """A Pareto law of index 1.1 has a mean and no variance."""

    def block(key, x):
        return -jnp.log(jax.random.uniform(key, x.shape[1:], x.dtype)) / 1.1 - x[0] ** 2

    heavy = ts.NoisyWeight(block=block)
    advice = ts.advise(heavy, start=0.0)
    assert "variance is probably infinite" in advice.refused
    assert advice.tail > 0.7
    with pytest.raises(ArgumentError, match="cannot be sampled reliably"):
        ts.sample(heavy, start=0.0)


def test_replayable_noise_that_sticks_is_moved_in_small_steps():
    target = ts.NoisyWeight(
        replay=lambda u, x: -x * x + 3.0 * jnp.sum(u) / 2 - 4.5, noise_shape=(4,)
    )
    advice = ts.advise(target, start=0.0)
    assert advice.kernel.name == "correlated-weight"
    assert advice.noise > 2


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda: ts.gaussian_oracle(2).target, "accept-if-pass"),
        (lambda: ts.double_well("energy", 1.0).target, "penalty"),
        (lambda: ts.double_well("none").target, "metropolis"),
    ],
)
def test_the_type_decides(made, name):
    advice = ts.advise(
        made(), start=None if name == "metropolis" else np.zeros(1 + (name[0] == "a"))
    )
    assert advice.kernel.name == name
    assert advice.reason


def test_easy_oracles_in_a_box_need_no_walk():
    advice = ts.advise(ts.gaussian_oracle(2, box=3.0).target)
    assert isinstance(advice.kernel, ts.AcceptIfPass)
    assert isinstance(advice.kernel.proposal, ts.SupportMove)
    assert abs(advice.survives - 2 * math.pi / 36) < 0.03


def test_efficiency_falls_with_noise_and_averages_of_weights_hardly_help():
    """Between the flat landscape's erfc(s/2) and nothing; a single weight is best without costs."""
    values = [ts.noise_efficiency(s) for s in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)]
    assert values[0] == 1.0
    assert all(a > b > 0 for a, b in itertools.pairwise(values))
    assert values[2] < math.erfc(0.5)
    assert averaged_noise(1.0, 1) == pytest.approx(1.0)
    assert averaged_noise(2.0, 4) == pytest.approx(math.sqrt(math.log1p(math.expm1(4) / 4)))
    assert [ts.best_replicates(s) for s in (0.5, 1.0, 2.0)] == [1, 1, 1]
    assert ts.best_replicates(2.0, step_cost=10) > 5
