"""A run on disk: written whole or not at all, read back to the bit."""

import io
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

from thalweg.core import StoreError, StoreMismatchError

_VERSION = 1


def save(path: Path, facts: dict[str, Any], tree: Any, parts: list[Any]) -> None:
    """Write facts, a tree of arrays, and the kept parts; an old file is replaced at once.

    Raises:
        StoreError: if it cannot be written.
    """
    arrays = {f"tree{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(tree))}
    leaves = [jax.tree.leaves(part) for part in parts]
    for i, column in enumerate(zip(*leaves, strict=True)):
        arrays[f"part{i}"] = np.concatenate([np.asarray(one) for one in column])
    header = json.dumps({"version": _VERSION, **facts}, sort_keys=True)
    content = io.BytesIO()
    arrays["header"] = np.array(header)
    np.savez(content, **arrays)  # pyright: ignore[reportArgumentType]
    write_whole(path, content.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name, and rename it: it is never half there.

    Raises:
        StoreError: if it cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error


def load(path: Path, facts: dict[str, Any], tree: Any) -> tuple[dict[str, Any], Any, list[Any]]:
    """Read facts, a tree like the one given, and the leaves of the kept parts.

    Args:
        path: The file.
        facts: Facts that must be the same as when it was written.
        tree: A tree of the same structure, shapes and types.

    Raises:
        StoreError: if it is no checkpoint.
        StoreMismatchError: if it belongs to another run.
    """
    try:
        with path.open("rb") as raw, np.load(raw) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(str(arrays.pop("header")))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path} is no checkpoint of a sampling run: {error}") from error
    for name, value in {"version": _VERSION, **facts}.items():
        if header.get(name) != value:
            raise StoreMismatchError(
                f"checkpoint {path} belongs to another run: {name} was {header.get(name)!r} and "
                f"is now {value!r}",
                "give another checkpoint file, or delete this one",
            )
    old, structure = jax.tree.flatten(tree)
    leaves = [arrays.get(f"tree{i}") for i in range(len(old))]
    fits = [
        new is not None and new.shape == np.shape(a) and new.dtype == np.asarray(a).dtype
        for new, a in zip(leaves, old, strict=True)
    ]
    if not all(fits):
        raise StoreMismatchError(
            f"checkpoint {path} holds chains of another shape or precision",
            "give another checkpoint file, or delete this one",
        )
    kept = sorted((name for name in arrays if name.startswith("part")), key=lambda n: int(n[4:]))
    restored = jax.tree.unflatten(structure, [jax.numpy.asarray(leaf) for leaf in leaves])
    return header, restored, [arrays[name] for name in kept]
