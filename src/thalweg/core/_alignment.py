"""The closest image of one configuration to another, when they are not the same structure.

Finding it exactly is a hard assignment problem, so this is a heuristic: many operations are
ranked by a cheap lower bound, and the best few are improved by turns of optimal relabelling
(Hungarian) and optimal rotation (Kabsch) until neither changes anything. Deterministic.

Arrays are NumPy, `(particles, 3)`, as in `_matching`.

Source: Helmich & Sierka, J. Comput. Chem. 33, 134 (2012), for the alternation; Kabsch, Acta
Cryst. A32, 922 (1976); rotations spread by super-Fibonacci spirals, Alexa, CVPR 2022, 8291.
"""

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
import scipy.optimize
import scipy.spatial.distance

from . import _matching

# Ranking costs rotations × particles²; this many operations take some 50 ms.
_BUDGET = 2e7
_MOST, _FEWEST = 800, 48
# How many of the ranked operations are improved.
_KEEP = 16
# The alternation ends by itself after a few turns; this only bounds it.
_SWEEPS = 50


@functools.cache
def spread_rotations(count: int, dim: int) -> np.ndarray:
    """`count` rotations spread evenly, `(count, 3, 3)`; in two dimensions about the third axis."""
    step = np.arange(count) + 0.5
    if dim == 2:
        quaternions = np.zeros((count, 4))
        quaternions[:, 0] = np.cos(math.pi * step / count)
        quaternions[:, 3] = np.sin(math.pi * step / count)
        return _matrices(quaternions)
    inner, outer = np.sqrt(step / count), np.sqrt(1.0 - step / count)
    alpha = 2.0 * math.pi * step / math.sqrt(2.0)
    beta = 2.0 * math.pi * step / 1.533751168755204288118041  # Alexa, eq. 9
    return _matrices(
        np.stack(
            [
                inner * np.sin(alpha),
                inner * np.cos(alpha),
                outer * np.sin(beta),
                outer * np.cos(beta),
            ],
            axis=1,
        )
    )


