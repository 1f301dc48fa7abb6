"""Newton polish and certification: is a point what it is called?"""

from collections.abc import Sequence

import equinox as eqx
import jax
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
    rms,
    value_and_grad,
)

_CHUNK = 32
"""Points polished in one compiled call: few enough that their Hessians stay in cache."""

_NEWTON_STEPS = 4
"""Newton's method doubles the digits each time: 1e-3 becomes round-off in four."""

_EXACT_ZERO = 1e-7
"""Curvatures below this fraction of the largest count as zero when derivatives are exact."""

_DIFFERENCE_ZERO = 1e-4
"""The same for curvatures found by differences of gradients, whose error is larger."""

_SAME = 1e-3
"""Distance, in units of the system's `length`, within which a symmetry operation must hold."""

_LISTED_CURVATURES = 4


class Certified(eqx.Module):
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


@eqx.filter_jit
def _polish(system: System, x: Block) -> tuple[Array, ...]:
    """Newton steps in the complement of the symmetry's zero modes, then the spectrum."""
    longest = 0.1 * system.length

    def newton(x: Block, _: None) -> tuple[Block, None]:
        _, grad = value_and_grad(system.energy, x)
        matrix = hessian(system.energy, x)
        zero = jnp.moveaxis(system.symmetry.zero_modes(x), -1, 0)
        scale = jnp.max(jnp.abs(matrix), axis=(1, 2), keepdims=True)
        # Fill the null space with a large curvature: the solve then stays off it.
        matrix = matrix + scale * jnp.einsum("lkd,lke->lde", zero, zero)
        step = -jnp.linalg.solve(matrix, grad.T[..., None])[..., 0].T
        norm = jnp.sqrt(jnp.sum(step * step, axis=0))
        step = step * jnp.minimum(1.0, longest / jnp.maximum(norm, 1e-300))
        moved = x + step
        better = rms(value_and_grad(system.energy, moved)[1]) <= rms(grad)
        return jnp.where(better, moved, x), None

    x, _ = jax.lax.scan(newton, x, None, length=_NEWTON_STEPS)
    x = system.space.retract(x)
    value, grad = value_and_grad(system.energy, x)
    curvatures, modes = jnp.linalg.eigh(hessian(system.energy, x))
    return x.T, value, rms(grad), curvatures, modes[:, :, 0]


def certify_many(
    system: System, x: Float[np.ndarray, "points dof"], index: int, *, tol: float = 1e-8
) -> list[Certified]:
    """Polish points by Newton's method and certify that each is a saddle of the given index.

    Args:
        system: What they are points of.
        x: Nearly stationary points, `(points, dof)`.
        index: Number of negative curvatures that each should have: 0 for minima, 1 for
            transition states.
        tol: Root-mean-square gradient that the polished points must reach, relative to the
            largest curvature where that exceeds one.

    Returns:
        One record a point; what failed says why in `certificate.outcome`.
    """
    require_x64()
    out: list[Certified] = []
    for first in range(0, len(x), _CHUNK):
        chunk = x[first : first + _CHUNK]
        padded = np.concatenate([chunk, np.repeat(chunk[-1:], _CHUNK - len(chunk), axis=0)])
        rows = [np.asarray(a) for a in _polish(system, jnp.asarray(padded.T))]
        out.extend(
            _verdict(system, index, tol, *(a[k] for a in rows)) for k in range(len(chunk))
        )
    return out


def _verdict(
    system: System,
    index: int,
    tol: float,
    x: np.ndarray,
    value: np.ndarray,
    gradient: np.ndarray,
    curvatures: np.ndarray,
    mode: np.ndarray,
) -> Certified:
    by_difference = not system.energy.exact_derivatives
    scale = float(np.max(np.abs(curvatures))) if np.all(np.isfinite(curvatures)) else np.nan
    cut = (_DIFFERENCE_ZERO if by_difference else _EXACT_ZERO) * scale
    zero = np.abs(curvatures) < cut
    kept = curvatures[~zero]
    expected = system.symmetry.expected_zero_modes(x)
    found = int(np.sum(kept < 0))
    if not (np.isfinite(value) and np.isfinite(gradient) and np.isfinite(scale)):
        outcome = Outcome.nonfinite
    elif gradient > tol * max(1.0, scale):
        outcome = Outcome.gradient_too_large
    elif zero.sum() > expected:
        outcome = Outcome.unexplained_zero_modes
    elif found != index or zero.sum() < expected:
        outcome = Outcome.wrong_index
    else:
        outcome = Outcome.success
    positive = kept[kept > 0]
    return Certified(
        x=x,
        value=float(value),
        mode=mode,
        curvature=float(curvatures[0]),
        certificate=Certificate(
            gradient_norm=float(gradient),
            index=found,
            zero_modes=int(zero.sum()),
            expected_zero_modes=expected,
            curvatures=_lowest(kept),
            log_product=float(np.sum(np.log(positive))),
            order=system.symmetry.order(x, _SAME * system.length) if outcome is Outcome.success else 0,
            method="dense Hessian, " + ("gradient differences" if by_difference else "autodiff"),
            outcome=outcome,
        ),
    )


def _lowest(curvatures: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(float(c) for c in curvatures[:_LISTED_CURVATURES])
