"""Short-range repulsion: what keeps a learned force field from collapsing where it has no data."""

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Float, Int, Scalar

from ._block import COULOMB, AbstractBlock, Geometry, Quantity
from ._learned import elements_of, pair_distances, species_of, unordered_pairs
from ._radial import polynomial_envelope
from ._topology import Topology

_BOHR = 0.0529177210903
"""In nm (CODATA 2018)."""

_SCREENING = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))
"""Amplitudes and exponents of the universal screening function (Ziegler et al., 1985)."""

COVALENT_RADII = np.array(
    [
        0,
        0.031,
        0.028,
        0.128,
        0.096,
        0.084,
        0.076,
        0.071,
        0.066,
        0.057,
        0.058,
        0.166,
        0.141,
        0.121,
        0.111,
        0.107,
        0.105,
        0.102,
        0.106,
        0.203,
        0.176,
        0.17,
        0.16,
        0.153,
        0.139,
        0.139,
        0.132,
        0.126,
        0.124,
        0.132,
        0.122,
        0.122,
        0.12,
        0.119,
        0.12,
        0.12,
        0.116,
        0.22,
        0.195,
        0.19,
        0.175,
        0.164,
        0.154,
        0.147,
        0.146,
        0.142,
        0.139,
        0.145,
        0.144,
        0.142,
        0.139,
        0.139,
        0.138,
        0.139,
        0.14,
        0.244,
        0.215,
        0.207,
        0.204,
        0.203,
        0.201,
        0.199,
        0.198,
        0.198,
        0.196,
        0.194,
        0.192,
        0.192,
        0.189,
        0.19,
        0.187,
        0.187,
        0.175,
        0.17,
        0.162,
        0.151,
        0.144,
        0.141,
        0.136,
        0.136,
        0.132,
        0.145,
        0.146,
        0.148,
        0.14,
        0.15,
        0.15,
        0.26,
        0.221,
        0.215,
        0.206,
        0.2,
        0.196,
        0.19,
        0.187,
        0.18,
        0.169,
    ]
)
"""Single-bond radii by atomic number, in nm; 0 for none (B. Cordero et al., Dalton Trans. 2832
(2008); low spin, sp³ carbon)."""


class ZBLRepulsion(AbstractBlock):
    """Screened nuclear repulsion of Ziegler, Biersack and Littmark, which has no parameter to fit.

    `k Zᵢ Zⱼ / r · φ(r / a)` with `a = 0.8854 a₀ / (Zᵢ^0.23 + Zⱼ^0.23)`, times a polynomial envelope
    that ends at `reach` times the sum of the covalent radii: bonds at rest do not feel it.

    Source: J. F. Ziegler, J. P. Biersack, U. Littmark, The Stopping and Range of Ions in Matter,
    Pergamon (1985).

    Attributes:
        numbers: Atomic numbers, `(n,)`.
        reach: Where it ends, in sums of covalent radii; 0 for never.
    """

    layout: ClassVar[Mapping[str, str]] = {"numbers": "rows"}

    numbers: Int[Array, " n"]
    reach: float = eqx.field(static=True, default=1.0)

    @classmethod
    def for_topology(cls, topology: Topology, *, reach: float = 1.0) -> "ZBLRepulsion":
        """For the atoms of a topology.

        Raises:
            ArgumentError: if an element has no covalent radius.
        """
        for atom, z in enumerate(topology.numbers):
            if not 0 < z < len(COVALENT_RADII):
                raise ArgumentError(
                    f"{topology.names[atom]} (atom {atom}) has atomic number {z}",
                    f"covalent radii are known from 1 to {len(COVALENT_RADII) - 1}",
                )
        return cls(jnp.asarray(topology.numbers, jnp.int32), reach)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        i, j, real = unordered_pairs(geometry)
        r = pair_distances(geometry, i, j, real)
        z = self.numbers.astype(r.dtype)
        x = r * (z[i] ** 0.23 + z[j] ** 0.23) / (0.8854 * _BOHR)
        screened = sum(a * jnp.exp(-b * x) for a, b in _SCREENING)
        energy = COULOMB * z[i] * z[j] / r * screened
        if self.reach > 0:
            radii = jnp.asarray(COVALENT_RADII, r.dtype)[self.numbers]
            energy = energy * polynomial_envelope(r / (self.reach * (radii[i] + radii[j])), 1.0)
        return jnp.sum(real * energy)


class ExponentialRepulsion(AbstractBlock):
    """`Σ A exp(-r / ρ)` between all pairs, the form of Born and Mayer, by pair of elements.

    Attributes:
        species: Element of each atom as its place in `elements`, `(n,)`.
        elements: Atomic numbers.
        strength: A by pair of elements (first element's row of the upper triangle, row by row),
            `(kinds,)`, in kJ/mol.
        decay: ρ, `(kinds,)`, in nm.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "strength": Quantity("kJ/mol", 0.5, positive=True),
        "decay": Quantity("nm", 0.1, positive=True),
    }
    layout: ClassVar[Mapping[str, str]] = {"species": "rows"}

    species: Int[Array, " n"]
    elements: tuple[int, ...] = eqx.field(static=True)
    strength: Float[Array, " kinds"]
    decay: Float[Array, " kinds"]

    @classmethod
    def for_topology(
        cls, topology: Topology, *, energy: float = 50.0, decay: float = 0.02
    ) -> "ExponentialRepulsion":
        """With a wall whose height at the sum of covalent radii is `energy` times `e⁻⁴`.

        Args:
            topology: Whose atoms.
            energy: In kJ/mol, four decay lengths inside the sum of covalent radii.
            decay: ρ, in nm.

        Raises:
            ArgumentError: if an element has no covalent radius.
        """
        elements = elements_of(topology)
        ZBLRepulsion.for_topology(topology)
        radii = COVALENT_RADII[list(elements)]
        i, j = np.triu_indices(len(elements))
        contact = radii[i] + radii[j]
        return cls(
            species_of(topology, elements),
            elements,
            jnp.asarray(energy * np.exp(contact / decay - 4.0)),
            jnp.full(len(i), decay),
        )

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        i, j, real = unordered_pairs(geometry)
        r = pair_distances(geometry, i, j, real)
        kind = pair_kinds(len(self.elements))[self.species[i], self.species[j]]
        return jnp.sum(real * self.strength[kind] * jnp.exp(-r / self.decay[kind]))


def pair_kinds(count: int) -> Int[Array, "count count"]:
    """Number of each unordered pair of types: the upper triangle, row by row."""
    kinds = np.zeros((count, count), np.int32)
    i, j = np.triu_indices(count)
    kinds[i, j] = kinds[j, i] = np.arange(len(i))
    return jnp.asarray(kinds)
