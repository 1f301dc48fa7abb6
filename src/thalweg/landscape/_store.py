"""The landscape store: the only mutable thing in the package.

One transaction holds everything that a round found, tried and planned, so that a process killed
at any moment leaves the store as of its last finished round, and the plan's state beside it.
"""

import contextlib
import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import pandas as pd
import sqlalchemy as sa
from jaxtyping import Float

from thalweg.core import StoreError, StoreMismatchError
from thalweg.storage import guarded, now, open_database

from . import _read as read
from . import _rows as rows
from . import _schema as schema
from ._flow_graph import FlowGraph
from ._integrity import Integrity, check_integrity
from ._network import TransitionNetwork
from ._schema import StoreHeader
from ._sequence import check_sequence
from ._stationary import Kind, Minimum, Round, TransitionState

_ONE_EACH = {
    "energy": "give each system a store of its own; a changed energy is another system",
    "flow": "give each flow, drive and set of wishes a store of its own",
}


class Store:
    """A landscape in a database. Open it with `Store.open`, close it or use `with`.

    It is of an energy (minima and transition states) or of a flow (`graph`), and each says so when
    it is asked for what only the other has.
    """

    def __init__(self, engine: sa.Engine, name: str, header: StoreHeader):
        self._engine = engine
        self._name = name
        self.header = header
        self._run: int | None = None
        self._recount()

    @classmethod
    def open(cls, url: str | Path, header: StoreHeader | None = None) -> "Store":
        """Open a store; with a header, make it if it does not exist.

        Args:
            url: File name, or any SQLAlchemy URL.
            header: What it is for. `None` opens an existing store of any system or flow.

        Raises:
            StoreMismatchError: if it belongs to another system or flow.
            StoreVersionError: if a newer Thalweg wrote it.
            StoreError: if it cannot be opened, or is no landscape store.
        """
        wanted = None if header is None else header.facts()
        engine, name, facts = open_database(url, schema.STORE, wanted)
        found = StoreHeader.from_json(facts)
        if header is not None and (found.kind, found.fingerprint) != (
            header.kind,
            header.fingerprint,
        ):
            engine.dispose()
            raise StoreMismatchError(
                f"{name} belongs to {found}, not to {header}", _ONE_EACH[header.kind]
            )
        return cls(engine, name, found)

    @property
    def name(self) -> str:
        """File name or URL (without a password), for messages."""
        return self._name

    def close(self) -> None:
        """Let go of the database. A store that is not closed loses nothing."""
        self._engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What is known without asking the database again

    @property
    def n_minima(self) -> int:
        """Number of minima, and the id of the next one."""
        return self._counts.get("minimum", 0)

    @property
    def n_transition_states(self) -> int:
        """Number of transition states, and the id of the next one."""
        return self._counts.get("transition_state", 0)

    @property
    def n_nodes(self) -> int:
        """Number of nodes of a flow, and the id of the next one."""
        return self._counts.get("node", 0)

    @property
    def next_round(self) -> int:
        """Number of the next round; 0 in a new store."""
        return self._next_round

    @property
    def state(self) -> dict[str, Any]:
        """The plan's state as of the last round; empty in a new store."""
        return dict(self._state)

    def _recount(self) -> None:
        with self._reading() as connection:
            self._counts = {
                kind: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for kind, table in schema.OF_KIND[self.header.kind].items()
            }
            last = connection.execute(
                sa.select(schema.rounds.c.number, schema.rounds.c.state)
                .order_by(schema.rounds.c.number.desc())
                .limit(1)
            ).first()
        self._next_round = 0 if last is None else last.number + 1
        self._state: dict[str, Any] = {} if last is None else json.loads(last.state)

    # Writing

    def begin_run(self, config: Mapping[str, Any], versions: Mapping[str, str], key: str) -> int:
        """Note that somebody begins to work; the rounds that follow belong to this run.

        Args:
            config: The resolved wishes.
            versions: Versions of the code and of what it stands on.
            key: The root random key, printable.

        Returns:
            The run's number. A run that is never ended was killed.
        """
        with self._writing() as connection:
            last = connection.scalar(sa.select(sa.func.max(schema.runs.c.id)))
            number = 0 if last is None else last + 1
            connection.execute(
                schema.runs.insert(),
                {
                    "id": number,
                    "config": json.dumps(dict(config)),
                    "versions": json.dumps(dict(versions)),
                    "key": key,
                    "started": now(),
                    "status": "running",
                },
            )
        self._run = number
        return number

    def end_run(self, status: str = "finished") -> None:
        """Note how the run ended: `"finished"` or `"interrupted"`."""
        if self._run is None:
            return
        with self._writing() as connection:
            connection.execute(
                schema.runs.update()
                .where(schema.runs.c.id == self._run)
                .values(ended=now(), status=status)
            )
        self._run = None

    def commit_round(self, batch: Round) -> None:
        """Add everything that a round brought, in one transaction.

        Args:
            batch: The round. Hits of its new points are counted from its discoveries.

        Raises:
            StoreError: if the round or an id is not the next one (another run has written to the
                store), it is of the other kind, a reference leads nowhere, or the database fails.
                Nothing is added then.
        """
        check_sequence(batch, self.name, self.header, self._next_round, self._counts)
        number = batch.number
        with self._writing() as connection:
            # The round goes first: it takes the write lock, and the others refer to it.
            connection.execute(schema.rounds.insert(), self._round_row(batch))
            for table, values in (
                (schema.minima, [rows.minimum_row(m, number) for m in batch.minima]),
                (
                    schema.transition_states,
                    [rows.transition_state_row(t, number) for t in batch.transition_states],
                ),
                (schema.nodes, [rows.node_row(node, number) for node in batch.nodes]),
                (schema.links, [rows.link_row(link, number) for link in batch.links]),
                (schema.rejected, [rows.rejected_row(r, number) for r in batch.rejected]),
                (schema.discoveries, rows.discovery_rows(batch.discoveries, number)),
                (schema.attempts, rows.attempt_rows(batch.searches, number)),
            ):
                if values:
                    connection.execute(table.insert(), values)
            rows.add_hits(connection, batch.discoveries)
            connection.execute(
                schema.rounds.update()
                .where(schema.rounds.c.number == number)
                .values(**rows.tallies(connection))
            )
        brought = {
            "minimum": len(batch.minima),
            "transition_state": len(batch.transition_states),
            "node": len(batch.nodes),
        }
        self._counts = {kind: known + brought[kind] for kind, known in self._counts.items()}
        self._next_round = number + 1
        self._state = dict(batch.state)

    def _round_row(self, batch: Round) -> dict[str, Any]:
        return {
            "number": batch.number,
            "run": self._run,
            "kind": batch.kind,
            "attempts": int(batch.attempts),
            "seconds": float(batch.seconds),
            **dict.fromkeys(rows.TALLIES, 0),
            "rejected": len(batch.rejected),
            "state": json.dumps(dict(batch.state)),
            "committed": now(),
        }

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with guarded(self._name, schema.STORE), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with guarded(self._name, schema.STORE), self._engine.connect() as connection:
            yield connection

    # Reading

    def require(self, kind: Literal["energy", "flow"]) -> None:
        """Say what this store is, where it is asked for what only the other kind has.

        Raises:
            StoreError: if it is of the other kind; the hint says what to use instead.
        """
        if self.header.kind == kind:
            return
        if kind == "energy":
            raise StoreError(
                f"{self.name} holds the graph of a flow ({self.header.name}), which has no energy: "
                "no minima, transition states, thermodynamics or rates",
                f"`thalweg info {self.name}` lists its attractors and saddles, "
                f"`thalweg tree {self.name}` draws them; in Python, Landscape.flow",
            )
        raise StoreError(
            f"{self.name} holds the landscape of an energy ({self.header.name}), not of a flow",
            "its minima and transition states are in Landscape.network",
        )

    def load_network(self, *, points: bool = False) -> TransitionNetwork:
        """Everything found, as frozen arrays.

        Args:
            points: Whether to load the coordinates too.

        Raises:
            StoreError: if the store is of a flow.
        """
        self.require("energy")
        with self._reading() as connection:
            found = read.network(connection)
        if not points:
            return found
        low, high = self.points("minimum"), self.points("transition_state")
        return dataclasses.replace(found, points=low, ts_points=high)

    def graph(self) -> FlowGraph:
        """The graph of a flow: everything found.

        Raises:
            StoreError: if the store is of an energy.
        """
        self.require("flow")
        nodes = [rows.node_from_row(row, self.header.dof) for row in self._rows(schema.nodes)]
        links = [rows.link_from_row(row) for row in self._rows(schema.links)]
        totals = {name: self.state.get(name, 0) for name in ("starts", "blown_up", "undecided")}
        discrete = bool(self.header.system.get("discrete"))
        return FlowGraph(self.header.name, nodes, links, **totals, discrete=discrete)

    def points(self, kind: Kind) -> Float[np.ndarray, "n dof"]:
        """Coordinates of all minima or transition states, by id.

        Raises:
            StoreError: if some have none (an imported list of energies), or the store is of a flow.
        """
        self.require("energy")
        table = schema.POINTS[kind]
        with self._reading() as connection:
            blobs = connection.execute(sa.select(table.c.x).order_by(table.c.id)).scalars().all()
        if any(blob is None for blob in blobs):
            raise StoreError(
                f"{self.name} holds no coordinates of some points",
                "import the points.min and points.ts files as well",
            )
        flat = np.frombuffer(b"".join(blobs), dtype="<f8").astype(float)
        return flat.reshape(len(blobs), self.header.dof)

    def minima(self) -> list[Minimum]:
        """All minima as records, by id."""
        return [rows.minimum_from_row(row) for row in self._rows(schema.minima)]

    def transition_states(self) -> list[TransitionState]:
        """All transition states as records, by id."""
        return [rows.transition_state_from_row(row) for row in self._rows(schema.transition_states)]

    def minimum(self, point_id: int) -> Minimum:
        """One minimum.

        Raises:
            StoreError: if there is no such id.
        """
        return rows.minimum_from_row(self._row(schema.minima, point_id))

    def transition_state(self, point_id: int) -> TransitionState:
        """One transition state.

        Raises:
            StoreError: if there is no such id.
        """
        return rows.transition_state_from_row(self._row(schema.transition_states, point_id))

    def frame(self, table: str) -> pd.DataFrame:
        """A table without its binary columns, as a data frame.

        Args:
            table: One of `minima`, `transition_states`, `rejected`, `attempts` of an energy; one of
                `nodes`, `links` of a flow; or `rounds`, `runs`, `discoveries`.

        Raises:
            StoreError: if stores of this kind have no such table.
        """
        wanted = schema.metadata.tables[table]
        self._must_have(wanted)
        with self._reading() as connection:
            return read.frame(connection, wanted)

    def failures(self) -> Counter[tuple[str, str]]:
        """Searches that came to nothing and points that were rejected, by kind and `Outcome`."""
        rejected = self.frame("rejected")
        tally: Counter[tuple[str, str]] = Counter()
        for kind, outcome, detail in zip(
            rejected["kind"], rejected["outcome"], rejected["detail"], strict=True
        ):
            tally[kind, outcome] += rows.searches_behind(detail)
        return tally

    def attempts(self) -> dict[tuple[int, int | None], tuple[int, int]]:
        """Searches begun and successes, by `(minimum_a, minimum_b)`; `None` for single-ended."""
        self.require("energy")
        c = schema.attempts.c
        query = sa.select(
            c.minimum_a, c.minimum_b, sa.func.sum(c.times), sa.func.sum(c.successes)
        ).group_by(c.minimum_a, c.minimum_b)
        with self._reading() as connection:
            return {(a, b): (int(n), int(good)) for a, b, n, good in connection.execute(query)}

    def integrity(self) -> Integrity:
        """Check the file, its references, its counts and its evidence; takes a full read."""
        with self._reading() as connection:
            return check_integrity(connection, self.header)

    def _must_have(self, table: sa.Table) -> None:
        if table in (schema.nodes, schema.links):
            self.require("flow")
        elif table in (*schema.POINTS.values(), schema.rejected, schema.attempts):
            self.require("energy")

    def _rows(self, table: sa.Table) -> list[dict[str, Any]]:
        self._must_have(table)
        with self._reading() as connection:
            found = connection.execute(sa.select(table).order_by(table.c.id))
            return [row._asdict() for row in found]

    def _row(self, table: sa.Table, point_id: int) -> dict[str, Any]:
        self._must_have(table)
        with self._reading() as connection:
            query = sa.select(table).where(table.c.id == int(point_id))
            row = connection.execute(query).first()
        if row is None:
            raise StoreError(f"{self.name} holds no {table.name} with id {point_id}")
        return row._asdict()
