"""Kinetics against exact solutions, dense linear algebra, arithmetic of many digits and LJ13.

LJ13: the network of 1,510 minima and 29,007 transition states distributed with PyGT (D. Kannan,
D. J. Sharpe, T. D. Swinburne and D. J. Wales, J. Chem. Phys. 153, 244108 (2020)); first-passage
times on which SciPy's sparse solver, PyGT and pele agree to 13 digits. The files are read from the
folder that THALWEG_LJ13 names.
Müller-Brown: stationary points by Newton's method to 1e-14, rates from the formula by hand.
"""

import os
import time
from pathlib import Path

import jax
import mpmath
import networkx as nx
import numpy as np
import pytest
import scipy.sparse.linalg

from thalweg.io import read_pathsample, write_pathsample
from thalweg.kinetics import MarkovChain, mean_first_passage_time, rate, transition_rates
from thalweg.landscape import TransitionNetwork

LJ13 = Path(os.environ.get("THALWEG_LJ13", "lj13-is-not-here"))
LJ13_TIMES = {  # icosahedron to second-lowest minimum, and back
    1.0: (8.3184499868e-1, 5.5292576700e-1),
    0.3: (6.0109351289, 6.5950582206e-1),
    0.2: (6.4895375312e3, 3.9389263053),
    0.1: (1.9108545332e12, 5.4162233767e2),
}


@pytest.fixture(scope="module")
def lj13():
    if not (LJ13 / "min.data").is_file():
        pytest.skip("THALWEG_LJ13 names no folder with the LJ13 network")
    return read_pathsample(LJ13)


def random_rates(seed, n, spread=3.0):
    """Rates of a random chain without detailed balance, some hundredth of the pairs missing."""
    key = jax.random.key(seed)
    rates = np.exp(spread * np.asarray(jax.random.normal(key, (n, n))))
    rates *= np.asarray(jax.random.uniform(jax.random.fold_in(key, 1), (n, n))) > 0.01
    np.fill_diagonal(rates, 0.0)
    return rates


def dense_times(rates, target):
    """First-passage times by linear algebra."""
    generator = rates - np.diag(rates.sum(axis=1))
    inside = np.setdiff1d(np.arange(len(rates)), target)
    times = np.zeros(len(rates))
    times[inside] = np.linalg.solve(-generator[np.ix_(inside, inside)], np.ones(len(inside)))
    return times


def exact_times(log_rates, target):
    """First-passage times by elimination of rational accuracy: 200 digits."""
    n = len(log_rates)
    with mpmath.workdps(400):
        inside = [i for i in range(n) if i not in target]
        a = mpmath.matrix(len(inside), len(inside))
        for row, i in enumerate(inside):
            for j in range(n):
                if i == j or np.isneginf(log_rates[i, j]):
                    continue
                k = mpmath.exp(mpmath.mpf(float(log_rates[i, j])))
                a[row, row] += k
                if j not in target:
                    a[row, inside.index(j)] -= k
        solved = mpmath.lu_solve(a, mpmath.ones(len(inside), 1))
        return {i: float(mpmath.log(solved[row])) for row, i in enumerate(inside)}


def staircase(n=24, seed=5):
    """A rugged one-dimensional landscape with some shortcuts."""
    key = jax.random.key(seed)
    energies = np.asarray(jax.random.uniform(key, (n,)))
    pairs = [(i, i + 1) for i in range(n - 1)] + [(i, i + 7) for i in range(0, n - 7, 5)]
    heights = 1.0 + np.asarray(jax.random.uniform(jax.random.fold_in(key, 1), (len(pairs),)))
    return TransitionNetwork.bare(energies, heights, np.array(pairs))


@pytest.mark.parametrize(("a", "b"), [(1e-3, 2.0), (5.0, 7.0), (1e-200, 1e100)])
def test_two_states(a, b):
    chain = MarkovChain.from_generator(np.array([[0.0, a], [b, 0.0]]))
    assert chain.mfpt(0, 1) == pytest.approx(1 / a, rel=1e-13)
    assert chain.mfpt(1, 0) == pytest.approx(1 / b, rel=1e-13)
    np.testing.assert_allclose(chain.stationary, [b / (a + b), a / (a + b)], rtol=1e-12)
    assert chain.timescales(1)[0] == pytest.approx(1 / (a + b), rel=1e-12)


