"""The function that XLA calls: it reads the call frame and runs a lane kernel.

XLA passes one address, that of a call frame, a C structure of pointers and sizes
(`xla/ffi/api/c_api.h`, which JAX ships). The handler below is compiled by Numba around a kernel.
"""

import ctypes
import functools
import inspect
import types as python_types
from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core.errors import NumbaError
from numba.extending import overload
from numba.np.numpy_support import carray

from . import _lane_words as lane
from ._errors import EnergyError
from ._lane_numba import inline, njit

# XLA's call frame, in 8-byte words (xla/ffi/api/c_api.h, interface version 0.3).
_FRAME_WORDS = 21
_EXTENSION, _STAGE = 1, 4
_ARGUMENTS, _RESULTS = 9, 14
_EXECUTE = 3
_LOW_HALF = 0xFFFFFFFF
_BUFFER_DATA, _BUFFER_RANK, _BUFFER_DIMENSIONS = 3, 4, 5
_METADATA_EXTENSION = 1
_METADATA_WORDS = 6
_METADATA_VERSION = 3  # two 32-bit integers: major, minor
_VERSION = 3 << 32  # major 0, minor 3


def _pointer_intrinsic(numba_type: Any, llvm_type: Any) -> Any:
    @inline
    def convert(typing_context: Any, address: Any) -> Any:
        def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], llvm_type.as_pointer())

        return types.CPointer(numba_type)(types.int64), emit

    return convert


_as_doubles = _pointer_intrinsic(types.float64, ir.DoubleType())
_as_words = _pointer_intrinsic(types.int64, ir.IntType(64))


@njit
def _words(address: int, count: int) -> Any:
    return carray(_as_words(address), (count,))


@njit
def _buffer_array(address: int) -> Any:
    """The buffer at `address`: its first dimension, and all others as one (rank 1: a row)."""
    buffer = _words(address, 6)
    rank = buffer[_BUFFER_RANK]
    dimensions = _words(buffer[_BUFFER_DIMENSIONS], rank)
    rows = dimensions[0] if rank > 1 else 1
    columns = 1
    for k in range(1 if rank > 1 else 0, rank):
        columns *= dimensions[k]
    return carray(_as_doubles(buffer[_BUFFER_DATA]), (rows, columns))


@njit
def _frame_array(frame: int, table: int, index: int) -> Any:
    return _buffer_array(_words(_words(frame, _FRAME_WORDS)[table], index + 1)[index])


@overload(lane.lane_operand, strict=False)
def _overload_operand(frame: Any, index: Any) -> Any:
    return lambda frame, index: _frame_array(frame, _ARGUMENTS, index)


@overload(lane.lane_result, strict=False)
def _overload_result(frame: Any, index: Any) -> Any:
    return lambda frame, index: _frame_array(frame, _RESULTS, index)


@njit
def _is_execution(frame: int) -> bool:
    """Whether XLA asks for the computation; answers its question about our version otherwise."""
    words = _words(frame, _FRAME_WORDS)
    if words[_EXTENSION] != 0:
        extension = _words(words[_EXTENSION], 4)
        if extension[1] & _LOW_HALF == _METADATA_EXTENSION:
            metadata = _words(extension[3], _METADATA_WORDS)
            metadata[_METADATA_VERSION] = _VERSION
            return False
    return words[_STAGE] & _LOW_HALF == _EXECUTE


_kernel: Any = None  # what `compile_handler` puts in its place, in a copy of this scope


def _handler(frame: int) -> int:
    if _is_execution(frame):
        _kernel(frame)
    return 0


def _renamed(function: Callable, name: str, scope: dict[str, Any] | None = None) -> Any:
    """A copy under another name.

    Numba names compiled symbols after the function and a counter that starts anew in each process,
    and code from its cache is linked by those names: two kernels from one factory, cached by two
    processes, would otherwise be taken for one another.
    """
    plain = inspect.unwrap(function)
    copy = python_types.FunctionType(
        plain.__code__, scope or plain.__globals__, name, plain.__defaults__, plain.__closure__
    )
    copy.__qualname__ = name
    copy.__module__ = plain.__module__
    return copy


def compile_handler(text: Callable, function: Callable, token: str) -> Any:
    """Compile a kernel into a C function that XLA can call.

    Args:
        text: Makes the kernel, `text(function)(frame)`.
        function: The function that the kernel calls.
        token: Names the compiled form in Numba's on-disk cache.

    Returns:
        The compiled function; XLA holds a bare pointer into it, so keep it alive.

    Raises:
        EnergyError: if the function uses what a kernel cannot.
    """
    kernel = text(njit(_renamed(function, f"{token}_function")))
    scope = {**globals(), "_kernel": njit(_renamed(kernel, f"{token}_kernel"))}
    linked = _renamed(_handler, token, scope)
    declare = functools.partial(numba.cfunc, "int64(int64)", error_model="numpy")
    try:
        try:
            return declare(cache=True)(linked)
        except RuntimeError:  # no directory in which Numba may write its cache
            return declare()(linked)
    except NumbaError as error:
        raise EnergyError(
            f"{inspect.unwrap(function).__qualname__} cannot be compiled into a kernel: {error}",
            "it may use arithmetic, comparisons, lane_exp, lane_sqrt, lane_round and lane_where; "
            "THALWEG_KERNELS=jax in the environment runs it without compiling",
        ) from error


def capsule(compiled: Any) -> Any:
    """The address of a compiled function, in the form that JAX registers."""
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(compiled.address, None, None)
