"""Blocks of points in pieces: the same numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import AbstractEnergy, hvp, value_and_grad


class _Bowl(AbstractEnergy):
    pieces: int | None = None

    @property
    def lanes_at_once(self):
        return self.pieces

    def __call__(self, x):
        return jnp.sum(jnp.cosh(x)) + x[0] * x[1]


@pytest.mark.parametrize("lanes", [3, 4, 12, 14])
def test_pieces_change_nothing(lanes):
    x = jax.random.normal(jax.random.key(0), (5, lanes))
    v = jax.random.normal(jax.random.key(1), (5, lanes))
    whole, cut = _Bowl(), _Bowl(4)
    for one, other in zip(value_and_grad(whole, x), value_and_grad(cut, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)
    np.testing.assert_allclose(hvp(whole, x, v), hvp(cut, x, v), rtol=1e-14)
