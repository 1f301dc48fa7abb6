"""What a force field should have, measured: invariances, smoothness, walls, reach.

Each property is a number with a limit. Accuracy is none of them: a force field may pass them all
and be useless, and may reach any accuracy and fail.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from thalweg.core import AbstractEnergy, ArgumentError, Float, PRNGKey, require_x64

from . import _property_checks as checks
from ._property_case import Case


@dataclasses.dataclass(frozen=True)
class Property:
    """One measured property.

    Attributes:
        name: What it is called.
        passed: Whether it is kept; `None` if it could not be asked.
        value: What was measured; NaN if nothing was.
        limit: What it may be at most.
        meaning: What the number is, or why there is none.
    """

    name: str
    passed: bool | None
    value: float
    limit: float
    meaning: str


@dataclasses.dataclass(frozen=True)
class PropertyReport:
    """The properties of one force field at one structure.

    Attributes:
        properties: In the order of the list.
    """

    properties: tuple[Property, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing that was asked failed."""
        return all(p.passed is not False for p in self.properties)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of what failed."""
        return tuple(p.name for p in self.properties if p.passed is False)

    def __getitem__(self, name: str) -> Property:
        for found in self.properties:
            if found.name == name:
                return found
        raise ArgumentError(
            f"no property {name!r} was asked for", f"one of {', '.join(PROPERTIES)}"
        )

    def facts(self) -> dict[str, Any]:
        """What a file's certificate holds, in what JSON can."""
        rows = [dataclasses.asdict(p) for p in self.properties]
        for row in rows:
            row["value"] = row["value"] if np.isfinite(row["value"]) else None
        return {"passed": self.passed, "properties": rows}

    def table(self) -> str:
        """One line for each property."""
        word = {True: "pass", False: "FAIL", None: "-"}
        return "\n".join(
            f"{p.name:<18} {word[p.passed]:<5} {p.value:>10.2e} (limit {p.limit:.3g})  {p.meaning}"
            for p in self.properties
        )


_CHECKS: dict[str, Callable[[Case], checks.Finding]] = {
    "rotation": checks.rotation,
    "translation": checks.translation,
    "inversion": checks.inversion,
    "permutation": checks.permutation,
    "forces": checks.forces,
    "curl": checks.curl,
    "closed loop": checks.closed_loop,
    "smoothness": checks.smoothness,
    "bond walls": checks.bond_walls,
    "bond extrema": checks.bond_extrema,
    "contact walls": checks.contact_walls,
    "size consistency": checks.size_consistency,
    "long range": checks.long_range,
    "parameters": checks.parameters,
    "finite": checks.finite,
    "linear cost": checks.linear_cost,
}
PROPERTIES = tuple(_CHECKS)
"""All properties."""


def check_forcefield(
    forcefield: AbstractEnergy,
    x: Float[np.ndarray | jax.Array, " dof"],
    key: PRNGKey,
    *,
    only: Sequence[str] = PROPERTIES,
) -> PropertyReport:
    """Measure properties of a force field at a structure.

    Args:
        forcefield: A `ForceField`, or any energy in kJ/mol over flat points in nm; what needs a
            topology or blocks is left out for those without. If it has a method `forces`, that is
            what is checked as its forces.
        x: A structure at or near a minimum, `(3 n,)`, in nm.
        key: Randomness of rotations, displacements and directions.
        only: Which properties; by default all of `forcefields.PROPERTIES`.

    Returns:
        What was found, in the order of `only`.

    Raises:
        ArgumentError: if there is no such property, or the energy at `x` is not finite.
        PrecisionError: if float64 is switched off.
    """
    require_x64()
    unknown = [name for name in only if name not in _CHECKS]
    if unknown:
        raise ArgumentError(f"only: no property {unknown[0]!r}", f"one of {', '.join(PROPERTIES)}")
    case = Case.of(forcefield, np.asarray(x, float), key)
    return PropertyReport(tuple(_measured(name, case) for name in only))


def _measured(name: str, case: Case) -> Property:
    value, limit, meaning = _CHECKS[name](case)
    if value is None:
        return Property(name, None, float("nan"), limit, meaning)
    # NaN passes nothing.
    return Property(name, bool(value <= limit), float(value), float(limit), meaning)
