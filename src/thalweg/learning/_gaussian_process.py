"""Hyper-parameters of Gaussian processes: minus the log marginal likelihood as an energy."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import (
    AbstractEnergy,
    ArgumentError,
    FreeSpace,
    NormalStart,
    Point,
    Scalar,
    System,
)

_KERNELS = ("rbf", "matern")

_USUAL_SMOOTHNESS = math.log(1.5)

_JITTER = 1e-10
"""Share of the signal's variance that keeps a kernel of repeated inputs positive definite."""

_NODES = 320
"""Nodes of the quadrature over scales; ten digits from `ν = 0.3` on."""


class GaussianProcess(AbstractEnergy):
    """`½ yᵀK⁻¹y + ½ ln det K + n/2 ln 2π` and a weak normal prior on the logarithms.

    Parameters: the logarithms of one length for each input (or one for all), of the signal's and
    of the noise's standard deviation, and with the Matérn kernel that of its smoothness `ν`, which
    varies continuously. Without a prior there are flat directions to infinity: a signal that
    vanishes, a length beyond the data. The logarithm of `ν` has a prior of its own, of unit
    standard deviation about `ln 3/2`.

    Attributes:
        inputs: `(rows, features)`.
        targets: `(rows,)`.
        kernel: `"rbf"` or `"matern"`.
        lengths: Number of lengths, 1 or one for each input (automatic relevance determination).
        prior: Standard deviation of the logarithms under the prior; infinite for none of it.

    Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning (MIT
    Press, 2006), eqs. (2.30), (4.14) and section 5.4; S. J. Ament and others for continuous `ν`:
    arXiv:2305.10748.
    """

    inputs: Float[Array, "rows features"]
    targets: Float[Array, " rows"]
    kernel: str = eqx.field(static=True, default="rbf")
    lengths: int = eqx.field(static=True, default=1)
    prior: float = eqx.field(static=True, default=3.0)

    @property
    def stiff(self) -> bool:
        """Yes: the noise is sharp where data are many, the smoothness hardly counts."""
        return True

    @property
    def lanes_at_once(self) -> int:
        """One: XLA shares batches of triangular systems out to its threads and waits for them.

        Two programs that do so at once, as two workers of a map do, wait for ever.
        """
        return 1

    def second_derivatives(self, x: Point) -> Float[Array, "dof dof"]:
        """Column after column, for the same reason."""
        slope = jax.grad(self)
        return jax.lax.map(lambda v: jax.jvp(slope, (x,), (v,))[1], jnp.eye(len(x), dtype=x.dtype))

    @property
    def dof(self) -> int:
        """Number of hyper-parameters."""
        return self.lengths + 2 + (self.kernel == "matern")

    def covariance(self, x: Point) -> Float[Array, "rows rows"]:
        """The kernel of the inputs, without noise."""
        scaled = self.inputs * jnp.exp(-x[: self.lengths])
        signal = jnp.exp(2.0 * x[self.lengths])
        if self.kernel == "rbf":
            return signal * jnp.exp(-0.5 * jnp.sum((scaled[:, None] - scaled) ** 2, axis=2))
        # The quadrature is dear: each pair once.
        first, second = np.triu_indices(len(scaled), 1)
        square = jnp.sum((scaled[first] - scaled[second]) ** 2, axis=1)
        upper = jnp.zeros((len(scaled),) * 2, x.dtype)
        upper = upper.at[first, second].set(matern(square, jnp.exp(x[self.lengths + 2])))
        return signal * (upper + upper.T + jnp.eye(len(scaled), dtype=x.dtype))

    def __call__(self, x: Point) -> Scalar:
        """Minus the log posterior density of the logarithms `x`, up to the prior's constant."""
        rows = self.inputs.shape[0]
        noise = jnp.exp(2.0 * x[self.lengths + 1]) + _JITTER * jnp.exp(2.0 * x[self.lengths])
        matrix = self.covariance(x) + noise * jnp.eye(rows, dtype=x.dtype)
        factor = jnp.linalg.cholesky(matrix)
        white = jax.scipy.linalg.solve_triangular(factor, self.targets, lower=True)
        likelihood = 0.5 * jnp.sum(white**2) + jnp.sum(jnp.log(jnp.diag(factor)))
        likelihood = likelihood + 0.5 * rows * math.log(2.0 * math.pi)
        rest = x[: self.lengths + 2]
        penalty = 0.5 * jnp.sum(rest**2) / self.prior**2
        if self.kernel == "matern":
            penalty = penalty + 0.5 * (x[-1] - _USUAL_SMOOTHNESS) ** 2
        return likelihood + penalty


