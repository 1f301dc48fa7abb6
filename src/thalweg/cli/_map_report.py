"""What `thalweg map` says before and after, and its result as data."""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._values import count, duration, energy, share

if TYPE_CHECKING:
    from thalweg.core import System
    from thalweg.landscape import CompletenessEstimate, TransitionNetwork
    from thalweg.workflows import MapConfig, MapProgress, MapResult


def opening(system: "System", store: str, config: "MapConfig") -> list[str]:
    """The resolved system, store and config, in two lines."""
    units = system.units
    what = count(system.space.dof, "coordinate")
    if system.labels:
        what = count(len(system.labels), "atom")
    symmetry = type(system.symmetry).__name__
    unit = f", energies in {units.energy}" if units.energy else ""
    first = f"[bold]{system.name}[/]: {what}, {symmetry}{unit} → [bold]{store}[/]"
    return [first + _known(store, system), _config_line(config)]


def _known(store: str, system: "System") -> str:
    """What an existing store already holds; one of another system is refused at once."""
    if "://" in store or not Path(store).is_file() or not Path(store).stat().st_size:
        return ""
    from thalweg.landscape import Store
    from thalweg.workflows import store_header

    with Store.open(store, store_header(system)) as points:
        return (
            f" (going on from {count(points.n_minima, 'minimum')} and "
            f"{count(points.n_transition_states, 'transition state')})"
        )


def _config_line(config: "MapConfig") -> str:
    """Every setting that decides what happens."""
    from thalweg.parallel import usable_cores

    limits = [] if config.budget is None else [duration(config.budget)]
    if config.minima is not None:
        limits.append(f"until {count(config.minima, 'minimum')}")
    if config.transition_states is not None:
        limits.append(f"until {count(config.transition_states, 'transition state')}")
    hopping = "no hopping"
    if config.walkers:
        hopping = f"{config.walkers} walkers × {config.hops} hops at T={config.temperature:g}"
    workers = usable_cores() if config.workers is None else config.workers
    parts = [
        f"key {config.key}",
        *(limits or ["until complete"]),
        count(config.quenches, "quench"),
        hopping,
        f"rounds of {count(config.climbs, 'climb')} and {count(config.pairs, 'pair')}",
        f"coverage {config.coverage:g}",
        count(workers, "worker"),
    ]
    return "[dim]" + " · ".join(parts) + "[/]"


def closing(result: "MapResult", store: str) -> list[str]:
    """What was found, what is probably missing, what failed, and why the map ended."""
    network, progress = result.landscape.network, result.progress
    if not network.n_minima:
        return [f"No minimum was found: {result.reason.value}.", *_failures(progress)]
    header = result.landscape.header
    minima = count(network.n_minima, "minimum")
    saddles = count(network.n_transition_states, "transition state")
    work = ""
    if progress is not None:
        work = f" after {duration(progress.seconds)} and {count(progress.searches, 'search')}"
    first = (
        f"[bold]{minima}[/] and [bold]{saddles}[/] in {count(network.n_components, 'piece')}{work}"
        f": {result.reason.value}."
    )
    known = result.landscape.completeness
    lowest = energy(float(network.energies.min()), header.energy_unit)
    second = (
        f"Lowest energy {lowest}. Known of all there are, by estimate: "
        f"{_known_share(known.minima, 'minima')}; "
        f"{_known_share(known.transition_states, 'transition states')}."
    )
    return [first, second, *_failures(progress), f"Written to [bold]{store}[/]."]


def _known_share(estimate: "CompletenessEstimate", noun: str) -> str:
    """`80 % of the minima (1,204 of 1,450 to 1,600)`."""
    if not estimate.observed:
        return f"{noun}: none yet"
    upper = f"{estimate.upper:,.0f}" if math.isfinite(estimate.upper) else "?"
    low = f"{estimate.lower:,.0f}"
    span = low if low == upper else f"{low} to {upper}"
    most = "" if estimate.trusted else "at most "
    fraction = estimate.observed / max(round(estimate.total), estimate.observed)
    return f"{most}{share(fraction)} of the {noun} ({estimate.observed:,} of {span})"


def _failures(progress: "MapProgress | None") -> list[str]:
    """Failed searches by outcome, and what to do about the most frequent."""
    if progress is None or not progress.failures:
        return []
    from thalweg.core import Outcome

    by_number = sorted(progress.failures.items(), key=lambda item: -item[1])
    total = sum(progress.failures.values())
    named = ", ".join(f"{number:,} {name}" for name, number in by_number)
    lost = f" ({share(total / progress.searches)})" if progress.searches >= total else ""
    most = by_number[0][0]
    return [f"Failed searches{lost}: {named} ({most}: {Outcome[most].message})."]


def result_json(result: "MapResult", store: str, config: "MapConfig") -> dict[str, Any]:
    """The result of a map as data."""
    from thalweg import __version__

    landscape, progress = result.landscape, result.progress
    network = landscape.network
    return {
        "thalweg": __version__,
        "command": "map",
        "system": landscape.header.name,
        "store": store,
        "reason": result.reason.name,
        "energy_unit": landscape.header.energy_unit,
        **counts_json(network),
        "completeness": {
            "minima": dataclasses.asdict(landscape.completeness.minima),
            "transition_states": dataclasses.asdict(landscape.completeness.transition_states),
        },
        "searches": progress.searches if progress else 0,
        "seconds": progress.seconds if progress else 0.0,
        "rounds": landscape.store.next_round,
        "failures": progress.failures if progress else {},
        "config": config.to_dict(),
    }


def counts_json(network: "TransitionNetwork") -> dict[str, Any]:
    """The numbers that every command gives."""
    return {
        "minima": network.n_minima,
        "transition_states": network.n_transition_states,
        "pieces": network.n_components,
        "lowest_energy": float(network.energies.min()) if network.n_minima else None,
    }
