"""Paths of steepest descent against independent integration, and the paths of clusters.

Müller & Brown, Theor. Chim. Acta 53, 75 (1979), for the surface; its stationary points are those
of `test_landscapes.py`.
"""

import jax
import numpy as np
import pytest
import scipy.integrate
import scipy.spatial

from thalweg.core import System
from thalweg.energies import system as catalogue
from thalweg.landscape import Landscape, TransitionNetwork, lowest_route, pathway
from thalweg.search import certify_many, descend
from thalweg.workflows import explore


def gap(points, curve):
    """Largest distance of points from a finely sampled curve, as a polyline."""
    tree = scipy.spatial.cKDTree(curve)
    nearest = np.clip(tree.query(points)[1], 1, len(curve) - 2)
    best = np.full(len(points), np.inf)
    for side in (-1, 0):
        a, b = curve[nearest + side], curve[nearest + side + 1]
        squared = np.maximum(np.sum((b - a) ** 2, axis=1), 1e-300)
        along = np.sum((points - a) * (b - a), axis=1) / squared
        foot = a + np.clip(along, 0, 1)[:, None] * (b - a)
        best = np.minimum(best, np.linalg.norm(points - foot, axis=1))
    return best.max()


def flow(energy, x0, time):
    """The gradient flow by SciPy's Radau, an implicit Runge-Kutta method of order 5."""
    gradient, hessian = jax.jit(jax.grad(energy)), jax.jit(jax.hessian(energy))
    found = scipy.integrate.solve_ivp(
        lambda t, x: -np.asarray(gradient(x)),
        (0.0, time),
        x0,
        method="Radau",
        jac=lambda t, x: -np.asarray(hessian(x)),
        rtol=1e-10,
        atol=1e-12,
        dense_output=True,
    )
    # Between its own steps too: a polyline through these bends by less than 1e-7.
    shares = np.linspace(0.0, 1.0, 20, endpoint=False)
    times = (found.t[:-1, None] + np.diff(found.t)[:, None] * shares).ravel()
    return found.sol(times).T


def test_mueller_brown(mueller_brown):
    surface, network = mueller_brown
    path = pathway(surface, network, 0, 1)
    np.testing.assert_allclose(
        path.energies[path.rows],
        [-146.699517210, -40.664843509, -80.767818130, -72.248940112, -108.166724117],
        atol=1e-8,
    )
    # Every half step by Radau from 1e-6 beside its saddle.
    for low, high in zip(path.rows[:-1], path.rows[1:], strict=True):
        top = high if path.kinds[high] == 1 else low
        half = path.points[low : high + 1]
        saddle, other = path.points[top], half[0] if top == high else half[-1]
        mode = certify_many(surface, saddle[None], 1)[0].mode
        near = half[-2] if top == high else half[1]
        side = 1.0 if (near - saddle) @ mode > 0 else -1.0
        curve = flow(surface.energy, saddle + side * 1e-6 * mode, 1.0)
        assert np.linalg.norm(curve[-1] - other) < 1e-6
        assert gap(half, curve) < 2e-6
        length = np.sum(np.linalg.norm(np.diff(curve, axis=0), axis=1))
        assert path.lengths[high] - path.lengths[low] == pytest.approx(length, abs=5e-5)


