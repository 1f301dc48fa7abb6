"""White noise on a flow, in the convention `dx = f dt + L S dW` with `S = diag(1/√τ)`."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from thalweg.core import ArgumentError, Point


class WhiteNoise(eqx.Module):
    """Gaussian white noise `L S dW` on a flow, `S = diag(1/√τ)`; read in Itô's sense.

    A time constant divides the noise as it divides the velocity, so that a circuit
    `τ dx/dt = -x + …` keeps the units of its noise whatever its time constants.

    Attributes:
        strength: `L`: one number η (`L = η·1`), one for each coordinate `(dof,)`, or a matrix
            `(dof, dof)`; or a function `(t, x, drive)` that returns one of them.
        time_constants: `τ`, a number or `(dof,)`, in the time unit of the flow.
    """

    strength: float | Float[Array, "..."] | Callable[..., Any]
    time_constants: float | Float[Array, "..."] = 1.0

    def __check_init__(self):
        tau = jnp.asarray(self.time_constants)
        if tau.ndim > 1 or not bool(jnp.all(tau > 0)):
            raise ArgumentError(
                f"WhiteNoise(time_constants={tau}) must be positive: a number or (dof,)"
            )

    @property
    def additive(self) -> bool:
        """Whether the strength is the same everywhere."""
        return not callable(self.strength)

    def matrix(
        self, x: Point, drive: PyTree = None, t: float | Float[Array, ""] = 0.0
    ) -> Float[Array, "dof dof"]:
        """`L S` at a point, shape `(dof, dof)`.

        Raises:
            ArgumentError: if the strength does not fit the point.
        """
        size = x.shape[0]
        now = jnp.asarray(t, x.dtype)
        strength = self.strength(now, x, drive) if callable(self.strength) else self.strength
        strength = jnp.asarray(strength, x.dtype)
        if strength.shape not in {(), (size,), (size, size)}:
            raise ArgumentError(
                f"WhiteNoise(strength=…) has shape {strength.shape}",
                f"for {size} coordinates it is a number, ({size},) or ({size}, {size})",
            )
        tau = jnp.asarray(self.time_constants, x.dtype)
        if tau.shape not in {(), (size,)}:
            raise ArgumentError(
                f"WhiteNoise(time_constants=…) has shape {tau.shape}",
                f"for {size} coordinates it is a number or ({size},)",
            )
        scale = jnp.broadcast_to(1.0 / jnp.sqrt(tau), (size,))
        if strength.ndim < 2:
            return jnp.diag(jnp.broadcast_to(strength, (size,)) * scale)
        return strength * scale

    def diffusion(
        self, x: Point, drive: PyTree = None, t: float | Float[Array, ""] = 0.0
    ) -> Float[Array, "dof dof"]:
        """`Q = (L S)(L S)ᵀ`, the covariance that the noise adds in a unit of time."""
        root = self.matrix(x, drive, t)
        return root @ root.T
