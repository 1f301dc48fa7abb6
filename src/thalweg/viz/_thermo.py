"""Heat capacities against temperature: superposition, its parts, its uncertainty, and sampling."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError
from thalweg.thermo import AbstractEnsemble, HeatCapacityPeak, MissingMinima, Reweighted, wide_range

from ._style import ACCENT, GROUPS, INK, MUTED, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_heat_capacity(
    ensemble: AbstractEnsemble,
    temperatures: Float[np.ndarray, " temperatures"],
    ax: "Axes | None" = None,
    *,
    contributions: int = 4,
    missing: MissingMinima | None = None,
    samples: Reweighted | None = None,
    peaks: Sequence[HeatCapacityPeak] = (),
    temperature_label: str = "Temperature",
) -> "Axes":
    """Draw the heat capacity of a superposition, in units of k_B.

    Args:
        ensemble: The superposition.
        temperatures: Where, ascending, `(temperatures,)`; over two decades their axis is
            logarithmic.
        ax: Axes to draw into; by default a new figure.
        contributions: How many minima to show by themselves as coloured areas, those whose largest
            share is largest; the areas of all minima add up to the curve. 0 draws no areas.
        missing: The interval for missing minima, as a grey band.
        samples: Curves from sampling, as points with error bars of one standard error.
        peaks: Maxima to mark with their temperatures.
        temperature_label: Name and unit of the horizontal axis.

    Returns:
        The axes.

    Raises:
        ArgumentError: if there are fewer than two temperatures.
    """
    if len(temperatures) < 2:
        raise ArgumentError("a curve needs at least two temperatures")
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    with mpl.rc_context(STYLE):
        if ax is None:
            _, ax = plt.subplots(figsize=(6.2, 3.4), layout="constrained")
        shares = ensemble.heat_capacity_contributions(temperatures)
        total = shares.sum(axis=1)
        if contributions > 0:
            _draw_areas(ax, ensemble, temperatures, shares, contributions)
        if missing is not None:
            ax.fill_between(
                missing.temperatures,
                missing.heat_capacity_lower,
                missing.heat_capacity_upper,
                facecolor=INK,
                edgecolor=INK,
                alpha=0.16,
                linewidth=0.8,
                label=f"{100 * missing.confidence:.0f} % for missing minima"
                + ("" if missing.trusted else " (too few searches)"),
            )
        ax.plot(temperatures, total, color=INK, linewidth=1.3, label="superposition")
        tops = [total.max()]
        if samples is not None:
            _draw_samples(ax, samples)
            tops.append((samples.heat_capacity + samples.heat_capacity_error).max())
        for peak in peaks:
            ax.annotate(
                f"{peak.temperature:.4g}",
                (peak.temperature, peak.heat_capacity),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=INK,
            )
        if wide_range(temperatures[0], temperatures[-1]):
            ax.set_xscale("log")
        ax.set_xlim(temperatures[0], temperatures[-1])
        ax.set_ylim(0.0, 1.12 * max(tops))
        ax.set_xlabel(temperature_label)
        ax.set_ylabel("Heat capacity / $k_\\mathrm{B}$")
        ax.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def _draw_areas(
    ax: "Axes",
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
    colours: list[str] = [*GROUPS[: len(chosen)]]
    if rest:
        rows.append(shares.sum(axis=1) - sum(rows))
        names.append(f"{rest:,} other minima" if rest > 1 else "1 other minimum")
        colours.append(MUTED)
    ax.stackplot(temperatures, rows, labels=names, colors=colours, alpha=0.35, linewidth=0)


def _draw_samples(ax: "Axes", samples: Reweighted) -> None:
    ax.errorbar(
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
