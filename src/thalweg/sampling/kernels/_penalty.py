r"""The penalty method: noisy energies whose noise is Gaussian.

Both energies are drawn afresh in every step; with $\hat\delta \sim N(\Delta, \sigma^2)$ their
difference in units of $kT$, accept with

$$
\min\{1, e^{-\hat\delta - \sigma^2/2}\},
$$

the penalty $\sigma^2/2$ making up for what noise gains on average. **Stationary law:**
$e^{-E(x)/kT}/Z$ in $x$ alone, exactly if the noise is Gaussian and its variance known, however
strong; nothing is stored, so nothing sticks. An average-weight kernel would sample
$\langle e^{-\hat E/kT}\rangle$ instead.

When the variance $\chi^2$ of a mean of $n$ draws is estimated, with $\nu = n - 1$, from the draws
themselves, $e^{-\sigma^2/2}$ has the unbiased estimate ${}_0F_1(;\nu/2; -\nu\chi^2/4)$; the two
points have a factor each. It is used up to its first zero, beyond which the move is rejected. The
law is then **approximate**: nearly exact while $\sigma^2/n$ stays below about 0.2.

Source: Ceperley & Dewing, J. Chem. Phys. 110, 9812 (1999).
"""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
import scipy.special

from thalweg.core import ArgumentError, Array, PRNGKey
from thalweg.sampling._targets import NoisyEnergy

from ._kernel import (
    AbstractKernel,
    AbstractProposal,
    Chains,
    Flags,
    Info,
    NormalMove,
    Values,
    Walk,
    info,
    metropolis,
    select,
    trial,
)

_TERMS = 80
_NEVER = -1e30


class Penalty(AbstractKernel):
    """The penalty method of Ceperley and Dewing.

    Attributes:
        scale: Size of a trial displacement; `None` to tune it in warm-up.
        replicates: Draws averaged into one energy; at least 3 if the variance is unknown.
        proposal: How trial points are made.
    """

    name: ClassVar[str] = "penalty"
    accepts: ClassVar[tuple[type, ...]] = (NoisyEnergy,)

    scale: float | Array | None = None
    replicates: int = eqx.field(static=True, default=1)
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)

    def __check_init__(self):
        if self.replicates < 1:
            raise ArgumentError(f"replicates={self.replicates} must be at least 1")

    def init(self, target: NoisyEnergy, key: PRNGKey, x: Chains) -> Walk:
        """Remember the starting points; no energy is kept."""
        if target.variance_from == "unknown" and self.replicates < 3:
            raise ArgumentError(
                f"replicates={self.replicates}: the variance of this noisy energy is unknown, and "
                "must be estimated from repeats",
                "Penalty(replicates=8), for one, or give NoisyEnergy(variance=...)",
            )
        return Walk(x, jnp.zeros(x.shape[1], x.dtype), target.domain.log_prior(x))

    def step(self, target: NoisyEnergy, key: PRNGKey, state: Walk) -> tuple[Walk, Info]:
        """One trial move, with fresh energies at both ends."""
        move, noise, decide = jax.random.split(key, 3)
        x, log_prior, where = trial(target, self.proposal, self.scale, move, state.x)
        both = jnp.concatenate([where, state.x], axis=1)
        energy, penalty, bad = self._energies(target, noise, both)
        new, old = jnp.split(energy, 2)
        ratio = old - new + log_prior - state.log_prior + jnp.sum(penalty.reshape(2, -1), axis=0)
        accept = metropolis(decide, ratio)
        moved = select(accept, Walk(x, state.log_weight, log_prior), state)
        return moved, info(accept, 2 * self.replicates, jnp.any(bad.reshape(2, -1), axis=0))

    def _energies(
        self, target: NoisyEnergy, key: PRNGKey, x: Chains
    ) -> tuple[Values, Values, Flags]:
        """Mean energies, the logarithms of their penalties, and broken draws."""
        count = self.replicates
        energy, variance = target.draw(key, x if count == 1 else jnp.tile(x, (1, count)))
        energy, variance = energy.reshape(count, -1), variance.reshape(count, -1)
        # An energy of +inf is a weight of zero; no other value but a number makes sense.
        bad = jnp.any(jnp.isnan(energy) | (energy == -jnp.inf), axis=0)
        mean = jnp.where(bad, jnp.inf, jnp.mean(energy, axis=0))
        mean = jnp.where(jnp.isnan(mean), jnp.inf, mean)
        if target.variance_from == "unknown":
            spread = jnp.var(energy, axis=0, ddof=1) / count
            return mean, log_unbiased_penalty(spread, count - 1), bad
        spread = jnp.mean(variance, axis=0) / count
        if target.exact_variance:
            return mean, -spread / 2, bad
        assert target.samples is not None
        return mean, log_unbiased_penalty(spread, count * (target.samples - 1)), bad


def log_unbiased_penalty(variance: Values, dof: int) -> Values:
    """Logarithm of an unbiased estimate of `exp(-σ²/2)` from an estimate of σ².

    Args:
        variance: Unbiased estimate of σ², distributed as `σ² χ²(dof) / dof`.
        dof: Its degrees of freedom.

    Returns:
        `ln 0F1(; dof/2; -dof·variance/4)`, and minus a huge number beyond its first zero.
    """
    half = dof / 2
    z = dof * variance / 4
    inside = z < _first_zero(dof)
    safe = jnp.where(inside & jnp.isfinite(z), z, 0.0)
    term = total = jnp.ones_like(safe)
    for m in range(1, _TERMS):
        term = term * (-safe) / (m * (half + m - 1))
        total = total + term
    return jnp.where(inside & (total > 0), jnp.log(jnp.maximum(total, 1e-30)), _NEVER)


def _first_zero(dof: int) -> float:
    """First `z > 0` with `0F1(; dof/2; -z) = 0`: `(j/2)²`, j the first zero of J(dof/2 - 1)."""
    order = dof / 2 - 1
    bessel = lambda x: scipy.special.jv(order, x)
    grid = np.linspace(1e-6, order + 2.5 * max(order, 1.0) ** (1 / 3) + 4.0, 400)
    sign = bessel(grid) > 0
    at = int(np.flatnonzero(sign[:-1] & ~sign[1:])[0])
    root: Any = scipy.optimize.brentq(bessel, grid[at], grid[at + 1])
    return float(root / 2) ** 2
