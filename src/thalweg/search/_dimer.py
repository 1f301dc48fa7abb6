"""Transition states from gradients alone, by the dimer method."""

import equinox as eqx
import jax.numpy as jnp

from thalweg.core import (
    RUNNING,
    AbstractSolver,
    AbstractState,
    Block,
    Count,
    Outcome,
    System,
    Value,
    rms,
    value_and_grad,
)

from ._eigenvector_following import Climb, remove
from ._lbfgs import SecantPairs
from ._rayleigh_ritz import lowest_of_three


class DimerState(AbstractState):
    """Current point, the dimer's direction there, and the memory of rotation and translation.

    `search` is the last change of direction and `search_image` the Hessian's image of it, as far
    as it is known: it is carried along by linearity, never evaluated.
    """

    x: Block
    value: Value
    grad: Block
    next_x: Block
    mode: Block
    curvature: Value
    expected: Value
    search: Block
    search_image: Block
    age: Count
    pairs: SecantPairs


def _dot(a: Block, b: Block) -> Value:
    return jnp.sum(a * b, axis=0)


def _unit(a: Block) -> tuple[Block, Value]:
    norm = jnp.sqrt(_dot(a, a))
    return a / jnp.where(norm > 0, norm, 1.0), norm


class Dimer(AbstractSolver[DimerState]):
    """Uphill along the softest mode, downhill in everything else, seen through gradients only.

    Each iteration costs three gradients: at the point, at the dimer's end, and at the end of a
    second dimer along the rotational force. From the last two follow, by forward differences, the
    curvatures in their plane. The plane is widened by the last rotation, whose image is known by
    linearity from earlier iterations, and the dimer turns to the lowest curvature in that space:
    a conjugate-gradient rotation by the exact angle, with no trial rotation. The point moves at
    the same time, uphill along the dimer and by L-BFGS across it. Start and result are those of
    `EigenvectorFollowing`, so that either may stand for the other.

    Attributes:
        tol: Root-mean-square gradient at which a climb has converged.
        max_uphill: Longest step along the mode, in units of the system's `length`.
        max_step: Longest root-mean-square displacement across the mode, same units.
        separation: Distance of the dimer's ends, same units.
        trust: Largest relative error of the curvature that was expected here at which the last
            rotation is still made use of; a moving point sees another Hessian.
        settle: Iterations spent on the mode alone before the point first moves.
        memory: Secant pairs of the translation across the mode.
        max_steps: Iterations before giving up.

    Source: Henkelman & Jónsson, J. Chem. Phys. 111, 7010 (1999); extrapolated gradients and
    forward differences after Heyden, Bell & Keil, J. Chem. Phys. 123, 224101 (2005); L-BFGS
    translation after Kästner & Sherwood, J. Chem. Phys. 128, 014106 (2008); the rotation as a
    Rayleigh-Ritz problem after Knyazev, SIAM J. Sci. Comput. 23, 517 (2001).
    """

    tol: float = 1e-6
    max_uphill: float = 0.07
    max_step: float = 0.05
    separation: float = 1e-4
    trust: float = 0.1
    settle: int = eqx.field(static=True, default=10)
    memory: int = eqx.field(static=True, default=4)
    max_steps: int = eqx.field(static=True, default=500)

    def init(self, system: System, start: Climb) -> DimerState:
        """The direction, cleaned of zero modes, is the first axis of the dimer."""
        x = jnp.asarray(start.x)
        lanes = x.shape[1:]
        return DimerState(
            x=x,
            value=jnp.full(lanes, jnp.inf, x.dtype),
            grad=jnp.zeros_like(x),
            next_x=x,
            mode=_unit(remove(system.symmetry.zero_modes(x), jnp.asarray(start.direction)))[0],
            curvature=jnp.zeros(lanes, x.dtype),
            expected=jnp.full(lanes, jnp.inf, x.dtype),
            search=jnp.zeros_like(x),
            search_image=jnp.zeros_like(x),
            age=jnp.zeros(lanes, jnp.int32),
            pairs=SecantPairs.empty(self.memory, x, 0.005),
        )

    def step(self, system: System, state: DimerState) -> DimerState:
        """Evaluate the new point, turn the dimer there, and choose the next point."""
        x = state.next_x
        value, grad = value_and_grad(system.energy, x)
        mode, curvature, expected, search, image = self._rotate(system, x, grad, state)
        across = lambda a: a - _dot(mode, a) * mode
        pairs = state.pairs.push(
            across(x - state.x), across(grad - state.grad), state.age > self.settle, state.age < 0
        )
        move = self._translate(system, grad, mode, curvature, pairs)
        return DimerState(
            x=x,
            value=value,
            grad=grad,
            next_x=jnp.where(state.age >= self.settle, x + move, x),
            mode=mode,
            curvature=curvature,
            expected=expected,
            search=search,
            search_image=image,
            age=state.age + 1,
            pairs=pairs,
        )

    def _rotate(
        self, system: System, x: Block, grad: Block, state: DimerState
    ) -> tuple[Block, Value, Value, Block, Block]:
        """Mode, curvature before and expected after, change of the mode and its image."""
        zero = system.symmetry.zero_modes(x)
        apart = self.separation * system.length

        def image_of(direction: Block) -> Block:
            return (value_and_grad(system.energy, x + apart * direction)[1] - grad) / apart

        mode = _unit(remove(zero, state.mode))[0]
        mode_image = image_of(mode)
        curvature = _dot(mode, mode_image)
        force = remove(zero, mode_image - curvature * mode)
        size = jnp.sqrt(_dot(force, force))
        r = force / jnp.where(size > 0, size, 1.0)
        r = _unit(r - _dot(mode, r) * mode)[0]
        r_image = image_of(r)
        # The last change, orthogonal to both; its image changes with it.
        along, beside = _dot(mode, state.search), _dot(r, state.search)
        p, p_size = _unit(state.search - along * mode - beside * r)
        p_image = state.search_image - along * mode_image - beside * r_image
        known = (p_size > 1e-8) & (
            jnp.abs(curvature - state.expected) < self.trust * jnp.abs(curvature)
        )
        p = jnp.where(known, p, 0.0)
        p_image = jnp.where(known, p_image / jnp.where(known, p_size, 1.0), 0.0)

        basis, images = (mode, r, p), (mode_image, r_image, p_image)
        gram = [[_dot(a, h) for h in images] for a in basis]
        weights = lowest_of_three(gram, present=(None, size > 1e-12, known))
        lowest = jnp.zeros_like(curvature)
        for i in range(3):
            for j in range(3):
                lowest = lowest + weights[i] * weights[j] * gram[i][j]
        search = weights[1] * r + weights[2] * p
        image = weights[1] * r_image + weights[2] * p_image
        return _unit(weights[0] * mode + search)[0], curvature, lowest, search, image

    def _translate(
        self, system: System, grad: Block, mode: Block, curvature: Value, pairs: SecantPairs
    ) -> Block:
        """An eigenvector-following step along the mode and an L-BFGS step across it."""
        slope = _dot(grad, mode)
        cap = self.max_step * system.length * jnp.sqrt(float(grad.shape[0]))
        sideways = pairs.descent(grad - slope * mode)
        sideways = sideways - _dot(mode, sideways) * mode
        sideways = jnp.where(_dot(sideways, grad) > 0, -sideways, sideways)
        norm = jnp.sqrt(_dot(sideways, sideways))
        fits = jnp.minimum(1.0, cap / jnp.maximum(norm, 1e-300))
        ratio = 2.0 * slope / jnp.maximum(jnp.abs(curvature), 1e-12)
        uphill = jnp.abs(ratio) / (1.0 + jnp.sqrt(1.0 + ratio * ratio))
        longest = self.max_uphill * system.length
        # In a convex region the Newton step uphill is as short as the way already gone: set a pace.
        pace = jnp.where(curvature > 0, 0.3 * longest, 0.0)
        # Far from the valley floor, fall back to it first: hence `fits` here too.
        along = jnp.clip(uphill, pace, longest) * fits
        return jnp.where(slope >= 0, along, -along) * mode + fits * sideways

    def terminate(self, system: System, state: DimerState) -> Count:
        """Converged when the gradient is small and the mode bends downwards."""
        del system
        small = (rms(state.grad) < self.tol) & (state.age > self.settle)
        ended = jnp.where(state.curvature < 0, int(Outcome.success), int(Outcome.fell_back))
        return jnp.where(small, ended, RUNNING)

    def extra(self, state: DimerState) -> tuple[Block, Value]:
        """The mode and its curvature."""
        return state.mode, state.curvature
