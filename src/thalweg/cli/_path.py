"""`thalweg path`: the path of steepest descent between two minima."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from . import _options as options
from ._between import Ends, find_between, is_point
from ._find import check_system
from ._runtime import prepare_jax
from ._system_of import system_of
from ._talk import (
    CliError,
    check_store,
    check_writable,
    data,
    print_json,
    reported,
    talk,
)
from ._values import count, energy, parse_duration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from thalweg.landscape import Landscape, Pathway

_TRAJECTORIES = (".xyz", ".extxyz", ".csv", ".npz")
_FIGURES = (".png", ".pdf", ".svg")


@reported
def path(
    store: options.Store,
    a: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="Id of a minimum, or a file of a point: a checkpoint, .npz, .npy or .eqx.",
            show_default=False,
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="The other.", show_default=False)],
    via: Annotated[
        str,
        typer.Option(
            metavar="ROUTE",
            help="'lowest': over the lowest barrier; 'fastest': with the largest product of "
            "branching probabilities at --temperature; or ids of transition states, such as 3,17.",
        ),
    ] = "lowest",
    temperature: Annotated[
        float | None,
        typer.Option(
            "-t",
            "--temperature",
            metavar="T",
            show_default=False,
            help="Temperature of the fastest path.",
        ),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default=False,
            help="Trajectory (.xyz), energies (.csv), arrays (.npz) or figure (.png, .pdf, .svg); "
            "may be given more than once.",
        ),
    ] = None,
    points: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=3,
            show_default=False,
            help="Points to write, evenly spaced. Default: those of the integration.",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", show_default=False, help="Of a search between two files: 60s, 10m."
        ),
    ] = None,
    key: options.Key = 0,
    system: options.System = None,
    energy_name: options.Energy = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print the steps as CSV.")] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Follow the path of steepest descent from minimum A to minimum B.

    Both sides of every transition state are followed down, and the pieces are joined to one
    continuous trajectory.

    Where A or B is a file (the parameters of a trained network, say), both are followed to
    certified minima and a path is searched for; what is found goes into STORE, a new one if need
    be, which takes --system. The barrier is compared with that of straight lines.
    """
    between = any(is_point(end) for end in (a, b))
    if not between:
        check_store(store)
    files = output or []
    _check_files(files, csv=csv, as_json=as_json)
    chain = _parse_via(via, temperature)
    if system is not None:
        check_system(system, energy_name)
    if between:
        wish = None if budget is None else parse_duration(budget)
        if via != "lowest" or points is not None:
            raise CliError("--via and --points go with two minima", "leave them out for files")
        find_between(
            Ends(store, a, b, system, energy_name), files, wish, key,
            csv=csv, as_json=as_json, quiet=quiet,
        )  # fmt: skip
        return
    if budget is not None:
        raise CliError("--budget goes with a search between two files", "leave it out")
    prepare_jax()
    found = _follow(store, (_minimum(a), _minimum(b)), chain, temperature, (system, energy_name))
    if points is not None:
        found = found.resample(points)
    _tell_detours(found, quiet=quiet)
    for file in files:
        _write(found, file)
    if as_json:
        print_json(_facts(found, store, files))
    elif csv:
        found.steps.to_csv(sys.stdout, index=False)
    elif not quiet:
        _show(found)
    written = f", written to [bold]{', '.join(map(str, files))}[/]" if files else ""
    talk(quiet=quiet).print(
        f"{count(found.n_steps, 'step')} over a barrier of "
        f"{energy(found.barrier, found.energy_unit)} (transition state {found.highest}), "
        f"{count(len(found.points), 'point')} along {found.length:.4f} {found.length_unit}"
        f"{written}."
    )


def _check_files(files: list[Path], *, csv: bool, as_json: bool) -> None:
    """Refuse what cannot be written, before any work."""
    for file in files:
        if file.suffix.lower() not in (*_TRAJECTORIES, *_FIGURES):
            known = ", ".join((*_TRAJECTORIES, *_FIGURES))
            raise CliError(f"{file}: a path can be written as {known}", f"-o {file.stem}.xyz")
        check_writable(file)
    if csv and as_json:
        raise CliError("--csv and --json both want standard output", "choose one")


