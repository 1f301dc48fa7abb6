"""Newton's method on the gradient: from any point to a stationary point of any index.

A quench finds minima and a climb transition states; Newton's iteration is drawn to all of them
alike. A step is shortened until the gradient falls. Where no short step helps (a singular Hessian,
a minimum of the gradient's size that is no zero of it) a whole one is taken unchecked, a few
times, before the point is given up as stalled.

Source: J. N. Murrell and K. J. Laidler, Trans. Faraday Soc. 64, 371 (1968), for the index; D. J.
Wales and J. P. K. Doye, J. Chem. Phys. 119, 12409 (2003), for stationary points of all indices;
P. Deuflhard, Newton Methods for Nonlinear Problems (Springer, 2004), chapter 3.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from thalweg.core import (
    RUNNING,
    ArgumentError,
    Finished,
    Outcome,
    System,
    require_x64,
    retract_rows,
    serial_blas,
)

from ._certify import LANES, derivatives, newton_step, points_at_once, rms_rows

_REJECTIONS = 6
"""Steps without progress in a row before one is taken unchecked."""

_PROGRESS = 0.9
"""Progress is a gradient that falls below this share of the last."""

_KICKS = 8
"""Unchecked steps before a point is given up."""


def newton_many(
    system: System,
    x0: Float[np.ndarray, "points dof"],
    *,
    tol: float = 1e-9,
    max_step: float = 0.5,
    max_steps: int = 300,
) -> Finished:
    """Follow Newton's steps from many points to stationary points of whatever index.

    Args:
        system: What they are points of.
        x0: Starting points, `(points, dof)`.
        tol: Root-mean-square gradient at which a point has arrived, relative to the largest
            entry of its Hessian where that exceeds one; `certify_many(..., index=None)` polishes.
        max_step: Longest step, in units of the system's `length`.
        max_steps: Evaluations for each point.

    Returns:
        Row `i` belongs to start `i`; `outcome` says how each ended.

    Raises:
        ArgumentError: if the starts do not fit the system, or a limit is not positive.
    """
    require_x64()
    starts = np.asarray(x0, float)
    if starts.ndim != 2 or starts.shape[1] != system.space.dof or not len(starts):
        raise ArgumentError(
            f"x0 has the shape {starts.shape}, expected (points, {system.space.dof})"
        )
    for name, value in (("tol", tol), ("max_step", max_step), ("max_steps", max_steps)):
        if not value > 0:
            raise ArgumentError(f"{name}={value!r} must be positive")
    # Differences of gradients leave more noise in the steps.
    tol = tol if system.energy.exact_derivatives else max(tol, 1e-6)
    run = _Run(system, starts, tol, max_step * system.length, max_steps)
    with serial_blas():
        while np.any(run.ids >= 0):
            run.advance()
    return Finished(run.x, run.value, run.size, run.steps, run.outcome, ())


@dataclasses.dataclass
class _Run:
    """A block of lanes that is filled from a list of starts until that is empty."""

    system: System
    starts: np.ndarray
    tol: float
    longest: float
    max_steps: int

    def __post_init__(self):
        count, dof = self.starts.shape
        # What is known of every start.
        self.x = self.starts.copy()
        self.value = np.full(count, np.nan)
        self.size = np.full(count, np.inf)
        self.steps = np.zeros(count, np.int64)
        self.outcome = np.full(count, RUNNING, np.int64)
        # What the lanes hold besides.
        exact = self.system.energy.exact_derivatives
        width = points_at_once(self.system) if exact else min(LANES, count)
        self.ids = np.full(width, -1)
        self.next = 0
        self.step = np.zeros((width, dof))
        self.radius = np.zeros(width)
        self.rejected = np.zeros(width, np.int64)
        self.kicks = np.zeros(width, np.int64)
        self._refill()

    def _refill(self) -> None:
        free = np.flatnonzero(self.ids < 0)[: len(self.starts) - self.next]
        self.ids[free] = self.next + np.arange(len(free))
        self.next += len(free)
        self.step[free], self.radius[free] = 0.0, self.longest
        self.rejected[free], self.kicks[free] = 0, 0

    def _trial(self) -> np.ndarray:
        """Where each lane looks next; idle lanes look where the first one does."""
        norm = np.linalg.norm(self.step, axis=1)
        cut = np.minimum(1.0, self.radius / np.maximum(norm, 1e-300))
        at = self.x[self.ids] + cut[:, None] * self.step
        at = retract_rows(self.system.space, at)
        busy = self.ids >= 0
        return np.where(busy[:, None], at, at[np.argmax(busy)])

    def advance(self) -> None:
        """One evaluation in every lane."""
        trial = self._trial()
        found = derivatives(self.system, jnp.asarray(trial.T))
        value, grad, matrix, zero = (np.asarray(a) for a in found)
        size = rms_rows(grad)
        scale = np.max(np.abs(matrix), axis=(1, 2), initial=0.0)
        sound = np.isfinite(value) & np.isfinite(size) & np.isfinite(scale)
        busy, ids = self.ids >= 0, np.maximum(self.ids, 0)
        fresh = self.steps[ids] == 0
        forced = self.rejected > _REJECTIONS
        before = self.size[ids]
        accepted = busy & sound & (fresh | forced | (size < before))
        self.steps[self.ids[busy]] += 1
        now = self.ids[accepted]
        self.x[now], self.value[now], self.size[now] = (
            trial[accepted],
            value[accepted],
            size[accepted],
        )
        full = newton_step(grad, matrix, zero, np.inf)
        self.step = np.where(accepted[:, None], full, self.step)
        grown = np.where(forced | fresh, self.longest, np.minimum(2.0 * self.radius, self.longest))
        taken = np.minimum(self.radius, np.linalg.norm(self.step, axis=1))
        self.radius = np.where(accepted, grown, 0.25 * taken)
        self.kicks += accepted & forced
        # Crawling towards a minimum of the gradient's size counts as standing still.
        moving = accepted & (fresh | forced | (size < _PROGRESS * before))
        self.rejected = np.where(moving, 0, self.rejected + 1)
        kick = self.rejected > _REJECTIONS
        self.radius = np.where(kick, self.longest, self.radius)
        self._retire(busy, accepted, sound, self.tol * np.maximum(1.0, scale), fresh)

    def _retire(
        self,
        busy: np.ndarray,
        accepted: np.ndarray,
        sound: np.ndarray,
        arrived: np.ndarray,
        fresh: np.ndarray,
    ) -> None:
        ids = np.maximum(self.ids, 0)
        far = np.max(np.abs(self.x[ids]), axis=1) > self.system.space.extent
        ends = (
            (accepted & (self.size[ids] <= arrived), Outcome.success),
            ((fresh | (self.rejected > _REJECTIONS + 1)) & ~sound, Outcome.nonfinite),
            (far, Outcome.escaped),
            (accepted & (self.value[ids] < self.system.floor), Outcome.collapsed),
            (self.kicks > _KICKS, Outcome.stalled),
            (self.steps[ids] >= self.max_steps, Outcome.max_steps),
        )
        for holds, outcome in ends:
            ended = busy & holds & (self.outcome[ids] == RUNNING)
            self.outcome[self.ids[ended]] = int(outcome)
        done = busy & (self.outcome[ids] != RUNNING)
        self.ids[done] = -1
        self._refill()
