"""Networks on disk: a line of JSON, then the arrays; written whole or not at all."""

import dataclasses
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import equinox as eqx
import jax

from thalweg.core import StoreError, StoreMismatchError

from ._networks import Network, Shape, network

_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that is needed to build a network again.

    Attributes:
        model: Name, see `models`.
        task: Name of the task.
        shape: What the task asks for.
        hidden: Units.
        encoder: Units of the front end.
        seed: Of the initial parameters and of the batches.
    """

    model: str
    task: str
    shape: Shape
    hidden: tuple[int, ...]
    seed: int
    encoder: tuple[int, ...] = ()

    def build(self) -> Network:
        """The network before training."""
        key = jax.random.fold_in(jax.random.key(self.seed), 0)
        return network(self.model, self.shape, self.hidden, key, encoder=self.encoder)

    @staticmethod
    def from_facts(facts: dict[str, Any]) -> "Recipe":
        """Back from `dataclasses.asdict` and JSON."""
        return Recipe(
            facts["model"],
            facts["task"],
            Shape(**facts["shape"]),
            tuple(facts["hidden"]),
            facts["seed"],
            tuple(facts["encoder"]),
        )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name and rename it: it is never half there.

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


def save(path: Path, header: dict[str, Any], tree: Any) -> None:
    """Write a header and a tree of arrays.

    Raises:
        StoreError: if it cannot be written.
    """
    content = io.BytesIO()
    content.write(json.dumps({"version": _VERSION, **header}, sort_keys=True).encode() + b"\n")
    eqx.tree_serialise_leaves(content, tree)
    write_whole(path, content.getvalue())


def read_header(path: Path) -> dict[str, Any]:
    """The header of a file.

    Raises:
        StoreError: if it is none of ours.
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline())
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} holds no trained network: {error}") from error
    if not isinstance(header, dict) or header.get("version") != _VERSION:
        raise StoreError(f"{path} holds no trained network that this version can read")
    return header


def load(path: Path, tree: Any, facts: dict[str, Any] | None = None) -> tuple[dict[str, Any], Any]:
    """Read a header and a tree like the one given.

    Args:
        path: The file.
        tree: A tree of the same structure and shapes.
        facts: Entries of the header that must be the same as when it was written.

    Raises:
        StoreError: if it is none of ours.
        StoreMismatchError: if it belongs to another run.
    """
    header = read_header(path)
    for name, value in json.loads(json.dumps(facts or {})).items():
        if header.get(name) != value:
            raise StoreMismatchError(
                f"{path} belongs to another run: {name} was {header.get(name)!r} and is now "
                f"{value!r}",
                "write to another folder, or delete this file",
            )
    try:
        with path.open("rb") as file:
            file.readline()
            return header, eqx.tree_deserialise_leaves(file, tree)
    except (RuntimeError, ValueError, EOFError, OSError) as error:
        raise StoreError(f"{path} does not hold the arrays it announces: {error}") from error


def load_network(path: str | Path) -> tuple[Network, Recipe, dict[str, Any]]:
    """A trained network, what it was built from, and the facts of its training.

    Raises:
        StoreError: if the file is no trained network.
    """
    header = read_header(Path(path))
    if "recipe" not in header or header.get("kind") != "network":
        raise StoreError(f"{path} holds no trained network")
    recipe = Recipe.from_facts(header["recipe"])
    _, model = load(Path(path), recipe.build())
    return model, recipe, header
