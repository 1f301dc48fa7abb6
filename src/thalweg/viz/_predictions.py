"""How the minima of a loss predict, in one figure."""

from typing import TYPE_CHECKING

import numpy as np

from thalweg.learning import LossReading

from ._style import ACCENT, GROUPS, INK, MUTED, SEQUENTIAL, STYLE

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

_PAIRS = 60
"""Minima of which the matrix of disagreement is drawn."""


def plot_predictions(reading: LossReading) -> "matplotlib.figure.Figure":
    """Draw what a reading of a loss says: four panels, those that it has.

    Error against energy; error against the log-determinant of the Hessian (flat to the left);
    the share of data on which two minima disagree; ensembles of growing size with their error bars.

    Args:
        reading: What `thalweg.learning.read_loss` returned.

    Returns:
        The figure; `save_figure(figure, "predictions.pdf")` writes it.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    draw = [_against_energy]
    if reading.curvatures is not None:
        draw.append(_against_flatness)
    if reading.agreement is not None and len(reading.agreement.ids) > 1:
        draw.append(_disagreement)
    if reading.ensembles is not None and len(reading.ensembles.sizes) > 1:
        draw.append(_ensembles)
    columns = min(2, len(draw))
    rows = -(-len(draw) // columns)
    with mpl.rc_context(STYLE):
        figure, grid = plt.subplots(
            rows, columns, squeeze=False, layout="constrained",
            figsize=(3.3 * columns, 2.7 * rows),
        )  # fmt: skip
        for ax, panel in zip(grid.flat, draw, strict=False):
            panel(ax, reading)
        for ax in grid.flat[len(draw) :]:
            ax.set_axis_off()
    return figure


def _error_name(reading: LossReading) -> str:
    kind = "Training" if reading.test is None else "Test"
    regression = reading.predictions.classes is None
    return f"{kind} {'mean squared error' if regression else 'error'}"


def _scatter(ax: "matplotlib.axes.Axes", x: np.ndarray, reading: LossReading) -> None:
    ax.plot(x, reading.error, "o", color=INK, markersize=3.5, alpha=0.7, markeredgewidth=0)
    # In a reading the lowest minimum comes first.
    ax.plot(x[:1], reading.error[:1], "o", color=ACCENT, markersize=5, label="lowest minimum")
    ax.set_ylabel(_error_name(reading))
    ax.margins(0.08)


def _against_energy(ax: "matplotlib.axes.Axes", reading: LossReading) -> None:
    _scatter(ax, reading.network.energies[reading.order], reading)
    ax.set_xlabel("Loss with penalty")
    ax.legend(loc="best", fontsize=7.5)


def _against_flatness(ax: "matplotlib.axes.Axes", reading: LossReading) -> None:
    assert reading.curvatures is not None
    _scatter(ax, reading.curvatures.log_determinant, reading)
    ax.set_xlabel("ln det Hessian (flat to the left)")
    found = reading.correlation
    if found is not None and "log_determinant" in found.properties:
        rho = found.correlation[found.properties.index("log_determinant")]
        ax.set_title(f"rank correlation {rho:.2f}", fontsize=8)


def _disagreement(ax: "matplotlib.axes.Axes", reading: LossReading) -> None:
    from matplotlib.ticker import MaxNLocator

    agreement = reading.agreement
    assert agreement is not None
    classes = reading.predictions.classes is not None
    values = 1.0 - agreement.agree if classes else agreement.rms
    shown = ax.imshow(values[:_PAIRS, :_PAIRS], cmap=SEQUENTIAL, interpolation="nearest")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
        axis.set_label_text("Minimum, by energy")
    bar = ax.figure.colorbar(shown, ax=ax, shrink=0.9)
    bar.outline.set_visible(False)
    bar.set_label("Share of data that differ" if classes else "RMS difference")


def _ensembles(ax: "matplotlib.axes.Axes", reading: LossReading) -> None:
    found = reading.ensembles
    assert found is not None
    for m, name in enumerate(found.measures):
        sign = 1.0 if name == "loss" else -1.0
        offset = 0.0 if name == "loss" else 1.0
        label = {"loss": "loss", "accuracy": "1 - accuracy", "auc": "1 - AUC"}[name]
        ax.errorbar(
            found.sizes, offset + sign * found.values[:, m], found.errors[:, m], marker="o",
            markersize=3, linewidth=1.0, capsize=2, color=GROUPS[m], label=label,
        )  # fmt: skip
        best = offset + sign * found.best_values[m]
        ax.axhline(best, color=GROUPS[m], linewidth=0.7, linestyle=(0, (4, 3)))
    ax.plot([], [], color=MUTED, linewidth=0.7, linestyle=(0, (4, 3)), label="best single")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(found.sizes[-8:], [str(size) for size in found.sizes[-8:]])
    ax.minorticks_off()
    ax.set_xlabel("Lowest minima in the ensemble")
    ax.set_ylabel(f"{'Training' if reading.test is None else 'Test'} measure")
    ax.legend(loc="best", fontsize=7)
