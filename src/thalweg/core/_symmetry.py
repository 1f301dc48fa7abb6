"""Symmetry as a value: which displacements and relabellings leave an energy unchanged.

A symmetry is a group with a continuous part, whose directions are zero modes of every Hessian,
and a discrete part, whose images of a point are the same state with other labels. Search removes
the zero modes, certification counts them, identity of points is a `fingerprint` followed by an
exact `match`, and thermodynamics weighs a state by `exp(log_group_order()) / order(x)`, its
number of distinct permutation-inversion isomers.

| system | value |
|---|---|
| any function | `NoSymmetry()` |
| cluster of alike particles | `ClusterSymmetry(species=(0,) * 13)` |
| binary cluster | `ClusterSymmetry(species=(0,) * 9 + (1,) * 4)` |
| molecule with fixed labels | `ClusterSymmetry(species=tuple(range(9)))` |
| particles in a periodic box | `PeriodicSymmetry(species, box=(6.0, 6.0, 6.0))` |
| points on a sphere | `SphereSymmetry(species=(0,) * 12)` |
| lattices, spins, labels, phases | `SignedPermutationSymmetry(dof, generators)` |

Another group is another final class here: the hidden units of a network, for one, whose
permutations and sign flips have no continuous part (`zero_modes` is empty, `match` sorts and
compares units, `log_group_order` is Σ_layers log(n! 2ⁿ)).

`zero_modes` and `fingerprint` are JAX and carry lanes; the other methods are NumPy, for one point
`(dof,)` on the host. Tolerances are the largest displacement of any one particle, in the
system's length unit.
"""

import abc

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import _invariants
from ._errors import ArgumentError
from ._operation import Operation
from ._particles import HostPoint
from ._shapes import Block


class AbstractSymmetry(eqx.Module):
    """The invariance group of a system: continuous part (zero modes) and discrete part."""

    @abc.abstractmethod
    def zero_modes(self, x: Block) -> Float[Array, "modes dof *lanes"]:
        """Orthonormal null directions at `x`; a row is exactly zero where a mode is missing."""

    @abc.abstractmethod
    def expected_zero_modes(self, x: HostPoint) -> int:
        """How many zero modes the Hessian has at the stationary point `x`."""

    @abc.abstractmethod
    def fingerprint(self, x: Block) -> _invariants.Features:
        """Smooth numbers, scaled like lengths, that all images of `x` share.

        They tell apart different points with near certainty, mirror images never.
        """

    @abc.abstractmethod
    def canonical(self, x: HostPoint) -> HostPoint:
        """`x` with its place removed: centred, wrapped into the box, put on the sphere."""

    @abc.abstractmethod
    def match(self, x: HostPoint, y: HostPoint, tol: float) -> HostPoint | None:
        """The image of `y` that coincides with `x` within `tol`; `None` when there is none."""

    def operation(self, x: HostPoint, y: HostPoint, tol: float) -> Operation | None:
        """The element of the group that brings `y` on `x` within `tol`; `None` without one.

        What `match` does to `y`, as something that can be done to all points of a path.

        Raises:
            ArgumentError: if this group cannot tell (it has not defined the method).
        """
        del x, y, tol
        raise ArgumentError(
            f"{type(self).__name__} does not say which of its operations joins two images",
            "define `operation` beside `match` in the class of the symmetry",
        )

    @abc.abstractmethod
    def align(self, x: HostPoint, y: HostPoint) -> tuple[HostPoint, float]:
        """An image of `y` close to `x`, and its Euclidean distance.

        Zero for points that are the same; otherwise an upper bound on the least distance.
        """

    @abc.abstractmethod
    def order(self, x: HostPoint, tol: float) -> int:
        """Number of discrete operations that leave `x` where it is, its point-group order."""

    @abc.abstractmethod
    def log_group_order(self) -> float:
        """Logarithm of the number of discrete operations of the group."""


class NoSymmetry(AbstractSymmetry):
    """The trivial group."""

    def zero_modes(self, x: Block) -> Float[Array, "modes dof *lanes"]:
        """No rows."""
        return jnp.zeros((0, *x.shape), x.dtype)

    def expected_zero_modes(self, x: HostPoint) -> int:
        """Zero."""
        del x
        return 0

    def fingerprint(self, x: Block) -> _invariants.Features:
        """No features: `match` compares coordinates."""
        return jnp.zeros((0, *x.shape[1:]), x.dtype)

    def canonical(self, x: HostPoint) -> HostPoint:
        """`x` itself."""
        return x

    def match(self, x: HostPoint, y: HostPoint, tol: float) -> HostPoint | None:
        """`y` when no coordinate differs from that of `x` by more than `tol`."""
        return y if bool(np.all(np.abs(x - y) <= tol)) else None

    def operation(self, x: HostPoint, y: HostPoint, tol: float) -> Operation | None:
        """The identity when `match` says that the points are the same."""
        return None if self.match(x, y, tol) is None else Operation.identity(len(x))

    def align(self, x: HostPoint, y: HostPoint) -> tuple[HostPoint, float]:
        """`y` and its distance."""
        return y, float(np.linalg.norm(y - x))

    def order(self, x: HostPoint, tol: float) -> int:
        """One."""
        del x, tol
        return 1

    def log_group_order(self) -> float:
        """Zero."""
        return 0.0
