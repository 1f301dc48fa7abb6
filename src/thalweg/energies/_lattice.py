"""Fields and spins on periodic lattices, and the symmetry of such lattices."""

import itertools
from collections.abc import Iterator

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import AbstractEnergy, Point, Scalar, SignedPermutation


def _steps(field: Float[Array, "..."]) -> Iterator[Array]:
    """Differences to the next site along every axis, periodic."""
    for axis in range(field.ndim):
        yield jnp.roll(field, -1, axis) - field


class Phi4(AbstractEnergy):
    """`Σ_i λ/4! q_i⁴ - μ²/2 q_i² + J/4 Σ_i Σ_{k next to i} (q_i - q_k)²` on a periodic lattice.

    Every site has two neighbours along each axis; on an axis of length 2 both are the same site,
    and the bond counts twice. At `J = 0` each site is at 0 or `±√(6μ²/λ)` by itself: `3^N`
    stationary points, `C(N, k) 2^(N-k)` of them of index `k`.

    Attributes:
        shape: Sites along each axis.
        coupling: `J`.
        quartic: `λ`.
        square: `μ²`.

    Source: M. Kastner and D. Mehta, Phys. Rev. Lett. 107, 160602 (2011), whose values of `λ` and
    `μ²` are the default.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    coupling: float | Scalar = 0.1
    quartic: float | Scalar = 0.6
    square: float | Scalar = 2.0

    def __call__(self, x: Point) -> Scalar:
        """The energy of the field `x`, sites in row-major order."""
        q = x.reshape(self.shape)
        own = jnp.sum(self.quartic / 24.0 * q**4 - 0.5 * self.square * q**2)
        # Each bond appears from both of its ends.
        bonds = jnp.sum(jnp.stack([jnp.sum(step**2) for step in _steps(q)]))
        return own + 0.5 * self.coupling * bonds


class XYLattice(AbstractEnergy):
    """`Σ_bonds 1 - cos(θ_i - θ_k)`: XY spins, or phase oscillators without frequencies.

    In one dimension (a ring of N): the minima are the twisted states of `|q| < N/4` turns, of
    energy `N(1 - cos 2πq/N)`; the transition states between `q - 1` and `q` turns have one broken
    bond and the energy `N - (N - 2) cos((2q - 1)π/(N - 2))`.

    Attributes:
        shape: Spins along each axis; every axis is periodic.

    Source: D. A. Wiley, S. H. Strogatz and M. Girvan, Chaos 16, 015103 (2006); L. DeVille,
    Nonlinearity 25, 1473 (2012).
    """

    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Point) -> Scalar:
        """The energy of the angles `x`."""
        terms = [jnp.sum(1.0 - jnp.cos(step)) for step in _steps(x.reshape(self.shape))]
        return jnp.sum(jnp.stack(terms))


class XYMeanField(AbstractEnergy):
    """`1/(2N) Σ_ik 1 - cos(θ_i - θ_k) = N/2 (1 - m²)`, `m` the length of the mean spin.

    The all-to-all Kuramoto model without frequencies. The isolated stationary points (up to the
    global rotation) have every spin along or against the mean, `m > 0`; those with `m = 0` form
    continua.

    Attributes:
        count: Number of spins.

    Source: M. Antoni and S. Ruffo, Phys. Rev. E 52, 2361 (1995).
    """

    count: int = eqx.field(static=True)

    def __call__(self, x: Point) -> Scalar:
        """The energy of the angles `x`."""
        cosine, sine = jnp.mean(jnp.cos(x)), jnp.mean(jnp.sin(x))
        return 0.5 * self.count * (1.0 - cosine**2 - sine**2)


def lattice_generators(shape: tuple[int, ...]) -> tuple[SignedPermutation, ...]:
    """Generators of the space group of a periodic lattice: shifts, mirrors, exchanges of axes."""
    sites = np.arange(int(np.prod(shape))).reshape(shape)
    axes = range(len(shape))
    moved = [np.roll(sites, 1, axis) for axis in axes]
    moved += [np.flip(sites, axis) for axis in axes]
    moved += [
        np.swapaxes(sites, a, b) for a, b in itertools.combinations(axes, 2) if shape[a] == shape[b]
    ]
    return tuple(SignedPermutation.of(order.reshape(-1)) for order in moved)


def permutation_generators(count: int, block: int = 1) -> tuple[SignedPermutation, ...]:
    """Generators of all permutations of `count` blocks of coordinates."""
    if count < 2:
        return ()
    cells = np.arange(count * block).reshape(count, block)
    exchange = cells[[1, 0, *range(2, count)]]
    cycle = np.roll(cells, 1, axis=0)
    return tuple(SignedPermutation.of(order.reshape(-1)) for order in (exchange, cycle))


def sign_flip(count: int) -> SignedPermutation:
    """The sign of all coordinates at once."""
    return SignedPermutation.of(np.arange(count), -1)
