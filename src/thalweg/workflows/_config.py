"""Wishes and facts of a run: frozen, printable, stored as provenance."""

import dataclasses
import importlib.metadata
import platform
from typing import Any, Literal

from thalweg.core import ArgumentError, System

LARGEST_HESSIAN = 300
"""Coordinates up to which exact Hessians and their spectra are cheap."""

_PATIENT = 3000
"""Steps of climbs on stiff energies: of eight beside minima of a network of 760 parameters one
arrived within 500, seven within 2,000, at a sixth of the time that exact Hessians took."""

_FEW, _MANY = 3, 60
"""Coordinates up to which random starts find every minimum, and from which hopping is hard."""

_RECORDED = ("thalweg", "jax", "jaxlib", "equinox", "numpy", "scipy", "numba", "sqlalchemy")


@dataclasses.dataclass(frozen=True)
class MapConfig:
    """What a map should do. The defaults suit small clusters; `suited_to` knows better.

    Attributes:
        key: Seed of the root random key.
        budget: Seconds to work for; `None` means until the map seems complete. It is held to
            half a round; rounds begin small and double, up to the sizes below.
        quenches: Random starts quenched first.
        walkers: Basin-hopping walkers that look for the low minima; 0 for none.
        hops: Hops of each walker in a round of hopping.
        patience: Rounds of hopping without a lower minimum before hopping ends.
        keep: Basin hopping stores a minimum only if it is among this many lowest.
        temperature: Basin-hopping temperature, in the energy unit.
        climbs: Single-ended searches in a round.
        climb_steps: Iterations of a climb that follows gradients before it gives up.
        burst: Climbs from a minimum, one after another, before a higher one has its turn. Where
            there are more minima than can ever be searched, bursts keep the work at the bottom;
            elsewhere they make estimates of completeness too low for longer.
        pairs: Double-ended searches in a round, while the landscape is in several pieces.
        searches: Single-ended searches from every minimum before the map may be complete.
        coverage: Good-Turing coverage at which the map is complete.
        displacement: Shortest and longest root-mean-square displacement from a minimum at which
            a climb begins, in units of the system's `length`.
        hessian: Whether searches follow exact Hessians (`Newton`) instead of gradients: for a few
            hundred coordinates whose curvatures span many decades, as those of a loss do;
            `"climbs"` where gradients are enough for quenches, as in molecules, and climbs follow
            Hessians that are exact now and then and updated by each step between; `"updated"` where
            gradients are dear: the same for quenches.
        minima: Stop when so many minima are known.
        transition_states: Stop when so many transition states are known.
        lanes: Width of the engine; `None` suits the device. Results do not depend on it.
        workers: Threads; `None` means all usable cores. Results do not depend on it.
    """

    key: int = 0
    budget: float | int | None = None
    quenches: int = 256
    walkers: int = 32
    hops: int = 10
    patience: int = 3
    keep: int = 200
    temperature: float = 0.8
    climbs: int = 512
    climb_steps: int = 500
    burst: int = 1
    pairs: int = 16
    searches: int = 500
    coverage: float = 0.9995
    displacement: tuple[float, float] = (0.05, 0.2)
    hessian: bool | Literal["climbs", "updated"] = False
    minima: int | None = None
    transition_states: int | None = None
    lanes: int | None = None
    workers: int | None = None

    def __post_init__(self):
        low, high = self.displacement
        wrong = [
            (self.budget is not None and not self.budget > 0, "budget", "a positive number of s"),
            (self.quenches < 1, "quenches", "at least 1"),
            (self.walkers < 0, "walkers", "0 or more"),
            (self.hops < 1, "hops", "at least 1"),
            (not self.temperature >= 0, "temperature", "0 (only downhill) or more"),
            (self.climbs < 0, "climbs", "0 or more"),
            (self.climb_steps < 1, "climb_steps", "at least 1"),
            (self.burst < 1, "burst", "at least 1"),
            (self.pairs < 0, "pairs", "0 or more"),
            (not 0 < self.coverage <= 1, "coverage", "above 0 and at most 1"),
            (not 0 < low <= high, "displacement", "two positive numbers in ascending order"),
            (self.lanes is not None and self.lanes < 1, "lanes", "at least 1"),
            (self.workers is not None and self.workers < 1, "workers", "at least 1"),
        ]
        for is_wrong, name, expected in wrong:
            if is_wrong:
                raise ArgumentError(f"{name}={getattr(self, name)!r}: expected {expected}")

    @classmethod
    def suited_to(cls, system: System, **wishes: Any) -> "MapConfig":
        """The defaults for a system, and the wishes on top of them.

        Energies that are evaluated outside compiled code get small rounds; large systems get more
        walkers, with more patience, and climbs that begin closer to the minimum (a displacement of
        the same size for each of more particles melts the cluster); a handful of coordinates needs
        no walkers. Stiff energies are searched with exact Hessians in smaller rounds:
        losses always, force fields of molecules in climbs. Where those of a stiff energy are too
        dear, climbs get more steps.
        """
        dof = system.space.dof
        energy = system.energy
        stiff = energy.stiff and energy.smooth
        fitting: dict[str, Any]
        if not system.energy.exact_derivatives:
            fitting = {"quenches": 16, "walkers": 0, "climbs": 16, "pairs": 4, "searches": 50}
        elif dof <= _FEW:
            fitting = {"quenches": 64, "walkers": 0, "searches": 200}
        elif dof >= _MANY:
            fitting = {"walkers": 64, "hops": 20, "patience": 5, "burst": 16}
            fitting |= {"displacement": (0.02, 0.1)}
        else:
            fitting = {}
        if stiff:
            fitting |= {"quenches": 96, "hops": 5, "patience": 2, "burst": 1}
            fitting |= {"walkers": min(16, fitting.get("walkers", 16))}
            fitting |= {"climbs": 64, "searches": 50, "coverage": 0.98}
            fitting |= {"displacement": (0.05, 0.3)}
            dense = dof <= LARGEST_HESSIAN
            fitting |= {"hessian": "climbs"} if dense else {"climb_steps": _PATIENT}
            if energy.zero_cut is not None:  # losses are of the order of one
                fitting |= {"hessian": dense, "temperature": 0.02}
        return cls(**{**fitting, **wishes})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)


def versions() -> dict[str, str]:
    """Versions of what a result depends on, for provenance."""
    found = {"python": platform.python_version()}
    for name in _RECORDED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
