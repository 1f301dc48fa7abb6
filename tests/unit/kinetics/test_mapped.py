"""From a mapped landscape: certificates, curvatures, coordinates."""

import jax
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.energies import system as catalogue
from thalweg.kinetics import assign_basins, rate, transition_rates
from thalweg.workflows import explore


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    system = catalogue("muller-brown")
    store = tmp_path_factory.mktemp("map") / "mb.db"
    wishes = {"quenches": 32, "walkers": 0, "climbs": 32, "transition_states": 2, "minima": 3}
    with explore(system, store, **wishes).landscape as landscape:
        yield system, landscape


def test_rates_of_the_map(mapped):
    _, landscape = mapped
    a, b, _ = np.argsort(landscape.network.energies)
    chain = transition_rates(landscape, 15.0)
    assert chain.mfpt(a, b) == pytest.approx(1.42643163e2, rel=1e-6)
    ids = landscape.network.ids
    found = rate(landscape, int(ids[a]), int(ids[b]), temperature=15.0)
    assert found == pytest.approx(1 / 1.42643163e2, rel=1e-6)


def test_friction_uses_the_stored_curvatures(mapped):
    _, landscape = mapped
    free, slowed = (
        transition_rates(landscape, 15.0),
        transition_rates(landscape, 15.0, friction=30.0),
    )
    ratio = np.exp(slowed.ts_log_rates[:, 0] - free.ts_log_rates[:, 0])
    order = np.argsort(landscape.network.ts_energies)
    omega = np.sqrt([735.247262, 750.862663])
    expected = np.sqrt(1 + (15 / omega) ** 2) - 15 / omega
    np.testing.assert_allclose(ratio[order], expected, rtol=1e-6)


def test_frames_run_down_to_their_basins(mapped, key):
    system, landscape = mapped
    network = landscape.store.load_network(points=True)
    noise = 0.05 * np.asarray(jax.random.normal(key, (60, 2)))
    wanted = np.arange(60) % 2
    lowest = np.argsort(network.energies)[:2]
    frames = network.points[lowest[wanted]] + noise
    assert (assign_basins(system, network, frames) == lowest[wanted]).all()
    with pytest.raises(ArgumentError, match="no coordinates"):
        assign_basins(system, landscape.network, frames)
