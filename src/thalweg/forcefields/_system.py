"""A force field and a structure as a system: what every search and every map begins with."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import (
    KJ,
    AbstractSpace,
    AbstractStart,
    AbstractSymmetry,
    ArgumentError,
    Array,
    Bool,
    ClusterSymmetry,
    Float,
    FreeSpace,
    Int,
    NormalStart,
    PeriodicSpace,
    PeriodicSymmetry,
    Point,
    PRNGKey,
    System,
)

from ._check import check_structure, interchangeable, mirrored
from ._forcefield import ForceField
from ._topology import Topology

_TREMOR = 0.005
"""Standard deviation of starting points about their torsions, in nm: thermal."""

_TRIES = 16
"""Draws of the torsions, of which the first without a clash is taken."""

_ROOM = 0.15
"""Distance of atoms in nm, not joined by three bonds or fewer, below which they clash."""

_COLLAPSE = -1e7
"""Energies below this many kJ/mol are a charge fallen into another, not a structure."""


class TorsionStart(AbstractStart):
    """Every rotatable bond turned by an angle of its own, and a little noise.

    Of several draws it takes the first in which no atoms clash (that are not joined by three bonds
    or fewer), or else the one whose closest atoms are farthest apart.

    Attributes:
        positions: The structure to begin with, `(n, 3)`, in nm.
        axes: Bonds to turn about, `(t, 2)`.
        moved: Which atoms each turns, `(t, n)`.
        apart: Pairs whose distances count, `(n, n)`.
        tremor: Standard deviation of the noise, in nm.
    """

    positions: Float[Array, "n 3"]
    axes: Int[Array, "t 2"]
    moved: Bool[Array, "t n"]
    apart: Bool[Array, "n n"]
    tremor: float = eqx.field(static=True)

    def __call__(self, key: PRNGKey) -> Point:
        """One structure, flat, centred at the origin."""
        noise, turns = jax.random.split(key)
        angles = jax.random.uniform(turns, (_TRIES, len(self.axes)), maxval=2.0 * np.pi)
        drawn = jax.vmap(self._turned)(angles)
        room = jax.vmap(self._closest)(drawn)
        free = room > _ROOM**2
        chosen = jnp.where(jnp.any(free), jnp.argmax(free), jnp.argmax(room))
        x = drawn[chosen] + self.tremor * jax.random.normal(noise, self.positions.shape)
        return (x - jnp.mean(x, axis=0)).reshape(-1)

    def _turned(self, angles: Float[Array, " t"]) -> Float[Array, "n 3"]:
        def turn(x: Array, bond: tuple[Array, Array, Array]) -> tuple[Array, None]:
            (i, j), moved, angle = bond
            axis = x[j] - x[i]
            axis = axis / jnp.linalg.norm(axis)
            arm = x - x[j]
            along = jnp.sum(arm * axis, axis=1, keepdims=True) * axis
            turned = along + jnp.cos(angle) * (arm - along) + jnp.sin(angle) * jnp.cross(axis, arm)
            return jnp.where(moved[:, None], x[j] + turned, x), None

        return jax.lax.scan(turn, self.positions, (self.axes, self.moved, angles))[0]

    def _closest(self, x: Float[Array, "n 3"]) -> Float[Array, ""]:
        square = jnp.sum((x[:, None] - x[None]) ** 2, axis=-1)
        return jnp.min(jnp.where(self.apart, square, jnp.inf))


def forcefield_system(
    forcefield: ForceField,
    positions: Float[np.ndarray, "n 3"],
    *,
    name: str = "molecule",
    start: AbstractStart | None = None,
) -> System:
    """The energy landscape of a force field.

    Energies are in kJ/mol and lengths in nm. Atoms that hang on the same neighbour and are alike
    in the force field (the hydrogen atoms of a methyl group) are interchangeable, and mirror
    images are the same unless the force field tells them apart. Searches begin with every
    rotatable bond turned at random. Networks with arrays in single precision are evaluated in
    double.

    Args:
        forcefield: Of a free molecule, or in an orthorhombic box.
        positions: A structure, in nm.
        name: What it is called in tables and file names.
        start: Where searches begin, instead.

    Raises:
        ArgumentError: if the structure does not fit (see `check_structure`) or the box is skew.
    """
    check_structure(forcefield, positions)
    forcefield = _in_double(forcefield)
    topology = forcefield.topology
    centre = np.asarray(positions, float).reshape(-1, 3)
    if forcefield.box is None:
        centre = centre - centre.mean(axis=0)
    # Off any symmetry of the structure, so that equal energies mean a symmetry of the energy.
    probe = centre + 0.004 * np.sin(np.arange(centre.size) * 1.7).reshape(-1, 3)
    species = interchangeable(forcefield, probe.reshape(-1))
    length = _bond_length(topology, centre)
    space, symmetry = _surroundings(forcefield, centre, probe, species, length)
    return System(
        forcefield,
        name=name,
        space=space,
        symmetry=symmetry,
        start=start or _start(forcefield, centre),
        units=KJ,
        length=length,
        floor=_COLLAPSE,
        labels=element_symbols(topology),
    )


def _in_double(forcefield: ForceField) -> ForceField:
    """Networks that compute in single precision compute in double: round-off has no saddles."""
    return jax.tree.map(
        lambda leaf: leaf.astype(jnp.float64) if leaf.dtype == jnp.float32 else leaf, forcefield
    )


def element_symbols(topology: Topology) -> tuple[str, ...]:
    """Symbols of the elements of the atoms."""
    known = _SYMBOLS.split()
    return tuple(known[int(z) - 1] if 1 <= z <= len(known) else "X" for z in topology.numbers)


def _surroundings(
    forcefield: ForceField,
    centre: np.ndarray,
    probe: np.ndarray,
    species: tuple[int, ...],
    length: float,
) -> tuple[AbstractSpace, AbstractSymmetry]:
    count = len(species)
    if forcefield.box is None:
        extent = 2.0 * float(np.max(np.abs(centre), initial=0.0)) + 10.0 * length
        inversion = mirrored(forcefield, probe.reshape(-1))
        return FreeSpace((count, 3), extent=extent), ClusterSymmetry(species, inversion=inversion)
    edges = np.asarray(forcefield.box)
    if np.any(edges != np.diag(np.diag(edges))):
        raise ArgumentError("the box is skew", "searches know orthorhombic boxes")
    a, b, c = (float(edge) for edge in np.diag(edges))
    return PeriodicSpace(count, (a, b, c)), PeriodicSymmetry(species, (a, b, c))


def _start(forcefield: ForceField, centre: np.ndarray) -> AbstractStart:
    if forcefield.box is not None:
        return NormalStart(jnp.asarray(centre.reshape(-1)), 2.0 * _TREMOR)
    return torsion_start(forcefield.topology, centre)


def torsion_start(topology: Topology, centre: Float[np.ndarray, "n 3"]) -> AbstractStart:
    """Every rotatable bond of a structure turned at random; without one, a little noise."""
    axes, moved = rotatable(topology)
    if not len(axes):
        return NormalStart(jnp.asarray(centre.reshape(-1)), 2.0 * _TREMOR)
    apart = np.triu(np.ones((topology.n_atoms,) * 2, bool), 1)
    for table in (topology.excluded, topology.pairs14):
        low, high = np.sort(table, axis=1).T
        apart[low, high] = False
    return TorsionStart(
        jnp.asarray(centre), jnp.asarray(axes), jnp.asarray(moved), jnp.asarray(apart), _TREMOR
    )


def rotatable(
    topology: Topology,
) -> tuple[Int[np.ndarray, "t 2"], Bool[np.ndarray, "t n"]]:
    """Bonds in no ring, with more atoms on both ends, and what turning about them moves.

    Returns:
        The bonds, and for each the atoms on its second side, the smaller one.
    """
    near: list[set[int]] = [set() for _ in range(topology.n_atoms)]
    for i, j in topology.bonds.tolist():
        near[i].add(j)
        near[j].add(i)
    axes, moved = [], []
    for i, j in topology.bonds.tolist():
        if len(near[i]) < 2 or len(near[j]) < 2:
            continue
        side, front = {j}, [j]
        while front:
            atom = front.pop()
            new = near[atom] - side - ({i} if atom == j else set())
            side |= new
            front += new
        if i in side:
            continue
        mask = np.zeros(topology.n_atoms, bool)
        mask[list(side)] = True
        reached = _component(near, i)
        if 2 * len(side) > len(reached):
            i, j, mask = j, i, np.isin(np.arange(topology.n_atoms), list(reached - side))
        mask[j] = False
        axes.append((i, j))
        moved.append(mask)
    return (
        np.asarray(axes, np.int32).reshape(-1, 2),
        np.asarray(moved, bool).reshape(-1, topology.n_atoms),
    )


def _component(near: list[set[int]], atom: int) -> set[int]:
    found, front = {atom}, [atom]
    while front:
        new = near[front.pop()] - found
        found |= new
        front += new
    return found


def _bond_length(topology: Topology, x: np.ndarray) -> float:
    """Median bond length, in nm."""
    if not len(topology.bonds):
        return 0.3
    i, j = topology.bonds.T
    return float(np.median(np.linalg.norm(x[i] - x[j], axis=1)))


_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb "
    "Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn"
)
