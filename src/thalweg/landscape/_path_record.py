"""A pathway as a record: where it goes, how high, how far."""

import dataclasses
import functools

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.interpolate import CubicHermiteSpline

from thalweg.core import ArgumentError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Correction:
    """A transition state whose path of steepest descent ends elsewhere than the store says.

    The store's minima come from quenches, which may cross a ridge that the path follows.

    Attributes:
        transition_state: Its id.
        stored: Ids of the two minima in the store.
        found: Ids of the two minima that steepest descent reaches; -1 for one that is not in
            the store.
    """

    transition_state: int
    stored: tuple[int, int]
    found: tuple[int, int]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Pathway:
    """A path of steepest descent through a chain of minima and transition states.

    The trajectory is continuous: the symmetry images of all pieces are chosen so that each
    begins where the one before it ended, in the frame of the first minimum as it is stored.

    Attributes:
        minima: Ids of the minima visited, in order.
        transition_states: Ids of the transition states between them, one fewer.
        points: The trajectory, `(n, dof)`; in a periodic box not wrapped into it.
        energies: Energy of every point, `(n,)`, in the system's unit.
        lengths: Arc length from the first point, `(n,)`, in the system's length unit; no masses.
        tangents: Unit tangents in the direction of travel, `(n, dof)`.
        slopes: `dE/ds` along the path, `(n,)`; 0 at stationary points.
        rows: Rows of the stationary points: minimum, transition state, minimum, …
        shape: Particles and coordinates of each, for displacements: `(13, 3)`.
        labels: Names of the particles; empty if they have none.
        energy_unit: Name of the unit of energy.
        length_unit: Name of the unit of length.
        corrections: Transition states for which steepest descent contradicted the store.
    """

    minima: tuple[int, ...]
    transition_states: tuple[int, ...]
    points: Float[np.ndarray, "n dof"]
    energies: Float[np.ndarray, " n"]
    lengths: Float[np.ndarray, " n"]
    tangents: Float[np.ndarray, "n dof"]
    slopes: Float[np.ndarray, " n"]
    rows: Int[np.ndarray, " stationary"]
    shape: tuple[int, int]
    labels: tuple[str, ...] = ()
    energy_unit: str = ""
    length_unit: str = ""
    corrections: tuple[Correction, ...] = ()

    @property
    def n_steps(self) -> int:
        """Number of transition states that it crosses."""
        return len(self.transition_states)

    @property
    def length(self) -> float:
        """Arc length of the whole path."""
        return float(self.lengths[-1])

    @property
    def barriers(self) -> Float[np.ndarray, "steps 2"]:
        """Height of each transition state above the minimum before and the one after it."""
        levels = self.energies[self.rows]
        return np.stack([levels[1::2] - levels[:-1:2], levels[1::2] - levels[2::2]], axis=1)

    @property
    def highest(self) -> int:
        """Id of the highest transition state."""
        return self.transition_states[int(np.argmax(self.energies[self.rows[1::2]]))]

    @property
    def barrier(self) -> float:
        """Height of the highest transition state above the first minimum."""
        return float(self.energies[self.rows[1::2]].max() - self.energies[0])

    @property
    def step_of_row(self) -> Int[np.ndarray, " n"]:
        """Step that each row belongs to, from 0; a minimum between two belongs to the later."""
        steps = np.searchsorted(self.rows[2::2], np.arange(len(self.points)), side="right")
        return np.minimum(steps, self.n_steps - 1)

    @property
    def kinds(self) -> Int[np.ndarray, " n"]:
        """0 at minima, 1 at transition states, -1 between them."""
        kinds = np.full(len(self.points), -1)
        kinds[self.rows] = np.arange(len(self.rows)) % 2
        return kinds

    @functools.cached_property
    def steps(self) -> pd.DataFrame:
        """One row for each transition state.

        Columns: `minimum_a`, `transition_state`, `minimum_b`; `energy_a`, `energy_ts`,
        `energy_b`; `barrier`, `barrier_back`; `length` (arc length); `distance` (straight, from
        minimum to minimum); `largest_displacement` (of one particle, between the minima) and
        `cooperativity`, the number of particles that take part: `(Σ d²)² / Σ d⁴` of the
        displacements `d`, from 1 (one particle moves) to all of them (all move as far).

        Source: Stillinger & Weber, Phys. Rev. A 28, 2408 (1983); Wales, *Energy Landscapes*
        (2003).
        """
        ends = self.points[self.rows[::2]]
        levels, lengths = self.energies[self.rows], self.lengths[self.rows]
        moves = np.diff(ends, axis=0).reshape(self.n_steps, *self.shape)
        squares = np.sum(moves**2, axis=2)
        barriers = self.barriers
        fourth = np.sum(squares**2, axis=1)
        return pd.DataFrame(
            {
                "minimum_a": self.minima[:-1],
                "transition_state": self.transition_states,
                "minimum_b": self.minima[1:],
                "energy_a": levels[:-1:2],
                "energy_ts": levels[1::2],
                "energy_b": levels[2::2],
                "barrier": barriers[:, 0],
                "barrier_back": barriers[:, 1],
                "length": np.diff(lengths[::2]),
                "distance": np.sqrt(np.sum(squares, axis=1)),
                "largest_displacement": np.sqrt(squares.max(axis=1)),
                "cooperativity": np.sum(squares, axis=1) ** 2 / np.where(fourth > 0, fourth, 1.0),
            }
        )

    @property
    def frame(self) -> pd.DataFrame:
        """One row for each point: `s`, `energy`, `step`, `kind` (as in `kinds`)."""
        return pd.DataFrame(
            {
                "s": self.lengths,
                "energy": self.energies,
                "step": self.step_of_row,
                "kind": self.kinds,
            }
        )

    def resample(self, n: int) -> "Pathway":
        """The same path with `n` points, even in arc length between stationary points.

        Stationary points stay what they are; the others come from cubic Hermite curves through
        the points (with their tangents) and energies (with their slopes).

        Args:
            n: Number of points, at least two for each stationary point, less one.

        Raises:
            ArgumentError: if `n` is too small.
        """
        least = 2 * len(self.rows) - 1
        if n < least:
            raise ArgumentError(
                f"n={n} points are too few for {len(self.rows)} stationary points and one between "
                f"any two, expected at least {least}"
            )
        marks = self.lengths[self.rows]
        shares = _shares(np.diff(marks), n - len(self.rows))
        pieces = [
            np.linspace(marks[i], marks[i + 1], share + 2)[:-1] for i, share in enumerate(shares)
        ]
        s = np.concatenate([*pieces, marks[-1:]])
        rows = np.concatenate([[0], np.cumsum(shares + 1)])
        points, tangents = _hermite(self.lengths, self.points, self.tangents, s)
        energies, slopes = _hermite(self.lengths, self.energies, self.slopes, s)
        tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
        points[rows], energies[rows] = self.points[self.rows], self.energies[self.rows]
        slopes[rows], tangents[rows] = 0.0, self.tangents[self.rows]
        return dataclasses.replace(
            self,
            points=points,
            energies=energies,
            lengths=s,
            tangents=tangents,
            slopes=slopes,
            rows=rows,
        )

    def __str__(self) -> str:
        chain = f"{self.minima[0]}"
        for ts, minimum in zip(self.transition_states, self.minima[1:], strict=True):
            chain += f" -[{ts}]- {minimum}"
        unit = f" {self.energy_unit}" if self.energy_unit else ""
        return (
            f"{self.n_steps} {'step' if self.n_steps == 1 else 'steps'}, barrier "
            f"{self.barrier:.6f}{unit} (transition state {self.highest}), arc length "
            f"{self.length:.4f}: {chain}"
        )


def _shares(lengths: np.ndarray, total: int) -> np.ndarray:
    """`total` points divided among pieces by length, at least one each (largest remainder)."""
    ideal = lengths / lengths.sum() * (total - len(lengths))
    shares = np.floor(ideal).astype(int)
    left = total - len(lengths) - shares.sum()
    shares[np.argsort(shares - ideal, kind="stable")[:left]] += 1
    return shares + 1


def _hermite(
    s: np.ndarray, values: np.ndarray, slopes: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Values and derivatives of the cubic Hermite curve."""
    curve = CubicHermiteSpline(s, values, slopes)
    return curve(at), curve(at, 1)
