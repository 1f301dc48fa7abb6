"""How curved a loss is at its minima: the whole spectrum of the Hessian."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from thalweg.core import ArgumentError, System, hessian, require_x64, serial_blas

_MOST = 5_000
"""Parameters up to which a dense Hessian is made: 200 MB."""

_ENTRIES = 4_000_000
"""Entries of the Hessians that one compiled call makes."""

_ZERO = 1e-10
"""Curvatures below this share of the largest count as zero in a log-determinant."""

_AT = 1e-6
"""A curvature is 2λ if it differs by less than this share of the largest one, or of itself."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Curvatures:
    """Eigenvalues of the Hessian at each minimum.

    Attributes:
        ids: Ids of the minima.
        values: Eigenvalues in ascending order, `(minima, dof)`.
        l2: The coefficient λ of the penalty λ Σ p², which by itself curves every direction by 2λ.
    """

    ids: Int[np.ndarray, " minima"]
    values: Float[np.ndarray, "minima dof"]
    l2: float = 0.0

    @property
    def lowest(self) -> Float[np.ndarray, " minima"]:
        """The lowest curvature."""
        return self.values[:, 0]

    @property
    def highest(self) -> Float[np.ndarray, " minima"]:
        """The highest curvature, the *sharpness* of much of the literature."""
        return self.values[:, -1]

    @property
    def trace(self) -> Float[np.ndarray, " minima"]:
        """Sum of all curvatures."""
        return self.values.sum(axis=1)

    @property
    def zero(self) -> Int[np.ndarray, " minima"]:
        """How many curvatures vanish to rounding."""
        return (np.abs(self.values) <= _ZERO * self.highest[:, None]).sum(axis=1)

    @property
    def condition(self) -> Float[np.ndarray, " minima"]:
        """Highest over lowest curvature of those that are not zero; NaN if one is negative."""
        kept = np.where(np.abs(self.values) > _ZERO * self.highest[:, None], self.values, np.inf)
        least = kept.min(axis=1)
        return np.where(least > 0, self.highest / np.where(least > 0, least, 1.0), np.nan)

    @property
    def log_determinant(self) -> Float[np.ndarray, " minima"]:
        """Sum of the logarithms of the positive curvatures: minus twice a harmonic log volume."""
        positive = self.values > _ZERO * self.highest[:, None]
        return np.where(positive, np.log(np.where(positive, self.values, 1.0)), 0.0).sum(axis=1)

    @property
    def at_penalty(self) -> Int[np.ndarray, " minima"]:
        """How many curvatures are 2λ: directions that only the penalty curves.

        Of a network with softmax outputs, H hidden units and all biases these are at least the
        H + 1 directions that shift all outputs alike.
        """
        if self.l2 == 0.0:
            return self.zero
        near = np.abs(self.values - 2.0 * self.l2)
        size = np.minimum(1e-10 * self.highest[:, None] + _AT * 2.0 * self.l2, self.l2)
        return (near <= size).sum(axis=1)

    def table(self) -> pd.DataFrame:
        """One row a minimum: `id`, `lowest`, `highest`, `condition`, `log_determinant`, …."""
        return pd.DataFrame(
            {
                "id": self.ids,
                "lowest_curvature": self.lowest,
                "highest_curvature": self.highest,
                "trace": self.trace,
                "condition": self.condition,
                "log_determinant": self.log_determinant,
                "at_2_l2": self.at_penalty,
                "zero": self.zero,
            }
        )


def curvatures_of(
    system: System,
    points: Float[np.ndarray, "minima dof"],
    ids: Int[np.ndarray, " minima"] | None = None,
) -> Curvatures:
    """The whole Hessian spectrum at each point.

    Args:
        system: What the points are of; the coefficient of a penalty is read off its energy.
        points: Minima, `(minima, dof)`.
        ids: Their ids; by default they are counted.

    Raises:
        ArgumentError: if there are more parameters than a dense Hessian is made for.
        PrecisionError: if float64 is switched off.
    """
    require_x64()
    count, dof = points.shape
    if dof > _MOST:
        raise ArgumentError(
            f"{dof:,} parameters: whole spectra are computed up to {_MOST:,}",
            "the certificates of the minima hold the lowest few curvatures: Minimum.curvatures",
        )
    rows = max(1, min(count, _ENTRIES // dof**2))
    values = np.empty((count, dof))
    for first in range(0, count, rows):
        chunk = points[first : first + rows]
        matrices = np.asarray(_hessians(system, jnp.asarray(np.resize(chunk, (rows, dof)).T)))
        with serial_blas():
            values[first : first + rows] = np.linalg.eigvalsh(matrices[: len(chunk)])
    return Curvatures(
        ids=np.arange(count) if ids is None else np.asarray(ids),
        values=values,
        l2=float(getattr(system.energy, "l2", 0.0)),
    )


@eqx.filter_jit
def _hessians(system: System, block: jax.Array) -> jax.Array:
    return hessian(system.energy, block)
