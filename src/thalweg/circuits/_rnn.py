"""The leaky recurrent network, and when it contracts."""

from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from thalweg.core import ArgumentError, Point, PRNGKey
from thalweg.dynamics import AbstractCircuit, Theorem, diagonal_metric

from ._checks import drive_vector, matrix, vector
from ._theory import relu

Activation = Literal["tanh", "relu", "sigmoid", "linear"]

_FUNCTIONS = {"tanh": jnp.tanh, "relu": relu, "sigmoid": jax.nn.sigmoid, "linear": lambda x: x}

SLOPES = {"tanh": 1.0, "relu": 1.0, "sigmoid": 0.25, "linear": 1.0}
"""Largest slope of each activation; the smallest is not negative."""

KOZACHKOV = "L. Kozachkov, M. Ennis, J.-J. Slotine, NeurIPS 35 (2022), arXiv:2106.08928"


class LeakyRNN(AbstractCircuit):
    """A leaky recurrent network `τ dx/dt = -x + W φ(x) + W_in u + bias`.

    Attributes:
        W: Recurrent weights, `(n, n)`.
        tau: Time constants, `(n,)`.
        bias: `(n,)`.
        W_in: Weights of the input, `(n, m)`; `None` adds the drive `u`, `(n,)`, itself.
        activation: `tanh`, `relu`, `sigmoid` or `linear`.
    """

    W: Float[Array, "n n"]
    tau: Float[Array, " n"]
    bias: Float[Array, " n"]
    W_in: Float[Array, "n m"] | None
    activation: Activation = eqx.field(static=True)

    def __init__(
        self,
        W: Any,
        *,
        tau: Any = 1.0,
        bias: Any = 0.0,
        W_in: Any = None,
        activation: Activation = "tanh",
    ):
        """Collect the parameters; a number given once stands for all units.

        Raises:
            ArgumentError: if a shape is wrong, a time constant is not positive, or the activation
                is unknown.
        """
        if activation not in get_args(Activation):
            raise ArgumentError(
                f"activation={activation!r} is none of {', '.join(get_args(Activation))}"
            )
        self.W = matrix("W", W, (None, None))
        n = self.W.shape[0]
        matrix("W", W, (n, n))
        self.tau = vector("tau", tau, n, positive=True)
        self.bias = vector("bias", bias, n)
        self.W_in = None if W_in is None else matrix("W_in", W_in, (n, None))
        self.activation = activation

    @property
    def dof(self) -> int:
        """`n`."""
        return self.W.shape[-1]

    def push(self, drive: PyTree) -> Float[Array, " n"]:
        """`W_in u + bias`; no drive at all is zero."""
        if drive is None:
            return self.bias
        if self.W_in is None:
            u = drive_vector("this network", drive, self.dof, "the input of each unit")
            return self.bias + u.astype(self.bias.dtype)
        u = drive_vector("this network", drive, self.W_in.shape[-1], "the input u")
        return self.bias + self.W_in @ u.astype(self.bias.dtype)

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree = None) -> Point:
        """Velocity under the input, `(n,)`."""
        del t
        rate = _FUNCTIONS[self.activation](x)
        return (-x + self.W @ rate + self.push(drive)) / self.tau

    def starts(self, key: PRNGKey, number: int, drive: PyTree = None) -> Float[Array, "number dof"]:
        """Normal, as wide as the input and the rows of `W` allow for bounded rates."""
        reach = jnp.sqrt(jnp.sum(self.W**2, axis=1)) + jnp.abs(self.push(drive))
        draws = jax.random.normal(key, (number, self.dof), self.W.dtype)
        return jnp.maximum(reach, 1e-3) * draws

    def smoothness(self, x: Point, drive: PyTree = None) -> float:
        """Distance to the kink of a rectifier."""
        del drive
        if self.activation != "relu":
            return float("inf")
        values = np.abs(np.asarray(x))
        return float(values.min() / max(values.max(), 1e-300))

    def theorems(self, drive: PyTree = None) -> tuple[Theorem, ...]:
        """Contraction by the absolute weights, and by the singular values."""
        del drive
        return (absolute_theorem(self), singular_theorem(self))


