"""The report: one HTML file that needs no network, written from plain data.

The page's style and scripts are the files of `report/`; they are copied into the page.
"""

import dataclasses
import html
import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.core import ArgumentError
from thalweg.landscape import DisconnectivityTree
from thalweg.thermo import wide_range

from ._report_data import (
    KineticCurves,
    NetworkFacts,
    PathProfile,
    PredictionFacts,
    ReportData,
    RoundCurves,
    ThermoCurves,
    Unavailable,
)
from ._report_pack import Packer, script_json

_SCRIPTS = (
    "base.js",
    "colour.js",
    "chart.js",
    "tree.js",
    "viewer.js",
    "plane.js",
    "explorer.js",
    "table.js",
    "sections.js",
    "main.js",
)


def write_report(data: ReportData, path: str | Path) -> Path:
    """Write a report as one self-contained HTML file.

    Args:
        data: What to show.
        path: File to write; its name must end in `.html` or `.htm`.

    Returns:
        The file written.

    Raises:
        ArgumentError: if the ending is another, or the folder does not exist.
    """
    path = check_page(path)
    path.write_text(report_html(data), encoding="utf-8")
    return path


def check_page(path: str | Path) -> Path:
    """Refuse a file name that no report can have.

    Raises:
        ArgumentError: if it does not end in `.html` or `.htm`, or the folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"{path.name}: a report ends in .html", f"name it {path.stem}.html")
    if not path.parent.is_dir():
        raise ArgumentError(f"there is no folder {path.parent}", f"mkdir -p {path.parent}")
    return path


def report_html(data: ReportData) -> str:
    """The report as the text of an HTML page.

    Args:
        data: What to show.
    """
    core, points = Packer(), Packer()
    facts = _facts(data, core, points)
    facts["arrays"] = {"core": core.where, "points": points.where}
    return fill(
        asset("page.html"),
        {
            "title": html.escape(f"{data.name}: energy landscape"),
            "name": html.escape(data.name),
            "description": html.escape(_sentence(data)),
            "style": asset("report.css"),
            "facts": script_json(facts),
            "core": core.text(),
            "points": points.text(),
            "script": "\n".join(asset(name) for name in _SCRIPTS),
        },
    )


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with each `{{name}}` replaced once, in one pass over the template."""
    pieces = template.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        filled += [values[name], rest]
    return "".join(filled)


def asset(name: str) -> str:
    """The text of a file of `report/`."""
    folder = importlib.resources.files("thalweg.viz").joinpath("report")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _sentence(data: ReportData) -> str:
    network = data.network
    return (
        f"{network.n_minima:,} minima and {network.n_transition_states:,} transition states of "
        f"{data.name}"
    )


def _facts(data: ReportData, core: Packer, points: Packer) -> dict[str, Any]:
    """Facts as plain values; arrays go into the packers."""
    network, evidence = data.network, data.evidence
    for name, values, dtype in (
        ("ids", network.ids, "i4"),
        ("energies", network.energies, "f8"),
        ("orders", network.orders, "i4"),
        ("logProducts", network.log_products, "f8"),
        ("hits", network.hits, "i4"),
        ("components", network.components, "i4"),
        ("tsIds", network.ts_ids, "i4"),
        ("tsEnergies", network.ts_energies, "f8"),
        ("tsMinima", network.ts_minima, "i4"),
        ("certified", evidence.known, "u1"),
        ("passed", evidence.passed, "u1"),
        ("gradients", evidence.gradient_norm, "f4"),
        ("indices", evidence.index, "i4"),
        ("zeros", evidence.zero_modes, "i4"),
        ("zerosExpected", evidence.expected_zero_modes, "i4"),
    ):
        core.add(name, values, dtype)
    if network.points is not None:
        points.add("points", network.points, "f4")
    return {
        "name": data.name,
        "energyUnit": data.energy_unit,
        "lengthUnit": data.length_unit,
        "shape": data.shape,
        "labels": data.labels,
        "particles": data.particles,
        "dof": 0 if network.points is None else network.points.shape[1],
        "globalMinimum": network.global_minimum,
        "components": network.n_components,
        "degenerate": int(network.degenerate.sum()),
        "trees": {
            "levels": _tree(data.tree, "levels", core),
            "exact": _tree(data.merge_tree, "exact", core),
        },
        "completeness": {
            "minima": dataclasses.asdict(data.completeness.minima),
            "transitionStates": dataclasses.asdict(data.completeness.transition_states),
        },
        "rounds": _rounds(data.rounds),
        "thermo": _thermo(data.thermo, core),
        "kinetics": _kinetics(data.kinetics),
        "path": _path(data.path, core, points),
        "statistics": _statistics(data.statistics),
        "contour": _contour(data, core),
        "predictions": _predictions(data.predictions),
        "provenance": dataclasses.asdict(data.provenance),
        "caveats": data.caveats,
    }


