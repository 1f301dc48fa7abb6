"""Force fields for any organic molecule, from the parameters of MMFF94 as RDKit assigns them.

Sources: Halgren, J. Comput. Chem. 17, 490 (1996); Tosco, Stiefl and Landrum, J. Cheminform. 6, 37
(2014).
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Float
from thalweg.forcefields import (
    AbstractBlock,
    Buffered147,
    ClassTwoTerms,
    Coulomb,
    ForceField,
    HarmonicAngles,
    HarmonicBonds,
    LennardJones,
    LinearAngles,
    OutOfPlane,
    PairRule,
    PeriodicTorsions,
    Topology,
    class_means,
    numbered,
    side_kinds,
    term_kinds,
)

from ._molecules import molecule_of

_KCAL = 4.184
_MILLIDYNE = 143.9325 * _KCAL
"""One md/Å in kJ/(mol Å²), with the rounding of MMFF94; its angular terms follow from it."""
_DEGREE = float(np.pi / 180.0)
_CUBIC_STRETCH = -2.0
_CUBIC_BEND = -0.006981317 / _DEGREE
_LINEAR = 175.0 * _DEGREE
_PHASES = (0.0, float(np.pi), 0.0)


def forcefield_from_mmff(topology: Topology, positions: Float[np.ndarray, "n 3"]) -> ForceField:
    """MMFF94 of a molecule, every term of it.

    Energies are RDKit's to rounding, but for Coulomb's constant, which is CODATA's here and
    2.4·10⁻⁵ larger there.

    Args:
        topology: The molecule, its charge among it.
        positions: In nm; bond orders are found with them.

    Raises:
        ArgumentError: if RDKit is missing, finds no bond orders, or MMFF94 has no type or
            parameter for an atom, which it names.
    """
    terms = _Terms.read(topology, positions)
    rest = np.asarray([angle[1] for angle in terms.angles]) * _DEGREE
    # RDKit treats an angle as linear by its atom type, where the rest is 180°.
    linear = frozenset(int(a) for a in np.flatnonzero(rest > _LINEAR))
    blocks: dict[str, AbstractBlock] = {"valence": _valence(terms, linear, own_rest=True)}
    blocks |= _linear_and_flat(terms, linear)
    blocks |= _torsions(terms, frozenset())
    blocks |= _mmff_nonbonded(terms)
    return ForceField(topology, blocks)


def generic_forcefield(
    topology: Topology, positions: Float[np.ndarray, "n 3"], class_: str = "I"
) -> ForceField:
    """A class I or class II force field to begin a fit with, for any organic molecule.

    Rest lengths and angles are those of the given structure, averaged over terms that a symmetry
    exchanges; stiffnesses, torsional barriers, charges and sizes are those of MMFF94, averaged in
    the same way. Lennard-Jones 12-6 with Lorentz-Berthelot combination, 1-4 pairs at 1/2 and
    1/1.2. Class II adds the anharmonic terms and stretch-bend couplings of MMFF94, and all other
    couplings at zero.

    Args:
        topology: The molecule, its charge among it.
        positions: In nm, near a minimum.
        class_: `"I"` or `"II"`.

    Raises:
        ArgumentError: if RDKit is missing, finds no bond orders, or MMFF94 has no type or
            parameter for an atom, which it names; or the class is another.
    """
    if class_ not in ("I", "II"):
        raise ArgumentError(f"class_={class_!r} is no class of force fields", "'I' or 'II'")
    terms = _Terms.read(topology, positions)
    kind = term_kinds(topology.ranks, topology.angles)
    rest = class_means(kind, _angles_of(positions, topology.angles))[kind]
    linear = frozenset(int(a) for a in np.flatnonzero(rest > _LINEAR))
    if class_ == "II":
        blocks: dict[str, AbstractBlock] = {"valence": _valence(terms, linear, own_rest=False)}
    else:
        blocks = _harmonic(terms, linear)
    blocks |= _linear_and_flat(terms, linear)
    blocks |= _torsions(terms, linear)
    blocks |= _class_one_nonbonded(terms)
    return ForceField(topology, blocks)


@dataclasses.dataclass(frozen=True)
class _Terms:
    """MMFF94's parameters of a molecule in its own units, one row a term."""

    topology: Topology
    positions: np.ndarray
    bonds: list[tuple[float, float]]
    angles: list[tuple[float, float]]
    couplings: list[tuple[float, float]]
    torsions: list[tuple[float, float, float]]
    planes: list[float]
    charges: np.ndarray
    types: list[int]
    dispersion: Callable[[int, int], tuple[float, float]]

    @classmethod
    def read(cls, topology: Topology, positions: np.ndarray) -> "_Terms":
        from rdkit.Chem import rdForceFieldHelpers

        positions = np.asarray(positions, float)
        if positions.shape != (topology.n_atoms, 3):
            raise ArgumentError(
                f"positions have shape {positions.shape}, the topology {topology.n_atoms} atoms",
                f"give ({topology.n_atoms}, 3), in nm",
            )
        molecule = molecule_of(topology, positions)
        known = rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule)
        if known is None:
            raise ArgumentError(_untyped(topology), "MMFF94 knows organic molecules and few ions")

        def needed(values: Any, atoms: Any) -> tuple[float, ...]:
            if values is None:
                names = "-".join(topology.names[atom] for atom in atoms)
                raise ArgumentError(
                    f"MMFF94 has no parameter for {names}", "make the term with another force field"
                )
            return tuple(float(v) for v in values)

        def dispersion(i: int, j: int) -> tuple[float, float]:
            size, depth = needed(known.GetMMFFVdWParams(i, j), (i, j))[2:]
            return size, depth

        bonds = [
            needed(known.GetMMFFBondStretchParams(molecule, *row), row)[1:]
            for row in topology.bonds.tolist()
        ]
        angles = [
            needed(known.GetMMFFAngleBendParams(molecule, *row), row)[1:]
            for row in topology.angles.tolist()
        ]
        couplings = [
            tuple(known.GetMMFFStretchBendParams(molecule, *row) or (0, 0.0, 0.0))[1:]
            for row in topology.angles.tolist()
        ]
        torsions = [
            tuple(known.GetMMFFTorsionParams(molecule, *row) or (0, 0.0, 0.0, 0.0))[1:]
            for row in topology.propers.tolist()
        ]
        planes = [
            known.GetMMFFOopBendParams(molecule, i, j, k, l) or 0.0
            for i, j, k, l in _planes(topology)
        ]
        atoms = range(topology.n_atoms)
        return cls(
            topology,
            positions,
            bonds,  # pyright: ignore[reportArgumentType]
            angles,  # pyright: ignore[reportArgumentType]
            couplings,  # pyright: ignore[reportArgumentType]
            torsions,  # pyright: ignore[reportArgumentType]
            planes,
            np.asarray([known.GetMMFFPartialCharge(i) for i in atoms]),
            [known.GetMMFFAtomType(i) for i in atoms],
            dispersion,
        )


