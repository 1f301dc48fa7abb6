"""The evidence that a point is what it is called."""

import dataclasses

from ._result import Outcome


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What was measured at a stationary point, and the verdict.

    It proves what is true at the point (to the stated gradient): a small gradient and the number
    of negative curvatures. It says nothing about how far the basin reaches.

    Attributes:
        gradient_norm: Root mean square of the gradient's components after the Newton polish.
        index: Number of negative curvatures (0 at a minimum, 1 at a transition state).
        zero_modes: Number of curvatures that vanish to within the tolerance.
        expected_zero_modes: Number that the system's symmetry explains.
        curvatures: The lowest few curvatures that are not zero, in ascending order.
        log_product: Natural logarithm of the product of the positive curvatures.
        order: Order of the point group.
        method: How the curvatures were found.
        outcome: `Outcome.success`, or what failed.
    """

    gradient_norm: float
    index: int
    zero_modes: int
    expected_zero_modes: int
    curvatures: tuple[float, ...]
    log_product: float
    order: int
    method: str
    outcome: Outcome

    @property
    def ok(self) -> bool:
        """Whether the point passed."""
        return self.outcome is Outcome.success
