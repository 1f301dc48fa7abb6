"""The contract of an energy, checked once before a search begins.

A wrong gradient does not crash a search: it wastes hours of it. A few dozen evaluations at a
starting point tell, and say where.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._energy import AbstractEnergy, AbstractLaneEnergy, expansion, hvp, value_and_grad
from ._errors import EnergyError, require_x64
from ._host_energy import HostEnergy
from ._shapes import Array
from ._system import System, probes

_DIRECTIONS = 3
_WIDTH = 4 * _DIRECTIONS
"""Points in a block, one width for every evaluation: compiling takes longer than computing."""

_PROBES = _WIDTH
_TOLERANCE = 1e-5
"""Relative, against finite differences of fourth order; a wrong factor is off by far more."""

_CURVATURE_TOLERANCE = 1e-3
"""The same for Hessian-vector products: a smoothed cutoff has a small jump of curvature in it."""

_AGREEMENT = 1e-9
"""Relative, between two evaluations of the same expression."""

_STEPS = (1e-4, 1e-3, 1e-2)
"""Finite-difference steps in units of the system's length; the best one counts, so that neither
rounding (small steps, noisy codes) nor strong curvature (large steps) rejects a right gradient."""

_STEEPER = 3.0
"""Steps downhill may lead to gradients so many times larger than at the start."""

_DESCENT_STEPS = 30


def check_energy(system: System) -> None:
    """Check that an energy keeps its contract, at a few starting points.

    Its value is a float64 scalar and finite somewhere; its gradient agrees with finite differences
    of its values, its block methods with its definition; and it does not change under the symmetry
    that the system declares. Wrapping the points into the space must not change it either.
    `check_curvature` does the same for second derivatives.

    Args:
        system: The system whose energy is checked.

    Raises:
        EnergyError: at the first thing that is wrong, with numbers and the way to mend it.
        PrecisionError: if float64 is switched off.
    """
    require_x64()
    points = probes(system, _PROBES)
    _check_value(system, np.asarray(points[0]))
    x = _tame_points(system, points)
    _check_gradient(system, x[:, 0])
    _check_definition(system, x)
    _check_invariance(system, x)


def check_curvature(system: System) -> None:
    """Check that Hessian-vector products agree with finite differences of the gradient.

    Apart from `check_energy` because quenches do not need them; certificates and climbs do.

    Args:
        system: A system that has passed `check_energy`.

    Raises:
        EnergyError: if they disagree, with numbers and the way to mend it.
        PrecisionError: if float64 is switched off.
    """
    require_x64()
    if not isinstance(system.energy, HostEnergy):  # there it is a difference of gradients itself
        x = _tame_points(system, probes(system, _PROBES))[:, 0]
        _check_hvp(system, x)
        _check_expansion(system, x)


def _check_value(system: System, x: np.ndarray) -> None:
    """Shape and dtype, without compiling anything."""
    energy = system.energy
    if isinstance(energy, HostEnergy):
        if energy.dof != system.space.dof:
            raise EnergyError(
                f"the external energy takes {energy.dof} coordinates, the space has {x.size}",
                "give HostEnergy the `dof` of the system's space",
            )
        energy.probe(x)
        return
    try:
        shape = jax.eval_shape(energy, jax.ShapeDtypeStruct(x.shape, x.dtype))
    except Exception as error:
        raise EnergyError(
            f"the energy cannot be evaluated at a point of {x.size} coordinates: "
            f"{type(error).__name__}: {_first_line(error)}",
            "it must be a JAX function of an array of the shape that the system was given "
            "(wrap any other Python function in HostEnergy)",
        ) from error
    if not hasattr(shape, "shape") or shape.shape != ():
        raise EnergyError(
            f"the energy returns {shape}, expected a scalar",
            "sum over the array, or return `value[0]` for an array of one element",
        )
    if shape.dtype != jnp.float64:
        raise EnergyError(
            f"the energy returns {shape.dtype}, expected float64",
            "keep the dtype of the argument: `jnp.asarray(constant, x.dtype)`",
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


@jax.jit
def _compiled_value_and_grad(energy: Any, x: Array) -> tuple[Array, Array]:
    return value_and_grad(energy, x)


@jax.jit
def _compiled_hvp(energy: Any, x: Array, v: Array) -> Array:
    return hvp(energy, x, v)


@jax.jit
def _compiled_expansion(energy: Any, x: Array) -> tuple[Array, Array, Array]:
    return expansion(energy, x)


@jax.jit
def _compiled_definition(energy: Any, x: Array) -> tuple[Array, Array]:
    return jax.vmap(jax.value_and_grad(energy), in_axes=-1, out_axes=(0, -1))(x)


@jax.jit
def _compiled_zero_modes(symmetry: Any, x: Array) -> Array:
    return symmetry.zero_modes(x)


def _evaluate(system: System, x: np.ndarray, compiled: Any = _compiled_value_and_grad) -> Any:
    """Energies and gradients of a block of any width, by one compiled program of one width."""
    values, grads = [], []
    for first in range(0, x.shape[1], _WIDTH):
        block = x[:, first : first + _WIDTH]
        used = block.shape[1]
        external = isinstance(system.energy, HostEnergy)  # spare it the padding
        block = block if external else np.pad(block, ((0, 0), (0, _WIDTH - used)), mode="edge")
        value, grad = compiled(system.energy, block)
        values.append(np.asarray(value)[:used])
        grads.append(np.asarray(grad)[:, :used])
    return np.concatenate(values), np.concatenate(grads, axis=1)


def _tame_points(system: System, points: Array) -> np.ndarray:
    """A block of the probes, a few steps downhill, those with finite energies only.

    Random starts of particles overlap, and one huge term would hide errors in all others; but not
    down a hole without a bottom, where differences are no measure of anything.
    """
    x = np.asarray(points).T
    value, grad = _evaluate(system, x)
    steepest = _STEEPER * np.max(np.abs(grad), axis=0)
    for _ in range(0 if isinstance(system.energy, HostEnergy) else _DESCENT_STEPS):
        size = np.max(np.abs(grad), axis=0)
        usable = np.isfinite(size) & (size > 0)
        stride = 0.1 * system.length / np.where(usable, size, 1.0)
        trial = x - np.where(usable, stride * grad, 0.0)
        new_value, new_grad = _evaluate(system, trial)
        better = (new_value < value) & (np.max(np.abs(new_grad), axis=0) <= steepest)
        x, value = np.where(better, trial, x), np.where(better, new_value, value)
        grad = np.where(better, new_grad, 0.5 * grad)
    finite = np.isfinite(value) & np.all(np.isfinite(grad), axis=0)
    if not finite.any():
        said = ""
        if isinstance(system.energy, HostEnergy) and system.energy.failures[1]:
            said = f"; it said: {system.energy.failures[1][-1]}"
        raise EnergyError(
            f"the energy or its gradient is NaN or infinite at all {len(points)} starting "
            f"points{said}",
            "check the system's `start`, and look for a 0/0 or a square root of 0: "
            "`jnp.linalg.norm` has no gradient at the origin",
        )
    order = np.argsort(value[finite], kind="stable")
    return x[:, np.flatnonzero(finite)[order]]


def _directions(dof: int) -> np.ndarray:
    """Fixed irregular directions of unit largest component, as a block."""
    v = np.cos(np.arange(1.0, dof + 1.0)[:, None] ** 2 * np.sqrt([2.0, 3.0, 5.0]))
    return v / np.max(np.abs(v), axis=0)


def _difference(outputs: np.ndarray, step: float) -> np.ndarray:
    """Derivative of fourth order from the outputs at `-2, -1, 1, 2` steps, axes `(4, lanes)`."""
    far_back, back, ahead, far_ahead = np.moveaxis(outputs, -2, 0)
    return (8.0 * (ahead - back) - (far_ahead - far_back)) / (12.0 * step)


def _stencil(x: np.ndarray, v: np.ndarray, step: float) -> np.ndarray:
    """Points at `-2, -1, 1, 2` steps along every direction: `(dof, 4 · directions)`."""
    offsets = step * np.array([-2.0, -1.0, 1.0, 2.0])
    return (x[:, None, None] + offsets[:, None] * v[:, None, :]).reshape(x.size, -1)


def _rounding(magnitude: np.ndarray, step: float) -> float:
    """What a difference over `step` of numbers as large as these cannot resolve."""
    return float(20 * np.finfo(np.float64).eps * np.max(np.abs(magnitude)) / step)


def _slopes(system: System, x: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, ...]:
    """Slopes along the directions: from the gradient, from differences, and their disagreement.

    The differences are those of the step that agrees best; a disagreement above 1 is too much.
    """
    value, grad = _evaluate(system, x[:, None])
    stated = np.sum(grad * v, axis=0)
    best, error = stated, np.full(stated.shape, np.inf)
    for fraction in _STEPS:
        step = fraction * system.length
        values, _ = _evaluate(system, _stencil(x, v, step))
        numeric = _difference(values.reshape(4, -1), step)
        allowed = max(_TOLERANCE * float(np.max(np.abs(grad))), _rounding(value, step))
        found = np.abs(numeric - stated) / max(allowed, np.finfo(np.float64).tiny)
        found = np.where(np.isfinite(found), found, np.inf)
        best = np.where(found < error, numeric, best)
        error = np.minimum(found, error)
        if np.all(error <= 1):
            break
    return stated, best, error


def _check_gradient(system: System, x: np.ndarray) -> None:
    """Along random directions; only if that fails, coordinate by coordinate."""
    stated, numeric, error = _slopes(system, x, _directions(x.size))
    if np.all(error <= 1):
        return
    place = "along a random direction"
    for first in range(0, x.size, _DIRECTIONS):
        axes = np.eye(x.size, min(_DIRECTIONS, x.size - first), -first)
        at_axes = _slopes(system, x, axes)
        if np.any(at_axes[2] > 1):
            stated, numeric, error = at_axes
            place = f"coordinate {first + int(np.argmax(error))} of {x.size}"
            break
    worst = int(np.argmax(error))
    a, b = float(stated[worst]), float(numeric[worst])
    if abs(a + b) < 1e-3 * abs(b):
        mend = "the sign is wrong: return the gradient, not the forces"
    elif isinstance(system.energy, HostEnergy):
        mend = (
            "check the units of energy and length in the gradient; an iterative code may need a "
            "tighter convergence threshold, and float32 is not enough"
        )
    else:
        mend = "look for a custom derivative, `stop_gradient`, or a jump such as a bare cutoff"
    raise EnergyError(
        f"the gradient does not belong to the energy: {place}, it says {a:.10g} and finite "
        f"differences of the energy say {b:.10g}",
        mend,
    )


def _check_definition(system: System, x: np.ndarray) -> None:
    """Block methods against the definition in JAX."""
    energy = system.energy
    if not isinstance(energy, AbstractLaneEnergy) or isinstance(energy, HostEnergy):
        return
    value, grad = _evaluate(system, x)
    true_value, true_grad = _evaluate(system, x, _compiled_definition)
    for what, got, expected in (("energy", value, true_value), ("gradient", grad, true_grad)):
        error = np.abs(got - expected)
        worst = np.unravel_index(int(np.argmax(error)), error.shape)
        if not np.max(error) <= _AGREEMENT * np.max(np.abs(expected)):
            raise EnergyError(
                f"the block {what} disagrees with the definition: {float(got[worst])!r} against "
                f"{float(expected[worst])!r}",
                "`lane_value_and_grad` must compute what `__call__` defines; a pair function's "
                "derivatives are with respect to r², not r",
            )


def _check_hvp(system: System, x: np.ndarray) -> None:
    """Hessian-vector products against differences of gradients."""
    v = _directions(x.size)
    stated = np.asarray(_compiled_hvp(system.energy, np.broadcast_to(x[:, None], v.shape), v))
    _, at_x = _evaluate(system, x[:, None])
    errors = []
    for fraction in _STEPS:
        step = fraction * system.length
        _, grads = _evaluate(system, _stencil(x, v, step))
        numeric = _difference(grads.reshape(x.size, 4, -1), step)
        allowed = max(_CURVATURE_TOLERANCE * float(np.max(np.abs(stated))), _rounding(at_x, step))
        errors.append(float(np.max(np.abs(numeric - stated))) / allowed if allowed > 0 else 0.0)
    if not np.nanmin([*errors, np.inf]) <= 1:
        raise EnergyError(
            "the Hessian-vector product disagrees with finite differences of the gradient "
            f"(by {_CURVATURE_TOLERANCE * min(errors):.1e} of its size at best)",
            "the energy needs two continuous derivatives: smooth the cutoff, or check `lane_hvp`",
        )


def _check_expansion(system: System, x: np.ndarray) -> None:
    """Dense second derivatives that an energy states itself, against what it is differentiated to.

    Where Hessians are exact their products agree to rounding; the tolerance is that of curvatures,
    as a kink at the very point has two.
    """
    own, plain = type(system.energy), AbstractEnergy
    if issubclass(own, AbstractLaneEnergy) or (
        own.second_derivatives is plain.second_derivatives and own.expansion is plain.expansion
    ):
        return
    v = _directions(x.size)
    products = np.asarray(_compiled_hvp(system.energy, np.broadcast_to(x[:, None], v.shape), v))
    value, grad = _compiled_value_and_grad(system.energy, x)
    parts = {
        "energy": (value, _AGREEMENT),
        "gradient": (grad, _AGREEMENT),
        "Hessian": (products, _CURVATURE_TOLERANCE),
    }
    found = _compiled_expansion(system.energy, x[:, None])
    stated = found[0][0], found[1][:, 0], np.asarray(found[2][0]) @ v
    for (name, (expected, tolerance)), got in zip(parts.items(), stated, strict=True):
        scale = max(float(np.max(np.abs(expected))), 1e-300)
        off = float(np.max(np.abs(np.asarray(got) - expected))) / scale
        if not off <= tolerance:
            raise EnergyError(
                f"the {name} of the energy's own `expansion` or `second_derivatives` is off by "
                f"{off:.1e} of its size",
                "compare with jax.hessian, or leave the method out: it only saves time",
            )


def _check_invariance(system: System, x: np.ndarray) -> None:
    """The declared symmetry: infinitesimal motions, an image, the canonical place; wrapping."""
    point, other = x[:, 0], x[:, -1]
    value, grad = _evaluate(system, x[:, :1])
    modes = np.asarray(_compiled_zero_modes(system.symmetry, point))
    slope = float(np.max(np.abs(modes @ grad[:, 0]), initial=0.0))
    norm = float(np.linalg.norm(grad))
    tolerance = 1e-6 * norm + 1e-9 * abs(float(value[0]))
    noisy = 100.0 if isinstance(system.energy, HostEnergy) else 1.0
    if not slope <= noisy * tolerance:
        raise EnergyError(
            f"the energy changes along a motion that {type(system.symmetry).__name__} declares "
            f"free: slope {slope:.3e}, gradient norm {norm:.3e}",
            "declare the symmetry that the energy has, NoSymmetry() for none",
        )
    images = {
        "an image under the declared symmetry": system.symmetry.align(point, other)[0],
        "the canonical image": system.symmetry.canonical(other),
        "the point wrapped into the space": np.asarray(system.space.retract(jnp.asarray(other))),
    }
    values, _ = _evaluate(system, np.stack([other, *images.values()], axis=1))
    allowed = noisy * 1e-8 * max(abs(values[0]), abs(float(value[0])), 1e-8)
    for what, changed in zip(images, values[1:], strict=True):
        if not abs(changed - values[0]) <= allowed:
            raise EnergyError(
                f"the energy is {values[0]:.12g} at a point and {changed:.12g} at {what}",
                f"declare the symmetry that the energy has ({type(system.symmetry).__name__} "
                "says that they are the same), and check the species and the box",
            )
