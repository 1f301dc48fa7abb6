"""Network statistics for a report: numbers with their meaning."""

import math

import numpy as np

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork, network_statistics
from thalweg.viz import NetworkFacts

_EXACT = 500  # minima up to which all shortest paths are followed
_SOURCES = 200


def network_facts(network: TransitionNetwork) -> NetworkFacts:
    """Statistics of the component of the global minimum.

    Args:
        network: Minima and transition states.

    Raises:
        ArgumentError: if nothing is connected to the global minimum.
    """
    count = int(np.count_nonzero(network.components == 0))
    if count < 2:
        raise ArgumentError(
            "no known transition state leads from the global minimum to another minimum",
            "map the landscape further",
        )
    found = network_statistics(network, sources=None if count <= _EXACT else _SOURCES)
    about = f" (from {found.n_sources} minima)" if found.sampled else ""
    rows = (
        (
            "Minima",
            f"{found.n_nodes:,}",
            f"connected to the global minimum; {found.n_left_out:,} are not",
        ),
        (
            "Joined pairs",
            f"{found.n_edges:,}",
            f"by {found.n_transition_states:,} transition states, of which "
            f"{found.n_degenerate:,} join a minimum to itself and "
            f"{found.n_parallel:,} a pair already joined",
        ),
        ("Mean degree", _number(found.mean_degree), "neighbours of a minimum"),
        (
            "Clustering",
            _number(found.clustering),
            "share of a minimum's neighbours that are joined; "
            f"{_number(found.random_clustering)} in a random graph",
        ),
        (
            "Mean path",
            _number(found.mean_path),
            f"steps between two minima{about}; {_number(found.random_path)} in a random graph",
        ),
        (
            "Diameter",
            f"{'≥ ' if found.sampled else ''}{found.diameter}",
            f"most steps between two minima{about}",
        ),
        (
            "Assortativity",
            _number(found.assortativity),
            "correlation of the degrees of neighbours; negative: hubs join the rest",
        ),
        (
            "Degree and energy",
            _number(found.energy_correlation),
            "rank correlation; negative: low minima are hubs",
        ),
    )
    degrees = found.degree_distribution
    return NetworkFacts(
        rows=rows,
        degrees=degrees["degree"].to_numpy(int),
        degree_counts=degrees["count"].to_numpy(int),
    )


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−") if math.isfinite(value) else "–"
