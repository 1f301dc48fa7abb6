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
        uncertified: Imported points, which carry no certificate, and cycles without multipliers.
            Not a problem, but to be known.
        nodes: Number of rests and cycles of a flow.
        links: Number of ways out of its unstable rests.
    """

    problems: tuple[str, ...]
    minima: int = 0
    transition_states: int = 0
    uncertified: int = 0
    nodes: int = 0
    links: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check_integrity(connection: sa.Connection, header: schema.StoreHeader) -> Integrity:
    """Check the file, its references, its counts and its evidence.

    Args:
        connection: An open connection to the store.
        header: What the store belongs to.
    """
    problems = _file_problems(connection)
    if header.kind == "flow":
        return _check_flow(connection, header.dof, problems)
    problems += _sequence_problems(connection, schema.minima, schema.transition_states)
    problems += _transition_state_problems(connection)
    for kind, table in schema.POINTS.items():
        problems += _point_problems(connection, kind, table, header.dof)
    uncertified = sum(
        _count(connection, table, table.c.certificate.is_(None)) for table in schema.POINTS.values()
    )
    return Integrity(
        problems=tuple(problems),
        minima=_count(connection, schema.minima),
        transition_states=_count(connection, schema.transition_states),
        uncertified=uncertified,
    )


def _check_flow(connection: sa.Connection, dof: int, problems: list[str]) -> Integrity:
    """The nodes of a flow have their evidence, and every way out fits its ends."""
    nodes, links = schema.nodes, schema.links
    problems = problems + _sequence_problems(connection, nodes)
    cycle, kind = nodes.c.period.is_not(None), nodes.c.kind
    values, unstable = sa.func.length(nodes.c.eigenvalues), nodes.c.unstable
    known = {"saddle", "source", "rest", "cycle", "neutral"}
    for fault, *where in (
        ("have another number of coordinates than {dof}", sa.func.length(nodes.c.x) != 8 * dof),
        ("are rests without their spectrum", ~cycle, values != 16 * dof),
        ("are attractors with unstable directions", kind.in_(["rest", "cycle"]), unstable > 0),
        ("are saddles without unstable directions", kind.in_(["saddle", "source"]), unstable == 0),
        ("are sources with stable directions", kind == "source", unstable != dof),
        ("are cycles without a period", kind == "cycle", ~cycle),
        ("are cycles without their points", cycle, sa.func.length(nodes.c.loop) < 8 * dof),
        ("are of an unknown kind", kind.not_in(known)),
    ):  # fmt: skip
        wrong = _count(connection, nodes, *where)
        if wrong:
            problems.append(f"{wrong} nodes {fault.format(dof=dof)}")
    problems += _hits_problems(connection, "node", nodes)
    lost = links.c.target.is_(None)
    arrived = links.c.end.in_(["attractor", "saddle"])
    wrong = _count(connection, links, lost == arrived)
    if wrong:
        problems.append(f"{wrong} ways out have a target that contradicts how they ended")
    left = links.join(nodes, nodes.c.id == links.c.source)
    wrong = _count(connection, left, links.c.direction >= nodes.c.unstable)
    if wrong:
        problems.append(f"{wrong} ways out leave a node along a direction that is not unstable")
    return Integrity(
        problems=tuple(problems),
        nodes=_count(connection, nodes),
        links=_count(connection, links),
        uncertified=_count(connection, nodes, cycle, values != 16 * dof),
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


def _sequence_problems(connection: sa.Connection, *tables: sa.Table) -> list[str]:
    """Ids and rounds count from 0 without gaps."""
    problems = []
    for table in (*tables, schema.rounds):
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
    return problems + _hits_problems(connection, kind, table)


def _hits_problems(connection: sa.Connection, kind: str, table: sa.Table) -> list[str]:
    """Hits are what the rounds have counted."""
    found = schema.discoveries
    tally = (
        sa.select(found.c.point, sa.func.sum(found.c.times).label("times"))
        .where(found.c.kind == kind)
        .group_by(found.c.point)
        .subquery()
    )
    counted = table.outerjoin(tally, tally.c.point == table.c.id)
    wrong = _count(connection, counted, table.c.hits != sa.func.coalesce(tally.c.times, 0))
    name = table.name.replace("_", " ")
    return [f"{wrong} {name} have other hits than the rounds have counted"] if wrong else []