def test_a_path_that_is_known_exactly():
    """E = (x² - 1)² + 8 y²: from the saddle at 0 straight to both minima, over a barrier of 1."""
    system = System(lambda p: (p[0] ** 2 - 1) ** 2 + 8 * p[1] ** 2, shape=(2,))
    points = np.array([[1.0, 0.0], [-1.0, 0.0]])
    network = TransitionNetwork.bare(np.zeros(2), np.ones(1), np.array([[0, 1]]))
    network = _with_points(network, points, np.zeros((1, 2)))
    path = pathway(system, network, 0, 1)
    assert path.length == pytest.approx(2.0, abs=1e-12)
    assert path.barrier == 1.0
    np.testing.assert_allclose(path.points[:, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(path.points[:, 0], 1.0 - path.lengths, atol=1e-12)
    # One coordinate moves, the other does not.
    assert path.steps.cooperativity.item() == pytest.approx(1.0)
    fine = path.resample(301)
    np.testing.assert_allclose(fine.energies, (fine.points[:, 0] ** 2 - 1) ** 2, atol=1e-6)


def _with_points(network, points, ts_points):
    import dataclasses

    return dataclasses.replace(network, points=points, ts_points=ts_points)


def _check(system, landscape: Landscape, a, b):
    """What every path of particles must be."""
    network = landscape.network
    path = pathway(system, landscape, a, b)
    np.testing.assert_allclose(path.points[0], landscape.minimum(a).x, atol=1e-10)
    rise = np.diff(path.energies)
    for i, (low, high) in enumerate(zip(path.rows[:-1], path.rows[1:], strict=True)):
        assert np.all(rise[low:high] * (-1) ** i > 0)
    jumps = np.linalg.norm(np.diff(path.points, axis=0), axis=1)
    assert jumps.max() < 0.1 * system.length
    energies = np.asarray(jax.vmap(system.energy)(path.points))
    np.testing.assert_allclose(energies, path.energies, atol=1e-9)
    for row, kind, ids in zip(
        path.rows,
        ["minimum", "transition_state"] * len(path.rows),
        [i for pair in zip(path.minima, (*path.transition_states, -1), strict=True) for i in pair],
        strict=False,
    ):
        stored = landscape.points(kind)[ids]
        assert system.symmetry.match(stored, path.points[row], 1e-6) is not None
    assert path.energies[path.rows].max() == pytest.approx(network.lowest_barrier(a, b), abs=1e-9)
    fine = path.resample(300)
    energies = np.asarray(jax.vmap(system.energy)(fine.points))
    np.testing.assert_allclose(fine.energies, energies, atol=2e-3)
    return path


@pytest.fixture(scope="module")
def lj7(tmp_path_factory):
    store = tmp_path_factory.mktemp("paths") / "lj7.db"
    return explore(catalogue("lj7"), store, key=0, transition_states=12, minima=4).landscape


def test_lj7(lj7):
    """Every minimum to the pentagonal bipyramid, by the lowest barriers of LJ7."""
    order = np.argsort(lj7.network.energies)
    lowest = int(order[0])
    for start in order[1:]:
        path = _check(catalogue("lj7"), lj7, int(start), lowest)
        assert np.all(path.steps.cooperativity.between(1.0, 7.0))
    back = pathway(catalogue("lj7"), lj7, lowest, int(order[-1]))
    assert back.length == pytest.approx(path.length, abs=1e-4)


def test_a_degenerate_rearrangement(lj7):
    """It ends in another image of the minimum it began in."""
    network = lj7.network
    chosen = int(
        np.flatnonzero(network.degenerate)[np.argmin(network.ts_energies[network.degenerate])]
    )
    minimum = int(network.ts_minima[chosen, 0])
    path = pathway(catalogue("lj7"), lj7, minimum, minimum, via=[int(network.ts_ids[chosen])])
    assert path.minima == (minimum, minimum)
    symmetry = catalogue("lj7").symmetry
    assert symmetry.match(path.points[0], path.points[-1], 1e-6) is not None
    assert np.linalg.norm(path.points[0] - path.points[-1]) > 0.1
    assert path.barriers[0, 0] == pytest.approx(path.barriers[0, 1], abs=1e-9)


@pytest.mark.slow
def test_lj7_branch_against_radau(lj7):
    energy = catalogue("lj7").energy
    for first, second in descend(catalogue("lj7"), lj7.points("transition_state")[:3]):
        for branch in (first, second):
            curve = flow(energy, branch.points[0], 100.0)
            assert gap(branch.points[:-1], curve) < 1e-4


@pytest.mark.parametrize(
    ("name", "wishes"),
    [
        ("thomson16", {"quenches": 64, "climbs": 64, "transition_states": 3}),
        ("blj12", {"quenches": 32, "climbs": 96, "transition_states": 60}),
    ],
)
@pytest.mark.slow
def test_paths_on_a_sphere_and_in_a_periodic_box(name, wishes, tmp_path):
    """Sixteen charges on a sphere (two minima); a binary mixture in a box of two diameters."""
    system = catalogue(name)
    landscape = explore(
        system, tmp_path / "x.db", walkers=0, workers=1, budget=60, **wishes
    ).landscape
    network = landscape.network
    if name == "thomson16":
        # Wales & Ulker, Phys. Rev. B 74, 212101 (2006).
        np.testing.assert_allclose(network.energies, [92.911655302, 92.920353962], atol=1e-8)
    # From the minimum of the component from which most transition states are crossed.
    inside = np.flatnonzero(network.components == 0)
    end = network.global_minimum
    routes = {int(a): len(lowest_route(network, int(a), end)[1]) for a in inside if a != end}
    far = max(routes, key=lambda a: routes[a])
    path = _check(system, landscape, int(network.ids[far]), int(network.ids[end]))
    assert len(path.transition_states) == routes[far]
    if name == "thomson16":
        radii = np.linalg.norm(path.points.reshape(-1, 16, 3), axis=2)
        np.testing.assert_allclose(radii, 1.0, atol=1e-9)
    landscape.close()
