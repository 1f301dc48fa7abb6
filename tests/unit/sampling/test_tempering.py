import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.core import ArgumentError, System
from thalweg.sampling import Container, parallel_tempering
from thalweg.thermo import reweight

LADDER = np.array([0.5, 1.0, 2.0])


@pytest.fixture(scope="module")
def well():
    return System(lambda x: 0.5 * jnp.sum(x * x), shape=(3,), name="well")


def run(system, **more):
    wishes = {"sweeps": 400, "moves": 3, "replicas": 3, "start": np.zeros(3), **more}
    return parallel_tempering(system, LADDER, jax.random.key(0), **wishes)


@pytest.fixture(scope="module")
def samples(well):
    return run(well, sweeps=3000, replicas=8)


@pytest.mark.statistical
def test_equipartition(samples):
    """U = 3/2 kT at each temperature; eight errors of seven degrees of freedom: 1e-4 each."""
    means = samples.energies.mean(axis=0)
    error = means.std(axis=1, ddof=1) / np.sqrt(means.shape[1])
    assert (np.abs(means.mean(axis=1) - 1.5 * LADDER) < 8 * error).all()
    assert (error < 0.05 * LADDER).all()


def test_records_have_their_shapes_and_say_how_it_mixed(samples):
    assert samples.energies.shape == (3000, 3, 8)
    assert samples.points.shape == (3, 8, 3)
    np.testing.assert_allclose(
        samples.energies[-1], 0.5 * np.sum(samples.points**2, axis=-1), rtol=1e-12
    )
    np.testing.assert_allclose(samples.acceptance, 0.3, atol=0.06)
    assert (samples.exchange > 0.5).all()
    assert (samples.round_trips > 50).all()
    assert (np.diff(samples.steps) > 0).all()
    assert samples.evaluations == 3750 * 3 * 3 * 8


def test_the_key_decides(well):
    a, b = run(well), run(well)
    np.testing.assert_array_equal(a.energies, b.energies)
    other = parallel_tempering(
        well, LADDER, jax.random.key(1), sweeps=400, moves=3, replicas=3, start=np.zeros(3)
    )
    assert not np.array_equal(a.energies, other.energies)


def test_replicas_are_independent(samples):
    series = samples.energies[:, 0, :] - samples.energies[:, 0, :].mean(axis=0)
    correlation = np.corrcoef(series.T) - np.eye(8)
    assert np.abs(correlation).max() < 0.3


def test_walkers_stay_inside_the_constraint(well):
    found = run(well, constraint=lambda x: x[0] >= 0.0)
    assert (found.points[..., 0] >= 0.0).all()
    with pytest.raises(ArgumentError, match="may not go"):
        run(well, constraint=lambda x: x[0] > 1.0)


def test_container_is_about_the_centroid():
    x = np.array([0.0, 0, 0, 2.0, 0, 0]) + 7.0
    assert bool(Container(2, 1.1)(jnp.asarray(x)))
    assert not bool(Container(2, 0.9)(jnp.asarray(x)))
    block = jnp.asarray(np.stack([x, x * [1, 1, 1, 2, 1, 1]], axis=1))
    np.testing.assert_array_equal(Container(2, 1.1)(block), [True, False])
    with pytest.raises(ArgumentError, match="positive"):
        Container(2, 0.0)


def test_clusters_start_at_quenched_points_inside():
    found = parallel_tempering(
        tw.system("lj4"),
        [0.05, 0.06],
        jax.random.key(0),
        sweeps=10,
        warmup=200,
        replicas=2,
        constraint=Container(4, 1.5),
    )
    assert (found.energies < -4.0).all()


def test_a_budget_ends_it(well):
    found = run(well, sweeps=10_000_000, budget=0.01)
    assert len(found.energies) == 200
    assert found.warmup == 200


def test_reweighting_a_harmonic_well(samples):
    grid = np.array([0.5, 0.7, 1.4, 2.0])
    found = reweight(samples, grid)
    assert (np.abs(found.heat_capacity - 1.5) < 8 * found.heat_capacity_error).all()
    assert (np.abs(found.internal_energy - 1.5 * grid) < 8 * found.internal_energy_error).all()
    assert (found.heat_capacity_error < 0.15).all()
    with pytest.raises(ArgumentError, match="leave the ladder"):
        reweight(samples, np.array([0.4]))


def test_one_replica_has_no_error_bar(well):
    with pytest.raises(ArgumentError, match="no error bar"):
        reweight(run(well, replicas=1), LADDER)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"sweeps": 0}, "sweeps=0"),
        ({"replicas": 0}, "replicas=0"),
        ({"acceptance": 1.0}, "acceptance=1.0"),
        ({"start": np.zeros((2, 3))}, "holds 2 points"),
    ],
)
def test_wrong_calls(well, wish, words):
    with pytest.raises(ArgumentError, match=words):
        run(well, **wish)


@pytest.mark.parametrize("ladder", [[1.0, 0.5], [0.0, 1.0], [], [0.1, np.nan]])
def test_wrong_ladders(well, ladder):
    with pytest.raises(ArgumentError, match="temperatures"):
        parallel_tempering(well, ladder, jax.random.key(0))
