"""FIRE: reaches the minima that L-BFGS reaches, in any units, and ends badly by name."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import BoxStart, FunctionEnergy, Outcome, System, solve, solve_many, start_points
from thalweg.energies import system
from thalweg.search._fire import FIRE
from thalweg.search._lbfgs import LBFGS

# Minima of the Mueller-Brown surface; Mueller & Brown, Theor. Chim. Acta 53, 75 (1979).
MUELLER_BROWN = [-146.699517210, -108.166724117, -80.767818130]
# All four minima of seven Lennard-Jones atoms; Tsai & Jordan, J. Phys. Chem. 97, 11227 (1993).
LJ7 = [-16.505384, -15.935043, -15.593211, -15.533060]


def test_mueller_brown_minima(key):
    surface = system("muller-brown")
    found = solve_many(surface, FIRE(), start_points(surface, key, 0, 32), width=16)
    assert np.all(found.outcome == Outcome.success)
    assert np.all(np.min(np.abs(found.value[:, None] - MUELLER_BROWN), axis=1) < 1e-7)
    assert len(np.unique(found.value.round(4))) == 3


def test_lj7_minima(key):
    cluster = system("lj7")
    starts = start_points(cluster, key, 0, 64)
    found = solve_many(cluster, FIRE(), starts, width=32)
    done = found.outcome == Outcome.success
    assert done.mean() > 0.9
    bound = done & (found.value < -14.0)  # the others lost an atom
    assert np.all(np.min(np.abs(found.value[bound, None] - LJ7), axis=1) < 1e-6)
    # Guénolé et al. (2020) find FIRE within a few times the evaluations of L-BFGS; measured 2.5.
    reference = solve_many(cluster, LBFGS(), starts, width=32)
    assert found.steps[done].mean() < 6.0 * reference.steps.mean()


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_unit_of_energy_does_not_matter(unit):
    """The first time step is taken from the first gradient, so the iterates are the same."""

    def valley(x):
        return unit * (x[0] ** 2 + 100.0 * (x[1] - 0.2) ** 2)

    valley_system = System(valley, shape=(2,))
    found = solve(valley_system, FIRE(tol=1e-6 * unit), jnp.array([0.7, -0.5]))
    plain = System(lambda x: valley(x) / unit, shape=(2,))
    same = solve(plain, FIRE(tol=1e-6), jnp.array([0.7, -0.5]))
    assert found.outcome == Outcome.success
    assert abs(int(found.steps) - int(same.steps)) <= 2
    np.testing.assert_allclose(found.x, [0.0, 0.2], atol=1e-6)


def test_kinked_energy():
    """A gradient that jumps misleads secant pairs, not FIRE."""
    kinked = System(lambda x: jnp.sum(jnp.abs(x)) + jnp.sum(x**2), shape=(3,))
    state, solver = None, FIRE(max_step=0.1)
    state = solver.init(kinked, jnp.array([0.9, -0.4, 0.3]))
    step = eqx.filter_jit(solver.step)
    for _ in range(300):
        state = step(kinked, state)
    assert state.value < 1e-2


def test_refuses_trials_that_are_not_finite():
    """Beyond the edge the logarithm is not a number: the step is shortened until it is."""
    walled = System(lambda x: jnp.sum(x - jnp.log(x)), shape=(2,), start=BoxStart(2, 1.0))
    found = solve(walled, FIRE(max_step=5.0, first_step=1.0), jnp.array([4.0, 0.05]))
    assert found.outcome == Outcome.success
    np.testing.assert_allclose(found.x, 1.0, atol=1e-5)


def test_bad_start_is_named():
    broken = System(FunctionEnergy(lambda x: jnp.sum(jnp.log(x)), (2,)), shape=(2,))
    assert solve(broken, FIRE(), jnp.array([-1.0, 1.0])).outcome == Outcome.nonfinite


def test_step_cap(key):
    cluster = system("lj7")
    solver = FIRE(max_step=0.01)
    x = 0.5 * start_points(cluster, key, 0, 1)[0]  # overlapping: enormous forces
    state = solver.init(cluster, x)
    step = jax.jit(lambda state: solver.step(cluster, state))
    for _ in range(20):
        before = state.x
        state = step(state)
        moved = np.sqrt(np.mean((state.x - before) ** 2))
        assert moved <= 0.01 * cluster.length * (1 + 1e-12)


def test_lanes_do_not_matter(key):
    cluster = system("lj7")
    starts = start_points(cluster, key, 0, 6)
    many = solve_many(cluster, FIRE(), starts, width=4)
    one = solve(cluster, FIRE(), starts[3])
    assert many.value[3] == pytest.approx(float(one.value), abs=1e-9)