def absolute_part(W: np.ndarray) -> np.ndarray:
    """`|W|` off the diagonal and `max(W, 0)` on it."""
    off = np.abs(W)
    np.fill_diagonal(off, np.maximum(np.diagonal(W), 0.0))
    return off


def contraction_metric(network: LeakyRNN) -> tuple[np.ndarray, float] | None:
    """A diagonal metric `M` in which a leaky network contracts, with the rate, if one is found.

    With slopes of the activation in `[0, g]` and `|W|` as `absolute_part` has it, let
    `B = I - g|W|` be a nonsingular M-matrix and `TB + BᵀT ≻ 0` for a diagonal `T`. For `M = Tτ` and
    every state, `MJ + JᵀM ≼ -2cM` with `c` half the smallest eigenvalue of
    `M^{-1/2} (TB + BᵀT) M^{-1/2}`. Failing that, `g σ_max(W) < 1` gives `M = τ`.

    Returns:
        The diagonal of `M`, `(n,)`, and `c`; or nothing.
    """
    W, tau = np.asarray(network.W, np.float64), np.asarray(network.tau, np.float64)
    slope = SLOPES[network.activation]
    both = np.eye(len(W)) - slope * absolute_part(W)
    found = diagonal_metric(both)
    if found is not None:
        weights = found.t * tau
        form = found.t[:, None] * both
        form = (form + form.T) / np.sqrt(np.outer(weights, weights))
        rate = float(np.linalg.eigvalsh(form)[0]) / 2
        if rate > 0:
            return weights, rate
    room = 1 - slope * float(np.linalg.norm(W, 2))
    return (tau, room / float(tau.max())) if room > 0 else None


def absolute_theorem(network: LeakyRNN) -> Theorem:
    """Contraction where `I - g|W|` is an M-matrix, in a weighted maximum norm."""
    W, tau = np.asarray(network.W, np.float64), np.asarray(network.tau, np.float64)
    slope = SLOPES[network.activation]
    both = np.eye(len(W)) - slope * absolute_part(W)
    radius = float(np.max(np.abs(np.linalg.eigvals(absolute_part(W)))))
    found = diagonal_metric(both)
    name = "contraction by absolute weights"
    statement = (
        "Where g|W| has a spectral radius below 1 (g the largest slope of the activation, negative "
        "diagonal entries counted as 0), any two trajectories with the same input approach each "
        "other exponentially, whatever the time constants."
    )
    because = f"the spectral radius of g|W| is {slope * radius:.4g}"
    if found is None:
        return Theorem(name, False, statement, f"{because}, not below 1", KOZACHKOV)
    # Row i of the Jacobian in the norm max |x_i|/v_i has a measure of at most -(Bv)_i/(v_i τ_i).
    rate = float(np.min(both @ found.v / (found.v * tau)))
    return Theorem(
        name=name,
        applies=True,
        statement=statement,
        because=f"{because} < 1; rate at least {rate:.4g}",
        source=KOZACHKOV,
        proves=frozenset({"stable", "all", "contracting"}),
        rate=rate,
    )


def singular_theorem(network: LeakyRNN) -> Theorem:
    """Contraction where `g σ_max(W) < 1`, in the metric of the time constants."""
    W, tau = np.asarray(network.W, np.float64), np.asarray(network.tau, np.float64)
    size = SLOPES[network.activation] * float(np.linalg.norm(W, 2))
    name = "contraction by singular values"
    statement = (
        "Where g σ_max(W) < 1 (g the largest slope of the activation), any two trajectories with "
        "the same input approach each other exponentially, whatever the time constants."
    )
    if not size < 1:
        return Theorem(name, False, statement, f"g σ_max(W) = {size:.4g}, not below 1", KOZACHKOV)
    rate = (1 - size) / float(tau.max())
    return Theorem(
        name=name,
        applies=True,
        statement=statement,
        because=f"g σ_max(W) = {size:.4g} < 1; rate at least {rate:.4g}",
        source=KOZACHKOV,
        proves=frozenset({"stable", "all", "contracting"}),
        rate=rate,
    )
