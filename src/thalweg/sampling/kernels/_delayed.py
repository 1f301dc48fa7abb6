r"""Delayed acceptance: a cheap surrogate sifts trial points before the costly weight is asked.

A short Metropolis walk of `sub_steps` steps under the surrogate $\tilde w$ makes the trial point;
it is accepted with

$$
\min\left\{1, \frac{\hat w(x')\,\tilde w(x)}{\hat w(x)\,\tilde w(x')}\right\},
$$

the stored weight of the current point being kept. If the walk ends where it began the costly weight
is not asked at all. With one sub-step this is delayed acceptance; with several it is the surrogate
transition method. **Stationary law:** $\langle\hat w(x)\rangle/Z$, exactly, whatever the surrogate:
a bad one only costs acceptance, badly so where $\ln(\tilde w/w)$ is unbounded.

All lanes of a block are evaluated together in one program, so what is saved is *counted* calls (a
laboratory's, a host function's), not time on the device; several sub-steps save both.

Sources: Christen & Fox, J. Comput. Graph. Stat. 14, 795 (2005); Liu, Monte Carlo Strategies in
Scientific Computing (2001), section 9.4.3; Sherlock, Thiery & Golightly, arXiv:1509.00172 (2015).
"""

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, PRNGKey
from thalweg.sampling._targets import ExactWeight, NoisyWeight, Oracle

from ._kernel import (
    AbstractKernel,
    AbstractProposal,
    Chains,
    Info,
    NormalMove,
    Values,
    Walk,
    draw_log_weight,
    info,
    metropolis,
    select,
    trial,
)


class DelayedAcceptance(AbstractKernel):
    """A surrogate proposes, the weight disposes.

    Attributes:
        surrogate: Logarithm of a cheap approximation of the weight, a function of one point.
        scale: Size of a displacement in the surrogate walk; `None` to tune it in warm-up.
        sub_steps: Steps of the surrogate walk.
        replicates: Draws averaged into one weight.
        proposal: How the surrogate walk moves.
    """

    name: ClassVar[str] = "delayed-acceptance"
    accepts: ClassVar[tuple[type, ...]] = (ExactWeight, NoisyWeight, Oracle)
    stored: ClassVar[bool] = True

    surrogate: Callable
    scale: float | Array | None = None
    sub_steps: int = eqx.field(static=True, default=1)
    replicates: int = eqx.field(static=True, default=1)
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)

    def __check_init__(self):
        if not callable(self.surrogate):
            raise ArgumentError("surrogate must be a function of one point")
        if self.sub_steps < 1 or self.replicates < 1:
            raise ArgumentError(
                f"sub_steps={self.sub_steps} and replicates={self.replicates} must be at least 1"
            )

    @property
    def averaged(self) -> int:
        """How many draws make one stored weight."""
        return self.replicates

    def init(self, target: NoisyWeight | Oracle | ExactWeight, key: PRNGKey, x: Chains) -> Walk:
        """Draw the weights of the starting points."""
        log_weight, _ = draw_log_weight(target, key, x, self.replicates)
        return Walk(x, log_weight, target.domain.log_prior(x))

    def step(
        self, target: NoisyWeight | Oracle | ExactWeight, key: PRNGKey, state: Walk
    ) -> tuple[Walk, Info]:
        """A walk under the surrogate, and one weight where it ended elsewhere."""
        walk, noise, decide = jax.random.split(key, 3)
        first = self._cheap(target, state.x)

        def one(carry: tuple, key: PRNGKey) -> tuple[tuple, None]:
            x, cheap, log_prior, moved = carry
            move, choose = jax.random.split(key)
            new, prior, where = trial(target, self.proposal, self.scale, move, x)
            value = self._cheap(target, where)
            accept = metropolis(choose, value + prior - cheap - log_prior)
            return select(accept, (new, value, prior, jnp.ones_like(moved)), carry), None

        begin = (state.x, first, state.log_prior, jnp.zeros(state.x.shape[1], bool))
        keys = jax.random.split(walk, self.sub_steps)
        (x, cheap, log_prior, moved), _ = jax.lax.scan(one, begin, keys)
        log_weight, bad = draw_log_weight(target, noise, x, self.replicates)
        accept = moved & metropolis(decide, log_weight - state.log_weight - cheap + first)
        new = select(accept, Walk(x, log_weight, log_prior), state)
        return new, info(accept, self.replicates * moved.astype(jnp.int32), bad & moved)

    def _cheap(self, target: NoisyWeight | Oracle | ExactWeight, x: Chains) -> Values:
        point = target.domain.point_function(self.surrogate)
        return jax.vmap(point, in_axes=-1)(x).astype(x.dtype)
