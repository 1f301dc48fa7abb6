"""Symmetry: zero modes against Hessians, point-group orders of known shapes, identity, distance."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from thalweg.core import ArgumentError, ClusterSymmetry, NoSymmetry, PeriodicSymmetry
from thalweg.core import SphereSymmetry as Sphere

GOLDEN = (1 + math.sqrt(5)) / 2
BOND = 2 ** (1 / 6)


def lennard_jones(x, dim=3):
    r = x.reshape(-1, dim)
    i, j = np.triu_indices(len(r), 1)
    inverse = jnp.sum((r[i] - r[j]) ** 2, axis=1) ** -3
    return 4 * jnp.sum(inverse**2 - inverse)


@functools.cache
def compiled(energy):
    return tuple(jax.jit(of(energy)) for of in (jax.value_and_grad, jax.grad, jax.hessian))


def quench(energy, start):
    """The stationary point next to `start`: L-BFGS, then Newton with the null space left out."""
    value_and_grad, gradient, hessian = compiled(energy)
    solution = scipy.optimize.minimize(
        lambda x: tuple(np.asarray(part, np.float64) for part in value_and_grad(x)),
        np.ravel(start),
        jac=True,
        method="L-BFGS-B",
        options={"gtol": 1e-8, "ftol": 1e-15},
    )
    x = solution.x
    for _ in range(3):
        x = x - np.linalg.pinv(np.asarray(hessian(x)), rcond=1e-7) @ np.asarray(gradient(x))
    return x


def polygon(count, radius=1.0):
    angle = 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)


def icosahedron():
    corners = []
    for a, b in itertools.product((1, -1), (GOLDEN, -GOLDEN)):
        corners += [(0, a, b), (a, b, 0), (b, 0, a)]
    return np.array(corners) / math.sqrt(1 + GOLDEN**2)


def tetrahedron():
    return np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]) / math.sqrt(3)


def octahedron():
    return np.concatenate([np.eye(3), -np.eye(3)])


def truncated_octahedron():
    sites = [site for site in itertools.product(range(-4, 5), repeat=3) if sum(site) % 2]
    sites = sorted(sites, key=lambda site: sum(k * k for k in site))
    return np.array(sites[:38], float) / math.sqrt(2)


AXIS = np.array([(0, 0, 0.8), (0, 0, -0.8)])
CLUSTERS = {  # name: start, energy (Wales & Doye 1997 and LJ7/LJ8 surveys), point-group order
    "lj2 D∞h": (polygon(2, 0.6), -1.0, 4),
    "lj3 D3h": (polygon(3, 0.6), -3.0, 12),
    "lj4 Td": (0.7 * tetrahedron(), -6.0, 24),
    "lj5 D3h": (np.concatenate([polygon(3, 0.65), 1.1 * AXIS]), -9.103852, 12),
    "lj6 Oh": (0.8 * octahedron(), -12.712062, 48),
    "lj7 D5h": (np.concatenate([polygon(5, 0.95), 0.7 * AXIS]), -16.505384, 20),
    "lj8 Td": (np.concatenate([0.7 * tetrahedron(), -1.1 * tetrahedron()]), -18.976056, 24),
    "lj13 Ih": (np.concatenate([np.zeros((1, 3)), 1.1 * icosahedron()]), -44.326801, 120),
    "lj38 Oh": (BOND * truncated_octahedron(), -173.928427, 48),
}


def alike(count, **fields):
    return ClusterSymmetry(species=(0,) * count, **fields)


def random_points(seed, shape):
    return np.array(jax.random.normal(jax.random.key(seed), shape))


def turned(r, seed):
    q = np.linalg.qr(random_points(seed, (3, 3)))[0]
    return r @ q.T


@pytest.mark.parametrize("name", CLUSTERS)
def test_point_groups_of_lennard_jones_clusters(name):
    start, energy, order = CLUSTERS[name]
    x = quench(lennard_jones, start)
    symmetry = alike(len(start))
    assert float(lennard_jones(x)) == pytest.approx(energy, abs=1e-6)
    assert symmetry.order(x, 1e-5) == order
    assert symmetry.order(turned(x.reshape(-1, 3), 3).ravel() + 0.3, 1e-5) == order


@pytest.mark.parametrize(
    ("species", "shape", "order", "proper"),
    [
        ((0,), np.zeros((1, 3)), 2, 1),
        ((0, 1), AXIS, 2, 1),
        ((1, 0, 1), np.array([AXIS[0], (0, 0, 0), AXIS[1]]), 4, 2),
        ((2, 0, 1), np.array([AXIS[0], (0, 0, 0), 1.1 * AXIS[1]]), 2, 1),
        ((1, 0, 1), np.array([(1, 0.3, 0), (0, 0, 0), (-1, 0.3, 0)]), 4, 2),
        ((0, 1, 2), np.array([(1, 0.3, 0), (0, 0, 0), (-1, 0.4, 0)]), 2, 1),
        ((0,) * 6, polygon(6), 24, 12),
        ((0, 1) * 3, polygon(6), 12, 6),
        ((1, 0, 0, 0, 0), np.concatenate([np.zeros((1, 3)), tetrahedron()]), 24, 12),
        ((1, 2, 0, 0, 0), np.concatenate([np.zeros((1, 3)), tetrahedron()]), 6, 3),
        ((0, 1, 2, 3, 4), np.concatenate([np.zeros((1, 3)), tetrahedron()]), 1, 1),
        ((0,) * 12, icosahedron(), 120, 60),
    ],
)
def test_point_groups_of_molecules(species, shape, order, proper):
    x = turned(shape, 5).ravel()
    assert ClusterSymmetry(species).order(x, 1e-6) == order
    assert ClusterSymmetry(species, inversion=False).order(x, 1e-6) == proper


def test_point_groups_in_the_plane():
    ring = polygon(6)[:, :2]
    assert alike(6, dim=2).order(ring.ravel(), 1e-6) == 12
    assert alike(6, dim=2, inversion=False).order(ring.ravel(), 1e-6) == 6
    hexagon = quench(lambda x: lennard_jones(x, 2), 1.1 * np.concatenate([[[0, 0]], ring]))
    assert alike(7, dim=2).order(hexagon, 1e-6) == 12


def test_order_of_a_trapped_or_fixed_frame():
    x = octahedron()
    assert alike(6, translation=False).order(x.ravel(), 1e-6) == 48
    assert alike(6, translation=False).order((x + 0.1 * np.eye(3)[2]).ravel(), 1e-6) == 8
    assert alike(6, rotation=False).order(x.ravel(), 1e-6) == 2
    assert alike(6, rotation=False, inversion=False).order(x.ravel(), 1e-6) == 1


@pytest.mark.parametrize(
    ("cell", "edge", "plain", "inverted", "cube"),
    [
        (list(itertools.product((0, 1), repeat=3)), 2.0, 8, 16, 384),
        ([(0, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1)], 2.0, 4, 8, 192),
        ([(0, 0, 0), (0.3, 0.1, 0.2), (0.7, 0.45, 0.1)], 1.0, 1, 1, 1),
    ],
)
def test_order_of_crystals(cell, edge, plain, inverted, cube):
    x = (np.array(cell, float) + 0.37).ravel()
    species, box = (0,) * len(cell), (edge,) * 3
    assert PeriodicSymmetry(species, box, inversion=False).order(x, 1e-6) == plain
    assert PeriodicSymmetry(species, box).order(x, 1e-6) == inverted
    assert PeriodicSymmetry(species, box, cube=True).order(x, 1e-6) == cube


def test_box_operations_follow_the_edges():
    counts = [
        round(math.exp(PeriodicSymmetry((0,), box, cube=True).log_group_order()))
        for box in [(1.0, 1.0, 1.0), (1.0, 1.0, 2.0), (1.0, 2.0, 3.0), (1.0, 1.0), (1.0, 2.0)]
    ]
    assert counts == [48, 16, 8, 8, 4]


@pytest.mark.parametrize(
    ("points", "order"),
    [(AXIS, 4), (polygon(3), 12), (tetrahedron(), 24), (octahedron(), 48), (icosahedron(), 120)],
)
def test_point_groups_on_a_sphere(points, order):
    radii = 1.0 + 0.3 * np.arange(len(points))[:, None]
    assert Sphere((0,) * len(points)).order((radii * points).ravel(), 1e-6) == order


def test_number_of_isomers():
    water = ClusterSymmetry((0, 1, 2))
    bent = np.array([(1, 0.3, 0), (0, 0, 0), (-1, 0.3, 0)]).ravel()
    assert math.exp(water.log_group_order()) / water.order(bent, 1e-6) == pytest.approx(1)
    helium = alike(3, inversion=False)
    assert math.exp(helium.log_group_order()) == pytest.approx(6)
    binary = ClusterSymmetry((0, 0, 1, 1, 1))
    assert math.exp(binary.log_group_order()) == pytest.approx(2 * 2 * 6)


def null_space(energy, x):
    curvature, vectors = np.linalg.eigh(np.asarray(compiled(energy)[2](x)))
    return vectors[:, np.abs(curvature) < 1e-7 * np.abs(curvature).max()]


def same_space(modes, null):
    present = modes[np.any(modes != 0, axis=1)]
    np.testing.assert_allclose(present @ present.T, np.eye(len(present)), atol=1e-10)
    assert len(present) == null.shape[1]
    np.testing.assert_allclose(present @ null @ null.T, present, atol=1e-5)


@pytest.mark.parametrize("name", ["lj2 D∞h", "lj7 D5h", "lj8 Td"])
def test_zero_modes_span_the_null_space_of_a_cluster(name):
    x = quench(lennard_jones, CLUSTERS[name][0])
    symmetry = alike(x.size // 3)
    null = null_space(lennard_jones, x)
    same_space(np.asarray(symmetry.zero_modes(jnp.asarray(x))), null)
    assert symmetry.expected_zero_modes(x) == null.shape[1]


@pytest.mark.parametrize("seed", range(3))
def test_zero_modes_of_a_linear_molecule_in_any_direction(seed):
    def energy(x):
        a, b, c = x.reshape(3, 3)
        one, two = jnp.linalg.norm(a - b), jnp.linalg.norm(b - c)
        return 5 * (one - 1) ** 2 + 4 * (two - 1.2) ** 2 + 1 / jnp.linalg.norm(a - c)

    start = np.array([(0, 0, -1), (0.05, 0, 0), (0, 0, 1.2)])
    x = quench(energy, turned(start, seed) if seed else start)
    symmetry = ClusterSymmetry((0, 1, 2))
    modes = np.asarray(symmetry.zero_modes(jnp.asarray(x)))
    assert modes.shape == (6, 9)
    assert symmetry.expected_zero_modes(x) == 5
    same_space(modes, null_space(energy, x))


def test_zero_modes_of_a_periodic_box():
    box = (2.0, 2.5, 3.0)

    def energy(x):
        i, j = np.triu_indices(3, 1)
        r = x.reshape(3, 3)
        edge = jnp.asarray(box)
        chord = edge / jnp.pi * jnp.sin(jnp.pi * (r[i] - r[j]) / edge)
        charge = jnp.array([1.0, 1.3, 0.7])
        return jnp.sum(charge[i] * charge[j] / jnp.sum(chord**2, axis=1))

    x = quench(energy, random_points(1, (9,)))
    symmetry = PeriodicSymmetry((0, 1, 2), box)
    null = null_space(energy, x)
    same_space(np.asarray(symmetry.zero_modes(jnp.asarray(x))), null)
    assert symmetry.expected_zero_modes(x) == null.shape[1] == 3


@pytest.mark.parametrize(("count", "value"), [(2, 0.5), (5, 6.474691495), (7, 14.452977414)])
def test_zero_modes_of_the_thomson_problem(count, value):
    def energy(x):
        r = x.reshape(-1, 3)
        r = r / jnp.linalg.norm(r, axis=1, keepdims=True)
        i, j = np.triu_indices(count, 1)
        return jnp.sum(1 / jnp.linalg.norm(r[i] - r[j], axis=1))

    x = quench(energy, random_points(2, (3 * count,)))
    assert float(energy(x)) == pytest.approx(value, abs=1e-8)
    symmetry = Sphere((0,) * count)
    null = null_space(energy, x)
    same_space(np.asarray(symmetry.zero_modes(jnp.asarray(x))), null)
    assert symmetry.expected_zero_modes(x) == null.shape[1] == count + (2 if count == 2 else 3)


@pytest.mark.parametrize(
    "symmetry",
    [
        alike(5),
        alike(6, dim=2),
        alike(5, translation=False),
        alike(5, rotation=False),
        PeriodicSymmetry((0, 0, 1), (2.0, 3.0)),
        Sphere((0, 0, 1, 1)),
        NoSymmetry(),
    ],
    ids=lambda symmetry: type(symmetry).__name__,
)
def test_lanes_agree_with_single_points(symmetry):
    dof = {"PeriodicSymmetry": 6, "SphereSymmetry": 12}.get(type(symmetry).__name__, 15)
    dof = 12 if getattr(symmetry, "dim", 3) == 2 else dof
    block = jnp.asarray(random_points(4, (dof, 5)))
    modes, features = jax.jit(lambda x: (symmetry.zero_modes(x), symmetry.fingerprint(x)))(block)
    for lane in range(5):
        x = block[:, lane]
        np.testing.assert_allclose(modes[..., lane], symmetry.zero_modes(x), atol=1e-12)
        np.testing.assert_allclose(features[:, lane], symmetry.fingerprint(x), rtol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_line_in_single_precision_has_five_modes(dtype):
    line = jnp.asarray([0.2, 0.1, 0.5, 0.4, 0.2, 1.0, 0.8, 0.4, 2.0], dtype)
    modes = alike(3).zero_modes(line)
    assert modes.dtype == dtype
    assert int(jnp.sum(jnp.any(modes != 0, axis=1))) == 5


def test_match_respects_species_chirality_and_tolerance():
    r = np.concatenate([np.zeros((1, 3)), tetrahedron() * [[1.0], [1.1], [1.2], [1.3]]])
    x, mirror = r.ravel(), (-r).ravel()
    assert ClusterSymmetry((0, 1, 2, 3, 4)).match(x, mirror, 1e-6) is not None
    assert ClusterSymmetry((0, 1, 2, 3, 4), inversion=False).match(x, mirror, 1e-6) is None
    swapped = r[[0, 2, 1, 3, 4]].ravel()
    assert ClusterSymmetry((0, 1, 1, 2, 2)).match(x, swapped, 1e-6) is not None
    assert ClusterSymmetry((0, 1, 2, 1, 2)).match(x, swapped, 1e-6) is None
    noise = random_points(9, (5, 3))
    symmetry = alike(5)
    assert symmetry.match(x, (turned(r, 8) + 1e-6 * noise).ravel(), 1e-5) is not None
    assert symmetry.match(x, (turned(r, 8) + 1e-2 * noise).ravel(), 1e-4) is None


def test_match_finds_every_close_copy():
    symmetry = alike(13)
    x = quench(lennard_jones, CLUSTERS["lj13 Ih"][0])
    for seed in range(20):
        noise = 0.4e-3 * np.clip(random_points(seed, (39,)), -1, 1)
        y = turned(x.reshape(-1, 3), seed + 100)[::-1].ravel() + noise
        image = symmetry.match(x, y, 1e-3)
        assert image is not None
        assert np.linalg.norm((image - x).reshape(-1, 3), axis=1).max() <= 1e-3


def test_enantiomers_are_one_point_with_inversion_only():
    chiral = random_points(11, (7, 3))
    x, y = chiral.ravel(), turned(-chiral, 12)[::-1].ravel()
    q = np.linalg.det(np.linalg.qr(random_points(12, (3, 3)))[0])
    y = y if q > 0 else -y
    assert alike(7).match(x, y, 1e-8) is not None
    assert alike(7).align(x, y)[1] < 1e-6
    assert alike(7, inversion=False).match(x, y, 1e-8) is None
    assert alike(7, inversion=False).align(x, y)[1] > 1e-2


def test_fingerprints_tell_the_minima_of_lj8_apart():
    symmetry = alike(8)
    minima = []
    for seed in range(40):
        x = quench(lennard_jones, 0.9 * random_points(seed, (24,)))
        if float(lennard_jones(x)) > -18:
            continue
        if not any(symmetry.match(y, x, 1e-4) is not None for y in minima):
            minima.append(x)
    assert len(minima) >= 5
    features = np.asarray(symmetry.fingerprint(jnp.asarray(np.stack(minima, axis=1))))
    for i, j in itertools.combinations(range(len(minima)), 2):
        assert np.abs(features[:, i] - features[:, j]).max() > 1e-3


def test_align_is_optimal_where_the_answer_is_known():
    """A bond stretched by 0.2 can be centred at best: two atoms, each 0.1 off."""
    x = np.array([(0, 0, -0.5), (0, 0, 0.5)]).ravel()
    y = turned(np.array([(0, 0, -0.6), (0, 0, 0.6)]), 2).ravel() + 3.0
    image, distance = alike(2).align(x, y)
    assert distance == pytest.approx(0.1 * math.sqrt(2), abs=1e-9)
    assert alike(2).match(image, y, 1e-9) is not None


def test_align_of_a_moved_atom_leaves_the_others():
    r = np.concatenate([np.zeros((1, 3)), 1.1 * icosahedron()])
    moved = r.copy()
    moved[5] *= 1.3
    symmetry = alike(13)
    y = turned(moved, 4)[::-1].ravel()
    image, distance = symmetry.align(r.ravel(), y)
    assert distance <= 0.33 + 1e-9
    assert symmetry.match(image, y, 1e-8) is not None
    assert symmetry.align(r.ravel(), y)[1] == distance


def test_align_in_a_box_of_a_moved_atom():
    symmetry = PeriodicSymmetry((0,) * 8, (3.0, 3.0, 3.0), cube=True)
    r = 3.0 * np.array(jax.random.uniform(jax.random.key(5), (8, 3)))
    moved = r.copy()
    moved[2] += 0.2
    image, distance = symmetry.align(r.ravel(), (-(moved[::-1]) + 1.7).ravel())
    assert distance <= 0.2 * math.sqrt(3) + 1e-9
    assert symmetry.match(image, moved.ravel(), 1e-8) is not None


def test_canonical_points():
    x = random_points(6, (12,))
    assert np.abs(alike(4).canonical(x).reshape(4, 3).mean(axis=0)).max() < 1e-15
    wrapped = PeriodicSymmetry((0,) * 4, (1.0, 2.0, 0.5)).canonical(x).reshape(4, 3)
    assert np.all(wrapped >= 0)
    assert np.all(wrapped < [1.0, 2.0, 0.5])
    sphere = Sphere((0,) * 4, radius=2.0).canonical(x).reshape(4, 3)
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=1), 2.0)


def test_no_symmetry():
    symmetry, x = NoSymmetry(), np.array([1.0, 2.0])
    assert symmetry.match(x, x + 1e-7, 1e-6) is not None
    assert symmetry.match(x, x + 1e-5, 1e-6) is None
    assert symmetry.align(x, x + 3.0)[1] == pytest.approx(3 * math.sqrt(2))
    assert (symmetry.order(x, 1e-6), symmetry.log_group_order()) == (1, 0.0)
    assert symmetry.expected_zero_modes(x) == 0
    np.testing.assert_array_equal(symmetry.canonical(x), x)


def test_wrong_fields_are_refused():
    with pytest.raises(ArgumentError, match="species is empty"):
        ClusterSymmetry(())
    with pytest.raises(ArgumentError, match="dim=4"):
        alike(3, dim=4)
    with pytest.raises(ArgumentError, match="positive edge"):
        PeriodicSymmetry((0,), (1.0, 0.0))
