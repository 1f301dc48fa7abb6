"""Cells, step by step against plain NumPy, and what training may never break."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.circuits.training import (
    RECURRENCES,
    VARIANTS,
    Fixed,
    PositiveWeights,
    cast,
    count_parameters,
    coupled_oscillator_cell,
    gru_cell,
    join,
    leaky_cell,
    lstm_cell,
    minimal_organics_cell,
    organics_cell,
    recurrent_weights,
    run_cell,
    safe_sqrt,
    supralinear_cell,
    trainable,
)
from thalweg.core import ArgumentError, jacobian

H, M, B = 5, 2, 3


@eqx.filter_jit
def _step(cell, state, x):
    ready = cell.prepare()
    return cell.advance(ready, state, cell.drive(ready, x))


def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def _relu(x):
    return np.maximum(x, 0.0)


def _state(cell, key):
    """A batch of states, some of them negative."""
    return tuple(
        jax.random.normal(jax.random.fold_in(key, i), (B, n), jnp.float64)
        for i, n in enumerate(cell.sizes)
    )


def _numpy_organics(cell, state, x):
    """The equations of the gated circuit, written out for one sample at a time."""
    z_w, gate0_x, gate1_x = np.split(np.asarray(cell.from_input), 3)
    gate0_y, gate1_y = np.split(np.asarray(cell.gates_from_y), 2)
    gate0_a, gate1_a = np.split(np.asarray(cell.gates_from_a), 2)
    recurrent, pool = np.asarray(cell.recurrent()), np.exp(np.asarray(cell.pool.log))
    variant = cell.variant
    if variant.clipped:
        pool = np.clip(pool, 0.0, 1.0)
    theta = np.asarray(cell.theta)
    h_y, h_a, h_b = cell.largest
    rows = []
    for y, a, b0, b1, u in zip(*map(np.asarray, state), np.asarray(x), strict=True):
        z = z_w @ u
        z = _relu(z) if variant.drive else z
        echo = {
            "after": lambda y=y: _relu(recurrent @ y),
            "before": lambda y=y: recurrent @ _relu(y),
            "none": lambda y=y: recurrent @ y,
        }[variant.recurrent]()
        active = _relu(y) if variant.pool else y
        new_y = -y + b1 * z + (1 - np.sqrt(_relu(a))) * echo
        new_a = -a + b0**2 + pool @ (active**2 * _relu(a))
        new_0 = -b0 + _sigmoid(gate0_x @ u + gate0_y @ y + gate0_a @ a)
        new_1 = -b1 + _sigmoid(gate1_x @ u + gate1_y @ y + gate1_a @ a)
        steps = [h * _sigmoid(t) for h, t in zip((h_y, h_a, h_b, h_b), theta, strict=True)]
        old = (y, a, b0, b1)
        new = (new_y, new_a, new_0, new_1)
        rows.append([o + s * n for o, s, n in zip(old, steps, new, strict=True)])
    return [np.stack(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_of_the_gated_circuit(variant, key):
    cell = cast(organics_cell(M, H, key, variant=variant, largest=(0.5, 0.3, 0.9)), jnp.float64)
    state, x = _state(cell, key), jax.random.normal(key, (B, M), jnp.float64)
    ours = _step(cell, state, x)
    for mine, theirs in zip(ours, _numpy_organics(cell, state, x), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-14)


def test_a_step_of_the_smallest_circuit(key):
    cell = cast(minimal_organics_cell(M, H, key, step=0.2), jnp.float64)
    (y, a), x = _state(cell, key), jax.random.normal(key, (B, M), jnp.float64)
    b0, b1 = np.asarray(cell.gains)
    pool = np.exp(np.asarray(cell.pool.log))
    up, z = _relu(np.asarray(y)), _relu(np.asarray(x) @ np.asarray(cell.from_input).T)
    above = _relu(np.asarray(a))
    new_y = y + 0.2 * (-y + b1 * z + (1 - np.sqrt(above)) * up)
    new_a = a + 0.2 * (-a + b0**2 + (up**2 * above) @ pool.T)
    ours = _step(cell, (y, a), x)
    np.testing.assert_allclose(ours[0], new_y, atol=1e-14)
    np.testing.assert_allclose(ours[1], new_a, atol=1e-14)


@pytest.mark.parametrize(("maker", "core"), [(lstm_cell, "LSTM"), (gru_cell, "GRU")])
def test_a_step_of_the_gated_networks_is_equinox(maker, core, key):
    cell = maker(M, H, key, dtype=jnp.float64)
    state, x = _state(cell, key), jax.random.normal(key, (B, M), jnp.float64)
    ours = _step(cell, state, x)
    given_ = state if core == "LSTM" else state[0]
    theirs = jax.vmap(cell.core)(x, given_)
    for mine, other in zip(ours, theirs if core == "LSTM" else (theirs,), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-14)


def test_steps_of_the_other_networks(key):
    x = jax.random.normal(key, (B, M), jnp.float64)
    leaky = leaky_cell(M, H, key, leak=0.3, dtype=jnp.float64)
    (h,) = _state(leaky, key)
    expected = 0.7 * h + 0.3 * np.tanh(h @ leaky.recurrent.T + x @ leaky.from_input.T + leaky.bias)
    np.testing.assert_allclose(_step(leaky, (h,), x)[0], expected, atol=1e-14)

    ssn = supralinear_cell(M, H, key, dtype=jnp.float64)
    (r,) = _state(ssn, key)
    total = r @ ssn.weights.T + x @ ssn.from_input.T + ssn.bias
    rate = ssn.gain * _relu(np.asarray(total)) ** ssn.power
    np.testing.assert_allclose(
        _step(ssn, (r,), x)[0], r + np.asarray(ssn.steps) * (rate - r), atol=1e-14
    )
    signs = np.sign(np.asarray(ssn.weights))
    assert (signs[:, : ssn.excitatory] == 1).all()
    assert (signs[:, ssn.excitatory :] == -1).all()

    oscillators = coupled_oscillator_cell(M, H, key, dtype=jnp.float64)
    y, z = _state(oscillators, key)
    force = np.tanh(
        np.concatenate([y, z], axis=1) @ oscillators.recurrent.T
        + x @ oscillators.from_input.T
        + oscillators.bias
    )
    new_z = z + 0.076 * (force - 0.4 * y - 8.0 * z)
    ours = _step(oscillators, (y, z), x)
    np.testing.assert_allclose(ours[1], new_z, atol=1e-14)
    np.testing.assert_allclose(ours[0], y + 0.076 * new_z, atol=1e-14)


@pytest.mark.parametrize("inputs", [1, 9])
def test_a_run_is_its_steps(inputs, key):
    """With and without products taken for all times at once."""
    cell = organics_cell(inputs, H, key, dtype=jnp.float64)
    x = jax.random.normal(key, (B, 4, inputs), jnp.float64)
    last, outputs = eqx.filter_jit(run_cell)(cell, x, every=True)
    state, seen = cell.begin((B,)), []
    for t in range(4):
        state = _step(cell, state, x[:, t])
        seen.append(state[0])
    for mine, theirs in zip(last, state, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-14)
    np.testing.assert_allclose(outputs, jnp.stack(seen), atol=1e-14)


def test_a_cell_is_a_map(key):
    cell = organics_cell(M, H, key, dtype=jnp.float64)
    state = tuple(part[0] for part in _state(cell, key))
    u = jnp.ones(M)
    ours = cell(jnp.zeros(()), join(state), u)
    theirs = _step(cell, tuple(s[None] for s in state), u[None])
    np.testing.assert_allclose(ours, join(theirs)[0], atol=1e-14)
    slope = eqx.filter_jit(jacobian)(cell, join(state), u)
    assert slope.shape == (4 * H, 4 * H)
    nudge = 1e-6 * jnp.eye(4 * H)[2]
    numeric = (cell(jnp.zeros(()), join(state) + nudge, u) - ours) / 1e-6
    np.testing.assert_allclose(slope[:, 2], numeric, atol=1e-6)


def test_training_numbers_are_float32_whatever_the_default(key):
    for maker in (organics_cell, lstm_cell, supralinear_cell):
        cell = maker(M, H, key)
        leaves = [leaf for leaf in jax.tree.leaves(cell) if eqx.is_inexact_array(leaf)]
        assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}
        last = _last(cell, jnp.zeros((B, 3, M), jnp.float32))
        assert last[0].dtype == jnp.float32


def test_what_is_not_trained_is_not_counted(key):
    cell = organics_cell(M, H, key, recurrence="identity", learn_steps=False)
    full = organics_cell(M, H, key)
    assert count_parameters(full) - count_parameters(cell) == H * H + 4 * H
    trained = eqx.filter(full, trainable(full))
    assert count_parameters(full) == sum(leaf.size for leaf in jax.tree.leaves(trained))
    gradient = jax.grad(lambda leaf: jnp.sum(leaf() ** 2))(Fixed(jnp.ones(2)))
    assert not jnp.any(gradient.value)


def test_gradients_stay_numbers_where_a_vanishes(key):
    """√⌊a⌋ has an infinite slope at 0, and the start may hold one."""
    cell = organics_cell(1, H, key, dtype=jnp.float64)
    cell = eqx.tree_at(lambda c: c.start.value, cell, cell.start.value.at[1, :2].set(0.0))
    x = jax.random.uniform(key, (B, 3, 1), jnp.float64)

    def loss(cell):
        return jnp.sum(run_cell(cell, x)[0][0] ** 2)

    gradient = eqx.filter_jit(eqx.filter_grad(loss))(cell)
    assert all(bool(jnp.all(jnp.isfinite(g))) for g in jax.tree.leaves(gradient))
    assert jax.grad(safe_sqrt)(0.0) == 0.0
    assert jax.grad(safe_sqrt)(-1.0) == 0.0
    assert jax.grad(safe_sqrt)(4.0) == 0.25


@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.1, 1.0, 10.0]))
def test_normalisation_stays_positive_wherever_training_goes(seed, scale):
    """0 < h_a ≤ 1 and a₀ > 0 give a_t > 0 for ever, and gains stay in (0, 1]."""
    cell = _CELL
    key = jax.random.key(seed)
    leaves, tree = jax.tree.flatten(cell)
    keys = jax.random.split(key, len(leaves))
    moved = [
        leaf + scale * jax.random.normal(k, leaf.shape, leaf.dtype)
        for leaf, k in zip(leaves, keys, strict=True)
    ]
    shifted = jax.tree.unflatten(tree, moved)
    shifted = eqx.tree_at(lambda c: c.start, shifted, cell.start)
    a, b0, b1, pool = _extremes(shifted, jax.random.normal(key, (B, 30, M), jnp.float64))
    assert a > 0 or math.isnan(a)
    assert 0 <= b0 <= 1 or math.isnan(b0)
    assert 0 <= b1 <= 1 or math.isnan(b1)
    assert pool >= 0


_CELL = organics_cell(M, H, jax.random.key(3), largest=(0.2, 1.0, 1.0), dtype=jnp.float64)


def _extremes(cell, x):
    y, a, b0, b1 = _last(cell, x)
    del y
    return float(a.min()), float(b0.min()), float(b1.max()), float(cell.pool().min())


_last = eqx.filter_jit(lambda cell, x: run_cell(cell, x)[0])


@pytest.mark.parametrize("kind", RECURRENCES)
def test_weights_by_construction(kind, key):
    weights = recurrent_weights(kind, 6, key, jnp.float64)
    noise = jax.random.normal(jax.random.fold_in(key, 1), (6, 6), jnp.float64)
    if kind != "identity":
        weights = eqx.tree_at(lambda w: w.raw, weights, weights.raw + 3.0 * noise)
    values = np.linalg.svd(np.asarray(weights()), compute_uv=False)
    if kind == "identity":
        np.testing.assert_array_equal(weights(), np.eye(6))
    elif kind == "bounded":
        assert values[0] == pytest.approx(1.0, abs=1e-12)
        small = eqx.tree_at(lambda w: w.raw, weights, 0.01 * noise)
        np.testing.assert_array_equal(small(), 0.01 * noise)
    elif kind == "unit":
        assert values[0] == pytest.approx(1.0, abs=1e-12)
    elif kind == "orthogonal":
        np.testing.assert_allclose(values, 1.0, atol=1e-12)
    elif kind == "perturbed":
        shifted = np.linalg.svd(np.asarray(weights()) - np.eye(6), compute_uv=False)
        assert shifted[0] == pytest.approx(1.0, abs=1e-12)
    else:
        np.testing.assert_array_equal(weights(), weights.raw)
    gradient = jax.grad(lambda w: jnp.sum(w() ** 2 * noise))(weights)
    assert all(bool(jnp.all(jnp.isfinite(g))) for g in jax.tree.leaves(gradient))


def test_pool_is_positive_and_cut():
    log = jnp.asarray([[-3.0, 2.0], [0.0, -1.0]])
    np.testing.assert_allclose(PositiveWeights(log, True)(), np.minimum(np.exp(log), 1.0))
    np.testing.assert_allclose(PositiveWeights(log)(), np.exp(log))
    slope = jax.grad(lambda p: jnp.sum(p()))(PositiveWeights(log, True)).log
    np.testing.assert_allclose(slope, np.where(log <= 0, np.exp(log), 0.0))


def test_wrong_calls(key):
    with pytest.raises(ArgumentError, match="variant 'none'"):
        organics_cell(1, 2, key, variant="none")
    with pytest.raises(ArgumentError, match="must lie in"):
        organics_cell(1, 2, key, largest=(0.1, 1.5, 0.1))
    with pytest.raises(ArgumentError, match="hidden=0"):
        organics_cell(1, 0, key)
    with pytest.raises(ArgumentError, match="recurrent weights"):
        recurrent_weights("unitary", 3, key)
    assert dataclasses.is_dataclass(VARIANTS["head"])
