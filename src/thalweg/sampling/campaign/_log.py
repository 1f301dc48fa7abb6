"""The campaign's only memory: a log that is appended to and never changed.

Each event carries the SHA-256 of its own text and of the event before it, so that a change
anywhere shows at the end; the first link is the plan's own hash. A transaction first takes a lock
that every writer takes, then reads what others have added, and only then decides: two processes
may serve one campaign.
"""

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from thalweg.core import StoreError, StoreMismatchError
from thalweg.storage import Format, guarded, open_database

from ._plan import Plan

metadata = sa.MetaData()

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", sa.String(32), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("subject", sa.String(64), index=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

snapshots = sa.Table(
    "snapshots",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

STORE = Format(
    name="thalweg campaign",
    version=1,
    metadata=metadata,
    noun="campaign",
    source="`thalweg campaign new` wrote",
    begin="begin with `thalweg campaign new`",
    example="lab.db",
    durable=True,
)

_MANY = 500
"""Ids in one query; SQLite allows 32766 parameters, older ones 999."""


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One line of the log.

    Attributes:
        sequence: 1, 2, 3, …
        time: When it was written, in UTC.
        kind: `proposed`, `asked`, `offered` (again), `told`, `decided`, `conflict`, `observed`,
            `late`, `tuned` or `assay`.
        subject: The id of the well, or the chain and step, it is about.
        body: What happened.
        hash: Hash of everything up to here.
    """

    sequence: int
    time: str
    kind: str
    subject: str | None
    body: dict[str, Any]
    hash: str


def canonical(value: Any) -> str:
    """JSON with one spelling for each value."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def link(previous: str, sequence: int, time: str, kind: str, subject: str | None, text: str) -> str:
    """Hash of an event, chained to the one before it."""
    line = "\n".join((previous, str(sequence), time, kind, subject or "", text))
    return hashlib.sha256(line.encode()).hexdigest()


def genesis(plan: Plan) -> str:
    """The link before the first event."""
    return hashlib.sha256(canonical(plan.to_json()).encode()).hexdigest()


def timestamp(seconds: float) -> str:
    """A time in UTC, to the millisecond."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds")


class Log:
    """The events of one campaign in a database."""

    def __init__(self, engine: sa.Engine, name: str, plan: Plan):
        self._engine = engine
        self.name = name
        self.plan = plan

    @classmethod
    def open(cls, url: str | Path, plan: Plan | None) -> "Log":
        """Open a campaign's log; with a plan, make it if there is none.

        Raises:
            StoreMismatchError: if it is the log of another plan.
            StoreError: if it cannot be opened, or is no campaign.
        """
        facts = None if plan is None else {"plan": plan.to_json(), "lock": 0}
        engine, name, found = open_database(url, STORE, facts)
        stored = Plan.from_json(json.loads(found["plan"]))
        if plan is not None and stored.to_json() != plan.to_json():
            engine.dispose()
            different = sorted(
                key for key, value in plan.to_json().items() if stored.to_json()[key] != value
            )
            raise StoreMismatchError(
                f"{name} holds a campaign with another plan ({', '.join(different)})",
                "open it with Campaign.open, or give the new campaign a file of its own",
            )
        return cls(engine, name, stored)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that no other writer shares."""
        with guarded(self.name, STORE), self._engine.begin() as connection:
            connection.execute(meta.update().where(meta.c.key == "lock").values(value=meta.c.value))
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A consistent view."""
        with guarded(self.name, STORE), self._engine.begin() as connection:
            yield connection

    def after(
        self, connection: sa.Connection, sequence: int, kinds: Sequence[str] = ()
    ) -> Iterator[Event]:
        """The events behind a sequence number, in order."""
        query = sa.select(events).where(events.c.sequence > sequence).order_by(events.c.sequence)
        if kinds:
            query = query.where(events.c.kind.in_(kinds))
        for row in connection.execute(query):
            yield Event(
                row.sequence, row.time, row.kind, row.subject, json.loads(row.body), row.hash
            )

    def raw(self, connection: sa.Connection) -> Iterator[Any]:
        """All rows as they are stored, the body still text."""
        return iter(connection.execute(sa.select(events).order_by(events.c.sequence)))

    def told(self, connection: sa.Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What is known about wells that are no longer pending: the event's body by id.

        A well that was asked for and never told (its assay was replaced) has an empty body.
        """
        known: dict[str, dict[str, Any]] = {}
        for first in range(0, len(ids), _MANY):
            query = sa.select(events.c.kind, events.c.subject, events.c.body).where(
                events.c.subject.in_(ids[first : first + _MANY]),
                events.c.kind.in_(("asked", "told")),
            )
            for kind, subject, body in connection.execute(query):
                if kind == "told":
                    known[subject] = json.loads(body)
                else:
                    known.setdefault(subject, {})
        return known

    def snapshot(self, connection: sa.Connection) -> str | None:
        """The stored state, if it belongs to this log."""
        query = sa.select(snapshots.c.body).join(
            events,
            sa.and_(events.c.sequence == snapshots.c.sequence, events.c.hash == snapshots.c.hash),
        )
        return connection.execute(query).scalar()

    def save(self, connection: sa.Connection, sequence: int, head: str, body: str) -> None:
        """Replace the stored state."""
        connection.execute(snapshots.delete())
        connection.execute(
            snapshots.insert(), {"id": 1, "sequence": sequence, "hash": head, "body": body}
        )

    def append(self, connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Add events.

        Raises:
            StoreError: if the log has grown in between, which the lock prevents.
        """
        if rows:
            try:
                connection.execute(events.insert(), list(rows))
            except exc.IntegrityError as error:
                raise StoreError(
                    f"{self.name}: event {rows[0]['sequence']} is there already",
                    "two programs write without the lock; open the campaign again",
                ) from error
