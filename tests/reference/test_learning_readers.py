"""Readers of losses against exact results."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.learning import (
    BatchLoss,
    LearningData,
    Mlp,
    auc,
    gradient_noise,
    network_system,
    sgd_escape,
    sgd_temperature,
    stationary_covariance,
)
from thalweg.workflows import path_between

PENALTY = 0.1


def test_auc_is_the_mann_whitney_statistic():
    # Hanley & McNeil, Radiology 143, 29 (1982): pairs in the right order, ties counting one half.
    scores, positive = np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1], bool)
    assert auc(scores, positive) == 0.75
    assert auc(np.zeros(5), np.array([0, 1, 1, 0, 1], bool)) == 0.5
    assert auc(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0, 0, 1, 1], bool)) == 3.5 / 4


def test_auc_agrees_with_scikit_learn():
    from sklearn.metrics import roc_auc_score

    scores = np.asarray(jax.random.randint(jax.random.key(1), (400,), 0, 12)) / 12.0
    positive = np.asarray(jax.random.uniform(jax.random.key(2), (400,))) < 0.2 + 0.5 * scores
    weights = np.asarray(jax.random.randint(jax.random.key(3), (3, 400), 0, 4)).astype(float)
    assert auc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-14)
    expected = [roc_auc_score(positive, scores, sample_weight=w) for w in weights]
    assert auc(scores, positive, weights) == pytest.approx(np.array(expected), abs=1e-13)


def test_the_stationary_covariance_solves_the_lyapunov_equation():
    a = np.asarray(jax.random.normal(jax.random.key(4), (6, 6)))
    b = np.asarray(jax.random.normal(jax.random.key(5), (6, 6)))
    h, c = a @ a.T + 0.3 * np.eye(6), b @ b.T
    eta = 1.2 / np.linalg.eigvalsh(h)[-1]
    s = stationary_covariance(h, c, eta)
    step = np.eye(6) - eta * h
    assert np.abs(step @ s @ step + eta**2 * c - s).max() < 1e-12 * np.abs(s).max()
    # One dimension: s = η c / (λ (2 - η λ)); Mandt, Hoffman & Blei, JMLR 18, 134 (2017), discrete.
    one = stationary_covariance(np.array([[3.0]]), np.array([[0.7]]), 0.1)
    assert one[0, 0] == pytest.approx(0.1 * 0.7 / (3.0 * (2 - 0.3)), rel=1e-14)


@pytest.fixture(scope="module")
def quadratic():
    """½ (x - a_i)·H(x - a_i): a batch's gradient noise does not depend on x, all is exact."""
    turn, _ = np.linalg.qr(np.asarray(jax.random.normal(jax.random.key(6), (4, 4))))
    h = turn @ np.diag([0.2, 0.7, 2.0, 4.0]) @ turn.T
    a = np.asarray(jax.random.normal(jax.random.key(7), (150, 4))) * np.array([0.3, 1.0, 2.0, 0.6])
    a -= a.mean(axis=0)
    matrix, centres = jnp.asarray(h), jnp.asarray(a)

    def rows_loss(x, rows):
        r = x - centres[rows]
        return 0.5 * jnp.mean(jnp.einsum("bi,ij,bj->b", r, matrix, r))

    return BatchLoss(rows_loss, 150), h, a


def test_the_gradient_noise_is_that_of_the_data(quadratic):
    loss, h, a = quadratic
    one = h @ np.cov(a.T, bias=True) @ h
    assert gradient_noise(loss, np.ones(4), 5) == pytest.approx(one / 5, abs=1e-13)
    finite = (150 - 30) / 149
    found = gradient_noise(loss, np.zeros(4), 30, replace=False)
    assert found == pytest.approx(one / 30 * finite, abs=1e-13)


@pytest.mark.statistical
@pytest.mark.parametrize(("replace", "steps"), [(True, 2048), (False, 512)])
def test_sgd_on_a_quadratic_has_the_predicted_temperature(quadratic, replace, steps):
    """Five z-scores below 4.5 (t with 95 degrees): fails falsely in 1e-4 of keys."""
    loss, h, a = quadratic
    found = sgd_temperature(
        loss, np.zeros(4), learning_rate=0.3, batch=6, replicas=96, steps=steps, replace=replace,
        key=8,
    )  # fmt: skip
    noise = h @ np.cov(a.T, bias=True) @ h / 6 * (1.0 if replace else (150 - 6) / 149)
    s = stationary_covariance(h, noise, 0.3)
    assert found.excess == pytest.approx(0.5 * np.trace(h @ s), rel=1e-10)
    assert abs(found.measured_excess - found.excess) < 4.5 * found.excess_error
    z = (found.measured_variance - found.variance) / found.variance_error
    assert np.abs(z).max() < 4.5
    assert found.excess_error < 0.1 * found.excess
    assert not found.one_temperature
    assert found.lost == 0


