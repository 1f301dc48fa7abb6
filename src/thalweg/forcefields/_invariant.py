"""Message passing with invariant features."""

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
    atom_sum,
    check_cutoff,
    elements_of,
    indicator,
    network,
    rows,
    species_of,
)
from ._radial import AbstractBasis, GaussianBasis, envelope
from ._topology import Topology


class InvariantLayer(AbstractPart):
    """One continuous-filter convolution and its update.

    Attributes:
        filter: From the basis of a distance to a filter.
        mix: Linear map of the features that are sent.
        update: From the sum of messages to the change of the features.
    """

    filter: eqx.nn.MLP
    mix: eqx.nn.MLP
    update: eqx.nn.MLP

    def __call__(
        self, features: Float[Array, "n f"], edges: Edges, waves: Float[Array, "*m k"], fade: Array
    ) -> Float[Array, "n f"]:
        """The new features."""
        filters = rows(self.filter, waves) * fade[..., None]
        sent = edges.total(filters * edges.at_other(rows(self.mix, features)))
        return features + rows(self.update, sent)


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

    species: Int[Array, " n"]
    elements: tuple[int, ...] = eqx.field(static=True)
    basis: AbstractBasis
    embedding: Float[Array, "elements features"]
    layers: tuple[InvariantLayer, ...]
    readout: eqx.nn.MLP
    scale: float = eqx.field(static=True)
    shape: str = eqx.field(static=True)

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
        shape: str = "polynomial",
        scale: float = 10.0,
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
            shape: Envelope: `"polynomial"`, `"bump"` or `"cosine"`.
            scale: Energy of an output of 1, in kJ/mol.
            dtype: Precision of the network.

        Raises:
            ArgumentError: if an argument is out of range.
        """
        known = elements_of(topology) if elements is None else tuple(map(int, elements))
        first, last, *keys = jax.random.split(key, 2 + 3 * layers)
        convolutions = tuple(
            InvariantLayer(
                network((basis, features, features), a, dtype),
                network((features, features), b, dtype),
                network((features, features, features), c, dtype),
            )
            for a, b, c in zip(keys[::3], keys[1::3], keys[2::3], strict=True)
        )
        return cls(
            species_of(topology, known),
            known,
            GaussianBasis(basis, check_cutoff(cutoff)),
            jax.random.normal(first, (len(known), features), dtype),
            convolutions,
            network((features, features, 1), last, dtype),
            float(scale),
            shape,
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
        return atom_sum(rows(self.readout, features), geometry, self.scale)
