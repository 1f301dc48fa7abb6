"""Named losses: known minima, exactly solvable networks, and an independent multi-start."""

import jax
import numpy as np
import pytest
from scipy.optimize import brentq, minimize

from thalweg.core import start_points
from thalweg.energies import system as catalogue
from thalweg.learning import triatomic_data
from thalweg.search import Newton, certify_many, quench_many
from thalweg.workflows import StopReason, explore

XOR = {
    "xor-h2-l0.1": {0.87910098, 1.0},
    "xor-h2-l0.01": {0.12087290, 0.62055530},
    "xor-h2-l0.001": {0.01248812, 0.51949758},
    "xor-h3-l0.01": {0.12059046},
}
"""Energies of minima from an independent multi-start (single runs, so perhaps not all)."""


def _minima(name, count=64):
    """Distinct energies of certified minima below random starts."""
    system = catalogue(name)
    starts = np.asarray(start_points(system, jax.random.key(0), 0, count))
    ends = quench_many(system, starts, Newton(), width=16)
    assert np.all(ends.outcome == 0), np.unique(ends.outcome)
    found = certify_many(system, ends.x, 0)
    good = [point for point in found if point.certificate.ok]
    return system, good, sorted({round(point.value, 7) for point in good})


@pytest.mark.parametrize(
    "name", [*list(XOR)[:3], pytest.param("xor-h3-l0.01", marks=pytest.mark.slow)]
)
def test_exclusive_or(name):
    """Spec values of Mehta, Zhao, Bernal & Wales's problem with ±1 codes and a linear output."""
    _, good, energies = _minima(name)
    for energy in XOR[name]:
        assert np.min(np.abs(np.array(energies) - energy)) < 2e-7, (energy, energies)
    assert max(energies) <= 1.0 + 1e-12
    assert all(point.certificate.gradient_norm < 1e-12 for point in good)


def test_softmax_regression_has_one_minimum():
    _, good, energies = _minima("ljat3-linear-l1e-3")
    assert len(good) == 64
    assert len(energies) == 1
    spread = np.ptp([point.x for point in good], axis=0)
    assert spread.max() < 1e-8
    assert min(point.curvature for point in good) > 2e-3 - 1e-12


@pytest.mark.slow
def test_linear_network_is_solved(tmp_path):
    """One layer of one unit: a pair of points for each singular value σ above λ.

    The first is the minimum, the second joins it to its mirror image; their energies are
    2λσ - λ² plus the squares of the other singular values (2 and 1).
    """
    wishes = {"climbs": 32, "searches": 30, "quenches": 32, "walkers": 0}
    landscape = explore(
        catalogue("linear-h1-l0.1"), tmp_path / "linear.db", workers=1, **wishes
    ).landscape
    network = landscape.network
    np.testing.assert_allclose(network.energies, [2 * 0.1 * 2 - 0.01 + 1.0], atol=1e-12)
    np.testing.assert_allclose(network.ts_energies, [2 * 0.1 * 1 - 0.01 + 4.0], atol=1e-12)
    assert network.ts_minima.tolist() == [[0, 0]]


@pytest.mark.slow
def test_a_deeper_linear_network(tmp_path):
    """Two layers of one unit: the origin is a minimum, too; weights w of all layers are equal.

    With w(σ - w³) = λ at a stationary point; the smaller root is the way out of the origin.
    """
    landscape = explore(
        catalogue("linear-h1x1-l0.1"), tmp_path / "linear.db", workers=1, walkers=0
    ).landscape

    def energy(low, high):
        w = brentq(lambda w: w * (2.0 - w**3) - 0.1, low, high)
        return (2.0 - w**3) ** 2 + 3 * 0.1 * w**2 + 1.0

    np.testing.assert_allclose(
        np.sort(landscape.network.energies), [energy(0.5, 1.26), 5.0], atol=1e-9
    )
    assert np.min(np.abs(landscape.network.ts_energies - energy(1e-3, 0.5))) < 1e-9


