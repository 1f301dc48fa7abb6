"""The first journey: map a landscape, round after round, into a store.

A round is planned from what the store holds, run, and committed in one transaction together with
what the plan needs to go on. So a process killed at any moment loses at most the round in hand,
and the same command goes on from there, to the same end.
"""

import dataclasses
import enum
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from thalweg.core import (
    Finished,
    Outcome,
    System,
    check_curvature,
    check_energy,
    fingerprint,
    require_x64,
    serial_blas,
    solve_many,
    start_points,
)
from thalweg.landscape import (
    Collector,
    CompletenessEstimate,
    Landscape,
    Round,
    Store,
    StoreHeader,
    estimate_completeness,
    single_ended,
)
from thalweg.parallel import map_rows, usable_cores
from thalweg.search import Climb, Walkers, quench_many

from ._config import MapConfig, versions
from ._pace import Pace, round_size
from ._searches import Links, Solvers, band_climbs, displaced_starts

_STREAMS = {"minimise": 1, "hop": 2, "climb": 3, "connect": 4}
"""Each kind of round draws its random numbers from its own stream of the root key."""


_DIGITS = 5
"""Decimals to which energies are told apart when only their order matters."""

_CLIMBS_BEFORE_BANDS = 2
"""Rounds of climbs before each round of bands: climbs alone connect most of a landscape."""


class StopReason(enum.Enum):
    """Why a map ended; the value is the sentence that the user reads."""

    complete = "the map seems complete"
    budget = "the time budget is used up"
    target = "the requested number of points is known"
    interrupted = "interrupted"
    no_minimum = "no search ended in a certified minimum"
    nothing_to_do = "there is nothing left to do: climbs and pairs are switched off"


@dataclasses.dataclass(frozen=True)
class MapProgress:
    """Where a map stands after a round.

    Attributes:
        round: Number of the round just committed.
        kind: What it did.
        minima: Minima known.
        transition_states: Transition states known.
        pieces: Connected components of the landscape.
        lowest: Lowest energy known.
        searches: Searches made in this run.
        seconds: Time spent in this run.
        completeness: Estimates for minima and for transition states.
        failures: Failed searches of this run by outcome.
    """

    round: int
    kind: str
    minima: int
    transition_states: int
    pieces: int
    lowest: float
    searches: int
    seconds: float
    completeness: tuple[CompletenessEstimate, CompletenessEstimate]
    failures: dict[str, int]


