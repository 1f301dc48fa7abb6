"""What learned blocks share: element types, who is near whom, and networks over rows.

Their geometry is computed in the precision of the positions, the network in that of its own
arrays (`dtype=` of the constructors), and the energy is returned in that of the positions.
"""

import itertools
import math
from collections.abc import Sequence
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Float, Int, PRNGKey, Scalar

from ._block import Geometry, norm
from ._topology import Topology

Block = TypeVar("Block", bound=eqx.Module)


class AbstractPart(eqx.Module):
    """A piece of a learned block, which files can hold."""


def elements_of(topology: Topology) -> tuple[int, ...]:
    """Atomic numbers that occur, ascending."""
    return tuple(sorted({int(z) for z in topology.numbers}))


def species_of(topology: Topology, elements: Sequence[int]) -> Int[Array, " n"]:
    """Place of each atom's element in `elements`, `(n,)`.

    Raises:
        ArgumentError: if an atom is of another element, with its name.
    """
    places = {element: place for place, element in enumerate(elements)}
    for atom, element in enumerate(topology.numbers):
        if int(element) not in places:
            raise ArgumentError(
                f"{topology.names[atom]} (atom {atom}) has atomic number {element}, and this "
                f"block knows {', '.join(map(str, elements))}",
                "fit a block whose `elements` include it",
            )
    return jnp.asarray([places[int(element)] for element in topology.numbers], jnp.int32)


def transferred(block: Block, topology: Topology) -> Block:
    """A learned block with the same parameters on other atoms.

    Raises:
        ArgumentError: if an element is unknown to the block, or the block is tied to its topology.
    """
    move = getattr(block, "on", None)
    if move is not None:
        return move(topology)
    elements = getattr(block, "elements", None)
    if elements is None or not hasattr(block, "species"):
        raise ArgumentError(
            f"{type(block).__name__} is tied to the atoms it was made for", "make a new one"
        )
    moved = eqx.tree_at(lambda b: b.species, block, species_of(topology, elements))
    if getattr(block, "charge", None) is not None:
        charge = jnp.asarray(topology.charge, jnp.int32)
        moved = eqx.tree_at(lambda b: b.charge, moved, charge)
    return moved


def indicator(species: Int[Array, " n"], count: int, dtype: jnp.dtype) -> Float[Array, "n count"]:
    """Rows of the unit matrix: its gradient is a product and not a scatter."""
    return jax.nn.one_hot(species, count, dtype=dtype)


class Edges(eqx.Module):
    """Directed neighbours, every pair twice; as a matrix of all atoms, or as a list.

    The matrix needs neither gathers nor scatters, which small molecules are too small for.

    Attributes:
        r: Distances, `(n, n)` or `(m,)`, in nm.
        unit: From the centre to the neighbour, length 1 (0 if they coincide).
        real: 1 for neighbours and 0 for fillers and an atom with itself.
        centre: Atom that each edge of a list belongs to, or `None`.
        other: Its neighbour, or `None`.
        atoms: Number of atoms.
    """

    r: Float[Array, "*edges"]
    unit: Float[Array, "*edges 3"]
    real: Float[Array, "*edges"]
    centre: Int[Array, " m"] | None
    other: Int[Array, " m"] | None
    atoms: int = eqx.field(static=True)

    @classmethod
    def of(cls, geometry: Geometry, dtype: jnp.dtype) -> "Edges":
        """All neighbours of a structure, in the precision of a network."""
        x = geometry.positions
        n = len(x)
        if geometry.pairs is None:
            centre = other = None
            steps = geometry.nearest(x[None, :] - x[:, None])
            real = 1.0 - jnp.eye(n, dtype=x.dtype)
        else:
            i, j = geometry.pairs.T
            centre, other = jnp.concatenate([i, j]), jnp.concatenate([j, i])
            steps = geometry.nearest(x[other] - x[centre])
            real = (centre != other).astype(x.dtype)
        r = norm(steps)
        unit = steps / jnp.where(r > 0, r, 1.0)[..., None]
        return cls(r.astype(dtype), unit.astype(dtype), real.astype(dtype), centre, other, n)

    def at_other(self, rows: Float[Array, "n *k"]) -> Float[Array, "..."]:
        """Rows of the neighbours, one for each edge."""
        return rows[None] if self.other is None else rows[self.other]

    def at_centre(self, rows: Float[Array, "n *k"]) -> Float[Array, "..."]:
        """Rows of the centres, one for each edge."""
        return rows[:, None] if self.centre is None else rows[self.centre]

    def total(self, values: Float[Array, "..."]) -> Float[Array, "n ..."]:
        """Sums over the neighbours of each atom."""
        if self.centre is None:
            return jnp.sum(values, axis=1)
        return jax.ops.segment_sum(values, self.centre, self.atoms)


