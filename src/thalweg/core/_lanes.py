"""The engine: any solver over a queue of starts, a fixed number of lanes at a time.

Under a plain `vmap` of a whole minimisation every lane waits for the slowest (about 40 % of the
arithmetic for random clusters). Here a block of lanes advances a fixed number of steps inside one
compiled loop, finished lanes are retired and refilled from the queue, and the block goes on:
continuous batching.

Lanes are the *last* axis of every array. Coordinates are then contiguous over lanes, so that pair
loops and the vector work of a solver run at full SIMD width on a CPU and coalesced on a GPU; and
a solver that uses only broadcasting arithmetic and sums over its leading axis is written once for
a single point and runs unchanged on a block.

An item's result depends on its start alone, not on the lane or the company it had. A compiler may
order the sums of a block of another width differently, so an engine of many lanes is made of blocks
of one width (`block_width`): to the last bit, results are the same for every number of blocks.
Fewer lanes than one block are a program of their own, which may differ in the last digit.
"""

import abc
import contextlib
import dataclasses
import threading
from typing import Any, ClassVar, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PyTree

from ._errors import require_x64
from ._result import Outcome
from ._shapes import Block, Count, Value
from ._system import System

RUNNING = -1
"""The status of a lane that has not ended; every other status is an `Outcome`."""


_FIRST_DISPATCH = threading.Lock()
"""Held while an engine first runs, so that engines in several threads compile a program once."""


class AbstractState(eqx.Module):
    """What the next step needs. Every solver's state shows its current point like this."""

    x: eqx.AbstractVar[Block]
    value: eqx.AbstractVar[Value]
    grad: eqx.AbstractVar[Block]


State = TypeVar("State", bound=AbstractState)


class AbstractSolver(eqx.Module, Generic[State]):
    """A deterministic iteration: a frozen record of hyper-parameters, and no loop.

    Arrays carry lanes as trailing axes; the text is that of a single point. `step` evaluates the
    energy once (or a stated number of times) and never loops until something is true: a rejected
    step is the next iteration with a shorter step.

    Attributes:
        max_steps: Steps before a lane gives up.
        steps_per_visit: Steps between two visits to the host, where lanes are refilled. A visit
            costs about one step of gradients, so 32 cost 3 %; dearer steps are visited sooner.
    """

    max_steps: eqx.AbstractVar[int]
    steps_per_visit: ClassVar[int] = 32

    @abc.abstractmethod
    def init(self, system: System, start: PyTree) -> State:
        """State at the start; does not evaluate the energy."""

    @abc.abstractmethod
    def step(self, system: System, state: State) -> State:
        """One iteration."""

    @abc.abstractmethod
    def terminate(self, system: System, state: State) -> Count:
        """`RUNNING`, or the `Outcome` with which the lane ends."""

    @abc.abstractmethod
    def extra(self, state: State) -> PyTree:
        """What the result holds besides the point, its energy and its gradient."""


class Finished(eqx.Module):
    """Results, one row an item; inside the engine, lanes last instead.

    Attributes:
        x: Final points, `(items, dof)`.
        value: Energies, `(items,)`.
        grad_rms: Root-mean-square gradients, `(items,)`.
        steps: Iterations used, `(items,)`.
        outcome: `Outcome` codes, `(items,)`.
        extra: What the solver adds.
    """

    x: Any
    value: Any
    grad_rms: Any
    steps: Any
    outcome: Any
    extra: PyTree


class _Carry(eqx.Module):
    state: AbstractState
    steps: Count
    status: Count
    result: Finished


def rms(grad: Block) -> Value:
    """Root-mean-square over coordinates."""
    return jnp.sqrt(jnp.mean(grad * grad, axis=0))


def _status(system: System, solver: AbstractSolver, state: AbstractState, steps: Count) -> Count:
    """The solver's verdict, and the engine's own on what no solver can go on with."""
    status = solver.terminate(system, state)
    checks = [
        (steps >= solver.max_steps, Outcome.max_steps),
        (jnp.max(jnp.abs(state.x), axis=0) > system.space.extent, Outcome.escaped),
        (state.value < system.floor, Outcome.collapsed),
        (~(jnp.isfinite(state.value) & jnp.isfinite(rms(state.grad))), Outcome.nonfinite),
    ]
    for holds, outcome in checks:
        wins = holds if outcome is not Outcome.max_steps else holds & (status == RUNNING)
        status = jnp.where(wins, int(outcome), status)
    return status


def _result(solver: AbstractSolver, state: AbstractState, steps: Count, status: Count) -> Finished:
    return Finished(
        x=state.x,
        value=state.value,
        grad_rms=rms(state.grad),
        steps=steps,
        outcome=status,
        extra=solver.extra(state),
    )