def test_three_states_in_a_row():
    k01, k10, k12, k21 = 0.3, 2.0, 0.7, 0.05
    rates = np.array([[0, k01, 0], [k10, 0, k12], [0, k21, 0]])
    chain = MarkovChain.from_generator(rates)
    forward, back = chain.rate_constants(0, 2)
    time_there = (k01 + k10 + k12) / (k01 * k12)
    assert chain.mfpt(0, 2) == pytest.approx(time_there, rel=1e-13)
    assert forward.mfpt == pytest.approx(time_there, rel=1e-13)
    assert forward.rate == pytest.approx(1 / time_there, rel=1e-13)
    # Steady state: leave 0, then reach 2 before 0. Non-steady state: the time in 1 counts too.
    assert forward.steady_state == pytest.approx(k01 * k12 / (k10 + k12), rel=1e-13)
    assert forward.non_steady_state == pytest.approx(1 / time_there, rel=1e-13)
    assert back.mfpt == pytest.approx((k21 + k10 + k12) / (k21 * k10), rel=1e-13)
    np.testing.assert_allclose(chain.committor(0, 2), [0, k12 / (k10 + k12), 1], rtol=1e-13)
    eigenvalues = np.sort(np.linalg.eigvals(chain.generator.toarray()).real)
    np.testing.assert_allclose(chain.timescales(2), -1 / eigenvalues[[1, 0]], rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_random_chains_of_200_states_against_linear_algebra(seed):
    rates = random_rates(seed, 200)
    chain = MarkovChain.from_generator(rates)
    targets = [3, 77, 150]
    np.testing.assert_allclose(chain.mfpts(targets), dense_times(rates, targets), rtol=1e-10)
    generator = rates - np.diag(rates.sum(axis=1))
    normal = np.vstack((generator.T[1:], np.ones(200)))
    pi = np.linalg.solve(normal, np.eye(200)[-1])
    np.testing.assert_allclose(chain.stationary, pi, rtol=1e-10)
    inside = np.setdiff1d(np.arange(200), [0, 1])
    q = np.linalg.solve(generator[np.ix_(inside, inside)], -rates[inside, 1])
    np.testing.assert_allclose(chain.committor(0, 1)[inside], q, rtol=1e-10)


@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.02, 0.004])
def test_against_400_digits(temperature):
    network = staircase()
    chain = transition_rates(network, temperature)
    log = np.full((24, 24), -np.inf)
    entries = chain.log_rates.tocoo()
    log[entries.coords] = entries.data
    exact = exact_times(log, {23})
    ours = chain.log_mfpts(23)
    for state, value in exact.items():
        # Twelve digits of the time itself, even where it is 1e200.
        assert ours[state] == pytest.approx(value, abs=1e-12)


def test_cold_chain_where_linear_algebra_has_lost_all_digits():
    network = staircase()
    lost = []
    for temperature in (0.1, 0.05, 0.02, 0.01):
        chain = transition_rates(network, temperature)
        ours = chain.mfpts(23)
        assert (ours[:23] > 0).all()
        assert np.isfinite(ours).all()
        rates = chain.generator.toarray()
        np.fill_diagonal(rates, 0.0)
        try:
            dense = dense_times(rates, [23])
        except np.linalg.LinAlgError:
            lost.append(True)
            continue
        worst = np.max(np.abs(dense[:23] / ours[:23] - 1))
        lost.append(bool((dense[:23] <= 0).any() or worst > 0.1))
    # Warm, the two agree; cold, the dense solution is wrong in its first digit or negative.
    assert not lost[0]
    assert lost[-1]


def two_funnels():
    """Three minima in each of two funnels, and one high pass between them."""
    energies = np.array([0.0, 0.15, 0.25, 0.1, 0.2, 0.3])
    ends = np.array([[0, 1], [1, 2], [0, 2], [3, 4], [4, 5], [3, 5], [5, 2]])
    heights = np.array([0.35, 0.4, 0.45, 0.3, 0.42, 0.5, 2.0])
    return TransitionNetwork.bare(energies, heights, ends)


@pytest.mark.parametrize("temperature", [0.2, 0.05, 0.04, 0.02])
def test_two_funnels_where_every_solver_is_wrong(temperature):
    chain = transition_rates(two_funnels(), temperature)
    log = np.full((6, 6), -np.inf)
    entries = chain.log_rates.tocoo()
    log[entries.coords] = entries.data
    assert chain.log_mfpt(3, 0) == pytest.approx(exact_times(log, {0})[3], abs=1e-13)
    matrix = -chain.generator.toarray()[1:, 1:]
    dense = np.linalg.solve(matrix, np.ones(5))[2]
    sparsely = scipy.sparse.linalg.spsolve(scipy.sparse.csc_array(matrix), np.ones(5))[2]
    ours = chain.mfpt(3, 0)
    if temperature == 0.2:
        assert [dense, sparsely] == pytest.approx([ours, ours], rel=1e-10)
    elif temperature < 0.05:
        # Wrong by decades, and which sign comes out is chance.
        assert abs(dense) < 0.1 * ours
        assert abs(sparsely) < 0.1 * ours


