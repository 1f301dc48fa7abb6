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
        _check(self.species, self.dim)

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
        _check(self.species, len(self.box))
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
        _check(self.species, self.dim)

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


def _check(species: tuple[int, ...], dim: int) -> None:
    if len(species) == 0:
        raise ArgumentError("species is empty: give one integer for each particle")
    if dim not in {2, 3}:
        raise ArgumentError(f"dim={dim} must be 2 or 3")


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
