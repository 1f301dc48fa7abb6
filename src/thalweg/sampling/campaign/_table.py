"""Plates as CSV files.

A plate's file has one row for each well: its id, its place, the conditions (with their units in
the header), and empty columns `value` and `status` for the results. The same file, filled in, is
what `read_results` takes; the order of rows and columns does not matter, rows without value and
status are wells not yet measured, and a row without id is a measurement of one's own choice.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from thalweg.core import ArgumentError

from ._plan import Plan
from ._plate import wells
from ._records import Measurement, Request, Status
from ._space import Choice

_FACTS = ("duration", "operator", "reference")
_BEFORE = ("id", "plate", "well")
_AFTER = ("purpose", "chain", "step", "replicate", "attempt", "assay", "seed", "value", "status")


def header(plan: Plan) -> dict[str, str]:
    """Column name of each condition: its name, and its unit in brackets."""
    return {
        c.name: c.name if isinstance(c, Choice) or not c.unit else f"{c.name} [{c.unit}]"
        for c in plan.space.conditions
    }


def write_requests(target: Path | TextIO, plan: Plan, requests: Sequence[Request]) -> None:
    """Write wells to be measured, plate by plate and well by well.

    Args:
        target: File name, or an open text file.
        plan: The campaign's plan.
        requests: The wells.
    """
    if isinstance(target, Path):
        with target.open("w", newline="", encoding="utf-8") as file:
            write_requests(file, plan, requests)
        return
    names = header(plan)
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([*_BEFORE, *names.values(), *_AFTER])
    for r in _by_place(plan, requests):
        conditions = [_text(r.conditions[name]) for name in names]
        place = [r.id, "" if r.plate is None else r.plate, r.well or ""]
        about = [r.purpose.value, r.chain, r.step, r.replicate, r.attempt, r.assay, r.seed]
        writer.writerow([*place, *conditions, *about, "", ""])


def _by_place(plan: Plan, requests: Sequence[Request]) -> list[Request]:
    order = {} if plan.layout is None else {name: i for i, name in enumerate(wells(plan.layout))}
    return sorted(requests, key=lambda r: (r.plate or 0, order.get(r.well or "", 0)))


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else repr(float(value))


def read_results(source: Path | TextIO, plan: Plan) -> list[Measurement]:
    """Read results; wells without value and status are left out.

    Args:
        source: File name, or an open text file.
        plan: The campaign's plan.

    Raises:
        ArgumentError: if it is no table of results.
    """
    if isinstance(source, Path):
        try:
            with source.open(newline="", encoding="utf-8-sig") as file:
                return read_results(file, plan)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ArgumentError(f"{source} cannot be read: {error}") from error
    text = source.read().lstrip("\ufeff")
    reader = csv.DictReader(io.StringIO(text), delimiter=_delimiter(text))
    columns = [column.strip() for column in reader.fieldnames or []]
    if "id" not in columns or not {"value", "status"} & set(columns):
        raise ArgumentError(
            f"the columns are {', '.join(columns) or 'missing'}; results need id and value",
            "fill in the file that `ask` wrote, or make one with the columns id,value,status",
        )
    names = {text: name for name, text in header(plan).items()} | {n: n for n in plan.space.names}
    return list(_measurements(reader, names))


def _delimiter(text: str) -> str:
    """A semicolon or a tab where spreadsheets write one."""
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _measurements(
    reader: Iterable[Mapping[str, Any]], names: Mapping[str, str]
) -> Iterable[Measurement]:
    for number, row in enumerate(reader, start=2):
        if None in row or None in row.values():
            raise ArgumentError(f"line {number} has not as many cells as the header")
        cells = {key.strip(): value.strip() for key, value in row.items()}
        value, status = cells.get("value", ""), cells.get("status", "").lower()
        if not value and not status:
            continue
        conditions = {names[key]: text for key, text in cells.items() if key in names and text}
        name = cells["id"] or None
        if name is None and not conditions:
            raise ArgumentError(f"line {number} has a value, but neither id nor conditions")
        yield Measurement(
            id=name,
            value=value or None,
            status=status or Status.ok,
            conditions=None if name else conditions,
            assay=cells.get("assay") or None,
            facts={key: cells[key] for key in _FACTS if cells.get(key)},
        )
