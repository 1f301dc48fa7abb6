"""Outcomes of iterations: failure is data.

An `Outcome` is an integer inside compiled code and a message outside; `Solution` is what every
entry point returns.
"""

import dataclasses
import enum
from typing import Any, Generic, TypeVar

from ._errors import SolveError

Result = TypeVar("Result")


class Outcome(enum.IntEnum):
    """How an iteration, or the check of its result, ended."""

    success = 0
    max_steps = 1
    nonfinite = 2
    escaped = 3
    collapsed = 4
    stalled = 5
    gradient_too_large = 6
    wrong_index = 7
    unexplained_zero_modes = 8
    no_downhill_path = 9
    fell_back = 10
    no_minimum = 11

    @property
    def message(self) -> str:
        """What happened and what to do about it."""
        return _MESSAGES[self]


_MESSAGES = {
    Outcome.success: "converged",
    Outcome.max_steps: (
        "the step limit was reached; a solver with more `max_steps` or a looser `tol` may get there"
    ),
    Outcome.nonfinite: (
        "the energy or its gradient became NaN or infinite; start closer to a sensible "
        "geometry or lower `max_step`"
    ),
    Outcome.escaped: (
        "the point left the system's extent (atoms flew apart, or a parameter ran away), or ended "
        "outside what its space contains (a bond broke); "
        "add a container or a confining term (an L2 penalty), or raise the space's `extent`"
    ),
    Outcome.collapsed: "the energy fell below the system's floor: it is unbounded below here",
    Outcome.stalled: (
        "no downhill step could be found although the gradient is not small; "
        "check that the gradient belongs to the energy, and whether the energy has a kink there "
        "(a ReLU unit at its threshold): a smooth activation, such as softplus, has none"
    ),
    Outcome.gradient_too_large: (
        "Newton's method did not bring the gradient to the certificate's tolerance"
    ),
    Outcome.wrong_index: (
        "the Hessian has another number of negative curvatures than was asked for"
    ),
    Outcome.unexplained_zero_modes: (
        "the Hessian has zero modes that the system's symmetry does not explain "
        "(a detached fragment, a flat valley, or a symmetry that was not declared)"
    ),
    Outcome.no_downhill_path: "a quench from one side of the transition state failed",
    Outcome.fell_back: "the climb slid back to an extremum of another index",
    Outcome.no_minimum: (
        "the gradient vanishes only because the valley leads to infinity, where the energy goes on "
        "falling: there is no stationary point (a fit of separable data without a penalty, atoms "
        "that part); add an L2 penalty or a container"
    ),
}


@dataclasses.dataclass(frozen=True)
class Solution(Generic[Result]):
    """What an entry point returns.

    Attributes:
        value: The result; when `outcome` is not `success`, the last iterate.
        outcome: How it ended.
        stats: Plain numbers (steps, evaluations, seconds).
    """

    value: Result
    outcome: Outcome
    stats: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether the iteration succeeded."""
        return self.outcome is Outcome.success

    def unwrap(self) -> Result:
        """The value of a success.

        Raises:
            SolveError: if the outcome is anything else.
        """
        if not self.ok:
            raise SolveError(f"{self.outcome.name}: {self.outcome.message}")
        return self.value
