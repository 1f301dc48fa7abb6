"""How long a molecule stays whole, and how well energy is conserved.

Sources: Fu et al., Trans. Mach. Learn. Res. (2023), arXiv:2210.07237 (a bond off by 0.5 Å); the
slope of the total energy, in meV per atom and ps, as in Bigi, Langer & Ceriotti, arXiv:2412.11569.
"""

import dataclasses
import math

import numpy as np

from thalweg.core import KJ, METAL, ArgumentError
from thalweg.forcefields._bonded_space import OFF

from ._observables import bond_lengths
from ._run import Trajectory

_MEV = KJ.convert_energy(1.0, METAL) * 1e3


@dataclasses.dataclass(frozen=True, eq=False)
class Survival:
    """How long replicas stayed whole.

    Attributes:
        times: Of the first broken frame of each replica, in ps; infinite if none was.
        length: Of the run, in ps.
        bonds: The bond that broke first, by its row, for each replica; -1: none, or not finite.
    """

    times: np.ndarray
    length: float
    bonds: np.ndarray

    @property
    def share(self) -> float:
        """Share of replicas that were whole to the end."""
        return float(np.mean(np.isinf(self.times)))

    @property
    def mean(self) -> float:
        """Mean time in ps for which a replica was whole, within the run's length."""
        return float(np.mean(np.minimum(self.times, self.length)))


def survival(
    trajectory: Trajectory, bonds: np.ndarray, reference: np.ndarray, *, off: float = OFF
) -> Survival:
    """The first time at which a bond of a replica is off, or something is not finite.

    Args:
        trajectory: Frames.
        bonds: Pairs, `(b, 2)`.
        reference: Lengths `(b,)`, or a geometry `(n, 3)` to take them from, in nm.
        off: Deviation that counts, in nm.

    Raises:
        ArgumentError: if there is no bond.
    """
    if not len(bonds):
        raise ArgumentError("there is no bond that could break")
    usual = np.asarray(reference, float)
    usual = bond_lengths(usual, bonds) if usual.ndim == 2 else usual
    away = np.abs(bond_lengths(trajectory.positions, bonds) - usual)
    broken = ~(away <= off)  # what is not finite is broken
    any_broken = broken.any(axis=2) | ~trajectory.alive
    first = np.argmax(any_broken, axis=0)
    lost = any_broken.any(axis=0)
    times = np.where(lost, trajectory.times[first], np.inf)
    which = np.full(trajectory.n_replicas, -1)
    for replica in np.flatnonzero(lost):
        gone = away[first[replica], replica]
        if np.all(np.isfinite(gone)) and np.any(gone > off):
            which[replica] = int(np.argmax(gone))
    return Survival(times, float(trajectory.times[-1]), which)


@dataclasses.dataclass(frozen=True)
class Conservation:
    """How well a run at constant energy conserves it.

    Attributes:
        drift: Slope of the total energy, in meV per atom and ps: mean over replicas.
        error: Standard error of the drift over replicas; with one replica, that of its slope
            for uncorrelated fluctuations.
        fluctuation: Standard deviation of the total energy about that line, in kJ/mol.
    """

    drift: float
    error: float
    fluctuation: float


def conservation(trajectory: Trajectory) -> Conservation:
    """Drift and fluctuation of the total energy; NaN if a replica blew up.

    Raises:
        ArgumentError: if there are fewer than three frames.
    """
    if len(trajectory) < 3:
        raise ArgumentError(f"{len(trajectory)} frames say nothing about a drift", "make it longer")
    if not trajectory.alive.all():
        return Conservation(math.nan, math.nan, math.nan)
    t = trajectory.times - trajectory.times.mean()
    total = trajectory.total - trajectory.total.mean(axis=0)
    slopes = t @ total / (t @ t)
    rest = total - np.outer(t, slopes)
    fluctuation = float(np.sqrt(np.mean(rest**2)))
    unit = _MEV / len(trajectory.masses)
    if len(slopes) > 1:
        error = float(slopes.std(ddof=1)) / math.sqrt(len(slopes))
    else:
        error = fluctuation / math.sqrt(float(t @ t))
    return Conservation(float(slopes.mean()) * unit, error * unit, fluctuation)
