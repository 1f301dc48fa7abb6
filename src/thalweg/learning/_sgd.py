r"""Stochastic gradient descent as Langevin dynamics, with a measured temperature.

A step with learning rate $\eta$ on a batch of $B$ data is $x' = x - \eta\,g_B(x)$. Its gradient is
that of the loss plus noise of mean zero and covariance $C$, that of one datum's gradient over $B$
(times $(N - B)/(N - 1)$ when a batch holds no datum twice). Around a minimum with Hessian $H$ and
noise that does not depend on $x$ this is a linear process whose stationary covariance $S$ solves

$$ S = (1 - \eta H)\, S\, (1 - \eta H) + \eta^2 C, \qquad
   S_{ij} = \frac{\eta\, C_{ij}}{\lambda_i + \lambda_j - \eta \lambda_i \lambda_j} $$

in the eigenbasis of $H$: exactly, at any learning rate with $\eta\lambda_{max} < 2$. The excess of
the loss is $\tfrac12 \mathrm{tr}\,HS$. Equipartition of a Langevin dynamics at temperature $T$
would make every $\lambda_i S_{ii}$ equal to $T$; here mode $i$ has

$$ T_i = \lambda_i S_{ii} = \frac{\eta\, C_{ii}}{2 - \eta \lambda_i}, $$

so there is one temperature only where $C$ is a multiple of $2 - \eta H$. The mean of $T_i$ over the
modes is twice the excess loss for each mode. `SgdTemperature` says how unequal they are.

Sources: Mandt, Hoffman & Blei, J. Mach. Learn. Res. 18, 134 (2017); Liu, Ziyin & Ueda, ICML 2021
(arXiv:2012.03636), for the discrete-time covariance; Zhu et al., ICML 2019 (arXiv:1803.00195),
for the anisotropy of the noise.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, PRNGKeyArray

from thalweg.core import ArgumentError, PRNGKey, as_key, require_x64, serial_blas

from ._batches import BatchLoss, Draw, check_batch, descend_batch, gradient_noise, local_model

_BLOCK = 64
"""Steps between two records of the loss: replicas are compared at these times."""

_LOST = 100.0
"""A replica is lost if it ends further away than this many predicted standard deviations."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SgdTemperature:
    """Stochastic gradient descent around a minimum: predicted and measured.

    Directions are eigenvectors of the Hessian, in ascending order of the curvature.

    Attributes:
        learning_rate: η.
        batch: Data in a batch.
        curvatures: Eigenvalues of the Hessian.
        noise: Variance of the gradient noise along each eigenvector.
        variance: Predicted stationary variance of the parameters along each.
        measured_variance: The same over time and replicas.
        variance_error: Its standard error, from the scatter of the replicas.
        excess: Predicted mean excess of the full loss over the minimum: ½ Σ λ_i S_ii.
        measured_excess: Mean over time and replicas.
        excess_error: Its standard error.
        replicas: Replicas that were followed.
        lost: How many diverged or left the basin; they do not count in what was measured.
        steps: Steps of each, after those that were thrown away.
        slowest: Steps in which the slowest mode forgets by a factor e.
    """

    learning_rate: float
    batch: int
    curvatures: Float[np.ndarray, " modes"]
    noise: Float[np.ndarray, " modes"]
    variance: Float[np.ndarray, " modes"]
    measured_variance: Float[np.ndarray, " modes"]
    variance_error: Float[np.ndarray, " modes"]
    excess: float
    measured_excess: float
    excess_error: float
    replicas: int
    lost: int
    steps: int
    slowest: float

    @property
    def temperatures(self) -> Float[np.ndarray, " modes"]:
        """Predicted temperature of each mode, λ_i S_ii."""
        return self.curvatures * self.variance

    @property
    def measured_temperatures(self) -> Float[np.ndarray, " modes"]:
        """Measured temperature of each mode."""
        return self.curvatures * self.measured_variance

    @property
    def temperature(self) -> float:
        """Predicted mean over the modes: twice the excess loss for each mode."""
        return float(self.temperatures.mean())

    @property
    def measured_temperature(self) -> float:
        """Twice the measured excess loss for each mode."""
        return 2.0 * self.measured_excess / len(self.curvatures)

    @property
    def spread(self) -> float:
        """Coefficient of variation of the predicted temperatures: 0 for one temperature."""
        return float(self.temperatures.std() / max(self.temperature, 1e-300))

    @property
    def one_temperature(self) -> bool:
        """Whether the modes' temperatures differ by less than a tenth (their deviation)."""
        return self.spread < 0.1

    def table(self) -> pd.DataFrame:
        """One row a mode."""
        return pd.DataFrame(
            {
                "curvature": self.curvatures,
                "noise": self.noise,
                "variance": self.variance,
                "measured_variance": self.measured_variance,
                "variance_error": self.variance_error,
                "temperature": self.temperatures,
                "measured_temperature": self.measured_temperatures,
            }
        )

    def __str__(self) -> str:
        kind = "one temperature" if self.one_temperature else "no single temperature"
        return (
            f"T = {self.temperature:.3g} predicted, {self.measured_temperature:.3g} measured; "
            f"{kind} (modes from {self.temperatures.min():.2g} to {self.temperatures.max():.2g})"
        )


