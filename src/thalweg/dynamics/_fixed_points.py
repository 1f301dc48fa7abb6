"""Every fixed point that many starts lead to, with its spectrum."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from thalweg.core import (
    AbstractDynamics,
    AbstractMap,
    ArgumentError,
    Outcome,
    PRNGKey,
    require_x64,
)

from ._circuit import AbstractCircuit
from ._newton import DOUBT, Lanes, Newton, search
from ._spectrum import margin, spectrum


@dataclasses.dataclass(frozen=True, eq=False)
class FixedPoints:
    """What a search for fixed points found; `k` distinct points, the most stable first.

    Attributes:
        points: The points, `(k, dof)`.
        hits: Number of starts that led to each, `(k,)`.
        residuals: Largest component of the velocity (of the displacement, for a map), `(k,)`.
        errors: Length of one more Newton step: how far the point may be off, `(k,)`.
        doubts: How much the Jacobian changes over 16 such steps (Frobenius norm), `(k,)`.
        matrices: Jacobians of the flow or of the map, `(k, dof, dof)`.
        spectra: Their eigenvalues, the largest real part first, `(k, dof)`.
        margins: `-max Re λ`, or `1 - max |μ|` for a map, `(k,)`: positive where stable.
        converged: Share of the starts that ended at a fixed point.
        outcomes: How many starts ended how, by the name of the `Outcome`.
        starts: Number of starts.
        rate: Median over the starts of the largest entry of the Jacobian: the scale against which
            an eigenvalue is large or small.
        discrete: Whether it is a map.
    """

    points: np.ndarray
    hits: np.ndarray
    residuals: np.ndarray
    errors: np.ndarray
    doubts: np.ndarray
    matrices: np.ndarray
    spectra: np.ndarray
    margins: np.ndarray
    converged: float
    outcomes: dict[str, int]
    starts: int
    rate: float
    discrete: bool

    def __len__(self) -> int:
        return len(self.points)

    @property
    def stable(self) -> np.ndarray:
        """Where the margin is positive, `(k,)`; `certify` says how sure that is."""
        return self.margins > 0


def fixed_points(
    dynamics: AbstractDynamics | AbstractMap,
    drive: PyTree = None,
    *,
    starts: Any = None,
    key: PRNGKey | int = 0,
    number: int = 256,
    scale: Any = None,
    dof: int | None = None,
    newton: Newton = Newton(),
) -> FixedPoints:
    """Find the fixed points of a flow or a map from many starts.

    Damped Newton iterations with the exact Jacobian run for all starts in one compiled loop; what
    ends within `newton.same` of each other is one point. A start that is not finite, runs away or
    stalls in a minimum of the residual is counted under its outcome. Nothing here proves that no
    fixed point was missed.

    Args:
        dynamics: The system; time is held at zero.
        drive: Its constant input.
        starts: Points to start from, `(number, dof)`, instead of random ones.
        key: Random key or seed of the starts.
        number: Number of random starts.
        scale: Standard deviation of the starts, a number or one for each coordinate, and the size
            that tolerances refer to. Default: what a circuit proposes, else 1 (with starts given:
            their root mean square).
        dof: Number of coordinates, where neither `starts`, a circuit nor `scale` tells.
        newton: Tolerances and limits.

    Returns:
        The distinct points with hits, residuals and spectra.

    Raises:
        ArgumentError: if the starts have the wrong shape or the number of coordinates is unknown.
        PrecisionError: if JAX is in float32 mode.

    Source: D. Sussillo and O. Barak, Neural Comput. 25, 626 (2013), for the use of many starts on
    recurrent networks; there the speed is minimised, here the root is solved for.
    """
    require_x64()
    points, size = _starts(dynamics, drive, starts, key, number, scale, dof)
    _check_velocity(dynamics, drive, points)
    lanes = run_lanes(dynamics, drive, points, size, newton)
    return collect(lanes, size, newton, discrete=isinstance(dynamics, AbstractMap))


def _starts(
    dynamics: Any, drive: PyTree, starts: Any, key: Any, number: int, scale: Any, dof: int | None
) -> tuple[np.ndarray, float]:
    """Starting points and the size that tolerances refer to."""
    if starts is not None:
        points = np.asarray(starts, np.float64)
        if points.ndim != 2 or not points.size:
            raise ArgumentError(
                f"starts has the shape {points.shape}, expected (number, dof) with at least one"
            )
        finite = points[np.isfinite(points).all(axis=1)]
        usual = float(np.sqrt(np.mean(finite**2))) if finite.size else 1.0
        size = usual if scale is None else float(np.max(scale))
        return points, size if size > 0 else 1.0
    if number < 1:
        raise ArgumentError(f"number={number} must be at least 1")
    root = jax.random.key(key) if isinstance(key, int) else key
    if scale is None and isinstance(dynamics, AbstractCircuit):
        points = np.asarray(dynamics.starts(root, number, drive), np.float64)
        return points, float(np.sqrt(np.mean(points**2)))
    width = np.asarray(1.0 if scale is None else scale, np.float64)
    if not np.all(width > 0) or width.ndim > 1:
        raise ArgumentError(f"scale={scale!r} must be positive, a number or one a coordinate")
    if dof is None:
        dof = getattr(dynamics, "dof", None) if width.ndim == 0 else len(width)
    if not isinstance(dof, int):
        raise ArgumentError(
            f"{type(dynamics).__name__} does not say how many coordinates it has",
            "pass dof=N, or starts of shape (number, N)",
        )
    draws = np.asarray(jax.random.normal(root, (number, dof), jnp.float64))
    return draws * width, float(width.max())


def _check_velocity(dynamics: Any, drive: PyTree, points: np.ndarray) -> None:
    """A wrong number of coordinates is told before anything is compiled."""
    at = jax.ShapeDtypeStruct(points.shape[1:], jnp.float64)
    moved = eqx.filter_eval_shape(dynamics, jax.ShapeDtypeStruct((), jnp.float64), at, drive)
    if getattr(moved, "shape", None) != at.shape:
        raise ArgumentError(
            f"{type(dynamics).__name__} maps points of shape {at.shape} to "
            f"{getattr(moved, 'shape', moved)}, expected the same shape",
            "check the width of starts or scale against the state of the system",
        )


def run_lanes(
    dynamics: Any, drive: PyTree, points: np.ndarray, size: float, newton: Newton
) -> Lanes:
    """The search from every point, rows in the order of the points, arrays on the host."""
    width = min(newton.width, len(points))
    blocks = -(-len(points) // width)
    padded = np.concatenate([points, np.repeat(points[-1:], blocks * width - len(points), 0)])
    ends = search(
        dynamics,
        drive,
        jnp.asarray(padded.reshape(blocks, width, -1)),
        jnp.asarray(size),
        newton,
    )
    return jax.tree.map(lambda a: _rows(a, len(points)), ends)


def _rows(array: Any, count: int) -> np.ndarray:
    host = np.asarray(array)
    return host.reshape(-1, *host.shape[2:])[:count]


def collect(lanes: Lanes, size: float, newton: Newton, *, discrete: bool) -> FixedPoints:
    """Distinct points among the lanes that converged."""
    status = np.asarray(lanes.status)
    good = np.flatnonzero(status == int(Outcome.success))
    x = np.asarray(lanes.x)[good]
    residual = np.abs(np.asarray(lanes.residual)[good])
    error = np.max(np.abs(np.asarray(lanes.newton)[good]), axis=1, initial=0.0)
    scaled = np.max(residual / np.asarray(lanes.rows)[good], axis=1, initial=0.0)
    reach = np.maximum(
        newton.same * np.maximum(np.max(np.abs(x), axis=1, initial=0.0), size), DOUBT * error
    )
    first, hits = distinct(x, scaled, reach)
    matrices = np.asarray(lanes.matrix)[good][first]
    if discrete:
        matrices = matrices + np.eye(matrices.shape[-1])
    spectra = spectrum(matrices)
    margins = margin(spectra, discrete=discrete) if len(first) else np.zeros(0)
    order = np.argsort(-margins, kind="stable")
    largest = np.max(np.asarray(lanes.rows), axis=1)
    return FixedPoints(
        points=x[first][order],
        hits=hits[order],
        residuals=np.max(residual[first], axis=1, initial=0.0)[order],
        errors=np.where(np.isfinite(error[first]), error[first], np.inf)[order],
        doubts=np.asarray(lanes.shift)[good][first][order],
        matrices=matrices[order],
        spectra=spectra[order],
        margins=margins[order],
        converged=len(good) / len(status),
        outcomes={
            outcome.name: int(np.sum(status == int(outcome)))
            for outcome in Outcome
            if np.any(status == int(outcome))
        },
        starts=len(status),
        rate=float(np.median(largest)),
        discrete=discrete,
    )


def distinct(
    x: np.ndarray, residual: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of one representative of each distinct point, and how many points it stands for.

    Args:
        x: Points, `(points, dof)`.
        residual: Their residuals; the smallest of its kind represents it.
        reach: Distance within which each may be another, `(points,)`.
    """
    chosen: list[int] = []
    hits: list[int] = []
    for index in np.argsort(residual, kind="stable"):
        if chosen:
            away = np.max(np.abs(x[chosen] - x[index]), axis=1) - reach[chosen]
            near = int(np.argmin(away))
            if away[near] <= (reach[index] if np.isfinite(reach[index]) else 0.0):
                hits[near] += 1
                continue
        chosen.append(int(index))
        hits.append(1)
    return np.array(chosen, int), np.array(hits, int)
