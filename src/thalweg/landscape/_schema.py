"""Tables of a landscape store.

Points are raw little-endian float64 bytes, evidence is JSON, and nothing is pickled: any SQLite
client can read a store.

| table | one row for each |
|---|---|
| `meta` | fact about the store: schema version, system, units (value is JSON) |
| `runs` | time that somebody worked on it, with config, versions and key |
| `rounds` | transaction: what was tried, what is known since, and the plan's state |
| `minima`, `transition_states` | certified point of an energy |
| `nodes`, `links` | rest or cycle of a flow, way out of an unstable rest |
| `rejected` | point that failed, with the reason |
| `discoveries` | point that a round found, with the minimum the search came from |
| `attempts` | minimum, or pair of minima, that a round searched from |

A store is of an energy or of a flow (`kind` in its `meta`); the other's tables stay empty.
Stores of schema version 1 are all of an energy and have no `nodes` and `links`.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Literal

import sqlalchemy as sa

from thalweg.storage import Format

FORMAT = "thalweg landscape"
SCHEMA_VERSION = 2
"""Raised when an older Thalweg could misread what a newer one writes."""

metadata = sa.MetaData()

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("versions", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("started", sa.String(32), nullable=False),
    sa.Column("ended", sa.String(32)),
    sa.Column("status", sa.String(16), nullable=False),
)

rounds = sa.Table(
    "rounds",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run", sa.Integer, sa.ForeignKey("runs.id")),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("minima", sa.Integer, nullable=False),
    sa.Column("minima_singletons", sa.Integer, nullable=False),
    sa.Column("minima_doubletons", sa.Integer, nullable=False),
    sa.Column("transition_states", sa.Integer, nullable=False),
    sa.Column("ts_singletons", sa.Integer, nullable=False),
    sa.Column("ts_doubletons", sa.Integer, nullable=False),
    sa.Column("rejected", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("committed", sa.String(32), nullable=False),
)


def _point_columns() -> list[sa.Column]:
    return [
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("energy", sa.Double, nullable=False),
        sa.Column("point_order", sa.BigInteger, nullable=False),
        sa.Column("log_product", sa.Double, nullable=False),
        sa.Column("hits", sa.Integer, nullable=False, index=True),
        sa.Column("item", sa.BigInteger, nullable=False),
        sa.Column("round", sa.Integer, sa.ForeignKey("rounds.number"), nullable=False),
        sa.Column("certificate", sa.Text),
        sa.Column("x", sa.LargeBinary),
    ]


minima = sa.Table("minima", metadata, *_point_columns())

transition_states = sa.Table(
    "transition_states",
    metadata,
    *_point_columns(),
    sa.Column("minimum_a", sa.Integer, sa.ForeignKey("minima.id"), nullable=False),
    sa.Column("minimum_b", sa.Integer, sa.ForeignKey("minima.id"), nullable=False),
    sa.Column("negative_curvature", sa.Double),
    sa.Column("direction", sa.LargeBinary),
)

nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("unstable", sa.Integer, nullable=False),
    sa.Column("period", sa.Double),
    sa.Column("residual", sa.Double),
    sa.Column("doubt", sa.Double),
    sa.Column("hits", sa.Integer, nullable=False, index=True),
    sa.Column("round", sa.Integer, sa.ForeignKey("rounds.number"), nullable=False),
    sa.Column("x", sa.LargeBinary, nullable=False),
    sa.Column("eigenvalues", sa.LargeBinary, nullable=False),
    sa.Column("loop", sa.LargeBinary, nullable=False),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("round", sa.Integer, sa.ForeignKey("rounds.number"), nullable=False),
    sa.Column("source", sa.Integer, sa.ForeignKey("nodes.id"), nullable=False),
    sa.Column("direction", sa.Integer, nullable=False),
    sa.Column("side", sa.Integer, nullable=False),
    sa.Column("rate", sa.Double, nullable=False),
    sa.Column("end", sa.String(16), nullable=False),
    sa.Column("target", sa.Integer, sa.ForeignKey("nodes.id")),
)

rejected = sa.Table(
    "rejected",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("round", sa.Integer, sa.ForeignKey("rounds.number"), nullable=False),
    sa.Column("item", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("outcome", sa.String(32), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("energy", sa.Double),
    sa.Column("x", sa.LargeBinary),
)

discoveries = sa.Table(
    "discoveries",
    metadata,
    sa.Column("round", sa.Integer, sa.ForeignKey("rounds.number"), nullable=False, index=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("point", sa.Integer, nullable=False),
    sa.Column("source", sa.Integer),
    sa.Column("times", sa.Integer, nullable=False),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("round", sa.Integer, sa.ForeignKey("rounds.number"), nullable=False, index=True),
    sa.Column("minimum_a", sa.Integer, sa.ForeignKey("minima.id"), nullable=False),
    sa.Column("minimum_b", sa.Integer, sa.ForeignKey("minima.id")),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("successes", sa.Integer, nullable=False),
)

STORE = Format(
    name=FORMAT,
    version=SCHEMA_VERSION,
    metadata=metadata,
    noun="landscape store",
    source="`thalweg map` wrote",
    begin="map a system first",
    example="landscape.db",
)

POINTS = {"minimum": minima, "transition_state": transition_states}
"""Tables of what an energy has."""

OF_KIND: dict[str, dict[str, sa.Table]] = {"energy": POINTS, "flow": {"node": nodes}}
"""Tables of what searches find, by the kind of store; their hits are counted from discoveries."""

NOUNS = {"energy": "system", "flow": "flow"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreHeader:
    """What a store belongs to.

    Attributes:
        fingerprint: Hash of the system (`thalweg.core.fingerprint`), or of the flow and the wishes.
        name: Name of the system or flow.
        dof: Number of coordinates of a point; 0 if points are not stored.
        shape: Shape of the array behind a point, such as `(13, 3)`; empty if it has none.
        labels: Names of the particles; empty if it has none.
        energy_unit: Name of the unit of energy.
        length_unit: Name of the unit of length.
        system: Whatever is needed to build the system again, such as its catalogue name.
        kind: Whether it holds the stationary points of an energy, or the graph of a flow.
    """

    fingerprint: str
    name: str
    dof: int
    shape: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    energy_unit: str = ""
    length_unit: str = ""
    system: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    kind: Literal["energy", "flow"] = "energy"

    def __str__(self) -> str:
        return f"the {NOUNS[self.kind]} {self.name!r} ({self.fingerprint})"

    def facts(self) -> dict[str, Any]:
        """The fields by name."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, str]) -> "StoreHeader":
        """From the fields as JSON; facts that are not fields are ignored."""
        names = {field.name for field in dataclasses.fields(cls)}
        values = {key: json.loads(value) for key, value in facts.items() if key in names}
        values["shape"], values["labels"] = tuple(values["shape"]), tuple(values["labels"])
        return cls(**values)
