"""Topologies of molecules, by RDKit: from SMILES, from structures, from ASE.

Sources: RDKit; Kim and Kim, Bull. Korean Chem. Soc. 36, 1769 (2015) (bond orders from a structure);
Riniker and Landrum, J. Chem. Inf. Model. 55, 2562 (2015) (ETKDG).
"""

from pathlib import Path
from typing import Any

import numpy as np

from thalweg.core import ArgumentError, Float
from thalweg.forcefields import Topology, check_positions

NM_PER_ANGSTROM = 0.1


def topology_from_smiles(
    smiles: str, *, seed: int = 0
) -> tuple[Topology, Float[np.ndarray, "n 3"]]:
    """A molecule with all its hydrogen atoms, and a conformer (ETKDG, then MMFF94 if it can).

    Args:
        smiles: Such as `"CCO"`.
        seed: Of the conformer.

    Returns:
        The topology, and positions in nm.

    Raises:
        ArgumentError: if RDKit is missing, cannot read the SMILES, or finds no conformer.
    """
    require_rdkit()
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    with _quiet():
        molecule = Chem.MolFromSmiles(smiles)
        if molecule is None:
            raise ArgumentError(f"{smiles!r} is no SMILES that RDKit can read", "ethanol is 'CCO'")
        molecule = Chem.AddHs(molecule)
        if rdDistGeom.EmbedMolecule(molecule, randomSeed=seed) != 0:
            raise ArgumentError(f"{smiles!r} has no conformer that ETKDG finds", "try another seed")
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
            rdForceFieldHelpers.MMFFOptimizeMolecule(molecule, maxIters=1000)
    positions = molecule.GetConformer().GetPositions() * NM_PER_ANGSTROM
    return _topology(molecule), np.asarray(positions, float)


def topology_from_xyz(
    path: str | Path, *, charge: int = 0
) -> tuple[Topology, Float[np.ndarray, "n 3"]]:
    """A molecule in an xyz file (in Å), with the bonds that its distances mean.

    Args:
        path: The file; the first frame counts.
        charge: Total charge, in e.

    Returns:
        The topology, and positions in nm.

    Raises:
        ArgumentError: if RDKit is missing, the file cannot be read, or an element is unknown.
    """
    require_rdkit()
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    try:
        count = int(lines[0])
        rows = [line.split() for line in lines[2 : 2 + count]]
        symbols = [row[0] for row in rows]
        positions = np.asarray([[float(word) for word in row[1:4]] for row in rows])
        if len(rows) != count or positions.shape != (count, 3):
            raise ValueError
    except (IndexError, ValueError) as error:
        raise ArgumentError(
            f"{path} is no xyz file",
            "first line: number of atoms; from the third on: C 0.0 0.0 0.0",
        ) from error
    return topology_from_structure(
        [atomic_number(symbol, atom) for atom, symbol in enumerate(symbols)],
        positions * NM_PER_ANGSTROM,
        charge=charge,
    ), positions * NM_PER_ANGSTROM


def topology_from_ase(atoms: Any, *, charge: int = 0) -> Topology:
    """A molecule as an `ase.Atoms`, with the bonds that its distances mean.

    Raises:
        ArgumentError: if RDKit is missing, the atoms are periodic, or an element is unknown.
    """
    if atoms.pbc.any():
        raise ArgumentError(
            "these atoms are periodic, and bonds across a box are not perceived",
            "atoms.pbc = False, or Topology.from_bonds",
        )
    return topology_from_structure(
        [int(z) for z in atoms.get_atomic_numbers()],
        np.asarray(atoms.get_positions(), float) * NM_PER_ANGSTROM,
        charge=charge,
    )


