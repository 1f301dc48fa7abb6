"""Figures inside pages."""

import io
from typing import Any


def inline_svg(figure: Any) -> str:
    """A figure as inline SVG, the same bytes for the same figure; the figure is closed."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "thalweg", "svg.fonttype": "path"}):
        plain = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata=plain)
    plt.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]
