"""The picture of a flow's graph."""

from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.core import ArgumentError
from thalweg.landscape import FlowGraph

from ._style import ACCENT, GROUPS, INK, MUTED, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKS = {
    "rest": ("o", GROUPS[0], "stable rest"),
    "cycle": ("o", "white", "cycle"),
    "saddle": ("D", ACCENT, "saddle"),
    "source": ("s", GROUPS[1], "source"),
    "neutral": ("X", MUTED, "neutral"),
}


def plot_flow_graph(graph: FlowGraph, *, axes: "Axes | None" = None) -> "Axes":
    """Rests and cycles, and an arrow for each way out of an unstable rest that leads to one.

    Two coordinates are drawn where they are, cycles as loops; more are laid out as a graph.
    Attractors are the larger, the more random starts came to them.

    Args:
        graph: What is drawn.
        axes: Where to draw; a new figure by default.

    Raises:
        ArgumentError: if there are no nodes.
    """
    import matplotlib.pyplot as plt

    if not graph.nodes:
        raise ArgumentError("the graph has no nodes", "map the flow from more starts")
    places, real = _places(graph)
    with plt.rc_context(STYLE):
        if axes is None:
            axes = plt.subplots(figsize=(4.5, 4.0))[1]
        for link in graph.links:
            if link.target is not None:
                _arrow(axes, places[link.source], places[link.target], link.side)
        most = max(1, *(node.hits for node in graph.nodes))
        named = set()
        for node in graph.nodes:
            marker, colour, word = _MARKS[node.kind]
            if node.periodic and real:
                loop = np.concatenate([node.loop, node.loop[:1]])
                axes.plot(*loop.T, color=GROUPS[2], lw=1.2)
            size = 60.0 + (240.0 * node.hits / most if node.attracts else 0.0)
            axes.scatter(
                *places[node.id], s=size, marker=marker, facecolor=colour, edgecolor=INK,
                linewidth=0.8, zorder=3, label=None if word in named else word,
            )  # fmt: skip
            named.add(word)
            axes.annotate(
                str(node.id),
                tuple(places[node.id].tolist()),
                (5, 5),
                textcoords="offset points",
                zorder=4,
            )
        if real:
            axes.set_xlabel("x1")
            axes.set_ylabel("x2")
        else:
            axes.set_axis_off()
        axes.margins(0.15)
        axes.set_title(graph.name)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=0.7)
    return axes


def _places(graph: FlowGraph) -> tuple[dict[int, np.ndarray], bool]:
    """Where each node is drawn, and whether those are its coordinates."""
    if len(graph.nodes[0].x) == 2:
        return {node.id: np.asarray(node.x) for node in graph.nodes}, True
    import networkx as nx

    # A circular layout first, so that the result has nothing random in it.
    plain = nx.Graph(graph.to_networkx())
    layout: Any = nx.spring_layout(plain, pos=nx.circular_layout(plain), seed=0)
    return {number: np.asarray(place) for number, place in layout.items()}, False


def _arrow(axes: "Axes", start: np.ndarray, end: np.ndarray, side: int) -> None:
    axes.annotate(
        "",
        xy=(float(end[0]), float(end[1])),
        xytext=(float(start[0]), float(start[1])),
        arrowprops={
            "arrowstyle": "-|>",
            "color": MUTED,
            "lw": 0.9,
            "shrinkA": 5,
            "shrinkB": 7,
            "connectionstyle": f"arc3,rad={0.08 * side}",
        },
    )
