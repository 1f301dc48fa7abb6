"""Matrices by construction: recurrent weights whose norm is bounded, pools that are positive.

Every class holds unconstrained numbers, which any optimiser may move anywhere, and returns the
matrix when called. The bounds are exact (a singular value decomposition, a linear solve), not the
few power iterations that leave singular values above one.
"""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Float, PRNGKey

from ._numerics import Fixed

Matrix = Float[Array, "rows columns"]


class AbstractWeights(eqx.Module):
    """A matrix that is a function of trained numbers."""

    @abc.abstractmethod
    def __call__(self) -> Matrix:
        """The matrix."""


class FreeWeights(AbstractWeights):
    """Any matrix."""

    raw: Array

    def __call__(self) -> Matrix:
        """The matrix itself."""
        return self.raw


class IdentityWeights(AbstractWeights):
    """I, not trained: the circuit whose stability is a theorem."""

    size: int = eqx.field(static=True)
    one: Fixed

    def __call__(self) -> Matrix:
        """The identity, in the precision of its one."""
        return jnp.eye(self.size, dtype=self.one.value.dtype)


class BoundedWeights(AbstractWeights):
    """M / max(1, σ_max(M)): the largest singular value is at most one."""

    raw: Array

    def __call__(self) -> Matrix:
        """The matrix, shrunk only if it has to be."""
        norm = spectral_norm(self.raw)
        return self.raw / jnp.where(norm > 1.0, norm, 1.0)


class UnitNormWeights(AbstractWeights):
    """M / σ_max(M): the largest singular value is one."""

    raw: Array

    def __call__(self) -> Matrix:
        """The matrix divided by its norm."""
        return self.raw / spectral_norm(self.raw)


class PerturbedIdentity(AbstractWeights):
    """I + M/σ_max(M): what the sequential circuits of the paper were trained with."""

    raw: Array

    def __call__(self) -> Matrix:
        """The identity and a matrix of norm one."""
        return jnp.eye(len(self.raw), dtype=self.raw.dtype) + self.raw / spectral_norm(self.raw)


class OrthogonalWeights(AbstractWeights):
    """Q (I − S)⁻¹(I + S) with S = (M − Mᵀ)/2: every singular value is one (Cayley's transform)."""

    raw: Array
    start: Fixed

    def __call__(self) -> Matrix:
        """An orthogonal matrix."""
        skew = 0.5 * (self.raw - self.raw.T)
        unit = jnp.eye(len(skew), dtype=skew.dtype)
        return self.start() @ jnp.linalg.solve(unit - skew, unit + skew)


class PositiveWeights(AbstractWeights):
    """e^ℓ, optionally cut at one: the pool of the normalisation, W ≥ 0."""

    log: Array
    clipped: bool = eqx.field(static=True, default=False)

    def __call__(self) -> Matrix:
        """The positive matrix; entries that are cut pass no gradient."""
        weights = jnp.exp(self.log)
        return jnp.where(weights <= 1.0, weights, 1.0) if self.clipped else weights


def spectral_norm(matrix: Matrix) -> Float[Array, ""]:
    """The largest singular value; its derivative is finite even if several are equal."""
    return jnp.linalg.norm(matrix, 2)


def orthogonal(key: PRNGKey, size: int, dtype: Any) -> Matrix:
    """A matrix uniform on the orthogonal group."""
    return jax.random.orthogonal(key, size, dtype=dtype)


RECURRENCES = ("free", "identity", "bounded", "unit", "perturbed", "orthogonal")
"""Names of recurrent weights."""


def recurrent_weights(
    kind: str, size: int, key: PRNGKey, dtype: Any = jnp.float32, *, identity: bool = False
) -> AbstractWeights:
    """Recurrent weights by name.

    Args:
        kind: `free`, `identity`, `bounded` (σ_max ≤ 1), `unit` (σ_max = 1), `perturbed`
            (I + a matrix of norm one) or `orthogonal`.
        size: Units.
        key: Random key of the start, an orthogonal matrix.
        dtype: Precision.
        identity: Start at I instead.

    Raises:
        ArgumentError: if there is no such kind.
    """
    if kind not in RECURRENCES:
        raise ArgumentError(
            f"there are no {kind!r} recurrent weights", f"use one of {', '.join(RECURRENCES)}"
        )
    if kind == "identity":
        return IdentityWeights(size, Fixed(jnp.ones((), dtype)))
    start = jnp.eye(size, dtype=dtype) if identity else orthogonal(key, size, dtype)
    if kind == "orthogonal":
        return OrthogonalWeights(jnp.zeros_like(start), Fixed(start))
    kinds = {
        "free": FreeWeights,
        "bounded": BoundedWeights,
        "unit": UnitNormWeights,
        "perturbed": PerturbedIdentity,
    }
    return kinds[kind](start)
