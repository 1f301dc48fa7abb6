"""The chain: sets, pieces, wrong calls, paths, groups and units."""

import numpy as np
import pytest

from thalweg.core import METAL, ArgumentError
from thalweg.kinetics import (
    MarkovChain,
    PassageTimes,
    kramers_transmission,
    langer_transmission,
    lowest_path,
    rate,
    transition_rates,
)
from thalweg.landscape import TransitionNetwork
from thalweg.thermo import HarmonicEnsemble


@pytest.fixture
def two_pieces():
    return TransitionNetwork.bare(
        np.array([0.0, 0.1, 0.2, 0.0, 0.3]),
        np.array([1.0, 1.2, 0.9, 1.0, 0.5]),
        np.array([[0, 1], [1, 2], [3, 4], [0, 1], [2, 2]]),
    )


@pytest.fixture
def funnels():
    """Three groups of four states, fast within (barrier 0.5), slow between (4 and 5)."""
    energies = 0.02 * np.arange(12.0)
    pairs = [(4 * g + i, 4 * g + j) for g in range(3) for i in range(4) for j in range(i)]
    heights = [0.5] * len(pairs) + [4.0, 5.0]
    return TransitionNetwork.bare(
        energies, np.array(heights), np.array([*pairs, (3, 4), (7, 8)])
    )


def test_pieces(two_pieces):
    chain = transition_rates(two_pieces, 0.3)
    assert chain.mfpt(0, 3) == np.inf
    assert chain.mfpt([0, 3], 2) == np.inf
    assert rate(two_pieces, 0, 4, temperature=0.3) == 0.0
    assert np.isfinite(chain.mfpt(0, 2))
    assert np.isnan(chain.committor(0, 2)[[3, 4]]).all()
    np.testing.assert_allclose(chain.mfpts(2)[3:], np.inf)
    with pytest.raises(ArgumentError, match=r"A \(in component \[\d\]\) to B"):
        chain.fastest_path(0, 3)
    with pytest.raises(ArgumentError, match="2 components"):
        chain.spectrum(2)
    with pytest.raises(ArgumentError, match=r"component 0\) to minimum 3 \(component 1\)"):
        lowest_path(two_pieces, 0, 3)
    whole = chain.select(chain.components == chain.components[0])
    assert whole.mfpt(0, 2) == pytest.approx(chain.mfpt(0, 2), rel=1e-13)


def test_degenerate_and_several_transition_states(two_pieces):
    chain = transition_rates(two_pieces, 0.5)
    once = np.exp(-1.0 / 0.5) / (2 * np.pi)
    assert chain.generator[0, 1] == pytest.approx(2 * once, rel=1e-13)
    assert np.isneginf(chain.ts_log_rates[4]).all()
    assert chain.log_rates.nnz == 6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.mfpt(0, 0), "state 0 is in A and in B"),
        (lambda c: c.mfpt(0, 9), "names state 9, but there are 5"),
        (lambda c: c.mfpt([], 1), "a holds no state"),
        (lambda c: c.mfpt(np.array([0.5]), 1), "no position"),
        (lambda c: c.positions([77]), "no state with id 77"),
        (lambda c: c.mfpt(0, 1, np.zeros(5)), "one probability for each state"),
        (lambda c: transition_rates(c.network, -1.0), "temperature=-1.0"),
        (lambda c: transition_rates(c.network, 1.0, friction=1.0), "negative curvature"),
        (lambda c: transition_rates(c.network, 1.0, mass=40.0), "known in SI"),
        (lambda c: kramers_transmission(-1.0, -2.0), "friction=-2.0"),
        (lambda c: langer_transmission(np.eye(2), np.eye(2)), "has one negative"),
        (lambda c: MarkovChain.from_generator(np.array([[0.0, -1], [1, 0]])), "is -1.0"),
    ],
)
def test_wrong_calls(two_pieces, call, message):
    with pytest.raises((ArgumentError, TypeError), match=message):
        call(transition_rates(two_pieces, 0.3))


