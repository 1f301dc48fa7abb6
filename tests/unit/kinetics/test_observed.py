"""Walkers, and what can be learned from watching them.

Statistical tests have fixed keys and reject a true hypothesis at |z| > 4: once in 16,000.
"""

import jax
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.kinetics import (
    JumpStatistics,
    MarkovChain,
    commit,
    count_transitions,
    estimate_from_lag,
    estimate_generator,
    find_jumps,
    first_passages,
    matrix_logarithm,
    nearest_core,
    simulate,
    transition_rates,
)
from thalweg.landscape import TransitionNetwork


@pytest.fixture(scope="module")
def chain():
    network = TransitionNetwork.bare(
        np.array([0.0, 0.3, 0.1, 0.5]),
        np.array([1.0, 1.1, 0.9, 1.6]),
        np.array([[0, 1], [1, 2], [2, 3], [0, 2]]),
    )
    return transition_rates(network, 0.5)


@pytest.mark.statistical
def test_walkers_arrive_on_time(chain, key):
    sample = first_passages(chain, [0, 1], 3, key=key, walkers=4000)
    assert sample.arrived.all()
    assert (sample.states == 3).all()
    assert abs(sample.mean - chain.mfpt([0, 1], 3)) < 4 * sample.error


def test_walkers_do_not_depend_on_their_number(chain, key):
    many = first_passages(chain, 0, 3, key=key, walkers=50)
    few = first_passages(chain, 0, 3, key=key, walkers=7)
    assert (many.times[:7] == few.times).all()


def test_walkers_that_give_up_say_so(chain, key):
    sample = first_passages(chain, 0, 3, key=key, walkers=50, max_jumps=2)
    assert 0 < sample.arrived.sum() < 50
    with pytest.raises(ArgumentError, match="have not arrived"):
        _ = sample.mean


@pytest.mark.statistical
def test_generator_from_jumps(chain, key):
    seen = simulate(chain, 0, key=key, walkers=40, jumps=500)
    observed = JumpStatistics.of(seen.states, seen.times)
    true = chain.generator.toarray()
    for reversible in (False, True):
        found = estimate_generator(observed, reversible=reversible)
        assert found.converged
        off = ~np.eye(4, dtype=bool) & (true > 0)
        z = (found.generator - true)[off] / found.errors[off]
        assert np.abs(z).max() < 4
        assert found.chain().is_reversible or not reversible
    free = estimate_generator(observed)
    assert free.log_likelihood >= estimate_generator(observed, reversible=True).log_likelihood


def test_reversible_estimate_is_a_maximum(chain, key):
    seen = simulate(chain, 0, key=key, walkers=3, jumps=100)
    observed = JumpStatistics.of(seen.states, seen.times, 4)
    best = estimate_generator(observed, reversible=True)
    pi = best.chain().stationary
    flux = pi[:, None] * best.generator

    def likelihood(flux, pi):
        rates = flux / pi[:, None]
        np.fill_diagonal(rates, 0.0)
        there = observed.counts > 0
        value = np.sum(observed.counts[there] * np.log(rates[there]))
        return value - observed.times @ rates.sum(axis=1)

    top = likelihood(flux, pi)
    assert top == pytest.approx(best.log_likelihood, rel=1e-12)
    for trial in range(20):
        noise = 0.01 * np.asarray(jax.random.normal(jax.random.fold_in(key, trial), (5, 4)))
        bent = flux * np.exp(noise[:4] + noise[:4].T)
        assert likelihood(bent, pi * np.exp(noise[4])) < top


def test_exact_probabilities_give_the_generator_back(chain):
    from scipy.linalg import expm

    true, lag = chain.generator.toarray(), 3.0
    counts = 1e6 * chain.stationary[:, None] * expm(true * lag)
    np.testing.assert_allclose(matrix_logarithm(counts, lag), true, atol=1e-9)
    for reversible in (False, True):
        found = estimate_from_lag(counts, lag, reversible=reversible)
        np.testing.assert_allclose(found.generator, true, atol=2e-5)


@pytest.mark.statistical
def test_generator_from_a_lag(chain, key):
    seen = simulate(chain, 0, key=key, walkers=1, jumps=20000)
    ends, lag = np.cumsum(seen.times[0]), 4.0
    frames = seen.states[0][np.searchsorted(ends, np.arange(0.0, ends[-1], lag), side="right")]
    counts = count_transitions([frames], n_states=4)
    found = estimate_from_lag(counts, lag, reversible=True)
    assert found.converged
    assert found.chain().is_reversible
    # Slow rates are known to some per cent from as many jumps.
    assert found.chain().mfpt(0, 3) == pytest.approx(chain.mfpt(0, 3), rel=0.1)
    plain = estimate_from_lag(counts, lag)
    assert plain.log_likelihood >= found.log_likelihood - 1e-6


def test_cores_and_commitment():
    labels = np.array([-1, 0, 0, -1, 1, -1, 0, -1, 1, 1, 1, -1, -1, 0, 1, 1])
    assert commit(labels).tolist() == [-1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1]
    assert commit(labels, 2).tolist() == [-1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
    states, times = find_jumps(commit(labels, 2), 0.5)
    assert states.tolist() == [0, 1]
    assert times.tolist() == [3.5, 4.0]
    points = np.array([[0.0, 0.1], [0.4, 0.0], [0.9, 0.0], [2.0, 0.0]])
    assert nearest_core(points, np.array([[0.0, 0.0], [1.0, 0.0]]), 0.2).tolist() == [0, -1, 1, -1]
    observed = JumpStatistics.of([states], [times])
    assert observed.counts.tolist() == [[0, 1], [0, 0]]
    assert observed.times.tolist() == [3.5, 4.0]


def test_states_that_were_never_seen(chain):
    observed = JumpStatistics(counts=np.zeros((2, 2)), times=np.array([1.0, 0.0]))
    with pytest.raises(ArgumentError, match="no time was spent in state 1"):
        estimate_generator(observed)
    with pytest.raises(ArgumentError, match="never seen with a successor"):
        matrix_logarithm(np.array([[3.0, 1.0], [0.0, 0.0]]), 1.0)
    with pytest.raises(ArgumentError, match="not sure to be reached"):
        first_passages(
            MarkovChain.from_generator(np.array([[0.0, 0], [1, 0]])), 0, 1, key=jax.random.key(0)
        )
