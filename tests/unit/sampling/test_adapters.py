"""Adapters give unbiased draws of what they say."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from thalweg import sampling as ts
from thalweg.core import ArgumentError


def draws(target, x, count=4_000):
    x = jnp.tile(jnp.atleast_1d(jnp.asarray(x))[:, None], (1, count))
    return target.draw(jax.random.key(5), x)


def near(values, exact, sigmas=5):
    values = np.asarray(values, dtype=float)
    return abs(values.mean() - exact) < sigmas * values.std() / np.sqrt(len(values))


def test_minibatch_energy_is_unbiased_with_its_variance():
    data = jnp.asarray(np.linspace(-1.0, 2.0, 300) ** 2)
    target = ts.minibatch_energy(lambda x, d: (x - d) ** 2 / 2, data, (), batch=20, kt=2.0)
    energy, variance = draws(target, 0.3)
    assert near(energy, float(jnp.sum((0.3 - data) ** 2)) / 2 / 2.0)
    assert abs(float(variance.mean()) / float(energy.var()) - 1) < 0.15
    assert not target.exact_variance
    with pytest.raises(ArgumentError, match="batch=1"):
        ts.minibatch_energy(lambda x, d: x, data, (), batch=1)


def test_committees_have_two_laws():
    members = [lambda x: x**2, lambda x: (x - 1) ** 2, lambda x: 3 + 0 * x]
    values = np.array([0.25, 0.25, 3.0])
    energy, variance = draws(ts.committee_energy(members, (), draws=6, kt=0.5), 0.5)
    assert near(energy, values.mean() / 0.5)
    assert abs(float(variance.mean()) / float(energy.var()) - 1) < 0.15
    weight = jnp.exp(draws(ts.committee_weight(members, (), kt=0.5), 0.5))
    assert near(weight, np.exp(-values / 0.5).mean())
    with pytest.raises(ArgumentError, match="members holds 1"):
        ts.committee_weight(members[:1], ())


def test_basin_oracle_asks_where_a_descent_ends():
    """Descents that go right with probability Φ(x)."""

    def descend(key, x):
        return jnp.sign(x + jax.random.normal(key))

    target = ts.basin_oracle(descend, 1.0, tolerance=0.5, shape=())
    assert near(draws(target, 0.5), 0.6915)


def test_inner_and_host_weights_are_unbiased():
    inner = ts.inner_weight(lambda key, x: x * jax.random.exponential(key), (), runs=3)
    assert near(jnp.exp(draws(inner, 2.0)), 2.0)
    negative = ts.inner_weight(lambda key, x: x * jax.random.normal(key), ())
    assert bool(jnp.isnan(draws(negative, 2.0)).any())
    host = ts.host_weight(lambda seed, x: (seed % 3) * float(x[0]), (1,))
    assert near(jnp.exp(draws(host, 2.0)), 2.0)
    found = ts.sample(
        host, ts.StoredWeight(scale=0.2), chains=8, steps=20, warmup=0, start=np.ones(1)
    )
    assert found.draws.shape == (20, 8, 1)


def test_replicates_are_visited_in_proportion_to_their_means(tmp_path):
    table = pd.DataFrame({"pH": [5, 5, 6, 6, 6, 7], "y": [0.1, 0.5, 1.0, 0.0, 2.0, 0.4]})
    table.to_csv(tmp_path / "assay.csv", index=False)
    assay = ts.Replicates.read(tmp_path / "assay.csv", "y")
    assert assay.conditions["repeats"].tolist() == [2, 3, 1]
    means = assay.conditions["mean"].to_numpy()
    np.testing.assert_allclose(means, [0.3, 1.0, 0.4])
    found = ts.sample(
        assay.target,
        assay.kernel,
        chains=256,
        steps=2_000,
        warmup=50,
        start=0.0,
        observe=lambda x: x == jnp.arange(3.0),
    )
    assert ts.bias_test(found.means, means).worst < 5
    with pytest.raises(ArgumentError, match="no weight"):
        ts.Replicates.read(table.assign(y=[-1, 0, 0, 0, 0, 0]), "y")
    with pytest.raises(ArgumentError, match="no column z"):
        ts.Replicates.read(table, "z")


def test_boxes_wrap_and_bound():
    box = ts.Box(0.0, 2.0, periodic=True)
    np.testing.assert_allclose(box.wrap(jnp.array([[-0.5, 2.5, 1.0]])), [[1.5, 0.5, 1.0]])
    assert box.volume(3) == 8.0
    hard = ts.ExactWeight(lambda x: 0.0 * x, support=ts.Box(0.0, 1.0))
    found = ts.sample(hard, ts.Metropolis(scale=0.5), chains=200, steps=400, warmup=0)
    assert found.draws.min() >= 0
    assert found.draws.max() <= 1
    assert abs(found.mean[0] - 0.5) < 5 * found.error[0]
