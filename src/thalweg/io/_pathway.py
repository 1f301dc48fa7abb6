"""Files of a pathway: trajectory, table, arrays."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from thalweg.core import ArgumentError
from thalweg.landscape import Pathway

from ._formats import write_xyz

_NPZ_FORMAT = "thalweg pathway 1"


def write_pathway(pathway: Pathway, path: str | Path) -> Path:
    """Write a path; the name's ending decides the format.

    | ending | holds |
    |---|---|
    | `.xyz`, `.extxyz` | every point as a frame; its comment gives energy, arc length `s`, `step` \
and `kind` (0 at minima, 1 at transition states, -1 between) |
    | `.csv` | the same four numbers as a table |
    | `.npz` | all arrays of `Pathway`, and nothing pickled |

    Args:
        pathway: What to write.
        path: File name.

    Returns:
        The file written.

    Raises:
        ArgumentError: if the ending is another, the folder does not exist, or an xyz file is
            asked for points that are no atoms.

    Example: `write_pathway(path.resample(200), "path.xyz")`
    """
    path = Path(path)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise ArgumentError(
            f"{path.name}: no format of a path ends in {path.suffix or 'nothing'!r}",
            f"use one of {', '.join(PATHWAY_SUFFIXES)}",
        )
    if not path.parent.is_dir():
        raise ArgumentError(f"there is no folder {path.parent}", f"mkdir -p {path.parent}")
    write(pathway, path)
    return path


def _write_frames(pathway: Pathway, path: Path) -> None:
    particles, dimensions = pathway.shape
    if dimensions not in {2, 3}:
        raise ArgumentError(
            f"points of {particles} numbers are not atoms", "xyz files hold atoms; use .csv or .npz"
        )
    names = pathway.labels or ("X",) * particles
    frame = pathway.frame
    facts = {name: frame[name].to_numpy() for name in ("energy", "s", "step", "kind")}
    write_xyz(path, pathway.points, names, facts)


def _write_table(pathway: Pathway, path: Path) -> None:
    pathway.frame.to_csv(path, index=False)


def _write_arrays(pathway: Pathway, path: Path) -> None:
    np.savez_compressed(
        os.fspath(path),
        format=np.array(_NPZ_FORMAT),
        minima=np.array(pathway.minima),
        transition_states=np.array(pathway.transition_states),
        points=pathway.points,
        energies=pathway.energies,
        lengths=pathway.lengths,
        tangents=pathway.tangents,
        slopes=pathway.slopes,
        rows=pathway.rows,
        shape=np.array(pathway.shape),
        labels=np.array(pathway.labels, dtype=str),
    )


_WRITERS: dict[str, Callable[[Pathway, Path], None]] = {
    ".xyz": _write_frames,
    ".extxyz": _write_frames,
    ".csv": _write_table,
    ".npz": _write_arrays,
}

PATHWAY_SUFFIXES = tuple(_WRITERS)
"""Endings that `write_pathway` knows."""
