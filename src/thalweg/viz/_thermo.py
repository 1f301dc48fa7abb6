"""Heat capacities against temperature: superposition, its parts, its uncertainty, and sampling."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError
from thalweg.thermo import AbstractEnsemble, HeatCapacityPeak, MissingMinima, Reweighted

from ._style import ACCENT, GROUPS, INK, MUTED, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_heat_capacity(
    ensemble: AbstractEnsemble,
    temperatures: Float[np.ndarray, " temperatures"],
    *,
    contributions: int = 4,
    missing: MissingMinima | None = None,
    samples: Reweighted | None = None,
    peaks: Sequence[HeatCapacityPeak] = (),
    temperature_label: str = "Temperature",
    axes: "Axes | None" = None,
) -> "Axes":
    """Draw the heat capacity of a superposition, in units of k_B.

    Args:
        ensemble: The superposition.
        temperatures: Where, ascending, `(temperatures,)`.
        contributions: How many minima to show by themselves as coloured areas, those whose largest
            share is largest; the areas of all minima add up to the curve. 0 draws no areas.
        missing: The interval for missing minima, as a grey band.
        samples: Curves from sampling, as points with error bars of one standard error.
        peaks: Maxima to mark with their temperatures.
        temperature_label: Name and unit of the horizontal axis.
        axes: Where to draw; a new figure by default.

    Returns:
        The axes.

    Raises:
        ArgumentError: if there are fewer than two temperatures.
    """
    if len(temperatures) < 2:
        raise ArgumentError("a curve needs at least two temperatures")
    import matplotlib.pyplot as plt

    with mpl.rc_context(STYLE):
        if axes is None:
            _, axes = plt.subplots(figsize=(5.0, 3.4), layout="constrained")
        shares = ensemble.heat_capacity_contributions(temperatures)
        total = shares.sum(axis=1)
        if contributions > 0:
            _draw_areas(axes, ensemble, temperatures, shares, contributions)
        if missing is not None:
            axes.fill_between(
                missing.temperatures,
                missing.heat_capacity_lower,
                missing.heat_capacity_upper,
                color=INK,
                alpha=0.18,
                linewidth=0,
                label=f"{100 * missing.confidence:.0f} % for missing minima"
                + ("" if missing.trusted else " (too few searches)"),
            )
        axes.plot(temperatures, total, color=INK, linewidth=1.3, label="superposition")
        tops = [total.max()]
        if samples is not None:
            _draw_samples(axes, samples)
            tops.append((samples.heat_capacity + samples.heat_capacity_error).max())
        for peak in peaks:
            axes.annotate(
                f"{peak.temperature:.4g}",
                (peak.temperature, peak.heat_capacity),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=INK,
            )
        axes.set_xlim(temperatures[0], temperatures[-1])
        axes.set_ylim(0.0, 1.12 * max(tops))
        axes.set_xlabel(temperature_label)
        axes.set_ylabel("Heat capacity / $k_\\mathrm{B}$")
        axes.legend(fontsize=7, loc="upper left" if _left_is_free(total) else "upper right")
    return axes


def _left_is_free(total: Float[np.ndarray, " temperatures"]) -> bool:
    """Whether the curve is lower in its left third than in its right third."""
    third = max(1, len(total) // 3)
    return float(total[:third].max()) < float(total[-third:].max())


def _draw_areas(
    axes: "Axes",
    ensemble: AbstractEnsemble,
    temperatures: Float[np.ndarray, " temperatures"],
    shares: Float[np.ndarray, "temperatures minima"],
    count: int,
) -> None:
    """Stacked areas: the largest contributors, then all others together."""
    network = ensemble.network
    chosen = np.argsort(-shares.max(axis=0), kind="stable")[: min(count, len(GROUPS))]
    chosen = chosen[np.argsort(network.energies[chosen], kind="stable")]
    names = [f"minimum {network.ids[k]}" for k in chosen]
    rest = network.n_minima - len(chosen)
    rows = [shares[:, k] for k in chosen]
    colours = list(GROUPS[: len(chosen)])
    if rest:
        rows.append(shares.sum(axis=1) - sum(rows))
        names.append(f"{rest:,} other minima" if rest > 1 else "1 other minimum")
        colours.append(MUTED)
    axes.stackplot(temperatures, rows, labels=names, colors=colours, alpha=0.35, linewidth=0)


def _draw_samples(axes: "Axes", samples: Reweighted) -> None:
    axes.errorbar(
        samples.temperatures,
        samples.heat_capacity,
        yerr=samples.heat_capacity_error,
        color=ACCENT,
        fmt="o",
        markersize=2.6,
        linewidth=0,
        elinewidth=0.9,
        capsize=1.5,
        label=f"parallel tempering, {samples.replicas} replicas",
    )
