"""Pair terms: how the energy of two particles depends on their distance.

A term is a frozen record of its parameters and one function, `pair(r2, p) -> (v, v', v'')`: the
energy and its first two derivatives with respect to the *squared* distance. The function is
written once, with plain arithmetic and `lane_exp`, `lane_sqrt`, `lane_where`; it is the definition
in JAX and the inner loop of the compiled kernel. The value is the truth: `check_energy` holds the
two derivatives to those that JAX finds from it.
"""

import abc
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from thalweg.core import ArgumentError, lane_exp, lane_sqrt, lane_where


class AbstractPairTerm(eqx.Module):
    """Energy of a pair as a function of its distance and of the two species."""

    cites: eqx.AbstractClassVar[tuple[str, ...]]

    @property
    @abc.abstractmethod
    def pair(self) -> Callable[..., Any]:
        """A function `(r2, p) -> (v, dv/dr², d²v/d(r²)²)`, where `p` is a row of the table."""

    @abc.abstractmethod
    def table(self) -> Float[Array, "kinds kinds columns"]:
        """Parameters of every pair of species, at most six; they may be traced."""


def lennard_jones(r2: Any, p: Any) -> Any:
    """`4ε((σ/r)¹² - (σ/r)⁶)` with `p = (ε, σ²)`."""
    inverse = 1.0 / r2
    s = p[1] * inverse
    s3 = s * s * s
    scaled = (4.0 * p[0]) * s3
    v = scaled * (s3 - 1.0)
    first = scaled * (3.0 - 6.0 * s3) * inverse
    second = scaled * (42.0 * s3 - 12.0) * inverse * inverse
    return v, first, second


def _single(*parameters: Any) -> Float[Array, "1 1 columns"]:
    """The table of a term with one species."""
    return jnp.stack([jnp.asarray(value, dtype=float) for value in parameters])[None, None]


class LennardJones(AbstractPairTerm):
    """`4ε((σ/r)¹² - (σ/r)⁶)`.

    Source: J. E. Jones, Proc. R. Soc. A 106, 463 (1924).
    """

    epsilon: Any = 1.0
    sigma: Any = 1.0
    cites: ClassVar[tuple[str, ...]] = ("jones1924",)

    @property
    def pair(self) -> Callable[..., Any]:
        """The function of `r²`."""
        return lennard_jones

    def table(self) -> Float[Array, "1 1 2"]:
        """`(ε, σ²)`."""
        return _single(self.epsilon, self.sigma**2)


def cut_lennard_jones(r2: Any, p: Any) -> Any:
    """`4ε((σ/r)¹² - (σ/r)⁶) + b r² + c` within the cutoff, with `p = (ε, σ², cutoff², b, c)`."""
    inverse = 1.0 / r2
    s = p[1] * inverse
    s3 = s * s * s
    scaled = (4.0 * p[0]) * s3
    inside = r2 < p[2]
    v = lane_where(inside, scaled * (s3 - 1.0) + p[3] * r2 + p[4], 0.0)
    first = lane_where(inside, scaled * (3.0 - 6.0 * s3) * inverse + p[3], 0.0)
    second = lane_where(inside, scaled * (42.0 * s3 - 12.0) * inverse * inverse, 0.0)
    return v, first, second


class WeeksChandlerAndersen(AbstractPairTerm):
    """The repulsive part of Lennard-Jones: cut at its minimum and raised by `ε`.

    Source: J. D. Weeks, D. Chandler and H. C. Andersen, J. Chem. Phys. 54, 5237 (1971).
    """

    epsilon: Any = 1.0
    sigma: Any = 1.0
    cites: ClassVar[tuple[str, ...]] = ("weeks1971",)

    @property
    def pair(self) -> Callable[..., Any]:
        """The function of `r²`."""
        return cut_lennard_jones

    def table(self) -> Float[Array, "1 1 5"]:
        """`(ε, σ², 2^(1/3) σ², 0, ε)`."""
        square = self.sigma**2
        return _single(self.epsilon, square, 2.0 ** (1 / 3) * square, 0.0, self.epsilon)


class LennardJonesMixture(AbstractPairTerm):
    """Lennard-Jones between several species, cut at `cutoff · σ_ab` and smoothed there.

    A quadratic term makes both the energy and its slope vanish at the cutoff:
    `v = 4ε[(σ/r)¹² - (σ/r)⁶ + (6q¹² - 3q⁶)(r/r_c)² - 7q¹² + 4q⁶]` with `q = σ/r_c`.
    Source: S. D. Stoddard and J. Ford, Phys. Rev. A 8, 1504 (1973).
    """

    epsilon: Float[Array, "kinds kinds"]
    sigma: Float[Array, "kinds kinds"]
    cutoff: Any = 2.5
    cites: ClassVar[tuple[str, ...]] = ("stoddard1973",)

    @property
    def pair(self) -> Callable[..., Any]:
        """The function of `r²`."""
        return cut_lennard_jones

    def table(self) -> Float[Array, "kinds kinds 5"]:
        """`(ε, σ², r_c², b, c)` of every pair of species."""
        square = self.sigma**2
        range_square = self.cutoff**2 * square
        q6 = self.cutoff**-6.0
        slope = 4.0 * self.epsilon * (6.0 * q6**2 - 3.0 * q6) / range_square
        shift = 4.0 * self.epsilon * (4.0 * q6 - 7.0 * q6**2)
        return jnp.stack([self.epsilon, square, range_square, slope, shift], axis=-1)


