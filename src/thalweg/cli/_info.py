"""`thalweg info`: what a store holds, where it came from, what is probably missing."""

import collections
import dataclasses
import json
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._flow import graph_json, show_links, show_nodes
from ._map_report import counts_json
from ._talk import EXIT_FAILED, check_store, data, print_json, reported
from ._values import count, duration, energy, plain

if TYPE_CHECKING:
    import pandas as pd

    from thalweg.landscape import FlowGraph, Integrity, Landscape

_COLUMNS = ("id", "energy", "order", "log_product", "hits", "component")


@reported
def info(
    store: options.Store,
    lowest: Annotated[
        int, typer.Option(metavar="N", help="Minima to list, lowest first; nodes of a flow.")
    ] = 10,
    check: Annotated[
        bool, typer.Option("--check", help="Check the store too; exit code 1 if it is broken.")
    ] = False,
    as_json: options.AsJson = False,
    traceback: options.Traceback = False,
) -> None:
    """Say what a landscape holds, where it came from, and what is probably missing.

    Of a flow: its rests and cycles, how stable each is, its share of random starts, and where the
    ways out of the unstable ones lead.
    """
    check_store(store)
    from thalweg.landscape import Landscape

    with Landscape.open(store) as landscape:
        # Integrity first: a broken store may not be readable any further.
        integrity = landscape.integrity() if check else None
        if integrity is not None and not integrity.ok:
            _report_problems(store, integrity, as_json=as_json)
            raise typer.Exit(EXIT_FAILED)
        flow = landscape.flow if landscape.header.kind == "flow" else None
        facts = _facts(landscape, store, lowest) if flow is None else _flow_facts(landscape, store)
    if integrity is not None:
        facts["integrity"] = {"ok": True, **dataclasses.asdict(integrity)}
    if as_json:
        print_json(facts)
    elif flow is None:
        _show(facts)
    else:
        _show_flow(facts, flow, lowest)


def _report_problems(store: str, integrity: "Integrity", *, as_json: bool) -> None:
    if as_json:
        print_json({"store": store, "integrity": {"ok": False, **dataclasses.asdict(integrity)}})
        return
    console = data()
    console.print(f"[bold red]{store} is broken[/]: {count(len(integrity.problems), 'problem')}")
    for problem in integrity.problems:
        console.print(f"- {problem}", markup=False)


def _facts(landscape: "Landscape", store: str, lowest: int) -> dict[str, Any]:
    """Everything that the command says, as data."""
    frame = landscape.minima.sort_values(["energy", "id"], kind="stable").head(max(lowest, 0))
    known = landscape.completeness
    return {
        **_origin(landscape, store),
        **counts_json(landscape.network),
        "degenerate": int(landscape.network.degenerate.sum()),
        "completeness": {
            "minima": dataclasses.asdict(known.minima),
            "transition_states": dataclasses.asdict(known.transition_states),
        },
        "lowest_minima": frame.loc[:, list(_COLUMNS)].to_dict("records"),
        "rejected": _rejected(landscape.store.failures()),
    }


def _flow_facts(landscape: "Landscape", store: str) -> dict[str, Any]:
    """The same of a flow."""
    return {**_origin(landscape, store), **graph_json(landscape.flow)}


def _origin(landscape: "Landscape", store: str) -> dict[str, Any]:
    """What a store of either kind says about where it came from."""
    from thalweg import __version__

    rounds = landscape.store.frame("rounds")
    return {
        "thalweg": __version__,
        "command": "info",
        "store": store,
        "system": dataclasses.asdict(landscape.header),
        "rounds": len(rounds),
        "searches": sum(rounds["attempts"].tolist()),
        "seconds": math.fsum(rounds["seconds"].tolist()),
        "runs": _runs(landscape.store.frame("runs")),
    }


def _rejected(failures: "collections.Counter[tuple[str, str]]") -> list[dict[str, Any]]:
    """Searches that failed and points without a certificate, by kind and reason."""
    return [
        {"kind": kind, "outcome": outcome, "count": number}
        for (kind, outcome), number in failures.most_common()
    ]


