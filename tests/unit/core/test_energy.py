"""Blocks of points in pieces: the same numbers."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import AbstractEnergy, expansion, hessian, hvp, value_and_grad


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


class _Counted(_Bowl):
    def __call__(self, x):
        jax.debug.callback(lambda _: seen.append(1), x[0])
        return super().__call__(x)


seen: list[int] = []


def test_points_at_nan_are_not_evaluated():
    x = jax.random.normal(jax.random.key(0), (5, 12)).at[:, 3:9].set(jnp.nan)
    for take, times in (value_and_grad, 1), (hessian, 1), (expansion, 2):
        seen.clear()
        found = map(np.asarray, jax.tree.leaves(eqx.filter_jit(take)(_Counted(1), x)))
        jax.effects_barrier()
        assert len(seen) == 6 * times
        whole = map(np.asarray, jax.tree.leaves(take(_Bowl(), x)))
        for one, other in zip(found, whole, strict=True):
            lanes = 0 if one.ndim == 3 else -1
            some = np.r_[0:3, 9:12]
            np.testing.assert_allclose(
                np.take(one, some, lanes), np.take(other, some, lanes), rtol=1e-13, atol=1e-13
            )
            assert np.all(np.isnan(np.take(one, np.r_[3:9], lanes)))


class _Traced(_Bowl):
    scale: jax.Array = eqx.field(default_factory=lambda: jnp.ones(()))

    def __call__(self, x):
        seen.append(1)
        return self.scale * super().__call__(x)


@pytest.mark.parametrize("take", [value_and_grad, hessian, expansion])
def test_outside_compiled_code_pieces_are_compiled_once(take):
    """Also for other parameters of the same energy, as the members of a posterior have."""
    x = jax.random.normal(jax.random.key(0), (5, 12))
    first = take(_Traced(4), x)
    seen.clear()
    second = take(_Traced(4, jnp.full((), 2.0, x.dtype)), x)
    assert not seen
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(2 * one, other, rtol=1e-13)