@pytest.mark.statistical
def test_sgd_escapes_at_the_rate_of_kramers():
    """(x² - 1)²/4 with noise ±2 in each datum: barrier 1/4, curvatures 2 and -1, T = 1/20.

    Kramers' rate has a relative correction of the order of T/ΔE = 1/5, and the measured one a
    standard error of 8 %: they agree within 35 %, which a prefactor wrong by 2 would not.
    """
    eta, batch = 0.05, 2
    noise = jnp.asarray(np.tile([-2.0, 2.0], 32))

    def rows_loss(x, rows):
        return 0.25 * jnp.sum((x**2 - 1.0) ** 2) + jnp.mean(noise[rows]) * x[0]

    loss = BatchLoss(rows_loss, 64)
    found = sgd_escape(
        loss, np.array([-1.0]), np.zeros(1), np.ones(1), learning_rate=eta, batch=batch,
        replicas=256, steps=16_384, key=3,
    )  # fmt: skip
    assert found.barrier == pytest.approx(0.25)
    assert found.temperature == pytest.approx(0.05)
    expected = eta * 1.0 / (2 * np.pi) * np.sqrt(2.0) * np.exp(-5.0)
    assert found.kramers == pytest.approx(expected, rel=1e-10)
    assert found.escapes > 120
    assert found.rate == pytest.approx(found.kramers, rel=0.35)
    assert found.meaningful, found.reasons


def double_well(symmetry):
    """(w₁w₂ - 1)² + λ(w₁² + w₂²): minima w₁ = w₂ = ±√(1-λ), saddle at 0 of energy 1."""
    data = LearningData(np.array([-1.0, 1.0]), np.array([-1.0, 1.0]))
    system = network_system(
        Mlp((1, 1, 1), activation="identity", biases="none"), data, criterion="squared-error",
        l2=PENALTY, name="double",
    )  # fmt: skip
    if symmetry:
        return system
    from thalweg.core import NoSymmetry, System

    return System(
        system.energy, space=system.space, symmetry=NoSymmetry(), start=system.start, name="double"
    )


@pytest.mark.slow
def test_the_barrier_of_a_two_weight_network_is_exact(tmp_path):
    """(1 - λ)², with the straight line through the saddle."""
    start = np.array([0.8, 1.1])
    found = path_between(double_well(symmetry=False), start, -start, tmp_path / "d.db")
    low = 2 * PENALTY - PENALTY**2
    assert found.energies == pytest.approx((low, low), abs=1e-12)
    assert found.barrier == pytest.approx((1 - PENALTY) ** 2, abs=1e-12)
    assert found.straight.barrier == pytest.approx((1 - PENALTY) ** 2, abs=1e-10)
    assert found.pathway is not None
    assert found.pathway.n_steps == 1
    assert found.distance == pytest.approx(2 * np.sqrt(2 * (1 - PENALTY)), abs=1e-8)
    assert found.stopped == "no lower path"


def test_networks_that_differ_by_a_sign_flip_are_one_solution(tmp_path):
    start = np.array([0.8, 1.1])
    found = path_between(double_well(symmetry=True), start, -start, tmp_path / "d.db")
    assert found.same
    assert found.barrier == 0.0
    assert found.aligned_distance < 1e-8
    assert found.aligned.barrier < 1e-12
    assert found.straight.barrier == pytest.approx((1 - PENALTY) ** 2, abs=1e-10)


@pytest.mark.slow
def test_the_path_between_solutions_of_exclusive_or(tmp_path):
    """Two hidden units, ±1 codes, λ = 0.01: minima 0.1208729 and 0.6205553, a barrier of 0.0024.

    The aligned straight line rises by 0.17, seventy times as high: what linear interpolation of
    matched networks reports as a barrier is not one.
    """
    from thalweg.search import Newton, quench_many

    inputs = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1.0]])
    data = LearningData(inputs, np.array([-1, 1, 1, -1.0]))
    system = network_system(Mlp((2, 2, 1)), data, criterion="squared-error", l2=0.01, name="xor")
    starts = np.asarray(jax.random.normal(jax.random.key(0), (32, 9)))
    ends = quench_many(system, starts, Newton())
    low, high = (
        ends.x[np.argmin(np.abs(ends.value - energy))] for energy in (0.1208729, 0.6205553)
    )
    found = path_between(system, low, high, tmp_path / "x.db")
    assert found.energies == pytest.approx((0.1208729, 0.6205553), abs=1e-7)
    assert found.highest == pytest.approx(0.6229386, abs=1e-6)
    assert found.barrier < 0.05 * found.aligned.barrier < found.straight.barrier