def _untyped(topology: Topology) -> str:
    known = {1, 3, 6, 7, 8, 9, 11, 12, 14, 15, 16, 17, 19, 20, 26, 29, 30, 35, 53}
    for name, z in zip(topology.names, topology.numbers, strict=True):
        if int(z) not in known:
            return f"MMFF94 does not know the element of atom {name}"
    return "MMFF94 has no type for one of these atoms"


def _planes(topology: Topology) -> list[tuple[int, int, int, int]]:
    """i, centre, k, l: each atom with three neighbours, with each of them raised in turn."""
    near: list[list[int]] = [[] for _ in range(topology.n_atoms)]
    for i, j in topology.bonds.tolist():
        near[i].append(j)
        near[j].append(i)
    found = []
    for centre, others in enumerate(near):
        if len(others) == 3:
            a, b, c = others
            found += [(a, centre, b, c), (a, centre, c, b), (b, centre, c, a)]
    return found


def _valence(terms: _Terms, linear: frozenset[int], *, own_rest: bool) -> ClassTwoTerms:
    """Bonds, angles and stretch-bend coupling.

    Args:
        terms: The parameters.
        linear: Angles to leave out.
        own_rest: Whether rests are MMFF94's, and no other coupling is wanted.
    """
    topology = terms.topology
    ranks = topology.ranks
    kept = [a for a in range(len(topology.angles)) if a not in linear]
    table, kind = topology.angles[kept], term_kinds(ranks, topology.angles[kept])
    stretch, length = class_means(term_kinds(ranks, topology.bonds), terms.bonds).T
    bend, rest = class_means(kind, np.asarray(terms.angles)[kept]).T
    sides = side_kinds(ranks, table)
    coupling = class_means(sides.reshape(-1), np.asarray(terms.couplings)[kept].reshape(-1))
    k2, t2 = 0.5 * _MILLIDYNE * 100.0 * stretch, 0.5 * _MILLIDYNE * bend
    parameters = {
        "length": 0.1 * length,
        "stretch2": k2,
        "stretch3": 10.0 * _CUBIC_STRETCH * k2,
        "stretch4": 100.0 * 7.0 / 12.0 * _CUBIC_STRETCH**2 * k2,
        "rest": _DEGREE * rest,
        "bend2": t2,
        "bend3": _CUBIC_BEND * t2,
        "bond_angle": 10.0 * _MILLIDYNE * coupling,
    }
    if own_rest:
        for name, shape in (
            ("bond_bond", 0),
            ("angle_angle", 0),
            ("middle_torsion", (0, 3)),
            ("end_torsion", (0, 3)),
            ("angle_torsion", (0, 3)),
            ("angle_angle_torsion", 0),
            ("bond_bond_13", 0),
        ):
            parameters[name] = np.zeros(shape)
    else:
        parameters["length"] = _bond_rests(terms)
        parameters["rest"] = class_means(kind, _angles_of(terms.positions, table))
    return ClassTwoTerms.of(topology, parameters, linear=linear)


