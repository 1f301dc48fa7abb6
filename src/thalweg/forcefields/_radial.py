"""Functions of a distance: envelopes that end at a cutoff, and bases that resolve what is within.

An envelope goes to zero at the cutoff with its first derivatives: the cosine with one (its
curvature jumps), the polynomial with two, the bump with all of them.
"""

import abc

import equinox as eqx
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Float

from ._learned import AbstractPart


def cosine_envelope(r: Float[Array, "*m"], cutoff: float) -> Float[Array, "*m"]:
    """`½ (cos(π r / c) + 1)`, of Behler and Parrinello: its curvature jumps at the cutoff.

    Source: J. Behler and M. Parrinello, Phys. Rev. Lett. 98, 146401 (2007).
    """
    return 0.5 * (jnp.cos(jnp.pi * jnp.minimum(r / cutoff, 1.0)) + 1.0)


def polynomial_envelope(r: Float[Array, "*m"], cutoff: float, p: int = 6) -> Float[Array, "*m"]:
    """`1 - (p+1)(p+2)/2 xᵖ + p(p+2) xᵖ⁺¹ - p(p+1)/2 xᵖ⁺²`: two continuous derivatives.

    Source: J. Gasteiger, J. Groß and S. Günnemann, ICLR 2020, eq. 8.
    """
    x = jnp.minimum(r / cutoff, 1.0)
    a, b, c = (p + 1) * (p + 2) / 2, p * (p + 2), p * (p + 1) / 2
    return 1.0 - x**p * (a - x * (b - c * x))


def bump_envelope(r: Float[Array, "*m"], cutoff: float) -> Float[Array, "*m"]:
    """`exp(1 - 1 / (1 - x²))`: all derivatives are continuous."""
    x = r / cutoff
    within = x < 1.0
    gap = jnp.where(within, 1.0 - x * x, 1.0)
    return jnp.where(within, jnp.exp(1.0 - 1.0 / gap), 0.0)


_ENVELOPES = {
    "cosine": cosine_envelope,
    "polynomial": polynomial_envelope,
    "bump": bump_envelope,
}


def envelope(name: str, r: Float[Array, "*m"], cutoff: float) -> Float[Array, "*m"]:
    """The envelope of that name.

    Raises:
        ArgumentError: if there is none.
    """
    if name not in _ENVELOPES:
        raise ArgumentError(
            f"envelope={name!r} is not known", f"one of {', '.join(sorted(_ENVELOPES))}"
        )
    return _ENVELOPES[name](r, cutoff)


class AbstractBasis(AbstractPart):
    """Functions of a distance in nm, finite for every distance.

    Attributes:
        count: How many.
        cutoff: End of the interval that they resolve, in nm.
    """

    count: eqx.AbstractVar[int]
    cutoff: eqx.AbstractVar[float]

    @abc.abstractmethod
    def __call__(self, r: Float[Array, "*m"]) -> Float[Array, "*m count"]:
        """All functions at each distance, the basis as last axis."""


class BesselBasis(AbstractBasis):
    """`√(2/c) sin(n π r / c) / r`, n = 1 … count: orthonormal on `[0, c]` under `r² dr`.

    Waves in a sphere (Gasteiger et al., ICLR 2020). The sines come from one sine and one cosine
    by the recurrence of Chebyshev's polynomials of the second kind.
    """

    count: int = eqx.field(static=True)
    cutoff: float = eqx.field(static=True)

    def __call__(self, r: Float[Array, "*m"]) -> Float[Array, "*m count"]:
        """In nm^(-3/2)."""
        phase = jnp.pi * r / self.cutoff
        twice = 2.0 * jnp.cos(phase)
        apart = r > 0
        first = jnp.where(apart, jnp.sin(phase) / jnp.where(apart, r, 1.0), jnp.pi / self.cutoff)
        waves = [first, first * twice]
        while len(waves) < self.count:
            waves.append(twice * waves[-1] - waves[-2])
        return (2.0 / self.cutoff) ** 0.5 * jnp.stack(waves[: self.count], axis=-1)


class GaussianBasis(AbstractBasis):
    """`exp(-(r - μ)² / (2 δ²))` with evenly spaced centres from `start` to the cutoff.

    Attributes:
        count: How many.
        cutoff: The last centre, in nm.
        start: The first centre, in nm; δ is their spacing.
    """

    count: int = eqx.field(static=True)
    cutoff: float = eqx.field(static=True)
    start: float = eqx.field(static=True, default=0.0)

    def __call__(self, r: Float[Array, "*m"]) -> Float[Array, "*m count"]:
        """Without unit."""
        centres = jnp.linspace(self.start, self.cutoff, self.count, dtype=r.dtype)
        width = (self.cutoff - self.start) / (self.count - 1)
        return jnp.exp(-0.5 * ((r[..., None] - centres) / width) ** 2)


class ChebyshevBasis(AbstractBasis):
    """Chebyshev's polynomials `Tₙ(2 r / c - 1)`, n = 0 … count - 1; constant beyond the cutoff."""

    count: int = eqx.field(static=True)
    cutoff: float = eqx.field(static=True)

    def __call__(self, r: Float[Array, "*m"]) -> Float[Array, "*m count"]:
        """Without unit."""
        x = jnp.clip(2.0 * r / self.cutoff - 1.0, -1.0, 1.0)
        waves = [jnp.ones_like(x), x]
        while len(waves) < self.count:
            waves.append(2.0 * x * waves[-1] - waves[-2])
        return jnp.stack(waves[: self.count], axis=-1)
