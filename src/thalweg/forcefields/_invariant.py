"""Message passing with invariant features."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import equinox as eqx
import jax

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
from ._radial import AbstractBasis, GaussianBasis, envelope
from ._topology import Topology


class InvariantLayer(AbstractPart):
    """One continuous-filter convolution and its update.

    Attributes:
        filter: From the basis of a distance to a filter.
        mix: Linear map to the features that are sent.
        update: From the sum of messages to the change of the features.
    """

    filter: Perceptron
    mix: Perceptron
    update: Perceptron

    def __call__(
        self, features: Float[Array, "n f"], edges: Edges, waves: Float[Array, "*m k"], fade: Array
    ) -> Float[Array, "n f"]:
        """The new features."""
        filters = self.filter(waves) * fade[..., None]
        sent = edges.total(filters * edges.at_other(self.mix(features)))
        return features + self.update(sent)


class InvariantMessages(AbstractBlock):
    """A network of invariant messages, as SchNet: `hᵢ += u(Σⱼ W(rᵢⱼ) ∘ V hⱼ)`, `E = Σ ε(hᵢ)`.

    One layer sees distances only; angles enter with the second.

    Source: K. T. Schütt et al., J. Chem. Phys. 148, 241722 (2018).

    Attributes:
        species: Element of each atom as its place in `elements`, `(n,)`.
        elements: Atomic numbers.
        basis: Functions of a distance.
        embedding: Features that each element starts with, `(elements, features)`.
        layers: The convolutions.
        readout: From features to an atom's energy.
        scale: Energy of an output of 1, in kJ/mol.
        shape: Name of the envelope.
    """

    layout: ClassVar[Mapping[str, str]] = {"species": "rows"}
    lanes_at_once: ClassVar[int | None] = 4

    species: Int[Array, " n"]
    elements: tuple[int, ...] = eqx.field(static=True)
    basis: AbstractBasis
    embedding: Float[Array, "elements features"]
    layers: tuple[InvariantLayer, ...]
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
    ) -> "InvariantMessages":
        """With random weights.

        Args:
            topology: Whose atoms.
            key: Randomness of the weights.
            cutoff: In nm.
            features: Numbers that an atom carries.
            layers: Rounds of messages.
            basis: Gaussians of a distance.
            elements: Atomic numbers that it shall know; by default those of the topology.
            dtype: Precision of the network.

        Raises:
            ArgumentError: if an argument is out of range.
        """
        known = elements_of(topology) if elements is None else tuple(map(int, elements))
        first, last, *keys = jax.random.split(key, 2 + 3 * layers)
        convolutions = tuple(
            InvariantLayer(
                Perceptron.random((basis, features, features), a, dtype),
                Perceptron.random((features, features), b, dtype),
                Perceptron.random((features, features, features), c, dtype),
            )
            for a, b, c in zip(keys[::3], keys[1::3], keys[2::3], strict=True)
        )
        return cls(
            species_of(topology, known),
            known,
            GaussianBasis(basis, check_cutoff(cutoff)),
            jax.random.normal(first, (len(known), features), dtype),
            convolutions,
            Perceptron.random((features, features, 1), last, dtype),
        )

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        dtype = self.embedding.dtype
        edges = Edges.of(geometry, dtype)
        waves = self.basis(edges.r)
        fade = edges.real * envelope(self.shape, edges.r, self.basis.cutoff)
        features = indicator(self.species, len(self.elements), dtype) @ self.embedding
        for layer in self.layers:
            features = layer(features, edges, waves, fade)
        return atom_sum(self.readout(features), geometry, self.scale)
