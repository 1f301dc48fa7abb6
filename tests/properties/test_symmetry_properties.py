"""Any group element, applied to any configuration, is found again and changes no invariant."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.core import ClusterSymmetry, NoSymmetry, PeriodicSymmetry, SphereSymmetry

SPECIES = (0, 0, 0, 0, 1, 1, 2)
SYMMETRIES = {
    "alike": ClusterSymmetry((0,) * 7),
    "species": ClusterSymmetry(SPECIES),
    "chiral": ClusterSymmetry(SPECIES, inversion=False),
    "labelled": ClusterSymmetry(tuple(range(7))),
    "plane": ClusterSymmetry(SPECIES, dim=2),
    "trap": ClusterSymmetry(SPECIES, translation=False),
    "field": ClusterSymmetry(SPECIES, rotation=False),
    "box": PeriodicSymmetry(SPECIES, (2.0, 3.0, 2.5)),
    "cube": PeriodicSymmetry((0,) * 7, (2.0, 2.0, 2.0), cube=True),
    "square": PeriodicSymmetry(SPECIES, (2.0, 2.0), cube=True),
    "sphere": SphereSymmetry(SPECIES, radius=1.5),
    "circle": SphereSymmetry(SPECIES, dim=2),
    "none": NoSymmetry(),
}
seeds = st.integers(0, 2**31 - 1)
each = pytest.mark.parametrize("name", SYMMETRIES)
fingerprints = {name: jax.jit(symmetry.fingerprint) for name, symmetry in SYMMETRIES.items()}


def dimension(symmetry):
    return len(symmetry.box) if isinstance(symmetry, PeriodicSymmetry) else symmetry.dim


def random_point(symmetry, seed):
    dim = 3 if isinstance(symmetry, NoSymmetry) else dimension(symmetry)
    return np.array(jax.random.normal(jax.random.key(seed), (7 * dim,)))


def random_image(symmetry, x, seed):
    """A random element of the group, applied to `x`."""
    if isinstance(symmetry, NoSymmetry):
        return x
    dim = dimension(symmetry)
    keys = jax.random.split(jax.random.key(seed), 5)
    r = x.reshape(-1, dim)
    labels = np.arange(7)
    for kind in set(symmetry.species):
        members = np.flatnonzero(np.array(symmetry.species) == kind)
        labels[members] = np.array(jax.random.permutation(keys[0], members))
    r = r[labels]
    operation = random_operation(symmetry, dim, keys[1])
    shift = np.array(jax.random.normal(keys[2], (dim,)))
    if isinstance(symmetry, SphereSymmetry):
        return (np.array(jax.random.uniform(keys[3], (7, 1), minval=0.5)) * r @ operation.T).ravel()
    if isinstance(symmetry, ClusterSymmetry) and not symmetry.translation:
        shift = np.zeros(dim)
    r = r @ operation.T + shift
    if isinstance(symmetry, PeriodicSymmetry):
        r = r + np.array(jax.random.randint(keys[4], r.shape, -2, 3)) * np.array(symmetry.box)
    return r.ravel()


def random_operation(symmetry, dim, key):
    improper = np.diag([1.0] * (dim - 1) + [-1.0]) if dim == 2 else -np.eye(3)
    sign_key, key = jax.random.split(key)
    flip = symmetry.inversion and bool(jax.random.bernoulli(sign_key))
    if isinstance(symmetry, PeriodicSymmetry):
        improper = -np.eye(dim)
        if symmetry.cube:
            axes = np.array(jax.random.permutation(key, dim))
            signs = np.array(jax.random.rademacher(key, (dim,)), float)
            return np.eye(dim)[axes] * signs[:, None]
        return improper if flip else np.eye(dim)
    if isinstance(symmetry, ClusterSymmetry) and not symmetry.rotation:
        return improper if flip else np.eye(dim)
    q = np.linalg.qr(np.array(jax.random.normal(key, (dim, dim))))[0]
    q[:, 0] *= np.linalg.det(q)
    return q @ improper if flip else q


@each
@given(seed=seeds, element=seeds)
def test_images_are_found_again(name, seed, element):
    symmetry = SYMMETRIES[name]
    x = random_point(symmetry, seed)
    y = random_image(symmetry, x, element)
    image = symmetry.match(x, y, 1e-7)
    assert image is not None
    target = symmetry.canonical(x) if isinstance(symmetry, SphereSymmetry) else x
    np.testing.assert_allclose(image, target, atol=1e-7)
    assert symmetry.align(x, y)[1] < 1e-6


@each
@given(seed=seeds, element=seeds)
def test_invariants_do_not_change(name, seed, element):
    symmetry = SYMMETRIES[name]
    x = random_point(symmetry, seed)
    y = random_image(symmetry, x, element)
    before = np.asarray(fingerprints[name](jnp.asarray(x)))
    after = np.asarray(fingerprints[name](jnp.asarray(y)))
    np.testing.assert_allclose(before, after, rtol=1e-9, atol=1e-9)
    assert symmetry.order(x, 1e-6) == symmetry.order(y, 1e-6)
    assert symmetry.expected_zero_modes(x) == symmetry.expected_zero_modes(y)


@each
@given(seed=seeds, other=seeds)
def test_different_structures_do_not_match(name, seed, other):
    symmetry = SYMMETRIES[name]
    if seed == other:
        return
    x, y = random_point(symmetry, seed), random_point(symmetry, other)
    assert symmetry.match(x, y, 1e-3) is None
    image, distance = symmetry.align(x, y)
    assert distance > 1e-3
    reachable = symmetry.match(image, y, 1e-6)
    assert reachable is not None


@each
@given(seed=seeds)
def test_zero_modes_are_orthonormal_and_counted(name, seed):
    symmetry = SYMMETRIES[name]
    x = random_point(symmetry, seed)
    modes = np.asarray(symmetry.zero_modes(jnp.asarray(x)))
    present = modes[np.any(modes != 0, axis=1)]
    np.testing.assert_allclose(present @ present.T, np.eye(len(present)), atol=1e-9)
    assert len(present) == symmetry.expected_zero_modes(x)


@pytest.mark.parametrize("name", ["alike", "species", "trap", "cube", "sphere"])
@given(seed=seeds, element=seeds)
def test_symmetric_structures_are_found_again(name, seed, element):
    """Many operations fit, planes and lines included: one must be found, the order kept."""
    symmetry = SYMMETRIES[name]
    shapes = [
        np.array([*itertools.product((-0.4, 0.4), repeat=3)])[:7],
        np.array([(0.3 * k, 0.2 * k, 0.5 - 0.1 * k) for k in range(-3, 4)]),
        np.array([(np.cos(k), np.sin(k), 0.0) for k in 2 * np.pi * np.arange(7) / 7]),
    ]
    x = shapes[seed % 3].ravel()
    if name == "sphere" and seed % 3 == 1:
        x = shapes[2].ravel()
    y = random_image(symmetry, x, element)
    assert symmetry.match(x, y, 1e-6) is not None
    assert symmetry.order(x, 1e-6) == symmetry.order(y, 1e-6) >= 1
