r"""A ladder of softness: replicas that ask the same question less strictly.

An oracle that passes when a random resource $K$ covers a cost, $K \ge c(x)$, hardly ever does
where the cost is high: a walker there, or a cloud of trial points, needs $1/p$ calls for one pass.
Replicas with softness $T \ge 1$ ask for $T K \ge c(x)$ instead. The draw $K$ of the point where a
replica stands is *kept*, so that two neighbours can exchange points whenever both would pass the
other's question; that compares stored numbers and costs no call. The strict replica, $T = 1$, keeps
its own law exactly.

Source: Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017), for the oracle and the stored draw;
the exchange is Hamiltonian replica exchange in the space of $(x, K)$: Sugita, Kitao & Okamoto,
J. Chem. Phys. 113, 6042 (2000).
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import ArrayLike

from thalweg.core import ArgumentError, Point, PRNGKey, as_key, require_x64

Draw = Callable[[PRNGKey], Any]
"""`key -> K`: one draw of the resource, a scalar or any array."""

Passes = Callable[[Point, Any, Array], Any]
"""`(x, K, T) -> bool`: whether the draw passes at `x` with softness `T`."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SoftnessSamples:
    """What the strict replicas saw.

    Attributes:
        points: Where the strict replica of each chain stood after every sweep,
            `(sweeps, chains, dof)`.
        passed: Whether it stood there with a pass; false before its first one: leave those out.
        softness: The ladder, ascending from 1.
        acceptance: Share of moves accepted by each replica.
        exchange: Share of exchanges accepted between neighbours.
        calls_per_sweep: Oracle calls that one sweep of one chain costs: one for each replica.
    """

    points: Float[np.ndarray, "sweeps chains dof"]
    passed: Bool[np.ndarray, "sweeps chains"]
    softness: Float[np.ndarray, " replicas"]
    acceptance: Float[np.ndarray, " replicas"]
    exchange: Float[np.ndarray, " gaps"]
    calls_per_sweep: int

    def first_calls(
        self, inside: Callable[[np.ndarray], np.ndarray]
    ) -> Float[np.ndarray, " chains"]:
        """Oracle calls until the strict replica first stood, with a pass, where `inside` holds.

        Args:
            inside: Takes `(sweeps, chains, dof)`, returns `(sweeps, chains)` booleans.

        Returns:
            One number for each chain, infinity where it never did.
        """
        there = self.passed & np.asarray(inside(self.points), bool)
        first = np.argmax(there, axis=0) + 1.0
        return np.where(there.any(axis=0), first * self.calls_per_sweep, np.inf)


class _State(eqx.Module):
    """Points, kept draws and answers: replicas, then chains, in front."""

    x: Float[Array, "replicas chains dof"]
    kept: Any
    passed: Bool[Array, "replicas chains"]


class _Problem(eqx.Module):
    draw: Draw = eqx.field(static=True)
    passes: Passes = eqx.field(static=True)
    softness: Float[Array, " replicas"]
    steps: Float[Array, " replicas"]


def softness_ladder(
    passes: Passes,
    draw: Draw,
    start: ArrayLike,
    key: PRNGKey | int = 0,
    *,
    softness: Sequence[float] = (1.0, 4.0, 16.0, 64.0),
    step: float | Sequence[float] = 1.0,
    sweeps: int = 1_000,
    chains: int = 64,
) -> SoftnessSamples:
    """Sample points with the probability that the strict question passes.

    A sweep is one uniform move of every replica, with a new draw, and one attempt to exchange with
    a neighbour. Replicas begin at `start` with a draw that is asked, not assumed to pass; until its
    first pass a replica takes any that comes along, from a move or from its softer neighbour.

    Args:
        passes: `(x, K, T) -> bool`; whoever passes with one softness must pass with a larger one.
        draw: `key -> K`.
        start: Where all begin, flat.
        key: Random key, or a number to make one of; with the other arguments it fixes the result.
        softness: The ladder, ascending from 1, which is the question itself.
        step: Half-width of a move in each coordinate: one number, or one for each replica.
        sweeps: Sweeps.
        chains: Independent ladders.

    Raises:
        ArgumentError: if an argument is out of range.
        PrecisionError: if float64 is off.
    """
    require_x64()
    ladder = np.asarray(softness, float)
    if ladder.ndim != 1 or not len(ladder) or ladder[0] != 1 or (np.diff(ladder) <= 0).any():
        raise ArgumentError("softness must ascend from 1", "(1, 4, 16, 64), for one")
    if sweeps < 1 or chains < 1:
        raise ArgumentError(f"sweeps={sweeps} and chains={chains} must be positive")
    width = np.broadcast_to(np.asarray(step, float), ladder.shape)
    if not (width > 0).all():
        raise ArgumentError(f"step={step} must be positive")
    point = np.asarray(start, float).reshape(-1)
    problem = _Problem(draw, passes, jnp.asarray(ladder), jnp.asarray(width))
    (x, passed), accepted, swapped, tried = jax.tree.map(
        np.asarray, _run(problem, jnp.asarray(point), as_key(key), sweeps, chains)
    )
    return SoftnessSamples(
        points=x,
        passed=passed,
        softness=ladder,
        acceptance=accepted.mean(axis=0),
        exchange=swapped.sum(axis=0) / np.maximum(tried.sum(axis=0), 1),
        calls_per_sweep=len(ladder),
    )


