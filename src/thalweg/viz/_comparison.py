"""Force fields of one molecule on one page: the front, the table, the landscapes side by side."""

import dataclasses
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from thalweg.landscape import Landscape, disconnectivity_tree

from ._front import plot_front
from ._report import asset, check_page, fill
from ._svg import inline_svg
from ._trees import TreePanel, plot_trees

_FRONT = (
    ("energy / kcal/mol", "energy_rmse", ".2f"),
    ("force / kcal/(mol Å)", "force_rmse", ".2f"),
    ("hot energy", "ood_energy_rmse", ".2f"),
    ("hot force", "ood_force_rmse", ".2f"),
    ("µs", "micros", ".0f"),
    ("µs of 100", "micros_100", ".0f"),
    ("µs of 1000", "micros_1000", ".0f"),
    ("whole / ps", "survival_ps", ".3g"),
    ("drift, 0.5 fs / meV/ps", "drift", ".1e"),
    ("drift, 1 fs", "drift_1fs", ".1e"),
    ("fit / s", "train_seconds", ".0f"),
)
_ABOUT = (
    "Errors are root mean squares on trajectories that no fit has seen, a constant of energy "
    "taken out; hot ones are out of distribution. Brackets hold standard errors in units of the "
    "last digit: of errors, from the scatter between trajectories and, where there is more than "
    "one, between fits. Times are CPU time of one energy with forces "
    "on one core, for a molecule alone and for each of many at once. Drifts are of the total "
    "energy, per atom. A star: no other force field beats it in speed and force error."
)
_MAPS = (
    "A minimum or a transition state of the reference is matched if a search that begins there "
    "ends near it; its lowest is where the reference ends from the lowest minimum of the force "
    "field, above its own: large where a fit has a hole. A is the reference's lowest minimum, B "
    "the lowest one that a barrier of three k T separates from it (one that no path joins to it, "
    "if there is no other). F is a free energy of harmonic wells; its error by BAR comes from "
    "molecular dynamics of the force field and of the reference about A and B."
)

_HIGHEST = 25.0
"""Trees show what lies so many kcal/mol above the lowest minimum: conformers, and no more."""
_TREES = (
    f"Minima and transition states up to {_HIGHEST:g} kcal/mol above the lowest minimum of each; "
    "pieces that are joined higher stand beside one another."
)


def write_comparison(
    path: str | Path,
    title: str,
    front: Any,
    reference: Any = None,
    agreements: Any = None,
    landscapes: Mapping[str, Landscape] | None = None,
) -> Path:
    """Write a comparison of force fields as one HTML file that needs no network and no script.

    Args:
        path: File to write; its name must end in `.html` or `.htm`.
        title: What was compared.
        front: `thalweg.forcefields.fitting.Front`.
        reference: Measurement of the label method.
        agreements: `thalweg.workflows.LandscapeAgreements`.
        landscapes: The landscapes that were compared, by name.

    Returns:
        The file written.

    Raises:
        ArgumentError: if the ending is another, or there is no such folder.
    """
    target = check_page(path)
    sections = [
        _section("front", "Accuracy against speed", _ABOUT, _figure(plot_front(front, reference))),
        _section("table", "What each is worth", "", _front_table(front, reference)),
    ]
    if agreements is not None:
        rows = [
            [record.name, *(text for _, text in record.cells(agreements.temperature))]
            for record in agreements.records
        ]
        heads = [head for head, _ in agreements.records[0].cells(agreements.temperature)]
        table = _table(["landscape", *heads], rows)
        sections.append(_section("landscapes", "Landscapes", _MAPS, table))
    if landscapes:
        panels = [
            TreePanel(
                title=name,
                tree=disconnectivity_tree(_in_kcal(landscape), e_max=_HIGHEST, components="all"),
            )
            for name, landscape in landscapes.items()
            if landscape.network.n_minima
        ]
        drawn = _figure(plot_trees(panels, columns=3, energy_label="Energy / kcal/mol"))
        sections.append(_section("trees", "Side by side", _TREES, drawn))
    text = fill(
        asset("still.html"),
        {
            "title": html.escape(f"{title}: force fields compared"),
            "name": html.escape(title),
            "description": html.escape(
                f"{len(front.records)} force fields, {len(front.best)} of them on the front"
            ),
            "style": asset("report.css"),
            "facts": "",
            "sections": "\n".join(sections),
            "colophon": "",
        },
    )
    target.write_text(text, encoding="utf-8")
    return target


def _in_kcal(landscape: Landscape) -> Any:
    """Its network, energies in kcal/mol above the lowest minimum."""
    network = landscape.network
    low = network.energies.min()
    return dataclasses.replace(
        network,
        energies=(network.energies - low) / 4.184,
        ts_energies=(network.ts_energies - low) / 4.184,
    )


def _section(name: str, heading: str, about: str, body: str) -> str:
    told = f'<p class="about">{html.escape(about)}</p>' if about else ""
    return f'<section id="{name}"><h2>{html.escape(heading)}</h2>{told}{body}</section>'


def _front_table(front: Any, reference: Any) -> str:
    best = set(front.best)
    heads = ["force field", "parameters", *(head for head, _, _ in _FRONT), "lacks"]
    rows = []
    for record in (*front.records, *([reference] if reference is not None else [])):
        cells = [record.text(field, form) for _, field, form in _FRONT]
        star = " *" if record in best else ""
        rows.append(
            [record.name + star, f"{record.parameters:,}", *cells, ", ".join(record.broken)]
        )
    return _table(heads, rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{html.escape(head)}</th>' for head in heads)
    body = "".join(
        f'<tr><th scope="row">{html.escape(row[0])}</th>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    table = f'<table class="rows"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="whole">{table}</div>'


def _figure(figure: Any) -> str:
    return f"<figure>{inline_svg(figure)}</figure>"