def unordered_pairs(
    geometry: Geometry,
) -> tuple[Int[Array, " m"], Int[Array, " m"], Float[Array, " m"]]:
    """Every pair once: two atoms and 1, or 0 for a filler."""
    if geometry.pairs is None:
        i, j = np.triu_indices(len(geometry.positions), 1)
        return jnp.asarray(i), jnp.asarray(j), jnp.ones(len(i), geometry.positions.dtype)
    i, j = geometry.pairs.T
    return i, j, (i != j).astype(geometry.positions.dtype)


def pair_distances(
    geometry: Geometry, i: Int[Array, " m"], j: Int[Array, " m"], real: Float[Array, " m"]
) -> Float[Array, " m"]:
    """Distances of `unordered_pairs`; 1 nm for fillers, so that no power of it diverges."""
    return jnp.where(real > 0, geometry.distances(i, j), 1.0)


class Perceptron(AbstractPart):
    """`x W + b` and, between layers, the activation `z σ(z)`, along the last axis.

    Its leaves are its parameters only, unlike those of `eqx.nn.MLP`; and a stack of networks, with
    one more axis in front, takes the same rows in one product.

    Attributes:
        weights: `(*stack, inputs, outputs)` of each layer.
        biases: `(*stack, 1, outputs)`, or `(outputs,)` of a single network.
    """

    weights: tuple[Float[Array, "..."], ...]
    biases: tuple[Float[Array, "..."], ...]

    @classmethod
    def random(
        cls, sizes: Sequence[int], key: PRNGKey, dtype: str, stack: int | None = None
    ) -> "Perceptron":
        """Normal weights of variance 1/inputs, no bias.

        Args:
            sizes: Inputs, units of each hidden layer, outputs.
            key: Randomness of the weights.
            dtype: Their precision, `"float64"` or `"float32"`.
            stack: How many networks; by default one, without an axis for it.

        Raises:
            ArgumentError: if a size or the precision is out of range.
        """
        if min(sizes) < 1 or dtype not in ("float32", "float64"):
            raise ArgumentError(
                f"a network of sizes {tuple(sizes)} in {dtype!r}",
                "sizes of at least 1, and 'float64' or 'float32'",
            )
        lead = () if stack is None else (stack,)
        shapes = [(*lead, m, n) for m, n in itertools.pairwise(sizes)]
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        drawn = np.split(np.asarray(jax.random.normal(key, (int(ends[-1]),), dtype)), ends[:-1])
        pairs = list(zip(drawn, shapes, strict=True))
        return cls(
            tuple(jnp.asarray(part.reshape(shape) / shape[-2] ** 0.5) for part, shape in pairs),
            tuple(
                jnp.asarray(np.zeros((*lead, 1, shape[-1]) if lead else shape[-1:], dtype))
                for shape in shapes
            ),
        )

    def __call__(self, x: Float[Array, "*rows inputs"]) -> Float[Array, "..."]:
        """Outputs of every row."""
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = (jax.nn.silu(x) if place else x) @ weight + bias
        return x


def check_cutoff(cutoff: float) -> float:
    """A cutoff, in nm.

    Raises:
        ArgumentError: if it is not positive, or is larger than lengths in nm are.
    """
    if not 0 < cutoff <= 10:
        raise ArgumentError(f"cutoff={cutoff} nm", "lengths are in nm; 0.5 is usual")
    return float(cutoff)


def by_element(
    networks: Perceptron, values: Float[Array, "n inputs"], species: Int[Array, " n"]
) -> Float[Array, "n outputs"]:
    """Each row through the network of its element.

    All networks see all rows: products of stacked matrices are cheaper than gathered matrices.
    """
    outputs = networks(values)
    chosen = indicator(species, len(outputs), values.dtype)
    return jnp.sum(chosen.T[..., None] * outputs, axis=0)


def atom_sum(values: Float[Array, "n 1"], geometry: Geometry, scale: float) -> Scalar:
    """Sum of atomic energies in the precision of the positions."""
    return scale * jnp.sum(values.astype(geometry.positions.dtype))
