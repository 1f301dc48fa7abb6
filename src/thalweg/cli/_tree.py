"""`thalweg tree`: the disconnectivity graph as a figure."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from . import _options as options
from ._flow import draw, graph_json, refuse
from ._talk import (
    EXIT_FAILED,
    CliError,
    check_store,
    check_writable,
    complain,
    print_json,
    reported,
    talk,
)
from ._values import count, energy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from thalweg.landscape import Landscape, TransitionNetwork

FIGURES = (".png", ".pdf", ".svg")
"""Endings of figures."""

_LEVELS = "64"
"""Energy levels unless others are asked for."""


class Color(enum.StrEnum):
    """What the colours of a tree may show."""

    energy = "energy"
    order = "order"
    hits = "hits"
    log_product = "log_product"
    piece = "piece"


_MEANINGS = {
    Color.energy: "Energy",
    Color.order: "Order of the point group",
    Color.hits: "Searches that ended there, log₁₀",
    Color.log_product: "Log-product of curvatures",
    Color.piece: "Piece",
}


@reported
def tree(
    store: options.Store,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default=False,
            help="Figure to write: .png, .pdf or .svg. Default: STORE.png",
        ),
    ] = None,
    levels: Annotated[
        str,
        typer.Option(
            metavar="N", help="Number of energy levels, or 'exact' for the merge tree itself."
        ),
    ] = _LEVELS,
    e_max: Annotated[
        float | None,
        typer.Option(
            metavar="E", show_default=False, help="Leave out what lies above this energy."
        ),
    ] = None,
    color: Annotated[
        Color | None, typer.Option(show_default=False, help="Colour the branches by this.")
    ] = None,
    labels: Annotated[
        int, typer.Option(metavar="N", help="Label so many of the lowest minima with their ids.")
    ] = 0,
    temperature: Annotated[
        float | None,
        typer.Option(
            metavar="T", show_default=False, help="Draw free energies at this temperature."
        ),
    ] = None,
    regroup: Annotated[
        float | None,
        typer.Option(
            metavar="B",
            show_default=False,
            help="With --temperature: join minima separated by a free-energy barrier of at most B.",
        ),
    ] = None,
    modes: options.Modes = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Draw the pieces beside that of the global minimum as well."),
    ] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Draw the disconnectivity graph of a landscape.

    Two minima join at the lowest energy at which a path leads from one to the other; with
    --temperature, at the lowest free energy. A flow has no energy and no tree: its attractors and
    saddles are drawn, and what leads where.
    """
    check_store(store)
    target = output or Path(Path(store).stem + ".png" if "://" not in store else "tree.png")
    if target.suffix.lower() not in FIGURES:
        raise CliError(f"{target}: a figure ends in .png, .pdf or .svg", f"-o {target.stem}.png")
    check_writable(target)
    grid = _parse_levels(levels)
    _check_temperature(temperature, regroup, modes, color)
    from thalweg.landscape import Landscape, disconnectivity_tree

    with Landscape.open(store) as landscape:
        if landscape.header.kind == "flow":
            refuse(
                store, temperature=temperature, e_max=e_max, color=color, all=everything,
                levels=None if levels == _LEVELS else levels, labels=labels or None,
            )  # fmt: skip
            _draw_flow(landscape, store, target, as_json=as_json, quiet=quiet)
            return
        network = landscape.network
        if temperature is not None and network.n_minima:
            network = _free_energies(landscape, temperature, regroup, modes)
        drawn = disconnectivity_tree(
            network,
            levels=grid,
            e_max=e_max,
            components="all" if everything else "global",
        )
        if drawn.n_leaves == 0:
            complain(
                f"there is no tree to draw: {drawn.message}",
                "raise --e-max" if landscape.network.n_minima else "map the system first",
            )
            raise typer.Exit(EXIT_FAILED)
        _draw(landscape, drawn, target, color, labels, temperature)
        unit = landscape.header.energy_unit
    facts = {
        "command": "tree",
        "store": store,
        "file": str(target),
        "leaves": drawn.n_leaves,
        "roots": len(drawn.roots),
        "temperature": temperature,
        "regroup": regroup,
        "lowest_energy": float(drawn.height[: drawn.n_leaves].min()),
        "left_out": drawn.message,
    }
    console = talk(quiet=quiet)
    what = count(drawn.n_leaves, "minimum" if regroup is None else "group")
    where = "" if temperature is None else f" of free energy at T = {temperature:g}"
    console.print(
        f"{what} from {energy(facts['lowest_energy'], unit)}{where} up"
        f"{f' ({drawn.message})' if drawn.message else ''}, drawn in [bold]{target}[/]."
    )
    if as_json:
        print_json(facts)


def _draw_flow(
    landscape: "Landscape", store: str, target: Path, *, as_json: bool, quiet: bool
) -> None:
    """The graph of a flow in place of a tree."""
    graph = landscape.flow
    if not graph.nodes:
        complain(f"{store} holds no rest or cycle", "map the dynamics first, from more starts")
        raise typer.Exit(EXIT_FAILED)
    draw(graph, target)
    talk(quiet=quiet).print(f"{graph}; drawn in [bold]{target}[/].")
    if as_json:
        print_json({"command": "tree", "store": store, "file": str(target), **graph_json(graph)})


def _parse_levels(text: str) -> int | None:
    if text.strip().lower() == "exact":
        return None
    if not text.strip().isdecimal() or int(text) < 1:
        raise CliError(f"--levels {text}: expected a positive number or 'exact'")
    return int(text)


def _check_temperature(
    temperature: float | None, regroup: float | None, modes: int | None, color: Color | None
) -> None:
    """Refuse what does not go together."""
    if temperature is None:
        if regroup is not None or modes is not None:
            raise CliError("--regroup and --modes go with --temperature", "add --temperature T")
        return
    if not temperature > 0:
        raise CliError(f"--temperature {temperature:g} is not positive")
    if regroup is not None and regroup < 0:
        raise CliError(f"--regroup {regroup:g} is negative")
    if color is not None:
        raise CliError(
            "--color shows properties of the energy landscape, not of free energies",
            "leave --color out",
        )


def _free_energies(
    landscape: "Landscape", temperature: float, regroup: float | None, modes: int | None
) -> "TransitionNetwork":
    from thalweg.thermo import HarmonicEnsemble, free_energy_network

    ensemble = HarmonicEnsemble.of(landscape, modes=modes)
    return free_energy_network(ensemble, temperature, barrier=regroup)


def _draw(
    landscape: "Landscape",
    drawn: Any,
    target: Path,
    color: Color | None,
    labels: int,
    temperature: float | None,
) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from thalweg.viz import plot_tree, save_figure

    unit = landscape.header.energy_unit
    name = "Energy" if temperature is None else "Free energy"
    axes = plot_tree(
        drawn,
        color=None if color is None else _colour_values(landscape, color),
        color_label="" if color is None else _MEANINGS[color],
        labels=labels,
        energy_label=f"{name} / {unit}" if unit else name,
    )
    save_figure(cast("Figure", axes.figure), target)


def _colour_values(landscape: "Landscape", color: Color) -> Any:
    """One value for each minimum; numbers for a scale, texts for groups."""
    import numpy as np

    network = landscape.network
    if color is Color.order:
        return network.orders.astype(str)
    if color is Color.piece:
        return network.components.astype(str)
    if color is Color.hits:
        return np.log10(np.maximum(network.hits, 1).astype(float))
    return network.energies if color is Color.energy else network.log_products
