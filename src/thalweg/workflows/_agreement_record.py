"""How one landscape agrees with another: the same points, their energies, what follows."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from thalweg.core import ArgumentError, Outcome, System, solve_many
from thalweg.forcefields.fitting import KCAL
from thalweg.kinetics import rate
from thalweg.landscape import Landscape
from thalweg.search import quench_many
from thalweg.thermo import HarmonicEnsemble

from ._config import MapConfig
from ._searches import Solvers, climbs_at

_ANGSTROM = 10.0
"""Å in a nm."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AgreementConfig:
    """How much to map and to simulate.

    Attributes:
        budget: Seconds of mapping for each force field.
        reference_budget: Seconds of mapping for the reference, after its seeds are followed.
        seeds: Stationary points of a force field, of each kind, that the reference begins from.
        temperature: Of heat capacities, rates and free energies, in K.
        near: Root-mean-square displacement, in nm, up to which a point counts as the same.
        frames: Frames of each replica in each of the two states, for the free energy; 0: none.
        spacing: Time between them, in ps.
        replicas: Independent runs of each.
        key: Seed.
    """

    budget: float | int = 120.0
    reference_budget: float | int = 240.0
    seeds: int = 40
    temperature: float = 300.0
    near: float = 0.03
    frames: int = 40
    spacing: float = 0.05
    replicas: int = 4
    key: int = 0

    def __post_init__(self) -> None:
        for name in ("budget", "temperature", "near", "spacing"):
            if not getattr(self, name) > 0:
                raise ArgumentError(f"{name}={getattr(self, name)} must be positive")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LandscapeAgreement:
    """How the landscape of one force field agrees with the reference.

    A stationary point of the reference is matched if a quench (a climb) from it ends near it, and
    near no point that another one ended nearer to.

    Attributes:
        name: Of the force field.
        minima: In its own map.
        transition_states: In its own map.
        matched_minima: Minima of the reference that it has.
        of_minima: How many the reference has.
        displacement: Root mean square of their displacements, in Å.
        energy_error: Root mean square of their energies' errors, against the lowest, in kcal/mol.
        matched_transition_states: Transition states of the reference that it has.
        of_transition_states: How many the reference has.
        barrier_error: Root mean square of the errors of their energies above the lowest minimum,
            in kcal/mol.
        lowest: Where the reference ends from the force field's lowest minimum: energy above the
            reference's own lowest, in kcal/mol. Large where a fit has a hole, NaN if that quench
            found no rest.
        heat_capacity: Of its own map, harmonic superposition without the vibrations' part, in k_B.
        log_rate: Decimal logarithm of the rate from state A to state B over the reference's, all
            atoms of the same mass; NaN if its map does not join them.
        harmonic: Free energy of B less that of A, harmonic wells, in kcal/mol.
        correction: What Bennett's acceptance ratio adds to its own difference between B and A to
            become the reference's, in kcal/mol: minus its error. NaN if not simulated.
        correction_error: Standard error of that.
    """

    name: str
    minima: int
    transition_states: int
    matched_minima: int
    of_minima: int
    displacement: float
    energy_error: float
    matched_transition_states: int
    of_transition_states: int
    barrier_error: float
    heat_capacity: float
    lowest: float = math.nan
    log_rate: float = math.nan
    harmonic: float = math.nan
    correction: float = math.nan
    correction_error: float = math.nan

    @staticmethod
    def from_facts(facts: Mapping[str, Any]) -> "LandscapeAgreement":
        """Back from JSON, where NaN is null."""
        fields: dict[str, Any] = {k: math.nan if v is None else v for k, v in facts.items()}
        return LandscapeAgreement(**fields)

    def cells(self, temperature: float) -> Iterator[tuple[str, str]]:
        """Headings and texts of a table's row.

        Args:
            temperature: In K, for the headings.
        """
        yield "minima", f"{self.minima}"
        yield "matched", f"{self.matched_minima}/{self.of_minima}"
        yield "moved / Å", _told(self.displacement, ".2f")
        yield "energy / kcal/mol", _told(self.energy_error, ".2f")
        yield "its lowest / kcal/mol", _told(self.lowest, ".2f")
        yield "saddles", f"{self.transition_states}"
        yield "matched saddles", f"{self.matched_transition_states}/{self.of_transition_states}"
        yield "barrier / kcal/mol", _told(self.barrier_error, ".2f")
        yield f"C({temperature:g} K) / k", _told(self.heat_capacity, ".2f")
        yield "log₁₀ k/k₀", _told(self.log_rate, "+.2f")
        yield "F_B - F_A", _told(self.harmonic, "+.2f")
        error = f" ± {self.correction_error:.2f}" if math.isfinite(self.correction) else ""
        yield "its error by BAR", _told(-self.correction, "+.2f") + error


