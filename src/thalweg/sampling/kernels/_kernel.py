"""The contract of a kernel, and the pieces that most kernels share.

A kernel is a frozen record of settings that moves a *block* of chains, the last axis of every
array, by one step; all random numbers of a step are drawn for all chains at once. It holds no
loop and no target: `init(target, key, x)` makes a state, `step(target, key, state)` the next one
and an `Info` that dies with the step. The loop is `thalweg.sampling.sample`'s.
"""

import abc
import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import Array, Bool, Float, Int, PRNGKey
from thalweg.sampling._support import AbstractSupport
from thalweg.sampling._targets import ExactWeight, NoisyEnergy, NoisyWeight, Oracle, Target

Values = Float[Array, " chains"]
Chains = Float[Array, "dof chains"]
Flags = Bool[Array, " chains"]


class Info(eqx.Module):
    """What happened in one step, for every chain.

    Attributes:
        accepted: Whether the point moved.
        evaluations: Calls of the target.
        bad: Whether the target returned NaN or an infinite weight.
    """

    accepted: Flags
    evaluations: Int[Array, " chains"]
    bad: Flags


class AbstractProposal(eqx.Module):
    """A symmetric displacement: `q(x → x') = q(x' → x)`.

    Attributes:
        tunable: Whether the kernel's `scale` has a meaning for it.
    """

    tunable: ClassVar[bool] = True

    @abc.abstractmethod
    def __call__(self, key: PRNGKey, x: Chains, scale: Array) -> Chains:
        """Trial points for a block."""


class NormalMove(AbstractProposal):
    """All coordinates at once, by normal displacements of standard deviation `scale`."""

    def __call__(self, key: PRNGKey, x: Chains, scale: Array) -> Chains:
        """`x + scale · N(0, 1)`."""
        return x + scale * jax.random.normal(key, x.shape, x.dtype)


class UniformMove(AbstractProposal):
    """All coordinates at once, uniformly within `± scale`."""

    def __call__(self, key: PRNGKey, x: Chains, scale: Array) -> Chains:
        """`x + scale · U(-1, 1)`."""
        return x + scale * jax.random.uniform(key, x.shape, x.dtype, -1.0, 1.0)


class SupportMove(AbstractProposal):
    """A point drawn uniformly from the support, wherever the chain is.

    Attributes:
        support: The support.
    """

    tunable: ClassVar[bool] = False

    support: AbstractSupport

    def __call__(self, key: PRNGKey, x: Chains, scale: Array) -> Chains:
        """New points that know nothing of the old ones."""
        return self.support.uniform(key, *x.shape).astype(x.dtype)


class RingMove(AbstractProposal):
    """One step to the left or right on a ring of numbered states: for enumerable targets.

    Attributes:
        states: How many there are, `0, 1, … states - 1`.
        reach: Farthest neighbour that is proposed.
    """

    tunable: ClassVar[bool] = False

    states: int = eqx.field(static=True)
    reach: int = eqx.field(static=True, default=1)

    def __call__(self, key: PRNGKey, x: Chains, scale: Array) -> Chains:
        """`x ± 1 … reach`, modulo `states`."""
        jump = jax.random.randint(key, x.shape, 0, 2 * self.reach)
        jump = jnp.where(jump < self.reach, jump - self.reach, jump - self.reach + 1)
        return jnp.mod(x + jump.astype(x.dtype), float(self.states))


class StateMove(AbstractProposal):
    """Any other of the numbered states `0, 1, … states - 1`, each equally likely.

    Attributes:
        states: How many there are.
    """

    tunable: ClassVar[bool] = False

    states: int = eqx.field(static=True)

    def __call__(self, key: PRNGKey, x: Chains, scale: Array) -> Chains:
        """Another state."""
        jump = jax.random.randint(key, x.shape, 1, self.states)
        return jnp.mod(x + jump.astype(x.dtype), float(self.states))


