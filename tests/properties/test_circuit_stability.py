"""The stability theorem over random circuits: not one counterexample.

For `W_r = I` every circuit rests stably at divisive normalisation: S. Rawat, D. J. Heeger,
S. Martiniani, NeurIPS 37, 14712 (2024). The spectra are those of the Jacobian in closed form,
written down here again, and computed by LAPACK.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from thalweg.circuits import Organics
from thalweg.dynamics import Verdict, certify_batch


def circuits(seed, count, n, *, decades, variant):
    """Circuits with parameters over `2 * decades` decades, stacked, and their drives."""
    draws = np.asarray(jax.random.uniform(jax.random.key(seed), (count, 2 * n + 8, n)))
    sizes = 10 ** (decades * (2 * draws - 1))
    W = np.where(draws[:, n : 2 * n] < 0.7, sizes[:, :n], 0.0)
    z = sizes[:, 2 * n] * scipy.special.ndtri(np.clip(draws[:, 2 * n + 1], 1e-12, None))
    b, b0, sigma, tau_y, tau_a = (sizes[:, 2 * n + k] for k in range(2, 7))
    one = Organics(np.ones((n, n)), variant=variant)
    made = eqx.tree_at(
        lambda c: (c.W, c.b, c.b0, c.sigma, c.tau_y, c.tau_a),
        one,
        tuple(jnp.asarray(v) for v in (W, b, b0, sigma, tau_y, tau_a)),
    )
    return made, jnp.asarray(z)


def worst(made, z, variant):
    """The largest real part over the largest eigenvalue, of each circuit."""
    W, b, b0, sigma, tau_y, tau_a, z = (
        np.asarray(v) for v in (made.W, made.b, made.b0, made.sigma, made.tau_y, made.tau_a, z)
    )
    push, c = b * z, (b0 * sigma) ** 2
    n = push.shape[1]
    rectified = variant == "rectified"
    seen = np.maximum(push, 0) if rectified else push
    a = c + np.einsum("kij,kj->ki", W, seen**2)
    y = seen / np.sqrt(a)  # rectified: what the pool sees of it
    leak = np.where(push > 0, np.sqrt(a), 1.0) if rectified else np.sqrt(a)
    eye = np.eye(n)
    top = [-leak[:, :, None] * eye, -(y / (2 * np.sqrt(a)))[:, :, None] * eye]
    bottom = [W * (2 * y * a)[:, None, :], -eye + W * (y**2)[:, None, :]]
    tau = np.concatenate([tau_y, tau_a], axis=1)
    matrix = np.block([top, bottom]) / tau[:, :, None]
    values = np.linalg.eigvals(matrix)
    return values.real.max(1) / np.abs(values).max(1)


def check(seed, count, n, decades, variant):
    """No counterexample among `count` circuits, by the spectrum and by the inequality."""
    made, z = circuits(seed, count, n, decades=decades, variant=variant)
    shares = worst(made, z, variant)
    # Rounding moves an eigenvalue by some 1e-16 of the largest; rates here differ by 1e10 or more.
    assert np.sum(shares > 1e-12) == 0
    if decades <= 0.5:
        assert np.all(shares < 0)
    proof = certify_batch(made, z, mode="proof")
    assert proof.count(Verdict.stable) == count
    assert np.all(proof.slack > 0)
    return count


@pytest.mark.parametrize("variant", ["main", "rectified"])
def test_no_counterexample(variant):
    sizes = {1: 300, 2: 300, 8: 200, 24: 25}
    tried = sum(check(10, count, n, 0.5, variant) for n, count in sizes.items())
    assert tried == sum(sizes.values())
    # Programs depend on n and the count alone, so these reuse them.
    assert sum(check(11, count, n, 2.0, variant) for n, count in sizes.items()) == tried


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["main", "rectified"])
@pytest.mark.parametrize("decades", [0.5, 2.0])
def test_no_counterexample_among_ten_thousand(variant, decades):
    sizes = {1: 600, 2: 600, 3: 600, 5: 500, 8: 300, 16: 100, 32: 40, 64: 10}
    tried = sum(check(20 + n, count, n, decades, variant) for n, count in sizes.items())
    assert 4 * tried >= 10_000


def test_batches_agree_with_their_spectra():
    made, z = circuits(5, 200, 8, decades=0.5, variant="main")
    proof = certify_batch(made, z)
    full = certify_batch(made, z, mode="spectrum", workers=2)
    assert full.count(Verdict.stable) == 200
    np.testing.assert_allclose(full.points, proof.points, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        -full.margins / np.abs(full.spectra).max(1), worst(made, z, "main"), rtol=1e-6, atol=1e-12
    )
    assert np.isnan(proof.margins).all()
    assert proof.spectra is None
