"""`thalweg predict`: what the minima of a loss predict, and how well."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._find import check_system
from ._runtime import prepare_jax
from ._system_of import system_of
from ._talk import CliError, check_store, check_writable, data, print_json, reported, talk
from ._tree import FIGURES
from ._values import count

if TYPE_CHECKING:
    import pandas as pd

    from thalweg.core import System
    from thalweg.learning import EnsembleScores, LearningData, LossReading

_SHOWN = {
    "id": "id",
    "energy": "energy",
    "test_loss": "loss",
    "test_accuracy": "accuracy",
    "test_auc": "AUC",
    "lowest_curvature": "lowest",
    "condition": "condition",
    "log_determinant": "ln det",
    "barrier": "barrier",
    "log_volume": "ln vol",
}
"""Columns for people, with headings that fit into 80; training scores stand in without a test."""


@reported
def predict(
    store: options.Store,
    test: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            show_default=False,
            help="Held-out data: .npz with inputs and targets, .csv whose rows are target, "
            "inputs, or module:object. Default: those that the catalogue keeps for the system.",
        ),
    ] = None,
    rows: Annotated[
        int, typer.Option(metavar="N", min=1, help="Minima to print, the lowest first.")
    ] = 20,
    volumes: Annotated[
        str | None,
        typer.Option(
            metavar="IDS",
            show_default=False,
            help="Measure the basins of these minima, such as 0,3; takes a while.",
        ),
    ] = None,
    calls: Annotated[
        int, typer.Option(metavar="N", min=1000, help="About how many quenches for each basin.")
    ] = 2_000,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            "-t",
            metavar="T",
            show_default=False,
            help="Weigh ensembles by the occupations at this temperature. Default: equally.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default=False,
            help="Figure (.png, .pdf, .svg), or table of all minima (.csv).",
        ),
    ] = None,
    key: options.Key = 0,
    system: options.System = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Say what the minima of a loss predict, how well, and where they disagree.

    For each minimum: loss, accuracy and area under the ROC curve on training and held-out data,
    curvatures, and the barrier towards the global minimum. For all: which data flip between minima,
    what ensembles of them gain, and whether flat minima predict better.
    """
    check_store(store)
    if output is not None:
        if output.suffix.lower() not in (*FIGURES, ".csv"):
            raise CliError(f"{output}: expected .png, .pdf, .svg or .csv", f"-o {output.stem}.png")
        check_writable(output)
    if temperature is not None and not temperature > 0:
        raise CliError(f"--temperature {temperature:g} is not positive")
    measured = _ids(volumes)
    if system is not None:
        check_system(system, None)
    prepare_jax()
    console = talk(quiet=quiet)
    reading, held_out = _read(
        store, system, test, temperature, key, measured, calls, lambda text: console.print(text)
    )
    if output is not None:
        _write(reading, output)
    if as_json:
        print_json(_facts(reading, store, held_out, output))
    elif not quiet:
        _show(reading, rows)
    written = f", written to [bold]{output}[/]" if output is not None else ""
    console.print(_closing(reading, held_out) + written + ".")


