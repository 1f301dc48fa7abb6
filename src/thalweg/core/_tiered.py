"""Compiled functions that Python runs itself until compiling them pays.

Compiling the comparison of two configurations takes some ten seconds the first time on a machine;
running it as plain Python for the first few small clusters takes milliseconds. Both forms are the
same text and do the same arithmetic in the same order.
"""

import types
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

_STEP = 5e-6
"""Seconds that Python needs for one inner step of a kernel, roughly."""

_BUDGET = 0.5
"""Seconds that Python may spend on one kernel before it is compiled."""


def plain_copies(scope: dict[str, Any]) -> dict[str, Any]:
    """A copy of a module's names in which its compiled functions are plain Python ones."""
    copies = dict(scope)
    for name, value in scope.items():
        function = getattr(value, "py_func", None)
        if function is not None:
            copies[name] = types.FunctionType(
                function.__code__, copies, name, function.__defaults__, function.__closure__
            )
    return copies


class Tiered:
    """A kernel that is compiled when it has been, or is about to be, used for long.

    Attributes:
        compiled: The form that Numba compiles at its first call, or reads from its cache.
        plain: The form that Python runs.
        work: Number of inner steps of a call, roughly, from its arguments.
    """

    def __init__(
        self, compiled: Any, plain: Callable[..., Any], work: Callable[..., int], budget: float
    ):
        self.compiled = compiled
        self.plain = plain
        self.work = work
        self._left = 0.0 if _is_cached(compiled) else budget

    def __call__(self, *args: Any) -> Any:
        """Call whichever form is the quicker, its compilation included."""
        if self._left <= 0.0 or self.work(*args) * _STEP > self._left:
            self._left = 0.0
            return self.compiled(*args)
        started = perf_counter()
        with np.errstate(all="ignore"):  # compiled code does not warn of infinities either
            result = self.plain(*args)
        self._left -= perf_counter() - started
        return result


def tiered(
    name: str, scope: dict[str, Any], work: Callable[..., int], budget: float = _BUDGET
) -> Tiered:
    """The kernel called `name` in a module's `scope`, in both forms.

    Args:
        name: Of a function that `numba.njit` has wrapped.
        scope: The module's `globals()`, after all its kernels have been defined.
        work: Number of inner steps of a call, from its arguments.
        budget: Seconds that Python may spend on it.
    """
    return Tiered(scope[name], plain_copies(scope)[name], work, budget)


def _is_cached(compiled: Any) -> bool:
    """Whether Numba has compiled the function before, for some arguments, and kept it on disk."""
    folder = compiled.stats.cache_path
    if folder is None:
        return False
    code = compiled.py_func.__code__
    return any(Path(folder).glob(f"*.{code.co_name}-{code.co_firstlineno}.*.nbi"))
