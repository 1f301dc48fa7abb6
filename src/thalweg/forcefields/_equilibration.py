"""Charges that follow the structure: electronegativity equilibration and induced dipoles.

Both minimise a quadratic energy by one linear solve, which is differentiated as it stands, so that
second derivatives are right too.

Sources: Rappé and Goddard, J. Phys. Chem. 95, 3358 (1991) (equilibration); Thole, Chem. Phys. 59,
341 (1981); Ren and Ponder, J. Phys. Chem. B 107, 5933 (2003) (damping).
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import erf

from thalweg.core import ArgumentError, Array, Float, Int, Scalar

from ._block import COULOMB, AbstractBlock, Geometry, Quantity
from ._coulomb import CHARGE, neutralised


class ChargeEquilibration(AbstractBlock):
    """`min Σ χq + ½ηq² + Σ q q' erf(γr)/(4πε₀ r)` over charges of fixed sum.

    Charges are Gaussians of width w, so that `γ = 1/√(2(w² + w'²))` and each has the energy
    `q²/(4πε₀ 2√π w)` with itself besides its hardness: the matrix is positive definite at any
    distances. All pairs count, bonded ones too. For free molecules: in a box it refuses.

    Attributes:
        kind: Kind of each atom, `(n,)`.
        electronegativity: χ, `(kinds,)`, in kJ/(mol e).
        hardness: η, `(kinds,)`, in kJ/(mol e²).
        width: w, `(kinds,)`, in nm.
        total: Sum of the charges, in e.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "electronegativity": Quantity("kJ/(mol e)", 200.0),
        "hardness": Quantity("kJ/(mol e²)", 0.3, positive=True),
        "width": Quantity("nm", 0.2, positive=True),
    }
    layout: ClassVar[Mapping[str, str]] = {"kind": "rows", "total": "sum"}

    kind: Int[Array, " n"]
    electronegativity: Float[Array, " kinds"]
    hardness: Float[Array, " kinds"]
    width: Float[Array, " kinds"]
    total: float = eqx.field(static=True, default=0.0)

    def charges(self, geometry: Geometry) -> Float[jax.Array, " n"]:
        """The charges of this structure, in e; their sum is `total`."""
        matrix = self._matrix(geometry)
        drive = self.electronegativity[self.kind]
        both = jnp.stack([-drive, jnp.ones_like(drive)], axis=-1)
        free, shift = jnp.linalg.solve(matrix, both).T
        return free + shift * (self.total - jnp.sum(free)) / jnp.sum(shift)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        q = self.charges(geometry)
        drive = self.electronegativity[self.kind]
        return jnp.sum(drive * q) + 0.5 * q @ self._matrix(geometry) @ q

    def _matrix(self, geometry: Geometry) -> Float[jax.Array, "n n"]:
        _free(geometry)
        w = self.width[self.kind]
        gamma = jax.lax.rsqrt(2.0 * (w[:, None] ** 2 + w[None, :] ** 2))
        r, other = _table(geometry)
        near = 2.0 / math.sqrt(math.pi) * gamma
        smooth = COULOMB * jnp.where(other, erf(gamma * r) / r, near)
        return smooth + jnp.diag(self.hardness[self.kind])


class InducedDipoles(AbstractBlock):
    """`-½ Σ μ·E`: point dipoles induced by fixed charges and by each other, with Thole's damping.

    `μ = α(E + Tμ)`, with fields of charges and dipoles damped by `exp(-a u³)`, u = r/(αα')^(1/6).
    The field of the charges leaves out the excluded pairs; dipoles feel all other dipoles. For
    free molecules: in a box it refuses.

    Attributes:
        kind: Kind of each atom, `(n,)`.
        polarisability: α, `(kinds,)`, in nm³.
        charge: q, `(kinds,)`, in e; what is missing to `total` is shared out equally.
        damping: a, `()`; 0.39 in AMOEBA.
        excluded: Pairs whose charges do not polarise each other, `(e, 2)`.
        total: Total charge, in e.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "polarisability": Quantity("nm³", 0.3, positive=True),
        "charge": CHARGE,
        "damping": Quantity("1", 0.2, positive=True),
    }
    layout: ClassVar[Mapping[str, str]] = {"kind": "rows", "excluded": "atoms", "total": "sum"}

    kind: Int[Array, " n"]
    polarisability: Float[Array, " kinds"]
    charge: Float[Array, " kinds"]
    damping: Float[Array, ""]
    excluded: Int[Array, "e 2"]
    total: float = eqx.field(static=True, default=0.0)

    def dipoles(self, geometry: Geometry) -> Float[jax.Array, "n 3"]:
        """The induced dipoles, in e nm."""
        matrix, field = self._system(geometry)
        return jnp.linalg.solve(matrix, field.reshape(-1)).reshape(-1, 3)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol; NaN where dipoles diverge (the matrix is not positive definite)."""
        matrix, field = self._system(geometry)
        half = jax.scipy.linalg.solve_triangular(
            jnp.linalg.cholesky(matrix), field.reshape(-1), lower=True
        )
        return -0.5 * COULOMB * jnp.sum(half**2)

    def _system(self, geometry: Geometry) -> tuple[jax.Array, jax.Array]:
        """α⁻¹ - T of shape `(3n, 3n)`, and the field of the charges `(n, 3)`, in e/nm²."""
        _free(geometry)
        x, n = geometry.positions, len(geometry.positions)
        alpha = self.polarisability[self.kind]
        q = neutralised(self.charge, self.kind, self.total)
        r, other = _table(geometry)
        u3 = r**3 / jnp.sqrt(alpha[:, None] * alpha[None, :])
        shade = jnp.exp(-self.damping * u3)
        third = jnp.where(other, (1.0 - shade) / r**3, 0.0)
        fifth = jnp.where(other, (1.0 - (1.0 + self.damping * u3) * shade) / r**5, 0.0)
        step = x[:, None] - x[None, :]
        tensor = 3.0 * fifth[..., None, None] * step[..., :, None] * step[..., None, :]
        tensor = tensor - third[..., None, None] * jnp.eye(3, dtype=x.dtype)
        blocks = jnp.eye(n, dtype=x.dtype)[..., None, None] * jnp.eye(3, dtype=x.dtype)
        matrix = blocks / alpha[:, None, None, None] - tensor
        feels = jnp.ones((n, n), x.dtype)
        i, j = self.excluded.T
        feels = feels.at[i, j].set(0.0).at[j, i].set(0.0)
        field = jnp.einsum("ij,ijd,j->id", feels * third, step, q)
        return matrix.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n), field


def _free(geometry: Geometry) -> None:
    if geometry.box is not None:
        raise ArgumentError(
            "charge equilibration and induced dipoles are for free molecules, and there is a box"
        )


def _table(geometry: Geometry) -> tuple[Float[jax.Array, "n n"], jax.Array]:
    """Distances, 1 on the diagonal, and what is off it."""
    x = geometry.positions
    other = ~jnp.eye(len(x), dtype=bool)
    square = jnp.sum((x[:, None] - x[None]) ** 2, axis=-1)
    return jnp.sqrt(jnp.where(other, square, 1.0)), other
