"""Exact identities of losses with softmax and penalty, on real stationary points.

With `E = mean(-ln p) + λ|p|²` over all parameters of a tanh network (Wales and co-workers, PCCP 19,
12585 (2017), section III for the model), three things follow from the invariance of the softmax
to a common shift of its arguments and from Taylor expansion about a unit with zero weights. They
hold to rounding, whatever the data.
"""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from thalweg.core import Outcome, hessian, start_points, value_and_grad
from thalweg.learning import (
    LearningData,
    Mlp,
    added_curvatures,
    embed_unit,
    functional_rank,
    network_system,
    zero_mode_report,
)
from thalweg.search import certify_many, quench_many

L2 = 1e-3
NET = Mlp((3, 3, 4))


def triatomic_rows(count=400):
    """Three distances of random triples of atoms; the class is the atom in the middle, or none.

    A cheap rule in place of the quench: the two atoms farthest apart are the ends of the chain,
    unless all are near; one row in ten has a random class, as near basin boundaries.
    """
    place, chance, other = jax.random.split(jax.random.key(2017), 3)
    r = np.asarray(jax.random.uniform(place, (count, 3, 3), maxval=2 * np.sqrt(3)))
    d = np.stack([np.linalg.norm(r[:, i] - r[:, j], axis=1) for i, j in ((0, 1), (0, 2), (1, 2))])
    labels = np.where(d.max(axis=0) < 1.6, 0, 3 - d.argmax(axis=0))
    noisy = np.asarray(jax.random.uniform(chance, (count,))) < 0.1
    labels = np.where(noisy, np.asarray(jax.random.randint(other, (count,), 0, 4)), labels)
    return LearningData(d.T, labels, classes=4)


@pytest.fixture(scope="module")
def loss():
    return network_system(NET, triatomic_rows(), l2=L2)


@pytest.fixture(scope="module")
def minima(loss):
    """Distinct certified minima, lowest first."""
    starts = np.asarray(start_points(loss, jax.random.key(0), 0, 16))
    ended = quench_many(loss, starts)
    assert (ended.outcome == Outcome.success).all()
    found = certify_many(loss, ended.x, 0)
    assert all(point.certificate.ok for point in found)
    distinct = []
    for point in sorted(found, key=lambda point: point.value):
        if not any(abs(point.value - other.value) < 1e-9 for other in distinct):
            distinct.append(point)
    assert len(distinct) >= 2
    return distinct


def layers(x, model=NET):
    (w2, b2), (w1, b1) = model.unravel(jnp.asarray(x))
    return tuple(np.asarray(part) for part in (w2, b2, w1, b1))


@eqx.filter_jit
def derivatives(system, x):
    return *value_and_grad(system.energy, x), hessian(system.energy, x)


def spectrum(system, x):
    return np.linalg.eigvalsh(np.asarray(derivatives(system, jnp.asarray(x))[2]))


def test_weights_into_the_softmax_sum_to_zero_over_the_classes(minima):
    for point in minima:
        _, _, w1, b1 = layers(point.x)
        assert np.max(np.abs(w1.sum(axis=0))) < 1e-12
        assert abs(b1.sum()) < 1e-12


def test_one_curvature_more_than_hidden_units_is_twice_the_penalty(loss, minima):
    for point in minima:
        exact = np.abs(spectrum(loss, point.x) - 2 * L2) < 1e-12
        assert exact.sum() == 3 + 1


def test_without_the_penalty_these_are_the_zero_modes_of_the_gauge(minima):
    free = network_system(NET, triatomic_rows())
    assert free.symmetry.expected_zero_modes(minima[0].x) == 4
    gauge = np.asarray(free.symmetry.zero_modes(jnp.asarray(minima[0].x)))
    matrix = np.asarray(derivatives(free, jnp.asarray(minima[0].x))[2])
    assert np.max(np.abs(gauge @ matrix)) < 1e-13


def test_energy_is_the_one_written_out(loss, minima):
    data = triatomic_rows()
    inputs, classes = np.asarray(data.inputs), np.asarray(data.targets)
    for point in minima:
        w2, b2, w1, b1 = layers(point.x)
        logits = np.tanh(inputs @ w2.T + b2) @ w1.T + b1
        logits -= logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        written = -log_p[np.arange(400), classes].mean() + L2 * np.sum(point.x**2)
        assert point.value == pytest.approx(written, abs=1e-14)


