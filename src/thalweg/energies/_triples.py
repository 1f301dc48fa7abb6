"""Three-body energies."""

import itertools
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from thalweg.core import AbstractEnergy, ArgumentError, Point, Scalar


class AxilrodTeller(AbstractEnergy):
    """Triple dipoles: `Z Σ (1 + 3 cos θ₁ cos θ₂ cos θ₃) / (r₁₂ r₂₃ r₃₁)³` over all triples.

    It favours lines over triangles; add it to a pair energy with `SumEnergy`.
    Source: B. M. Axilrod and E. Teller, J. Chem. Phys. 11, 299 (1943).
    """

    count: int = eqx.field(static=True)
    strength: Any = 1.0
    cites: ClassVar[tuple[str, ...]] = ("axilrod1943",)

    def __check_init__(self):
        if self.count < 3:
            raise ArgumentError(f"count={self.count}: a triple needs three particles")

    def __call__(self, x: Point) -> Scalar:
        """The sum over all triples, at one point of shape `(3 count,)`."""
        points = x.reshape(self.count, 3)
        i, j, k = np.array(list(itertools.combinations(range(self.count), 3))).T

        def square(first: np.ndarray, second: np.ndarray) -> Any:
            return jnp.sum((points[first] - points[second]) ** 2, axis=1)

        a, b, c = square(i, j), square(j, k), square(k, i)
        # The law of cosines turns 3 cos cos cos into squared distances.
        product = a * b * c
        angles = 3.0 / 8.0 * (a + b - c) * (b + c - a) * (c + a - b) / product
        return self.strength * jnp.sum((1.0 + angles) / (product * jnp.sqrt(product)))
