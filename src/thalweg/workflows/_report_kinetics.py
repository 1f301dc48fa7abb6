"""Kinetics for a report: rates between the deepest minima, relaxation times, an Arrhenius plot."""

import math

import numpy as np
from jaxtyping import Float, Int

from thalweg.core import ArgumentError, ThalwegError
from thalweg.kinetics import MarkovChain, transition_rates
from thalweg.landscape import Landscape
from thalweg.thermo import HarmonicEnsemble
from thalweg.viz import KineticCurves, ThermoCurves

from ._report_states import notable_minima

_LARGE = 2000  # minima from which fewer states and temperatures are computed
_STATES, _STATES_LARGE = 8, 4
_TEMPERATURES, _TEMPERATURES_LARGE = 13, 5
_TIMES, _TIMES_LARGE = 4, 1
_LN10 = math.log(10.0)


def kinetic_curves(
    landscape: Landscape, thermo: ThermoCurves, ends: tuple[int, int] | None, modes: int | None
) -> KineticCurves:
    """Rates in the component of the global minimum.

    Args:
        landscape: What was found.
        thermo: Its thermodynamics, whose temperatures are taken.
        ends: Positions of the two minima of the Arrhenius plot; default: the two deepest.
        modes: Number of vibrational modes, for landscapes without certificates.

    Raises:
        ArgumentError: if the component of the global minimum has one minimum only.
    """
    ensemble = HarmonicEnsemble.of(landscape, modes=modes)
    network = ensemble.network
    inside = network.components == 0
    if np.count_nonzero(inside) < 2:
        raise ArgumentError(
            "no known transition state leads from the global minimum to another minimum, so there "
            "are no rates",
            "map the landscape further",
        )
    large = int(np.count_nonzero(inside)) > _LARGE
    notable = notable_minima(network, _STATES_LARGE if large else _STATES)
    first, last = ends or (int(notable[1]), int(notable[0]))
    if not (inside[first] and inside[last]):
        first, last = int(notable[1]), int(notable[0])
    where = np.cumsum(inside) - 1
    chain = _chain(ensemble, thermo.start)
    grid = _temperatures(thermo, _TEMPERATURES_LARGE if large else _TEMPERATURES)
    curves = [
        _at(_chain(ensemble, t), int(where[first]), int(where[last]), large=large) for t in grid.tolist()
    ]
    notes = []
    if not inside.all():
        notes.append(
            f"{np.count_nonzero(~inside):,} minima in other components are left out: nothing is "
            "known of how they are reached"
        )
    if large:
        notes.append("in a network of this size only the deepest few are tabulated")
    text = "; ".join(notes)
    return KineticCurves(
        temperature=thermo.start,
        temperature_unit=thermo.temperature_unit,
        time_unit="√(m σ²/ε)" if ensemble.boltzmann == 1.0 else "reduced",
        ids=network.ids[notable],
        log10_rates=_matrix(chain, where[notable]),
        meaning="From the minimum of the row to that of the column: one over the mean "
        "first-passage time, all paths through all other minima included.",
        temperatures=grid,
        timescales=np.array([times for *_, times in curves]),
        ends=(int(network.ids[first]), int(network.ids[last])),
        log10_forward=np.array([there for there, *_ in curves]),
        log10_backward=np.array([back for _, back, _ in curves]),
        boltzmann=ensemble.boltzmann,
        note=f"{text[:1].upper()}{text[1:]}." if text else "",
    )


def _chain(ensemble: HarmonicEnsemble, temperature: float) -> MarkovChain:
    """The chain of the component of the global minimum."""
    chain = transition_rates(ensemble, temperature)
    return chain.select(ensemble.network.components == 0)


def _temperatures(thermo: ThermoCurves, count: int) -> Float[np.ndarray, " temperatures"]:
    """Temperatures whose inverses are evenly spaced, ascending."""
    low, high = float(thermo.temperature[0]), float(thermo.temperature[-1])
    return 1.0 / np.linspace(1.0 / low, 1.0 / high, count)


def _matrix(
    chain: MarkovChain, states: Int[np.ndarray, " states"]
) -> Float[np.ndarray, "states states"]:
    """Decimal logarithms of the rates between states; NaN on the diagonal."""
    rates = np.stack([-chain.log_mfpts([b])[states] / _LN10 for b in states.tolist()], axis=1)
    np.fill_diagonal(rates, np.nan)
    return rates


def _at(
    chain: MarkovChain, a: int, b: int, *, large: bool
) -> tuple[float, float, Float[np.ndarray, " times"]]:
    """Decimal logarithms of the rates both ways, and the slowest relaxation times."""
    there = -float(chain.log_mfpts([b])[a]) / _LN10
    back = -float(chain.log_mfpts([a])[b]) / _LN10
    count = min(_TIMES_LARGE if large else _TIMES, chain.n_states - 1)
    try:
        times = chain.timescales(count)
    except ThalwegError:
        times = np.full(count, np.nan)
    return there, back, times
