"""Eigenvalues of a linearisation, and what they say about a flow or a map."""

import dataclasses
import math
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from thalweg.core import ArgumentError

_ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""Backward error of the QR algorithm in units of the norm of the matrix: a few roundings."""


def spectrum(matrix: Float[np.ndarray, "*stack"]) -> Complex[np.ndarray, "*spectra"]:
    """Eigenvalues of a matrix or of a stack, the largest real part first.

    Conjugate pairs stand together, the positive imaginary part first. Matrices with an entry that
    is not finite get NaN.

    Args:
        matrix: Real square matrices.
    """
    matrix = np.asarray(matrix, np.float64)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ArgumentError(f"a spectrum needs square matrices, got the shape {matrix.shape}")
    sound = np.asarray(np.isfinite(matrix).all(axis=(-1, -2)))
    values = np.linalg.eigvals(np.where(sound[..., None, None], matrix, 0.0)).astype(complex)
    order = np.lexsort((-np.imag(values), -np.real(values)), axis=-1)
    values = np.take_along_axis(values, order, axis=-1)
    return np.where(sound[..., None], values, complex(math.nan, math.nan))


def margin(
    eigenvalues: Complex[np.ndarray, "*stack dof"], *, discrete: bool = False
) -> Float[np.ndarray, "*stack"]:
    """How far the spectrum is inside the region of stability; negative outside it.

    Args:
        eigenvalues: Spectra.
        discrete: Multipliers of a map instead of rates of a flow.

    Returns:
        `-max Re λ` of a flow, the slowest rate at which a small perturbation dies; `1 - max |μ|`
        of a map.
    """
    values = np.asarray(eigenvalues)
    return np.asarray(1 - np.abs(values).max(-1) if discrete else -np.real(values).max(-1))


def damping_ratios(eigenvalues: Complex[np.ndarray, "*modes"]) -> Float[np.ndarray, "*modes"]:
    """`ζ = -Re λ / |λ|` of each mode: 1 without oscillation, 0 undamped, negative growing."""
    values = np.asarray(eigenvalues, complex)
    size = np.abs(values)
    return np.where(size > 0, -np.real(values) / np.where(size > 0, size, 1.0), 0.0)


def frequencies(eigenvalues: Complex[np.ndarray, "*modes"]) -> Float[np.ndarray, "*modes"]:
    """`|Im λ| / 2π` of each mode, in cycles for each unit of time."""
    return np.abs(np.imag(eigenvalues)) / (2 * math.pi)


def critical_step(
    eigenvalues: Complex[np.ndarray, "*stack dof"],
) -> Float[np.ndarray, "*stack"]:
    """The largest step at which explicit Euler keeps a stable fixed point stable.

    `|1 + h λ| < 1` for every eigenvalue holds for `h < min(-2 Re λ / |λ|²)`. Zero where the flow
    is not stable.
    """
    values = np.asarray(eigenvalues, complex)
    square = np.abs(values) ** 2
    limit = np.where(square > 0, -2 * np.real(values) / np.where(square > 0, square, 1.0), 0.0)
    return np.asarray(np.maximum(limit.min(-1), 0.0))


@dataclasses.dataclass(frozen=True, eq=False)
class SpectralError:
    """The decisive eigenvalue of a matrix, and how far rounding may have moved it.

    Attributes:
        value: Margin of the spectrum.
        error: First-order bound of its error: backward error over the cosine between the left
            and the right eigenvector, for the worst eigenvalue.
        condition: The largest `1 / |cos|` among the eigenvalues that may decide; a number above
            1e6 or so says that the matrix is far from normal and transients are large.
    """

    value: float
    error: float
    condition: float


def margin_error(
    matrix: Float[np.ndarray, "dof dof"], *, discrete: bool = False, uncertainty: float = 0.0
) -> SpectralError:
    """The margin of a matrix with a bound of its error.

    An eigenvalue moves by at most `‖E‖ / |uᴴ v|` to first order when the matrix moves by `E`,
    where `u` and `v` are its unit left and right eigenvectors (Wilkinson 1965, chapter 2). `E` is
    the backward error of the eigenvalue routine plus the stated uncertainty of the matrix.

    Args:
        matrix: The linearisation; must be finite.
        discrete: Multipliers of a map.
        uncertainty: Norm of the error of the matrix itself.
    """
    import scipy.linalg

    matrix = np.asarray(matrix, np.float64)
    solved: Any = scipy.linalg.eig(matrix, left=True, right=True)
    values, left, right = solved
    with np.errstate(divide="ignore"):
        condition = 1 / np.abs(np.einsum("ij,ij->j", left.conj(), right))
    backward = _ROUNDING * len(matrix) * float(np.linalg.norm(matrix)) + uncertainty
    each = 1 - np.abs(values) if discrete else -np.real(values)
    moved = np.minimum(condition * backward, float(np.linalg.norm(matrix)) + uncertainty)
    least = float(each.min())
    # The true margin lies between the smallest lower and the smallest upper end.
    lower, upper = float((each - moved).min()), float((each + moved).min())
    error = max(least - lower, upper - least)
    near = each - moved <= upper
    return SpectralError(least, error, float(condition[near].max()))
