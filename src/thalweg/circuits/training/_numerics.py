"""Arithmetic with safe gradients, and arrays that an optimiser leaves alone."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import Array, Float


class Fixed(eqx.Module):
    """An array that belongs to a model and is not trained."""

    value: Array

    def __call__(self) -> Array:
        """The array, cut off from differentiation."""
        return jax.lax.stop_gradient(self.value)


def given(leaf: Array | Fixed) -> Array:
    """The array, whether it is trained or not."""
    return leaf() if isinstance(leaf, Fixed) else leaf


def trainable(model: Any) -> Any:
    """Which leaves of a model are trained: a filter for `equinox.partition`."""
    return jax.tree.map(
        lambda leaf: False if isinstance(leaf, Fixed) else eqx.is_inexact_array(leaf),
        model,
        is_leaf=lambda leaf: isinstance(leaf, Fixed),
    )


def count_parameters(model: Any) -> int:
    """Numbers that training changes (of a model, or of its outline by `jax.eval_shape`)."""
    leaves = jax.tree.leaves(model, is_leaf=lambda leaf: isinstance(leaf, Fixed))
    return sum(
        math.prod(leaf.shape)
        for leaf in leaves
        if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.inexact)
    )


def cast(model: Any, dtype: Any) -> Any:
    """The same model with its floating-point arrays in another precision."""
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf, model
    )


def safe_sqrt(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """√⌊x⌋ with derivative 0, not infinity or NaN, where x ≤ 0."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def rectified_power(
    x: Float[Array, "*shape"], power: float, gain: float = 1.0
) -> Float[Array, "*shape"]:
    """Return gain · ⌊x⌋^power with derivative 0 where x ≤ 0."""
    positive = x > 0
    return jnp.where(positive, gain * jnp.where(positive, x, 1.0) ** power, 0.0)


def unit_rows(x: Float[Array, "*batch n"], tiny: float = 1e-12) -> Float[Array, "*batch n"]:
    """Return x/‖x‖ along the last axis; rows of zeros stay zeros, with a finite derivative."""
    square = jnp.sum(x * x, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.where(square > tiny, square, 1.0))


def uniform(key: Array, shape: tuple[int, ...], bound: float, dtype: Any) -> Array:
    """Entries uniform in (−bound, bound)."""
    return jax.random.uniform(key, shape, dtype, -bound, bound)
