"""Graphs of flows in a database: points as raw float64, nothing pickled, one transaction a step."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import sqlalchemy as sa

from thalweg.core import StoreMismatchError
from thalweg.storage import Format, guarded, now, open_database

from ._flow_graph import FlowGraph, FlowLink, FlowNode
from ._schema import StoreHeader

metadata = sa.MetaData()

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

steps = sa.Table(
    "steps",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("committed", sa.String(32), nullable=False),
)

nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("step", sa.Integer, sa.ForeignKey("steps.number"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("unstable", sa.Integer, nullable=False),
    sa.Column("hits", sa.Integer, nullable=False),
    sa.Column("period", sa.Double),
    sa.Column("x", sa.LargeBinary, nullable=False),
    sa.Column("eigenvalues", sa.LargeBinary, nullable=False),
    sa.Column("loop", sa.LargeBinary, nullable=False),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("step", sa.Integer, sa.ForeignKey("steps.number"), nullable=False),
    sa.Column("source", sa.Integer, sa.ForeignKey("nodes.id"), nullable=False),
    sa.Column("direction", sa.Integer, nullable=False),
    sa.Column("side", sa.Integer, nullable=False),
    sa.Column("rate", sa.Double, nullable=False),
    sa.Column("end", sa.String(16), nullable=False),
    sa.Column("target", sa.Integer, sa.ForeignKey("nodes.id")),
)

FLOW_STORE = Format(
    name="thalweg flow graph",
    version=1,
    metadata=metadata,
    noun="graph of a flow",
    source="`thalweg map` wrote for a dynamics",
    begin="map a dynamics first",
    example="flow.db",
)


class FlowStore:
    """The graph of one flow in a database. Open it with `FlowStore.open`, or use `with`."""

    def __init__(self, engine: sa.Engine, name: str, header: StoreHeader):
        self._engine = engine
        self._name = name
        self.header = header

    @classmethod
    def open(cls, url: str | Path, header: StoreHeader | None = None) -> "FlowStore":
        """Open a store; with a header, make it if it does not exist.

        Args:
            url: File name, or any SQLAlchemy URL.
            header: What flow it is for. `None` opens an existing store of any flow.

        Raises:
            StoreMismatchError: if it belongs to another flow.
            StoreVersionError: if a newer Thalweg wrote it.
            StoreError: if it cannot be opened, or is no graph of a flow.
        """
        wanted = None if header is None else header.facts()
        engine, name, facts = open_database(url, FLOW_STORE, wanted)
        found = StoreHeader.from_json(facts)
        if header is not None and found.fingerprint != header.fingerprint:
            engine.dispose()
            raise StoreMismatchError(
                f"{name} belongs to the flow {found.name!r} ({found.fingerprint}), "
                f"not to {header.name!r} ({header.fingerprint})",
                "give each flow, drive and set of wishes a store of its own",
            )
        return cls(engine, name, found)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> "FlowStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def next_step(self) -> int:
        """Number of the next step; 0 in a new store."""
        with self._reading() as connection:
            last = connection.scalar(sa.select(sa.func.max(steps.c.number)))
        return 0 if last is None else int(last) + 1

    def commit_step(
        self,
        kind: str,
        facts: Mapping[str, Any],
        *,
        new: Sequence[FlowNode] = (),
        ways: Sequence[FlowLink] = (),
        hits: Mapping[int, int] | None = None,
    ) -> None:
        """Add everything that a step brought, in one transaction.

        Args:
            kind: What was done.
            facts: Plain numbers about it.
            new: New nodes.
            ways: Ways out of unstable rests that were followed.
            hits: How many more random starts came to a node, by id.

        Raises:
            StoreError: if the database fails, or another run has written to it.
        """
        number = self.next_step
        with self._writing() as connection:
            connection.execute(
                steps.insert(),
                {"number": number, "kind": kind, "facts": json.dumps(dict(facts)),
                 "committed": now()},
            )  # fmt: skip
            if new:
                connection.execute(nodes.insert(), [_node_row(node, number) for node in new])
            if ways:
                connection.execute(links.insert(), [_link_row(way, number) for way in ways])
            for node, more in (hits or {}).items():
                connection.execute(
                    nodes.update().where(nodes.c.id == node).values(hits=nodes.c.hits + more)
                )

    def graph(self) -> FlowGraph:
        """Everything found."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(nodes).order_by(nodes.c.id)).all()
            ways = connection.execute(sa.select(links).order_by(links.c.id)).all()
            done = connection.execute(sa.select(steps.c.facts)).scalars().all()
        totals = {"starts": 0, "blown_up": 0, "undecided": 0}
        for text in done:
            facts = json.loads(text)
            for key in totals:
                totals[key] += int(facts.get(key, 0))
        return FlowGraph(
            name=self.header.name,
            nodes=[_node(row, self.header.dof) for row in rows],
            links=[
                FlowLink(way.source, way.direction, way.side, way.rate, way.end, way.target)
                for way in ways
            ],
            **totals,
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with guarded(self._name, FLOW_STORE), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with guarded(self._name, FLOW_STORE), self._engine.connect() as connection:
            yield connection


def _node_row(node: FlowNode, step: int) -> dict[str, Any]:
    return {
        "id": node.id,
        "step": step,
        "kind": node.kind,
        "unstable": node.unstable,
        "hits": node.hits,
        "period": None if np.isnan(node.period) else node.period,
        "x": np.asarray(node.x, "<f8").tobytes(),
        "eigenvalues": np.asarray(node.eigenvalues, "<c16").tobytes(),
        "loop": np.asarray(node.loop, "<f8").tobytes(),
    }


def _link_row(way: FlowLink, step: int) -> dict[str, Any]:
    return {
        "step": step,
        "source": way.source,
        "direction": way.direction,
        "side": way.side,
        "rate": way.rate,
        "end": way.end,
        "target": way.target,
    }


def _node(row: Any, dof: int) -> FlowNode:
    return FlowNode(
        id=row.id,
        kind=row.kind,
        x=np.frombuffer(row.x, "<f8").astype(float),
        unstable=row.unstable,
        eigenvalues=np.frombuffer(row.eigenvalues, "<c16").astype(complex),
        period=np.nan if row.period is None else row.period,
        loop=np.frombuffer(row.loop, "<f8").astype(float).reshape(-1, dof),
        hits=row.hits,
    )
