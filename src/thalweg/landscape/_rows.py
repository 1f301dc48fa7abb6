"""How records become rows of a store, and rows records."""

import collections
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from jaxtyping import Float

from thalweg.core import Certificate, Outcome

from . import _schema as schema
from ._flow_graph import FlowLink, FlowNode
from ._stationary import Attempt, Discovery, Kind, Minimum, Rejected, TransitionState


def pack(x: Float[np.ndarray, " n"] | None) -> bytes | None:
    """A vector as little-endian float64 bytes."""
    return None if x is None else np.ascontiguousarray(x, dtype="<f8").tobytes()


def unpack(data: bytes | None) -> Float[np.ndarray, " n"] | None:
    """The vector behind little-endian float64 bytes."""
    return None if data is None else np.frombuffer(data, dtype="<f8").astype(float)


def certificate_to_json(certificate: Certificate | None) -> str | None:
    """A certificate as JSON, its outcome by name."""
    if certificate is None:
        return None
    fields = {**vars(certificate), "outcome": certificate.outcome.name}
    return json.dumps(fields, default=_plain)


def certificate_from_json(text: str | None) -> Certificate | None:
    """The inverse of `certificate_to_json`."""
    if text is None:
        return None
    fields = json.loads(text)
    fields["curvatures"] = tuple(fields["curvatures"])
    fields["outcome"] = Outcome[fields["outcome"]]
    return Certificate(**fields)


def _plain(value: Any) -> Any:
    """Numpy scalars and arrays as JSON knows them."""
    return value.tolist()


def finite(value: float) -> float | None:
    """`None` for NaN, which SQLite cannot tell from NULL anyway."""
    return None if np.isnan(value) else float(value)


_MOST_ORDER = 2**62
"""Orders beyond it are kept as it: a database has no larger integers."""

_SEARCHES = " searches"
"""What follows their number in `detail`."""


def minimum_row(point: Minimum | TransitionState, number: int) -> dict[str, Any]:
    """The columns that minima and transition states share; hits start from none."""
    return {
        "id": int(point.id),
        "energy": float(point.energy),
        "point_order": min(int(point.order), _MOST_ORDER),
        "log_product": float(point.log_product),
        "hits": 0,
        "item": int(point.item),
        "round": number,
        "certificate": certificate_to_json(point.certificate),
        "x": pack(point.x),
    }


def transition_state_row(point: TransitionState, number: int) -> dict[str, Any]:
    """A transition state as a row."""
    return {
        **minimum_row(point, number),
        "minimum_a": int(point.minimum_a),
        "minimum_b": int(point.minimum_b),
        "negative_curvature": finite(point.negative_curvature),
        "direction": pack(point.direction),
    }


def rejected_row(point: Rejected, number: int) -> dict[str, Any]:
    """A failure as a row."""
    return {
        "round": number,
        "item": int(point.item),
        "kind": point.kind,
        "outcome": point.outcome.name,
        "detail": point.detail,
        "energy": finite(point.energy) if np.isfinite(point.energy) else None,
        "x": pack(point.x),
    }


def failed_searches(outcome: Outcome, kind: Kind, items: Sequence[int]) -> Rejected:
    """Searches of a round that failed in one way: one record, whose detail counts them."""
    return Rejected(kind=kind, outcome=outcome, item=items[0], detail=f"{len(items)}{_SEARCHES}")


def searches_behind(detail: str) -> int:
    """How many searches a row of `rejected` stands for."""
    number = detail.removesuffix(_SEARCHES)
    return int(number) if number != detail and number.isdigit() else 1


def minimum_from_row(row: Mapping[str, Any]) -> Minimum:
    """A row of `minima` as a record."""
    return Minimum(**_shared_fields(row))


def transition_state_from_row(row: Mapping[str, Any]) -> TransitionState:
    """A row of `transition_states` as a record."""
    curvature = row["negative_curvature"]
    return TransitionState(
        **_shared_fields(row),
        minimum_a=row["minimum_a"],
        minimum_b=row["minimum_b"],
        negative_curvature=float("nan") if curvature is None else curvature,
        direction=unpack(row["direction"]),
    )


def _shared_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "energy": row["energy"],
        "x": unpack(row["x"]),
        "order": row["point_order"],
        "log_product": row["log_product"],
        "certificate": certificate_from_json(row["certificate"]),
        "hits": row["hits"],
        "item": row["item"],
        "round": row["round"],
    }


