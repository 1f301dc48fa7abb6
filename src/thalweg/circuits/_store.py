"""A circuit in one file: a header in JSON and arrays, in NumPy's npz format; nothing is pickled."""

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import (
    AbstractDynamics,
    AbstractMap,
    ArgumentError,
    StoreError,
    StoreVersionError,
)

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
_CELLS = {"GRUCell": eqx.nn.GRUCell, "LSTMCell": eqx.nn.LSTMCell}


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
    path = Path(path)
    if path.suffix != ".npz":
        raise ArgumentError(f"{path}: a circuit is written as .npz", f"write {path.stem}.npz")
    if isinstance(circuit, NamedCircuit):
        drive = circuit.drive if drive is None else drive
        name, description = name or circuit.name, description or circuit.description
        circuit = circuit.circuit
    arrays: dict[str, np.ndarray] = {}
    header = {
        "thalweg": "circuit",
        "schema": SCHEMA,
        "name": name or path.stem,
        "description": description,
        "circuit": _encode(circuit, "circuit", arrays),
        "drive": None if drive is None else _encode(jnp.asarray(drive), "drive", arrays),
    }
    np.savez(path, header=np.array(json.dumps(header)), **arrays)  # pyright: ignore
    return path


def load_circuit(path: str | Path) -> NamedCircuit:
    """Read what `save_circuit` wrote.

    Raises:
        StoreError: if there is no such file, or it holds no circuit.
        StoreVersionError: if a newer version wrote it.
        ArgumentError: if the arrays are not those of a sound circuit.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"there is no file {path}", "save_circuit writes one")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        header = json.loads(str(arrays.pop("header")))
        ours = header["thalweg"] == "circuit"
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path} holds no circuit: {error}", "save_circuit writes one") from error
    if not ours:
        raise StoreError(f"{path} holds {header['thalweg']!r}, expected a circuit")
    if header["schema"] > SCHEMA:
        raise StoreVersionError(
            f"{path} was written in format {header['schema']}, and this version reads {SCHEMA}",
            "upgrade thalweg",
        )
    try:
        circuit = _decode(header["circuit"], arrays)
        drive = None if header["drive"] is None else _decode(header["drive"], arrays)
    except (KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged: {type(error).__name__} {error}") from error
    return NamedCircuit(header["name"], circuit, drive, header["description"])


def _encode(value: Any, path: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if type(value).__name__ in _CELLS and isinstance(value, eqx.Module):
        for name in ("weight_ih", "weight_hh", "bias", "bias_n"):
            if getattr(value, name, None) is not None:
                arrays[f"{path}.{name}"] = np.asarray(getattr(value, name))
        sizes: Any = value
        return {
            "cell": type(value).__name__,
            "path": path,
            "sizes": [sizes.input_size, sizes.hidden_size],
            "use_bias": sizes.use_bias,
        }
    if type(value).__name__ in _KINDS:
        fields = {
            f.name: _encode(getattr(value, f.name), f"{path}.{f.name}", arrays)
            for f in dataclasses.fields(value)
        }
        return {"kind": type(value).__name__, "fields": fields}
    if isinstance(value, tuple):
        return {"items": [_encode(v, f"{path}.{i}", arrays) for i, v in enumerate(value)]}
    if eqx.is_array(value):
        arrays[path] = np.asarray(value)
        return {"array": path}
    if value is None or isinstance(value, str | bool | int | float):
        return {"value": value}
    raise ArgumentError(
        f"a {type(value).__name__} cannot be saved",
        f"circuits that can: {', '.join(sorted(_KINDS))}",
    )


def _decode(entry: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    if "cell" in entry:
        make, path = _CELLS[entry["cell"]], entry["path"]
        cell = make(*entry["sizes"], use_bias=entry["use_bias"], key=jax.random.key(0))
        names = [n for n in ("weight_ih", "weight_hh", "bias", "bias_n") if f"{path}.{n}" in arrays]
        new = [jnp.asarray(arrays[f"{path}.{n}"]) for n in names]
        return eqx.tree_at(lambda c: [getattr(c, n) for n in names], cell, new)
    if "kind" in entry:
        fields = {name: _decode(value, arrays) for name, value in entry["fields"].items()}
        return _KINDS[entry["kind"]](**fields)
    if "items" in entry:
        return tuple(_decode(value, arrays) for value in entry["items"])
    if "array" in entry:
        return jnp.asarray(arrays[entry["array"]])
    return entry["value"]
