"""What all our figures share."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from thalweg.core import ArgumentError

if TYPE_CHECKING:
    import matplotlib.figure

INK = "#1b1f24"
"""Lines and text."""

MUTED = "#a3abb5"
"""Lines that are context."""

ACCENT = "#c8102e"
"""The one thing to look at."""

GROUPS = ("#1f6fb4", "#d9731a", "#2f8f4e", "#8b5fbf", "#b5893a", "#2aa5a0", "#c2528b", "#6b7280")
"""Colours of groups, in order; they stay apart for colour-blind readers and in grey."""

SEQUENTIAL = "viridis"
"""Colours of a continuous value."""

STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 150,
    "font.size": 9,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # text stays text in vector files
    "svg.fonttype": "none",
    "xtick.color": INK,
    "ytick.color": INK,
    "ytick.direction": "out",
    "ytick.major.width": 0.7,
    "ytick.minor.width": 0.5,
}


def save_figure(figure: "matplotlib.figure.Figure", path: str | Path, *, dpi: int = 300) -> Path:
    """Write a figure; the name's ending decides the format (png, pdf, svg, …).

    Args:
        figure: What to write.
        path: File name.
        dpi: Dots per inch, for bitmaps.

    Returns:
        The file written.

    Raises:
        ArgumentError: if the ending is no known format or the folder does not exist.
    """
    import matplotlib as mpl

    path = Path(path)
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in known:
        raise ArgumentError(
            f"{path.name}: no figure format ends in {path.suffix or 'nothing'!r}",
            f"use one of {', '.join(sorted(known))}",
        )
    if not path.parent.is_dir():
        raise ArgumentError(f"there is no folder {path.parent}", f"mkdir -p {path.parent}")
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=dpi, bbox_inches="tight", pad_inches=0.04)
    return path
