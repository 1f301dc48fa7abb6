r"""The two-coin algorithm: Barker's rule by a Bernoulli factory, from yes/no answers alone.

For a weight $w(x) = c(x)\,p(x)$ with $c$ known (the target's prior) and $p$ the oracle's: choose
the trial point with probability $c'/(c + c')$, else the current one; ask the oracle there; a yes
decides for that point, a no begins again. The trial point then wins with Barker's probability
$w'/(w + w')$. **Stationary law:** $c(x)\,p(x)/Z$, exactly, with no memory and no sticking.

The price is the number of answers: at stationarity, with symmetric moves, $\int c/\int c p$ a step
on average, which is what rejection sampling pays for an *independent* draw. A move that is not
decided after `rounds` rounds is rejected; that probability is symmetric in the two points, so the
law stays exact (the portkey method does the same with a random limit).

Sources: Gonçalves, Łatuszyński & Roberts, Braz. J. Probab. Stat. 31, 732 (2017); Vats, Gonçalves,
Łatuszyński & Roberts, Biometrika 109, 369 (2022).
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, PRNGKey
from thalweg.sampling._targets import Oracle

from ._kernel import (
    AbstractKernel,
    AbstractProposal,
    Chains,
    Info,
    NormalMove,
    Walk,
    info,
    select,
    trial,
)


class TwoCoin(AbstractKernel):
    """Barker moves decided by an oracle.

    Attributes:
        scale: Size of a trial displacement; `None` to tune it in warm-up.
        rounds: Rounds after which a move is rejected undecided.
        proposal: How trial points are made.
    """

    name: ClassVar[str] = "two-coin"
    accepts: ClassVar[tuple[type, ...]] = (Oracle,)

    scale: float | Array | None = None
    rounds: int = eqx.field(static=True, default=1_000)
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)

    def __check_init__(self):
        if self.rounds < 1:
            raise ArgumentError(f"rounds={self.rounds} must be at least 1")

    def init(self, target: Oracle, key: PRNGKey, x: Chains) -> Walk:
        """Remember the starting points; no answer is kept."""
        return Walk(x, jnp.zeros(x.shape[1], x.dtype), target.domain.log_prior(x))

    def step(self, target: Oracle, key: PRNGKey, state: Walk) -> tuple[Walk, Info]:
        """One trial move, and as many answers as it takes."""
        move, stream = jax.random.split(key)
        x, log_prior, where = trial(target, self.proposal, self.scale, move, state.x)
        possible = jnp.isfinite(log_prior)
        choice = jax.nn.sigmoid(jnp.where(possible, log_prior - state.log_prior, -jnp.inf))

        def going(carry: tuple) -> Array:
            number, open_, _, _ = carry
            return (number < self.rounds) & jnp.any(open_)

        def once(carry: tuple) -> tuple:
            number, open_, won, asked = carry
            pick, ask = jax.random.split(jax.random.fold_in(stream, number))
            new = jax.random.uniform(pick, choice.shape, choice.dtype) < choice
            yes = target.draw(ask, jnp.where(new, where, state.x)) & open_
            return number + 1, open_ & ~yes, won | (yes & new), asked + open_.astype(jnp.int32)

        none = jnp.zeros(x.shape[1], jnp.int32)
        begin = (jnp.zeros((), jnp.int32), possible, jnp.zeros_like(possible), none)
        _, _, won, asked = jax.lax.while_loop(going, once, begin)
        moved = select(won, Walk(x, state.log_weight, log_prior), state)
        return moved, info(won, asked, jnp.zeros_like(won))
