"""The scalar and other ORGaNICs as dynamics: oscillation, folds, spectra of noise, blow-ups.

Equations: Rawat, Heeger & Martiniani, NeurIPS 37, 14712 (2024), arXiv:2409.18946.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.circuits import Organics
from thalweg.dynamics import (
    WhiteNoise,
    continuation,
    fixed_points,
    linear_noise,
    lyapunov_spectrum,
    reach,
    simulate,
)


def _scalar(w_r=None, tau_y=0.002):
    w_r = None if w_r is None else [[w_r]]
    return Organics([[1.0]], W_r=w_r, b=0.5, b0=0.5, sigma=0.1, tau_y=tau_y, tau_a=0.002)


def _contrast(c):
    return jnp.reshape(c, (1,))


def test_oscillation_sets_in_without_a_bifurcation():
    """A complex pair between contrasts 0.1 and 0.2, ever faster; the circuit stays stable."""
    start = _scalar().normalised(_contrast(0.05))
    branch = continuation(_scalar(), start, 0.05, 2.0, drive=_contrast)
    assert branch.bifurcations == ()
    assert branch.stable.all()
    frequency = np.abs(branch.eigenvalues.imag).max(axis=1) / (2 * math.pi)
    onset = branch.parameters[np.flatnonzero(frequency > 0)[0]]
    assert 0.1 < onset < 0.2
    at = np.interp([0.2, 0.5, 1.0, 2.0], branch.parameters, frequency)
    np.testing.assert_allclose(at, [23.539, 38.447, 52.597, 68.887], rtol=0.02)
    assert frequency[-1] == pytest.approx(68.887, abs=1e-3)
    # The closed form of the rest for W_r = 1.
    push = 0.5 * branch.parameters
    np.testing.assert_allclose(branch.x[:, 0], push / np.sqrt(0.05**2 + push**2), atol=1e-8)


def test_bistability_of_the_scalar_circuit_ends_in_a_fold():
    """w_r = 2: on the branch g = 1 - w_r + w_r s < 0 two rests meet where their quartic has a
    double root in s = √a; continuation in the contrast finds the same point."""
    circuit = _scalar(w_r=2.0, tau_y=0.030)
    rests = fixed_points(circuit, jnp.array([1.0]), number=256)
    assert len(rests) == 3
    assert rests.stable.sum() == 2
    upper = rests.points[rests.stable & (rests.points[:, 0] < 0)]
    assert len(upper) == 1
    branch = continuation(
        circuit, upper[0], 1.0, 20.0, bounds=(0.0, 20.0), drive=_contrast, scale=1.0
    )
    folds = branch.of_kind("fold")
    assert len(folds) == 1
    # (1 - c/s²) g² = (b z)²: the largest z at which s < 1/2 solves it.
    s = np.linspace(0.05 + 1e-9, 0.5, 2_000_001)
    most = np.max((1 - 0.05**2 / s**2) * (1 - 2 + 2 * s) ** 2)
    assert folds[0].parameter == pytest.approx(math.sqrt(most) / 0.5, rel=1e-7)


def test_spectrum_of_noise_in_closed_form():
    """S_yy = [Q_y (ω² + J_aa²) + J_ya² Q_a] / [(det J - ω²)² + tr² ω²], to rounding."""
    circuit = _scalar()
    rest = circuit.normalised(jnp.array([1.0]))
    noise = WhiteNoise(0.01, jnp.array([0.002, 0.002]))
    linear = linear_noise(circuit, rest, noise, jnp.array([1.0]))
    j = linear.jacobian
    f = np.linspace(0.0, 500.0, 501)
    omega = 2 * math.pi * f
    q = 0.01**2 / 0.002
    top = q * (omega**2 + j[1, 1] ** 2) + j[0, 1] ** 2 * q
    closed = top / ((np.linalg.det(j) - omega**2) ** 2 + np.trace(j) ** 2 * omega**2)
    np.testing.assert_allclose(linear.spectrum(f)[:, 0, 0].real, closed, rtol=1e-12)
    assert 40 < f[np.argmax(closed)] < 60  # the resonance, below the 52.6 Hz of the eigenvalue


@pytest.mark.statistical  # four standard errors of a variance of 1,000 paths
def test_variance_of_simulated_circuits():
    circuit = _scalar()
    drive = jnp.array([1.0])
    rest = np.asarray(circuit.normalised(drive))
    noise = WhiteNoise(0.001, jnp.array([0.002, 0.002]))
    linear = linear_noise(circuit, rest, noise, drive)
    paths = simulate(
        circuit, np.repeat([rest], 1000, axis=0), [0.0, 0.03], drive,
        noise=noise, step=2e-5, key=0,
    )  # fmt: skip
    share = np.diag(np.cov(paths.end.T)) / np.diag(linear.covariance)
    np.testing.assert_allclose(share, 1.0, atol=4 * math.sqrt(2 / 1000) + 0.02)


def test_lyapunov_exponents_of_a_stable_circuit():
    circuit = _scalar()
    drive = jnp.array([1.0])
    rest = np.asarray(circuit.normalised(drive))
    real = np.linalg.eigvals(linear_noise(circuit, rest, WhiteNoise(1.0), drive).jacobian).real
    found = lyapunov_spectrum(
        circuit, rest, drive, time=0.4, step=2e-5, interval=2e-4, solver="dopri8"
    )
    assert found.exponents.sum() == pytest.approx(real.sum(), rel=2e-10)
    np.testing.assert_allclose(found.exponents[0], real, rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recurrence", "rest_most", "some"), [("identity", 0, False), ("orthogonal", 8, True)]
)
def test_local_stability_is_not_global(recurrence, rest_most, some, record_property):
    """Blow-ups of 60 circuits of 8 units with σ_max(W_r) ≤ 1, from rest and from N(0, 1) states.

    With W_r = I nothing blows up. With other recurrences of norm one most circuits settle from
    rest, and some blow up from a random state: a certificate of the rest does not say how far it
    holds. How many do depends on the law of the parameters; the counts are recorded.
    """
    n, circuits = 8, 60
    blown = {"rest": 0, "random": 0}
    for number in range(circuits):
        key = jax.random.split(jax.random.fold_in(jax.random.key(5), number), 6)
        normal = np.asarray(jax.random.normal(key[0], (n, n)))
        w_r = {
            "identity": np.eye(n),
            "orthogonal": np.linalg.qr(normal)[0],
        }[recurrence]
        draws = [np.asarray(jax.random.uniform(k, (n,), minval=0.1)) for k in key[1:4]]
        circuit = Organics(
            np.asarray(jax.random.uniform(key[4], (n, n))),
            W_r=w_r, b=draws[0], b0=draws[1], sigma=draws[2], tau_y=1.0, tau_a=1.0,
        )  # fmt: skip
        z = jax.random.normal(key[5], (n,))
        states = np.asarray(jax.random.normal(jax.random.fold_in(key[5], 1), (1, 2 * n)))
        starts = np.concatenate([np.full((1, 2 * n), 0.01), states])
        found = reach(
            circuit, starts, np.zeros((0, 2 * n)), z / jnp.linalg.norm(z), time=200, extent=1e8,
            radius=1e-3,
        )  # fmt: skip
        gone = np.isin(found.labels, (-2, -3))
        blown["rest"] += int(gone[0])
        blown["random"] += int(gone[1])
    record_property("blown_up", f"{recurrence}: {blown} of {circuits}")
    assert blown["rest"] <= rest_most
    assert (blown["random"] > 0) == some, blown
