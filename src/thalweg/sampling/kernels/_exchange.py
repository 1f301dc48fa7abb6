r"""Replica exchange over temperature, for exact weights and for noisy ones that are stored.

Replica $r$ samples, in the space of points and noise, $m(u)\,\hat w(x, u)^{\beta_r}$ by moves with
fresh noise and stored weights; neighbours exchange point, noise and stored weight together with
probability $\min\{1, (\hat w_i/\hat w_j)^{\beta_j - \beta_i}\}$, odd and even pairs in turn. No
weight is drawn for an exchange; drawing one would break it.

**Stationary law** at $\beta = 1$, the only replica reported: $\langle\hat w(x)\rangle/Z$, exactly.
At $\beta < 1$ the marginal in $x$ is $\langle\hat w(x)^\beta\rangle$, which is *not* $\bar
w(x)^\beta$: use it to travel, not to measure. A prior is not tempered.

Sources: Swendsen & Wang, Phys. Rev. Lett. 57, 2607 (1986); Geyer, Computing Science and Statistics
23, 156 (1991); Syed, Bouchard-Côté, Deligiannidis & Doucet, J. R. Stat. Soc. B 84, 321 (2022).
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Int, PRNGKey
from thalweg.sampling._targets import ExactWeight, NoisyWeight

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


class LadderState(eqx.Module):
    """Walkers of all replicas, replica by replica along the last axis.

    Attributes:
        x: Points, `(dof, replicas · chains)`; the first `chains` are at β = 1.
        log_weight: Stored log-weights.
        log_prior: Logarithms of the exactly known factors.
        number: Steps so far: which pairs exchange next.
    """

    x: Chains
    log_weight: Values
    log_prior: Values
    number: Int[Array, ""]


class Exchange(AbstractKernel):
    """Replica exchange (parallel tempering) with stored weights.

    Attributes:
        betas: Inverse temperatures, descending from 1; `Exchange.geometric(6, 0.05)` makes some.
        scale: Size of a displacement at β = 1, divided by √β elsewhere; `None` to tune it.
        every: Steps from one attempt to exchange to the next.
        replicates: Draws averaged into one weight.
        proposal: How trial points are made.
    """

    name: ClassVar[str] = "exchange"
    accepts: ClassVar[tuple[type, ...]] = (ExactWeight, NoisyWeight)
    stored: ClassVar[bool] = True

    betas: tuple[float, ...] = eqx.field(static=True)
    scale: float | Array | None = None
    every: int = eqx.field(static=True, default=1)
    replicates: int = eqx.field(static=True, default=1)
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)

    def __check_init__(self):
        ladder = np.asarray(self.betas, dtype=float)
        fine = ladder.ndim == 1 and len(ladder) > 1 and ladder[0] == 1 and ladder[-1] > 0
        if not fine or not (np.diff(ladder) < 0).all():
            raise ArgumentError(
                f"betas={self.betas} must descend from 1, all positive",
                "Exchange.geometric(6, 0.05), for one",
            )
        if self.every < 1 or self.replicates < 1:
            raise ArgumentError(
                f"every={self.every} and replicates={self.replicates} must be at least 1"
            )

    @classmethod
    def geometric(
        cls, replicas: int, least: float, *, scale: float | None = None, every: int = 1
    ) -> "Exchange":
        """A ladder of `replicas` inverse temperatures from 1 down to `least`."""
        if replicas < 2 or not 0 < least < 1:
            raise ArgumentError(f"replicas={replicas}, least={least}: at least 2, and below 1")
        betas = tuple(float(b) for b in np.geomspace(1.0, least, replicas))
        return cls(betas=(1.0, *betas[1:]), scale=scale, every=every)

    @property
    def averaged(self) -> int:
        """How many draws make one stored weight."""
        return self.replicates

    def init(self, target: NoisyWeight | ExactWeight, key: PRNGKey, x: Chains) -> LadderState:
        """Every replica begins at the chain's starting point, with a weight of its own."""
        x = jnp.tile(x, (1, len(self.betas)))
        log_weight, _ = draw_log_weight(target, key, x, self.replicates)
        number = jnp.zeros((), jnp.int32)
        return LadderState(x, log_weight, target.domain.log_prior(x), number)

    def step(
        self, target: NoisyWeight | ExactWeight, key: PRNGKey, state: LadderState
    ) -> tuple[LadderState, Info]:
        """Move every replica, then exchange."""
        move, noise, decide, swap = jax.random.split(key, 4)
        replicas = len(self.betas)
        chains = state.x.shape[1] // replicas
        beta = jnp.repeat(jnp.asarray(self.betas, state.x.dtype), chains)
        scale = jnp.asarray(self.scale, state.x.dtype)
        scale = jnp.tile(jnp.broadcast_to(scale, (chains,)), replicas) / jnp.sqrt(beta)
        x, log_prior, where = trial(target, self.proposal, scale, move, state.x)
        log_weight, bad = draw_log_weight(target, noise, where, self.replicates)
        ratio = beta * (log_weight - state.log_weight) + log_prior - state.log_prior
        accept = metropolis(decide, ratio)
        walk = Walk(state.x, state.log_weight, state.log_prior)
        walk = select(accept, Walk(x, log_weight, log_prior), walk)
        walk = jax.lax.cond(
            state.number % self.every == 0,
            lambda walk: self._swap(swap, walk, state.number // self.every, chains),
            lambda walk: walk,
            walk,
        )
        new = LadderState(walk.x, walk.log_weight, walk.log_prior, state.number + 1)
        bad = jnp.any(bad.reshape(replicas, chains), axis=0)
        return new, info(accept[:chains], replicas * self.replicates, bad)

    def _swap(self, key: PRNGKey, walk: Walk, turn: Array, chains: int) -> Walk:
        replicas = len(self.betas)
        beta = jnp.asarray(self.betas, walk.x.dtype)
        stored = walk.log_weight.reshape(replicas, chains)
        lower = jnp.arange(replicas - 1, dtype=jnp.int32)
        gain = (beta[1:] - beta[:-1])[:, None] * (stored[:-1] - stored[1:])
        asked = (lower % 2 == turn % 2)[:, None]
        draw = -jax.random.exponential(key, gain.shape, gain.dtype)
        swapped = asked & (draw < gain)
        # Replica r takes from r + 1 where that pair swapped, from r - 1 where the one below did.
        none = jnp.zeros((1, chains), bool)
        up, down = jnp.concatenate([swapped, none]), jnp.concatenate([none, swapped])
        source = jnp.arange(replicas)[:, None] + up.astype(int) - down.astype(int)
        lane = (source * chains + jnp.arange(chains)).reshape(-1)
        return jax.tree.map(lambda a: a[..., lane], walk)

    def position(self, state: LadderState) -> Chains:
        """The replicas at β = 1."""
        return state.x[:, : state.x.shape[1] // len(self.betas)]

    def log_weight(self, state: LadderState) -> Values:
        """Stored log-weights at β = 1."""
        return state.log_weight[: state.x.shape[1] // len(self.betas)]