def _select(mask: Bool[Array, "*lanes"], new: PyTree, old: PyTree) -> PyTree:
    """`new` where `mask` holds, lane by lane; arrays without lanes are shared and stay."""
    lanes = mask.shape

    def pick(a: Array, b: Array) -> Array:
        carries_lanes = lanes == () or a.shape[a.ndim - len(lanes) :] == lanes
        return jnp.where(mask, a, b) if carries_lanes else b

    return jax.tree.map(pick, new, old)


def _nowhere(state: AbstractState) -> AbstractState:
    """The state with NaN in place of every number."""

    def blank(a: Array) -> Array:
        return jnp.full_like(a, jnp.nan) if jnp.issubdtype(a.dtype, jnp.floating) else a

    return jax.tree.map(blank, state)


def _fresh(system: System, solver: AbstractSolver, start: PyTree) -> _Carry:
    state = solver.init(system, start)
    steps = jnp.zeros(state.value.shape, jnp.int32)
    status = jnp.full(state.value.shape, RUNNING, jnp.int32)
    return _Carry(state, steps, status, _result(solver, state, steps, status))


def _advance(system: System, solver: AbstractSolver, carry: _Carry, count: int) -> _Carry:
    """Up to `count` steps; a lane's result is taken down at the step at which it ends."""

    def go_on(loop: tuple[Array, _Carry]) -> Bool[Array, ""]:
        done, carry = loop
        return (done < count) & jnp.any(carry.status == RUNNING)

    def body(loop: tuple[Array, _Carry]) -> tuple[Array, _Carry]:
        done, carry = loop
        running = carry.status == RUNNING
        state = solver.step(system, carry.state)
        steps = carry.steps + running.astype(jnp.int32)
        now = _status(system, solver, state, steps)
        status = jnp.where(running, now, carry.status)
        ended = running & (now != RUNNING)
        result = _select(ended, _result(solver, state, steps, status), carry.result)
        if system.energy.skips_nan:  # an ended lane moves to NaN, where nothing is evaluated
            state = _select(status != RUNNING, _nowhere(state), state)
        return done + 1, _Carry(state, steps, status, result)

    return jax.lax.while_loop(go_on, body, (jnp.zeros((), jnp.int32), carry))[1]


@eqx.filter_jit(donate="all-except-first")
def _refill_and_advance(
    fixed: tuple[System, AbstractSolver],
    carry: _Carry,
    refill: Bool[Array, " lanes"],
    start: PyTree,
) -> _Carry:
    system, solver = fixed
    carry = _select(refill, _fresh(system, solver, start), carry)
    return _advance(system, solver, carry, solver.steps_per_visit)


def _traced(solver: AbstractSolver) -> AbstractSolver:
    """Hyper-parameters as arrays, so that solvers that differ in numbers share one program."""
    return jax.tree.map(lambda a: jnp.asarray(a) if isinstance(a, float) else a, solver)


@eqx.filter_jit
def _solve_one(system: System, solver: AbstractSolver, start: PyTree) -> Finished:
    carry = _fresh(system, solver, start)
    return _advance(system, solver, carry, solver.max_steps).result


def block_width() -> int:
    """Lanes of one compiled block: few enough to stay in cache on a CPU, many on a GPU."""
    return 64 if jax.default_backend() == "cpu" else 2048


@dataclasses.dataclass
class _Queue:
    ids: list[int] = dataclasses.field(default_factory=list)
    starts: list[PyTree] = dataclasses.field(default_factory=list)


