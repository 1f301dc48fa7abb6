"""The journey from a landscape to a report: ask every reader, and say why where one refuses."""

import dataclasses
import datetime as dt
import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._version import __version__
from thalweg.core import ArgumentError, Outcome, System, ThalwegError, fingerprint
from thalweg.landscape import (
    SCHEMA_VERSION,
    Landscape,
    TransitionNetwork,
    disconnectivity_tree,
    lowest_route,
)
from thalweg.thermo import HarmonicEnsemble
from thalweg.viz import (
    Contour,
    Evidence,
    PathProfile,
    Provenance,
    ReportData,
    RoundCurves,
    Unavailable,
    write_flow_report,
    write_report,
)

from ._report_kinetics import kinetic_curves
from ._report_network import network_facts
from ._report_path import path_profile
from ._report_predictions import prediction_facts
from ._report_states import notable_minima
from ._report_thermo import thermo_curves

_DRAWN = 40  # components to draw at most, the largest
_LEVELS = 80
_CANDIDATES = 12  # deepest minima among which the default path begins
_PATH_UP_TO = 5000  # minima of a landscape for which a path is computed without being asked for
_FEW_STEPS = 6  # transition states that a default path crosses, if there is one so short
_GRID = 161
_MARGIN = 0.35  # of the span of the stationary points, around them

Section = TypeVar("Section")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """What a report should show.

    Attributes:
        temperature: Temperature at which the page opens and rates are given; `None` takes one at
            which the lowest minima compete.
        start: Id of the minimum where the path begins; `None` takes the one deepest below its
            surroundings, the global minimum excepted.
        end: Id of the minimum where it ends; `None` takes the global minimum.
        modes: Number of vibrational modes of every minimum, for imported landscapes.
    """

    temperature: float | int | None = None
    start: int | None = None
    end: int | None = None
    modes: int | None = None

    def __post_init__(self):
        if self.temperature is not None and not self.temperature > 0:
            raise ArgumentError(f"temperature={self.temperature} must be positive")


def report(
    landscape: Landscape,
    path: str | Path,
    config: ReportConfig | None = None,
    *,
    system: System | None = None,
) -> Path:
    """Write everything known about a landscape, or a flow, as one self-contained HTML file.

    Args:
        landscape: What to report on.
        path: File to write, ending in `.html`.
        config: Temperature and path to show.
        system: The system, if the catalogue does not know it by the name in the store; without
            one there is no path and no contour picture.

    Returns:
        The file written.

    Raises:
        ArgumentError: if there are no minima, an id is unknown, the system is another one, or the
            file name does not end in `.html`.
    """
    if landscape.header.kind == "flow":
        return report_flow(landscape, path)
    return write_report(gather_report(landscape, config, system=system), path)


def report_flow(landscape: Landscape, path: str | Path) -> Path:
    """Write the graph of a flow, its nodes and their evidence as one self-contained HTML file.

    Args:
        landscape: What to report on; its store is of a flow.
        path: File to write, ending in `.html`.

    Raises:
        ArgumentError: if there are no nodes, or the file name does not end in `.html`.
        StoreError: if the store is of an energy.
    """
    return write_flow_report(landscape.flow, _provenance(landscape), path)


