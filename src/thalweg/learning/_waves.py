"""Non-linear regression: a damped product of two sines fitted to noisy data."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import (
    AbstractEnergy,
    ArgumentError,
    BoundsStart,
    FreeSpace,
    Point,
    Scalar,
    SignedPermutation,
    SignedPermutationSymmetry,
    System,
)

TRUE_WAVES = (0.1, 2.13, 0.0, 1.34, 0.0)
"""The parameters that made the data."""

_BOUNDS = (0.0, 0.5)
"""Rates of decay; outside, the fit diverges on one side and vanishes on the other."""

_WALL = 1e4


class DampedWaves(AbstractEnergy):
    """`Σ_i (t_i - e^(-q₁x_i) sin(q₂x_i + q₃) sin(q₄x_i + q₅))²`, with walls for `q₁`.

    The walls rise as the fourth power outside the bounds and leave everything inside as it is.

    Attributes:
        inputs: `x_i`, `(rows,)`.
        targets: `t_i`, `(rows,)`.
        lower: Least rate of decay `q₁`.
        upper: Largest.

    Source: A. J. Ballard, R. Das, S. Martiniani, D. Mehta, L. Sagun, J. D. Stevenson and D. J.
    Wales, Phys. Chem. Chem. Phys. 19, 12585 (2017), section on non-linear regression.
    """

    inputs: Float[Array, " rows"]
    targets: Float[Array, " rows"]
    lower: float = _BOUNDS[0]
    upper: float = _BOUNDS[1]

    def predict(self, x: Point) -> Float[Array, " rows"]:
        """The fitted values at the inputs."""
        return waves(x, self.inputs)

    def __call__(self, x: Point) -> Scalar:
        """The sum of squared residuals, and the walls."""
        outside = jnp.maximum(x[0] - self.upper, 0.0) + jnp.maximum(self.lower - x[0], 0.0)
        return jnp.sum((self.targets - self.predict(x)) ** 2) + _WALL * outside**4


def waves(q: Point, inputs: Float[Array, " rows"]) -> Float[Array, " rows"]:
    """`e^(-q₁x) sin(q₂x + q₃) sin(q₄x + q₅)`."""
    decay = jnp.exp(-q[0] * inputs)
    return decay * jnp.sin(q[1] * inputs + q[2]) * jnp.sin(q[3] * inputs + q[4])


def waves_system(noise: float = 0.0, seed: int = 0, rows: int = 100, *, name: str = "") -> System:
    """The regression landscape of `rows` inputs evenly spaced in `[0, 3π]`.

    The two sines may be exchanged, each may change the signs of its frequency and phase with a
    half-turn, both phases may turn by half, and inputs a step `h` apart do not see a change of a
    frequency by `2π/h`, nor of both by half of that: thirty-two images of every fit.

    Args:
        noise: Standard deviation of the targets about the true curve.
        seed: Of the noise, drawn by `jax.random`.
        rows: Number of data.
        name: Name of the system.

    Raises:
        ArgumentError: if the noise is negative or there are fewer data than parameters.
    """
    if not noise >= 0 or rows < 5:
        raise ArgumentError(f"noise={noise} must not be negative, and rows={rows} at least 5")
    inputs = jnp.linspace(0.0, 3.0 * math.pi, rows)
    exact = waves(jnp.asarray(TRUE_WAVES), inputs)
    targets = exact + noise * jax.random.normal(jax.random.key(seed), (rows,), jnp.float64)
    turn = 2.0 * math.pi
    alias = turn * (rows - 1) / (3.0 * math.pi)
    half = np.array([0.0, 0.0, math.pi, 0.0, 0.0])
    aliased = np.array([0.0, 0.5 * alias, 0.0, 0.5 * alias, 0.0])
    generators = [
        SignedPermutation.of([0, 3, 4, 1, 2]),
        SignedPermutation.of(range(5), [1, -1, -1, 1, 1], half),
        SignedPermutation.of(range(5), 1, half + half[[0, 1, 4, 3, 2]]),
        SignedPermutation.of(range(5), 1, aliased),
    ]
    return System(
        DampedWaves(inputs, targets),
        name=name or f"waves-noise{noise:g}",
        space=FreeSpace((5,), extent=50.0),
        symmetry=SignedPermutationSymmetry(
            5, generators, period=(math.inf, alias, turn, alias, turn)
        ),
        start=BoundsStart(
            jnp.array([_BOUNDS[0], 0.0, 0.0, 0.0, 0.0]),
            jnp.array([_BOUNDS[1], 4.0, turn, 4.0, turn]),
        ),
        length=0.5,
    )