def test_detailed_balance_is_exact(key):
    n, ts = 30, 200
    draw = lambda i, *shape: np.asarray(jax.random.normal(jax.random.fold_in(key, i), shape))
    ends = np.asarray(jax.random.randint(jax.random.fold_in(key, 9), (ts, 2), 0, n))
    network = TransitionNetwork(
        **{
            **vars(TransitionNetwork.bare(draw(0, n), 3 + draw(1, ts), ends)),
            "orders": 1 + np.arange(n) % 4,
            "log_products": 10 * draw(2, n),
            "ts_log_products": 10 * draw(3, ts),
        }
    )
    chain = transition_rates(network, 0.1)
    flux = chain.log_rates.tocoo()
    balance = np.full((n, n), -np.inf)
    balance[flux.coords] = flux.data + chain.log_stationary[flux.coords[0]]
    joined = np.isfinite(balance)
    assert (joined == joined.T).all()
    size = np.abs(balance[joined])
    assert np.max(np.abs(balance[joined] - balance.T[joined]) / (1 + size)) < 1e-14
    # Several transition states of one pair add up.
    i, j = ends[~network.degenerate][0]
    pair = (np.sort(ends, axis=1) == np.sort([i, j])).all(axis=1)
    a_first = ends[:, 0] == i
    one = np.where(a_first, chain.ts_log_rates[:, 0], chain.ts_log_rates[:, 1])[pair]
    assert np.exp(one).sum() == pytest.approx(chain.generator[i, j], rel=1e-12)


