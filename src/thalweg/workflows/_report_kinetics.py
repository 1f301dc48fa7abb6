"""Kinetics for a report: rates between the deepest minima, relaxation times, an Arrhenius plot."""

import math

import numpy as np
from jaxtyping import Float, Int

from thalweg.core import ArgumentError
from thalweg.kinetics import MarkovChain, transition_rates
from thalweg.landscape import disconnectivity_tree
from thalweg.thermo import HarmonicEnsemble
from thalweg.viz import KineticCurves, ThermoCurves

from ._report_states import notable_minima

_MOST = 2000  # minima of the network that rates are computed in
_LARGE = 1000  # minima from which fewer states and temperatures are computed
_STATES, _STATES_LARGE = 8, 5
_TEMPERATURES, _TEMPERATURES_LARGE = 13, 7
_TIMES, _TIMES_LARGE = 4, 2
_FALL = 30.0  # highest over lowest temperature of the curves at most
_LN10 = math.log(10.0)


def kinetic_curves(
    ensemble: HarmonicEnsemble, thermo: ThermoCurves, ends: tuple[int, int] | None
) -> KineticCurves:
    """Rates among the minima connected to the global minimum.

    Where there are thousands, they are those of its largest superbasin of at most 2000 minima:
    what is connected to it below some energy.

    Args:
        ensemble: The harmonic ensemble of what was found.
        thermo: Its thermodynamics, whose temperatures are taken.
        ends: Positions of the two minima of the Arrhenius plot; default: the two deepest.

    Raises:
        ArgumentError: if nothing is connected to the global minimum.
    """
    basin, note = superbasin(ensemble, _MOST)
    network = basin.network
    if network.n_minima < 2:
        raise ArgumentError(
            "no known transition state leads from the global minimum to another minimum, so there "
            "are no rates",
            "map the landscape further",
        )
    large = network.n_minima > _LARGE
    notable = notable_minima(network, _STATES_LARGE if large else _STATES)
    first, last = _ends(ensemble, network.ids, ends) or (int(notable[1]), int(notable[0]))
    grid = _temperatures(thermo, _TEMPERATURES_LARGE if large else _TEMPERATURES)
    curves = [
        _at(transition_rates(basin, t), first, last, _TIMES_LARGE if large else _TIMES)
        for t in grid.tolist()
    ]
    return KineticCurves(
        temperature=thermo.start,
        temperature_unit=thermo.temperature_unit,
        time_unit="√(m σ²/ε)" if ensemble.boltzmann == 1.0 else "reduced",
        ids=network.ids[notable],
        log10_rates=_matrix(transition_rates(basin, thermo.start), notable),
        meaning="From the minimum of the row to that of the column: one over the mean "
        "first-passage time, all paths through all other minima included.",
        temperatures=grid,
        timescales=np.array([times for *_, times in curves]),
        ends=(int(network.ids[first]), int(network.ids[last])),
        log10_forward=np.array([there for there, *_ in curves]),
        log10_backward=np.array([back for _, back, _ in curves]),
        boltzmann=ensemble.boltzmann,
        note=note,
    )


def superbasin(ensemble: HarmonicEnsemble, most: int) -> tuple[HarmonicEnsemble, str]:
    """What is connected to the global minimum, below some energy where that is too much.

    Args:
        ensemble: What was found.
        most: How many minima may be left.

    Returns:
        The ensemble of these minima, and a sentence on what is left out.
    """
    network = ensemble.network
    tree = disconnectivity_tree(network, levels=None)
    chain = tree.ancestors(int(np.flatnonzero(tree.minimum == network.global_minimum)[0]))
    node = max((node for node in chain if tree.size[node] <= most), key=lambda n: tree.size[n])
    inside = np.zeros(network.n_minima, dtype=bool)
    below = np.zeros(len(tree.parent), dtype=bool)
    below[node] = True
    for child in range(node - 1, -1, -1):
        below[child] = tree.parent[child] >= 0 and below[tree.parent[child]]
    inside[tree.minimum[below[: tree.n_leaves]]] = True
    part = network.select(inside)
    left = network.n_minima - part.n_minima
    if node != chain[-1]:
        part = part.below(float(tree.height[node]))
        note = (
            f"Rates are those of the {part.n_minima:,} minima that are connected to the global "
            f"minimum below an energy of {tree.height[node]:.4f}; the other {left:,} are left out."
        )
    elif left:
        note = f"{left:,} minima in other components are left out: nothing is known of them."
    else:
        note = ""
    return HarmonicEnsemble(
        network=part, modes=ensemble.modes[inside], boltzmann=ensemble.boltzmann
    ), note


def _ends(
    ensemble: HarmonicEnsemble, ids: Int[np.ndarray, " minima"], ends: tuple[int, int] | None
) -> tuple[int, int] | None:
    """Positions of the chosen ends among the minima left; `None` where one is not among them."""
    if ends is None:
        return None
    places = [np.flatnonzero(ids == ensemble.network.ids[end]) for end in ends]
    if not all(len(place) for place in places):
        return None
    return int(places[0][0]), int(places[1][0])


def _temperatures(thermo: ThermoCurves, count: int) -> Float[np.ndarray, " temperatures"]:
    """Temperatures whose inverses are evenly spaced, ascending, over `_FALL` at most."""
    high = float(thermo.temperature[-1])
    low = max(float(thermo.temperature[0]), min(high / _FALL, thermo.start))
    return 1.0 / np.linspace(1.0 / low, 1.0 / high, count)


def _matrix(
    chain: MarkovChain, states: Int[np.ndarray, " states"]
) -> Float[np.ndarray, "states states"]:
    """Decimal logarithms of the rates between states; NaN on the diagonal."""
    rates = np.stack([-chain.log_mfpts([b])[states] / _LN10 for b in states.tolist()], axis=1)
    np.fill_diagonal(rates, np.nan)
    return rates


def _at(
    chain: MarkovChain, a: int, b: int, count: int
) -> tuple[float, float, Float[np.ndarray, " times"]]:
    """Decimal logarithms of the rates both ways, and the slowest relaxation times."""
    there = -float(chain.log_mfpts([b])[a]) / _LN10
    back = -float(chain.log_mfpts([a])[b]) / _LN10
    return there, back, chain.timescales(count)
