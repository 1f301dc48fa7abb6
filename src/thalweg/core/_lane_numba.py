"""What lane kernels are written in: a vector type for Numba, and the functions on it.

Imported at the first use of a kernel, never before: Numba takes about half a second to load.

The vector type is explicit because automatic vectorisation of the same loops keeps neither the
accumulators nor the coordinates in registers (it must prove that a dozen rows do not overlap):
measured on LJ38, it takes twice as long for one energy and gradient.
"""

import inspect
import operator
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, overload, register_model

from . import _lane_words as lane
from ._lane_words import LANE_WIDTH

# Reassociation and contraction, but not "no NaN" or "no infinity": overlapping atoms and diverged
# points must come out as what they are.
_FLAGS = ("reassoc", "contract", "arcp", "nsz")


def njit(function: Callable) -> Any:
    """Compile on demand; run-time type checkers may have wrapped the function."""
    return numba.njit(error_model="numpy")(inspect.unwrap(function))


def inline(function: Callable) -> Any:
    """A function whose LLVM instructions its second result emits, at the place of the call."""
    return intrinsic(function)


_infer_global: Any = infer_global  # Numba's annotations promise less than these return
_lower_builtin: Any = lower_builtin

_DOUBLE = ir.DoubleType()
_I64 = ir.IntType(64)
_VECTOR = ir.VectorType(_DOUBLE, LANE_WIDTH)
_INTEGERS = ir.VectorType(_I64, LANE_WIDTH)
_MASK = ir.VectorType(ir.IntType(1), LANE_WIDTH)


class LaneVector(types.Type):
    """Numba type of a vector of `LANE_WIDTH` float64 values."""

    def __init__(self):
        super().__init__(f"LaneVector{LANE_WIDTH}")


class LaneMask(types.Type):
    """Numba type of a vector of `LANE_WIDTH` truth values."""

    def __init__(self):
        super().__init__(f"LaneMask{LANE_WIDTH}")


vector_type = LaneVector()
mask_type = LaneMask()


@register_model(LaneVector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any):
        super().__init__(manager, numba_type, _VECTOR)


@register_model(LaneMask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any):
        super().__init__(manager, numba_type, _MASK)


def _splat(builder: Any, value: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANE_WIDTH), [0] * LANE_WIDTH)
    return builder.shuffle_vector(first, undefined, zeros)


def _as_vectors(context: Any, builder: Any, argument_types: Any, arguments: Any) -> list[Any]:
    out = []
    for value, kind in zip(arguments, argument_types, strict=True):
        if kind is vector_type:
            out.append(value)
        else:
            out.append(_splat(builder, context.cast(builder, value, kind, types.float64)))
    return out


_MIXED = (
    (vector_type, vector_type),
    (vector_type, types.float64),
    (types.float64, vector_type),
    (vector_type, types.int64),
    (types.int64, vector_type),
)


def _define_binary(function: Callable, result: Any, emit: Callable) -> None:
    """Teach Numba `function(vector, vector)` and the mixed forms with a scalar."""

    class Template(ConcreteTemplate):
        cases = tuple(signature(result, *pair) for pair in _MIXED)

    _infer_global(function)(Template)

    def lower(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return emit(builder, *_as_vectors(context, builder, sig.args, arguments))

    for pair in _MIXED:
        _lower_builtin(function, *pair)(lower)


for _operation, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define_binary(
        _operation,
        vector_type,
        lambda builder, x, y, name=_instruction: getattr(builder, name)(x, y, flags=_FLAGS),
    )
for _operation, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
):
    _define_binary(
        _operation,
        mask_type,
        lambda builder, x, y, sign=_sign: builder.fcmp_ordered(sign, x, y),
    )


@_infer_global(operator.neg)
class _NegativeTemplate(ConcreteTemplate):
    cases = (signature(vector_type, vector_type),)


