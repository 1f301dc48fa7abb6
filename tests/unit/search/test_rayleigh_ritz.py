"""The 3 x 3 eigenproblem in closed form, against LAPACK."""

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.search._rayleigh_ritz import lowest_of_three


def _gram(matrices):
    return [[jnp.asarray(matrices[:, i, j]) for j in range(3)] for i in range(3)]


def _present(*flags):
    return [None, *(jnp.asarray(f) for f in flags)]


def test_agrees_with_lapack():
    values, sizes = jax.random.split(jax.random.key(0))
    powers = jax.random.uniform(sizes, (500, 1, 1), minval=-3.0, maxval=4.0)
    matrices = np.asarray(jax.random.normal(values, (500, 3, 3)) * 10.0**powers)
    matrices = matrices + np.swapaxes(matrices, 1, 2)
    ones = np.ones(500, bool)
    vectors = np.stack(lowest_of_three(_gram(matrices), _present(ones, ones)), axis=1)
    rayleigh = np.einsum("li,lij,lj->l", vectors, matrices, vectors)
    expected = np.linalg.eigvalsh(matrices)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-12)
    assert np.all(np.abs(rayleigh - expected[:, 0]) < 1e-9 * np.abs(expected).max(axis=1))


def test_absent_vectors_take_no_part():
    matrices = np.array([np.diag([3.0, 1.0, -5.0]), np.diag([3.0, 1.0, -5.0])])
    weights = lowest_of_three(
        _gram(matrices), _present(np.array([True, False]), np.array([False, False]))
    )
    np.testing.assert_allclose(np.abs(np.stack(weights, 1)), [[0, 1, 0], [1, 0, 0]], atol=1e-12)


def test_scalar_matrix_keeps_the_first_vector():
    eye = 2.0 * np.eye(3)[None]
    ones = np.ones(1, bool)
    weights = np.stack(lowest_of_three(_gram(eye), _present(ones, ones)), 1)
    assert np.all(np.isfinite(weights))
    np.testing.assert_allclose(np.linalg.norm(weights), 1.0)