class Lanes:
    """Runs one solver on one system over items that are fed to it while it runs.

    ```python
    lanes = Lanes(system, LBFGS())
    lanes.feed(ids, starts)            # any number, any time
    while lanes.busy:
        ids, finished = lanes.poll()   # advances one block, returns what ended in it
    ```
    """

    def __init__(self, system: System, solver: AbstractSolver, width: int | None = None):
        """Make an idle engine.

        Args:
            system: What is solved on.
            solver: The iteration.
            width: Number of lanes, one block by default; rounded up to whole blocks if it is
                more than one.
        """
        require_x64()
        self.system = system
        self.solver = _traced(solver)
        one_block = block_width()
        wished = one_block if width is None else int(width)
        count = -(-wished // one_block)
        self.width = count * min(wished, one_block)
        self.lane_steps = 0
        self._queue = _Queue()
        self._lane_ids = np.full((count, self.width // count), -1, np.int64)
        self._carries: list[_Carry | None] = [None] * count

    def feed(self, ids: np.ndarray, starts: PyTree) -> None:
        """Append items.

        Args:
            ids: Their names, `(items,)` integers, free to choose.
            starts: Pytree of arrays `(items, …)`; a plain `(items, dof)` array for a quench.
        """
        starts = jax.tree.map(np.asarray, starts)
        for row, name in enumerate(np.asarray(ids).tolist()):
            self._queue.ids.append(name)
            self._queue.starts.append(jax.tree.map(lambda a, row=row: a[row], starts))

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return len(self._queue.ids)

    @property
    def busy(self) -> bool:
        """Whether anything is queued or running."""
        return bool(self._queue.ids) or bool(np.any(self._lane_ids >= 0))

    def poll(self) -> tuple[np.ndarray, Finished]:
        """Fill free lanes, advance every block, and return the ids and results that ended."""
        if self._carries[0] is None and not self._queue.ids:
            raise ValueError("poll() on an engine that was never fed")
        moved = [block for block in range(len(self._carries)) if self._dispatch(block)]
        parts = [self._collect(block) for block in moved]
        ids = np.concatenate([ids for ids, _ in parts])
        rows = jax.tree.map(lambda *a: np.concatenate(a), *[rows for _, rows in parts])
        self.lane_steps += int(rows.steps.sum())
        return ids, rows

    def _collect(self, block: int) -> tuple[np.ndarray, Finished]:
        """What ended in a block; its lanes are free again."""
        carry, lane_ids = self._carries[block], self._lane_ids[block]
        assert carry is not None
        status = np.asarray(carry.status)
        ended = np.flatnonzero((status != RUNNING) & (lane_ids >= 0))
        ids = lane_ids[ended].copy()
        lane_ids[ended] = -1
        return ids, jax.tree.map(lambda a: _rows(np.asarray(a), ended), carry.result)

    def _dispatch(self, block: int) -> bool:
        """Fill the free lanes of a block and set it going; whether there was anything to do."""
        lane_ids, carry = self._lane_ids[block], self._carries[block]
        free = np.flatnonzero(lane_ids < 0)[: len(self._queue.ids)]
        starts = self._queue.starts[: len(free)]
        lane_ids[free] = self._queue.ids[: len(free)]
        del self._queue.starts[: len(free)], self._queue.ids[: len(free)]
        if not np.any(lane_ids >= 0) and (block or carry is None):
            return False
        if starts:
            self._template = starts[0]
        refill = np.zeros(len(lane_ids), bool)
        refill[free] = True

        def column(template: np.ndarray, *rows: np.ndarray) -> np.ndarray:
            filled = np.repeat(template[..., None], len(lane_ids), axis=-1)
            if rows:
                filled[..., free] = np.stack(rows, axis=-1)
            return filled

        start = jax.tree.map(column, self._template, *starts)
        start = jax.tree.map(jnp.asarray, start)
        lock = contextlib.nullcontext()
        if carry is None:
            idle = _fresh(self.system, self.solver, start)
            done = jnp.full(lane_ids.shape, int(Outcome.success), jnp.int32)
            idle = eqx.tree_at(lambda c: c.status, idle, done)
            if self.system.energy.skips_nan:
                idle = eqx.tree_at(lambda c: c.state, idle, _nowhere(idle.state))
            carry = jax.tree.map(jnp.copy, idle)  # donated: no buffer may appear twice
            lock = _FIRST_DISPATCH
        with lock:
            self._carries[block] = _refill_and_advance(
                (self.system, self.solver), carry, jnp.asarray(refill), start
            )
        return True


def _rows(array: np.ndarray, lanes: np.ndarray) -> np.ndarray:
    """Lanes last to items first."""
    return np.ascontiguousarray(np.moveaxis(array[..., lanes], -1, 0))


def solve_many(
    system: System, solver: AbstractSolver, starts: PyTree, *, width: int | None = None
) -> Finished:
    """Run every start to its end; row `i` of the result belongs to row `i` of `starts`."""
    count = len(jax.tree.leaves(starts)[0])
    if not count:
        raise ValueError("solve_many needs at least one start")
    lanes = Lanes(system, solver, width)
    lanes.feed(np.arange(count), starts)
    ids, parts = [], []
    while lanes.busy:
        got, rows = lanes.poll()
        ids.append(got)
        parts.append(rows)
    order = np.argsort(np.concatenate(ids))
    return jax.tree.map(lambda *rows: np.concatenate(rows)[order], *parts)


def solve(system: System, solver: AbstractSolver, start: PyTree) -> Finished:
    """Run one start to its end in one compiled call."""
    require_x64()
    return jax.tree.map(np.asarray, _solve_one(system, _traced(solver), start))
