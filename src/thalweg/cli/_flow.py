"""The graph of a flow in a store: as data, as tables, as a figure."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ._talk import CliError, data
from ._values import count, share

if TYPE_CHECKING:
    from rich.table import Table

    from thalweg.landscape import FlowGraph, FlowLink, FlowNode

_COORDINATES = 4
"""Coordinates of a point in the table; `--json` has all."""


def refuse(store: str, **options: Any) -> None:
    """Refuse options that need an energy, where a store is of a flow.

    Args:
        store: Name of the store.
        options: What was given; `None` and `False` for what was not.

    Raises:
        CliError: for the first that was.
    """
    given = [name for name, value in options.items() if value is not None and value is not False]
    if given:
        option = "--" + given[0].strip("_").replace("_", "-")
        raise CliError(
            f"{option} goes with an energy, and {store} holds the graph of a flow", "leave it out"
        )


def kind(node: "FlowNode") -> str:
    """`rest`, `saddle`, `cycle`, `saddle cycle`, `neutral rest`, …."""
    if node.kind == "neutral":
        return "neutral cycle" if node.periodic else "neutral rest"
    return f"{node.kind} cycle" if node.periodic and node.kind != "cycle" else node.kind


def graph_json(graph: "FlowGraph") -> dict[str, Any]:
    """Everything in a graph but the loops of its cycles."""
    return {
        "nodes": [_node_json(node, graph) for node in graph.nodes],
        "links": [vars(link) for link in graph.links],
        "connections": graph.connections(),
        "starts": graph.starts,
        "blown_up": graph.blown_up,
        "undecided": graph.undecided,
    }


def _node_json(node: "FlowNode", graph: "FlowGraph") -> dict[str, Any]:
    import numpy as np

    from thalweg.dynamics import wilson_interval

    low, high = wilson_interval(node.hits, graph.starts) if graph.starts else (0.0, 1.0)
    return {
        "id": node.id,
        "kind": kind(node),
        "unstable": node.unstable,
        "eigenvalues_real": np.real(node.eigenvalues),
        "eigenvalues_imag": np.imag(node.eigenvalues),
        "period": node.period,
        "residual": node.residual,
        "doubt": node.doubt,
        "hits": node.hits,
        "share": node.hits / graph.starts if graph.starts else math.nan,
        "share_interval": [low, high],
        "x": node.x,
    }


def draw(graph: "FlowGraph", figure: Path) -> None:
    """Write the picture of a graph."""
    import matplotlib as mpl

    mpl.use("agg")
    from thalweg.viz import plot_flow_graph, save_figure

    save_figure(cast("Any", plot_flow_graph(graph).figure), figure)


def show_nodes(graph: "FlowGraph", most: int) -> None:
    """A table of rests and cycles, attractors first, the largest basins before the others."""
    ordered = sorted(graph.nodes, key=lambda node: (not node.attracts, -node.hits, node.id))
    leading = "multiplier" if graph.discrete else "eigenvalue"
    headings = ("id", "kind", "unstable", leading, "period", "hits", "share (95 %)")
    table = _table(*headings, "point")
    for node in ordered[:most]:
        facts = _node_json(node, graph)
        low, high = facts["share_interval"]
        known = node.attracts and graph.starts
        table.add_row(
            str(node.id),
            kind(node),
            str(node.unstable),
            _leading(node, graph),
            f"{node.period:.6g}" if node.periodic else "",
            f"{node.hits:,}",
            f"{share(facts['share'])} ({100 * low:.0f} to {100 * high:.0f})" if known else "",
            _point(node),
        )
    console = data()
    console.print()
    console.print(table)
    if len(ordered) > most:
        console.print(f"and {count(len(ordered) - most, 'node')} more (--json has all)")


def _table(*headings: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        left = heading in {"kind", "point"}
        table.add_column(heading, justify="left" if left else "right", no_wrap=not left)
    return table


def _leading(node: "FlowNode", graph: "FlowGraph") -> str:
    """The eigenvalue that decides; of the cycle of a flow the multiplier."""
    value = graph.leading(node)
    if math.isnan(value.real):
        return ""
    text = f"{value.real:.4g}"
    if value.imag:
        text += f" ± {abs(value.imag):.4g}i"
    return f"μ {text}" if node.periodic and not graph.discrete else text


def _point(node: "FlowNode") -> str:
    shown = " ".join(f"{value:.4g}" for value in node.x[:_COORDINATES].tolist())
    return shown + (" …" if len(node.x) > _COORDINATES else "")


def show_links(graph: "FlowGraph", most: int) -> None:
    """A table of the ways out: one row for each unstable direction, and where its sides lead."""
    rows: dict[tuple[int, int], dict[int, FlowLink]] = {}
    for link in graph.links:
        rows.setdefault((link.source, link.direction), {})[link.side] = link
    if not rows:
        return
    table = _table("from", "direction", "growth", "one side to", "the other to")
    for (source, direction), ways in list(rows.items())[:most]:
        rate = next(iter(ways.values())).rate
        ends = [_end(ways.get(side)) for side in (1, -1)]
        table.add_row(str(source), str(direction + 1), f"{rate:.4g}", *ends)
    console = data()
    console.print()
    console.print(table)
    if len(rows) > most:
        console.print(f"and {count(len(rows) - most, 'direction')} more (--json has all)")


def _end(link: "FlowLink | None") -> str:
    if link is None:
        return ""
    return link.end if link.target is None else str(link.target)
