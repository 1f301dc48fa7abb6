"""A label method as an energy and as a system: the reference landscape of a molecule."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg.core import KJ, AbstractEnergy, FreeSpace, HostEnergy, NormalStart, System
from thalweg.forcefields import BondedSpace, Topology

from ._label_methods import AbstractLabelMethod, Labeller
from ._label_symmetry import label_symmetry


class _Gradient:
    """A method as the function that `HostEnergy` takes; each process prepares its own."""

    def __init__(self, method: AbstractLabelMethod, numbers: np.ndarray, charge: int):
        self._asked = method, numbers, charge
        self._labeller: Labeller | None = None

    def __getstate__(self) -> dict:
        return {"_asked": self._asked, "_labeller": None}

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        if self._labeller is None:
            method, numbers, charge = self._asked
            self._labeller = method.prepare(numbers, charge)
        energy, gradient = self._labeller(x.reshape(-1, 3))
        return energy, gradient.reshape(-1)


class _PreciseEnergy(HostEnergy):
    """Labels whose differences resolve curvatures a million times smaller than those of bonds."""

    zero_cut: ClassVar[float | None] = 1e-6

    def __init__(self, function: Callable[..., Any], dof: int, workers: int):
        """Wrap the labels, with a step as short as they allow."""
        super().__init__(function, dof, workers=workers, step=5e-5)

    @property
    def stiff(self) -> bool:
        """Its Hessians are differences: no searches follow exact ones."""
        return False


def label_energy(
    numbers: Sequence[int] | np.ndarray,
    method: AbstractLabelMethod,
    *,
    charge: int = 0,
    workers: int = 1,
) -> AbstractEnergy:
    """A label method as an energy: kJ/mol over flat points in nm.

    A method that is an energy of this package stays what it is; others are a `HostEnergy`.

    Args:
        numbers: Atomic numbers.
        method: What computes it.
        charge: Total charge.
        workers: Processes that share the points of a block.
    """
    direct = method.compiled()
    if direct is not None:
        return direct
    elements = np.asarray(numbers, np.int32)
    function = _Gradient(method, elements, charge)
    dof = 3 * len(elements)
    if method.precise:
        return _PreciseEnergy(function, dof, workers)
    # Iterative codes: gradients are exact to about seven digits.
    return HostEnergy(function, dof, workers=workers, step=2e-4)


def label_system(
    numbers: Sequence[int] | np.ndarray,
    positions: np.ndarray,
    method: AbstractLabelMethod,
    *,
    charge: int = 0,
    workers: int = 1,
    name: str = "molecule",
    topology: Topology | None = None,
) -> System:
    """The system of one molecule under a label method: the reference landscape.

    A level of theory knows reactions, whose products are other molecules. With a topology what is
    found with a bond 0.5 Å off its length in the given geometry is not kept, and counted as
    `escaped`.

    Args:
        numbers: Atomic numbers.
        positions: A geometry, `(n, 3)`, in nm; searches begin about it.
        method: What computes energies.
        charge: Total charge.
        workers: Processes that share the evaluations.
        name: What the system is called.
        topology: Whose bonds must hold; by default reactions are part of the landscape.
    """
    x = np.asarray(positions, float)
    x = x - x.mean(axis=0)
    extent = 2.0 * float(np.abs(x).max()) + 0.4
    space = FreeSpace(x.shape, extent=extent)
    if topology is not None:
        space = BondedSpace.of(topology, x, extent=extent)
    elements = np.asarray(numbers, np.int32)
    return System(
        label_energy(elements, method.sharpened(), charge=charge, workers=workers),
        name=name,
        space=space,
        symmetry=label_symmetry(elements, x, method, charge),
        start=NormalStart(jnp.asarray(x.reshape(-1)), 0.03),
        units=KJ,
        length=0.15,
        labels=tuple(_symbols(elements)),
    )


def _symbols(numbers: np.ndarray) -> list[str]:
    try:
        from ase.data import chemical_symbols
    except ImportError:
        return [f"Z{z}" for z in numbers]
    return [chemical_symbols[z] for z in numbers]
