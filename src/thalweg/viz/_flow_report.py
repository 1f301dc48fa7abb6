"""The report of a flow: its graph, its rests and cycles with their evidence, as one HTML file."""

import html
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from thalweg.core import ArgumentError
from thalweg.dynamics import wilson_interval
from thalweg.landscape import FlowGraph, FlowNode

from ._flow_graph import plot_flow_graph
from ._report import asset, check_page, fill
from ._report_data import Provenance
from ._svg import inline_svg

_COORDINATES = 6
_LIMITS = (
    "A spectrum proves what happens near a rest, multipliers what happens near a cycle; neither "
    "says how far the basin reaches. Shares of random starts say it for the starts that were "
    "drawn, with the interval of a sample.",
    "No search proves that there is no other rest, cycle or attractor. What is chaotic, or slower "
    "than the patience of the map, stays undecided.",
    "A way out along an eigenvector is one path of the unstable manifold. Of a manifold of more "
    "than one dimension it is a sample.",
)


def write_flow_report(graph: FlowGraph, provenance: Provenance, path: str | Path) -> Path:
    """Write the report of a flow as one HTML file that needs no network and no script.

    Args:
        graph: What was found.
        provenance: Where it comes from.
        path: File to write; its name must end in `.html` or `.htm`.

    Returns:
        The file written.

    Raises:
        ArgumentError: if there are no nodes, the ending is another, or there is no such folder.
    """
    target = check_page(path)
    target.write_text(flow_report_html(graph, provenance), encoding="utf-8")
    return target


def flow_report_html(graph: FlowGraph, provenance: Provenance) -> str:
    """The report of a flow as the text of an HTML page.

    Raises:
        ArgumentError: if there are no nodes.
    """
    if not graph.nodes:
        raise ArgumentError(
            f"{provenance.store} holds no rest or cycle", "map the dynamics from more starts"
        )
    sections = fill(
        asset("flow.html"),
        {
            "drawing": inline_svg(plot_flow_graph(graph).figure),
            "caption": "Attractors are the larger, the more random starts came to them; an arrow "
            "is a way out of an unstable rest.",
            "about": _about(graph),
            "nodes": _nodes(graph),
            "links": _links(graph),
            "limits": "".join(f"<li>{html.escape(limit)}</li>" for limit in _LIMITS),
            "runs": _runs(provenance),
        },
    )
    origin = html.escape(
        f"{provenance.store}, fingerprint {provenance.fingerprint}, schema "
        f"{provenance.schema}; {provenance.rounds:,} rounds, {provenance.searches:,} "
        f"searches, {provenance.seconds:,.1f} s. Written {provenance.written} by Thalweg "
        f"{provenance.version}."
    )
    return fill(
        asset("still.html"),
        {
            "title": html.escape(f"{graph.name}: map of a {_law(graph)}"),
            "name": html.escape(graph.name),
            "description": html.escape(str(graph)),
            "style": asset("report.css"),
            "facts": f'<dl class="facts">{_facts(graph)}</dl>',
            "sections": sections,
            "colophon": f'<footer class="measure colophon">{origin}</footer>',
        },
    )


def _law(graph: FlowGraph) -> str:
    return "map in discrete time" if graph.discrete else "flow"


def _facts(graph: FlowGraph) -> str:
    pairs = (
        ("attractors", f"{len(graph.attractors):,}"),
        ("unstable or neutral", f"{len(graph.nodes) - len(graph.attractors):,}"),
        ("saddles between two attractors", f"{len(graph.connections()):,}"),
        ("random starts", f"{graph.starts:,}"),
        ("blew up", f"{graph.blown_up:,}"),
        ("undecided", f"{graph.undecided:,}"),
    )
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)


def _about(graph: FlowGraph) -> str:
    rests = (
        "Eigenvalues are multipliers of the map: a rest is stable if all are inside the unit "
        "circle."
        if graph.discrete
        else "A rest is stable if all eigenvalues have a negative real part."
    )
    return (
        f"{rests} A cycle attracts if its Floquet multipliers, but the one along the cycle of a "
        "flow, are inside the unit circle. An eigenvalue nearer to the border than the doubt has "
        "no side. The residual is the velocity left at a rest, and the gap left in a cycle."
    )


def _nodes(graph: FlowGraph) -> str:
    ordered = sorted(graph.nodes, key=lambda node: (not node.attracts, -node.hits, node.id))
    heads = ("id", "kind", "unstable", "leading", "doubt", "residual", "period", "hits", "share",
             "point")  # fmt: skip
    return _table(heads, (_node(node, graph) for node in ordered))


def _node(node: FlowNode, graph: FlowGraph) -> list[str]:
    word = f"{node.kind} cycle" if node.periodic and node.kind != "cycle" else node.kind
    share = ""
    if node.attracts and graph.starts:
        low, high = wilson_interval(node.hits, graph.starts)
        share = f"{100 * node.hits / graph.starts:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    point = " ".join(f"{value:.6g}" for value in node.x[:_COORDINATES].tolist())
    point += " …" if len(node.x) > _COORDINATES else ""
    numbers = [_complex(graph.leading(node)), _short(node.doubt), _short(node.residual)]
    period = f"{node.period:.8g}" if node.periodic else ""
    return [
        str(node.id),
        word,
        str(node.unstable),
        *numbers,
        period,
        f"{node.hits:,}",
        share,
        point,
    ]


def _short(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2g}"


def _complex(value: complex) -> str:
    if math.isnan(value.real):
        return ""
    return f"{value.real:.6g}" + (f" ± {abs(value.imag):.6g}i" if value.imag else "")


def _links(graph: FlowGraph) -> str:
    rows = (
        [
            str(link.source),
            str(link.direction + 1),
            "+" if link.side > 0 else "−",
            f"{link.rate:.6g}",
            link.end if link.target is None else f"{link.target} ({link.end})",
        ]
        for link in graph.links
    )
    return _table(("from", "direction", "side", "growth rate", "leads to"), rows)


def _runs(provenance: Provenance) -> str:
    rows = (
        [
            run["started"],
            run["status"],
            run["key"],
            ", ".join(f"{name} {value}" for name, value in run["config"].items()),
            ", ".join(f"{name} {value}" for name, value in run["versions"].items()),
        ]
        for run in provenance.runs
    )
    return _table(("begun", "status", "key", "wishes", "versions"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    def line(cells: Sequence[Any], tag: str) -> str:
        return "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells)

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<thead><tr>{line(heads, 'th')}</tr></thead><tbody>{body}</tbody>"
