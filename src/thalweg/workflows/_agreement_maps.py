"""Maps of one molecule under several energies, to be compared: begun, seeded, joined."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from thalweg.core import SolveError, System, solve_many
from thalweg.landscape import Collector, Landscape, Store, TransitionState
from thalweg.search import quench_many

from ._between import BetweenConfig, join_ends
from ._between_record import BetweenProgress
from ._config import LARGEST_HESSIAN, MapConfig
from ._map import MapProgress, explore, store_header
from ._searches import Solvers, climbs_at
from ._sets import PlanProgress, Report

_SEEDS_AT_ONCE = 8
"""Seeds that are followed, stored and reported together."""

_PATIENCE = 2
"""Rounds without a lower path between two states after which they count as joined."""


@dataclasses.dataclass(frozen=True)
class Seeds:
    """Stationary points of some landscapes near which another may have its own."""

    minima: np.ndarray
    saddles: tuple[TransitionState, ...]

    @classmethod
    def all_of(cls, landscape: Landscape) -> "Seeds":
        """Everything that a landscape has."""
        ids = landscape.network.ts_ids
        saddles = tuple(landscape.transition_state(int(k)) for k in ids)
        return cls(landscape.points("minimum"), saddles)

    @classmethod
    def low(cls, maps: Mapping[str, Landscape], guide: Landscape, most: int) -> "Seeds":
        """The lowest minimum of each landscape, then low minima and passes of one.

        Args:
            maps: Those landscapes.
            guide: The one whose low minima and passes are taken; the others' passes if it has few.
            most: How many minima, and how many transition states.
        """
        minima = guide.points("minimum")[np.argsort(guide.network.energies)[:most]]
        if most:
            minima = np.concatenate([homes(maps), minima])
        others = [m for m in maps.values() if m is not guide]
        saddles = [s for m in (guide, *reversed(others)) for s in _passes(m)][:most]
        return cls(minima, tuple(saddles))

    def __len__(self) -> int:
        return len(self.minima) + len(self.saddles)


def _passes(landscape: Landscape) -> Iterator[TransitionState]:
    """Transition states that decide its barriers, lowest first.

    The lowest of all are turns of methyl groups and the like, which lead from a minimum to itself.
    """
    network = landscape.network
    for k in network.spanning_forest.transition_states:
        yield landscape.transition_state(int(network.ts_ids[k]))


def homes(maps: Mapping[str, Landscape]) -> np.ndarray:
    """The lowest minimum of each landscape that has any, `(points, dof)`."""
    found = [m.points("minimum")[np.argsort(m.network.energies)[:1]] for m in maps.values()]
    return np.concatenate(found)


@dataclasses.dataclass(frozen=True)
class Mapper:
    """Makes maps and keeps them in a folder, each as `NAME.db`, NAME being the system's.

    Attributes:
        folder: Where.
        key: Seed.
        report: Told how it goes.
        stop: Asked now and then; once it says yes, `KeyboardInterrupt` ends it.
    """

    folder: Path
    key: int
    report: Report | None
    stop: Callable[[], bool] | None

    def _path(self, system: System) -> Path:
        return self.folder / f"{system.name}.db"

    def _stopped(self) -> bool:
        return self.stop is not None and self.stop()

    def _tell(self, phase: str, system: System, done: int, total: int, what: str, spent: float):
        if self.report:
            self.report(PlanProgress(phase, system.name, done, total, what, spent))

    def mapped(self, system: System, budget: float | int) -> Landscape:
        """Its map: gone on with until the budget is spent, once."""
        path = self._path(system)
        done = path.with_suffix(".done")
        if done.exists():
            return Landscape.open(path)

        def tell(now: MapProgress) -> None:
            what = f"{now.minima} minima, {now.transition_states} transition states"
            self._tell("map", system, 0, 1, what, now.seconds)

        config = search_config(system, key=self.key, budget=budget)
        result = explore(system, path, config, report=tell, interrupted=self.stop)
        if self._stopped():
            raise KeyboardInterrupt
        done.write_text(result.reason.value, encoding="utf-8")
        return result.landscape

    def seed(self, system: System, seeds: Seeds, *, goes_on: bool = False) -> None:
        """Add to a map what is near the stationary points of others.

        Args:
            system: Whose map it is.
            seeds: Those points.
            goes_on: Whether the map begins with them, so that what it did so far was done of them.
        """
        solvers = Solvers.of(search_config(system))
        store = Store.open(self._path(system), store_header(system))
        item = int(store.state["item"]) if store.state else 0
        done, total, split = item if goes_on else 0, len(seeds), len(seeds.minima)
        if done >= total:
            store.close()
            return
        store.begin_run({"seeds": total}, {}, "0")
        collector = Collector(system, store, minimiser=solvers.valley)
        began = time.perf_counter()
        while done < total and not self._stopped():
            here = np.arange(done, min(done + _SEEDS_AT_ONCE, total))
            if done < split:
                here = here[here < split]
            items = np.arange(item, item + len(here))
            if done < split:
                collector.minima(quench_many(system, seeds.minima[here], solvers.quench), items)
            else:
                start = climbs_at([seeds.saddles[k - split] for k in here])
                collector.saddles(solve_many(system, solvers.climb, start), items)
            done, item = done + len(here), item + len(here)
            state = {**(store.state or {}), "item": item}
            collector.commit("minimise", len(here), time.perf_counter() - began, state)
            what = f"{store.n_minima} minima, {store.n_transition_states} transition states"
            self._tell("seeds", system, done, total, what, time.perf_counter() - began)
        store.end_run("finished" if done >= total else "interrupted")
        store.close()
        if done < total:
            raise KeyboardInterrupt

    def joined(
        self,
        system: System,
        ends: Sequence[np.ndarray],
        budget: float | int,
        seeds: Seeds | None = None,
    ) -> Landscape:
        """Its map with a path between two states, once: else their rate hangs on luck.

        Args:
            system: Whose map it is.
            ends: Points near the two states, each `(dof,)`.
            budget: Seconds of searches, after what is near the seeds was added.
            seeds: Points near which it may have its own.
        """
        path = self._path(system)
        done = path.with_suffix(".joined")
        if done.exists():
            return Landscape.open(path)
        if seeds is not None:
            self.seed(system, seeds)

        def tell(now: BetweenProgress) -> None:
            way = "a path" if math.isfinite(now.barrier) else "no path yet"
            what = f"{now.transition_states} transition states, {way}"
            self._tell("join", system, 0, 1, what, now.seconds)

        config = search_config(system)
        # Budgets are looked at between rounds, and one band of labels takes a minute or two.
        pairs = config.pairs if system.energy.exact_derivatives else 1
        search = BetweenConfig(
            key=self.key,
            budget=budget,
            patience=_PATIENCE,
            pairs=pairs,
            climbs=config.climbs,
            hessian=config.hessian,
        )
        try:
            found = join_ends(
                system, np.stack(ends), path, search, report=tell, interrupted=self.stop
            )
            reason = found.stopped
        except SolveError as error:
            reason = f"an end is no minimum: {error}"
        if self._stopped():
            raise KeyboardInterrupt
        done.write_text(reason, encoding="utf-8")
        return Landscape.open(path)


def search_config(system: System, **wishes: float | int) -> MapConfig:
    """Small rounds, so that budgets hold; where labels are dear, Hessians are updated."""
    if system.energy.exact_derivatives:
        return MapConfig.suited_to(system, walkers=0, pairs=4, quenches=64, climbs=16, **wishes)
    return MapConfig.suited_to(
        system,
        pairs=4,
        quenches=8,
        climbs=8,
        hessian="updated" if system.space.dof <= LARGEST_HESSIAN else False,
        **wishes,
    )
