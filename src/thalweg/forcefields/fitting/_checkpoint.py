"""A tree of arrays in a file: a line of JSON, then the arrays; written whole or not at all."""

import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import equinox as eqx

from thalweg.core import StoreError, StoreMismatchError

_VERSION = 1


def save(path: Path, header: dict[str, Any], tree: Any) -> None:
    """Write a header and a tree of arrays.

    Raises:
        StoreError: if it cannot be written.
    """
    content = io.BytesIO()
    content.write(json.dumps({"version": _VERSION, **header}, sort_keys=True).encode() + b"\n")
    eqx.tree_serialise_leaves(content, tree)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content.getvalue())
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error


def load(path: Path, tree: Any, facts: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Read a header and a tree like the one given.

    Args:
        path: The file.
        tree: A tree of the same structure and shapes.
        facts: Entries of the header that must be the same as when it was written.

    Raises:
        StoreError: if it is none of ours.
        StoreMismatchError: if it belongs to another run.
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline())
            if not isinstance(header, dict) or header.get("version") != _VERSION:
                raise ValueError("no header that this version can read")
            for name, value in json.loads(json.dumps(facts)).items():
                if header.get(name) != value:
                    raise StoreMismatchError(
                        f"{path} belongs to another fit: {name} was {header.get(name)!r} and is "
                        f"now {value!r}",
                        "write to another file, or delete this one",
                    )
            return header, eqx.tree_deserialise_leaves(file, tree)
    except (RuntimeError, ValueError, EOFError, OSError) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{path} is no checkpoint of this fit: {error}") from error
