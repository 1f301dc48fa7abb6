"""PATHSAMPLE files: `min.data`, `ts.data`, `points.min`, `points.ts`.

One line for each minimum: energy, logarithm of the product of squared frequencies, point-group
order, three principal moments of inertia. One for each transition state: the same, with the
numbers (from 1) of its two minima before the moments. The product is over the positive
curvatures, with unit masses; at a transition state the negative one is left out. Points are raw
native float64, one after the other.

Source: the PATHSAMPLE manual, https://www-wales.ch.cam.ac.uk/PATHSAMPLE.2.1.doc.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork

_MIN_COLUMNS, _TS_COLUMNS = 6, 8
_MIN_FORMAT = "%20.10f%20.10f%6d%20.10f%20.10f%20.10f"
_TS_FORMAT = "%20.10f%20.10f%10d%10d%10d%20.10f%20.10f%20.10f"


def read_pathsample(folder: str | Path) -> TransitionNetwork:
    """Read a PATHSAMPLE database.

    Args:
        folder: Where `min.data` lies, and if there are any `ts.data`, `points.min` and
            `points.ts`.

    Returns:
        The network, in the order of the files: number `i` in them is position `i - 1`. It has
        coordinates if the points files are there.

    Raises:
        ArgumentError: if `min.data` is missing, or a file does not have the expected form.

    Example: `read_pathsample("LJ13").n_minima`
    """
    folder = Path(folder)
    if not (folder / "min.data").is_file():
        raise ArgumentError(
            f"there is no min.data in {folder}", "name the folder that holds the database"
        )
    minima = _table(folder / "min.data", _MIN_COLUMNS)
    has_ts = (folder / "ts.data").is_file()
    ts = _table(folder / "ts.data", _TS_COLUMNS) if has_ts else np.zeros((0, _TS_COLUMNS))
    ends = ts[:, 3:5].astype(int) - 1
    wrong = np.flatnonzero(((ends < 0) | (ends >= len(minima))).any(axis=1))
    if len(wrong):
        a, b = ends[wrong[0]] + 1
        raise ArgumentError(
            f"line {wrong[0] + 1} of {folder / 'ts.data'} joins minima {a} and {b}, "
            f"but min.data has {len(minima)} lines"
        )
    return TransitionNetwork(
        ids=np.arange(len(minima)),
        energies=minima[:, 0],
        orders=minima[:, 2].astype(int),
        log_products=minima[:, 1],
        hits=np.zeros(len(minima), dtype=int),
        ts_ids=np.arange(len(ts)),
        ts_energies=ts[:, 0],
        ts_orders=ts[:, 2].astype(int),
        ts_log_products=ts[:, 1],
        ts_hits=np.zeros(len(ts), dtype=int),
        ts_minima=ends,
        points=_points(folder / "points.min", len(minima)),
        ts_points=_points(folder / "points.ts", len(ts)),
    )


def write_pathsample(network: TransitionNetwork, folder: str | Path) -> list[Path]:
    """Write a network as a PATHSAMPLE database.

    Args:
        network: What to write. With coordinates of atoms in three dimensions the moments of
            inertia are computed (unit masses), else they are zero.
        folder: Where to; it is made if need be, and files of these names are replaced.

    Returns:
        The files written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "min.data", folder / "ts.data"]
    rows = np.column_stack((network.energies, network.log_products, network.orders))
    moments = _moments(network.points, network.n_minima)
    np.savetxt(files[0], np.column_stack((rows, moments)), fmt=_MIN_FORMAT)
    rows = np.column_stack((network.ts_energies, network.ts_log_products, network.ts_orders))
    moments = _moments(network.ts_points, network.n_transition_states)
    np.savetxt(files[1], np.column_stack((rows, network.ts_minima + 1, moments)), fmt=_TS_FORMAT)
    for name, points in (("points.min", network.points), ("points.ts", network.ts_points)):
        if points is not None:
            np.ascontiguousarray(points, dtype=float).tofile(folder / name)
            files.append(folder / name)
    return files


def principal_moments(
    points: Float[np.ndarray, "n dof"],
) -> Float[np.ndarray, "n 3"]:
    """Principal moments of inertia about the centre, ascending, for atoms of unit mass.

    Args:
        points: Coordinates, `(x, y, z)` of one atom after the other.
    """
    r = points.reshape(len(points), -1, 3)
    r = r - r.mean(axis=1, keepdims=True)
    outer = np.einsum("nai,naj->nij", r, r)
    inertia = np.trace(outer, axis1=1, axis2=2)[:, None, None] * np.eye(3) - outer
    return np.linalg.eigvalsh(inertia)


def _moments(points: Float[np.ndarray, "n dof"] | None, count: int) -> Float[np.ndarray, "n 3"]:
    if points is None or points.shape[1] % 3 or not count:
        return np.zeros((count, 3))
    return principal_moments(points)


def _table(path: Path, columns: int) -> Float[np.ndarray, "lines columns"]:
    """The numbers of a file of so many columns."""
    if path.stat().st_size == 0:
        return np.zeros((0, columns))
    try:
        table = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise ArgumentError(f"{path} is not a table of numbers: {error}") from error
    if table.shape[1] != columns:
        raise ArgumentError(
            f"{path} has {table.shape[1]} columns, expected {columns}",
            "min.data: energy, log product, order, 3 moments; ts.data: energy, log product, "
            "order, 2 minima, 3 moments",
        )
    return table


def _points(path: Path, count: int) -> Float[np.ndarray, "n dof"] | None:
    """The coordinates in a file of raw doubles, or `None` if there is no file."""
    if not path.is_file():
        return None
    flat = np.fromfile(path)
    if count == 0 and not len(flat):
        return None
    if count == 0 or len(flat) % count:
        raise ArgumentError(
            f"{path} holds {len(flat)} numbers, which is no multiple of {count} points",
            "is it of the same database as the .data file?",
        )
    return flat.reshape(count, -1)
