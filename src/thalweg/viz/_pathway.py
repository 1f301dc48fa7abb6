"""Profiles of pathways."""

from typing import TYPE_CHECKING

import numpy as np

from thalweg.landscape import Pathway

from ._style import ACCENT, INK, STYLE

if TYPE_CHECKING:
    import matplotlib.axes

_SMOOTH = 2000
"""Points that a profile is drawn with."""

_CROWDED = 12
"""Stationary points beyond which only the ends and the highest are labelled."""


def plot_pathway(
    pathway: Pathway,
    ax: "matplotlib.axes.Axes | None" = None,
    *,
    labels: bool | None = None,
) -> "matplotlib.axes.Axes":
    """Draw the energy along a path against its arc length.

    Minima are filled circles, transition states open ones, the highest of them in red.

    Args:
        pathway: What to draw.
        ax: Axes to draw into; by default a new figure.
        labels: Whether every stationary point gets its id (transition states in italics). By
            default those of short paths do, and of long ones the ends and the highest point.

    Returns:
        The axes; `save_figure(ax.figure, "path.pdf")` writes them.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    with mpl.rc_context(STYLE):
        if ax is None:
            width = float(np.clip(2.6 + 0.55 * pathway.n_steps, 3.6, 8.0))
            _, ax = plt.subplots(figsize=(width, 2.8), layout="constrained")
        fine = pathway.resample(max(_SMOOTH, 2 * len(pathway.rows)))
        ax.plot(fine.lengths, fine.energies, color=INK, linewidth=1.1, zorder=2)
        s, levels = pathway.lengths[pathway.rows], pathway.energies[pathway.rows]
        top = 1 + 2 * int(np.argmax(levels[1::2]))
        ax.plot(s[::2], levels[::2], "o", color=INK, markersize=4.0, zorder=3)
        ax.plot(s[1::2], levels[1::2], "o", mfc="white", mec=INK, markersize=4.0, zorder=3)
        ax.plot(s[top], levels[top], "o", mfc="white", mec=ACCENT, markersize=5.0, zorder=4)
        every = len(pathway.rows) <= _CROWDED if labels is None else labels
        chosen = range(len(s)) if every else {0, top, len(s) - 1}
        for i in chosen:
            _label(ax, pathway, i, (float(s[i]), float(levels[i])), highest=i == top)
        ax.margins(x=0.04, y=0.14)
        ax.set_xlabel(_with_unit("Arc length", pathway.length_unit))
        ax.set_ylabel(_with_unit("Energy", pathway.energy_unit))
    return ax


def _label(
    ax: "matplotlib.axes.Axes",
    pathway: Pathway,
    row: int,
    place: tuple[float, float],
    *,
    highest: bool,
) -> None:
    """The id of a stationary point: above a transition state, below a minimum."""
    saddle = row % 2 == 1
    name = pathway.transition_states[row // 2] if saddle else pathway.minima[row // 2]
    ax.annotate(
        str(name),
        place,
        xytext=(0, 5 if saddle else -5),
        textcoords="offset points",
        ha="center",
        va="bottom" if saddle else "top",
        fontsize=7,
        style="italic" if saddle else "normal",
        color=ACCENT if highest else INK,
    )


def _with_unit(name: str, unit: str) -> str:
    return f"{name} / {unit}" if unit else name
