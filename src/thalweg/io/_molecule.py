"""One molecule, from a file or by name, and who is bonded to whom in it."""

import dataclasses
from pathlib import Path

import numpy as np

from thalweg.core import ArgumentError
from thalweg.forcefields import Topology

from ._molecules import NM_PER_ANGSTROM, topology_from_structure

_NAMES = {
    "ethanol": "CH3CH2OH",
    "methanol": "CH3OH",
    "water": "H2O",
    "methane": "CH4",
    "ammonia": "NH3",
    "ethane": "C2H6",
    "butane": "trans-butane",
}
"""Names in the G2 set that ASE carries."""

_FILES = {"alanine-dipeptide": "alanine-dipeptide.pdb"}
"""Names of molecules kept here: made by minimising with Amber14."""


@dataclasses.dataclass(frozen=True, eq=False)
class Molecule:
    """Atoms and a geometry.

    Attributes:
        name: For files and tables.
        numbers: Atomic numbers, `(n,)`.
        positions: `(n, 3)`, in nm.
        masses: `(n,)`, in dalton.
        charge: Total charge.
        file: Where it was read from.
    """

    name: str
    numbers: np.ndarray
    positions: np.ndarray
    masses: np.ndarray
    charge: int = 0
    file: Path | None = None

    @property
    def has_residues(self) -> bool:
        """Whether its file names residues and atoms, as force fields of biomolecules need."""
        return self.file is not None and self.file.suffix.lower() in (".pdb", ".cif")

    def topology(self) -> Topology:
        """Who is bonded to whom, as RDKit perceives it.

        Raises:
            ArgumentError: if an element is unknown, two atoms clash, or an atom is bonded to
                nothing in a molecule of several.
        """
        topology = topology_from_structure(
            self.numbers.tolist(), self.positions, charge=self.charge
        )
        alone = np.setdiff1d(np.arange(topology.n_atoms), topology.bonds)
        if len(alone) and topology.n_atoms > 1:
            k = int(alone[0])
            nearest = np.sort(np.linalg.norm(self.positions - self.positions[k], axis=1))[1]
            raise ArgumentError(
                f"{self.name}: atom {topology.names[k]} is bonded to nothing; its nearest "
                f"neighbour is {nearest / NM_PER_ANGSTROM:.2f} Å away",
                "is the file in Å, and one molecule?",
            )
        return topology


def molecule(source: str, *, charge: int = 0) -> Molecule:
    """A molecule from a file that ASE reads, or by a name.

    Args:
        source: A file such as `ethanol.xyz` (in Å), `ethanol`, `alanine-dipeptide`, or a name of
            the G2 set.
        charge: Total charge.

    Raises:
        ArgumentError: if there is no such file or name.
    """
    from ase.build import molecule as build
    from ase.data import g2
    from ase.io import read

    path = Path(source)
    if source.lower() in _FILES:
        path = Path(__file__).parent / "data" / _FILES[source.lower()]
    if path.suffix or path.is_file():
        if not path.is_file():
            raise ArgumentError(f"there is no file {source}", "or name a molecule: ethanol")
        try:
            atoms = read(path)
        except KeyError as error:  # a symbol that ASE does not know
            raise ArgumentError(
                f"{source}: {_where(path, str(error.args[0]))} is no element", "C, Cl, or a number"
            ) from error
        except Exception as error:  # whatever the parser stumbles over
            raise ArgumentError(f"{source} cannot be read: {error}") from error
        assert not isinstance(atoms, list)
    else:
        known = _NAMES.get(source.lower(), source)
        if known not in g2.data:
            raise ArgumentError(
                f"no molecule is called {source!r}",
                f"give a file, or {', '.join([*_NAMES, *_FILES])}, or a name of ASE's G2 set",
            )
        atoms = build(known)
    return Molecule(
        path.stem.lower(),
        np.asarray(atoms.numbers, np.int32),
        np.asarray(atoms.positions, float) * NM_PER_ANGSTROM,
        np.asarray(atoms.get_masses(), float),
        charge,
        path if path.is_file() else None,
    )


def _where(path: Path, symbol: str) -> str:
    """The symbol and the first line that begins with it, if there is one."""
    rows = path.read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [k for k, row in enumerate(rows, 1) if row.split()[:1] == [symbol]]
    return f"{symbol!r} in line {lines[0]}" if lines else repr(symbol)
