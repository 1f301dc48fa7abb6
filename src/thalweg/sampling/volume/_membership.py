"""Memberships: what it means to belong to a state, as a yes/no oracle.

A basin of attraction is not a property of an energy alone: the minimiser that decides where a
point ends is part of its definition, and so is what counts as *the same minimum*. Both are fields
here. With `SteepestDescent` the basin is that of the gradient flow; with L-BFGS or FIRE it is
another set of another volume; with a noisy descent it is a probability.
"""

import abc
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import ArrayLike

from thalweg.core import (
    RUNNING,
    AbstractDynamics,
    AbstractOracle,
    AbstractSolver,
    ArgumentError,
    ClusterSymmetry,
    NoSymmetry,
    Outcome,
    PeriodicSymmetry,
    Point,
    PRNGKey,
    SphereSpace,
    System,
    require_x64,
    solve_many,
    value_and_grad,
)

from ._flow import SteepestDescent
from ._oracles import AbstractBatchOracle
from ._same import deviation, upright

Identity = Literal["labelled", "isomer"]

_CLOSE = 1e-3
"""Distance of a coordinate within which an end point is the minimum, in units of `length`."""

_BLOCK = 1024
"""Noisy descents in one compiled call."""


class AbstractMembership(AbstractBatchOracle):
    """An oracle that follows a point of a system to its end and compares that with a minimum.

    **Measure.** Volumes are taken over displacements from the minimum orthogonal to the
    symmetry's zero modes there (`directions`): for a free cluster of `N` particles the `3N - 6`
    internal directions of the Eckart frame, for a periodic box the `d(N - 1)` directions that
    leave the centroid where it is; with the Lebesgue measure of the coordinates, in the length
    unit to that power. Particles have labels and periodic boxes are not folded, so that each
    labelled minimum has one basin.

    The flat slice of a free cluster passes through turned copies of the minimum too (those by 180°
    about a principal axis, for one). Only the part of it counts in which the identity is the
    rotation that fits the point best to the minimum: each configuration then appears once.

    **Identity.** `"labelled"`: the end point is the minimum after shifting and turning it, label
    by label, not mirrored. `"isomer"`: any image under the system's symmetry counts, relabelled
    and mirrored ones too.
    """

    system: eqx.AbstractVar[System]
    minimum: eqx.AbstractVar[Point]
    minimiser: eqx.AbstractVar[AbstractSolver]
    identity: eqx.AbstractVar[Identity]
    close: eqx.AbstractVar[float]

    @property
    def length(self) -> float:
        """The system's length: the scale that a search for widths begins with."""
        return 0.1 * self.system.length

    def directions(self) -> Float[np.ndarray, "dim dof"]:
        """Orthonormal displacements that change the shape of the minimum."""
        zero = np.asarray(self.system.symmetry.zero_modes(self.minimum))
        zero = zero[np.sum(zero**2, axis=1) > 0.5]
        dof = len(self.minimum)
        if not len(zero):
            return np.eye(dof)
        return np.linalg.qr(np.concatenate([zero, np.eye(dof)]).T)[0].T[len(zero) : dof]

    @abc.abstractmethod
    def ends(
        self, key: PRNGKey, rows: Int[np.ndarray, " points"], x: Float[np.ndarray, "points dof"]
    ) -> tuple[Float[np.ndarray, "points dof"], Bool[np.ndarray, " points"]]:
        """Where points end, and whether they do; chance comes from `fold_in(key, row)`."""

    def many(self, key: PRNGKey, x: Float[np.ndarray, "points dof"]) -> Bool[np.ndarray, " points"]:
        """Whether each point ends in the minimum."""
        minimum = np.asarray(self.minimum)
        hit = upright(self.system.symmetry, minimum, x)
        if not hit.any():
            return hit
        rows = np.flatnonzero(hit)
        end, done = self.ends(key, rows, x[rows])
        if self.identity == "isomer":
            hit[rows] = done & self._image(end)
        else:
            off = deviation(self.system.symmetry, minimum, end)
            hit[rows] = done & (off <= self.close * self.system.length)
        return hit

    def _image(self, end: np.ndarray) -> np.ndarray:
        """Any image of the minimum."""
        symmetry, x = self.system.symmetry, np.asarray(self.minimum)
        tol = self.close * self.system.length
        finite = np.asarray(np.isfinite(end).all(axis=1))
        return np.array(
            [
                ok and symmetry.match(x, y, tol) is not None
                for ok, y in zip(finite.tolist(), end, strict=True)
            ],
            bool,
        )

    def _settled(self, start: Point, moved: Point) -> Bool[Array, ""]:
        """The answer inside compiled code, for a point that chance has moved before the quench."""
        if self.identity == "isomer":
            raise ArgumentError(
                "identity='isomer' is decided on the host", "ask `many`, as basin_volume does"
            )
        symmetry = self.system.symmetry
        end, done = _quench(self.system, self.minimiser, moved)
        off = deviation(symmetry, self.minimum, end[None], jnp)[0]
        same = off <= self.close * self.system.length
        return upright(symmetry, self.minimum, start[None], jnp)[0] & done & same


