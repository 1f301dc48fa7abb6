"""The words of a lane kernel: arithmetic with one meaning in Python and one in compiled code.

In Python they work on JAX arrays; in a kernel that Numba compiles, on vectors of `LANE_WIDTH`
lanes (`_lane_numba.py`). Those marked *kernels only* have no meaning in Python.
"""

from typing import Any

import jax.numpy as jnp

LANE_WIDTH = 8
"""Lanes in one kernel vector: a 512-bit register of float64; two of AVX2, four of NEON."""


def lane_exp(x: Any) -> Any:
    """Exponential function."""
    return jnp.exp(x)


def lane_sqrt(x: Any) -> Any:
    """Square root."""
    return jnp.sqrt(x)


def lane_round(x: Any) -> Any:
    """Nearest integer, as a float; halves go to the even one."""
    return jnp.round(x)


def lane_where(condition: Any, x: Any, y: Any) -> Any:
    """`x` where the condition holds and `y` elsewhere."""
    return jnp.where(condition, x, y)


def lane_zero() -> Any:
    """A vector of zeros. Kernels only."""
    raise NotImplementedError("lane_zero has a meaning inside compiled kernels only")


def lane_load(buffer: Any, offset: int) -> Any:
    """The vector that begins at `offset` of a flat buffer. Kernels only."""
    raise NotImplementedError("lane_load has a meaning inside compiled kernels only")


def lane_store(buffer: Any, offset: int, vector: Any) -> None:
    """Write a vector at `offset` of a flat buffer. Kernels only."""
    raise NotImplementedError("lane_store has a meaning inside compiled kernels only")


def lane_buffer(rows: int) -> Any:
    """A flat scratch buffer of `rows` vectors, aligned to a cache line. Kernels only."""
    raise NotImplementedError("lane_buffer has a meaning inside compiled kernels only")


def lane_gather(buffer: Any, array: Any, begin: int) -> None:
    """Copy lanes `begin` and on of an array `(rows, lanes)` into a buffer. Kernels only.

    Beyond the last lane that lane is repeated, so that every lane goes through the same arithmetic
    and its result does not depend on how many there are.
    """
    raise NotImplementedError("lane_gather has a meaning inside compiled kernels only")


def lane_scatter(array: Any, buffer: Any, begin: int) -> None:
    """Copy a buffer back into lanes `begin` and on of an array. Kernels only."""
    raise NotImplementedError("lane_scatter has a meaning inside compiled kernels only")


def lane_operand(frame: Any, index: int) -> Any:
    """Operand `index` of the call as a two-dimensional array. Kernels only."""
    raise NotImplementedError("lane_operand has a meaning inside compiled kernels only")


def lane_result(frame: Any, index: int) -> Any:
    """Result `index` of the call as a two-dimensional array to fill. Kernels only."""
    raise NotImplementedError("lane_result has a meaning inside compiled kernels only")
