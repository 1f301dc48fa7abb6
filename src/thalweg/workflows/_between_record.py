"""Two solutions and what lies between them, as records; energies along straight lines."""

import dataclasses
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from thalweg.core import System
from thalweg.landscape import Pathway, TransitionNetwork

_POINTS = 201
"""Points on a straight line: a barrier between two of them is missed only if it is narrow."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LineProfile:
    """The energy along a straight line.

    Attributes:
        fractions: Where, from 0 to 1.
        energies: Energy at each place.
        length: Distance of the ends.
    """

    fractions: Float[np.ndarray, " n"]
    energies: Float[np.ndarray, " n"]
    length: float

    @property
    def highest(self) -> float:
        """Highest energy on the line, its ends included."""
        return float(np.max(self.energies))

    @property
    def barrier(self) -> float:
        """Height of the highest point above the higher end: 0 if the line only descends."""
        return self.highest - float(max(self.energies[0], self.energies[-1]))

    @property
    def bulge(self) -> float:
        """Largest height above the chord of the energy, the *loss barrier* of linear connectivity.

        Source: Frankle, Dziugaite, Roy & Carbin, ICML 2020 (arXiv:1912.05671).
        """
        chord = self.energies[0] + self.fractions * (self.energies[-1] - self.energies[0])
        return float(np.max(self.energies - chord))


@dataclasses.dataclass(frozen=True, kw_only=True)
class BetweenProgress:
    """Where a search between two points stands after a round."""

    round: int
    minima: int
    transition_states: int
    barrier: float
    """Energy of the highest transition state on the best chain; infinite while there is none."""
    seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Between:
    """Two solutions, and what lies between them.

    Energies of the three profiles begin and end at the same two minima.

    Attributes:
        name: Name of the system.
        ids: Ids of the two minima in the store; equal if both points lead to one minimum.
        energies: Their energies.
        given: Energies of the points as they were given.
        moved: How far each point was from its minimum.
        distance: Distance of the two minima as given, without any symmetry.
        aligned_distance: Distance after the symmetry has brought them as near as it can.
        network: Everything in the store, with coordinates.
        pathway: The path over the lowest chain of transition states; `None` if there is none, or
            both points lead to one minimum.
        highest: Energy of its highest transition state; infinite without a path.
        straight: The straight line between the two minima.
        aligned: The straight line after alignment modulo the symmetry.
        stopped: Why the search ended.
        seconds: How long it took.
    """

    name: str
    ids: tuple[int, int]
    energies: tuple[float, float]
    given: tuple[float, float]
    moved: tuple[float, float]
    distance: float
    aligned_distance: float
    network: TransitionNetwork
    pathway: Pathway | None
    highest: float
    straight: LineProfile
    aligned: LineProfile
    stopped: Literal["same minimum", "no lower path", "rounds", "budget", "interrupted"]
    seconds: float

    @property
    def same(self) -> bool:
        """Whether both points lead to one minimum, up to symmetry."""
        return self.ids[0] == self.ids[1]

    @property
    def barrier(self) -> float:
        """Height of the certified path above the higher of the two minima; an upper bound."""
        return self.highest - max(self.energies)

    @property
    def barriers(self) -> dict[str, float]:
        """Heights above the higher minimum: of the path and of the two straight lines."""
        return {
            "path": self.barrier,
            "aligned line": self.aligned.barrier,
            "straight line": self.straight.barrier,
        }

    def table(self) -> pd.DataFrame:
        """One row a way from one to the other: `way`, `highest`, `barrier`, `bulge`, `length`."""
        length = self.pathway.length if self.pathway is not None else 0.0 if self.same else np.nan
        rows = [("path", self.highest, self.barrier, np.nan, length)]
        rows += [
            (way, line.highest, line.barrier, line.bulge, line.length)
            for way, line in (("aligned line", self.aligned), ("straight line", self.straight))
        ]
        return pd.DataFrame(rows, columns=["way", "highest", "barrier", "bulge", "length"])


def line_profile(
    system: System, a: Float[np.ndarray, " dof"], b: Float[np.ndarray, " dof"]
) -> LineProfile:
    """The energy along the straight line from one point to another.

    Args:
        system: What they are points of.
        a: One point, flat.
        b: The other.
    """
    step = np.asarray(system.space.difference(jnp.asarray(a), jnp.asarray(b)))
    fractions = np.linspace(0.0, 1.0, _POINTS)
    values = energies_at(system, a + fractions[:, None] * step)
    return LineProfile(fractions=fractions, energies=values, length=float(np.linalg.norm(step)))


def energies_at(system: System, x: Float[np.ndarray, "n dof"]) -> Float[np.ndarray, " n"]:
    """Energies of points, one row each."""
    return np.asarray(_values(system, jnp.asarray(x)))


@eqx.filter_jit
def _values(system: System, x: Float[Array, "n dof"]) -> Float[Array, " n"]:
    return jax.lax.map(lambda row: system.energy(system.space.retract(row)), x)