class BasinMembership(AbstractMembership):
    """Whether a point quenches to a minimum: the basin of attraction *of a minimiser*.

    Attributes:
        system: Whose energy.
        minimum: The minimum, flat, polished.
        minimiser: `SteepestDescent()` (the basin of the gradient flow), `LBFGS()`, `FIRE()`, or
            any other solver; part of the definition of the basin.
        identity: When an end point is the minimum; see `AbstractMembership`.
        close: How far a coordinate of it may be off, in units of the system's `length`.
    """

    system: System
    minimum: Point
    minimiser: AbstractSolver
    identity: Identity = eqx.field(static=True)
    close: float

    def __init__(
        self,
        system: System,
        minimum: ArrayLike,
        minimiser: AbstractSolver | None = None,
        *,
        identity: Identity = "labelled",
        close: float = _CLOSE,
    ):
        """Bind a minimum and a minimiser; `SteepestDescent()` by default.

        Raises:
            ArgumentError: if the minimum does not fit the system, or is not one for the minimiser.
            PrecisionError: if float64 is off.
        """
        self.system = system
        self.minimum = checked_minimum(system, minimum)
        self.minimiser = SteepestDescent() if minimiser is None else minimiser
        self.identity = checked_identity(identity)
        self.close = float(close)

    @property
    def deterministic(self) -> bool:
        """Yes: the key makes no difference."""
        return True

    def ends(
        self, key: PRNGKey, rows: Int[np.ndarray, " points"], x: Float[np.ndarray, "points dof"]
    ) -> tuple[Float[np.ndarray, "points dof"], Bool[np.ndarray, " points"]]:
        """The quenches, in lanes."""
        del key, rows
        finished = solve_many(self.system, self.minimiser, x)
        return finished.x, finished.outcome == Outcome.success

    def __call__(self, key: PRNGKey, x: Point) -> Bool[Array, ""]:
        """One point in compiled code; `many` is faster for many."""
        del key
        return self._settled(x, x)


