r"""Parallel tempering: Metropolis walkers on a ladder of temperatures that exchange places.

A walker at temperature $T_k$ displaces all its coordinates at once by independent normal steps and
accepts with probability $\min(1, e^{-\Delta E/kT_k})$. After every few moves, neighbours on the
ladder exchange configurations with probability
$\min(1, e^{(1/kT_k - 1/kT_{k+1})(E_k - E_{k+1})})$, odd and even pairs in turn. Both keep the
Boltzmann law of every temperature. Steps are adapted during a warm-up that is thrown away, and then
fixed, since adaptation for ever would not keep it.

Several independent ladders (*replicas*) run side by side from different starting points: what they
disagree about has not been sampled, and their scatter is an honest error bar.

Sources: Swendsen & Wang, Phys. Rev. Lett. 57, 2607 (1986); Geyer, Computing Science and Statistics
23, 156 (1991); Earl & Deem, Phys. Chem. Chem. Phys. 7, 3910 (2005).
"""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import ArrayLike

from thalweg.core import (
    AbstractEnergy,
    AbstractLaneEnergy,
    ArgumentError,
    Outcome,
    PRNGKey,
    System,
    as_key,
    require_x64,
    start_points,
    value_and_grad,
)
from thalweg.search import quench_many

Constraint = Callable[[Float[Array, "dof lanes"]], Bool[Array, " lanes"]]
"""Which points of a block a walker may visit."""

_CHUNK = 200
"""Sweeps in one compiled call; between calls the clock is looked at."""

_GAIN = 0.05
"""How fast the logarithm of a step follows acceptance during the warm-up."""

