"""External energies: any Python function that returns an energy and its gradient.

The function runs on the host, outside the compiled program, for one block of points at a time;
with several workers the points of a block go to a pool of processes. A failure inside it is data:
the point's energy is NaN, and the message is kept in `HostEnergy.failures`.
"""

import collections
import concurrent.futures
import multiprocessing
import signal
import threading
import weakref
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._energy import AbstractLaneEnergy
from ._errors import ArgumentError, EnergyError
from ._host_call import host_call
from ._shapes import Point, Scalar

_KEPT = 20
"""Messages of failures that are kept; the count goes on."""


class HostEnergy(AbstractLaneEnergy):
    """An energy that is evaluated by a Python function, `x -> (energy, gradient)`.

    The function takes a NumPy array of shape `(dof,)` and returns a number and an array of the
    same size: the gradient, the *negative* of the forces. It must be deterministic and must not
    call JAX. Values and gradients may be used in compiled code; a Hessian-vector product is a
    central difference of two gradients, with relative error of about `(step / length)²`, where
    `length` is the distance over which the curvature changes, plus the gradient's own error
    divided by `step`. Derivatives beyond that do not exist.

    Attributes:
        dof: Number of coordinates of a point.
        step: Largest displacement of a coordinate in a finite difference, in the length unit.
    """

    exact_derivatives: ClassVar[bool] = False

    dof: int = eqx.field(static=True)
    step: float = eqx.field(static=True)
    _host: "_Host" = eqx.field(static=True)

    def __init__(
        self,
        function: Callable[[np.ndarray], tuple[Any, Any]],
        dof: int,
        *,
        workers: int = 1,
        step: float = 1e-4,
    ):
        """Wrap a function.

        Args:
            function: Takes `(dof,)`, returns energy and gradient. With more than one worker it is
                pickled once for each process, so let it be a module's function, or an instance
                whose `__call__` builds at first use what cannot be pickled.
            dof: Number of coordinates.
            workers: Processes that share the points of a block; 1 stays in this process.
            step: Displacement for Hessian-vector products. `1e-4` suits gradients that are exact to
                twelve digits; raise it for those of iterative codes.

        Raises:
            ArgumentError: if an argument makes no sense.
        """
        if not callable(function):
            raise ArgumentError(
                f"HostEnergy got {type(function).__name__}, expected a function",
                "it takes a NumPy array of shape (dof,) and returns (energy, gradient)",
            )
        if dof < 1 or workers < 1 or not step > 0:
            raise ArgumentError(f"dof={dof}, workers={workers}, step={step} must be positive")
        self.dof = dof
        self.step = step
        self._host = _Host(function, dof, workers)

    @property
    def failures(self) -> tuple[int, tuple[str, ...]]:
        """How many points have failed so far, and the latest messages."""
        return self._host.failed, tuple(self._host.messages)

    def probe(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Call the function once, outside JAX, and check what it returns.

        Raises:
            EnergyError: if it raises, or returns anything but a number and `dof` numbers.
        """
        try:
            outcome = _evaluate(self._host.function, np.array(x, dtype=np.float64))
        except (TypeError, ValueError, IndexError) as error:
            raise EnergyError(
                f"the external energy failed at a starting point: {_describe(error)}",
                "it takes a NumPy array of shape (dof,) and returns (energy, gradient)",
            ) from error
        except Exception as error:
            raise EnergyError(
                f"the external energy failed at a starting point: {_describe(error)}",
                "the code behind it refuses this input: check elements, charge and positions",
            ) from error
        return outcome

    def close(self) -> None:
        """End the worker processes; they start again when needed."""
        self._host.close()

    def __call__(self, x: Point) -> Scalar:
        """Energy at one point; its derivative comes from the function's gradient."""
        return _differentiable(self, x)

    def lane_value_and_grad(
        self, x: Float[Array, "dof lanes"]
    ) -> tuple[Float[Array, " lanes"], Float[Array, "dof lanes"]]:
        """Energies and gradients of a block, by one visit to the host."""
        shapes = (
            jax.ShapeDtypeStruct(x.shape[1:], x.dtype),
            jax.ShapeDtypeStruct(x.shape, x.dtype),
        )
        return host_call(self._host.evaluate_block, shapes, x)

    def lane_hvp(
        self, x: Float[Array, "dof lanes"], v: Float[Array, "dof lanes"]
    ) -> Float[Array, "dof lanes"]:
        """Central differences of gradients along `v`, by one visit to the host."""
        size = jnp.max(jnp.abs(v), axis=0)
        scale = self.step / jnp.where(size > 0, size, 1)
        move = scale * v
        _, grad = self.lane_value_and_grad(jnp.concatenate([x + move, x - move], axis=1))
        ahead, behind = jnp.split(grad, 2, axis=1)
        return jnp.where(size > 0, (ahead - behind) / (2 * scale), jnp.zeros_like(v))


@jax.custom_jvp
def _differentiable(energy: HostEnergy, x: Point) -> Scalar:
    return energy.lane_value_and_grad(x[:, None])[0][0]


@_differentiable.defjvp
def _differentiable_jvp(primals: Any, tangents: Any) -> tuple[Scalar, Scalar]:
    energy, x = primals
    value, grad = energy.lane_value_and_grad(x[:, None])
    return value[0], jnp.sum(grad[:, 0] * tangents[1])


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _evaluate(function: Callable, x: np.ndarray) -> tuple[float, np.ndarray]:
    """One call, with the contract checked."""
    outcome = function(x.copy())
    try:
        value, grad = outcome
    except (TypeError, ValueError):
        raise EnergyError(
            f"returned {type(outcome).__name__}, expected a pair (energy, gradient)"
        ) from None
    value = np.asarray(value, dtype=np.float64)
    grad = np.asarray(grad, dtype=np.float64)
    if value.size != 1:
        raise EnergyError(f"returned an energy of shape {value.shape}, expected one number")
    if grad.size != x.size:
        raise EnergyError(f"returned a gradient of shape {grad.shape}, expected {x.shape}")
    return float(value.reshape(())), grad.reshape(x.shape)


def _guarded(function: Callable, x: np.ndarray) -> tuple[float, np.ndarray, str]:
    """One call whose failure is a message; an idle lane, at NaN, is no call at all."""
    if np.any(np.isnan(x)):
        return np.nan, np.full_like(x, np.nan), ""
    try:
        value, grad = _evaluate(function, x)
    except Exception as error:
        return np.nan, np.full_like(x, np.nan), _describe(error)
    if not (np.isfinite(value) and np.all(np.isfinite(grad))):
        return np.nan, np.full_like(x, np.nan), f"returned an energy of {value} or such a gradient"
    return value, grad, ""


_worker_function: Callable | None = None


def _start_worker(function: Callable) -> None:
    # Ctrl-C in a terminal reaches every process; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    global _worker_function
    _worker_function = function


def _work(x: np.ndarray) -> tuple[float, np.ndarray, str]:
    assert _worker_function is not None
    return _guarded(_worker_function, x)


class _Host:
    """The mutable part: the pool, and what went wrong so far."""

    def __init__(self, function: Callable, dof: int, workers: int):
        self.function = function
        self.dof = dof
        self.workers = workers
        self.failed = 0
        self.messages: collections.deque[str] = collections.deque(maxlen=_KEPT)
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def evaluate_block(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energies `(lanes,)` and gradients `(dof, lanes)` of a block, in its dtype."""
        points = np.ascontiguousarray(block.T, dtype=np.float64)
        with self._lock:
            results = self._map(points)
        values = np.array([value for value, _, _ in results], dtype=block.dtype)
        grads = np.array([grad for _, grad, _ in results], dtype=block.dtype)
        for _, _, message in results:
            if message:
                self.failed += 1
                self.messages.append(message)
        return values, np.ascontiguousarray(grads.reshape(points.shape).T)

    def _map(self, points: np.ndarray) -> list[tuple[float, np.ndarray, str]]:
        if self.workers == 1:
            return [_guarded(self.function, x) for x in points]
        nan = np.full(self.dof, np.nan)
        try:
            return list(self._ensure_pool().map(_work, points))
        except BrokenProcessPool as error:
            self.close()
            return [(np.nan, nan, f"a worker process died: {error}")] * len(points)
        except Exception as error:  # the function or its result cannot be pickled
            self.close()
            return [(np.nan, nan, f"the pool of processes failed: {_describe(error)}")] * len(
                points
            )

    def _ensure_pool(self) -> concurrent.futures.ProcessPoolExecutor:
        if self._pool is None:
            # Forking a process that runs XLA's threads can deadlock: start fresh ones.
            self._pool = concurrent.futures.ProcessPoolExecutor(
                self.workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(self.function,),
            )
            weakref.finalize(self, self._pool.shutdown, wait=False, cancel_futures=True)
        return self._pool

    def close(self) -> None:
        """Shut the pool down."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
