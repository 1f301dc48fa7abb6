"""Where a target lives: which points exist at all, and which of them are the same."""

import abc
import math
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Bool, Float, Point, PRNGKey, Scalar


class AbstractSupport(eqx.Module):
    """A set of points with finite volume, outside of which every weight is zero."""

    @abc.abstractmethod
    def wrap(self, x: Float[Array, "dof chains"]) -> Float[Array, "dof chains"]:
        """The representative of every point."""

    @abc.abstractmethod
    def contains(self, x: Float[Array, "dof chains"]) -> Bool[Array, " chains"]:
        """Which points of a block belong to it."""

    @abc.abstractmethod
    def uniform(self, key: PRNGKey, dof: int, count: int) -> Float[Array, "dof count"]:
        """Points drawn uniformly."""

    @abc.abstractmethod
    def volume(self, dof: int) -> float:
        """Its volume in `dof` dimensions."""


class Box(AbstractSupport):
    """An axis-parallel box; `periodic` makes opposite faces the same.

    Attributes:
        lower: Lower bounds, one number or one for each coordinate.
        upper: Upper bounds.
        periodic: Whether what leaves on one side comes back on the other.
    """

    lower: tuple[float, ...] = eqx.field(static=True)
    upper: tuple[float, ...] = eqx.field(static=True)
    periodic: bool = eqx.field(static=True)

    def __init__(
        self,
        lower: float | int | Sequence[float],
        upper: float | int | Sequence[float],
        *,
        periodic: bool = False,
    ):
        """See the class."""
        self.lower = _numbers(lower)
        self.upper = _numbers(upper)
        self.periodic = periodic
        pairs = zip(self.lower, self.upper, strict=False)
        if len(self.lower) != len(self.upper) or not all(
            math.isfinite(a) and math.isfinite(b) and a < b for a, b in pairs
        ):
            raise ArgumentError(
                f"Box({lower}, {upper}): expected as many finite lower bounds as upper ones, each "
                "below its partner",
                "Box(-1.0, 1.0), for one; leave support= out for a target without bounds",
            )

    def _edges(self, x: Float[Array, "dof chains"]) -> tuple[Array, Array]:
        if len(self.lower) not in {1, x.shape[0]}:
            raise ArgumentError(
                f"support has {len(self.lower)} bounds, and the target {x.shape[0]} coordinates"
            )
        low = jnp.asarray(self.lower, x.dtype)[:, None]
        return low, jnp.asarray(self.upper, x.dtype)[:, None]

    def wrap(self, x: Float[Array, "dof chains"]) -> Float[Array, "dof chains"]:
        """Back into the box if it is periodic, else `x` itself."""
        if not self.periodic:
            return x
        low, high = self._edges(x)
        return x - (high - low) * jnp.floor((x - low) / (high - low))

    def contains(self, x: Float[Array, "dof chains"]) -> Bool[Array, " chains"]:
        """Which points of a block are inside."""
        low, high = self._edges(x)
        return jnp.all((x >= low) & (x <= high), axis=0)

    def uniform(self, key: PRNGKey, dof: int, count: int) -> Float[Array, "dof count"]:
        """Points drawn uniformly."""
        u = jax.random.uniform(key, (dof, count))
        low, high = self._edges(u)
        return low + (high - low) * u

    def volume(self, dof: int) -> float:
        """Product of the edges."""
        edges = [b - a for a, b in zip(self.lower, self.upper, strict=True)]
        return math.prod(edges if len(edges) > 1 else edges * dof)


class Domain(eqx.Module):
    """Shape, support and exactly known prior of a target: what its noise has no part in.

    Attributes:
        shape: Shape of a point as the user's function sees it; `()` is a number.
        support: Where the target lives, `None` for everywhere.
        prior: Exact log-density that multiplies the weight, a function of one point.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    support: AbstractSupport | None
    prior: Callable | None

    def __check_init__(self):
        if any(n < 1 for n in self.shape):
            raise ArgumentError(f"shape={self.shape} must hold positive numbers")
        if self.prior is not None and not callable(self.prior):
            raise ArgumentError(
                f"prior is a {type(self.prior).__name__}, expected a function of one point"
            )

    @property
    def dof(self) -> int:
        """Number of coordinates."""
        return math.prod(self.shape)

    def wrap(self, x: Float[Array, "dof chains"]) -> Float[Array, "dof chains"]:
        """The representative of every point of a block."""
        return x if self.support is None else self.support.wrap(x)

    def difference(
        self, x: Float[Array, "dof chains"], y: Float[Array, "dof chains"]
    ) -> Float[Array, "dof chains"]:
        """Shortest displacement from `x` to `y`."""
        away = y - x
        if not isinstance(self.support, Box) or not self.support.periodic:
            return away
        low, high = self.support._edges(x)
        edge = high - low
        return away - edge * jnp.round(away / edge)

    def log_prior(self, x: Float[Array, "dof chains"]) -> Float[Array, " chains"]:
        """Log-density of the prior; `-inf` outside the support, zero without a prior."""
        value = jnp.zeros(x.shape[1], x.dtype)
        if self.prior is not None:
            value = jax.vmap(self.point_function(self.prior), in_axes=-1)(x).astype(x.dtype)
        if self.support is not None and not (
            isinstance(self.support, Box) and self.support.periodic
        ):
            value = jnp.where(self.support.contains(x), value, -jnp.inf)
        return value

    def point_function(self, function: Callable) -> Callable[[Point], Scalar]:
        """The user's function of a shaped point as one of a flat point."""
        return lambda x: jnp.asarray(function(x.reshape(self.shape)))


def _numbers(value: float | int | Sequence[float]) -> tuple[float, ...]:
    if isinstance(value, int | float):
        return (float(value),)
    return tuple(float(one) for one in value)
