"""The stationary law of every kernel on rings whose states can be counted.

Each test runs 512 chains of 3,000 steps after 300 discarded ones; frequencies are compared state by
state with the exact law, in units of the standard error between chains. All |z| < 5: with the 26
states of three rings, a false alarm of 1.5e-5 a kernel.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import sampling as ts

RINGS = (8, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 16)))


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


KERNELS = {
    "pass": lambda ring: ts.AcceptIfPass(proposal=ring),
    "count of 4": lambda ring: ts.StoredWeight(replicates=4, proposal=ring),
    "two coins": lambda ring: ts.TwoCoin(proposal=ring),
    "two coins, twice": lambda ring: ts.TwoCoin(proposal=ring, rounds=2),
}


def average_weights(states):
    """A rugged law with a factor of about 12 between its largest and smallest weight."""
    x = np.arange(states)
    return np.exp(1.2 * np.sin(2.1 * x) + 0.6 * np.cos(5 * x))


def lognormal(key, x, s):
    z = jax.random.normal(key, x.shape[1:], x.dtype)
    return s * z - s * s / 2


def heteroscedastic(key, x):
    """Noise that grows along the ring: the mean energy would give another law."""
    return lognormal(key, x, 0.4 + 0.1 * x[0])


def gamma(key, x):
    return jnp.log(jax.random.gamma(key, 0.7, x.shape[1:], x.dtype) / 0.7)


def sometimes_zero(key, x):
    yes = jax.random.uniform(key, x.shape[1:], x.dtype) < 0.3
    return jnp.where(yes, -jnp.log(0.3), -jnp.inf)


def pareto(key, x):
    """A Pareto law of index 2.5: finite variance, infinite third moment."""
    return -jnp.log(jax.random.uniform(key, x.shape[1:], x.dtype)) / 2.5 + jnp.log(0.6)


NOISE = {
    "lognormal": lambda key, x: lognormal(key, x, 1.0),
    "heteroscedastic": heteroscedastic,
    "gamma": gamma,
    "zero": sometimes_zero,
    "pareto": pareto,
}


def noisy(states, noise, **more):
    weights = jnp.asarray(average_weights(states))

    def block(key, x):
        return jnp.log(weights[x[0].astype(int)]) + noise(key, x)

    return ts.NoisyWeight(block=block, **more)


def frequencies(target, kernel, states, *, steps=3_000, chains=512, key=1, **more):
    """How often each chain was in each state."""
    found = ts.sample(
        target,
        kernel,
        chains=chains,
        steps=steps,
        warmup=300,
        key=key,
        start=np.arange(chains)[:, None] % states * 1.0,
        observe=lambda x: x == jnp.arange(states, dtype=float),
        keep=100,
        **more,
    )
    return found, found.means


def agree(target, kernel, states, weights=None, **more):
    found, seen = frequencies(target, kernel, states, **more)
    test = ts.bias_test(seen, average_weights(states) if weights is None else weights)
    assert test.worst < 5, (test.z, test.observed, test.expected)
    assert test.total_variation < 0.02
    return found


@pytest.mark.statistical
@pytest.mark.parametrize("states", RINGS)
def test_metropolis(states):
    weights = jnp.asarray(average_weights(states))
    target = ts.ExactWeight(block=lambda x: jnp.log(weights[x[0].astype(int)]))
    agree(target, ts.Metropolis(proposal=ts.RingMove(states)), states)


@pytest.mark.statistical
@pytest.mark.parametrize(
    "noise", ["pareto", *(pytest.param(n, marks=pytest.mark.slow) for n in NOISE if n != "pareto")]
)
@pytest.mark.parametrize("states", RINGS)
def test_stored_weight(states, noise):
    found = agree(
        noisy(states, NOISE[noise]), ts.StoredWeight(proposal=ts.RingMove(states)), states
    )
    assert abs(found.check.z) < 5


@pytest.mark.statistical
@pytest.mark.parametrize("noise", [slow("zero"), slow("lognormal")])
def test_stored_weight_of_several_replicates(noise):
    kernel = ts.StoredWeight(replicates=3, proposal=ts.RingMove(8))
    found = agree(noisy(8, NOISE[noise]), kernel, 8)
    assert abs(found.check.z) < 5
    assert found.evaluations.sum() == 3 * 512 * 3_000


@pytest.mark.statistical
@pytest.mark.parametrize(
    "kernel", ["pass", "two coins, twice", *map(slow, ("count of 4", "two coins"))]
)
@pytest.mark.parametrize("states", RINGS)
def test_oracle_kernels(states, kernel):
    weights = average_weights(states)
    p = jnp.asarray(0.9 * weights / weights.max())

    def ask(key, x):
        return jax.random.uniform(key, x.shape[1:], x.dtype) < p[x[0].astype(int)]

    target = ts.Oracle(block=ask)
    ring = ts.RingMove(states)
    agree(target, KERNELS[kernel](ring), states)


@pytest.mark.statistical
@pytest.mark.parametrize("states", RINGS)
def test_drops_of_a_cloud_follow_the_law_and_the_backbone_does_not(states):
    kernel = ts.Cloud(drops=5, proposal=ts.RingMove(states), scatter=ts.RingMove(states))
    found = agree(noisy(states, NOISE["zero"]), kernel, states)
    picked = np.stack([(found.draws[:, :, 0] == i).mean(axis=0) for i in range(states)])
    assert ts.bias_test(picked, average_weights(states)).worst < 5
    state = kernel.init(noisy(states, NOISE["zero"]), jax.random.key(0), jnp.zeros((1, 4)))
    assert state.drops.shape == (1, 5, 4)


@pytest.mark.statistical
@pytest.mark.parametrize("split", [True, slow(False)])
@pytest.mark.parametrize("states", RINGS)
def test_correlated_weight(states, split):
    weights = jnp.asarray(average_weights(states))
    target = ts.NoisyWeight(
        replay=lambda u, x: jnp.log(weights[x.astype(int)]) + 1.5 * jnp.sum(u) / 2 - 1.125,
        noise_shape=(4,),
    )
    kernel = ts.CorrelatedWeight(correlation=0.8, split=split, proposal=ts.RingMove(states))
    found = agree(target, kernel, states)
    assert abs(found.check.z) < 5


@pytest.mark.statistical
@pytest.mark.parametrize("states", RINGS)
def test_block_weight(states):
    weights = jnp.asarray(average_weights(states))
    target = ts.NoisyWeight(
        lambda key, x: jnp.log(weights[x.astype(int)]) + jax.random.normal(key) - 0.5
    )
    found = agree(target, ts.BlockWeight(blocks=3, proposal=ts.RingMove(states)), states)
    assert abs(found.check.z) < 5


def noisy_energy(states, s, **more):
    energy = -jnp.log(jnp.asarray(average_weights(states)))

    def block(key, x):
        return energy[x[0].astype(int)] + s * jax.random.normal(key, x.shape[1:], x.dtype)

    return ts.NoisyEnergy(block=block, **more)


@pytest.mark.statistical
@pytest.mark.parametrize("states", RINGS)
@pytest.mark.parametrize("s", [1.5, pytest.param(0.5, marks=pytest.mark.slow)])
def test_penalty_of_known_variance(states, s):
    ring = ts.RingMove(states)
    agree(noisy_energy(states, s, variance=s * s), ts.Penalty(proposal=ring), states)


@pytest.mark.statistical
@pytest.mark.slow
def test_penalty_of_estimated_variance():
    agree(noisy_energy(8, 1.5), ts.Penalty(replicates=8, proposal=ts.RingMove(8)), 8)


@pytest.mark.statistical
@pytest.mark.parametrize("sub_steps", [1, slow(3)])
@pytest.mark.parametrize("states", RINGS)
def test_delayed_acceptance(states, sub_steps):
    weights = jnp.asarray(average_weights(states))
    target = noisy(states, NOISE["heteroscedastic"])
    rough = lambda x: 0.7 * jnp.log(weights[x.astype(int)])
    kernel = ts.DelayedAcceptance(rough, sub_steps=sub_steps, proposal=ts.RingMove(states))
    found = agree(target, kernel, states)
    assert found.evaluations.sum() < 512 * 3_000
    assert abs(found.check.z) < 5


@pytest.mark.statistical
@pytest.mark.parametrize("states", RINGS)
def test_exchange(states):
    target = noisy(states, NOISE["lognormal"])
    kernel = ts.Exchange((1.0, 0.5, 0.2), proposal=ts.RingMove(states))
    found = agree(target, kernel, states)
    assert abs(found.check.z) < 5


@pytest.mark.statistical
@pytest.mark.slow
def test_minibatch_barker_is_close():
    """Approximate by construction: total variation below 0.005, and it says so."""
    found, seen = frequencies(
        noisy_energy(8, 0.5, variance=0.25), ts.MinibatchBarker(proposal=ts.RingMove(8)), 8
    )
    assert ts.bias_test(seen, average_weights(8)).total_variation < 0.005
    assert [flag.name for flag in found.flags] == ["approximate"]
