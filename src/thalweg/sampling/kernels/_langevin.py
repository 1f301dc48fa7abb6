r"""Stochastic-gradient Langevin dynamics: fast, and never exact.

$$
x' = x - \tfrac{\epsilon^2}{2}\,\nabla\hat E(x)/kT + \epsilon\,\xi, \qquad \xi \sim N(0, 1),
$$

with the gradient of one noisy energy and no acceptance test. **Stationary law:** $e^{-E/kT}$ only
as $\epsilon \to 0$; at a finite step the discretisation and the gradient's own noise, which acts as
heat, bias it by $O(\epsilon^2)$. Its samples are flagged as approximate: use it to explore, and
correct by `Penalty` or `StoredWeight` afterwards.

Source: Welling & Teh, ICML (2011).
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Point, PRNGKey, Scalar
from thalweg.sampling._targets import NoisyEnergy

from ._kernel import AbstractKernel, Chains, Info, Walk, info, select


class Langevin(AbstractKernel):
    """Stochastic-gradient Langevin steps; approximate.

    Attributes:
        scale: Standard deviation ε of the kick in a step. It has no best value: smaller is less
            biased and slower. It must be given.
    """

    name: ClassVar[str] = "langevin"
    accepts: ClassVar[tuple[type, ...]] = (NoisyEnergy,)
    exact: ClassVar[bool] = False

    scale: float | Array | None = None

    def init(self, target: NoisyEnergy, key: PRNGKey, x: Chains) -> Walk:
        """Remember the starting points."""
        if self.scale is None:
            raise ArgumentError(
                "Langevin(scale=None): without an acceptance test nothing says how long a step may "
                "be",
                "Langevin(scale=0.1), for one; halve it until averages stop changing",
            )
        if target.function is None:
            raise ArgumentError(
                "kernel langevin differentiates the energy of one point, and this energy only "
                "knows a block function",
                "give NoisyEnergy(function=...)",
            )
        return Walk(x, jnp.zeros(x.shape[1], x.dtype), target.domain.log_prior(x))

    def step(self, target: NoisyEnergy, key: PRNGKey, state: Walk) -> tuple[Walk, Info]:
        """One step along a noisy gradient; what leaves the support stays where it was."""
        noise, kick = jax.random.split(key)

        def energy(x: Point, key: PRNGKey) -> Scalar:
            prior = target.domain.prior
            exact = 0.0 if prior is None else target.domain.point_function(prior)(x)
            return target(key, x)[0] - exact

        keys = jax.random.split(noise, state.x.shape[1])
        gradient = jax.vmap(jax.grad(energy), in_axes=(-1, 0), out_axes=-1)(state.x, keys)
        scale = jnp.asarray(self.scale, state.x.dtype)
        x = state.x - scale**2 / 2 * gradient
        x = target.domain.wrap(x + scale * jax.random.normal(kick, x.shape, x.dtype))
        bad = jnp.any(jnp.isnan(gradient), axis=0)
        log_prior = target.domain.log_prior(x)
        moved = ~bad & jnp.isfinite(log_prior)
        new = select(moved, Walk(x, state.log_weight, log_prior), state)
        return new, info(moved, 1, bad)