@_lower_builtin(operator.neg, vector_type)
def _lower_negative(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
    return builder.fneg(arguments[0])


@inline
def _select(typing_context: Any, condition: Any, x: Any, y: Any) -> Any:
    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        chosen = _as_vectors(context, builder, sig.args[1:], arguments[1:])
        return builder.select(arguments[0], *chosen)

    return vector_type(mask_type, x, y), emit


def _call_llvm(builder: Any, name: str, value: Any) -> Any:
    function_type = ir.FunctionType(_VECTOR, [_VECTOR])
    full = f"llvm.{name}.v{LANE_WIDTH}f64"
    function = builder.module.globals.get(full) or ir.Function(builder.module, function_type, full)
    return builder.call(function, [value])


def _unary(name: str) -> Any:
    @inline
    def apply(typing_context: Any, x: Any) -> Any:
        def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            return _call_llvm(builder, name, arguments[0])

        return vector_type(vector_type), emit

    return apply


_vector_sqrt = _unary("sqrt")
_vector_rint = _unary("rint")


def _constant(value: float) -> Any:
    return ir.Constant(_VECTOR, [value] * LANE_WIDTH)


# exp(x) = 2^n exp(r) with n = round(x / ln 2) and |r| ≤ ln 2 / 2. ln 2 is split so that n times its
# upper part is exact (Cody & Waite, Software Manual for the Elementary Functions, 1980); the
# Taylor series of exp(r) to r^13 is exact to 0.02 units in the last place there.
_LOG2_E = 1.4426950408889634
_LN2_UPPER = 6.93147180369123816490e-01
_LN2_LOWER = 1.90821492927058770002e-10
_EXP_MAX, _EXP_MIN = 709.0, -708.0
_INVERSE_FACTORIALS = [1.0]
for _k in range(1, 14):
    _INVERSE_FACTORIALS.append(_INVERSE_FACTORIALS[-1] / _k)


def _emit_exp(builder: Any, x: Any) -> Any:
    fma = ("contract",)
    too_large = builder.fcmp_ordered(">", x, _constant(_EXP_MAX))
    in_range = builder.and_(
        builder.fcmp_ordered("<=", x, _constant(_EXP_MAX)),
        builder.fcmp_ordered(">=", x, _constant(_EXP_MIN)),
    )
    safe = builder.select(in_range, x, _constant(0.0))
    n = _call_llvm(builder, "rint", builder.fmul(safe, _constant(_LOG2_E)))
    r = builder.fsub(safe, builder.fmul(n, _constant(_LN2_UPPER)))
    r = builder.fsub(r, builder.fmul(n, _constant(_LN2_LOWER)))
    p = _constant(_INVERSE_FACTORIALS[-1])
    for coefficient in reversed(_INVERSE_FACTORIALS[:-1]):
        p = builder.fadd(builder.fmul(p, r, flags=fma), _constant(coefficient), flags=fma)
    bias = ir.Constant(_INTEGERS, [1023] * LANE_WIDTH)
    exponent = builder.add(builder.fptosi(n, _INTEGERS), bias)
    power = builder.bitcast(
        builder.shl(exponent, ir.Constant(_INTEGERS, [52] * LANE_WIDTH)), _VECTOR
    )
    out_of_range = builder.select(too_large, _constant(float("inf")), _constant(0.0))
    result = builder.select(in_range, builder.fmul(p, power), out_of_range)
    return builder.select(builder.fcmp_unordered("uno", x, x), x, result)


@inline
def _vector_exp(typing_context: Any, x: Any) -> Any:
    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return _emit_exp(builder, arguments[0])

    return vector_type(vector_type), emit


@inline
def _vector_zero(typing_context: Any) -> Any:
    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return _constant(0.0)

    return vector_type(), emit


def _vector_pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


@inline
def _vector_load(typing_context: Any, buffer: Any, offset: Any) -> Any:
    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        pointer = _vector_pointer(context, builder, sig.args[0], *arguments)
        return builder.load(pointer, align=8)

    return vector_type(buffer, types.int64), emit


@inline
def _vector_store(typing_context: Any, buffer: Any, offset: Any, vector: Any) -> Any:
    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        pointer = _vector_pointer(context, builder, sig.args[0], *arguments[:2])
        builder.store(arguments[2], pointer, align=8)
        return context.get_dummy_value()

    return types.none(buffer, types.int64, vector_type), emit


@overload(lane.lane_exp, strict=False)
def _overload_exp(x: Any) -> Any:
    return (lambda x: _vector_exp(x)) if x is vector_type else None


@overload(lane.lane_sqrt, strict=False)
def _overload_sqrt(x: Any) -> Any:
    return (lambda x: _vector_sqrt(x)) if x is vector_type else None


@overload(lane.lane_round, strict=False)
def _overload_round(x: Any) -> Any:
    return (lambda x: _vector_rint(x)) if x is vector_type else None


@overload(lane.lane_where, strict=False)
def _overload_where(condition: Any, x: Any, y: Any) -> Any:
    return (lambda condition, x, y: _select(condition, x, y)) if condition is mask_type else None


@overload(lane.lane_zero, strict=False)
def _overload_zero() -> Any:
    return lambda: _vector_zero()


@overload(lane.lane_load, strict=False)
def _overload_load(buffer: Any, offset: Any) -> Any:
    return lambda buffer, offset: _vector_load(buffer, offset)


@overload(lane.lane_store, strict=False)
def _overload_store(buffer: Any, offset: Any, vector: Any) -> Any:
    return lambda buffer, offset, vector: _vector_store(buffer, offset, vector)


@inline
def _address(typing_context: Any, array: Any) -> Any:
    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, _I64)

    return types.int64(array), emit


@njit
def _allocate(rows: int) -> Any:
    # A vector that straddles two cache lines costs two loads.
    memory = np.empty(rows * LANE_WIDTH + 8)
    skip = ((-_address(memory)) & 63) >> 3
    return memory[skip : skip + rows * LANE_WIDTH]


@overload(lane.lane_buffer, strict=False)
def _overload_buffer(rows: Any) -> Any:
    return lambda rows: _allocate(rows)


@njit
def _gather(buffer: Any, array: Any, begin: int) -> None:
    rows, lanes = array.shape
    for row in range(rows):
        if begin + LANE_WIDTH <= lanes:
            _vector_store(buffer, row * LANE_WIDTH, _vector_load(array, row * lanes + begin))
        else:
            for k in range(LANE_WIDTH):
                buffer[row * LANE_WIDTH + k] = array[row, min(begin + k, lanes - 1)]


@njit
def _scatter(array: Any, buffer: Any, begin: int) -> None:
    rows, lanes = array.shape
    for row in range(rows):
        if begin + LANE_WIDTH <= lanes:
            _vector_store(array, row * lanes + begin, _vector_load(buffer, row * LANE_WIDTH))
        else:
            for k in range(lanes - begin):
                array[row, begin + k] = buffer[row * LANE_WIDTH + k]


@overload(lane.lane_gather, strict=False)
def _overload_gather(buffer: Any, array: Any, begin: Any) -> Any:
    return lambda buffer, array, begin: _gather(buffer, array, begin)


@overload(lane.lane_scatter, strict=False)
def _overload_scatter(array: Any, buffer: Any, begin: Any) -> Any:
    return lambda array, buffer, begin: _scatter(array, buffer, begin)
