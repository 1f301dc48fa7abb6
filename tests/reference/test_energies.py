"""Energies against published and independently computed numbers.

Lennard-Jones and Morse: the Cambridge Cluster Database (Wales, Doye et al.,
https://www-wales.ch.cam.ac.uk/CCD.html). Thomson: Wales & Ulker, Phys. Rev. B 74, 212101 (2006);
the values to N = 6 are exact. Müller-Brown: Newton's method in 30-digit arithmetic agrees with the
values printed in Müller & Brown, Theor. Chim. Acta 53, 75 (1979). Triatomics with triple dipoles:
stationary points of Ballard et al., J. Chem. Phys. 144, 124119 (2016), refined by Newton's method.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from thalweg.core import hessian, value_and_grad
from thalweg.energies import mueller_brown, schwefel, system, three_hole, wolfe_quapp


def quench(built, x0):
    """A quick minimum: L-BFGS-B from SciPy, to a gradient of 1e-8."""

    evaluate = jax.jit(lambda x: value_and_grad(built.energy, x))

    def both(x):
        value, grad = evaluate(x)
        return float(value), np.asarray(grad)

    options = {"maxiter": 3000, "ftol": 1e-15, "gtol": 1e-8, "maxcor": 20}
    return minimize(both, np.asarray(x0), jac=True, method="L-BFGS-B", options=options)


def icosahedron(edge):
    """Thirteen atoms: a centre and twelve vertices."""
    golden = (1 + 5**0.5) / 2
    vertices = [
        np.roll((0.0, a, b * golden), shift)
        for shift, a, b in itertools.product(range(3), (-1, 1), (-1, 1))
    ]
    return 0.5 * edge * np.array([np.zeros(3), *vertices]).ravel()


def bipyramid(ring):
    """`ring` atoms in a plane and one on either side."""
    angles = 2 * np.pi * np.arange(ring) / ring
    radius = 0.5 / np.sin(np.pi / ring)
    plane = np.stack([radius * np.cos(angles), radius * np.sin(angles), 0 * angles], axis=1)
    height = np.sqrt(max(1.0 - radius**2, 0.2))
    return 1.1 * np.concatenate([plane, [[0, 0, height], [0, 0, -height]]]).ravel()


TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).ravel() / 8**0.5

CLUSTERS = [
    ("lj2", np.array([0, 0, 0, 1.1, 0, 0]), -1.0),
    ("lj3", TETRAHEDRON[:9] * 1.1, -3.0),
    ("lj4", TETRAHEDRON * 1.1, -6.0),
    ("lj5", bipyramid(3), -9.103852),
    ("lj6", bipyramid(4), -12.712062),
    ("lj7", bipyramid(5), -16.505384),
    ("lj13", icosahedron(1.1), -44.326801),
    ("morse13-rho3", icosahedron(1.0), -51.737046),
    ("morse13-rho6", icosahedron(1.0), -42.439863),
]


@pytest.mark.parametrize(("name", "geometry", "energy"), CLUSTERS, ids=[c[0] for c in CLUSTERS])
def test_known_minima_of_clusters(name, geometry, energy):
    found = quench(system(name), geometry)
    assert found.fun == pytest.approx(energy, abs=6e-7)
    assert np.max(np.abs(found.jac)) < 1e-6


def test_the_pair_of_lennard_jones_exactly():
    built = system("lj2")
    x = jnp.array([0, 0, 0, 2 ** (1 / 6), 0, 0])
    value, grad = value_and_grad(built.energy, x)
    assert float(value) == pytest.approx(-1.0, abs=1e-14)
    assert float(jnp.max(jnp.abs(grad))) < 1e-13
    curvatures = np.linalg.eigvalsh(np.asarray(hessian(built.energy, x)))
    assert curvatures[-1] == pytest.approx(2 * 72 / 2 ** (1 / 3), rel=1e-12)  # 2 v''
    np.testing.assert_allclose(curvatures[:5], 0.0, atol=1e-11)


# 2-6: the segment, the triangle, the tetrahedron, the triangular bipyramid, the octahedron.
THOMSON = {
    2: 0.5,
    3: 3**0.5,
    4: 6 * (3 / 8) ** 0.5,
    5: 0.5 + 3**0.5 + 3 * 2**0.5,
    6: 1.5 + 6 * 2**0.5,
    7: 14.452977414,
    12: 49.165253058,
}


@pytest.mark.parametrize("count", THOMSON)
def test_thomson(count):
    built = system(f"thomson{count}")
    found = [quench(built, built.start(jax.random.key(k))).fun for k in range(3)]
    assert min(found) == pytest.approx(THOMSON[count], abs=1e-8)


MUELLER_BROWN = [
    # x, y, V, Hessian eigenvalues
    (-0.558223635, 1.441725842, -146.699517210, 410.531135, 4068.198955),
    (0.623499405, 0.028037759, -108.166724117, 543.836189, 3005.395865),
    (-0.050010823, 0.466694105, -80.767818130, 221.037473, 1479.197022),
    (0.212486582, 0.292988325, -72.248940112, -735.247262, 510.886565),
    (-0.822001559, 0.624312803, -40.664843509, -750.862663, 490.240708),
]


@functools.partial(jax.jit, static_argnums=0)
def newton(function, x):
    """The stationary point near `x`, its slope and its curvatures."""

    def step(_, x):
        return x - jnp.linalg.solve(jax.hessian(function)(x), jax.grad(function)(x))

    x = jax.lax.fori_loop(0, 8, step, x)
    return x, jnp.max(jnp.abs(jax.grad(function)(x))), jnp.linalg.eigvalsh(jax.hessian(function)(x))


@pytest.mark.parametrize("row", MUELLER_BROWN)
def test_mueller_brown(row):
    x, _, curvatures = newton(mueller_brown, jnp.array(row[:2]) + 0.01)
    np.testing.assert_allclose(x, row[:2], atol=1e-8)
    assert float(mueller_brown(x)) == pytest.approx(row[2], abs=1e-8)
    np.testing.assert_allclose(curvatures, row[3:], rtol=1e-8)


LJAT3 = [
    # name, distances r12 and r13 (r23 = r12), energy, lowest non-zero curvature, zero modes
    ("triangle", 1.16875232, 1.16875232, -2.1850988403, 32.895054, 6),
    ("line", 1.10876289, 2.21752579, -2.2190981696, 1.203268, 5),
    ("saddle", 1.13096215, 1.55308448, -1.9850696580, -3.53942, 6),
]


@pytest.mark.parametrize("row", LJAT3, ids=[row[0] for row in LJAT3])
def test_three_atoms_with_triple_dipoles(row):
    _, side, base, energy, curvature, zeros = row
    height = np.sqrt(max(side**2 - base**2 / 4, 0.0))
    x = jnp.array([-base / 2, 0, 0, 0, height, 0, base / 2, 0, 0])
    built = system("ljat3")
    value, grad = jax.jit(lambda x: value_and_grad(built.energy, x))(x)
    assert float(value) == pytest.approx(energy, abs=1e-9)
    assert float(jnp.max(jnp.abs(grad))) < 1e-5
    curvatures = np.linalg.eigvalsh(np.asarray(jax.jit(lambda x: hessian(built.energy, x))(x)))
    size = np.abs(curvatures)
    assert np.sum(size < 1e-4) == zeros
    assert curvatures[size > 1e-4][0] == pytest.approx(curvature, rel=1e-5)


def test_binary_lennard_jones_across_its_cutoff():
    """Forces are the slopes of the energy while a pair passes its cutoff and its nearest image."""
    built = system("blj60")
    x = np.asarray(built.start(jax.random.key(5)))
    x = quench(built, x).x + 0.01
    v = np.asarray(jax.random.normal(jax.random.key(6), x.shape))
    v = v / np.linalg.norm(v)
    walk = jnp.asarray(x[:, None] + v[:, None] * np.linspace(0.0, 1.5, 61))
    step = 1e-5
    _, grad = value_and_grad(built.energy, walk)
    ahead, _ = value_and_grad(built.energy, walk + step * v[:, None])
    behind, _ = value_and_grad(built.energy, walk - step * v[:, None])
    numeric = (ahead - behind) / (2 * step)
    stated = jnp.sum(grad * v[:, None], axis=0)
    np.testing.assert_allclose(stated, numeric, rtol=1e-6, atol=1e-5)


def test_binary_lennard_jones_pair_depths():
    """Well depths of the three kinds of pair: those of Kob & Andersen, less the smoothing."""
    built = system("blj256")
    q6 = 2.5**-6.0
    for (a, b), epsilon, sigma in (((0, 0), 1, 1), ((0, 1), 1.5, 0.8), ((1, 1), 0.5, 0.88)):
        row = tuple(built.energy.term.table()[a, b])
        r = 2 ** (1 / 6) * sigma
        depth = float(built.energy.term.pair(jnp.asarray(r * r), row)[0])
        smoothing = (6 * q6**2 - 3 * q6) * (r / (2.5 * sigma)) ** 2 - 7 * q6**2 + 4 * q6
        assert depth == pytest.approx(epsilon * (-1 + 4 * smoothing), rel=1e-12)


def test_textbook_minima():
    """Wolfe-Quapp and three-hole: stationary to 1e-10; Schwefel: the known best corner."""
    for function, x in (
        (wolfe_quapp, (1.124, -1.486)),
        (wolfe_quapp, (-1.174, 1.477)),
        (wolfe_quapp, (-0.832, -1.366)),
        (three_hole, (1.048, -0.042)),
        (three_hole, (-1.048, -0.042)),
        (three_hole, (0.0, 1.537)),
    ):
        at, slope, curvatures = newton(function, jnp.array(x))
        assert float(slope) < 1e-10
        assert float(curvatures.min()) > 0
        np.testing.assert_allclose(at, x, atol=2e-2)
    assert float(schwefel(jnp.full(3, 420.9687462275036))) == pytest.approx(0.0, abs=1e-9)
    assert np.isfinite(np.asarray(jax.grad(schwefel)(jnp.zeros(2)))).all()