def node_row(node: FlowNode, number: int) -> dict[str, Any]:
    """A rest or cycle of a flow as a row; hits start from none."""
    return {
        "id": int(node.id),
        "kind": node.kind,
        "unstable": int(node.unstable),
        "period": finite(node.period),
        "residual": finite(node.residual),
        "doubt": finite(node.doubt),
        "hits": 0,
        "round": number,
        "x": pack(node.x),
        "eigenvalues": np.ascontiguousarray(node.eigenvalues, dtype="<c16").tobytes(),
        "loop": pack(node.loop.ravel()),
    }


def node_from_row(row: Mapping[str, Any], dof: int) -> FlowNode:
    """A row of `nodes` as a record."""
    known: dict[str, Any] = {name: row[name] for name in ("id", "kind", "unstable", "hits")}
    numbers: dict[str, Any] = {
        name: float("nan") if row[name] is None else row[name]
        for name in ("period", "residual", "doubt")
    }
    return FlowNode(
        **known,
        **numbers,
        x=np.frombuffer(row["x"], dtype="<f8").astype(float),
        eigenvalues=np.frombuffer(row["eigenvalues"], dtype="<c16").astype(complex),
        loop=np.frombuffer(row["loop"], dtype="<f8").astype(float).reshape(-1, dof),
    )


_LINK = ("source", "direction", "side", "rate", "end", "target")


def link_row(link: FlowLink, number: int) -> dict[str, Any]:
    """A way out of an unstable rest as a row."""
    return {"round": number, **{name: getattr(link, name) for name in _LINK}}


def link_from_row(row: Mapping[str, Any]) -> FlowLink:
    """A row of `links` as a record."""
    return FlowLink(**{name: row[name] for name in _LINK})


def discovery_rows(found: Sequence[Discovery], number: int) -> list[dict[str, Any]]:
    """Discoveries as rows, equal ones added up."""
    times: collections.Counter[tuple[str, int, int | None]] = collections.Counter()
    for one in found:
        source = None if one.source is None else int(one.source)
        times[one.kind, int(one.id), source] += int(one.count)
    return [
        {"round": number, "kind": kind, "point": point, "source": source, "times": count}
        for (kind, point, source), count in times.items()
    ]


def attempt_rows(searches: Sequence[Attempt], number: int) -> list[dict[str, Any]]:
    """Attempts as rows, equal ones added up; a pair is the same in either order."""
    begun: collections.Counter[tuple[int, int | None]] = collections.Counter()
    successes: collections.Counter[tuple[int, int | None]] = collections.Counter()
    for one in searches:
        ends = (int(one.minimum_a), None if one.minimum_b is None else int(one.minimum_b))
        if ends[1] is not None and ends[1] < ends[0]:
            ends = (ends[1], ends[0])
        begun[ends] += int(one.count)
        successes[ends] += int(one.successes)
    return [
        {"round": number, "minimum_a": a, "minimum_b": b, "times": n, "successes": successes[a, b]}
        for (a, b), n in begun.items()
    ]


TALLIES = {
    "minima": (schema.minima, None),
    "minima_singletons": (schema.minima, 1),
    "minima_doubletons": (schema.minima, 2),
    "transition_states": (schema.transition_states, None),
    "ts_singletons": (schema.transition_states, 1),
    "ts_doubletons": (schema.transition_states, 2),
}


def tallies(connection: sa.Connection) -> dict[str, int]:
    """How many points there are, and how many were found once and twice."""
    counts = {}
    for name, (table, hits) in TALLIES.items():
        query = sa.select(sa.func.count()).select_from(table)
        counts[name] = connection.scalar(
            query if hits is None else query.where(table.c.hits == hits)
        )
    return counts


def add_hits(connection: sa.Connection, found: Sequence[Discovery]) -> None:
    """Add discoveries to the hits of their points, one statement for each kind."""
    for kind, table in (item for tables in schema.OF_KIND.values() for item in tables.items()):
        hits: collections.Counter[int] = collections.Counter()
        for one in found:
            if one.kind == kind:
                hits[int(one.id)] += int(one.count)
        if hits:
            connection.execute(
                table.update()
                .where(table.c.id == sa.bindparam("point"))
                .values(hits=table.c.hits + sa.bindparam("times")),
                [{"point": point, "times": times} for point, times in hits.items()],
            )