def topology_from_structure(
    numbers: list[int], positions: Float[np.ndarray, "n 3"], *, charge: int = 0
) -> Topology:
    """A molecule from its atoms, with the bonds that the distances mean.

    Args:
        numbers: Atomic numbers.
        positions: In nm.
        charge: Total charge, in e.

    Raises:
        ArgumentError: if RDKit is missing, an element is unknown, a coordinate is not finite, or
            two atoms are closer than 0.5 Å; it names the atoms.
    """
    require_rdkit()
    from rdkit import Chem
    from rdkit.Chem import rdDetermineBonds

    for atom, z in enumerate(numbers):
        if not 1 <= z <= 118:
            raise ArgumentError(
                f"atom {atom} has the atomic number {z}", "there is no such element"
            )
    table = Chem.GetPeriodicTable()
    names = [f"{table.GetElementSymbol(z)}{atom}" for atom, z in enumerate(numbers)]
    check_positions(names, np.asarray(positions, float))
    molecule = _bare(numbers, positions)
    with _quiet():
        rdDetermineBonds.DetermineConnectivity(molecule, charge=charge)
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()]
    bare = _from_bonds(numbers, bonds, charge, ())
    try:
        return _topology(molecule_of(bare, positions))
    except ArgumentError:
        # No bond orders, hence no flat centres, but the bonds are there.
        return bare


def molecule_of(topology: Topology, positions: Float[np.ndarray, "n 3"]) -> Any:
    """The RDKit molecule of a topology: bond orders and formal charges that fit bonds and charge.

    Args:
        topology: Atoms and bonds.
        positions: In nm.

    Raises:
        ArgumentError: if RDKit is missing, or no bond orders fit.
    """
    require_rdkit()
    from rdkit import Chem
    from rdkit.Chem import rdDetermineBonds

    molecule = _bare([int(z) for z in topology.numbers], positions)
    for i, j in topology.bonds.tolist():
        molecule.AddBond(i, j, Chem.BondType.SINGLE)
    with _quiet():
        try:
            rdDetermineBonds.DetermineBondOrders(molecule, charge=topology.charge)
            Chem.SanitizeMol(molecule)
        except Exception as error:
            raise ArgumentError(
                f"no bond orders fit these bonds and the charge {topology.charge}",
                "check the total charge and that no hydrogen atom is missing",
            ) from error
    return molecule


def atomic_number(symbol: str, atom: int) -> int:
    """Of an element symbol.

    Raises:
        ArgumentError: if there is no such element; it names the atom.
    """
    from rdkit import Chem

    with _quiet():
        try:
            return int(Chem.GetPeriodicTable().GetAtomicNumber(symbol.capitalize()))
        except RuntimeError as error:
            raise ArgumentError(
                f"atom {atom} is of the unknown element {symbol!r}", "use symbols such as C or Cl"
            ) from error


def require_rdkit() -> None:
    """Say what is missing.

    Raises:
        ArgumentError: if RDKit is not installed.
    """
    try:
        import rdkit  # noqa: F401
    except ImportError as error:
        raise ArgumentError(
            "this needs RDKit, which is not installed", "pip install 'thalweg[forcefields]'"
        ) from error


def _quiet() -> Any:
    """RDKit says on stderr what we say in an error."""
    from rdkit import rdBase

    return rdBase.BlockLogs()


def _bare(numbers: list[int], positions: np.ndarray) -> Any:
    """Atoms in their places, without bonds."""
    from rdkit import Chem

    molecule = Chem.RWMol()
    conformer = Chem.Conformer(len(numbers))
    for atom, (z, x) in enumerate(zip(numbers, np.asarray(positions, float), strict=True)):
        added = Chem.Atom(int(z))
        added.SetNoImplicit(True)
        molecule.AddAtom(added)
        conformer.SetAtomPosition(atom, [float(c) / NM_PER_ANGSTROM for c in x])
    molecule.AddConformer(conformer)
    return molecule


def _topology(molecule: Any) -> Topology:
    """Bonds and flat centres of an RDKit molecule."""
    from rdkit import Chem

    flat = [
        (*(n.GetIdx() for n in atom.GetNeighbors()), atom.GetIdx())
        for atom in molecule.GetAtoms()
        if atom.GetHybridization() == Chem.HybridizationType.SP2 and atom.GetDegree() == 3
    ]
    return _from_bonds(
        [atom.GetAtomicNum() for atom in molecule.GetAtoms()],
        [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()],
        Chem.GetFormalCharge(molecule),
        [(i, j, centre, k) for i, j, k, centre in flat],
    )


def _from_bonds(numbers: list[int], bonds: Any, charge: int, impropers: Any) -> Topology:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return Topology.from_bonds(
        numbers,
        bonds,
        masses=[table.GetAtomicWeight(z) for z in numbers],
        impropers=impropers,
        charge=charge,
        names=[f"{table.GetElementSymbol(z)}{atom}" for atom, z in enumerate(numbers)],
    )