def test_sets_average_over_equilibrium(funnels):
    chain = transition_rates(funnels, 0.4)
    a, b = [0, 1, 2], [8, 11]
    weights = chain.stationary[a] / chain.stationary[a].sum()
    times = chain.mfpts(b)[a]
    assert chain.mfpt(a, b) == pytest.approx(weights @ times, rel=1e-12)
    assert chain.mfpt(a, b, initial=np.eye(12)[1]) == pytest.approx(times[1], rel=1e-12)
    forward, back = chain.rate_constants(a, b)
    assert forward.mfpt == pytest.approx(weights @ times, rel=1e-12)
    assert forward.rate == pytest.approx(weights @ (1 / times), rel=1e-12)
    # In the steady state as many pass one way as the other.
    pa, pb = chain.stationary[a].sum(), chain.stationary[b].sum()
    assert pa * forward.steady_state == pytest.approx(pb * back.steady_state, rel=1e-12)


def test_spectrum_against_dense_eigenvalues(funnels):
    chain = transition_rates(funnels, 0.4)
    root = np.sqrt(chain.stationary)
    dense = chain.generator.toarray() * root[:, None] / root
    values = np.linalg.eigvalsh((dense + dense.T) / 2)
    found = chain.spectrum(11)
    np.testing.assert_allclose(found.times, -1 / values[:-1][::-1], rtol=1e-9)
    for time, mode in zip(found.times, found.modes.T, strict=True):
        np.testing.assert_allclose(chain.generator @ mode, -mode / time, atol=1e-8 / time)
        assert chain.stationary @ mode**2 == pytest.approx(1.0)


@pytest.mark.parametrize("temperature", [0.4, 0.02])
def test_groups_are_the_funnels(funnels, temperature):
    labels = transition_rates(funnels, temperature).metastable(3)
    assert labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_slowest_time_in_the_cold(funnels):
    # Two-state theory of the slowest mode: the rates out and back of the last group add up.
    chain = transition_rates(funnels, 0.02)
    group = np.arange(12) >= 8
    forward, back = chain.rate_constants(~group, group)
    slowest = chain.timescales(2)[0]
    assert slowest == pytest.approx(1 / (forward.steady_state + back.steady_state), rel=1e-6)
    # The next is slower than anything within a group, and 1e22 times faster than the slowest.
    two = transition_rates(funnels.select(np.arange(12) < 8), 0.02)
    first = np.arange(8) < 4
    forward, back = two.rate_constants(first, ~first)
    second = chain.timescales(3)[1]
    assert second == pytest.approx(1 / (forward.steady_state + back.steady_state), rel=1e-6)


def test_large_spectrum_uses_the_sparse_solver(funnels):
    n = 120
    pairs = np.array([(i, i + 1) for i in range(n - 1)])
    network = TransitionNetwork.bare(np.zeros(n), np.ones(n - 1), pairs)
    chain = transition_rates(network, 1.0)
    k = np.exp(-1.0) / (2 * np.pi)
    exact = 1 / (2 * k * (1 - np.cos(np.pi * np.arange(1, 5) / n)))
    np.testing.assert_allclose(chain.timescales(4), exact, rtol=1e-9)


def test_lowest_path(funnels):
    minima, edges = lowest_path(funnels, 0, 11)
    assert (minima[0], minima[-1]) == (0, 11)
    for i, j, edge in zip(minima, minima[1:], edges, strict=False):
        assert sorted(funnels.ts_minima[edge].tolist()) == sorted((i, j))
    assert funnels.ts_energies[edges].max() == funnels.lowest_barrier(0, 11)


def test_fastest_path_names_its_bottleneck(funnels):
    chain = transition_rates(funnels, 0.2)
    path = chain.fastest_path(0, 11)
    edge = path.transition_states[path.limiting_step]
    assert funnels.ts_energies[edge] == 5.0
    for i, j, ts in zip(path.states, path.states[1:], path.transition_states, strict=False):
        assert set(funnels.ts_minima[ts]) == {i, j}
    assert path.n_steps == len(path.transition_states)


