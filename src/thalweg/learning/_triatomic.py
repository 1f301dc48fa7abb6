"""LJAT3: in which minimum does a cluster of three atoms end, given where it began?

The energy is Lennard-Jones with triple dipoles (Z = 2, reduced units). It has four minima: the
equilateral triangle, and the line with atom 1, 2 or 3 in the middle. A row of the data holds the
three distances of a random start and the minimum that its quench ended in.

A label belongs to a minimiser as much as to an energy: with another step cap a few per cent of the
starts end elsewhere. So the minimiser, its step cap and its tolerance are part of the definition
of the set, and are kept with it.

Source: Ballard, Stevenson, Das & Wales, J. Chem. Phys. 144, 124119 (2016); Ballard, Das,
Martiniani, Mehta, Sagun, Stevenson & Wales, Phys. Chem. Chem. Phys. 19, 12585 (2017), section III.
"""

import dataclasses
import functools
import json
import math
import os
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from thalweg.core import (
    AbstractSolver,
    ArgumentError,
    BoxStart,
    FreeSpace,
    Outcome,
    PRNGKey,
    StoreError,
    System,
    as_key,
    data_folder,
    start_points,
)
from thalweg.energies import system as catalogue
from thalweg.search import LBFGS, quench_many

TRIATOMIC_CLASSES = ("triangle", "atom 1 central", "atom 2 central", "atom 3 central")
"""The four classes, in the order of their numbers."""

COUNT = 10_000
"""Starts of the published set."""

MINIMISER = LBFGS(tol=1e-6, max_step=0.1, grow=2.0, max_steps=5_000)
"""The minimiser of the definition; a step is at most 0.1, root mean square of nine coordinates."""

_EDGE = 2.0 * math.sqrt(3.0)
_TRIANGLE, _LINE = 1.168752321, 1.108762891
_NEAR = 1e-3
"""Distance within which a final geometry is one of the minima."""

_SCHEMA = 1


