"""Composition: blocks that are made of blocks.

A sum is what a force field is: molecular mechanics with a learned residual is
`{**mm_blocks, "residual": net}`, fitted together or with the former fixed.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from thalweg.core import Array, Float, Int, Scalar

from ._block import AbstractBlock, Geometry


class Weighted(AbstractBlock):
    """`w E`: a part that is switched off, or taken away.

    Attributes:
        weight: w; put `"name.weight"` into the force field's `fixed` if a fit shall not change it.
        block: What it weighs.
    """

    weight: Float[Array, ""]
    block: AbstractBlock

    def __init__(self, weight: float | Float[Array, ""], block: AbstractBlock):
        self.weight = jnp.asarray(weight, float)
        self.block = block

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        energy = self.block(geometry)
        return self.weight.astype(energy.dtype) * energy


class Total(AbstractBlock):
    """The sum of named blocks as one block, for the other operators.

    Attributes:
        blocks: The terms.
    """

    blocks: dict[str, AbstractBlock]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        zero = jnp.zeros((), geometry.positions.dtype)
        return sum((block(geometry) for block in self.blocks.values()), zero)


class Mixture(AbstractBlock):
    """`(1 - λ) E₀ + λ E₁`: the path between two force fields; `∂E/∂λ` is its gradient.

    Attributes:
        mixing: λ; put `"name.mixing"` into the force field's `fixed` if a fit shall not change it.
        first: E₀.
        second: E₁.
    """

    mixing: Float[Array, ""]
    first: AbstractBlock
    second: AbstractBlock

    def __init__(
        self, mixing: float | Float[Array, ""], first: AbstractBlock, second: AbstractBlock
    ):
        self.mixing = jnp.asarray(mixing, float)
        self.first = first
        self.second = second

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        first, second = self.first(geometry), self.second(geometry)
        return first + self.mixing.astype(first.dtype) * (second - first)


class Region(AbstractBlock):
    """A block that sees some of the atoms, as if there were no others.

    Mechanical embedding is `{"mm": mm, "mm out": Weighted(-1, Region(atoms, mm_of_region)),
    "ml in": Region(atoms, ml_of_region)}`.

    Attributes:
        atoms: Which, `(k,)`; the block counts them from 0 in this order.
        block: A block over k atoms.
    """

    layout: ClassVar[Mapping[str, str]] = {"atoms": "atoms"}

    atoms: Int[Array, " k"]
    block: AbstractBlock

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        pairs = geometry.pairs
        if pairs is not None:
            n, k = len(geometry.positions), len(self.atoms)
            place = (
                jnp.full(n, -1, pairs.dtype).at[self.atoms].set(jnp.arange(k, dtype=pairs.dtype))
            )
            inner = place[pairs]
            pairs = jnp.where(jnp.all(inner >= 0, axis=1)[:, None], inner, 0)
        return self.block(Geometry(geometry.positions[self.atoms], geometry.box, pairs))
