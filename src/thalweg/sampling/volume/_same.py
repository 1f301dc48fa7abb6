"""When an end point is the minimum, and which points of a cluster's slice count; NumPy or JAX."""

from typing import Any

import numpy as np

from thalweg.core import AbstractSymmetry, ClusterSymmetry, PeriodicSymmetry


def _centred(symmetry: ClusterSymmetry, x: Any) -> Any:
    """Points `(points, dof)` as particles about their centroids."""
    r = x.reshape(len(x), len(symmetry.species), symmetry.dim)
    return r - r.mean(axis=1, keepdims=True) if symmetry.translation else r


def deviation(symmetry: AbstractSymmetry, minimum: Any, end: Any, xp: Any = np) -> Any:
    """Largest difference of a coordinate after shifting and turning, labels kept, `(points,)`.

    Args:
        symmetry: Says what may be shifted and turned.
        minimum: Flat point.
        end: Points to compare it with, `(points, dof)`.
        xp: The module to compute with, NumPy or `jax.numpy`.
    """
    end = xp.where(xp.isfinite(end), end, 1e100)
    if isinstance(symmetry, PeriodicSymmetry):
        # Without folding: a particle that has gone round the box is another copy of the minimum.
        off = (end - minimum).reshape(len(end), len(symmetry.species), len(symmetry.box))
        return xp.abs(off - off.mean(axis=1, keepdims=True)).max(axis=(1, 2))
    if not isinstance(symmetry, ClusterSymmetry):
        return xp.abs(end - minimum).max(axis=1)
    a, b = _centred(symmetry, minimum[None]), _centred(symmetry, end)
    if symmetry.rotation:
        left, _, right = xp.linalg.svd(xp.einsum("oia,pib->pab", a, b))
        sign = xp.sign(xp.linalg.det(left) * xp.linalg.det(right))
        proper = xp.concatenate(
            [xp.ones((len(end), symmetry.dim - 1), left.dtype), sign[:, None]], axis=1
        )
        b = xp.einsum("pia,pba->pib", b, (left * proper[:, None]) @ right)
    return xp.abs(a - b).max(axis=(1, 2))


def upright(symmetry: AbstractSymmetry, minimum: Any, x: Any, xp: Any = np) -> Any:
    """Whether the identity is the rotation that fits each point of the slice best, `(points,)`.

    On the slice the matrix `Σ a_i b_iᵀ` is symmetric; no proper rotation then beats the identity
    if and only if no two of its eigenvalues have a negative sum.
    """
    if not (isinstance(symmetry, ClusterSymmetry) and symmetry.rotation):
        return xp.ones(len(x), bool)
    a, b = _centred(symmetry, minimum[None]), _centred(symmetry, x)
    form = xp.einsum("oia,pib->pab", a, b)
    values = xp.linalg.eigvalsh(0.5 * (form + xp.swapaxes(form, 1, 2)))
    return values[:, 0] + values[:, 1] >= -1e-12 * xp.abs(values).max(axis=1)
