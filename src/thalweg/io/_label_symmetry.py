"""Which atoms of a labelled molecule may be exchanged.

In a quantum calculation all of an element may, where bonds are given only some.
"""

import numpy as np

from thalweg.core import ClusterSymmetry, Float, Int

from ._label_methods import AbstractLabelMethod, Labeller

_TREMOR = 0.004
"""Displacement in nm that takes the structure off any symmetry of its own."""

_SAME = 1e-4
"""Energies that differ by less, in kJ/mol, are the same; exchanging unlike atoms costs far more."""


def label_symmetry(
    numbers: Int[np.ndarray, " n"],
    x: Float[np.ndarray, "n 3"],
    method: AbstractLabelMethod,
    charge: int,
) -> ClusterSymmetry:
    """The symmetry of a molecule under a label method.

    Where a method knows only elements they are the species. Elsewhere (an OpenMM system, a force
    field, a calculator) two atoms of an element count as alike if exchanging them leaves the
    energy of one structure as it is, and so does the mirror image.

    Args:
        numbers: Atomic numbers.
        x: A geometry, in nm.
        method: What computes energies.
        charge: Total charge.
    """
    kinds = np.unique(numbers, return_inverse=True)[1]
    if method.elements_only:
        return ClusterSymmetry(tuple(int(kind) for kind in kinds))
    labeller = method.prepare(numbers, charge)
    probe = x + _TREMOR * np.sin(np.arange(x.size) * 1.7).reshape(-1, 3)
    energy = labeller(probe)[0]
    species = list(range(len(numbers)))
    for j in range(len(numbers)):
        for i in range(j):
            if species[i] == i and kinds[i] == kinds[j]:
                image = probe.copy()
                image[[i, j]] = image[[j, i]]
                if _same(labeller, image, energy):
                    species[j] = i
                    break
    return ClusterSymmetry(tuple(species), inversion=_same(labeller, -probe, energy))


def _same(labeller: Labeller, x: np.ndarray, energy: float) -> bool:
    """Whether a geometry has this energy; atoms that were put on one another may be refused."""
    try:
        found = labeller(x)[0]
    except (ArithmeticError, RuntimeError, ValueError):
        return False
    return bool(abs(found - energy) <= _SAME)
