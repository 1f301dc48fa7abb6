"""Newton polish and certification: is a point what it is called?"""

import dataclasses
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import (
    Block,
    Certificate,
    Outcome,
    System,
    hessian,
    require_x64,
    retract_rows,
    serial_blas,
    value_and_grad,
)

LANES, _CACHE = 32, 2**22
"""Points polished in one compiled call at most, and bytes that their Hessians may take together."""

_NEWTON_STEPS = 4
"""Newton's method doubles the digits each time: 1e-3 becomes round-off in four."""

_ROUND_OFF = 1e-13
"""A gradient below this fraction of the largest curvature is as small as rounding lets it be."""

_EXACT_ZERO = 1e-7
"""Curvatures below this fraction of the largest count as zero when derivatives are exact."""

_DIFFERENCE_ZERO = 1e-4
"""The same for curvatures found by differences of gradients, whose error is larger."""

_SAME = 1e-3
"""Distance, in units of the system's `length`, within which a symmetry operation must hold."""

_LEFT = 1e-4
"""Distance, in the same units, that Newton's method may still want to go from a certified point.

A small gradient alone is no proof where curvatures are small too."""

_FOR_EVER = 0.1
"""Such a distance beyond which it is asked whether the valley leads to infinity."""

_LISTED_CURVATURES = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Certified:
    """A polished point with its certificate.

    Attributes:
        x: The point, `(dof,)`.
        value: Its energy.
        mode: Unit eigenvector of the lowest curvature, `(dof,)`.
        curvature: The lowest curvature.
        certificate: The evidence and the verdict.
    """

    x: np.ndarray
    value: float
    mode: np.ndarray
    curvature: float
    certificate: Certificate