MUELLER_BROWN = TransitionNetwork(
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


def test_mueller_brown_rates():
    a, b, c = 0, 1, 2
    chain = transition_rates(MUELLER_BROWN, 15.0)
    expected = {(a, c): 7.90626456e-3, (c, a): 2.83636013e-1, (c, b): 2.28169229}
    for (i, j), value in (*expected.items(), ((b, c), 8.21138519e-1)):
        assert chain.generator[i, j] == pytest.approx(value, rel=2e-8)
    assert chain.mfpt(a, b) == pytest.approx(1.42643163e2, rel=1e-8)
    assert chain.mfpt(b, a) == pytest.approx(1.45401547e1, rel=1e-8)
    np.testing.assert_allclose(chain.stationary, [0.904707, 0.0700743, 0.0252184], rtol=1e-5)
    passage = mean_first_passage_time(MUELLER_BROWN, a, b, temperature=15.0)
    assert passage == pytest.approx(1.42643163e2, rel=1e-8)
    assert rate(MUELLER_BROWN, a, b, temperature=15.0) == pytest.approx(1 / passage, rel=1e-12)


def test_pathsample_round_trip(tmp_path):
    network = TransitionNetwork.bare(
        np.round(staircase().energies, 10),
        np.round(staircase().ts_energies, 10),
        np.asarray(staircase().ts_minima),
    )
    write_pathsample(network, tmp_path)
    before, after = (transition_rates(n, 0.2) for n in (network, read_pathsample(tmp_path)))
    assert (before.log_rates.indices == after.log_rates.indices).all()
    assert (before.log_rates.data == after.log_rates.data).all()
    assert before.mfpt(0, 23) == after.mfpt(0, 23)


def test_fastest_path_agrees_with_networkx():
    chain = transition_rates(staircase(), 0.2)
    rates = chain.generator.toarray()
    np.fill_diagonal(rates, 0.0)
    branching = rates / rates.sum(axis=1, keepdims=True)
    graph = nx.DiGraph()
    for i, j in zip(*np.nonzero(branching), strict=True):
        graph.add_edge(int(i), int(j), weight=-np.log(branching[i, j]))
    graph.remove_edges_from([edge for edge in list(graph.edges) if edge[1] == 0 or edge[0] == 23])
    ours = chain.fastest_paths(0, 23, 6)
    theirs = nx.shortest_simple_paths(graph, 0, 23, weight="weight")
    for path, expected in zip(ours, theirs, strict=False):
        assert path.states.tolist() == expected
        length = nx.path_weight(graph, expected, "weight")
        assert -path.log_weight == pytest.approx(length, rel=1e-12)
    weights = [path.log_weight for path in ours]
    assert len(ours) == 6
    assert weights == sorted(weights, reverse=True)


@pytest.mark.parametrize("temperature", LJ13_TIMES)
def test_lj13(lj13, temperature):
    chain = transition_rates(lj13, temperature)
    there, back = LJ13_TIMES[temperature]
    assert chain.mfpt(0, 1) == pytest.approx(there, rel=2e-10)
    assert chain.mfpt(1, 0) == pytest.approx(back, rel=2e-10)
    forward, backward = chain.rate_constants(0, 1)
    assert forward.mfpt == pytest.approx(there, rel=2e-10)
    assert backward.mfpt == pytest.approx(back, rel=2e-10)


@pytest.mark.parametrize(
    "temperature",
    [
        0.05,
        pytest.param(0.02, marks=pytest.mark.slow),
        pytest.param(0.005, marks=pytest.mark.slow),
    ],
)
def test_lj13_in_the_cold(lj13, temperature):
    # No reference has digits here. Two independent facts must hold: for single states the ratio
    # of forward and backward steady-state rates is that of the probabilities, and the time from
    # the icosahedron, which holds nearly all of it, is its inverse rate.
    chain = transition_rates(lj13, temperature)
    there, back = chain.log_mfpt(0, 1), chain.log_mfpt(1, 0)
    assert np.isfinite([there, back]).all()
    forward, backward = chain.rate_constants(0, 1)
    pi = chain.log_stationary
    balance = forward.log_steady_state + pi[0] - backward.log_steady_state - pi[1]
    assert balance == pytest.approx(0.0, abs=1e-9)
    assert forward.log_mfpt == pytest.approx(there, abs=1e-9)
    assert there > transition_rates(lj13, 2 * temperature).log_mfpt(0, 1)
    # Arrhenius: the lowest barrier to the second minimum is 3.587530179.
    warmer = transition_rates(lj13, 1.02 * temperature).log_mfpt(0, 1)
    slope = (there - warmer) / (1 / temperature - 1 / (1.02 * temperature))
    assert slope == pytest.approx(3.587530179, abs=0.1)


def long_double_times(chain, target):
    """Elimination once more, plainly: state by state in the order given, in long doubles."""
    n = chain.n_states
    q = np.zeros((n, n), dtype=np.longdouble)
    entries = chain.log_rates.tocoo()
    q[entries.coords] = np.exp(entries.data.astype(np.longdouble))
    order = np.append(np.delete(np.arange(n), target), target)
    q = q[np.ix_(order, order)]
    waits = np.ones(n, dtype=np.longdouble)
    for x in range(n - 1):
        exit_rate = q[x, x + 1 :].sum()
        factor = q[x + 1 :, x] / exit_rate
        q[x + 1 :, x + 1 :] += np.outer(factor, q[x, x + 1 :])
        waits[x + 1 :] += factor * waits[x]
    times = np.zeros(n, dtype=np.longdouble)
    for x in range(n - 2, -1, -1):
        row = q[x, x + 1 :]
        times[x] = (waits[x] + row @ times[x + 1 :]) / row.sum()
    out = np.empty(n, dtype=np.longdouble)
    out[order] = times
    return out


@pytest.mark.slow
def test_lj13_where_the_dense_solve_has_lost_its_digits(lj13):
    if np.finfo(np.longdouble).nmant < 63:
        pytest.skip("no long doubles on this machine")
    error = {}
    for temperature in (0.05, 0.02):
        chain = transition_rates(lj13, temperature)
        exact = long_double_times(chain, 0)
        ours = chain.mfpts(0)
        np.testing.assert_allclose(ours[1:], exact[1:].astype(float), rtol=1e-11)
        matrix = -chain.generator.toarray()[1:, 1:]
        dense = np.linalg.solve(matrix, np.ones(len(matrix)))[0]
        error[temperature] = abs(dense / ours[1] - 1.0)
    # At 0.05 the dense solve still has some nine digits; at 0.02 it is wrong by decades.
    assert error[0.05] < 1e-6
    assert error[0.02] > 1.0


def test_lj13_is_fast(lj13):
    chain = transition_rates(lj13, 0.3)
    chain.mfpt(0, 1)
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        chain.mfpt(0, 1)
        taken.append(time.perf_counter() - began)
    assert min(taken) < 3.0  # a third of a second on a quiet core
