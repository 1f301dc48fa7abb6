"""Particles on a sphere."""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import _alignment, _invariants, _matching, _operation, _particles
from ._operation import Operation
from ._particles import HostPoint
from ._shapes import Block
from ._symmetry import AbstractSymmetry


class SphereSymmetry(AbstractSymmetry):
    """Points on a sphere about the origin: rotation, mirror images, relabelling in species.

    The energy is a function of directions (it normalises its argument), so that moving a point
    along its own radius is a zero mode too, and only directions are compared.

    Attributes:
        species: Kind of each point; points of one kind are interchangeable.
        dim: 3, or 2 for points on a circle.
        radius: Radius of the sphere that `canonical` puts points on.
        inversion: Whether mirror images have the same energy.
    """

    species: tuple[int, ...] = eqx.field(static=True)
    dim: int = eqx.field(static=True, default=3)
    radius: float = eqx.field(static=True, default=1.0)
    inversion: bool = eqx.field(static=True, default=True)

    def __check_init__(self):
        _particles.check_species(self.species, self.dim)

    def zero_modes(self, x: Block) -> Float[Array, "modes dof *lanes"]:
        """One radial direction for each point, then one (2-d) or three (3-d) rotations."""
        r = x.reshape(len(self.species), self.dim, *x.shape[1:])
        modes = jnp.concatenate([_invariants.radial_modes(r), _invariants.rotation_modes(r)])
        return modes.reshape(modes.shape[0], *x.shape)

    def expected_zero_modes(self, x: HostPoint) -> int:
        """One for each point, and the rotations that move anything."""
        return len(self.species) + _particles.rotations(_directions(self, x), self.dim)

    def fingerprint(self, x: Block) -> _invariants.Features:
        """Six means of chord lengths and six invariants of the shape."""
        r = x.reshape(len(self.species), self.dim, *x.shape[1:])
        r = self.radius * r / jnp.sqrt(jnp.sum(r**2, axis=1, keepdims=True))
        return _particles.rigid_fingerprint(r, self.species)

    def canonical(self, x: HostPoint) -> HostPoint:
        """`x` with every point put on the sphere."""
        return _particles.flat(_directions(self, x), self.dim)

    def match(self, x: HostPoint, y: HostPoint, tol: float) -> HostPoint | None:
        """The image of `y` that lies on the sphere on `x`."""
        a, b = _directions(self, x), _directions(self, y)
        image = np.empty_like(a)
        found = _count_sphere(self, a, b, tol, image, every=False)
        return _particles.flat(image, self.dim) if found else None

    def operation(self, x: HostPoint, y: HostPoint, tol: float) -> Operation | None:
        """Relabelling, and rotation or mirror operation about the origin."""
        a, b = _directions(self, x), _directions(self, y)
        image, labels = np.empty_like(a), _operation.unlabelled(a)
        if _count_sphere(self, a, b, tol, image, labels, every=False) == 0:
            return None
        turn = _operation.rotation(a, b[labels[:-1]], self.dim, improper=self.inversion)
        return Operation.of(labels[:-1], turn, np.zeros_like(a), self.dim)

    def align(self, x: HostPoint, y: HostPoint) -> tuple[HostPoint, float]:
        """As for clusters, about the origin; the distance is that on the sphere."""
        a, b = _directions(self, x), _directions(self, y)
        image = np.empty_like(a)
        if _count_sphere(self, a, b, _particles.small(a), image, every=False) == 0:
            species = _particles.ranks(self.species)
            image = _alignment.align_rigid(a, b, species, self.dim, improper=self.inversion)
        return _particles.result(image, _particles.flat(a, self.dim), self.dim)

    def order(self, x: HostPoint, tol: float) -> int:
        """The order of the point group; two opposite points count as a line."""
        a = _directions(self, x)
        return _count_sphere(self, a, a, tol, np.empty_like(a), every=True)

    def log_group_order(self) -> float:
        """log(2 Π_s N_s!), or without the 2 when mirror images differ."""
        return _particles.log_permutations(self.species) + (
            math.log(2.0) if self.inversion else 0.0
        )


# Functions, not methods: binding a method of an Equinox module costs more than a whole match.


def _directions(symmetry: SphereSymmetry, x: HostPoint) -> np.ndarray:
    r = _particles.spatial(x, len(symmetry.species), symmetry.dim)
    return symmetry.radius * r / np.linalg.norm(r, axis=1, keepdims=True)


def _count_sphere(
    symmetry: SphereSymmetry,
    a: np.ndarray,
    b: np.ndarray,
    tol: float,
    image: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    every: bool,
) -> int:
    labels = _operation.unlabelled(a) if labels is None else labels
    species = _particles.ranks(symmetry.species)
    # A typical distance between neighbours on the sphere, for the crowding.
    scale = 2.0 * symmetry.radius / math.sqrt(len(species))
    return _matching.match_rigid(
        a, b, species, symmetry.dim, symmetry.inversion, scale, tol, every, image, labels
    )