@dataclasses.dataclass(frozen=True, eq=False)
class TriatomicOutcomes:
    """Quenches of three atoms from random starts.

    Attributes:
        starts: Where they began, `(starts, 9)`.
        distances: r₁₂, r₁₃, r₂₃ of the starts, `(starts, 3)`, in units of σ.
        labels: Number of the class in `TRIATOMIC_CLASSES`, -1 where a quench did not end in a
            minimum, `(starts,)`.
        outcomes: `Outcome` codes of the quenches, `(starts,)`.
        energies: Final energies, `(starts,)`, in units of ε.
        steps: Steps of the quenches, `(starts,)`.
        definition: What the set was made with: key, count, cube and minimiser.
    """

    starts: Float[np.ndarray, "starts 9"]
    distances: Float[np.ndarray, "starts 3"]
    labels: Int[np.ndarray, " starts"]
    outcomes: Int[np.ndarray, " starts"]
    energies: Float[np.ndarray, " starts"]
    steps: Int[np.ndarray, " starts"]
    definition: dict[str, Any]

    def counts(self) -> Int[np.ndarray, " classes"]:
        """Members of each class; unlabelled rows are in none."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(TRIATOMIC_CLASSES))

    def failures(self) -> dict[str, int]:
        """Rows without a label: how many ended how."""
        codes, counts = np.unique(self.outcomes[self.labels < 0], return_counts=True)
        words = ["no minimum" if code == 0 else Outcome(code).name for code in codes.tolist()]
        return dict(zip(words, counts.tolist(), strict=True))

    def save(self, path: str | Path) -> Path:
        """Write the set as `.npz`, whole or not at all."""
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")  # two may make it at once
        names = [field.name for field in dataclasses.fields(self) if field.name != "definition"]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                arrays = {name: getattr(self, name) for name in names}
                np.savez(file, definition=json.dumps(self.definition), **arrays)
            partial.replace(path)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}") from error
        return path

    @staticmethod
    def load(path: str | Path) -> "TriatomicOutcomes":
        """Read what `save` wrote.

        Raises:
            StoreError: if the file cannot be read or holds something else.
        """
        try:
            with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            definition = json.loads(str(arrays.pop("definition")))
            return TriatomicOutcomes(**arrays, definition=definition)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise StoreError(
                f"{path} holds no triatomic data: {error}", "make it again: thalweg data ljat3"
            ) from error


def triatomic_system() -> System:
    """Three atoms that start anywhere in a cube of side 2√3.

    A coordinate beyond 20 counts as escaped; no start of the published set comes near it.
    """
    named = catalogue("ljat3")
    return System(
        named.energy,
        name="ljat3",
        space=FreeSpace((3, 3), extent=20.0),
        symmetry=named.symmetry,
        start=BoxStart(9, 0.5 * _EDGE),
        floor=named.floor,
    )


def triatomic_outcomes(
    key: int | PRNGKey = 0,
    count: int = COUNT,
    minimiser: AbstractSolver = MINIMISER,
) -> TriatomicOutcomes:
    """Quench random starts of three atoms and say in which of the four minima each one ended.

    Args:
        key: Root key of the starts; start `i` is the same whatever `count` is.
        count: Number of starts.
        minimiser: Part of the definition: another one gives other labels to some rows.

    Returns:
        One row a start. A quench that did not converge, or not to one of the minima, is reported
        with its outcome and has no label.

    Raises:
        ArgumentError: if `count` is not positive.
    """
    if count < 1:
        raise ArgumentError(f"count={count!r}: expected at least 1")
    system = triatomic_system()
    starts = np.asarray(start_points(system, as_key(key), 0, count))
    ends = quench_many(system, starts, minimiser)
    return TriatomicOutcomes(
        starts=starts,
        distances=pair_distances(starts),
        labels=np.where(ends.outcome == 0, classify(ends.x), -1),
        outcomes=np.asarray(ends.outcome, np.int64),
        energies=np.asarray(ends.value),
        steps=np.asarray(ends.steps, np.int64),
        definition=definition(key, count, minimiser),
    )


def definition(key: int | PRNGKey, count: int, minimiser: AbstractSolver) -> dict[str, Any]:
    """All that decides the content of a set, as plain values."""
    settings = {
        field.name: getattr(minimiser, field.name)
        for field in dataclasses.fields(minimiser)
        if not field.name.startswith("_")
    }
    root = key if isinstance(key, int) else np.asarray(jax.random.key_data(key)).tolist()
    return {
        "schema": _SCHEMA,
        "key": root,
        "count": count,
        "edge": _EDGE,
        "minimiser": type(minimiser).__name__,
        "settings": settings,
    }


def pair_distances(x: Float[np.ndarray, "points 9"]) -> Float[np.ndarray, "points 3"]:
    """r₁₂, r₁₃ and r₂₃ of each row."""
    atoms = x.reshape(-1, 3, 3)
    pairs = [(0, 1), (0, 2), (1, 2)]
    return np.stack([np.linalg.norm(atoms[:, i] - atoms[:, j], axis=1) for i, j in pairs], axis=1)


def classify(x: Float[np.ndarray, "points 9"]) -> Int[np.ndarray, " points"]:
    """The class of each final geometry, -1 where it is none of the four minima."""
    distances = pair_distances(x)
    labels = np.full(len(x), -1, np.int64)
    labels[np.max(np.abs(distances - _TRIANGLE), axis=1) < _NEAR] = 0
    # The long side of a line joins the two atoms that are not central.
    for longest, central in ((2, 1), (1, 2), (0, 3)):
        line = np.full(3, _LINE)
        line[longest] = 2.0 * _LINE
        labels[np.max(np.abs(distances - line), axis=1) < _NEAR] = central
    return labels


@functools.cache
def read_ljat3(folder: Path | None = None) -> TriatomicOutcomes:
    """The set of the definition: key 0, 10,000 starts, `MINIMISER`.

    It is made once, in seconds, and kept in the user's cache folder. A quench that begins close to
    the boundary of two basins can end differently on another machine, by rounding, so the file is
    the set: copy it to where a landscape is to be continued.

    Args:
        folder: Where it is kept; by default `ljat3` below `data_folder()`.

    Raises:
        StoreError: if a folder was given and cannot be written to.
    """
    where = data_folder() / "ljat3" if folder is None else folder
    path = where / "outcomes.npz"
    wanted = definition(0, COUNT, MINIMISER)
    if path.is_file():
        try:
            kept = TriatomicOutcomes.load(path)
        except StoreError:
            pass  # a broken copy of something that can be made again
        else:
            if kept.definition == wanted:
                return kept
    made = triatomic_outcomes()
    try:
        made.save(path)
    except StoreError:
        if folder is not None:  # a home that cannot be written to is no reason to stop
            raise
    return made
