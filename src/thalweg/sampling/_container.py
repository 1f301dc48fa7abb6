"""Hard walls: where a walker may go."""

import equinox as eqx
import jax.numpy as jnp

from thalweg.core import ArgumentError, Block, Flag


class Container(eqx.Module):
    """Particles stay within a radius of their centroid; beyond it lies vapour.

    A finite cluster has no equilibrium without a wall: given time, it evaporates. A radius that
    the cluster never feels at low temperature leaves its thermodynamics there as it is.

    Attributes:
        count: Number of particles.
        radius: Largest distance from the centroid, in the system's length unit.
        dim: Number of coordinates of a particle.
    """

    count: int = eqx.field(static=True)
    radius: float
    dim: int = eqx.field(static=True, default=3)

    def __check_init__(self):
        if not self.count > 0 or not self.dim > 0 or not self.radius > 0:
            raise ArgumentError(
                f"Container(count={self.count}, radius={self.radius}, dim={self.dim}): all must be "
                "positive"
            )

    def __call__(self, x: Block) -> Flag:
        """Whether all particles are inside, for one point or a block."""
        r = x.reshape(self.count, self.dim, *x.shape[1:])
        away = r - jnp.mean(r, axis=0)
        return jnp.all(jnp.sum(away * away, axis=1) <= self.radius**2, axis=0)
