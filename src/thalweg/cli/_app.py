"""The commands."""

from typing import Annotated

import typer

from ._cite import cite
from ._files import export, import_
from ._info import info
from ._map import map_
from ._systems import systems
from ._tree import tree

app = typer.Typer(
    name="thalweg",
    help="A laboratory for energy landscapes: find the stationary points of any energy, certify "
    "and connect them, and learn how many are still missing.",
    epilog="Begin with: thalweg map lj13 --budget 60s, then: thalweg tree lj13.db -o lj13.png",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from thalweg import __version__

        typer.echo(f"thalweg {__version__}")
        raise typer.Exit


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


app.command("map")(map_)
app.command("tree")(tree)
app.command("info")(info)
app.command("systems")(systems)
app.command("export")(export)
app.command("import")(import_)
app.command("cite")(cite)


def main() -> None:
    """The command `thalweg`."""
    app(prog_name="thalweg")