def kob_andersen(cutoff: float = 2.5) -> LennardJonesMixture:
    """The 80:20 binary mixture that does not crystallise easily; kinds A = 0 and B = 1.

    Source: W. Kob and H. C. Andersen, Phys. Rev. E 51, 4626 (1995); there the energy is shifted at
    the cutoff and its slope jumps, here it is smoothed as in `LennardJonesMixture`.
    """
    return LennardJonesMixture(
        epsilon=jnp.array([[1.0, 1.5], [1.5, 0.5]]),
        sigma=jnp.array([[1.0, 0.8], [0.8, 0.88]]),
        cutoff=cutoff,
    )


def morse(r2: Any, p: Any) -> Any:
    """`ε e(e - 2)` with `e = exp(ρ(1 - r/r₀))` and `p = (ε, ρ, 1/r₀)`."""
    r = lane_sqrt(r2)
    inverse = 1.0 / r
    rate = p[1] * p[2]
    e = lane_exp(p[1] - rate * r)
    v = p[0] * e * (e - 2.0)
    slope = (2.0 * p[0] * rate) * e * (1.0 - e)
    curvature = (2.0 * p[0] * rate * rate) * e * (2.0 * e - 1.0)
    first = 0.5 * slope * inverse
    second = 0.25 * (curvature - slope * inverse) * inverse * inverse
    return v, first, second


class Morse(AbstractPairTerm):
    """`ε e(e - 2)` with `e = exp(ρ(1 - r/r₀))`: the larger `ρ`, the shorter the range.

    Source: P. M. Morse, Phys. Rev. 34, 57 (1929).
    """

    rho: Any = 6.0
    epsilon: Any = 1.0
    distance: Any = 1.0
    cites: ClassVar[tuple[str, ...]] = ("morse1929",)

    @property
    def pair(self) -> Callable[..., Any]:
        """The function of `r²`."""
        return morse

    def table(self) -> Float[Array, "1 1 3"]:
        """`(ε, ρ, 1/r₀)`."""
        return _single(self.epsilon, self.rho, 1.0 / self.distance)


@functools.cache
def even_power(half: int) -> Callable[..., Any]:
    """`ε (σ/r)^(2 half)` with `p = (ε, σ²)`."""

    def pair(r2: Any, p: Any) -> Any:
        inverse = 1.0 / r2
        s = p[1] * inverse
        v = p[0] * s
        for _ in range(half - 1):
            v = v * s
        first = (-1.0 * half) * v * inverse
        return v, first, (-1.0 * half - 1.0) * first * inverse

    return pair


@functools.cache
def odd_power(half: int) -> Callable[..., Any]:
    """`ε (σ/r)^(2 half + 1)` with `p = (ε, σ²)`."""

    def pair(r2: Any, p: Any) -> Any:
        inverse = 1.0 / r2
        s = p[1] * inverse
        v = p[0] * lane_sqrt(s)
        for _ in range(half):
            v = v * s
        first = (-0.5 - half) * v * inverse
        return v, first, (-1.5 - half) * first * inverse

    return pair


class InversePower(AbstractPairTerm):
    """`ε (σ/r)^n`: soft spheres (`n = 12`), the Coulomb energy of equal charges (`n = 1`)."""

    exponent: int = eqx.field(static=True, default=12)
    epsilon: Any = 1.0
    sigma: Any = 1.0
    cites: ClassVar[tuple[str, ...]] = ()

    def __check_init__(self):
        if self.exponent < 1:
            raise ArgumentError(f"exponent={self.exponent!r}: expected a positive integer")

    @property
    def pair(self) -> Callable[..., Any]:
        """The function of `r²`, made for the exponent."""
        half, odd = divmod(self.exponent, 2)
        return odd_power(half) if odd else even_power(half)

    def table(self) -> Float[Array, "1 1 2"]:
        """`(ε, σ²)`."""
        return _single(self.epsilon, self.sigma**2)


def hertzian(r2: Any, p: Any) -> Any:
    """`2ε/5 (1 - r/σ)^(5/2)` of overlapping spheres with `p = (ε, σ², 1/σ)`."""
    inside = r2 < p[1]
    r = lane_sqrt(r2)
    inverse = 1.0 / r
    overlap = lane_where(inside, 1.0 - r * p[2], 0.0)
    root = lane_sqrt(overlap)
    cube = overlap * root
    v = (0.4 * p[0]) * cube * overlap
    slope = (-1.0 * p[0] * p[2]) * cube
    curvature = (1.5 * p[0] * p[2] * p[2]) * root
    first = 0.5 * slope * inverse
    second = 0.25 * (curvature - slope * inverse) * inverse * inverse
    return v, first, second


class Hertzian(AbstractPairTerm):
    """`2ε/5 (1 - r/σ_ab)^(5/2)` where spheres of the mean diameter `σ_ab` overlap, else 0.

    Two continuous derivatives; the third is infinite at contact. Spheres that touch nothing
    (rattlers) move for nothing: each adds zero modes that no symmetry explains.

    Source: C. S. O'Hern, L. E. Silbert, A. J. Liu and S. R. Nagel, Phys. Rev. E 68, 011306 (2003).
    """

    diameters: Float[Array, " kinds"]
    epsilon: Any = 1.0
    cites: ClassVar[tuple[str, ...]] = ()

    @property
    def pair(self) -> Callable[..., Any]:
        """The function of `r²`."""
        return hertzian

    def table(self) -> Float[Array, "kinds kinds 3"]:
        """`(ε, σ², 1/σ)` of every pair of species."""
        sigma = 0.5 * (self.diameters[:, None] + self.diameters)
        return jnp.stack([self.epsilon * jnp.ones_like(sigma), sigma**2, 1.0 / sigma], axis=-1)
