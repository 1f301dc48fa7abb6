"""FIRE: downhill by damped dynamics that loses its inertia whenever it would climb."""

import equinox as eqx
import jax.numpy as jnp

from thalweg.core import (
    Block,
    Count,
    Flag,
    System,
    Value,
    rms,
    value_and_grad,
)

from ._minimiser import AbstractMinimiser, MinimiserState


class FIREState(MinimiserState):
    """Current point, the trial that the next step evaluates, and the motion."""

    x: Block
    value: Value
    grad: Block
    trial: Block
    velocity: Block
    time_step: Value
    mixing: Value
    downhill: Count
    rejections: Count
    started: Flag


class FIRE(AbstractMinimiser[FIREState]):
    """Fast inertial relaxation, with a time step of its own for every lane.

    It takes more evaluations than L-BFGS but estimates no curvature, so kinks and small errors of
    the gradient do not mislead it. Particles have unit mass; the time step of a lane begins such
    that the first displacement is a fraction of the step cap, whatever the units of the energy,
    and then grows and shrinks with the progress. A trial whose energy is not finite is refused
    and the time step halved; that is the next iteration, so each costs one evaluation.

    Attributes:
        tol: Root-mean-square gradient at which a quench has converged.
        max_step: Longest step, as root-mean-square displacement of a coordinate in units of the
            system's `length`.
        first_step: Displacement of the first step, as a fraction of `max_step`.
        delay: Iterations downhill before the time step grows.
        grow: Factor by which the time step grows.
        shrink: Factor by which it shrinks after an uphill move.
        mixing: Initial share of the velocity that is turned along the force.
        fade: Factor by which that share decays while the motion goes downhill.
        max_steps: Iterations before giving up.

    Source: Bitzek, Koskinen, Gähler, Moseler & Gumbsch, Phys. Rev. Lett. 97, 170201 (2006); step
    back half a step on moving uphill and semi-implicit Euler integration after Guénolé et al.,
    Comput. Mater. Sci. 175, 109584 (2020).
    """

    tol: float = 1e-6
    max_step: float = 0.1
    first_step: float = 0.1
    delay: int = eqx.field(static=True, default=5)
    grow: float = 1.1
    shrink: float = 0.5
    mixing: float = 0.25
    fade: float = 0.99
    max_steps: int = eqx.field(static=True, default=20_000)

    _max_rejections: int = eqx.field(static=True, default=60)

    def init(self, system: System, start: Block) -> FIREState:
        """Nothing is known yet: the first step evaluates the start itself."""
        del system
        lanes = start.shape[1:]
        return FIREState(
            x=start,
            value=jnp.full(lanes, jnp.inf, start.dtype),
            grad=jnp.zeros_like(start),
            trial=start,
            velocity=jnp.zeros_like(start),
            time_step=jnp.zeros(lanes, start.dtype),
            mixing=jnp.full(lanes, self.mixing, start.dtype),
            downhill=jnp.zeros(lanes, jnp.int32),
            rejections=jnp.zeros(lanes, jnp.int32),
            started=jnp.zeros(lanes, bool),
        )

    def step(self, system: System, state: FIREState) -> FIREState:
        """Evaluate the trial, adapt the time step to the power, and choose the next trial."""
        value, grad = value_and_grad(system.energy, state.trial)
        sound = jnp.isfinite(value) & jnp.all(jnp.isfinite(grad), axis=0)
        accept = sound | ~state.started
        x = jnp.where(accept, state.trial, state.x)
        value = jnp.where(accept, value, state.value)
        grad = jnp.where(accept, grad, state.grad)
        cap = self.max_step * system.length
        first = jnp.sqrt(self.first_step * cap / jnp.maximum(rms(grad), 1e-300))
        time_step = jnp.where(state.started, state.time_step, first)

        power = -jnp.sum(grad * state.velocity, axis=0)
        good = accept & (power > 0)
        # At rest the power is zero: neither progress nor a reason to slow down.
        bad = ~accept | (power < 0)
        downhill = jnp.where(good, state.downhill + 1, 0)
        steady = downhill > self.delay
        mixing = jnp.where(good, jnp.where(steady, self.fade, 1.0) * state.mixing, self.mixing)
        back = jnp.where(accept & bad, 0.5 * time_step, 0.0)
        factor = jnp.where(steady, self.grow, jnp.where(bad, self.shrink, 1.0))
        time_step = time_step * factor
        velocity = jnp.where(good, state.velocity, 0.0)

        velocity = velocity - time_step * grad
        speed = jnp.sqrt(jnp.sum(velocity * velocity, axis=0))
        size = jnp.sqrt(jnp.sum(grad * grad, axis=0))
        velocity = (1.0 - mixing) * velocity - mixing * (speed / jnp.maximum(size, 1e-300)) * grad
        move = time_step * velocity - back * state.velocity
        length = jnp.maximum(rms(move), 1e-300)
        fits = jnp.minimum(1.0, cap / length)
        return FIREState(
            x=x,
            value=value,
            grad=grad,
            trial=x + fits * move,
            velocity=fits * velocity,
            time_step=time_step,
            mixing=mixing,
            downhill=downhill,
            rejections=jnp.where(accept, 0, state.rejections + 1),
            started=jnp.ones_like(state.started),
        )
