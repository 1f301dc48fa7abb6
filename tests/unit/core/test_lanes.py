"""The engine: results belong to items, whatever lane, width or company they had."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import FreeSpace, Lanes, Outcome, System, solve, solve_many, start_points
from thalweg.energies import system as catalogue
from thalweg.search import FIRE, LBFGS, Climb, EigenvectorFollowing


@pytest.fixture(scope="module")
def cluster():
    return catalogue("lj13")


@pytest.fixture(scope="module")
def starts(cluster):
    return np.asarray(start_points(cluster, jax.random.key(3), 0, 40))


def test_results_are_bitwise_independent_of_width(cluster, starts):
    narrow = solve_many(cluster, LBFGS(), starts, width=16)
    wide = solve_many(cluster, LBFGS(), starts, width=64)
    np.testing.assert_array_equal(narrow.x, wide.x)
    np.testing.assert_array_equal(narrow.steps, wide.steps)
    np.testing.assert_array_equal(narrow.outcome, wide.outcome)


def test_results_are_independent_of_order_and_company(cluster, starts):
    lanes = Lanes(cluster, LBFGS(), 16)
    lanes.feed(np.arange(40)[::-1], starts[::-1])
    found = {}
    while lanes.busy:
        ids, rows = lanes.poll()
        found.update(zip(ids.tolist(), rows.x, strict=True))
    together = solve_many(cluster, LBFGS(), starts, width=16)
    np.testing.assert_array_equal(np.stack([found[k] for k in range(40)]), together.x)


def test_items_fed_while_running_come_back(cluster, starts):
    lanes = Lanes(cluster, LBFGS(), 16)
    lanes.feed(np.arange(5), starts[:5])
    got = set()
    fed = False
    while lanes.busy:
        ids, _ = lanes.poll()
        got |= set(ids.tolist())
        if not fed:
            lanes.feed(np.arange(5, 9), starts[5:9])
            fed = True
    assert got == set(range(9))


def test_block_agrees_with_single_point(cluster, starts):
    one = solve(cluster, LBFGS(), jnp.asarray(starts[0]))
    many = solve_many(cluster, LBFGS(), starts[:1])
    np.testing.assert_allclose(one.value, many.value[0], rtol=1e-9)


def test_climbs_are_independent_of_width(cluster, starts):
    minima = solve_many(cluster, LBFGS(), starts[:20]).x
    rng = jax.random.normal(jax.random.key(1), minima.shape)
    begin = Climb(minima + 0.1 * np.asarray(rng), np.asarray(rng)[:, ::-1].copy())
    narrow = solve_many(cluster, EigenvectorFollowing(), begin, width=16)
    wide = solve_many(cluster, EigenvectorFollowing(), begin, width=32)
    np.testing.assert_array_equal(narrow.x, wide.x)
    assert (narrow.outcome == Outcome.success).mean() > 0.8


def _quadratic(x):
    return 0.5 * jnp.sum(x * x)


@pytest.mark.parametrize("solver", [LBFGS(), FIRE(max_step=0.2)])
@pytest.mark.parametrize(
    ("energy", "start", "expected"),
    [
        (_quadratic, [1.0, 2.0], Outcome.success),
        (lambda x: jnp.sum(x) * jnp.nan, [1.0, 2.0], Outcome.nonfinite),
        (lambda x: jnp.sum(x) + jnp.inf, [1.0, 2.0], Outcome.nonfinite),
        (lambda x: -jnp.sum(x), [1.0, 2.0], Outcome.escaped),
        (lambda x: -jnp.sum(jnp.exp(x)), [1.0, 2.0], Outcome.collapsed),
    ],
)
def test_every_end_has_a_name(solver, energy, start, expected):
    system = System(energy, space=FreeSpace((2,), extent=10.0), length=1.0, floor=-1e4)
    finished = solve_many(system, solver, np.array([start]))
    assert Outcome(int(finished.outcome[0])) is expected


def test_step_limit_is_an_outcome(cluster, starts):
    finished = solve_many(cluster, LBFGS(max_steps=3), starts[:4])
    assert set(finished.outcome.tolist()) == {int(Outcome.max_steps)}
    assert set(finished.steps.tolist()) == {3}


def test_wrong_gradient_ends_without_success():
    @jax.custom_jvp
    def energy(x):
        return jnp.sum(x * x)

    energy.defjvp(lambda primal, tangent: (energy(*primal), -2.0 * jnp.sum(primal[0] * tangent[0])))
    system = System(energy, shape=(3,))
    finished = solve_many(system, LBFGS(max_steps=500), np.ones((1, 3)))
    assert Outcome(int(finished.outcome[0])) in {Outcome.stalled, Outcome.max_steps}


def test_nothing_to_do_is_refused(cluster):
    with pytest.raises(ValueError, match="at least one start"):
        solve_many(cluster, LBFGS(), np.zeros((0, 39)))


def test_one_program_for_solvers_that_differ_in_numbers(cluster, starts):
    """Tolerances and step caps are operands, not constants of the compiled program."""
    from thalweg.core._lanes import _refill_and_advance

    solve_many(cluster, LBFGS(tol=1e-4), starts[:4], width=16)
    before = _refill_and_advance._cached._cache_size()
    solve_many(cluster, LBFGS(tol=1e-3, max_step=0.05), starts[:4], width=16)
    assert _refill_and_advance._cached._cache_size() == before
