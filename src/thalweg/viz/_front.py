"""The plane of force fields: accuracy against speed."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ._style import ACCENT, GROUPS, INK, MUTED, STYLE

if TYPE_CHECKING:
    import matplotlib.figure

_ACCURATE = 1.0
"""Chemical accuracy, in kcal/mol."""


def plot_front(
    front: Any, reference: Any = None, figure: "matplotlib.figure.Figure | None" = None
) -> "matplotlib.figure.Figure":
    """Draw errors of energies and of forces against CPU time, on logarithmic axes.

    Force fields that no other beats are full and joined, the others hollow; those whose bonds did
    not all hold in molecular dynamics are crossed out. 1 kcal/mol is drawn.

    Args:
        front: `thalweg.forcefields.fitting.Front`.
        reference: Measurement of the label method, whose time is drawn as a line.
        figure: Figure to fill; by default a new one.

    Returns:
        The figure.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    with mpl.rc_context(STYLE):
        if figure is None:
            figure = plt.figure(figsize=(7.2, 3.2), layout="constrained")
        energy, force = figure.subplots(1, 2)
        best = set(front.best)
        for ax, field in ((energy, "energy_rmse"), (force, "force_rmse")):
            _panel(ax, front.records, best, field)
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_xlabel("CPU time of energy and forces / µs", color=INK)
            if reference is not None and np.isfinite(reference.micros):
                ax.axvline(reference.micros, color=MUTED, linewidth=0.8)
                ax.annotate(
                    reference.name,
                    (reference.micros, 0.98),
                    xycoords=("data", "axes fraction"),
                    rotation=90,
                    ha="right",
                    va="top",
                    fontsize=7,
                    color=INK,
                )
        energy.axhline(_ACCURATE, color=ACCENT, linewidth=0.8, linestyle="--")
        energy.annotate(
            "1 kcal/mol",
            (0.02, _ACCURATE),
            xycoords=("axes fraction", "data"),
            va="bottom",
            fontsize=7,
            color=ACCENT,
        )
        energy.set_ylabel("Error of energies / kcal/mol", color=INK)
        force.set_ylabel("Error of forces / kcal/(mol Å)", color=INK)
    return figure


def _panel(ax: Any, records: Any, best: set[Any], field: str) -> None:
    joined = []
    for k, record in enumerate(records):
        x, y = record.micros, getattr(record, field)
        if not (np.isfinite(x) and np.isfinite(y) and y > 0):
            continue
        color = GROUPS[k % len(GROUPS)]
        full = record in best
        ax.plot(x, y, "o", color=color, markersize=5, markerfacecolor=color if full else "none")
        if record.survival < 1:
            ax.plot(x, y, "x", color=INK, markersize=8, linewidth=0.8)
        ax.annotate(
            record.name, (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7, color=INK
        )
        if full:
            joined.append((x, y))
    if len(joined) > 1:
        ax.plot(*np.array(joined).T, color=MUTED, linewidth=0.8, zorder=0)
