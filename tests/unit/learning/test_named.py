"""Named losses: names that work, names that cannot, and the joints to circuits and force fields."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.circuits import Organics
from thalweg.core import ArgumentError, UnknownSystemError, check_curvature, check_energy
from thalweg.energies import system
from thalweg.learning import (
    LearningData,
    circuit_loss_system,
    digits_data,
    forcefield_loss_system,
    formaldehyde_charges,
    triatomic_data,
    xor_data,
)


@pytest.mark.parametrize(
    ("name", "dof", "order"),
    [
        ("ljat3-h3-l1e-3", 28, 48),
        ("ljat3-h5-l1e-5-n1000", 44, 3840),
        ("ljat3-h3x3-l1e-3", 40, 48**2),
        ("ljat3-linear-l1e-3", 16, 1),
        ("xor-h2-l0.01", 9, 8),
        ("linear-h1x1-l0.1", 6, 4),
        ("organics-h2-l0.01", 11, 8),
        ("formaldehyde-charges-l0.01", 3, 1),
    ],
)
def test_names(name, dof, order):
    found = system(name)
    assert found.name == name
    assert found.space.dof == dof
    assert round(np.exp(found.symmetry.log_group_order())) == order


def test_digits_are_scaled():
    pytest.importorskip("sklearn")
    train, test = digits_data(1000)
    assert (len(train), len(test), train.classes) == (1000, 797, 10)
    assert float(train.inputs.max()) == 1.0
    assert system("digits-h10-l1e-3").space.dof == 760


@pytest.mark.parametrize(
    "name",
    ["ljat3-h0-l1e-3", "ljat3-h3-l1e-3-n6000", "linear-h2-l0.1", "organics-h0-l1", "xor-h999-l1"],
)
def test_names_that_cannot_be(name):
    with pytest.raises(UnknownSystemError, match=name):
        system(name)


def test_rows_to_train_on_and_to_test_with():
    train, test = triatomic_data(400)
    assert len(train) == 400
    assert 4900 < len(test) <= 5000
    assert train.classes == test.classes == 4
    more, _ = triatomic_data(500)
    np.testing.assert_array_equal(more.inputs[:400], train.inputs)
    with pytest.raises(ArgumentError, match="rows=9999"):
        triatomic_data(9999)


def test_a_circuit_answers_with_its_fixed_point():
    """The loss knows the circuit by its closed form; its own equations rest there."""
    built = circuit_loss_system(2, xor_data(), criterion="squared-error", l2=0.0)
    x = jax.random.normal(jax.random.key(1), (11,))
    params = built.space.unravel(x)
    own, others = np.exp(params["pool"])
    circuit = Organics(np.full((2, 2), others) + (own - others) * np.eye(2))
    answers = np.asarray(built.energy.outputs(x, xor_data().inputs))
    for row, answer in zip(np.asarray(xor_data().inputs), answers, strict=True):
        z = params["drive"][:, 0] + params["drive"][:, 1:] @ row
        rest = circuit.normalised(z)
        np.testing.assert_allclose(circuit(jnp.zeros(()), rest, z), 0.0, atol=1e-12)
        np.testing.assert_allclose(params["readout"] @ rest[:2] + params["offset"], answer)
    # Units exchanged, and one of them with its sign changed: the same loss.
    turn = jnp.array([1, 0])
    image = params | {
        "drive": (params["drive"] * jnp.array([[-1.0], [1.0]]))[turn],
        "readout": (params["readout"] * jnp.array([-1.0, 1.0]))[:, turn],
    }
    y = built.space.ravel(image)
    assert float(built.energy(y)) == pytest.approx(float(built.energy(x)), abs=1e-12)
    found = built.symmetry.match(np.asarray(x), np.asarray(y), 1e-9)
    np.testing.assert_allclose(found, x, atol=1e-12)
    check_energy(built)


def test_a_force_field_fit_is_its_loss():
    force_field, dataset = formaldehyde_charges()
    built = forcefield_loss_system(force_field, dataset, l2=0.01)
    u = np.array([4.0, -4.5, 0.5])
    q = 0.1 * u[[0, 1, 2, 2]]
    q -= q.mean()
    x = dataset.positions
    d = x[:, :, None] - x[:, None]
    r = np.linalg.norm(d, axis=-1) + np.eye(4)
    push = 138.93545764438198 * q[:, None] * q / r**3
    forces = np.einsum("mij,mijk->mik", push * (1 - np.eye(4)), d)
    misfit = ((forces - dataset.forces) / 41.84) ** 2
    loss = misfit.sum(axis=(1, 2)).mean() + 0.01 * np.sum(u**2)
    assert float(built.energy(jnp.asarray(u))) == pytest.approx(loss, rel=1e-9)
    assert float(built.energy(jnp.asarray(-u))) == pytest.approx(loss, rel=1e-9)
    check_energy(built)
    check_curvature(built)


def test_a_circuit_without_units():
    with pytest.raises(ArgumentError, match="units=0"):
        circuit_loss_system(0, LearningData(np.eye(2), np.arange(2)), l2=0.1)
