"""Trees of several systems side by side: how a landscape changes with a parameter."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError
from thalweg.landscape import DisconnectivityTree

from ._style import INK, STYLE
from ._tree import TreeStyle, plot_tree

if TYPE_CHECKING:
    import matplotlib.figure

_WIDTH, _HEIGHT = 2.2, 3.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TreePanel:
    """One tree of a figure of several.

    Attributes:
        title: What stands above it.
        tree: The tree.
        color: A number for each minimum of the network that the tree was made from (NaN where
            unknown); `None` for none.
    """

    title: str
    tree: DisconnectivityTree
    color: Float[np.ndarray, " minima"] | None = None


def plot_trees(
    panels: Sequence[TreePanel],
    *,
    columns: int | None = None,
    same_scale: bool = True,
    energy_label: str = "Energy",
    color_label: str = "",
    style: TreeStyle = TreeStyle(),
) -> "matplotlib.figure.Figure":
    """Draw several trees side by side, with one colour scale for all.

    Args:
        panels: The trees, in reading order.
        columns: Trees in a row; by default at most four, rows of equal length.
        same_scale: Whether all have the same axis of energy; otherwise each has its own.
        energy_label: Name of the axis.
        color_label: What the colours mean.
        style: Line widths, colour map, marks.

    Returns:
        The figure; `save_figure(figure, "trees.pdf")` writes it.

    Raises:
        ArgumentError: if there is no tree, or `columns` is not positive.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if not panels:
        raise ArgumentError("there are no trees to draw")
    if columns is not None and columns < 1:
        raise ArgumentError(f"columns={columns} must be at least 1")
    rows = math.ceil(len(panels) / (columns or 4))
    columns = columns or math.ceil(len(panels) / rows)
    scale = _colour_range(panels)
    low, high = _common_range(panels)
    with mpl.rc_context(STYLE):
        figure, grid = plt.subplots(
            rows, columns, squeeze=False, layout="constrained",
            figsize=(_WIDTH * columns + 0.8 * (scale is not None), _HEIGHT * rows),
        )  # fmt: skip
        for number, ax in enumerate(grid.flat):
            if number >= len(panels):
                ax.set_axis_off()
                continue
            panel = panels[number]
            first = number % columns == 0
            color = panel.color if scale is not None else None
            plot_tree(
                panel.tree,
                ax,
                color=color,
                energy_label=energy_label if first or not same_scale else "",
                style=dataclasses.replace(style, color_range=scale, color_bar=False),
            )
            ax.set_title(panel.title, fontsize=8.5, color=INK)
            if same_scale and panel.tree.n_leaves:
                ax.set_ylim(low, high)
                if not first:
                    ax.tick_params(labelleft=False)
        if scale is not None:
            painted = ScalarMappable(Normalize(*scale), style.cmap)
            bar = figure.colorbar(painted, ax=list(grid.flat), shrink=0.7, aspect=30, pad=0.02)
            bar.outline.set_visible(False)
            bar.set_label(color_label)
    return figure


def _colour_range(panels: Sequence[TreePanel]) -> tuple[float, float] | None:
    """Lowest and highest known number of all leaves; `None` without any."""
    known = [
        panel.color[panel.tree.minimum]
        for panel in panels
        if panel.color is not None and panel.tree.n_leaves
    ]
    values = np.concatenate([np.zeros(0), *known])
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if len(values) else None


def _common_range(panels: Sequence[TreePanel]) -> tuple[float, float]:
    """Energies that hold every tree, with a margin."""
    heights = np.concatenate([np.zeros(0), *(p.tree.height for p in panels)])
    if not len(heights):
        return 0.0, 1.0
    low, high = float(heights.min()), float(heights.max())
    span = high - low or max(abs(low), 1.0) * 0.1
    return low - 0.04 * span, high + 0.05 * span
