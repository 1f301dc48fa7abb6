"""Disconnectivity graphs."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError
from thalweg.landscape import DisconnectivityTree

from ._style import ACCENT, GROUPS, INK, MUTED, SEQUENTIAL, STYLE

if TYPE_CHECKING:
    import matplotlib.axes

Values = Sequence[Any] | np.ndarray | Mapping[int, Any]

_MIXED = "mixed"  # the group of a basin whose minima are of several groups


@dataclasses.dataclass(frozen=True, kw_only=True)
class TreeStyle:
    """How a tree is drawn.

    Attributes:
        linewidth: Width of the lines in points; `None` lets it shrink as minima grow in number.
        width_by_size: Whether basins of more minima get thicker lines.
        cmap: Colour map for numbers.
        mark_global_minimum: Whether to mark it.
        color_range: Numbers at the ends of the colour map; `None` takes those of the tree.
        color_bar: Whether to explain the colours beside the tree.
    """

    linewidth: float | None = None
    width_by_size: bool = False
    cmap: str = SEQUENTIAL
    mark_global_minimum: bool = True
    color_range: tuple[float, float] | None = None
    color_bar: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Paint:
    """A colour for each node, and how to explain it."""

    colours: Any
    groups: tuple[tuple[str, str], ...] = ()
    scale: Any = None


def plot_tree(
    tree: DisconnectivityTree,
    ax: "matplotlib.axes.Axes | None" = None,
    *,
    color: Values | None = None,
    labels: int | Mapping[int, str] = 0,
    shape: Literal["slanted", "square"] | None = None,
    energy_label: str = "Energy",
    color_label: str = "",
    style: TreeStyle = TreeStyle(),
) -> "matplotlib.axes.Axes":
    """Draw a disconnectivity tree: energy upwards, one line for each basin, no other axis.

    Args:
        tree: What to draw. A tree without minima gives axes that say so.
        ax: Axes to draw into; by default a new figure whose width suits the number of minima.
        color: A value for each minimum, as an array over the positions of the network that the
            tree was made from, or as a mapping from ids. Numbers are drawn on a continuous scale,
            a basin by the mean of its minima; anything else names groups, a basin takes the
            colour of its group if all its minima are of one.
        labels: How many of the lowest minima to label with their ids, or the texts by id.
        shape: `"slanted"` lines (the classic graph) or `"square"` ones; by default square for the
            exact tree.
        energy_label: Name of the axis, such as `"Energy / ε"`.
        color_label: What the colours mean.
        style: Line widths, colour map, marks.

    Returns:
        The axes; `save_figure(ax.figure, "tree.pdf")` writes them.

    Raises:
        ArgumentError: if `color` does not fit the tree.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    paint = _paint(tree, color, style)
    with mpl.rc_context(STYLE):
        if ax is None:
            size = figure_size(tree.n_leaves, wide=paint.scale is not None)
            _, ax = plt.subplots(figsize=size, layout="constrained")
        if tree.n_leaves == 0:
            return _say(ax, tree.message)
        low, high = _energy_range(tree)
        square = shape == "square" or (shape is None and tree.levels is None)
        lines = _lines(tree, high, square=square)
        width = style.linewidth or _linewidth(tree.n_leaves)
        widths = width * (1 + np.log10(tree.size)) if style.width_by_size else width
        _add_lines(ax, lines, paint.colours, widths, tree)
        ax.set_xlim(-0.7, tree.n_leaves - 0.3)
        ax.set_ylim(low, high)
        _dress(ax, energy_label)
        if style.mark_global_minimum:
            _mark(ax, tree, width)
        _label(ax, tree, labels)
        if style.color_bar:
            _explain(ax, paint, color_label)
    return ax


def figure_size(leaves: int, *, wide: bool = False) -> tuple[float, float]:
    """Width and height in inches that suit so many minima: from one column to a full page."""
    width = min(max(3.3, 0.75 * math.sqrt(leaves)), 10.0)
    return width + 0.7 * wide, min(max(3.6, 0.62 * width), 6.2)


