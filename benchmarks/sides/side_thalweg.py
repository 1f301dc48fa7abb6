"""Thalweg itself, asked like the others."""

import os
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from serve import repeated, serve

import thalweg as tw
from thalweg.core import AbstractLaneEnergy, hvp, start_points, value_and_grad
from thalweg.search import LBFGS, BasinHopping, quench_many
from thalweg.workflows import MapProgress, explore

tw.enable_float64()


def starts(system: str, key: int, count: int, path: str) -> dict:
    """Write the random starts that all codes use."""
    found = tw.system(system)
    np.save(path, np.asarray(start_points(found, jax.random.key(key), 0, count)))
    return {"extent": found.space.extent}


def quench(system: str, path: str, first: int, count: int, tol: float, lanes: int) -> dict:
    """Quench rows of the file of starts."""
    rows = np.load(path)[first : first + count]
    found = quench_many(tw.system(system), rows, LBFGS(tol=tol), width=lanes)
    good = found.outcome == 0
    return {
        "quenches": len(rows),
        "converged": int(good.sum()),
        "evaluations": int(found.steps.sum()),
        "lowest": float(found.value[good].min()),
    }


def energy(system: str, path: str, lanes: int, how: str) -> dict:
    """CPU time of one energy and gradient, and of one Hessian-vector product.

    `how`: "kernel", "jax" (the same block sums without the kernel; set for the whole process) or
    "definition" (JAX's derivatives of the definition, mapped over the lanes).
    """
    field = tw.system(system).energy
    assert isinstance(field, AbstractLaneEnergy)
    os.environ["THALWEG_KERNELS"] = "numba" if how == "kernel" else "jax"
    if how == "definition":
        field = _Plain(field)
    x = jnp.asarray(np.resize(np.load(path), (lanes, field_dof(path))).T)
    v = jnp.ones_like(x)
    first = jax.jit(lambda x: value_and_grad(field, x))
    second = jax.jit(lambda x, v: hvp(field, x, v))
    return {
        "energy": repeated(lambda: jax.block_until_ready(first(x))) / lanes,
        "hvp": repeated(lambda: jax.block_until_ready(second(x, v))) / lanes,
    }


def field_dof(path: str) -> int:
    """Coordinates of a start."""
    return np.load(path, mmap_mode="r").shape[1]


class _Plain(tw.AbstractEnergy):
    """An energy without its block methods."""

    inner: tw.AbstractEnergy

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.inner(x)


def landscape(
    system: str, key: int, budget: float, minima: int | None, transition_states: int | None
) -> dict:
    """Map from an empty store until both numbers are known or the CPU time is used up."""
    began, wall, curve = time.process_time(), time.perf_counter(), []

    def report(now: MapProgress) -> None:
        curve.append((time.process_time() - began, now.minima, now.transition_states))

    with tempfile.TemporaryDirectory() as folder:
        result = explore(
            tw.system(system),
            Path(folder) / "map.db",
            key=key,
            workers=1,
            minima=minima,
            transition_states=transition_states,
            report=report,
            interrupted=lambda: time.process_time() - began > budget,
        )
        result.landscape.close()
    return {
        "cpu": time.process_time() - began,
        "wall": time.perf_counter() - wall,
        "ended": result.reason.name,
        "minima": curve[-1][1],
        "transition_states": curve[-1][2],
        "curve": curve[:: max(1, len(curve) // 50)],
    }


def hop(
    system: str,
    key: int,
    target: float,
    most: int,
    walkers: int,
    hops: int,
    settings: dict | None = None,
) -> dict:
    """Basin hopping until the target energy, at most about `most` quenches."""
    found, method = tw.system(system), BasinHopping(**(settings or {}))
    root, began = jax.random.key(key), time.process_time()
    now = method.begin(found, root, walkers, None)
    quenches, evaluations, lowest = walkers, 0, float(now.energy.min())
    while quenches < most and lowest > target:
        now, done = method.hop(found, root, now, hops, width=walkers)
        now = method.exchange(root, now)
        quenches += done.value.size
        evaluations += int(done.steps.sum())
        good = done.value[done.outcome == 0]
        lowest = min(lowest, float(good.min()) if good.size else np.inf)
    return {
        "found": lowest <= target,
        "quenches": quenches,
        "evaluations": evaluations,
        "cpu": time.process_time() - began,
    }


if __name__ == "__main__":
    serve(
        {"starts": starts, "quench": quench, "energy": energy, "landscape": landscape, "hop": hop}
    )
