"""Python functions called from compiled code: any shape, any size, on one core too."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import host_call


def _scaled(factor, x):
    assert isinstance(x, np.ndarray)
    assert isinstance(factor, np.ndarray)
    return (factor * x).astype(x.dtype), np.asarray(x.sum(), x.dtype)


def _call(factor, x):
    result = (jax.ShapeDtypeStruct(x.shape, x.dtype), jax.ShapeDtypeStruct((), x.dtype))
    return host_call(_scaled, result, factor, x)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (5,), (8192,), (3, 8193), (100, 500)])
def test_arrays_of_every_size_arrive_whole(shape):
    x = jax.random.normal(jax.random.key(0), shape)
    for call in (_call, jax.jit(_call)):
        scaled, total = call(jnp.asarray(2.0), x)
        np.testing.assert_array_equal(scaled, 2 * x)
        np.testing.assert_allclose(total, np.sum(np.asarray(x)), atol=1e-9)


def test_under_vmap_one_after_another():
    x = jax.random.normal(jax.random.key(0), (4, 9000))
    scaled, total = jax.vmap(_call)(jnp.arange(4.0), x)
    np.testing.assert_array_equal(scaled, jnp.arange(4.0)[:, None] * x)
    assert total.shape == (4,)


_ON_ONE_CORE = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
from thalweg.core import HostEnergy, hessian

bowl = HostEnergy(lambda x: (0.5 * x @ x, x), 66)
trace = jax.jit(lambda x: jnp.trace(hessian(bowl, x).sum(axis=0)))
for k in range(30):
    found = float(trace(jnp.full((66, 16), float(k))))
print(round(found))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_one_core_does_not_wait_for_itself():
    """With arguments in one piece this hangs: their copies wait for the thread that calls."""
    done = subprocess.run(
        [sys.executable, "-c", _ON_ONE_CORE],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert int(done.stdout) == 66 * 16
