"""Landscapes of one molecule under several force fields, beside that of the reference."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.core import KJ, ArgumentError, Outcome, System, solve_many
from thalweg.forcefields import ForceField, forcefield_system
from thalweg.forcefields.fitting import KCAL
from thalweg.io import AbstractLabelMethod, Molecule, label_system
from thalweg.landscape import (
    Collector,
    Landscape,
    Store,
    TransitionNetwork,
    TransitionState,
)
from thalweg.search import Climb, quench_many

from ._agreement_ensembles import Ensembles
from ._agreement_record import AgreementConfig, Judge, LandscapeAgreement, known
from ._config import LARGEST_HESSIAN, MapConfig
from ._map import MapProgress, explore, store_header
from ._searches import Solvers
from ._sets import PlanProgress, Report

REFERENCE = "reference"
"""What the landscape of the label method is called."""

_SEEDS_AT_ONCE = 8
"""Seeds of the reference that are followed, stored and reported together."""

_SEPARATE = 3.0
"""A barrier of so many k_B T separates two states."""


@dataclasses.dataclass(frozen=True)
class LandscapeAgreements:
    """All of them.

    Attributes:
        records: The reference first.
        states: Ids of the reference's minima A (the lowest) and B (the lowest one that a barrier
            of 3 k_B T separates from it); B is `None` if there is none.
        temperature: In K.
    """

    records: tuple[LandscapeAgreement, ...]
    states: tuple[int, int | None]
    temperature: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(facts: Mapping[str, Any]) -> "LandscapeAgreements":
        """Back from JSON, where NaN is null."""
        records = [LandscapeAgreement.from_facts(record) for record in facts["records"]]
        a, b = facts["states"]
        return LandscapeAgreements(tuple(records), (a, b), facts["temperature"])


def landscape_agreement(
    force_fields: Mapping[str, ForceField],
    molecule: Molecule,
    method: AbstractLabelMethod,
    config: AgreementConfig | None = None,
    *,
    folder: Path,
    seeds_from: str | None = None,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> LandscapeAgreements:
    """Map a molecule under force fields and under the method that labels, and compare.

    Maps are kept in the folder as `NAME.db` and `reference.db`; the same call goes on from them.

    Args:
        force_fields: By name.
        molecule: What is mapped.
        method: The reference.
        config: How much.
        folder: Where maps are kept.
        seeds_from: The force field whose stationary points the reference's map begins from; by
            default the last.
        report: Told how it goes.
        stop: Asked now and then; once it says yes, `KeyboardInterrupt` ends it.

    Raises:
        ArgumentError: if there is no force field, or the reference finds no minimum.
    """
    config = config or AgreementConfig()
    if not force_fields:
        raise ArgumentError("there is no force field to compare")
    folder.mkdir(parents=True, exist_ok=True)
    systems = {
        name: forcefield_system(f, molecule.positions, name=name)
        for name, f in force_fields.items()
    }
    maps = {
        name: _mapped(system, folder / f"{name}.db", config.budget, config.key, report, stop)
        for name, system in systems.items()
    }
    guide = maps[seeds_from or list(maps)[-1]]
    truth = label_system(
        molecule.numbers, molecule.positions, method, charge=molecule.charge, name=REFERENCE
    )
    truth = dataclasses.replace(truth, start=next(iter(systems.values())).start)
    where = folder / f"{REFERENCE}.db"
    solvers = Solvers.of(_config(truth, config.reference_budget, config.key))
    _seed(truth, where, maps, guide, config.seeds, solvers, report, stop)
    target = _mapped(truth, where, config.reference_budget, config.key, report, stop)
    if not target.network.n_minima:
        raise ArgumentError(f"{method.name} has no minimum near those of the force fields")
    a, b = _states(target, config.temperature)
    judge = Judge(target, a, b, config)
    records = [judge.itself(REFERENCE)]
    ensembles = None
    if b is not None and config.frames:
        places = [target.points("minimum")[target.network.ids == k][0] for k in (a, b)]
        ensembles = Ensembles(truth, molecule.masses, places, config)
    above = _levels(truth, maps, solvers, float(target.network.energies.min()))
    for name, system in systems.items():
        if report:
            report(PlanProgress("compare", name, len(records), len(systems), "", 0.0))
        found = judge.judged(name, system, maps[name])
        found = dataclasses.replace(found, lowest=above.get(name, math.nan))
        if ensembles is not None:
            found = dataclasses.replace(found, **ensembles.correction(system))
        records.append(found)
    return LandscapeAgreements(tuple(records), (a, b), config.temperature)


def _mapped(
    system: System,
    path: Path,
    budget: float | int,
    key: int,
    report: Report | None,
    stop: Callable[[], bool] | None,
) -> Landscape:
    """Its map: gone on with until the budget is spent, once."""
    done = path.with_suffix(".done")
    if done.exists():
        return Landscape.open(path)
    config = _config(system, budget, key)

    def tell(now: MapProgress) -> None:
        if report:
            detail = f"{now.minima} minima, {now.transition_states} transition states"
            report(PlanProgress("map", system.name, 0, 1, detail, now.seconds))

    result = explore(system, path, config, report=tell, interrupted=stop)
    if stop is not None and stop():
        raise KeyboardInterrupt
    done.write_text(result.reason.value, encoding="utf-8")
    return result.landscape


def _config(system: System, budget: float | int, key: int) -> MapConfig:
    """Small rounds, so that budgets hold; where labels are dear, Hessians are updated."""
    if system.energy.exact_derivatives:
        return MapConfig.suited_to(
            system, walkers=0, pairs=4, key=key, budget=budget, quenches=64, climbs=16
        )
    return MapConfig.suited_to(
        system,
        pairs=4,
        key=key,
        budget=budget,
        quenches=8,
        climbs=8,
        hessian="updated" if system.space.dof <= LARGEST_HESSIAN else False,
    )


def _seed(
    system: System,
    path: Path,
    maps: Mapping[str, Landscape],
    guide: Landscape,
    most: int,
    solvers: Solvers,
    report: Report | None,
    stop: Callable[[], bool] | None,
) -> None:
    """Begin a map with what is near the stationary points of others; goes on where it stopped.

    Args:
        system: Whose map it is.
        path: Where that map is.
        maps: Those landscapes; their lowest minima are followed first.
        guide: The one whose low minima and passes are followed; the others' passes if it has few.
        most: How many minima, and how many transition states.
        solvers: What follows them.
        report: Told how it goes.
        stop: Asked now and then.
    """
    minima = guide.points("minimum")[np.argsort(guide.network.energies)[:most]]
    if most:
        minima = np.concatenate([_homes(maps), minima])
    others = [m for m in maps.values() if m is not guide]
    saddles = [s for m in (guide, *reversed(others)) for s in _passes(m)][:most]
    total = len(minima) + len(saddles)
    store = Store.open(path, store_header(system))
    done = int(store.state["item"]) if store.state else 0
    if done >= total:
        store.close()
        return
    store.begin_run({"seeds": guide.header.name}, {}, "0")
    collector = Collector(system, store, minimiser=solvers.valley)
    began = time.perf_counter()
    while done < total and not (stop and stop()):
        here = np.arange(done, min(done + _SEEDS_AT_ONCE, total))
        if done < len(minima):
            here = here[here < len(minima)]
            collector.minima(quench_many(system, minima[here], solvers.quench), here)
        else:
            some = [saddles[k - len(minima)] for k in here]
            start = Climb(
                jnp.asarray(np.stack([known(s.x) for s in some])),
                jnp.asarray(np.stack([known(s.direction) for s in some])),
            )
            finished = solve_many(system, solvers.climb, start)
            collector.saddles(finished, here)
        done += len(here)
        collector.commit("minimise", len(here), time.perf_counter() - began, {"item": done})
        if report:
            what = f"{store.n_minima} minima, {store.n_transition_states} transition states"
            report(PlanProgress("seeds", REFERENCE, done, total, what, time.perf_counter() - began))
    store.end_run("finished" if done >= total else "interrupted")
    store.close()
    if done < total:
        raise KeyboardInterrupt


def _passes(landscape: Landscape) -> Iterator[TransitionState]:
    """Transition states that decide its barriers, lowest first.

    The lowest of all are turns of methyl groups and the like, which lead from a minimum to itself.
    """
    network = landscape.network
    for k in network.spanning_forest.transition_states:
        yield landscape.transition_state(int(network.ts_ids[k]))


def _homes(maps: Mapping[str, Landscape]) -> np.ndarray:
    """The lowest minimum of each landscape that has any, `(points, dof)`."""
    found = [m.points("minimum")[np.argsort(m.network.energies)[:1]] for m in maps.values()]
    return np.concatenate(found)


def _levels(
    truth: System, maps: Mapping[str, Landscape], solvers: Solvers, lowest: float
) -> dict[str, float]:
    """Where the reference ends from the lowest minimum of each, in kcal/mol above its own."""
    owners = [name for name, landscape in maps.items() if landscape.network.n_minima]
    done = quench_many(truth, _homes(maps), solvers.quench)
    above = np.where(done.outcome == Outcome.success, done.value - lowest, np.nan) / KCAL
    return dict(zip(owners, above.tolist(), strict=True))


def _states(landscape: Landscape, temperature: float) -> tuple[int, int | None]:
    """The lowest minimum, and the lowest that a barrier separates from it.

    One that a path leads to, if there is any: else no rate can be told, but free energies can.
    """
    network = landscape.network
    order = np.argsort(network.energies)
    a = int(order[0])
    wall = network.energies[a] + _SEPARATE * KJ.boltzmann * temperature
    below = _joined_below(network, a, wall)
    reached = _joined_below(network, a, math.inf)
    apart = [int(network.ids[k]) for k in order[1:] if not below[k] and reached[k]]
    lost = [int(network.ids[k]) for k in order[1:] if not reached[k]]
    return int(network.ids[a]), next(iter(apart + lost), None)


def _joined_below(network: TransitionNetwork, a: int, wall: float) -> np.ndarray:
    """Minima that paths below an energy join with minimum `a`."""
    import scipy.sparse
    from scipy.sparse import csgraph

    ends = network.ts_minima[network.ts_energies <= wall]
    n = network.n_minima
    graph = scipy.sparse.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
    labels = csgraph.connected_components(graph, directed=False)[1]
    return labels == labels[a]
