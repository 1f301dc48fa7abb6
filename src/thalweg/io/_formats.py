"""Plain files: extended xyz, npz and CSV."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError
from thalweg.landscape import Landscape, TransitionNetwork

_NPZ_FORMAT = "thalweg network 1"


def write_xyz(
    path: str | Path,
    points: Float[np.ndarray, "frames dof"],
    labels: Sequence[str] | None = None,
    facts: Mapping[str, Sequence[float] | np.ndarray] | None = None,
) -> None:
    """Write structures as extended xyz, one frame after the other.

    Args:
        path: File to write.
        points: Coordinates, one atom after the other. In two dimensions z is 0.
        labels: Element or name of each atom; `X` where not given. Their number tells how many
            dimensions there are; without them there are three.
        facts: What to say about the frames in their comment lines, such as their energies: for
            each name one value a frame.

    Raises:
        ArgumentError: if the coordinates are not of such atoms, or a fact has another length.

    Example: `write_xyz("minima.xyz", points, ["Ar"] * 13, {"energy": network.energies})`
    """
    frames = _atoms(points, labels)
    names = list(labels) if labels else ["X"] * frames.shape[1]
    for name, values in (facts or {}).items():
        if len(values) != len(frames):
            raise ArgumentError(f"{name} has {len(values)} values for {len(frames)} frames")
    table = {name: np.asarray(values) for name, values in (facts or {}).items()}
    width = max((len(name) for name in names), default=1)
    template = "".join(f"{name:<{width}} %16.10f %16.10f %16.10f\n" for name in names)
    with Path(path).open("w", encoding="utf-8") as file:
        for i, frame in enumerate(frames):
            _write_frame(file, template, frame, {name: table[name][i] for name in table})


def _atoms(
    points: Float[np.ndarray, "frames dof"], labels: Sequence[str] | None
) -> Float[np.ndarray, "frames atoms 3"]:
    count, dof = points.shape
    atoms = len(labels) if labels else dof // 3
    dimensions = dof // atoms if atoms else 0
    if not atoms or atoms * dimensions != dof or dimensions not in {1, 2, 3}:
        raise ArgumentError(
            f"points of {dof} coordinates are not {atoms or 'any'} atoms",
            "xyz files hold atoms; use npz or CSV for anything else",
        )
    frames = np.zeros((count, atoms, 3))
    frames[:, :, :dimensions] = points.reshape(count, atoms, dimensions)
    return frames


def _write_frame(
    file: TextIO,
    template: str,
    frame: Float[np.ndarray, "atoms 3"],
    facts: Mapping[str, np.generic],
) -> None:
    comment = " ".join(f"{name}={value.item()!r}" for name, value in facts.items())
    file.write(f"{len(frame)}\nProperties=species:S:1:pos:R:3 {comment}".rstrip())
    file.write("\n" + template % tuple(frame.ravel()))


def save_network(network: TransitionNetwork, path: str | Path) -> None:
    """Write a network's arrays as a compressed npz file that needs no pickle.

    Args:
        network: What to write.
        path: File name; `.npz` is added if it is missing.
    """
    arrays = {
        field.name: getattr(network, field.name)
        for field in dataclasses.fields(network)
        if getattr(network, field.name) is not None
    }
    np.savez_compressed(os.fspath(path), format=np.array(_NPZ_FORMAT), **arrays)


def load_network(path: str | Path) -> TransitionNetwork:
    """Read what `save_network` wrote.

    Raises:
        ArgumentError: if the file is missing, or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise ArgumentError(f"there is no file {path}") from error
    except (ValueError, OSError, AttributeError, TypeError) as error:
        raise ArgumentError(f"{path} is no npz file of arrays: {error}") from error
    if str(arrays.pop("format", None)) != _NPZ_FORMAT:
        raise ArgumentError(f"{path} holds arrays, but no network", "write it by `save_network`")
    return TransitionNetwork(**arrays)


def write_csv(landscape: Landscape, folder: str | Path) -> list[Path]:
    """Write `minima.csv` and `transition_states.csv`.

    Args:
        landscape: What to write.
        folder: Where to; it is made if need be.

    Returns:
        The files written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "minima.csv", folder / "transition_states.csv"]
    landscape.minima.to_csv(files[0], index=False)
    landscape.transition_states.to_csv(files[1], index=False)
    return files