def stationary_covariance(
    hessian: Float[np.ndarray, "dof dof"],
    noise: Float[np.ndarray, "dof dof"],
    learning_rate: float,
) -> Float[np.ndarray, "dof dof"]:
    """The stationary covariance of x' = x - η (H x + ξ) with noise of the given covariance.

    Args:
        hessian: H, symmetric and positive definite.
        noise: C, the covariance of ξ.
        learning_rate: η.

    Raises:
        ArgumentError: if there is no stationary state: a curvature is not positive, or
            η λ_max is 2 or more.
    """
    with serial_blas():
        curvatures, modes = np.linalg.eigh(hessian)
        _check_stable(curvatures, learning_rate)
        c = modes.T @ noise @ modes
        both = curvatures[:, None] + curvatures - learning_rate * np.outer(curvatures, curvatures)
        return modes @ (learning_rate * c / both) @ modes.T


def _check_stable(curvatures: Float[np.ndarray, " dof"], learning_rate: float) -> None:
    if not learning_rate > 0:
        raise ArgumentError(f"learning_rate={learning_rate} must be positive")
    if curvatures.min() <= 1e-12 * curvatures.max():
        raise ArgumentError(
            f"the lowest curvature is {curvatures.min():.3g}: nothing holds the parameters there",
            "use a certified minimum of a loss with an L2 penalty",
        )
    if learning_rate * curvatures.max() >= 2.0:
        raise ArgumentError(
            f"learning_rate={learning_rate:g} is unstable here: with the highest curvature "
            f"{curvatures.max():.4g} it must be below {2.0 / curvatures.max():.4g}"
        )


class _Run(eqx.Module):
    """Sums over time, replicas first."""

    x: Array
    excess: Array
    square: Array
    lost: Array


