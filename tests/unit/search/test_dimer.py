"""The dimer: transition states from gradients alone, interchangeable with eigenvector following."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import (
    AbstractLaneEnergy,
    Outcome,
    System,
    hessian,
    solve,
    solve_many,
    start_points,
    value_and_grad,
)
from thalweg.energies import system
from thalweg.search._dimer import Dimer
from thalweg.search._eigenvector_following import Climb, EigenvectorFollowing
from thalweg.search._lbfgs import LBFGS

# Saddles of the Mueller-Brown surface; Mueller & Brown, Theor. Chim. Acta 53, 75 (1979).
MUELLER_BROWN = [-40.664843509, -72.248940112]
# The twelve transition states of seven Lennard-Jones atoms (complete enumeration, verified by
# independent eigenvector following; 12 is the number of Doye & Wales, J. Chem. Phys. 116, 3777).
LJ7 = [
    -15.444734, -15.319864, -15.283421, -15.097846, -15.033384, -15.026438,
    -14.816400, -14.811130, -14.596946, -14.568061, -14.548573, -12.548938,
]  # fmt: skip


class GradientsOnly(AbstractLaneEnergy):
    """An energy without Hessian-vector products, as from another program."""

    inner: AbstractLaneEnergy

    def __call__(self, x):
        return self.inner(x)

    def lane_value_and_grad(self, x):
        return self.inner.lane_value_and_grad(x)

    def lane_hvp(self, x, v):
        raise AssertionError("the dimer asked for a Hessian-vector product")


@pytest.fixture(scope="module")
def lj7():
    cluster = system("lj7")
    return System(
        GradientsOnly(cluster.energy),
        space=cluster.space,
        symmetry=cluster.symmetry,
        start=cluster.start,
        length=cluster.length,
    )


def climbs(cluster, count, amplitude=0.1):
    """Displaced minima and random directions."""
    key = jax.random.key(5)
    quenched = solve_many(cluster, LBFGS(), start_points(cluster, key, 0, 32), width=32)
    minima = jnp.asarray(quenched.x[quenched.value < -14.0])
    pick, shift, turn = jax.random.split(key, 3)
    x = minima[jax.random.randint(pick, (count,), 0, len(minima))]
    x = x + amplitude * cluster.length * jax.random.normal(shift, x.shape)
    return Climb(x=x, direction=jax.random.normal(turn, x.shape))


def test_mueller_brown_saddles():
    surface = system("muller-brown")
    starts = Climb(
        x=jnp.array([[-0.7, 0.8], [0.15, 0.32], [-0.75, 0.5], [0.3, 0.2]]),
        direction=jnp.array([[0.5, -0.5], [1.0, -0.5], [1.0, 0.0], [0.0, 1.0]]),
    )
    found = solve_many(surface, Dimer(tol=1e-8), starts, width=4)
    assert np.all(found.outcome == Outcome.success)
    errors = np.abs(found.value[:, None] - MUELLER_BROWN)
    assert errors.min(axis=1).max() < 1e-8
    assert errors.min(axis=0).max() < 1e-8


@pytest.mark.slow
def test_lj7_from_gradients_alone(lj7):
    found = solve_many(lj7, Dimer(), climbs(lj7, 192), width=64)
    done = found.outcome == Outcome.success
    assert done.mean() > 0.9  # measured: 0.99
    energies = found.value[done & (found.value < -12.5)]
    known = np.abs(energies[:, None] - LJ7) < 1e-5
    assert known.any(axis=1).all()
    assert known.any(axis=0).sum() >= 7
    curvatures = found.extra[1]
    assert np.all(curvatures[done] < 0)


def test_index_and_mode(lj7):
    """Every success has one negative curvature, and the dimer lies along it."""
    cluster = system("lj7")
    found = solve_many(lj7, Dimer(), climbs(lj7, 32), width=64)
    modes, curvatures = found.extra
    dense = jax.jit(lambda x: jnp.linalg.eigh(hessian(cluster.energy, x)))
    for row in np.flatnonzero(found.outcome == Outcome.success)[:8]:
        values, vectors = dense(jnp.asarray(found.x[row]))
        assert np.sum(values < -1e-3) == 1
        assert abs(modes[row] @ np.asarray(vectors)[:, 0]) > 0.95
        assert curvatures[row] == pytest.approx(float(values[0]), rel=0.1, abs=0.5)


def test_stands_in_for_eigenvector_following():
    """Same start, same shape of result, same saddle."""
    surface = system("muller-brown")
    start = Climb(x=jnp.array([[-0.7, 0.8]]), direction=jnp.array([[0.5, -0.5]]))
    a = solve_many(surface, Dimer(), start, width=4)
    b = solve_many(surface, EigenvectorFollowing(max_uphill=0.07), start, width=4)
    assert jax.tree.structure(a) == jax.tree.structure(b)
    assert jax.tree.map(np.shape, jax.tree.leaves(a)) == jax.tree.map(np.shape, jax.tree.leaves(b))
    np.testing.assert_allclose(a.x, b.x, atol=1e-6)


def test_lanes_do_not_matter():
    surface = system("muller-brown")
    start = Climb(x=jnp.array([-0.7, 0.8]), direction=jnp.array([0.5, -0.5]))
    alone = solve(surface, Dimer(), start)
    many = solve_many(surface, Dimer(), jax.tree.map(lambda z: jnp.stack([z] * 3), start), width=2)
    np.testing.assert_allclose(many.x, np.stack([alone.x] * 3), atol=1e-9)


def test_zero_modes_are_left_out(lj7):
    """A direction that is a pure rotation is not followed."""
    start = climbs(lj7, 1)
    x = start.x[0]
    zero = lj7.symmetry.zero_modes(x)
    solver = Dimer()
    state = solver.init(lj7, Climb(x=x, direction=zero[4] + 0.1 * start.direction[0]))
    step = jax.jit(lambda state: solver.step(lj7, state))
    for _ in range(3):
        state = step(state)
        overlap = lj7.symmetry.zero_modes(state.x) @ state.mode
        np.testing.assert_allclose(overlap, 0.0, atol=1e-10)


def test_three_evaluations_a_step():
    calls = []

    class Counted(AbstractLaneEnergy):
        def __call__(self, x):
            return jnp.sum((x**2 - 1.0) ** 2)

        def lane_value_and_grad(self, x):
            calls.append(x.shape)
            return jnp.sum((x**2 - 1.0) ** 2, axis=0), 4.0 * x * (x**2 - 1.0)

        def lane_hvp(self, x, v):
            raise AssertionError

    wells = System(Counted(), shape=(2,))
    start = Climb(x=jnp.array([0.8, 0.9]), direction=jnp.array([1.0, 0.1]))
    state = Dimer().init(wells, start)
    assert not calls
    Dimer().step(wells, state)
    assert len(calls) == 3


def test_double_well_saddle():
    wells = System(lambda x: jnp.sum((x**2 - 1.0) ** 2), shape=(2,))
    start = Climb(x=jnp.array([0.8, 0.9]), direction=jnp.array([1.0, 0.1]))
    found = solve(wells, Dimer(), start)
    assert found.outcome == Outcome.success
    np.testing.assert_allclose(np.abs(found.x), [0.0, 1.0], atol=1e-6)
    assert np.sqrt(np.mean(value_and_grad(wells.energy, jnp.asarray(found.x))[1] ** 2)) < 1e-6
