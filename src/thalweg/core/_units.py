"""Unit systems. Arrays carry no units; a system names its own, and conversions happen here."""

import dataclasses
import math

# CODATA 2018 values, in the SI units named.
_JOULE_PER_EV = 1.602176634e-19
_JOULE_PER_KCAL_MOL = 4184.0 / 6.02214076e23
_JOULE_PER_KJ_MOL = 1000.0 / 6.02214076e23
_JOULE_PER_HARTREE = 4.3597447222071e-18
BOLTZMANN_J_PER_K = 1.380649e-23
HBAR_J_S = 1.054571817e-34
DALTON_KG = 1.66053906660e-27


@dataclasses.dataclass(frozen=True)
class Units:
    """Names of the units of a system and what they are in SI (`None`: dimensionless)."""

    name: str
    energy: str
    length: str
    joule: float | None = None
    metre: float | None = None

    def convert_energy(self, value: float, to: "Units") -> float:
        """Energy `value` of these units, in the units `to`.

        Raises:
            ValueError: if either system is dimensionless and they differ.
        """
        if self.name == to.name:
            return value
        if self.joule is None or to.joule is None:
            raise ValueError(f"no conversion from {self.name!r} to {to.name!r} units")
        return value * self.joule / to.joule

    @property
    def boltzmann(self) -> float:
        """k_B in the unit of energy per kelvin; 1 in reduced units, where kT is an energy."""
        return 1.0 if self.joule is None else BOLTZMANN_J_PER_K / self.joule

    @property
    def hbar(self) -> float | None:
        """ħ in units of energy for masses in dalton; `None` in reduced units, which leave it free.

        An angular frequency is the root of a curvature (energy per length squared) over a mass in
        dalton; times this number it is an energy.
        """
        if self.joule is None or self.metre is None:
            return None
        return HBAR_J_S / (self.metre * math.sqrt(self.joule * DALTON_KG))


REDUCED = Units("reduced", energy="ε", length="σ")
METAL = Units("metal", energy="eV", length="Å", joule=_JOULE_PER_EV, metre=1e-10)
KCAL = Units("kcal", energy="kcal/mol", length="Å", joule=_JOULE_PER_KCAL_MOL, metre=1e-10)
KJ = Units("kj", energy="kJ/mol", length="nm", joule=_JOULE_PER_KJ_MOL, metre=1e-9)
ATOMIC = Units(
    "atomic", energy="hartree", length="bohr", joule=_JOULE_PER_HARTREE, metre=5.29177210903e-11
)

_KNOWN = (REDUCED, METAL, KCAL, KJ, ATOMIC)


def energy_unit_boltzmann(name: str) -> float | None:
    """k_B in the unit of energy of this name, per kelvin.

    Args:
        name: Such as `"eV"`. Reduced units, and an empty name, measure temperature in energies.

    Returns:
        The constant, 1 for reduced units, `None` for an unknown unit.
    """
    if not name:
        return 1.0
    return next((units.boltzmann for units in _KNOWN if units.energy == name), None)
