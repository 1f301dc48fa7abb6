"""Dynamics: vector fields and maps over flat points, the second kind of system."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ._energy import AbstractEnergy, value_and_grad
from ._shapes import Point


class AbstractDynamics(eqx.Module):
    """A vector field `(t, x, drive) → dx/dt`; the signature is that of a diffrax term."""

    @abc.abstractmethod
    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree) -> Point:
        """Velocity at `x`, shape `(dof,)`, at time `t` under the external input `drive`."""


class AbstractMap(eqx.Module):
    """A step in discrete time `(t, x, drive) → x'`: a recurrent network, an integrator's step."""

    @abc.abstractmethod
    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree) -> Point:
        """The next point, shape `(dof,)`, under the external input `drive`."""


class EulerMap(AbstractMap):
    """One explicit Euler step of a dynamics: the same fixed points, a stability of its own.

    A fixed point of the flow with eigenvalues λ is stable for the map only if |1 + step·λ| < 1
    for every one of them.
    """

    dynamics: AbstractDynamics
    step: float

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree = None) -> Point:
        """`x + step · f(t, x, drive)`."""
        return x + self.step * self.dynamics(t, x, drive)


class GradientFlow(AbstractDynamics):
    """Steepest descent `dx/dt = -∇E(x)`: an energy seen as a dynamics."""

    energy: AbstractEnergy

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree = None) -> Point:
        """`-∇E(x)`; time and drive are not used."""
        del t, drive
        return -value_and_grad(self.energy, x)[1]


def jacobian(
    dynamics: AbstractDynamics | AbstractMap, x: Point, drive: PyTree = None, t: float = 0.0
) -> Float[Array, "dof dof"]:
    """The Jacobian of the velocity (of the next point, for a map) at `x`, forward mode."""
    return jax.jacfwd(lambda y: dynamics(jnp.asarray(t, x.dtype), y, drive))(x)
