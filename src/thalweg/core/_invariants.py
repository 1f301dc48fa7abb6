"""What a configuration of particles keeps and what it can do for nothing, in JAX, lanes last.

`rotation_modes` and its neighbours give orthonormal null directions of an invariant energy;
`pair_features` and `shape_features` give smooth numbers that all images of a configuration
share. Arrays are `(particles, dim, *lanes)`.

Source: infinitesimal translations and rotations as zero modes, Page & McIver, J. Chem. Phys. 88,
922 (1988); the invariants are power means of distances, in the spirit of Wales, *Energy
Landscapes* (2003), section 6.4.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# A rotation whose squared displacement is below this fraction of the three together moves
# nothing: a linear molecule about its axis. Points polished to 1e-6 of their size stay below,
# the bend of any molecule that is not linear stays above.
MISSING = 1e-8

Particles = Float[Array, "particles dim *lanes"]
Each = Float[Array, "particles *lanes"]
Sums = Float[Array, "4 particles *lanes"]
Features = Float[Array, "features *lanes"]


def translation_modes(x: Particles) -> Float[Array, "dim particles dim *lanes"]:
    """The `dim` unit displacements of all particles together."""
    count, dim = x.shape[:2]
    unit = jnp.eye(dim, dtype=x.dtype) / jnp.sqrt(jnp.asarray(count, x.dtype))
    unit = unit.reshape(dim, 1, dim, *(1,) * (x.ndim - 2))
    return jnp.broadcast_to(unit, (dim, *x.shape))


def radial_modes(x: Particles) -> Float[Array, "particles particles dim *lanes"]:
    """One unit displacement for each particle, along its own direction from the origin."""
    count = x.shape[0]
    unit = x / jnp.sqrt(jnp.sum(x**2, axis=1, keepdims=True))
    chosen = jnp.eye(count, dtype=x.dtype).reshape(count, count, *(1,) * (x.ndim - 1))
    return chosen * unit[None]


def rotation_modes(r: Particles) -> Float[Array, "modes particles dim *lanes"]:
    """Orthonormal rotations about the origin: one row in two dimensions, three in three.

    A row is zero where the rotation moves nothing (the axis of a linear molecule; a single
    particle). Centre `r` first when the rotations should be orthogonal to translations.
    """
    if r.shape[1] == 2:
        turned = jnp.stack([-r[:, 1], r[:, 0]], axis=1)
        norm = jnp.sqrt(jnp.sum(turned**2, axis=(0, 1)))
        return (turned * jnp.where(norm > 0, 1.0 / jnp.where(norm > 0, norm, 1.0), 0.0))[None]
    second = jnp.sum(r[:, :, None] * r[:, None, :], axis=0)
    trace = second[0, 0] + second[1, 1] + second[2, 2]
    identity = jnp.eye(3, dtype=r.dtype).reshape(3, 3, *(1,) * (r.ndim - 2))
    axes = _orthonormal_axes(trace * identity - second)[:, :, None]
    x, y, z = r[None, :, 0], r[None, :, 1], r[None, :, 2]
    return jnp.stack(
        [
            axes[:, 1] * z - axes[:, 2] * y,
            axes[:, 2] * x - axes[:, 0] * z,
            axes[:, 0] * y - axes[:, 1] * x,
        ],
        axis=2,
    )


def _orthonormal_axes(inertia: Float[Array, "3 3 *lanes"]) -> Float[Array, "3 3 *lanes"]:
    """Axes `ω_k` with `ω_k · I ω_l = δ_kl`, zero where the form `I` has no further direction.

    Gram-Schmidt on the unit vectors in the metric `I`, always taking the longest one left, so
    that a direction without inertia comes last and is recognised.
    """
    trace = inertia[0, 0] + inertia[1, 1] + inertia[2, 2]
    epsilon = float(jnp.finfo(inertia.dtype).eps)
    least = max(MISSING, 64.0 * epsilon) * trace
    left = jnp.broadcast_to(
        jnp.eye(3, dtype=inertia.dtype).reshape(3, 3, *(1,) * (inertia.ndim - 2)), inertia.shape
    )
    axes = []
    for _ in range(3):
        norm = jnp.sum(left * _apply(inertia, left), axis=1)
        longest = jnp.argmax(norm, axis=0)
        chosen = (jnp.arange(3).reshape(3, *(1,) * longest.ndim) == longest).astype(left.dtype)
        size = jnp.sum(chosen * norm, axis=0)
        present = size > least
        scale = jnp.where(present, 1.0 / jnp.sqrt(jnp.where(present, size, 1.0)), 0.0)
        axis = jnp.sum(chosen[:, None] * left, axis=0) * scale
        overlap = jnp.sum(left * _apply(inertia, axis[None]), axis=1)
        left = (left - overlap[:, None] * axis[None]) * (1.0 - chosen[:, None])
        axes.append(axis)
    return jnp.stack(axes)


def _apply(
    form: Float[Array, "3 3 *lanes"], vectors: Float[Array, "vectors 3 *lanes"]
) -> Float[Array, "vectors 3 *lanes"]:
    return jnp.sum(form[None] * vectors[:, None], axis=2)


def straight(delta: Particles) -> tuple[Particles, Each]:
    """Displacements and their squared lengths in free space."""
    return delta, jnp.sum(delta**2, axis=1)


def chord(
    box: tuple[float, ...],
) -> Callable[[Particles], tuple[Particles, Each]]:
    """Displacements and squared lengths that are smooth and periodic in a box.

    Each axis is bent into a circle: the length is `L/π |sin(π Δ/L)|`, the component
    `L/2π sin(2π Δ/L)`; both agree with `Δ` when it is small.
    """

    def measure(delta: Particles) -> tuple[Particles, Each]:
        edge = jnp.asarray(box, delta.dtype).reshape(1, len(box), *(1,) * (delta.ndim - 2))
        half = jnp.pi * delta / edge
        squared = jnp.sum((edge / jnp.pi * jnp.sin(half)) ** 2, axis=1)
        return edge / (2.0 * jnp.pi) * jnp.sin(2.0 * half), squared

    return measure


def local_sums(
    r: Particles, weight: Float[Array, " particles"], measure: Callable = straight
) -> Sums:
    """For each particle, over the others: Σ w/d, Σ w d, Σ w/d³ and |Σ w Δ/d⁴|².

    One row of the distance table at a time: memory grows with particles × lanes only.
    """
    count = r.shape[0]
    weight = weight.reshape(count, *(1,) * (r.ndim - 2))

    def row(_: None, i: Array) -> tuple[None, Array]:
        vector, squared = measure(r - r[i])
        other = (jnp.arange(count) != i).reshape(weight.shape)
        # Particles that coincide (soft energies allow it) count as very close, not as infinite.
        length = jnp.sqrt(jnp.where(other, jnp.maximum(squared, 1e-12), 1.0))
        inverse, distance = jnp.where(other, 1.0 / length, 0.0), jnp.where(other, length, 0.0)
        pull = jnp.sum((weight * inverse**4)[:, None] * vector, axis=0)
        sums = [weight * inverse, weight * distance, weight * inverse**3]
        sums = [jnp.sum(term, axis=0) for term in sums]
        return None, jnp.stack([*sums, jnp.sum(pull**2, axis=0)])

    return jnp.moveaxis(jax.lax.scan(row, None, jnp.arange(count))[1], 1, 0)


def pair_features(sums: Sums, weight: Float[Array, " particles"]) -> Features:
    """Six lengths from `local_sums`: means of distances, crowding and its asymmetry."""
    count = sums.shape[1]
    if count < 2:
        return jnp.zeros((6, *sums.shape[2:]), sums.dtype)
    w = weight.reshape(count, *(1,) * (sums.ndim - 2))
    pairs = jnp.sum(weight) ** 2 - jnp.sum(weight**2)
    inverse, mean, inverse_cube = (jnp.sum(w * term, axis=0) / pairs for term in sums[:3])
    crowding = sums[2]
    length = inverse_cube ** (-1.0 / 3.0)
    total = jnp.sum(weight)
    return jnp.stack(
        [
            1.0 / inverse,
            mean,
            length,
            (jnp.sum(w * crowding**2, axis=0) / total) ** (-1.0 / 6.0),
            (jnp.sum(w * crowding**3, axis=0) / total) ** (-1.0 / 9.0),
            length**7 * jnp.sum(w * sums[3], axis=0) / total,
        ]
    )


def shape_features(r: Particles, sums: Sums, weight: Float[Array, " particles"]) -> Features:
    """Six lengths about the origin: invariants of the gyration tensor and radial moments."""
    count = r.shape[0]
    w = weight.reshape(count, *(1,) * (r.ndim - 2))
    total = jnp.sum(weight)
    tensor = jnp.sum(r[:, :, None] * r[:, None, :], axis=0) / count
    square = jnp.sum(tensor[:, :, None] * tensor[None], axis=1)
    squared = jnp.sum(r**2, axis=1)
    features = [
        jnp.sqrt(jnp.sum(jnp.mean(r**2, axis=0), axis=0)),
        jnp.sum(tensor**2, axis=(0, 1)) ** 0.25,
        jnp.sum(square * tensor, axis=(0, 1)) ** (1.0 / 6.0),
        jnp.sqrt(jnp.sum(w * squared, axis=0) / total),
        (jnp.sum(w * squared**2, axis=0) / total) ** 0.25,
    ]
    crowded = jnp.sum(w * sums[2], axis=0) + (1.0 if count < 2 else 0.0)
    features.append(jnp.sqrt(jnp.sum(w * sums[2] * squared, axis=0) / crowded))
    return jnp.stack(features)
