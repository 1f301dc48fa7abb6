"""Hessians of perceptrons by matrix products are those by automatic differentiation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import hessian
from thalweg.learning import EquinoxModel, LearningData, LossEnergy, Mlp, loss_of, network_system

ROWS = 23
by_columns = eqx.filter_jit(lambda energy, x: jax.hessian(energy)(x))
at_once = eqx.filter_jit(lambda energy, x: energy.expansion(x))
by_layers = eqx.filter_jit(lambda energy, x: energy.second_derivatives(x))


def draws(seed: int, *shape: int):
    """Normal numbers."""
    return jax.random.normal(jax.random.key(seed), shape)


def energy_of(mlp: Mlp, criterion: str, **options) -> LossEnergy:
    """A loss on random rows, of classes or of numbers."""
    outputs = mlp.sizes[-1]
    if criterion == "cross-entropy":
        targets = np.arange(ROWS) % max(outputs, 2)
    else:
        targets = draws(1, ROWS, outputs)
    data = LearningData(draws(0, ROWS, mlp.sizes[0]), targets)
    return loss_of(network_system(mlp, data, criterion=criterion, l2=0.01, **options))


@pytest.mark.parametrize("criterion", ["cross-entropy", "squared-error"])
@pytest.mark.parametrize(
    "mlp",
    [
        Mlp((3, 2)),
        Mlp((3, 4, 2)),
        Mlp((3, 4, 1), "softplus"),
        Mlp((2, 3, 4, 2), ("tanh", "sigmoid")),
        Mlp((2, 3, 2, 3, 2), "gelu", "shared"),
        Mlp((2, 3, 4, 2), "sine", "none"),
        Mlp((3, 4, 3), "tanh", "shared"),
    ],
    ids=lambda mlp: f"{mlp.sizes}-{mlp.activation}-{mlp.biases}",
)
def test_layers_give_the_hessian(mlp, criterion):
    energy = energy_of(mlp, criterion)
    x = mlp.init(jax.random.key(1))
    value, grad, matrix = at_once(energy, x)
    np.testing.assert_allclose(matrix, by_columns(energy, x), atol=2e-14)
    np.testing.assert_allclose(grad, jax.grad(energy)(x), atol=1e-14)
    assert float(value) == pytest.approx(float(energy(x)), abs=1e-14)


@pytest.mark.parametrize("scan", [False, True])
def test_networks_of_equinox(scan):
    data = LearningData(draws(0, ROWS, 3), np.arange(ROWS) % 2)
    model = eqx.nn.MLP(3, 2, 4, 3, jax.nn.softplus, scan=scan, key=jax.random.key(0))
    energy = loss_of(network_system(model, data, l2=0.01))
    assert isinstance(energy.predict, EquinoxModel)
    assert energy.predict.chain(energy.unravel) is not None
    x = draws(2, energy.unravel.dof)
    np.testing.assert_allclose(by_layers(energy, x), by_columns(energy, x), atol=2e-14)


def test_chunks_and_what_is_penalised():
    mlp = Mlp((3, 4, 3))
    x = mlp.init(jax.random.key(1))
    whole, chunked = (energy_of(mlp, "cross-entropy", chunk=c) for c in (None, 5))
    np.testing.assert_allclose(by_layers(chunked, x), by_layers(whole, x), atol=1e-14)
    some = jnp.arange(mlp.dof) < 5
    held = LossEnergy(
        whole.predict, whole.criterion, whole.data, whole.l2, whole.unravel, penalised=some
    )
    np.testing.assert_allclose(by_layers(held, x), by_columns(held, x), atol=1e-14)


@pytest.mark.parametrize("lanes", [1, 3, 64])
def test_a_block_is_its_points(lanes):
    mlp = Mlp((3, 4, 3))
    energy = energy_of(mlp, "cross-entropy")
    x = jnp.stack([mlp.init(jax.random.key(i)) for i in range(lanes)], axis=1)
    blocks = hessian(energy, x)
    assert blocks.shape == (lanes, mlp.dof, mlp.dof)
    for lane in (0, lanes - 1):
        np.testing.assert_allclose(blocks[lane], by_columns(energy, x[:, lane]), atol=1e-14)
