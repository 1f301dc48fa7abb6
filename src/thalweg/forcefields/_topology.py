"""Who is bonded to whom: the part of a force field that no fit changes."""

import dataclasses
import functools
import hashlib
import itertools
import operator
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Int

from thalweg.core import ArgumentError

_TERMS = {"bonds": 2, "angles": 3, "propers": 4, "impropers": 4, "pairs14": 2, "excluded": 2}

_ELEMENTS = 118
"""Known elements; 0 is a site without one."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Topology:
    """Atoms, and the tuples of atoms that interact; no positions and no parameters.

    Make one with `Topology.from_bonds`, or from a file or molecule with `thalweg.io`. Two
    topologies are equal if their contents are, so that compiled programs can be kept for them.

    Attributes:
        numbers: Atomic numbers, `(n,)`.
        bonds: Pairs of bonded atoms, `(b, 2)`.
        angles: Triples i-j-k about the middle atom j, `(a, 3)`.
        propers: Torsions i-j-k-l about the bond j-k, `(p, 4)`.
        impropers: Four atoms with the central one third, as in AMBER, `(m, 4)`.
        pairs14: Pairs that are three bonds apart and not closer, `(q, 2)`.
        excluded: Pairs that are one or two bonds apart, `(e, 2)`.
        ranks: Class of each atom: atoms that a symmetry of the bond graph exchanges share one,
            `(n,)`.
        masses: In dalton, `(n,)`.
        charge: Total charge, in elementary charges.
        names: What the atoms are called; element symbols if nothing else is known.
    """

    numbers: Int[np.ndarray, " n"]
    bonds: Int[np.ndarray, "bonds 2"]
    angles: Int[np.ndarray, "angles 3"]
    propers: Int[np.ndarray, "propers 4"]
    impropers: Int[np.ndarray, "impropers 4"]
    pairs14: Int[np.ndarray, "pairs 2"]
    excluded: Int[np.ndarray, "excluded 2"]
    ranks: Int[np.ndarray, " n"]
    masses: Float[np.ndarray, " n"]
    charge: int
    names: tuple[str, ...]

    @classmethod
    def from_bonds(
        cls,
        numbers: Sequence[int],
        bonds: Iterable[Sequence[int] | np.ndarray],
        *,
        masses: Sequence[float],
        impropers: Iterable[tuple[int, int, int, int]] = (),
        ranks: Sequence[int] | None = None,
        charge: int = 0,
        names: Sequence[str] | None = None,
    ) -> "Topology":
        """Everything that follows from the bonds: angles, torsions, exclusions, 1-4 pairs.

        Args:
            numbers: Atomic numbers.
            bonds: Pairs of atom indices.
            masses: In dalton.
            impropers: Four atoms each, the central one third.
            ranks: Symmetry classes of the atoms; by default those that refinement of the bond
                graph (Weisfeiler-Leman) cannot tell apart.
            charge: Total charge.
            names: Names of the atoms; by default `"atom 0"`, ….

        Raises:
            ArgumentError: if a bond is no pair of whole numbers, names an atom that does not exist
                or an atom twice, or is given twice.
        """
        elements = np.asarray(numbers, np.int32)
        n = len(elements)
        joined = _checked_bonds(bonds, n)
        near = [sorted(others) for others in _neighbours(joined, n)]
        angles = [(i, j, k) for j in range(n) for i, k in itertools.combinations(near[j], 2)]
        propers = [
            (i, j, k, l)
            for j, k in joined
            for i in near[j]
            for l in near[k]
            if i not in (k, l) and l != j
        ]
        excluded = {*joined, *((min(i, k), max(i, k)) for i, _, k in angles)}
        pairs14 = {(min(i, l), max(i, l)) for i, _, _, l in propers} - excluded
        return cls(
            numbers=elements,
            bonds=_table(joined, 2),
            angles=_table(angles, 3),
            propers=_table(propers, 4),
            impropers=_table(impropers, 4),
            pairs14=_table(sorted(pairs14), 2),
            excluded=_table(sorted(excluded), 2),
            ranks=_refined(elements, near) if ranks is None else np.asarray(ranks, np.int32),
            masses=np.asarray(masses, float),
            charge=charge,
            names=tuple(names or (f"atom {i}" for i in range(n))),
        )

    def __post_init__(self) -> None:
        n = self.n_atoms
        for field in ("ranks", "masses", "names"):
            if len(getattr(self, field)) != n:
                raise ArgumentError(
                    f"{field} has {len(getattr(self, field))} entries for {n} atoms",
                    "give one for each atom",
                )
        checks = [
            (
                "numbers",
                (self.numbers < 0) | (self.numbers > _ELEMENTS),
                "an element has 1 to 118, a site without one 0",
            ),
            ("masses", ~(np.isfinite(self.masses) & (self.masses >= 0)), "masses are in dalton"),
        ]
        for field, wrong, mend in checks:
            if np.any(wrong):
                atom = int(np.argmax(wrong))
                value = getattr(self, field)[atom]
                raise ArgumentError(f"{field}[{atom}]={value} ({self.names[atom]})", mend)
        for field, width in _TERMS.items():
            table = getattr(self, field)
            if table.shape[1:] != (width,):
                raise ArgumentError(f"{field} has shape {table.shape}", f"give (count, {width})")
            if table.size and (table.min() < 0 or table.max() >= n):
                raise ArgumentError(
                    f"{field} names atom {table.max() if table.max() >= n else table.min()}, "
                    f"and there are {n} atoms",
                    "atoms are counted from 0",
                )

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.numbers)

    def require_atoms(self, numbers: Int[np.ndarray, " atoms"], whose: str) -> None:
        """Refuse atoms that are not these, in this order.

        Args:
            numbers: Atomic numbers.
            whose: Where they come from, for the message.

        Raises:
            ArgumentError: naming the first atom that differs.
        """
        hint = "both must be of one molecule, its atoms in the same order"
        if len(numbers) != self.n_atoms:
            raise ArgumentError(
                f"{whose} has {len(numbers)} atoms, the force field {self.n_atoms}", hint
            )
        wrong = np.flatnonzero(numbers != self.numbers)
        if len(wrong):
            k = int(wrong[0])
            raise ArgumentError(
                f"{whose}: atom {k} has atomic number {numbers[k]}, in the force field "
                f"{self.numbers[k]}",
                hint,
            )

    @functools.cached_property
    def fingerprint(self) -> str:
        """Digest of everything in it."""
        digest = hashlib.sha256()
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            digest.update(field.name.encode())
            digest.update(
                value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
            )
        return digest.hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Topology) and other.fingerprint == self.fingerprint


def _checked_bonds(bonds: Iterable[Sequence[int] | np.ndarray], n: int) -> list[tuple[int, int]]:
    seen: set[tuple[int, int]] = set()
    for bond in bonds:
        try:
            i, j = (operator.index(atom) for atom in bond)
        except (TypeError, ValueError):
            raise ArgumentError(
                f"bond {tuple(bond)} is no pair of atoms", "give two whole numbers"
            ) from None
        pair = (min(i, j), max(i, j))
        if i == j or pair[0] < 0 or pair[1] >= n:
            raise ArgumentError(
                f"bond ({i}, {j}) does not join two of the {n} atoms", "atoms are counted from 0"
            )
        if pair in seen:
            raise ArgumentError(f"bond ({i}, {j}) is given twice", "give each bond once")
        seen.add(pair)
    return sorted(seen)


def _neighbours(bonds: Iterable[Sequence[int] | np.ndarray], n: int) -> list[set[int]]:
    near: list[set[int]] = [set() for _ in range(n)]
    for i, j in bonds:
        near[i].add(j)
        near[j].add(i)
    return near


def _refined(numbers: np.ndarray, near: Sequence[Sequence[int]]) -> np.ndarray:
    """Colours of the bond graph that one-dimensional Weisfeiler-Leman refinement ends with."""
    colours = [int(number) for number in numbers]
    for _ in range(len(colours)):
        words = [(colours[i], *sorted(colours[j] for j in near[i])) for i in range(len(colours))]
        order = {word: place for place, word in enumerate(sorted(set(words)))}
        refined = [order[word] for word in words]
        if len(order) == len(set(colours)):
            return np.asarray(refined, np.int32)
        colours = refined
    return np.asarray(colours, np.int32)


def _table(rows: Iterable[Sequence[int]], width: int) -> np.ndarray:
    return np.asarray([tuple(row) for row in rows], np.int32).reshape(-1, width)
