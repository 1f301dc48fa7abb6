"""Are these two the same point? Identity modulo symmetry, for thousands of points at a time."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from thalweg.core import AbstractSymmetry

_CHUNK = 256
"""Points fingerprinted in one compiled call; the last chunk is padded, so one shape compiles."""


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """When two points count as one.

    Attributes:
        energy: Energy window, relative to `1 + |E|`.
        fingerprint: Window of every invariant, in units of the system's `length`.
        position: Largest coordinate difference after exact alignment, same units.
    """

    energy: float = 1e-8
    fingerprint: float = 1e-4
    position: float = 1e-3


@eqx.filter_jit
def _fingerprints(symmetry: AbstractSymmetry, x: jax.Array) -> jax.Array:
    return symmetry.fingerprint(x.T).T


def fingerprints(
    symmetry: AbstractSymmetry, x: Float[np.ndarray, "points dof"]
) -> Float[np.ndarray, "points features"]:
    """Invariants of many points, one row each."""
    rows = []
    for first in range(0, len(x), _CHUNK):
        chunk = x[first : first + _CHUNK]
        padded = np.concatenate([chunk, np.repeat(chunk[-1:], _CHUNK - len(chunk), axis=0)])
        rows.append(np.asarray(_fingerprints(symmetry, jnp.asarray(padded)))[: len(chunk)])
    return np.concatenate(rows) if rows else np.zeros((0, 0))


class PointIndex:
    """Known stationary points of one kind, and the question whether a new one is among them.

    A new point is compared only with those whose energy and invariants agree within the windows;
    with these it is brought to coincidence by an element of the symmetry group. Energies live in
    buckets of twice the window, so that a look-up takes constant time.
    """

    def __init__(
        self, symmetry: AbstractSymmetry, length: float, tolerance: Tolerance | None = None
    ):
        """Make an empty index.

        Args:
            symmetry: What counts as the same point.
            length: The system's typical distance, the unit of the windows.
            tolerance: The windows.
        """
        self.symmetry = symmetry
        self.tolerance = Tolerance() if tolerance is None else tolerance
        self._length = length
        # Unbound: binding an Equinox method takes longer than most matches.
        self._match = type(symmetry).match
        self._energies: list[float] = []
        self._points: list[np.ndarray] = []
        self._features: list[np.ndarray] = []
        self._buckets: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._energies)

    def _window(self, energy: float) -> float:
        return self.tolerance.energy * (1.0 + abs(energy))

    def _bucket(self, energy: float) -> int:
        # Logarithmic beyond |E| = 1, like the window, so that neighbours cover it everywhere.
        return int(np.floor(np.arcsinh(energy) / (4.0 * self.tolerance.energy)))

    def add(
        self, energy: float, x: Float[np.ndarray, " dof"], features: Float[np.ndarray, " features"]
    ) -> int:
        """Append a point and return its number (0, 1, 2, … in the order of `add`)."""
        number = len(self._energies)
        self._energies.append(float(energy))
        self._points.append(np.asarray(x, float))
        self._features.append(np.asarray(features, float))
        self._buckets.setdefault(self._bucket(energy), []).append(number)
        return number

    def extend(
        self, energies: Float[np.ndarray, " points"], x: Float[np.ndarray, "points dof"]
    ) -> None:
        """Append many points, such as all those of a store that is opened again."""
        for row in zip(energies, x, fingerprints(self.symmetry, x), strict=True):
            self.add(*row)

    def find(
        self, energy: float, x: Float[np.ndarray, " dof"], features: Float[np.ndarray, " features"]
    ) -> int | None:
        """Number of the known point that `x` is an image of, or `None`."""
        centre = self._bucket(energy)
        near = [n for b in (centre - 1, centre, centre + 1) for n in self._buckets.get(b, ())]
        window = self._window(energy)
        reach = self.tolerance.fingerprint * self._length
        for number in near:
            if abs(self._energies[number] - energy) > window:
                continue
            known = self._features[number]
            if known.size and np.max(np.abs(known - features)) > reach:
                continue
            tol = self.tolerance.position * self._length
            if self._match(self.symmetry, self._points[number], x, tol) is not None:
                return number
        return None

    def group(
        self, energies: Float[np.ndarray, " points"], x: Float[np.ndarray, "points dof"]
    ) -> tuple[Int[np.ndarray, " points"], "PointIndex"]:
        """Sort points among themselves, whatever this index holds, into classes of equal ones.

        Returns:
            The class of each point, numbered by first appearance, and an index of the classes.
        """
        classes = PointIndex(self.symmetry, self._length, self.tolerance)
        labels = np.zeros(len(x), np.int64)
        for row, point in enumerate(zip(energies, x, fingerprints(self.symmetry, x), strict=True)):
            found = classes.find(*point)
            labels[row] = classes.add(*point) if found is None else found
        return labels, classes
