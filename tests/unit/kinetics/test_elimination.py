"""Elimination: the same answer in floats and with exponents, any order, any units."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.kinetics import MarkovChain, transition_rates
from thalweg.kinetics._elimination import eliminate, narrow, widen
from thalweg.kinetics._sparse_log import log_matrix
from thalweg.landscape import TransitionNetwork


def random_log_rates(seed, n, spread, density=0.3):
    key = jax.random.key(seed)
    log = spread * np.asarray(jax.random.normal(key, (n, n)))
    there = np.asarray(jax.random.uniform(jax.random.fold_in(key, 1), (n, n))) < density
    there |= np.roll(np.eye(n, dtype=bool), 1, axis=1)  # a ring: every state leads to every other
    np.fill_diagonal(there, val=False)
    rows, columns = np.nonzero(there)
    return log_matrix(rows, columns, log[rows, columns], n)


@given(st.floats(-1e5, 1e5))
def test_wide_numbers_keep_logarithms(log):
    m, e = widen(np.array([log, -np.inf]))
    back = narrow(m, e)
    assert back[0] == pytest.approx(log, rel=1e-15, abs=1e-13)
    assert np.isneginf(back[1])


@pytest.mark.parametrize("n", [2, 5, 60, 150])
@pytest.mark.parametrize("density", [0.02, 0.6])
def test_floats_and_exponents_agree(n, density):
    log = random_log_rates(n, n, 4.0, density)
    keep = np.zeros(n, dtype=bool)
    keep[[0, -1]] = True
    source, boundary = np.zeros(n), np.full(n, -np.inf)
    solved = [
        eliminate(log, keep, wide=wide).solve(source, boundary)[~keep] for wide in (False, True)
    ]
    np.testing.assert_allclose(solved[0], solved[1], atol=1e-13, rtol=1e-13)


@given(st.integers(0, 10_000), st.floats(-2000, 2000))
def test_time_scales_with_the_unit(seed, shift):
    log = random_log_rates(seed, 12, 30.0)
    before = MarkovChain(log_rates=log).log_mfpts(3)
    log.data += shift
    after = MarkovChain(log_rates=log).log_mfpts(3)
    np.testing.assert_allclose(np.delete(after + shift, 3), np.delete(before, 3), atol=1e-9)


@given(st.integers(0, 10_000))
def test_order_of_states_does_not_matter(seed):
    n = 15
    log = random_log_rates(seed, n, 50.0)
    shuffle = np.asarray(jax.random.permutation(jax.random.key(seed), n))
    rows = np.repeat(np.arange(n), np.diff(log.indptr))
    moved = log_matrix(shuffle[rows], shuffle[log.indices], log.data, n)
    before = MarkovChain(log_rates=log).log_mfpts(2)
    after = MarkovChain(log_rates=moved).log_mfpts(int(shuffle[2]))
    np.testing.assert_allclose(np.delete(after[shuffle], 2), np.delete(before, 2), rtol=1e-12)


def test_reduced_rates_keep_first_passages():
    log = random_log_rates(1, 40, 3.0)
    keep = np.zeros(40, dtype=bool)
    keep[[4, 9, 30]] = True
    reduced = eliminate(log, keep)
    logs, waits = reduced.log_rates(), reduced.gather(np.zeros(40))
    order = reduced.kept.tolist()
    assert sorted(order) == [4, 9, 30]
    full = MarkovChain(log_rates=log).mfpts(30)
    i, j, target = order.index(4), order.index(9), order.index(30)
    rates = np.exp(logs)
    exits = rates.sum(axis=1)
    a = np.array([[exits[i], -rates[i, j]], [-rates[j, i], exits[j]]])
    times = np.linalg.solve(a, np.exp(waits[[i, j]]))
    np.testing.assert_allclose(times, full[[4, 9]], rtol=1e-11)
    assert target not in (i, j)


def cold_network(n=700, temperature=0.02, seed=3):
    """Rates on a random graph whose reduced rates span a thousand decades."""
    key = jax.random.key(seed)
    energies = np.asarray(jax.random.normal(key, (n,)))
    ring = np.stack((np.arange(n), np.roll(np.arange(n), 1)), axis=1)
    chords = np.asarray(jax.random.randint(jax.random.fold_in(key, 1), (3 * n, 2), 0, n))
    ends = np.concatenate((ring, chords[chords[:, 0] != chords[:, 1]]))
    barrier = np.asarray(jax.random.exponential(jax.random.fold_in(key, 2), (len(ends),)))
    heights = energies[ends].max(axis=1) + barrier
    return transition_rates(TransitionNetwork.bare(energies, heights, ends), temperature)


@pytest.mark.parametrize("temperature", [0.05, 0.02, 0.01])
def test_rates_left_out_change_nothing(temperature):
    chain = cold_network(temperature=temperature)
    n = chain.n_states
    keep = np.zeros(n, dtype=bool)
    keep[[0, n // 2]] = True
    source, boundary = np.zeros(n), np.full(n, -np.inf)
    lossy = eliminate(chain.log_rates, keep, lossy=True)
    exact = eliminate(chain.log_rates, keep, wide=True)
    neglect = lossy.log_neglect(source)
    assert np.isneginf(exact.log_neglect(source))
    if temperature < 0.05:
        assert np.isfinite(neglect)  # some were left out
        assert exact.exponents.size
    assert not lossy.exponents.size
    times = [e.solve(source, boundary)[~keep] for e in (lossy, exact)]
    assert neglect + times[0].max() < -100.0
    np.testing.assert_allclose(times[0], times[1], atol=2e-12)
    np.testing.assert_allclose(lossy.log_rates(), exact.log_rates(), atol=2e-12)
    waits = [e.gather(source) for e in (lossy, exact)]
    np.testing.assert_allclose(waits[0], waits[1], atol=2e-12)


def test_rates_that_matter_are_not_left_out():
    """A trap whose only way out is far slower than the rates that a float can hold."""
    n = 400
    log = random_log_rates(7, n, 1.0, 0.5)
    rows = np.repeat(np.arange(n), np.diff(log.indptr))
    there = (rows < n - 1) & (log.indices < n - 1)
    inner = log_matrix(rows[there], log.indices[there], log.data[there], n)
    for barrier in (300.0, 690.0, 2000.0):
        out = log_matrix(np.array([5]), np.array([n - 1]), np.array([-barrier]), n)
        chain = MarkovChain(log_rates=inner + out)
        times = chain.log_mfpts(n - 1)[:-1]
        inside = MarkovChain(log_rates=inner[:-1, :-1].tocsr()).log_stationary
        np.testing.assert_allclose(times, barrier - inside[5], rtol=1e-12)
