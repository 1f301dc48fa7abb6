"""Neighbours within a cutoff, found on the host by a library."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Float, Int

from ._forcefield import ForceField

_ROOM = 1.15
"""Capacity over the number of pairs at first, so that later lists fit into the same program."""


def neighbour_pairs(
    positions: Float[np.ndarray, "n 3"],
    cutoff: float,
    *,
    box: Float[np.ndarray, "3 3"] | None = None,
    capacity: int | None = None,
) -> Int[np.ndarray, "pairs 2"]:
    """Pairs of atoms closer than `cutoff`, each once, filled up with (0, 0).

    Args:
        positions: In nm.
        cutoff: In nm; the longest cutoff of any block plus a skin.
        box: Rows are the edges in reduced form, in nm.
        capacity: Rows to return; by default 15 % more than there are pairs.

    Raises:
        ArgumentError: if there are more pairs than `capacity`, or a pair could meet twice because
            the cutoff exceeds half of the box; or vesin is missing.
    """
    try:
        import vesin
    except ImportError as error:
        raise ArgumentError(
            "lists of neighbours need vesin, which is not installed",
            "pip install 'thalweg[forcefields]'",
        ) from error
    x = np.asarray(positions, float)
    if not np.all(np.isfinite(x)):
        atom = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise ArgumentError(f"positions: atom {atom} is at {x[atom]}", "they must be finite")
    cell = np.zeros((3, 3)) if box is None else np.asarray(box, float)
    if box is not None and 2.0 * cutoff > np.min(np.diag(cell)):
        raise ArgumentError(
            f"cutoff={cutoff:.4g} nm exceeds half of the box, {np.min(np.diag(cell)):.4g} nm wide",
            "shorten the cutoff or the skin, or take a larger box",
        )
    finder = vesin.NeighborList(cutoff=float(cutoff), full_list=False)
    i, j = finder.compute(points=x, box=cell, periodic=box is not None, quantities="ij")
    rows = capacity or max(1, int(np.ceil(_ROOM * len(i))))
    if len(i) > rows:
        raise ArgumentError(
            f"{len(i)} neighbour pairs do not fit into capacity={rows}",
            f"call again with capacity={int(np.ceil(_ROOM * len(i)))} (it compiles once more)",
        )
    pairs = np.zeros((rows, 2), np.int32)
    pairs[: len(i), 0], pairs[: len(i), 1] = i, j
    return pairs


def with_neighbours(
    forcefield: ForceField, positions: Float[np.ndarray, "n 3"], *, skin: float = 0.1
) -> ForceField:
    """The force field with the list of neighbours of a structure.

    The list holds every pair closer than the longest cutoff of a block plus `skin`: exact while
    no atom has moved by more than half the skin from `positions`. Made again for another
    structure it keeps its capacity, so that compiled programs stay; when it no longer fits, the
    list is made larger (and programs compile once more), never cut short.

    Args:
        forcefield: All of its blocks over pairs must have a cutoff.
        positions: `(n, 3)`, in nm.
        skin: In nm.

    Raises:
        ArgumentError: if a block over pairs has no cutoff, or the cutoff exceeds half the box.
    """
    cutoffs = {
        name: block.rule.cutoff  # pyright: ignore[reportAttributeAccessIssue]
        for name, block in forcefield.blocks.items()
        if hasattr(block, "rule")
    }
    endless = [name for name, cutoff in cutoffs.items() if cutoff is None]
    if endless or not cutoffs:
        raise ArgumentError(
            f"{', '.join(endless) or 'this force field'} has no cutoff: every pair interacts",
            "a list of neighbours is for blocks with a cutoff",
        )
    reach = max(cutoff for cutoff in cutoffs.values() if cutoff is not None) + skin
    box = None if forcefield.box is None else np.asarray(forcefield.box)
    pairs = neighbour_pairs(positions, reach, box=box)
    held = 0 if forcefield.pairs is None else len(forcefield.pairs)
    count = int(np.count_nonzero(pairs[:, 0] != pairs[:, 1]))
    if count <= held:
        grown = np.zeros((held, 2), np.int32)
        grown[:count] = pairs[:count]
        pairs = grown
    return eqx.tree_at(
        lambda ff: ff.pairs, forcefield, jnp.asarray(pairs), is_leaf=lambda leaf: leaf is None
    )
