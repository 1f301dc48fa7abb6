"""The spherical p-spin glass: a random homogeneous polynomial on a sphere."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from thalweg.core import AbstractEnergy, ArgumentError, Point, Scalar

_LARGEST = 10_000_000
"""Most couplings of a glass."""


class PSpin(AbstractEnergy):
    """`scale · Σ J_{i₁…i_p} x_{i₁} ⋯ x_{i_p}` of the point of the sphere `|x|² = N` along `x`.

    A function of the direction alone: moving along `x` is a zero mode. With the scale
    `N^(-(p-1)/2)` and independent normal couplings the variance is `N`; at large N the ground
    state then has -1.6570 a spin for p = 3, and the energy below which minima prevail is
    `-2 √((p-1)/p)` a spin. For p = 2 the stationary points are the eigenvectors of the symmetrised
    couplings. Only the symmetric part of the couplings matters; p odd makes `x ↦ -x` change the
    sign of the energy, p even keeps it.

    Attributes:
        couplings: `(N, …, N)`, p axes.
        scale: Prefactor.

    Source: A. Auffinger, G. Ben Arous and J. Černý, Commun. Pure Appl. Math. 66, 165 (2013);
    A. Crisanti and H.-J. Sommers, Z. Phys. B 87, 341 (1992).
    """

    couplings: Float[Array, "..."]
    scale: float | Scalar = eqx.field(default=1.0)

    def __check_init__(self):
        shape = self.couplings.shape
        if len(shape) < 2 or len(set(shape)) != 1:
            raise ArgumentError(
                f"couplings have the shape {shape}, expected one size for all of 2 or more axes"
            )

    @property
    def p(self) -> int:
        """Spins that each term couples."""
        return self.couplings.ndim

    @property
    def size(self) -> int:
        """Number of spins N."""
        return self.couplings.shape[0]

    def __call__(self, x: Point) -> Scalar:
        """The energy of the direction of `x`."""
        spin = x * jnp.sqrt(self.size / jnp.sum(x**2))
        value = self.couplings
        for _ in range(self.couplings.ndim):
            value = value @ spin
        return self.scale * value


def random_p_spin(p: int, size: int, seed: int) -> PSpin:
    """Independent standard normal couplings, scaled so that the variance of the energy is N.

    Args:
        p: Spins that each term couples.
        size: Number of spins N.
        seed: Of the couplings, drawn by `jax.random`; the same on every machine.

    Raises:
        ArgumentError: if there would be more than ten million couplings.
    """
    if size**p > _LARGEST:
        raise ArgumentError(
            f"{size} spins with p={p} have {size**p:,} couplings, at most {_LARGEST:,} are held"
        )
    couplings = jax.random.normal(jax.random.key(seed), (size,) * p, jnp.float64)
    return PSpin(couplings, math.pow(size, -0.5 * (p - 1)))
