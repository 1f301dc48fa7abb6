"""External energies: values, derivatives, failures and processes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError, EnergyError, HostEnergy, hessian, hvp, value_and_grad


def quartic(x):
    return float(np.sum(x**4)), 4.0 * x**3


def fragile(x):
    if x[0] > 1.0:
        raise RuntimeError("no convergence in 50 iterations")
    if x[0] < -1.0:
        return np.nan, x
    return quartic(x)


def test_values_and_gradients_of_a_block():
    x = jax.random.normal(jax.random.key(0), (3, 5))
    value, grad = jax.jit(lambda x: value_and_grad(HostEnergy(quartic, 3), x))(x)
    np.testing.assert_allclose(value, np.sum(np.asarray(x) ** 4, axis=0), rtol=1e-14)
    np.testing.assert_allclose(grad, 4.0 * np.asarray(x) ** 3, rtol=1e-14)


def test_one_point_and_automatic_differentiation():
    energy, x = HostEnergy(quartic, 2), jnp.array([0.5, -1.5])
    assert float(energy(x)) == pytest.approx(0.5**4 + 1.5**4)
    np.testing.assert_allclose(jax.grad(energy)(x), 4.0 * np.asarray(x) ** 3, rtol=1e-14)


def test_hessian_vector_products_by_differences():
    energy, x = HostEnergy(quartic, 2), jnp.array([0.5, -1.5])
    v = jnp.array([3.0, 0.1])
    np.testing.assert_allclose(hvp(energy, x, v), 12.0 * np.asarray(x**2 * v), rtol=1e-7)
    np.testing.assert_allclose(hessian(energy, x), np.diag(12.0 * np.asarray(x) ** 2), rtol=1e-7)
    np.testing.assert_array_equal(hvp(energy, x, jnp.zeros(2)), np.zeros(2))


def test_failures_become_nan_and_are_remembered():
    energy = HostEnergy(fragile, 2)
    x = jnp.array([[0.5, 2.0, -2.0], [0.0, 0.0, 0.0]])
    value, grad = jax.block_until_ready(energy.lane_value_and_grad(x))
    np.testing.assert_array_equal(np.isfinite(value), [True, False, False])
    assert np.isnan(grad[:, 1]).all()
    count, messages = energy.failures
    assert count == 2
    assert "no convergence in 50 iterations" in messages[0]
    assert "nan" in messages[1]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: 1.0, "expected a pair"),
        (lambda x: (1.0, np.zeros(5)), r"gradient of shape \(5,\)"),
        (lambda x: (np.zeros(2), x), r"energy of shape \(2,\)"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_broken_function_is_named_before_anything_is_traced(function, words):
    with pytest.raises(EnergyError, match=words):
        HostEnergy(function, 2).probe(np.zeros(2))


def test_a_function_cannot_change_its_argument():
    def spoil(x):
        x[:] = 7.0
        return 0.0, x

    x = np.zeros(2)
    HostEnergy(spoil, 2).probe(x)
    np.testing.assert_array_equal(x, 0.0)


@pytest.mark.parametrize("bad", [{"dof": 0}, {"workers": 0}, {"step": 0.0}])
def test_arguments_are_checked(bad):
    with pytest.raises(ArgumentError):
        HostEnergy(quartic, **({"dof": 2} | bad))


@pytest.fixture
def pool_energy(tmp_path, monkeypatch):
    module = tmp_path / "springs.py"
    module.write_text(
        "import os\n"
        "def spring(x):\n"
        "    if x[0] > 90.0:\n"
        "        os._exit(1)\n"
        "    return float(x @ x), 2.0 * x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import springs

    energy = HostEnergy(springs.spring, 2, workers=2)
    yield energy
    energy.close()


def test_a_pool_of_processes_survives_a_death(pool_energy):
    x = jnp.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    value, _ = pool_energy.lane_value_and_grad(x)
    np.testing.assert_allclose(value, [1.0, 4.0, 9.0])
    dead, _ = pool_energy.lane_value_and_grad(x.at[0, 1].set(99.0))
    assert np.isnan(dead).all()
    assert "died" in pool_energy.failures[1][0]
    again, _ = pool_energy.lane_value_and_grad(x)
    np.testing.assert_allclose(again, [1.0, 4.0, 9.0])


def test_a_function_that_cannot_be_pickled_says_so():
    energy = HostEnergy(lambda x: quartic(x), 2, workers=2)
    value, _ = energy.lane_value_and_grad(jnp.ones((2, 3)))
    assert np.isnan(value).all()
    assert energy.failures[0] == 3
    energy.close()
