"""Transition states by hybrid eigenvector following with matrix-free lowest modes."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from thalweg.core import (
    RUNNING,
    AbstractSolver,
    AbstractState,
    Array,
    Block,
    Count,
    Float,
    Outcome,
    System,
    Value,
    hvp,
    rms,
    value_and_grad,
)

from ._lbfgs import SecantPairs
from ._rayleigh_ritz import lowest_of_three


class Climb(eqx.Module):
    """Start of a climb: a point and a first guess of the direction to follow.

    One point `(dof,)`, a block `(dof, lanes)` inside the engine, or rows `(items, dof)` that are
    fed to it.
    """

    x: Float[Array | np.ndarray, "..."]
    direction: Float[Array | np.ndarray, "..."]


class ClimbState(AbstractState):
    """Current point, the mode that is followed, and the memory of both iterations."""

    x: Block
    value: Value
    grad: Block
    next_x: Block
    mode: Block
    curvature: Value
    residual: Value
    search: Block
    age: Count
    pairs: SecantPairs


def _dot(a: Block, b: Block) -> Value:
    return jnp.sum(a * b, axis=0)


def _unit(a: Block) -> tuple[Block, Value]:
    norm = jnp.sqrt(_dot(a, a))
    return a / jnp.where(norm > 0, norm, 1.0), norm


def remove(directions: Float[Array, "modes dof *lanes"], a: Block) -> Block:
    """`a` without its components along orthonormal `directions`, `(k, dof, *lanes)`."""
    for k in range(directions.shape[0]):
        a = a - _dot(directions[k], a) * directions[k]
    return a


class EigenvectorFollowing(AbstractSolver[ClimbState]):
    """Uphill along the softest mode, downhill in everything else.

    Each iteration costs one gradient and three Hessian-vector products. The mode is improved by
    one step of locally optimal block preconditioned conjugate gradients (a Rayleigh-Ritz problem
    over the mode, its residual and the last change), while the point moves: along the mode by an
    eigenvector-following step, and in its orthogonal complement by L-BFGS. Zero modes of the
    system's symmetry are projected out of the search for the mode.

    Attributes:
        tol: Root-mean-square gradient at which a climb has converged.
        max_uphill: Longest step along the mode, in units of the system's `length`.
        max_step: Longest root-mean-square displacement in the complement, same units.
        settle: Iterations spent on the mode alone before the point first moves.
        memory: Secant pairs of the complement.
        max_steps: Iterations before giving up.

    Source: Munro & Wales, Phys. Rev. B 59, 3969 (1999) (hybrid eigenvector following);
    Cerjan & Miller, J. Chem. Phys. 75, 2800 (1981); Knyazev, SIAM J. Sci. Comput. 23, 517 (2001).
    """

    tol: float = 1e-6
    max_uphill: float = 0.07
    max_step: float = 0.05
    settle: int = eqx.field(static=True, default=10)
    memory: int = eqx.field(static=True, default=4)
    max_steps: int = eqx.field(static=True, default=500)

    def init(self, system: System, start: Climb) -> ClimbState:
        """The direction, cleaned of zero modes, is the first mode."""
        x = jnp.asarray(start.x)
        lanes = x.shape[1:]
        mode = _unit(remove(system.symmetry.zero_modes(x), jnp.asarray(start.direction)))[0]
        return ClimbState(
            x=x,
            value=jnp.full(lanes, jnp.inf, x.dtype),
            grad=jnp.zeros_like(x),
            next_x=x,
            mode=mode,
            curvature=jnp.zeros(lanes, x.dtype),
            residual=jnp.full(lanes, jnp.inf, x.dtype),
            search=jnp.zeros_like(x),
            age=jnp.zeros(lanes, jnp.int32),
            pairs=SecantPairs.empty(self.memory, x, 0.005),
        )

    def _improve_mode(
        self, system: System, x: Block, state: ClimbState
    ) -> tuple[Block, Value, Block, Value]:
        """One Rayleigh-Ritz step over the mode, its residual and the last change."""
        zero = system.symmetry.zero_modes(x)
        mode = _unit(remove(zero, state.mode))[0]
        image = hvp(system.energy, x, mode)
        curvature = _dot(mode, image)
        residual = remove(zero, image - curvature * mode)
        size = jnp.sqrt(_dot(residual, residual))
        r = residual / jnp.where(size > 0, size, 1.0)
        r = _unit(r - _dot(mode, r) * mode)[0]
        p = state.search - _dot(mode, state.search) * mode
        p = p - _dot(r, p) * r
        p, p_size = _unit(p)
        p = jnp.where(p_size > 1e-8, p, 0.0)
        images = (image, hvp(system.energy, x, r), hvp(system.energy, x, p))
        basis = (mode, r, p)
        gram = [[_dot(a, h) for h in images] for a in basis]
        weights = lowest_of_three(gram, present=(None, size > 1e-12, p_size > 1e-8))
        change = weights[1] * r + weights[2] * p
        mode, _ = _unit(weights[0] * mode + change)
        value = jnp.zeros_like(curvature)
        for i in range(3):
            for j in range(3):
                value = value + weights[i] * weights[j] * 0.5 * (gram[i][j] + gram[j][i])
        return mode, value, change, size

    def step(self, system: System, state: ClimbState) -> ClimbState:
        """Evaluate the new point, improve the mode there, and choose the next point."""
        x = state.next_x
        value, grad = value_and_grad(system.energy, x)
        mode, curvature, search, residual = self._improve_mode(system, x, state)

        def across(a: Block) -> Block:
            return a - _dot(mode, a) * mode

        pairs = state.pairs.push(
            across(x - state.x), across(grad - state.grad), state.age > self.settle, state.age < 0
        )
        slope = _dot(grad, mode)
        sideways = across(pairs.descent(across(grad)))
        sideways = jnp.where(_dot(sideways, grad) > 0, -sideways, sideways)
        cap = self.max_step * system.length * jnp.sqrt(float(x.shape[0]))
        norm = jnp.sqrt(_dot(sideways, sideways))
        sideways = sideways * jnp.minimum(1.0, cap / jnp.maximum(norm, 1e-300))
        bend = jnp.abs(curvature)
        ratio = 2.0 * slope / jnp.maximum(bend, 1e-12)
        uphill = ratio / (1.0 + jnp.sqrt(1.0 + ratio * ratio))
        longest = self.max_uphill * system.length
        # In a convex region the Newton step uphill is as short as the way already gone: set a pace.
        pace = jnp.where(curvature > 0, 0.3 * longest, 0.0)
        size = jnp.clip(jnp.abs(uphill), pace, longest)
        # Far from the valley floor, fall back to it first.
        size = size * jnp.minimum(1.0, cap / jnp.maximum(norm, 1e-300))
        along = jnp.where(slope >= 0, size, -size)
        moving = state.age >= self.settle
        return ClimbState(
            x=x,
            value=value,
            grad=grad,
            next_x=jnp.where(moving, x + along * mode + sideways, x),
            mode=mode,
            curvature=curvature,
            residual=residual,
            search=search,
            age=state.age + 1,
            pairs=pairs,
        )

    def terminate(self, system: System, state: ClimbState) -> Count:
        """Converged when the gradient is small and the mode bends downwards."""
        del system
        small = (rms(state.grad) < self.tol) & (state.age > self.settle)
        ended = jnp.where(state.curvature < 0, int(Outcome.success), int(Outcome.fell_back))
        return jnp.where(small, ended, RUNNING)

    def extra(self, state: ClimbState) -> tuple[Block, Value]:
        """The mode and its curvature."""
        return state.mode, state.curvature
