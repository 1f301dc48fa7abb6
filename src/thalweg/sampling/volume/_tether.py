r"""The tethered ladder: walkers in a basin, held to its centre by springs of many strengths.

A walker with spring constant $\kappa_k$ samples $p(x)\, e^{-\kappa_k r^2/2}$: a Gaussian step is
taken if the spring allows it *and* the oracle passes the new point. The answer for the point where
a walker stands is kept and never asked for again, which makes this exact for oracles of chance;
neighbours on the ladder exchange points, and the answers travel with them, so exchange costs no
call. At the stiffest spring the integral is known from independent draws; MBAR, in which only the
springs enter because all rungs share the answers, leads from there to $\kappa = 0$:

$$ \log V = \log Z_{\kappa_{\max}} + f_{\kappa_{\max}} - f_0. $$

Every walker begins at a point that has passed, never at one that is merely assumed to. Several
groups of walkers are independent of each other: their scatter is the error.

Sources: Xu, Frenkel & Liu, Phys. Rev. Lett. 106, 245502 (2011); Asenjo, Paillusson & Frenkel, Phys.
Rev. Lett. 112, 098002 (2014); Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017), for oracles of
chance; Shirts & Chodera, J. Chem. Phys. 129, 124105 (2008), for MBAR.
"""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy import special

from thalweg.core import AbstractOracle, ArgumentError, PRNGKey
from thalweg.sampling._mbar import mbar_free_energies

from ._hit_or_miss import HitOrMiss, Interrupted, Questions
from ._oracles import Region

_GROUPS = 8
"""Independent groups of walkers: seven degrees of freedom for the error."""

_CHUNK = 25
"""Sweeps in one compiled call; the last chunk of a run is a whole one too."""

_WARMUP = 0.2
_ACCEPTANCE = 0.25
_GAIN = 0.2
_DISTANCE = 0.7
"""Neighbouring rungs differ by so many standard deviations of `r²/2 · Δκ`."""

