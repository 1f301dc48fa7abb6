"""From a file of atoms and the name of a force field to a system."""

from pathlib import Path
from typing import Any

import numpy as np

from thalweg.core import ArgumentError, System
from thalweg.forcefields import ForceField, Topology, forcefield_system, load_forcefield

from ._mmff import forcefield_from_mmff
from ._molecules import topology_from_structure, topology_from_xyz
from ._openmm import forcefield_from_openmm, require_openmm

FORCEFIELDS = ("mmff", "amber14")
"""What `system_from_structure` knows by name."""


def system_from_structure(path: str | Path, forcefield: str | Path, *, charge: int = 0) -> System:
    """The landscape of a molecule in a file with a force field.

    Args:
        path: An xyz file, or anything that ASE reads; a PDB file with standard residues and all
            hydrogen atoms for `"amber14"`.
        forcefield: `"mmff"` (MMFF94, any organic molecule), `"amber14"` (AMBER ff14SB and its
            companions, biomolecules), or a file that `save_forcefield` or `thalweg fit` wrote.
        charge: Total charge in e, for `"mmff"`.

    Raises:
        ArgumentError: if the library behind it is missing, or the molecule does not fit.
    """
    path = Path(path)
    if forcefield == "amber14":
        mechanics, positions = amber_from_file(path)
    elif forcefield == "mmff":
        topology, positions = _read(path, charge)
        mechanics = forcefield_from_mmff(topology, positions)
    elif Path(forcefield).is_file():
        mechanics = load_forcefield(forcefield).forcefield
        topology, positions = _read(path, charge)
        mechanics.topology.require_atoms(topology.numbers, str(path))
    else:
        raise ArgumentError(
            f"no force field is called {str(forcefield)!r}, and no such file exists",
            f"there are {', '.join(FORCEFIELDS)}, and the files that `thalweg fit` writes",
        )
    return forcefield_system(mechanics, positions, name=path.stem)


def _read(path: Path, charge: int) -> tuple[Topology, np.ndarray]:
    if path.suffix.lower() == ".xyz":
        return topology_from_xyz(path, charge=charge)
    import ase.io

    atoms: Any = ase.io.read(path)
    positions = 0.1 * np.asarray(atoms.get_positions(), float)
    numbers = [int(z) for z in atoms.get_atomic_numbers()]
    return topology_from_structure(numbers, positions, charge=charge), positions


def amber_from_file(path: str | Path) -> tuple[ForceField, np.ndarray]:
    """Amber14 of a file with standard residues, and its positions `(n, 3)` in nm.

    Raises:
        ArgumentError: if OpenMM is missing, or the molecule does not fit.
    """
    path = Path(path)
    require_openmm()
    from openmm import app, unit

    if path.suffix.lower() not in (".pdb", ".cif"):
        raise ArgumentError(
            f"amber14 needs names of residues and atoms, and {path} has none",
            "give a PDB file, or use mmff",
        )
    try:
        reader = app.PDBFile if path.suffix.lower() == ".pdb" else app.PDBxFile
        structure: Any = reader(str(path))
        system = app.ForceField("amber14-all.xml").createSystem(
            structure.topology, nonbondedMethod=app.NoCutoff, rigidWater=False
        )
    except ValueError as error:
        raise ArgumentError(
            f"amber14 does not fit {path}: {error}", "it needs standard residues with all hydrogens"
        ) from error
    stored: Any = structure.getPositions(asNumpy=True)
    nanometre = unit.nanometers  # pyright: ignore[reportAttributeAccessIssue]
    positions = np.asarray(stored / nanometre, float)
    return forcefield_from_openmm(system, structure.topology), positions