def _ids(text: str | None) -> list[int]:
    parts = [] if text is None else [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise CliError(f"--volumes {text}: expected ids such as 0,3")
    return [int(part) for part in parts]


def _read(
    store: str,
    named: str | None,
    test: str | None,
    temperature: float | None,
    key: int,
    volumes: list[int],
    calls: int,
    say: Any,
) -> tuple["LossReading", str]:
    from thalweg.landscape import Landscape
    from thalweg.learning import read_loss

    with Landscape.open(store) as landscape:
        landscape.store.require("energy")
        found = system_of(landscape.header, store, named, None)
        held_out = _test_data(test, found)
        reading = read_loss(
            landscape, found, held_out, temperature=temperature, key=key, volumes=volumes,
            volume_calls=calls, report=say,
        )  # fmt: skip
    where = test if test is not None else f"the test data of {found.name}"
    return reading, f"{where} ({count(len(held_out), 'row')})" if held_out is not None else ""


def _test_data(text: str | None, system: "System") -> "LearningData | None":
    """The held-out data that were named, or those that belong to the system's name."""
    from thalweg.learning import LearningData, LossEnergy, held_out_data, read_data

    if text is None:
        return held_out_data(system.name)
    energy = system.energy
    if Path(text).suffix.lower() in (".npz", ".csv"):
        classes = energy.data.classes if isinstance(energy, LossEnergy) else None
        return read_data(text, classes=classes)
    if ":" not in text:
        raise CliError(f"--test {text}: expected an .npz or .csv file, or module:object")
    from ._find import load_object

    made = load_object(text)
    if not isinstance(made, LearningData) and callable(made):
        made = made()
    if not isinstance(made, LearningData):
        raise CliError(f"--test {text} is a {type(made).__name__}, expected a LearningData")
    return made


def _write(reading: "LossReading", file: Path) -> None:
    if file.suffix.lower() == ".csv":
        reading.table().to_csv(file, index=False)
        return
    import matplotlib as mpl

    mpl.use("agg")
    from thalweg.viz import plot_predictions, save_figure

    save_figure(plot_predictions(reading), file)


def _records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _facts(
    reading: "LossReading", store: str, held_out: str, output: Path | None
) -> dict[str, Any]:
    """Everything that was read, as data."""
    facts: dict[str, Any] = {
        "command": "predict",
        "store": store,
        "system": reading.name,
        "test": held_out or None,
        "file": None if output is None else str(output),
        "minima": _records(reading.table()),
        "notes": reading.notes,
    }
    if reading.agreement is not None:
        facts["pairs"] = _records(reading.agreement.table())
        facts["flips"] = _records(reading.agreement.flips_table())
    if reading.ensembles is not None:
        facts["ensembles"] = _records(reading.ensembles.table())
        facts["first"] = reading.ensembles.first
    if reading.thermal is not None:
        facts["peaks"] = _records(reading.thermal.peaks_table())
    if reading.correlation is not None:
        facts["correlation"] = _records(reading.correlation.table())
    return facts


def _show(reading: "LossReading", rows: int) -> None:
    """The tables, for people."""
    frame = reading.table()
    prefix = "train_" if reading.test is None else "test_"
    names = {name.replace("test_", prefix): heading for name, heading in _SHOWN.items()}
    columns = [name for name in names if name in frame]
    _table(frame.loc[: rows - 1, columns].rename(columns=names))
    if len(frame) > rows:
        data().print(f"… and {count(len(frame) - rows, 'more minimum')}")
    if reading.ensembles is not None and len(reading.ensembles.sizes) > 1:
        _heading("ensembles of the lowest minima, gain over the lowest (95 %)")
        found = reading.ensembles
        head = ["n", *(part for m in found.measures for part in (m, "gain"))]
        _print(
            head,
            [
                [
                    str(size),
                    *(text for m in range(len(found.measures)) for text in _gain(found, k, m)),
                ]
                for k, size in enumerate(found.sizes.tolist())
            ],
        )
    if reading.correlation is not None:
        _heading("rank correlation with the error")
        _table(reading.correlation.table())
    if reading.thermal is not None and reading.thermal.peaks:
        _heading("peaks of the heat capacity")
        _table(reading.thermal.peaks_table())
    for note in reading.notes:
        talk().print(f"[yellow]note:[/] {note}")


def _gain(found: "EnsembleScores", size: int, measure: int) -> tuple[str, str]:
    """A measure of an ensemble, and its gain over the lowest minimum with its 95 % interval."""
    low, high = found.gain_first[size, measure]
    return (
        f"{found.values[size, measure]:.4f}",
        f"{0.5 * (low + high):+.3f} ± {0.5 * (high - low):.3f}",
    )


def _heading(text: str) -> None:
    console = data()
    console.print()
    console.print(f"[bold]{text}[/]")


def _table(frame: "pd.DataFrame") -> None:
    _print(
        [str(name).replace("_", " ") for name in frame.columns],
        [[_cell(value) for value in row] for row in frame.itertuples(index=False)],
    )


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "-"
    return f"{value:.4g}" if abs(value) >= 1e5 or 0 < abs(value) < 1e-3 else f"{value:.4f}"


def _print(headings: list[str], rows: list[list[str]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    data().print(table)


def _closing(reading: "LossReading", held_out: str) -> str:
    """One sentence, without its full stop."""
    where = f"on {held_out}" if held_out else "on its training data"
    best = int(reading.error.argmin())
    kind = "mean squared error" if reading.predictions.classes is None else "error"
    ids = reading.network.ids[reading.order]
    text = (
        f"{count(len(ids), 'minimum')} {where}: {kind} {reading.error[0]:.4f} at the lowest, "
        f"{reading.error[best]:.4f} at the best (minimum {ids[best]})"
    )
    if reading.agreement is not None and reading.predictions.classes is not None:
        flips = len(reading.agreement.flipping)
        text += f"; {flips:,} of {count(reading.predictions.n_data, 'row')} flip between minima"
    return text
