"""`thalweg map` of a dynamics: attractors, saddles and what leads where."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _certify as circuits
from ._find import load_object
from ._flow import draw, graph_json
from ._interrupt import Interrupts
from ._talk import EXIT_FAILED, CliError, print_json, talk
from ._tree import FIGURES
from ._values import count

if TYPE_CHECKING:
    from thalweg.circuits import NamedCircuit
    from thalweg.landscape import FlowGraph


def find_dynamics(text: str) -> "NamedCircuit | None":
    """The dynamics that was meant; `None` if it is something else, a system most likely.

    Raises:
        CliError: if a file or a name in it is missing.
    """
    if ":" not in text and _is_system(text):
        return None  # without loading the circuits
    from thalweg.circuits import NamedCircuit, circuit, circuit_names
    from thalweg.core import AbstractDynamics, AbstractMap

    if text.endswith(".npz"):
        return circuits._find(text)
    if ":" not in text:
        return circuit(text) if text.strip().lower() in circuit_names() else None
    found = load_object(text)
    if isinstance(found, NamedCircuit):
        return found
    if isinstance(found, AbstractDynamics | AbstractMap):
        return NamedCircuit(text.rpartition(":")[2], found)
    return None


def _is_system(name: str) -> bool:
    from thalweg.core import UnknownSystemError
    from thalweg.energies import system

    try:
        system(name)
    except UnknownSystemError:
        return False
    return True


def check_wishes(wishes: dict[str, Any], figure: Path | None) -> None:
    """Refuse what a map of a flow cannot be told.

    Raises:
        CliError: if an option that needs an energy was given, or the figure has a wrong ending.
    """
    foreign = [name for name, wish in wishes.items() if wish is not None and name != "key"]
    if foreign:
        option = "--" + foreign[0].replace("_", "-")
        raise CliError(
            f"{option} goes with an energy, and this is a dynamics",
            "a dynamics takes --drive, --dof, --key, --figure and -o",
        )
    if figure is not None and figure.suffix.lower() not in FIGURES:
        raise CliError(f"{figure}: a figure ends in .png, .pdf or .svg", f"{figure.stem}.png")


def map_dynamics(
    found: "NamedCircuit",
    store: str,
    drive: str | None,
    dof: int | None,
    key: int,
    figure: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Map, talk about it, and return the exit code."""
    import jax.numpy as jnp

    from thalweg.workflows import FlowMapConfig, map_flow

    console = talk(quiet=quiet)
    used = found.drive if drive is None else jnp.asarray(circuits._numbers(drive))
    console.print(f"{found.name}: a dynamics; its graph goes to [bold]{store}[/]")
    stop = Interrupts(
        lambda: console.print("finishing the step in hand, then stopping"), lambda: None
    )
    with stop:
        graph = map_flow(
            found.circuit, store, used, FlowMapConfig(key=key), name=found.name, dof=dof,
            report=lambda said: console.print(said, markup=False), interrupted=stop.asked,
        )  # fmt: skip
    if figure is not None and graph.nodes:
        draw(graph, figure)
    where = f", drawn in [bold]{figure}[/]" if figure is not None and graph.nodes else ""
    console.print(
        f"{graph}; of {count(graph.starts, 'random start')} {graph.blown_up} blew up and "
        f"{graph.undecided} stayed undecided; stored in [bold]{store}[/]{where}."
    )
    if as_json:
        print_json(facts(graph, store, figure))
    if stop.received:
        return 128 + stop.received
    return 0 if graph.attractors else EXIT_FAILED


def facts(graph: "FlowGraph", store: str, figure: Path | None) -> dict[str, Any]:
    """The graph as data."""
    return {
        "command": "map",
        "dynamics": graph.name,
        "store": store,
        "figure": None if figure is None else str(figure),
        **graph_json(graph),
    }