class AbstractKernel(eqx.Module):
    """A Markov step for a block of chains.

    Attributes:
        name: What `sample(kernel=...)` calls it.
        accepts: The types of target that it is right for.
        exact: Whether its stationary law is the target's own, without approximation.
        stored: Whether it keeps the drawn weight of the current point (never drawing it again).
        scale: Size of a trial displacement; `None` until warm-up has tuned it.
    """

    name: ClassVar[str]
    accepts: ClassVar[tuple[type, ...]]
    exact: ClassVar[bool] = True
    stored: ClassVar[bool] = False
    recycles: ClassVar[bool] = False

    scale: eqx.AbstractVar[float | Array | None]

    @property
    def tunable(self) -> bool:
        """Whether warm-up should choose `scale`: not if the kernel's `proposal` has no size."""
        proposal = getattr(self, "proposal", None)
        return proposal is None or proposal.tunable

    @abc.abstractmethod
    def init(self, target: Any, key: PRNGKey, x: Chains) -> Any:
        """The state of chains that begin at `x`; weights may be `-inf` where a start is bad."""

    @abc.abstractmethod
    def step(self, target: Any, key: PRNGKey, state: Any) -> tuple[Any, Info]:
        """The next state."""

    def position(self, state: Any) -> Chains:
        """Where the chains are, `(dof, chains)`."""
        return state.x

    def log_weight(self, state: Any) -> Values:
        """Logarithm of the stored weight of the current points; zeros where none is stored."""
        return state.log_weight

    @property
    def averaged(self) -> int:
        """How many draws make one stored weight."""
        return 1

    def fresh(self, target: Any, key: PRNGKey, state: Any) -> Values:
        """A new weight at the current points, drawn as the stored one was: for checks only."""
        return draw_log_weight(target, key, self.position(state), self.averaged)[0]

    def draw(self, key: PRNGKey, state: Any) -> Chains:
        """One point for each chain whose law is the target's."""
        return self.position(state)

    def points(self, state: Any) -> tuple[Float[Array, "dof points chains"], Array]:
        """Weighted points that estimate averages (waste recycling), and weights that sum to 1."""
        x = self.position(state)
        return x[:, None, :], jnp.ones((1, x.shape[1]), x.dtype)


class Walk(eqx.Module):
    """State of a walker with a stored weight.

    Attributes:
        x: Points.
        log_weight: Logarithm of the weight *that was drawn* there.
        log_prior: Logarithm of the exactly known factor.
    """

    x: Chains
    log_weight: Values
    log_prior: Values


def draw_log_weight(
    target: Target, key: PRNGKey, x: Chains, replicates: int = 1
) -> tuple[Values, Flags]:
    """Logarithm of the mean of `replicates` fresh draws, and where a draw broke the contract."""
    if isinstance(target, ExactWeight):
        return checked(target.values(x))
    assert not isinstance(target, NoisyEnergy)
    repeated = x if replicates == 1 else jnp.tile(x, (1, replicates))
    if isinstance(target, Oracle):
        passed = target.draw(key, repeated).reshape(replicates, -1)
        share = jnp.mean(passed.astype(x.dtype), axis=0)
        return jnp.log(share), jnp.zeros(x.shape[1], bool)
    assert isinstance(target, NoisyWeight)
    value, bad = checked(target.draw(key, repeated))
    return mean_of_logs(value.reshape(replicates, -1)), bad.reshape(replicates, -1).any(axis=0)


def checked(log_weight: Values) -> tuple[Values, Flags]:
    """The values with NaN and `+inf` as `-inf`, and where they were."""
    bad = jnp.isnan(log_weight) | (log_weight == jnp.inf)
    return jnp.where(bad, -jnp.inf, log_weight), bad


def mean_of_logs(value: Float[Array, "many chains"]) -> Values:
    """`log(mean(exp(value)))` over the first axis; `-inf` if all are."""
    if value.shape[0] == 1:
        return value[0]
    return jax.nn.logsumexp(value, axis=0) - math.log(value.shape[0])


def trial(
    target: Target, proposal: AbstractProposal, scale: Any, key: PRNGKey, x: Chains
) -> tuple[Chains, Values, Chains]:
    """Trial points, their log-prior, and where to evaluate: inside the support, always."""
    moved = target.domain.wrap(proposal(key, x, jnp.asarray(scale, x.dtype)))
    log_prior = target.domain.log_prior(moved)
    if target.domain.support is None and target.domain.prior is None:
        return moved, log_prior, moved
    return moved, log_prior, jnp.where(jnp.isfinite(log_prior), moved, x)


def metropolis(key: PRNGKey, log_ratio: Values) -> Flags:
    """Accept with probability `min(1, exp(log_ratio))`."""
    return -jax.random.exponential(key, log_ratio.shape, log_ratio.dtype) < log_ratio


def select(accept: Flags, new: Any, old: Any) -> Any:
    """`new` where accepted, else `old`, for a whole state."""
    return jax.tree.map(lambda a, b: jnp.where(accept, a, b), new, old)


def info(accepted: Flags, evaluations: int | Array, bad: Flags) -> Info:
    """An `Info` with as many evaluations in each chain."""
    counts = jnp.broadcast_to(jnp.asarray(evaluations, jnp.int32), accepted.shape)
    return Info(accepted=accepted, evaluations=counts, bad=bad)
