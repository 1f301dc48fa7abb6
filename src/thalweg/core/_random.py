"""Random keys at the public door: an integer will do."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._errors import ArgumentError
from ._shapes import PRNGKey


def as_key(key: Any) -> PRNGKey:
    """A random key from a key, or from an integer.

    Raises:
        ArgumentError: if it is neither.
    """
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        return jax.random.key(int(key))
    if isinstance(key, jax.Array) and key.shape == () and _is_key(key):
        return key
    raise ArgumentError(
        f"key={key!r} is no random key", "give an integer, or jax.random.key(integer)"
    )


def _is_key(array: jax.Array) -> bool:
    return bool(jnp.issubdtype(array.dtype, jax.dtypes.prng_key))
