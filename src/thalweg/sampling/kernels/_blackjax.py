r"""Kernels of BlackJAX for exact weights: NUTS, HMC, MALA and others.

They need the *gradient* of an exact log-weight. With a noisy one their trajectories are no longer
reversible and the law is wrong, so noisy targets are refused. **Stationary law:** $w(x)/Z$ as
BlackJAX promises it for each algorithm.

Sources: Cabezas et al., BlackJAX, arXiv:2402.10797 (2024); Hoffman & Gelman, J. Mach. Learn. Res.
15, 1593 (2014) (NUTS).
"""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Point, PRNGKey, Scalar
from thalweg.sampling._targets import ExactWeight

from ._kernel import AbstractKernel, Chains, Info, Values, info

_ALGORITHMS = ("nuts", "hmc", "mala", "barker")


class BlackjaxState(eqx.Module):
    """A BlackJAX state for each chain.

    Attributes:
        x: Points.
        log_weight: Logarithms of their weights.
        leaves: The state's arrays, chains last.
    """

    x: Chains
    log_weight: Values
    leaves: tuple[Array, ...]


class Blackjax(AbstractKernel):
    """A gradient-based kernel of BlackJAX, for exact weights only.

    Attributes:
        algorithm: `"nuts"`, `"hmc"`, `"mala"` or `"barker"` (the gradient-based proposal, not the
            two-coin rule).
        scale: Step size; `None` to tune it in warm-up.
        steps: Integration steps of a trajectory (HMC).
    """

    name: ClassVar[str] = "blackjax"
    accepts: ClassVar[tuple[type, ...]] = (ExactWeight,)

    algorithm: str = eqx.field(static=True, default="nuts")
    scale: float | Array | None = None
    steps: int = eqx.field(static=True, default=10)

    def __check_init__(self):
        if self.algorithm not in _ALGORITHMS:
            raise ArgumentError(
                f"algorithm={self.algorithm!r} is unknown", f"known: {', '.join(_ALGORITHMS)}"
            )

    def init(self, target: ExactWeight, key: PRNGKey, x: Chains) -> BlackjaxState:
        """Evaluate the starting points and their gradients."""
        if target.domain.support is not None:
            raise ArgumentError(
                "kernel blackjax follows gradients, and this target ends at walls",
                "use Metropolis, or a smooth prior instead of the support",
            )
        inner = jax.vmap(self._algorithm(target, x.shape[0], 1.0).init, in_axes=-1)(x)
        return _pack(inner)

    def step(
        self, target: ExactWeight, key: PRNGKey, state: BlackjaxState
    ) -> tuple[BlackjaxState, Info]:
        """One BlackJAX step for every chain."""
        chains = state.x.shape[1]
        scales = jnp.broadcast_to(jnp.asarray(self.scale, state.x.dtype), (chains,))
        like = jax.eval_shape(
            lambda x: jax.vmap(self._algorithm(target, len(x), 1.0).init, in_axes=-1)(x), state.x
        )
        leaves = [jnp.moveaxis(leaf, -1, 0) for leaf in state.leaves]
        inner = jax.tree.unflatten(jax.tree.structure(like), leaves)

        def one(key: PRNGKey, state: Any, scale: Scalar) -> tuple[Any, Array]:
            kernel = self._algorithm(target, state.position.shape[0], scale)
            new, told = kernel.step(key, state)
            calls = told.num_integration_steps if self.algorithm in {"nuts", "hmc"} else 1
            return new, jnp.asarray(calls, jnp.int32)

        keys = jax.random.split(key, chains)
        new, calls = jax.vmap(one)(keys, inner, scales)
        packed = _pack(new)
        moved = jnp.any(packed.x != state.x, axis=0)
        return packed, info(moved, calls, jnp.isnan(packed.log_weight))

    def _algorithm(self, target: ExactWeight, dof: int, scale: Any) -> Any:
        try:
            import blackjax
        except ModuleNotFoundError as error:
            raise ArgumentError(
                "kernel blackjax needs BlackJAX", "pip install 'thalweg[blackjax]'"
            ) from error

        def log_density(x: Point) -> Scalar:
            block = x[:, None]
            return (target.values(block) + target.domain.log_prior(block))[0]

        if self.algorithm == "nuts":
            return blackjax.nuts(log_density, scale, jnp.ones(dof))
        if self.algorithm == "hmc":
            return blackjax.hmc(log_density, scale, jnp.ones(dof), self.steps)
        if self.algorithm == "mala":
            return blackjax.mala(log_density, scale**2 / 2)
        return blackjax.barker_proposal(log_density, scale)


def _pack(inner: Any) -> BlackjaxState:
    leaves = tuple(jnp.moveaxis(leaf, 0, -1) for leaf in jax.tree.leaves(inner))
    return BlackjaxState(inner.position.T, inner.logdensity, leaves)
