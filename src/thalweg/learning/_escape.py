r"""Escape of stochastic gradient descent over a barrier, beside Kramers' rate.

For overdamped Langevin dynamics $dx = -\nabla E\,dt + \sqrt{2T}\,dW$ the rate from a minimum over
one saddle is, for $\Delta E \gg T$,

$$ k = \frac{|\lambda_-|}{2\pi}\sqrt{\frac{\det H_{min}}{|\det H_{ts}|}}\;e^{-\Delta E/T}. $$

A step of learning rate $\eta$ is a time $\eta$, and noise of variance $c$ along the way out makes
the temperature $T = \eta c / 2$. The comparison means something only if the noise is isotropic
and as large at the saddle as at the minimum, steps are small against the curvatures, and the
barrier is some $T$ high; `SgdEscape.reasons` names what is not so.

Sources: Kramers, Physica 7, 284 (1940); Langer, Ann. Phys. 54, 258 (1969).
"""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from thalweg.core import ArgumentError, PRNGKey, as_key, require_x64, serial_blas

from ._batches import BatchLoss, Draw, descend_batch, gradient_noise, local_model

_BLOCK = 64
_SPREAD = 0.3
"""Relative differences of temperatures up to which there is one to speak of."""

_SMALL = 0.2
"""Learning rate times highest curvature up to which steps are like a flow."""

_HIGH = 2.0
"""Barrier, in units of T, from which on Kramers' rate is meant to hold."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SgdEscape:
    """How often stochastic gradient descent leaves a minimum over one saddle.

    Attributes:
        learning_rate: η.
        batch: Data in a batch.
        barrier: Height of the saddle above the minimum.
        temperature: η/2 times the variance of the gradient noise along the way out at the saddle,
            averaged with that at the minimum.
        rate: Measured escapes for each step.
        low: Lower end of its 95 % interval (escapes are Poisson).
        high: Upper end.
        kramers: Kramers' rate for each step at `temperature`.
        escapes: Escapes seen.
        steps: Steps of all replicas at risk.
        reasons: Why the two cannot be compared; empty if they can.
    """

    learning_rate: float
    batch: int
    barrier: float
    temperature: float
    rate: float
    low: float
    high: float
    kramers: float
    escapes: int
    steps: int
    reasons: tuple[str, ...]

    @property
    def meaningful(self) -> bool:
        """Whether Kramers' assumptions hold, as far as they were checked."""
        return not self.reasons

    def __str__(self) -> str:
        verdict = "" if self.meaningful else "; not comparable: " + "; ".join(self.reasons)
        return (
            f"{self.rate:.3g} escapes a step ({self.low:.2g} to {self.high:.2g}), Kramers "
            f"{self.kramers:.3g}, barrier {self.barrier / self.temperature:.1f} T{verdict}"
        )


