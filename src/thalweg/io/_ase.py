"""Systems from ASE: atoms and a calculator.

Source: A. H. Larsen et al., J. Phys.: Condens. Matter 29, 273002 (2017).
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.core import (
    METAL,
    AbstractSpace,
    AbstractStart,
    AbstractSymmetry,
    ArgumentError,
    ClusterSymmetry,
    FreeSpace,
    HostEnergy,
    NormalStart,
    PeriodicSpace,
    PeriodicSymmetry,
    System,
)

_START_SCALE = 0.2
"""Standard deviation of starting points about the given geometry, in bond lengths: enough to reach
the neighbouring minima, too little to fuse atoms."""


def system_from_ase(
    atoms: Any,
    calculator: Any = None,
    *,
    name: str | None = None,
    start: AbstractStart | None = None,
    floor: float = -float("inf"),
    workers: int = 1,
) -> System:
    """The system of some ASE atoms with an ASE calculator.

    Energies are in eV and lengths in Å. Atoms of one element are interchangeable. Without periodic
    boundaries the system is a free cluster or molecule (centred at the origin); with all three
    and an orthorhombic cell it is a periodic box.

    Args:
        atoms: An `ase.Atoms`; it is copied.
        calculator: A calculator, or a function that makes one (such as the class `EMT`); defaults
            to the calculator of `atoms`. With several workers give a function.
        name: Defaults to the chemical formula.
        start: Where searches begin; by default near the given geometry.
        floor: Energy below which a search counts as collapsed.
        workers: Processes that share the evaluations.

    Raises:
        ArgumentError: if ASE is missing, there is no calculator, the atoms are constrained, or the
            boundary conditions are of a kind that is not supported.

    Example: `system_from_ase(ase.build.molecule("CH4"), EMT)`
    """
    require_ase()
    source = atoms.calc if calculator is None else calculator
    if source is None:
        raise ArgumentError(
            "these atoms have no calculator",
            "give one: system_from_ase(atoms, EMT()) or system_from_ase(atoms, EMT)",
        )
    if atoms.constraints:
        raise ArgumentError(
            "these atoms are constrained, and constraints are not supported",
            "remove them with atoms.set_constraint()",
        )
    symbols = tuple(atoms.get_chemical_symbols())
    numbers = np.unique(atoms.get_atomic_numbers(), return_inverse=True)[1]
    species = tuple(int(kind) for kind in numbers)
    bond = _bond_length(atoms)
    space, symmetry = _space_and_symmetry(atoms, species, bond)
    centre = np.asarray(atoms.get_positions(), dtype=np.float64)
    if not atoms.pbc.any():
        centre = centre - centre.mean(axis=0)
    bare = atoms.copy()
    return System(
        HostEnergy(AseFunction(bare, source), 3 * len(atoms), workers=workers),
        name=name or atoms.get_chemical_formula().lower(),
        space=space,
        symmetry=symmetry,
        start=start or NormalStart(jnp.asarray(centre.reshape(-1)), _START_SCALE * bond),
        units=METAL,
        length=bond,
        floor=floor,
        labels=symbols,
    )


class AseFunction:
    """Energy and gradient of ASE atoms as a function of flat positions.

    It can be sent to other processes if `source` is a function that makes a calculator; each
    process makes its own at the first call.
    """

    def __init__(self, atoms: Any, source: Any):
        self._atoms = atoms
        self._source = source

    def __getstate__(self) -> dict[str, Any]:
        return {"_atoms": self._atoms.copy(), "_source": self._source}

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy (eV) and gradient (eV/Å) at the positions `x`, shape `(3 atoms,)`."""
        if self._atoms.calc is None:
            self._atoms.calc = self._source() if _is_factory(self._source) else self._source
        self._atoms.set_positions(x.reshape(-1, 3))
        # Forces are the derivative of the free energy where electrons have a temperature.
        consistent = "free_energy" in getattr(self._atoms.calc, "implemented_properties", ())
        value = self._atoms.get_potential_energy(force_consistent=consistent)
        return float(value), -np.asarray(self._atoms.get_forces()).reshape(-1)


def _is_factory(source: Any) -> bool:
    return isinstance(source, type) or (
        isinstance(source, Callable) and not hasattr(source, "get_potential_energy")
    )


def require_ase() -> None:
    try:
        import ase  # noqa: F401
    except ImportError as error:
        raise ArgumentError(
            "ASE calculators need ASE, which is not installed", "pip install 'thalweg[ase]'"
        ) from error


def _bond_length(atoms: Any) -> float:
    """The scale of lengths, in Å: the median distance to the nearest neighbour.

    Where the given geometry is no guide (one atom, atoms on top of each other or far apart), twice
    the mean covalent radius.
    """
    from ase.data import covalent_radii

    expected = 2.0 * float(np.mean(covalent_radii[atoms.get_atomic_numbers()]))
    if len(atoms) < 2:
        return expected
    distances = atoms.get_all_distances(mic=bool(atoms.pbc.any()))
    np.fill_diagonal(distances, np.inf)
    found = float(np.median(distances.min(axis=1)))
    return found if expected / 3.0 < found < 3.0 * expected else expected


def _space_and_symmetry(
    atoms: Any, species: tuple[int, ...], bond: float
) -> tuple[AbstractSpace, AbstractSymmetry]:
    count = len(species)
    if not atoms.pbc.any():
        positions = atoms.get_positions()
        given = float(np.max(np.abs(positions - positions.mean(axis=0)), initial=0.0))
        # As for the built-in clusters, and never too tight for the geometry that was given.
        extent = 2.0 * max(0.7 * count ** (1 / 3) * bond, given) + 2.5 * bond
        return FreeSpace((count, 3), extent=extent), ClusterSymmetry(species)
    if not atoms.pbc.all() or not atoms.cell.orthorhombic:
        raise ArgumentError(
            f"periodic boundaries {atoms.pbc.tolist()} in the cell "
            f"{np.round(atoms.cell.array, 3).tolist()} are not supported",
            "use none (atoms.pbc = False), or all three with an orthorhombic cell",
        )
    a, b, c = (float(edge) for edge in atoms.cell.lengths())
    box = (a, b, c)
    cube = max(box) - min(box) < 1e-9 * max(box)
    return PeriodicSpace(count, box), PeriodicSymmetry(species, box, cube=cube)
