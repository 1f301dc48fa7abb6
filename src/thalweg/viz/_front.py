"""The plane of force fields: accuracy against speed."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ._style import ACCENT, GROUPS, INK, MUTED, STYLE

if TYPE_CHECKING:
    import matplotlib.figure

_ACCURATE = 1.0
"""Chemical accuracy, in kcal/mol."""

_SIZE = 7.0
"""Of names, in points."""

_LETTER = 0.55
"""Width of a letter, in units of its size."""

_BESIDE = ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))
"""Where a name may stand, the best first."""


def plot_front(
    front: Any, reference: Any = None, figure: "matplotlib.figure.Figure | None" = None
) -> "matplotlib.figure.Figure":
    """Draw errors of energies and of forces against CPU time, on logarithmic axes.

    Force fields that no other beats are full and joined, the others hollow; those whose bonds did
    not all hold in molecular dynamics are crossed out. Bars are standard errors, where they are
    larger than the marker. 1 kcal/mol is drawn.

    Args:
        front: `thalweg.forcefields.fitting.Front`.
        reference: Measurement of the label method, whose time is drawn as a line.
        figure: Figure to fill; by default a new one.

    Returns:
        The figure.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogFormatter

    class _Plain(LogFormatter):
        """0.5, 1, 200: never 5e-01."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    with mpl.rc_context(STYLE):
        if figure is None:
            figure = plt.figure(figsize=(7.2, 3.2), layout="constrained")
        energy, force = figure.subplots(1, 2)
        best = set(front.best)
        for ax, field in ((energy, "energy_rmse"), (force, "force_rmse")):
            _panel(ax, front.records, best, field)
            ax.set_xscale("log")
            ax.set_yscale("log")
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_formatter(_Plain())
                axis.set_minor_formatter(_Plain(minor_thresholds=(1.5, 0.6)))
            ax.margins(0.12)
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
        figure.draw_without_rendering()
        for ax, field in ((energy, "energy_rmse"), (force, "force_rmse")):
            _name(ax, front.records, field)
    return figure


def _panel(ax: Any, records: Any, best: set[Any], field: str) -> None:
    joined = []
    for k, record in enumerate(records):
        x, y = record.micros, getattr(record, field)
        if not (np.isfinite(x) and np.isfinite(y) and y > 0):
            continue
        color = GROUPS[k % len(GROUPS)]
        full = record in best
        error = getattr(record, f"{field}_error")
        if np.isfinite(error):
            ax.plot([x, x], [max(y - error, 0.1 * y), y + error], color=color, linewidth=1.0)
        ax.plot(x, y, "o", color=color, markersize=5, markerfacecolor=color if full else "none")
        if record.survival < 1:
            ax.plot(x, y, "x", color=INK, markersize=8, linewidth=0.8)
        if full:
            joined.append((x, y))
    if len(joined) > 1:
        ax.plot(*np.array(joined).T, color=MUTED, linewidth=0.8, zorder=0)


def _name(ax: Any, records: Any, field: str) -> None:
    """Names beside the points, each where it covers the least of what is there."""
    shown = [r for r in records if np.isfinite(r.micros) and getattr(r, field) > 0]
    scale = 72.0 / ax.figure.dpi
    places = scale * ax.transData.transform([(r.micros, getattr(r, field)) for r in shown])
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in places]
    low, high = scale * ax.bbox.extents[0], scale * ax.bbox.extents[2]
    for record, (x, y) in zip(shown, places, strict=True):
        width = _LETTER * _SIZE * len(record.name)
        boxes = []
        for dx, dy in _BESIDE:
            left = x + 5 if dx > 0 else x - 5 - width if dx < 0 else x - width / 2
            bottom = y + 4 * dy - _SIZE / 2 * (1 - dy)
            box = (left, bottom, left + width, bottom + _SIZE)
            outside = max(0.0, low - box[0]) + max(0.0, box[2] - high)
            boxes.append((sum(_overlap(box, other) for other in taken) + 10 * outside, box))
        box = min(boxes, key=lambda one: one[0])[1]
        taken.append(box)
        ax.annotate(
            record.name, (record.micros, getattr(record, field)), fontsize=_SIZE, color=INK,
            xytext=(box[0] - x, box[1] - y), textcoords="offset points", va="bottom",
        )  # fmt: skip


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)
