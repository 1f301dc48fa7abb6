"""What a recurrent network is to the trainer: a state, a step, and an output."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import AbstractMap, Array, Float

State = tuple[Array, ...]

_HOIST = 8
"""Input channels from which products with the input are taken for all times at once: for fewer,
reading them back from memory costs more than the products."""


class AbstractCell(AbstractMap):
    """A recurrent network in discrete time, for batches; also a map over flat points.

    The state is a tuple of arrays `(*batch, units)`, one for each of `sizes`. Work is cut in three
    by what it depends on: `prepare` on parameters alone (once a sequence), `drive` on the input
    alone (may be done for all times at once), `advance` on the state.
    """

    inputs: eqx.AbstractVar[int]
    hidden: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """Units in each part of the state."""

    @property
    def dof(self) -> int:
        """Numbers in the state of one sample."""
        return sum(self.sizes)

    @abc.abstractmethod
    def begin(self, batch: tuple[int, ...]) -> State:
        """The state before the first input."""

    @abc.abstractmethod
    def prepare(self) -> Any:
        """Matrices from parameters: constraints and fusions."""

    @abc.abstractmethod
    def drive(self, ready: Any, x: Float[Array, "*batch inputs"]) -> Any:
        """What the inputs contribute."""

    @abc.abstractmethod
    def advance(self, ready: Any, state: State, drive: Any) -> State:
        """One step."""

    @abc.abstractmethod
    def output(self, state: State) -> Float[Array, "*batch hidden"]:
        """What a read-out sees."""

    def __call__(
        self, t: Float[Array, ""], x: Float[Array, " dof"], drive: Float[Array, " inputs"]
    ) -> Float[Array, " dof"]:
        """One step of one sample with its state as a flat point; `drive` is the input."""
        del t
        ready = self.prepare()
        return join(self.advance(ready, self.split(x), self.drive(ready, drive)))

    def split(self, flat: Float[Array, "*batch dof"]) -> State:
        """The parts of a flat state."""
        ends = [sum(self.sizes[: i + 1]) for i in range(len(self.sizes) - 1)]
        return tuple(jnp.split(flat, ends, axis=-1))


def join(state: State) -> Float[Array, "*batch dof"]:
    """A state as one flat array."""
    return jnp.concatenate(state, axis=-1)


def run_cell(
    cell: AbstractCell,
    x: Float[Array, "batch time inputs"],
    *,
    every: bool = False,
    nudges: Float[Array, "time batch dof"] | None = None,
) -> tuple[State, Array | None]:
    """Run a batch of sequences through a cell in one loop.

    Only the states are kept for the backward pass; everything else in a step is computed again,
    which costs less than fetching it.

    Args:
        cell: The network.
        x: Inputs.
        every: Whether outputs are wanted at all times.
        nudges: Added to the state after each step; differentiate by them to see how the loss
            depends on the state at every time.

    Returns:
        The last state, and the outputs `(time, batch, hidden)` if wanted.
    """
    ready = cell.prepare()
    hoist = cell.inputs >= _HOIST
    times = jnp.moveaxis(x, 1, 0)
    driven = cell.drive(ready, times) if hoist else times

    def step(state: State, now: Any) -> tuple[State, Array | None]:
        u, nudge = now
        state = cell.advance(ready, state, u if hoist else cell.drive(ready, u))
        if nudge is not None:
            state = tuple(s + n for s, n in zip(state, cell.split(nudge), strict=True))
        return state, cell.output(state) if every else None

    start = cell.begin((x.shape[0],))
    # Inside a loop nothing can be merged with the first evaluation, so XLA need not be told.
    return jax.lax.scan(jax.checkpoint(step, prevent_cse=False), start, (driven, nudges))
