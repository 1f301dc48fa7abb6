"""Compiled CPU kernels over lanes, called from inside XLA programs.

The arithmetic of an energy is often a loop over pairs with a few operations inside: XLA's CPU
backend spends most of the time moving arrays between those operations. A *lane kernel* is that
loop as ordinary Python text, compiled by Numba with eight lanes in each vector register and called
from jitted code through JAX's typed foreign-function interface, without going back to Python.

A kernel and the functions that it calls may use plain arithmetic and the functions below. Each of
them has two meanings: in Python it works on JAX arrays, in a kernel on a vector of eight lanes.
One text therefore serves the definition of an energy and its compiled form.

Everything here is optional: without Numba, on another device, in another precision, or with
`THALWEG_KERNELS=jax` in the environment, `LaneKernel.call` runs the fallback that it was given.
"""

import functools
import hashlib
import inspect
import os
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

_FFI_MAJOR = 0
"""Major version of XLA's foreign-function interface that the handler's word offsets belong to."""


def kernels_enabled() -> bool:
    """Whether compiled kernels may be used in this process.

    False with `THALWEG_KERNELS=jax` in the environment, without Numba, and when this version of
    XLA speaks another foreign-function interface than the one that the handler was written for.
    """
    return os.environ.get("THALWEG_KERNELS", "numba") != "jax" and _numba_usable()


@functools.cache
def _numba_usable() -> bool:
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    header = Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h"
    found = re.search(r"#define XLA_FFI_API_MAJOR (\d+)", header.read_text(encoding="utf-8"))
    return found is not None and int(found.group(1)) == _FFI_MAJOR


class LaneKernel:
    """A kernel text together with the function that it calls; compiled at first use.

    `text(function)` returns the kernel, a function of one argument `frame`: it reads its operands
    with `lane_operand(frame, i)`, writes every element of its results with `lane_result(frame, i)`
    and calls `function`, which is compiled with it. All operands and results are float64.
    """

    def __init__(self, text: Callable[..., Any], function: Callable[..., Any]):
        self.text = text
        self.function = function
        self._target: str | None = None

    def call(
        self,
        shapes: Sequence[tuple[int, ...]],
        fallback: Callable[..., tuple[jax.Array, ...]],
        *operands: jax.Array,
    ) -> tuple[jax.Array, ...]:
        """Run the kernel on a CPU, and `fallback(*operands)` everywhere else.

        The choice is made when XLA lowers the program for a device, so one traced function may
        run on several. A kernel has no derivative rule: differentiate the definition instead.

        Args:
            shapes: Shapes of the results.
            fallback: The same computation in JAX.
            operands: Arrays; the kernel is used if all of them are float64.

        Returns:
            The results, float64 from the kernel.
        """
        if not kernels_enabled() or any(a.dtype != jnp.float64 for a in operands):
            return fallback(*operands)
        results = [jax.ShapeDtypeStruct(shape, jnp.float64) for shape in shapes]
        compiled = jax.ffi.ffi_call(self._register(), results, vmap_method="sequential")
        return jax.lax.platform_dependent(
            *operands, cpu=lambda *a: tuple(compiled(*a)), default=lambda *a: tuple(fallback(*a))
        )

    def _register(self) -> str:
        """Compile (or load from Numba's cache) and register once; the name of the FFI target."""
        if self._target is None:
            from ._lane_handler import capsule, compile_handler

            target = f"thalweg_{self.text.__name__}_{_token(self.text, self.function)}"
            with _registration:
                if target not in _registered:
                    handler = compile_handler(self.text, self.function, target)
                    jax.ffi.register_ffi_target(target, capsule(handler), platform="cpu")
                    _registered[target] = handler
            self._target = target
        return self._target


_registration = threading.Lock()
_registered: dict[str, Any] = {}
"""Compiled handlers by target name; XLA holds bare pointers into them for the process's life."""


def _token(*functions: Callable[..., Any]) -> str:
    """A hash of the files that the functions come from and of what they close over.

    A changed function compiles anew; so does one whose module changed, which holds its constants.
    """
    digest = hashlib.sha256()
    for file in ("_lane_kernel.py", "_lane_numba.py", "_lane_handler.py"):
        digest.update(Path(__file__).with_name(file).read_bytes())
    for function in functions:
        plain = inspect.unwrap(function)
        cells = [cell.cell_contents for cell in plain.__closure__ or ()]
        digest.update(f"{plain.__module__}.{plain.__qualname__}{cells!r}".encode())
        file = Path(plain.__code__.co_filename)
        # Typed at a prompt: there is no file, so never share the compiled form.
        digest.update(file.read_bytes() if file.is_file() else f"{os.getpid()}{id(plain)}".encode())
    return digest.hexdigest()[:12]