def _runs(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    return [
        {
            "started": row["started"],
            "ended": row["ended"],
            "status": row["status"],
            "key": row["key"],
            "config": json.loads(row["config"]),
            "versions": json.loads(row["versions"]),
        }
        for row in frame.to_dict("records")
    ]


def _show(facts: dict[str, Any]) -> None:
    """The same for people."""
    system = facts["system"]
    unit = system["energy_unit"]
    size = count(len(system["labels"]), "atom") if system["labels"] else ""
    size = size or count(system["dof"], "coordinate")
    _show_lines(
        [
            ("system", f"{system['name']}, {size}" + (f", energies in {unit}" if unit else "")),
            (
                "known",
                f"{count(facts['minima'], 'minimum')}, "
                f"{count(facts['transition_states'], 'transition state')} "
                f"({facts['degenerate']:,} degenerate), {count(facts['pieces'], 'piece')}",
            ),
            ("estimated", _estimate(facts["completeness"])),
            *_work_lines(facts),
            *(("rejected", _rejected_line(row)) for row in facts["rejected"]),
            *_integrity_lines(facts, "imported points without a certificate"),
        ]
    )
    if facts["lowest_minima"]:
        _show_minima(facts["lowest_minima"], unit)


def _show_flow(facts: dict[str, Any], graph: "FlowGraph", most: int) -> None:
    """What is known of a flow, for people."""
    system = facts["system"]
    kinds = collections.Counter(node["kind"] for node in facts["nodes"])
    nodes = ", ".join(count(number, word) for word, number in kinds.items())
    lost = sum(link["target"] is None for link in facts["links"])
    what = "map" if graph.discrete else "flow"
    _show_lines(
        [
            (what, f"{system['name']}, {count(system['dof'], 'coordinate')}, no energy"),
            ("known", nodes or "no rest"),
            (
                "ways out",
                f"{len(graph.links):,} followed, {lost:,} of them to no known attractor; "
                f"{count(len(facts['connections']), 'saddle')} between two attractors",
            ),
            (
                "starts",
                f"{graph.starts:,} followed, {graph.blown_up:,} blew up, {graph.undecided:,} "
                "undecided",
            ),
            *_work_lines(facts),
            *_integrity_lines(facts, "cycles without multipliers"),
        ]
    )
    if graph.nodes and most > 0:
        show_nodes(graph, most)
        show_links(graph, most)


def _work_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """What was done, and when."""
    work = (
        f"{count(facts['searches'], 'search')} in {count(facts['rounds'], 'round')} and "
        f"{duration(facts['seconds'])}"
    )
    return [("work", work), *(("run", _run_line(run)) for run in facts["runs"][-3:])]


def _integrity_lines(facts: dict[str, Any], bare: str) -> list[tuple[str, str]]:
    if "integrity" not in facts:
        return []
    number = facts["integrity"]["uncertified"]
    return [("integrity", "no problem" + (f", {number:,} {bare}" if number else ""))]


def _show_lines(lines: list[tuple[str, str]]) -> None:
    from rich.text import Text

    console, before = data(), ""
    for name, text in lines:
        console.print(
            Text.assemble((f"{'' if name == before else name:<11}", "bold"), text), soft_wrap=True
        )
        before = name


def _estimate(completeness: dict[str, Any]) -> str:
    """How many there probably are."""
    parts = []
    for name, noun in (("minima", "minimum"), ("transition_states", "transition state")):
        found = plain(completeness[name])
        if not found["searches"]:
            continue
        least = "" if found["trusted"] else "at least "
        upper = "?" if found["upper"] is None else f"{found['upper']:,.0f}"
        parts.append(f"{least}{count(found['total'], noun)} ({found['lower']:,.0f} to {upper})")
    return ", ".join(parts) or "there are no searches to tell from"


def _run_line(run: dict[str, Any]) -> str:
    when = run["started"][:19].replace("T", " ")
    version = run["versions"].get("thalweg", "")
    return f"{when} UTC, {run['status']}, key {run['key']}" + (
        f", thalweg {version}" * bool(version)
    )


def _rejected_line(row: dict[str, Any]) -> str:
    from thalweg.core import Outcome

    kind = row["kind"].replace("_", " ")
    known = row["outcome"] in Outcome.__members__
    why = f" ({Outcome[row['outcome']].message})" if known else ""
    return f"{count(row['count'], kind)}: {row['outcome']}{why}"


def _show_minima(rows: list[dict[str, Any]], unit: str) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = ("id", f"energy / {unit}" if unit else "energy", "order", "log product", "hits")
    for heading in (*headings, "piece"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            str(row["id"]),
            energy(row["energy"]),
            str(row["order"]),
            f"{row['log_product']:.4f}",
            f"{row['hits']:,}",
            str(row["component"]),
        )
    console = data()
    console.print()
    console.print(table)
