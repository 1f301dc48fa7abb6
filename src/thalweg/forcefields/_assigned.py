"""Parameters of molecular mechanics as a function of the bond graph.

A small network passes messages along the bonds; what it knows of an atom then gives the parameters
of every bond, angle and torsion, summed over the orders in which a term may be read (Janossy
pooling), and charges by equilibration in closed form. Nothing depends on positions, so a step
costs what molecular mechanics costs.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Float, Int, PRNGKey, Scalar

from ._block import AbstractBlock, Geometry
from ._bonded import HarmonicAngles, HarmonicBonds
from ._coulomb import Coulomb
from ._learned import Perceptron, elements_of, indicator, species_of
from ._repulsion import COVALENT_RADII
from ._rule import PairRule
from ._topology import Topology
from ._torsions import PeriodicTorsions

_DEGREES = 5
_RINGS = (3, 4, 5, 6, 7, 8)
_TETRAHEDRAL = 109.4712 / 180.0


class AssignedTerms(eqx.Module):
    """Parameters of every term of a molecule.

    Attributes:
        bond_stiffness: `(b,)`, in kJ/(mol nm²).
        bond_length: `(b,)`, in nm.
        angle_stiffness: `(a,)`, in kJ/(mol rad²).
        angle: `(a,)`, in rad.
        torsion: Barriers by multiplicity 1, 2, …, `(p, orders)`, in kJ/mol, of either sign.
        charges: `(n,)`, in elementary charges; their sum is the total charge.
    """

    bond_stiffness: Float[Array, " b"]
    bond_length: Float[Array, " b"]
    angle_stiffness: Float[Array, " a"]
    angle: Float[Array, " a"]
    torsion: Float[Array, "p orders"]
    charges: Float[Array, " n"]


class AssignedParameters(AbstractBlock):
    """Molecular mechanics whose parameters a graph network assigns, as in espaloma.

    As a block it is the sum of `blocks`: its network is what a fit changes. Put `blocks()` into
    the force field in its place when it is fitted.

    Source: Y. Wang et al., Chem. Sci. 13, 12016 (2022); charges: M. K. Gilson, H. S. R. Gilson and
    M. J. Potter, J. Chem. Inf. Comput. Sci. 43, 1982 (2003).

    Attributes:
        species: Element of each atom as its place in `elements`, `(n,)`.
        elements: Atomic numbers.
        features: Degree, rings and formal charge of each atom, `(n, 13)`.
        bonds: `(b, 2)`.
        angles: `(a, 3)`.
        propers: `(p, 4)`.
        rule: Pairs that feel Coulomb's law, those three bonds apart at 1/1.2.
        total: Total charge, in elementary charges.
        embed: From element and features to what is passed.
        rounds: From an atom's and its neighbours' features to a change.
        bond: Head for bonds: stiffness and length.
        bend: Head for angles: stiffness and angle.
        twist: Head for torsions: a barrier for each multiplicity.
        electron: Head for atoms: electronegativity and hardness.
    """

    layout: ClassVar[Mapping[str, str]] = {
        "species": "rows",
        "features": "rows",
        "bonds": "atoms",
        "angles": "atoms",
        "propers": "atoms",
        "total": "sum",
    }

    species: Int[Array, " n"]
    elements: tuple[int, ...] = eqx.field(static=True)
    features: Int[Array, "n features"]
    bonds: Int[Array, "b 2"]
    angles: Int[Array, "a 3"]
    propers: Int[Array, "p 4"]
    rule: PairRule
    total: int = eqx.field(static=True)
    embed: Perceptron
    rounds: tuple[Perceptron, ...]
    bond: Perceptron
    bend: Perceptron
    twist: Perceptron
    electron: Perceptron

    @classmethod
    def for_topology(
        cls,
        topology: Topology,
        *,
        key: PRNGKey,
        width: int = 16,
        rounds: int = 2,
        orders: int = 4,
        elements: Sequence[int] | None = None,
        formal: Sequence[int] | None = None,
    ) -> "AssignedParameters":
        """With random weights, small enough that every term begins near a textbook's.

        Args:
            topology: Whose atoms.
            key: Randomness of the weights.
            width: Features of an atom.
            rounds: Rounds of messages: how many bonds away an atom is felt.
            orders: Multiplicities of torsions.
            elements: Atomic numbers that it shall know; by default those of the topology.
            formal: Formal charge of each atom; by default 0.

        Raises:
            ArgumentError: if an element or a formal charge is missing.
        """
        known = elements_of(topology) if elements is None else tuple(map(int, elements))
        keys = jax.random.split(key, 5 + rounds)
        features = graph_features(topology, formal)
        w = width

        def head(places: int, outputs: int, k: PRNGKey) -> Perceptron:
            net = Perceptron.random((places * w, w, outputs), k, "float64")
            return eqx.tree_at(lambda p: p.weights[-1], net, 0.1 * net.weights[-1])

        return cls(
            species_of(topology, known),
            known,
            jnp.asarray(features),
            jnp.asarray(topology.bonds),
            jnp.asarray(topology.angles),
            jnp.asarray(topology.propers),
            PairRule.of(topology, 1.0 / 1.2),
            topology.charge,
            Perceptron.random((len(known) + features.shape[1], w), keys[0], "float64"),
            tuple(Perceptron.random((2 * w, w, w), k, "float64") for k in keys[5:]),
            head(2, 2, keys[1]),
            head(3, 2, keys[2]),
            head(4, orders, keys[3]),
            head(1, 2, keys[4]),
        )

    def on(self, topology: Topology, formal: Sequence[int] | None = None) -> "AssignedParameters":
        """The same network on another molecule.

        Raises:
            ArgumentError: if it has an element that the network does not know.
        """
        return dataclasses.replace(
            self,
            species=species_of(topology, self.elements),
            features=jnp.asarray(graph_features(topology, formal)),
            bonds=jnp.asarray(topology.bonds),
            angles=jnp.asarray(topology.angles),
            propers=jnp.asarray(topology.propers),
            rule=PairRule.of(topology, 1.0 / 1.2),
            total=topology.charge,
        )

    def environments(self) -> Float[Array, "n width"]:
        """What the network knows of each atom after the last round."""
        dtype = self.embed.weights[0].dtype
        known = indicator(self.species, len(self.elements), dtype)
        h = jnp.tanh(self.embed(jnp.concatenate([known, self.features.astype(dtype)], axis=1)))
        i = jnp.concatenate([self.bonds[:, 0], self.bonds[:, 1]])
        j = jnp.concatenate([self.bonds[:, 1], self.bonds[:, 0]])
        for change in self.rounds:
            near = jax.ops.segment_sum(h[j], i, len(h))
            h = h + jnp.tanh(change(jnp.concatenate([h, near], axis=1)))
        return h

    def terms(self) -> AssignedTerms:
        """Parameters of every term."""
        h = self.environments()
        stretch = pooled(self.bond, h, self.bonds)
        bend = pooled(self.bend, h, self.angles)
        radii = jnp.asarray(COVALENT_RADII[list(self.elements)])[self.species]
        start = jnp.log(_TETRAHEDRAL / (1.0 - _TETRAHEDRAL))
        negativity, hardness = self.electron(h).T
        return AssignedTerms(
            2.5e5 * jnp.exp(stretch[:, 0]),
            jnp.sum(radii[self.bonds], axis=1) * jnp.exp(0.2 * stretch[:, 1]),
            400.0 * jnp.exp(bend[:, 0]),
            jnp.pi * jax.nn.sigmoid(start + bend[:, 1]),
            pooled(self.twist, h, self.propers),
            equilibrated(negativity, jnp.exp(hardness), self.total),
        )

    def blocks(self) -> dict[str, AbstractBlock]:
        """The blocks of molecular mechanics with these parameters, one kind for each term."""
        terms = self.terms()
        orders = terms.torsion.shape[1]
        return {
            "bonds": HarmonicBonds(
                self.bonds, jnp.arange(len(self.bonds)), terms.bond_stiffness, terms.bond_length
            ),
            "angles": HarmonicAngles(
                self.angles, jnp.arange(len(self.angles)), terms.angle_stiffness, terms.angle
            ),
            "torsions": PeriodicTorsions(
                self.propers,
                jnp.arange(len(self.propers)),
                terms.torsion,
                ((0.0,) * orders,) * len(self.propers),
            ),
            "charges": Coulomb(
                self.rule, jnp.arange(len(self.species)), terms.charges, float(self.total)
            ),
        }

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy of `blocks()`, in kJ/mol."""
        zero = jnp.zeros((), geometry.positions.dtype)
        return sum((block(geometry) for block in self.blocks().values()), zero)