def sgd_temperature(  # noqa: PLR0913 - all but two have defaults
    loss: BatchLoss | Any,
    minimum: Float[np.ndarray, " dof"],
    *,
    learning_rate: float = 0.1,
    batch: int = 32,
    replicas: int = 64,
    steps: int = 4_096,
    warmup: int | None = None,
    replace: bool = True,
    key: PRNGKey | int = 0,
) -> SgdTemperature:
    """Run stochastic gradient descent around a minimum, and compare with the linear theory.

    All replicas run in one compiled program. Each step draws a batch of its own, independent of
    all others (no epochs, whose batches are anticorrelated).

    Args:
        loss: A `LossEnergy` or a `BatchLoss`.
        minimum: A certified minimum of it, flat.
        learning_rate: η.
        batch: Data in a batch.
        replicas: Independent runs; error bars come from their scatter.
        steps: Steps that are recorded.
        warmup: Steps before; by default five times the memory of the slowest mode, at most 20
            times `steps`.
        replace: Whether a batch may hold a datum more than once.
        key: Random key.

    Raises:
        ArgumentError: if the learning rate is unstable, the point is no minimum, or an argument is
            out of range.
        PrecisionError: if float64 is switched off.
    """
    require_x64()
    if not isinstance(loss, BatchLoss):
        loss = BatchLoss.of(loss)
    check_batch(loss, batch, replace=replace)
    if replicas < 2 or steps < _BLOCK:
        raise ArgumentError(
            f"replicas={replicas} must be at least 2, steps={steps} at least {_BLOCK}"
        )
    x0 = jnp.asarray(np.asarray(minimum, float))
    value, grad, matrix = (np.asarray(a) for a in local_model(loss, x0))
    with serial_blas():
        curvatures, modes = np.linalg.eigh(matrix)
    _check_stable(curvatures, learning_rate)
    if np.linalg.norm(grad) > 1e-6 * max(1.0, curvatures[-1]):
        raise ArgumentError(
            f"the gradient there is {np.linalg.norm(grad):.2g}: this is no minimum of the loss of "
            "all data",
            "polish it first: thalweg.quench",
        )
    c = modes.T @ gradient_noise(loss, np.asarray(x0), batch, replace=replace) @ modes
    noise = np.diagonal(c)
    variance = learning_rate * noise / (2.0 * curvatures - learning_rate * curvatures**2)
    shrink = np.max(np.abs(1.0 - learning_rate * curvatures))
    slowest = float(-1.0 / np.log(shrink)) if 0 < shrink < 1 else 0.0
    early = int(min(5.0 * slowest, 20.0 * steps)) if warmup is None else warmup
    frame = _Frame(
        x0, jnp.asarray(modes), jnp.asarray(learning_rate, float), jnp.asarray(value),
        jnp.asarray(_LOST * np.sqrt(variance.sum())),
    )  # fmt: skip
    start = jnp.tile(x0, (replicas, 1))
    first, second = jax.random.split(as_key(key))
    draw = Draw(batch, replace)
    if early:
        start = _follow(draw, loss, frame, start, first, jnp.asarray(-(-early // _BLOCK))).x
    blocks = steps // _BLOCK
    run = _follow(draw, loss, frame, start, second, jnp.asarray(blocks))
    lost = np.asarray(run.lost)
    if (~lost).sum() < 2:
        raise ArgumentError(
            f"{int(lost.sum())} of {replicas} replicas left the basin: there is nothing stationary "
            "to measure",
            "lower the learning rate, or raise the batch",
        )
    excess = np.asarray(run.excess)[~lost]
    square = np.asarray(run.square)[~lost]
    alive = len(excess)
    return SgdTemperature(
        learning_rate=float(learning_rate),
        batch=batch,
        curvatures=curvatures,
        noise=noise,
        variance=variance,
        measured_variance=square.mean(axis=0),
        variance_error=square.std(axis=0, ddof=1) / np.sqrt(alive),
        excess=float(0.5 * curvatures @ variance),
        measured_excess=float(excess.mean()),
        excess_error=float(excess.std(ddof=1) / np.sqrt(alive)),
        replicas=replicas,
        lost=int(lost.sum()),
        steps=blocks * _BLOCK,
        slowest=slowest,
    )


class _Frame(eqx.Module):
    """Where the replicas live: the minimum, its eigenvectors, and how far is too far."""

    x0: Array
    modes: Array
    learning_rate: Array
    value: Array
    far: Array


@eqx.filter_jit
def _follow(
    draw: Draw, loss: BatchLoss, frame: _Frame, start: Array, key: PRNGKeyArray, blocks: Array
) -> _Run:
    """Blocks of steps; variances from every step, the loss once a block."""

    def step(carry: tuple[Array, Array], key: PRNGKeyArray) -> tuple[tuple[Array, Array], None]:
        x, square = carry
        x = descend_batch(draw, loss, frame.learning_rate, x, key)
        return (x, square + ((x - frame.x0) @ frame.modes) ** 2), None

    def block(number: Array, run: _Run) -> _Run:
        keys = jax.random.split(jax.random.fold_in(key, number), _BLOCK)
        (x, square), _ = jax.lax.scan(step, (run.x, run.square), keys)
        excess = run.excess + jax.vmap(loss)(x) - frame.value
        gone = ~jnp.all(jnp.isfinite(x), axis=1)
        gone |= jnp.sum((x - frame.x0) ** 2, axis=1) > frame.far**2
        return _Run(x, excess, square, run.lost | gone)

    replicas = start.shape[0]
    empty = _Run(start, jnp.zeros(replicas), jnp.zeros_like(start), jnp.zeros(replicas, bool))
    run = jax.lax.fori_loop(0, blocks, block, empty)
    return _Run(run.x, run.excess / blocks, run.square / (blocks * _BLOCK), run.lost)
