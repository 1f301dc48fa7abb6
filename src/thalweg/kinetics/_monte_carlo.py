"""Kinetic Monte Carlo: many independent walkers of a chain in one compiled loop.

A walker waits for an exponential time with the exit rate of its state and then jumps by the
branching probabilities: the rejection-free method, an exact sample of the chain.

Source: A. B. Bortz, M. H. Kalos and J. L. Lebowitz, J. Comput. Phys. 17, 10 (1975);
D. T. Gillespie, J. Comput. Phys. 22, 403 (1976).
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Key

from thalweg.core import ArgumentError, PRNGKey, as_key, require_x64

from ._chain import MarkovChain
from ._sparse_log import States, mask


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FirstPassages:
    """First passages of many walkers.

    Attributes:
        times: When each walker arrived, or stopped without having arrived.
        states: Where it is then.
        jumps: How many jumps it made.
        arrived: Whether it arrived. Times of those that did not are lower bounds; a mean over the
            others alone is biased.
    """

    times: Float[np.ndarray, " walkers"]
    states: Int[np.ndarray, " walkers"]
    jumps: Int[np.ndarray, " walkers"]
    arrived: Bool[np.ndarray, " walkers"]

    @property
    def mean(self) -> float:
        """Mean first-passage time.

        Raises:
            ArgumentError: if some walker has not arrived.
        """
        if not self.arrived.all():
            raise ArgumentError(
                f"{int((~self.arrived).sum())} of {len(self.arrived)} walkers have not arrived, "
                "and a mean over the others would be too small",
                "allow more jumps, or use MarkovChain.mfpt",
            )
        return float(self.times.mean())

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return float(self.times.std(ddof=1) / np.sqrt(len(self.times)))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class JumpTrajectories:
    """What many walkers did, jump by jump.

    Attributes:
        states: The state after each jump, the start first.
        times: How long each of them lasted.
    """

    states: Int[np.ndarray, "walkers jumps"]
    times: Float[np.ndarray, "walkers jumps"]


def first_passages(
    chain: MarkovChain,
    a: States,
    b: States,
    *,
    key: PRNGKey | int = 0,
    walkers: int = 1000,
    max_jumps: int = 1_000_000,
) -> FirstPassages:
    """Send walkers from equilibrium in A until they reach B.

    Args:
        chain: The chain.
        a: Where they begin: a state, several, or a mask.
        b: Where they end.
        key: Random key, or a number to make one of; walker `i` uses `fold_in(key, i)`,
            however many there are.
        walkers: How many.
        max_jumps: When to give up. At low temperature walkers jump to and fro within a group of
            states very often; `MarkovChain.mfpt` does not mind.

    Raises:
        ArgumentError: if A and B overlap, or B cannot be reached.
        PrecisionError: if JAX is in float32 mode.
    """
    require_x64()
    n = chain.n_states
    in_a, in_b = mask(a, n, "a"), mask(b, n, "b")
    if not np.isfinite(chain.log_mfpt(in_a, in_b)):
        raise ArgumentError(
            "B is not sure to be reached from A", "choose states that are connected"
        )
    starts = np.flatnonzero(in_a)
    shares = chain.log_stationary[starts] if len(starts) > 1 else np.zeros(1)
    keys = _keys(key, walkers)
    x = jnp.asarray(starts)[
        jax.vmap(lambda k: jax.random.categorical(jax.random.fold_in(k, 0), jnp.asarray(shares)))(
            keys
        )
    ]
    table = _table(chain)
    x, time, jumps, done = _passages(table, keys, x, jnp.asarray(in_b), max_jumps)
    return FirstPassages(
        times=np.asarray(time),
        states=np.asarray(x, dtype=int),
        jumps=np.asarray(jumps, dtype=int),
        arrived=np.asarray(done),
    )


def simulate(
    chain: MarkovChain, start: int, *, key: PRNGKey | int = 0, walkers: int = 1, jumps: int = 1000
) -> JumpTrajectories:
    """Follow walkers for a number of jumps.

    Args:
        chain: The chain.
        start: State that all begin in.
        key: Random key, or a number to make one of.
        walkers: How many.
        jumps: Number of states to record for each, the start included.

    Raises:
        ArgumentError: if a state has no way out.
        PrecisionError: if JAX is in float32 mode.
    """
    require_x64()
    mask(start, chain.n_states, "start")
    if np.isneginf(chain.log_exit_rates).any():
        stuck = int(np.flatnonzero(np.isneginf(chain.log_exit_rates))[0])
        raise ArgumentError(f"nothing leads out of state {stuck}", "select the states without it")
    states, times = _follow(_table(chain), _keys(key, walkers), jnp.asarray(start), jumps)
    return JumpTrajectories(states=np.asarray(states, dtype=int).T, times=np.asarray(times).T)


Table = tuple[Float[jax.Array, "n width"], Int[jax.Array, "n width"], Float[jax.Array, " n"]]


def _table(chain: MarkovChain) -> Table:
    """For each state: summed branching probabilities, neighbours, mean waiting time."""
    log = chain.log_rates
    width = max(int(np.diff(log.indptr).max(initial=0)), 1)
    rows = np.repeat(np.arange(chain.n_states), np.diff(log.indptr))
    place = np.arange(log.nnz) - log.indptr[rows]
    branching = np.zeros((chain.n_states, width))
    branching[rows, place] = np.exp(log.data - chain.log_exit_rates[rows])
    neighbours = np.zeros((chain.n_states, width), dtype=np.int64)
    neighbours[rows, place] = log.indices
    with np.errstate(over="ignore"):
        waits = np.exp(-chain.log_exit_rates)
    total = np.cumsum(branching, axis=1)
    # Exactly one at the end: rounding must not let a walker fall off its list.
    total[np.arange(width) >= np.diff(log.indptr)[:, None] - 1] = 1.0
    return jnp.asarray(total), jnp.asarray(neighbours), jnp.asarray(waits)


def _keys(key: PRNGKey | int, walkers: int) -> Key[jax.Array, " walkers"]:
    root = as_key(key)
    return jax.vmap(lambda i: jax.random.fold_in(root, i))(jnp.arange(walkers))


def _jump(
    table: Table,
    keys: Key[jax.Array, " walkers"],
    count: Int[jax.Array, ""],
    x: Int[jax.Array, " walkers"],
) -> tuple[Int[jax.Array, " walkers"], Float[jax.Array, " walkers"]]:
    """One jump of every walker: where to, and after how long."""
    total, neighbours, waits = table
    draws = jax.vmap(lambda k: jax.random.uniform(jax.random.fold_in(k, count), (2,), jnp.float64))(
        keys
    )
    which = jax.vmap(jnp.searchsorted, in_axes=(0, 0, None))(total[x], draws[:, 0], "right")
    which = jnp.minimum(which, total.shape[1] - 1)
    return neighbours[x, which], -jnp.log1p(-draws[:, 1]) * waits[x]


@jax.jit
def _passages(
    table: Table,
    keys: Key[jax.Array, " walkers"],
    x: Int[jax.Array, " walkers"],
    target: Bool[jax.Array, " n"],
    max_jumps: int | Int[jax.Array, ""],
) -> tuple[jax.Array, ...]:
    """Jump until every walker has arrived."""
    zeros = jnp.zeros(x.shape, jnp.int64)
    begin = (jnp.asarray(1), x, jnp.zeros(x.shape), zeros, target[x])

    def unfinished(carry: Any) -> jax.Array:
        return ~jnp.all(carry[4]) & (carry[0] <= max_jumps)

    def advance(carry: Any) -> Any:
        count, x, time, jumps, done = carry
        there, wait = _jump(table, keys, count, x)
        x = jnp.where(done, x, there)
        time = jnp.where(done, time, time + wait)
        return count + 1, x, time, jumps + (~done).astype(jumps.dtype), done | target[x]

    _, x, time, jumps, done = jax.lax.while_loop(unfinished, advance, begin)
    return x, time, jumps, done


def _follow(
    table: Table, keys: Key[jax.Array, " walkers"], start: Int[jax.Array, ""], jumps: int
) -> tuple[jax.Array, jax.Array]:
    """States and waiting times, jumps first."""

    def advance(x: jax.Array, count: jax.Array) -> Any:
        there, wait = _jump(table, keys, count, x)
        return there, (x, wait)

    x = jnp.full(keys.shape[:1], start)
    return jax.lax.scan(advance, x, jnp.arange(jumps))[1]