def matern(square: Float[Array, "*shape"], nu: Scalar) -> Float[Array, "*shape"]:
    """The Matérn correlation of any smoothness `ν` from 0.3 on, at squared scaled distances.

    As the mixture of squared exponentials that it is,
    `1/Γ(ν) ∫_0^∞ s^(ν-1) e^(-s) exp(-ν r²/(2s)) ds` with `s = e^u`, by the trapezoidal rule in `u`,
    which converges exponentially; differentiable in both arguments. `ν = 1/2` is `exp(-r)`.

    Source: NIST Digital Library of Mathematical Functions, eq. 10.32.10, for the integral.
    """
    top = jnp.log(nu + 40.0)
    # Down to where e^(νu) has fallen by 37 e-foldings from the peak at ln ν.
    step = (top - jnp.log(nu) + 37.0 / nu + 3.0) / _NODES
    u = top - jnp.arange(_NODES, dtype=square.dtype) * step
    log_weight = nu * u - jnp.exp(u)
    log_weight = log_weight - jax.nn.logsumexp(log_weight)
    decay = 0.5 * nu * jnp.exp(-u)
    return jnp.sum(jnp.exp(log_weight - square[..., None] * decay), axis=-1)


def gaussian_process_system(
    inputs: Array | np.ndarray,
    targets: Array | np.ndarray,
    *,
    kernel: str = "rbf",
    relevance: bool = False,
    prior: float = 3.0,
    name: str = "gaussian-process",
) -> System:
    """The landscape of a Gaussian process's hyper-parameters.

    Args:
        inputs: `(rows, features)`.
        targets: `(rows,)`; their mean should be about zero.
        kernel: `"rbf"` (squared exponential) or `"matern"` with its smoothness as a parameter.
        relevance: Whether each input has a length of its own.
        prior: Standard deviation of the logarithms of all hyper-parameters.
        name: Name of the system.

    Returns:
        The system; its points are logarithms of lengths, signal, noise (and smoothness).

    Raises:
        ArgumentError: if the shapes do not fit, numbers are not finite, or the kernel is unknown.
    """
    x, y = np.asarray(inputs, float), np.asarray(targets, float)
    if x.ndim != 2 or y.shape != x.shape[:1] or len(x) < 2:
        raise ArgumentError(
            f"inputs and targets have the shapes {x.shape} and {y.shape}",
            "expected (rows, features) and (rows,), at least two rows",
        )
    bad = np.flatnonzero(~(np.isfinite(x).all(axis=1) & np.isfinite(y)))
    if len(bad):
        raise ArgumentError(f"row {bad[0]} is not finite", "leave such rows out")
    if kernel not in _KERNELS:
        raise ArgumentError(f"kernel={kernel!r}", f"one of {', '.join(_KERNELS)}")
    energy = GaussianProcess(
        jnp.asarray(x), jnp.asarray(y), kernel, x.shape[1] if relevance else 1, prior
    )
    return System(
        energy,
        name=name,
        # Beyond e^±25 nothing of a double is left, and ν has its quadrature's range well inside.
        space=FreeSpace((energy.dof,), extent=25.0),
        start=NormalStart(jnp.zeros(energy.dof), scale=1.5),
        length=0.5,
    )
