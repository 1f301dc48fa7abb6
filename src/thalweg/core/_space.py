"""Spaces: how flat points are read, moved and kept where they belong.

A space is the only thing that knows the shape behind a flat vector. Algorithms ask it four
questions: how to ravel and unravel, where a displaced point really lies (`retract`), how far
apart two points are in it (`difference`), and which points are lost to it (`extent`, `contains`).
"""

import abc
import math

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from ._shapes import Block, Point


class AbstractSpace(eqx.Module):
    """The set that points live in, as flat vectors of length `dof`.

    Attributes:
        extent: Largest coordinate a point may have before it counts as escaped.
    """

    extent: eqx.AbstractVar[float]

    @property
    @abc.abstractmethod
    def dof(self) -> int:
        """Number of coordinates of a point."""

    @abc.abstractmethod
    def unravel(self, x: Point) -> PyTree:
        """The structured value behind a flat point."""

    @abc.abstractmethod
    def ravel(self, value: PyTree) -> Point:
        """The flat point of a structured value."""

    @abc.abstractmethod
    def retract(self, x: Block) -> Block:
        """The representative of `x` in the space (wrapped into the box, put on the sphere)."""

    @abc.abstractmethod
    def difference(self, x: Block, y: Block) -> Block:
        """The shortest displacement from `x` to `y`."""

    def contains(self, x: Float[np.ndarray, "points dof"]) -> Bool[np.ndarray, " points"]:
        """Whether points, one a row, belong to the region of interest: within the extent.

        Searches may cross other regions; what they find there is not kept.
        """
        return np.max(np.abs(x), axis=1) <= self.extent


class FreeSpace(AbstractSpace):
    """Euclidean space of arrays of one shape, such as `(atoms, 3)`.

    Attributes:
        shape: Shape of the array behind a point.
        extent: Largest coordinate a point may have before it counts as escaped.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    extent: float = eqx.field(static=True, default=math.inf, kw_only=True)

    @property
    def dof(self) -> int:
        """Number of coordinates of a point."""
        return math.prod(self.shape)

    def unravel(self, x: Point) -> Float[Array, "..."]:
        """`x` in the space's shape."""
        return x.reshape(self.shape)

    def ravel(self, value: Float[Array, "..."]) -> Point:
        """`value`, flat."""
        return jnp.asarray(value).reshape(self.dof)

    def retract(self, x: Block) -> Block:
        """`x` itself."""
        return x

    def difference(self, x: Block, y: Block) -> Block:
        """`y - x`."""
        return y - x


class PeriodicSpace(AbstractSpace):
    """Particles in an orthorhombic periodic box.

    Attributes:
        count: Number of particles.
        box: Edge lengths, one for each dimension.
    """

    count: int = eqx.field(static=True)
    box: tuple[float, ...] = eqx.field(static=True)
    extent: float = eqx.field(static=True, default=math.inf, kw_only=True)

    @property
    def dof(self) -> int:
        """Number of coordinates of a point."""
        return self.count * len(self.box)

    def _edges(self, x: Block) -> Float[Array, "..."]:
        edges = jnp.tile(jnp.asarray(self.box, x.dtype), self.count)
        return edges.reshape((self.dof,) + (1,) * (x.ndim - 1))

    def unravel(self, x: Point) -> Float[Array, "count dim"]:
        """`x` as `(count, dim)`."""
        return x.reshape(self.count, len(self.box))

    def ravel(self, value: Float[Array, "count dim"]) -> Point:
        """`value`, flat."""
        return jnp.asarray(value).reshape(self.dof)

    def retract(self, x: Block) -> Block:
        """`x` with every particle wrapped into the box, `[0, edge)`."""
        edges = self._edges(x)
        return x - edges * jnp.floor(x / edges)

    def difference(self, x: Block, y: Block) -> Block:
        """The minimum-image displacement of every particle."""
        edges = self._edges(x)
        delta = y - x
        return delta - edges * jnp.round(delta / edges)


class SphereSpace(AbstractSpace):
    """`count` points, each on a sphere of the given radius in `dim` dimensions.

    Energies on it are functions of direction only (they normalise their argument), so that the
    radial directions are exact zero modes and the unconstrained Hessian, with those removed, is
    the Riemannian one at a stationary point.
    """

    count: int = eqx.field(static=True)
    dim: int = eqx.field(static=True, default=3)
    radius: float = eqx.field(static=True, default=1.0)
    extent: float = eqx.field(static=True, default=math.inf, kw_only=True)

    @property
    def dof(self) -> int:
        """Number of coordinates of a point."""
        return self.count * self.dim

    def unravel(self, x: Point) -> Float[Array, "count dim"]:
        """`x` as `(count, dim)`."""
        return x.reshape(self.count, self.dim)

    def ravel(self, value: Float[Array, "count dim"]) -> Point:
        """`value`, flat."""
        return jnp.asarray(value).reshape(self.dof)

    def retract(self, x: Block) -> Block:
        """Every vector scaled to the radius."""
        vectors = x.reshape(self.count, self.dim, *x.shape[1:])
        norm = jnp.sqrt(jnp.sum(vectors**2, axis=1, keepdims=True))
        return (self.radius * vectors / norm).reshape(x.shape)

    def difference(self, x: Block, y: Block) -> Block:
        """The chord `y - x`."""
        return y - x


class FlatSpace(AbstractSpace):
    """Any pytree of arrays, raveled: the parameters of a network, the state of a circuit."""

    template: PyTree
    extent: float = eqx.field(static=True, default=math.inf, kw_only=True)

    @property
    def dof(self) -> int:
        """Number of coordinates of a point."""
        return sum(jnp.size(leaf) for leaf in jax.tree.leaves(self.template))

    def unravel(self, x: Point) -> PyTree:
        """`x` as a pytree like the template."""
        return jax.flatten_util.ravel_pytree(self.template)[1](x)

    def ravel(self, value: PyTree) -> Point:
        """`value`, flat."""
        return jax.flatten_util.ravel_pytree(value)[0]

    def retract(self, x: Block) -> Block:
        """`x` itself."""
        return x

    def difference(self, x: Block, y: Block) -> Block:
        """`y - x`."""
        return y - x


_ROWS = 64
"""Rows that `retract_rows` gives to one compiled call."""


def retract_rows(
    space: AbstractSpace, x: Float[Array | np.ndarray, "points dof"]
) -> Float[np.ndarray, "points dof"]:
    """`space.retract` of many points on the host, one row each; one program for any number."""
    rows = np.asarray(x)
    blocks = -(-len(rows) // _ROWS)
    padded = np.resize(rows, (blocks * _ROWS, rows.shape[1])) if len(rows) else rows
    parts = [
        np.asarray(_retract_block(space, jnp.asarray(part)))
        for part in padded.reshape(blocks, _ROWS, rows.shape[1])
    ]
    return np.concatenate([padded[:0], *parts])[: len(rows)]


@eqx.filter_jit
def _retract_block(
    space: AbstractSpace, x: Float[Array, "points dof"]
) -> Float[Array, "points dof"]:
    return space.retract(x.T).T
