"""Energies of directions: points that are put on the unit sphere before the energy sees them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import AbstractEnergy, AbstractLaneEnergy, Block, Point, Scalar, hvp
from thalweg.core import value_and_grad as energy_and_gradient


class SphereEnergy(AbstractLaneEnergy):
    """`E(x) = E'(x_1/|x_1|, …)`: an energy of `count` unit vectors, on unconstrained points.

    Radial displacements cost nothing, so they are exact zero modes. The chain rule through the
    normalisation is JAX's; the energy itself is evaluated by its own block methods.

    Attributes:
        energy: The energy of points on the unit sphere.
        dim: Dimension of each vector.
    """

    energy: AbstractEnergy
    dim: int = eqx.field(static=True, default=3)

    def _directions(self, x: Block) -> Block:
        vectors = x.reshape(-1, self.dim, *x.shape[1:])
        norm = jnp.sqrt(jnp.sum(vectors**2, axis=1, keepdims=True))
        return (vectors / norm).reshape(x.shape)

    def __call__(self, x: Point) -> Scalar:
        """The energy of the directions of `x`."""
        return self.energy(self._directions(x))

    def lane_value_and_grad(
        self, x: Float[Array, "dof lanes"]
    ) -> tuple[Float[Array, " lanes"], Float[Array, "dof lanes"]]:
        """Energies and gradients of a block; the gradients are tangent to the sphere."""
        directions, pull_back = jax.vjp(self._directions, x)
        value, grad = energy_and_gradient(self.energy, directions)
        return value, pull_back(grad)[0]

    def lane_hvp(
        self, x: Float[Array, "dof lanes"], v: Float[Array, "dof lanes"]
    ) -> Float[Array, "dof lanes"]:
        """Hessian-vector products: the derivative of the pulled-back gradient along `v`."""
        directions, moves = jax.jvp(self._directions, (x,), (v,))
        _, grad = energy_and_gradient(self.energy, directions)
        change = hvp(self.energy, directions, moves)

        def pulled_back(x: Array, grad: Array) -> Array:
            return jax.vjp(self._directions, x)[1](grad)[0]

        return jax.jvp(pulled_back, (x, grad), (v, change))[1]


class RieszEnergy(AbstractEnergy):
    """`Σ_{i<j} |u_i - u_j|^{-power}` of points in any dimension: hyperspherical energy.

    Sources: Saff & Kuijlaars, Math. Intelligencer 19, 5 (1997); as a regulariser of the units of
    a network, Liu et al., NeurIPS 2018.

    Attributes:
        dim: Dimension of each point.
        power: Exponent; 1 is Coulomb's law in three dimensions.
    """

    dim: int = eqx.field(static=True)
    power: int = eqx.field(static=True, default=1)

    def __call__(self, x: Point) -> Scalar:
        """The energy of points that need not be of unit length."""
        r = x.reshape(-1, self.dim)
        i, j = np.triu_indices(len(r), 1)
        square = jnp.sum((r[i] - r[j]) ** 2, axis=1)
        return jnp.sum(square ** (-0.5 * self.power))
