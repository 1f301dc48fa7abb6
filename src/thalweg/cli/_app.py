"""The commands."""

from typing import Annotated

import typer

from ._campaign import campaign
from ._certify import certify
from ._cite import cite
from ._compare import compare
from ._data import data_
from ._files import export, import_
from ._fit import fit
from ._info import info
from ._map import map_
from ._network import network
from ._path import path
from ._points import points
from ._predict import predict
from ._rates import rates
from ._report import report
from ._sample import sample
from ._simulate import simulate
from ._sweep import sweep
from ._systems import systems
from ._thermo import thermo
from ._train import train
from ._tree import tree
from ._volume import volume

app = typer.Typer(
    name="thalweg",
    help="A laboratory for energy landscapes: find the stationary points of any energy, certify "
    "and connect them, and learn how many are still missing.",
    epilog="Begin with `thalweg map lj13 --budget 60s`, then `thalweg tree lj13.db`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> bool:
    if wanted:
        from thalweg import __version__

        typer.echo(f"thalweg {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options that come before the command."""


app.command("map", short_help="Find, certify and connect minima and transition states.")(map_)
app.command("tree", short_help="Draw the disconnectivity graph of a landscape.")(tree)
app.command("thermo", short_help="Say what is occupied at which temperature; heat capacity.")(
    thermo
)
app.command("report", short_help="Write everything about a landscape as one HTML file.")(report)
app.command("path", short_help="Follow the path between two minima.")(path)
app.command("predict", short_help="Say what the minima of a loss predict, and how well.")(predict)
app.command("sweep", short_help="Map several systems, and draw their trees side by side.")(sweep)
app.command("network", short_help="Describe the network of minima as a graph.")(network)
app.command("points", short_help="Find stationary points of every index of a small system.")(points)
app.command("info", short_help="Say what a landscape holds and what is missing.")(info)
app.command("rates", short_help="Say how fast it moves between minima, and by which path.")(rates)
app.command("sample", short_help="Sample a weight that is seen through noise.")(sample)
app.command("volume", short_help="Measure how big the basin of a minimum is.")(volume)
app.command("certify", short_help="Say how stable a circuit is, and what proves it.")(certify)
app.command("simulate", short_help="Follow a circuit in time, with or without noise.")(simulate)
app.command("train", short_help="Train a circuit or a peer, and say whether it is stable.")(train)
app.command("data", short_help="Fetch a data set: mnist.")(data_)
app.command("fit", short_help="Fit force fields to a molecule, and measure them.")(fit)
app.command("compare", short_help="Compare measured force fields: accuracy against speed.")(compare)
app.command("systems", short_help="List the systems of the catalogue.")(systems)
app.command("export", short_help="Write PATHSAMPLE files, xyz, npz or CSV.")(export)
app.command("import", short_help="Read PATHSAMPLE files into a new store.")(import_)
app.add_typer(campaign, name="campaign", short_help="Sample conditions in a laboratory.")
app.command("cite", short_help="List the papers behind the methods.")(cite)


def main() -> None:
    """The command `thalweg`."""
    app(prog_name="thalweg")