def _matrices(quaternions: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternions.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


@functools.cache
def box_operations(box: tuple[float, ...]) -> np.ndarray:
    """Signed permutations of the axes that map the box on itself, `(operations, 3, 3)`.

    8 for three different edges, 16 with two equal ones, 48 for a cube; 4 or 8 in the plane.
    """
    dim = len(box)
    matrices = []
    for axes in itertools.permutations(range(dim)):
        if any(not math.isclose(box[k], box[axes[k]]) for k in range(dim)):
            continue
        for signs in itertools.product((1.0, -1.0), repeat=dim):
            matrix = np.eye(3)
            matrix[:dim, :dim] = 0.0
            for k in range(dim):
                matrix[k, axes[k]] = signs[k]
            matrices.append(matrix)
    return np.array(matrices)


def mirror(dim: int) -> np.ndarray:
    """The improper operation that is joined to the rotations: inversion; in-plane, a mirror."""
    return np.diag([1.0, -1.0, 1.0]) if dim == 2 else -np.eye(3)


def align_rigid(
    x: np.ndarray, y: np.ndarray, species: np.ndarray, dim: int, *, improper: bool
) -> np.ndarray:
    """The image of `y` under a rotation about the origin and a relabelling, close to `x`."""
    count = int(min(_MOST, max(_FEWEST, _BUDGET / x.shape[0] ** 2)))
    starts = np.concatenate([np.eye(3)[None], spread_rotations(count, dim)])
    if dim == 3:
        axes_x, axes_y = (np.linalg.svd(z, full_matrices=True)[2] for z in (x, y))
        turns = [np.diag([a, b, a * b]) for a in (1.0, -1.0) for b in (1.0, -1.0)]
        frames = axes_x.T @ np.array(turns) @ axes_y
        frames *= np.linalg.det(frames)[:, None, None]
        starts = np.concatenate([frames, starts])
    if improper:
        starts = np.concatenate([starts, starts @ mirror(dim)])
    nothing = np.zeros(3)

    def turn(image: np.ndarray) -> np.ndarray:
        return image @ kabsch(x, image, dim).T

    return _improve(x, y, species, starts, np.zeros((len(starts), 3)), nothing, turn)


def align_shifted(
    x: np.ndarray,
    y: np.ndarray,
    species: np.ndarray,
    box: np.ndarray,
    operations: np.ndarray,
    *,
    free: bool,
) -> np.ndarray:
    """The image of `y` under given operations, a shift when `free`, and a relabelling."""
    starts, shifts = operations, np.zeros((len(operations), 3))
    if free:
        here, there = _alike(x, y, species, box, _BUDGET / len(x) ** 2 / len(operations))
        moved = np.einsum("mkl,pl->mpk", operations, y[there])
        shifts = (x[here] - moved).reshape(-1, 3)
        starts = np.repeat(operations, len(here), axis=0)

    def shift(image: np.ndarray) -> np.ndarray:
        near = nearest(image - x, box)
        return x + near - (near.mean(axis=0) if free else 0.0)

    return _improve(x, y, species, starts, shifts, box, shift)


def _alike(
    x: np.ndarray, y: np.ndarray, species: np.ndarray, box: np.ndarray, budget: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of particles of the rarest species with alike surroundings, about `budget` of them.

    Surroundings are compared by the crowding on three scales, which all operations keep.
    """
    rarest = np.argmin(np.bincount(species)[species])
    members = np.flatnonzero(species == species[rarest])
    periodic = box[box > 0]
    spacing = (np.prod(periodic) / len(x)) ** (1.0 / len(periodic))
    kinds = [
        np.stack(
            [_matching.crowding(z, box, scale * spacing)[members] for scale in (0.5, 1.0, 2.0)]
        )
        for z in (x, y)
    ]
    spread = np.maximum(kinds[0].std(axis=1, keepdims=True), 1e-9)
    gaps = scipy.spatial.distance.cdist((kinds[0] / spread).T, (kinds[1] / spread).T)
    pairs = max(_FEWEST, budget)
    partners = int(np.clip(pairs / len(members), min(3, len(members)), len(members)))
    hosts = np.linspace(0, len(members) - 1, int(min(len(members), pairs // partners)), dtype=int)
    closest = np.argsort(gaps[hosts], axis=1, kind="stable")[:, :partners]
    return members[np.repeat(hosts, partners)], members[closest.ravel()]


def _improve(
    x: np.ndarray,
    y: np.ndarray,
    species: np.ndarray,
    starts: np.ndarray,
    shifts: np.ndarray,
    box: np.ndarray,
    fit: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """The best image of `y` from the most promising starts."""
    rank = _matching.mismatches(x, y, species, starts, shifts, box, _KEEP)
    members = [np.flatnonzero(species == kind) for kind in range(species.max() + 1)]
    best, least = y, math.inf
    for m in np.argsort(rank, kind="stable")[:_KEEP]:
        if not rank[m] < math.inf:
            break
        image = y @ starts[m].T + shifts[m]
        for _ in range(_SWEEPS):
            partner = _relabel(x, image, members, box)
            image = fit(image[partner])
            if np.array_equal(partner, np.arange(len(partner))):
                break
        distance = float(np.sum((image - x) ** 2))
        if distance < least:
            best, least = image, distance
    return best


def _relabel(
    x: np.ndarray, y: np.ndarray, members: list[np.ndarray], box: np.ndarray
) -> np.ndarray:
    """The permutation within species that brings `y` closest to `x`."""
    partner = np.arange(len(x))
    for group in members:
        if len(group) > 1:
            delta = nearest(x[group, None] - y[None, group], box)
            rows, columns = scipy.optimize.linear_sum_assignment(np.sum(delta**2, axis=2))
            partner[group[rows]] = group[columns]
    return partner


def nearest(delta: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Displacements to the nearest copy, `(..., 3)`; zeros in `box` mean not periodic."""
    return delta - box * np.round(delta / np.where(box > 0, box, 1.0))


def kabsch(x: np.ndarray, y: np.ndarray, dim: int) -> np.ndarray:
    """The proper rotation about the origin that brings `y` closest to `x`, label by label."""
    if dim == 2:
        cosine = float(np.sum(x * y))
        sine = float(np.sum(x[:, 1] * y[:, 0] - x[:, 0] * y[:, 1]))
        angle = math.atan2(sine, cosine)
        c, s = math.cos(angle), math.sin(angle)
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    left, _, right = np.linalg.svd(x.T @ y)
    sign = np.sign(np.linalg.det(left) * np.linalg.det(right))
    return left @ np.diag([1.0, 1.0, sign]) @ right
