"""Newton's method with exact Hessians in a trust region, towards minima and transition states."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import (
    RUNNING,
    AbstractSolver,
    AbstractState,
    Array,
    Block,
    Count,
    Flag,
    Float,
    Outcome,
    System,
    Value,
    expansion,
    hessian,
    rms,
    value_and_grad,
)

from ._eigenvector_following import Climb

_NOISE = 1e-13
"""Changes of the energy below this fraction of it are round-off."""

_SHORTEST = 0.02
"""Shortest radius of a climb, as a fraction of the longest."""

_BISECTIONS = 40
"""Halvings of the interval that holds the shift: to twelve digits of it."""


class NewtonState(AbstractState):
    """Current point with its spectrum, and the trial that the next step evaluates.

    `matrix` is the Hessian where it is updated, or empty; `age` the steps since an exact one.
    """

    x: Block
    value: Value
    grad: Block
    trial: Block
    predicted: Value
    expected: Block
    radius: Value
    curvatures: Float[Array, "dof *lanes"]
    modes: Float[Array, "dof dof *lanes"]
    mode: Block
    curvature: Value
    matrix: Float[Array, "held held *lanes"]
    age: Count
    rejections: Count
    started: Flag


class Newton(AbstractSolver[NewtonState]):
    """Newton's method in a trust region, for a few hundred coordinates of any condition number.

    Each iteration costs one gradient, one exact Hessian (as many Hessian-vector products as there
    are coordinates) and its spectrum. Towards a minimum the step minimises the quadratic model
    inside the trust region. Towards a transition state the gradient and curvature of one mode
    change their sign, and the step goes up along that mode while it minimises along all others.
    While nothing bends down, it is the mode, first of the few softest, that overlaps most with the
    one before (at the start with the given direction); then the softest one. The radius follows
    the agreement of the model with the energy, in a climb with the gradient.

    Where the curvatures of a minimum span many decades, as those of a weakly regularised loss do,
    L-BFGS needs thousands of steps, and the modes of a climb mix; here a few dozen steps suffice.

    Where a gradient takes seconds of another program's time, `refresh` spares Hessians: between
    exact ones each step's change of the gradient updates the last.

    Attributes:
        index: 0 towards minima, 1 towards transition states.
        tol: Root-mean-square gradient at which it has converged.
        max_step: Longest step, as root-mean-square displacement of a coordinate in units of the
            system's `length`.
        soft: Among how many of the softest modes the one to follow is first chosen.
        refresh: Steps from one exact Hessian to the next; between them it is updated.
        max_steps: Iterations before giving up.

    Source: Moré & Sorensen, SIAM J. Sci. Stat. Comput. 4, 553 (1983); Cerjan & Miller, J. Chem.
    Phys. 75, 2800 (1981); Helgaker, Chem. Phys. Lett. 182, 503 (1991); updates: Bofill, J. Comput.
    Chem. 15, 1 (1994).
    """

    index: int = eqx.field(static=True, default=0)
    tol: float = 1e-9
    max_step: float = 0.1
    soft: int = eqx.field(static=True, default=4)
    refresh: int = eqx.field(static=True, default=1)
    max_steps: int = eqx.field(static=True, default=500)

    steps_per_visit: ClassVar[int] = 4
    _max_rejections: int = eqx.field(static=True, default=30)

    def init(self, system: System, start: Block | Climb) -> NewtonState:
        """Nothing is known yet: the first step evaluates the start itself."""
        x = jnp.asarray(start.x if isinstance(start, Climb) else start)
        mode = jnp.asarray(start.direction) if isinstance(start, Climb) else jnp.zeros_like(x)
        lanes = x.shape[1:]
        zeros = jnp.zeros(lanes, x.dtype)
        return NewtonState(
            x=x,
            value=jnp.full(lanes, jnp.inf, x.dtype),
            grad=jnp.zeros_like(x),
            trial=x,
            predicted=zeros,
            expected=jnp.zeros_like(x),
            radius=zeros + self._longest(system, x),
            curvatures=jnp.zeros_like(x),
            modes=jnp.zeros((x.shape[0], *x.shape), x.dtype),
            mode=mode,
            curvature=zeros,
            matrix=jnp.zeros((*2 * (x.shape[0] if self.refresh > 1 else 0,), *lanes), x.dtype),
            age=jnp.zeros(lanes, jnp.int32),
            rejections=jnp.zeros(lanes, jnp.int32),
            started=jnp.zeros(lanes, bool),
        )

    def _longest(self, system: System, x: Block) -> Array:
        return jnp.asarray(self.max_step * system.length * x.shape[0] ** 0.5, x.dtype)

    def step(self, system: System, state: NewtonState) -> NewtonState:
        """Evaluate the trial and its Hessian, accept or reject it, and choose the next."""
        value, grad, matrix, due = self._expanded(system, state)
        curvatures, modes = _spectrum(system, state.trial, matrix)
        sound = jnp.isfinite(value) & jnp.all(jnp.isfinite(grad), axis=0)
        judge = self._climbed if self.index else self._fell
        fits, factor = judge(state, value, grad)
        accept = ~state.started | (sound & fits)
        factor = jnp.where(state.started, jnp.where(accept, factor, 0.25), 1.0)
        longest = self._longest(system, grad)
        radius = jnp.minimum(factor * state.radius, longest)
        if self.index:  # there is no descent to insist on, so a step is never made very short
            radius = jnp.where(accept, jnp.maximum(radius, _SHORTEST * longest), radius)
        x = jnp.where(accept, state.trial, state.x)
        grad = jnp.where(accept, grad, state.grad)
        fresh = accept | ~due  # an update holds for the step, so for its beginning as well
        curvatures = jnp.where(fresh, curvatures, state.curvatures)
        modes = jnp.where(fresh, modes, state.modes)
        sign, mode, curvature = self._followed(state, curvatures, modes)
        slopes = jnp.sum(modes * grad[:, None], axis=0)
        along = _trust_step(sign * slopes, sign * curvatures, radius)
        return NewtonState(
            x=x,
            value=jnp.where(accept, value, state.value),
            grad=grad,
            trial=x + jnp.sum(modes * along[None], axis=1),
            predicted=jnp.sum(along * (slopes + 0.5 * curvatures * along), axis=0),
            expected=jnp.sum(modes * (slopes + curvatures * along)[None], axis=1),
            radius=radius,
            curvatures=curvatures,
            modes=modes,
            mode=mode,
            curvature=curvature,
            matrix=jnp.where(fresh, jnp.moveaxis(matrix, (-2, -1), (0, 1)), state.matrix)
            if self.refresh > 1
            else state.matrix,
            age=jnp.where(due & accept, 0, state.age + 1),
            rejections=jnp.where(accept, 0, state.rejections + 1),
            started=jnp.ones_like(state.started),
        )

    def _expanded(
        self, system: System, state: NewtonState
    ) -> tuple[Value, Block, Float[Array, "*lanes dof dof"], Flag]:
        """Energy, gradient and Hessian at the trial, and where the latter is exact."""
        if self.refresh == 1:
            return (*expansion(system.energy, state.trial), jnp.ones_like(state.started))
        value, grad = value_and_grad(system.energy, state.trial)
        due = ~state.started | (state.age + 1 >= self.refresh)
        updated = jnp.moveaxis(_updated(state, grad), (0, 1), (-2, -1))
        where = jnp.where(due, state.trial, jnp.nan)
        exact = jax.lax.cond(
            jnp.any(due), lambda x: hessian(system.energy, x), lambda _: updated, where
        )
        return value, grad, jnp.where(due[..., None, None], exact, updated), due

    def _fell(self, state: NewtonState, value: Value, grad: Block) -> tuple[Flag, Value]:
        """Whether the energy fell as the model said, roughly; factor on the radius."""
        noise = _NOISE * (1.0 + jnp.abs(value))
        change = value - state.value
        missed = jnp.abs(change - state.predicted) / (jnp.abs(state.predicted) + noise)
        # At the bottom both changes are round-off, and only the gradient still tells.
        tiny = (jnp.abs(state.predicted) < 10.0 * noise) & (jnp.abs(change) < 10.0 * noise)
        fits = jnp.where(tiny, rms(grad) <= rms(state.grad), missed < 1.0)
        factor = jnp.where(missed < 0.25, 2.0, jnp.where(missed > 0.75, 0.5, 1.0))
        return fits, jnp.where(tiny, 1.0, factor)

    def _climbed(self, state: NewtonState, value: Value, grad: Block) -> tuple[Flag, Value]:
        """A climb takes every step; the radius follows how well the gradient was foreseen."""
        del value
        missed = rms(grad - state.expected) / jnp.maximum(rms(state.grad), 1e-300)
        factor = jnp.where(missed < 0.3, 2.0, jnp.where(missed > 1.0, 0.5, 1.0))
        return jnp.ones(missed.shape, bool), factor

    def _followed(
        self, state: NewtonState, curvatures: Block, modes: Float[Array, "dof dof *lanes"]
    ) -> tuple[Block, Block, Value]:
        """Signs of the modes (-1 for the one that is followed), that mode and its curvature."""
        if not self.index:
            return jnp.ones_like(curvatures), modes[:, 0], curvatures[0]
        overlap = jnp.abs(jnp.sum(modes * state.mode[:, None], axis=0))
        rank = jnp.arange(len(overlap)).reshape(-1, *(1,) * (overlap.ndim - 1))
        # Once something bends down it is the softest mode; before, the one that was chosen.
        among = jnp.where(curvatures[0] < 0, 1, jnp.where(state.started, len(overlap), self.soft))
        wanted = jnp.where(rank < among, overlap, -1.0)
        chosen = rank == jnp.argmax(wanted, axis=0)
        mode = jnp.sum(jnp.where(chosen[None], modes, 0.0), axis=1)
        curvature = jnp.sum(jnp.where(chosen, curvatures, 0.0), axis=0)
        return jnp.where(chosen, -1.0, 1.0), mode, curvature

    def terminate(self, system: System, state: NewtonState) -> Count:
        """Arrived when the gradient is small; stalled after too many refused steps in a row."""
        del system
        stalled = state.rejections >= self._max_rejections
        status = jnp.where(stalled, int(Outcome.stalled), RUNNING)
        arrived = jnp.full_like(status, int(Outcome.success))
        if self.index:
            arrived = jnp.where(state.curvature < 0, arrived, int(Outcome.fell_back))
        return jnp.where(rms(state.grad) < self.tol, arrived, status)

    def extra(self, state: NewtonState) -> tuple[Block, Value] | tuple[()]:
        """Towards a transition state, the mode that was followed and its curvature."""
        return (state.mode, state.curvature) if self.index else ()


def _spectrum(
    system: System, x: Block, matrix: Float[Array, "*lanes dof dof"]
) -> tuple[Float[Array, "dof *lanes"], Float[Array, "dof dof *lanes"]]:
    """Curvatures, ascending, and modes in columns; lanes last.

    Zero modes of the symmetry get a curvature above all others, so that no step uses them.
    """
    matrix = jnp.where(jnp.isfinite(matrix), matrix, 0.0)
    zero = jnp.moveaxis(system.symmetry.zero_modes(x), (0, 1), (-2, -1))
    scale = jnp.max(jnp.abs(matrix), axis=(-2, -1), keepdims=True) + 1e-300
    filled = matrix + x.shape[0] * scale * jnp.einsum("...kd,...ke->...de", zero, zero)
    curvatures, modes = jax.lax.platform_dependent(filled, cpu=_one_by_one, default=_together)
    return jnp.moveaxis(curvatures, -1, 0), jnp.moveaxis(modes, (-2, -1), (0, 1))


def _together(matrices: Float[Array, "*lanes dof dof"]) -> tuple[Array, Array]:
    curvatures, modes = jnp.linalg.eigh(matrices)
    return curvatures, modes


def _one_by_one(matrices: Float[Array, "*lanes dof dof"]) -> tuple[Array, Array]:
    """One matrix after another.

    On a CPU XLA shares a batch of them out to its threads and waits; where two programs do so at
    once, as two workers of a map do, all threads wait and none is left to work.
    """
    if matrices.ndim == 2:
        return _together(matrices)
    return jax.lax.map(_together, matrices)


def _updated(state: NewtonState, grad: Block) -> Float[Array, "dof dof *lanes"]:
    """The Hessian after a step whose change of the gradient it did not foresee, after Bofill."""
    s = state.trial - state.x
    missed = grad - state.grad - jnp.sum(state.matrix * s[None], axis=1)
    length, size = jnp.sum(s * s, axis=0), jnp.sum(missed * missed, axis=0)
    along = jnp.sum(missed * s, axis=0)
    tiny = 1e-300
    share = along**2 / jnp.maximum(length * size, tiny)
    rank_one = missed[:, None] * missed[None] / jnp.where(along == 0, tiny, along)
    mixed = (missed[:, None] * s[None] + s[:, None] * missed[None]) / jnp.maximum(length, tiny)
    mixed = mixed - along * s[:, None] * s[None] / jnp.maximum(length, tiny) ** 2
    change = share * rank_one + (1.0 - share) * mixed
    sound = (length > tiny) & jnp.all(jnp.isfinite(change), axis=(0, 1))
    return state.matrix + jnp.where(sound, change, 0.0)


def _trust_step(slopes: Block, curvatures: Block, radius: Value) -> Block:
    """The minimiser of `g·s + s·Λs/2` in `|s| ≤ radius`: `s = -g/(Λ + μ)`, by bisection in μ."""
    size = jnp.sqrt(jnp.sum(slopes * slopes, axis=0))
    lowest = jnp.min(curvatures, axis=0)
    floor = jnp.maximum(0.0, -lowest)

    def move(shift: Value) -> Block:
        below = jnp.maximum(curvatures + shift, 1e-300)
        return -slopes / below

    def length(shift: Value) -> Value:
        return jnp.sqrt(jnp.sum(move(shift) ** 2, axis=0))

    # With the shift |g|/radius above the floor every step is short enough.
    low, high = floor, floor + size / radius

    def halve(_: Array, ends: tuple[Value, Value]) -> tuple[Value, Value]:
        low, high = ends
        middle = 0.5 * (low + high)
        long = length(middle) > radius
        return jnp.where(long, middle, low), jnp.where(long, high, middle)

    _, shift = jax.lax.fori_loop(0, _BISECTIONS, halve, (low, high))
    # Where nothing bends down and the whole step is short enough, no shift is needed.
    free = (lowest > 0) & (length(jnp.zeros_like(shift)) <= radius)
    step = move(jnp.where(free, 0.0, shift))
    return jnp.where(size > 0, step, 0.0)
