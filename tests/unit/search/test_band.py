"""The band: candidates that become transition states, whatever lies on the straight line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import (
    ArgumentError,
    FreeSpace,
    Outcome,
    PeriodicSpace,
    SphereSpace,
    System,
    solve,
    solve_many,
    start_points,
    value_and_grad,
)
from thalweg.energies import system
from thalweg.search import _band
from thalweg.search._band import (
    IMAGE_COUNTS,
    Band,
    BandStart,
    arc_lengths,
    images_for,
    interpolate,
    maxima,
    redistribute,
)
from thalweg.search._eigenvector_following import Climb, EigenvectorFollowing
from thalweg.search._lbfgs import LBFGS

# Mueller & Brown, Theor. Chim. Acta 53, 75 (1979): minima A and B, saddles A-C and C-B.
A, B = np.array([-0.558223635, 1.441725842]), np.array([0.623499405, 0.028037759])
ENDS = np.array([-146.699517210, -108.166724117])
SADDLES = np.array([[-0.822001559, 0.624312803], [0.212486582, 0.292988325]])


def minima_of(cluster, count, ceiling):
    found = solve_many(cluster, LBFGS(), start_points(cluster, jax.random.key(2), 0, count))
    keep = (found.outcome == Outcome.success) & (found.value < ceiling)
    _, first = np.unique(found.value[keep].round(5), return_index=True)
    return found.x[keep][first], found.value[keep][first]


def bands(cluster, pairs, points, energies, images):
    """Converged (or stopped) bands between aligned pairs."""
    paths = []
    for i, j in pairs:
        image, _ = cluster.symmetry.align(points[i], points[j])
        paths.append(np.asarray(interpolate(cluster, points[i], image, images)))
    ends = np.array([[energies[i], energies[j]] for i, j in pairs])
    return solve_many(cluster, Band(), BandStart(np.stack(paths), ends), width=16)


def candidates(cluster, finished):
    found = [maxima(cluster, *row)[0] for row in zip(*parts(finished), strict=True)]
    return Climb(
        x=jnp.concatenate([climb.x for climb in found]),
        direction=jnp.concatenate([climb.direction for climb in found]),
    )


def parts(finished):
    return finished.extra.path, finished.extra.values


@pytest.mark.parametrize("images", [7, 17])
def test_mueller_brown_saddles(images):
    surface = system("muller-brown")
    start = BandStart(interpolate(surface, A, B, images), jnp.asarray(ENDS))
    band = solve(surface, Band(tol=1.0), start)
    assert band.outcome == Outcome.success
    climbs, heights = maxima(surface, *parts(band))
    assert np.all(np.diff(heights) <= 0)
    near = np.linalg.norm(np.asarray(climbs.x)[:, None] - SADDLES, axis=2).min(axis=0)
    assert np.all(near < 0.3)
    found = solve_many(surface, EigenvectorFollowing(max_uphill=0.07), climbs, width=4)
    near = np.linalg.norm(found.x[:, None] - SADDLES, axis=2).min(axis=0)
    assert np.all(near < 1e-6)


@pytest.mark.slow
def test_lj7_every_pair():
    cluster = system("lj7")
    points, energies = minima_of(cluster, 96, -15.0)
    assert len(points) == 4
    pairs = [(i, j) for i in range(4) for j in range(i)]
    finished = bands(cluster, pairs, points, energies, 7)
    assert np.all(finished.outcome == Outcome.success)  # measured: 16 steps on average
    climbs = candidates(cluster, finished)
    found = solve_many(cluster, EigenvectorFollowing(max_uphill=0.07), climbs)
    assert np.all(found.outcome == Outcome.success)
    assert np.all(found.extra[1] < 0)
    # The lowest transition state between the two lowest minima is met.
    assert np.min(np.abs(found.value + 15.444734)) < 1e-5


@pytest.mark.slow
def test_lj13_candidates_become_transition_states():
    cluster = system("lj13")
    points, energies = minima_of(cluster, 64, -38.0)
    pairs = [(k, k + 1) for k in range(12)]
    finished = bands(cluster, pairs, points, energies, 7)
    assert np.mean(finished.outcome == Outcome.success) > 0.6  # measured: 0.85
    found = solve_many(
        cluster, EigenvectorFollowing(max_uphill=0.07), candidates(cluster, finished)
    )
    assert np.mean(found.outcome == Outcome.success) > 0.9  # measured: 1.00


def test_overlapping_atoms_on_the_line():
    """Two atoms that change places meet exactly half-way: no NaN, and a way round is found."""
    cluster = system("lj7")
    points, energies = minima_of(cluster, 32, -16.0)
    x = points[0]
    swapped = x.reshape(-1, 3)[[1, 0, 2, 3, 4, 5, 6]].reshape(-1)
    start = BandStart(
        interpolate(cluster, x, swapped, 11, bulge=0.0), np.array([energies[0], energies[0]])
    )
    finished = solve(cluster, Band(max_steps=400), start)
    assert np.all(np.isfinite(finished.extra.path))
    assert np.all(np.isfinite(finished.extra.values))
    assert finished.outcome in (Outcome.success, Outcome.max_steps)
    bulged = BandStart(interpolate(cluster, x, swapped, 11), start.end_values)
    finished = solve(cluster, Band(max_steps=400), bulged)
    assert finished.value < 0.0  # the highest image is bound: the atoms went round each other


def test_energy_that_is_nowhere_a_number():
    broken = System(lambda x: jnp.sum(x) * jnp.nan, shape=(2,))
    start = BandStart(interpolate(broken, A, B, 5), np.zeros(2))
    finished = solve(broken, Band(max_steps=5), start)
    assert finished.outcome == Outcome.max_steps
    assert np.all(np.isfinite(finished.extra.path))
    climbs, heights = maxima(broken, *parts(finished))
    assert climbs.x.shape == (0, 2)
    assert heights.shape == (0,)


def test_images_stay_apart_and_within_the_cap():
    surface = system("muller-brown")
    solver = Band()
    state = solver.init(surface, BandStart(interpolate(surface, A, B, 9), jnp.asarray(ENDS)))
    step = jax.jit(lambda state: solver.step(surface, state))
    for _ in range(60):
        before = state.next_path
        state = step(state)
        moved = np.sqrt(np.mean((state.next_path - before) ** 2, axis=1))
        assert np.all(moved <= solver.max_step * surface.length * (1 + 1e-9))
        np.testing.assert_array_equal(state.path[jnp.array([0, -1])], np.stack([A, B]))
    hops = np.diff(arc_lengths(surface, np.asarray(state.path)))
    assert hops.std() < 0.35 * hops.mean()


def test_forces_by_hand():
    """The perpendicular gradient is perpendicular; springs along the path restore the spacing."""
    surface = system("muller-brown")
    start = BandStart(interpolate(surface, A, B, 7), jnp.asarray(ENDS))
    state = Band().step(surface, Band().init(surface, start))
    values, grads = jax.vmap(lambda x: value_and_grad(surface.energy, x))(start.path[1:-1])
    np.testing.assert_allclose(state.profile[1:-1], values)
    hops = jnp.diff(start.path, axis=0)
    tangents = _band._tangents(hops, state.profile)
    np.testing.assert_allclose(np.linalg.norm(tangents, axis=1), 1.0)
    across = state.grad.reshape(7, 2)
    np.testing.assert_allclose(np.sum(across * tangents, axis=1), 0.0, atol=1e-9)
    limit = 10 * np.median(np.linalg.norm(grads, axis=1))
    soft = np.linalg.norm(grads, axis=1) < limit
    rest = grads - across
    along = np.sum(rest * tangents, axis=1)[:, None] * tangents
    np.testing.assert_allclose(np.where(soft[:, None], rest - along, 0.0), 0.0, atol=1e-9)


def test_interpolation_knows_the_space():
    box = PeriodicSpace(2, (4.0, 4.0, 4.0))
    periodic = System(lambda r: jnp.sum(r), space=box)
    a, b = np.full(6, 0.2), np.full(6, 3.8)
    path = interpolate(periodic, a, b, 3, bulge=0.0)
    hops = np.asarray(box.difference(path[:-1].T, path[1:].T))
    np.testing.assert_allclose(hops, -0.1, atol=1e-12)
    assert arc_lengths(periodic, np.asarray(path))[-1] == pytest.approx(0.4 * np.sqrt(6))

    ball = System(lambda r: jnp.sum(r), space=SphereSpace(1))
    path = interpolate(ball, np.array([1.0, 0, 0]), np.array([0.0, 1, 0]), 3)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), 1.0)


def test_interpolation_bulges_alike_both_ways():
    plain = System(lambda x: jnp.sum(x**2), shape=(3,))
    a, b = np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 0.0])
    there, back = interpolate(plain, a, b, 4), interpolate(plain, b, a, 4)
    np.testing.assert_allclose(there, back[::-1], atol=1e-12)
    block = interpolate(plain, np.stack([a, b], axis=1), np.stack([b, a], axis=1), 4)
    np.testing.assert_allclose(block[..., 0], there, atol=1e-12)


def test_number_of_images():
    plain = System(lambda x: jnp.sum(x**2), shape=(3,), length=2.0)
    assert images_for(0.0, plain) == IMAGE_COUNTS[0]
    assert images_for(2.0 * 0.3 * 10, plain) == 11
    assert images_for(1e9, plain) == IMAGE_COUNTS[-1]


def test_redistribution_keeps_the_path():
    plain = System(lambda x: jnp.sum(x**2), space=FreeSpace((2,)))
    path = np.stack([np.array([0.0, 0.1, 0.2, 1.0, 4.0]), np.zeros(5)], axis=1)
    even = redistribute(plain, path, np.zeros(5), 7)
    np.testing.assert_allclose(even[:, 0], np.linspace(0, 4, 9), atol=1e-12)
    values = np.array([0.0, 0.0, 0.0, 1.0, 0.0])
    dense = redistribute(plain, path, values, 39, emphasis=9.0)
    spacing = np.diff(dense[:, 0])
    assert spacing[np.argmin(np.abs(dense[:-1, 0] - 1.0))] < 0.7 * spacing[0]
    np.testing.assert_allclose(dense[[0, -1]], path[[0, -1]])
    walled = redistribute(plain, path, np.array([0.0, 1e100, 0.0, 1.0, 0.0]), 7)
    assert np.all(np.isfinite(walled))


def test_maxima_of_a_parabola():
    """On uneven stops of a straight line the vertex is exact."""
    plain = System(lambda x: jnp.sum(x**2), shape=(2,))
    s = np.array([0.0, 0.5, 0.8, 1.6, 2.0])
    path = np.stack([s, 2.0 * s], axis=1)
    values = 3.0 - (s - 0.9) ** 2
    climbs, heights = maxima(plain, path, values)
    np.testing.assert_allclose(climbs.x, [[0.9, 1.8]], atol=1e-12)
    np.testing.assert_allclose(heights, [3.0], atol=1e-12)
    direction = np.asarray(climbs.direction[0])
    np.testing.assert_allclose(direction / np.linalg.norm(direction), [0.2**0.5, 0.8**0.5])


def test_maxima_without_a_maximum():
    plain = System(lambda x: jnp.sum(x**2), shape=(2,))
    path = np.stack([np.arange(4.0), np.zeros(4)], axis=1)
    climbs, heights = maxima(plain, path, np.arange(4.0))
    assert climbs.x.shape == (0, 2)
    assert len(heights) == 0
    with pytest.raises(ArgumentError, match="no inner maximum"):
        maxima(plain, path[:2], np.zeros(2))
