"""Force fields in other programs: as an ASE calculator, and as a force of OpenMM."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError, require_x64, value_and_grad
from thalweg.forcefields import ForceField

from ._ase import require_ase
from ._openmm import require_openmm

_SAME_BOX = 1e-6
"""Difference of box edges, in nm, that is rounding."""


def ase_calculator(forcefield: ForceField) -> Any:
    """Any force field as an ASE calculator of energies (eV) and forces (eV/Å).

    Args:
        forcefield: The energy. Its atoms are those of the `Atoms` object, in the same order; if it
            has a periodic box, that is the cell.

    Returns:
        An `ase.calculators.calculator.Calculator`.

    Raises:
        ArgumentError: if ASE is missing; on use, if atoms or cell are not those of the force field.
        PrecisionError: if float64 is off.

    Example: `atoms.calc = ase_calculator(load_forcefield("delta.forcefield.npz").forcefield)`
    """
    require_ase()
    require_x64()
    from ase import units
    from ase.calculators.calculator import Calculator, all_changes

    unit = units.kJ / units.mol

    class ForceFieldCalculator(Calculator):
        implemented_properties = ["energy", "forces"]  # noqa: RUF012 - ASE's own convention

        def calculate(
            self,
            atoms: Any = None,
            properties: Any = ("energy",),
            system_changes: Any = all_changes,
        ) -> None:
            super().calculate(atoms, properties, system_changes)
            held: Any = self.atoms
            forcefield.topology.require_atoms(held.numbers, "the Atoms object")
            _check_box(forcefield, np.asarray(held.cell) / 10.0 if held.pbc.any() else None)
            energy, force = _evaluate(forcefield, held.positions / 10.0)
            self.results = {"energy": energy * unit, "forces": force * unit / 10.0}

    return ForceFieldCalculator()


def openmm_force(forcefield: ForceField, particles: Sequence[int] | None = None) -> Any:
    """Any force field as a force of OpenMM: beside OpenMM's own, or alone in a `System`.

    OpenMM calls back into Python at every step. What `to_openmm` can express runs faster there.

    Args:
        forcefield: The energy. Its atoms are the particles, in the same order; if it has a periodic
            box, that is the box of the context, which must not change.
        particles: Which particles of a larger system its atoms are; by default all.

    Returns:
        An `openmm.PythonForce`.

    Raises:
        ArgumentError: if OpenMM is missing, has no `PythonForce` (8.4 is the first), or as many
            particles as the force field has atoms are not given.
        PrecisionError: if float64 is off.
    """
    require_openmm()
    require_x64()
    import openmm

    if not hasattr(openmm, "PythonForce"):
        raise ArgumentError(
            f"OpenMM {openmm.__version__} has no PythonForce", "pip install 'openmm>=8.4'"
        )
    nanometer: Any = getattr(openmm.unit, "nanometer")  # noqa: B009 - its types do not know it
    count = forcefield.topology.n_atoms
    if particles is not None and len(set(particles)) != count:
        raise ArgumentError(
            f"particles names {len(set(particles))} particles, the force field has {count} atoms",
            "one particle for each atom, in its order",
        )

    def compute(state: Any) -> tuple[float, np.ndarray]:
        x = state.getPositions(asNumpy=True).value_in_unit(nanometer)
        if len(x) != count:
            raise ArgumentError(
                f"the system has {len(x)} particles, the force field {count} atoms",
                "name the particles that its atoms are",
            )
        if forcefield.box is not None:
            edges = state.getPeriodicBoxVectors(asNumpy=True)
            _check_box(forcefield, np.asarray(edges.value_in_unit(nanometer)))
        return _evaluate(forcefield, np.asarray(x))

    force = openmm.PythonForce(compute)
    force.setUsesPeriodicBoundaryConditions(forcefield.box is not None)
    if particles is not None:
        force.setParticles([int(one) for one in particles])
    return force


def _evaluate(
    forcefield: ForceField, x: Float[np.ndarray, "n 3"]
) -> tuple[float, Float[np.ndarray, "n 3"]]:
    """Energy in kJ/mol and forces in kJ/(mol nm)."""
    energy, gradient = value_and_grad(forcefield, jnp.asarray(x.reshape(-1), float))
    return float(energy), -np.asarray(gradient, float).reshape(-1, 3)


def _check_box(forcefield: ForceField, box: np.ndarray | None) -> None:
    own = None if forcefield.box is None else np.asarray(forcefield.box)
    if own is None and box is None:
        return
    if own is None or box is None or np.abs(own - box).max() > _SAME_BOX:
        raise ArgumentError(
            f"the box is {_told(box)}, that of the force field {_told(own)}",
            "give the force field that box: ForceField(topology, blocks, box=...)",
        )


def _told(box: np.ndarray | None) -> str:
    return "none" if box is None else f"{np.round(box, 6).tolist()} nm"