def _loss(x, inputs, onehot, l2):
    """The 3-3-4 network in NumPy, parameters layer by layer, weights row by row, then biases."""
    w1, b1, w2, b2 = x[:9].reshape(3, 3), x[9:12], x[12:24].reshape(4, 3), x[24:]
    hidden = np.tanh(inputs @ w1.T + b1)
    logits = hidden @ w2.T + b2
    top = logits.max(axis=1, keepdims=True)
    log_sum = top + np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    value = np.mean(log_sum[:, 0] - np.sum(logits * onehot, axis=1)) + l2 * x @ x
    slope = (np.exp(logits - log_sum) - onehot) / len(inputs)
    back = (slope @ w2) * (1.0 - hidden**2)
    grad = [(back.T @ inputs).ravel(), back.sum(0), (slope.T @ hidden).ravel(), slope.sum(0)]
    return value, np.concatenate(grad) + 2.0 * l2 * x


@pytest.mark.slow
def test_map_of_the_triatomic_network(tmp_path):
    """H = 3, λ = 1e-3 on our rows: every point certified, and SciPy finds no other minimum.

    A published-size prototype on other rows of the same law had 5 minima, 20 transition states, of
    which 2 join a minimum to its image, and the curvature 2λ four times at every point.
    """
    result = explore(catalogue("ljat3-h3-l1e-3"), tmp_path / "h3.db", workers=1)
    assert result.reason is StopReason.complete
    network = result.landscape.network
    assert network.n_components == 1
    assert 4 <= network.n_minima <= 8
    assert 15 <= network.n_transition_states <= 40
    train, _ = triatomic_data(400)
    inputs, onehot = np.asarray(train.inputs), np.eye(4)[np.asarray(train.targets)]
    starts = np.asarray(jax.random.normal(jax.random.key(5), (60, 28)))
    options = {"gtol": 1e-9, "ftol": 0.0, "maxiter": 20_000, "maxfun": 40_000}
    runs = [
        minimize(_loss, x, (inputs, onehot, 1e-3), "L-BFGS-B", True, options=options)
        for x in starts
    ]
    values = np.array([run.fun for run in runs])
    gaps = np.abs(values[:, None] - network.energies[None])
    assert gaps.min(axis=1).max() < 1e-8
    assert gaps.min(axis=0)[np.argmin(network.energies)] < 1e-10


@pytest.mark.slow
def test_map_of_a_circuit(tmp_path):
    """Exclusive or by a normalising circuit of two units."""
    name, path = "organics-h2-l0.01", tmp_path / "circuit.db"
    network = explore(catalogue(name), path, workers=1, budget=300).landscape.network
    assert network.n_minima >= 10
    assert network.n_transition_states >= 20
    joined = network.components == network.components[network.global_minimum]
    assert joined.sum() >= 5
    low, high = network.energies.min(), network.energies.max()
    assert low == pytest.approx(0.16116734, abs=1e-7)
    assert low < high <= 1.0  # the best circuit solves the task, the worst hardly tries


@pytest.mark.slow
def test_map_of_a_force_field_fit(tmp_path):
    """Charges and their negative fit alike; the way between them passes over weaker charges."""
    system = catalogue("formaldehyde-charges-l0.01")
    result = explore(system, tmp_path / "charges.db", workers=1)
    network = result.landscape.network
    assert network.n_minima == 2
    np.testing.assert_allclose(network.energies[0], network.energies[1], atol=1e-10)
    points = result.landscape.store.points("minimum")
    np.testing.assert_allclose(points[0], -points[1], atol=1e-8)
    assert network.n_transition_states >= 1
    ways = {tuple(sorted(ends)) for ends in network.ts_minima.tolist()}
    assert ways == {(0, 1)}
    charges = 0.1 * (points[0] if points[0][0] > 0 else points[1])
    charges = charges[[0, 1, 2, 2]] - charges[[0, 1, 2, 2]].mean()
    assert charges[0] > 0.2
    assert charges[1] < -0.2
