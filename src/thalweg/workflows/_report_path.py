"""A path for a report: its profile and as many frames as an animation needs."""

import numpy as np
from jaxtyping import Float, Int

from thalweg.core import ArgumentError, System
from thalweg.landscape import Landscape, Pathway, pathway
from thalweg.viz import PathProfile

_ROWS = 1500
_FRAMES = 160


def path_profile(
    landscape: Landscape, system: System | None, ends: tuple[int, int] | None
) -> PathProfile:
    """The path over the lowest barrier between two minima.

    Args:
        landscape: What was found.
        system: What it is of.
        ends: Positions of the minima where it begins and ends.

    Raises:
        ArgumentError: if the system is unknown, or nothing joins the two minima.
        SolveError: if the descent from a transition state fails.
    """
    if ends is None:
        raise ArgumentError("there are no two minima that transition states join", "map further")
    if system is None:
        raise ArgumentError(
            f"the catalogue knows no system {landscape.header.name!r} that fits this store, and a "
            "path of steepest descent needs the energy",
            "name the system: --system module:function, or report(..., system=...)",
        )
    ids = landscape.network.ids
    return thinned(pathway(system, landscape, int(ids[ends[0]]), int(ids[ends[1]])))


def thinned(path: Pathway) -> PathProfile:
    """Rows and frames of a pathway at even distances; its stationary points all stay."""
    rows = _even(path.lengths, path.rows, _ROWS)
    frames = _even(path.lengths, path.rows, _FRAMES)
    ids = np.empty(len(path.rows), dtype=int)
    ids[::2], ids[1::2] = path.minima, path.transition_states
    return PathProfile(
        arc=path.lengths[rows],
        energies=path.energies[rows],
        stations=np.searchsorted(rows, path.rows),
        station_ids=ids,
        frames=path.points[frames],
        frame_rows=np.searchsorted(rows, frames),
    )


def _even(
    lengths: Float[np.ndarray, " n"], always: Int[np.ndarray, " some"], count: int
) -> Int[np.ndarray, " kept"]:
    """Rows at about even distances along the path, and those that always stay."""
    wanted = np.linspace(lengths[0], lengths[-1], count)
    return np.unique(np.concatenate([np.searchsorted(lengths, wanted[:-1]), always]))
