"""Charges: Coulomb's law, plain or with a reaction field."""

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Float, Int, Scalar

from ._block import COULOMB, AbstractBlock, Geometry, Quantity
from ._rule import PairRule

CHARGE = Quantity("e", 0.1)


class Coulomb(AbstractBlock):
    """`Σ q q' / (4πε₀ (r + b))`, or with a reaction field beyond the rule's cutoff.

    The reaction field is that of a medium of permittivity ε outside the cutoff R:
    `q q' (1/r + k r² - c)` with `k = (ε-1)/(2ε+1)/R³` and `c = 3ε/(2ε+1)/R`; special pairs feel
    plain Coulomb's law. (Tironi et al., J. Chem. Phys. 102, 5451 (1995); OpenMM's convention.)

    Attributes:
        rule: The pairs.
        kind: Kind of each atom, `(n,)`.
        charge: q, `(kinds,)`, in e. What is missing to `total` is shared out equally over the
            atoms, so that a fit cannot change the total charge.
        total: Total charge, in e.
        permittivity: ε of the medium beyond the cutoff; `None`: a bare cutoff.
        buffer: b in nm, 0 but in MMFF94.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {"charge": CHARGE}
    layout: ClassVar[Mapping[str, str]] = {"kind": "rows", "total": "sum"}

    rule: PairRule
    kind: Int[Array, " n"]
    charge: Float[Array, " kinds"]
    total: float = eqx.field(static=True, default=0.0)
    permittivity: float | None = eqx.field(static=True, default=None)
    buffer: float = eqx.field(static=True, default=0.0)

    def __check_init__(self):
        if self.permittivity is not None and self.rule.cutoff is None:
            raise ArgumentError(
                "permittivity: a reaction field begins at a cutoff", "give the rule a cutoff"
            )

    def charges(self) -> Float[jax.Array, " n"]:
        """Charge of each atom, in e."""
        return neutralised(self.charge, self.kind, self.total)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        q = self.charges()

        def plain(r: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
            return COULOMB * q[i] * q[j] / (r + self.buffer)

        if self.permittivity is None:
            return self.rule.total(geometry, plain)
        end = self.rule.cutoff or 1.0
        dense = 2.0 * self.permittivity + 1.0
        k, c = (self.permittivity - 1.0) / (dense * end**3), 3.0 * self.permittivity / (dense * end)

        def screened(r: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
            return COULOMB * q[i] * q[j] * (1.0 / r + k * r**2 - c)

        return self.rule.total(geometry, screened, plain)


def neutralised(
    charge: Float[Array, " kinds"], kind: Int[Array, " n"], total: float
) -> Float[jax.Array, " n"]:
    """Charges of the atoms with the sum `total`, the difference shared out equally."""
    q = jnp.asarray(charge)[kind]
    return q + (total - jnp.sum(q)) / kind.shape[0]
