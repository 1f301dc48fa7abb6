r"""Averages along trajectories, with error bars.

Error bars come from blocking (Flyvbjerg & Petersen, J. Chem. Phys. 91, 461 (1989)): the block
length is the smallest with `B³ > 2 N (σ_B / σ_1)⁴`, which balances the bias of short blocks and the
noise of few (Lee, Conduit, Nemec, López Ríos & Drummond, Phys. Rev. E 83, 066706 (2011)).
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from thalweg.core import KJ, ArgumentError

from ._run import Trajectory


@dataclasses.dataclass(frozen=True)
class Estimate:
    """An average.

    Attributes:
        mean: Its value.
        error: Standard error; NaN if the series is too short to tell.
        block: Frames that are correlated: the block length; independent values are `N / block`.
    """

    mean: float
    error: float
    block: int

    def __str__(self) -> str:
        return f"{self.mean:.6g} ± {self.error:.2g}"


@dataclasses.dataclass(frozen=True, eq=False)
class Profile:
    """A function on a grid.

    Attributes:
        centres: `(bins,)`.
        values: `(bins,)`.
        errors: Standard errors, `(bins,)`.
    """

    centres: np.ndarray
    values: np.ndarray
    errors: np.ndarray


def estimate(series: np.ndarray) -> Estimate:
    """Mean and error of correlated values.

    Args:
        series: `(frames,)`, or `(frames, replicas)` of independent replicas.

    Raises:
        ArgumentError: if a value is not finite.
    """
    values = np.asarray(series, float)
    values = values[:, None] if values.ndim == 1 else values
    if not np.all(np.isfinite(values)):
        frame, replica = np.argwhere(~np.isfinite(values))[0]
        raise ArgumentError(
            f"the series is not finite at frame {frame} of replica {replica}",
            "leave that replica out; did it blow up?",
        )
    frames, replicas = values.shape
    mean = float(values.mean())
    first = math.nan
    length = 1
    while True:
        blocks = frames // length
        if blocks * replicas < 4 or blocks < 1:
            return Estimate(mean, math.nan, length)
        means = values[: blocks * length].reshape(blocks, length, replicas).mean(axis=1)
        error = float(means.std(ddof=1)) / math.sqrt(means.size)
        first = error if length == 1 else first
        if error == 0.0 or length**3 > 2 * values.size * (error / max(first, 1e-300)) ** 4:
            return Estimate(mean, error, length)
        length *= 2


def temperature(trajectory: Trajectory, *, removed: int = 0) -> Estimate:
    """Kinetic temperature, in K.

    Args:
        trajectory: Frames.
        removed: Degrees of freedom that do not move: 3 if the momentum is conserved at 0, as in
            NVE from `maxwell_velocities`.
    """
    dof = 3 * len(trajectory.masses) - removed
    return estimate(2.0 * trajectory.kinetic / (dof * KJ.boltzmann))


def bond_lengths(positions: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """Lengths of bonds `(b, 2)` in geometries `(…, n, 3)`, `(…, b)`, in nm."""
    pairs = np.asarray(bonds)
    return np.linalg.norm(positions[..., pairs[:, 0], :] - positions[..., pairs[:, 1], :], axis=-1)


def torsion_angles(positions: np.ndarray, atoms: Sequence[int]) -> np.ndarray:
    """Dihedral angle of four atoms in geometries `(…, n, 3)`, in rad, by IUPAC's sign."""
    i, j, k, l = (positions[..., a, :] for a in atoms)
    one, axis, other = j - i, k - j, l - k
    left, right = np.cross(one, axis), np.cross(axis, other)
    length = np.linalg.norm(axis, axis=-1)
    return np.arctan2(
        np.sum(np.cross(left, right) * axis, axis=-1) / length, np.sum(left * right, axis=-1)
    )


