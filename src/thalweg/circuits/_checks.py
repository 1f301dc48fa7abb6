"""What a circuit's arrays must be, told in words."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import ArgumentError


def _traced(value: Any) -> bool:
    return isinstance(value, jax.core.Tracer)


def as_array(name: str, value: Any) -> Array:
    """The value as an array of floating-point numbers.

    Raises:
        ArgumentError: if it is none, or holds NaN or infinities.
    """
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{name}={value!r} is no array of numbers") from error
    if jnp.issubdtype(array.dtype, jnp.complexfloating) or array.dtype == bool:
        raise ArgumentError(f"{name} holds {array.dtype} numbers, expected real ones")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(jnp.result_type(float))
    if not _traced(array) and not np.isfinite(np.asarray(array)).all():
        raise ArgumentError(f"{name} holds NaN or infinities")
    return array


def vector(name: str, value: Any, n: int, *, positive: bool = False) -> Float[Array, " n"]:
    """One number for each unit: a number given once stands for all.

    Raises:
        ArgumentError: if the shape is wrong, or a number is not positive where it must be.
    """
    array = as_array(name, value)
    if array.shape not in {(), (n,), (1,)}:
        raise ArgumentError(
            f"{name} has the shape {array.shape}, expected one number or {n}, one for each unit"
        )
    if positive and not _traced(array) and not np.all(np.asarray(array) > 0):
        raise ArgumentError(f"{name} must be positive, got {float(np.min(np.asarray(array))):g}")
    return jnp.broadcast_to(array, (n,))


def matrix(
    name: str, value: Any, shape: tuple[int | None, int | None], *, nonnegative: bool = False
) -> Array:
    """A matrix of the given shape; `None` stands for any number of rows or columns.

    Raises:
        ArgumentError: if the shape is wrong, or an entry is negative where none may be.
    """
    array = as_array(name, value)
    fits = array.ndim == 2 and all(
        want in {None, got} for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        text = " x ".join("any" if s is None else str(s) for s in shape)
        raise ArgumentError(f"{name} has the shape {array.shape}, expected {text}")
    if nonnegative and not _traced(array) and np.any(np.asarray(array) < 0):
        raise ArgumentError(
            f"{name} must not be negative, its smallest entry is "
            f"{float(np.min(np.asarray(array))):g}",
            "weights of a normalisation pool are sums of positive contributions",
        )
    return array


def drive_vector(circuit: str, drive: Any, size: int, what: str) -> Array:
    """The drive as a vector of the right length.

    Raises:
        ArgumentError: if there is none, or its shape is wrong.
    """
    if drive is None:
        raise ArgumentError(
            f"{circuit} needs a drive, got none", f"pass {what}: {size} numbers, drive=[...]"
        )
    array = jnp.asarray(drive)
    if array.shape != (size,):
        raise ArgumentError(
            f"the drive of {circuit} has the shape {array.shape}, expected ({size},): {what}"
        )
    return array