def _tree(tree: DisconnectivityTree, name: str, core: Packer) -> dict[str, Any]:
    core.add(f"{name}.parent", tree.parent, "i4")
    core.add(f"{name}.height", tree.height, "f8")
    core.add(f"{name}.branch", tree.branch, "f8")
    core.add(f"{name}.x", tree.x, "f4")
    core.add(f"{name}.size", tree.size, "i4")
    core.add(f"{name}.lowest", tree.lowest, "i4")
    core.add(f"{name}.minimum", tree.minimum, "i4")
    count = 0 if tree.levels is None else len(tree.levels)
    return {"leaves": tree.n_leaves, "levels": count, "message": tree.message}


def _absent(section: Any) -> dict[str, Any] | None:
    if isinstance(section, Unavailable):
        return {"reason": section.reason, "remedy": section.remedy}
    return None


def _thermo(section: ThermoCurves | Unavailable | None, core: Packer) -> dict[str, Any] | None:
    if not isinstance(section, ThermoCurves):
        return _absent(section)
    core.add("modes", section.modes, "i4")
    return {
        "temperature": section.temperature,
        "temperatureUnit": section.temperature_unit,
        "wide": wide_range(float(section.temperature[0]), float(section.temperature[-1])),
        "heatCapacity": section.heat_capacity,
        "internalEnergy": section.internal_energy,
        "entropy": section.entropy,
        "contributionIds": section.contribution_ids,
        "contributions": section.contributions,
        "boltzmann": section.boltzmann,
        "start": section.start,
        "peaks": section.peaks,
        "kinetic": section.kinetic,
    }


def _kinetics(section: KineticCurves | Unavailable | None) -> dict[str, Any] | None:
    if not isinstance(section, KineticCurves):
        return _absent(section)
    rates = section.log10_rates.astype(object)
    rates[np.isneginf(section.log10_rates)] = "none"
    return {
        "temperature": section.temperature,
        "temperatureUnit": section.temperature_unit,
        "timeUnit": section.time_unit,
        "ids": section.ids,
        "log10Rates": rates,
        "meaning": section.meaning,
        "temperatures": section.temperatures,
        "timescales": section.timescales,
        "ends": section.ends,
        "log10Forward": section.log10_forward,
        "log10Backward": section.log10_backward,
        "boltzmann": section.boltzmann,
        "note": section.note,
    }


def _path(
    section: PathProfile | Unavailable | None, core: Packer, points: Packer
) -> dict[str, Any] | None:
    if not isinstance(section, PathProfile):
        return _absent(section)
    core.add("path.arc", section.arc, "f4")
    core.add("path.energies", section.energies, "f8")
    points.add("path.frames", section.frames, "f4")
    return {
        "stations": section.stations,
        "stationIds": section.station_ids,
        "frameRows": section.frame_rows,
        "frames": len(section.frames),
        "note": section.note,
    }


def _statistics(section: NetworkFacts | Unavailable | None) -> dict[str, Any] | None:
    if not isinstance(section, NetworkFacts):
        return _absent(section)
    return {
        "rows": section.rows,
        "degrees": section.degrees,
        "degreeCounts": section.degree_counts,
    }


def _predictions(section: PredictionFacts | Unavailable | None) -> dict[str, Any] | None:
    if not isinstance(section, PredictionFacts):
        return _absent(section)
    return {
        "about": section.about,
        "headings": section.headings,
        "rows": section.rows,
        "ensembleHeadings": section.ensemble_headings,
        "ensembles": section.ensembles,
        "facts": section.facts,
        "energies": section.energies,
        "errors": section.errors,
        "errorName": section.error_name,
        "note": section.note,
    }


def _rounds(curves: RoundCurves | None) -> dict[str, Any] | None:
    if curves is None:
        return None
    return {
        "searches": curves.searches,
        "minima": curves.minima,
        "minimaBound": curves.minima_bound,
        "transitionStates": curves.transition_states,
        "tsBound": curves.ts_bound,
    }


def _contour(data: ReportData, core: Packer) -> dict[str, Any] | None:
    if data.contour is None:
        return None
    core.add("contour", data.contour.energies, "f4")
    return {"x": data.contour.x, "y": data.contour.y}
