"""Contraction: matrix measures, and diagonal metrics from M-matrices."""

import dataclasses
from typing import Literal

import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError

Norm = Literal["one", "two", "infinity"]


def matrix_measure(
    matrix: Float[np.ndarray, "*stack dof dof"],
    norm: Norm = "two",
    weights: Float[np.ndarray, " dof"] | None = None,
) -> Float[np.ndarray, "*stack"]:
    """The matrix measure (logarithmic norm) `μ(A) = lim (‖I + hA‖ - 1)/h` for a weighted norm.

    Where `μ(J(x)) ≤ -c < 0` on a convex region that the flow does not leave, any two trajectories
    in it approach each other at least as fast as `exp(-c t)` in that norm.

    Args:
        matrix: Square matrices.
        norm: Which norm: `one`, `two` or `infinity`.
        weights: Positive weights `d` of the norm `‖D x‖`; all one by default.

    Source: C. A. Desoer and H. Haneda, IEEE Trans. Circuit Theory 19, 480 (1972).
    """
    matrix = np.asarray(matrix, np.float64)
    if weights is not None:
        if np.shape(weights) != matrix.shape[-1:] or not np.all(np.asarray(weights) > 0):
            raise ArgumentError(
                f"weights must be {matrix.shape[-1]} positive numbers, got shape {np.shape(weights)}"
            )
        matrix = weights[:, None] * matrix / weights
    if norm == "two":
        symmetric = (matrix + np.swapaxes(matrix, -1, -2)) / 2
        return np.asarray(np.linalg.eigvalsh(symmetric)[..., -1])
    if norm not in {"one", "infinity"}:
        raise ArgumentError(f"norm={norm!r} is none of 'one', 'two', 'infinity'")
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    axis = -2 if norm == "one" else -1
    others = np.abs(matrix).sum(axis) - np.abs(diagonal)
    return np.asarray((diagonal + others).max(-1))


@dataclasses.dataclass(frozen=True, eq=False)
class DiagonalMetric:
    """A diagonal solution of Lyapunov's inequality for an M-matrix, `T B + Bᵀ T ≻ 0`.

    Attributes:
        t: Diagonal of `T`, positive, `(n,)`.
        v: A positive vector with `B v > 0`: the proof that `B` is a nonsingular M-matrix, `(n,)`.
        least: Smallest eigenvalue of `S (T B + Bᵀ T) S`, where `S` scales its diagonal to two.
    """

    t: np.ndarray
    v: np.ndarray
    least: float


def diagonal_metric(
    matrix: Float[np.ndarray, "n n"], v: Float[np.ndarray, " n"] | None = None
) -> DiagonalMetric | None:
    """The diagonal metric of a Z-matrix `B`, or nothing if it is no nonsingular M-matrix.

    A Z-matrix (no positive entry off the diagonal) is a nonsingular M-matrix exactly if some
    `v > 0` has `B v > 0`. With `q = B⁻ᵀ 1 > 0` and `t = q / v`, `T B + Bᵀ T` is then a symmetric
    Z-matrix that takes `v` to something positive, hence positive definite.

    Args:
        matrix: A Z-matrix.
        v: A positive vector for which `B v > 0` is expected; by default `B⁻¹ 1`.

    Raises:
        ArgumentError: if it has a positive entry off the diagonal.

    Source: A. Berman and R. J. Plemmons, Nonnegative Matrices in the Mathematical Sciences (SIAM
    1994), chapter 6; the choice of `t` is checked, not taken on trust.
    """
    matrix = np.asarray(matrix, np.float64)
    off = matrix - np.diag(np.diagonal(matrix))
    if np.any(off > 0):
        raise ArgumentError(
            f"the entry {float(off.max()):g} off the diagonal is positive, expected a Z-matrix"
        )
    ones = np.ones(len(matrix))
    try:
        q = np.linalg.solve(matrix.T, ones)
        v = np.linalg.solve(matrix, ones) if v is None else np.asarray(v, np.float64)
    except np.linalg.LinAlgError:
        return None
    if not (np.all(v > 0) and np.all(matrix @ v > 0) and np.all(q > 0)):
        return None
    t = q / v
    both = t[:, None] * matrix
    both = both + both.T
    scale = np.sqrt(2 / np.diagonal(both))
    least = float(np.linalg.eigvalsh(scale[:, None] * both * scale)[0])
    return DiagonalMetric(t, v, least)
