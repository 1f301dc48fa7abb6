"""A circuit in one file: a header in JSON and arrays, in NumPy's npz format; nothing is pickled."""

import dataclasses
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from thalweg.core import AbstractDynamics, AbstractMap, RecordFile

from ._assembly import Assembly
from ._cells import GRUMap, LSTMMap
from ._layers import OrganicsLayers
from ._organics import Organics
from ._peers import SupralinearNetwork, WilsonCowan
from ._ring import ThreeTypeOrganics
from ._rnn import LeakyRNN

SCHEMA = 1
"""Version of the format."""

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Assembly,
        GRUMap,
        LSTMMap,
        LeakyRNN,
        Organics,
        OrganicsLayers,
        SupralinearNetwork,
        ThreeTypeOrganics,
        WilsonCowan,
    )
}
_FILE = RecordFile("circuit", SCHEMA, lambda: _KINDS, "save_circuit")


@dataclasses.dataclass(frozen=True, eq=False)
class NamedCircuit:
    """A circuit with a drive under which it is asked about.

    Attributes:
        name: What it is called.
        circuit: The flow or map.
        drive: Its drive, or nothing.
        description: One line.
    """

    name: str
    circuit: AbstractDynamics | AbstractMap
    drive: Any = None
    description: str = ""


def save_circuit(
    path: str | Path, circuit: Any, *, drive: Any = None, name: str = "", description: str = ""
) -> Path:
    """Write a circuit, and the drive to ask about if there is one, to an `.npz` file.

    Args:
        path: File name; it must end in `.npz`.
        circuit: One of the models of `thalweg.circuits`, or a `NamedCircuit`.
        drive: Its drive.
        name: What to call it; by default the file's name.
        description: One line.

    Raises:
        ArgumentError: if the ending is another one or the circuit is of an unknown kind.
    """
    if isinstance(circuit, NamedCircuit):
        drive = circuit.drive if drive is None else drive
        name, description = name or circuit.name, description or circuit.description
        circuit = circuit.circuit
    facts = {"name": name or Path(path).stem, "description": description}
    drive = None if drive is None else jnp.asarray(drive)
    return _FILE.write(path, facts, {"circuit": circuit, "drive": drive})


def load_circuit(path: str | Path) -> NamedCircuit:
    """Read what `save_circuit` wrote.

    Raises:
        StoreError: if there is no such file, or it holds no circuit.
        StoreVersionError: if a newer version wrote it.
        ArgumentError: if the arrays are not those of a sound circuit.
    """
    header = _FILE.read(path, ("circuit", "drive"))
    return NamedCircuit(header["name"], header["circuit"], header["drive"], header["description"])