class NoisyDescent(AbstractMembership):
    """Whether a *noisy* descent ends in a minimum: a membership that is a probability.

    Steps `x ← x - step · ĝ(x) + √(2 · step · T_i) ξ` with a noise that cools linearly from
    `temperature` to zero, followed by a quench. `ĝ` is the system's gradient, or any noisy estimate
    of it, such as that of a minibatch.

    Attributes:
        system: Whose energy.
        minimum: The minimum, flat.
        gradient: `(key, x) -> ĝ`, or `None` for the exact gradient.
        temperature: Of the first step, in the energy unit (`k_B = 1`).
        step: Length of a step in time; it must be stable for the stiffest direction.
        steps: Number of noisy steps.
        minimiser: The quench that follows.
        identity: When an end point is the minimum.
        close: How far a coordinate of it may be off, in units of the system's `length`.
    """

    system: System
    minimum: Point
    gradient: Any = eqx.field(static=True)
    temperature: float
    step: float
    steps: int = eqx.field(static=True)
    minimiser: AbstractSolver
    identity: Identity = eqx.field(static=True)
    close: float

    def __init__(  # noqa: PLR0913 - a record; all but four have defaults
        self,
        system: System,
        minimum: ArrayLike,
        *,
        step: float,
        steps: int,
        temperature: float = 0.0,
        gradient: Any = None,
        minimiser: AbstractSolver | None = None,
        identity: Identity = "labelled",
        close: float = _CLOSE,
    ):
        """Bind a minimum and the law of the noise.

        Raises:
            ArgumentError: if a number is out of range, or the minimum does not fit.
            PrecisionError: if float64 is off.
        """
        if not (step > 0 and steps > 0 and temperature >= 0):
            raise ArgumentError(
                f"NoisyDescent(step={step}, steps={steps}, temperature={temperature}): steps must "
                "be positive and the temperature not negative"
            )
        self.system = system
        self.minimum = checked_minimum(system, minimum)
        self.gradient = gradient
        self.temperature = float(temperature)
        self.step = float(step)
        self.steps = int(steps)
        self.minimiser = SteepestDescent() if minimiser is None else minimiser
        self.identity = checked_identity(identity)
        self.close = float(close)

    def ends(
        self, key: PRNGKey, rows: Int[np.ndarray, " points"], x: Float[np.ndarray, "points dof"]
    ) -> tuple[Float[np.ndarray, "points dof"], Bool[np.ndarray, " points"]]:
        """Noisy steps in compiled blocks, then quenches in lanes."""
        parts = []
        for first in range(0, len(x), _BLOCK):
            at = np.minimum(np.arange(first, first + _BLOCK), len(x) - 1)
            parts.append(np.asarray(_shaken(self, key, jnp.asarray(rows[at]), jnp.asarray(x[at]))))
        shaken = np.concatenate(parts)[: len(x)]
        finite = np.asarray(np.isfinite(shaken).all(axis=1))
        finished = solve_many(self.system, self.minimiser, np.where(finite[:, None], shaken, x))
        return finished.x, finite & (finished.outcome == Outcome.success)

    def shake(self, key: PRNGKey, x: Point) -> Point:
        """The noisy steps from one point."""

        def step(x: Point, number: Array) -> tuple[Point, None]:
            gradient_key, noise_key = jax.random.split(jax.random.fold_in(key, number))
            if self.gradient is None:
                slope = value_and_grad(self.system.energy, x)[1]
            else:
                slope = self.gradient(gradient_key, x)
            cooled = self.temperature * (1.0 - number.astype(x.dtype) / self.steps)
            noise = jax.random.normal(noise_key, x.shape, x.dtype)
            return x - self.step * slope + jnp.sqrt(2.0 * self.step * cooled) * noise, None

        return jax.lax.scan(step, x, jnp.arange(self.steps))[0]

    def __call__(self, key: PRNGKey, x: Point) -> Bool[Array, ""]:
        """One point in compiled code; `many` is faster for many."""
        return self._settled(x, self.shake(key, x))


@eqx.filter_jit
def _shaken(
    membership: NoisyDescent,
    key: PRNGKey,
    rows: Int[Array, " points"],
    x: Float[Array, "points dof"],
) -> Float[Array, "points dof"]:
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, rows)
    return jax.vmap(membership.shake)(keys, x)


