"""Unit systems. Arrays carry no units; a system names its own, and conversions happen here."""

import dataclasses

# CODATA 2018 values, in the SI units named.
_JOULE_PER_EV = 1.602176634e-19
_JOULE_PER_KCAL_MOL = 4184.0 / 6.02214076e23
_JOULE_PER_KJ_MOL = 1000.0 / 6.02214076e23
_JOULE_PER_HARTREE = 4.3597447222071e-18
BOLTZMANN_J_PER_K = 1.380649e-23


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


REDUCED = Units("reduced", energy="ε", length="σ")
METAL = Units("metal", energy="eV", length="Å", joule=_JOULE_PER_EV, metre=1e-10)
KCAL = Units("kcal", energy="kcal/mol", length="Å", joule=_JOULE_PER_KCAL_MOL, metre=1e-10)
KJ = Units("kj", energy="kJ/mol", length="nm", joule=_JOULE_PER_KJ_MOL, metre=1e-9)
ATOMIC = Units(
    "atomic", energy="hartree", length="bohr", joule=_JOULE_PER_HARTREE, metre=5.29177210903e-11
)
