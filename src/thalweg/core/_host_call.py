"""Python functions called from compiled code."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_PIECE = 8192
"""Numbers that are handed over together. JAX copies an array of up to 100 kB at once, a larger one
by a thread of its pool: if all of those wait in calls like this one, as on a machine of one core,
for ever (https://github.com/jax-ml/jax/issues/24255)."""


@dataclasses.dataclass(frozen=True)
class _Visit:
    """The function, handed its arguments in pieces; equal ones share a compiled program."""

    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]

    def __call__(self, *pieces: Any) -> Any:
        rest = iter(pieces)
        arrays = []
        for shape in self.shapes:
            size = math.prod(shape)
            parts = [np.asarray(next(rest)) for _ in range(0, max(size, 1), _PIECE)]
            arrays.append(np.concatenate(parts).reshape(shape))
        return self.function(*arrays)


def host_call(function: Callable[..., Any], result: Any, *arrays: jax.Array) -> Any:
    """Call a function of NumPy arrays, outside the compiled program that calls it.

    Args:
        function: Called with one NumPy array for each of `arrays`. It must not call JAX, and
            gives the same answer to the same question. Under `vmap` it is called for one after
            another.
        result: Pytree of `jax.ShapeDtypeStruct`: what it returns.
        arrays: Its arguments.
    """
    shapes = tuple(jnp.shape(a) for a in arrays)
    pieces = []
    for array in arrays:
        flat = jnp.ravel(array)
        pieces += [flat[k : k + _PIECE] for k in range(0, max(flat.size, 1), _PIECE)]
    return jax.pure_callback(_Visit(function, shapes), result, *pieces, vmap_method="sequential")
