"""Whole tables of a store as arrays."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import sqlalchemy as sa

from . import _schema as schema
from ._network import TransitionNetwork


def columns(connection: sa.Connection, wanted: Sequence[sa.Column]) -> dict[str, np.ndarray]:
    """Columns of one table in the order of its key, in one query."""
    table = wanted[0].table
    query = sa.select(*wanted).order_by(*table.primary_key.columns or [wanted[0]])
    found = connection.execute(query).all()
    cells = zip(*found, strict=True) if found else [()] * len(wanted)
    return {
        column.name: np.array(cell, dtype=_dtype(column))
        for column, cell in zip(wanted, cells, strict=True)
    }


def frame(connection: sa.Connection, table: sa.Table) -> pd.DataFrame:
    """A table without its binary columns; `point_order` is called `order`."""
    wanted = [column for column in table.c if not isinstance(column.type, sa.LargeBinary)]
    gaps = [c.name for c in wanted if c.nullable and isinstance(c.type, sa.Integer)]
    found = pd.DataFrame(columns(connection, wanted)).astype(dict.fromkeys(gaps, "Int64"))
    return found.rename(columns={"point_order": "order"})


def network(connection: sa.Connection) -> TransitionNetwork:
    """Minima and transition states without their coordinates."""
    a, b = schema.minima.c, schema.transition_states.c
    shared = ("id", "energy", "point_order", "log_product", "hits")
    low = columns(connection, [a[name] for name in shared])
    high = columns(connection, [b[name] for name in (*shared, "minimum_a", "minimum_b")])
    ids = low["id"].astype(int)
    ends = np.stack([high["minimum_a"], high["minimum_b"]], axis=1).astype(int)
    return TransitionNetwork(
        ids=ids,
        energies=low["energy"].astype(float),
        orders=low["point_order"].astype(int),
        log_products=low["log_product"].astype(float),
        hits=low["hits"].astype(int),
        ts_ids=high["id"].astype(int),
        ts_energies=high["energy"].astype(float),
        ts_orders=high["point_order"].astype(int),
        ts_log_products=high["log_product"].astype(float),
        ts_hits=high["hits"].astype(int),
        ts_minima=np.searchsorted(ids, ends),
    )


def _dtype(column: sa.Column) -> type:
    if isinstance(column.type, sa.Integer) and not column.nullable:
        return int
    return float if isinstance(column.type, sa.Double) else object