def _ask(problem: _Problem, x: Array, kept: Any, softness: Array) -> Bool[Array, "replicas chains"]:
    """Whether points with their draws pass the questions of the given softness."""
    over_chains = jax.vmap(problem.passes, (0, 0, None))
    return jnp.asarray(jax.vmap(over_chains)(x, kept, softness), bool)


def _draws(problem: _Problem, key: PRNGKey, shape: tuple[int, int]) -> Any:
    keys = jax.random.split(key, shape)
    return jax.vmap(jax.vmap(problem.draw))(keys)


def _pick(mask: Array, new: Any, old: Any) -> Any:
    def one(a: Array, b: Array) -> Array:
        return jnp.where(mask.reshape(mask.shape + (1,) * (a.ndim - 2)), a, b)

    return jax.tree.map(one, new, old)


@eqx.filter_jit
def _run(problem: _Problem, start: Point, key: PRNGKey, sweeps: int, chains: int) -> Any:
    replicas = len(problem.softness)
    shape = (replicas, chains)
    x = jnp.broadcast_to(start, (*shape, len(start)))
    kept = _draws(problem, jax.random.fold_in(key, sweeps), shape)
    begin = _State(x, kept, _ask(problem, x, kept, problem.softness))

    def sweep(state: _State, number: Int[Array, ""]) -> tuple[_State, Any]:
        move_key, draw_key = jax.random.split(jax.random.fold_in(key, number))
        move = jax.random.uniform(move_key, state.x.shape, minval=-1.0, maxval=1.0)
        x = state.x + problem.steps[:, None, None] * move
        kept = _draws(problem, draw_key, shape)
        accept = _ask(problem, x, kept, problem.softness)
        state = _State(
            _pick(accept, x, state.x), _pick(accept, kept, state.kept), accept | state.passed
        )
        state, swap, turn = _exchange(problem, state, number)
        seen = (state.x[0], state.passed[0])
        return state, (seen, jnp.mean(accept.astype(x.dtype), axis=1), jnp.sum(swap, 1), turn)

    return jax.lax.scan(sweep, begin, jnp.arange(sweeps))[1]


def _exchange(
    problem: _Problem, state: _State, number: Int[Array, ""]
) -> tuple[_State, Bool[Array, "gaps chains"], Int[Array, " gaps"]]:
    """Neighbours exchange where both pass the other's question; odd and even pairs in turn.

    A replica that has no pass yet takes a softer one's if it passes, and leaves it its own: no law
    is kept before the first pass, and none is claimed.
    """
    replicas, chains = state.passed.shape
    strict, soft = (
        jax.tree.map(lambda a: a[:-1], (state.x, state.kept)),
        jax.tree.map(lambda a: a[1:], (state.x, state.kept)),
    )
    down = _ask(problem, soft[0], soft[1], problem.softness[:-1]) & state.passed[1:]
    up = _ask(problem, strict[0], strict[1], problem.softness[1:]) & state.passed[:-1]
    turn = jnp.arange(replicas - 1) % 2 == number % 2
    swap = turn[:, None] & down & (up | ~state.passed[:-1])
    none = jnp.zeros((1, chains), bool)
    higher, lower = jnp.concatenate([swap, none]), jnp.concatenate([none, swap])
    rows = jnp.arange(replicas)[:, None]
    source = rows + higher.astype(rows.dtype) - lower.astype(rows.dtype)
    column = jnp.arange(chains)[None]
    x, kept = jax.tree.map(lambda a: a[source, column], (state.x, state.kept))
    # A point without a pass that moves up is asked the softer question; it may pass that.
    passed = state.passed[source, column] | _ask(problem, x, kept, problem.softness)
    return _State(x, kept, passed), swap, turn.astype(source.dtype) * chains
