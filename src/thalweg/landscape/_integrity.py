"""Does a store hold together? Every check is a query over whole tables."""

import dataclasses

import sqlalchemy as sa

from . import _schema as schema

_BELOW = 1e-6
"""A transition state may lie this far (relative) below its minima: round-off of a flat barrier."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Integrity:
    """The outcome of the checks.

    Attributes:
        problems: What is wrong, one sentence each; empty if nothing is.
        minima: Number of minima.
        transition_states: Number of transition states.
        uncertified: Imported points, which carry no certificate. Not a problem, but to be known.
    """

    problems: tuple[str, ...]
    minima: int
    transition_states: int
    uncertified: int

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check_integrity(connection: sa.Connection, dof: int) -> Integrity:
    """Check the file, its references, its counts and its evidence.

    Args:
        connection: An open connection to the store.
        dof: Number of coordinates that every stored point must have.
    """
    problems = _file_problems(connection) + _sequence_problems(connection)
    problems += _transition_state_problems(connection)
    for kind, table in schema.POINTS.items():
        problems += _point_problems(connection, kind, table, dof)
    count = {
        kind: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for kind, table in schema.POINTS.items()
    }
    uncertified = sum(
        _count(connection, table, table.c.certificate.is_(None)) for table in schema.POINTS.values()
    )
    return Integrity(
        problems=tuple(problems),
        minima=count["minimum"],
        transition_states=count["transition_state"],
        uncertified=uncertified,
    )


def _count(connection: sa.Connection, table: sa.FromClause, *where: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(*where)
    return connection.scalar(query) or 0


def _file_problems(connection: sa.Connection) -> list[str]:
    """What the database itself says about its pages and keys."""
    if connection.dialect.name != "sqlite":
        return []
    lines = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    problems = [f"the file is damaged: {line}" for line in lines if line != "ok"]
    dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if dangling:
        problems.append(f"{len(dangling)} rows refer to rows that are not there")
    return problems


def _sequence_problems(connection: sa.Connection) -> list[str]:
    """Ids and rounds count from 0 without gaps."""
    problems = []
    for table in (schema.minima, schema.transition_states, schema.rounds):
        key = table.primary_key.columns[0]
        query = sa.select(sa.func.count(), sa.func.min(key), sa.func.max(key))
        count, first, last = connection.execute(query).one()
        if count and (first != 0 or last != count - 1):
            problems.append(f"{table.name}: {count} rows, but numbers run from {first} to {last}")
    return problems


def _transition_state_problems(connection: sa.Connection) -> list[str]:
    """Every transition state joins two minima that are there, and lies above both."""
    ts, problems = schema.transition_states, []
    for side in (ts.c.minimum_a, ts.c.minimum_b):
        end = schema.minima.alias()
        joined = ts.outerjoin(end, end.c.id == side)
        lost = _count(connection, joined, end.c.id.is_(None))
        if lost:
            problems.append(f"{lost} transition states lead to a minimum that is not there")
        tolerance = _BELOW * (1.0 + sa.func.abs(end.c.energy))
        upside_down = _count(connection, joined, ts.c.energy < end.c.energy - tolerance)
        if upside_down:
            problems.append(f"{upside_down} transition states lie below one of their minima")
    return problems


def _point_problems(connection: sa.Connection, kind: str, table: sa.Table, dof: int) -> list[str]:
    """Evidence, coordinates and hits of the minima or of the transition states."""
    problems, name = [], table.name.replace("_", " ")
    imported = schema.rounds.c.kind == "import"
    placed = table.join(schema.rounds, schema.rounds.c.number == table.c.round)
    bare = _count(connection, placed, table.c.certificate.is_(None), ~imported)
    if bare:
        problems.append(f"{bare} {name} have no certificate")
    failed = _count(connection, table, table.c.certificate.not_like('%"outcome": "success"%'))
    if failed:
        problems.append(f"{failed} {name} have a certificate that says they failed")
    short = _count(connection, table, sa.func.length(table.c.x) != 8 * dof)
    if short:
        problems.append(f"{short} {name} have another number of coordinates than {dof}")
    found = schema.discoveries
    tally = (
        sa.select(found.c.point, sa.func.sum(found.c.times).label("times"))
        .where(found.c.kind == kind)
        .group_by(found.c.point)
        .subquery()
    )
    counted = table.outerjoin(tally, tally.c.point == table.c.id)
    wrong = _count(connection, counted, table.c.hits != sa.func.coalesce(tally.c.times, 0))
    if wrong:
        problems.append(f"{wrong} {name} have other hits than the rounds have counted")
    return problems
