"""Several ways between two points: a certified path beside straight lines."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError
from thalweg.landscape import Pathway

from ._style import ACCENT, INK, STYLE

if TYPE_CHECKING:
    import matplotlib.axes

_LINES = (("#1f6fb4", (0, (5, 2))), ("#d9731a", (0, (1, 1.5))), ("#6b7280", "dashdot"))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """The energy along one way.

    Attributes:
        name: What the legend calls it.
        fractions: Where, from 0 to 1.
        energies: Energy at each place.
    """

    name: str
    fractions: Float[np.ndarray, " n"]
    energies: Float[np.ndarray, " n"]


def plot_profiles(
    pathway: Pathway | None,
    profiles: Sequence[Profile],
    ax: "matplotlib.axes.Axes | None" = None,
    *,
    energy_label: str = "Energy",
) -> "matplotlib.axes.Axes":
    """Draw a certified path and other ways between the same two minima, each from 0 to 1.

    Args:
        pathway: The path over transition states, drawn in full with its stationary points;
            `None` if there is none.
        profiles: The other ways.
        ax: Axes to draw into; by default a new figure.
        energy_label: Name of the axis.

    Returns:
        The axes; `save_figure(ax.figure, "between.pdf")` writes them.

    Raises:
        ArgumentError: if there is nothing to draw.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    if pathway is None and not profiles:
        raise ArgumentError("there is no way to draw")
    with mpl.rc_context(STYLE):
        if ax is None:
            _, ax = plt.subplots(figsize=(4.6, 3.0), layout="constrained")
        for profile, (colour, dashes) in zip(profiles, _cycle(len(profiles)), strict=True):
            ax.plot(
                profile.fractions, profile.energies, color=colour, linestyle=dashes,
                linewidth=1.2, label=profile.name, zorder=2,
            )  # fmt: skip
        if pathway is not None:
            _draw_path(ax, pathway)
        ax.set_xlim(-0.02, 1.02)
        ax.set_xlabel("Fraction of the way")
        ax.set_ylabel(energy_label)
        ax.legend(loc="best")
    return ax


def _cycle(count: int) -> list:
    return [_LINES[i % len(_LINES)] for i in range(count)]


def _draw_path(ax: "matplotlib.axes.Axes", pathway: Pathway) -> None:
    """The path, its minima filled, its transition states open, the highest of them in red."""
    fine = pathway.resample(max(1000, len(pathway.rows)))
    ax.plot(
        fine.lengths / fine.length, fine.energies, color=INK, linewidth=1.3,
        label="certified path", zorder=3,
    )  # fmt: skip
    s = pathway.lengths[pathway.rows] / pathway.length
    levels = pathway.energies[pathway.rows]
    top = 1 + 2 * int(np.argmax(levels[1::2]))
    ax.plot(s[::2], levels[::2], "o", color=INK, markersize=4.0, zorder=4)
    ax.plot(s[1::2], levels[1::2], "o", mfc="white", mec=INK, markersize=4.0, zorder=4)
    ax.plot(s[top], levels[top], "o", mfc="white", mec=ACCENT, markersize=5.0, zorder=5)
