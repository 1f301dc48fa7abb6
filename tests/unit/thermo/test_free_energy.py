import dataclasses

import jax
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork, disconnectivity_tree
from thalweg.thermo import HarmonicEnsemble, free_energy_groups, free_energy_network

T = 0.25


@pytest.fixture
def ensemble():
    """Two pairs of neighbours, 0-1 and 2-3, far apart; 0-1 joined twice; a loop at 2."""
    bare = TransitionNetwork.bare(
        np.array([0.0, 0.2, 0.1, 0.3]),
        np.array([1.0, 1.1, 5.0, 1.2, 2.0]),
        np.array([[0, 1], [1, 0], [1, 2], [2, 3], [2, 2]]),
    )
    network = dataclasses.replace(
        bare,
        orders=np.array([1, 2, 1, 6]),
        log_products=np.array([4.0, 3.0, 2.0, 1.0]),
        ts_orders=np.array([1, 2, 1, 1, 2]),
        ts_log_products=np.array([3.5, 3.0, 1.0, 0.5, 0.0]),
        ids=np.array([10, 11, 12, 13]),
    )
    return HarmonicEnsemble.of(network, modes=3)


def test_barriers_are_those_of_transition_state_theory(ensemble):
    """k = (kT/2π)^½ exp(-(F_ts - F_i)/kT) is (o_i/o_ts) Πν_i/Πν_ts exp(-ΔE/kT)."""
    network = ensemble.network
    found = free_energy_network(ensemble, T)
    for pair, states in (((0, 1), (0, 1)), ((1, 2), (2,)), ((2, 3), (3,))):
        (k,) = np.flatnonzero((found.ts_minima == pair).all(axis=1))
        a = pair[0]
        rate = sum(
            network.orders[a]
            / network.ts_orders[s]
            * np.exp(0.5 * (network.log_products[a] - network.ts_log_products[s]))
            * np.exp(-(network.ts_energies[s] - network.energies[a]) / T)
            / (2 * np.pi)
            for s in states
        )
        barrier = found.ts_energies[k] - found.energies[a]
        assert np.sqrt(T / (2 * np.pi)) * np.exp(-barrier / T) == pytest.approx(rate, rel=1e-12)
    assert found.n_transition_states == 3
    np.testing.assert_array_equal(found.ids, network.ids)


def test_differences_of_free_energies_are_ratios_of_occupations(ensemble):
    found = free_energy_network(ensemble, T)
    p = ensemble.occupations(T)
    np.testing.assert_allclose(
        found.energies - found.energies[0], -T * np.log(p / p[0]), rtol=1e-12, atol=1e-14
    )


def test_groups_keep_the_total_and_add_what_passes(ensemble):
    labels = free_energy_groups(ensemble, T, 1.5)
    assert labels[0] == labels[1] != labels[2] == labels[3]
    found = free_energy_network(ensemble, T, barrier=1.5)
    assert (found.n_minima, found.n_transition_states) == (2, 1)
    total = -T * np.log(np.sum(np.exp(-found.energies / T)))
    assert total == pytest.approx(float(ensemble.free_energy(T)), rel=1e-12)
    p = ensemble.occupations(T)
    for label in (0, 1):
        members = np.flatnonzero(labels == label)
        assert found.ids[label] == ensemble.network.ids[members[np.argmax(p[members])]]
    plain = free_energy_network(ensemble, T)
    (k,) = np.flatnonzero((plain.ts_minima == (1, 2)).all(axis=1))
    assert found.ts_energies[0] == pytest.approx(plain.ts_energies[k], rel=1e-12)


def test_the_threshold_decides(ensemble):
    counts = [free_energy_network(ensemble, T, barrier=b).n_minima for b in (0.0, 1.5, 100.0)]
    assert counts == [4, 2, 1]


def test_a_pass_is_never_below_its_minima(ensemble):
    """A ridge so wide that there is no barrier in free energy."""
    network = ensemble.network
    wide = dataclasses.replace(network, ts_log_products=network.ts_log_products - 60.0)
    found = free_energy_network(HarmonicEnsemble.of(wide, modes=3), T)
    above = found.ts_energies[:, None] >= found.energies[found.ts_minima]
    assert above.all()
    tree = disconnectivity_tree(found, levels=None)
    inner = tree.parent >= 0
    assert (tree.height[tree.parent[inner]] >= tree.height[inner]).all()


def test_groups_are_joined_as_if_barriers_were_recomputed_each_time():
    """Against the plain definition: find the lowest barrier, join, start again."""
    keys = jax.random.split(jax.random.key(5), 4)
    n, m = 24, 60
    ends = np.asarray(jax.random.randint(keys[0], (m, 2), 0, n))
    energies = np.asarray(jax.random.uniform(keys[1], (n,)))
    heights = energies[ends].max(axis=1) + 2 * np.asarray(jax.random.uniform(keys[2], (m,)))
    ensemble = HarmonicEnsemble.of(TransitionNetwork.bare(energies, heights, ends), modes=4)
    z, ridge = np.exp(ensemble.log_weights(T)), np.exp(ensemble.ts_log_weights(T))
    for threshold in (0.0, 0.5, 1.0, 1.5):
        groups = [{i} for i in range(n)]
        while True:
            best = None
            for a in range(len(groups)):
                for b in range(a):
                    ga, gb = groups[a], groups[b]
                    across = sum(
                        ridge[k]
                        for k, (i, j) in enumerate(ends.tolist())
                        if (i in ga and j in gb) or (i in gb and j in ga)
                    )
                    if across:
                        smaller = min(sum(z[i] for i in ga), sum(z[i] for i in gb))
                        barrier = T * np.log(smaller / across)
                        if barrier <= threshold and (best is None or barrier < best[0]):
                            best = barrier, a, b
            if best is None:
                break
            _, a, b = best
            groups[b] |= groups.pop(a)
        labels = free_energy_groups(ensemble, T, threshold)
        found = {frozenset(np.flatnonzero(labels == k).tolist()) for k in range(labels.max() + 1)}
        assert found == {frozenset(group) for group in groups}


def test_wrong_calls(ensemble):
    with pytest.raises(ArgumentError, match="must not be negative"):
        free_energy_groups(ensemble, T, -1.0)
    with pytest.raises(ArgumentError, match="not positive"):
        free_energy_network(ensemble, 0.0)
