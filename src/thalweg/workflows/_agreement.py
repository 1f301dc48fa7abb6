"""Landscapes of one molecule under several force fields, beside that of the reference."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.core import KJ, ArgumentError, System, solve_many
from thalweg.forcefields import ForceField, forcefield_system
from thalweg.io import AbstractLabelMethod, Molecule, label_system
from thalweg.landscape import Collector, Landscape, Store, TransitionNetwork
from thalweg.search import Climb, EigenvectorFollowing, quench_many

from ._agreement_ensembles import Ensembles
from ._agreement_record import AgreementConfig, Judge, LandscapeAgreement, known
from ._config import MapConfig
from ._map import MapProgress, explore, store_header
from ._sets import PlanProgress, Report

REFERENCE = "reference"
"""What the landscape of the label method is called."""

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
    if not where.exists():
        _seed(truth, where, guide, config.seeds, report)
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
    for name, system in systems.items():
        if report:
            report(PlanProgress("compare", name, len(records), len(systems), "", 0.0))
        found = judge.judged(name, system, maps[name])
        if ensembles is not None:
            found = dataclasses.replace(found, **ensembles.correction(system))
        records.append(found)
    return LandscapeAgreements(tuple(records), (a, b), config.temperature)


def _mapped(
    system: System,
    path: Path,
    budget: float,
    key: int,
    report: Report | None,
    stop: Callable[[], bool] | None,
) -> Landscape:
    """Its map: gone on with until the budget is spent, once."""
    done = path.with_suffix(".done")
    if done.exists():
        return Landscape.open(path)
    exact = system.energy.exact_derivatives
    rounds = {"quenches": 64, "climbs": 64} if exact else {"quenches": 8, "climbs": 8}
    config = MapConfig.suited_to(system, walkers=0, pairs=4, key=key, budget=budget, **rounds)

    def tell(now: MapProgress) -> None:
        if report:
            detail = f"{now.minima} minima, {now.transition_states} transition states"
            report(PlanProgress("map", system.name, 0, 1, detail, now.seconds))

    result = explore(system, path, config, report=tell, interrupted=stop)
    if stop is not None and stop():
        raise KeyboardInterrupt
    done.write_text(result.reason.value, encoding="utf-8")
    return result.landscape


def _seed(system: System, path: Path, guide: Landscape, most: int, report: Report | None) -> None:
    """Begin a map with what is near the stationary points of another."""
    store = Store.open(path, store_header(system))
    store.begin_run({"seeds": guide.header.name}, {}, "0")
    collector = Collector(system, store)
    network = guide.network
    chosen = np.argsort(network.energies)[:most]
    points = guide.points("minimum")[chosen]
    if report:
        report(PlanProgress("seeds", "minima", 0, len(points), "", 0.0))
    collector.minima(quench_many(system, points), np.arange(len(points)))
    chosen = np.argsort(network.ts_energies)[:most]
    if len(chosen):
        saddles = [guide.transition_state(int(network.ts_ids[k])) for k in chosen]
        start = Climb(
            jnp.asarray(np.stack([known(s.x) for s in saddles])),
            jnp.asarray(np.stack([known(s.direction) for s in saddles])),
        )
        if report:
            report(PlanProgress("seeds", "transition states", 0, len(chosen), "", 0.0))
        finished = solve_many(system, EigenvectorFollowing(), start)
        unknown = np.full((len(chosen), 2), -1)
        collector.saddles(finished, np.arange(len(chosen)) + most, unknown)
    collector.commit("minimise", len(points) + len(chosen), 0.0, {"item": 2 * most})
    store.end_run("finished")
    store.close()


def _states(landscape: Landscape, temperature: float) -> tuple[int, int | None]:
    """The lowest minimum, and the lowest that a barrier separates from it."""
    network = landscape.network
    order = np.argsort(network.energies)
    a = int(order[0])
    wall = network.energies[a] + _SEPARATE * KJ.boltzmann * temperature
    below = _joined_below(network, a, wall)
    for other in order[1:]:
        if not below[other]:
            reached = _joined_below(network, a, math.inf)[other]
            if reached:
                return int(network.ids[a]), int(network.ids[other])
    return int(network.ids[a]), None


def _joined_below(network: TransitionNetwork, a: int, wall: float) -> np.ndarray:
    """Minima that paths below an energy join with minimum `a`."""
    import scipy.sparse
    from scipy.sparse import csgraph

    ends = network.ts_minima[network.ts_energies <= wall]
    n = network.n_minima
    graph = scipy.sparse.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
    labels = csgraph.connected_components(graph, directed=False)[1]
    return labels == labels[a]
