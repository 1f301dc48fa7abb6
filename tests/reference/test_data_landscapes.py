"""Landscapes of clustering, Gaussian processes and non-linear regression.

Regression: Ballard et al., Phys. Chem. Chem. Phys. 19, 12585 (2017), parameters (0.1, 2.13, 0,
1.34, 0); the low minima without noise were found independently by multistart. Gaussian processes:
Rasmussen and Williams (2006), chapter 5, two optima of one marginal likelihood; Matérn kernels
against Bessel functions. Clustering against scikit-learn.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gamma, kv

from thalweg.core import ArgumentError, start_points
from thalweg.energies import system
from thalweg.landscape import stationary_points
from thalweg.learning import (
    TRUE_WAVES,
    gaussian_process_system,
    kmeans_system,
    mixture_system,
    waves_system,
)
from thalweg.search import certify_many, quench_many


def minima(built, starts):
    """Certified minima from quenches of random starts: energies, ascending, and points."""
    first = np.asarray(start_points(built, jax.random.key(0), 0, starts))
    ended = quench_many(built, first)
    found = [c for c in certify_many(built, ended.x, 0) if c.certificate.ok]
    order = np.argsort([c.value for c in found])
    return np.array([found[k].value for k in order]), np.array([found[k].x for k in order])


def test_the_regression_without_noise():
    built = system("waves")
    energies, x = minima(built, 200)
    assert energies[0] == pytest.approx(0.0, abs=1e-15)
    for known in (5.491398, 5.530801, 5.534064):
        assert np.min(np.abs(energies - known)) < 2e-6
    best = x[energies < 1e-12]
    assert len(best) > 60  # the widest basin of all
    # Every fit of zero is an image of the true parameters.
    for point in best:
        assert built.symmetry.match(np.array(TRUE_WAVES), point, 1e-5) is not None
    assert built.symmetry.log_group_order() == pytest.approx(math.log(32))
    # Evenly spaced inputs do not tell frequencies from their aliases.
    alias = 2 * math.pi * 99 / (3 * math.pi)
    hidden = np.array(TRUE_WAVES) + 0.5 * alias * np.array([0.0, 1.0, 0.0, -1.0, 0.0])
    assert float(built.energy(jnp.asarray(hidden))) < 1e-20
    assert built.symmetry.align(np.array(TRUE_WAVES), hidden)[1] < 1e-9


def test_noise_lowers_the_minimum_below_the_truth():
    """Parameters fitted to noisy data beat the true ones on those data."""
    noisy = waves_system(0.02, seed=0)
    truth = float(noisy.energy(jnp.asarray(TRUE_WAVES)))
    ended = quench_many(noisy, np.array([TRUE_WAVES]))
    assert float(ended.value[0]) < truth
    assert truth == pytest.approx(100 * 0.02**2, rel=0.45)
    np.testing.assert_allclose(ended.x[0], TRUE_WAVES, atol=0.03)


def test_walls_are_felt_outside_only():
    built = system("waves")
    inside = np.array([0.5, 2.0, 0.3, 1.0, 0.2])
    energy = built.energy
    direct = np.sum(
        (np.asarray(energy.targets) - np.asarray(energy.predict(jnp.asarray(inside)))) ** 2
    )
    assert float(energy(jnp.asarray(inside))) == pytest.approx(direct, rel=1e-13)
    outside = jnp.asarray(inside).at[0].set(0.7)
    plain = jnp.sum((energy.targets - energy.predict(outside)) ** 2)
    assert float(energy(outside) - plain) == pytest.approx(1e4 * 0.2**4, rel=1e-9)


def test_two_optima_of_one_likelihood():
    """Seven data explained by a long length with noise, or by a short one with less."""
    found = stationary_points(system("gp-rbf-n7-s2"), 150)
    assert found.counts == {0: 2, 1: 1}
    low = found.x[found.indices == 0]
    (long_length, _, more_noise), (short_length, _, less_noise) = low[np.argsort(-low[:, 0])]
    assert math.exp(long_length) > 5 * math.exp(short_length)
    assert math.exp(more_noise) > 2 * math.exp(less_noise)


@pytest.mark.parametrize("nu", [0.3, 0.5, 1.5, 2.2, 7.3, 20.0])
def test_smoothness_is_continuous(nu):
    inputs = np.array([[0.0], [1e-6], [1e-3], [0.1], [0.5], [1.0], [2.0], [5.0]])
    built = gaussian_process_system(inputs, np.sin(inputs[:, 0]), kernel="matern")
    x = jnp.array([math.log(0.7), math.log(1.3), -1.0, math.log(nu)])
    r = np.abs(inputs - inputs.T) / 0.7
    z = np.sqrt(2.0 * nu) * np.where(r > 0, r, 1.0)
    bessel = 2.0 ** (1.0 - nu) / gamma(nu) * z**nu * kv(nu, z)
    expected = 1.3**2 * np.where(r > 0, bessel, 1.0)
    np.testing.assert_allclose(built.energy.covariance(x), expected, atol=1e-9)
    if nu == 0.5:
        np.testing.assert_allclose(built.energy.covariance(x), 1.69 * np.exp(-r), atol=1e-13)


def test_the_likelihood_is_that_of_scikit_learn():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    built = system("gp-rbf-n20-d2")
    energy = built.energy
    lengths, signal, noise = (0.6, 1.7), 1.2, 0.3
    kernel = ConstantKernel(signal**2) * RBF(lengths) + WhiteKernel(noise**2)
    theirs = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0).fit(
        np.asarray(energy.inputs), np.asarray(energy.targets)
    )
    x = np.log([*lengths, signal, noise])
    prior = 0.5 * np.sum(x**2) / 9.0
    expected = -theirs.log_marginal_likelihood_value_ + prior
    assert float(energy(jnp.asarray(x))) == pytest.approx(expected, rel=1e-8)


def test_hard_clusters_are_the_limit_of_soft_ones():
    """Three separate heaps: all minima at large β agree with scikit-learn's best k-means."""
    from sklearn.cluster import KMeans

    heaps = jnp.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    rows = np.asarray(
        heaps[jnp.arange(60) % 3] + 0.5 * jax.random.normal(jax.random.key(0), (60, 2))
    )
    built = kmeans_system(rows, 3, beta=40.0, prior=0.0)
    theirs = KMeans(3, n_init=10, random_state=0).fit(rows)
    ended = quench_many(built, theirs.cluster_centers_.reshape(1, -1))
    (found,) = certify_many(built, ended.x, 0)
    assert found.certificate.ok
    np.testing.assert_allclose(found.x.reshape(3, 2), theirs.cluster_centers_, atol=1e-6)
    soft = found.value - math.log(3) / 40.0
    assert soft == pytest.approx(theirs.inertia_ / 60, abs=1e-6)
    share = np.asarray(built.energy.assign(jnp.asarray(found.x)))
    np.testing.assert_array_equal(np.argmax(share, axis=1), theirs.labels_)
    # Every relabelling is the same solution, six copies of it.
    blocks = found.x.reshape(3, 2)
    for order in itertools.permutations(range(3)):
        assert built.symmetry.match(found.x, blocks[list(order)].ravel(), 1e-9) is not None
    assert math.exp(built.symmetry.log_group_order()) == pytest.approx(6.0)
    assert found.certificate.order == 1


