"""Tables of data from files, and the held-out data that belong to a name."""

import re
from pathlib import Path

import numpy as np

from thalweg.core import ArgumentError

from ._data import LearningData

_INPUTS, _TARGETS = ("inputs", "x", "X"), ("targets", "y", "labels")


def read_data(path: str | Path, *, classes: int | None = None) -> LearningData:
    """Inputs and targets from a file.

    | ending | holds |
    |---|---|
    | `.npz` | arrays `inputs` (or `x`) and `targets` (or `y`, `labels`) |
    | `.csv` | one row a datum: its target, then its inputs; a line of names may come first |

    Args:
        path: The file.
        classes: Number of classes, if targets are classes; whole numbers in a `.csv` are then
            taken for classes.

    Raises:
        ArgumentError: if there is no such file, or it does not hold a table.
    """
    path = Path(path)
    if not path.is_file():
        raise ArgumentError(f"there is no file {path}", "check the name")
    if path.suffix.lower() == ".npz":
        inputs, targets = _npz(path)
    elif path.suffix.lower() == ".csv":
        inputs, targets = _csv(path)
    else:
        raise ArgumentError(f"{path.name}: expected a file that ends in .npz or .csv")
    if classes is not None and not np.issubdtype(targets.dtype, np.integer):
        if targets.ndim != 1 or not np.array_equal(targets, np.round(targets)):
            raise ArgumentError(f"{path.name}: its targets are no classes, whole numbers from 0")
        targets = targets.astype(int)
    if classes is None and np.issubdtype(targets.dtype, np.integer):
        targets = targets.astype(float)
    return LearningData(inputs.astype(float), targets, classes=classes)


def _npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError) as error:
        raise ArgumentError(f"{path.name} is no .npz file: {error}") from error
    found = [
        next((held[name] for name in names if name in held), None) for names in (_INPUTS, _TARGETS)
    ]
    if found[0] is None or found[1] is None:
        raise ArgumentError(
            f"{path.name} holds {', '.join(held) or 'nothing'}; expected inputs and targets",
            "numpy.savez(file, inputs=..., targets=...)",
        )
    return found[0], found[1]


def _csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    lines = path.read_text(encoding="utf-8").splitlines()
    named = bool(lines) and not re.fullmatch(r"[\s\d.eE+\-,;naifNAIF]*", lines[0])
    try:
        table = np.array(
            [[float(cell) for cell in line.split(",")] for line in lines[named:] if line.strip()]
        )
    except ValueError as error:
        raise ArgumentError(
            f"{path.name} is no table of numbers: {error}", "each row: target, inputs; with commas"
        ) from error
    if table.ndim != 2 or table.shape[1] < 2:
        raise ArgumentError(f"{path.name}: each row must hold a target and one input or more")
    return table[:, 1:], table[:, 0]


def held_out_data(name: str) -> LearningData | None:
    """The data that a system of the catalogue is to be tested with; `None` if it has none.

    Args:
        name: Name of a system: `"ljat3-h3-l1e-3"`.
    """
    match = re.fullmatch(r"(ljat3|digits)-.*?(?:-n(\d+))?", name)
    if match is None:
        return None
    from ._named import digits_data, triatomic_data

    source = {"ljat3": triatomic_data, "digits": digits_data}[match[1]]
    return (source() if match[2] is None else source(int(match[2])))[1]
