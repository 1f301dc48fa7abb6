"""From a continuous trajectory to the states of a Markov chain.

First every frame gets a label: the minimum that its quench ends in (`assign_basins`), or the core
that it lies in (`nearest_core`). Then `commit` takes out recrossings: a trajectory belongs to the
last state it was committed to, which makes what is left far more Markovian than the frames.
`find_jumps` turns the rest into jumps with their times.

Source: for core sets and commitment, C. Schütte, F. Noé, J. Lu, M. Sarich and E. Vanden-Eijnden,
J. Chem. Phys. 134, 204105 (2011).
"""

import numpy as np
from jaxtyping import Float, Int

from thalweg.core import ArgumentError, Outcome, System
from thalweg.landscape import PointIndex, TransitionNetwork, fingerprints
from thalweg.search import quench_many


def assign_basins(
    system: System, network: TransitionNetwork, points: Float[np.ndarray, "frames dof"]
) -> Int[np.ndarray, " frames"]:
    """The minimum that each frame runs down to, modulo the system's symmetry.

    Args:
        system: What moves.
        network: Its landscape, with the coordinates of the minima
            (`landscape.store.load_network(points=True)`).
        points: Frames of a trajectory.

    Returns:
        Positions of minima; -1 where the quench fails or ends in a minimum that is not known.

    Raises:
        ArgumentError: if the network has no coordinates.
    """
    if network.points is None:
        raise ArgumentError(
            "the network holds no coordinates to compare with",
            "landscape.store.load_network(points=True) reads them",
        )
    index = PointIndex(system.symmetry, system.length)
    index.extend(np.asarray(network.energies), np.asarray(network.points))
    ended = quench_many(system, np.asarray(points, dtype=float))
    x, energies = np.asarray(ended.x), np.asarray(ended.value)
    labels = np.full(len(x), -1)
    good = np.flatnonzero(np.asarray(ended.outcome) == int(Outcome.success))
    features = fingerprints(system.symmetry, x[good])
    for row, feature in zip(good, features, strict=True):
        found = index.find(float(energies[row]), x[row], feature)
        labels[row] = -1 if found is None else found
    return labels


def nearest_core(
    points: Float[np.ndarray, "frames dof"],
    centres: Float[np.ndarray, "cores dof"],
    radius: float,
) -> Int[np.ndarray, " frames"]:
    """The core that each frame lies in: the ball about the nearest centre.

    Distances are plain ones; for particles that turn or change places use `assign_basins`.

    Args:
        points: Frames of a trajectory.
        centres: Centres of the cores, minima for example.
        radius: Radius of every core.

    Returns:
        Positions of centres; -1 outside all cores.
    """
    best = np.full(len(points), np.inf)
    labels = np.full(len(points), -1)
    for k, centre in enumerate(centres):
        squared = np.sum((points - centre) ** 2, axis=1)
        nearer = (squared < best) & (squared <= radius**2)
        best[nearer], labels[nearer] = squared[nearer], k
    return labels


def commit(labels: Int[np.ndarray, " frames"], dwell: int = 1) -> Int[np.ndarray, " frames"]:
    """Let every frame belong to the last state that the trajectory was committed to.

    A visit counts if it lasts for `dwell` frames in a row; shorter ones, and frames outside all
    cores, continue the state before.

    Args:
        labels: A label for each frame; -1 outside all cores.
        dwell: How many frames make a visit.

    Returns:
        The state of each frame; -1 before the first commitment.
    """
    if dwell < 1:
        raise ArgumentError(f"dwell={dwell} must be at least 1 frame")
    labels = np.asarray(labels)
    if not len(labels):
        return labels.copy()
    starts = np.concatenate(([0], np.flatnonzero(np.diff(labels)) + 1))
    lengths = np.diff(np.concatenate((starts, [len(labels)])))
    visits = (labels[starts] >= 0) & (lengths >= dwell)
    last = np.maximum.accumulate(np.where(visits, np.arange(len(starts)), -1))
    states = np.where(last >= 0, labels[starts][last], -1)
    return np.repeat(states, lengths)


def find_jumps(
    states: Int[np.ndarray, " frames"], interval: float = 1.0
) -> tuple[Int[np.ndarray, " visits"], Float[np.ndarray, " visits"]]:
    """Successive states and how long each of them lasted.

    Args:
        states: The state of each frame (`commit`); frames of state -1 are left out.
        interval: Time between frames.

    Returns:
        States and times, as `JumpStatistics.of` takes them. The last time is cut short by the end
        of the trajectory.
    """
    known = np.asarray(states)[np.asarray(states) >= 0]
    if not len(known):
        return np.zeros(0, dtype=int), np.zeros(0)
    starts = np.concatenate(([0], np.flatnonzero(np.diff(known)) + 1))
    lengths = np.diff(np.concatenate((starts, [len(known)])))
    return known[starts].astype(int), lengths * float(interval)
