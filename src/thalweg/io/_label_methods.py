"""Where labels come from: codes that give the energy and the forces of a geometry.

Each method is a small record; what it needs of another package is imported when it is first
called, in whatever process that happens. All speak kJ/mol and nm.
"""

import abc
import dataclasses
import hashlib
import importlib
import importlib.metadata
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ATOMIC, KJ, METAL, AbstractEnergy, ArgumentError, value_and_grad

from ._molecules import NM_PER_ANGSTROM

_BOHR = 0.0529177210903  # CODATA 2018
_HARTREE = ATOMIC.convert_energy(1.0, KJ)
_EV = METAL.convert_energy(1.0, KJ)

Labeller = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""Takes positions `(n, 3)` in nm; returns kJ/mol and the gradient `(n, 3)` in kJ/(mol nm)."""


class AbstractLabelMethod(abc.ABC):
    """A code that labels geometries.

    A record that can be pickled, so that every process can make its own `Labeller`.
    """

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """The method, its settings and the version of the code: what a label depends on."""

    @property
    def precise(self) -> bool:
        """Whether differences of its gradients tell a soft torsion from a rotation as a whole.

        They do where the sharpened method is exact to 1e-7 and the same in every orientation; the
        grids of density functionals are not.
        """
        return False

    @property
    def elements_only(self) -> bool:
        """Whether atoms of one element may be exchanged: not where bonds are given."""
        return False

    def sharpened(self) -> "AbstractLabelMethod":
        """The same method with gradients that a search for stationary points can drive to zero."""
        return self

    @abc.abstractmethod
    def prepare(self, numbers: np.ndarray, charge: int) -> Labeller:
        """The function that labels geometries of these atoms; it may keep a state between calls.

        A geometry that cannot be labelled makes it raise, or return NaN.

        Raises:
            ArgumentError: if the package is missing, or it cannot treat these atoms.
        """

    def label_block(
        self, numbers: np.ndarray, charge: int
    ) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] | None:
        """A function of many geometries `(m, n, 3)` at once, where the code has one."""
        return None

    def compiled(self) -> AbstractEnergy | None:
        """The energy itself, in kJ/mol over flat points in nm, where it is a JAX function.

        What runs outside compiled code, as other labels do, must not call JAX.
        """
        return None


@dataclasses.dataclass(frozen=True)
class Xtb(AbstractLabelMethod):
    """Extended tight binding by tblite: GFN2-xTB or GFN1-xTB.

    Every geometry begins anew, so that its label depends on nothing that came before: beginning
    with the charges of the last one saves a quarter and moves gradients by 1e-3 kJ/(mol nm).

    Sources: Bannwarth, Ehlert & Grimme, J. Chem. Theory Comput. 15, 1652 (2019) (GFN2); Grimme,
    Bannwarth & Shushkov, ibid. 13, 1989 (2017) (GFN1).

    Attributes:
        parameters: `GFN2-xTB`, `GFN1-xTB` or `IPEA1-xTB`.
        accuracy: Factor of tblite's thresholds; at 0.01 gradients are exact to 1e-7 hartree/bohr.
        unpaired: Number of unpaired electrons.
    """

    parameters: str = "GFN2-xTB"
    accuracy: float = 0.01
    unpaired: int = 0

    @property
    def elements_only(self) -> bool:
        """Yes: nuclei and electrons have no bonds."""
        return True

    @property
    def name(self) -> str:
        """Parameters, accuracy, version."""
        spin = f", {self.unpaired} unpaired" if self.unpaired else ""
        return f"{self.parameters}, accuracy {self.accuracy:g}{spin}, tblite {_version('tblite')}"

    @property
    def precise(self) -> bool:
        """Yes: there is no grid."""
        return True

    def sharpened(self) -> "Xtb":
        """Gradients to 1e-7 kJ/(mol nm) for a tenth more time."""
        return dataclasses.replace(self, accuracy=min(self.accuracy, 1e-6))

    def prepare(self, numbers: np.ndarray, charge: int) -> Labeller:
        """A tblite calculator."""
        interface = _module("tblite.interface", "tblite", "forcefields")
        made: list[Any] = []

        def labeller(x: np.ndarray) -> tuple[float, np.ndarray]:
            if not made:
                made.append(
                    interface.Calculator(
                        self.parameters, numbers, x / _BOHR, charge=charge, uhf=self.unpaired
                    )
                )
                made[0].set("verbosity", 0)
                made[0].set("accuracy", self.accuracy)
            else:
                made[0].update(positions=x / _BOHR)
            found = made[0].singlepoint()
            energy, gradient = found.get("energy"), found.get("gradient")
            return float(energy) * _HARTREE, np.asarray(gradient) * (_HARTREE / _BOHR)

        return labeller


@dataclasses.dataclass(frozen=True)
class Pyscf(AbstractLabelMethod):
    """Hartree-Fock or a density functional by PySCF, restricted for closed shells.

    Each geometry begins with the density matrix of the one before.

    Source: Sun et al., J. Chem. Phys. 153, 024109 (2020).

    Attributes:
        functional: `hf`, or a functional that PySCF knows: `b3lyp`, `wb97x`, ….
        basis: Basis set.
        fitting: Whether to fit the density (resolution of the identity).
        grid: Level of the integration grid, 0 to 9.
        tolerance: Convergence of the energy, in hartree.
        unpaired: Number of unpaired electrons.
    """

    functional: str = "b3lyp"
    basis: str = "def2-svp"
    fitting: bool = True
    grid: int = 3
    tolerance: float = 1e-10
    unpaired: int = 0

    @property
    def elements_only(self) -> bool:
        """Yes: nuclei and electrons have no bonds."""
        return True

    @property
    def name(self) -> str:
        """Functional, basis, settings, version."""
        fitted = ", density fitting" if self.fitting else ""
        grid = "" if self.functional == "hf" else f", grid {self.grid}"
        spin = f", {self.unpaired} unpaired" if self.unpaired else ""
        return (
            f"{self.functional}/{self.basis}{fitted}{grid}, {self.tolerance:g} hartree{spin}, "
            f"pyscf {_version('pyscf')}"
        )

    def sharpened(self) -> "Pyscf":
        """Self-consistency to 1e-12 hartree."""
        return dataclasses.replace(self, tolerance=min(self.tolerance, 1e-12))

    def prepare(self, numbers: np.ndarray, charge: int) -> Labeller:
        """A PySCF gradient scanner, made anew for each geometry around the last density."""
        for part in ("dft", "scf", "gto"):
            _module(f"pyscf.{part}", "pyscf", "pyscf")
        from pyscf import dft, gto, scf

        density: list[Any] = []

        def labeller(x: np.ndarray) -> tuple[float, np.ndarray]:
            atoms = [[int(z), row] for z, row in zip(numbers, x / NM_PER_ANGSTROM, strict=True)]
            molecule = gto.M(
                atom=atoms, basis=self.basis, charge=charge, spin=self.unpaired, verbose=0
            )
            field: Any
            if self.functional == "hf":
                field = scf.RHF(molecule) if not self.unpaired else scf.UHF(molecule)
            else:
                field = dft.RKS(molecule) if not self.unpaired else dft.UKS(molecule)
                field.xc = self.functional
                field.grids.level = self.grid
            field.conv_tol = self.tolerance
            if self.fitting:
                field = field.density_fit()
            energy = field.kernel(dm0=density.pop() if density else None)
            if not field.converged:
                raise ArithmeticError(f"the SCF did not converge in {field.max_cycle} cycles")
            gradient = field.nuc_grad_method()
            if self.functional != "hf":
                gradient.grid_response = True
            slope = gradient.kernel()
            density.append(field.make_rdm1())
            return float(energy) * _HARTREE, np.asarray(slope) * (_HARTREE / _BOHR)

        return labeller


class OpenmmSystem(AbstractLabelMethod):
    """The potential energy of an OpenMM `System`, on its Reference platform (float64).

    Source: Eastman et al., J. Phys. Chem. B 128, 109 (2024).
    """

    def __init__(self, system: Any):
        """Keep the system as XML, so that it can go to other processes."""
        openmm = _module("openmm", "openmm", "forcefields")
        self.xml: str = openmm.XmlSerializer.serialize(system)

    @property
    def name(self) -> str:
        """A digest of the system, and the version."""
        digest = hashlib.sha256(self.xml.encode()).hexdigest()[:12]
        return f"OpenMM system {digest}, openmm {_version('openmm')}"

    def prepare(self, numbers: np.ndarray, charge: int) -> Labeller:
        """An OpenMM context."""
        openmm = _module("openmm", "openmm", "forcefields")
        system = openmm.XmlSerializer.deserialize(self.xml)
        if system.getNumParticles() != len(numbers):
            raise ArgumentError(
                f"the OpenMM system has {system.getNumParticles()} particles, the molecule "
                f"{len(numbers)} atoms"
            )
        platform = openmm.Platform.getPlatformByName("Reference")
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)

        def labeller(x: np.ndarray) -> tuple[float, np.ndarray]:
            context.setPositions(x)
            state = context.getState(getEnergy=True, getForces=True)
            unit = openmm.unit
            energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
            forces = state.getForces(asNumpy=True).value_in_unit(
                unit.kilojoule_per_mole / unit.nanometer
            )
            return float(energy), -np.asarray(forces, float)

        return labeller


@dataclasses.dataclass(frozen=True)
class AseCalculator(AbstractLabelMethod):
    """Any ASE calculator.

    Attributes:
        source: A calculator, or a function that makes one (such as the class `EMT`); with several
            workers give a function.
        label: What it is called, with its settings and version: labels are kept under this name.
    """

    source: Any
    label: str

    @property
    def name(self) -> str:
        """What it was called."""
        return f"{self.label}, ase {_version('ase')}"

    def prepare(self, numbers: np.ndarray, charge: int) -> Labeller:
        """ASE atoms with the calculator."""
        ase = _module("ase", "ase", "ase")
        from ._ase import AseFunction

        function = AseFunction(ase.Atoms(numbers=numbers), self.source)

        def labeller(x: np.ndarray) -> tuple[float, np.ndarray]:
            energy, gradient = function((x / NM_PER_ANGSTROM).reshape(-1))
            return energy * _EV, gradient.reshape(-1, 3) * (_EV / NM_PER_ANGSTROM)

        return labeller


class EnergyLabels(AbstractLabelMethod):
    """Another energy of this package, in kJ/mol over nm: the teacher of a distillation.

    All frames are computed at once; it stays in this process.
    """

    def __init__(self, energy: AbstractEnergy, label: str):
        """Keep the energy.

        Args:
            energy: Such as a `ForceField`.
            label: What it is called.
        """
        self.energy = energy
        self.label = label

    @property
    def name(self) -> str:
        """Its name and a digest of its numbers."""
        digest = hashlib.sha256()
        for leaf in jax.tree.leaves(self.energy):
            digest.update(np.asarray(leaf).tobytes())
        return f"{self.label} {digest.hexdigest()[:12]}"

    @property
    def precise(self) -> bool:
        """Yes: derivatives are exact."""
        return True

    def compiled(self) -> AbstractEnergy:
        """The energy."""
        return self.energy

    def prepare(self, numbers: np.ndarray, charge: int) -> Labeller:
        """One geometry at a time."""
        block = self.label_block(numbers, charge)

        def labeller(x: np.ndarray) -> tuple[float, np.ndarray]:
            energies, gradients = block(x[None])
            return float(energies[0]), gradients[0]

        return labeller

    def label_block(
        self, numbers: np.ndarray, charge: int
    ) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """All geometries by one compiled program."""
        compiled = jax.jit(lambda x: value_and_grad(self.energy, x))

        def block(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            energies, gradients = compiled(jnp.asarray(x.reshape(len(x), -1).T))
            return np.asarray(energies, float), np.asarray(gradients, float).T.reshape(x.shape)

        return block


_FUNCTIONALS = ("hf", "b3lyp", "pbe", "pbe0", "wb97x", "wb97x-v", "b97-d")


def label_method(name: str) -> AbstractLabelMethod:
    """A method by name.

    Args:
        name: `gfn2`, `gfn1`, `hf/BASIS`, `b3lyp/BASIS` or another functional that PySCF knows,
            with its basis.

    Raises:
        ArgumentError: if the name is not known.
    """
    plain = name.strip().lower()
    known = {"gfn2": "GFN2-xTB", "gfn1": "GFN1-xTB"}
    plain = plain.removesuffix("-xtb")
    if plain in known:
        return Xtb(known[plain])
    functional, slash, basis = plain.partition("/")
    if slash and functional in _FUNCTIONALS and basis:
        return Pyscf(functional, basis)
    raise ArgumentError(
        f"no label method is called {name!r}",
        f"gfn2, gfn1, or one of {', '.join(_FUNCTIONALS)} with a basis: b3lyp/def2-svp",
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _module(name: str, package: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ArgumentError(
            f"these labels need {package}, which is not installed",
            f"pip install 'thalweg[{extra}]'",
        ) from error
