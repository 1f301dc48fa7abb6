r"""Warm-up: where chains forget their start and the size of trial moves is chosen. All discarded.

Every chain tries every size in turn, so that good and bad sizes are seen from the same points; the
size with the largest expected squared jump,

$$
\Big\langle \sum_i \frac{(\Delta x_i)^2}{\mathrm{Var}\,x_i} \Big\rangle ,
$$

for what it costs is taken (Pasarica & Gelman, Stat. Sinica 20, 343 (2010)), first on a coarse grid,
then on a fine one. Unlike a wanted acceptance it needs no knowledge of how much of the rejection is
the noise's doing. Then the size is frozen: adaptation for ever would not keep the stationary law.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Float, Int, PRNGKey

from ._support import Box
from ._targets import Target
from .kernels import AbstractKernel

_COARSE = 12
"""Sizes on the first grid, each half the one before."""

_FINE = 8
"""Sizes on the second grid, over three octaves."""

_PERIOD = 8
"""Steps for which a chain keeps a size before it tries the next one."""

_STEP_COST = 0.2
"""What a step costs besides its evaluations, in evaluations: those that skip some are not free."""

_LEAST = 2 * _PERIOD * (_COARSE + _FINE)
"""Steps that a choice takes at least."""


@dataclasses.dataclass(frozen=True)
class WarmUp:
    """What warm-up did.

    Attributes:
        steps: Steps thrown away.
        evaluations: Calls of the target, all chains together.
        scale: The size of moves that was chosen, `None` if there was nothing to choose.
        bad: Draws that broke the contract.
    """

    steps: int
    evaluations: int
    scale: float | None
    bad: int


def warm_up(
    kernel: AbstractKernel, target: Target, key: PRNGKey, state: Any, steps: int
) -> tuple[AbstractKernel, Any, WarmUp]:
    """The kernel with its size frozen, the state after `steps` discarded steps, and the story.

    Raises:
        ArgumentError: if a size must be chosen and there are too few steps to do it.
    """
    x = kernel.position(state)
    choose = kernel.scale is None and kernel.tunable
    if choose and steps < _LEAST:
        raise ArgumentError(
            f"warmup={steps} is too short to choose the size of moves",
            f"give warmup={_LEAST} or more, or the size: kernel with scale=...",
        )
    total = np.zeros(2, dtype=np.int64)
    if not choose:
        fixed = with_scale(kernel, 1.0 if kernel.scale is None else kernel.scale, x.dtype)
        if steps:
            state, _, spent = _try(fixed, target, key, state, jnp.ones(1), steps, vary=False)
            total += np.asarray(spent, dtype=np.int64)
        return fixed, state, WarmUp(steps, int(total[0]), None, int(total[1]))
    grid = _first_grid(target, np.asarray(x))
    best = float(grid[0])
    first, second = _whole(steps * 2 // 5, _COARSE), _whole(steps * 3 // 10, _FINE)
    for number, (count, size) in enumerate(((first // 2, 0), (first // 2, 1), (second, 2))):
        grid = grid if number < 2 else size_grid(best)
        stream = jax.random.fold_in(key, number)
        state, gain, spent = _try(
            kernel, target, stream, state, jnp.asarray(grid, x.dtype), count, vary=True
        )
        total += np.asarray(spent, dtype=np.int64)
        if size:
            best = float(grid[int(np.argmax(np.asarray(gain)))])
    frozen = with_scale(kernel, best, x.dtype)
    rest = max(0, steps - 2 * (first // 2) - second)
    if rest:
        stream = jax.random.fold_in(key, 3)
        state, _, spent = _try(frozen, target, stream, state, jnp.ones(1), rest, vary=False)
        total += np.asarray(spent, dtype=np.int64)
    return frozen, state, WarmUp(steps, int(total[0]), float(best), int(total[1]))


def with_scale(kernel: AbstractKernel, scale: Any, dtype: Any) -> AbstractKernel:
    """The same kernel with another size of moves."""
    return eqx.tree_at(
        lambda k: k.scale, kernel, jnp.asarray(scale, dtype), is_leaf=lambda leaf: leaf is None
    )


def size_grid(centre: float) -> np.ndarray:
    """Sizes around one that is known to be good."""
    return centre * 2.0 ** np.linspace(-1.5, 1.5, _FINE)


def _whole(steps: int, sizes: int) -> int:
    """As many steps as let every chain try all sizes equally often, twice over."""
    turn = 2 * _PERIOD * sizes
    return max(turn, steps // turn * turn)


def _first_grid(target: Target, x: Float[np.ndarray, "dof chains"]) -> np.ndarray:
    support = target.domain.support
    if isinstance(support, Box):
        length = float(np.mean(np.subtract(support.upper, support.lower))) / 2
    else:
        spread = float(np.sqrt(np.mean(np.var(x, axis=1))))
        length = 4.0 * (spread if spread > 0 else 1.0)
    return length * 0.5 ** np.arange(_COARSE)


@eqx.filter_jit
def _try(
    kernel: AbstractKernel,
    target: Target,
    key: PRNGKey,
    state: Any,
    grid: Float[Array, " sizes"],
    steps: int,
    *,
    vary: bool,
) -> tuple[Any, Float[Array, " sizes"], Int[Array, "two"]]:
    """Steps at all sizes in turn: state, squared jump for its cost at each size, what was spent."""
    count, chains = len(grid), kernel.position(state).shape[1]
    lane = jnp.arange(chains)

    def one(carry: tuple, number: Array) -> tuple[tuple, None]:
        state, jump, cost, spread, centre, spent = carry
        which = (lane + number // _PERIOD) % count
        used = with_scale(kernel, grid[which], grid.dtype) if vary else kernel
        before = kernel.position(state)
        state, info = used.step(target, jax.random.fold_in(key, number), state)
        after = kernel.position(state)
        move = target.domain.difference(before, after)
        # Coordinates count in units of their own spread, as far as it is known by now.
        part = 1 / (number + 1).astype(grid.dtype)
        centre += part * (jnp.mean(after, axis=1) - centre)
        away = after - centre[:, None]
        spread += part * (jnp.mean(away * away, axis=1) - spread)
        length = jnp.sum(move * move / jnp.maximum(spread, 1e-30)[:, None], axis=0)
        one_hot = (which[None, :] == jnp.arange(count)[:, None]).astype(grid.dtype)
        jump += one_hot @ length.astype(grid.dtype)
        cost += one_hot @ (info.evaluations.astype(grid.dtype) + _STEP_COST)
        spent += jnp.stack([jnp.sum(info.evaluations), jnp.sum(info.bad.astype(jnp.int32))]).astype(
            spent.dtype
        )
        return (state, jump, cost, spread, centre, spent), None

    none = jnp.zeros(count, grid.dtype)
    x = kernel.position(state)
    spread = jnp.maximum(jnp.var(x, axis=1), 1e-30).astype(grid.dtype)
    begin = (state, none, none, spread, jnp.mean(x, axis=1), jnp.zeros(2, _counter()))
    end, _ = jax.lax.scan(one, begin, jnp.arange(steps))
    state, jump, cost, _, _, spent = end
    return state, jump / jnp.maximum(cost, _STEP_COST), spent


def _counter() -> Any:
    return jnp.int64 if jax.config.read("jax_enable_x64") else jnp.int32
