"""Class II valence terms: anharmonic bonds and angles, and all their couplings.

Sources: Maple, Hwang et al., J. Comput. Chem. 15, 162 (1994) (CFF); Sun, J. Phys. Chem. B 102,
7338 (1998) (COMPASS).
"""

import itertools
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Float, Int, Scalar

from ._block import AbstractBlock, Geometry, Quantity, norm
from ._kinds import numbered, side_kinds, term_kinds
from ._topology import Topology
from ._torsions import dihedrals, multiples


class ClassTwoTerms(AbstractBlock):
    """Bonds, angles and their cross terms, over the internal coordinates d, t and φ.

    With d = r - r₀ and t = θ - θ₀ of the bonds and angles that meet in a term:

    | field | term |
    |---|---|
    | `stretch2`, `stretch3`, `stretch4` | k₂d² + k₃d³ + k₄d⁴ |
    | `bend2`, `bend3`, `bend4` | k₂t² + k₃t³ + k₄t⁴ |
    | `bond_bond` | K d d' of the two bonds of an angle |
    | `bond_angle` | K d t, one K for each side of an angle |
    | `angle_angle` | K t t' of two angles that share centre and bond |
    | `middle_torsion` | d Σₙ Kₙ cos nφ of the middle bond |
    | `end_torsion` | d Σₙ Kₙ cos nφ, one row for each end |
    | `angle_torsion` | t Σₙ Kₙ cos nφ, one row for each side |
    | `angle_angle_torsion` | K t t' cos φ |
    | `bond_bond_13` | K d d' of the two outer bonds of a torsion |

    A field of length 0 leaves its term out. Make one with `ClassTwoTerms.of`, which numbers the
    parameters by symmetry class. All terms share r₀ and θ₀, and the coordinates are computed once.

    Attributes:
        bonds: `(b, 2)`; `bond_kind` `(b,)`.
        angles: `(a, 3)`; `angle_kind` `(a,)`; `angle_bonds` `(a, 2)`, the bonds i-j and k-j;
            `sides` `(a, 2)`, the kinds of the two sides.
        twins: Pairs of angles that share centre and bond, `(c, 2)`; `twin_kind` `(c,)`.
        torsions: `(t, 4)`; `torsion_kind` `(t,)`; `torsion_bonds` `(t, 3)`; `torsion_angles`
            `(t, 2)`; `ends` `(t, 2)`, the kinds of the two ends.
        length: r₀ in nm; `rest`: θ₀ in rad.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "length": Quantity("nm", 0.05, positive=True),
        "stretch2": Quantity("kJ/(mol nm²)", 0.3, positive=True),
        "stretch3": Quantity("kJ/(mol nm³)", 1e6),
        "stretch4": Quantity("kJ/(mol nm⁴)", 0.5, positive=True),
        "rest": Quantity("rad", 0.1),
        "bend2": Quantity("kJ/(mol rad²)", 0.3, positive=True),
        "bend3": Quantity("kJ/(mol rad³)", 100.0),
        "bend4": Quantity("kJ/(mol rad⁴)", 100.0),
        "bond_bond": Quantity("kJ/(mol nm²)", 3e4),
        "bond_angle": Quantity("kJ/(mol nm rad)", 1e3),
        "angle_angle": Quantity("kJ/(mol rad²)", 60.0),
        "middle_torsion": Quantity("kJ/(mol nm)", 200.0),
        "end_torsion": Quantity("kJ/(mol nm)", 100.0),
        "angle_torsion": Quantity("kJ/(mol rad)", 10.0),
        "angle_angle_torsion": Quantity("kJ/(mol rad²)", 40.0),
        "bond_bond_13": Quantity("kJ/(mol nm²)", 1e4),
    }
    layout: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("bonds", "angles", "torsions"), "atoms"),
        **dict.fromkeys(("bond_kind", "angle_kind", "sides", "twin_kind"), "rows"),
        **dict.fromkeys(("torsion_kind", "ends"), "rows"),
        **dict.fromkeys(("angle_bonds", "torsion_bonds"), "bonds"),
        **dict.fromkeys(("twins", "torsion_angles"), "angles"),
    }

    bonds: Int[Array, "b 2"]
    bond_kind: Int[Array, " b"]
    angles: Int[Array, "a 3"]
    angle_kind: Int[Array, " a"]
    angle_bonds: Int[Array, "a 2"]
    sides: Int[Array, "a 2"]
    twins: Int[Array, "c 2"]
    twin_kind: Int[Array, " c"]
    torsions: Int[Array, "t 4"]
    torsion_kind: Int[Array, " t"]
    torsion_bonds: Int[Array, "t 3"]
    torsion_angles: Int[Array, "t 2"]
    ends: Int[Array, "t 2"]
    length: Float[Array, " bk"]
    stretch2: Float[Array, " bk"]
    stretch3: Float[Array, " bk"]
    stretch4: Float[Array, " bk"]
    rest: Float[Array, " ak"]
    bend2: Float[Array, " ak"]
    bend3: Float[Array, " ak"]
    bend4: Float[Array, " ak"]
    bond_bond: Float[Array, " bb"]
    bond_angle: Float[Array, " ba"]
    angle_angle: Float[Array, " aa"]
    middle_torsion: Float[Array, "mt 3"]
    end_torsion: Float[Array, "et 3"]
    angle_torsion: Float[Array, "at 3"]
    angle_angle_torsion: Float[Array, " aat"]
    bond_bond_13: Float[Array, " bb13"]

    @classmethod
    def of(
        cls,
        topology: Topology,
        parameters: Mapping[str, np.ndarray],
        *,
        linear: frozenset[int] = frozenset(),
    ) -> "ClassTwoTerms":
        """All terms of a molecule, with kinds by symmetry class.

        Args:
            topology: The molecule.
            parameters: The fields by name, in the order of kinds of `term_kinds` and
                `side_kinds`. A cross term that is not given starts at zero; one given with length
                0 is left out. `length`, `stretch2`, `rest` and `bend2` are needed.
            linear: Numbers of the angles that are left out, since their rest is 180°, and with
                them all torsions that contain one.

        Raises:
            ArgumentError: if a parameter is missing, unknown, or of the wrong length.
        """
        index = _indices(topology, linear)
        sizes = _sizes(index)
        unknown = sorted(set(parameters) - set(sizes))
        missing = [
            name for name in ("length", "stretch2", "rest", "bend2") if name not in parameters
        ]
        if unknown or missing:
            raise ArgumentError(
                f"class II parameters: {', '.join(unknown) or 'none'} unknown, "
                f"{', '.join(missing) or 'none'} missing",
                f"there are {', '.join(sizes)}",
            )
        values = {}
        for name, shape in sizes.items():
            value = np.asarray(parameters.get(name, np.zeros(shape)), float)
            empty = len(value) == 0 and name not in _VALENCE
            if value.shape != shape and not empty:
                raise ArgumentError(
                    f"class II parameter {name} has shape {value.shape}, needed is {shape}",
                    "one entry for each kind of term",
                )
            values[name] = jnp.asarray(value.reshape((0, *shape[1:])) if empty else value)
        return cls(**{name: jnp.asarray(table) for name, table in index.items()}, **values)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        d = norm(geometry.steps(self.bonds)[:, 0]) - self.length[self.bond_kind]
        kind = self.bond_kind
        energy = jnp.sum(
            d**2 * (self.stretch2[kind] + d * (self.stretch3[kind] + d * self.stretch4[kind]))
        )
        steps = geometry.steps(self.angles)
        one, other = -steps[:, 0], steps[:, 1]
        across, along = norm(jnp.cross(one, other)), jnp.sum(one * other, axis=-1)
        kind = self.angle_kind
        t = jnp.arctan2(across, along) - self.rest[kind]
        energy = energy + jnp.sum(
            t**2 * (self.bend2[kind] + t * (self.bend3[kind] + t * self.bend4[kind]))
        )
        arms = d[self.angle_bonds]
        if len(self.bond_bond):
            energy = energy + jnp.sum(self.bond_bond[kind] * arms[:, 0] * arms[:, 1])
        if len(self.bond_angle):
            energy = energy + jnp.sum(self.bond_angle[self.sides] * arms * t[:, None])
        if len(self.angle_angle):
            pair = t[self.twins]
            energy = energy + jnp.sum(self.angle_angle[self.twin_kind] * pair[:, 0] * pair[:, 1])
        return energy + self._torsional(geometry, d, t)

    def _torsional(self, geometry: Geometry, d: jax.Array, t: jax.Array) -> Scalar:
        kind, energy = self.torsion_kind, jnp.zeros((), d.dtype)
        bond, angle = d[self.torsion_bonds], t[self.torsion_angles]
        if len(self.bond_bond_13):
            energy = energy + jnp.sum(self.bond_bond_13[kind] * bond[:, 0] * bond[:, 2])
        coupled = (
            self.middle_torsion,
            self.end_torsion,
            self.angle_torsion,
            self.angle_angle_torsion,
        )
        if not any(len(field) for field in coupled):
            return energy
        cosine, sine = dihedrals(geometry, self.torsions)
        waves = jnp.stack([c for c, _ in multiples(cosine, sine, 3)], axis=-1)
        if len(self.middle_torsion):
            series = jnp.sum(self.middle_torsion[kind] * waves, axis=-1)
            energy = energy + jnp.sum(bond[:, 1] * series)
        for field, coordinate in (
            (self.end_torsion, bond[:, ::2]),
            (self.angle_torsion, angle),
        ):
            if len(field):
                series = jnp.sum(field[self.ends] * waves[:, None, :], axis=-1)
                energy = energy + jnp.sum(coordinate * series)
        if len(self.angle_angle_torsion):
            product = angle[:, 0] * angle[:, 1] * cosine
            energy = energy + jnp.sum(self.angle_angle_torsion[kind] * product)
        return energy


_VALENCE = (
    *("length", "stretch2", "stretch3", "stretch4"),
    *("rest", "bend2", "bend3", "bend4"),
)


def _sizes(index: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Shape of each field of parameters."""

    def count(name: str) -> int:
        return int(index[name].max()) + 1 if index[name].size else 0

    bonds, angles, sides = count("bond_kind"), count("angle_kind"), count("sides")
    torsions, ends = count("torsion_kind"), count("ends")
    return {
        **dict.fromkeys(_VALENCE[:4], (bonds,)),
        **dict.fromkeys(_VALENCE[4:], (angles,)),
        "bond_bond": (angles,),
        "bond_angle": (sides,),
        "angle_angle": (count("twin_kind"),),
        "middle_torsion": (torsions, 3),
        "end_torsion": (ends, 3),
        "angle_torsion": (ends, 3),
        "angle_angle_torsion": (torsions,),
        "bond_bond_13": (torsions,),
    }


