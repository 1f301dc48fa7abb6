"""The log as tables."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ._log import Event
from ._plan import Plan


def decisions(plan: Plan, events: Iterable[Event]) -> pd.DataFrame:
    """One row for each decision, sorted by epoch, chain and step.

    Columns: epoch, chain, step, why (`start`, `move`, `refresh`, `outside`), the point (`from …`)
    and the proposal (`to …`) of each condition, `log_w` (stored), `log_w_new`, `u`, `accepted`.
    """
    rows = []
    nowhere = [None] * plan.space.dof
    for event in events:
        b = event.body
        row = [b["epoch"], b["chain"], b["step"], b["why"], *(b["x"] or nowhere), *b["proposal"]]
        rows.append([*row, b["log_w"], b["log_w_new"], b["u"], b["accepted"]])
    names = plan.space.names
    columns = ["epoch", "chain", "step", "why"]
    columns += [f"from {n}" for n in names] + [f"to {n}" for n in names]
    columns += ["log_w", "log_w_new", "u", "accepted"]
    frame = pd.DataFrame(rows, columns=columns)
    numbers = [c for c in columns if c.startswith(("from ", "to ", "log_")) or c == "u"]
    frame = frame.astype({**dict.fromkeys(numbers, float), "accepted": bool})
    started = frame["why"].ne("start")
    frame.loc[started & frame["log_w_new"].isna(), "log_w_new"] = -np.inf
    for name in names:  # coordinates as values; a cloud's centre may be outside
        for column in (f"from {name}", f"to {name}"):
            frame[column] = _values(plan, name, pd.Series(frame[column]))
    order = ["epoch", "chain", "step"]
    return frame.sort_values(order, kind="stable").reset_index(drop=True)


def _values(plan: Plan, name: str, column: pd.Series) -> Any:
    condition = plan.space.conditions[plan.space.names.index(name)]
    levels = getattr(condition, "values", None)
    if levels is not None:
        known = [
            levels[int(y)] if y == y and 0 <= y < len(levels) else None for y in column.tolist()
        ]
        return pd.Series(known, index=column.index, dtype=object)
    return np.exp(column) if getattr(condition, "log", False) else column


def observations(plan: Plan, events: Iterable[Event]) -> pd.DataFrame:
    """One row for each result, in the order in which they came.

    Columns: id, use (`start`, `move`, `repeat`, `observed`, `late`), the conditions, `status`,
    `value`, `weight`, `time`.
    """
    asked: dict[str | None, dict[str, Any]] = {}
    rows = []
    for event in events:
        body = event.body
        if event.kind == "asked":
            asked[event.subject] = body
            continue
        request = asked.get(event.subject, {})
        conditions = body.get("conditions") or request["conditions"]
        use = request["purpose"] if event.kind == "told" else event.kind
        values = [conditions[name] for name in plan.space.names]
        result = [body["status"], body["value"], body["weight"], event.time]
        rows.append([event.subject, use, *values, *result])
    columns = ["id", "use", *plan.space.names, "status", "value", "weight", "time"]
    return pd.DataFrame(rows, columns=columns).astype({"value": float, "weight": float})