def pooled(
    head: Perceptron, h: Float[Array, "n width"], atoms: Int[Array, "m places"]
) -> Float[Array, "m outputs"]:
    """A head at each term, summed over reading it forwards and backwards."""

    def read(order: Int[Array, "m places"]) -> Float[Array, "m outputs"]:
        return head(h[order].reshape(len(order), order.shape[1] * h.shape[1]))

    return read(atoms) + read(atoms[:, ::-1])


def equilibrated(
    negativity: Float[Array, " n"], hardness: Float[Array, " n"], total: int
) -> Float[Array, " n"]:
    """Charges that minimise `Σ χ q + ½ η q²` at a fixed sum."""
    soft = 1.0 / hardness
    missing = total + jnp.sum(negativity * soft)
    return soft * (missing / jnp.sum(soft) - negativity)


def graph_features(topology: Topology, formal: Sequence[int] | None = None) -> np.ndarray:
    """Degree (one of 0 to 5 or more), rings of 3 to 8 atoms, formal charge: `(n, 13)`.

    Raises:
        ArgumentError: if formal charges are given for another number of atoms.
    """
    n = topology.n_atoms
    if formal is not None and len(formal) != n:
        raise ArgumentError(f"formal has {len(formal)} charges for {n} atoms", "one for each")
    near: list[set[int]] = [set() for _ in range(n)]
    for i, j in topology.bonds:
        near[i].add(int(j))
        near[j].add(int(i))
    table = np.zeros((n, _DEGREES + 1 + len(_RINGS) + 1), np.int32)
    for atom, others in enumerate(near):
        table[atom, min(len(others), _DEGREES)] = 1
    for i, j in topology.bonds:
        size, members = _smallest_ring(near, int(i), int(j))
        if size in _RINGS:
            table[list(members), _DEGREES + 1 + _RINGS.index(size)] = 1
    if formal is not None:
        table[:, -1] = formal
    return table


def _smallest_ring(near: Sequence[set[int]], i: int, j: int) -> tuple[int, set[int]]:
    """Size of the smallest rings through a bond (0 if none), and the atoms in any of them."""

    def steps(start: int) -> dict[int, int]:
        """Bonds from `start` without using i-j."""
        found, shell = {start: 0}, [start]
        while shell:
            outer = []
            for atom in shell:
                for other in near[atom]:
                    if other not in found and {atom, other} != {i, j}:
                        found[other] = found[atom] + 1
                        outer.append(other)
            shell = outer
        return found

    one, other = steps(i), steps(j)
    if j not in one:
        return 0, set()
    length = one[j]
    return length + 1, {a for a in one if a in other and one[a] + other[a] == length}
