r"""Metropolis: the reference, for weights that are known exactly.

Accept with $\min(1, w(x')/w(x))$. **Stationary law:** $w(x)/Z$, exactly.

Source: Metropolis, Rosenbluth, Rosenbluth, Teller & Teller, J. Chem. Phys. 21, 1087 (1953).
"""

from typing import ClassVar

import equinox as eqx
import jax

from thalweg.core import Array, PRNGKey
from thalweg.sampling._targets import ExactWeight

from ._kernel import (
    AbstractKernel,
    AbstractProposal,
    Chains,
    Info,
    NormalMove,
    Walk,
    draw_log_weight,
    info,
    metropolis,
    select,
    trial,
)


class Metropolis(AbstractKernel):
    """Random-walk Metropolis for an exact weight.

    Attributes:
        scale: Size of a trial displacement; `None` to tune it in warm-up.
        proposal: How trial points are made.
    """

    name: ClassVar[str] = "metropolis"
    accepts: ClassVar[tuple[type, ...]] = (ExactWeight,)
    stored: ClassVar[bool] = True

    scale: float | Array | None = None
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)

    def init(self, target: ExactWeight, key: PRNGKey, x: Chains) -> Walk:
        """Evaluate the starting points."""
        return Walk(x, draw_log_weight(target, key, x)[0], target.domain.log_prior(x))

    def step(self, target: ExactWeight, key: PRNGKey, state: Walk) -> tuple[Walk, Info]:
        """One trial move."""
        # Three keys, as every stored-weight kernel splits: an exact weight in the type of a
        # noisy one then gives the same chain bit for bit.
        move, noise, decide = jax.random.split(key, 3)
        x, log_prior, where = trial(target, self.proposal, self.scale, move, state.x)
        log_weight, bad = draw_log_weight(target, noise, where)
        ratio = log_weight + log_prior - state.log_weight - state.log_prior
        accept = metropolis(decide, ratio)
        return select(accept, Walk(x, log_weight, log_prior), state), info(accept, 1, bad)
