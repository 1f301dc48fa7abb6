"""Landscapes of one molecule under several force fields, beside that of the reference."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.core import KJ, ArgumentError, Outcome, System
from thalweg.forcefields import ForceField, forcefield_system
from thalweg.forcefields.fitting import KCAL
from thalweg.io import AbstractLabelMethod, Molecule, label_system
from thalweg.landscape import Landscape, TransitionNetwork
from thalweg.search import quench_many

from ._agreement_ensembles import Ensembles
from ._agreement_maps import Mapper, Seeds, homes, search_config
from ._agreement_record import AgreementConfig, Judge, LandscapeAgreement
from ._searches import Solvers
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

    Then every force field's map gets what is near the reference's stationary points, and every map,
    the reference's too, is searched between the reference's states A and B until two rounds bring
    no lower path, or for as long again as it was mapped: the rate between them is asked for.

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
    mapper = Mapper(folder, config.key, report, stop)
    maps = {name: mapper.mapped(system, config.budget) for name, system in systems.items()}
    guide = maps[seeds_from or list(maps)[-1]]
    truth = label_system(
        molecule.numbers, molecule.positions, method, charge=molecule.charge, name=REFERENCE,
        topology=molecule.topology(),
    )  # fmt: skip
    truth = dataclasses.replace(truth, start=next(iter(systems.values())).start)
    mapper.seed(truth, Seeds.low(maps, guide, config.seeds), goes_on=True)
    target = mapper.mapped(truth, config.reference_budget)
    if not target.network.n_minima:
        raise ArgumentError(f"{method.name} has no minimum near those of the force fields")
    a, b = _states(target, config.temperature)
    places: list[np.ndarray] = []
    if b is not None:
        places = [target.points("minimum")[target.network.ids == k][0] for k in (a, b)]
        target = mapper.joined(truth, places, config.reference_budget)
        seeds = Seeds.all_of(target)
        for name, system in systems.items():
            maps[name] = mapper.joined(system, places, config.budget, seeds)
    judge = Judge(target, a, b, config)
    records = [judge.itself(REFERENCE)]
    ensembles = None
    if b is not None and config.frames:
        ensembles = Ensembles(truth, molecule.masses, places, config)
    above = _levels(truth, maps, float(target.network.energies.min()))
    for name, system in systems.items():
        if report:
            report(PlanProgress("compare", name, len(records), len(systems), "", 0.0))
        found = judge.judged(name, system, maps[name])
        found = dataclasses.replace(found, lowest=above.get(name, math.nan))
        if ensembles is not None:
            found = dataclasses.replace(found, **ensembles.correction(system))
        records.append(found)
    return LandscapeAgreements(tuple(records), (a, b), config.temperature)


def _levels(truth: System, maps: Mapping[str, Landscape], lowest: float) -> dict[str, float]:
    """Where the reference ends from the lowest minimum of each, in kcal/mol above its own."""
    owners = [name for name, landscape in maps.items() if landscape.network.n_minima]
    done = quench_many(truth, homes(maps), Solvers.of(search_config(truth)).quench)
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
