"""Torsions about bonds and the terms that keep centres planar.

The dihedral enters by its cosine and sine; multiples of the angle follow from them without any
trigonometric function. The sign is that of IUPAC: looking along the middle bond, clockwise is
positive.
"""

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import Array, Float, Int, Scalar

from ._block import AbstractBlock, Geometry, Quantity, norm


class PeriodicTorsions(AbstractBlock):
    """`Σ Σₙ kₙ [1 + cos(nφ - δₙ)]`, n = 1, 2, …; for propers and AMBER's impropers.

    Attributes:
        atoms: Quadruples i-j-k-l, `(t, 4)`.
        kind: Which parameters each has, `(t,)`.
        barrier: k by n, `(kinds, orders)`, in kJ/mol, of either sign.
        phases: δ by n, for each kind, in rad.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {"barrier": Quantity("kJ/mol", 4.0)}
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "t 4"]
    kind: Int[Array, " t"]
    barrier: Float[Array, "kinds orders"]
    phases: tuple[tuple[float, ...], ...] = eqx.field(static=True)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        cosine, sine = dihedrals(geometry, self.atoms)
        dtype = cosine.dtype
        phase = np.asarray(self.phases).reshape(self.barrier.shape)
        along = jnp.asarray(np.cos(phase), dtype)
        across = jnp.asarray(np.where(np.abs(np.sin(phase)) < 1e-12, 0.0, np.sin(phase)), dtype)
        energy = jnp.zeros((), dtype)
        for n, (c, s) in enumerate(multiples(cosine, sine, self.barrier.shape[1])):
            wave = 1.0 + c * along[self.kind, n] + s * across[self.kind, n]
            energy = energy + jnp.sum(self.barrier[self.kind, n] * wave)
        return energy


class RyckaertBellemans(AbstractBlock):
    """`Σ Σₙ Cₙ cosⁿ(φ - π)`, as in OPLS and GROMACS.

    Attributes:
        atoms: Quadruples i-j-k-l, `(t, 4)`.
        kind: Which parameters each has, `(t,)`.
        coefficients: C by n from 0, `(kinds, powers)`, in kJ/mol.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {"coefficients": Quantity("kJ/mol", 4.0)}
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "t 4"]
    kind: Int[Array, " t"]
    coefficients: Float[Array, "kinds powers"]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        cosine = -dihedrals(geometry, self.atoms)[0]
        value = jnp.zeros_like(cosine)
        for n in reversed(range(self.coefficients.shape[1])):
            value = value * cosine + self.coefficients[self.kind, n]
        return jnp.sum(value)


class HarmonicImpropers(AbstractBlock):
    """`Σ ½ k (ψ - ψ₀)²` of the dihedral ψ, to the nearest turn, as in CHARMM.

    Attributes:
        atoms: Quadruples, `(t, 4)`.
        kind: Which parameters each has, `(t,)`.
        stiffness: k, `(kinds,)`, in kJ/(mol rad²).
        angle: ψ₀, `(kinds,)`, in rad.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "stiffness": Quantity("kJ/(mol rad²)", 0.3, positive=True),
        "angle": Quantity("rad", 0.1),
    }
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "t 4"]
    kind: Int[Array, " t"]
    stiffness: Float[Array, " kinds"]
    angle: Float[Array, " kinds"]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        cosine, sine = dihedrals(geometry, self.atoms)
        zero = self.angle[self.kind]
        turn = jnp.arctan2(
            sine * jnp.cos(zero) - cosine * jnp.sin(zero),
            cosine * jnp.cos(zero) + sine * jnp.sin(zero),
        )
        return 0.5 * jnp.sum(self.stiffness[self.kind] * turn**2)


class OutOfPlane(AbstractBlock):
    """`Σ ½ k χ²` of Wilson's angle χ between the bond j-l and the plane i-j-k, as in MMFF94.

    Attributes:
        atoms: i, j (the centre), k and l, `(t, 4)`.
        kind: Which parameters each has, `(t,)`.
        stiffness: k, `(kinds,)`, in kJ/(mol rad²).
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "stiffness": Quantity("kJ/(mol rad²)", 0.3, positive=True)
    }
    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms", "kind": "rows"}

    atoms: Int[Array, "t 4"]
    kind: Int[Array, " t"]
    stiffness: Float[Array, " kinds"]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        back, other, on = jnp.moveaxis(geometry.steps(self.atoms), 1, 0)
        arm, raised = -back, other + on
        normal = jnp.cross(arm, other)
        height = jnp.sum(normal * raised, axis=-1)
        flat = norm(jnp.cross(normal, raised))
        apart = (flat > 0) | (height != 0)
        angle = jnp.arctan2(height, jnp.where(apart, flat, 1.0))
        return 0.5 * jnp.sum(self.stiffness[self.kind] * angle**2)


def dihedrals(
    geometry: Geometry, atoms: Int[Array, "t 4"]
) -> tuple[Float[Array, " t"], Float[Array, " t"]]:
    """Cosine and sine of the dihedrals i-j-k-l.

    With three atoms in a line there is no dihedral: it counts as 0, with gradient 0.
    """
    first, middle, last = jnp.moveaxis(geometry.steps(atoms), 1, 0)
    left, right = jnp.cross(first, middle), jnp.cross(middle, last)
    along = jnp.sum(left * right, axis=-1)
    across = jnp.sum(jnp.cross(left, right) * middle, axis=-1)
    length = jnp.sum(middle**2, axis=-1)
    plain = (jnp.sum(left**2, axis=-1) > 0) & (jnp.sum(right**2, axis=-1) > 0)
    across = across * jax.lax.rsqrt(jnp.where(plain, length, 1.0))
    scale = jax.lax.rsqrt(jnp.where(plain, along**2 + across**2, 1.0))
    return jnp.where(plain, along * scale, 1.0), jnp.where(plain, across * scale, 0.0)


def multiples(
    cosine: Float[Array, " t"], sine: Float[Array, " t"], count: int
) -> list[tuple[Float[Array, " t"], Float[Array, " t"]]]:
    """cos(nφ) and sin(nφ) for n = 1 … `count`, by the addition theorem."""
    c, s = cosine, sine
    found = []
    for _ in range(count):
        found.append((c, s))
        c, s = c * cosine - s * sine, s * cosine + c * sine
    return found
