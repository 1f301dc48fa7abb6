r"""Replica exchange along a parameter of the noisy weight itself: softer questions, same noise.

Where a weight is too rarely positive, a softer member of the same family, hotter shots, a longer
time limit, a wider target, is often easy. Replica $r$ samples $m(u)\,\hat w_{\theta_r}(x, u)$;
neighbours exchange point *and noise*, the weights at the other's parameter being replayed, not
drawn:

$$
\min\left\{1, \frac{\hat w_{\theta_i}(x_j, u_j)\,\hat w_{\theta_j}(x_i, u_i)}
{\hat w_{\theta_i}(x_i, u_i)\,\hat w_{\theta_j}(x_j, u_j)}\right\} .
$$

For an oracle: exchanged if and only if both questions get a yes with the noise of the other.

**Stationary law** of the first replica: $\langle\hat w_{\theta_0}(x)\rangle/Z$, exactly; of the
others, their own members' averages, exactly as well.

Sources: Fukunishi, Watanabe & Takada, J. Chem. Phys. 116, 9058 (2002) (Hamiltonian exchange), in
the extended space of Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017).
"""

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Float, Int, PRNGKey
from thalweg.sampling._targets import NoisyWeight, Oracle

from ._kernel import (
    AbstractKernel,
    AbstractProposal,
    Chains,
    Flags,
    Info,
    NormalMove,
    Values,
    checked,
    info,
    metropolis,
    trial,
)


class FamilyState(eqx.Module):
    """Walkers of all replicas, replica by replica along the last axis.

    Attributes:
        x: Points; the first `chains` belong to the first parameter.
        u: The noise behind their weights.
        log_weight: Stored log-weights, each at its own parameter.
        log_prior: Logarithms of the exactly known factors.
        number: Steps so far.
    """

    x: Chains
    u: Float[Array, "*noise chains"]
    log_weight: Values
    log_prior: Values
    number: Int[Array, ""]


class ParameterExchange(AbstractKernel):
    """Replica exchange along a family of replayable weights.

    Attributes:
        family: `(u, x, parameter) → log ŵ` of one point; at the first parameter it must be the
            target's own weight.
        parameters: One for each replica; the first is the question itself.
        noise_shape: Shape of `u`, independent standard normal numbers.
        scale: Size of a displacement at every replica; `None` to tune it.
        proposal: How trial points are made.
    """

    name: ClassVar[str] = "parameter-exchange"
    accepts: ClassVar[tuple[type, ...]] = (NoisyWeight, Oracle)

    family: Callable
    parameters: tuple[float, ...] = eqx.field(static=True)
    noise_shape: tuple[int, ...] = eqx.field(static=True)
    scale: float | Array | None = None
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)

    def __check_init__(self):
        if not callable(self.family):
            raise ArgumentError("family must be a function (u, x, parameter) -> log weight")
        if len(self.parameters) < 2:
            raise ArgumentError(f"parameters={self.parameters}: expected at least two")

    def init(self, target: NoisyWeight | Oracle, key: PRNGKey, x: Chains) -> FamilyState:
        """Every replica begins at the chain's starting point, with noise of its own."""
        x = jnp.tile(x, (1, len(self.parameters)))
        return self.place(target, x, self._noise(key, x))

    def place(
        self, target: NoisyWeight | Oracle, x: Chains, u: Float[Array, "*noise chains"]
    ) -> FamilyState:
        """The state of replicas at given points with given noise."""
        log_weight, _ = self._weigh(target, u, x, self._parameter(x))
        return FamilyState(x, u, log_weight, target.domain.log_prior(x), jnp.zeros((), jnp.int32))

    def step(
        self, target: NoisyWeight | Oracle, key: PRNGKey, state: FamilyState
    ) -> tuple[FamilyState, Info]:
        """Move every replica with fresh noise, then exchange neighbours."""
        move, noise, decide, swap = jax.random.split(key, 4)
        replicas, lanes = len(self.parameters), state.x.shape[1]
        chains = lanes // replicas
        scale = jnp.tile(
            jnp.broadcast_to(jnp.asarray(self.scale, state.x.dtype), (chains,)), replicas
        )
        x, log_prior, where = trial(target, self.proposal, scale, move, state.x)
        u = self._noise(noise, x)
        log_weight, bad = self._weigh(target, u, where, self._parameter(x))
        # A replica that holds a weight of zero takes any positive one.
        old = jnp.where(jnp.isfinite(state.log_weight), state.log_weight, -1e30)
        accept = metropolis(decide, log_weight + log_prior - old - state.log_prior)
        new = FamilyState(x, u, log_weight, log_prior, state.number)
        pick = lambda a, b: a if a.ndim == 0 else jnp.where(accept, a, b)
        state = jax.tree.map(pick, new, state)
        state = self._swap(target, swap, state, chains)
        bad = jnp.any(bad.reshape(replicas, chains), axis=0)
        return state, info(accept[:chains], replicas, bad)

    def _swap(
        self, target: NoisyWeight | Oracle, key: PRNGKey, state: FamilyState, chains: int
    ) -> FamilyState:
        replicas = len(self.parameters)
        parity = (state.number % 2).astype(int)
        row = jnp.arange(replicas)
        partner = jnp.where((row - parity) % 2 == 0, row + 1, row - 1)
        alone = (partner < 0) | (partner >= replicas)
        partner = jnp.where(alone, row, partner)
        lane = (partner[:, None] * chains + jnp.arange(chains)).reshape(-1)
        theirs = jax.tree.map(lambda a: a if a.ndim == 0 else a[..., lane], state)
        log_weight, _ = self._weigh(target, theirs.u, theirs.x, self._parameter(state.x))
        gain = (log_weight - state.log_weight).reshape(replicas, chains)
        both = gain + gain[partner]
        both = jnp.where(jnp.isnan(both), -jnp.inf, both)
        draw = -jax.random.exponential(key, both.shape, both.dtype)
        first = jnp.minimum(row, partner)
        swapped = (draw[first] < both) & ~alone[:, None]
        taken = swapped.reshape(-1)
        new = eqx.tree_at(lambda s: s.log_weight, theirs, log_weight)
        pick = lambda a, b: a if a.ndim == 0 else jnp.where(taken, a, b)
        state = jax.tree.map(pick, new, state)
        return eqx.tree_at(lambda s: s.number, state, state.number + 1)

    def _noise(self, key: PRNGKey, x: Chains) -> Float[Array, "*noise chains"]:
        return jax.random.normal(key, (*self.noise_shape, x.shape[1]), x.dtype)

    def _parameter(self, x: Chains) -> Values:
        values = jnp.asarray(self.parameters, x.dtype)
        return jnp.repeat(values, x.shape[1] // len(self.parameters))

    def _weigh(
        self, target: NoisyWeight | Oracle, u: Array, x: Chains, parameter: Values
    ) -> tuple[Values, Flags]:
        shape = target.domain.shape
        one = lambda u, x, p: jnp.asarray(self.family(u, x.reshape(shape), p), x.dtype)
        return checked(jax.vmap(one, in_axes=(-1, -1, 0))(u, x, parameter))

    def position(self, state: FamilyState) -> Chains:
        """The replicas at the first parameter."""
        return state.x[:, : state.x.shape[1] // len(self.parameters)]

    def log_weight(self, state: FamilyState) -> Values:
        """Stored log-weights at the first parameter."""
        return state.log_weight[: state.x.shape[1] // len(self.parameters)]
