"""Class I bonded terms: harmonic bonds and angles.

Angles are taken by the arctangent of cross and scalar product: the arccosine's derivative is
infinite for a linear one.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from thalweg.core import Array, Float, Int, Scalar

from ._block import AbstractBlock, Geometry, Quantity, norm


class HarmonicBonds(AbstractBlock):
    """`Σ ½ k (r - r₀)²`.

    Attributes:
        atoms: Pairs, `(b, 2)`.
        kind: Which parameters each pair has, `(b,)`.
        stiffness: k, `(kinds,)`, in kJ/(mol nm²).
        length: r₀, `(kinds,)`, in nm.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "stiffness": Quantity("kJ/(mol nm²)", 0.3, positive=True),
        "length": Quantity("nm", 0.05, positive=True),
    }
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "b 2"]
    kind: Int[Array, " b"]
    stiffness: Float[Array, " kinds"]
    length: Float[Array, " kinds"]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        stretch = norm(geometry.steps(self.atoms)[:, 0]) - self.length[self.kind]
        return 0.5 * jnp.sum(self.stiffness[self.kind] * stretch**2)


class HarmonicAngles(AbstractBlock):
    """`Σ ½ k (θ - θ₀)²`.

    Attributes:
        atoms: Triples i-j-k about j, `(a, 3)`.
        kind: Which parameters each triple has, `(a,)`.
        stiffness: k, `(kinds,)`, in kJ/(mol rad²).
        angle: θ₀, `(kinds,)`, in rad.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "stiffness": Quantity("kJ/(mol rad²)", 0.3, positive=True),
        "angle": Quantity("rad", 0.1),
    }
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "a 3"]
    kind: Int[Array, " a"]
    stiffness: Float[Array, " kinds"]
    angle: Float[Array, " kinds"]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        bend = angles(geometry, self.atoms) - self.angle[self.kind]
        return 0.5 * jnp.sum(self.stiffness[self.kind] * bend**2)


def angles(geometry: Geometry, atoms: Int[Array, "a 3"]) -> Float[Array, " a"]:
    """Angles i-j-k at the middle atoms, in rad."""
    steps = geometry.steps(atoms)
    one, other = -steps[:, 0], steps[:, 1]
    return jnp.arctan2(norm(jnp.cross(one, other)), jnp.sum(one * other, axis=-1))
