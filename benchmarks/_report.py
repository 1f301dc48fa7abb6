"""Tables on the screen and in `benchmarks/results/`."""

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _sides import machine
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).resolve().parent / "results"


class Report:
    """One benchmark's rows: printed as a table, written as JSON."""

    def __init__(self, name: str, title: str):
        self.name = name
        self.title = title
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []

    def add(self, **row: Any) -> None:
        """Append a row; its keys are the columns."""
        self.rows.append(row)

    def show(self) -> None:
        """Print the table."""
        table = Table(title=self.title, title_justify="left")
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        for key in columns:
            text = isinstance(self.rows[0].get(key), str)
            table.add_column(key, justify="left" if text else "right")
        for row in self.rows:
            table.add_row(*(_cell(row.get(key)) for key in columns))
        console = Console(width=None if Console().is_terminal else 140)
        console.print(table)
        for note in self.notes:
            console.print(f"  {note}", highlight=False, markup=False)

    def write(self) -> Path:
        """Write rows, notes and the machine."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        content = {
            "title": self.title,
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "machine": machine(),
            "rows": self.rows,
            "notes": self.notes,
        }
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        return path


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def median(values: Sequence[float]) -> float | None:
    """Median, or nothing."""
    return statistics.median(values) if values else None


def ratio(a: float | None, b: float | None) -> float | None:
    """`a / b`, or nothing."""
    return None if a is None or not b else a / b
