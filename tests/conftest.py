"""What every test runs under: float64, one CPU platform, strict dtypes, a compilation cache."""

import dataclasses
import gc
import os
from pathlib import Path

# XLA and the BLAS libraries read these once, when they load: set them before anything imports JAX.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "jax")
)
if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores: each gets one thread for arithmetic. (NPROC=1 would also starve
    # host callbacks, which need a second thread.)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ["XLA_FLAGS"] = (
        f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    )

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

jax.config.update("jax_enable_x64", True)
# Lanes are trailing axes and broadcast, so ranks may promote; dtypes may not.
jax.config.update("jax_numpy_dtype_promotion", "strict")
# The defaults keep only programs that took a second to compile; ours are many and small.
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

# Same examples on every run; `pytest --hypothesis-profile=fresh` draws new ones.
_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("fixed", derandomize=True, max_examples=25, **_common)
settings.register_profile("fresh", max_examples=200, **_common)
settings.load_profile("fixed")


_MAPPINGS = 20_000
"""Memory mappings of a process, of which Linux allows 65,530, at which programs are dropped."""


@pytest.fixture(autouse=True, scope="module")
def _few_programs():
    """Every compiled program maps memory; thousands of them would kill a worker."""
    yield
    mappings = Path("/proc/self/maps")
    if mappings.exists() and mappings.read_bytes().count(b"\n") > _MAPPINGS:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def key():
    """A fixed root key; take a stream of your own with `jax.random.fold_in`."""
    return jax.random.key(0)


@pytest.fixture(scope="session")
def mueller_brown():
    """The Müller-Brown system and its network with coordinates: minima 0, 1, 2 by energy."""
    from thalweg.energies import system
    from thalweg.landscape import TransitionNetwork
    from thalweg.search import certify_many

    surface = system("muller-brown")
    minima = np.array([[-0.558, 1.442], [0.623, 0.028], [-0.050, 0.467]])
    saddles = np.array([[0.2125, 0.2930], [-0.8220, 0.6243]])
    low, high = (certify_many(surface, x, i) for i, x in enumerate((minima, saddles)))
    bare = TransitionNetwork.bare(
        np.array([found.value for found in low]),
        np.array([found.value for found in high]),
        np.array([[1, 2], [0, 2]]),
    )
    points, ts_points = (np.array([found.x for found in some]) for some in (low, high))
    return surface, dataclasses.replace(bare, points=points, ts_points=ts_points)