def _linewidth(leaves: int) -> float:
    """Thinner lines for more minima; a hair is the least that prints."""
    return min(max(6.0 / math.sqrt(leaves), 0.35), 1.1)


def _add_lines(
    ax: "matplotlib.axes.Axes",
    lines: Float[np.ndarray, "nodes 3 2"],
    colours: Any,
    widths: Any,
    tree: DisconnectivityTree,
) -> None:
    """Stems over the slopes that join them, large basins over small ones."""
    from matplotlib.collections import LineCollection

    order = np.argsort(tree.size, kind="stable")
    colours, widths = (
        values[order] if isinstance(values, np.ndarray) else values for values in (colours, widths)
    )
    # Slopes of thousands of minima would fill their fan with ink: let them fade.
    fade = min(1.0, max(0.25, 12.0 / math.sqrt(max(tree.n_leaves, 1))))
    for part, alpha in ((lines[order, 1:], fade), (lines[order, :2], 1.0)):
        collection = LineCollection(
            list(part), colors=colours, linewidths=widths, alpha=alpha, capstyle="round"
        )
        ax.add_collection(collection)


def _energy_range(tree: DisconnectivityTree) -> tuple[float, float]:
    """The energies to show: a little below the lowest minimum and above the last joint."""
    low, high = float(tree.height.min()), float(tree.height.max())
    span = high - low or max(abs(low), 1.0) * 0.1
    return low - 0.04 * span, high + 0.035 * span


def _lines(tree: DisconnectivityTree, top: float, *, square: bool) -> Float[np.ndarray, "n 3 2"]:
    """The line of each node: up from where it begins, then over to its parent."""
    joined = tree.parent >= 0
    end_x = np.where(joined, tree.x[tree.parent], tree.x)
    end_y = np.where(joined, tree.height[tree.parent], top)
    turn = np.where(joined, end_y if square else tree.branch, end_y)
    corners = (tree.x, tree.height), (tree.x, turn), (end_x, end_y)
    return np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)


def _paint(tree: DisconnectivityTree, color: Values | None, style: TreeStyle) -> _Paint:
    """Colours of the nodes from values of the minima."""
    if color is None or tree.n_leaves == 0:
        return _Paint(colours=INK)
    values = _leaf_values(tree, color)
    if np.issubdtype(values.dtype, np.floating):
        return _paint_values(tree, values, style)
    return _paint_groups(tree, values)


def _leaf_values(tree: DisconnectivityTree, color: Values) -> np.ndarray:
    if isinstance(color, Mapping):
        values = [color.get(int(point)) for point in tree.ids]
        numbers = all(isinstance(v, int | float | np.number) for v in values if v is not None)
        if numbers and not all(isinstance(v, int | np.integer | None) for v in values):
            return np.array([np.nan if v is None else v for v in values], dtype=float)
        return np.array(["" if v is None else str(v) for v in values])
    values = np.asarray(color)
    if values.ndim != 1 or len(values) <= tree.minimum.max():
        raise ArgumentError(
            f"color has shape {values.shape}, but the tree needs a value for each of the "
            f"{int(tree.minimum.max()) + 1} or more minima of its network",
            "give one value for each minimum, or a mapping from ids to values",
        )
    values = values[tree.minimum]
    return values if np.issubdtype(values.dtype, np.floating) else values.astype(str)


def _paint_values(
    tree: DisconnectivityTree, values: Float[np.ndarray, " n"], style: TreeStyle
) -> _Paint:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize, to_rgba

    known = np.isfinite(values)
    total = np.zeros(len(tree.parent))
    count = np.zeros(len(tree.parent))
    total[: tree.n_leaves], count[: tree.n_leaves] = np.where(known, values, 0.0), known
    for node, parent in enumerate(tree.parent):
        if parent >= 0:  # parents come after their children
            total[parent] += total[node]
            count[parent] += count[node]
    with np.errstate(invalid="ignore"):
        mean = total / count
    low, high = (values[known].min(), values[known].max()) if known.any() else (0.0, 1.0)
    scale = ScalarMappable(Normalize(*(style.color_range or (low, high))), style.cmap)
    colours = scale.to_rgba(mean)
    colours[count == 0] = to_rgba(MUTED)
    return _Paint(colours=colours, scale=scale)


