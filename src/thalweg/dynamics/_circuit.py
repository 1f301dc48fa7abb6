"""What a system may know about itself: theorems, fixed points in closed form, where to start."""

import abc
import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from thalweg.core import AbstractDynamics, Point, PRNGKey


@dataclasses.dataclass(frozen=True, eq=False)
class Theorem:
    """A statement that was checked for one system and one drive.

    Attributes:
        name: What it is called.
        applies: Whether its conditions hold here.
        statement: What it says when they do.
        because: The conditions with their numbers: why it applies, or why not.
        source: Paper, or where the proof stands.
        proves: What follows for this system, any of `"stable"` (the points below are locally
            asymptotically stable), `"all"` (the points below are all the fixed points that there
            are) and `"contracting"` (every two trajectories approach each other exponentially: one
            fixed point, and it is stable from everywhere).
        points: The fixed points that it speaks of, `(k, dof)`, or nothing.
        rate: A proven rate of convergence, where there is one.
        limits: What it does not prove.
    """

    name: str
    applies: bool
    statement: str
    because: str
    source: str
    proves: frozenset[str] = frozenset()
    points: np.ndarray | None = None
    rate: float = math.nan
    limits: str = ""


class LocalProof(eqx.Module):
    """A proof of local stability without a spectrum, as arrays, so that it can be batched.

    Attributes:
        x: The fixed point, `(dof,)`.
        residual: Largest velocity there, relative to the largest term in it.
        proved: Whether the conditions of the theorem hold.
        slack: The smallest side of the inequality that proves it, relative: positive where it
            holds, and how far from failing.
    """

    x: Float[Array, " dof"]
    residual: Float[Array, ""]
    proved: Bool[Array, ""]
    slack: Float[Array, ""]


class AbstractCircuit(AbstractDynamics):
    """A flow that knows its size and may know more: the certificate asks it.

    Every method but `dof` has a default, so that a system of one's own need only say how many
    coordinates it has.
    """

    @property
    @abc.abstractmethod
    def dof(self) -> int:
        """Number of coordinates of its state."""

    def starts(self, key: PRNGKey, number: int, drive: PyTree = None) -> Float[Array, "number dof"]:
        """Points from which fixed points are looked for, on the scale of the system."""
        del drive
        return jax.random.normal(key, (number, self.dof), jnp.float64)

    def theorems(self, drive: PyTree = None) -> tuple[Theorem, ...]:
        """Theorems that were tried on this system under this drive, whether they apply or not."""
        del drive
        return ()

    def inside(self, x: Point, drive: PyTree = None) -> Bool[Array, ""]:
        """Whether `x` may be a fixed point at all; searches do not step outside. Compiled."""
        del x, drive
        return jnp.ones((), bool)

    def smoothness(self, x: Point, drive: PyTree = None) -> float:
        """Distance from `x` to where the vector field is not differentiable, in units of `x`."""
        del x, drive
        return math.inf

    def labels(self) -> tuple[str, ...]:
        """A name for each coordinate."""
        return tuple(f"x{i}" for i in range(self.dof))

    def local_proof(self, drive: PyTree = None) -> LocalProof | None:
        """A proof of stability in compiled code, or nothing where the system has none."""
        del drive
        return None


def theorems_of(dynamics: Any, drive: PyTree) -> tuple[Theorem, ...]:
    """What the system says about itself; nothing where it is no circuit."""
    return dynamics.theorems(drive) if isinstance(dynamics, AbstractCircuit) else ()
