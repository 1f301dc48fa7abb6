"""Particles in a periodic box."""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import _alignment, _invariants, _matching, _operation, _particles
from ._errors import ArgumentError
from ._operation import Operation
from ._particles import HostPoint
from ._shapes import Block
from ._symmetry import AbstractSymmetry


class PeriodicSymmetry(AbstractSymmetry):
    """Particles in an orthorhombic periodic box: translation, relabelling, box operations.

    Attributes:
        species: Kind of each particle; particles of one kind are interchangeable.
        box: Edge lengths, two or three.
        inversion: Whether a configuration and its inverse have the same energy.
        cube: Whether all signed permutations of the axes that keep the box (8 for different
            edges, 48 for a cube) keep the energy, as they do for isotropic interactions;
            implies `inversion`.
    """

    species: tuple[int, ...] = eqx.field(static=True)
    box: tuple[float, ...] = eqx.field(static=True)
    inversion: bool = eqx.field(static=True, default=True)
    cube: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        _particles.check_species(self.species, len(self.box))
        if not all(edge > 0 for edge in self.box):
            raise ArgumentError(f"box={self.box!r} must hold positive edge lengths")

    def zero_modes(self, x: Block) -> Float[Array, "modes dof *lanes"]:
        """One translation for each direction."""
        modes = _invariants.translation_modes(
            x.reshape(len(self.species), len(self.box), *x.shape[1:])
        )
        return modes.reshape(len(self.box), *x.shape)

    def expected_zero_modes(self, x: HostPoint) -> int:
        """The dimension of the box."""
        del x
        return len(self.box)

    def fingerprint(self, x: Block) -> _invariants.Features:
        """Six means of smooth periodic distances, the same under all box operations."""
        r = x.reshape(len(self.species), len(self.box), *x.shape[1:])
        weight = jnp.asarray(_particles.weights(self.species), x.dtype)
        sums = _invariants.local_sums(r, weight, _invariants.chord(self.box))
        return _invariants.pair_features(sums, weight)

    def canonical(self, x: HostPoint) -> HostPoint:
        """`x` with every particle wrapped into the box, `[0, edge)`."""
        r = x.reshape(len(self.species), len(self.box))
        edge = np.asarray(self.box)
        return (r - edge * np.floor(r / edge)).reshape(x.shape)

    def match(self, x: HostPoint, y: HostPoint, tol: float) -> HostPoint | None:
        """The image of `y` on `x`, each particle the copy next to its partner."""
        a, b = _boxed(self, x), _boxed(self, y)
        image = np.empty_like(a)
        if _count_boxed(self, a, b, tol, image, every=False) == 0:
            return None
        return _particles.flat(image, len(self.box))

    def operation(self, x: HostPoint, y: HostPoint, tol: float) -> Operation | None:
        """Relabelling, operation of the box, and a shift of each particle to the nearest copy."""
        a, b = _boxed(self, x), _boxed(self, y)
        image, labels = np.empty_like(a), _operation.unlabelled(a)
        if _count_boxed(self, a, b, tol, image, labels, every=False) == 0:
            return None
        turn = _operations(self)[labels[-1]]
        shift = image - b[labels[:-1]] @ turn.T
        return Operation.of(labels[:-1], turn, shift, len(self.box))

    def align(self, x: HostPoint, y: HostPoint) -> tuple[HostPoint, float]:
        """The best of many shifts, each improved by relabelling and shifting."""
        a, b = _boxed(self, x), _boxed(self, y)
        image = np.empty_like(a)
        if _count_boxed(self, a, b, 1e-4 * _spacing(self), image, every=False) == 0:
            image = _alignment.align_shifted(
                a, b, _particles.ranks(self.species), _edges(self), _operations(self), free=True
            )
        return _particles.result(image, x, len(self.box))

    def order(self, x: HostPoint, tol: float) -> int:
        """Number of operations, each with its shift, that keep `x`; counts lattice shifts too."""
        a = _boxed(self, x)
        return _count_boxed(self, a, a, tol, np.empty_like(a), every=True)

    def log_group_order(self) -> float:
        """log(Π_s N_s! · operations); shifts are continuous and not counted."""
        return _particles.log_permutations(self.species) + math.log(len(_operations(self)))


# Functions, not methods: binding a method of an Equinox module costs more than a whole match.


def _boxed(symmetry: PeriodicSymmetry, x: HostPoint) -> np.ndarray:
    return _particles.spatial(x, len(symmetry.species), len(symmetry.box))


def _edges(symmetry: PeriodicSymmetry) -> np.ndarray:
    return np.array([*symmetry.box, 0.0][:3])


def _spacing(symmetry: PeriodicSymmetry) -> float:
    return (math.prod(symmetry.box) / len(symmetry.species)) ** (1.0 / len(symmetry.box))


def _operations(symmetry: PeriodicSymmetry) -> np.ndarray:
    if symmetry.cube:
        return _alignment.box_operations(symmetry.box)
    inverse = np.diag([-1.0, -1.0, -1.0 if len(symmetry.box) == 3 else 1.0])
    both = np.stack([np.eye(3), inverse])
    return both if symmetry.inversion else both[:1]


def _count_boxed(
    symmetry: PeriodicSymmetry,
    a: np.ndarray,
    b: np.ndarray,
    tol: float,
    image: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    every: bool,
) -> int:
    labels = _operation.unlabelled(a) if labels is None else labels
    species, edges, operations = (
        _particles.ranks(symmetry.species),
        _edges(symmetry),
        _operations(symmetry),
    )
    scale = _spacing(symmetry)
    return _matching.match_shifted(
        a, b, species, edges, operations, True, scale, tol, every, image, labels
    )
