"""Particles in free space, and molecules with labels."""

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


class ClusterSymmetry(AbstractSymmetry):
    """Particles in free space: translation, rotation, mirror images, relabelling in species.

    Attributes:
        species: Kind of each particle; particles of one kind are interchangeable.
        dim: 2 or 3.
        translation: Whether the energy is the same wherever the cluster is. When false (a trap),
            rotations are about the origin.
        rotation: Whether the energy is the same however the cluster is turned.
        inversion: Whether mirror images have the same energy.
    """

    species: tuple[int, ...] = eqx.field(static=True)
    dim: int = eqx.field(static=True, default=3)
    translation: bool = eqx.field(static=True, default=True)
    rotation: bool = eqx.field(static=True, default=True)
    inversion: bool = eqx.field(static=True, default=True)

    def __check_init__(self):
        _particles.check_species(self.species, self.dim)

    def zero_modes(self, x: Block) -> Float[Array, "modes dof *lanes"]:
        """`dim` translations, then one (2-d) or three (3-d) rotations."""
        r = _centred(self, x)
        modes = [jnp.zeros((0, *r.shape), r.dtype)]
        if self.translation:
            modes.append(_invariants.translation_modes(r))
        if self.rotation:
            modes.append(_invariants.rotation_modes(r))
        stacked = jnp.concatenate(modes)
        return stacked.reshape(stacked.shape[0], *x.shape)

    def expected_zero_modes(self, x: HostPoint) -> int:
        """6 in space, 5 for a line, 3 for one particle; 3 in the plane."""
        turns = _particles.rotations(_cluster(self, x)[0], self.dim) if self.rotation else 0
        return self.dim * self.translation + turns

    def fingerprint(self, x: Block) -> _invariants.Features:
        """Six means of pair distances and six invariants of the shape."""
        return _particles.rigid_fingerprint(_centred(self, x), self.species)

    def canonical(self, x: HostPoint) -> HostPoint:
        """`x` with its centroid at the origin."""
        return _particles.flat(_cluster(self, x)[0], self.dim)

    def match(self, x: HostPoint, y: HostPoint, tol: float) -> HostPoint | None:
        """The image of `y` on `x`; exact, and anchored on the rarest particles."""
        (a, centre), (b, _) = _cluster(self, x), _cluster(self, y)
        image = np.empty_like(a)
        if _count_cluster(self, a, b, tol, image, every=False) == 0:
            return None
        return _particles.flat(image + centre, self.dim)

    def operation(self, x: HostPoint, y: HostPoint, tol: float) -> Operation | None:
        """Relabelling, rotation or mirror operation, and shift of the centre."""
        (a, centre), (b, old) = _cluster(self, x), _cluster(self, y)
        image, labels = np.empty_like(a), _operation.unlabelled(a)
        if _count_cluster(self, a, b, tol, image, labels, every=False) == 0:
            return None
        if not self.rotation:
            turn = _fixed(self)[labels[-1]]
        else:
            turn = _operation.rotation(a, b[labels[:-1]], self.dim, improper=self.inversion)
        shift = np.broadcast_to(centre - turn @ old, a.shape)
        return Operation.of(labels[:-1], turn, shift, self.dim)

    def align(self, x: HostPoint, y: HostPoint) -> tuple[HostPoint, float]:
        """The best of many rotations, each improved by relabelling and turning."""
        (a, centre), (b, _) = _cluster(self, x), _cluster(self, y)
        species = _particles.ranks(self.species)
        image = np.empty_like(a)
        if _count_cluster(self, a, b, _particles.small(a), image, every=False) == 0:
            if self.rotation:
                image = _alignment.align_rigid(a, b, species, self.dim, improper=self.inversion)
            else:
                nothing = np.zeros(3)
                image = _alignment.align_shifted(a, b, species, nothing, _fixed(self), free=False)
        return _particles.result(image + centre, x, self.dim)

    def order(self, x: HostPoint, tol: float) -> int:
        """Number of rotations and mirror operations, the order of the point group.

        For a line the turns about itself and the mirrors that contain it are not counted one by
        one: the order is the number of connected parts of the group, 2 for C∞v and 4 for D∞h
        (1 and 2 without `inversion`: the usual symmetry numbers), which keeps
        `exp(log_group_order()) / order` the number of distinct isomers.
        """
        a, _ = _cluster(self, x)
        return _count_cluster(self, a, a, tol, np.empty_like(a), every=True)

    def log_group_order(self) -> float:
        """log(2 Π_s N_s!), or without the 2 when mirror images differ."""
        return _particles.log_permutations(self.species) + (
            math.log(2.0) if self.inversion else 0.0
        )


# Functions, not methods: binding a method of an Equinox module costs more than a whole match.


def _centred(symmetry: ClusterSymmetry, x: Block) -> _invariants.Particles:
    r = x.reshape(len(symmetry.species), symmetry.dim, *x.shape[1:])
    return r - jnp.mean(r, axis=0) if symmetry.translation else r


def _cluster(symmetry: ClusterSymmetry, x: HostPoint) -> tuple[np.ndarray, np.ndarray]:
    """The particles about their centre, and the centre."""
    r = _particles.spatial(x, len(symmetry.species), symmetry.dim)
    centre = np.add.reduce(r) / len(r) if symmetry.translation else np.zeros(3)
    return r - centre, centre


def _fixed(symmetry: ClusterSymmetry) -> np.ndarray:
    """The operations left when rotation is no symmetry."""
    both = np.stack([np.eye(3), _alignment.mirror(symmetry.dim)])
    return both if symmetry.inversion else both[:1]


def _count_cluster(
    symmetry: ClusterSymmetry,
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
    if symmetry.rotation:
        return _matching.match_rigid(
            a, b, species, symmetry.dim, symmetry.inversion, 0.0, tol, every, image, labels
        )
    scale = max(float(np.std(a)), tol)
    return _matching.match_shifted(
        a, b, species, np.zeros(3), _fixed(symmetry), False, scale, tol, every, image, labels
    )
