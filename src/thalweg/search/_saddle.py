"""Transition states: climbs from a point, and the two minima below each saddle."""

import dataclasses
import time

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from thalweg.core import AbstractSolver, Finished, Outcome, Solution, System, solve, solve_many

from ._certify import Certified, certify_many
from ._eigenvector_following import Climb, EigenvectorFollowing
from ._lbfgs import LBFGS
from ._minimise import check_point

PUSH_OFF = 0.02
"""Displacement along the negative mode before the two quenches, in units of `length`."""

_ATTAINABLE = 1e-9
"""Gradient that every quench can reach, of energies and lengths of the order of one."""


def climb(
    system: System,
    x0: ArrayLike,
    direction: ArrayLike | None = None,
    solver: AbstractSolver | None = None,
    *,
    throw: bool = True,
) -> Solution[Certified]:
    """Climb from `x0` to a transition state, polish it and certify its index.

    Args:
        system: What to climb on.
        x0: Starting point, any shape that holds `dof` numbers.
        direction: First guess of the direction to follow; any direction that is not a zero mode
            will do, and the softest mode near it is followed. By default a fixed random one.
        solver: `EigenvectorFollowing()` unless given.
        throw: Whether to raise when it does not succeed.

    Returns:
        The certified point; its `mode` is the direction of negative curvature.

    Raises:
        ArgumentError: if `x0` or `direction` does not fit the system.
        SolveError: if `throw` and the outcome is not `success`.
    """
    began = time.perf_counter()
    point = check_point(system, x0, "x0")
    if direction is None:
        direction = np.asarray(jax.random.normal(jax.random.key(0), point.shape))
    start = Climb(jnp.asarray(point), jnp.asarray(check_point(system, direction, "direction")))
    finished = solve(system, EigenvectorFollowing() if solver is None else solver, start)
    certified = certify_many(system, np.asarray(finished.x)[None], index=1)[0]
    outcome = Outcome(int(finished.outcome))
    if outcome is Outcome.success:
        outcome = certified.certificate.outcome
    stats = {"steps": int(finished.steps), "seconds": time.perf_counter() - began}
    solution = Solution(certified, outcome, stats)
    if throw:
        solution.unwrap()
    return solution


def push_off(
    system: System,
    x: Float[np.ndarray, "points dof"],
    direction: Float[np.ndarray, "points dof"],
    *,
    width: int | None = None,
    minimiser: AbstractSolver | None = None,
    tol: float | None = None,
) -> Finished:
    """Quench from beside saddles.

    Args:
        system: What they are points of.
        x: Saddles, `(points, dof)`.
        direction: Unit vectors along a negative curvature, `(points, dof)`, pointing to the side
            that is wanted.
        width: Lanes.
        minimiser: `LBFGS` with short steps unless given, to stay in the valley that it enters.
        tol: Gradient at which it ends, if that is less than its own; see `tolerance_beside`.

    Returns:
        The quenches; row `i` belongs to point `i`.
    """
    minimiser = LBFGS(max_step=0.03) if minimiser is None else minimiser
    own = getattr(minimiser, "tol", None)
    if own is not None and tol is not None and tol < own:
        minimiser = dataclasses.replace(minimiser, tol=tol)
        if isinstance(minimiser, LBFGS):  # the stretch until the valley curves upwards is long
            minimiser = dataclasses.replace(minimiser, grow=2.0)
    return solve_many(system, minimiser, x + PUSH_OFF * system.length * direction, width=width)


def tolerance_beside(system: System, curvatures: Float[np.ndarray, " points"]) -> float:
    """A tenth of the least gradient where quenches from beside these saddles begin.

    Where a valley begins as softly as in the loss of a large network, a quench with the usual
    tolerance would end where it begins.

    Args:
        system: What they are points of.
        curvatures: The negative curvature of each.
    """
    least = np.min(np.abs(curvatures)) * PUSH_OFF * system.length / np.sqrt(system.space.dof)
    return max(0.1 * float(least), _ATTAINABLE)