def gather_report(
    landscape: Landscape, config: ReportConfig | None = None, *, system: System | None = None
) -> ReportData:
    """Ask every reader of a landscape for its part of a report.

    A part that cannot be had becomes `Unavailable` with the reason.

    Args:
        landscape: What to report on.
        config: Temperature and path to show.
        system: The system, if the catalogue does not know it.

    Raises:
        ArgumentError: if there are no minima, an id is unknown, or the system is another one.
    """
    config = config or ReportConfig()
    network = _with_points(landscape)
    if network.n_minima == 0:
        raise ArgumentError(
            f"{landscape.store.name} holds no minima", "map the system first: thalweg map"
        )
    found = _system(landscape, system)
    evidence = _evidence(landscape)
    header = landscape.header
    ends = _ends(network, config)
    small = _smallest_drawn(network)
    particles = _are_particles(landscape, evidence)
    ensemble = _asked(lambda: HarmonicEnsemble.of(landscape, modes=config.modes, kinetic=particles))
    if isinstance(ensemble, Unavailable):
        thermo = kinetics = ensemble
    else:
        thermo = thermo_curves(ensemble, header.energy_unit, config.temperature)
        curves = thermo
        kinetics = _asked(lambda: kinetic_curves(ensemble, curves, ends))
    trees = [
        disconnectivity_tree(network, levels=levels, components="all", min_size=small)
        for levels in (_LEVELS, None)
    ]
    return ReportData(
        name=header.name,
        energy_unit=header.energy_unit,
        length_unit=header.length_unit,
        shape=header.shape,
        labels=header.labels,
        particles=particles,
        network=network,
        tree=trees[0],
        merge_tree=trees[1],
        evidence=evidence,
        completeness=landscape.completeness,
        provenance=_provenance(landscape),
        caveats=_caveats(landscape, evidence),
        rounds=_rounds(landscape),
        thermo=thermo,
        kinetics=kinetics,
        path=_path(landscape, found, ends, config),
        statistics=_asked(lambda: network_facts(network)),
        contour=_contour(found, network),
        predictions=_asked(lambda: prediction_facts(landscape, found)),
    )


def _asked(reader: Callable[[], Section]) -> Section | Unavailable:
    """What a reader says, or why it refuses."""
    try:
        return reader()
    except ThalwegError as error:
        return Unavailable(error.message, error.hint or "")


def _ends(network: TransitionNetwork, config: ReportConfig) -> tuple[int, int] | None:
    """Positions of the minima where the path begins and ends; `None` if no two are joined.

    An end that is not asked for lies in the component of the other; without either, both lie in
    that of the global minimum, or in the largest where nothing is joined to the global minimum.
    """
    start, end = (_position(network, point_id) for point_id in (config.start, config.end))
    if start is not None and start == end:
        raise ArgumentError(
            f"the path begins and ends at minimum {network.ids[start]}", "name two minima"
        )
    if start is not None and end is not None:
        return start, end
    inside = np.flatnonzero(network.components == _piece(network, start, end))
    part = network.select(np.isin(np.arange(network.n_minima), inside))
    notable = [int(inside[place]) for place in notable_minima(part, _CANDIDATES)]
    if end is None:
        end = next((place for place in notable if place != start), None)
    if start is None and end is not None:
        start = _not_far(network, [place for place in notable if place != end], end)
    return None if start is None or end is None else (start, end)


def _position(network: TransitionNetwork, point_id: int | None) -> int | None:
    if point_id is None:
        return None
    place = np.flatnonzero(network.ids == point_id)
    if not len(place):
        raise ArgumentError(f"there is no minimum with id {point_id}")
    return int(place[0])


def _piece(network: TransitionNetwork, start: int | None, end: int | None) -> int:
    """The component in which a path is to run."""
    anchor = start if start is not None else end
    if anchor is not None:
        return int(network.components[anchor])
    sizes = np.bincount(network.components)
    return 1 if sizes[0] == 1 and len(sizes) > 1 else 0  # 0 is its own; then the largest first


def _path(
    landscape: Landscape, system: System | None, ends: tuple[int, int] | None, config: ReportConfig
) -> PathProfile | Unavailable:
    """The path that was asked for; of a large landscape no other, for it may take minutes."""
    if config.start is None and config.end is None and landscape.network.n_minima > _PATH_UP_TO:
        return Unavailable(
            f"among {landscape.network.n_minima:,} minima no path is computed unless one is asked "
            "for, since steepest descent may take minutes",
            "Name its ends: thalweg report STORE --from A --to B",
        )
    profile = _asked(lambda: path_profile(landscape, system, ends))
    if ends is None or isinstance(profile, Unavailable):
        return profile
    return dataclasses.replace(profile, note=_elsewhere(landscape.network, ends))


