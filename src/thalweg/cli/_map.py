"""`thalweg map`: explore, certify, connect, store."""

import dataclasses
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._find import check_system, default_store, find_system, is_structure
from ._interrupt import Interrupts
from ._map_report import closing, opening, result_json
from ._progress import MapReporter
from ._runtime import prepare_jax
from ._talk import (
    EXIT_FAILED,
    AsJson,
    Quiet,
    Traceback,
    check_writable,
    print_json,
    reported,
    talk,
)
from ._values import duration, parse_duration

if TYPE_CHECKING:
    from thalweg.core import System
    from thalweg.workflows import MapConfig, MapResult


def _option(help_: str, metavar: str = "N") -> Any:
    return typer.Option(help=help_, metavar=metavar, show_default=False)


@reported
def map_(
    system: Annotated[
        str,
        typer.Argument(
            metavar="SYSTEM",
            help="A name of the catalogue (see `thalweg systems`), module:object, "
            "path/to/file.py:object, or an .xyz file with --energy.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="STORE",
            show_default=False,
            help="File or database URL that receives the landscape; an old one is continued. "
            "Default: SYSTEM.db",
        ),
    ] = None,
    energy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="Energy of an .xyz file: emt, lj, or module:function that makes an ASE "
            "calculator.",
        ),
    ] = None,
    key: Annotated[int | None, _option("Seed of all random numbers. Default: 0")] = None,
    budget: Annotated[
        str | None,
        _option("Time to work for: 60s, 10m, 1h30m. Default: no limit", metavar="TIME"),
    ] = None,
    minima: Annotated[int | None, _option("Stop when so many minima are known.")] = None,
    transition_states: Annotated[
        int | None, _option("Stop when so many transition states are known.")
    ] = None,
    coverage: Annotated[
        float | None,
        _option(
            "Probability that a search ends in a known point at which the map is complete. "
            "Default: 0.9995",
            metavar="P",
        ),
    ] = None,
    searches: Annotated[
        int | None,
        _option("Searches from every minimum before the map may be complete. Default: 1000"),
    ] = None,
    quenches: Annotated[int | None, _option("Random starts quenched first. Default: 256")] = None,
    walkers: Annotated[
        int | None, _option("Basin-hopping walkers; 0 for none. Default: 32")
    ] = None,
    hops: Annotated[int | None, _option("Hops of each walker in a round. Default: 10")] = None,
    patience: Annotated[
        int | None,
        _option("Rounds of hopping without a lower energy that end it. Default: 3"),
    ] = None,
    temperature: Annotated[
        float | None,
        _option("Basin-hopping temperature, in units of energy. Default: 0.8", metavar="T"),
    ] = None,
    climbs: Annotated[int | None, _option("Single-ended searches in a round. Default: 512")] = None,
    pairs: Annotated[
        int | None,
        _option("Pairs of minima connected in a round, while there are pieces. Default: 16"),
    ] = None,
    lanes: Annotated[
        int | None,
        _option("Searches advanced at once. Default: what suits the device"),
    ] = None,
    workers: Annotated[
        int | None, _option("Threads (processes, with --energy). Default: all cores")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    traceback: Traceback = False,
) -> None:
    """Map a landscape: find minima and transition states, certify and connect them.

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
    prepare_jax()
    config, found = _resolve(system, energy, wishes)
    exit_code = _run(found, store, config, as_json=as_json, quiet=quiet)
    if exit_code:
        raise typer.Exit(exit_code)


def _resolve(text: str, energy: str | None, wishes: dict[str, Any]) -> tuple["MapConfig", "System"]:
    """The config and the system, everything that was not given at its default."""
    from thalweg.workflows import MapConfig

    config = MapConfig(**{name: wish for name, wish in wishes.items() if wish is not None})
    found = find_system(text, energy, config.workers)
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
        result = explore(found, store, config, report=reporter, interrupted=stop.asked)
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
