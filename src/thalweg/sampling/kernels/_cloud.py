r"""The cloud: many trial points at once, scattered around a backbone.

The backbone $x_B$ carries $k$ *drops* $x_i = x_B + \Delta_i$ with independent symmetric
displacements, each with a drawn weight $\hat w_i$ (times its known prior). A step moves the
backbone, draws all displacements and weights afresh, and accepts with $\min\{1, W'/W\}$, $W =
\sum_i \hat w_i$, the old $W$ being stored. Averages are taken over drops with weights $\hat w_i/W$,
in every step, accepted or not (waste recycling).

**Stationary law:** weighted drops, and a drop picked with probability $\hat w_i/W$, follow
$\langle\hat w(x)\rangle/Z$ exactly. The backbone does not: its law is that one smeared out by the
displacements, so it is never reported. The backbone must be free to go everywhere (unbounded or
periodic): hard walls belong to the prior of the drops, which is how a `support` is treated here.

A cloud does not lower the number of evaluations; it lowers the number of *rounds*, where $k$
answers take no longer than one.

Source: Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017), many-trial version; Frenkel, PNAS 101,
17571 (2004) (waste recycling).
"""

import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Float, PRNGKey
from thalweg.sampling._targets import NoisyWeight, Oracle

from ._kernel import (
    AbstractKernel,
    AbstractProposal,
    Chains,
    Info,
    NormalMove,
    Values,
    draw_log_weight,
    info,
    metropolis,
    select,
)


class BallMove(AbstractProposal):
    """A displacement drawn uniformly from a ball of radius `scale`."""

    def __call__(self, key: PRNGKey, x: Chains, scale: Array) -> Chains:
        """`x` plus a point of the ball."""
        direction, distance = jax.random.split(key)
        z = jax.random.normal(direction, x.shape, x.dtype)
        u = jax.random.uniform(distance, x.shape[1:], x.dtype) ** (1 / x.shape[0])
        return x + scale * u * z / jnp.sqrt(jnp.sum(z * z, axis=0))


class CloudState(eqx.Module):
    """Backbone, drops and their stored weights.

    Attributes:
        x: Backbones: not draws from the target.
        drops: Points around them.
        log_weights: Logarithms of the drops' drawn weights, prior included.
        log_total: Logarithm of their mean.
    """

    x: Chains
    drops: Float[Array, "dof drops chains"]
    log_weights: Float[Array, "drops chains"]
    log_total: Values


class Cloud(AbstractKernel):
    """Many-trial stochastic-weight Monte Carlo.

    Attributes:
        scale: Size of a displacement of the backbone; `None` to tune it in warm-up.
        drops: Trial points in a cloud.
        radius: Size of the displacement of a drop from the backbone.
        proposal: How the backbone moves.
        scatter: How drops are displaced; uniform in a ball by default.
    """

    name: ClassVar[str] = "cloud"
    accepts: ClassVar[tuple[type, ...]] = (NoisyWeight, Oracle)
    recycles: ClassVar[bool] = True

    scale: float | Array | None = None
    drops: int = eqx.field(static=True, default=16)
    radius: float = 1.0
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)
    scatter: AbstractProposal = eqx.field(default_factory=BallMove)

    def __check_init__(self):
        if self.drops < 1 or not self.radius > 0:
            raise ArgumentError(f"drops={self.drops} and radius={self.radius} must be positive")

    @property
    def averaged(self) -> int:
        """How many draws make one stored weight."""
        return self.drops

    def init(self, target: NoisyWeight | Oracle, key: PRNGKey, x: Chains) -> CloudState:
        """Scatter drops around the starting points."""
        return self._fill(target, key, x)[0]

    def step(
        self, target: NoisyWeight | Oracle, key: PRNGKey, state: CloudState
    ) -> tuple[CloudState, Info]:
        """Move the backbone and draw a whole new cloud."""
        move, fill, decide = jax.random.split(key, 3)
        x = self.proposal(move, state.x, jnp.asarray(self.scale, state.x.dtype))
        new, bad = self._fill(target, fill, target.domain.wrap(x))
        accept = metropolis(decide, new.log_total - state.log_total)
        return select(accept, new, state), info(accept, self.drops, bad)

    def _fill(self, target: NoisyWeight | Oracle, key: PRNGKey, x: Chains) -> tuple:
        scatter, noise = jax.random.split(key)
        dof, chains = x.shape
        repeated = jnp.repeat(x, self.drops, axis=1)
        moved = self.scatter(scatter, repeated, jnp.asarray(self.radius, x.dtype))
        moved = target.domain.wrap(moved)
        log_prior = target.domain.log_prior(moved)
        safe, support = moved, target.domain.support
        if support is not None:
            # Outside the support nothing can be asked: ask at some point inside, ignore the answer.
            inside = support.uniform(jax.random.key(0), dof, 1).astype(x.dtype)
            safe = jnp.where(jnp.isfinite(log_prior), moved, inside)
        log_weight, bad = draw_log_weight(target, noise, safe)
        total = (log_weight + log_prior).reshape(chains, self.drops).T
        state = CloudState(
            x=x,
            drops=jnp.swapaxes(moved.reshape(dof, chains, self.drops), 1, 2),
            log_weights=total,
            log_total=jax.nn.logsumexp(total, axis=0) - math.log(self.drops),
        )
        return state, jnp.any(bad.reshape(chains, self.drops), axis=1)

    def log_weight(self, state: CloudState) -> Values:
        """Logarithm of the mean weight of the drops."""
        return state.log_total

    def points(self, state: CloudState) -> tuple[Float[Array, "dof points chains"], Array]:
        """The drops and their normalised weights."""
        return state.drops, jax.nn.softmax(state.log_weights, axis=0)

    def draw(self, key: PRNGKey, state: CloudState) -> Chains:
        """One drop of each cloud, picked with probability proportional to its weight."""
        picked = jax.random.categorical(key, state.log_weights, axis=0)
        return jnp.take_along_axis(state.drops, picked[None, None, :], axis=1)[:, 0, :]
