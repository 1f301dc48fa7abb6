"""Numbers that a network keeps when its hidden units change places, signs or scales; in JAX."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ._invariants import Features
from ._network_layers import HiddenLayer
from ._shapes import Block

_SEED = 19920
_PROBES = 3


def features(layers: tuple[HiddenLayer, ...], gauge: tuple, x: Block) -> Features:
    """Invariants of a point or of a block, scaled like parameters."""
    single = functools.partial(_features, layers, gauge)
    return single(x) if x.ndim == 1 else jax.vmap(single, in_axes=-1, out_axes=-1)(x)


def _features(
    layers: tuple[HiddenLayer, ...], gauge: tuple, x: Float[Array, " dof"]
) -> Float[Array, " features"]:
    for places in gauge:
        at = np.array(places)
        x = x.at[at].add(-jnp.mean(x[at]))
    fixed = np.ones(x.shape[0], bool)
    for layer in layers:
        fixed[layer.incoming] = fixed[layer.outgoing] = False
    parts = [x[np.flatnonzero(fixed)] @ _probe(int(fixed.sum()), 2).astype(x.dtype)]
    if any(layer.kind == "homogeneous" for layer in layers):
        return jnp.concatenate([*parts, _path_norms(layers, x)])
    size = jnp.sqrt(jnp.sum(x * x) + 1e-300)
    parts.append(size[None])
    for number, layer in enumerate(layers):
        into, out = x[layer.incoming], x[layer.outgoing]
        others = [other for k, other in enumerate(layers) if k != number]
        own_in, own_out = (_own(places, others) for places in (layer.incoming, layer.outgoing))
        both = jnp.concatenate([into, out], axis=1)
        parts.append(_power_means(jnp.stack([_norm(into), _norm(out), _norm(both)])))
        left = into[:, own_in] @ _probe(len(own_in), _PROBES).astype(x.dtype)
        right = out[:, own_out] @ _probe(len(own_out), _PROBES).astype(x.dtype)
        parts.append(_power_means(jnp.concatenate([left, right], axis=1).T))
        parts.append(jnp.sum(left * right, axis=0) / size)
    return jnp.concatenate(parts)


def _norm(rows: Float[Array, "units some"]) -> Float[Array, " units"]:
    return jnp.sqrt(jnp.sum(rows * rows, axis=1))


def _power_means(rows: Float[Array, "kinds units"]) -> Float[Array, " means"]:
    """Euclidean and sixth-power norms over the units: signs and places do not matter."""
    scale = jnp.maximum(jnp.max(jnp.abs(rows), axis=1, keepdims=True), 1e-300)
    unit = rows / scale
    means = [scale[:, 0] * jnp.sum(unit**power, axis=1) ** (1.0 / power) for power in (2, 6)]
    return jnp.concatenate(means)


def _path_norms(
    layers: tuple[HiddenLayer, ...], x: Float[Array, " dof"]
) -> Float[Array, " features"]:
    """Sums over paths of products of squared parameters, which no scaling of units changes.

    Two sums, with different weights of the paths' beginnings, and of their ends.

    Source: the path norm of Neyshabur, Tomioka & Srebro, COLT (2015).
    """
    found = []
    for kind in range(_PROBES):
        # What arrives at each unit: its own parameters, and the paths through the layer before.
        arrived = None
        for number, layer in enumerate(layers):
            before = layers[number - 1 : number] if number else ()
            own = _own(layer.incoming, before)
            weight = (1.0 + 0.5 * _probe(len(own), _PROBES)[:, kind]).astype(x.dtype)
            here = (x[layer.incoming[:, own]] ** 2) @ weight**2
            if arrived is not None:
                here = here + (x[layers[number - 1].outgoing] ** 2).T @ arrived
            arrived = here
        last = layers[-1].outgoing
        weight = (1.0 + 0.5 * _probe(last.shape[1], _PROBES)[:, kind]).astype(x.dtype)
        assert arrived is not None
        leaving = (x[last] ** 2) @ weight**2
        through = arrived * leaving
        depth = 2.0 * (len(layers) + 1)
        for power in (1, 2, 3):
            top = jnp.maximum(jnp.max(through), 1e-300)
            total = jnp.sum((through / top) ** power) ** (1.0 / power) * top
            found.append(total ** (1.0 / depth))
    return jnp.stack(found)


def _own(
    places: Int[np.ndarray, "units some"], others: tuple[HiddenLayer, ...] | list[HiddenLayer]
) -> Int[np.ndarray, " own"]:
    """Columns of places that belong to no other layer: their order means something."""
    taken = [part.ravel() for other in others for part in (other.incoming, other.outgoing)]
    shared = np.isin(places, np.concatenate(taken)) if taken else np.zeros(places.shape, bool)
    return np.flatnonzero(~shared.any(axis=0))


@functools.cache
def _probe(rows: int, columns: int) -> Float[np.ndarray, "rows columns"]:
    """Fixed unit columns of irrational-looking numbers."""
    grid = np.arange(1, rows + 1)[:, None] * np.sqrt(np.array([2.0, 3.0, 5.0])[:columns])
    wave = np.cos(2.0 * np.pi * grid + _SEED)
    return wave / np.maximum(np.linalg.norm(wave, axis=0), 1e-300)