@dataclasses.dataclass(frozen=True)
class MapResult:
    """What `explore` returns: the landscape, why it stopped, and where it stands."""

    landscape: Landscape
    reason: StopReason
    progress: MapProgress | None


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What the next round needs to know; kept in the store as JSON."""

    item: int = 0
    hopping: bool = True
    climbs: int = 0
    walkers: dict[str, Any] | None = None
    stale: float | int = 0
    rounds: dict[str, int] = dataclasses.field(default_factory=dict)
    lowest: float | None = None


class _Explorer:
    """One run of a map over one store."""

    def __init__(
        self,
        system: System,
        store: Store,
        config: MapConfig,
        found: Callable[[float], None] | None = None,
    ):
        self.system = system
        self.store = store
        self.config = config
        self.workers = usable_cores() if config.workers is None else config.workers
        self.found = found
        self.plan = _Plan(**store.state) if store.state else _Plan()
        self.pace = Pace(config.budget)
        self.links = Links(system)
        self.solvers = Solvers.of(config)
        self.stuck = False
        self.searches = 0
        self.failures: dict[str, int] = {}

    @functools.cached_property
    def collector(self) -> Collector:
        """What certifies; it needs second derivatives, which are checked before the first time."""
        check_curvature(self.system)
        return Collector(
            self.system,
            self.store,
            width=self.solvers.lanes,
            minimiser=self.solvers.valley,
            spread=lambda function, rows: map_rows(function, rows, self.workers),
        )

    def key(self, kind: str) -> jax.Array:
        """Root key of one kind of round."""
        return jax.random.fold_in(jax.random.key(self.config.key), _STREAMS[kind])

    def next_kind(self) -> str | None:
        """What the next round does; `None` when nothing is left to do."""
        config, store = self.config, self.store
        begun = store.next_round == 0 or "minimise" in self.plan.rounds  # else points are given
        late = self._late()
        if begun and self.plan.item < config.quenches and not late:
            return "minimise"
        if not store.n_minima:
            return "minimise" if self.plan.item < 4 * config.quenches else None
        if config.walkers and self.plan.hopping and not late:
            return "hop"
        pieces = store.load_network().n_components
        due = self.plan.climbs >= _CLIMBS_BEFORE_BANDS or not config.climbs
        if config.pairs and pieces > 1 and due and not self.stuck:
            return "connect"
        return "climb" if config.climbs else None

    def _late(self) -> bool:
        """Whether it is time to connect the minima that are known."""
        connects = self.config.climbs or self.config.pairs
        return bool(self.store.n_minima and connects) and self.pace.late

    def step(self, kind: str) -> MapProgress:
        """Run and commit one round."""
        started = time.perf_counter()
        size = self._size(kind)
        attempts = getattr(self, f"_{kind}")(size)
        done = self.plan.rounds.get(kind, 0)
        self.plan = dataclasses.replace(self.plan, rounds={**self.plan.rounds, kind: done + 1})
        batch = self.collector.commit(
            kind, attempts, time.perf_counter() - started, dataclasses.asdict(self.plan)
        )
        self.searches += attempts
        self.pace.learn(kind, size, time.perf_counter() - started)
        return self.progress(batch)

    def _size(self, kind: str) -> int:
        """Searches (hops of each walker, pairs) of the next round of this kind."""
        config = self.config
        left = config.quenches - self.plan.item
        most = {
            "minimise": left if left > 0 else config.quenches,
            "hop": config.hops,
            "climb": config.climbs,
            "connect": config.pairs,
        }
        return round_size(kind, most[kind], self.plan.rounds.get(kind, 0))

    def _take(self, count: int) -> np.ndarray:
        """Numbers of the next work items."""
        items = np.arange(self.plan.item, self.plan.item + count)
        self.plan = dataclasses.replace(self.plan, item=self.plan.item + count)
        return items

    def _minimise(self, size: int) -> int:
        items = self._take(size)
        starts = start_points(self.system, self.key("minimise"), int(items[0]), len(items))
        finished = map_rows(
            lambda x: quench_many(self.system, x, self.solvers.quench, width=self.solvers.lanes),
            np.asarray(starts),
            self.workers,
        )
        self._count_failures(finished.outcome)
        values = finished.value[finished.outcome == Outcome.success]
        if self.found is not None and len(values) and not self.plan.rounds:
            self.found(float(values.min()))
        self.collector.minima(finished, items)
        return len(items)

    def _hop(self, size: int) -> int:
        config, system = self.config, self.system
        method = self.solvers.hopping(config.temperature)
        key = self.key("hop")
        if self.plan.walkers is None:
            energies = self.store.load_network().energies
            seeds = self.store.points("minimum")[np.argsort(energies, kind="stable")]
            walkers = method.begin(system, key, config.walkers, seeds)
        else:
            walkers = Walkers.from_json(self.plan.walkers)
        walkers, hops = map_rows(
            lambda part: method.hop(system, key, part, size, width=self.solvers.lanes),
            walkers,
            self.workers,
        )
        walkers = method.exchange(key, walkers)
        flat = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), hops)
        items = self._take(len(flat.value))
        self._count_failures(flat.outcome)
        good = self._worth_keeping(flat.outcome, flat.value)
        self.collector.minima(jax.tree.map(lambda a: a[good], flat), items[good])
        share = size / config.hops
        self._judge_hopping(walkers, flat.value[flat.outcome == Outcome.success], share)
        return len(items)

    def _worth_keeping(self, outcome: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Rows that may be among the lowest minima: a hot walk passes through very many."""
        sound = outcome == Outcome.success
        pool = np.concatenate([self.store.load_network().energies, value[sound]])
        levels = np.unique(pool.round(_DIGITS))
        highest = levels[min(self.config.keep, len(levels)) - 1] if len(levels) else -np.inf
        return np.flatnonzero(sound & (value.round(_DIGITS) <= highest))

    def _judge_hopping(self, walkers: Walkers, values: np.ndarray, share: float) -> None:
        """Hopping ends after some (whole) rounds in which the lowest energy did not fall."""
        now = float(values.min()) if len(values) else np.inf
        before = np.inf if self.plan.lowest is None else self.plan.lowest
        better = now < before - 1e-6
        stale = 0.0 if better else self.plan.stale + share
        going = stale < self.config.patience
        self.plan = dataclasses.replace(
            self.plan,
            lowest=min(now, before) if np.isfinite(min(now, before)) else None,
            stale=stale,
            hopping=going,
            walkers=walkers.to_json() if going else None,
        )

    def _climb(self, size: int) -> int:
        items = self._take(size)
        self.plan = dataclasses.replace(self.plan, climbs=self.plan.climbs + 1)
        self.stuck = False
        network, points = self.store.load_network(), self.store.points("minimum")
        done = np.zeros(network.n_minima, np.int64)
        for (a, b), (times, _) in self.store.attempts().items():
            if b is None:
                done[a] = times
        sources = single_ended(network.energies, done, len(items), burst=self.config.burst)
        starts = displaced_starts(
            self.system, self.key("climb"), items, points[sources], self.config.displacement
        )
        finished = self._climbs(starts)
        self.collector.saddles(
            finished, items, np.stack([sources, np.full(len(items), -1)], axis=1)
        )
        return len(items)

    def _connect(self, size: int) -> int:
        network, points = self.store.load_network(), self.store.points("minimum")
        tried = [
            (a, b)
            for (a, b), (times, _) in self.store.attempts().items()
            if b is not None
            for _ in range(times)
        ]
        pairs = self.links.choose(network, points, np.array(tried, int).reshape(-1, 2), size)
        self.stuck = not len(pairs)
        if self.stuck:
            return 0
        starts, owner = band_climbs(self.system, points, network.energies, pairs)
        successes = np.zeros(len(pairs), np.int64)
        if len(owner):
            items = self._take(len(owner))
            ids = self.collector.saddles(self._climbs(starts), items, pairs[owner])
            np.add.at(successes, owner, ids >= 0)
        self.collector.tried(pairs, successes)
        self.plan = dataclasses.replace(self.plan, climbs=_CLIMBS_BEFORE_BANDS - 1)
        return len(pairs)

    def _climbs(self, starts: Climb) -> Finished:
        finished = map_rows(
            lambda start: solve_many(
                self.system, self.solvers.climb, start, width=self.solvers.lanes
            ),
            starts,
            self.workers,
        )
        self._count_failures(finished.outcome)
        return finished

    def _count_failures(self, outcome: np.ndarray) -> None:
        codes, counts = np.unique(outcome[outcome != Outcome.success], return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            name = Outcome(code).name
            self.failures[name] = self.failures.get(name, 0) + count

    def progress(self, batch: Round) -> MapProgress:
        """Where the map stands after a committed round."""
        network = self.store.load_network()
        return MapProgress(
            round=batch.number,
            kind=batch.kind,
            minima=network.n_minima,
            transition_states=network.n_transition_states,
            pieces=network.n_components,
            lowest=float(network.energies.min()) if network.n_minima else float("nan"),
            searches=self.searches,
            seconds=self.pace.seconds,
            completeness=(
                estimate_completeness(network.hits),
                estimate_completeness(network.ts_hits),
            ),
            failures=dict(self.failures),
        )

    def finished(self, progress: MapProgress) -> StopReason | None:
        """Whether the map may stop after this round, and why."""
        config = self.config
        kind = None if config.budget is None else self.next_kind()
        if self.pace.spent(progress.seconds, kind, self._size(kind) if kind else 0):
            return StopReason.budget
        targets = [
            (config.minima, progress.minima),
            (config.transition_states, progress.transition_states),
        ]
        wanted = [known >= target for target, known in targets if target is not None]
        if wanted and all(wanted):
            return StopReason.target
        if progress.kind == "climb" and self._complete(progress):
            return StopReason.complete
        return None

    def _complete(self, progress: MapProgress) -> bool:
        """Every minimum searched often enough, and hardly any search finds a rare point."""
        enough = all(e.coverage >= self.config.coverage for e in progress.completeness)
        if not enough or progress.pieces > 1:
            return False
        done = {a: n for (a, b), (n, _) in self.store.attempts().items() if b is None}
        return all(done.get(m, 0) >= self.config.searches for m in range(progress.minima))


def store_header(system: System) -> StoreHeader:
    """What a store of this system says about itself."""
    value = jax.eval_shape(system.space.unravel, jax.ShapeDtypeStruct((system.space.dof,), float))
    return StoreHeader(
        fingerprint=fingerprint(system),
        name=system.name,
        dof=system.space.dof,
        shape=getattr(value, "shape", ()),
        labels=system.labels or (),
        energy_unit=system.units.energy,
        length_unit=system.units.length,
    )


def explore(
    system: System,
    store: str | Path,
    config: MapConfig | None = None,
    *,
    report: Callable[[MapProgress], None] | None = None,
    found: Callable[[float], None] | None = None,
    interrupted: Callable[[], bool] | None = None,
    **wishes: Any,
) -> MapResult:
    """Map a landscape into a store: find, certify and connect its stationary points.

    Args:
        system: What to map.
        store: File name or SQLAlchemy URL. An existing store of the same system is continued.
        config: All wishes at once; by default `MapConfig.suited_to(system)`.
        report: Called after every committed round.
        found: Called with the lowest energy of the first quenches, before they are certified.
        interrupted: Asked after every round whether to stop.
        wishes: Fields of `MapConfig`, instead of `config`: `explore(s, "x.db", key=1, budget=60)`.

    Returns:
        The landscape and why the map ended.

    Raises:
        EnergyError: if the energy does not keep its contract (a wrong gradient, say).
        StoreMismatchError: if the store belongs to another system.
    """
    require_x64()
    if config is None:
        config = MapConfig.suited_to(system, **wishes)
    else:
        config = dataclasses.replace(config, **wishes)
    check_energy(system)
    opened = Store.open(store, store_header(system))
    opened.begin_run(config.to_dict(), versions(), str(config.key))
    explorer = _Explorer(system, opened, config, found)
    progress, reason = None, StopReason.interrupted
    try:
        while True:
            kind = explorer.next_kind()
            if kind is None:
                nothing = opened.n_minima > 0
                reason = StopReason.nothing_to_do if nothing else StopReason.no_minimum
                break
            with serial_blas():  # here as well, so that no thread lifts it while another works
                progress = explorer.step(kind)
            if report is not None:
                report(progress)
            if interrupted is not None and interrupted():
                break
            ended = explorer.finished(progress)
            if ended is not None:
                reason = ended
                break
    finally:
        ended_well = reason is not StopReason.interrupted
        opened.end_run("finished" if ended_well else "interrupted")
    return MapResult(Landscape(opened), reason, progress)
