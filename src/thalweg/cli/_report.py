"""`thalweg report`: everything about a landscape in one HTML file."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import _options as options
from ._find import check_system, find_system
from ._flow import graph_json, refuse
from ._runtime import prepare_jax
from ._talk import (
    CliError,
    check_store,
    check_writable,
    print_json,
    reported,
    talk,
)
from ._values import count, duration, size

if TYPE_CHECKING:
    from thalweg.landscape import Landscape


@reported
def report(
    store: options.Store,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default=False,
            help="File to write, ending in .html. Default: STORE.html",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            metavar="T",
            show_default=False,
            help="Temperature of occupations and rates. Default: where the lowest minima compete.",
        ),
    ] = None,
    start: Annotated[
        int | None,
        typer.Option(
            "--from",
            metavar="A",
            show_default=False,
            help="Id of the minimum where the path begins. Default: the deepest but one.",
        ),
    ] = None,
    end: Annotated[
        int | None,
        typer.Option(
            "--to",
            metavar="B",
            show_default=False,
            help="Id of the minimum where it ends. Default: the global minimum.",
        ),
    ] = None,
    modes: options.Modes = None,
    system: options.System = None,
    energy: options.Energy = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Write everything known about a landscape as one HTML file that needs no network.

    It holds the disconnectivity graph, the states with their evidence, thermodynamics, kinetics, a
    path, and what is probably missing. Of a flow: its graph, and rests and cycles with their
    evidence.
    """
    check_store(store)
    target = output or Path(Path(store).stem + ".html" if "://" not in store else "report.html")
    if target.suffix.lower() not in (".html", ".htm"):
        raise CliError(f"{target}: a report ends in .html", f"-o {target.stem}.html")
    check_writable(target)
    if system is not None:
        check_system(system, energy)
    elif energy is not None:
        raise CliError("--energy goes with --system", "name the file of atoms: --system FILE.xyz")
    began = time.perf_counter()
    prepare_jax()
    from thalweg.landscape import Landscape
    from thalweg.viz import Unavailable, write_report
    from thalweg.workflows import ReportConfig, gather_report, report_flow

    config = ReportConfig(temperature=temperature, start=start, end=end, modes=modes)
    known = None if system is None else find_system(system, energy, None)
    with Landscape.open(store) as landscape:
        if landscape.header.kind == "flow":
            wishes = {"temperature": temperature, "from": start, "to": end, "modes": modes}
            refuse(store, **wishes, system=system)
            import matplotlib as mpl

            mpl.use("agg")
            report_flow(landscape, target)
            _close_flow(landscape, store, target, as_json=as_json, quiet=quiet)
            return
        gathered = gather_report(landscape, config, system=known)
    write_report(gathered, target)
    sections = {name: getattr(gathered, name) for name in ("thermo", "kinetics", "path")}
    left_out = {
        name: section.reason
        for name, section in sections.items()
        if isinstance(section, Unavailable)
    }
    facts = {
        "command": "report",
        "store": store,
        "file": str(target),
        "minima": gathered.network.n_minima,
        "transition_states": gathered.network.n_transition_states,
        "bytes": target.stat().st_size,
        "seconds": time.perf_counter() - began,
        "left_out": left_out,
    }
    console = talk(quiet=quiet)
    for name, reason in left_out.items():
        console.print(f"no {name}: {reason}", markup=False)
    console.print(
        f"{count(facts['minima'], 'minimum')} and "
        f"{count(facts['transition_states'], 'transition state')} in [bold]{target}[/] "
        f"({size(facts['bytes'])}, {duration(facts['seconds'])})."
    )
    if as_json:
        print_json(facts)


def _close_flow(
    landscape: "Landscape", store: str, target: Path, *, as_json: bool, quiet: bool
) -> None:
    """The last words about the report of a flow."""
    written = target.stat().st_size
    talk(quiet=quiet).print(f"{landscape.flow}; in [bold]{target}[/] ({size(written)}).")
    if as_json:
        facts = {"command": "report", "store": store, "file": str(target), "bytes": written}
        print_json({**facts, **graph_json(landscape.flow)})
