"""A hypercolumn of V1: orientations on a ring, with normalisation.

Source: the kernels follow the authors' ring model for S. Rawat, D. J. Heeger and S. Martiniani,
NeurIPS 37, 14712 (2024); raised cosines are a tight frame of steerable filters (W. T. Freeman and
E. H. Adelson, IEEE PAMI 13, 891 (1991)).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from thalweg.core import ArgumentError, Point, PRNGKey
from thalweg.dynamics import AbstractCircuit

from ._checks import drive_vector, matrix, vector
from ._organics import Organics
from ._theory import relu, root_of

_KERNEL = (0.02807382, -0.060944743, -0.073386624, 0.41472545, 0.7973934)
"""Half of the symmetric nine taps that join neighbours on the ring, from the outermost inwards."""


def ring_recurrence(n: int) -> Float[np.ndarray, "n n"]:
    """Circulant recurrent weights, symmetric, with singular values of at most 1."""
    if n < 9:
        raise ArgumentError(
            f"a ring of {n} units is shorter than its kernel of 9 taps", "use n ≥ 9"
        )
    row = np.zeros(n)
    for offset in range(-4, 5):
        row[offset % n] += _KERNEL[4 - abs(offset)]
    left, sizes, right = np.linalg.svd(np.array([np.roll(row, i) for i in range(n)]))
    clipped = (left * np.minimum(sizes, 1.0)) @ right
    return (clipped + clipped.T) / 2


def raised_cosines(n: int, angles: int, power: int) -> Float[np.ndarray, "n angles"]:
    """Tuning curves `|C cos^p((θⱼ - θᵢ)/2)|` of `n` units for `angles` stimuli around the circle."""
    d = power + 1
    p = power
    scale = math.sqrt(d / n) * math.sqrt(
        2 ** (2 * p) * math.factorial(p) ** 2 / (math.factorial(2 * p) * (p + 1))
    )
    units = 2 * math.pi * np.arange(n)[:, None] / n
    stimuli = 2 * math.pi * np.arange(angles) / angles
    return np.abs(scale * np.cos((stimuli - units) / 2) ** p)


def ring(
    n: int = 36,
    *,
    angles: int = 36,
    pool_width: float = 0.1,
    recurrent: bool = True,
    sigma: float = 0.1,
    b0: float = 0.5,
    tau: float = 0.002,
) -> Organics:
    """A ring of `n` orientation-tuned units whose pools are Gaussian in orientation.

    Args:
        n: Units, evenly spaced around the ring.
        angles: Length of the input: the contrast at each of so many orientations.
        pool_width: Width of the pools, in turns of the ring.
        recurrent: Recurrent weights between neighbours; without them `W_r = I`.
        sigma: Semi-saturation.
        b0: Its gain; both drives are gated by `b0/(1 + b0)`.
        tau: Time constant in seconds.

    Returns:
        A circuit of the variant `ring`, driven by the contrasts.
    """
    recurrence = ring_recurrence(n) if recurrent else None
    power = 3
    if recurrence is not None:
        ones = int(np.sum(np.abs(np.linalg.eigvalsh(recurrence) - 1) < 1e-3))
        power = max(ones - 1, 1)
    away = np.abs(np.arange(n) - np.arange(n)[:, None])
    away = np.minimum(away, n - away) / n
    gain = b0 / (1 + b0)
    return Organics(
        np.exp(-((away / pool_width) ** 2) / 2),
        b=gain,
        b0=gain,
        sigma=sigma,
        tau_y=tau,
        tau_a=tau,
        W_r=recurrence,
        W_zx=raised_cosines(n, angles, power),
        variant="ring",
    )


class ThreeTypeOrganics(AbstractCircuit):
    """Three cell types `(y, u, a)`: the gain `a` of the two-type circuit in two stages.

        τ_y dy/dt = -y + g z + W_r y / (1 + a)
        τ_u du/dt = -u + W (⌊u⌋ y²) + (σ g)²
        τ_a da/dt = -a + (a + 1) √⌊u⌋ + α τ_u (du/dt) / (2 √⌊u⌋),   g = b0 / (1 + b0)

    It rests at `u = (σ g)² + W(g z)²`, `1/(1 + a) = 1 - √u`, `y = g z/√u` where `W_r = I`, if every
    `u < 1`; otherwise it has no rest.

    Attributes:
        W: Weights of the pools, `(n, n)`, not negative.
        b0: Input gain, `(n,)`.
        sigma: Semi-saturation, `(n,)`.
        tau: Time constants of `y`, `u` and `a`, `(3,)`.
        alpha: Weight of the rate of change.
        W_r: Recurrent weights; `None` is the identity.

    Source: D. J. Heeger and K. O. Zemlianova, PNAS 117, 22494 (2020), in the form of the authors'
    later code, where `u` acts through its square root.
    """

    W: Float[Array, "n n"]
    b0: Float[Array, " n"]
    sigma: Float[Array, " n"]
    tau: Float[Array, " three"]
    alpha: Float[Array, ""]
    W_r: Float[Array, "n n"] | None

    def __init__(
        self,
        W: Any,
        *,
        b0: Any = 1.0,
        sigma: Any = 0.1,
        tau: Any = 1.0,
        alpha: Any = 1.0,
        W_r: Any = None,
    ):
        """Collect the parameters.

        Raises:
            ArgumentError: if a shape is wrong, a weight of a pool is negative, or a number that
                must be positive is not.
        """
        self.W = matrix("W", W, (None, None), nonnegative=True)
        n = self.W.shape[0]
        matrix("W", W, (n, n))
        self.b0 = vector("b0", b0, n, positive=True)
        self.sigma = vector("sigma", sigma, n, positive=True)
        self.tau = vector("tau", tau, 3, positive=True)
        self.alpha = vector("alpha", alpha, 1)[0]
        self.W_r = None if W_r is None else matrix("W_r", W_r, (n, n))

    @property
    def dof(self) -> int:
        """`3 n`."""
        return 3 * self.b0.shape[-1]

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree = None) -> Point:
        """Velocity of `(y, u, a)`."""
        del t
        n = self.dof // 3
        z = drive_vector("this circuit", drive, n, "the drive z of each unit").astype(x.dtype)
        y, u, a = x[:n], x[n : 2 * n], x[2 * n :]
        gain = self.b0 / (1 + self.b0)
        again = y if self.W_r is None else self.W_r @ y
        root = root_of(u)
        dy = -y + gain * z + again / (1 + a)
        du = -u + self.W @ (relu(u) * y**2) + (self.sigma * gain) ** 2
        slope = jnp.where(root > 0, 0.5 / jnp.where(root > 0, root, 1.0), 0.0)
        da = -a + (a + 1) * root + self.alpha * slope * du
        return jnp.concatenate([dy / self.tau[0], du / self.tau[1], da / self.tau[2]])

    def normalised(self, drive: PyTree) -> Point:
        """The fixed point where `W_r = I`, `(3n,)`.

        Raises:
            ArgumentError: if the circuit has a recurrence of its own, or some `u ≥ 1`.
        """
        if self.W_r is not None:
            raise ArgumentError("the closed form holds for W_r = I, and this circuit has a W_r")
        n = self.dof // 3
        z = drive_vector("this circuit", drive, n, "the drive z of each unit")
        gain = self.b0 / (1 + self.b0)
        u = (self.sigma * gain) ** 2 + self.W @ (gain * z) ** 2
        if not np.all(np.asarray(u) < 1):
            raise ArgumentError(
                f"u reaches {float(jnp.max(u)):.3g}, and a rest needs u < 1", "lower the drive"
            )
        root = jnp.sqrt(u)
        return jnp.concatenate([gain * z / root, u, root / (1 - root)])

    def starts(self, key: PRNGKey, number: int, drive: PyTree = None) -> Float[Array, "number dof"]:
        """Values of `u` over the decades below 1, each with the `a` and `y` that it implies."""
        n = self.dof // 3
        z = drive_vector("this circuit", drive, n, "the drive z of each unit")
        gain = self.b0 / (1 + self.b0)
        least = jnp.minimum((self.sigma * gain) ** 2, 0.5)
        share = jax.random.uniform(key, (number, n), jnp.float64)
        root = jnp.sqrt(least ** (1 - share) * 0.95**share)
        a = root / (1 - root)
        again = jnp.eye(n) if self.W_r is None else self.W_r
        loop = jnp.eye(n) - again / (1 + a)[..., None]
        y = jnp.linalg.solve(loop, jnp.broadcast_to(gain * z, a.shape)[..., None])[..., 0]
        return jnp.concatenate([y, root**2, a], axis=1)

    def inside(self, x: Point, drive: PyTree = None) -> Bool[Array, ""]:
        """`u > 0`: at a fixed point `u` is at least `(σ g)²`."""
        del drive
        n = self.dof // 3
        return jnp.all(x[n : 2 * n] > 0)

    def labels(self) -> tuple[str, ...]:
        """`y1 … yn, u1 … un, a1 … an`."""
        return tuple(f"{name}{i + 1}" for name in "yua" for i in range(self.dof // 3))
