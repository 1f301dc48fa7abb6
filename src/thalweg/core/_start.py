"""Where searches begin: laws over points that need no knowledge of the energy."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._shapes import Point, PRNGKey


class AbstractStart(eqx.Module):
    """A law over starting points, `key → x`."""

    @abc.abstractmethod
    def __call__(self, key: PRNGKey) -> Point:
        """One starting point, shape `(dof,)`."""


class BoxStart(AbstractStart):
    """Uniform in the cube of the given half-width about the origin."""

    dof: int = eqx.field(static=True)
    half_width: float = eqx.field(static=True)

    def __call__(self, key: PRNGKey) -> Point:
        """Independent uniform coordinates."""
        return jax.random.uniform(key, (self.dof,), minval=-self.half_width, maxval=self.half_width)


class BoundsStart(AbstractStart):
    """Uniform between two corners, shapes `(dof,)`."""

    lower: Float[Array, " dof"]
    upper: Float[Array, " dof"]

    def __call__(self, key: PRNGKey) -> Point:
        """Independent uniform coordinates."""
        return jax.random.uniform(key, self.lower.shape, minval=self.lower, maxval=self.upper)


class BallStart(AbstractStart):
    """`count` particles, each uniform in a ball (or, with `surface`, on its sphere)."""

    count: int = eqx.field(static=True)
    radius: float = eqx.field(static=True)
    dim: int = eqx.field(static=True, default=3)
    surface: bool = eqx.field(static=True, default=False)

    def __call__(self, key: PRNGKey) -> Point:
        """Isotropic directions times a radius drawn for uniform density."""
        direction_key, radius_key = jax.random.split(key)
        vectors = jax.random.normal(direction_key, (self.count, self.dim))
        vectors = vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True)
        uniform = jax.random.uniform(radius_key, (self.count, 1))
        radius = 1.0 if self.surface else uniform ** (1.0 / self.dim)
        return (self.radius * radius * vectors).reshape(-1)


class NormalStart(AbstractStart):
    """Independent normal coordinates about a centre, shape `(dof,)`."""

    centre: Float[Array, " dof"]
    scale: float = eqx.field(static=True, default=1.0)

    def __call__(self, key: PRNGKey) -> Point:
        """`centre + scale · N(0, 1)`."""
        return self.centre + self.scale * jax.random.normal(key, self.centre.shape)