def _indices(topology: Topology, linear: frozenset[int]) -> dict[str, np.ndarray]:
    """Atoms and kinds of all terms."""
    ranks = topology.ranks
    kept = [a for a in range(len(topology.angles)) if a not in linear]
    angles = topology.angles[kept]
    bond_at = {pair: b for b, (i, j) in enumerate(topology.bonds) for pair in ((i, j), (j, i))}
    angle_at = {word: a for a, (i, j, k) in enumerate(angles) for word in ((i, j, k), (k, j, i))}
    torsions = np.asarray(
        [
            (i, j, k, l)
            for i, j, k, l in topology.propers.tolist()
            if (i, j, k) in angle_at and (j, k, l) in angle_at
        ],
        np.int32,
    ).reshape(-1, 4)
    twins, words = [], []
    for a, b in _sharing(angles):
        shared = set(angles[a][[0, 2]]) & set(angles[b][[0, 2]])
        outer = set(angles[a][[0, 2]]) ^ set(angles[b][[0, 2]])
        twins.append((a, b))
        centre, common = int(ranks[angles[a][1]]), int(ranks[shared.pop()])
        words.append((centre, common, *sorted(int(ranks[atom]) for atom in outer)))
    return {
        "bonds": topology.bonds,
        "bond_kind": term_kinds(ranks, topology.bonds),
        "angles": angles,
        "angle_kind": term_kinds(ranks, angles),
        "angle_bonds": _table([(bond_at[i, j], bond_at[k, j]) for i, j, k in angles], 2),
        "sides": side_kinds(ranks, angles),
        "twins": _table(twins, 2),
        "twin_kind": numbered(words)[0],
        "torsions": torsions,
        "torsion_kind": term_kinds(ranks, torsions),
        "torsion_bonds": _table(
            [(bond_at[i, j], bond_at[j, k], bond_at[k, l]) for i, j, k, l in torsions], 3
        ),
        "torsion_angles": _table(
            [(angle_at[i, j, k], angle_at[j, k, l]) for i, j, k, l in torsions], 2
        ),
        "ends": side_kinds(ranks, torsions),
    }


def _sharing(angles: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of angles about one centre that share one bond."""
    about: dict[int, list[int]] = {}
    for a, (_, j, _) in enumerate(angles):
        about.setdefault(int(j), []).append(a)
    return [
        (a, b)
        for group in about.values()
        for a, b in itertools.combinations(group, 2)
        if len(set(angles[a]) & set(angles[b])) == 2
    ]


def _table(rows: list[tuple[int, ...]], width: int) -> np.ndarray:
    return np.asarray(rows, np.int32).reshape(-1, width)
