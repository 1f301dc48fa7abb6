"""Blocks: the terms that force fields are sums of, and what they see of a structure."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import Array, Float, Int, Scalar

COULOMB = 138.93545764438198
"""1/(4πε₀) in kJ nm / (mol e²), as OpenMM has it (CODATA 2018)."""


@dataclasses.dataclass(frozen=True)
class Quantity:
    """What is known of a parameter before any fit.

    A fit moves `u` with the prior N(0, 1): the parameter is `p₀ exp(spread · u)` if it is positive
    and `p₀ + spread · u` else. That scales the parameters of a force field, whose magnitudes differ
    by orders, and keeps force constants and widths positive.

    Attributes:
        unit: Its unit, for tables.
        spread: Standard deviation of the prior: of the logarithm if positive, else in the unit.
        positive: Whether it must stay positive.
    """

    unit: str
    spread: float
    positive: bool = False


class Geometry(eqx.Module):
    """A structure as blocks see it.

    Attributes:
        positions: `(n, 3)`, in nm.
        box: Rows are the edges of a periodic box in reduced form, `(3, 3)`, in nm; `None` without.
        pairs: Neighbours for blocks with a cutoff, each pair once, `(pairs, 2)`, filled up with
            `(0, 0)`; `None`: every pair.
    """

    positions: Float[Array, "n 3"]
    box: Float[Array, "3 3"] | None = None
    pairs: Int[Array, "pairs 2"] | None = None

    def vectors(self, i: Int[Array, " m"], j: Int[Array, " m"]) -> Float[Array, "m 3"]:
        """From atoms `i` to atoms `j`, to the nearest image in a box."""
        return self.nearest(self.positions[j] - self.positions[i])

    def nearest(self, step: Float[Array, "*m 3"]) -> Float[Array, "*m 3"]:
        """Differences of positions to the nearest image in a box."""
        if self.box is None:
            return step
        for axis in (2, 1, 0):
            edge = self.box[axis]
            step = step - jnp.round(step[..., axis] / edge[axis])[..., None] * edge
        return step

    def steps(self, atoms: Int[Array, "m width"]) -> Float[Array, "m between 3"]:
        """From each atom of a tuple to the next, to the nearest image in a box."""
        return self.nearest(jnp.diff(self.positions[atoms], axis=1))

    def distances(self, i: Int[Array, " m"], j: Int[Array, " m"]) -> Float[Array, " m"]:
        """Between atoms `i` and `j`; a pair of coinciding atoms has a gradient of zero."""
        return norm(self.vectors(i, j))


class AbstractBlock(eqx.Module):
    """One term of the energy of a structure, with its parameters.

    Integer fields say which atoms it is about, floating-point fields are what a fit may change.

    Attributes:
        quantities: What is known of the parameters that have a physical meaning, by field; a
            network has none.
        layout: What becomes of a field when a second copy of the atoms is appended: `"atoms"` are
            indices of atoms, `"rows"` is one row for each atom or term, `"sum"` an amount that
            adds up; what is not named stays. Empty: the block cannot be copied.
        constants: Floating-point fields that no fit changes.
        lanes_at_once: See `AbstractEnergy.lanes_at_once`.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {}
    layout: ClassVar[Mapping[str, str]] = {}
    constants: ClassVar[tuple[str, ...]] = ()
    lanes_at_once: ClassVar[int | None] = None

    @abc.abstractmethod
    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""

    def parameters(self) -> dict[str, Any]:
        """The named parameters, by field."""
        return {name: getattr(self, name) for name in self.quantities}


def norm(vectors: Float[jax.Array, "*m 3"]) -> Float[jax.Array, "*m"]:
    """Lengths; of a null vector 0, with gradient 0 and not NaN."""
    square = jnp.sum(vectors**2, axis=-1)
    apart = square > 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1.0)), 0.0)


def safe_sqrt(values: Float[jax.Array, "*many"]) -> Float[jax.Array, "*many"]:
    """Square roots; of 0 and less it is 0, with gradient 0 and not NaN."""
    positive = values > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, values, 1.0)), 0.0)
