r"""Moves in the space of the random numbers: correlated and split pseudo-marginal.

The target must be replayable: $\hat w(x, u)$ with $u$ standard normal. The noise is then a
coordinate like any other and moves by small steps that keep its own law, $u' = \rho u + \sqrt{1 -
\rho^2}\,\xi$ (Crank-Nicolson). Either both move at once (`split=False`), or the noise moves at a
fixed point and then the point at a fixed noise (`split=True`), each accepted with $\min\{1, \hat
w'/\hat w\}$.

**Stationary law:** $m(u)\,\hat w(x, u)/Z$, hence $\langle\hat w(x)\rangle/Z$ in $x$, exactly, for
every $\rho$. It pays where stored weights stick, at $s \ge 2$; below that independent noise mixes
faster. Splitting is the better of the two.

Sources: Deligiannidis, Doucet & Pitt, J. R. Stat. Soc. B 80, 839 (2018); Murray & Graham, AISTATS
51, 911 (2016).
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Float, PRNGKey
from thalweg.sampling._targets import NoisyWeight

from ._kernel import (
    AbstractKernel,
    AbstractProposal,
    Chains,
    Flags,
    Info,
    NormalMove,
    Values,
    checked,
    draw_log_weight,
    info,
    metropolis,
    select,
    trial,
)


class NoiseState(eqx.Module):
    """A walker with the noise behind its weight.

    Attributes:
        x: Points.
        u: Noise.
        log_weight: Logarithm of the weight at both.
        log_prior: Logarithm of the exactly known factor.
    """

    x: Chains
    u: Float[Array, "*noise chains"]
    log_weight: Values
    log_prior: Values


class CorrelatedWeight(AbstractKernel):
    """Pseudo-marginal moves with correlated noise.

    Attributes:
        scale: Size of a trial displacement; `None` to tune it in warm-up.
        correlation: ρ between the noise of one step and the next; 0 draws it afresh.
        split: Whether noise and point move one after the other (two evaluations a step).
        proposal: How trial points are made.
    """

    name: ClassVar[str] = "correlated-weight"
    accepts: ClassVar[tuple[type, ...]] = (NoisyWeight,)
    stored: ClassVar[bool] = True

    scale: float | Array | None = None
    correlation: float = 0.9
    split: bool = eqx.field(static=True, default=True)
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)

    def __check_init__(self):
        if isinstance(self.correlation, float) and not 0 <= self.correlation < 1:
            raise ArgumentError(f"correlation={self.correlation} must be in [0, 1)")

    def init(self, target: NoisyWeight, key: PRNGKey, x: Chains) -> NoiseState:
        """Draw the noise of the starting points."""
        if target.noise_shape is None:
            raise ArgumentError(
                "kernel correlated-weight moves the noise itself, and this noisy weight cannot be "
                "replayed at a given noise",
                "NoisyWeight(replay=lambda u, x: ..., noise_shape=...), or BlockWeight, or "
                "StoredWeight",
            )
        u = jax.random.normal(key, (*target.noise_shape, x.shape[1]), x.dtype)
        return NoiseState(x, u, checked(target.replay(u, x))[0], target.domain.log_prior(x))

    def step(self, target: NoisyWeight, key: PRNGKey, state: NoiseState) -> tuple[NoiseState, Info]:
        """Move noise and point, together or in turn."""
        move, noise, decide, decide_noise = jax.random.split(key, 4)
        rho = jnp.asarray(self.correlation, state.x.dtype)
        fresh = jax.random.normal(noise, state.u.shape, state.u.dtype)
        u = rho * state.u + jnp.sqrt(1 - rho * rho) * fresh
        broken = jnp.zeros(state.x.shape[1], bool)
        if self.split:
            log_weight, broken = checked(target.replay(u, state.x))
            accept = metropolis(decide_noise, log_weight - state.log_weight)
            state = select(accept, NoiseState(state.x, u, log_weight, state.log_prior), state)
            u = state.u
        x, log_prior, where = trial(target, self.proposal, self.scale, move, state.x)
        log_weight, bad = checked(target.replay(u, where))
        ratio = log_weight + log_prior - state.log_weight - state.log_prior
        accept = metropolis(decide, ratio)
        new = select(accept, NoiseState(x, u, log_weight, log_prior), state)
        return new, info(accept, 1 + self.split, bad | broken)


class BlockState(eqx.Module):
    """A walker whose weight is the mean of several draws, each with its key.

    Attributes:
        x: Points.
        keys: Key data of every draw.
        log_weight: Logarithm of the mean weight.
        log_prior: Logarithm of the exactly known factor.
    """

    x: Chains
    keys: Array
    log_weight: Values
    log_prior: Values


class BlockWeight(AbstractKernel):
    r"""Block pseudo-marginal: one of several keys is renewed in each step.

    The weight is the mean of `blocks` draws, each made with a stored key. A step renews one key,
    chosen at random, moves the point, and evaluates all draws there with their keys: noise of one
    step and the next is correlated by about $1 - 1/G$, without any need for smoothness in the
    noise. It needs `NoisyWeight(function=...)`, so that every chain has a key of its own, and pays
    where the weight at one key varies smoothly with $x$.

    **Stationary law:** $\langle\hat w(x)\rangle/Z$, exactly.

    Source: Tran, Kohn, Quiroz & Villani, arXiv:1603.02485 (2016).

    Attributes:
        scale: Size of a trial displacement; `None` to tune it in warm-up.
        blocks: Draws in a weight.
        proposal: How trial points are made.
    """

    name: ClassVar[str] = "block-weight"
    accepts: ClassVar[tuple[type, ...]] = (NoisyWeight,)
    stored: ClassVar[bool] = True

    scale: float | Array | None = None
    blocks: int = eqx.field(static=True, default=8)
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)

    def __check_init__(self):
        if self.blocks < 1:
            raise ArgumentError(f"blocks={self.blocks} must be at least 1")

    @property
    def averaged(self) -> int:
        """How many draws make one stored weight."""
        return self.blocks

    def fresh(self, target: NoisyWeight, key: PRNGKey, state: BlockState) -> Values:
        """A new mean of draws at the current points."""
        return draw_log_weight(target, key, state.x, self.blocks)[0]

    def init(self, target: NoisyWeight, key: PRNGKey, x: Chains) -> BlockState:
        """Draw the keys of the starting points."""
        if target.function is None and target.replay_function is None:
            raise ArgumentError(
                "kernel block-weight gives every chain a key of its own, and this weight only "
                "knows a block function",
                "give NoisyWeight(function=...) as well",
            )
        keys = _new_keys(key, self.blocks * x.shape[1], x.shape[1])
        return BlockState(x, keys, self._weigh(target, keys, x)[0], target.domain.log_prior(x))

    def step(self, target: NoisyWeight, key: PRNGKey, state: BlockState) -> tuple[BlockState, Info]:
        """Renew one key and move the point."""
        move, noise, decide, which = jax.random.split(key, 4)
        x, log_prior, where = trial(target, self.proposal, self.scale, move, state.x)
        number = jax.random.randint(which, (), 0, self.blocks)
        keys = state.keys.at[number].set(_new_keys(noise, x.shape[1], x.shape[1])[0])
        log_weight, bad = self._weigh(target, keys, where)
        ratio = log_weight + log_prior - state.log_weight - state.log_prior
        accept = metropolis(decide, ratio)
        new = select(accept, BlockState(x, keys, log_weight, log_prior), state)
        return new, info(accept, self.blocks, bad)

    def _weigh(self, target: NoisyWeight, keys: Array, x: Chains) -> tuple[Values, Flags]:
        chains = x.shape[1]
        data = jnp.moveaxis(keys, 1, -1).reshape(self.blocks * chains, -1)
        drawn, bad = checked(
            target.draw_at(jax.random.wrap_key_data(data), jnp.tile(x, (1, self.blocks)))
        )
        mean = jax.nn.logsumexp(drawn.reshape(self.blocks, chains), axis=0)
        return mean - jnp.log(float(self.blocks)), jnp.any(bad.reshape(self.blocks, -1), axis=0)


def _new_keys(key: PRNGKey, count: int, chains: int) -> Array:
    """Key data `(count / chains, words, chains)`: chains stay the last axis."""
    data = jax.random.key_data(jax.random.split(key, count))
    return jnp.moveaxis(data.reshape(count // chains, chains, -1), -1, 1)
