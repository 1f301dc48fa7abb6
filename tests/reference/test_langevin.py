"""Predicted rates against simulated Langevin dynamics on the Müller-Brown surface.

Kramers' rates for a spatially uniform friction, `κ` times harmonic transition-state theory, and
the chain made of them predict the mean time from the deepest minimum to the second, over the
shallow third. BAOAB dynamics of unit mass (B. Leimkuhler and C. Matthews, Appl. Math. Res. Express
2013, 34) measures it. Barriers of 7 and 10 kT, a third minimum of less than one: the harmonic
prediction is expected to hold within a factor of 1.5, and the statistical error is some per cent.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.energies import mueller_brown
from thalweg.kinetics import (
    JumpStatistics,
    commit,
    estimate_generator,
    find_jumps,
    nearest_core,
    transition_rates,
)
from thalweg.landscape import TransitionNetwork

FRICTION = 25.0  # about the frequencies of the barriers, 27: the turnover lies far below
STEP = 0.004
A = jnp.array([-0.558223635, 1.441725842])
B = jnp.array([0.623499405, 0.028037759])

NETWORK = TransitionNetwork(
    ids=np.arange(3),
    energies=np.array([-146.699517210, -108.166724117, -80.767818130]),
    orders=np.ones(3, dtype=int),
    log_products=np.log(
        [410.531135 * 4068.198955, 543.836189 * 3005.395865, 221.037473 * 1479.197022]
    ),
    hits=np.ones(3, dtype=int),
    ts_ids=np.arange(2),
    ts_energies=np.array([-72.248940112, -40.664843509]),
    ts_orders=np.ones(2, dtype=int),
    ts_log_products=np.log([510.886565, 490.240708]),
    ts_hits=np.ones(2, dtype=int),
    ts_minima=np.array([[2, 1], [0, 2]]),
)
NEGATIVE = np.array([-735.247262, -750.862663])


def baoab(kt, key, walkers, start):
    """One step of BAOAB for many walkers, and where they begin."""
    force = jax.vmap(lambda x: -jax.grad(mueller_brown)(x))
    keep = np.exp(-FRICTION * STEP)
    spread = np.sqrt(kt * (1 - keep**2))

    def step(carry, i):
        x, v = carry
        v = v + 0.5 * STEP * force(x)
        x = x + 0.5 * STEP * v
        noise = jax.random.normal(jax.random.fold_in(key, i), v.shape, v.dtype)
        v = keep * v + spread * noise
        x = x + 0.5 * STEP * v
        v = v + 0.5 * STEP * force(x)
        return x, v

    v = np.sqrt(kt) * jax.random.normal(jax.random.fold_in(key, 2**31), (walkers, 2))
    return step, (jnp.tile(start, (walkers, 1)), v)


def first_passages(kt, key, walkers, start, target, radius, limit):
    """Times at which walkers first come within `radius` of the target."""
    step, begin = baoab(kt, key, walkers, start)

    def unfinished(carry):
        return (carry[0] < limit) & jnp.any(carry[3] == 0)

    def advance(carry):
        i, x, v, arrived = carry
        x, v = step((x, v), i)
        here = jnp.sum((x - target) ** 2, axis=1) < radius**2
        return i + 1, x, v, jnp.where((arrived == 0) & here, i + 1, arrived)

    zeros = jnp.zeros(walkers, jnp.int64)
    run = jax.jit(lambda: jax.lax.while_loop(unfinished, advance, (jnp.asarray(0), *begin, zeros)))
    arrived = np.asarray(run()[3])
    assert (arrived > 0).all()
    return arrived * STEP


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize(("kt", "walkers"), [(15.0, 500), (11.0, 200)])
def test_time_from_a_to_b(kt, walkers, key):
    chain = transition_rates(NETWORK, kt, friction=FRICTION, negative_curvatures=NEGATIVE)
    times = first_passages(kt, key, walkers, A, B, 0.1, 20_000_000)
    ratio = times.mean() / chain.mfpt(0, 1)
    error = times.std() / np.sqrt(walkers) / times.mean()
    print(f"kT = {kt}: {times.mean():.4g} / {chain.mfpt(0, 1):.4g} = {ratio:.3f} ± {error:.3f}")
    assert error < 0.1
    assert 1 / 1.5 < ratio < 1.5
    # Transition-state theory alone, without recrossings, is too fast by 1 / κ.
    assert chain.mfpt(0, 1) / transition_rates(NETWORK, kt).mfpt(0, 1) == pytest.approx(1.6, abs=0.1)


@pytest.mark.statistical
def test_time_from_b_to_a(key):
    chain = transition_rates(NETWORK, 15.0, friction=FRICTION, negative_curvatures=NEGATIVE)
    times = first_passages(15.0, key, 300, B, A, 0.1, 1_000_000)
    assert 1 / 1.5 < times.mean() / chain.mfpt(1, 0) < 1.5


@pytest.mark.statistical
def test_generator_from_trajectories(key):
    # The other way round: states by cores, jumps counted, rates estimated.
    step, begin = baoab(15.0, key, 64, A)
    every = 5

    def record(carry, i):
        carry = jax.lax.fori_loop(0, every, lambda j, c: step(c, i * every + j), carry)
        return carry, carry[0]

    frames = np.asarray(jax.jit(lambda: jax.lax.scan(record, begin, jnp.arange(20_000))[1])())
    cores = np.asarray([A, B])
    visits = [
        find_jumps(commit(nearest_core(frames[:, w], cores, 0.25)), every * STEP)
        for w in range(64)
    ]
    observed = JumpStatistics.of([v[0] for v in visits], [v[1] for v in visits], 2)
    found = estimate_generator(observed, reversible=True)
    chain = transition_rates(NETWORK, 15.0, friction=FRICTION, negative_curvatures=NEGATIVE)
    assert observed.counts.sum() > 200
    for i, j in ((0, 1), (1, 0)):
        assert 1 / 1.5 < found.generator[i, j] * chain.mfpt(i, j) < 1.5
