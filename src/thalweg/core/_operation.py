"""One element of a symmetry group, as something that can be done to many points."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from . import _alignment


@dataclasses.dataclass(frozen=True, eq=False)
class Operation:
    """Relabel the particles, turn or mirror them, and shift each: `r_i ↦ R · r_labels[i] + t_i`.

    An element of a symmetry group keeps energies and distances, so it carries a whole path of
    one image of a state to a path of another.

    Attributes:
        labels: Which particle comes to each place.
        matrix: The orthogonal matrix `R`.
        shift: The shift `t` of each particle, which differs between particles only by edges of a
            periodic box.
    """

    labels: Int[np.ndarray, " particles"]
    matrix: Float[np.ndarray, "dim dim"]
    shift: Float[np.ndarray, "particles dim"]

    @classmethod
    def identity(cls, dof: int) -> "Operation":
        """The operation that leaves `dof` coordinates as they are."""
        return cls(np.arange(dof), np.eye(1), np.zeros((dof, 1)))

    @classmethod
    def of(
        cls,
        labels: Int[np.ndarray, " particles"],
        matrix: Float[np.ndarray, "3 3"],
        shift: Float[np.ndarray, "particles 3"],
        dim: int,
    ) -> "Operation":
        """From arrays in three dimensions, of which `dim` are used."""
        return cls(labels.copy(), matrix[:dim, :dim].copy(), shift[:, :dim].copy())

    def __call__(
        self, points: Float[np.ndarray, "*points dof"]
    ) -> Float[np.ndarray, "*points dof"]:
        """The images of points, `(..., dof)`."""
        return self._turned(points, self.shift)

    def directions(
        self, vectors: Float[np.ndarray, "*points dof"]
    ) -> Float[np.ndarray, "*points dof"]:
        """The images of displacements, `(..., dof)`: relabelled and turned, not shifted."""
        return self._turned(vectors, np.zeros_like(self.shift))

    def _turned(self, points: np.ndarray, shift: np.ndarray) -> np.ndarray:
        r = points.reshape(*points.shape[:-1], *self.shift.shape)
        return (r[..., self.labels, :] @ self.matrix.T + shift).reshape(points.shape)


def unlabelled(a: np.ndarray) -> np.ndarray:
    """Room for the labels that a match writes, and for the number of its operation."""
    return np.empty(len(a) + 1, np.int64)


def rotation(a: np.ndarray, b: np.ndarray, dim: int, *, improper: bool) -> np.ndarray:
    """The matrix that brings `b` on `a` label by label; proper where both kinds fit equally."""
    turn = _alignment.kabsch(a, b, dim)
    if improper:
        mirror = _alignment.mirror(dim)
        flipped = _alignment.kabsch(a, b @ mirror.T, dim) @ mirror
        # A plane or a line is its own mirror image: keep the rotation there.
        if np.sum((a - b @ flipped.T) ** 2) < 0.5 * np.sum((a - b @ turn.T) ** 2) - 1e-18:
            turn = flipped
    return turn