def _elsewhere(network: TransitionNetwork, ends: tuple[int, int]) -> str:
    """Which low minimum the path cannot lead to, where the landscape is in pieces."""
    if network.n_components < 2:
        return ""
    others = np.flatnonzero(network.components != network.components[ends[0]])
    lowest = others[np.argmin(network.energies[others])]
    name = "The global minimum" if lowest == network.global_minimum else "Minimum"
    return (
        f"{name} {network.ids[lowest]} (energy {network.energies[lowest]:.4f}) lies in another "
        f"piece of the landscape: no known transition state joins it to this path."
    )


def _not_far(network: TransitionNetwork, starts: list[int], end: int) -> int | None:
    """The first start from which few steps lead to the end; else that of the fewest steps."""
    fewest, best = np.inf, None
    for start in starts:
        if network.components[start] != network.components[end]:
            continue
        steps = len(lowest_route(network, start, end)[1])
        if steps <= _FEW_STEPS:
            return start
        if steps < fewest:
            fewest, best = steps, start
    return best


def _smallest_drawn(network: TransitionNetwork) -> int:
    """Size of the smallest component to draw; that of the global minimum is always drawn."""
    sizes = np.bincount(network.components)
    if len(sizes) <= _DRAWN:
        return 1
    return int(min(max(np.sort(sizes)[-_DRAWN], 2), sizes[0]))


def _with_points(landscape: Landscape) -> TransitionNetwork:
    """The network with the coordinates of its minima, if there are any."""
    network = landscape.network
    if not landscape.header.dof:
        return network
    try:
        points = landscape.points("minimum")
    except ThalwegError:
        return network
    return dataclasses.replace(network, points=points)


def _system(landscape: Landscape, given: System | None) -> System | None:
    """The system behind the store, checked against its fingerprint."""
    header = landscape.header
    if given is not None:
        if fingerprint(given) != header.fingerprint:
            raise ArgumentError(
                f"the system {given.name!r} is not the one that {landscape.store.name} belongs to "
                f"({header.name!r}, fingerprint {header.fingerprint})"
            )
        return given
    from thalweg.energies import system

    try:
        known = system(header.name)
    except ThalwegError:
        return None
    return known if fingerprint(known) == header.fingerprint else None


def _evidence(landscape: Landscape) -> Evidence:
    """The certificates of the minima as arrays."""
    texts = landscape.store.frame("minima")["certificate"].tolist()
    proofs = [json.loads(text) if text else None for text in texts]

    def column(name: str, missing: float | int) -> np.ndarray:
        return np.array([missing if proof is None else proof[name] for proof in proofs])

    return Evidence(
        known=np.array([proof is not None for proof in proofs], dtype=bool),
        passed=np.array([_passed(proof) for proof in proofs], dtype=bool),
        gradient_norm=column("gradient_norm", np.nan).astype(float),
        index=column("index", -1).astype(int),
        zero_modes=column("zero_modes", -1).astype(int),
        expected_zero_modes=column("expected_zero_modes", -1).astype(int),
    )


def _passed(proof: dict | None) -> bool:
    return proof is not None and proof["outcome"] in (Outcome.success.name, int(Outcome.success))


def _are_particles(landscape: Landscape, evidence: Evidence) -> bool:
    """Whether points are positions in space: they have names, or a symmetry moves them freely."""
    shape = landscape.header.shape
    if len(shape) != 2 or shape[1] != 3:
        return False
    return bool(landscape.header.labels) or bool((evidence.expected_zero_modes > 0).any())