def test_too_hot_for_three_clusters():
    """Below the critical β = 1/(2 λ_max) all centres coincide at the mean: order K!."""
    rows = np.asarray(jax.random.normal(jax.random.key(1), (80, 2)))
    critical = 0.5 / np.linalg.eigvalsh(np.cov(rows.T, bias=True))[-1]
    together = np.tile(rows.mean(axis=0), 3)
    for factor, minimum in ((0.9, True), (1.1, False)):
        built = kmeans_system(rows, 3, beta=float(factor * critical), prior=0.0)
        (found,) = certify_many(built, together[None], None)
        assert found.certificate.ok
        assert (found.certificate.index == 0) == minimum
        assert found.certificate.order == 6


def test_mixtures_find_the_species():
    from sklearn.datasets import load_iris
    from sklearn.mixture import GaussianMixture

    rows, species = load_iris(return_X_y=True)
    built = mixture_system(rows, 2)
    theirs = GaussianMixture(2, covariance_type="spherical", random_state=0).fit(rows)
    blocks = np.concatenate(
        [
            np.log(theirs.weights_)[:, None],
            theirs.means_,
            0.5 * np.log(theirs.covariances_)[:, None],
        ],
        axis=1,
    )
    blocks[:, 0] -= blocks[:, 0].mean()
    joint = np.asarray(jax.nn.logsumexp(built.energy._log_joint(jnp.asarray(blocks.ravel())), 1))
    np.testing.assert_allclose(joint, theirs.score_samples(rows), rtol=1e-9)
    ended = quench_many(built, blocks.reshape(1, -1))
    assert float(ended.value[0]) <= float(built.energy(jnp.asarray(blocks.ravel())))
    two = np.argmax(np.asarray(built.energy.assign(jnp.asarray(ended.x[0]))), axis=1)
    # Setosa against the other two species.
    assert len({(int(a), int(b)) for a, b in zip(two, species == 0, strict=True)}) == 2


def test_wrong_data_are_named():
    good = np.arange(12.0).reshape(6, 2)
    bad = good.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ArgumentError, match="row 3 is not finite"):
        kmeans_system(bad, 2)
    with pytest.raises(ArgumentError, match="row 3 is not finite"):
        gaussian_process_system(bad, np.zeros(6))
    with pytest.raises(ArgumentError, match="clusters=9"):
        mixture_system(good, 9)
    with pytest.raises(ArgumentError, match="all rows are the same"):
        kmeans_system(np.ones((5, 2)), 2)
    with pytest.raises(ArgumentError, match="kernel='poly'"):
        gaussian_process_system(good, np.zeros(6), kernel="poly")
    with pytest.raises(ArgumentError, match="expected \\(rows, features\\)"):
        gaussian_process_system(good, np.zeros(5))
    with pytest.raises(ArgumentError, match="rows=3"):
        waves_system(rows=3)
