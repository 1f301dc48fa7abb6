"""The driver, its records, checkpoints and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg import sampling as ts
from thalweg.core import ArgumentError, StoreError, StoreMismatchError

SMALL = {"chains": 32, "steps": 60, "warmup": 0}
RING = ts.StoredWeight(proposal=ts.RingMove(4))


def ring_weight(key, x):
    noise = jax.random.normal(key, x.shape[1:], x.dtype) - 0.5
    return jnp.sin(x[0]) + noise


TARGET = ts.NoisyWeight(block=ring_weight)
STATES = {"start": np.arange(32.0)[:, None] % 4}


def run(**more):
    return ts.sample(TARGET, RING, **{**SMALL, **STATES, **more})


@pytest.fixture(scope="module")
def whole():
    return run()


def test_records_have_their_shapes(whole):
    assert whole.draws.shape == (60, 32, 1)
    assert whole.log_weights.shape == (60, 32)
    assert whole.evaluations.tolist() == [60] * 32
    assert whole.law == "<w(x)>, the average of the weight"
    moved = (np.diff(whole.draws[:, :, 0], axis=0) != 0).sum(axis=0)
    assert (whole.accepted - moved <= 1).all()
    np.testing.assert_allclose(whole.mean, whole.draws.mean(axis=(0, 1)), rtol=1e-12)
    np.testing.assert_allclose(whole.variance, whole.draws.var(axis=(0, 1)), rtol=1e-9)
    between = whole.draws.mean(axis=0)[:, 0]
    np.testing.assert_allclose(whole.error, between.std(ddof=1) / np.sqrt(32), rtol=1e-9)


def test_longest_stick_is_that_of_the_draws(whole):
    x = whole.draws[:, :, 0]
    for chain in range(4):
        runs, now = [0], 0
        for a, b in zip(x[:-1, chain], x[1:, chain], strict=True):
            now = now + 1 if a == b else 0
            runs.append(now)
        assert whole.longest[chain] - max(runs) in {0, 1}


def test_a_constant_noise_is_metropolis_bit_for_bit():
    exact = ts.ExactWeight(block=lambda x: jnp.sin(x[0]))
    quiet = ts.NoisyWeight(block=lambda key, x: jnp.sin(x[0]))
    a = ts.sample(exact, ts.Metropolis(scale=0.7), chains=8, steps=40, warmup=0, start=0.0)
    b = ts.sample(quiet, ts.StoredWeight(scale=0.7), chains=8, steps=40, warmup=0, start=0.0)
    np.testing.assert_array_equal(a.draws, b.draws)


def test_resumed_is_uninterrupted_to_the_bit(whole, tmp_path):
    path = tmp_path / "run.npz"
    seen = []

    def stop(progress):
        seen.append(progress.steps)
        if len(seen) == 8:
            raise KeyboardInterrupt

    part = run(checkpoint=path, report=stop)
    assert part.interrupted
    assert 0 < len(part.draws) < 60
    assert part.flags[0].name == "interrupted"
    rest = run(checkpoint=path)
    assert not rest.interrupted
    for name in ("draws", "log_weights", "means", "variance", "accepted", "longest", "evaluations"):
        np.testing.assert_array_equal(getattr(rest, name), getattr(whole, name), err_msg=name)
    assert rest.check == whole.check
    with pytest.raises(StoreMismatchError, match="key was"):
        run(checkpoint=path, key=1)
    with pytest.raises(StoreMismatchError, match="first_weights"):
        ts.sample(
            ts.NoisyWeight(block=lambda key, x: ring_weight(key, x + 1)),
            RING,
            checkpoint=path,
            **SMALL,
            **STATES,
        )
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(StoreError, match="no checkpoint"):
        run(checkpoint=path)


def test_wrong_pairs_are_refused_by_name():
    energy = ts.NoisyEnergy(lambda key, x: x * x, variance=1.0)
    oracle = ts.Oracle(lambda key, x: x > 0)
    with pytest.raises(ArgumentError, match="use Penalty"):
        ts.sample(energy, ts.StoredWeight(scale=1.0))
    with pytest.raises(ArgumentError, match="use StoredWeight"):
        ts.sample(TARGET, "metropolis")
    with pytest.raises(ArgumentError, match="use StoredWeight"):
        ts.sample(TARGET, "nuts")
    with pytest.raises(ArgumentError, match="use AcceptIfPass"):
        ts.sample(oracle, "penalty")
    with pytest.raises(ArgumentError, match="use Metropolis"):
        ts.sample(ts.ExactWeight(lambda x: -x * x), ts.StoredWeight())
    with pytest.raises(ArgumentError, match="known: auto, accept-if-pass"):
        ts.sample(oracle, "gibbs")
    with pytest.raises(ArgumentError, match="boltzmann"):
        ts.sample(tw.system("muller-brown"))
    with pytest.raises(ArgumentError, match="wrap it"):
        ts.sample(lambda key, x: x)


def test_nan_is_a_broken_contract_and_minus_infinity_is_not():
    broken = ts.NoisyWeight(block=lambda key, x: jnp.log(x[0] - 1.0))
    with pytest.raises(ArgumentError, match=r"target returned NaN or an infinite weight"):
        ts.sample(broken, RING, **SMALL, start=3.0)
    never = ts.NoisyWeight(block=lambda key, x: jnp.full(x.shape[1], -jnp.inf))
    with pytest.raises(ArgumentError, match="met no positive weight"):
        ts.sample(never, RING, **SMALL, start=3.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ts.NoisyWeight(), "got nothing"),
        (lambda: ts.NoisyWeight(lambda key, x: x, noise_shape=(3,)), "together"),
        (lambda: ts.NoisyEnergy(lambda key, x: x, kt=0.0), "kt=0.0"),
        (lambda: ts.NoisyEnergy(lambda key, x: x, variance=-1.0), "negative"),
        (lambda: ts.NoisyEnergy(lambda key, x: x, samples=4), "samples=4"),
        (lambda: ts.Box(1.0, 0.0), "lower bounds"),
        (lambda: ts.StoredWeight(replicates=0), "replicates=0"),
        (lambda: ts.Exchange((0.5, 1.0)), "descend from 1"),
        (lambda: ts.CorrelatedWeight(correlation=1.0), "correlation=1.0"),
        (lambda: ts.Cloud(drops=0), "drops=0"),
        (lambda: ts.Blackjax("hmcc"), "unknown"),
        (lambda: run(chains=0), "chains=0"),
        (lambda: run(start=np.zeros(3)), "start has shape"),
        (lambda: ts.sample(TARGET, "stored-weight", chains=4, warmup=100), "too short"),
        (lambda: ts.sample(TARGET, "correlated-weight", start=0.0), "cannot be replayed"),
        (lambda: ts.sample(TARGET, "block-weight", start=0.0), "key of its own"),
    ],
)
def test_wrong_calls(make, words):
    with pytest.raises(ArgumentError, match=words):
        make()


def test_wrong_shapes_are_named():
    vector = ts.NoisyWeight(lambda key, x: jnp.zeros(2))
    with pytest.raises(ArgumentError, match="function returned shape"):
        ts.sample(vector, RING, **SMALL, start=0.0)
    number = ts.Oracle(block=lambda key, x: jnp.ones(x.shape[1]))
    with pytest.raises(ArgumentError, match="one boolean for each"):
        ts.sample(number, ts.AcceptIfPass(proposal=ts.RingMove(4)), **SMALL, start=0.0)


def test_exports(whole):
    pytest.importorskip("arviz")
    data = whole.to_xarray()
    assert dict(data.sizes) == {"chain": 32, "draw": 60, "coordinate": 1}
    np.testing.assert_array_equal(data["x"].to_numpy()[3, :, 0], whole.draws[:, 3, 0])
    found = whole.to_arviz()
    assert found.posterior["x"].shape == (32, 60, 1)
    table = whole.summary()
    assert table.columns.tolist() == [
        "mean", "error", "sd", "ess", "ess_per_evaluation", "rhat", "tau",
    ]  # fmt: skip
    assert "<w(x)>" in str(whole)
