"""Particles of several species: how flat points, labels and weights are read on the host."""

import functools
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from . import _invariants
from ._errors import ArgumentError

HostPoint = Float[np.ndarray, " dof"]

# Golden-ratio spacing: weights of species in fingerprints, so that no two mixtures agree.
_GOLDEN = 0.6180339887498949


@functools.lru_cache(maxsize=256)
def ranks(species: tuple[int, ...]) -> np.ndarray:
    """Species renamed 0, 1, ... for the compiled kernels."""
    return np.unique(np.asarray(species), return_inverse=True)[1].astype(np.int64)


@functools.lru_cache(maxsize=256)
def weights(species: tuple[int, ...]) -> np.ndarray:
    """One weight in [0.5, 1.5) for each particle, different for different species."""
    return 0.5 + (0.5 + _GOLDEN * ranks(species)) % 1.0


def log_permutations(species: tuple[int, ...]) -> float:
    """Log Π_s N_s!, the relabellings within species."""
    return float(sum(math.lgamma(n + 1.0) for n in np.bincount(ranks(species))))


def spatial(x: HostPoint, count: int, dim: int) -> np.ndarray:
    """`x` as float64 `(count, 3)`, in-plane points with a third coordinate of zero."""
    r = np.asarray(x, np.float64).reshape(count, dim)
    return r if dim == 3 else np.concatenate([r, np.zeros((count, 1))], axis=1)


def flat(r: np.ndarray, dim: int) -> HostPoint:
    """`(count, 3)` back to a flat point of `dim` coordinates for each particle."""
    return np.ascontiguousarray(r[:, :dim]).reshape(-1)


def result(image: np.ndarray, x: HostPoint, dim: int) -> tuple[HostPoint, float]:
    """An aligned image as a flat point, and its distance from `x`."""
    nearest = flat(image, dim)
    return nearest, float(np.linalg.norm(nearest - x))


def small(r: np.ndarray) -> float:
    """A displacement, relative to the cluster, below which two points are taken for one."""
    return 1e-4 * float(np.sqrt(np.mean(np.sum(r**2, axis=1)))) + 1e-12


def rotations(r: np.ndarray, dim: int) -> int:
    """How many independent rotations move any particle of the centred `r`."""
    second = r.T @ r
    inertia = np.linalg.eigvalsh(np.trace(second) * np.eye(3) - second)
    if dim == 2:
        return int(inertia[2] > 0)
    return int(np.sum(inertia > _invariants.MISSING * max(inertia.sum(), 1e-300)))


def rigid_fingerprint(r: _invariants.Particles, species: tuple[int, ...]) -> _invariants.Features:
    """Twelve lengths kept by rotations, mirrors and relabelling about the origin of `r`."""
    weight = jnp.asarray(weights(species), r.dtype)
    sums = _invariants.local_sums(r, weight)
    return jnp.concatenate(
        [_invariants.pair_features(sums, weight), _invariants.shape_features(r, sums, weight)]
    )


def check_species(species: tuple[int, ...], dim: int) -> None:
    """Refuse an empty tuple, and dimensions other than 2 and 3."""
    if len(species) == 0:
        raise ArgumentError("species is empty: give one integer for each particle")
    if dim not in {2, 3}:
        raise ArgumentError(f"dim={dim} must be 2 or 3")
