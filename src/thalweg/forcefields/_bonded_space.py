"""The region of a molecule whose bonds hold."""

import equinox as eqx
import numpy as np

from thalweg.core import Bool, Float, FreeSpace

from ._topology import Topology

OFF = 0.05
"""Deviation of a bond, in nm, from which a molecule counts as broken (Fu et al., 2023)."""


class BondedSpace(FreeSpace):
    """Positions of a molecule; what is found with a broken bond is another molecule.

    Source of the criterion: Fu et al., Trans. Mach. Learn. Res. (2023), arXiv:2210.07237.

    Attributes:
        bonds: Pairs of atoms.
        lengths: Usual length of each bond, in nm.
        off: Deviation, in nm, from which a bond counts as broken.
    """

    bonds: tuple[tuple[int, int], ...] = eqx.field(static=True, default=(), kw_only=True)
    lengths: tuple[float, ...] = eqx.field(static=True, default=(), kw_only=True)
    off: float = eqx.field(static=True, default=OFF, kw_only=True)

    @classmethod
    def of(cls, topology: Topology, positions: np.ndarray, *, extent: float) -> "BondedSpace":
        """The bonds of a topology, with the lengths that they have in a geometry.

        Args:
            topology: Whose bonds.
            positions: `(n, 3)`, in nm.
            extent: Largest coordinate.
        """
        x = np.asarray(positions, float)
        i, j = topology.bonds.T
        return cls(
            x.shape,
            extent=extent,
            bonds=tuple((int(a), int(b)) for a, b in topology.bonds),
            lengths=tuple(np.linalg.norm(x[i] - x[j], axis=-1).tolist()),
        )

    def contains(self, x: Float[np.ndarray, "points dof"]) -> Bool[np.ndarray, " points"]:
        """Whether no coordinate exceeds the extent and every bond holds."""
        inside = super().contains(x)
        if not self.bonds:
            return inside
        atoms = x.reshape(-1, *self.shape)
        i, j = np.array(self.bonds).T
        away = np.linalg.norm(atoms[:, i] - atoms[:, j], axis=-1) - np.array(self.lengths)
        return inside & np.all(np.abs(away) <= self.off, axis=1)
