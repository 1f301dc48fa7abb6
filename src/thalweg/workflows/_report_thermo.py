"""Thermodynamics for a report: a range of temperatures where something happens."""

import numpy as np
from jaxtyping import Float, Int

from thalweg.thermo import HarmonicEnsemble
from thalweg.viz import ThermoCurves

_SHOWN = 6
_POINTS = 181
_SCAN = 160
_SIGNIFICANT = 1e-3  # a rise of the heat capacity that counts as a peak, relative


def thermo_curves(
    ensemble: HarmonicEnsemble, energy_unit: str, temperature: float | int | None = None
) -> ThermoCurves:
    """Harmonic thermodynamics from well below to above the peaks of the heat capacity.

    Args:
        ensemble: The harmonic ensemble of what was found.
        energy_unit: Name of the unit of energy.
        temperature: Temperature that the range must include, and at which the page opens.
    """
    low, high = temperature_range(ensemble)
    if temperature is not None:
        low, high = min(low, 0.8 * temperature), max(high, 1.25 * temperature)
    grid = np.linspace(low, high, _POINTS)
    parts = ensemble.heat_capacity_contributions(grid)
    capacity = parts.sum(axis=1)
    most = np.argsort(-parts.max(axis=0), kind="stable")[:_SHOWN]
    most = most[np.lexsort((ensemble.network.ids[most], ensemble.network.energies[most]))]
    shown = parts[:, most].T
    rest = np.maximum(capacity - shown.sum(axis=0), 0.0)
    return ThermoCurves(
        temperature=grid,
        temperature_unit=(f"{energy_unit}/k" if energy_unit else "")
        if ensemble.boltzmann == 1.0
        else "K",
        heat_capacity=capacity,
        internal_energy=ensemble.internal_energy(grid),
        entropy=ensemble.entropy(grid) / ensemble.boltzmann,
        contribution_ids=ensemble.network.ids[most],
        contributions=np.concatenate([shown, rest[None]]),
        modes=ensemble.modes,
        boltzmann=ensemble.boltzmann,
        start=_start(ensemble, grid) if temperature is None else float(temperature),
        peaks=peaks_of(capacity),
        kinetic=ensemble.kinetic,
    )


def temperature_range(ensemble: HarmonicEnsemble) -> tuple[float, float]:
    """Temperatures from well below the lowest peak of the heat capacity to above the highest."""
    energies = ensemble.network.energies
    span = float(energies.max() - energies.min()) or max(abs(float(energies.min())), 1.0) * 0.1
    scan = span * np.logspace(-3.0, 0.7, _SCAN) / ensemble.boltzmann
    peaks = peaks_of(ensemble.heat_capacity(scan))
    if not len(peaks):
        return 0.02 * span / ensemble.boltzmann, 0.5 * span / ensemble.boltzmann
    return 0.35 * float(scan[peaks[0]]), 1.75 * float(scan[peaks[-1]])


def peaks_of(capacity: Float[np.ndarray, " temperatures"]) -> Int[np.ndarray, " peaks"]:
    """Positions of the maxima inside the range that rise visibly above both sides."""
    inner = capacity[1:-1]
    places = np.flatnonzero((inner > capacity[:-2]) & (inner >= capacity[2:])) + 1
    least = _SIGNIFICANT * float(capacity.max() - capacity.min() or 1.0)
    kept = [
        place
        for place in places.tolist()
        if capacity[place] - capacity[: place + 1].min() > least
        and capacity[place] - capacity[place:].min() > least
    ]
    return np.array(kept, dtype=int)


def _start(ensemble: HarmonicEnsemble, grid: Float[np.ndarray, " temperatures"]) -> float:
    """Where the global minimum has lost half of its occupation; the middle if it never does."""
    p = ensemble.occupations(grid)[:, ensemble.network.global_minimum]
    below = np.flatnonzero(p < 0.5)
    middle = grid[len(grid) // 2]
    return float(grid[below[0]] if len(below) and below[0] > 0 else middle)
