r"""Which minima make a heat-capacity peak.

Without the parts that every well has by itself, $C = \sum_i u_i\, dp_i/dT$: heat is taken up
because occupation moves from minima of low energy to minima of high energy. At the peak the minima
fall into those whose occupation falls and those whose occupation rises; with $r$ the total rate at
which occupation moves, $C - \sum_i p_i c_i k = r\,(\langle u\rangle_{rising} -
\langle u\rangle_{falling})$, means taken with $|dp_i/dT|$ as weights.

Source: Wales, Phys. Rev. E 95, 030105 (2017).
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import optimize

from thalweg.core import ArgumentError

from ._superposition import AbstractEnsemble, checked_temperature

_GRID = 800
"""Temperatures, evenly spaced in their logarithm, among which peaks are looked for."""

_PROMINENCE = 1e-6
"""A peak rises above its surroundings by this fraction of the highest heat capacity or more."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HeatCapacityPeak:
    """A maximum of the heat capacity and the minima behind it.

    Attributes:
        temperature: Where it is.
        heat_capacity: How high, in units of k_B.
        falling: Positions of the minima whose occupation falls there, fastest first.
        falling_shares: Each one's share of all that is lost; they sum to one.
        rising: Positions of the minima whose occupation rises there, fastest first.
        rising_shares: Each one's share of all that is gained; they sum to one.
        rate: Occupation that changes hands per unit of temperature, dp/dT of all that rise.
        gap: Mean energy of what rises minus mean energy of what falls, both weighted by the rate.
    """

    temperature: float
    heat_capacity: float
    falling: Int[np.ndarray, " falling"]
    falling_shares: Float[np.ndarray, " falling"]
    rising: Int[np.ndarray, " rising"]
    rising_shares: Float[np.ndarray, " rising"]
    rate: float
    gap: float


_ONE_LEVEL = 1e-6
"""Energies closer than this share of their spread are one level."""

_WIDE = 100.0
"""Ratio of temperatures beyond which an even axis hides the lower peaks."""


def heat_capacity_peaks(
    ensemble: AbstractEnsemble, t_low: float, t_high: float
) -> list[HeatCapacityPeak]:
    """The maxima of the heat capacity between two temperatures, and the minima that make them.

    A maximum counts if it rises above the saddles beside it by a millionth of the highest. It is
    found on a grid of 800 temperatures and then refined until its temperature has
    about nine digits. A maximum at an end of the range is no peak.

    Args:
        ensemble: Any superposition.
        t_low: Lowest temperature.
        t_high: Highest temperature.

    Returns:
        One record a peak, by ascending temperature; none if the heat capacity has no maximum.

    Raises:
        ArgumentError: if the temperatures are not positive or not ascending.
    """
    checked_temperature([t_low, t_high])
    if not t_low < t_high:
        raise ArgumentError(f"t_low={t_low:g} must be lower than t_high={t_high:g}")
    grid = np.geomspace(t_low, t_high, _GRID)
    heights = curve(ensemble, grid)
    from scipy.signal import find_peaks

    tops, _ = find_peaks(heights, prominence=_PROMINENCE * float(heights.max()))
    return [_peak(ensemble, grid[top - 1], grid[top + 1]) for top in tops]


def curve(
    ensemble: AbstractEnsemble, temperatures: Float[np.ndarray, " temperatures"]
) -> Float[np.ndarray, " temperatures"]:
    """Heat capacities, few temperatures at a time: memory stays bounded at many minima."""
    step = max(1, 2_000_000 // ensemble.network.n_minima)
    parts = [
        ensemble.heat_capacity(temperatures[first : first + step])
        for first in range(0, len(temperatures), step)
    ]
    return np.concatenate(parts)


def _peak(ensemble: AbstractEnsemble, low: float, high: float) -> HeatCapacityPeak:
    at = _summit(ensemble, low, high)
    slopes = ensemble.occupation_slopes(at)
    energies = ensemble.energies(at)
    order = np.argsort(-np.abs(slopes), kind="stable")
    falling, rising = order[slopes[order] < 0], order[slopes[order] > 0]
    lost, gained = -slopes[falling], slopes[rising]
    return HeatCapacityPeak(
        temperature=at,
        heat_capacity=float(ensemble.heat_capacity(at)),
        falling=falling,
        falling_shares=lost / lost.sum(),
        rising=rising,
        rising_shares=gained / gained.sum(),
        rate=float(gained.sum()),
        gap=float(energies[rising] @ gained / gained.sum() - energies[falling] @ lost / lost.sum()),
    )


def _summit(ensemble: AbstractEnsemble, low: float, high: float) -> float:
    """The maximum in a bracket: where the central difference of C over a small step vanishes.

    The step makes an error of its square times C''' / 6 C'', about 1e-9 of the temperature.
    """
    step = 1e-5

    def slope(log_t: float) -> float:
        ends = np.exp(np.array([log_t + step, log_t - step]))
        upper, lower = ensemble.heat_capacity(ends)
        return float(upper - lower)

    ends = np.log(low), np.log(high)
    if not slope(ends[0]) > 0 > slope(ends[1]):  # a plateau of equal values on the grid
        return float(np.exp(0.5 * (ends[0] + ends[1])))
    root: Any = optimize.brentq(slope, *ends, xtol=1e-12)
    return float(np.exp(root))


def temperature_range(ensemble: AbstractEnsemble) -> tuple[float, float]:
    """Temperatures between which the heat capacity of a landscape has something to show.

    From a third of the temperature of its lowest peak to twice that of its highest, among
    temperatures from a twentieth of the lowest gap up to the spread of the energies; without a
    peak, from 1 to 50 % of the spread.
    """
    energies = ensemble.network.energies
    spread = float(np.ptp(energies)) / ensemble.boltzmann
    if spread == 0.0:
        unit = 1.0 / ensemble.boltzmann
        return 0.01 * unit, unit
    above = np.sort(energies - energies.min()) / ensemble.boltzmann
    gap = float(above[above > _ONE_LEVEL * spread][0])
    coldest = max(min(1e-3 * spread, 0.05 * gap), _ONE_LEVEL * spread)
    peaks = heat_capacity_peaks(ensemble, coldest, spread)
    if not peaks:
        return 0.01 * spread, 0.5 * spread
    tallest = max(peak.heat_capacity for peak in peaks)
    floor = float(curve(ensemble, np.array([coldest]))[0])
    seen = [
        peak.temperature for peak in peaks if peak.heat_capacity - floor > 0.02 * (tallest - floor)
    ]
    return seen[0] / 3.0, 2.0 * seen[-1]


def wide_range(low: float, high: float) -> bool:
    """Whether temperatures span two decades, so that a curve is drawn over their logarithm."""
    return bool(high >= _WIDE * low)


def temperature_grid(low: float, high: float, points: int) -> Float[np.ndarray, " points"]:
    """Temperatures of a curve: evenly spaced, or so in their logarithm if they span two decades."""
    space = np.geomspace if wide_range(low, high) else np.linspace
    return space(low, high, points)
