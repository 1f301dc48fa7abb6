"""One point from a file: the parameters of a trained model, for one."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError, System

POINT_SUFFIXES = (".npz", ".npy", ".eqx")
"""Endings of files that hold a point."""

_FLAT = ("x", "params", "parameters", "point")


def read_point(path: str | Path, system: System) -> Float[np.ndarray, " dof"]:
    """A flat point of a system from a file.

    | ending | holds |
    |---|---|
    | `.npy` | one array of `dof` numbers, of any shape |
    | `.npz` | the same as `x`, `params`, `parameters` or `point`; or one array for each leaf \
of the parameters, under its name (`layers.0.weight`), or in their order with the same shapes |
    | `.eqx` | the leaves of the parameters, as `equinox.tree_serialise_leaves` writes them |

    Nothing is unpickled.

    Args:
        path: The file.
        system: What it should be a point of; it knows the structure of its parameters.

    Raises:
        ArgumentError: if there is no such file, or it does not fit the system.
    """
    path = Path(path)
    reader = {".npz": _npz, ".npy": _npy, ".eqx": _eqx}.get(path.suffix.lower())
    if reader is None:
        raise ArgumentError(
            f"{path.name}: no file of a point ends in {path.suffix or 'nothing'!r}",
            f"use one of {', '.join(POINT_SUFFIXES)}",
        )
    if not path.is_file():
        raise ArgumentError(f"there is no file {path}", "check the name")
    x = reader(path, system)
    if x.size != system.space.dof:
        raise ArgumentError(
            f"{path.name} holds {x.size:,} numbers; {system.name} has {system.space.dof:,} "
            "parameters",
            "is it a checkpoint of the same model?",
        )
    if not np.isfinite(x).all():
        raise ArgumentError(f"{path.name} holds NaN or infinite numbers")
    return x


def _template(system: System) -> Any:
    """The structured value behind a flat point."""
    unravel = getattr(system.energy, "unravel", None) or system.space.unravel
    return unravel(jnp.zeros(system.space.dof))


def _raveled(value: Any) -> Float[np.ndarray, " dof"]:
    leaves = [np.asarray(leaf, float).reshape(-1) for leaf in jax.tree.leaves(value)]
    return np.concatenate([np.zeros(0), *leaves])


def _npy(path: Path, system: System) -> Float[np.ndarray, " n"]:
    del system
    return _numbers(path, lambda: np.load(path, allow_pickle=False)).reshape(-1)


def _numbers(path: Path, read: Any) -> np.ndarray:
    try:
        return np.asarray(read(), float)
    except (ValueError, TypeError, OSError, EOFError) as error:
        raise ArgumentError(
            f"{path.name} cannot be read as numbers: {error}", "write it with numpy.save or savez"
        ) from error


def _npz(path: Path, system: System) -> Float[np.ndarray, " n"]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: _numbers(path, lambda name=name: file[name]) for name in file.files}
    except (ValueError, OSError, EOFError) as error:
        raise ArgumentError(f"{path.name} is no .npz file: {error}") from error
    for name in _FLAT:
        if name in arrays:
            return arrays[name].reshape(-1)
    if len(arrays) == 1:
        return next(iter(arrays.values())).reshape(-1)
    found, _ = jax.tree_util.tree_flatten_with_path(_template(system))
    names = [jax.tree_util.keystr(where, simple=True, separator=".") for where, _ in found]
    shapes = [np.shape(leaf) for _, leaf in found]
    order = names if set(names) == set(arrays) else list(arrays)
    parts = [arrays[name] for name in order]
    if [part.shape for part in parts] != shapes:
        wanted = ", ".join(f"{n} {s}" for n, s in zip(names, shapes, strict=True))
        held = ", ".join(f"{name} {part.shape}" for name, part in arrays.items())
        raise ArgumentError(
            f"{path.name} does not fit the parameters of {system.name}: it holds {held}; "
            f"expected {wanted}",
            "or write the flat parameters as x: numpy.savez(file, x=...)",
        )
    return _raveled(parts)


def _eqx(path: Path, system: System) -> Float[np.ndarray, " n"]:
    import equinox as eqx

    try:
        return _raveled(eqx.tree_deserialise_leaves(path, _template(system)))
    except Exception as error:
        raise ArgumentError(
            f"{path.name} does not fit the parameters of {system.name}: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}",
            "save them with equinox.tree_serialise_leaves(file, params), in float64",
        ) from error
