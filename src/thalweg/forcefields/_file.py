"""A force field in one file, with what was found out about it."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np

from thalweg.core import ArgumentError, RecordFile

from ._block import AbstractBlock
from ._forcefield import ForceField
from ._learned import AbstractPart
from ._topology import Topology

SCHEMA = 1
"""Version of the format."""


@dataclasses.dataclass(frozen=True, eq=False)
class StoredForceField:
    """What a file holds.

    Attributes:
        name: What the force field is called.
        forcefield: The force field.
        description: One line.
        certificate: What was measured of it, as `PropertyReport.facts` says it; empty if nothing.
    """

    name: str
    forcefield: ForceField
    description: str
    certificate: Mapping[str, Any]


def save_forcefield(
    path: str | Path,
    forcefield: ForceField,
    *,
    name: str = "",
    description: str = "",
    certificate: Mapping[str, Any] | None = None,
) -> Path:
    """Write a force field to an `.npz` file: topology, blocks and every bit of every parameter.

    Args:
        path: File name; it must end in `.npz`.
        forcefield: The force field.
        name: What to call it; by default the file's name.
        description: One line.
        certificate: What is known about it, in what JSON can hold; `PropertyReport.facts()`.

    Raises:
        ArgumentError: if the ending is another one, or a block holds what no file can.
    """
    try:
        json.dumps(certificate)
    except TypeError as error:
        raise ArgumentError(f"certificate: {error}", "give numbers, strings and lists") from error
    facts = {
        "name": name or Path(path).stem,
        "description": description,
        "certificate": dict(certificate or {}),
        "fixed": list(forcefield.fixed),
    }
    content = {
        "topology": forcefield.topology,
        "blocks": forcefield.blocks,
        "box": forcefield.box,
        "pairs": forcefield.pairs,
    }
    return _FILE.write(path, facts, content)


def load_forcefield(path: str | Path) -> StoredForceField:
    """Read what `save_forcefield` wrote.

    Raises:
        StoreError: if there is no such file, it is damaged or holds something else, or a block is
            of a kind that is not known here.
        StoreVersionError: if a newer version wrote it.
    """
    found = _FILE.read(path, ("topology", "blocks", "box", "pairs"))
    forcefield = ForceField(
        found["topology"],
        found["blocks"],
        fixed=tuple(found["fixed"]),
        box=None if found["box"] is None else np.asarray(found["box"]),
        pairs=None if found["pairs"] is None else np.asarray(found["pairs"]),
    )
    return StoredForceField(found["name"], forcefield, found["description"], found["certificate"])


def known_kinds() -> dict[str, Any]:
    """Every class that a file may name: topologies, all blocks and their parts.

    A block that is defined elsewhere is known as soon as its module is imported.
    """
    kinds: dict[str, Any] = {}
    waiting: list[Any] = [eqx.Module]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        ours = kind.__module__.startswith("thalweg.forcefields")
        if ours or (issubclass(kind, AbstractBlock | AbstractPart) and kind.__name__ not in kinds):
            kinds[kind.__name__] = kind
    return {**kinds, "Topology": Topology}


_FILE = RecordFile("force field", SCHEMA, known_kinds, "save_forcefield")
