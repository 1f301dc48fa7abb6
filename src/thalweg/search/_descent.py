"""Paths of steepest descent from transition states, all branches at once.

The path `dx/ds = -g/|g|` is the curve of the gradient flow `dx/dt = -g`, which is stiff: the
curvatures of a cluster span four decades. Its Jacobian is the negative Hessian, so an exponential
Rosenbrock method solves the quadratic part exactly, whatever the curvatures, and spends its order
on the rest. The local quadratic method of Page and McIver is the second-order member of this
family; here it is the fourth-order one with an embedded third-order error estimate, and the step
is controlled in arc length.

Source: Hochbruck, Ostermann & Schweitzer, SIAM J. Numer. Anal. 47, 786 (2009), and Hochbruck &
Ostermann, Acta Numerica 19, 209 (2010), method exprb43; Page & McIver, J. Chem. Phys. 88, 922
(1988).
"""

import contextlib
import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import (
    RUNNING,
    Block,
    Outcome,
    System,
    hessian,
    require_x64,
    serial_blas,
    value_and_grad,
)

from ._certify import certify_many

_WIDTH = 8
"""Points evaluated in one compiled call."""

_START = 3e-3
"""Length of the first piece, along the unstable manifold, in units of `length`."""

_REACH = 1e-3
"""Distance from the minimum at which a branch has arrived, in units of `length`."""

_SHRINK, _GROW, _SAFETY = 0.2, 1.8, 0.85


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Descent:
    """One branch of a downhill path, from beside a saddle to the minimum below.

    Attributes:
        points: Points along it, `(n, dof)`; the last is the minimum.
        energies: Their energies, which fall from row to row.
        gradients: Their gradients, `(n, dof)`.
        outcome: `Outcome.success` if it ended in a certified minimum.
        steepest: Whether it is steepest descent; otherwise it is the track of a quench.
    """

    points: Float[np.ndarray, "n dof"]
    energies: Float[np.ndarray, " n"]
    gradients: Float[np.ndarray, "n dof"]
    outcome: Outcome
    steepest: bool = True


@eqx.filter_jit
def _slope(system: System, x: Block) -> tuple[Array, Array]:
    value, grad = value_and_grad(system.energy, x)
    return value, grad.T


@eqx.filter_jit
def _curvature(system: System, x: Block) -> tuple[Array, Array]:
    return hessian(system.energy, x), jnp.moveaxis(system.symmetry.zero_modes(x), -1, 0)


@eqx.filter_jit
def _returned(system: System, x: Block) -> Array:
    """`x` put back where it belongs (on the sphere), but not wrapped into a box."""
    return x + system.space.difference(x, system.space.retract(x))


def _evaluate(function, system: System, x: np.ndarray) -> list[np.ndarray]:  # noqa: ANN001
    """A compiled function of a block, on any number of points; results have points first."""
    width = _WIDTH if system.energy.exact_derivatives else 1
    parts = []
    for first in range(0, len(x), width):
        chunk = x[first : first + width]
        padded = np.concatenate([chunk, np.repeat(chunk[-1:], width - len(chunk), axis=0)])
        out = function(system, jnp.asarray(padded.T))
        parts.append([np.asarray(array)[: len(chunk)] for array in out])
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def _on_space(system: System, x: np.ndarray) -> np.ndarray:
    return np.asarray(_returned(system, jnp.asarray(x.T))).T


def descend(
    system: System,
    saddles: Float[np.ndarray, "saddles dof"],
    *,
    tol: float = 1e-5,
    max_step: float = 0.08,
    max_steps: int = 2000,
) -> list[tuple[Descent, Descent]]:
    """Follow both branches of steepest descent from each transition state to its minimum.

    Each branch leaves the saddle along the unstable manifold, tangent to the one direction of
    negative curvature, and to second order in the distance.

    Args:
        system: What to descend on.
        saddles: Polished transition states, `(saddles, dof)`.
        tol: Largest estimated error of one step, in units of the system's `length`.
        max_step: Longest step, in the same units; it sets how densely the path is sampled.
        max_steps: Steps that a branch may take.

    Returns:
        For each saddle the branch along its lowest mode and the branch against it.

    Raises:
        PrecisionError: if float64 is switched off.
    """
    require_x64()
    if not len(saddles):
        return []
    with serial_blas():
        starts, certain = _starts(system, saddles)
        flow = _Flow(system, starts, tol * system.length, max_step * system.length)
        flow.outcome[~np.repeat(certain, 2)] = Outcome.wrong_index
        for _ in range(max_steps):
            if not flow.running.any():
                break
            flow.step()
        flow.outcome[flow.running] = Outcome.max_steps
        branches = flow.finish()
    return list(zip(branches[::2], branches[1::2], strict=True))


