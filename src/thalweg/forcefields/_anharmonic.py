"""Bonded terms beyond the harmonic ones of class I."""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from thalweg.core import Array, Float, Int, Scalar

from ._block import AbstractBlock, Geometry, Quantity, norm
from ._bonded import angles


class MorseBonds(AbstractBlock):
    """`Σ D (1 - exp(-a(r - r₀)))²`: bonds that can break; k = 2Da² at the minimum.

    Attributes:
        atoms: Pairs, `(b, 2)`.
        kind: Which parameters each pair has, `(b,)`.
        depth: D, `(kinds,)`, in kJ/mol.
        width: a, `(kinds,)`, in 1/nm.
        length: r₀, `(kinds,)`, in nm.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "depth": Quantity("kJ/mol", 0.2, positive=True),
        "width": Quantity("1/nm", 0.2, positive=True),
        "length": Quantity("nm", 0.05, positive=True),
    }
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "b 2"]
    kind: Int[Array, " b"]
    depth: Float[Array, " kinds"]
    width: Float[Array, " kinds"]
    length: Float[Array, " kinds"]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        stretch = norm(geometry.steps(self.atoms)[:, 0]) - self.length[self.kind]
        rise = -jnp.expm1(-self.width[self.kind] * stretch)
        return jnp.sum(self.depth[self.kind] * rise**2)


class QuarticBonds(AbstractBlock):
    """`Σ k₂d² + k₃d³ + k₄d⁴`, d = r - r₀, as in class II force fields and MMFF94.

    Attributes:
        atoms: Pairs, `(b, 2)`.
        kind: Which parameters each pair has, `(b,)`.
        length: r₀, `(kinds,)`, in nm.
        quadratic: k₂, `(kinds,)`, in kJ/(mol nm²).
        cubic: k₃, `(kinds,)`, in kJ/(mol nm³).
        quartic: k₄, `(kinds,)`, in kJ/(mol nm⁴).
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "length": Quantity("nm", 0.05, positive=True),
        "quadratic": Quantity("kJ/(mol nm²)", 0.3, positive=True),
        "cubic": Quantity("kJ/(mol nm³)", 1e6),
        "quartic": Quantity("kJ/(mol nm⁴)", 0.5, positive=True),
    }
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "b 2"]
    kind: Int[Array, " b"]
    length: Float[Array, " kinds"]
    quadratic: Float[Array, " kinds"]
    cubic: Float[Array, " kinds"]
    quartic: Float[Array, " kinds"]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        d = norm(geometry.steps(self.atoms)[:, 0]) - self.length[self.kind]
        kind = self.kind
        return jnp.sum(
            d**2 * (self.quadratic[kind] + d * (self.cubic[kind] + d * self.quartic[kind]))
        )


class QuarticAngles(AbstractBlock):
    """`Σ k₂t² + k₃t³ + k₄t⁴`, t = θ - θ₀.

    Attributes:
        atoms: Triples i-j-k about j, `(a, 3)`.
        kind: Which parameters each triple has, `(a,)`.
        angle: θ₀, `(kinds,)`, in rad.
        quadratic: k₂, `(kinds,)`, in kJ/(mol rad²).
        cubic: k₃, `(kinds,)`, in kJ/(mol rad³).
        quartic: k₄, `(kinds,)`, in kJ/(mol rad⁴).
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "angle": Quantity("rad", 0.1),
        "quadratic": Quantity("kJ/(mol rad²)", 0.3, positive=True),
        "cubic": Quantity("kJ/(mol rad³)", 100.0),
        "quartic": Quantity("kJ/(mol rad⁴)", 100.0),
    }
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "a 3"]
    kind: Int[Array, " a"]
    angle: Float[Array, " kinds"]
    quadratic: Float[Array, " kinds"]
    cubic: Float[Array, " kinds"]
    quartic: Float[Array, " kinds"]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        t = angles(geometry, self.atoms) - self.angle[self.kind]
        kind = self.kind
        return jnp.sum(
            t**2 * (self.quadratic[kind] + t * (self.cubic[kind] + t * self.quartic[kind]))
        )


class LinearAngles(AbstractBlock):
    """`Σ k (1 + cos θ)`: angles whose rest is 180°, smooth there.

    Attributes:
        atoms: Triples i-j-k about j, `(a, 3)`.
        kind: Which parameters each triple has, `(a,)`.
        stiffness: k, `(kinds,)`, in kJ/mol.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "stiffness": Quantity("kJ/mol", 0.3, positive=True)
    }
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "a 3"]
    kind: Int[Array, " a"]
    stiffness: Float[Array, " kinds"]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        steps = geometry.steps(self.atoms)
        one, other = -steps[:, 0], steps[:, 1]
        size = norm(one) * norm(other)
        cosine = jnp.sum(one * other, axis=-1) / jnp.where(size > 0, size, 1.0)
        return jnp.sum(self.stiffness[self.kind] * (1.0 + cosine))


class UreyBradley(AbstractBlock):
    """`Σ ½ k (r₁₃ - s)²` between the ends of an angle, as in CHARMM.

    Attributes:
        atoms: The ends, `(a, 2)`.
        kind: Which parameters each pair has, `(a,)`.
        stiffness: k, `(kinds,)`, in kJ/(mol nm²).
        length: s, `(kinds,)`, in nm.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "stiffness": Quantity("kJ/(mol nm²)", 0.3, positive=True),
        "length": Quantity("nm", 0.05, positive=True),
    }
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "a 2"]
    kind: Int[Array, " a"]
    stiffness: Float[Array, " kinds"]
    length: Float[Array, " kinds"]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        stretch = norm(geometry.steps(self.atoms)[:, 0]) - self.length[self.kind]
        return 0.5 * jnp.sum(self.stiffness[self.kind] * stretch**2)
