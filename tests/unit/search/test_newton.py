"""Newton's method in a trust region."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import (
    BoxStart,
    HostEnergy,
    Outcome,
    System,
    hessian,
    hvp,
    solve_many,
    start_points,
)
from thalweg.energies import system as catalogue
from thalweg.search import LBFGS, Climb, Newton, certify_many, quench_many

CURVATURES = np.logspace(-6.0, 2.0, 12)


def _stiff(x):
    """Curvatures from 1e-6 to 1e2 in turned coordinates, and a quartic that bends the valleys."""
    turn = jnp.asarray(np.linalg.qr(np.vander(np.linspace(-1, 1, 12)))[0])
    y = turn @ x
    bent = y - 0.05 * jnp.roll(y, 1) ** 2
    return 0.5 * jnp.sum(jnp.asarray(CURVATURES) * bent**2)


@pytest.fixture(scope="module")
def stiff():
    return System(_stiff, (12,), start=BoxStart(12, 3.0))


def test_ill_conditioned(stiff):
    """A condition number of 1e8: L-BFGS stops far from the minimum with a small gradient."""
    starts = np.asarray(start_points(stiff, jax.random.key(0), 0, 32))
    found = quench_many(stiff, starts, Newton(), width=16)
    assert np.all(found.outcome == Outcome.success)
    assert found.steps.max() < 120
    assert np.abs(found.x).max() < 1e-2
    rough = quench_many(stiff, starts, LBFGS(tol=1e-6))
    assert np.median(np.linalg.norm(rough.x, axis=1)) > 10 * np.linalg.norm(found.x, axis=1).max()


def test_lanes_do_not_matter(stiff):
    starts = np.asarray(start_points(stiff, jax.random.key(1), 0, 20))
    wide, narrow = (quench_many(stiff, starts, Newton(), width=w) for w in (16, 4))
    np.testing.assert_array_equal(wide.steps, narrow.steps)
    np.testing.assert_allclose(wide.x, narrow.x, atol=1e-8)


def test_both_kinds_of_points_of_mueller_brown():
    surface = catalogue("muller-brown")
    starts = np.asarray(start_points(surface, jax.random.key(0), 0, 64))
    low = quench_many(surface, starts, Newton())
    assert np.all(low.outcome == Outcome.success)
    assert set(np.round(low.value, 6)) == {-146.699517, -108.166724, -80.767818}
    beside = Climb(low.x + 0.03, np.asarray(start_points(surface, jax.random.key(2), 0, 64)))
    high = solve_many(surface, Newton(index=1), beside)
    found = high.outcome == Outcome.success
    assert found.sum() > 32
    assert set(np.round(high.value[found], 6)) == {-72.24894, -40.664844}
    mode, curvature = high.extra
    assert np.all(curvature[found] < 0)
    np.testing.assert_allclose(np.linalg.norm(mode[found], axis=1), 1.0, atol=1e-12)


@pytest.mark.slow
def test_zero_modes_are_left_alone():
    """Three atoms: six zero modes at the triangle, five at the line."""
    cluster = catalogue("ljat3")
    starts = np.asarray(start_points(cluster, jax.random.key(3), 0, 16))
    found = quench_many(cluster, starts, Newton(max_step=0.05))
    good = found.outcome == Outcome.success
    assert good.sum() >= 12
    proofs = [point.certificate for point in certify_many(cluster, found.x[good], 0)]
    assert all(proof.ok for proof in proofs)
    assert {proof.zero_modes for proof in proofs} <= {5, 6}
    assert set(np.round(found.value[good], 6)) <= {-2.219098, -2.185099}


def test_what_cannot_be_minimised():
    """A slope without an end is followed to the limit; NaN ends a lane."""
    system = System(lambda x: jnp.sum(jnp.where(x < 0, jnp.log(x), x)), (2,))
    run = quench_many(system, np.array([[90.0, 90.0], [-1.0, 1.0]]), Newton(max_steps=40))
    assert [Outcome(int(code)) for code in run.outcome] == [Outcome.max_steps, Outcome.nonfinite]


def test_hessians_of_plain_energies(stiff):
    x = start_points(stiff, jax.random.key(0), 0, 3).T
    matrices = hessian(stiff.energy, x)
    v = jnp.cos(jnp.arange(36.0)).reshape(12, 3)
    product = jnp.einsum("lij,jl->il", matrices, v)
    np.testing.assert_allclose(product, hvp(stiff.energy, x, v), rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(matrices, jnp.swapaxes(matrices, 1, 2))


def test_minimisers_take_over_from_each_other(stiff):
    starts = np.asarray(start_points(stiff, jax.random.key(0), 0, 16))
    gradients = LBFGS(max_steps=20)
    alone = quench_many(stiff, starts, gradients)
    both = quench_many(stiff, starts, (gradients, Newton()), width=16)
    after = quench_many(stiff, alone.x, Newton(), width=16)
    assert np.all(alone.outcome == Outcome.max_steps)
    assert np.all(both.outcome == Outcome.success)
    np.testing.assert_array_equal(both.steps, alone.steps + after.steps)
    np.testing.assert_array_equal(both.x, after.x)


def test_updated_hessians_lead_to_the_same_points():
    """Few exact Hessians, updated in between: more steps to the same minima and saddles."""
    cluster = catalogue("lj7")
    starts = np.asarray(start_points(cluster, jax.random.key(0), 0, 16))
    rough = np.asarray(quench_many(cluster, starts, LBFGS(max_steps=40)).x)
    exact, updated = (
        quench_many(cluster, rough, Newton(refresh=r, tol=1e-6), width=16) for r in (1, 20)
    )
    assert np.all(updated.outcome == Outcome.success)
    assert updated.steps.mean() > exact.steps.mean()
    same = np.abs(updated.value - exact.value) < 1e-9
    assert same.sum() >= 14
    beside = Climb(
        np.asarray(exact.x) + 0.05 * np.sin(np.arange(exact.x.size)).reshape(exact.x.shape),
        np.asarray(start_points(cluster, jax.random.key(2), 0, 16)),
    )
    high = solve_many(cluster, Newton(index=1, refresh=10, tol=1e-6, max_step=0.3), beside)
    found = high.outcome == Outcome.success
    assert found.sum() >= 4
    proofs = certify_many(cluster, np.asarray(high.x)[found], 1)
    assert all(point.certificate.ok for point in proofs)
    moved = [np.linalg.norm(p.x - x) for p, x in zip(proofs, high.x[found], strict=True)]
    assert max(moved) < 1e-3


def test_updates_spare_calls():
    """A function outside JAX is called for every column of an exact Hessian."""
    turn = np.linalg.qr(np.vander(np.linspace(-1, 1, 4)))[0]
    matrix = turn @ np.diag([1.0, 2.0, 3.0, 5.0]) @ turn.T

    calls = []

    def value_and_grad(x):
        calls.append(1)
        return 0.5 * float(x @ matrix @ x) + 0.05 * float(np.sum(x**4)), matrix @ x + 0.2 * x**3

    system = System(HostEnergy(value_and_grad, 4), (4,))
    ends = []
    for refresh in (1, 50):
        calls.clear()
        ends.append(quench_many(system, np.ones((1, 4)), Newton(refresh=refresh, tol=1e-6)))
        ends.append(len(calls))
    exact, dear, updated, cheap = ends
    assert exact.outcome[0] == updated.outcome[0] == Outcome.success
    np.testing.assert_allclose(updated.x, 0.0, atol=1e-5)
    assert cheap < dear / 2
