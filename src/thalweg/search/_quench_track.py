"""The way that a quench takes, when steepest descent takes another."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import Block, Outcome, System, require_x64

from ._certify import certify_many
from ._descent import Descent
from ._lbfgs import LBFGS, LBFGSState
from ._saddle import PUSH_OFF


@eqx.filter_jit
def _run(system: System, minimiser: LBFGS, start: Block) -> tuple[Array, Array, Array]:
    """Points, energies and gradients of every iteration, lanes last."""

    def step(state: LBFGSState, _: None) -> tuple[LBFGSState, tuple[Array, Array, Array]]:
        state = minimiser.step(system, state)
        return state, (state.x, state.value, state.grad)

    first = minimiser.init(system, start)
    return jax.lax.scan(step, first, None, length=minimiser.max_steps)[1]


def quench_track(
    system: System, saddle: Float[np.ndarray, " dof"], minimiser: LBFGS | None = None
) -> tuple[Descent, Descent]:
    """The tracks of the two quenches that a map makes from a transition state.

    Energies fall along a track, and it ends in a minimum that the quench joins to the transition
    state; but its steps are long, and it may cross a ridge that steepest descent follows.

    Args:
        system: What to descend on.
        saddle: The transition state.
        minimiser: The one of `push_off` unless given.
    """
    require_x64()
    minimiser = LBFGS(max_step=0.03, max_steps=1500) if minimiser is None else minimiser
    mode = certify_many(system, saddle[None], 1)[0].mode
    push = PUSH_OFF * system.length * mode
    start = np.stack([saddle + push, saddle - push], axis=1)
    x, value, grad = (np.asarray(array) for array in _run(system, minimiser, jnp.asarray(start)))
    first, second = (_track(system, x[:, :, i], value[:, i], grad[:, :, i]) for i in range(2))
    return first, second


def _track(system: System, x: np.ndarray, value: np.ndarray, grad: np.ndarray) -> Descent:
    """The accepted points on which the energy fell, and the polished minimum."""
    lowest = np.minimum.accumulate(value)
    fell = np.concatenate([[True], value[1:] < lowest[:-1]])
    end = certify_many(system, x[-1:], 0)[0]
    last = x[-1] + np.asarray(system.space.difference(jnp.asarray(x[-1]), jnp.asarray(end.x)))
    # What lies closer than this to the minimum is only round-off.
    near = np.linalg.norm(x - last, axis=1) < 1e-3 * system.length
    fell &= (value > end.value) & ~near
    return Descent(
        points=np.concatenate([x[fell], last[None]]),
        energies=np.append(value[fell], end.value),
        gradients=np.concatenate([grad[fell], np.zeros_like(last)[None]]),
        outcome=Outcome(end.certificate.outcome),
        steepest=False,
    )
