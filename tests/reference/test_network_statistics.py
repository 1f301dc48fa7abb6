"""The network of LJ13, whose features Doye, Phys. Rev. Lett. 88, 238701 (2002), describes.

The files `min.data` and `ts.data` are not part of the project: `THALWEG_LJ13` names their folder.
"""

import os
import time

import pytest

from thalweg.io import read_pathsample
from thalweg.landscape import network_statistics


@pytest.mark.skipif("THALWEG_LJ13" not in os.environ, reason="THALWEG_LJ13 names no folder")
def test_lj13_is_a_small_world_with_hubs():
    network = read_pathsample(os.environ["THALWEG_LJ13"])
    began = time.perf_counter()
    found = network_statistics(network)
    assert time.perf_counter() - began < 30
    assert (found.n_nodes, found.n_transition_states) == (1510, 29007)
    assert found.n_edges + found.n_degenerate + found.n_parallel == 29007
    # Computed by networkx from the same files.
    assert found.clustering == pytest.approx(0.2687676931, abs=1e-9)
    assert found.transitivity == pytest.approx(0.1060672396, abs=1e-9)
    assert found.assortativity == pytest.approx(-0.0999118833, abs=1e-9)
    assert found.mean_path == pytest.approx(2.3553056934, abs=1e-9)
    assert found.diameter == 5
    # Small world: as short as a random graph, far more clustered; low minima are the hubs.
    assert found.mean_path < found.random_path
    assert found.clustering > 10 * found.random_clustering
    assert found.energy_correlation < -0.3
    assert found.degrees.argmax() == network.global_minimum
    assert found.betweenness.argmax() == network.global_minimum
