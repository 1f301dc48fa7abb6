"""Models in one file: a header in JSON and arrays, in NumPy's npz format; nothing is pickled.

A model is a tree of modules, tuples, dictionaries, numbers and arrays. The header says how it is
built and which array stands where; the arrays keep every bit and their precision.
"""

import dataclasses
import inspect
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._errors import ArgumentError, StoreError, StoreVersionError

_CELLS = {"GRUCell": eqx.nn.GRUCell, "LSTMCell": eqx.nn.LSTMCell}
_CELL_ARRAYS = ("weight_ih", "weight_hh", "bias", "bias_n")
_ACTIVATIONS = {
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
    "tanh": jnp.tanh,
}


@dataclasses.dataclass(frozen=True)
class RecordFile:
    """A kind of file.

    Attributes:
        noun: What it holds, as the header and messages call it.
        schema: Version of the format; raised when an older version could misread a newer file.
        kinds: Looks up the classes whose instances may be in it, by name.
        writer: The function that writes one, for hints.
    """

    noun: str
    schema: int
    kinds: Callable[[], Mapping[str, Any]]
    writer: str

    def write(self, path: str | Path, facts: Mapping[str, Any], content: Mapping[str, Any]) -> Path:
        """Write facts (JSON) and models to an `.npz` file.

        Raises:
            ArgumentError: if the ending is another one, or something cannot be saved.
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise ArgumentError(
                f"{path}: a {self.noun} is written as .npz", f"write {path.stem}.npz"
            )
        arrays: dict[str, np.ndarray] = {}
        kinds = self.kinds()
        trees = {
            name: None if value is None else _encode(value, name, arrays, kinds)
            for name, value in content.items()
        }
        header = {"thalweg": self.noun, "schema": self.schema, **facts, **trees}
        written: dict[str, Any] = {"header": np.array(json.dumps(header)), **arrays}
        np.savez(path, **written)
        return path

    def read(self, path: str | Path, content: tuple[str, ...]) -> dict[str, Any]:
        """Facts and models of a file.

        Args:
            path: The file.
            content: Which entries of the header are models.

        Raises:
            StoreError: if there is no such file, or it is damaged, holds something else, or a
                model of a kind that is not known.
            StoreVersionError: if a newer version wrote it.
            ArgumentError: if the arrays are not those of a sound model.
        """
        path = Path(path)
        if not path.is_file():
            raise StoreError(f"there is no file {path}", f"{self.writer} writes one")
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            header = json.loads(str(arrays.pop("header")))
            found = header["thalweg"]
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise StoreError(
                f"{path} holds no {self.noun}: {error}", f"{self.writer} writes one"
            ) from error
        if found != self.noun:
            raise StoreError(f"{path} holds {found!r}, expected a {self.noun}")
        if header["schema"] > self.schema:
            raise StoreVersionError(
                f"{path} was written in format {header['schema']}, and this version reads "
                f"{self.schema}",
                "upgrade thalweg",
            )
        kinds = self.kinds()
        try:
            models = {
                name: None if header[name] is None else _decode(header[name], arrays, kinds)
                for name in content
            }
        except _UnknownKindError as error:
            raise StoreError(
                f"{path} holds a {error.args[0]}, which is not known here",
                "import the package that defines it, or upgrade thalweg",
            ) from error
        except (KeyError, TypeError, IndexError) as error:
            raise StoreError(f"{path} is damaged: {type(error).__name__} {error}") from error
        return {**header, **models}


class _UnknownKindError(Exception):
    """The header names a class that is not there."""


def _encode(
    value: Any, path: str, arrays: dict[str, np.ndarray], kinds: Mapping[str, Any]
) -> dict[str, Any]:
    kind = type(value).__name__
    if isinstance(value, eqx.nn.MLP | eqx.nn.Linear):
        return _encode_network(value, path, arrays)
    if kind in _CELLS and isinstance(value, eqx.Module):
        return _encode_cell(value, path, arrays)
    if kind in kinds:
        fields = {
            f.name: _encode(getattr(value, f.name), f"{path}.{f.name}", arrays, kinds)
            for f in dataclasses.fields(value)
        }
        return {"kind": kind, "fields": fields}
    if isinstance(value, tuple):
        return {"items": [_encode(v, f"{path}.{i}", arrays, kinds) for i, v in enumerate(value)]}
    if isinstance(value, Mapping):
        return {"map": {k: _encode(v, f"{path}.{k}", arrays, kinds) for k, v in value.items()}}
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"host": path}
    if eqx.is_array(value):
        arrays[path] = np.asarray(value)
        return {"array": path}
    if value is None or isinstance(value, str | bool | int | float):
        return {"value": value}
    raise ArgumentError(f"a {kind} cannot be saved", f"what can: {', '.join(sorted(kinds))}")


def _encode_cell(value: Any, path: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    for name in _CELL_ARRAYS:
        if getattr(value, name, None) is not None:
            arrays[f"{path}.{name}"] = np.asarray(getattr(value, name))
    return {
        "cell": type(value).__name__,
        "path": path,
        "sizes": [value.input_size, value.hidden_size],
        "use_bias": value.use_bias,
    }


def _encode_network(
    value: eqx.nn.MLP | eqx.nn.Linear, path: str, arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Sizes and, in the order of the layers, arrays; these may be stacks for several networks."""
    leaves = jax.tree.leaves(eqx.filter(value, eqx.is_array))
    for place, leaf in enumerate(leaves):
        arrays[f"{path}.{place}"] = np.asarray(leaf)
    entry: dict[str, Any] = {"path": path, "arrays": len(leaves)}
    if isinstance(value, eqx.nn.Linear):
        return {
            "linear": [value.in_features, value.out_features],
            "use_bias": value.use_bias,
            **entry,
        }
    names = [name for name, function in _ACTIVATIONS.items() if function is value.activation]
    if not names:
        raise ArgumentError(
            f"{path}: a network with the activation {value.activation} cannot be saved",
            f"one of {', '.join(_ACTIVATIONS)}",
        )
    return {
        "mlp": [value.in_size, value.out_size, value.width_size, value.depth],
        "activation": names[0],
        "use_bias": value.use_bias,
        **entry,
    }