class FlowMembership(AbstractOracle):
    """Whether a dynamics comes within `radius` of a fixed point in a given time.

    Classical Runge-Kutta with a fixed step: compiled, the same for every point. The drive is
    constant. The whole space counts, since a vector field says nothing of symmetry.

    Attributes:
        dynamics: The vector field `(t, x, drive) -> dx/dt`.
        fixed_point: Where members end, flat.
        radius: How near they must come.
        time: How long they have.
        steps: Steps in that time.
        drive: Constant external input.
    """

    dynamics: AbstractDynamics
    fixed_point: Point
    radius: float
    time: float
    steps: int = eqx.field(static=True)
    drive: Any = None

    def __check_init__(self):
        if not (self.radius > 0 and self.time > 0 and self.steps > 0):
            raise ArgumentError(
                f"FlowMembership(radius={self.radius}, time={self.time}, steps={self.steps}): all "
                "must be positive"
            )

    @property
    def minimum(self) -> Point:
        """The fixed point: where `basin_volume` puts its centre."""
        return self.fixed_point

    @property
    def deterministic(self) -> bool:
        """Yes: the key makes no difference."""
        return True

    def __call__(self, key: PRNGKey, x: Point) -> Bool[Array, ""]:
        """Integrate one point."""
        del key
        h = self.time / self.steps

        def step(x: Point, number: Array) -> tuple[Point, None]:
            t = h * number.astype(x.dtype)
            k1 = self.dynamics(t, x, self.drive)
            k2 = self.dynamics(t + 0.5 * h, x + 0.5 * h * k1, self.drive)
            k3 = self.dynamics(t + 0.5 * h, x + 0.5 * h * k2, self.drive)
            k4 = self.dynamics(t + h, x + h * k3, self.drive)
            return x + h * (k1 + 2.0 * k2 + 2.0 * k3 + k4) / 6.0, None

        end = jax.lax.scan(step, x, jnp.arange(self.steps))[0]
        return jnp.sqrt(jnp.sum((end - self.fixed_point) ** 2)) <= self.radius


def checked_minimum(system: System, minimum: ArrayLike) -> Point:
    """The minimum as a flat float64 point, on a system that volumes are defined for.

    Raises:
        ArgumentError: if it does not fit, or the system lives on a sphere or has a symmetry of its
            own kind.
        PrecisionError: if float64 is off.
    """
    require_x64()
    x = np.asarray(minimum, float).reshape(-1)
    if x.size != system.space.dof or not np.isfinite(x).all():
        raise ArgumentError(
            f"minimum has {x.size} coordinates (all of them must be finite); {system.name} has "
            f"{system.space.dof}"
        )
    known = isinstance(system.symmetry, NoSymmetry | ClusterSymmetry | PeriodicSymmetry)
    discrete = known or system.symmetry.expected_zero_modes(x) == 0
    if not discrete or isinstance(system.space, SphereSpace):
        raise ArgumentError(
            f"volumes of basins are not defined for {type(system.symmetry).__name__} in "
            f"{type(system.space).__name__}",
            "they need a flat space, and no zero modes but those of translations and rotations",
        )
    return jnp.asarray(x)


def checked_identity(identity: str) -> Identity:
    """One of the two words.

    Raises:
        ArgumentError: if it is another.
    """
    if identity not in {"labelled", "isomer"}:
        raise ArgumentError(f"identity={identity!r} must be 'labelled' or 'isomer'")
    return "labelled" if identity == "labelled" else "isomer"


def _quench(system: System, minimiser: AbstractSolver, x: Point) -> tuple[Point, Bool[Array, ""]]:
    """One quench that may stand inside compiled code: end point, and whether it is one."""

    def verdict(state: Any, steps: Array) -> Array:
        status = minimiser.terminate(system, state)
        lost = (
            ~jnp.isfinite(state.value)
            | (state.value < system.floor)
            | (jnp.max(jnp.abs(state.x)) > system.space.extent)
        )
        status = jnp.where(lost, int(Outcome.escaped), status)
        late = (steps >= minimiser.max_steps) & (status == RUNNING)
        return jnp.where(late, int(Outcome.max_steps), status)

    def body(loop: tuple[Any, Array, Array]) -> tuple[Any, Array, Array]:
        state, steps, _ = loop
        state = minimiser.step(system, state)
        return state, steps + 1, verdict(state, steps + 1)

    begin = (minimiser.init(system, x), jnp.zeros((), jnp.int32), jnp.asarray(RUNNING))
    state, _, status = jax.lax.while_loop(lambda loop: loop[2] == RUNNING, body, begin)
    return state.x, status == int(Outcome.success)
