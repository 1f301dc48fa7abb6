"""`thalweg network`: the minima as the nodes of a graph."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._talk import (
    EXIT_FAILED,
    CliError,
    check_store,
    complain,
    data,
    print_json,
    reported,
    talk,
)
from ._values import count

if TYPE_CHECKING:
    from thalweg.landscape import NetworkStatistics


@reported
def network(
    store: options.Store,
    sources: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            show_default=False,
            help="Minima from which shortest paths are followed. Default: all up to 2000 minima, "
            "else 500.",
        ),
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print a table of the minima instead.")
    ] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Describe the network of minima as a graph.

    Degrees, clustering, path lengths and correlations of the component of the global minimum,
    beside those of a random graph of the same size.
    """
    check_store(store)
    if csv and as_json:
        raise CliError("--csv and --json both want standard output", "choose one")
    from thalweg.landscape import Landscape, network_statistics

    with Landscape.open(store) as landscape:
        if landscape.network.n_minima == 0:
            complain(f"{store} holds no minima", "map the system first")
            raise typer.Exit(EXIT_FAILED)
        found = network_statistics(landscape.network, sources=sources)
    if as_json:
        distribution = found.degree_distribution.to_dict("records")
        facts = {"command": "network", "store": store, **found.summary}
        print_json({**facts, "degree_distribution": distribution})
    elif csv:
        found.frame.to_csv(sys.stdout, index=False)
    elif not quiet:
        _show(found)
    left = f"; {count(found.n_left_out, 'minimum')} of other pieces left out"
    talk(quiet=quiet).print(
        f"{count(found.n_nodes, 'minimum')} and {count(found.n_edges, 'edge')}, mean degree "
        f"{found.mean_degree:.2f}{left if found.n_left_out else ''}."
    )


def _show(found: "NetworkStatistics") -> None:
    """The same for people."""
    from rich.text import Text

    hub = int(found.degrees.argmax())
    lines: list[tuple[str, Any]] = [
        ("graph", f"{count(found.n_nodes, 'minimum')}, {count(found.n_edges, 'edge')}"),
        (
            "dropped",
            f"{found.n_degenerate:,} degenerate and {found.n_parallel:,} parallel of "
            f"{count(found.n_transition_states, 'transition state')}",
        ),
        (
            "degree",
            f"mean {found.mean_degree:.2f}, largest {found.degrees[hub]:,} (minimum "
            f"{found.ids[hub]})",
        ),
        (
            "clustering",
            f"{found.clustering:.4f} (random graph {found.random_clustering:.4f}), transitivity "
            f"{found.transitivity:.4f}",
        ),
        (
            "paths",
            f"mean {found.mean_path:.3f} (random graph {found.random_path:.3f}), diameter "
            f"{'at least ' if found.sampled else ''}{found.diameter}"
            + (f", from {found.n_sources:,} sampled minima" if found.sampled else ""),
        ),
        ("small world", f"{found.small_world:.2f}"),
        (
            "correlation",
            f"of degrees at the ends of an edge {found.assortativity:.3f}, of degree "
            f"with energy {found.energy_correlation:.3f}",
        ),
    ]
    console = data()
    for name, text in lines:
        console.print(Text.assemble((f"{name:<13}", "bold"), text), soft_wrap=True)