def test_kramers():
    assert float(kramers_transmission(-4.0, 0.0)) == 1.0
    assert float(kramers_transmission(-4.0, 3.0)) == pytest.approx(1.25 - 0.75)
    assert float(kramers_transmission(-4.0, 1e9)) == pytest.approx(2e-9, rel=1e-12)
    hessian = np.array([[-1.0, 0.4], [0.4, 2.0]])
    lowest = np.linalg.eigvalsh(hessian)[0]
    same = langer_transmission(hessian, 1.7 * np.eye(2))
    assert same == pytest.approx(float(kramers_transmission(lowest, 1.7)), rel=1e-12)
    assert langer_transmission(hessian, np.diag([9.0, 0.1])) < same


def test_friction_slows_all_rates_alike_in_equilibrium(two_pieces):
    curvatures = np.array([-1.0, -2.0, -3.0, -4.0, -5.0])
    free = transition_rates(two_pieces, 0.3)
    slowed = transition_rates(two_pieces, 0.3, friction=1.3, negative_curvatures=curvatures)
    np.testing.assert_allclose(slowed.log_stationary, free.log_stationary)
    ratio = np.exp(slowed.ts_log_rates[1] - free.ts_log_rates[1])
    np.testing.assert_allclose(ratio, float(kramers_transmission(-2.0, 1.3)), rtol=1e-13)


def test_units_of_time():
    # One argon atom in a well of 0.01 eV/Å²: ω = √(k/m), rate ω/2π · exp(-E/kT).
    network = TransitionNetwork(
        **{
            **vars(
                TransitionNetwork.bare(np.zeros(2), np.array([0.05]), np.array([[0, 1]]))
            ),
            "log_products": np.log([0.01, 0.01]),
        }
    )
    ensemble = HarmonicEnsemble.of(network, modes=1, boltzmann=METAL.boltzmann)
    chain = transition_rates(ensemble, 300.0, mass=39.948, units=METAL)
    omega = np.sqrt(0.01 * 1.602176634e-19 / 1e-20 / (39.948 * 1.66053906892e-27))
    expected = omega / (2 * np.pi) * np.exp(-0.05 / (8.617333262e-5 * 300)) * 1e-12
    assert chain.time_unit == "ps"
    assert chain.generator[0, 1] == pytest.approx(expected, rel=1e-8)


def test_unequal_numbers_of_modes_keep_detailed_balance(two_pieces):
    ensemble = HarmonicEnsemble.of(two_pieces, modes=[3, 4, 3, 3, 3])
    chain = transition_rates(ensemble, 0.3)
    np.testing.assert_allclose(chain.stationary, ensemble.occupations(0.3), rtol=1e-12)
    assert chain.is_reversible


def test_passage_times_of_a_sum_of_two_exponentials():
    chain = MarkovChain.from_generator(np.array([[0.0, 2.0, 0], [0, 0, 5.0], [0, 1.0, 0]]))
    passage = PassageTimes.of(chain, 0, 2)
    t = np.array([0.0, 0.1, 0.5, 2.0])
    exact = (5 * np.exp(-2 * t) - 2 * np.exp(-5 * t)) / 3
    np.testing.assert_allclose(passage.survival(t), exact, rtol=1e-12)
    density = 10 / 3 * (np.exp(-2 * t) - np.exp(-5 * t))
    np.testing.assert_allclose(passage.density(t), density, atol=1e-12)
    assert passage.mean == pytest.approx(0.7, rel=1e-13)
    assert passage.variation == pytest.approx(np.sqrt(0.25 + 0.04) / 0.7, rel=1e-12)


def test_a_trap_makes_the_time_infinite():
    # From 0 one may fall into 2 and stay there: the mean time to 1 is infinite.
    chain = MarkovChain.from_generator(np.array([[0.0, 1, 1], [1, 0, 0], [0, 0, 0]]))
    assert chain.mfpt(0, 1) == np.inf
    assert chain.committor(2, 1)[0] == pytest.approx(0.5)
