"""What `thalweg fit` and `thalweg compare` say and keep: progress, the table, the facts."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._talk import CliError, print_table
from ._values import duration

if TYPE_CHECKING:
    from rich.console import Console

    from thalweg.forcefields.fitting import Front, Measurement
    from thalweg.workflows import PlanProgress

_EVERY = 5.0
"""Seconds between lines of progress."""

TABLE = "table.json"
"""Where a folder keeps its table."""


class PlanReporter:
    """A line of progress now and then, and one at the end of every phase."""

    def __init__(self, console: "Console"):
        self._console = console
        self._shown = time.monotonic()

    def __call__(self, now: "PlanProgress") -> None:
        """Take where a plan stands."""
        last = now.done == now.total
        if not last and time.monotonic() - self._shown < _EVERY:
            return
        self._shown = time.monotonic()
        detail = f", {now.detail}" if now.detail else ""
        self._console.print(
            f"{now.phase} {now.name}: {now.done:,} of {now.total:,}{detail}, "
            f"{duration(now.seconds)}",
            markup=False,
        )


def front_facts(
    command: str, folder: Path, front: "Front", anchor: "Measurement | None"
) -> dict[str, Any]:
    import dataclasses

    from thalweg import __version__

    best = set(front.best)
    return {
        "thalweg": __version__,
        "command": command,
        "folder": str(folder),
        "axes": list(front.axes),
        "force_fields": [
            dataclasses.asdict(record) | {"front": record in best} for record in front.records
        ],
        "reference": None if anchor is None else dataclasses.asdict(anchor),
    }


def write_facts(path: Path, facts: dict[str, Any]) -> None:
    import json

    from ._values import plain

    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(plain(facts), indent=2, allow_nan=False), encoding="utf-8")
    partial.replace(path)


def label_timing(folder: Path) -> "Measurement | None":
    """The label method as `thalweg fit` timed it, if it came that far."""
    import json

    from thalweg.forcefields.fitting import Measurement

    path = folder / TABLE
    if not path.is_file():
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))["reference"]
        return Measurement.from_facts(facts)
    except (ValueError, KeyError, TypeError) as error:
        raise CliError(f"{path} is damaged: {error}", "delete it; `thalweg fit` makes it") from None


def draw_front(front: "Front", anchor: "Measurement | None", path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from thalweg.viz import plot_front, save_figure

    save_figure(plot_front(front, anchor), path)


_COLUMNS = (
    ("energy / kcal/mol", "energy_rmse", ".3g"),
    ("force / kcal/(mol Å)", "force_rmse", ".3g"),
    ("hot force", "ood_force_rmse", ".3g"),
    ("µs", "micros", ".0f"),
    ("µs each / of 100", "micros_100", ".1f"),
    ("µs each / of 1000", "micros_1000", ".1f"),
    ("whole / ps", "survival_ps", ".3g"),
    ("drift / 0.5 fs", "drift", ".1e"),
    ("drift / 1 fs", "drift_1fs", ".1e"),
    ("fit / s", "train_seconds", ".0f"),
)


def show_front(front: "Front", anchor: "Measurement | None") -> None:
    """The table, for people."""
    best = set(front.best)
    rows = [
        [
            record.name + (" *" if record in best else ""),
            f"{record.parameters:,}",
            *(record.text(field, form) for _, field, form in _COLUMNS),
        ]
        for record in (*front.records, *([anchor] if anchor else []))
    ]
    print_table(["force field", "parameters", *(heading for heading, _, _ in _COLUMNS)], rows)


def leading(front: "Front") -> str:
    best: Sequence[Measurement] = front.best
    if not best:
        return "none gives finite numbers"
    fast, good = best[0], min(best, key=lambda r: r.force_rmse)
    worth = f"{good.force_rmse:.3g} kcal/(mol Å) in {good.micros:.0f} µs"
    text = f"{good.name} is the most accurate, {worth}"
    return text if fast is good else f"{text}, {fast.name} the fastest, {fast.micros:.0f} µs"
