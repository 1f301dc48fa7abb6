"""Atom-centred symmetry functions and the networks over them.

The sums over pairs of neighbours are taken as squares of moments: `(1 + λ u·v)^ζ` is a polynomial
in `u·v`, and `Σⱼₖ R(rⱼ) R(rₖ) (uⱼ·uₖ)ᵖ = |Σⱼ R(rⱼ) uⱼ^⊗p|²`. That is exact and linear in the number
of neighbours, where the definition is quadratic.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Float, Int, PRNGKey, Scalar

from ._block import AbstractBlock, Geometry
from ._learned import (
    AbstractPart,
    Edges,
    Perceptron,
    atom_sum,
    by_element,
    check_cutoff,
    elements_of,
    indicator,
    species_of,
)
from ._radial import envelope
from ._topology import Topology


class SymmetryDescriptor(AbstractPart):
    """Functions `G²` and `G⁵` of an atom's surroundings, by element and pair of elements.

    `G² = Σⱼ exp(-η (r - rₛ)²) f(r)` and, over pairs of neighbours with the angle θ between them,
    `G⁵ = 2^(1-ζ) Σⱼ<ₖ (1 + λ cos θ)^ζ exp(-η ((rⱼ - rₛ)² + (rₖ - rₛ)²)) f(rⱼ) f(rₖ)`, λ = ±1.

    Sources: J. Behler, J. Chem. Phys. 134, 074106 (2011); with a shift also in `G⁵`, J. S. Smith,
    O. Isayev and A. E. Roitberg, Chem. Sci. 8, 3192 (2017).

    Attributes:
        radial: (η, rₛ) of the `G²`, in nm⁻² and nm.
        angular: (η, rₛ) of the `G⁵`.
        zetas: Their ζ, whole numbers.
        elements: How many elements there are.
        cutoff: In nm.
        shape: Name of the envelope f.
    """

    radial: tuple[tuple[float, float], ...] = eqx.field(static=True)
    angular: tuple[tuple[float, float], ...] = eqx.field(static=True)
    zetas: tuple[int, ...] = eqx.field(static=True)
    elements: int = eqx.field(static=True)
    cutoff: float = eqx.field(static=True)
    shape: str = eqx.field(static=True, default="polynomial")

    @classmethod
    def even(
        cls,
        elements: int,
        *,
        cutoff: float = 0.5,
        radial: int = 8,
        angular: int = 3,
        zetas: Sequence[int] = (1, 4),
        shape: str = "polynomial",
    ) -> "SymmetryDescriptor":
        """Shifts evenly from 0.08 nm to the cutoff, widths of their spacing.

        Args:
            elements: How many elements there are.
            cutoff: In nm.
            radial: Functions `G²` for each element.
            angular: Shifts of `G⁵` for each pair of elements; there are `2 len(zetas)` of each.
            zetas: Exponents of `G⁵`.
            shape: Envelope: `"polynomial"`, `"bump"` or `"cosine"`.

        Raises:
            ArgumentError: if an argument is out of range.
        """
        check_cutoff(cutoff)
        if min(radial, angular) < 1 or any(z != int(z) or z < 1 for z in zetas):
            raise ArgumentError(
                f"radial={radial}, angular={angular}, zetas={tuple(zetas)}",
                "at least one function of each sort, and ζ of 1, 2, …",
            )

        def grid(count: int) -> tuple[tuple[float, float], ...]:
            spacing = (cutoff - 0.08) / count
            return tuple((0.5 / spacing**2, 0.08 + k * spacing) for k in range(count))

        return cls(grid(radial), grid(angular), tuple(map(int, zetas)), elements, cutoff, shape)

    @property
    def count(self) -> int:
        """How many numbers describe an atom."""
        pairs = self.elements * (self.elements + 1) // 2
        angular = 2 * len(self.zetas) * len(self.angular) * pairs
        return len(self.radial) * self.elements + angular

    def __call__(
        self, geometry: Geometry, species: Int[Array, " n"], dtype: jnp.dtype
    ) -> Float[Array, "n count"]:
        """All of them, `G²` first."""
        edges = Edges.of(geometry, dtype)
        fade = edges.real * envelope(self.shape, edges.r, self.cutoff)
        kind = edges.at_other(indicator(species, self.elements, dtype))
        near = _bells(edges.r, self.radial) * fade[..., None]
        radial = edges.total(near[..., :, None] * kind[..., None, :])
        n = len(species)
        angular = self._angular(edges, fade, kind)
        return jnp.concatenate([radial.reshape(n, -1), angular.reshape(n, -1)], axis=-1)

    def _angular(
        self, edges: Edges, fade: Float[Array, "*m"], kind: Float[Array, "..."]
    ) -> Float[Array, "n ..."]:
        near = _bells(edges.r, self.angular) * fade[..., None]
        weighted = near[..., :, None] * kind[..., None, :]
        weighted = jnp.broadcast_to(weighted, (*edges.r.shape, *weighted.shape[-2:]))
        monomials, exponents = _monomials(edges.unit, max(self.zetas))
        if edges.centre is None:
            moments = jnp.einsum("ijke,ijm->ikem", weighted, monomials)
        else:
            moments = edges.total(weighted[..., None] * monomials[:, None, None])
        i, j = np.triu_indices(self.elements)
        factors, self_factors = _factors(self.zetas, exponents)
        every = (moments[:, :, i] * moments[:, :, j]) @ jnp.asarray(factors, fade.dtype)
        alone = edges.total(weighted**2)[:, :, i, None] * jnp.asarray(self_factors, fade.dtype)
        same = jnp.asarray(i == j, fade.dtype)[:, None]
        return (1.0 - 0.5 * same) * (every - same * alone)


class SymmetryFunctions(AbstractBlock):
    """A network for each element over symmetry functions: a potential of Behler and Parrinello.

    Source: J. Behler and M. Parrinello, Phys. Rev. Lett. 98, 146401 (2007).

    Attributes:
        species: Element of each atom as its place in `elements`, `(n,)`.
        elements: Atomic numbers.
        descriptor: The symmetry functions.
        mean: Subtracted from them, `(count,)`; not fitted.
        spread: They are divided by it, `(count,)`; not fitted.
        networks: A perceptron for each element.
        scale: Energy of an output of 1, in kJ/mol.
    """

    layout: ClassVar[Mapping[str, str]] = {"species": "rows"}
    constants: ClassVar[tuple[str, ...]] = ("mean", "spread")
    lanes_at_once: ClassVar[int | None] = 4

    species: Int[Array, " n"]
    elements: tuple[int, ...] = eqx.field(static=True)
    descriptor: SymmetryDescriptor
    mean: Float[Array, " count"]
    spread: Float[Array, " count"]
    networks: Perceptron
    scale: float = eqx.field(static=True, default=10.0)

    @classmethod
    def for_topology(
        cls,
        topology: Topology,
        *,
        key: PRNGKey,
        descriptor: SymmetryDescriptor | None = None,
        width: int = 24,
        depth: int = 2,
        elements: Sequence[int] | None = None,
        dtype: str = "float64",
    ) -> "SymmetryFunctions":
        """With random weights.

        Args:
            topology: Whose atoms.
            key: Randomness of the weights.
            descriptor: The symmetry functions; by default `SymmetryDescriptor.even`.
            width: Units of a hidden layer.
            depth: Hidden layers.
            elements: Atomic numbers that it shall know; by default those of the topology.
            dtype: Precision of the networks.

        Raises:
            ArgumentError: if an argument is out of range.
        """
        known = elements_of(topology) if elements is None else tuple(map(int, elements))
        descriptor = descriptor or SymmetryDescriptor.even(len(known))
        if descriptor.elements != len(known):
            raise ArgumentError(
                f"descriptor is for {descriptor.elements} elements, and there are {len(known)}",
                f"SymmetryDescriptor.even({len(known)})",
            )
        sizes = (descriptor.count, *[width] * depth, 1)
        return cls(
            species_of(topology, known),
            known,
            descriptor,
            jnp.zeros(descriptor.count, dtype),
            jnp.ones(descriptor.count, dtype),
            Perceptron.random(sizes, key, dtype, len(known)),
        )

    def descriptors(self, geometry: Geometry) -> Float[Array, "n count"]:
        """The symmetry functions of every atom, as they are."""
        return self.descriptor(geometry, self.species, self.mean.dtype)

    def calibrated(self, positions: Float[Array, "frames n 3"]) -> "SymmetryFunctions":
        """With mean and spread of the symmetry functions over some structures, in nm.

        Raises:
            ArgumentError: if the structures have another number of atoms.
        """
        wanted = (len(self.species), 3)
        if positions.ndim != 3 or positions.shape[1:] != wanted:
            raise ArgumentError(
                f"positions of shape {positions.shape} are no structures of {wanted[0]} atoms",
                f"give an array (frames, {wanted[0]}, 3), in nm",
            )
        every = jax.lax.map(lambda x: self.descriptors(Geometry(x)), positions, batch_size=8)
        flat = every.reshape(-1, every.shape[-1])
        spread = jnp.maximum(jnp.std(flat, axis=0), 1e-3)
        new = (jnp.mean(flat, axis=0), spread)
        return eqx.tree_at(lambda block: (block.mean, block.spread), self, new)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        mean, spread = jax.lax.stop_gradient((self.mean, self.spread))
        scaled = (self.descriptors(geometry) - mean) / spread
        return atom_sum(by_element(self.networks, scaled, self.species), geometry, self.scale)


def _bells(
    r: Float[Array, "*m"], functions: tuple[tuple[float, float], ...]
) -> Float[Array, "*m k"]:
    width, shift = (jnp.asarray(column, r.dtype) for column in np.array(functions).T)
    return jnp.exp(-width * (r[..., None] - shift) ** 2)


def _monomials(
    unit: Float[Array, "*m 3"], highest: int
) -> tuple[Float[Array, "*m k"], list[tuple[int, ...]]]:
    """`xᵃ yᵇ zᶜ` of all orders to `highest`, and the exponents (a, b, c)."""
    exponents: list[tuple[int, ...]] = [(0, 0, 0)]
    orders = [jnp.ones_like(unit[..., :1])]
    before = list(exponents)
    for _ in range(highest):
        grown = [(e, axis) for e in before for axis in range(3)]
        products = [tuple(p + (a == axis) for a, p in enumerate(e)) for e, axis in grown]
        after = sorted(set(products), reverse=True)
        pick = np.zeros((len(products), len(after)))
        for column, monomial in enumerate(after):
            pick[products.index(monomial), column] = 1.0
        outer = orders[-1][..., :, None] * unit[..., None, :]
        flat = outer.reshape(*unit.shape[:-1], len(products))
        orders.append(flat @ jnp.asarray(pick, unit.dtype))
        exponents, before = exponents + after, after
    return jnp.concatenate(orders, axis=-1), exponents


def _factors(
    zetas: tuple[int, ...], exponents: Sequence[tuple[int, ...]]
) -> tuple[np.ndarray, np.ndarray]:
    """From products of moments to `2^(1-ζ) Σ (1 + λ u·v)^ζ`, and what a neighbour with itself adds.

    `(u·v)ᵖ` is the sum of all monomials of order p in u and v, times `p! / (a! b! c!)`.
    """
    columns = list(itertools.product(zetas, (1, -1)))
    factors = np.zeros((len(exponents), len(columns)))
    for row, powers in enumerate(exponents):
        p = sum(powers)
        multiple = math.factorial(p) / math.prod(map(math.factorial, powers))
        for column, (zeta, sign) in enumerate(columns):
            factors[row, column] = 2.0 ** (1 - zeta) * math.comb(zeta, p) * sign**p * multiple
    return factors, np.array([2.0 if sign > 0 else 0.0 for _, sign in columns])
