"""From two solutions to the certified barrier between them.

Two points, such as the parameters of two trained networks, are followed downhill to certified
minima and put into a store. Bands between them, and between the minima met on the way, are relaxed
and climbed from until a chain of certified transition states joins the two; then the search goes
on for lower chains. What is found is an upper bound of the barrier: every transition state on it
is proved, that no lower one exists is not.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from thalweg.core import (
    ArgumentError,
    Outcome,
    SolveError,
    System,
    check_energy,
    require_x64,
    serial_blas,
    solve_many,
)
from thalweg.landscape import (
    Collector,
    Store,
    TransitionNetwork,
    missing_links,
    pathway,
    single_ended,
)
from thalweg.search import quench_many

from ._between_record import Between, BetweenProgress, energies_at, line_profile
from ._config import MapConfig, versions
from ._map import store_header
from ._searches import Links, Solvers, band_climbs, displaced_starts

_BESIDE = (0.05, 0.3)
"""Displacements of climbs where bands are at a loss, in units of `length`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BetweenConfig:
    """How to look for a path between two points.

    Attributes:
        key: Seed of the climbs that begin beside minima.
        budget: Seconds after which no further round begins; `None` for no limit.
        rounds: Rounds of searches at most.
        patience: Rounds without a lower barrier after which a connected pair counts as done.
        pairs: Bands in a round.
        climbs: Climbs beside minima in a round in which no band is left to try.
        hessian: Whether searches follow Hessians, see `MapConfig`; `None` does as a map would.
        lanes: Width of the engine; `None` suits the device.
    """

    key: int = 0
    budget: float | int | None = None
    rounds: int = 40
    patience: int = 3
    pairs: int = 8
    climbs: int = 64
    hessian: bool | Literal["climbs", "updated"] | None = None
    lanes: int | None = None

    def __post_init__(self):
        for name in ("rounds", "patience", "pairs", "climbs"):
            if getattr(self, name) < 1:
                raise ArgumentError(f"{name}={getattr(self, name)} must be at least 1")
        if self.budget is not None and not self.budget > 0:
            raise ArgumentError(f"budget={self.budget} must be a positive number of seconds")


def path_between(
    system: System,
    a: ArrayLike,
    b: ArrayLike,
    store: str | Path,
    config: BetweenConfig | None = None,
    *,
    report: Callable[[BetweenProgress], None] | None = None,
    interrupted: Callable[[], bool] | None = None,
    **wishes: Any,
) -> Between:
    """Find the certified barrier between two points, and compare it with straight lines.

    Args:
        system: What they are points of.
        a: One point, such as the parameters of a trained network: any shape that holds `dof`
            numbers.
        b: Another.
        store: File name or SQLAlchemy URL of a landscape of this system, which is added to; a new
            one is made if there is none. What it holds already is used.
        config: All wishes at once.
        report: Called after every round.
        interrupted: Asked after every round whether to stop.
        wishes: Fields of `BetweenConfig` instead.

    Raises:
        ArgumentError: if a point does not fit the system.
        EnergyError: if the energy does not keep its contract.
        SolveError: if a point does not lead to a certified minimum.
        StoreMismatchError: if the store belongs to another system.
    """
    config = dataclasses.replace(config or BetweenConfig(), **wishes)
    began = time.perf_counter()
    ends = np.stack([_checked(system, x, name) for x, name in ((a, "a"), (b, "b"))])
    joined = join_ends(system, ends, store, config, report=report, interrupted=interrupted)
    return _compare(system, ends, joined, began)


Stopped = Literal["same minimum", "no lower path", "rounds", "budget", "interrupted"]


class Joined(NamedTuple):
    """What a search between two points leaves: the minima that they lead to, and all it found."""

    ids: tuple[int, int]
    polished: Float[np.ndarray, "2 dof"]
    network: TransitionNetwork
    stopped: Stopped


