"""Scans along bonds, contacts and cutoffs, for `check_forcefield`."""

import numpy as np

from ._property_case import Case


def bond_scans(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Each bond from 0.5 to 1.3 times its length, the rest rigid: scales and energies.

    The side of the bond that holds fewer atoms moves; in a ring, the atom of lower degree alone.
    """
    assert case.topology is not None
    scales = np.linspace(0.5, 1.3, 81)
    bonds = [(int(i), int(j)) for i, j in case.topology.bonds]
    points = []
    for i, j in bonds:
        moving, still = _sides(bonds, len(case.x), i, j)
        at = case.x[still]
        vector = case.x[j if still == i else i] - at
        block = np.repeat(case.x[None], len(scales), axis=0)
        block[:, moving] += ((scales - 1.0)[:, None] * vector)[:, None, :]
        points.append(block)
    energies = case.energies(np.concatenate(points))
    return scales, energies.reshape(len(bonds), len(scales))


def _sides(bonds: list[tuple[int, int]], n: int, i: int, j: int) -> tuple[list[int], int]:
    """Atoms that move, and the end of the bond that does not."""

    def reached(start: int) -> set[int]:
        found, waiting = {start}, [start]
        while waiting:
            atom = waiting.pop()
            for pair in bonds:
                if atom in pair and set(pair) != {i, j}:
                    other = pair[0] if pair[1] == atom else pair[1]
                    if other not in found:
                        found.add(other)
                        waiting.append(other)
        return found

    side = reached(j)
    if i in side:
        degree = [sum(atom in pair for pair in bonds) for atom in range(n)]
        return ([j], i) if degree[j] <= degree[i] else ([i], j)
    other = reached(i)
    return (sorted(side), i) if len(side) <= len(other) else (sorted(other), j)


def contact_scans(case: Case, distances: np.ndarray) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Two copies, an outer atom of each element of one facing one of the other.

    Returns:
        The pairs of atoms in contact, and structures `(pairs, distances, 2 n, 3)`.
    """
    x = case.x - case.x.mean(axis=0)
    radius = np.linalg.norm(x, axis=1)
    numbers = np.zeros(len(x)) if case.topology is None else case.topology.numbers
    outer = [max(np.flatnonzero(numbers == z), key=lambda a: radius[a]) for z in np.unique(numbers)]
    contacts = [(int(a), int(b)) for k, a in enumerate(outer) for b in outer[k:]]
    structures = []
    for a, b in contacts:
        out = x[a] / radius[a] if radius[a] > 0 else np.array([1.0, 0.0, 0.0])
        facing = x[b] / radius[b] if radius[b] > 0 else np.array([-1.0, 0.0, 0.0])
        copy = x @ _turn(facing, -out).T
        shifts = x[a] - copy[b] + distances[:, None] * out
        first = np.repeat(x[None], len(distances), axis=0)
        structures.append(np.concatenate([first, copy + shifts[:, None, :]], axis=1))
    return contacts, np.stack(structures)


def _turn(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A rotation that takes one unit vector to another: two reflections."""
    away = one - other
    if np.linalg.norm(away) < 1e-12:
        return np.eye(3)
    across = np.cross(one, other)
    if np.linalg.norm(across) < 1e-9:
        across = np.cross(one, np.eye(3)[np.argmin(abs(one))])
    across /= np.linalg.norm(across)
    flip = np.eye(3) - 2.0 * np.outer(away, away) / (away @ away)
    return flip @ (np.eye(3) - 2.0 * np.outer(across, across))


_WORDS = ("energy", "slope", "curvature")
_LEVELS = 18


def largest_jumps(case: Case, limit: float) -> tuple[float, str, float]:
    """Jumps of energy, slope and curvature along the way of an atom that leaves.

    The way is cut into 192 steps. Those whose change stands out among their neighbours' are halved
    18 times, each time keeping the half that changes more: a smooth function's change then falls
    with the width, a jump stays.

    Returns:
        The largest jump relative to the largest value of its kind (0 if there is none), what
        jumps, and how far out the atom is, in nm.
    """
    atom = _leaver(case)
    out = case.x[atom] - np.delete(case.x, atom, axis=0).mean(axis=0)
    line = np.zeros_like(case.x)
    line[atom] = out / np.linalg.norm(out)

    def ask(s: np.ndarray) -> np.ndarray:
        return case.along(case.x + s[:, None, None] * line, line)

    grid = np.linspace(0.0, 1.6, 193)
    values = ask(grid)
    scale = np.maximum(abs(values).max(axis=0), 1e-12)
    rows, kinds = [], []
    for kind in range(3):
        chosen = _suspects(np.diff(values[:, kind]), 8)
        rows.append(chosen)
        kinds.append(np.full(len(chosen), kind))
    row, kind = np.concatenate(rows), np.concatenate(kinds)
    low, high = grid[row].copy(), grid[row + 1].copy()
    q_low, q_high = values[row, kind], values[row + 1, kind]
    early = abs(q_high - q_low)
    for level in range(_LEVELS):
        middle = 0.5 * (low + high)
        q = ask(middle)[np.arange(len(row)), kind]
        upper = abs(q_high - q) > abs(q - q_low)
        low, q_low = np.where(upper, middle, low), np.where(upper, q, q_low)
        high, q_high = np.where(upper, high, middle), np.where(upper, q_high, q)
        if level == _LEVELS - 8:
            early = abs(q_high - q_low)
    jump = abs(q_high - q_low)
    relative = np.where(jump > 0.5 * early, jump, 0.0) / scale[kind]
    relative = np.where(np.isfinite(relative), relative, np.inf)
    worst = int(np.argmax(relative))
    if relative[worst] <= limit:
        return 0.0, "", 0.0
    return float(relative[worst]), _WORDS[kind[worst]], float(low[worst])


def _suspects(changes: np.ndarray, count: int) -> np.ndarray:
    """Steps whose change differs most from the mean of their neighbours', absolutely or not."""
    padded = np.concatenate([changes[:1], changes, changes[-1:]])
    odd = abs(changes - 0.5 * (padded[:-2] + padded[2:]))
    around = abs(changes) + abs(padded[:-2]) + abs(padded[2:])
    share = odd / np.maximum(around, 1e-300)
    share[around < 1e-13 * abs(changes).max()] = 0.0
    return np.union1d(np.argsort(odd)[-count:], np.argsort(share)[-count:])


def _leaver(case: Case) -> int:
    """The atom furthest from the middle among those with fewest bonds."""
    degree = np.zeros(len(case.x))
    if case.topology is not None:
        np.add.at(degree, case.topology.bonds.ravel(), 1)
    radius = np.linalg.norm(case.x - case.x.mean(axis=0), axis=1)
    return int(np.argmax(np.where(degree == degree.min(), radius, -1.0)))