def _rounds(landscape: Landscape) -> RoundCurves | None:
    """How the map grew, with Chao's bias-corrected bound from the counts of each round."""
    frame = landscape.store.frame("rounds")
    if not len(frame):
        return None

    def bound(known: str, once: str, twice: str) -> np.ndarray:
        f1, f2 = frame[once].to_numpy(float), frame[twice].to_numpy(float)
        return frame[known].to_numpy(float) + f1 * (f1 - 1) / (2 * (f2 + 1))

    return RoundCurves(
        searches=np.cumsum(frame["attempts"].to_numpy(int)),
        minima=frame["minima"].to_numpy(int),
        minima_bound=bound("minima", "minima_singletons", "minima_doubletons"),
        transition_states=frame["transition_states"].to_numpy(int),
        ts_bound=bound("transition_states", "ts_singletons", "ts_doubletons"),
    )


def _contour(system: System | None, network: TransitionNetwork) -> Contour | None:
    """The energy around the minima of a system of two coordinates."""
    if system is None or network.points is None or network.points.shape[1] != 2:
        return None
    low, high = network.points.min(axis=0), network.points.max(axis=0)
    margin = _MARGIN * max(float((high - low).max()), system.length)
    x = np.linspace(low[0] - margin, high[0] + margin, _GRID)
    y = np.linspace(low[1] - margin, high[1] + margin, _GRID)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    energy = system.energy
    values = np.asarray(jax.vmap(lambda point: energy(point))(jnp.asarray(grid)))
    return Contour(x=x, y=y, energies=values.reshape(_GRID, _GRID))


def _provenance(landscape: Landscape) -> Provenance:
    store = landscape.store
    rounds, runs = store.frame("rounds"), store.frame("runs")
    tally = store.failures() if landscape.header.kind == "energy" else Counter()
    return Provenance(
        store=store.name,
        fingerprint=landscape.header.fingerprint,
        schema=SCHEMA_VERSION,
        runs=tuple(
            {
                "started": row["started"],
                "ended": row["ended"],
                "status": row["status"],
                "key": row["key"],
                "config": json.loads(row["config"]),
                "versions": json.loads(row["versions"]),
            }
            for row in runs.to_dict("records")
        ),
        rounds=len(rounds),
        searches=sum(rounds["attempts"].tolist()),
        seconds=math.fsum(rounds["seconds"].tolist()),
        rejected=tuple(
            (kind.replace("_", " "), _why(outcome), count)
            for (kind, outcome), count in tally.most_common()
        ),
        written=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
    )


def _why(outcome: str) -> str:
    known = outcome in Outcome.__members__
    return Outcome[outcome].message if known else outcome.replace("_", " ")


def _caveats(landscape: Landscape, evidence: Evidence) -> tuple[str, ...]:
    """What the report does not prove; only what applies here."""
    network = landscape.network
    caveats = []
    if evidence.known.any():
        caveats.append(
            "A certificate proves what is true at a point, to the stated gradient: how many "
            "curvatures are negative and how many vanish. It says nothing about how far the basin "
            "reaches."
        )
    if not evidence.known.all():
        bare = int(np.count_nonzero(~evidence.known))
        caveats.append(
            f"{bare:,} of {network.n_minima:,} minima were imported without a certificate: that "
            "they are minima is somebody else's word."
        )
    caveats += [
        "The global minimum is the lowest minimum found; no search proves that none is lower.",
        "Barriers are upper bounds: a transition state that is still missing can only lower a "
        "joint of the tree.",
        "The numbers of missing points are estimates. They assume a law for how easily points are "
        "found, and searches from known points are no independent sample.",
        "Thermodynamics and rates are harmonic: wells are parabolas and recrossing is ignored. "
        "Both fail where the landscape is flat or the temperature is high.",
        "Occupations and rates count what was found. Missing minima have an unknown share, which "
        "grows with temperature.",
    ]
    if network.n_components > 1:
        caveats.append(
            f"The landscape is in {network.n_components:,} pieces that no known transition state "
            "joins; between pieces, barriers and rates are unknown, not infinite."
        )
    return tuple(caveats)
