"""Points on a sphere in four dimensions and more, modulo rotation, mirror images and relabelling.

Two configurations are the same where some relabelling makes their matrices of inner products
equal. It is looked for from a *frame*, as many points of one as there are dimensions: partners in
the other are tried one after the other, each must have the right products with those before it,
and a whole frame fixes the orthogonal matrix. The order of a point group is the product of the
orbits of the points of the frame, each under what keeps those before it; so the 51,840 operations
of 27 points in six dimensions are counted by looking for 27 + 16 + 10 + 6 + 3 + 2 of them.

Source: orbits and stabilisers, Sims, in *Computational Problems in Abstract Algebra* (1970).
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import optimize

from . import _invariants, _particles
from ._errors import ArgumentError
from ._operation import Operation
from ._particles import HostPoint
from ._shapes import Block
from ._symmetry import AbstractSymmetry

_FLAT = 1e-6
"""A point that is nearer than this to the span of others adds no dimension."""

_STARTS = 24
"""Orthogonal matrices from which an alignment of different points is improved."""

_ROUNDS = 30
"""Relabelling and turning settle within a few rounds."""

_UNRELATED = 1e3
"""Price of relabelling a point to one of another species."""

Directions = Float[np.ndarray, "count dim"]
Labels = Int[np.ndarray, " count"]


class HypersphereSymmetry(AbstractSymmetry):
    """Points on a sphere about the origin in any dimension: all orthogonal maps, and relabelling.

    As with `SphereSymmetry`, the energy is a function of directions. Mirror images are the same.

    Attributes:
        species: Kind of each point; points of one kind are interchangeable.
        dim: Dimension, 2 or more; `SphereSymmetry` is faster in 2 and 3.
        radius: Radius of the sphere that `canonical` puts points on.
    """

    species: tuple[int, ...] = eqx.field(static=True)
    dim: int = eqx.field(static=True)
    radius: float = eqx.field(static=True, default=1.0)

    def __check_init__(self):
        if len(self.species) == 0:
            raise ArgumentError("species is empty: give one integer for each point")
        if self.dim < 2:
            raise ArgumentError(f"dim={self.dim} must be 2 or more")

    def zero_modes(self, x: Block) -> Float[jax.Array, "modes dof *lanes"]:
        """One radial direction for each point, then one rotation for each pair of axes."""
        r = x.reshape(len(self.species), self.dim, *x.shape[1:])
        modes = jnp.concatenate([_invariants.radial_modes(r), _rotation_modes(r)])
        return modes.reshape(modes.shape[0], *x.shape)

    def expected_zero_modes(self, x: HostPoint) -> int:
        """One for each point, and the rotations that move any."""
        left = self.dim - len(_frame(_directions(self, x)))
        moving = self.dim * (self.dim - 1) // 2 - left * (left - 1) // 2
        return len(self.species) + moving

    def fingerprint(self, x: Block) -> _invariants.Features:
        """Six means of chord lengths and six invariants of the shape."""
        r = x.reshape(len(self.species), self.dim, *x.shape[1:])
        r = self.radius * r / jnp.sqrt(jnp.sum(r**2, axis=1, keepdims=True))
        return _particles.rigid_fingerprint(r, self.species)

    def canonical(self, x: HostPoint) -> HostPoint:
        """`x` with every point put on the sphere."""
        return (self.radius * _directions(self, x)).reshape(-1)

    def match(self, x: HostPoint, y: HostPoint, tol: float) -> HostPoint | None:
        """The image of `y` that lies on the sphere on `x`."""
        found = self._matched(x, y, tol)
        if found is None:
            return None
        labels, turn = found
        return (self.radius * (_directions(self, y)[labels] @ turn.T)).reshape(-1)

    def operation(self, x: HostPoint, y: HostPoint, tol: float) -> Operation | None:
        """Relabelling, and one orthogonal map about the origin."""
        found = self._matched(x, y, tol)
        if found is None:
            return None
        labels, turn = found
        return Operation(labels, turn, np.zeros((len(labels), self.dim)))

    def _matched(
        self, x: HostPoint, y: HostPoint, tol: float
    ) -> tuple[Labels, Float[np.ndarray, "dim dim"]] | None:
        search = _Search(self, _directions(self, x), _directions(self, y), tol / self.radius)
        return search.extend([])

    def align(self, x: HostPoint, y: HostPoint) -> tuple[HostPoint, float]:
        """The best of many turns, each improved by relabelling and turning."""
        a, b = _directions(self, x), _directions(self, y)
        found = self._matched(x, y, 1e-4 * self.radius)
        image = b[found[0]] @ found[1].T if found else _closest(self, a, b)
        nearest = (self.radius * image).reshape(-1)
        return nearest, float(np.linalg.norm(nearest - self.canonical(x)))

    def order(self, x: HostPoint, tol: float) -> int:
        """Number of relabellings that some orthogonal map undoes."""
        a = _directions(self, x)
        search = _Search(self, a, a, tol / self.radius)
        frame = search.frame.tolist()
        orbits = [
            sum(search.extend([*frame[:k], c]) is not None for c in range(len(a)))
            for k in range(len(frame))
        ]
        return math.prod(orbits)

    def log_group_order(self) -> float:
        """log(2 Π_s N_s!)."""
        return _particles.log_permutations(self.species) + math.log(2.0)


class _Search:
    """Looks for orthogonal maps that bring relabelled points `b` on points `a`."""

    def __init__(
        self, symmetry: HypersphereSymmetry, a: Directions, b: Directions, tol: float
    ) -> None:
        self.a, self.b, self.tol = a, b, tol
        self.slack = 2.1 * math.sqrt(symmetry.dim) * tol
        self.products = a @ a.T, b @ b.T
        kinds = _particles.ranks(symmetry.species)
        self.alike: Bool[np.ndarray, "count count"] = kinds[:, None] == kinds
        self.frame = _frame(a)
        rows = [np.sort(g, axis=1) for g in self.products]
        self.possible = self.alike[self.frame] & np.all(
            np.abs(rows[0][self.frame][:, None] - rows[1]) <= self.slack, axis=2
        )

    def extend(self, chosen: list[int]) -> tuple[Labels, Float[np.ndarray, "dim dim"]] | None:
        """A map that brings these points on the first of the frame; `None` without one."""
        for k in range(len(chosen)):
            if not self._fits(chosen[:k])[chosen[k]]:
                return None
        if len(chosen) == len(self.frame):
            return self._completed(chosen)
        for candidate in np.flatnonzero(self._fits(chosen)).tolist():
            found = self.extend([*chosen, candidate])
            if found is not None:
                return found
        return None

    def _fits(self, chosen: list[int]) -> Bool[np.ndarray, " count"]:
        """Points that may come next."""
        k = len(chosen)
        wanted = self.products[0][self.frame[k], self.frame[:k]]
        near = np.all(np.abs(self.products[1][:, chosen] - wanted) <= self.slack, axis=1)
        near[chosen] = False
        return self.possible[k] & near

    def _completed(self, chosen: list[int]) -> tuple[Labels, Float[np.ndarray, "dim dim"]] | None:
        """The map of a whole frame, if it brings every point on another."""
        image = self.b @ _turn(self.a[self.frame], self.b[chosen]).T
        labels = np.argmax(np.where(self.alike, self.a @ image.T, -np.inf), axis=1)
        if len(np.unique(labels)) < len(labels):
            return None
        turn = _turn(self.a, self.b[labels])
        away = np.abs(self.a - self.b[labels] @ turn.T)
        return (labels, turn) if np.all(away <= self.tol) else None


def _directions(symmetry: HypersphereSymmetry, x: HostPoint) -> Directions:
    r = np.asarray(x, np.float64).reshape(len(symmetry.species), symmetry.dim)
    return r / np.linalg.norm(r, axis=1, keepdims=True)


def _frame(a: Directions) -> Int[np.ndarray, " frame"]:
    """Points that span all, each the farthest from the span of those before it."""
    left, frame = a.copy(), []
    while len(frame) < a.shape[1]:
        height = np.linalg.norm(left, axis=1)
        highest = int(np.argmax(height > (1.0 - 1e-6) * height.max()))
        if height[highest] < _FLAT:
            break
        unit = left[highest] / height[highest]
        left = left - np.outer(left @ unit, unit)
        frame.append(highest)
    return np.asarray(frame, np.int64)


def _turn(a: Directions, b: Directions) -> Float[np.ndarray, "dim dim"]:
    """The orthogonal matrix that brings `b` nearest to `a`, point by point (Procrustes)."""
    u, _, v = np.linalg.svd(a.T @ b)
    return u @ v


def _closest(symmetry: HypersphereSymmetry, a: Directions, b: Directions) -> Directions:
    kinds = _particles.ranks(symmetry.species)
    apart = _UNRELATED * (kinds[:, None] != kinds)
    rows = [np.sort(r @ r.T, axis=1) for r in (a, b)]
    away = np.sum((rows[0][:, None] - rows[1]) ** 2, axis=2)
    alike = optimize.linear_sum_assignment(apart + away)[1]  # by what each sees of the others
    turns = np.asarray(
        jax.random.orthogonal(jax.random.key(0), symmetry.dim, (_STARTS,), np.float64)
    )
    best, image = np.inf, b
    for turn in [_turn(a, b[alike]), np.eye(symmetry.dim), *turns]:
        labels = np.full(len(a), -1)
        for _ in range(_ROUNDS):
            new = optimize.linear_sum_assignment(apart - a @ (b @ turn.T).T)[1]
            if np.array_equal(new, labels):
                break
            labels = new
            turn = _turn(a, b[labels])
        now = b[labels] @ turn.T
        distance = float(np.sum((a - now) ** 2))
        if distance < best:
            best, image = distance, now
    return image


def _rotation_modes(
    r: _invariants.Particles,
) -> Float[jax.Array, "modes particles dim *lanes"]:
    """Orthonormal rotations about the origin, one for each pair of axes.

    A row is zero where a rotation moves nothing: points that span fewer dimensions. With the
    eigenvectors `e_k` and eigenvalues `λ_k` of `Σ r rᵀ`, turning in the plane of `e_k` and `e_l`
    moves the points by a squared length of `λ_k + λ_l`, and these turns are orthogonal.
    """
    dim = r.shape[1]
    second = jnp.einsum("pi...,pj...->...ij", r, r)
    values, axes = jnp.linalg.eigh(second)
    k, l = np.triu_indices(dim, 1)
    along = jnp.einsum("...ik,pi...->pk...", axes, r)
    size = jnp.moveaxis(values[..., k] + values[..., l], -1, 0)
    present = size > _invariants.MISSING * jnp.sum(values, axis=-1)
    scale = jnp.where(present, 1.0 / jnp.sqrt(jnp.where(present, size, 1.0)), 0.0)
    first = jnp.moveaxis(axes[..., :, k], (-1, -2), (0, 1))
    other = jnp.moveaxis(axes[..., :, l], (-1, -2), (0, 1))
    up = jnp.moveaxis(along[:, k], 1, 0)[:, :, None] * other[:, None]
    down = jnp.moveaxis(along[:, l], 1, 0)[:, :, None] * first[:, None]
    return (up - down) * scale[:, None, None]
