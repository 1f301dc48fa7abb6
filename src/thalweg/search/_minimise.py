"""Quenches: from any point down to a certified minimum of its basin."""

import time
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from thalweg.core import (
    AbstractSolver,
    ArgumentError,
    Finished,
    Outcome,
    Solution,
    System,
    solve,
    solve_many,
)

from ._certify import Certified, certify_many
from ._lbfgs import LBFGS


def check_point(system: System, x: ArrayLike, name: str) -> np.ndarray:
    """`x` as a flat float64 point of the system, or an error that says what is wrong with it.

    Raises:
        ArgumentError: if the size does not fit or an entry is not finite.
    """
    point = np.asarray(x, float).reshape(-1)
    if point.size != system.space.dof:
        raise ArgumentError(
            f"{name} has {point.size} coordinates; {system.name} has {system.space.dof}",
            f"pass an array that holds {system.space.dof} numbers",
        )
    if not np.all(np.isfinite(point)):
        raise ArgumentError(f"{name} has NaN or infinite coordinates")
    return point


def quench(
    system: System, x0: ArrayLike, minimiser: AbstractSolver | None = None, *, throw: bool = True
) -> Solution[Certified]:
    """Follow the energy downhill from `x0`, polish the minimum and certify it.

    Args:
        system: What to minimise.
        x0: Starting point, any shape that holds `dof` numbers, in the system's length unit.
        minimiser: `LBFGS()` unless given.
        throw: Whether to raise when it does not succeed.

    Returns:
        The certified point; `outcome` says what failed, in the descent or in the certificate.

    Raises:
        ArgumentError: if `x0` does not fit the system.
        SolveError: if `throw` and the outcome is not `success`.
    """
    began = time.perf_counter()
    point = check_point(system, x0, "x0")
    finished = solve(system, LBFGS() if minimiser is None else minimiser, jnp.asarray(point))
    certified = certify_many(system, np.asarray(finished.x)[None], index=0)[0]
    outcome = Outcome(int(finished.outcome))
    if outcome is Outcome.success:
        outcome = certified.certificate.outcome
    stats = {"steps": int(finished.steps), "seconds": time.perf_counter() - began}
    solution = Solution(certified, outcome, stats)
    if throw:
        solution.unwrap()
    return solution


def quench_many(
    system: System,
    x0: Float[np.ndarray, "points dof"],
    minimiser: AbstractSolver | Sequence[AbstractSolver] | None = None,
    *,
    width: int | None = None,
) -> Finished:
    """Follow the energy downhill from many points at once, without certificates.

    Several minimisers take over from each other, each where the one before stopped: some
    steps of gradients and then exact Hessians, `(LBFGS(grow=2.0, memory=10, max_steps=60),
    Newton(max_step=0.5))`, are cheaper than either alone on the loss of a small network.

    Args:
        system: What to minimise.
        x0: Starting points, `(points, dof)`.
        minimiser: `LBFGS()` unless given.
        width: Lanes; the result does not depend on it.

    Returns:
        Row `i` belongs to start `i`; `outcome` says how each ended, `steps` counts those of all
        minimisers.
    """
    if not isinstance(minimiser, Sequence):
        return solve_many(system, LBFGS() if minimiser is None else minimiser, x0, width=width)
    first, *rest = minimiser
    finished = solve_many(system, first, x0, width=width)
    for following in rest:
        before = finished.steps
        # A lane that blew up has nowhere to go on from: the next one says so again.
        finished = solve_many(system, following, finished.x, width=width)
        finished = eqx.tree_at(lambda f: f.steps, finished, before + finished.steps)
    return finished
