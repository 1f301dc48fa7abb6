"""The traditional cortical circuits: the stabilised supralinear network and Wilson-Cowan."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from thalweg.core import ArgumentError, Point, PRNGKey
from thalweg.dynamics import AbstractCircuit

from ._checks import as_array, drive_vector, matrix, vector
from ._theory import relu


class SupralinearNetwork(AbstractCircuit):
    """The stabilised supralinear network: `τ dr/dt = -r + k ⌊W r + h⌋^p`, rates `r` of `n` units.

    With an exponent above one gain grows with activity, and the circuit is stable only where
    inhibition keeps up; nothing in the equations guarantees it.

    Attributes:
        W: Weights, `(n, n)`; the columns of inhibitory units are negative.
        tau: Time constants, `(n,)`.
        k: Gain of the power law.
        power: Its exponent, at least 1.

    Source: Y. Ahmadian, D. B. Rubin and K. D. Miller, Neural Comput. 25, 1994 (2013).
    """

    W: Float[Array, "n n"]
    tau: Float[Array, " n"]
    k: Float[Array, ""]
    power: Float[Array, ""]

    def __init__(self, W: Any, *, tau: Any = 1.0, k: Any = 0.04, power: Any = 2.0):
        """Collect the parameters.

        Raises:
            ArgumentError: if a shape is wrong, `tau` or `k` is not positive, or `power` is below 1.
        """
        self.W = matrix("W", W, (None, None))
        matrix("W", W, (self.W.shape[0], self.W.shape[0]))
        self.tau = vector("tau", tau, self.W.shape[0], positive=True)
        self.k = vector("k", k, 1, positive=True)[0]
        self.power = vector("power", power, 1, positive=True)[0]
        if not isinstance(self.power, jax.core.Tracer) and self.power < 1:
            raise ArgumentError(f"power={float(self.power):g} is below 1")

    @property
    def dof(self) -> int:
        """`n`."""
        return self.W.shape[-1]

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree = None) -> Point:
        """Velocity of the rates under the input `h`, `(n,)`."""
        del t
        h = drive_vector("this network", drive, self.dof, "the input h of each unit")
        push = self.W @ x + h.astype(x.dtype)
        above = push > 0
        rate = jnp.where(above, jnp.where(above, push, 1.0) ** self.power, 0.0)
        return (-x + self.k * rate) / self.tau

    def starts(self, key: PRNGKey, number: int, drive: PyTree = None) -> Float[Array, "number dof"]:
        """Rates over four decades, about the response without recurrence."""
        h = drive_vector("this network", drive, self.dof, "the input h of each unit")
        usual = jnp.maximum(jnp.max(self.k * relu(h) ** self.power), 1e-3)
        return usual * 10 ** jax.random.uniform(key, (number, self.dof), jnp.float64, -3.0, 1.0)

    def smoothness(self, x: Point, drive: PyTree = None) -> float:
        """Distance to a threshold, where the exponent is 1; above that the field is smooth."""
        if float(self.power) > 1:
            return float("inf")
        push = np.asarray(self.W @ x) + np.asarray(drive)
        return float(np.min(np.abs(push)) / max(np.max(np.abs(push)), 1e-300))

    def labels(self) -> tuple[str, ...]:
        """`r1 … rn`."""
        return tuple(f"r{i + 1}" for i in range(self.dof))


def two_population_network(*, tau: tuple[float, float] = (0.020, 0.010)) -> SupralinearNetwork:
    """One excitatory and one inhibitory population; times in seconds.

    Source: G. Hennequin, Y. Ahmadian, D. B. Rubin, M. Lengyel and K. D. Miller, Neuron 98, 846
    (2018): `k = 0.3`, exponent 2, weights 1.25, -0.65, 1.2, -0.5.
    """
    return SupralinearNetwork([[1.25, -0.65], [1.2, -0.5]], tau=jnp.asarray(tau), k=0.3, power=2.0)


class WilsonCowan(AbstractCircuit):
    """Excitatory and inhibitory populations with sigmoid responses; its state is `(E, I)`.

        τ_e dE/dt = -E + (k_e - r_e E) S_e(c1 E - c2 I + P)
        τ_i dI/dt = -I + (k_i - r_i I) S_i(c3 E - c4 I + Q)
        S(x) = 1/(1 + exp(-α (x - θ))) - 1/(1 + exp(α θ)),   k = max S

    The drive is `(P, Q)`. The defaults are those of the paper's limit cycle, at `P = 1.25`.

    Attributes:
        weights: `(c1, c2, c3, c4)`, none negative.
        slope: `(α_e, α_i)`.
        threshold: `(θ_e, θ_i)`.
        refractory: `(r_e, r_i)`.
        tau: `(τ_e, τ_i)`.

    Source: H. R. Wilson and J. D. Cowan, Biophys. J. 12, 1 (1972), figure 11.
    """

    weights: Float[Array, " four"]
    slope: Float[Array, " two"]
    threshold: Float[Array, " two"]
    refractory: Float[Array, " two"]
    tau: Float[Array, " two"]

    def __init__(
        self,
        weights: Any = (16.0, 12.0, 15.0, 3.0),
        *,
        slope: Any = (1.3, 2.0),
        threshold: Any = (4.0, 3.7),
        refractory: Any = (1.0, 1.0),
        tau: Any = (1.0, 1.0),
    ):
        """Collect the parameters.

        Raises:
            ArgumentError: if a shape is wrong, a weight is negative, or a slope or a time constant
                is not positive.
        """
        self.weights = vector("weights", as_array("weights", weights), 4)
        if not isinstance(self.weights, jax.core.Tracer) and np.any(np.asarray(self.weights) < 0):
            raise ArgumentError(
                f"weights={list(map(float, self.weights))} must not be negative",
                "the equations subtract inhibition themselves",
            )
        self.slope = vector("slope", slope, 2, positive=True)
        self.threshold = vector("threshold", threshold, 2)
        self.refractory = vector("refractory", refractory, 2)
        self.tau = vector("tau", tau, 2, positive=True)

    @property
    def dof(self) -> int:
        """Two."""
        return 2

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree = None) -> Point:
        """Velocity of `(E, I)` under `(P, Q)`."""
        del t
        push = drive_vector("Wilson-Cowan", drive, 2, "the inputs P and Q")
        c1, c2, c3, c4 = self.weights
        net = jnp.stack([c1 * x[0] - c2 * x[1], c3 * x[0] - c4 * x[1]]) + push.astype(x.dtype)
        base = jax.nn.sigmoid(-self.slope * self.threshold)
        response = jax.nn.sigmoid(self.slope * (net - self.threshold)) - base
        return (-x + (1 - base - self.refractory * x) * response) / self.tau

    def starts(self, key: PRNGKey, number: int, drive: PyTree = None) -> Float[Array, "number dof"]:
        """Uniform in the square of activities from -0.2 to 0.8."""
        del drive
        return jax.random.uniform(key, (number, 2), jnp.float64, -0.2, 0.8)

    def labels(self) -> tuple[str, ...]:
        """`E`, `I`."""
        return ("E", "I")
