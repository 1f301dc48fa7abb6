"""Whether a structure fits a force field, before any energy is computed."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from thalweg.core import ArgumentError, Float

from ._forcefield import ForceField
from ._topology import Topology

_SHOWN = 5
"""How many clashes an error lists."""


def check_structure(
    forcefield: ForceField, x: Float[np.ndarray, "..."], *, closest: float = 0.05
) -> None:
    """Refuse a structure that cannot be right, naming the atoms.

    Args:
        forcefield: What it is for.
        x: Positions in nm, `(n, 3)` or flat `(3 n,)`.
        closest: Distance in nm below which two atoms clash; the shortest bond, H-H, is 0.074.

    Raises:
        ArgumentError: if there are too many or too few atoms, a coordinate is not finite, or
            atoms clash.
    """
    topology = forcefield.topology
    positions = np.asarray(x, float)
    if positions.size != 3 * topology.n_atoms:
        raise ArgumentError(
            f"the structure has {positions.size} coordinates and the topology "
            f"{topology.n_atoms} atoms",
            f"give {3 * topology.n_atoms} coordinates, in nm",
        )
    check_positions(topology.names, positions.reshape(-1, 3), forcefield.box, closest=closest)


def check_positions(
    names: Sequence[str],
    positions: Float[np.ndarray, "n 3"],
    box: Any = None,
    *,
    closest: float = 0.05,
) -> None:
    """Refuse positions that no atoms can have, naming them.

    Args:
        names: Of the atoms.
        positions: In nm.
        box: Its vectors in rows, in nm, where it is periodic.
        closest: Distance in nm below which two atoms clash.

    Raises:
        ArgumentError: if a coordinate is not finite, or atoms clash.
    """
    bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if len(bad):
        raise ArgumentError(
            f"{names[bad[0]]} is at {positions[bad[0]]}", "coordinates must be finite"
        )
    clashes = _clashes(positions, None if box is None else np.asarray(box), closest)
    if clashes:
        listed = ", ".join(
            f"{names[i]} and {names[j]} ({r:.4f} nm)" for i, j, r in clashes[:_SHOWN]
        )
        more = len(clashes) - _SHOWN
        raise ArgumentError(
            f"atoms clash, closer than {closest} nm: {listed}"
            + (f" and {more} more pairs" if more > 0 else ""),
            "lengths are in nm: a structure in Å is to be multiplied by 0.1",
        )


def _clashes(
    positions: np.ndarray, box: np.ndarray | None, closest: float
) -> list[tuple[int, int, float]]:
    """Pairs that are too close, closest first; blocks of rows keep the table small."""
    found = []
    for begin in range(0, len(positions), 256):
        step = positions[None] - positions[begin : begin + 256, None]
        if box is not None:
            for axis in (2, 1, 0):
                step = step - np.round(step[..., axis] / box[axis, axis])[..., None] * box[axis]
        r = np.linalg.norm(step, axis=-1)
        rows, columns = np.nonzero(r < closest)
        found += [
            (begin + int(i), int(j), float(r[i, j]))
            for i, j in zip(rows, columns, strict=True)
            if begin + i < j
        ]
    return sorted(found, key=lambda clash: clash[2])


def interchangeable(
    forcefield: ForceField, x: Float[np.ndarray, " dof"], *, tolerance: float = 1e-9
) -> tuple[int, ...]:
    """Species of the atoms for a `ClusterSymmetry`: equal numbers may be exchanged.

    Atoms are alike if they hang on the same neighbours, are of one symmetry class, and exchanging
    them leaves the energy of the structure `x` as it is, to `tolerance` relative. That is a part
    of all symmetries of the bond graph: exchanging two whole groups is another, which no
    relabelling of single atoms within a species can express.

    Args:
        forcefield: The energy.
        x: A structure without symmetry of its own, `(3 n,)`, in nm.
        tolerance: Of energies.
    """
    topology = forcefield.topology
    near = _near(topology)
    groups: dict[tuple[int, frozenset[int]], list[int]] = {}
    for atom in range(topology.n_atoms):
        groups.setdefault((int(topology.ranks[atom]), near[atom]), []).append(atom)
    pairs = [(group[0], atom) for group in groups.values() for atom in group[1:]]
    positions = np.asarray(x, float).reshape(-1, 3)
    exchanged = [positions]
    for i, j in pairs:
        image = positions.copy()
        image[[i, j]] = image[[j, i]]
        exchanged.append(image)
    points = jnp.asarray(np.stack(exchanged).reshape(len(exchanged), -1))
    energies = np.asarray(_energies(forcefield, points))
    same = np.abs(energies[1:] - energies[0]) <= tolerance * max(1.0, abs(energies[0]))
    species = list(range(topology.n_atoms))
    for (i, j), alike in zip(pairs, same, strict=True):
        if alike:
            species[j] = i
    return tuple(species)


def mirrored(
    forcefield: ForceField, x: Float[np.ndarray, " dof"], *, tolerance: float = 1e-9
) -> bool:
    """Whether the mirror image of a structure has the same energy; with a correction map, no."""
    positions = np.asarray(x, float).reshape(-1)
    here, there = _energies(forcefield, jnp.asarray(np.stack([positions, -positions])))
    return bool(abs(here - there) <= tolerance * max(1.0, abs(here)))


@eqx.filter_jit
def _energies(
    forcefield: ForceField, points: Float[Array, "points dof"]
) -> Float[Array, " points"]:
    """One after another: tables over pairs are large."""
    return jax.lax.map(lambda x: forcefield(x), points)


def _near(topology: Topology) -> list[frozenset[int]]:
    near: list[set[int]] = [set() for _ in range(topology.n_atoms)]
    for i, j in topology.bonds.tolist():
        near[i].add(j)
        near[j].add(i)
    return [frozenset(atoms) for atoms in near]