_RUNGS = (4, 32)
_MOST = 12_000
"""Squared radii that enter one MBAR solution."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TetheredLadder:
    """What walkers on springs say.

    Attributes:
        springs: Spring constants, descending to 0, `(rungs,)`.
        log_integrals: `log ∫ p exp(-κ r²/2)` of each; the last is the volume's.
        log_volume: The estimate.
        log_volume_se: Standard error between independent groups, reference included.
        error: Half the 95 % interval, by Student's t.
        mean_square: Mean square distance on each rung, `(rungs,)`; the last is the basin's.
        mean_square_se: Standard error of the last one.
        acceptance: Share of steps accepted on each rung.
        exchange: Share of exchanges accepted between each rung and the next.
        drift: Volume from the second half of the run against the first, in standard errors.
        groups: Independent groups.
        walkers: Walkers on each rung.
        sweeps: Sweeps recorded.
    """

    springs: Float[np.ndarray, " rungs"]
    log_integrals: Float[np.ndarray, " rungs"]
    log_volume: float
    log_volume_se: float
    error: float
    mean_square: Float[np.ndarray, " rungs"]
    mean_square_se: float
    acceptance: Float[np.ndarray, " rungs"]
    exchange: Float[np.ndarray, " gaps"]
    drift: float
    groups: int
    walkers: int
    sweeps: int


class TooFewCalls(ArgumentError):
    """A ladder cannot be sampled with so few."""


class _Walkers(eqx.Module):
    """Displacements that have passed, lanes last; rungs before chains."""

    u: Float[Array, "dim lanes"]
    square: Float[Array, " lanes"]
    log_step: Float[Array, " rungs"]


class _Ladder(eqx.Module):
    """What does not change during a run."""

    springs: Float[Array, " rungs"]
    chains: int = eqx.field(static=True)


def choose_springs(first: HitOrMiss) -> Float[np.ndarray, " rungs"]:
    """Spring constants evenly spaced in thermodynamic length, by reweighting independent hits."""
    thinned = slice(None, None, max(1, len(first.points) // 5_000))
    square, weights = np.sum(first.points[thinned] ** 2, axis=1), first.log_weights[thinned]
    top = 1.0 / first.widths[0] ** 2
    low = 1e-3 / max(float(square.max()), 1e-300)
    grid = np.concatenate([[0.0], np.geomspace(min(low, 1e-3 * top), top, 200)])
    spread = np.empty(len(grid))
    for i, spring in enumerate(grid):
        log_w = weights - 0.5 * spring * square
        w = np.exp(log_w - special.logsumexp(log_w))
        spread[i] = 0.5 * math.sqrt(max(float(w @ (square - w @ square) ** 2), 0.0))
    length = np.concatenate([[0.0], np.cumsum(0.5 * (spread[1:] + spread[:-1]) * np.diff(grid))])
    count = int(np.clip(math.ceil(length[-1] / _DISTANCE) + 1, *_RUNGS))
    return np.interp(np.linspace(length[-1], 0.0, count), length, grid)


def _starts(
    first: HitOrMiss, springs: np.ndarray, chains: int, key: PRNGKey
) -> Float[np.ndarray, "dim lanes"]:
    """Measured passes, drawn for each rung with the weights that its law gives them."""
    square = np.sum(first.points**2, axis=1)
    uniform = np.asarray(jax.random.uniform(key, (len(springs), chains)))
    picks = []
    for i, spring in enumerate(springs):
        log_w = first.log_weights - 0.5 * spring * square
        ranks = np.cumsum(np.exp(log_w - log_w.max()))
        picks.append(np.searchsorted(ranks, uniform[i] * ranks[-1]))
    return first.points[np.concatenate(picks)].T


def climb_ladder(ask: Questions, first: HitOrMiss, key: PRNGKey, calls: int) -> TetheredLadder:
    """Sample the ladder and solve MBAR.

    Args:
        ask: Who is asked.
        first: Independent draws, which give the reference, the rungs and the starting points.
        key: Random key.
        calls: About how many calls to make.

    Raises:
        ArgumentError: if `calls` does not suffice for anything.
        Interrupted: if somebody asked to stop before there was enough to tell.
    """
    springs = choose_springs(first)
    rungs = len(springs)
    each = int(np.clip(calls // (rungs * _GROUPS * 2_000), 1, 8))
    chains = each * _GROUPS
    sweeps = calls // (rungs * chains)
    if sweeps < 3 * _CHUNK:
        raise TooFewCalls(
            f"{calls:,} calls give {sweeps} sweeps of a ladder with {rungs} rungs and {chains} "
            "walkers each",
            f"give at least {3 * _CHUNK * rungs * chains:,} calls to this stage",
        )
    start_key, run_key = jax.random.split(key)
    u = jnp.asarray(_starts(first, springs, chains, start_key))
    square = jnp.sum(u * u, axis=0)
    typical = jnp.sqrt(jnp.mean(square.reshape(rungs, chains), axis=1) / ask.dim)
    walkers = _Walkers(u=u, square=square, log_step=jnp.log(1.5 * typical / math.sqrt(ask.dim)))
    ladder = _Ladder(jnp.asarray(springs), chains)
    # Compiled sweeps come in chunks, so that every run is the same program.
    warm = _CHUNK * max(1, round(_WARMUP * sweeps / _CHUNK))
    run = _run_on_host if ask.on_host else _run_compiled
    walkers, _ = run(ask, ladder, walkers, jax.random.fold_in(run_key, 0), warm, _GAIN)
    _, records = run(ask, ladder, walkers, jax.random.fold_in(run_key, 1), sweeps - warm, 0.0)
    if len(records[0]) < 40:
        raise Interrupted
    return _solve(first, springs, chains, records)


Records = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Squared radii `(sweeps, rungs, chains)`; accepted, exchanged and tried `(sweeps, …)`."""


