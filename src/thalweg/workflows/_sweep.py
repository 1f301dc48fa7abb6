"""Map several systems into a folder: how a landscape changes with a parameter.

One store for each system, one budget for each map. A sweep that is stopped goes on where it was:
maps that are complete or have had their budget are left alone, the others continue.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from thalweg.core import ArgumentError, System, ThalwegError
from thalweg.landscape import Landscape, disconnectivity_tree
from thalweg.learning import LearningData, LossEnergy, held_out_data, predictions_of
from thalweg.viz import TreePanel

from ._config import MapConfig
from ._map import MapProgress, StopReason, explore

_LIST = "sweep.json"
"""The file of a folder that says how far each map is."""

_ENDED = {reason.name for reason in (StopReason.complete, StopReason.target)} | {
    StopReason.nothing_to_do.name
}
"""Reasons after which a map is not gone on with."""

_LEVELS = 80


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepEntry:
    """One map of a sweep.

    Attributes:
        name: Name of the system.
        store: Its store.
        minima: Minima known.
        transition_states: Transition states known.
        pieces: Connected components.
        lowest: Lowest energy; NaN without minima.
        coverage: Good-Turing coverage of the minima.
        seconds: Time spent on it, in all runs.
        ended: Why it ended, in one sentence.
        failed: Whether it could not be mapped.
    """

    name: str
    store: Path
    minima: int = 0
    transition_states: int = 0
    pieces: int = 0
    lowest: float = float("nan")
    coverage: float = 0.0
    seconds: float = 0.0
    ended: str = ""
    failed: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """The maps of a sweep, in the order of its systems.

    Attributes:
        folder: Where the stores are.
        entries: One a system.
        interrupted: Whether somebody stopped it.
    """

    folder: Path
    entries: tuple[SweepEntry, ...]
    interrupted: bool = False

    def table(self) -> pd.DataFrame:
        """One row a system."""
        return pd.DataFrame(
            [dataclasses.asdict(entry) | {"store": str(entry.store)} for entry in self.entries]
        )


def sweep(
    systems: Sequence[System],
    folder: str | Path,
    *,
    budget: float | int | None = None,
    report: Callable[[System, MapProgress], None] | None = None,
    done: Callable[[SweepEntry], None] | None = None,
    interrupted: Callable[[], bool] | None = None,
    **wishes: Any,
) -> Sweep:
    """Map each system into a store of its own.

    A map that fails (a system that cannot be evaluated, say) is noted and the others go on.

    Args:
        systems: What to map, each with a name of its own.
        folder: Where the stores go; made if it does not exist. The same call goes on.
        budget: Seconds for each map, over all runs; `None` maps until each seems complete.
        report: Called after every round of every map.
        done: Called after each map.
        interrupted: Asked after every round whether to stop.
        wishes: Fields of `MapConfig` for all maps, on top of what suits each system.

    Raises:
        ArgumentError: if there are no systems, or two have one name.
    """
    names = [_file_name(system.name) for system in systems]
    if not systems:
        raise ArgumentError("there are no systems to map")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentError(
            f"two systems are called {twice[0]!r}, and each has a store of that name",
            "give each a name: loss_system(..., name='h3-l1e-3')",
        )
    MapConfig(budget=budget, **wishes)  # checked before any work
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    known = _read_list(folder)
    stopped, entries = False, []
    for system, name in zip(systems, names, strict=True):
        store = folder / f"{name}.db"
        entry = known.get(name)
        if stopped or not _due(entry, store, budget):
            entries.append(_entry(system, store, entry or {}))
            continue
        spent = float((entry or {}).get("seconds", 0.0))
        facts = _map(system, store, budget, spent, wishes, report, interrupted)
        stopped = facts["reason"] == StopReason.interrupted.name
        known[name] = facts
        _write_list(folder, known)
        entries.append(_entry(system, store, facts))
        if done is not None:
            done(entries[-1])
    return Sweep(folder=folder, entries=tuple(entries), interrupted=stopped)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", name.strip()).strip("-.") or "landscape"


def _due(entry: dict[str, Any] | None, store: Path, budget: float | None) -> bool:
    """Whether a map has something left to do."""
    if entry is None or not store.is_file():
        return True
    if entry["reason"] in _ENDED:
        return False
    return budget is None or entry["seconds"] < budget


def _map(
    system: System,
    store: Path,
    budget: float | int | None,
    spent: float,
    wishes: dict[str, Any],
    report: Callable[[System, MapProgress], None] | None,
    interrupted: Callable[[], bool] | None,
) -> dict[str, Any]:
    """One map; what the list says of it."""
    left = None if budget is None else max(budget - spent, 1e-3)
    try:
        result = explore(
            system,
            store,
            report=None if report is None else lambda progress: report(system, progress),
            interrupted=interrupted,
            budget=left,
            **wishes,
        )
    except ThalwegError as error:
        return {"reason": "failed", "message": error.message, "seconds": spent}
    took = 0.0 if result.progress is None else result.progress.seconds
    result.landscape.close()
    return {"reason": result.reason.name, "message": "", "seconds": spent + took}


def _entry(system: System, store: Path, facts: dict[str, Any]) -> SweepEntry:
    """Where a map stands, from its store."""
    reason = facts.get("reason", "")
    known = reason in StopReason.__members__
    ended = StopReason[reason].value if known else facts.get("message") or "not begun"
    if reason == "failed" or not store.is_file():
        return SweepEntry(name=system.name, store=store, ended=ended, failed=reason == "failed")
    with Landscape.open(store) as landscape:
        network = landscape.network
        few = network.n_minima == 0
        return SweepEntry(
            name=system.name,
            store=store,
            minima=network.n_minima,
            transition_states=network.n_transition_states,
            pieces=network.n_components,
            lowest=float("nan") if few else float(network.energies.min()),
            coverage=0.0 if few else float(landscape.completeness.minima.coverage),
            seconds=float(facts.get("seconds", 0.0)),
            ended=ended,
        )


def _read_list(folder: Path) -> dict[str, dict[str, Any]]:
    file = folder / _LIST
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        raise ArgumentError(
            f"{file} cannot be read: {error}", "move it away; the stores beside it stay as they are"
        ) from error


def _write_list(folder: Path, known: dict[str, dict[str, Any]]) -> None:
    """Whole or not at all: written beside, then moved."""
    part = folder / (_LIST + ".part")
    part.write_text(json.dumps(known, indent=2), encoding="utf-8")
    part.replace(folder / _LIST)


def sweep_trees(
    found: Sweep,
    systems: Sequence[System],
    *,
    test: LearningData | None = None,
    colored: bool = True,
) -> list[TreePanel]:
    """The trees of a sweep, to be drawn side by side by `thalweg.viz.plot_trees`.

    Args:
        found: What `sweep` returned.
        systems: The systems, in the same order.
        test: Held-out data that colour the minima of losses by their error; by default those that
            the catalogue keeps for a name, and for other losses the data of the fit.
        colored: Whether to colour at all.

    Returns:
        A panel for each system with a minimum.
    """
    panels = []
    for entry, system in zip(found.entries, systems, strict=True):
        if not entry.minima:
            continue
        with Landscape.open(entry.store) as landscape:
            network = landscape.network
            panels.append(
                TreePanel(
                    title=system.name,
                    tree=disconnectivity_tree(network, levels=_LEVELS, components="all"),
                    color=_errors(landscape, system, test) if colored else None,
                )
            )
    return panels


def _errors(
    landscape: Landscape, system: System, test: LearningData | None
) -> Float[np.ndarray, " minima"] | None:
    energy = system.energy
    if not isinstance(energy, LossEnergy):
        return None
    data = test if test is not None else held_out_data(system.name) or energy.data
    return predictions_of(energy, landscape.points("minimum"), data).scores().error
