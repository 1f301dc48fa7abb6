r"""Stochastic-weight Monte Carlo with the kept draw, known to statisticians as pseudo-marginal.

The random numbers $u$ behind a weight count as coordinates. In the space of $(x, u)$ the density
$m(u)\,\hat w(x, u)/Z$ is an ordinary one; a trial point comes with fresh $u' \sim m$ and is
accepted with

$$
\min\left\{1, \frac{\hat w(x', u')}{\hat w(x, u)}\right\},
$$

where $\hat w(x, u)$ is the number that was drawn when the current point was accepted. It is
**stored, and never drawn again**. **Stationary law:** $\langle\hat w(x)\rangle/Z$ in $x$, exactly,
for any law of the noise with $\hat w \ge 0$; the stored weight itself is size-biased,
$m(u)\hat w/\bar w$. With $k$ replicates $\hat w$ is the mean of $k$ draws, which keeps the law.

Sources: Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017); Beaumont, Genetics 164, 1139 (2003);
Andrieu & Roberts, Ann. Stat. 37, 697 (2009).
"""

from typing import ClassVar

import equinox as eqx
import jax

from thalweg.core import ArgumentError, Array, PRNGKey
from thalweg.sampling._targets import NoisyWeight, Oracle

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


class StoredWeight(AbstractKernel):
    """Stochastic-weight Monte Carlo (pseudo-marginal): the drawn weight is kept.

    Attributes:
        scale: Size of a trial displacement; `None` to tune it in warm-up.
        replicates: How many draws are averaged into one weight.
        proposal: How trial points are made.
    """

    name: ClassVar[str] = "stored-weight"
    accepts: ClassVar[tuple[type, ...]] = (NoisyWeight, Oracle)
    stored: ClassVar[bool] = True

    scale: float | Array | None = None
    replicates: int = eqx.field(static=True, default=1)
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)

    def __check_init__(self):
        if self.replicates < 1:
            raise ArgumentError(f"replicates={self.replicates} must be at least 1")

    @property
    def averaged(self) -> int:
        """How many draws make one stored weight."""
        return self.replicates

    def init(self, target: NoisyWeight | Oracle, key: PRNGKey, x: Chains) -> Walk:
        """Draw the weights of the starting points."""
        log_weight, _ = draw_log_weight(target, key, x, self.replicates)
        return Walk(x, log_weight, target.domain.log_prior(x))

    def step(self, target: NoisyWeight | Oracle, key: PRNGKey, state: Walk) -> tuple[Walk, Info]:
        """One trial move, with one fresh weight: that of the trial point."""
        move, noise, decide = jax.random.split(key, 3)
        x, log_prior, where = trial(target, self.proposal, self.scale, move, state.x)
        log_weight, bad = draw_log_weight(target, noise, where, self.replicates)
        ratio = log_weight + log_prior - state.log_weight - state.log_prior
        accept = metropolis(decide, ratio)
        new = select(accept, Walk(x, log_weight, log_prior), state)
        return new, info(accept, self.replicates, bad)
