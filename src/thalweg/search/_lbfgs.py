"""Limited-memory BFGS with a step cap and exactly one evaluation an iteration."""

import equinox as eqx
import jax.numpy as jnp

from thalweg.core import (
    Array,
    Block,
    Count,
    Flag,
    Float,
    Int,
    System,
    Value,
    value_and_grad,
)

from ._minimiser import AbstractMinimiser, MinimiserState

_WIDEST = 1e100
"""Largest scale of the inverse Hessian; the step cap shortens what comes of it."""


class SecantPairs(eqx.Module):
    """A ring buffer of secant pairs `(s, y)`, newest at `head`.

    The head is shared by all lanes, so that a write is one in-place slice; a lane that has
    nothing to store writes a pair of zero weight, which the recursion skips.
    """

    s: Float[Array, "memory dof *lanes"]
    y: Float[Array, "memory dof *lanes"]
    rho: Float[Array, "memory *lanes"]
    scale: Value
    head: Int[Array, ""]

    @staticmethod
    def empty(memory: int, x: Block, scale: float) -> "SecantPairs":
        """No pairs; the first direction is `-scale · grad`."""
        zeros = jnp.zeros((memory, *x.shape), x.dtype)
        return SecantPairs(
            s=zeros,
            y=zeros,
            rho=jnp.zeros((memory, *x.shape[1:]), x.dtype),
            scale=jnp.full(x.shape[1:], scale, x.dtype),
            head=jnp.zeros((), jnp.int32),
        )

    def push(
        self, s: Block, y: Block, keep: Flag, forget: Flag, grow: float | Array = 1.0
    ) -> "SecantPairs":
        """Store a pair where `keep` holds and its curvature is positive; drop all at `forget`.

        Where the curvature is not positive the scale is multiplied by `grow`.
        """
        curvature = jnp.sum(s * y, axis=0)
        length = jnp.sum(y * y, axis=0)
        convex = curvature > 1e-10 * length
        wider = jnp.minimum(grow * self.scale, _WIDEST)
        scale = jnp.where(keep & ~convex, wider, self.scale)
        keep = keep & convex & ~forget
        head = (self.head + 1) % self.s.shape[0]
        rho = jnp.where(forget, 0.0, self.rho)
        safe = jnp.where(keep, curvature, 1.0)
        return SecantPairs(
            s=self.s.at[head].set(jnp.where(keep, s, 0.0)),
            y=self.y.at[head].set(jnp.where(keep, y, 0.0)),
            rho=rho.at[head].set(jnp.where(keep, 1.0 / safe, 0.0)),
            scale=jnp.where(keep, curvature / jnp.where(keep, length, 1.0), scale),
            head=head,
        )

    def descent(self, grad: Block) -> Block:
        """`-H grad` with the inverse Hessian `H` of the pairs (two-loop recursion)."""
        memory = self.s.shape[0]
        ages = [(self.head - age) % memory for age in range(memory)]
        q, alphas = grad, []
        for slot in ages:
            alpha = self.rho[slot] * jnp.sum(self.s[slot] * q, axis=0)
            q = q - alpha * self.y[slot]
            alphas.append(alpha)
        q = self.scale * q
        for slot, alpha in zip(reversed(ages), reversed(alphas), strict=True):
            beta = self.rho[slot] * jnp.sum(self.y[slot] * q, axis=0)
            q = q + (alpha - beta) * self.s[slot]
        return -q


class LBFGSState(MinimiserState):
    """Current point, the trial point that the next step evaluates, and the secant pairs."""

    x: Block
    value: Value
    grad: Block
    trial: Block
    direction: Block
    shrink: Value
    rejections: Count
    started: Flag
    pairs: SecantPairs


class LBFGS(AbstractMinimiser[LBFGSState]):
    """L-BFGS for rugged landscapes: small memory, capped steps, no line search.

    A step that raises the energy by more than `rise` is rejected and tried again at a fraction of
    its length; this *is* the next iteration, so each costs one evaluation.

    Attributes:
        tol: Root-mean-square gradient at which a quench has converged.
        max_step: Longest step, as root-mean-square displacement of a coordinate in units of the
            system's `length`.
        memory: Number of secant pairs.
        rise: Largest accepted rise of the energy.
        grow: Factor on the scale of the inverse Hessian after a step of negative curvature, which
            says nothing about that scale. With 1 a quench that once passed a stiff place crawls
            through a long concave stretch; 2 takes it in ever longer steps, up to the cap.
        max_steps: Iterations before giving up.

    Source: Nocedal, Math. Comput. 35, 773 (1980); Liu & Nocedal, Math. Program. 45, 503 (1989);
    step cap and rejection as customary for clusters (Wales, *Energy Landscapes*, 2003).
    """

    tol: float = 1e-6
    max_step: float = 0.1
    memory: int = eqx.field(static=True, default=4)
    rise: float = 1e-10
    grow: float = 1.0
    max_steps: int = eqx.field(static=True, default=2_000)

    _shrink: float = eqx.field(static=True, default=0.25)
    _max_rejections: int = eqx.field(static=True, default=30)

    def init(self, system: System, start: Block) -> LBFGSState:
        """Nothing is known yet: the first step evaluates the start itself."""
        del system
        lanes = start.shape[1:]
        return LBFGSState(
            x=start,
            value=jnp.full(lanes, jnp.inf, start.dtype),
            grad=jnp.zeros_like(start),
            trial=start,
            direction=jnp.zeros_like(start),
            shrink=jnp.ones(lanes, start.dtype),
            rejections=jnp.zeros(lanes, jnp.int32),
            started=jnp.zeros(lanes, bool),
            pairs=SecantPairs.empty(self.memory, start, 0.01),
        )

    def step(self, system: System, state: LBFGSState) -> LBFGSState:
        """Evaluate the trial point, accept or reject it, and choose the next."""
        value, grad = value_and_grad(system.energy, state.trial)
        sound = jnp.isfinite(value) & jnp.all(jnp.isfinite(grad), axis=0)
        accept = ~state.started | (sound & (value <= state.value + self.rise))
        moved = accept & state.started
        rejections = jnp.where(accept, 0, state.rejections + 1)
        # Two rejections in a row mean that the quadratic model is wrong here: forget it.
        forget = rejections == 2
        pairs = state.pairs.push(state.trial - state.x, grad - state.grad, moved, forget, self.grow)
        x = jnp.where(accept, state.trial, state.x)
        value = jnp.where(accept, value, state.value)
        grad = jnp.where(accept, grad, state.grad)

        fresh = pairs.descent(grad)
        uphill = jnp.sum(fresh * grad, axis=0) > 0
        fresh = jnp.where(uphill, -fresh, fresh)
        cap = self.max_step * system.length * jnp.sqrt(float(grad.shape[0]))
        norm = jnp.sqrt(jnp.sum(fresh * fresh, axis=0))
        fresh = fresh * jnp.minimum(1.0, cap / jnp.maximum(norm, 1e-300))
        direction = jnp.where(accept | forget, fresh, state.direction)
        shrink = jnp.where(accept, 1.0, state.shrink * self._shrink)
        return LBFGSState(
            x=x,
            value=value,
            grad=grad,
            trial=x + shrink * direction,
            direction=direction,
            shrink=shrink,
            rejections=rejections,
            started=jnp.ones_like(state.started),
            pairs=pairs,
        )
