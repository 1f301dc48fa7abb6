"""Operations: what `match` does to one point, done to a whole path."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import (
    AbstractSymmetry,
    ArgumentError,
    ClusterSymmetry,
    NoSymmetry,
    PeriodicSymmetry,
    SphereSymmetry,
)

SPECIES = (0, 0, 1, 0, 1, 2)


def draw(key, *shape):
    return np.asarray(jax.random.normal(key, shape))


def rotation(key, dim, *, improper=False):
    matrix = np.linalg.qr(draw(key, dim, dim))[0]
    flip = np.diag([1.0] * (dim - 1) + [-1.0])
    return matrix if (np.linalg.det(matrix) < 0) == improper else matrix @ flip


def relabelled(key, species):
    """A permutation within species."""
    labels = np.arange(len(species))
    for kind in set(species):
        members = np.flatnonzero(np.array(species) == kind)
        labels[members] = members[np.asarray(jax.random.permutation(key, len(members)))]
    return labels


def image(x, labels, matrix, shift):
    return (x.reshape(len(labels), -1)[labels] @ matrix.T + shift).ravel()


def check(symmetry, x, y, *, tol=1e-8):
    """The operation reproduces the match, and keeps all distances of a point nearby."""
    operation = symmetry.operation(x, y, tol)
    assert operation is not None
    np.testing.assert_allclose(operation(y), symmetry.match(x, y, tol), atol=1e-9)
    near = y + 0.1 * np.sin(np.arange(len(y)))
    pair = operation(np.stack([y, near]))
    np.testing.assert_allclose(pair[0], operation(y), atol=1e-12)
    np.testing.assert_allclose(pair[1] - pair[0], operation.directions(near - y), atol=1e-12)
    assert np.linalg.norm(pair[1] - pair[0]) == pytest.approx(np.linalg.norm(near - y))
    species = np.array(getattr(symmetry, "species", np.zeros(len(operation.labels))))
    np.testing.assert_array_equal(species[operation.labels], species)
    np.testing.assert_allclose(operation.matrix @ operation.matrix.T, np.eye(len(operation.matrix)))
    return operation


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("improper", [False, True])
def test_cluster(key, dim, improper):
    a, b, c, d = jax.random.split(key, 4)
    x = draw(a, len(SPECIES) * dim)
    y = image(x, relabelled(b, SPECIES), rotation(c, dim, improper=improper), draw(d, dim))
    found = check(ClusterSymmetry(SPECIES, dim), x, y)
    assert np.linalg.det(found.matrix) == pytest.approx(-1.0 if improper else 1.0)
    rigid = ClusterSymmetry(SPECIES, dim, inversion=False)
    assert (rigid.operation(x, y, 1e-8) is None) == improper


def test_cluster_that_may_not_turn(key):
    x = draw(key, 18)
    symmetry = ClusterSymmetry(SPECIES, rotation=False)
    y = image(x, relabelled(key, SPECIES), -np.eye(3), np.ones(3))
    np.testing.assert_array_equal(check(symmetry, x, y).matrix, -np.eye(3))
    turned = image(x, np.arange(6), rotation(key, 3), np.zeros(3))
    assert symmetry.operation(x, turned, 1e-8) is None


def test_a_plane_in_space_is_turned_not_mirrored(key):
    x = draw(key, 6, 3) * np.array([1.0, 1.0, 0.0])
    y = image(x.ravel(), relabelled(key, SPECIES), rotation(key, 3), np.ones(3))
    found = check(ClusterSymmetry(SPECIES), x.ravel(), y)
    assert np.linalg.det(found.matrix) == pytest.approx(1.0)


def test_a_single_place(key):
    x = np.zeros(3)
    check(ClusterSymmetry((0,)), x, x + 2.0)


def test_periodic_box(key):
    box = (4.0, 4.0, 5.0)
    a, b, c = jax.random.split(key, 3)
    x = np.asarray(jax.random.uniform(a, (6, 3))) * np.array(box)
    swap = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    copies = np.round(3.0 * draw(b, 6, 3)) * np.array(box)
    y = image(x.ravel(), relabelled(c, SPECIES), swap, np.array([0.3, 0.1, 0.2]) + copies)
    found = check(PeriodicSymmetry(SPECIES, box, cube=True), x.ravel(), y)
    np.testing.assert_allclose(found(y), x.ravel(), atol=1e-9)


def test_sphere(key):
    symmetry = SphereSymmetry(SPECIES, radius=2.0)
    x = symmetry.canonical(draw(key, 18))
    y = image(x, relabelled(key, SPECIES), rotation(key, 3, improper=True), np.zeros(3))
    np.testing.assert_allclose(check(symmetry, x, y)(y), x, atol=1e-9)


def test_no_symmetry():
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(check(NoSymmetry(), x, x + 1e-9)(x), x)
    assert NoSymmetry().operation(x, x + 1.0, 1e-3) is None


def test_another_point_has_no_operation(key):
    x = draw(key, 18)
    assert ClusterSymmetry(SPECIES).operation(x, 1.01 * x, 1e-6) is None


def test_a_group_that_cannot_tell_says_so():
    class Mirror(AbstractSymmetry):
        def zero_modes(self, x):
            return jnp.zeros((0, *x.shape))

        def expected_zero_modes(self, x):
            return 0

        def fingerprint(self, x):
            return jnp.abs(x)

        def canonical(self, x):
            return x

        def match(self, x, y, tol):
            return y

        def align(self, x, y):
            return y, 0.0

        def order(self, x, tol):
            return 1

        def log_group_order(self):
            return 0.0

    with pytest.raises(ArgumentError, match="Mirror does not say"):
        Mirror().operation(np.ones(1), np.ones(1), 1e-3)
