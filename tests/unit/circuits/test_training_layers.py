"""Layers that answer with a rest: where it is, and what it depends on."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.circuits.training import (
    Circuit,
    cast,
    identity_rest,
    organics_convolution,
    organics_layer,
    residual,
    rest,
    rest_jacobian,
    spectral_norm,
    supralinear_layer,
    unsettled,
)
from thalweg.circuits.training import _rest as rests

N, M, B = 6, 4, 3


def _circuit(key, *, scale=1.0, sigma=1.0):
    """Random circuits that share random recurrent weights of a norm."""
    k = jax.random.split(key, 4)
    drive = jax.random.normal(k[0], (B, N), jnp.float64)
    raw = jax.random.normal(k[1], (N, N), jnp.float64)
    return Circuit(
        drive=drive / jnp.linalg.norm(drive, axis=1, keepdims=True),
        floor=sigma * jax.random.uniform(k[2], (N,), jnp.float64, 0.1, 1.0),
        recurrent=scale * raw / spectral_norm(raw),
        pool=jax.random.uniform(k[3], (N, N), jnp.float64),
    )


_rest = jax.jit(rest)


def _error(circuit, y, a):
    return max(float(jnp.max(jnp.abs(part))) for part in residual(circuit, y, a))


def test_rest_in_closed_form(key):
    circuit = _circuit(key)._replace(recurrent=jnp.eye(N))
    y, a = identity_rest(circuit.drive, circuit.floor, circuit.pool)
    assert _error(circuit, y, a) < 1e-14
    both = _rest(circuit)
    np.testing.assert_allclose(both[0], y, atol=1e-14)
    np.testing.assert_allclose(both[1], a, atol=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_rest_of_generic_weights(seed):
    """Both ways of finding it agree, and the right-hand sides vanish there."""
    circuit = _circuit(jax.random.key(seed))
    y, a = _rest(circuit)
    assert _error(circuit, y, a) < 1e-12 * (1 + float(a.max()))
    assert not bool(jnp.any(unsettled(circuit, y, a)))
    other, settled = jax.jit(rests._solve_in_turn)(circuit)
    assert bool(settled)
    np.testing.assert_allclose(y, other[0], atol=1e-12)


def _unrolled(circuit):
    """The authors' iteration as a chain of solves that autodiff goes through."""
    y = circuit.drive @ circuit.recurrent.T
    a = circuit.floor + (y * y) @ circuit.pool.T
    unit = jnp.eye(N)

    def turn(state, _):
        _, a = state
        matrix = unit - (1.0 - jnp.sqrt(a))[..., None] * circuit.recurrent
        y = jnp.linalg.solve(matrix, circuit.drive[..., None])[..., 0]
        return (y, circuit.floor + (a * y * y) @ circuit.pool.T), None

    return jax.lax.scan(turn, (y, a), None, 60)[0]


@pytest.mark.parametrize("solver", ["sweeps", "elimination"])
def test_implicit_gradient_is_the_unrolled_one(solver, key, monkeypatch):
    if solver == "elimination":
        monkeypatch.setattr(rests, "_SWEEPS", 0)
    circuit = _circuit(key)
    weigh = jax.random.normal(key, (2, B, N), jnp.float64)

    def loss(found):
        y, a = found
        return jnp.sum(weigh[0] * y * jnp.abs(y) + weigh[1] * a)

    ours = jax.jit(jax.grad(lambda c: loss(rest(c))))(circuit)
    theirs = jax.jit(jax.grad(lambda c: loss(_unrolled(c))))(circuit)
    for name in Circuit._fields:
        size = float(jnp.max(jnp.abs(getattr(theirs, name))))
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), atol=1e-9 * size, err_msg=name
        )


def test_jacobian_by_autodiff(key):
    circuit = _circuit(key)
    y, a = _rest(circuit)

    def flow(state, row):
        one = circuit._replace(drive=circuit.drive[row][None])
        return jnp.concatenate(residual(one, state[None, :N], state[None, N:]), axis=1)[0]

    slope_of = jax.jit(jax.jacfwd(flow))
    for row in range(B):
        slope = slope_of(jnp.concatenate([y[row], a[row]]), row)
        np.testing.assert_allclose(rest_jacobian(circuit, y, a)[row], slope, atol=1e-13)


