"""Charges on spheres in four dimensions and more: optimal codes, and their exact point groups.

Source: energies and inner products of the configurations that minimise every such energy, Cohn &
Kumar, J. Amer. Math. Soc. 20, 99 (2007), table 1; orders of the Weyl groups A4, B4, D5 and E6.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import HypersphereSymmetry, start_points
from thalweg.energies import system as catalogue
from thalweg.search import certify_many, quench_many

CODES = {  # inner products and how many neighbours have them; order of the group
    "thomson5-d4": ({-0.25: 4}, 120),
    "thomson8-d4": ({0.0: 6, -1.0: 1}, 384),
    "thomson16-d5": ({0.2: 10, -0.6: 5}, 1920),
    "thomson27-d6": ({0.25: 16, -0.5: 10}, 51840),
    "thomson27-d6-s4": ({0.25: 16, -0.5: 10}, 51840),
}


@pytest.mark.parametrize(
    "name",
    ["thomson5-d4", "thomson27-d6"]
    + [
        pytest.param(n, marks=pytest.mark.slow)
        for n in ("thomson8-d4", "thomson16-d5", "thomson27-d6-s4")
    ],
)
def test_optimal_codes(name):
    built = catalogue(name)
    products, order = CODES[name]
    count, dim, power = built.space.count, built.space.dim, built.energy.energy.power
    exact = count / 2 * sum(n * (2 - 2 * g) ** (-power / 2) for g, n in products.items())
    starts = np.asarray(start_points(built, jax.random.key(0), 0, 12))
    done = quench_many(built, starts)
    best = np.argsort(np.where(done.outcome == 0, done.value, np.inf))[:2]
    points = certify_many(built, done.x[best], index=0)
    assert points[0].value == pytest.approx(exact, rel=1e-10)
    assert points[0].certificate.ok
    assert points[0].certificate.zero_modes == count + dim * (dim - 1) // 2
    assert built.symmetry.order(points[0].x, 1e-5) == order
    image = built.symmetry.match(points[0].x, points[1].x, 1e-5)
    assert image is not None
    np.testing.assert_allclose(image, built.symmetry.canonical(points[0].x), atol=1e-5)


def test_mirror_images_relabelled_are_found_and_others_are_not():
    """Thirty points at random, and the same after a turn, a mirror and a relabelling."""
    group = HypersphereSymmetry((0,) * 20 + (1,) * 10, 5)
    keys = jax.random.split(jax.random.key(1), 3)
    x = np.array(jax.random.normal(keys[0], (30, 5)))
    turn = np.array(jax.random.orthogonal(keys[1], 5))
    labels = np.array(jax.random.permutation(keys[2], 20))
    y = np.concatenate([x[labels], x[20:][::-1]]) @ turn.T
    flat = x.reshape(-1)
    image = group.match(flat, y.reshape(-1), 1e-9)
    np.testing.assert_allclose(image, group.canonical(flat), atol=1e-9)
    found = group.operation(flat, y.reshape(-1), 1e-9)
    np.testing.assert_allclose(found(group.canonical(y.reshape(-1))), image, atol=1e-9)
    assert group.align(flat, y.reshape(-1))[1] < 1e-9
    kept, again = (group.fingerprint(jnp.asarray(p.reshape(-1))) for p in (x, y))
    np.testing.assert_allclose(kept, again, rtol=1e-9)
    exchanged = y.copy()
    exchanged[[0, 25]] = exchanged[[25, 0]]  # two points of different species
    assert group.match(flat, exchanged.reshape(-1), 1e-6) is None
    moved = y.copy()
    moved[0] += 0.05
    assert group.match(flat, moved.reshape(-1), 1e-3) is None
    assert 0.0 < group.align(flat, moved.reshape(-1))[1] < 0.2
    assert group.order(flat, 1e-6) == 1
    assert group.log_group_order() == pytest.approx(math.lgamma(21) + math.lgamma(11) + math.log(2))


def test_points_in_a_plane_leave_turns_of_the_rest():
    """A square in four dimensions: the turn of the other two axes moves nothing."""
    group = HypersphereSymmetry((0,) * 4, 4)
    x = np.zeros((4, 4))
    x[[0, 1], 0] = 1.0, -1.0
    x[[2, 3], 1] = 1.0, -1.0
    flat = x.reshape(-1)
    assert group.order(flat, 1e-9) == 8
    assert group.expected_zero_modes(flat) == 4 + 5
    modes = np.asarray(group.zero_modes(jnp.asarray(flat)))
    sizes = np.linalg.norm(modes, axis=1)
    assert np.sum(sizes > 0.5) == 9
    kept = modes[sizes > 0.5]
    np.testing.assert_allclose(kept @ kept.T, np.eye(9), atol=1e-12)