def _harmonic(terms: _Terms, linear: frozenset[int]) -> dict[str, AbstractBlock]:
    """Class I bonds and angles about the given structure."""
    topology = terms.topology
    kept = [a for a in range(len(topology.angles)) if a not in linear]
    table = topology.angles[kept]
    bond, angle = (term_kinds(topology.ranks, atoms) for atoms in (topology.bonds, table))
    stretch = class_means(bond, [k for k, _ in terms.bonds])
    bend = class_means(angle, [terms.angles[a][0] for a in kept])
    rest = class_means(angle, _angles_of(terms.positions, table))
    return {
        "bonds": HarmonicBonds(
            _index(topology.bonds),
            _index(bond),
            jnp.asarray(100.0 * _MILLIDYNE * stretch),
            jnp.asarray(_bond_rests(terms)),
        ),
        "angles": HarmonicAngles(
            _index(table), _index(angle), jnp.asarray(_MILLIDYNE * bend), jnp.asarray(rest)
        ),
    }


def _linear_and_flat(terms: _Terms, linear: frozenset[int]) -> dict[str, AbstractBlock]:
    topology = terms.topology
    ranks = topology.ranks
    blocks: dict[str, AbstractBlock] = {}
    if linear:
        rows = sorted(linear)
        kind = term_kinds(ranks, topology.angles[rows])
        stiffness = _MILLIDYNE * class_means(kind, [terms.angles[a][0] for a in rows])
        atoms = _index(topology.angles[rows])
        blocks["linear angles"] = LinearAngles(atoms, _index(kind), jnp.asarray(stiffness))
    planes = [
        (row, value)
        for row, value in zip(_planes(topology), terms.planes, strict=True)
        if value != 0.0
    ]
    if planes:
        words = [
            (int(ranks[j]), int(ranks[l]), *sorted((int(ranks[i]), int(ranks[k]))))
            for (i, j, k, l), _ in planes
        ]
        kind = numbered(words)[0]
        stiffness = _MILLIDYNE * class_means(kind, [value for _, value in planes])
        atoms = _index(np.asarray([row for row, _ in planes]))
        blocks["planes"] = OutOfPlane(atoms, _index(kind), jnp.asarray(stiffness))
    return blocks