def _propose(
    ladder: _Ladder, walkers: _Walkers, key: PRNGKey
) -> tuple[Float[Array, "dim lanes"], Bool[Array, " lanes"]]:
    """New displacements, and whether the springs allow them."""
    step_key, accept_key = jax.random.split(key)
    step = jnp.repeat(jnp.exp(walkers.log_step), ladder.chains)
    noise = jax.random.normal(step_key, walkers.u.shape, jnp.float32).astype(walkers.u.dtype)
    u = walkers.u + step * noise
    change = 0.5 * jnp.repeat(ladder.springs, ladder.chains) * (jnp.sum(u * u, 0) - walkers.square)
    return u, jnp.log(jax.random.uniform(accept_key, change.shape)) < -change


def _settle(
    ladder: _Ladder,
    walkers: _Walkers,
    u: Float[Array, "dim lanes"],
    accept: Bool[Array, " lanes"],
    key: PRNGKey,
    number: Array,
    gain: Array,
) -> tuple[_Walkers, tuple[Array, ...]]:
    """Move those that passed, then exchange neighbours: odd and even pairs in turn."""
    rungs, chains = len(ladder.springs), ladder.chains
    share = jnp.mean(accept.reshape(rungs, chains).astype(u.dtype), axis=1)
    log_step = walkers.log_step + gain * (share - _ACCEPTANCE)
    here = jnp.where(accept, u, walkers.u)
    square = jnp.sum(here * here, axis=0)
    table = square.reshape(rungs, chains)
    gap = (ladder.springs[:-1] - ladder.springs[1:])[:, None]
    log_ratio = 0.5 * gap * (table[:-1] - table[1:])
    turn = (jnp.arange(rungs - 1) % 2 == number % 2)[:, None]
    swap = turn & (jnp.log(jax.random.uniform(key, log_ratio.shape)) < log_ratio)
    none = jnp.zeros((1, chains), bool)
    up, down = jnp.concatenate([swap, none]), jnp.concatenate([none, swap])
    rows = jnp.arange(rungs)[:, None]
    source = rows + up.astype(rows.dtype) - down.astype(rows.dtype)
    lanes = (source * chains + jnp.arange(chains)).reshape(-1)
    walkers = _Walkers(u=here[:, lanes], square=square[lanes], log_step=log_step)
    tried = jnp.broadcast_to(turn, swap.shape)
    record = (
        walkers.square.reshape(rungs, chains),
        share,
        jnp.sum(swap, axis=1),
        jnp.sum(tried, axis=1),
    )
    return walkers, record


@eqx.filter_jit
def _sweeps(
    ladder: _Ladder,
    asked: tuple[AbstractOracle, Region | None, Array, Array],
    walkers: _Walkers,
    key: PRNGKey,
    first: Array,
    gain: Array,
) -> tuple[_Walkers, tuple[tuple[Array, ...], Array]]:
    """One chunk; all runs of a ladder share this program."""
    oracle, region, centre, directions = asked

    def sweep(walkers: _Walkers, number: Array) -> tuple[_Walkers, tuple[tuple[Array, ...], Array]]:
        move_key, ask_key, swap_key = jax.random.split(jax.random.fold_in(key, number), 3)
        u, allowed = _propose(ladder, walkers, move_key)
        x = centre[:, None] + directions.T @ u
        if region is not None:
            allowed = allowed & region(x)
        keys = jax.random.split(ask_key, x.shape[1])
        accept = allowed & jax.vmap(oracle, in_axes=(0, 1))(keys, x)
        walkers, record = _settle(ladder, walkers, u, accept, swap_key, number, gain)
        return walkers, (record, jnp.sum(allowed))

    return jax.lax.scan(sweep, walkers, first + jnp.arange(_CHUNK))


def _run_compiled(
    ask: Questions, ladder: _Ladder, walkers: _Walkers, key: PRNGKey, sweeps: int, gain: float
) -> tuple[_Walkers, Records]:
    """Sweeps of an oracle that JAX compiles, in chunks."""
    asked = (ask.oracle, ask.region, jnp.asarray(ask.centre), jnp.asarray(ask.directions))
    parts: list[Any] = []
    for first in range(0, sweeps, _CHUNK):
        if ask.stop is not None and ask.stop():
            break
        walkers, (record, calls) = _sweeps(
            ladder, asked, walkers, key, jnp.asarray(first), jnp.asarray(gain)
        )
        parts.append([np.asarray(a) for a in record])
        ask.calls += int(calls.sum())
    if not parts:
        raise Interrupted
    squares, accepted, swapped, tried = (np.concatenate(p) for p in zip(*parts, strict=True))
    return walkers, (squares, accepted, swapped, tried)