def _histogram(values: np.ndarray, edges: np.ndarray) -> Profile:
    """Density of values `(frames, replicas, many)` with errors from blocking each bin."""
    place = np.digitize(values, edges) - 1
    width = np.diff(edges)
    found = [estimate(np.mean(place == k, axis=-1)) for k in range(len(width))]
    centres = 0.5 * (edges[1:] + edges[:-1])
    density = np.array([one.mean for one in found]) / width
    return Profile(centres, density, np.array([one.error for one in found]) / width)


def bond_distribution(trajectory: Trajectory, bonds: np.ndarray, *, bins: int = 50) -> Profile:
    """Density of bond lengths, in 1/nm.

    Args:
        trajectory: Frames.
        bonds: Pairs, `(b, 2)`; all count together.
        bins: Number of bins over the lengths that occur.
    """
    lengths = bond_lengths(trajectory.positions, bonds)
    low, high = float(lengths.min()), float(lengths.max())
    return _histogram(lengths, np.linspace(low, high + 1e-9, bins + 1))


def pair_distribution(
    trajectory: Trajectory,
    *,
    first: Sequence[int] | None = None,
    second: Sequence[int] | None = None,
    reach: float | None = None,
    volume: float | None = None,
    box: np.ndarray | None = None,
    bins: int = 100,
) -> Profile:
    """Distribution of distances between atoms.

    Args:
        trajectory: Frames.
        first: Atoms on one side; by default all.
        second: Atoms on the other side; by default `first`.
        reach: Largest distance, in nm; by default the largest that occurs, or half the shortest
            edge of the box.
        volume: In nm³; by default that of the box. With a volume the result is g(r), which is 1
            for an ideal gas; without it is h(r), the density of distances, in 1/nm.
        box: Edges of an orthorhombic box, `(3,)`, in nm.
        bins: Number of bins.
    """
    atoms = trajectory.positions.shape[2]
    a = np.arange(atoms) if first is None else np.asarray(first)
    b = a if second is None else np.asarray(second)
    i, j = (grid.reshape(-1) for grid in np.meshgrid(a, b, indexing="ij"))
    keep = i < j if np.array_equal(a, b) else i != j
    i, j = i[keep], j[keep]
    if not len(i):
        raise ArgumentError("there is no pair of atoms")
    step = trajectory.positions[:, :, i] - trajectory.positions[:, :, j]
    if box is not None:
        step = step - np.round(step / box) * box
        reach = float(np.min(box)) / 2 if reach is None else reach
        volume = float(np.prod(box)) if volume is None else volume
    apart = np.linalg.norm(step, axis=-1)
    top = float(apart.max()) + 1e-9 if reach is None else reach
    edges = np.linspace(0.0, top, bins + 1)
    found = _histogram(apart, edges)
    if volume is None:
        return found
    ideal = 4.0 / 3.0 * math.pi * np.diff(edges**3) / volume / np.diff(edges)
    return Profile(found.centres, found.values / ideal, found.errors / ideal)


def torsion_distribution(
    trajectory: Trajectory, atoms: Sequence[int], *, bins: int = 36
) -> Profile:
    """Density of a dihedral angle over (-π, π], in 1/rad."""
    angles = torsion_angles(trajectory.positions, atoms)[..., None]
    return _histogram(angles, np.linspace(-math.pi, math.pi + 1e-12, bins + 1))


def torsion_free_energy(
    trajectory: Trajectory, atoms: Sequence[int], temperature: float, *, bins: int = 36
) -> Profile:
    """`-k_B T ln p` of a dihedral angle, its minimum at 0, in kJ/mol.

    Bins that were never visited have an infinite free energy; their error is NaN.

    Args:
        trajectory: Frames at that temperature.
        atoms: Four atoms.
        temperature: In K.
        bins: Number of bins.
    """
    found = torsion_distribution(trajectory, atoms, bins=bins)
    thermal = KJ.boltzmann * temperature
    seen = found.values > 0
    free = np.full(bins, np.inf)
    free[seen] = -thermal * np.log(found.values[seen])
    error = np.full(bins, np.nan)
    error[seen] = thermal * found.errors[seen] / found.values[seen]
    return Profile(found.centres, free - free.min(), error)
