"""What a report shows, as plain records: no store, no system, nothing that computes."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from thalweg.core import ArgumentError
from thalweg.landscape import Completeness, DisconnectivityTree, TransitionNetwork


@dataclasses.dataclass(frozen=True)
class Unavailable:
    """A section that cannot be shown.

    Attributes:
        reason: Why, in one sentence.
        remedy: What would mend it; may be empty.
    """

    reason: str
    remedy: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What the certificates of the minima say; one entry for each minimum.

    Attributes:
        known: Whether there is a certificate (imported points have none).
        passed: Whether it passed.
        gradient_norm: Root mean square of the gradient; NaN where unknown.
        index: Number of negative curvatures.
        zero_modes: Number of vanishing curvatures.
        expected_zero_modes: Number that the symmetry explains.
    """

    known: Bool[np.ndarray, " minima"]
    passed: Bool[np.ndarray, " minima"]
    gradient_norm: Float[np.ndarray, " minima"]
    index: Int[np.ndarray, " minima"]
    zero_modes: Int[np.ndarray, " minima"]
    expected_zero_modes: Int[np.ndarray, " minima"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ThermoCurves:
    """Thermodynamics over a range of temperatures.

    Attributes:
        temperature: Temperatures, ascending.
        temperature_unit: Their unit.
        heat_capacity: Heat capacity over Boltzmann's constant.
        internal_energy: Internal energy, in the energy unit.
        entropy: Entropy over Boltzmann's constant, up to a constant.
        contribution_ids: Ids of the minima whose contributions are shown.
        contributions: What each of them adds to the heat capacity, and all others in the last
            row; the rows sum to `heat_capacity`.
        modes: Number of vibrational modes of each minimum.
        boltzmann: Boltzmann's constant in the energy unit per unit of temperature.
        start: Temperature at which the page opens.
        peaks: Temperature and height of each maximum of the heat capacity.
        kinetic: Whether energies and heat capacities include the kinetic energy of vibrations.
    """

    temperature: Float[np.ndarray, " temperatures"]
    temperature_unit: str
    heat_capacity: Float[np.ndarray, " temperatures"]
    internal_energy: Float[np.ndarray, " temperatures"]
    entropy: Float[np.ndarray, " temperatures"]
    contribution_ids: Int[np.ndarray, " shown"]
    contributions: Float[np.ndarray, "rows temperatures"]
    modes: Int[np.ndarray, " minima"]
    boltzmann: float
    start: float
    peaks: Float[np.ndarray, "peaks 2"]
    kinetic: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class KineticCurves:
    """Rates between minima, and how fast the network relaxes.

    Attributes:
        temperature: Temperature of the matrix.
        temperature_unit: Unit of temperatures.
        time_unit: Unit of time.
        ids: Ids of the minima of the matrix.
        log10_rates: Decimal logarithm of the rate from row to column; -inf where no path leads,
            NaN on the diagonal.
        meaning: What an entry of the matrix is, in one sentence.
        temperatures: Temperatures of the curves, ascending.
        timescales: The slowest relaxation times at each, slowest first; NaN where unknown.
        ends: Ids of the two minima of the Arrhenius plot.
        log10_forward: Decimal logarithm of the rate from the first to the second.
        log10_backward: The same, back.
        boltzmann: Boltzmann's constant in the energy unit per unit of temperature.
        note: Anything left out and why; may be empty.
    """

    temperature: float
    temperature_unit: str
    time_unit: str
    ids: Int[np.ndarray, " states"]
    log10_rates: Float[np.ndarray, "states states"]
    meaning: str
    temperatures: Float[np.ndarray, " temperatures"]
    timescales: Float[np.ndarray, "temperatures times"]
    ends: tuple[int, int]
    log10_forward: Float[np.ndarray, " temperatures"]
    log10_backward: Float[np.ndarray, " temperatures"]
    boltzmann: float
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PathProfile:
    """A path from one minimum to another.

    Attributes:
        arc: Length along the path at each row.
        energies: Energy at each row.
        stations: Rows that are stationary points, in order.
        station_ids: Id of each: of minima at even places, of transition states at odd ones.
        frames: Points to show, along the path.
        frame_rows: Row of each of them.
        note: What the path cannot show and why; may be empty.
    """

    arc: Float[np.ndarray, " rows"]
    energies: Float[np.ndarray, " rows"]
    stations: Int[np.ndarray, " stations"]
    station_ids: Int[np.ndarray, " stations"]
    frames: Float[np.ndarray, "frames dof"]
    frame_rows: Int[np.ndarray, " frames"]
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RoundCurves:
    """How the map grew; one entry for each round.

    Attributes:
        searches: Searches up to and including the round.
        minima: Minima known after it.
        minima_bound: Chao's lower bound of their number, from the counts stored with the round.
        transition_states: Transition states known after it.
        ts_bound: Chao's lower bound of their number.
    """

    searches: Int[np.ndarray, " rounds"]
    minima: Int[np.ndarray, " rounds"]
    minima_bound: Float[np.ndarray, " rounds"]
    transition_states: Int[np.ndarray, " rounds"]
    ts_bound: Float[np.ndarray, " rounds"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class NetworkFacts:
    """Statistics of the network of minima.

    Attributes:
        rows: Name, value and meaning of each statistic.
        degrees: Number of neighbours that minima have, ascending.
        degree_counts: How many minima have so many.
    """

    rows: tuple[tuple[str, str, str], ...]
    degrees: Int[np.ndarray, " degrees"]
    degree_counts: Int[np.ndarray, " degrees"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictionFacts:
    """What the minima of a loss predict, as texts for tables.

    Attributes:
        about: On which data, in one sentence.
        headings: Names of the columns of `rows`.
        rows: The lowest minima, one a row.
        ensemble_headings: Names of the columns of `ensembles`.
        ensembles: Ensembles of the lowest minima, one a row.
        facts: Name, value and meaning of what concerns all minima.
        energies: Energy of each minimum, lowest first.
        errors: Error of each, for a figure.
        error_name: What kind of error.
        note: What could not be said and why; may be empty.
    """

    about: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ensemble_headings: tuple[str, ...]
    ensembles: tuple[tuple[str, ...], ...]
    facts: tuple[tuple[str, str, str], ...]
    energies: tuple[float, ...]
    errors: tuple[float, ...]
    error_name: str
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Contour:
    """The energy of a system of two coordinates on a grid.

    Attributes:
        x: First coordinate of the columns.
        y: Second coordinate of the rows.
        energies: Energy at each row and column.
    """

    x: Float[np.ndarray, " columns"]
    y: Float[np.ndarray, " rows"]
    energies: Float[np.ndarray, "rows columns"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the numbers come from.

    Attributes:
        store: Name of the store.
        fingerprint: Hash of the system.
        schema: Version of the store's schema.
        runs: One mapping for each run: `started`, `ended`, `status`, `key`, `config`, `versions`.
        rounds: Number of rounds.
        searches: Number of searches.
        seconds: Time that they took.
        rejected: Points that failed their certificates: kind, reason and number.
        written: When the report was written.
        version: Version of Thalweg that wrote it.
    """

    store: str
    fingerprint: str
    schema: int
    runs: tuple[Mapping[str, Any], ...] = ()
    rounds: int = 0
    searches: int = 0
    seconds: float = 0.0
    rejected: tuple[tuple[str, str, int], ...] = ()
    written: str = ""
    version: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ReportData:
    """All that a report shows. A section that is `None` is left out of the page.

    Attributes:
        name: Name of the system.
        energy_unit: Name of the unit of energy.
        length_unit: Name of the unit of length.
        shape: Shape of the array behind a point; empty if unknown.
        labels: Names of the particles; empty if there are none.
        particles: Whether points are positions of particles in space (`shape` is `(n, 3)`).
        network: What was found, with `points` if there are coordinates.
        tree: The tree at energy levels.
        merge_tree: The exact tree of the same minima.
        evidence: What the certificates say.
        completeness: How much is probably known.
        provenance: Where it comes from.
        caveats: What the report does not prove, a sentence each.
        rounds: How the map grew.
        thermo: Thermodynamics.
        kinetics: Rates and relaxation times.
        path: A path between two minima.
        statistics: Statistics of the network.
        contour: Energy on a grid, for two coordinates.
        predictions: What the minima of a loss predict.
    """

    name: str
    energy_unit: str
    length_unit: str
    shape: tuple[int, ...]
    labels: tuple[str, ...]
    particles: bool
    network: TransitionNetwork
    tree: DisconnectivityTree
    merge_tree: DisconnectivityTree
    evidence: Evidence
    completeness: Completeness
    provenance: Provenance
    caveats: tuple[str, ...] = ()
    rounds: RoundCurves | None = None
    thermo: ThermoCurves | Unavailable | None = None
    kinetics: KineticCurves | Unavailable | None = None
    path: PathProfile | Unavailable | None = None
    statistics: NetworkFacts | Unavailable | None = None
    contour: Contour | None = None
    predictions: PredictionFacts | Unavailable | None = None

    def __post_init__(self):
        count = self.network.n_minima
        if count == 0:
            raise ArgumentError("a report needs at least one minimum", "map the system first")
        if len(self.evidence.known) != count:
            raise ArgumentError(
                f"evidence has {len(self.evidence.known)} entries for {count} minima"
            )
        for name in ("tree", "merge_tree"):
            tree = getattr(self, name)
            if tree.n_leaves and tree.minimum.max() >= count:
                raise ArgumentError(f"{name} was made from another network")
        points = self.network.points
        if self.particles and (len(self.shape) != 2 or self.shape[1] != 3):
            raise ArgumentError(f"particles need a shape (n, 3), got {self.shape}")
        if points is not None and self.shape and points.shape[1] != int(np.prod(self.shape)):
            raise ArgumentError(
                f"points have {points.shape[1]} coordinates, but shape={self.shape}"
            )
