"""Groups of signed permutations: every image is found again, nothing else is, orders are right."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.core import ArgumentError, SignedPermutation, SignedPermutationSymmetry

of = SignedPermutation.of
TURN = 2.0 * math.pi
RING = [of([1, 2, 3, 4, 5, 0]), of([5, 4, 3, 2, 1, 0])]
FLIP = of(range(6), -1)
EXCHANGE = [of([2, 3, 0, 1, 4, 5]), of([0, 1, 4, 5, 2, 3])]
WAVES = [of([0, 3, 4, 1, 2]), of(range(5), [1, -1, -1, 1, 1], [0, 0, math.pi, 0, 0])]
HALF_TURNS = of(range(5), 1, [0, 0, math.pi, 0, math.pi])
PHASES = (math.inf, math.inf, TURN, math.inf, TURN)

SYMMETRIES = {
    "trivial": (SignedPermutationSymmetry(6), 1),
    "field": (SignedPermutationSymmetry(6, [*RING, FLIP]), 24),
    "spins": (SignedPermutationSymmetry(6, [*RING, FLIP], period=TURN, uniform=True), 24),
    "mean": (SignedPermutationSymmetry(6, RING, uniform=True), 12),
    "blocks": (SignedPermutationSymmetry(6, EXCHANGE), 6),
    "waves": (SignedPermutationSymmetry(5, [*WAVES, HALF_TURNS], period=PHASES), 16),
    "sphere": (SignedPermutationSymmetry(6, [FLIP], radius=2.0), 2),
}
each = pytest.mark.parametrize("name", SYMMETRIES)
seeds = st.integers(0, 2**31 - 1)
fingerprints = {name: jax.jit(symmetry.fingerprint) for name, (symmetry, _) in SYMMETRIES.items()}


def random_point(symmetry, seed):
    return np.array(2.0 * jax.random.normal(jax.random.key(seed), (symmetry.dof,)))


def random_image(symmetry, x, seed):
    """A product of generators, then the continuous directions and whole turns."""
    keys = jax.random.split(jax.random.key(seed), 4)
    for choice in np.array(jax.random.randint(keys[0], (12,), 0, 100)):
        if symmetry.generators:
            g = symmetry.generators[choice % len(symmetry.generators)]
            x = np.array(g.signs) * x[list(g.labels)] + np.array(g.shifts)
    if symmetry.uniform:
        x = x + 5.0 * float(jax.random.normal(keys[1]))
    if symmetry.period is not None:
        edge = np.array(symmetry.period)
        turns = np.array(jax.random.randint(keys[2], x.shape, -2, 3))
        x = x + np.where(np.isfinite(edge), turns * np.where(np.isfinite(edge), edge, 0.0), 0.0)
    if symmetry.radius is not None:
        x = x * float(jax.random.uniform(keys[3], minval=0.3, maxval=3.0))
    return x


@each
def test_the_group_is_closed(name):
    symmetry, order = SYMMETRIES[name]
    assert math.exp(symmetry.log_group_order()) == pytest.approx(order)


@each
@given(seed=seeds, other=seeds)
def test_images_are_found_again(name, seed, other):
    symmetry, _ = SYMMETRIES[name]
    x = random_point(symmetry, seed)
    y = random_image(symmetry, x, other)
    place = symmetry.canonical(x) if symmetry.radius else x
    image = symmetry.match(x, y, 1e-9)
    assert image is not None
    np.testing.assert_allclose(image, place, atol=1e-9)
    np.testing.assert_allclose(
        fingerprints[name](jnp.asarray(x)),
        fingerprints[name](jnp.asarray(y)),
        atol=1e-9,
        err_msg="fingerprint",
    )
    closest, distance = symmetry.align(x, y)
    assert distance < 1e-8
    np.testing.assert_allclose(closest, place, atol=1e-8)
    assert symmetry.order(x, 1e-6) == 1
    operation = symmetry.operation(x, y, 1e-9)
    start = symmetry.canonical(y) if symmetry.radius else y
    np.testing.assert_allclose(operation(start), place, atol=1e-8)


@each
@given(seed=seeds)
def test_other_points_are_not(name, seed):
    symmetry, _ = SYMMETRIES[name]
    x, y = random_point(symmetry, seed), random_point(symmetry, seed + 1)
    assert symmetry.match(x, y, 1e-3) is None
    assert symmetry.operation(x, y, 1e-3) is None
    difference = np.abs(
        np.array(fingerprints[name](jnp.asarray(x))) - np.array(fingerprints[name](jnp.asarray(y)))
    )
    assert np.max(difference) > 1e-5
    image, distance = symmetry.align(x, y)
    assert symmetry.match(image, y, 1e-9) is not None
    place = symmetry.canonical(x) if symmetry.radius else x
    assert distance == pytest.approx(float(np.linalg.norm(image - place)))
    back = symmetry.align(y, x)[1]
    slack = 1.3 if symmetry.uniform and symmetry.period is not None else 1.0
    assert back <= slack * distance + 1e-9


def test_stabilisers():
    field, _ = SYMMETRIES["field"]
    assert field.order(np.zeros(6), 1e-6) == 24
    assert field.order(np.ones(6), 1e-6) == 12
    assert field.order(np.array([1.0, -1, 1, -1, 1, -1]), 1e-6) == 12
    assert field.order(np.array([1.0, 0, 0, 0, 0, 0]), 1e-6) == 2
    spins, _ = SYMMETRIES["spins"]
    assert spins.order(np.full(6, 0.7), 1e-6) == 24
    twisted = TURN / 6 * np.arange(6)  # translations are rotations of it; a mirror reverses it
    assert spins.order(twisted, 1e-6) == 12
    waves, _ = SYMMETRIES["waves"]
    assert waves.order(np.array([0.1, 2.0, 0.3, 2.0, 0.3]), 1e-6) == 2


def test_zero_modes_are_orthonormal():
    for symmetry, _ in SYMMETRIES.values():
        x = random_point(symmetry, 3)
        modes = np.array(symmetry.zero_modes(jnp.asarray(x)))
        assert len(modes) == symmetry.expected_zero_modes(x)
        np.testing.assert_allclose(modes @ modes.T, np.eye(len(modes)), atol=1e-12)


@pytest.mark.parametrize(
    ("generators", "options", "message"),
    [
        ([of([0, 0, 1])], {}, "no signed permutation"),
        ([of([0, 1, 2], 2)], {}, "no signed permutation"),
        ([of([0, 1, 2], 1, 0.5)], {}, "has no period"),
        ([of([1, 0, 2])], {"period": (1.0, 2.0, 2.0)}, "of period"),
        ([], {"period": 0.0}, "must be positive"),
        ([], {"radius": -1.0}, "must be positive"),
        ([], {"period": (1.0, 2.0, 2.0), "uniform": True}, "one period"),
        ([], {"period": 1.0, "radius": 1.0}, "neither a period"),
    ],
)
def test_what_is_no_group_is_refused(generators, options, message):
    with pytest.raises(ArgumentError, match=message):
        SignedPermutationSymmetry(3, generators, **options)


def test_a_group_too_large_is_refused():
    exchange = [of([1, 0, *range(2, 12)]), of([*range(1, 12), 0])]  # all 12! permutations
    with pytest.raises(ArgumentError, match="more than 100,000"):
        SignedPermutationSymmetry(12, exchange)