def points_at_once(system: System) -> int:
    """How many are polished in one compiled call, fewer being padded: a power of two.

    Padding is free while Hessians stay in cache, and dear where they do not, or where every
    evaluation is a call on the host.
    """
    if not system.energy.exact_derivatives:
        return 1
    fitting = max(1, _CACHE // (8 * system.space.dof**2))
    return min(LANES, 1 << (fitting.bit_length() - 1))


@eqx.filter_jit
def derivatives(system: System, x: Block) -> tuple[Array, ...]:
    """Energies, gradients, Hessians and zero modes of a block, points first."""
    value, grad = value_and_grad(system.energy, x)
    zero = jnp.moveaxis(system.symmetry.zero_modes(x), -1, 0)
    return value, grad.T, hessian(system.energy, x), zero


@dataclasses.dataclass
class _Spectra:
    """A block of polished points, points first."""

    x: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    curvatures: np.ndarray
    mode: np.ndarray
    step: np.ndarray


def _polish(system: System, x: Float[np.ndarray, "points dof"]) -> _Spectra:
    """Newton steps in the complement of the symmetry's zero modes, then the spectrum.

    Derivatives come from the device in one compiled call; the small dense linear algebra is done
    on the host, by LAPACK, outside the interpreter's lock.
    """
    now = [np.asarray(a) for a in derivatives(system, jnp.asarray(x.T))]
    for _ in range(_NEWTON_STEPS):
        _, grad, matrix, zero = now
        size = rms_rows(grad)
        going = (size > _ROUND_OFF * np.max(np.abs(matrix), axis=(1, 2))) & np.isfinite(size)
        if not going.any():
            break
        step = newton_step(grad, matrix, zero, 0.1 * system.length)
        trial = np.where(going[:, None], x + step, x)
        trial = retract_rows(system.space, trial)
        new = [np.asarray(a) for a in derivatives(system, jnp.asarray(trial.T))]
        better = going & (rms_rows(new[1]) < size)
        if not better.any():
            break
        x = np.where(better[:, None], trial, x)
        now = [_where_rows(better, b, a) for a, b in zip(now, new, strict=True)]
    value, grad, matrix, _ = now
    sound = np.all(np.isfinite(matrix), axis=(1, 2))
    curvatures, modes = np.linalg.eigh(np.where(sound[:, None, None], matrix, 0.0))
    curvatures = np.where(sound[:, None], curvatures, np.nan)
    step = _steps_left(grad, curvatures, modes, _zero_cut(system))
    return _Spectra(x, value, rms_rows(grad), curvatures, modes[:, :, 0], step)


def _steps_left(
    grad: np.ndarray, curvatures: np.ndarray, modes: np.ndarray, cut: float
) -> Float[np.ndarray, "points dof"]:
    """The step downhill that Newton's method would still go, off the modes that count as zero."""
    along = np.einsum("ldk,ld->lk", modes, grad)
    size = np.abs(curvatures)
    curved = (size >= cut * np.max(size, axis=1, keepdims=True)) & (size > 0)
    return -np.einsum("ldk,lk->ld", modes, np.where(curved, along / np.where(curved, size, 1.0), 0))


@eqx.filter_jit
def _energies(system: System, x: Block) -> Array:
    return value_and_grad(system.energy, x)[0]


def _falls_for_ever(system: System, x: np.ndarray, step: np.ndarray, value: float) -> bool:
    """Whether the energy goes on falling far beyond where a bowl would have its bottom."""
    far = x[:, None] + step[:, None] * np.array([4.0, 16.0, 64.0])
    energies = np.asarray(_energies(system, jnp.asarray(far)))
    return bool(energies[0] < value and np.all(np.diff(energies) <= 0))


def newton_step(
    grad: np.ndarray, matrix: np.ndarray, zero: np.ndarray, longest: float
) -> np.ndarray:
    """`-H⁻¹ grad` off the zero modes, no longer than `longest`, one row a point."""
    scale = np.max(np.abs(matrix), axis=(1, 2), keepdims=True)
    # Fill the null space with a large curvature: the solve then stays off it.
    filled = matrix + scale * np.einsum("lkd,lke->lde", zero, zero)
    sound = np.all(np.isfinite(filled), axis=(1, 2)) & np.all(np.isfinite(grad), axis=1)
    sound = sound & (scale[:, 0, 0] > 0)
    # A vanishing share of the identity keeps unexplained zero modes from making it singular.
    filled = filled + _ROUND_OFF * scale * np.eye(grad.shape[1])
    filled = np.where(sound[:, None, None], filled, np.eye(grad.shape[1]))
    step = -np.linalg.solve(filled, np.where(sound[:, None], grad, 0.0)[..., None])[..., 0]
    norm = np.linalg.norm(step, axis=1, keepdims=True)
    return step * np.minimum(1.0, longest / np.maximum(norm, 1e-300))


def rms_rows(grad: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(grad * grad, axis=1))


def _where_rows(mask: np.ndarray, new: np.ndarray, old: np.ndarray) -> np.ndarray:
    return np.where(mask.reshape(-1, *(1,) * (new.ndim - 1)), new, old)


def certify_many(
    system: System, x: Float[np.ndarray, "points dof"], index: int | None, *, tol: float = 1e-8
) -> list[Certified]:
    """Polish points by Newton's method and certify that each is a saddle of the given index.

    Args:
        system: What they are points of.
        x: Nearly stationary points, `(points, dof)`.
        index: Number of negative curvatures that each should have: 0 for minima, 1 for
            transition states; `None` accepts every number, for a search of points of all indices.
        tol: Root-mean-square gradient that the polished points must reach, relative to the
            largest curvature where that exceeds one.

    Returns:
        One record a point; what failed says why in `certificate.outcome`.
    """
    require_x64()
    out: list[Certified] = []
    size = points_at_once(system)
    for first in range(0, len(x), size):
        chunk = x[first : first + size]
        padded = np.concatenate([chunk, np.repeat(chunk[-1:], size - len(chunk), axis=0)])
        with serial_blas():
            found = _polish(system, padded)
        out.extend(_verdict(system, index, tol, found, k) for k in range(len(chunk)))
    return out


def _verdict(
    system: System, index: int | None, tol: float, spectra: _Spectra, row: int
) -> Certified:
    x, value, gradient = spectra.x[row], spectra.value[row], spectra.gradient[row]
    curvatures = spectra.curvatures[row]
    by_difference = not system.energy.exact_derivatives
    scale = float(np.max(np.abs(curvatures))) if np.all(np.isfinite(curvatures)) else np.nan
    # Where every curvature vanishes, the largest is round-off itself: the energy sets the scale.
    cut = max(_zero_cut(system) * scale, _ROUND_OFF * abs(value) / system.length**2)
    zero = np.abs(curvatures) < cut
    kept = curvatures[~zero]
    expected = system.symmetry.expected_zero_modes(x)
    found = int(np.sum(kept < 0))
    step = spectra.step[row]
    left = 0.0 if by_difference else float(np.linalg.norm(step))
    if not (np.isfinite(value) and np.isfinite(gradient) and np.isfinite(scale)):
        outcome = Outcome.nonfinite
    elif left > _FOR_EVER * system.length and _falls_for_ever(system, x, step, value):
        outcome = Outcome.no_minimum
    elif gradient > tol * max(1.0, scale):
        outcome = Outcome.gradient_too_large
    elif zero.sum() > expected:
        outcome = Outcome.unexplained_zero_modes
    elif left > _LEFT * system.length:
        outcome = Outcome.gradient_too_large
    elif (index is not None and found != index) or zero.sum() < expected:
        outcome = Outcome.wrong_index
    else:
        outcome = Outcome.success
    positive = kept[kept > 0]
    passed = outcome is Outcome.success
    return Certified(
        x=x,
        value=float(value),
        mode=spectra.mode[row],
        curvature=float(curvatures[0]),
        certificate=Certificate(
            gradient_norm=float(gradient),
            index=found,
            zero_modes=int(zero.sum()),
            expected_zero_modes=expected,
            curvatures=_lowest(kept),
            log_product=float(np.sum(np.log(positive))),
            order=system.symmetry.order(x, _SAME * system.length) if passed else 0,
            method=_method(system),
            outcome=outcome,
        ),
    )


def _method(system: System) -> str:
    how = "autodiff" if system.energy.exact_derivatives else "gradient differences"
    return f"dense Hessian, {how}" + ("" if system.energy.smooth else ", kinks ignored")


def _zero_cut(system: System) -> float:
    """Curvatures below this fraction of the largest count as zero."""
    if system.energy.zero_cut is not None:
        return system.energy.zero_cut
    return _EXACT_ZERO if system.energy.exact_derivatives else _DIFFERENCE_ZERO


def _lowest(curvatures: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(float(c) for c in curvatures[:_LISTED_CURVATURES])
