"""`thalweg sweep`: several maps, and their trees side by side."""

import math
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._find import check_system, find_system, is_structure
from ._interrupt import Interrupts
from ._runtime import prepare_jax
from ._talk import EXIT_FAILED, CliError, check_writable, data, print_json, reported, talk
from ._tree import FIGURES
from ._values import count, duration, energy, parse_duration

if TYPE_CHECKING:
    from thalweg.core import System
    from thalweg.workflows import MapProgress, Sweep, SweepEntry


@reported
def sweep(
    systems: Annotated[
        list[str],
        typer.Argument(
            metavar="SYSTEM…",
            show_default=False,
            help="As for `thalweg map`. A shell writes many: ljat3-h{3,5}-l1e-{3,4,5}",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the stores.")
    ] = Path("sweep"),
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default=False,
            help="For each map, over all runs: 60s, 10m. Default: until each seems complete.",
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", show_default=False, help="Trees side by side: .png, .pdf or .svg."
        ),
    ] = None,
    own_scales: Annotated[
        bool, typer.Option("--own-scales", help="Give each tree its own axis of energy.")
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Leave minima of losses uncoloured by their test error.")
    ] = False,
    key: options.Key = 0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Map several systems into a folder, and draw their trees side by side.

    How does a landscape change with regularisation, width or the number of data? Name the systems;
    each gets a store of its own. Stop it with Ctrl-C: the same command goes on.
    """
    for name in systems:
        if is_structure(name):
            raise CliError(f"{name}: a sweep takes systems by name", "map files one by one")
        check_system(name, None)
    if figure is not None:
        if figure.suffix.lower() not in FIGURES:
            raise CliError(f"{figure}: a figure ends in .png, .pdf or .svg")
        check_writable(figure)
    seconds = None if budget is None else parse_duration(budget)
    if output.is_file():
        raise CliError(f"{output} is a file, expected a folder")
    prepare_jax()
    from thalweg.workflows import sweep as run

    console = talk(quiet=quiet)
    found = [find_system(name, None, None) for name in systems]
    console.print(
        f"{count(len(found), 'map')} into [bold]{output}[/]"
        + ("" if seconds is None else f", {duration(seconds)} each")
    )

    def report(system: "System", now: "MapProgress") -> None:
        console.print(
            f"{system.name}: round {now.round} ({now.kind}), {count(now.minima, 'minimum')}, "
            f"{count(now.transition_states, 'transition state')}, {duration(now.seconds)}"
        )

    def done(entry: "SweepEntry") -> None:
        console.print(f"[bold]{entry.name}[/]: {_state(entry)}")

    with Interrupts(
        lambda: console.print("stopping after this round; once more ends at once"), lambda: None
    ) as stop:
        maps = run(
            found, output, budget=seconds, report=report, done=done, interrupted=stop.asked, key=key
        )
    drawn = figure if figure is not None and _draw(maps, found, figure, own_scales, plain) else None
    if as_json:
        print_json(
            {"command": "sweep", "folder": str(output), "figure": None if drawn is None
             else str(drawn), "interrupted": maps.interrupted, "maps": _rows(maps)}
        )  # fmt: skip
    elif not quiet:
        _show(maps)
    total = sum(entry.minima for entry in maps.entries)
    written = f", drawn in [bold]{drawn}[/]" if drawn is not None else ""
    console.print(
        f"{count(total, 'minimum')} in {count(len(maps.entries), 'map')}, in [bold]{output}[/]"
        f"{written}."
    )
    if maps.interrupted:
        raise typer.Exit(128 + (stop.received or signal.SIGINT))
    if any(entry.failed for entry in maps.entries):
        raise typer.Exit(EXIT_FAILED)


def _state(entry: "SweepEntry") -> str:
    if entry.failed:
        return f"[red]failed[/]: {entry.ended}"
    return (
        f"{count(entry.minima, 'minimum')}, {count(entry.transition_states, 'transition state')} "
        f"in {count(entry.pieces, 'piece')}; {entry.ended}"
    )


def _draw(
    maps: "Sweep", systems: "list[System]", figure: Path, own_scales: bool, plain: bool
) -> bool:
    """The trees; whether there was one to draw."""
    import matplotlib as mpl

    mpl.use("agg")
    from thalweg.learning import LossEnergy
    from thalweg.viz import plot_trees, save_figure
    from thalweg.workflows import sweep_trees

    panels = sweep_trees(maps, systems, colored=not plain)
    if not panels:
        return False
    losses = [system.energy for system in systems if isinstance(system.energy, LossEnergy)]
    classes = bool(losses) and losses[0].data.classes is not None
    drawn = plot_trees(
        panels,
        same_scale=not own_scales,
        energy_label="Loss" if len(losses) == len(systems) else "Energy",
        color_label="Error" if classes else "Mean squared error",
    )
    save_figure(drawn, figure)
    return True


def _rows(maps: "Sweep") -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in maps.table().to_dict("records")]


def _show(maps: "Sweep") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("system", "minima", "saddles", "pieces", "lowest", "time", "ended"):
        table.add_column(heading, justify="left" if heading in ("system", "ended") else "right")
    for entry in maps.entries:
        lowest = "-" if math.isnan(entry.lowest) else energy(entry.lowest)
        table.add_row(
            entry.name, f"{entry.minima:,}", f"{entry.transition_states:,}", str(entry.pieces),
            lowest, duration(entry.seconds), entry.ended,
        )  # fmt: skip
    data().print(table)
