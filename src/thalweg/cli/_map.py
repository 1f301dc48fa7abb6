"""`thalweg map`: explore, certify, connect, store."""

import dataclasses
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from . import _map_options as own
from . import _options as options
from ._find import check_system, default_store, find_system, is_structure
from ._interrupt import Interrupts
from ._map_flow import check_wishes, find_dynamics, map_dynamics
from ._map_report import closing, opening, result_json
from ._progress import MapReporter
from ._runtime import prepare_jax
from ._talk import (
    EXIT_FAILED,
    CliError,
    check_writable,
    print_json,
    reported,
    talk,
)
from ._values import duration, parse_duration

if TYPE_CHECKING:
    from thalweg.core import System
    from thalweg.workflows import MapConfig, MapResult


@reported
def map_(
    system: own.System,
    output: own.Output = None,
    energy: options.Energy = None,
    key: options.Key = 0,
    drive: options.Drive = None,
    dof: options.Dof = None,
    figure: own.Figure = None,
    budget: own.Budget = None,
    minima: own.Minima = None,
    transition_states: own.TransitionStates = None,
    coverage: own.Coverage = None,
    searches: own.Searches = None,
    quenches: own.Quenches = None,
    walkers: own.Walkers = None,
    hops: own.Hops = None,
    patience: own.Patience = None,
    temperature: own.Temperature = None,
    climbs: own.Climbs = None,
    pairs: own.Pairs = None,
    lanes: own.Lanes = None,
    workers: own.Workers = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Map a landscape: find minima and transition states, certify and connect them.

    A dynamics (a circuit by name, its .npz file, or module:attribute) has no energy: its map holds
    attractors, saddles and cycles, and where the unstable ways out of each rest lead.

    Everything goes into a store. Stop it with Ctrl-C whenever you like: the same command goes on
    from there.
    """
    wishes: dict[str, Any] = {
        "key": key,
        "minima": minima,
        "transition_states": transition_states,
        "coverage": coverage,
        "searches": searches,
        "quenches": quenches,
        "walkers": walkers,
        "hops": hops,
        "patience": patience,
        "temperature": temperature,
        "climbs": climbs,
        "pairs": pairs,
        "lanes": lanes,
        "workers": workers,
        "budget": None if budget is None else parse_duration(budget),
    }
    check_system(system, energy)
    store = output or default_store(system)
    if "://" not in store:
        check_writable(Path(store))
    if figure is not None:
        check_writable(figure)
    prepare_jax()
    dynamics = None if is_structure(system) else find_dynamics(system)
    if dynamics is not None:
        check_wishes(wishes, figure)
        code = map_dynamics(dynamics, store, drive, dof, key, figure, as_json=as_json, quiet=quiet)
        if code:
            raise typer.Exit(code)
        return
    if drive is not None or dof is not None or figure is not None:
        raise CliError(
            "--drive, --dof and --figure go with a dynamics", "leave them out for an energy"
        )
    config, found = _resolve(system, energy, wishes)
    exit_code = _run(found, store, config, as_json=as_json, quiet=quiet)
    if exit_code:
        raise typer.Exit(exit_code)


def _resolve(text: str, energy: str | None, wishes: dict[str, Any]) -> tuple["MapConfig", "System"]:
    """The config and the system, everything that was not given at its default."""
    from thalweg.workflows import MapConfig

    given = {name: wish for name, wish in wishes.items() if wish is not None}
    # Checked before the system is built, which may take long.
    found = find_system(text, energy, MapConfig(**given).workers)
    config = MapConfig.suited_to(found, **given)
    if is_structure(text):
        # The calculator's processes are the workers; threads would only wait for each other.
        config = dataclasses.replace(config, workers=1)
    return config, found


def _run(found: "System", store: str, config: "MapConfig", *, as_json: bool, quiet: bool) -> int:
    """Map, talk about it, and return the exit code."""
    from thalweg.workflows import StopReason, explore

    console = talk(quiet=quiet)
    for line in opening(found, store, config):
        console.print(line)
    reporter = MapReporter(console, unit=found.units.energy, budget=config.budget)
    stop = Interrupts(_announce(reporter), _farewell(reporter, store))
    with stop, reporter:
        result = explore(
            found, store, config, report=reporter, found=reporter.found, interrupted=stop.asked
        )
    _close(result, store, config, reporter, as_json=as_json)
    if result.reason is StopReason.interrupted:
        console.print(f"To go on: [bold]{_resume_command()}[/]")
        return 128 + (stop.received or signal.SIGINT)
    return EXIT_FAILED if result.reason is StopReason.no_minimum else 0


def _close(
    result: "MapResult", store: str, config: "MapConfig", reporter: MapReporter, *, as_json: bool
) -> None:
    """The last words, and the result as data."""
    for line in closing(result, store):
        reporter.console.print(line)
    if as_json:
        print_json(result_json(result, store, config))
    result.landscape.close()


def _announce(reporter: MapReporter) -> Callable[[], None]:
    """What the first Ctrl-C says."""

    def say() -> None:
        reporter.notice = "stopping"
        about = f" (rounds take up to {duration(reporter.longest)})" if reporter.longest else ""
        reporter.console.print(
            f"finishing the round in hand{about}, then stopping; Ctrl-C again stops at once"
        )

    return say


def _farewell(reporter: MapReporter, store: str) -> Callable[[], None]:
    """What the second Ctrl-C says."""

    def say() -> None:
        reporter.console.show_cursor(True)
        reporter.console.print(
            f"stopped; the round in hand is lost, all before it is in {store}. "
            f"To go on: {_resume_command()}"
        )

    return say


def _resume_command() -> str:
    """What was typed."""
    return shlex.join(["thalweg", *sys.argv[1:]])
