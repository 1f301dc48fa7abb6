"""Contraction: proved rates hold, and assemblies keep them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.circuits import (
    Assembly,
    LeakyRNN,
    assemble,
    circuit,
    contraction_metric,
    trajectories,
)
from thalweg.core import ArgumentError
from thalweg.dynamics import certify, matrix_measure


def network(seed, n, size, *, activation="tanh", tau=None):
    keys = jax.random.split(jax.random.key(seed), 2)
    weights = size * jax.random.normal(keys[0], (n, n)) / np.sqrt(n)
    constants = jnp.exp(jax.random.normal(keys[1], (n,))) if tau is None else tau
    return LeakyRNN(weights, tau=constants, activation=activation)


def jacobians(made, slopes):
    """Jacobians of a leaky network at any slopes of the activation."""
    W, tau = np.asarray(made.W), np.asarray(made.tau)
    return (-np.eye(len(W)) + W * slopes[:, None, :]) / tau[:, None]


@pytest.mark.parametrize(("activation", "slope"), [("tanh", 1.0), ("relu", 1.0), ("sigmoid", 0.25)])
def test_the_metric_holds_at_every_slope(activation, slope):
    tried = 0
    for seed in range(12):
        made = network(seed, 6, 0.5 / slope, activation=activation)
        found = contraction_metric(made)
        if found is None:
            continue
        tried += 1
        metric, rate = found
        draws = np.asarray(jax.random.uniform(jax.random.key(seed), (300, 6)))
        slopes = slope * np.concatenate([draws, draws.round(), np.ones((1, 6)), np.zeros((1, 6))])
        form = metric[:, None] * jacobians(made, slopes)
        form = form + np.swapaxes(form, 1, 2) + 2 * rate * np.diag(metric)
        assert np.linalg.eigvalsh(form).max() < 1e-12 * metric.max()
    assert tried > 3


def test_the_theorems_bound_a_matrix_measure():
    made = network(1, 6, 0.4)
    absolute, singular = made.theorems()
    assert absolute.applies
    assert singular.applies
    draws = np.asarray(jax.random.uniform(jax.random.key(0), (400, 6)))
    stack = jacobians(made, np.concatenate([draws, np.ones((1, 6))]))
    weights = np.sqrt(np.asarray(made.tau))
    assert np.max(matrix_measure(stack, "two", weights)) <= -singular.rate + 1e-12
    certificate = certify(made, jnp.ones(6), number=8)
    assert certificate.contracting
    assert certificate.complete
    assert certificate.points[0].margin >= max(absolute.rate, singular.rate) - 1e-12
    assert not any(text.startswith("Local") for text in certificate.limits)


def test_conditions_that_fail_are_told():
    absolute, singular = network(2, 6, 3.0).theorems()
    assert not absolute.applies
    assert "not below 1" in absolute.because
    assert not singular.applies
    assert contraction_metric(network(2, 6, 3.0)) is None
    # Strong negative self-connections do no harm to the first condition, but to the second.
    inhibited = LeakyRNN(-5.0 * np.eye(3))
    absolute, singular = inhibited.theorems()
    assert absolute.applies
    assert not singular.applies


@pytest.mark.slow
def test_an_assembly_contracts_however_strong_the_feedback():
    named = circuit("assembly")
    made = named.circuit
    theorem = made.theorems()[0]
    assert theorem.applies
    assert np.abs(made.L).max() > 100
    M = np.diag(np.asarray(made.metric))
    keys = jax.random.split(jax.random.key(1), 2)
    for x in 3 * jax.random.normal(keys[0], (20, made.dof)):
        J = np.asarray(jax.jacfwd(lambda v: made(jnp.zeros(()), v, named.drive))(x))
        form = M @ J + J.T @ M + 2 * theorem.rate * M
        assert np.linalg.eigvalsh(form)[-1] < 1e-9 * np.linalg.norm(M @ J)
    starts = 2 * jax.random.normal(keys[1], (2, made.dof))
    states = np.asarray(trajectories(made, named.drive, starts, 2e-5, 1000))
    away = np.einsum("tij,j->ti", (states[:, 0] - states[:, 1])[:, None] ** 2, np.diag(M))[:, 0]
    times = 2e-5 * np.arange(1001)
    assert np.all(np.sqrt(away) <= np.sqrt(away[0]) * np.exp(-theorem.rate * times) * (1 + 1e-6))


def test_feedback_of_the_wrong_kind_is_not_certified():
    made = circuit("assembly").circuit
    theorem = Assembly(made.modules, np.abs(made.L), made.metric).theorems()[0]
    assert not theorem.applies
    assert "expected 0" in theorem.because
    theorem = Assembly(made.modules, made.L, np.ones(made.dof)).theorems()[0]
    assert not theorem.applies


@pytest.mark.parametrize(
    ("feedback", "says"),
    [
        ({(0, 0): np.ones((4, 4))}, "does not join"),
        ({(0, 7): np.ones((4, 4))}, "does not join"),
        ({(0, 1): np.ones((3, 4))}, "expected 4 x 4"),
    ],
)
def test_wrong_assemblies_are_told(feedback, says):
    parts = [network(s, 4, 0.2) for s in (1, 2)]
    with pytest.raises(ArgumentError, match=says):
        assemble(parts, feedback)


def test_modules_without_a_metric_are_refused():
    with pytest.raises(ArgumentError, match="module 1"):
        assemble([network(1, 4, 0.2), network(2, 4, 9.0)], {})
    with pytest.raises(ArgumentError, match="has a W_in"):
        assemble([LeakyRNN([[0.1]], W_in=[[1.0]])], {})