def _told(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "-"


class Judge:
    """The reference's landscape, and what of it others have.

    Args:
        target: The reference's landscape.
        a: Id of its minimum A.
        b: Id of its minimum B, or `None`.
        config: What counts as near, and the temperature.
    """

    def __init__(self, target: Landscape, a: int, b: int | None, config: AgreementConfig):
        self.target = target
        self.config = config
        self.network = target.network
        self.minima = target.points("minimum")
        self.a = int(np.flatnonzero(self.network.ids == a)[0])
        self.b = None if b is None else int(np.flatnonzero(self.network.ids == b)[0])

    def itself(self, name: str) -> LandscapeAgreement:
        """The reference's own line."""
        states = None if self.b is None else (self.a, self.b)
        own = _Own.of(self.target, states, self.config.temperature)
        n, m = self.network.n_minima, self.network.n_transition_states
        return LandscapeAgreement(
            name=name,
            minima=n,
            transition_states=m,
            matched_minima=n,
            of_minima=n,
            displacement=0.0,
            energy_error=0.0,
            matched_transition_states=m,
            of_transition_states=m,
            barrier_error=0.0,
            heat_capacity=own.heat_capacity,
            lowest=0.0,
            log_rate=abs(0.0 * own.log_rate),
            harmonic=own.harmonic,
        )

    def judged(self, name: str, system: System, landscape: Landscape) -> LandscapeAgreement:
        """One force field against the reference."""
        network = self.network
        ended, energies, moved, same = self._minima(system)
        level = energies[self.a] if same[self.a] else np.min(energies[same], initial=np.inf)
        error = (energies - level) - (network.energies - network.energies[self.a])
        at_saddles, held = self._saddles(system)
        barrier = (at_saddles - level) - (network.ts_energies - network.energies[self.a])
        states = None
        if self.b is not None and same[self.a] and same[self.b]:
            a, b = (_place(system, landscape, ended[k]) for k in (self.a, self.b))
            states = None if a is None or b is None else (a, b)
        own = _Own.of(landscape, states, self.config.temperature)
        truth = _Own.of(
            self.target,
            None if self.b is None else (self.a, self.b),
            self.config.temperature,
        )
        return LandscapeAgreement(
            name=name,
            minima=landscape.network.n_minima,
            transition_states=landscape.network.n_transition_states,
            matched_minima=int(same.sum()),
            of_minima=network.n_minima,
            displacement=_rms(moved[same]) * _ANGSTROM,
            energy_error=_rms(error[same]) / KCAL,
            matched_transition_states=int(held.sum()),
            of_transition_states=network.n_transition_states,
            barrier_error=_rms(barrier[held]) / KCAL,
            heat_capacity=own.heat_capacity,
            log_rate=own.log_rate - truth.log_rate,
            harmonic=own.harmonic,
        )

    def _minima(self, system: System) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Ends of quenches from its minima, energies, displacements, and whether they count."""
        done = quench_many(system, self.minima, Solvers.of(MapConfig.suited_to(system)).quench)
        good = done.outcome == Outcome.success
        moved = self._moved(system, self.minima, done.x)
        same = _nearest(system, done.x, moved, good & (moved <= self.config.near))
        return done.x, done.value, moved, same

    def _saddles(self, system: System) -> tuple[np.ndarray, np.ndarray]:
        """Energies of climbs from the reference's transition states, and whether they count."""
        if not self.network.n_transition_states:
            return np.zeros(0), np.zeros(0, bool)
        saddles = [self.target.transition_state(int(k)) for k in self.network.ts_ids]
        start = climbs_at(saddles)
        points = np.asarray(start.x)
        done = solve_many(system, Solvers.of(MapConfig.suited_to(system)).climb, start)
        good = done.outcome == Outcome.success
        moved = self._moved(system, points, done.x)
        held = _nearest(system, done.x, moved, good & (moved <= self.config.near))
        return done.value, held

    def _moved(self, system: System, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Root-mean-square displacement of an atom, nm; infinite where `y` is no number."""
        atoms = x.shape[1] // 3
        finite = np.all(np.isfinite(y), axis=1)
        return np.array(
            [
                system.symmetry.align(one, other)[1] / math.sqrt(atoms) if sound else np.inf
                for one, other, sound in zip(x, y, finite, strict=True)
            ]
        )


@dataclasses.dataclass(frozen=True)
class _Own:
    """What a landscape says by itself."""

    heat_capacity: float
    log_rate: float
    harmonic: float

    @classmethod
    def of(cls, landscape: Landscape, states: tuple[int, int] | None, temperature: float) -> "_Own":
        """Of states at two positions of its network."""
        try:
            ensemble = HarmonicEnsemble.of(landscape)
        except ArgumentError:
            # Zero modes that no symmetry explains: no harmonic wells.
            return cls(math.nan, math.nan, math.nan)
        vibrations = float(np.mean(ensemble.capacities(temperature)))
        capacity = float(ensemble.heat_capacity(temperature)) - vibrations
        if states is None:
            return cls(capacity, math.nan, math.nan)
        a, b = states
        ids = landscape.network.ids
        joined = landscape.network.components[a] == landscape.network.components[b]
        speed = 0.0
        if joined:
            speed = rate(landscape, int(ids[a]), int(ids[b]), temperature=temperature)
        weights = ensemble.log_weights(temperature)
        gap = -ensemble.boltzmann * temperature * float(weights[b] - weights[a]) / KCAL
        return cls(capacity, math.log10(speed) if speed > 0 else math.nan, gap)


def _place(system: System, landscape: Landscape, x: np.ndarray) -> int | None:
    """Position of a point among a landscape's minima, `None` if it is not there."""
    tol = 0.02 * system.length
    for k, other in enumerate(landscape.points("minimum")):
        if system.symmetry.match(other, x, tol) is not None:
            return k
    return None


def _nearest(system: System, ended: np.ndarray, moved: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Of several points that ended in one, only the nearest counts."""
    same = good.copy()
    tol = 0.02 * system.length
    order = [k for k in np.argsort(moved) if good[k]]
    for place, k in enumerate(order):
        if any(
            same[j] and system.symmetry.match(ended[j], ended[k], tol) is not None
            for j in order[:place]
        ):
            same[k] = False
    return same


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else math.nan
