"""What minimisers share: when they have arrived, and when they give up."""

from typing import TypeVar

import equinox as eqx
import jax.numpy as jnp

from thalweg.core import RUNNING, AbstractSolver, AbstractState, Count, Outcome, System, rms


class MinimiserState(AbstractState):
    """A state that counts the steps refused in a row."""

    rejections: eqx.AbstractVar[Count]


State = TypeVar("State", bound=MinimiserState)


class AbstractMinimiser(AbstractSolver[State]):
    """A solver that ends where the gradient is small, or where no step goes down any more."""

    tol: eqx.AbstractVar[float]
    _max_rejections: eqx.AbstractVar[int]

    def terminate(self, system: System, state: State) -> Count:
        """Arrived when the gradient is small; stalled after too many refused steps in a row."""
        del system
        stalled = state.rejections >= self._max_rejections
        status = jnp.where(stalled, int(Outcome.stalled), RUNNING)
        return jnp.where(rms(state.grad) < self.tol, int(Outcome.success), status)

    def extra(self, state: State) -> tuple[()]:
        """Nothing."""
        del state
        return ()