def sgd_escape(  # noqa: PLR0913 - all but four have defaults
    loss: BatchLoss | Any,
    minimum: Float[np.ndarray, " dof"],
    saddle: Float[np.ndarray, " dof"],
    beyond: Float[np.ndarray, " dof"],
    *,
    learning_rate: float = 0.05,
    batch: int = 8,
    replicas: int = 256,
    steps: int = 4_096,
    replace: bool = True,
    key: PRNGKey | int = 0,
) -> SgdEscape:
    """Measure the rate of escape over a saddle, and compare it with Kramers' rate.

    A replica has escaped when it is, along the saddle's unstable direction, half way from the
    saddle to the minimum beyond; it does not come back.

    Args:
        loss: A `LossEnergy` or a `BatchLoss`.
        minimum: Where all replicas begin.
        saddle: A transition state of the loss of all data.
        beyond: The minimum on its other side.
        learning_rate: η.
        batch: Data in a batch.
        replicas: Independent runs.
        steps: Steps of each at most.
        replace: Whether a batch may hold a datum more than once.
        key: Random key.

    Raises:
        ArgumentError: if the saddle has not one negative curvature, or both minima are on one
            side of it.
        PrecisionError: if float64 is switched off.
    """
    require_x64()
    if not isinstance(loss, BatchLoss):
        loss = BatchLoss.of(loss)
    if replicas < 1 or steps < _BLOCK:
        raise ArgumentError(
            f"replicas={replicas} must be at least 1, steps={steps} at least {_BLOCK}"
        )
    low, top, far = (np.asarray(x, float) for x in (minimum, saddle, beyond))
    floor, _, well = (np.asarray(a) for a in local_model(loss, jnp.asarray(low)))
    height, _, ridge = (np.asarray(a) for a in local_model(loss, jnp.asarray(top)))
    with serial_blas():
        inside = np.linalg.eigvalsh(well)
        curvatures, modes = np.linalg.eigh(ridge)
    if np.sum(curvatures < 0) != 1 or inside[0] <= 0:
        raise ArgumentError(
            f"the saddle has {np.sum(curvatures < 0)} negative curvatures and the minimum "
            f"{np.sum(inside <= 0)} that are not positive; expected 1 and 0"
        )
    out = modes[:, 0] * np.sign(modes[:, 0] @ (far - top) or 1.0)
    line = 0.5 * float(out @ (far - top))
    if out @ (low - top) >= 0:
        raise ArgumentError("both minima lie on one side of the saddle")
    noises = [gradient_noise(loss, x, batch, replace=replace) for x in (low, top)]
    along = [0.5 * learning_rate * float(out @ noise @ out) for noise in noises]
    temperature = 0.5 * sum(along)
    barrier = float(height - floor)
    logs = 0.5 * (np.log(inside).sum() - np.log(np.abs(curvatures)).sum())
    kramers = -curvatures[0] / (2 * math.pi) * math.exp(logs - barrier / max(temperature, 1e-300))
    start = jnp.tile(jnp.asarray(low), (replicas, 1))
    gate = _Gate(jnp.asarray(top), jnp.asarray(out), jnp.asarray(line))
    gone, risk = _race(
        Draw(batch, replace), loss, gate, jnp.asarray(learning_rate, float), start, as_key(key),
        jnp.asarray(steps // _BLOCK),
    )  # fmt: skip
    highest = float(np.abs(np.concatenate([inside, curvatures])).max())
    escapes, total = int(np.sum(np.asarray(gone))), int(np.sum(np.asarray(risk)))
    ends = _poisson(escapes)
    return SgdEscape(
        learning_rate=float(learning_rate),
        batch=batch,
        barrier=barrier,
        temperature=temperature,
        rate=escapes / total,
        low=ends[0] / total,
        high=ends[1] / total,
        kramers=float(learning_rate * kramers),
        escapes=escapes,
        steps=total,
        reasons=_reasons(learning_rate, highest, noises, along, barrier),
    )


def _reasons(
    learning_rate: float,
    highest: float,
    noises: list[Float[np.ndarray, "dof dof"]],
    along: list[float],
    barrier: float,
) -> tuple[str, ...]:
    """What keeps the measured rate and Kramers' from being the same thing."""
    temperature = 0.5 * sum(along)
    values = np.linalg.eigvalsh(noises[0])
    uneven = values.std() / max(values.mean(), 1e-300)
    differ = abs(along[0] - along[1]) / max(temperature, 1e-300)
    checks = [
        (uneven > _SPREAD, f"the noise is anisotropic (variation {uneven:.2g})"),
        (
            differ > _SPREAD,
            f"the noise at the saddle is {along[1] / max(along[0], 1e-300):.2g} times that at the "
            "minimum",
        ),
        (
            learning_rate * highest > _SMALL,
            f"steps are large: learning rate times highest curvature {learning_rate * highest:.2g}",
        ),
        (barrier < _HIGH * temperature, f"the barrier is {barrier / temperature:.2g} T only"),
    ]
    return tuple(text for wrong, text in checks if wrong)


def _poisson(count: int) -> tuple[float, float]:
    """The exact 95 % interval of a Poisson mean (Garwood, Biometrika 28, 437 (1936))."""
    from scipy.stats import chi2

    low = 0.0 if count == 0 else 0.5 * float(chi2.ppf(0.025, 2 * count))
    return low, 0.5 * float(chi2.ppf(0.975, 2 * count + 2))


class _Gate(eqx.Module):
    """Where a replica counts as escaped: further than `line` beyond the saddle along `out`."""

    saddle: Array
    out: Array
    line: Array

    def passed(self, x: Array) -> Array:
        """Which replicas are beyond it."""
        return (x - self.saddle) @ self.out > self.line


@eqx.filter_jit
def _race(
    draw: Draw,
    loss: BatchLoss,
    gate: _Gate,
    learning_rate: Array,
    start: Array,
    key: PRNGKeyArray,
    blocks: Array,
) -> tuple[Array, Array]:
    """Which replicas escaped, and the steps that each was at risk; ends when all are gone."""

    def step(carry: tuple[Array, ...], key: PRNGKeyArray) -> tuple[tuple[Array, ...], None]:
        x, gone, risk = carry
        x = jnp.where(gone[:, None], x, descend_batch(draw, loss, learning_rate, x, key))
        return (x, gone | gate.passed(x), risk + (~gone).astype(risk.dtype)), None

    def block(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        number, *state = carry
        keys = jax.random.split(jax.random.fold_in(key, number), _BLOCK)
        return (number + 1, *jax.lax.scan(step, tuple(state), keys)[0])

    count = start.shape[0]
    state = (jnp.asarray(0), start, jnp.zeros(count, bool), jnp.zeros(count, int))
    found = jax.lax.while_loop(lambda s: (s[0] < blocks) & ~jnp.all(s[2]), block, state)
    return found[2], found[3]
