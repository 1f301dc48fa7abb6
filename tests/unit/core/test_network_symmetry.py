"""Symmetry of networks: images are found whatever ties there are, and groups are counted right."""

import itertools
import math
import random
import time

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.core import ArgumentError, HiddenLayer, NetworkSymmetry


class Draws:
    """Random numbers without an array program for each shape."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def normal(self, size=1):
        return np.array([self._random.gauss() for _ in range(size)])

    def choice(self, values, size):
        return np.array(self._random.choices(values, k=size))

    def permutation(self, size):
        return np.array(self._random.sample(range(size), size))


def network(sizes, kind="odd", gauge=False):
    """Symmetry of a dense network, its parameters layer by layer: weights, then biases."""
    places, begin = [], 0
    for inputs, out in itertools.pairwise(sizes):
        weight = begin + np.arange(out * inputs).reshape(out, inputs)
        bias = begin + out * inputs + np.arange(out)
        places.append((weight, bias))
        begin += out * (inputs + 1)
    layers = tuple(
        HiddenLayer(np.concatenate([weight, bias[:, None]], axis=1), after.T, kind)
        for (weight, bias), (after, _) in itertools.pairwise(places)
    )
    last, bias = places[-1]
    shifts = (*(tuple(map(int, column)) for column in last.T), tuple(map(int, bias)))
    return NetworkSymmetry(layers, shifts if gauge else ()), begin


def image(symmetry, x, rng):
    """A random element of the group applied to `x`, written out parameter by parameter."""
    for layer in symmetry.layers:
        units = rng.permutation(layer.units)
        signs = np.ones(layer.units)
        if layer.kind == "odd":
            signs = rng.choice([-1.0, 1.0], layer.units)
        if layer.kind == "homogeneous":
            signs = np.exp(rng.normal(size=layer.units))
        y = x.copy()
        y[layer.incoming] = signs[:, None] * x[layer.incoming[units]]
        y[layer.outgoing] = x[layer.outgoing[units]] / signs[:, None]
        x = y
    for places in symmetry.gauge:
        x = x.copy()
        x[list(places)] += rng.normal()[0]
    return x


def group_of(symmetry):
    """All elements of a small group, as functions."""
    parts = []
    for layer in symmetry.layers:
        flips = [1.0, -1.0] if layer.kind == "odd" else [1.0]
        parts.append(
            list(
                itertools.product(
                    itertools.permutations(range(layer.units)),
                    itertools.product(flips, repeat=layer.units),
                )
            )
        )
    for chosen in itertools.product(*parts):

        def act(x, chosen=chosen):
            for layer, (units, signs) in zip(symmetry.layers, chosen, strict=True):
                y, sign = x.copy(), np.array(signs)[:, None]
                y[layer.incoming] = sign * x[layer.incoming[list(units)]]
                y[layer.outgoing] = sign * x[layer.outgoing[list(units)]]
                x = y
            return x

        yield act


@eqx.filter_jit
def compiled(symmetry, x):
    return symmetry.fingerprint(x)


def features(symmetry, x):
    return np.asarray(compiled(symmetry, jnp.asarray(x)))


SHAPES = [(3, 3, 4), (2, 3, 4, 3, 2)]


@pytest.mark.parametrize("kind", ["odd", "plain", "homogeneous"])
@pytest.mark.parametrize("sizes", SHAPES)
def test_an_image_is_the_same_point(sizes, kind):
    symmetry, dof = network(sizes, kind, gauge=kind == "homogeneous")
    rng = Draws(11)
    x = rng.normal(size=dof)
    y = image(symmetry, x, rng)
    assert np.linalg.norm(x - y) > 0.5
    found = symmetry.match(x, y, 1e-9)
    assert np.max(np.abs(found - x)) < 1e-11
    aligned, distance = symmetry.align(x, y)
    assert distance < 1e-8
    assert np.linalg.norm(aligned - x) == pytest.approx(distance, abs=1e-15)
    np.testing.assert_allclose(features(symmetry, x), features(symmetry, y), atol=1e-11)
    np.testing.assert_allclose(
        symmetry.match(x, y, 1e-9), symmetry.operation(x, y, 1e-9)(y), atol=1e-14
    )
    assert symmetry.order(x, 1e-3) == 1


@pytest.mark.parametrize("kind", ["odd", "plain", "homogeneous"])
def test_another_point_is_another_point(kind):
    symmetry, dof = network((2, 4, 3, 2), kind)
    rng = Draws(2)
    x = rng.normal(size=dof)
    y = image(symmetry, x, rng)
    y[3] += 0.01
    assert symmetry.match(x, y, 1e-3) is None
    assert symmetry.operation(x, y, 1e-3) is None
    assert symmetry.match(x, y, 0.1) is not None
    distance = symmetry.align(x, y)[1]
    assert 0 < distance < 0.1
    assert np.max(np.abs(features(symmetry, x) - features(symmetry, y))) > 1e-6


def test_an_operation_carries_points_and_directions():
    symmetry, dof = network((3, 4, 2))
    rng = Draws(3)
    x, v = rng.normal(size=dof), rng.normal(size=dof)
    y = image(symmetry, x, rng)
    operation = symmetry.operation(y, x, 1e-9)
    both = operation(np.stack([x, x + 1e-3 * v]))
    np.testing.assert_allclose(both[0], y, atol=1e-14)
    np.testing.assert_allclose(operation.directions(v), (both[1] - both[0]) / 1e-3, atol=1e-11)
    assert np.linalg.norm(operation.directions(v)) == pytest.approx(np.linalg.norm(v))


@given(
    seed=st.integers(0, 10**6),
    sizes=st.sampled_from([(2, 3, 3, 2), (1, 3, 4, 3, 1), (1, 5, 1), (2, 4, 4, 1)]),
    kind=st.sampled_from(["odd", "plain"]),
)
def test_images_are_found_however_many_units_are_tied(seed, sizes, kind):
    # Weights of -1, 0 and 1 only: many equal, opposite and zero units, and many near misses.
    symmetry, dof = network(sizes, kind)
    rng = Draws(seed)
    x = rng.choice([-1.0, 0.0, 1.0], dof)
    y = image(symmetry, x, rng)
    found = symmetry.match(x, y, 1e-9)
    assert found is not None
    np.testing.assert_allclose(found, x, atol=1e-12)
    assert symmetry.align(x, y)[1] < 1e-8


@given(
    seed=st.integers(0, 10**6),
    sizes=st.sampled_from([(1, 3, 1), (1, 2, 2, 1), (2, 2, 3, 1)]),
    kind=st.sampled_from(["odd", "plain"]),
)
def test_match_and_order_agree_with_the_whole_group(seed, sizes, kind):
    symmetry, dof = network(sizes, kind)
    rng = Draws(seed)
    x, other = (rng.choice([-1.0, 0.0, 0.0, 1.0], dof) for _ in range(2))
    images = np.array([act(x) for act in group_of(symmetry)])
    assert len(images) == round(math.exp(symmetry.log_group_order()))
    fixed = int(np.sum(np.all(images == x, axis=1)))
    assert symmetry.order(x, 1e-3) == fixed
    assert len(np.unique(images + 0.0, axis=0)) * fixed == len(images)
    same = bool(np.any(np.all(images == other, axis=1)))
    assert (symmetry.match(other, x, 1e-9) is not None) == same
    least = float(np.min(np.linalg.norm(images - other, axis=1)))
    found = symmetry.align(other, x)[1]
    assert found >= least - 1e-12
    if len(sizes) == 3:
        assert found == pytest.approx(least, abs=1e-9)


def test_zero_and_duplicate_units_of_a_deep_network():
    symmetry, dof = network((2, 4, 5, 2))
    x = Draws(5).normal(size=dof)
    first, second = symmetry.layers
    # Two units of the first layer switched off; in the second three that are equal or opposite.
    x[first.incoming[:2]] = x[first.outgoing[:2]] = 0.0
    for unit, sign in ((1, 1.0), (2, -1.0)):
        x[second.incoming[unit]] = sign * x[second.incoming[0]]
        x[second.outgoing[unit]] = sign * x[second.outgoing[0]]
    assert symmetry.order(x, 1e-3) == (4 * 2) * 6
    everything_off = np.zeros(dof)
    assert symmetry.order(everything_off, 1e-3) == (2**4 * 24) * (2**5 * 120)
    assert math.exp(symmetry.log_group_order()) == pytest.approx(2**9 * 24 * 120)


def test_scalings_are_zero_modes_and_are_removed():
    symmetry, dof = network((2, 3, 3, 2), "homogeneous", gauge=True)
    rng = Draws(6)
    x = rng.normal(size=dof)
    modes = np.asarray(symmetry.zero_modes(jnp.asarray(x)))
    assert symmetry.expected_zero_modes(x) == 4 + 3 + 3
    np.testing.assert_allclose(modes @ modes.T, np.eye(10), atol=1e-12)
    block = symmetry.zero_modes(jnp.asarray(np.stack([x, 2 * x], axis=1)))
    np.testing.assert_allclose(block[..., 0], modes, atol=1e-12)
    # They span what images by small scalings move.
    for layer in symmetry.layers:
        moved = np.zeros(dof)
        moved[layer.incoming[1]] = x[layer.incoming[1]]
        moved[layer.outgoing[1]] -= x[layer.outgoing[1]]
        np.testing.assert_allclose(modes.T @ (modes @ moved), moved, atol=1e-12)
    flat = symmetry.canonical(x)
    for layer in symmetry.layers:
        into, out = (
            np.linalg.norm(flat[places], axis=1) for places in (layer.incoming, layer.outgoing)
        )
        np.testing.assert_allclose(into, out, rtol=1e-10)
    np.testing.assert_allclose(symmetry.canonical(image(symmetry, x, rng)).sum(), flat.sum())
    # A unit with no weights at all has nothing to scale.
    x[symmetry.layers[0].incoming[0]] = x[symmetry.layers[0].outgoing[0]] = 0.0
    assert symmetry.expected_zero_modes(x) == 9


@pytest.mark.parametrize("kind", ["odd", "plain"])
def test_wide_and_deep_networks_are_matched_within_a_second(kind):
    symmetry, dof = network((64, 256, 256, 10), kind)
    rng = Draws(7)
    x = rng.normal(size=dof)
    y = image(symmetry, x, rng)
    began = time.process_time()
    assert symmetry.align(x, y)[1] < 1e-8
    assert time.process_time() - began < 2.0  # 0.4 s on one core; the machine may be busy
    assert symmetry.match(x, rng.normal(size=dof), 1e-3) is None


def test_layers_are_constants_of_compiled_programs():
    left, right = (network((2, 3, 2))[0] for _ in range(2))
    assert left == right
    assert hash(left.layers) == hash(right.layers)
    assert left.layers != network((2, 3, 2), "plain")[0].layers
    assert repr(left) != repr(network((3, 3, 2))[0])
    traces = []

    @eqx.filter_jit
    def counted(symmetry, x):
        traces.append(1)
        return symmetry.fingerprint(x)

    x = jnp.arange(17.0)
    np.testing.assert_allclose(counted(left, x), counted(right, x), rtol=1e-12)
    assert len(traces) == 1


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(ArgumentError, match="3 units by its incoming parameters and 2"):
        HiddenLayer(np.zeros((3, 2), int), np.zeros((2, 2), int))