def residual_matrix(x):
    """`C = mean (p - onehot) (x, 1)ᵀ`, in NumPy."""
    data = triatomic_rows()
    inputs, classes = np.asarray(data.inputs), np.asarray(data.targets)
    w2, b2, w1, b1 = layers(x)
    logits = np.tanh(inputs @ w2.T + b2) @ w1.T + b1
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(400), classes] -= 1.0
    return p.T @ np.concatenate([inputs, np.ones((400, 1))], axis=1) / 400


def test_a_zero_unit_makes_minima_saddles_of_a_known_index(loss, minima):
    wide = network_system(Mlp((3, 4, 4)), triatomic_rows(), l2=L2)
    for point in minima:
        sigma = np.linalg.svd(residual_matrix(point.x), compute_uv=False)
        added = added_curvatures(loss, point.x)
        np.testing.assert_allclose(
            added, np.sort(np.concatenate([2 * L2 + sigma, 2 * L2 - sigma])), atol=1e-14
        )
        more = embed_unit(NET, point.x)
        value, gradient, _ = derivatives(wide, jnp.asarray(more.x))
        assert float(value) == pytest.approx(point.value, abs=1e-14)
        assert np.max(np.abs(gradient)) < 1e-12
        together = np.sort(np.concatenate([spectrum(loss, point.x), added]))
        np.testing.assert_allclose(spectrum(wide, more.x), together, atol=1e-12)
        index = int(np.sum(sigma > 2 * L2))
        assert index > 0
        certified = certify_many(wide, more.x[None], index)[0]
        assert certified.certificate.ok
        assert certified.certificate.order == 2 * point.certificate.order


def test_orbits_have_the_size_of_the_group_over_the_order(loss, minima):
    symmetry = loss.symmetry
    assert np.exp(symmetry.log_group_order()) == pytest.approx(48)
    layer = symmetry.layers[0]
    twice = embed_unit(Mlp((3, 2, 4)), np.arange(20.0)).x
    for x in (*(point.x for point in minima), twice):
        images = []
        for units in itertools.permutations(range(3)):
            for signs in itertools.product((1.0, -1.0), repeat=3):
                y, sign = x.copy(), np.array(signs)[:, None]
                y[layer.incoming] = sign * x[layer.incoming[list(units)]]
                y[layer.outgoing] = sign * x[layer.outgoing[list(units)]]
                assert symmetry.match(x, y, 1e-9) is not None
                images.append(y + 0.0)
        assert len(np.unique(np.round(images, 9), axis=0)) == 48 / symmetry.order(x, 1e-3)
    values = [float(derivatives(loss, jnp.asarray(y))[0]) for y in images]
    np.testing.assert_allclose(values, values[0], atol=1e-13)


def test_the_point_without_weights_is_a_saddle_of_known_index(loss):
    share = np.bincount(np.asarray(triatomic_rows().targets), minlength=4) / 400

    def slope(b):
        p = np.exp(b) / np.exp(b).sum()
        return p - share + 2 * L2 * b

    bias = scipy.optimize.root(slope, np.log(share), tol=1e-15).x
    x = np.zeros(28)
    x[-4:] = bias
    assert np.max(np.abs(derivatives(loss, jnp.asarray(x))[1])) < 1e-14
    sigma = np.linalg.svd(residual_matrix(x), compute_uv=False)
    index = 3 * int(np.sum(sigma > 2 * L2))
    assert index >= 6
    point = certify_many(loss, x[None], index)[0]
    assert point.certificate.ok
    assert point.certificate.order == 48
    # Above λ_c = σ_max / 2 nothing but the biases is left: the point becomes a minimum. It moves
    # with λ, and σ with it.
    for factor, stable in ((1.01, True), (0.99, False)):
        critical = scipy.optimize.brentq(lambda l2: _sigma_max(share, l2) / 2 - l2, 1e-3, 1.0)
        l2 = factor * critical
        strong = network_system(NET, triatomic_rows(), l2=l2)
        x[-4:] = _trivial_bias(share, l2)
        lowest = spectrum(strong, x)[0]
        assert (lowest > 0) == stable
        assert abs(lowest) < 0.1 * critical


