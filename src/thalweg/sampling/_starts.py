"""Where chains begin: points with a weight that was measured, not assumed."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, PRNGKey

from ._targets import Target
from .kernels import AbstractKernel

_ROUNDS = 500
"""Draws at a starting point before it is given up."""


def starting_points(target: Target, key: PRNGKey, start: Any, chains: int) -> Any:
    """Points `(dof, chains)`, and whether they may be drawn again.

    Raises:
        ArgumentError: if `start` has the wrong shape or is not finite.
    """
    dof = target.domain.dof
    if start is None:
        support = target.domain.support
        if support is None:
            return jax.random.normal(key, (dof, chains)), True
        return support.uniform(key, dof, chains), True
    given = np.asarray(start, dtype=float)
    if given.size == dof:
        given = np.broadcast_to(given.reshape(1, dof), (chains, dof))
    if given.shape != (chains, dof):
        raise ArgumentError(
            f"start has shape {given.shape}, expected ({dof},) or ({chains}, {dof})"
        )
    if not np.isfinite(given).all():
        raise ArgumentError("start holds NaN or infinite numbers")
    return jnp.asarray(given.T), False


def begin(
    kernel: AbstractKernel,
    target: Target,
    key: PRNGKey,
    start: Any,
    chains: int,
    dtype: Any,
) -> tuple[Any, int]:
    """The state of chains whose starting weights are finite, and how many rounds it took.

    A weight of zero is drawn again, at a new point if points are random: a chain may only begin
    where a positive weight has been *measured*. Where such draws are rare, so is everything after.

    Raises:
        ArgumentError: if some chain found no positive weight.
    """
    place, noise = jax.random.split(key)
    x, redraw = starting_points(target, jax.random.fold_in(place, 0), start, chains)
    x = x.astype(dtype)
    state, good = _first(kernel, target, jax.random.fold_in(noise, 0), x)
    rounds = 1
    while not bool(jnp.all(good)):
        if rounds == _ROUNDS:
            raise ArgumentError(
                f"{int(jnp.sum(~good))} of {chains} chains met no positive weight in {_ROUNDS} "
                "draws at " + ("random starting points" if redraw else "start"),
                "give start= where the weight is large: a chain that begins in a far tail stays "
                "there",
            )
        if redraw:
            x = starting_points(target, jax.random.fold_in(place, rounds), None, chains)[0]
            x = x.astype(dtype)
        new, fine = _first(kernel, target, jax.random.fold_in(noise, rounds), x)
        # Chains are the last axis of everything that belongs to them.
        state = jax.tree.map(lambda a, b, good=good: _pick(good, a, b), state, new)
        good = good | fine
        rounds += 1
    return state, rounds


def _pick(good: Any, old: Any, new: Any) -> Any:
    if old.ndim == 0 or old.shape[-1] % len(good):
        return old
    return jnp.where(jnp.tile(good, old.shape[-1] // len(good)), old, new)


@eqx.filter_jit
def _first(kernel: AbstractKernel, target: Target, key: PRNGKey, x: Any) -> tuple[Any, Any]:
    state = kernel.init(target, key, x)
    good = jnp.isfinite(kernel.log_weight(state))
    return state, good & jnp.isfinite(target.domain.log_prior(kernel.position(state)))
