"""Message passing with scalars and vectors that turn with the structure."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import Array, Float, Int, PRNGKey, Scalar

from ._block import AbstractBlock, Geometry
from ._learned import (
    AbstractPart,
    Edges,
    Perceptron,
    atom_sum,
    check_cutoff,
    elements_of,
    indicator,
    species_of,
)
from ._radial import AbstractBasis, BesselBasis, envelope
from ._topology import Topology

_SOFT = 1e-8
"""Under the root of a vector feature's length, which is not smooth at zero."""

_ANGSTROM = 0.1
"""In nm: makes Bessel functions of a bond length numbers of order one."""


class EquivariantLayer(AbstractPart):
    """One round of messages and updates.

    Attributes:
        filter: From the basis of a distance to three filters.
        message: From the scalars that are sent to three of each.
        mix: Linear map of vector features to two of each, `(f, 2 f)`.
        update: From scalars and lengths of vectors to three changes.
    """

    filter: Perceptron
    message: Perceptron
    mix: Float[Array, "f both"]
    update: Perceptron

    def __call__(
        self,
        scalars: Float[Array, "n f"],
        vectors: Float[Array, "n 3 f"],
        edges: Edges,
        waves: Float[Array, "*m k"],
        fade: Float[Array, "*m"],
    ) -> tuple[Float[Array, "n f"], Float[Array, "n 3 f"]]:
        """The new scalars and vectors."""
        filters = self.filter(waves) * fade[..., None]
        sent = filters * edges.at_other(self.message(scalars))
        gain, carried, along = jnp.split(sent, 3, axis=-1)
        scalars = scalars + edges.total(gain)
        vectors = vectors + edges.total(
            carried[..., None, :] * edges.at_other(vectors)
            + along[..., None, :] * edges.unit[..., :, None]
        )
        one, other = jnp.split(vectors @ self.mix, 2, axis=-1)
        length = jnp.sqrt(jnp.sum(other**2, axis=1) + _SOFT)
        changes = self.update(jnp.concatenate([scalars, length], axis=-1))
        turned, projected, plain = jnp.split(changes, 3, axis=-1)
        scalars = scalars + projected * jnp.sum(one * other, axis=1) + plain
        return scalars, vectors + turned[:, None, :] * one


class EquivariantMessages(AbstractBlock):
    """A network of scalars and vectors, as PaiNN: its vectors turn with the structure exactly.

    Source: K. T. Schütt, O. T. Unke and M. Gastegger, ICML 2021 (PMLR 139, 9377).

    Attributes:
        species: Element of each atom as its place in `elements`, `(n,)`.
        elements: Atomic numbers.
        basis: Functions of a distance.
        embedding: Scalars that each element starts with, `(elements, features)`.
        layers: The rounds.
        readout: From scalars to an atom's energy.
        scale: Energy of an output of 1, in kJ/mol.
        shape: Name of the envelope.
    """

    layout: ClassVar[Mapping[str, str]] = {"species": "rows"}
    lanes_at_once: ClassVar[int | None] = 4

    species: Int[Array, " n"]
    elements: tuple[int, ...] = eqx.field(static=True)
    basis: AbstractBasis
    embedding: Float[Array, "elements features"]
    layers: tuple[EquivariantLayer, ...]
    readout: Perceptron
    scale: float = eqx.field(static=True, default=10.0)
    shape: str = eqx.field(static=True, default="polynomial")

    @classmethod
    def for_topology(
        cls,
        topology: Topology,
        *,
        key: PRNGKey,
        cutoff: float = 0.5,
        features: int = 32,
        layers: int = 2,
        basis: int = 16,
        elements: Sequence[int] | None = None,
        dtype: str = "float64",
    ) -> "EquivariantMessages":
        """With random weights.

        Args:
            topology: Whose atoms.
            key: Randomness of the weights.
            cutoff: In nm.
            features: Scalars, and vectors, that an atom carries.
            layers: Rounds of messages.
            basis: Bessel functions of a distance.
            elements: Atomic numbers that it shall know; by default those of the topology.
            dtype: Precision of the network.

        Raises:
            ArgumentError: if an argument is out of range.
        """
        known = elements_of(topology) if elements is None else tuple(map(int, elements))
        first, last, *keys = jax.random.split(key, 2 + 4 * layers)
        f = features

        def layer(a: PRNGKey, b: PRNGKey, c: PRNGKey, d: PRNGKey) -> EquivariantLayer:
            mix = jax.random.normal(c, (f, 2 * f), dtype) / f**0.5
            return EquivariantLayer(
                Perceptron.random((basis, 3 * f), a, dtype),
                Perceptron.random((f, f, 3 * f), b, dtype),
                mix,
                Perceptron.random((2 * f, f, 3 * f), d, dtype),
            )

        return cls(
            species_of(topology, known),
            known,
            BesselBasis(basis, check_cutoff(cutoff)),
            jax.random.normal(first, (len(known), features), dtype),
            tuple(layer(*keys[4 * k : 4 * k + 4]) for k in range(layers)),
            Perceptron.random((features, features, 1), last, dtype),
        )

    def features(
        self, geometry: Geometry
    ) -> tuple[Float[Array, "n features"], Float[Array, "n 3 features"]]:
        """Scalars and vectors of every atom after the last round."""
        dtype = self.embedding.dtype
        edges = Edges.of(geometry, dtype)
        waves = _ANGSTROM**1.5 * self.basis(edges.r)
        fade = edges.real * envelope(self.shape, edges.r, self.basis.cutoff)
        scalars = indicator(self.species, len(self.elements), dtype) @ self.embedding
        vectors = jnp.zeros((len(scalars), 3, scalars.shape[1]), dtype)
        for layer in self.layers:
            scalars, vectors = layer(scalars, vectors, edges, waves, fade)
        return scalars, vectors

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        scalars, _ = self.features(geometry)
        return atom_sum(self.readout(scalars), geometry, self.scale)