def _trivial_bias(share, l2):
    return scipy.optimize.root(
        lambda b: np.exp(b) / np.exp(b).sum() - share + 2 * l2 * b, np.zeros(4), tol=1e-14
    ).x


def _sigma_max(share, l2):
    x = np.zeros(28)
    x[-4:] = _trivial_bias(share, l2)
    return np.linalg.norm(residual_matrix(x), 2)


def test_exclusive_or_has_a_strict_minimum_where_all_weights_are_zero():
    # No linear correlation between inputs and targets: C = 0, so 2λ for every weight.
    corners = np.array([(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)])
    data = LearningData(corners, corners.prod(axis=1))
    for l2 in (1e-3, 0.1):
        system = network_system(Mlp((2, 2, 1)), data, criterion="squared-error", l2=l2)
        assert float(derivatives(system, jnp.zeros(9))[0]) == 1.0
        np.testing.assert_allclose(
            spectrum(system, np.zeros(9)), [2 * l2] * 8 + [2 + 2 * l2], atol=1e-14
        )


@pytest.mark.parametrize(("activation", "scalings"), [("tanh", 0), ("relu", 3)])
def test_zero_modes_of_a_perfect_fit_are_what_the_functions_do_not_see(activation, scalings):
    # A network that fits its own outputs: the Hessian is that of Gauss and Newton, and its null
    # space that of the Jacobian of the predictions.
    teacher = Mlp((2, 3, 2), activation)
    x = np.asarray(teacher.init(jax.random.key(5)))
    inputs = 3.0 * np.asarray(jax.random.normal(jax.random.key(1), (60, 2)))
    data = LearningData(inputs, np.asarray(teacher(jnp.asarray(x), jnp.asarray(inputs))))
    system = network_system(teacher, data, criterion="squared-error")
    point = certify_many(system, x[None], 0)[0]
    assert point.certificate.ok
    assert point.certificate.zero_modes == scalings
    report = zero_mode_report(system, x)
    assert report.ok
    assert report.zero_modes == scalings == teacher.dof - report.functional_rank
    assert functional_rank(system.energy, jnp.asarray(x)) == report.functional_rank
    if activation != "tanh":
        return
    more = embed_unit(teacher, x)
    wide = network_system(more.model, data, criterion="squared-error")
    report = zero_mode_report(wide, more.x)
    # What enters the silent unit, and what leaves it, changes nothing to first order.
    assert (report.zero_modes, report.unexplained) == (5, 5)
    assert not report.ok
    assert "add a penalty" in str(report)
    rejected = certify_many(wide, more.x[None], 0)[0]
    assert rejected.certificate.outcome is Outcome.unexplained_zero_modes


@pytest.mark.slow
def test_equal_hidden_units_occur_at_minima_and_are_counted():
    # A strong penalty leaves fewer different units than there are places for.
    net, l2 = Mlp((3, 5, 4)), 4e-2
    system = network_system(net, triatomic_rows(), l2=l2)
    ended = quench_many(system, np.asarray(start_points(system, jax.random.key(0), 0, 32)))
    orders = set()
    for point in certify_many(system, ended.x[ended.outcome == Outcome.success], 0):
        assert point.certificate.ok
        assert np.sum(np.abs(spectrum(system, point.x) - 2 * l2) < 1e-11) >= 5 + 1
        w2, b2, w1, b1 = layers(point.x, net)
        assert max(np.max(np.abs(w1.sum(axis=0))), abs(b1.sum())) < 1e-11
        units = np.concatenate([w2, b2[:, None], w1.T], axis=1)
        units = units[np.max(np.abs(units), axis=1) > 1e-6]
        signs = np.sign(units[np.arange(len(units)), np.argmax(np.abs(units), axis=1)])
        equal = np.unique(np.round(signs[:, None] * units, 5), axis=0, return_counts=True)[1]
        off = 5 - len(units)
        counted = 2**off * math.factorial(off) * math.prod(map(math.factorial, equal.tolist()))
        assert point.certificate.order == counted
        orders.add(counted)
    assert orders >= {2, 6}, orders
