"""Rows of work over threads: compiled code runs outside Python's lock, so threads suffice."""

import concurrent.futures
import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_rows(function: Callable[[Any], Any], rows: Any, workers: int) -> Any:
    """`function(rows)`, computed in `workers` interleaved parts at once.

    Args:
        function: Takes a pytree of arrays `(items, …)` and returns one with the same items;
            its rows must not depend on one another.
        rows: Pytree of arrays `(items, …)`.
        workers: Threads; one means no thread at all.

    Returns:
        What `function(rows)` would return.
    """
    count = len(jax.tree.leaves(rows)[0])
    workers = max(1, min(workers, count))
    if workers == 1:
        return function(rows)
    parts = [np.arange(k, count, workers) for k in range(workers)]
    pieces = [jax.tree.map(lambda a, part=part: np.asarray(a)[part], rows) for part in parts]
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        done = list(pool.map(function, pieces))
    back = np.argsort(np.concatenate(parts), kind="stable")
    return jax.tree.map(lambda *a: np.concatenate(a)[back], *done)