def join_ends(
    system: System,
    ends: Float[np.ndarray, "2 dof"],
    store: str | Path,
    config: BetweenConfig,
    *,
    report: Callable[[BetweenProgress], None] | None = None,
    interrupted: Callable[[], bool] | None = None,
) -> Joined:
    """Search between two points, and add what is found to a store; see `path_between`."""
    require_x64()
    check_energy(system)
    began = time.perf_counter()
    with Store.open(store, store_header(system)) as opened:
        opened.begin_run(dataclasses.asdict(config), versions(), str(config.key))
        status = "interrupted"
        try:
            search = _Search(system, opened, config)
            with serial_blas():
                ids, polished = search.put(ends)
                stopped = search.run(ids, began, report, interrupted)
            status = "interrupted" if stopped == "interrupted" else "finished"
        finally:
            opened.end_run(status)
        return Joined(ids, polished, opened.load_network(points=True), stopped)


def _checked(system: System, x: ArrayLike, name: str) -> Float[np.ndarray, " dof"]:
    point = np.asarray(x, float).reshape(-1)
    if point.size != system.space.dof:
        raise ArgumentError(
            f"{name} has {point.size:,} numbers; {system.name} has {system.space.dof:,} parameters",
            "are the two of the same model?",
        )
    if not np.isfinite(point).all():
        raise ArgumentError(f"{name} holds NaN or infinite numbers")
    return point


class _Search:
    """One search over one store."""

    def __init__(self, system: System, store: Store, config: BetweenConfig):
        self.system, self.store, self.config = system, store, config
        wishes = {} if config.hessian is None else {"hessian": config.hessian}
        suited = MapConfig.suited_to(system, lanes=config.lanes, **wishes)
        self.solvers = Solvers.of(suited)
        self.collector = Collector(
            system, store, width=self.solvers.lanes, minimiser=self.solvers.valley
        )
        self.links = Links(system)
        self.item = int(store.state.get("item", 0))

    def _take(self, count: int) -> Int[np.ndarray, " items"]:
        items = np.arange(self.item, self.item + count)
        self.item += count
        return items

    def _commit(self, kind: str, attempts: int, seconds: float) -> None:
        self.collector.commit(kind, attempts, seconds, {**self.store.state, "item": self.item})

    def put(
        self, ends: Float[np.ndarray, "2 dof"]
    ) -> tuple[tuple[int, int], Float[np.ndarray, "2 dof"]]:
        """The minima that the two points lead to: their ids, and the images that were reached."""
        began = time.perf_counter()
        finished = quench_many(self.system, ends, self.solvers.valley, width=self.solvers.lanes)
        found = self.collector.minima(finished, self._take(2))
        self._commit("minimise", 2, time.perf_counter() - began)
        for place, name in ((0, "a"), (1, "b")):
            if found[place] < 0:
                outcome = Outcome(int(finished.outcome[place]))
                why = outcome.message if outcome is not Outcome.success else "no certified minimum"
                raise SolveError(
                    f"{name} does not lead to a minimum of {self.system.name}: {why}",
                    "train it further, or see what was rejected: `thalweg info`",
                )
        return (int(found[0]), int(found[1])), np.asarray(finished.x)

    def run(
        self,
        ids: tuple[int, int],
        began: float,
        report: Callable[[BetweenProgress], None] | None,
        interrupted: Callable[[], bool] | None,
    ) -> Stopped:
        """Rounds of searches until nothing lower turns up."""
        if ids[0] == ids[1]:
            return "same minimum"
        best, stale = self._barrier(ids), 0
        for number in range(self.config.rounds):
            self._round(ids, best, number)
            now = self._barrier(ids)
            better = now < best - 1e-9 * (1.0 + abs(now)) if np.isfinite(now) else False
            stale = 0 if better or not np.isfinite(now) else stale + 1
            best = min(best, now)
            if report is not None:
                report(
                    BetweenProgress(
                        round=self.store.next_round - 1,
                        minima=self.store.n_minima,
                        transition_states=self.store.n_transition_states,
                        barrier=best,
                        seconds=time.perf_counter() - began,
                    )
                )
            if stale >= self.config.patience:
                return "no lower path"
            if interrupted is not None and interrupted():
                return "interrupted"
            spent = time.perf_counter() - began
            if self.config.budget is not None and spent >= self.config.budget:
                return "budget"
        return "rounds"

    def _barrier(self, ids: tuple[int, int]) -> float:
        network = self.store.load_network()
        return network.lowest_barrier(*_positions(network, ids))

    def _round(self, ids: tuple[int, int], best: float, number: int) -> None:
        """Bands across the gap below the best barrier so far; climbs where none is left to try."""
        began = time.perf_counter()
        network, points = self.store.load_network(), self.store.points("minimum")
        # Below its highest transition state the best chain is in pieces: the gap to be bridged.
        components = network.components
        if np.isfinite(best):
            components = _components_below(network, best)
        attempts = self.store.attempts()
        tried = [
            pair for pair, (times, _) in attempts.items() if pair[1] is not None
            for _ in range(times)
        ]  # fmt: skip
        distances = self.links.learn(points)
        pairs = missing_links(
            components,
            distances,
            _positions(network, ids),
            np.array(tried, int).reshape(-1, 2),
        )[: self.config.pairs]
        if len(pairs):
            self._bands(network, points, np.sort(pairs, axis=1), began)
            return
        done = np.zeros(network.n_minima, np.int64)
        for (first, second), (times, _) in attempts.items():
            if second is None:
                done[first] = times
        ends = components[list(_positions(network, ids))]
        near = np.isin(components, ends)
        weights = np.where(near, 1.0, 0.1)
        sources = single_ended(network.energies, done, self.config.climbs, weights)
        items = self._take(len(sources))
        key = jax.random.fold_in(jax.random.key(self.config.key), number)
        starts = displaced_starts(self.system, key, items, points[sources], _BESIDE)
        self._climb(starts, items, np.stack([sources, np.full(len(items), -1)], axis=1))
        self._commit("climb", len(items), time.perf_counter() - began)

    def _bands(
        self,
        network: TransitionNetwork,
        points: Float[np.ndarray, "minima dof"],
        pairs: Int[np.ndarray, "pairs 2"],
        began: float,
    ) -> None:
        starts, owner = band_climbs(self.system, points, network.energies, pairs)
        successes = np.zeros(len(pairs), np.int64)
        if len(owner):
            found = self._climb(starts, self._take(len(owner)), pairs[owner])
            np.add.at(successes, owner, found >= 0)
        self.collector.tried(pairs, successes)
        self._commit("connect", len(pairs), time.perf_counter() - began)

    def _climb(
        self, starts: Any, items: Int[np.ndarray, " items"], sources: Int[np.ndarray, "items 2"]
    ) -> Int[np.ndarray, " items"]:
        finished = solve_many(self.system, self.solvers.climb, starts, width=self.solvers.lanes)
        return self.collector.saddles(finished, items, sources)