def _decode(entry: dict[str, Any], arrays: dict[str, np.ndarray], kinds: Mapping[str, Any]) -> Any:
    if "cell" in entry:
        make, path = _CELLS[entry["cell"]], entry["path"]
        cell = make(*entry["sizes"], use_bias=entry["use_bias"], key=jax.random.key(0))
        names = [n for n in _CELL_ARRAYS if f"{path}.{n}" in arrays]
        new = [jnp.asarray(arrays[f"{path}.{n}"]) for n in names]
        return eqx.tree_at(lambda c: [getattr(c, n) for n in names], cell, new)
    if "mlp" in entry or "linear" in entry:
        return _decode_network(entry, arrays)
    if "kind" in entry:
        if entry["kind"] not in kinds:
            raise _UnknownKindError(entry["kind"])
        fields = {name: _decode(value, arrays, kinds) for name, value in entry["fields"].items()}
        return _made(kinds[entry["kind"]], fields)
    if "items" in entry:
        return tuple(_decode(value, arrays, kinds) for value in entry["items"])
    if "map" in entry:
        return {name: _decode(value, arrays, kinds) for name, value in entry["map"].items()}
    if "host" in entry:
        return arrays[entry["host"]]
    if "array" in entry:
        return jnp.asarray(arrays[entry["array"]])
    return entry["value"]


def _made(kind: Any, fields: dict[str, Any]) -> Any:
    """An instance, checked by its constructor if that takes the fields."""
    if set(fields) <= set(inspect.signature(kind).parameters):
        return kind(**fields)
    if set(fields) != {field.name for field in dataclasses.fields(kind)}:
        raise TypeError(f"{kind.__name__} has other fields than {', '.join(fields)}")
    made = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def _decode_network(entry: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    key, use_bias = jax.random.key(0), entry["use_bias"]

    def make() -> Any:
        if "linear" in entry:
            return eqx.nn.Linear(*entry["linear"], use_bias=use_bias, key=key)
        activation = _ACTIVATIONS[entry["activation"]]
        return eqx.nn.MLP(*entry["mlp"], activation=activation, use_bias=use_bias, key=key)

    skeleton = eqx.filter_eval_shape(make)
    leaves, structure = jax.tree.flatten(skeleton)
    places = [p for p, leaf in enumerate(leaves) if isinstance(leaf, jax.ShapeDtypeStruct)]
    if len(places) != entry["arrays"]:
        raise TypeError(f"{entry['path']} has {entry['arrays']} arrays, expected {len(places)}")
    for count, place in enumerate(places):
        leaves[place] = jnp.asarray(arrays[f"{entry['path']}.{count}"])
    return jax.tree.unflatten(structure, leaves)