_propose_one = eqx.filter_jit(_propose)
_settle_one = eqx.filter_jit(_settle)


def _run_on_host(
    ask: Questions, ladder: _Ladder, walkers: _Walkers, key: PRNGKey, sweeps: int, gain: float
) -> tuple[_Walkers, Records]:
    """Sweeps of an oracle on the host, which is asked only where the springs allow it."""
    parts: list[Any] = []
    for number in range(sweeps):
        move_key, ask_key, swap_key = jax.random.split(jax.random.fold_in(key, number), 3)
        u, allowed = _propose_one(ladder, walkers, move_key)
        accept = np.array(allowed)
        wanted = np.flatnonzero(accept)
        try:
            accept[wanted] = ask(ask_key, np.asarray(u).T[wanted])
        except Interrupted:
            break
        walkers, record = _settle_one(
            ladder,
            walkers,
            u,
            jnp.asarray(accept),
            swap_key,
            jnp.asarray(number),
            jnp.asarray(gain),
        )
        parts.append([np.asarray(a)[None] for a in record])
    if not parts:
        raise Interrupted
    squares, accepted, swapped, tried = (np.concatenate(p) for p in zip(*parts, strict=True))
    return walkers, (squares, accepted, swapped, tried)


def _solve(first: HitOrMiss, springs: np.ndarray, chains: int, records: Records) -> TetheredLadder:
    """MBAR of everything, of each group, and of both halves."""
    squares, accepted, swapped, tried = records
    sweeps = len(squares)
    mean_square = squares.mean(axis=(0, 2))
    # Thermodynamic integration is the first guess: df/dκ = ⟨r²⟩/2.
    rise = 0.25 * (mean_square[1:] + mean_square[:-1]) * np.diff(springs)
    guess = np.concatenate([[0.0], np.cumsum(rise)])
    free = _free_energies(squares, springs, guess)
    groups = [squares[:, :, i::_GROUPS] for i in range(_GROUPS)]
    alone = np.array([_free_energies(part, springs, guess)[-1] for part in groups])
    halves = [
        _free_energies(part, springs, guess)[-1]
        for part in (squares[: sweeps // 2], squares[sweeps // 2 :])
    ]
    between = float(alone.std(ddof=1) / math.sqrt(_GROUPS))
    log_reference, reference_se = first.log_reference
    quantile = float(special.stdtrit(_GROUPS - 1, 0.975))
    own = np.array([part[:, -1].mean() for part in groups])
    return TetheredLadder(
        springs=springs,
        log_integrals=log_reference - free,
        log_volume=float(log_reference - free[-1]),
        log_volume_se=math.hypot(between, reference_se),
        error=math.hypot(quantile * between, 1.96 * reference_se),
        mean_square=mean_square,
        mean_square_se=float(own.std(ddof=1) / math.sqrt(_GROUPS)),
        acceptance=accepted.mean(axis=0),
        exchange=swapped.sum(axis=0) / np.maximum(tried.sum(axis=0), 1),
        # A half has twice the variance, and their difference four times that of the whole.
        drift=float((halves[0] - halves[1]) / max(2.0 * between, 1e-12)),
        groups=_GROUPS,
        walkers=chains,
        sweeps=sweeps,
    )


def _free_energies(
    squares: Float[np.ndarray, "sweeps rungs chains"],
    springs: Float[np.ndarray, " rungs"],
    guess: Float[np.ndarray, " rungs"],
) -> Float[np.ndarray, " rungs"]:
    """Reduced free energies of the rungs against the first, by MBAR on `κ r²/2`."""
    stride = max(1, -(-squares.size // _MOST))
    flat = np.moveaxis(squares[::stride], 1, 0).reshape(1, -1)
    return mbar_free_energies(0.5 * springs[:, None] * flat, guess)