def _starts(system: System, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points on both unstable branches, `(2 saddles, dof)`, and which saddles have index 1.

    The manifold is `x + εv + ε²w` with `(H - 2λ) w = -½ T[v, v]` off `v`, from the invariance of
    the curve under the flow; `T[v, v]` is a second difference of gradients.
    """
    matrix, zero = _evaluate(_curvature, system, x)
    filled = _filled(matrix, zero)
    curvatures, modes = np.linalg.eigh(filled)
    scale = np.max(np.abs(curvatures), axis=1)
    certain = np.sum(curvatures < -1e-7 * scale[:, None], axis=1) == 1
    mode = _signed(modes[:, :, 0])
    wide = 10.0 * _START * system.length
    _, plus = _evaluate(_slope, system, x + wide * mode)
    _, minus = _evaluate(_slope, system, x - wide * mode)
    _, here = _evaluate(_slope, system, x)
    bend = (plus + minus - 2.0 * here) / wide**2
    bend -= np.sum(bend * mode, axis=1, keepdims=True) * mode
    in_modes = np.einsum("lde,ld->le", modes, bend)
    away = curvatures - 2.0 * curvatures[:, :1]
    away[:, 0] = 1.0  # nothing is left along the mode itself
    curve = np.einsum("lde,le->ld", modes, -0.5 * in_modes / np.where(away > 0, away, np.inf))
    step = _START * system.length
    pair = np.stack([x + step * mode, x - step * mode], axis=1) + step**2 * curve[:, None]
    return _on_space(system, pair.reshape(-1, x.shape[1])), certain


def _signed(mode: np.ndarray) -> np.ndarray:
    """Modes with their largest component positive: the same sign on every machine."""
    largest = np.take_along_axis(mode, np.argmax(np.abs(mode), axis=1)[:, None], axis=1)
    return mode * np.sign(largest)


def _filled(matrix: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """Hessians with zero modes projected out and given a large curvature instead."""
    scale = np.max(np.abs(matrix), axis=(1, 2), keepdims=True)
    span = np.einsum("lkd,lke->lde", zero, zero)
    off = np.eye(matrix.shape[1]) - span
    return off @ matrix @ off + scale * span


class _Flow:
    """All branches, as they grow."""

    def __init__(self, system: System, x: np.ndarray, tol: float, longest: float):
        self.system, self.tol, self.longest = system, tol, longest
        self.x = np.array(x)
        self.value, self.gradient = _evaluate(_slope, system, x)
        self.size = np.full(len(x), _START * system.length)
        self.outcome = np.full(len(x), RUNNING, dtype=object)
        first = zip(x, self.value, self.gradient.copy(), strict=True)
        self.rows = [[row] for row in first]

    @property
    def running(self) -> np.ndarray:
        return self.outcome == RUNNING

    def step(self) -> None:
        """One step of every branch that is still on its way; a bad one is repeated shorter."""
        at = np.flatnonzero(self.running)
        x, gradient = self.x[at], self.gradient[at]
        matrix, zero = _evaluate(_curvature, self.system, x)
        left = _distance_left(matrix, zero, gradient)
        arrived = left < _REACH * self.system.length
        self.outcome[at[arrived]] = Outcome.success
        keep = ~arrived
        at, x, gradient, matrix, left = at[keep], x[keep], gradient[keep], matrix[keep], left[keep]
        if not len(at):
            return
        sound = np.all(np.isfinite(matrix), axis=(1, 2))
        self.outcome[at[~sound]] = Outcome.nonfinite
        at, x, gradient, matrix, left = (a[sound] for a in (at, x, gradient, matrix, left))
        if not len(at):
            return
        size = np.minimum(self.size[at], 0.5 * left)
        new, error = _exponential_step(self.system, x, gradient, matrix, size)
        new = _on_space(self.system, new)
        value, slope = _evaluate(_slope, self.system, new)
        good = (error <= self.tol) & (value < self.value[at])
        self._accept(at[good], new[good], value[good], slope[good])
        factor = _SAFETY * (self.tol / np.maximum(error, 1e-300)) ** 0.25
        factor = np.where(good, np.clip(factor, _SHRINK, _GROW), np.clip(factor, _SHRINK, 0.5))
        self.size[at] = np.minimum(
            np.where(np.isfinite(factor), size * factor, 0.2 * size), self.longest
        )
        stuck = self.size[at] < 1e-9 * self.system.length
        self.outcome[at[stuck & self.running[at]]] = Outcome.stalled

    def _accept(
        self, at: np.ndarray, x: np.ndarray, value: np.ndarray, gradient: np.ndarray
    ) -> None:
        self.x[at], self.value[at], self.gradient[at] = x, value, gradient
        for i in at:
            self.rows[i].append((self.x[i].copy(), self.value[i], self.gradient[i].copy()))
        self.outcome[at[value < self.system.floor]] = Outcome.collapsed

    def finish(self) -> list[Descent]:
        """The branches, those that arrived with the polished minimum as their last point."""
        done = np.flatnonzero(self.outcome == Outcome.success)
        for i, found in zip(done, certify_many(self.system, self.x[done], 0), strict=True):
            self.outcome[i] = found.certificate.outcome
            # Newton's method keeps to the copy of the box that the branch has come to.
            end = self.x[i] + np.asarray(
                self.system.space.difference(jnp.asarray(self.x[i]), jnp.asarray(found.x))
            )
            self.rows[i].append((end, found.value, np.zeros_like(end)))
        return [
            Descent(
                points=np.stack([row[0] for row in rows]),
                energies=np.array([row[1] for row in rows], float),
                gradients=np.stack([row[2] for row in rows]),
                outcome=outcome,
            )
            for rows, outcome in zip(self.rows, self.outcome, strict=True)
        ]


def _distance_left(matrix: np.ndarray, zero: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Newton's distance to the minimum; infinite where a curvature is negative."""
    left = np.full(len(matrix), np.inf)
    for i, filled in enumerate(_filled(matrix, zero)):
        if np.all(np.isfinite(filled)):
            with contextlib.suppress(np.linalg.LinAlgError):
                np.linalg.cholesky(filled)  # fails where a curvature is negative
                left[i] = np.linalg.norm(np.linalg.solve(filled, gradient[i]))
    return left


def _exponential_step(
    system: System, x: np.ndarray, gradient: np.ndarray, matrix: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A step of exprb43 whose quadratic part has the length `size`; new points and errors."""
    curvatures, modes = np.linalg.eigh(matrix)
    force = -np.einsum("lde,ld->le", modes, gradient)
    time = _time_for(size, curvatures, force)[:, None]
    z = -time * curvatures
    one, _, three, four = _phi(z)

    def out(coefficients: np.ndarray) -> np.ndarray:
        return np.einsum("lde,le->ld", modes, coefficients)

    def remainder(stage: np.ndarray) -> np.ndarray:
        """What the quadratic model misses of the force at a stage, in modes."""
        _, there = _evaluate(_slope, system, x + out(stage))
        return -np.einsum("lde,ld->le", modes, there) - force + curvatures * stage

    first = remainder(0.5 * time * _phi_1(0.5 * z) * force)
    second = remainder(time * one * (force + first))
    error = time * four * (12.0 * second - 48.0 * first)
    step = time * (one * force + three * (16.0 * first - 2.0 * second)) + error
    return x + out(step), np.linalg.norm(error, axis=1)


def _time_for(size: np.ndarray, curvatures: np.ndarray, force: np.ndarray) -> np.ndarray:
    """The time after which the flow of the quadratic model is `size` away, by bisection."""

    def far(time: np.ndarray) -> np.ndarray:
        move = time[:, None] * _phi_1(-time[:, None] * curvatures) * force
        return ~(np.linalg.norm(move, axis=1) < size)

    low = np.zeros_like(size)
    high = size / np.maximum(np.linalg.norm(force, axis=1), 1e-300)
    for _ in range(80):
        short = ~far(high)
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, 2.0 * high, high)
    for _ in range(10):  # a rough length will do
        middle = 0.5 * (low + high)
        beyond = far(middle)
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return high


def _phi_1(z: np.ndarray) -> np.ndarray:
    """`(e^z - 1) / z`."""
    z = np.where(np.abs(z) < 1e-300, 1e-300, np.minimum(z, 600.0))
    return np.expm1(z) / z


def _phi(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """φ₁ to φ₄ of the exponential integrators, `φ_k(z) = Σ_j z^j / (j + k)!`."""
    small = np.abs(z) < 1.0
    w = np.where(small, z, 0.0)
    series = []
    factorial = 1.0
    for k in range(1, 5):
        factorial *= k
        term = np.full_like(w, 1.0 / factorial)
        total = term.copy()
        for j in range(1, 17):
            term = term * w / (j + k)
            total += term
        series.append(total)
    y = np.where(small, 1.0, np.minimum(z, 600.0))
    one = np.expm1(y) / y
    two = (one - 1.0) / y
    three = (two - 0.5) / y
    four = (three - 1.0 / 6.0) / y
    pairs = zip(series, (one, two, three, four), strict=True)
    one, two, three, four = (np.where(small, near, far) for near, far in pairs)
    return one, two, three, four
