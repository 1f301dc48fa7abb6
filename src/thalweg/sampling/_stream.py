"""The one loop over Monte Carlo steps, and what it remembers of every chain while it runs."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import Array, Float, Int, PRNGKey

from ._targets import Target
from .kernels import AbstractKernel, Info

_PICK = 1 << 30
"""Number of the random stream that picks a kept draw; steps split their key from zero up."""


class Record(eqx.Module):
    """Running statistics of every chain; a few numbers a chain, whatever the number of steps.

    Attributes:
        steps: Steps so far.
        accepted: Steps in which the point moved.
        run: Length of the present run of rejections.
        longest: Longest such run.
        evaluations: Calls of the target since the record was last emptied on the host.
        bad: Draws that broke the contract.
        mean: Running mean of every observable (of its shifted value).
        square: Running mean of its square.
        log_weight: Running mean of the stored log-weight.
        shift: What is subtracted from an observable before it is summed, against rounding.
    """

    steps: Int[Array, ""]
    accepted: Int[Array, " chains"]
    run: Int[Array, " chains"]
    longest: Int[Array, " chains"]
    evaluations: Int[Array, " chains"]
    bad: Int[Array, " chains"]
    mean: Float[Array, "observables chains"]
    square: Float[Array, "observables chains"]
    log_weight: Float[Array, " chains"]
    shift: Float[Array, " observables"]


def observables(observe: Callable | None, target: Target, x: Array) -> Array:
    """Observables of points `(dof, *lanes)`, as `(observables, *lanes)`."""
    if observe is None:
        return x
    flat = x.reshape(x.shape[0], -1)
    shape = target.domain.shape

    def one(x: Array) -> Array:
        return jnp.atleast_1d(jnp.asarray(observe(x.reshape(shape)))).astype(x.dtype).reshape(-1)

    value = jax.vmap(one, in_axes=-1, out_axes=-1)(flat)
    return value.reshape(value.shape[0], *x.shape[1:])


def empty_record(
    kernel: AbstractKernel, target: Target, observe: Callable | None, state: Any
) -> Record:
    """A record of nothing, shifted to where the chains are now."""
    value = observables(observe, target, kernel.position(state))
    chains = value.shape[-1]
    none = jnp.zeros(chains, jnp.int32)
    return Record(
        steps=jnp.zeros((), jnp.int32),
        accepted=none,
        run=none,
        longest=none,
        evaluations=none,
        bad=none,
        mean=jnp.zeros_like(value),
        square=jnp.zeros_like(value),
        log_weight=jnp.zeros(chains, value.dtype),
        shift=jnp.mean(value, axis=-1),
    )


def _add(
    record: Record,
    kernel: AbstractKernel,
    target: Target,
    observe: Callable | None,
    state: Any,
    info: Info,
) -> Record:
    """The record after one more step."""
    if kernel.recycles:
        x, weights = kernel.points(state)
        value = observables(observe, target, x) - record.shift[:, None, None]
        first, second = (jnp.sum(weights * value**power, axis=1) for power in (1, 2))
    else:
        x = kernel.position(state)
        first = observables(observe, target, x) - record.shift[:, None]
        second = first * first
    steps = record.steps + 1
    part = 1 / steps.astype(first.dtype)
    run = jnp.where(info.accepted, 0, record.run + 1)
    stored = kernel.log_weight(state)
    return Record(
        steps=steps,
        accepted=record.accepted + info.accepted.astype(jnp.int32),
        run=run,
        longest=jnp.maximum(record.longest, run),
        evaluations=record.evaluations + info.evaluations,
        bad=record.bad + info.bad.astype(jnp.int32),
        mean=record.mean + part * (first - record.mean),
        square=record.square + part * (second - record.square),
        log_weight=record.log_weight + part * (stored - record.log_weight),
        shift=record.shift,
    )


class Draws(eqx.Module):
    """What is kept of a chain's way.

    Attributes:
        x: One draw from the target for each kept step.
        log_weight: The stored log-weight there.
        points: Weighted points for kernels that recycle waste.
        weights: Their weights.
    """

    x: Float[Array | np.ndarray, "*kept dof chains"]
    log_weight: Float[Array | np.ndarray, "*kept chains"]
    points: Float[Array | np.ndarray, "*kept dof points chains"] | None
    weights: Float[Array | np.ndarray, "*kept points chains"] | None


@eqx.filter_jit
def advance(  # noqa: PLR0913 - a compiled loop takes all it needs
    kernel: AbstractKernel,
    target: Target,
    observe: Callable | None,
    key: PRNGKey,
    state: Any,
    record: Record,
    first: Int[Array, ""],
    kept: int,
    thin: int,
    points: bool,  # noqa: FBT001 - static
) -> tuple[Any, Record, Draws]:
    """`kept × thin` steps; step number `n` uses the key `fold_in(key, n)` and no other."""
    numbers = first + jnp.arange(kept * thin)
    keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(numbers).reshape(kept, thin)

    def one(carry: tuple[Any, Record], key: PRNGKey) -> tuple[tuple[Any, Record], None]:
        state, info = kernel.step(target, key, carry[0])
        return (state, _add(carry[1], kernel, target, observe, state, info)), None

    def several(carry: tuple[Any, Record], keys: Array) -> tuple[tuple[Any, Record], Draws]:
        if thin == 1:
            carry, _ = one(carry, keys[0])
        else:
            carry, _ = jax.lax.scan(one, carry, keys)
        state = carry[0]
        x = kernel.draw(jax.random.fold_in(keys[-1], _PICK), state)
        recycled = kernel.points(state) if points else (None, None)
        return carry, Draws(x, kernel.log_weight(state), *recycled)

    (state, record), draws = jax.lax.scan(several, (state, record), keys)
    return state, record, draws