def _positions(network: TransitionNetwork, ids: tuple[int, int]) -> tuple[int, int]:
    first, second = (int(np.flatnonzero(network.ids == end)[0]) for end in ids)
    return first, second


def _components_below(network: TransitionNetwork, level: float) -> Int[np.ndarray, " minima"]:
    """Components if only transition states below a level are crossed; all minima stay."""
    keep = network.ts_energies < level - 1e-12 * (1.0 + abs(level))
    part = TransitionNetwork.bare(
        network.energies, network.ts_energies[keep], network.ts_minima[keep]
    )
    return part.components


def _compare(
    system: System, ends: Float[np.ndarray, "2 dof"], joined: Joined, began: float
) -> Between:
    ids, polished, network, stopped = joined
    a, b = _positions(network, ids)
    found = network.lowest_barrier(a, b)
    image, near = system.symmetry.align(polished[0], polished[1])
    way = None
    if a != b and np.isfinite(found):
        way = pathway(system, network, *ids)
    given = energies_at(system, ends)
    apart = np.asarray(system.space.difference(jnp.asarray(polished.T), jnp.asarray(ends.T))).T
    moved = np.linalg.norm(apart, axis=1)
    straight = line_profile(system, polished[0], polished[1])
    return Between(
        name=system.name,
        ids=ids,
        energies=(float(network.energies[a]), float(network.energies[b])),
        given=(float(given[0]), float(given[1])),
        moved=(float(moved[0]), float(moved[1])),
        distance=straight.length,
        aligned_distance=float(near),
        network=network,
        pathway=way,
        highest=found,
        straight=straight,
        aligned=line_profile(system, polished[0], image),
        stopped=stopped,
        seconds=time.perf_counter() - began,
    )
