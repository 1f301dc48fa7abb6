r"""Barker's rule with the noise as part of the dice: for losses over minibatches.

Barker's rule accepts when $\Delta + X > 0$ with $X$ logistic and $\Delta = E(x) - E(x')$ in units
of $kT$. A noisy $\hat\Delta$ of variance $\sigma^2 < 1$ brings normal noise of its own; topped up
to variance 1 by a normal number, and joined by $X_c$ such that $N(0, 1) + X_c$ is logistic, it
decides by itself. The law of $X_c$ comes from a constrained deconvolution on a grid, done once.

**Stationary law:** $e^{-E(x)/kT}/Z$ **approximately**: the deconvolution is not exact (the largest
error of the acceptance probability is below 0.0001), the noise must be close to Gaussian, and where
$\sigma \ge 1$ nothing is left to top up and the move is rejected, which spoils the law. One draw
each of two energies a step, and no penalty to pay.

Source: Seita, Pan, Chen & Canny, UAI (2017), arXiv:1610.06848.
"""

import functools
from typing import ClassVar

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
    Info,
    NormalMove,
    Walk,
    info,
    select,
    trial,
)

_RIDGE = 1e-2


class MinibatchBarker(AbstractKernel):
    """Minibatch Metropolis by Barker's rule with a correction variable.

    Attributes:
        scale: Size of a trial displacement; `None` to tune it in warm-up.
        replicates: Draws averaged into one energy; at least 2 if the variance is unknown.
        proposal: How trial points are made.
    """

    name: ClassVar[str] = "minibatch-barker"
    accepts: ClassVar[tuple[type, ...]] = (NoisyEnergy,)
    exact: ClassVar[bool] = False

    scale: float | Array | None = None
    replicates: int = eqx.field(static=True, default=1)
    proposal: AbstractProposal = eqx.field(default_factory=NormalMove)

    def __check_init__(self):
        if self.replicates < 1:
            raise ArgumentError(f"replicates={self.replicates} must be at least 1")

    def init(self, target: NoisyEnergy, key: PRNGKey, x: Chains) -> Walk:
        """Remember the starting points; no energy is kept."""
        if target.variance_from == "unknown" and self.replicates < 2:
            raise ArgumentError(
                "replicates=1: the variance of this noisy energy is unknown, and must be estimated",
                "MinibatchBarker(replicates=4), for one, or give NoisyEnergy(variance=...)",
            )
        return Walk(x, jnp.zeros(x.shape[1], x.dtype), target.domain.log_prior(x))

    def step(self, target: NoisyEnergy, key: PRNGKey, state: Walk) -> tuple[Walk, Info]:
        """One trial move, with fresh energies at both ends."""
        move, noise, fill, correct = jax.random.split(key, 4)
        x, log_prior, where = trial(target, self.proposal, self.scale, move, state.x)
        both = jnp.concatenate([where, state.x], axis=1)
        count = self.replicates
        drawn = target.draw(noise, both if count == 1 else jnp.tile(both, (1, count)))
        energy, variance = (part.reshape(count, 2, -1) for part in drawn)
        if target.variance_from == "unknown":
            spread = jnp.var(energy, axis=0, ddof=1) / count
        else:
            spread = jnp.mean(variance, axis=0) / count
        mean = jnp.mean(energy, axis=0)
        total = jnp.sum(spread, axis=0)
        delta = mean[1] - mean[0] + log_prior - state.log_prior
        filled = jnp.sqrt(jnp.maximum(1 - total, 0.0)) * jax.random.normal(
            fill, delta.shape, delta.dtype
        )
        grid, cumulative = correction()
        u = jax.random.uniform(correct, delta.shape, delta.dtype)
        extra = jnp.interp(u, jnp.asarray(cumulative, u.dtype), jnp.asarray(grid, u.dtype))
        accept = (delta + filled + extra > 0) & (total < 1)
        moved = select(accept, Walk(x, state.log_weight, log_prior), state)
        bad = jnp.any(jnp.isnan(energy), axis=(0, 1))
        return moved, info(accept, 2 * count, bad)


@functools.cache
def correction() -> tuple[np.ndarray, np.ndarray]:
    """Grid and cumulative law of the correction variable, for unit normal noise.

    Non-negative least squares: the mixture of unit normals that comes closest to the logistic
    law's distribution function on a grid.
    """
    centres = np.linspace(-12.0, 12.0, 161)
    points = np.linspace(-14.0, 14.0, 561)
    matrix = scipy.special.ndtr(points[:, None] - centres[None, :])
    # A little regularisation: neighbouring centres are nearly the same column.
    matrix = np.concatenate([matrix, _RIDGE * np.eye(len(centres))])
    wanted = np.concatenate([scipy.special.expit(points), np.zeros(len(centres))])
    weights, _ = scipy.optimize.nnls(matrix, wanted, maxiter=20_000)
    weights = (weights + weights[::-1]) / 2
    cumulative = np.cumsum(weights) / weights.sum()
    # Atoms as steep ramps: `interp` needs an increasing argument.
    width = 1e-6
    kept = weights > 1e-9
    upper, lower = cumulative[kept], np.concatenate([[0.0], cumulative[kept][:-1]])
    grid = np.stack([centres[kept] - width, centres[kept] + width], axis=1).reshape(-1)
    return grid, np.stack([lower, upper], axis=1).reshape(-1)