def _paint_groups(tree: DisconnectivityTree, values: np.ndarray) -> _Paint:
    from matplotlib.colors import to_rgba

    group: list[str | None] = [*values.tolist(), *[None] * (len(tree.parent) - tree.n_leaves)]
    for node, parent in enumerate(tree.parent):
        if parent >= 0:
            one, other = group[node], group[parent]
            group[parent] = one if other is None or other == one else _MIXED
    names, sizes = np.unique(values[values != ""], return_counts=True)
    shown = names[np.argsort(-sizes, kind="stable")][: len(GROUPS)].tolist()
    table: dict[str, str] = dict(zip(shown, GROUPS, strict=False))
    table[_MIXED] = INK
    colours = np.array([to_rgba(table.get(g or "", MUTED)) for g in group])
    return _Paint(colours=colours, groups=tuple((name, table[name]) for name in shown))


def _dress(ax: "matplotlib.axes.Axes", energy_label: str) -> None:
    """One axis, on the left."""
    ax.set_ylabel(energy_label)
    ax.xaxis.set_visible(False)
    for side in ("bottom", "top", "right"):
        ax.spines[side].set_visible(False)
    ax.minorticks_on()
    ax.yaxis.set_tick_params(which="both", left=True)


def _mark(ax: "matplotlib.axes.Axes", tree: DisconnectivityTree, width: float) -> None:
    leaf = int(np.argmin(tree.height[: tree.n_leaves]))
    ax.plot(
        [tree.x[leaf]],
        [tree.height[leaf]],
        marker="o",
        markersize=3.0 + 1.5 * width,
        color=ACCENT,
        markeredgecolor="white",
        markeredgewidth=0.5,
        clip_on=False,
        zorder=5,
    )


def _label(
    ax: "matplotlib.axes.Axes", tree: DisconnectivityTree, labels: int | Mapping[int, str]
) -> None:
    """Texts under the leaves, upright where they would touch."""
    if isinstance(labels, Mapping):
        texts = {i: labels[point] for i, point in enumerate(tree.ids.tolist()) if point in labels}
    else:
        lowest = np.argsort(tree.height[: tree.n_leaves], kind="stable")[:labels]
        texts = {int(i): str(tree.ids[i]) for i in lowest}
    if not texts:
        return
    figure = ax.get_figure(root=True)
    points = 72 * figure.get_figwidth() if figure is not None else 0.0
    width = points / tree.n_leaves
    upright = width < 5.0 * max(len(text) for text in texts.values()) + 2
    for leaf, text in texts.items():
        ax.annotate(
            text,
            (tree.x[leaf], tree.height[leaf]),
            xytext=(0, -4.5),
            textcoords="offset points",
            ha="center",
            va="top",
            rotation=90 if upright else 0,
            fontsize=6.5,
            color=INK,
            annotation_clip=False,
        )


def _explain(ax: "matplotlib.axes.Axes", paint: _Paint, color_label: str) -> None:
    """A colour bar or a legend."""
    from matplotlib.lines import Line2D

    if paint.scale is not None:
        bar = ax.figure.colorbar(paint.scale, ax=ax, shrink=0.6, aspect=28, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label(color_label)
    elif paint.groups:
        handles = [Line2D([], [], color=colour, lw=2, label=name) for name, colour in paint.groups]
        ax.legend(
            handles=handles, title=color_label or None, loc="upper left", bbox_to_anchor=(1.0, 1.0)
        )


def _say(ax: "matplotlib.axes.Axes", message: str) -> "matplotlib.axes.Axes":
    """Axes that hold a sentence instead of a tree."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, message, ha="center", va="center", transform=ax.transAxes, color=INK)
    return ax
