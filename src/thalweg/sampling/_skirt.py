"""A model basin whose rim is fuzzy, with exact answers."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from thalweg.core import AbstractOracle, ArgumentError, Array, Bool, Float, Point, PRNGKey


class SkirtOracle(AbstractOracle):
    """A model basin with a skirt: sure inside a radius, ever less likely beyond it.

    `p = 1` for `r < radius` and `exp(-(r - radius)/decay)` beyond, where `r` is the distance from
    the origin; with `cubic` the product of this over the axes. The model of the paper that showed
    how hard a low-probability tail is to find in many dimensions.

    Source: Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017).
    """

    radius: float = 1.0
    decay: float = 0.1
    cubic: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        if not (self.radius > 0 and self.decay > 0):
            raise ArgumentError(
                f"SkirtOracle(radius={self.radius}, decay={self.decay}): both must be positive"
            )

    def probability(self, x: Point) -> Float[Array, ""]:
        """`p(x)`."""
        r = jnp.abs(x) if self.cubic else jnp.sqrt(jnp.sum(x * x))
        return jnp.exp(-jnp.sum(jnp.maximum(r - self.radius, 0.0)) / self.decay)

    def __call__(self, key: PRNGKey, x: Point) -> Bool[Array, ""]:
        """A coin that falls on true with probability `p(x)`."""
        return jax.random.uniform(key, (), x.dtype) < self.probability(x)

    def log_volume(self, dim: int) -> float:
        """`log ∫ p` in `dim` dimensions, exactly."""
        return self._log_moment(dim, 0)

    def mean_square(self, dim: int) -> float:
        """`⟨r²⟩` under `p`, exactly (round skirts)."""
        if self.cubic:
            r, decay = self.radius, self.decay
            third = r**3 / 3 + decay * (r * r + 2 * r * decay + 2 * decay * decay)
            return dim * third / (r + decay)
        return math.exp(self._log_moment(dim, 2) - self._log_moment(dim, 0))

    def difficulty(self, dim: int) -> float:
        """`C = (∫√p)² / (∫p)²`: `√p` is a skirt of twice the decay."""
        wide = SkirtOracle(self.radius, 2.0 * self.decay, self.cubic)
        return math.exp(2.0 * (wide.log_volume(dim) - self.log_volume(dim)))

    def _log_moment(self, dim: int, power: int) -> float:
        """`log ∫ r^power p`: sphere and incomplete gamma function."""
        if self.cubic:
            return dim * math.log(2.0 * (self.radius + self.decay))
        order, ratio = dim + power, self.radius / self.decay
        core = order * math.log(self.radius) - math.log(order)
        upper = special.gammaincc(order, ratio)
        skirt = -math.inf
        if upper > 0:
            skirt = order * math.log(self.decay) + ratio + math.log(upper) + math.lgamma(order)
        surface = math.log(2.0) + 0.5 * dim * math.log(math.pi) - math.lgamma(0.5 * dim)
        return surface + float(np.logaddexp(core, skirt))