def test_no_rest_is_told():
    """w_r = −1 with w(bz)² beyond its limit has no rest that the iterations could find."""
    one = jnp.ones((1, 1), jnp.float64)
    circuit = Circuit(3.0 * one, jnp.asarray([0.25]), -one, one)
    y, a = _rest(circuit)
    assert bool(unsettled(circuit, y, a)[0]) == (_error(circuit, y, a) > 1e-9)
    broken = circuit._replace(drive=jnp.full((1, 1), jnp.nan))
    assert bool(unsettled(broken, *_rest(broken))[0])


def test_a_layer_normalises(key):
    layer = organics_layer(M, N, key, dtype=jnp.float64)
    x = jax.random.uniform(key, (B, M), jnp.float64)
    rates = layer(x)
    z = x @ layer.drive_weights.T
    z = z / jnp.linalg.norm(z, axis=1, keepdims=True)
    bz = jax.nn.sigmoid(x @ layer.gain_weights.T) * z
    expected = np.maximum(bz, 0) ** 2 / (0.25 + bz**2 @ np.exp(layer.pool.log).T)
    np.testing.assert_allclose(rates, expected, rtol=1e-8)
    assert not bool(jnp.any(layer.unsettled(x)))
    # No direction: an input of zeros has an answer and a slope.
    slope = jax.jit(jax.grad(lambda x: jnp.sum(layer(x))))(jnp.zeros((1, M)))
    assert bool(jnp.all(jnp.isfinite(slope)))


def test_a_layer_without_attention(key):
    layer = organics_layer(M, N, key, attention=False, recurrence="bounded")
    assert layer.gain_weights is None
    x = jax.random.uniform(key, (B, M), jnp.float32)
    assert layer(x).dtype == jnp.float32
    # Its recurrent weights begin at I.
    plain = eqx.tree_at(lambda m: m.recurrent, layer, organics_layer(M, N, key).recurrent)
    np.testing.assert_allclose(layer(x), plain(x), atol=1e-6)


def test_supralinear_layer_settles_or_says_so(key):
    layer = supralinear_layer(M, N, key, dtype=jnp.float64)
    quiet = eqx.tree_at(lambda m: m.cell.log_weights, layer, layer.cell.log_weights - 20.0)
    x = jax.random.uniform(key, (B, M), jnp.float64)
    drive = np.maximum(x @ quiet.cell.from_input.T, 0.0)
    np.testing.assert_allclose(quiet(x), quiet.cell.gain * drive**quiet.cell.power, rtol=1e-3)
    assert not bool(jnp.any(quiet.unsettled(x)))
    excited = jnp.full((N, N), -20.0).at[:, : layer.cell.excitatory].set(3.0)
    wild = eqx.tree_at(lambda m: (m.cell.log_weights, m.cell.bias), layer, (excited, jnp.ones(N)))
    assert bool(jnp.all(wild.unsettled(x)))
    assert not bool(jnp.all(jnp.isfinite(wild(x))))


def test_convolution_is_its_loops(key):
    layer = cast(organics_convolution((1, 5, 5), 2, key), jnp.float64)
    x = np.asarray(jax.random.uniform(key, (2, 1, 5, 5), jnp.float64))
    rates = np.asarray(layer(jnp.asarray(x)))
    for b in range(2):
        for c in range(2):
            z, gain = np.zeros((3, 3)), np.zeros((3, 3))
            for i in range(3):
                for j in range(3):
                    patch = x[b, 0, i : i + 3, j : j + 3]
                    z[i, j] = (patch * np.asarray(layer.kernel)[c, 0]).sum()
                    gain[i, j] = (patch * np.asarray(layer.gain_kernel)[c, 0]).sum()
            rate = (np.maximum(z, 0) / (1 + np.exp(-gain))) ** 2
            np.testing.assert_allclose(rates[b, c], rate / (0.25 + rate.sum() + 1e-8), rtol=1e-12)