def _torsions(terms: _Terms, linear: frozenset[int]) -> dict[str, AbstractBlock]:
    """½V₁(1 + cos φ) + ½V₂(1 - cos 2φ) + ½V₃(1 + cos 3φ)."""
    topology = terms.topology
    straight = {
        word
        for a in linear
        for word in (tuple(topology.angles[a].tolist()), tuple(topology.angles[a][::-1].tolist()))
    }
    kept = [
        t
        for t, (i, j, k, l) in enumerate(topology.propers.tolist())
        if (i, j, k) not in straight and (j, k, l) not in straight
    ]
    if not kept:
        return {}
    atoms = topology.propers[kept]
    kind = term_kinds(topology.ranks, atoms)
    barrier = 0.5 * _KCAL * class_means(kind, np.asarray(terms.torsions)[kept])
    phases = (_PHASES,) * len(barrier)
    block = PeriodicTorsions(_index(atoms), _index(kind), jnp.asarray(barrier), phases)
    return {"torsions": block}


def _mmff_nonbonded(terms: _Terms) -> dict[str, AbstractBlock]:
    topology = terms.topology
    kind, first = numbered(terms.types)
    pairs = np.asarray([[terms.dispersion(i, j) for j in first] for i in first])
    minimum, depth = jnp.asarray(0.1 * pairs[..., 0]), jnp.asarray(_KCAL * pairs[..., 1])
    rule = PairRule.of(topology)
    return {
        "buffered 14-7": Buffered147(rule, _index(kind), minimum, depth),
        "coulomb": _coulomb(terms, PairRule.of(topology, 0.75), buffer=0.005),
    }


def _class_one_nonbonded(terms: _Terms) -> dict[str, AbstractBlock]:
    topology = terms.topology
    kind = topology.ranks
    pairs = class_means(kind, [terms.dispersion(i, i) for i in range(topology.n_atoms)])
    sigma, depth = 0.1 * 2.0 ** (-1.0 / 6.0) * pairs[:, 0], _KCAL * pairs[:, 1]
    rule = PairRule.of(topology, 0.5)
    lennard = LennardJones(rule, _index(kind), jnp.asarray(sigma), jnp.asarray(depth))
    return {
        "lennard-jones": lennard,
        "coulomb": _coulomb(terms, PairRule.of(topology, 1.0 / 1.2)),
    }


def _coulomb(terms: _Terms, rule: PairRule, *, buffer: float = 0.0) -> Coulomb:
    kind = terms.topology.ranks
    charge = jnp.asarray(class_means(kind, terms.charges))
    total = float(terms.topology.charge)
    return Coulomb(rule, _index(kind), charge, total=total, buffer=buffer)


def _bond_rests(terms: _Terms) -> np.ndarray:
    """Mean length of each kind of bond, in nm."""
    i, j = terms.topology.bonds.T
    lengths = np.linalg.norm(terms.positions[i] - terms.positions[j], axis=1)
    return class_means(term_kinds(terms.topology.ranks, terms.topology.bonds), lengths)


def _angles_of(positions: np.ndarray, atoms: np.ndarray) -> np.ndarray:
    i, j, k = atoms.T
    x = np.asarray(positions, float)
    one, other = x[i] - x[j], x[k] - x[j]
    across = np.linalg.norm(np.cross(one, other), axis=1)
    return np.arctan2(across, np.sum(one * other, axis=1))


def _index(rows: np.ndarray) -> Array:
    return jnp.asarray(np.asarray(rows, np.int32))
