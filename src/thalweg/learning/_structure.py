"""How predictions go with the structure of the landscape: flatness, volume, heat capacity."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from thalweg.core import ArgumentError, PRNGKey, as_key
from thalweg.thermo import AbstractEnsemble, heat_capacity_peaks, temperature_range

_DRAWS = 2_000
"""Bootstrap samples and permutations."""

_LEAST = 4
"""Minima without which a rank correlation says nothing: three are in order one time in six."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ErrorCorrelation:
    """Spearman's rank correlation of properties of minima with their test error.

    Attributes:
        properties: Names of the properties.
        correlation: Rank correlation of each with the test error, -1 to 1; NaN if a property or
            the error is the same everywhere.
        low: Lower end of its 95 % bootstrap interval over the minima.
        high: Upper end.
        chance: Share of random pairings with a correlation at least as large (a permutation test).
        counts: Number of minima used for each property.
    """

    properties: tuple[str, ...]
    correlation: Float[np.ndarray, " properties"]
    low: Float[np.ndarray, " properties"]
    high: Float[np.ndarray, " properties"]
    chance: Float[np.ndarray, " properties"]
    counts: Int[np.ndarray, " properties"]

    def table(self) -> pd.DataFrame:
        """One row a property."""
        return pd.DataFrame(
            {
                "property": list(self.properties),
                "correlation": self.correlation,
                "low": self.low,
                "high": self.high,
                "chance": self.chance,
                "minima": self.counts,
            }
        )


def error_correlation(
    properties: Mapping[str, Float[np.ndarray, " minima"]],
    error: Float[np.ndarray, " minima"],
    *,
    draws: int = _DRAWS,
    key: PRNGKey | int = 0,
) -> ErrorCorrelation:
    """Whether flat, wide or low minima predict better.

    Minima are no independent sample of anything: the interval says how much the number hangs on
    single minima, and the permutation test how easily chance would give it.

    Args:
        properties: One number for each minimum, by name: `{"log_determinant": …}`. NaN leaves a
            minimum out of that correlation.
        error: Test error of each minimum.
        draws: Bootstrap samples, and permutations.
        key: Random key.

    Raises:
        ArgumentError: if lengths differ, or fewer than four minima are known.
    """
    found = []
    for number, (name, values) in enumerate(properties.items()):
        values = np.asarray(values, float)
        if values.shape != error.shape:
            raise ArgumentError(f"{name} has shape {values.shape}, the errors have {error.shape}")
        known = np.isfinite(values) & np.isfinite(error)
        if known.sum() < _LEAST:
            raise ArgumentError(
                f"{name}: a correlation needs {_LEAST} minima, got {int(known.sum())}",
                "map further, or with weaker regularisation",
            )
        stream = jax.random.fold_in(as_key(key), number)
        found.append((*_spearman(values[known], error[known], draws, stream), int(known.sum())))
    if not found:
        raise ArgumentError("there are no properties to correlate")
    correlation, low, high, chance, counts = map(np.array, zip(*found, strict=True))
    return ErrorCorrelation(
        properties=tuple(properties),
        correlation=correlation,
        low=low,
        high=high,
        chance=chance,
        counts=counts,
    )


def _spearman(
    x: Float[np.ndarray, " minima"], y: Float[np.ndarray, " minima"], draws: int, key: PRNGKey
) -> tuple[float, float, float, float]:
    count = len(x)
    here = float(_ranked(x[None], y[None])[0])
    if not np.isfinite(here):
        return here, np.nan, np.nan, np.nan
    first, second = jax.random.split(key)
    rows = np.asarray(jax.random.randint(first, (draws, count), 0, count))
    boot = _ranked(x[rows], y[rows])
    low, high = np.nanquantile(boot, [0.025, 0.975])
    shuffled = np.asarray(
        jax.vmap(lambda k: jax.random.permutation(k, count))(jax.random.split(second, draws))
    )
    by_chance = np.abs(_ranked(np.broadcast_to(x, shuffled.shape), y[shuffled]))
    chance = (1 + np.sum(by_chance >= abs(here) - 1e-12)) / (draws + 1)
    return here, float(low), float(high), float(chance)


