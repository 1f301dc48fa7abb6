import dataclasses

import jax
import numpy as np
import pytest
import scipy.stats

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork, estimate_completeness
from thalweg.thermo import HarmonicEnsemble, with_missing_minima

GRID = np.linspace(0.1, 0.8, 8)


def complete(count=300, seed=0):
    """A funnel: one low minimum, and ever more of them upwards."""
    key = jax.random.key(seed)
    energies = np.concatenate([[0.0], 2.0 + np.asarray(jax.random.gamma(key, 4.0, (count - 1,)))])
    bare = TransitionNetwork.bare(energies, np.zeros(0), np.zeros((0, 2), int))
    return dataclasses.replace(bare, log_products=-1.2 * energies)


LAWS = {  # relative rates of discovery, from energies and normal noise
    "lognormal": lambda energy, noise: np.exp(1.5 * noise),
    "easier if lower": lambda energy, noise: np.exp(0.8 * noise - 0.4 * energy),
    "much easier if lower": lambda energy, noise: np.exp(0.5 * noise - 0.8 * energy),
    "exponential": lambda energy, noise: -scipy.stats.norm.logsf(noise),
    "power of the energy": lambda energy, noise: np.exp(0.5 * noise) / (1.0 + energy**3),
}


def thinned(network, per_minimum, seed, law="easier if lower"):
    """What some searches know of it, when basins of low energy are easier to find."""
    rate_key, hit_key = jax.random.split(jax.random.key(seed))
    noise = np.asarray(jax.random.normal(rate_key, network.energies.shape))
    rates = LAWS[law](network.energies, noise)
    rates *= per_minimum * network.n_minima / rates.sum()
    hits = np.array(jax.random.poisson(hit_key, rates))
    hits[0] = max(hits[0], 1)
    return dataclasses.replace(network, hits=hits).select(hits > 0)


def held(whole, part, seed):
    """Where the interval of a part holds the complete heat capacity."""
    ensemble = HarmonicEnsemble.of(part, modes=12)
    found = with_missing_minima(ensemble, GRID, jax.random.key(seed))
    truth = HarmonicEnsemble.of(whole, modes=12)
    c, p = truth.heat_capacity(GRID), truth.occupations(GRID)[:, 0]
    low, high = found.occupations(ensemble)
    plain = ensemble.heat_capacity(GRID)
    assert (found.heat_capacity_lower <= plain).all()
    assert (plain <= found.heat_capacity_upper).all()
    return (
        (found.heat_capacity_lower <= c) & (c <= found.heat_capacity_upper),
        (low[:, 0] <= p + 1e-12) & (p <= high[:, 0] + 1e-12),
        found.heat_capacity_upper - found.heat_capacity_lower,
    )


def test_intervals_of_thinned_networks_hold_the_complete_heat_capacity():
    """Nominally 95 %."""
    whole = complete()
    kept, known, width = [], [], []
    for seed in range(12):
        part = thinned(whole, 3.0, seed)
        assert part.n_minima < 0.9 * whole.n_minima
        for values, value in zip((kept, known, width), held(whole, part, seed), strict=True):
            values.append(value)
    assert np.mean(kept) > 0.9
    assert np.mean(known) > 0.9
    # Cold, where only the lowest minimum counts, nothing is uncertain.
    assert np.max([row[0] for row in width]) < 0.1


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_coverage_over_laws_of_discovery():
    """Nominally 95 %: 100 populations of 300 minima, five laws, one or three searches for each."""
    shares = {}
    for number, law in enumerate(LAWS):
        rows = []
        for seed in range(20):
            whole = complete(seed=100 + seed)
            part = thinned(whole, 1.0 + 2.0 * (seed % 2), 1000 * number + seed, law)
            rows.append(held(whole, part, seed)[0])
        shares[law] = np.mean(rows, axis=0)
    each = {law: float(share.mean()) for law, share in shares.items()}
    assert np.mean(list(each.values())) > 0.9, each
    assert min(each.values()) > 0.78, each


def test_a_complete_map_has_no_interval():
    network = dataclasses.replace(complete(40), hits=np.full(40, 60))
    ensemble = HarmonicEnsemble.of(network, modes=12)
    found = with_missing_minima(ensemble, GRID, jax.random.key(0))
    np.testing.assert_allclose(found.heat_capacity_upper, found.heat_capacity_lower, atol=1e-9)
    np.testing.assert_allclose(found.known, 1.0)
    assert found.trusted


def test_the_key_decides():
    part = HarmonicEnsemble.of(thinned(complete(), 1.0, 0), modes=12)
    a, b, c = (with_missing_minima(part, GRID, jax.random.key(k)) for k in (1, 1, 2))
    np.testing.assert_array_equal(a.heat_capacity_upper, b.heat_capacity_upper)
    assert not np.array_equal(a.heat_capacity_upper, c.heat_capacity_upper)


def test_more_missing_minima_widen_the_interval():
    part = HarmonicEnsemble.of(thinned(complete(), 2.0, 0), modes=12)
    estimate = estimate_completeness(part.network.hits)
    more = dataclasses.replace(
        estimate, total=estimate.observed + 20 * estimate.missing, standard_error=1.0
    )
    few, many = (
        with_missing_minima(part, GRID, jax.random.key(1), completeness=e) for e in (estimate, more)
    )
    assert many.known[-1] < few.known[-1] < 1.0


def test_imported_minima_tell_nothing():
    ensemble = HarmonicEnsemble.of(complete(), modes=12)
    with pytest.raises(ArgumentError, match="found by a search"):
        with_missing_minima(ensemble, GRID, jax.random.key(0))