_START_ROUNDS = 8
"""How many batches of random starts are quenched before giving up."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TemperingSamples:
    """What the walkers of a parallel-tempering run saw after the warm-up.

    Attributes:
        temperatures: The ladder, ascending, `(temperatures,)`.
        energies: Energy of the walker at each temperature after each sweep,
            `(sweeps, temperatures, replicas)`; the replicas are independent of each other.
        acceptance: Share of moves accepted at each temperature.
        exchange: Share of exchanges accepted between each temperature and the next.
        steps: Standard deviation of a coordinate's displacement at each temperature.
        round_trips: How many times a configuration came from the top of the ladder to its
            bottom, for each replica.
        points: Where the walkers ended, `(temperatures, replicas, dof)`.
        boltzmann: k_B in the unit of energy per unit of temperature.
        moves: Moves in a sweep.
        warmup: Sweeps thrown away.
        seconds: How long it took.
    """

    temperatures: Float[np.ndarray, " temperatures"]
    energies: Float[np.ndarray, "sweeps temperatures replicas"]
    acceptance: Float[np.ndarray, " temperatures"]
    exchange: Float[np.ndarray, " gaps"]
    steps: Float[np.ndarray, " temperatures"]
    round_trips: Int[np.ndarray, " replicas"]
    points: Float[np.ndarray, "temperatures replicas dof"]
    boltzmann: float
    moves: int
    warmup: int
    seconds: float

    @property
    def evaluations(self) -> int:
        """How many energies the samples cost, warm-up included."""
        sweeps, temperatures, replicas = self.energies.shape
        return (sweeps + self.warmup) * self.moves * temperatures * replicas


class _Walkers(eqx.Module):
    """Configurations and what travels with them, lanes last; temperatures before replicas."""

    x: Float[Array, "dof lanes"]
    energy: Float[Array, " lanes"]
    from_top: Bool[Array, " lanes"]
    trips: Int[Array, " replicas"]
    log_step: Float[Array, " temperatures"]


class _Run(eqx.Module):
    """What does not change while walkers run."""

    system: System
    kt: Float[Array, " temperatures"]
    replicas: int = eqx.field(static=True)
    moves: int = eqx.field(static=True)
    acceptance: float
    constraint: Constraint | None


def parallel_tempering(  # noqa: PLR0913 - all but three have defaults
    system: System,
    temperatures: Sequence[float] | Float[np.ndarray, " temperatures"],
    key: PRNGKey | int = 0,
    *,
    sweeps: int = 5_000,
    warmup: int | None = None,
    moves: int = 10,
    replicas: int = 4,
    start: ArrayLike | None = None,
    constraint: Constraint | None = None,
    boltzmann: float | None = None,
    acceptance: float = 0.3,
    budget: float | None = None,
) -> TemperingSamples:
    """Sample the Boltzmann law of an exact energy at many temperatures at once.

    Args:
        system: What to sample; its space keeps proposals where they belong.
        temperatures: The ladder, ascending. Neighbours should exchange at least one time in ten:
            see `TemperingSamples.exchange`.
        key: Random key, or a number to make one of; together with the other arguments it fixes
            the result (without `budget`).
        sweeps: Sweeps to record. A sweep is `moves` moves and an attempt to exchange.
        warmup: Sweeps before them in which steps are adapted; a quarter of `sweeps` by default.
        moves: Metropolis moves of all coordinates in a sweep.
        replicas: Independent ladders.
        start: One starting point `(dof,)` for all walkers, or one for each ladder,
            `(replicas, dof)`. Default: random starts, quenched, a different one for every walker.
        constraint: Where walkers may go, such as `Container(13, 2.5)`; a function of a block
            `(dof, lanes)` that returns `(lanes,)` booleans.
        boltzmann: k_B; by default that of the system's units.
        acceptance: Share of moves that steps are adapted to.
        budget: Seconds after which to stop, with fewer sweeps (at least one block of 200).

    Raises:
        ArgumentError: if an argument is out of range, or no allowed starting point was found.
        PrecisionError: if float64 is off.
    """
    require_x64()
    began = time.perf_counter()
    ladder = _checked_ladder(temperatures)
    warm = max(1, sweeps // 4) if warmup is None else warmup
    _check_positive(sweeps=sweeps, moves=moves, replicas=replicas, warmup=warm)
    if not 0 < acceptance < 1:
        raise ArgumentError(f"acceptance={acceptance} must lie between 0 and 1")
    k_b = system.units.boltzmann if boltzmann is None else float(boltzmann)
    run = _Run(system, jnp.asarray(k_b * ladder), replicas, moves, acceptance, constraint)
    start_key, warm_key, main_key = jax.random.split(as_key(key), 3)
    walkers = _begin(run, start_key, start)
    limit = math.inf if budget is None else began + budget
    share = warm / (warm + sweeps)
    walkers, _, done = _drive(
        run, walkers, warm_key, warm, began + share * (limit - began), adapt=True
    )
    warm = done
    walkers = eqx.tree_at(lambda w: w.trips, walkers, jnp.zeros_like(walkers.trips))
    walkers, records, _ = _drive(run, walkers, main_key, sweeps, limit, adapt=False)
    energies, accepted, exchanged, tried = (np.concatenate(parts) for parts in records)
    x = np.asarray(walkers.x).reshape(-1, len(ladder), replicas)
    return TemperingSamples(
        temperatures=ladder,
        energies=energies,
        acceptance=accepted.mean(axis=0),
        exchange=exchanged.sum(axis=0) / np.maximum(tried.sum(axis=0), 1),
        steps=np.exp(np.asarray(walkers.log_step)),
        round_trips=np.asarray(walkers.trips).astype(int),
        points=np.moveaxis(x, 0, -1).copy(),
        boltzmann=k_b,
        moves=moves,
        warmup=warm,
        seconds=time.perf_counter() - began,
    )


def _checked_ladder(temperatures: Sequence[float] | np.ndarray) -> np.ndarray:
    ladder = np.asarray(temperatures, dtype=float)
    if ladder.ndim != 1 or len(ladder) < 1:
        raise ArgumentError(f"temperatures has shape {ladder.shape}, expected a list of numbers")
    if not (np.isfinite(ladder).all() and ladder[0] > 0 and (np.diff(ladder) > 0).all()):
        raise ArgumentError(
            "temperatures must be positive and ascending", "np.geomspace(0.1, 0.5, 12), for one"
        )
    return ladder


def _check_positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise ArgumentError(f"{name}={value} must be at least 1")


def _begin(run: _Run, key: PRNGKey, start: ArrayLike | None) -> _Walkers:
    """Walkers at their starting points."""
    system, count = run.system, len(run.kt)
    lanes = count * run.replicas
    if start is None:
        points = _quenched_starts(run, key, lanes)
    else:
        given = np.asarray(start, dtype=float).reshape(-1, system.space.dof)
        if len(given) not in {1, run.replicas}:
            raise ArgumentError(
                f"start holds {len(given)} points, expected one, or one for each of the "
                f"{run.replicas} replicas"
            )
        points = np.tile(np.broadcast_to(given, (run.replicas, given.shape[1])), (count, 1))
    x = jnp.asarray(points.T)
    energy = lane_values(system.energy, x)
    if not bool(jnp.all(_allowed(run, x, energy))):
        raise ArgumentError(
            "a starting point lies where walkers may not go, or its energy is not finite",
            "give another start, or a wider constraint",
        )
    return _Walkers(
        x=x,
        energy=energy,
        from_top=jnp.zeros(lanes, bool),
        trips=jnp.zeros(run.replicas, jnp.int64),
        log_step=jnp.full(count, math.log(0.05 * system.length)),
    )


def _quenched_starts(run: _Run, key: PRNGKey, lanes: int) -> np.ndarray:
    """Minima reached from random starts, repeated if there are too few that are allowed."""
    system, good = run.system, []
    for batch in range(_START_ROUNDS):
        found = quench_many(system, np.asarray(start_points(system, key, batch * lanes, lanes)))
        x = jnp.asarray(found.x.T)
        fine = (found.outcome == Outcome.success) & np.asarray(
            _allowed(run, x, jnp.asarray(found.value))
        )
        good.extend(found.x[fine])
        if len(good) >= lanes:
            break
    if not good:
        raise ArgumentError(
            f"none of {_START_ROUNDS * lanes} quenched random starts is allowed by the constraint",
            "give start=, or a wider constraint",
        )
    return np.array(good)[np.arange(lanes) % len(good)]


def lane_values(energy: AbstractEnergy, x: Float[Array, "dof lanes"]) -> Float[Array, " lanes"]:
    """Energies of a block, by its own kernel where it has one."""
    if isinstance(energy, AbstractLaneEnergy):
        return value_and_grad(energy, x)[0]
    return jax.vmap(energy, in_axes=-1)(x)


def _allowed(
    run: _Run, x: Float[Array, "dof lanes"], energy: Float[Array, " lanes"]
) -> Bool[Array, " lanes"]:
    fine = jnp.isfinite(energy) & (energy >= run.system.floor)
    return fine if run.constraint is None else fine & run.constraint(x)


def _drive(
    run: _Run, walkers: _Walkers, key: PRNGKey, sweeps: int, limit: float, *, adapt: bool
) -> tuple[_Walkers, list[list[np.ndarray]], int]:
    """Sweeps in blocks until they are done or time is up; at least one block."""
    records: list[list[np.ndarray]] = [[], [], [], []]
    done = 0
    while done < sweeps and (done == 0 or time.perf_counter() < limit):
        size = min(_CHUNK, sweeps - done)
        walkers, out = _sweeps(run, walkers, key, jnp.asarray(done), size, adapt=adapt)
        for record, part in zip(records, out, strict=True):
            record.append(np.asarray(part))
        done += size
    return walkers, records, done


@eqx.filter_jit
def _sweeps(
    run: _Run, walkers: _Walkers, key: PRNGKey, first: Array, count: int, *, adapt: bool
) -> tuple[_Walkers, tuple[Array, ...]]:
    def sweep(walkers: _Walkers, number: Array) -> tuple[_Walkers, tuple[Array, ...]]:
        move_key, swap_key = jax.random.split(jax.random.fold_in(key, number))
        walkers, accepted = _moves(run, walkers, move_key, adapt=adapt)
        walkers, exchanged, tried = _exchange(run, walkers, swap_key, number)
        energy = walkers.energy.reshape(-1, run.replicas)
        return walkers, (energy, accepted, exchanged, tried)

    return jax.lax.scan(sweep, walkers, first + jnp.arange(count))


def _moves(
    run: _Run, walkers: _Walkers, key: PRNGKey, *, adapt: bool
) -> tuple[_Walkers, Float[Array, " temperatures"]]:
    """Metropolis moves of every walker, and the share accepted at each temperature."""
    kt = jnp.repeat(run.kt, run.replicas)

    def move(walkers: _Walkers, key: PRNGKey) -> tuple[_Walkers, Array]:
        step_key, accept_key = jax.random.split(key)
        step = jnp.repeat(jnp.exp(walkers.log_step), run.replicas)
        # Single precision halves the cost of a move; steps must be symmetric, not fine.
        noise = jax.random.normal(step_key, walkers.x.shape, jnp.float32).astype(walkers.x.dtype)
        x = run.system.space.retract(walkers.x + step * noise)
        energy = lane_values(run.system.energy, x)
        log_u = jnp.log(jax.random.uniform(accept_key, kt.shape))
        accept = (log_u < (walkers.energy - energy) / kt) & _allowed(run, x, energy)
        share = jnp.mean(accept.reshape(-1, run.replicas).astype(x.dtype), axis=1)
        log_step = walkers.log_step + (_GAIN * (share - run.acceptance) if adapt else 0.0)
        moved = _Walkers(
            x=jnp.where(accept, x, walkers.x),
            energy=jnp.where(accept, energy, walkers.energy),
            from_top=walkers.from_top,
            trips=walkers.trips,
            log_step=log_step,
        )
        return moved, share

    walkers, shares = jax.lax.scan(move, walkers, jax.random.split(key, run.moves))
    return walkers, jnp.mean(shares, axis=0)


def _exchange(
    run: _Run, walkers: _Walkers, key: PRNGKey, number: Array
) -> tuple[_Walkers, Array, Array]:
    """Neighbours exchange configurations: pairs (0, 1), (2, 3), … and (1, 2), … in turn."""
    count, replicas = len(run.kt), run.replicas
    energy = walkers.energy.reshape(count, replicas)
    beta = 1.0 / run.kt
    log_ratio = (beta[:-1] - beta[1:])[:, None] * (energy[:-1] - energy[1:])
    turn = (jnp.arange(count - 1) % 2 == number % 2)[:, None]
    log_u = jnp.log(jax.random.uniform(key, (count - 1, replicas)))
    accept = turn & (log_u < log_ratio)
    rows = jnp.arange(count)[:, None]
    none = jnp.zeros((1, replicas), bool)
    up, down = jnp.concatenate([accept, none]), jnp.concatenate([none, accept])
    source = rows + up.astype(rows.dtype) - down.astype(rows.dtype)
    lanes = (source * replicas + jnp.arange(replicas)).reshape(-1)
    from_top = walkers.from_top[lanes].reshape(count, replicas)
    if count > 1:
        arrived = from_top[0]
        from_top = from_top.at[0].set(False).at[-1].set(True)
    else:
        arrived = jnp.zeros(replicas, bool)
    walkers = _Walkers(
        x=walkers.x[:, lanes],
        energy=walkers.energy[lanes],
        from_top=from_top.reshape(-1),
        trips=walkers.trips + arrived.astype(walkers.trips.dtype),
        log_step=walkers.log_step,
    )
    tried = jnp.broadcast_to(turn, accept.shape)
    dtype = walkers.x.dtype
    return walkers, jnp.sum(accept, axis=1).astype(dtype), jnp.sum(tried, axis=1).astype(dtype)