def _ranked(
    x: Float[np.ndarray, "rows minima"], y: Float[np.ndarray, "rows minima"]
) -> Float[np.ndarray, " rows"]:
    """Spearman's correlation of each row; NaN where one side is constant."""
    from scipy.stats import rankdata

    # Numbers that differ by rounding are equal: minima related by a symmetry of the data, say.
    size = [np.max(np.abs(v), initial=1e-300) for v in (x, y)]
    a, b = (rankdata(np.round(v / s, 9), axis=1) for v, s in zip((x, y), size, strict=True))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    size = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return np.where(size > 0, (a * b).sum(axis=1) / np.where(size > 0, size, 1.0), np.nan)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PeakPredictions:
    """A peak of the heat capacity, and how the minima behind it predict.

    Attributes:
        temperature: Where it is, in units of the loss.
        heat_capacity: How high.
        falling: Ids of the minima that lose occupation there, fastest first.
        falling_shares: Each one's share of the loss.
        rising: Ids of the minima that gain, fastest first.
        rising_shares: Each one's share of the gain.
        falling_error: Mean test error of what loses, weighted by the shares.
        rising_error: Mean test error of what gains.
    """

    temperature: float
    heat_capacity: float
    falling: Int[np.ndarray, " falling"]
    falling_shares: Float[np.ndarray, " falling"]
    rising: Int[np.ndarray, " rising"]
    rising_shares: Float[np.ndarray, " rising"]
    falling_error: float
    rising_error: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ThermalPredictions:
    """Predictions along a temperature: what a Boltzmann distribution over minima would do.

    The temperature is that of a distribution exp(-E/T) over parameters, in units of the loss.

    Attributes:
        temperatures: Temperatures, ascending.
        heat_capacity: Harmonic heat capacity at each.
        error: Mean test error of a minimum drawn from the distribution.
        effective: How many minima share the occupation: exp of its entropy.
        peaks: Peaks of the heat capacity in the range.
    """

    temperatures: Float[np.ndarray, " temperatures"]
    heat_capacity: Float[np.ndarray, " temperatures"]
    error: Float[np.ndarray, " temperatures"]
    effective: Float[np.ndarray, " temperatures"]
    peaks: tuple[PeakPredictions, ...]

    def table(self) -> pd.DataFrame:
        """One row a temperature."""
        return pd.DataFrame(
            {
                "temperature": self.temperatures,
                "heat_capacity": self.heat_capacity,
                "error": self.error,
                "effective_minima": self.effective,
            }
        )

    def peaks_table(self, most: int = 3) -> pd.DataFrame:
        """One row a peak, with the ids of the `most` first minima on each side."""
        rows: list[dict[str, Any]] = [
            {
                "temperature": peak.temperature,
                "heat_capacity": peak.heat_capacity,
                "falling": " ".join(map(str, peak.falling[:most])),
                "falling_error": peak.falling_error,
                "rising": " ".join(map(str, peak.rising[:most])),
                "rising_error": peak.rising_error,
            }
            for peak in self.peaks
        ]
        return pd.DataFrame(rows)


def thermal_predictions(
    ensemble: AbstractEnsemble,
    error: Float[np.ndarray, " minima"],
    temperatures: Float[np.ndarray, " temperatures"] | None = None,
) -> ThermalPredictions:
    """Join the heat capacity of a loss with how its minima predict.

    Args:
        ensemble: `HarmonicEnsemble.of(landscape)`.
        error: Test error of each minimum, in the order of the network.
        temperatures: By default 200, around the peaks of the heat capacity.

    Raises:
        ArgumentError: if there is not one error for each minimum.
    """
    network = ensemble.network
    if error.shape != (network.n_minima,):
        raise ArgumentError(f"{error.shape} errors for {network.n_minima} minima")
    if temperatures is None:
        temperatures = np.geomspace(*temperature_range(ensemble), 200)
    grid = np.sort(np.asarray(temperatures, float))
    p = ensemble.occupations(grid)
    entropy = -np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0), axis=1)
    found = heat_capacity_peaks(ensemble, grid[0], grid[-1]) if len(grid) > 1 else []
    ids = network.ids
    return ThermalPredictions(
        temperatures=grid,
        heat_capacity=ensemble.heat_capacity(grid),
        error=p @ error,
        effective=np.exp(entropy),
        peaks=tuple(
            PeakPredictions(
                temperature=peak.temperature,
                heat_capacity=peak.heat_capacity,
                falling=ids[peak.falling],
                falling_shares=peak.falling_shares,
                rising=ids[peak.rising],
                rising_shares=peak.rising_shares,
                falling_error=float(error[peak.falling] @ peak.falling_shares),
                rising_error=float(error[peak.rising] @ peak.rising_shares),
            )
            for peak in found
        ),
    )
