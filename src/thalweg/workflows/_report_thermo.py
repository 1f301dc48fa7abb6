"""Thermodynamics for a report: a range of temperatures where something happens."""

import numpy as np
from jaxtyping import Float

from thalweg.thermo import (
    HarmonicEnsemble,
    heat_capacity_peaks,
    temperature_grid,
    temperature_range,
)
from thalweg.viz import ThermoCurves

_SHOWN = 6
_POINTS = 181


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
    grid = temperature_grid(low, high, _POINTS)
    parts = ensemble.heat_capacity_contributions(grid)
    capacity = parts.sum(axis=1)
    most = np.argsort(-parts.max(axis=0), kind="stable")[:_SHOWN]
    most = most[np.lexsort((ensemble.network.ids[most], ensemble.network.energies[most]))]
    shown = parts[:, most].T
    rest = np.maximum(capacity - shown.sum(axis=0), 0.0)
    peaks = [(p.temperature, p.heat_capacity) for p in heat_capacity_peaks(ensemble, low, high)]
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
        peaks=np.array(peaks).reshape(-1, 2),
        kinetic=ensemble.kinetic,
    )


def _start(ensemble: HarmonicEnsemble, grid: Float[np.ndarray, " temperatures"]) -> float:
    """Where the global minimum has lost half of its occupation; the middle if it never does."""
    p = ensemble.occupations(grid)[:, ensemble.network.global_minimum]
    below = np.flatnonzero(p < 0.5)
    middle = grid[len(grid) // 2]
    return float(grid[below[0]] if len(below) and below[0] > 0 else middle)
