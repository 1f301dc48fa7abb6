"""A long-range term whose charges are learned from the surroundings of the atoms."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Float, Int, PRNGKey, Scalar

from ._block import COULOMB, AbstractBlock, Geometry
from ._learned import (
    Perceptron,
    by_element,
    elements_of,
    pair_distances,
    species_of,
    unordered_pairs,
)
from ._symmetry_functions import SymmetryDescriptor
from ._topology import Topology


class LatentCharges(AbstractBlock):
    """Coulomb's law between hidden charges that a network predicts, and that sum to the total.

    `qᵢ = qᵢ⁰ - (Σ q⁰ - Q)/n`, `E = k Σ qᵢ qⱼ / √(r² + a²)`: softened, for the short range is for
    other blocks. No label of a charge is needed: they are learned through energies and forces.
    The charges come from `charges`, the energy from `coulomb_energy`; charge equilibration would
    replace the former, an Ewald sum the latter.

    Source of the idea: B. Cheng, npj Comput. Mater. 11, 80 (2025).

    Attributes:
        species: Element of each atom as its place in `elements`, `(n,)`.
        elements: Atomic numbers.
        descriptor: What the network sees.
        networks: A perceptron for each element.
        charge: Total charge, in elementary charges.
        softening: a, in nm.
    """

    layout: ClassVar[Mapping[str, str]] = {"species": "rows", "charge": "sum"}

    species: Int[Array, " n"]
    elements: tuple[int, ...] = eqx.field(static=True)
    descriptor: SymmetryDescriptor
    networks: Perceptron
    charge: Int[Array, ""]
    softening: float = eqx.field(static=True)

    @classmethod
    def for_topology(
        cls,
        topology: Topology,
        *,
        key: PRNGKey,
        descriptor: SymmetryDescriptor | None = None,
        width: int = 16,
        softening: float = 0.1,
        elements: Sequence[int] | None = None,
        dtype: str = "float64",
    ) -> "LatentCharges":
        """With random weights.

        Args:
            topology: Whose atoms; its total charge is kept.
            key: Randomness of the weights.
            descriptor: Symmetry functions; by default eight radial and one angular shift.
            width: Units of the one hidden layer.
            softening: a, in nm.
            elements: Atomic numbers that it shall know; by default those of the topology.
            dtype: Precision of the networks.

        Raises:
            ArgumentError: if an argument is out of range.
        """
        if not softening > 0:
            raise ArgumentError(f"softening={softening} nm must be positive")
        known = elements_of(topology) if elements is None else tuple(map(int, elements))
        descriptor = descriptor or SymmetryDescriptor.even(len(known), angular=1, zetas=(1,))
        sizes = (descriptor.count, width, 1)
        return cls(
            species_of(topology, known),
            known,
            descriptor,
            Perceptron.random(sizes, key, dtype, len(known)),
            jnp.asarray(topology.charge, jnp.int32),
            float(softening),
        )

    def charges(self, geometry: Geometry) -> Float[Array, " n"]:
        """Charges of all atoms, in elementary charges; their sum is the total charge."""
        dtype = self.networks.weights[0].dtype
        seen = self.descriptor(geometry, self.species, dtype)
        raw = by_element(self.networks, seen, self.species)[:, 0]
        raw = raw.astype(geometry.positions.dtype)
        return raw - (jnp.sum(raw) - self.charge.astype(raw.dtype)) / len(raw)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol.

        Raises:
            ArgumentError: if the structure is periodic.
        """
        if geometry.box is not None:
            raise ArgumentError(
                "LatentCharges sums over pairs, and a periodic structure needs an Ewald sum",
                "leave the block out, or take the structure without its box",
            )
        return coulomb_energy(self.charges(geometry), geometry.positions, self.softening)


def coulomb_energy(
    charges: Float[Array, " n"], positions: Float[Array, "n 3"], softening: float
) -> Scalar:
    """`k Σ qᵢ qⱼ / √(r² + a²)` over every pair, in kJ/mol."""
    i, j, real = unordered_pairs(Geometry(positions))
    r = pair_distances(Geometry(positions), i, j, real)
    return COULOMB * jnp.sum(charges[i] * charges[j] / jnp.sqrt(r * r + softening**2))
