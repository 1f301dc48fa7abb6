r"""Accept if and only if the oracle says yes.

The stored outcome of the current point is a yes, always; so the rule of `StoredWeight` becomes:
reject on a no, accept on a yes (with the ratio of priors, if there is one). **Stationary law:**
$p(x)/Z$, exactly, with one answer a step. For each answer spent nothing is better than one answer
a step; asking $k$ times and storing the count (`StoredWeight(replicates=k)`) pays where $k$ answers
cost no more time than one.

A chain that sits where $p$ is small stays there for about $1/p$ steps: its start must be a
*measured* yes where $p$ is high.

Source: Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017), single-point version.
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import Array, PRNGKey
from thalweg.sampling._targets import Oracle

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


class AcceptIfPass(AbstractKernel):
    """Accept a trial point if the oracle says yes to it.

    Attributes:
        scale: Size of a trial displacement; `None` to tune it in warm-up.
        proposal: How trial points are made.
    """

    name: ClassVar[str] = "accept-if-pass"
    accepts: ClassVar[tuple[type, ...]] = (Oracle,)
    stored: ClassVar[bool] = True

    scale: float | Array | None = None
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)

    def init(self, target: Oracle, key: PRNGKey, x: Chains) -> Walk:
        """Ask at the starting points; a no is a weight of zero there."""
        return Walk(x, draw_log_weight(target, key, x)[0], target.domain.log_prior(x))

    def step(self, target: Oracle, key: PRNGKey, state: Walk) -> tuple[Walk, Info]:
        """One trial move and one answer."""
        move, noise, decide = jax.random.split(key, 3)
        x, log_prior, where = trial(target, self.proposal, self.scale, move, state.x)
        accept = target.draw(noise, where) & jnp.isfinite(log_prior)
        if target.domain.prior is not None:
            accept &= metropolis(decide, log_prior - state.log_prior)
        new = select(accept, Walk(x, state.log_weight, log_prior), state)
        return new, info(accept, 1, jnp.zeros_like(accept))
