"""Paths of flows, maps and stochastic flows from many starts at once."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree
from numpy.typing import ArrayLike

from thalweg.core import (
    AbstractDynamics,
    AbstractMap,
    ArgumentError,
    Outcome,
    Point,
    PRNGKey,
    require_x64,
)

from ._trajectories import Trajectories
from ._white_noise import WhiteNoise

SOLVERS = ("tsit5", "dopri8", "kvaerno5", "heun", "euler")
"""Runge-Kutta methods by name; `kvaerno5` is implicit, for stiff flows."""

_CHUNK = 1024
"""Paths in one compiled call; more go through it one chunk after the other."""

_SMALLEST = 1e-13
"""Shortest step of an adaptive solver, as a share of the time simulated."""

_RUNNING = -1

Advance = Callable[[Array, Array, Point, PyTree, PRNGKey], Point]
"""`(t, h, x, drive, key) → x` one step later."""


def simulate(  # noqa: PLR0913 - all but three have defaults
    dynamics: AbstractDynamics | AbstractMap,
    x0: ArrayLike,
    times: ArrayLike,
    drive: PyTree = None,
    *,
    drives: PyTree = None,
    step: int | float | None = None,
    solver: str | Any = "tsit5",
    rtol: float = 1e-8,
    atol: float = 1e-10,
    noise: WhiteNoise | None = None,
    key: PRNGKey | int | None = None,
    extent: int | float = 1e6,
    max_steps: int = 100_000,
) -> Trajectories:
    """Follow a dynamics from many starts.

    A flow is integrated by diffrax, with steps that adapt to `rtol` and `atol`, or with fixed ones
    if `step` is given. A map is iterated. A flow with `noise` is a stochastic differential equation
    in Itô's sense, `dx = f dt + L S dW`, stepped by Euler and Maruyama (weak order 1).
    Path `i` draws from `fold_in(key, i)`: it does not depend on the company it has.

    No ending is an error: a path that blows up or meets NaN says so in its `outcome`.

    Args:
        dynamics: The vector field or the map.
        x0: Starts, `(dof,)` or `(paths, dof)`.
        times: When to keep points, `(times,)`, increasing; the first one is that of the starts.
            Whole numbers for a map.
        drive: External input: any pytree, or a function of time that returns one.
        drives: In place of `drive`: one input for each path, every array with a leading axis
            `(paths, …)`.
        step: Length of a fixed step; each interval between `times` is cut into equal steps of at
            most this. Needed with `noise`.
        solver: A name of `thalweg.dynamics.SOLVERS`, or a diffrax solver.
        rtol: Relative error allowed in a step, for adaptive steps.
        atol: Absolute error allowed in a step.
        noise: White noise on a flow.
        key: Random key, or a number to make one of; needed with `noise`.
        extent: A path ends as `escaped` when a coordinate is larger than this.
        max_steps: Most steps of an adaptive path.

    Returns:
        The paths, and how each of them ended.

    Raises:
        ArgumentError: if an argument is out of range, or does not fit the dynamics.
        PrecisionError: if float64 is off.
    """
    require_x64()
    starts, kept = _checked(dynamics, x0, times, extent, max_steps)
    if drives is not None and drive is not None:
        raise ArgumentError("both drive and drives are given", "one for all paths, or one for each")
    check_velocity(dynamics, starts[0], _row(drives, 0) if drives is not None else drive)
    reach = jnp.asarray(float(extent))
    if isinstance(dynamics, AbstractMap):
        if step is not None or noise is not None:
            raise ArgumentError("step and noise belong to flows", "a map steps by one")
        counts, advance = _whole_steps(kept), _map_step
    elif noise is not None:
        if step is None or key is None:
            raise ArgumentError(
                f"noise needs step and key (got step={step}, key={key})",
                "simulate(…, noise=noise, step=0.01, key=0)",
            )
        noise.matrix(jnp.asarray(starts[0]), _row(drives, 0) if drives is not None else drive)
        counts, advance = _cuts(kept, step), _EulerMaruyama(noise)
    elif step is not None:
        counts, advance = _cuts(kept, step), _FixedStep(find_solver(solver))
    else:
        if not (rtol > 0 and atol > 0):
            raise ArgumentError(f"rtol={rtol} and atol={atol} must be positive")
        tolerances = (jnp.asarray(float(rtol)), jnp.asarray(float(atol)))
        method = find_solver(solver)

        def run_adaptive(rows: np.ndarray, x: Array, inputs: PyTree) -> Any:
            del rows
            law = (dynamics, method, tolerances, reach)
            return _adaptive(
                law, x, jnp.asarray(kept), inputs, batched=drives is not None, max_steps=max_steps
            )

        return _in_chunks(run_adaptive, starts, kept, drive, drives, extent)

    root = jax.random.key(key) if isinstance(key, int) else key
    root = jax.random.key(0) if root is None else root

    def run(rows: np.ndarray, x: Array, inputs: PyTree) -> Any:
        keys = jax.vmap(jax.random.fold_in, (None, 0))(root, jnp.asarray(rows))
        plan = (jnp.asarray(kept), jnp.asarray(counts), reach)
        return _march((dynamics, advance), x, inputs, keys, plan, batched=drives is not None)

    return _in_chunks(run, starts, kept, drive, drives, extent)


def check_velocity(dynamics: AbstractDynamics | AbstractMap, x: Any, drive: PyTree) -> None:
    """Refuse a dynamics that does not return one number for each coordinate.

    Raises:
        ArgumentError: if it does not.
    """
    if not isinstance(dynamics, AbstractDynamics | AbstractMap):
        raise ArgumentError(
            f"dynamics is a {type(dynamics).__name__}, expected an AbstractDynamics or AbstractMap"
        )
    point = jnp.asarray(x)
    out = eqx.filter_eval_shape(lambda: dynamics(jnp.asarray(0.0), point, at_time(drive, 0.0)))
    if getattr(out, "shape", None) != point.shape:
        raise ArgumentError(
            f"{type(dynamics).__name__} returned shape {getattr(out, 'shape', out)} for a point of "
            f"shape {point.shape}",
            "check the number of coordinates of x0",
        )


def at_time(drive: PyTree, t: Float[Array, ""] | float) -> PyTree:
    """The input at a time: a function of time is called, anything else is constant."""
    return drive(t) if callable(drive) else drive


def find_solver(solver: Any) -> Any:
    """The diffrax solver of a name.

    Raises:
        ArgumentError: if there is none.
    """
    import diffrax

    if isinstance(solver, diffrax.AbstractSolver):
        return solver
    known = {
        "tsit5": diffrax.Tsit5,
        "dopri8": diffrax.Dopri8,
        "kvaerno5": diffrax.Kvaerno5,
        "heun": diffrax.Heun,
        "euler": diffrax.Euler,
    }
    if solver not in known:
        raise ArgumentError(f"solver={solver!r} is none of {', '.join(known)}")
    return known[solver]()


def _checked(
    dynamics: Any, x0: ArrayLike, times: ArrayLike, extent: int | float, max_steps: int
) -> tuple[Float[np.ndarray, "paths dof"], Float[np.ndarray, " times"]]:
    starts = np.atleast_2d(np.asarray(x0, np.float64))
    kept = np.asarray(times, np.float64)
    if starts.ndim != 2 or not starts.size or not np.isfinite(starts).all():
        raise ArgumentError(
            f"x0 has shape {np.shape(x0)}: finite numbers, (dof,) or (paths, dof), are expected"
        )
    if kept.ndim != 1 or len(kept) < 2 or not (np.diff(kept) > 0).all():
        raise ArgumentError(
            f"times has shape {kept.shape}: at least two increasing numbers are expected",
            "numpy.linspace(0, 10, 101), say",
        )
    if not np.isfinite(kept).all():
        raise ArgumentError("times must be finite")
    if not extent > 0 or max_steps < 1:
        raise ArgumentError(f"extent={extent} and max_steps={max_steps} must be positive")
    del dynamics
    return starts, kept


def _whole_steps(times: np.ndarray) -> Int[np.ndarray, " intervals"]:
    if not np.array_equal(times, np.round(times)):
        raise ArgumentError("a map's times must be whole numbers", "numpy.arange(101), say")
    return np.diff(times).astype(int)


def _cuts(times: np.ndarray, step: float) -> Int[np.ndarray, " intervals"]:
    if not (step > 0 and math.isfinite(step)):
        raise ArgumentError(f"step={step} must be positive")
    return np.ceil(np.diff(times) / step - 1e-9).astype(int).clip(1)


def _row(tree: PyTree, number: int) -> PyTree:
    return jax.tree.map(lambda a: jnp.asarray(a)[number], tree)


def _map_step(
    dynamics: AbstractMap, t: Array, h: Array, x: Point, drive: PyTree, key: PRNGKey
) -> Point:
    del h, key
    return dynamics(t, x, at_time(drive, t))


class _EulerMaruyama(eqx.Module):
    noise: WhiteNoise

    def __call__(
        self, dynamics: AbstractDynamics, t: Array, h: Array, x: Point, drive: PyTree, key: PRNGKey
    ) -> Point:
        """`x + f h + L S √h ξ`."""
        now = at_time(drive, t)
        shake = jax.random.normal(key, x.shape, x.dtype)
        strength = self.noise.strength
        if not callable(strength) and jnp.ndim(strength) < 2:  # no matrix product is needed
            tau = jnp.asarray(self.noise.time_constants, x.dtype)
            kick = jnp.asarray(strength, x.dtype) / jnp.sqrt(tau) * shake
        else:
            kick = self.noise.matrix(x, now, t) @ shake
        return x + h * dynamics(t, x, now) + jnp.sqrt(h) * kick


class _FixedStep(eqx.Module):
    """One step of a diffrax solver."""

    solver: Any

    def __call__(
        self, dynamics: AbstractDynamics, t: Array, h: Array, x: Point, drive: PyTree, key: PRNGKey
    ) -> Point:
        """The point one step later; the error estimate is not used."""
        del key
        return runge_kutta_step(
            self.solver, lambda s, y: dynamics(s, y, at_time(drive, s)), t, h, x
        )


def runge_kutta_step(
    solver: Any, field: Callable[[Array, PyTree], PyTree], t: Array, h: Array, y: PyTree
) -> PyTree:
    """One step of a diffrax solver on `dy/dt = field(t, y)`, for any pytree `y`."""
    import diffrax

    def velocity(s: Any, y: PyTree, args: Any) -> PyTree:
        del args
        return field(s, y)

    term = diffrax.ODETerm(velocity)
    state = solver.init(term, t, t + h, y, None)
    return solver.step(term, t, t + h, y, None, state, made_jump=False)[0]


def _in_chunks(
    run: Callable[[np.ndarray, Array, PyTree], Any],
    starts: np.ndarray,
    times: np.ndarray,
    drive: PyTree,
    drives: PyTree,
    extent: int | float,
) -> Trajectories:
    """Every start through a program of one width."""
    parts = []
    count, width = len(starts), min(len(starts), _CHUNK)
    for first in range(0, count, width):
        rows = np.minimum(np.arange(first, first + width), count - 1)
        inputs = drive
        if drives is not None:
            inputs = jax.tree.map(lambda a, rows=rows: jnp.asarray(a)[rows], drives)
        got = jax.tree.map(np.asarray, run(rows, jnp.asarray(starts[rows]), inputs))
        parts.append(jax.tree.map(lambda a, first=first: a[: count - first], got))
    x, status, ended, steps = (np.concatenate(part) for part in zip(*parts, strict=True))
    gone = times > ended[:, None] * (1 + 1e-12) + 1e-300
    x = np.where(gone[:, :, None] | ~np.isfinite(x), np.nan, x)
    x[:, 0] = starts
    return Trajectories(times, x, status.astype(np.int64), ended, steps.astype(np.int64), extent)


def _judge(
    x: Float[Array, " dof"], extent: Float[Array, ""]
) -> tuple[Int[Array, ""], Float[Array, " dof"]]:
    """The outcome that a point forces, or running."""
    lost = ~jnp.all(jnp.isfinite(x))
    big = jnp.max(jnp.abs(x)) > extent
    code = jnp.where(big, int(Outcome.escaped), _RUNNING)
    return jnp.where(lost, int(Outcome.nonfinite), code), x


@eqx.filter_jit
def _march(
    law: tuple[Any, Any],
    x0: Float[Array, "paths dof"],
    drive: PyTree,
    keys: Any,
    plan: tuple[Array, Array, Array],
    *,
    batched: bool,
) -> tuple[Array, Array, Array, Array]:
    """Fixed steps: each interval `i` in `counts[i]` of them, a path that ends stays where it is."""
    dynamics, advance = law
    times, counts, extent = plan

    def path(x0: Array, key: PRNGKey, drive: PyTree) -> tuple[Array, Array, Array, Array]:
        def interval(carry: tuple, number: Array) -> tuple[tuple, Array]:
            h = (times[number + 1] - times[number]) / counts[number].astype(times.dtype)
            interval_key = jax.random.fold_in(key, number)

            def body(j: Array, carry: tuple) -> tuple:
                x, status, ended, steps = carry
                t = times[number] + h * j.astype(h.dtype)
                new = advance(dynamics, t, h, x, drive, jax.random.fold_in(interval_key, j))
                running = status == _RUNNING
                code, new = _judge(new, extent)
                status = jnp.where(running, code, status)
                goes_on = status == _RUNNING
                x = jnp.where(goes_on, new, x)
                ended = jnp.where(goes_on, t + h, ended)
                return x, status, ended, steps + running.astype(steps.dtype)

            carry = jax.lax.fori_loop(jnp.zeros_like(counts[number]), counts[number], body, carry)
            x, status, ended, steps = carry
            ended = jnp.where(status == _RUNNING, times[number + 1], ended)
            return (x, status, ended, steps), x

        begin = (x0, jnp.asarray(_RUNNING), times[0], jnp.asarray(0))
        (_, status, ended, steps), xs = jax.lax.scan(interval, begin, jnp.arange(len(counts)))
        status = jnp.where(status == _RUNNING, int(Outcome.success), status)
        return jnp.concatenate([x0[None], xs]), status, ended, steps

    return jax.vmap(path, (0, 0, 0 if batched else None))(x0, keys, drive)


@eqx.filter_jit
def _adaptive(
    law: tuple[Any, Any, Any, Any],
    x0: Float[Array, "paths dof"],
    times: Float[Array, " times"],
    drive: PyTree,
    *,
    batched: bool,
    max_steps: int,
) -> tuple[Array, Array, Array, Array]:
    """Adaptive steps; an event ends a path that leaves the extent."""
    import diffrax

    dynamics, solver, (rtol, atol), extent = law
    span = times[-1] - times[0]
    controller = diffrax.PIDController(
        rtol=rtol, atol=atol, dtmin=_SMALLEST * span, force_dtmin=False
    )

    def gone(t: Array, y: Array, args: Any, **_: Any) -> Array:
        return jnp.max(jnp.abs(y)) > extent

    def velocity(t: Any, x: Array, args: PyTree) -> Array:
        return dynamics(t, x, at_time(args, t))

    def path(x0: Array, drive: PyTree) -> tuple[Array, Array, Array, Array]:
        term = diffrax.ODETerm(velocity)
        # Chosen here: a trial step that overflows would leave diffrax without a first step.
        size = atol + rtol * jnp.abs(x0)
        speed = jnp.max(jnp.abs(velocity(times[0], x0, drive)) / size)
        first = 0.01 * jnp.maximum(jnp.max(jnp.abs(x0) / size), 1.0) / speed
        first = jnp.where(jnp.isfinite(first), first, span)
        first = jnp.clip(first, 10.0 * _SMALLEST * span, span)
        save = diffrax.SaveAt(subs=[diffrax.SubSaveAt(ts=times), diffrax.SubSaveAt(t1=True)])
        solution = diffrax.diffeqsolve(
            term, solver, times[0], times[-1], first, x0, drive,
            saveat=save, stepsize_controller=controller, adjoint=diffrax.ForwardMode(),
            event=diffrax.Event(gone), max_steps=max_steps, throw=False,
        )  # fmt: skip
        (xs, end), (_, last) = _saved(solution)
        results = diffrax.RESULTS
        status = jnp.asarray(int(Outcome.nonfinite))
        for result, outcome in (
            (results.successful, Outcome.success),
            (results.event_occurred, Outcome.escaped),
            (results.max_steps_reached, Outcome.max_steps),
        ):
            status = jnp.where(solution.result == result, int(outcome), status)
        # What blows up in finite time asks for ever shorter steps before it leaves the extent.
        huge = jnp.max(jnp.abs(end[0])) > jnp.sqrt(extent)
        lost = status == int(Outcome.nonfinite)
        status = jnp.where(lost & huge, int(Outcome.escaped), status)
        return xs, status, last[0], solution.stats["num_steps"]

    return jax.vmap(path, (0, 0 if batched else None))(x0, drive)


def _saved(solution: Any) -> tuple[Any, Any]:
    """Points and times that a solution was asked to keep."""
    return solution.ys, solution.ts