def _minimum(text: str) -> int:
    if not text.isdecimal():
        raise CliError(
            f"{text!r} is neither the id of a minimum nor a file of a point",
            "`thalweg info` lists the lowest minima; files end in .npz, .npy or .eqx",
        )
    return int(text)


def _parse_via(text: str, temperature: float | None) -> list[int] | None:
    """Ids of transition states; `None` for the lowest path, and for the fastest."""
    kind = text.strip().lower()
    if (kind == "fastest") != (temperature is not None):
        raise CliError(
            "--via fastest and --temperature go together", "--via fastest --temperature 0.2"
        )
    if kind in ("lowest", "fastest"):
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise CliError(f"--via {text}: expected 'lowest', 'fastest' or ids such as 3,17")
    return [int(part) for part in parts]


def _follow(
    store: str,
    ends: tuple[int, int],
    via: list[int] | None,
    temperature: float | None,
    named: tuple[str | None, str | None],
) -> "Pathway":
    from thalweg.landscape import Landscape, pathway

    with Landscape.open(store) as landscape:
        landscape.store.require("energy")
        system = system_of(landscape.header, store, *named)
        if temperature is not None:
            via = _fastest(landscape, ends, temperature)
        return pathway(system, landscape, *ends, via=via)


def _fastest(landscape: "Landscape", ends: tuple[int, int], temperature: float) -> list[int]:
    """Ids of the transition states on the fastest path."""
    from thalweg.kinetics import transition_rates

    network = landscape.network
    positions = {point_id: position for position, point_id in enumerate(network.ids.tolist())}
    for end in ends:
        if end not in positions:
            raise CliError(f"there is no minimum {end}", "`thalweg info` lists the lowest")
    chain = transition_rates(landscape, temperature)
    found = chain.fastest_path(positions[ends[0]], positions[ends[1]])
    return network.ts_ids[found.transition_states].tolist()


def _write(found: "Pathway", file: Path) -> None:
    if file.suffix.lower() in _TRAJECTORIES:
        from thalweg.io import write_pathway

        write_pathway(found, file)
        return
    import matplotlib as mpl

    mpl.use("agg")
    from thalweg.viz import plot_pathway, save_figure

    save_figure(cast("Figure", plot_pathway(found).figure), file)


def _facts(found: "Pathway", store: str, files: list[Path]) -> dict[str, Any]:
    return {
        "command": "path",
        "store": store,
        "files": [str(file) for file in files],
        "minima": found.minima,
        "transition_states": found.transition_states,
        "highest": found.highest,
        "barrier": found.barrier,
        "length": found.length,
        "points": len(found.points),
        "steps": found.steps.to_dict("records"),
        "detours": [vars(detour) for detour in found.detours],
    }


def _tell_detours(found: "Pathway", *, quiet: bool) -> None:
    for detour in found.detours:
        ends = " and ".join(str(end) if end >= 0 else "an unknown one" for end in detour.found)
        talk(quiet=quiet).print(
            f"[yellow]note:[/] steepest descent from transition state {detour.transition_state} "
            f"leads to minima {ends}; to reach {detour.stored[0]} and {detour.stored[1]}, as "
            "stored, the path follows a quench there"
        )


def _show(found: "Pathway") -> None:
    """The steps, for people."""
    from rich.table import Table

    unit = f" / {found.energy_unit}" if found.energy_unit else ""
    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = ("from", "over", "to", f"barrier{unit}", f"back{unit}", "length", "moved", "movers")
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in found.steps.to_dict("records"):
        table.add_row(
            str(row["minimum_a"]),
            str(row["transition_state"]),
            str(row["minimum_b"]),
            f"{row['barrier']:.6f}",
            f"{row['barrier_back']:.6f}",
            f"{row['length']:.4f}",
            f"{row['largest_displacement']:.4f}",
            f"{row['cooperativity']:.2f}",
        )
    data().print(table)
