"""Taking results in: in any order, in part, late, or twice."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from thalweg.core import ArgumentError

from ._change import Change, complete
from ._plan import Outcome, Plan
from ._records import Measurement, Status, Told

_WORDS = {
    "pass": 1.0,
    "passed": 1.0,
    "yes": 1.0,
    "true": 1.0,
    "+": 1.0,
    "fail": 0.0,
    "failed": 0.0,
    "no": 0.0,
    "false": 0.0,
    "-": 0.0,
}
_SHOWN = 5
"""Ids in a message."""


def number(value: Any, plan: Plan, name: str) -> float:
    """A told value as a number; pass and fail are 1 and 0.

    Raises:
        ArgumentError: if it is neither.
    """
    if isinstance(value, str):
        word = value.strip().lower()
        if plan.outcome is Outcome.passed and word in _WORDS:
            return _WORDS[word]
        try:
            return float(word)
        except ValueError:
            raise ArgumentError(f"{name}: {value!r} is no result", _expected(plan)) from None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name}: {value!r} is no result", _expected(plan)) from None


def _expected(plan: Plan) -> str:
    if plan.outcome is Outcome.passed:
        return "pass or fail" if plan.threshold is None else "a number, or pass or fail"
    return "a number; status='lost' if there is none"


def payload(plan: Plan, measurement: Measurement) -> dict[str, Any]:
    """What a result says, checked: status, value and weight.

    Raises:
        ArgumentError: if it can be no result; the message names the id.
    """
    name = measurement.id or "a measurement without id"
    try:
        status = Status(measurement.status)
    except ValueError:
        raise ArgumentError(
            f"{name}: status {measurement.status!r} is unknown", "ok, censored or lost"
        ) from None
    if status is Status.lost:
        if measurement.value is not None:
            raise ArgumentError(
                f"{name}: lost, and yet its value is {measurement.value!r}",
                "a result that exists must be told, whatever it is; leave the value empty",
            )
        return {"status": status.value, "value": None, "weight": None}
    if status is Status.censored:
        value = plan.limit if plan.limit is not None else math.nan
    else:
        value = number(measurement.value, plan, name)
    worded = isinstance(measurement.value, str) and measurement.value.strip().lower() in _WORDS
    try:
        if plan.threshold is not None and (worded or isinstance(measurement.value, bool)):
            weight = float(value)
        else:
            weight = plan.weight(value, censored=status is Status.censored)
    except ArgumentError as error:
        raise ArgumentError(f"{name}: {error.message}", error.hint) from None
    return {"status": status.value, "value": value, "weight": weight}


def tell(
    change: Change, measurements: Sequence[Measurement], known: Mapping[str, Mapping[str, Any]]
) -> Told:
    """Commit results and let the chains that wait for nothing more decide.

    Args:
        change: The transaction.
        measurements: The results. All are checked before any is committed.
        known: What the log says about ids that are no longer pending.

    Raises:
        ArgumentError: if an id is unknown, or a value can be no weight.
    """
    plan, state = change.plan, change.state
    _check_ids(change, measurements, known)
    checked = [(m, payload(plan, m)) for m in measurements]
    for m, _ in checked:
        if m.id is None:
            plan.space.coordinates(m.conditions or {})
    counts = dict.fromkeys(("committed", "duplicates", "lost", "observed", "late"), 0)
    conflicts: list[str] = []
    before = dict(known)
    touched: set[int] = set()
    for m, facts in checked:
        extra = {"facts": dict(m.facts)} if m.facts else {}
        if m.id is None:
            conditions = plan.space.values(plan.space.coordinates(m.conditions or {}))
            change.add("observed", None, facts | extra | {"conditions": conditions})
            counts["observed"] += 1
        elif m.id in state.pending:
            touched.add(state.pending[m.id].chain)
            change.add("told", m.id, facts | extra)
            before[m.id] = facts
            counts["committed"] += 1
            counts["lost"] += facts["status"] == "lost"
        elif not before[m.id]:
            change.add("late", m.id, facts | extra)
            counts["late"] += 1
        elif _same(before[m.id], facts):
            counts["duplicates"] += 1
        else:
            stands = {key: before[m.id][key] for key in ("status", "value")}
            change.add("conflict", m.id, {"stands": stands, "refused": facts | extra})
            conflicts.append(m.id)
    steps, moves = change.decide(complete(state, touched))
    return Told(**counts, conflicts=tuple(conflicts), steps=steps, moves=moves)


def _same(stands: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    return all(stands[key] == facts[key] for key in ("status", "value"))


def _check_ids(
    change: Change, measurements: Sequence[Measurement], known: Mapping[str, Mapping[str, Any]]
) -> None:
    state = change.state
    unknown = [
        m.id
        for m in measurements
        if m.id is not None and m.id not in state.pending and m.id not in known
    ]
    if unknown:
        shown = ", ".join(unknown[:_SHOWN]) + (" …" if len(unknown) > _SHOWN else "")
        raise ArgumentError(
            f"nobody asked for {shown}; nothing was committed",
            "is it another campaign's plate? A measurement of your own choice has no id",
        )
    other = sorted(
        {
            m.assay
            for m in measurements
            if m.assay is not None and m.id in state.pending and m.assay != state.assay
        }
    )
    if other:
        raise ArgumentError(
            f"measured with assay {', '.join(other)}, the campaign's is {state.assay}; nothing "
            "was committed",
            "declare a new assay first (change_assay): its weights are not comparable with the old",
        )
