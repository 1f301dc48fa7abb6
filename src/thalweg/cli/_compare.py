"""`thalweg compare`: fitted force fields against each other, and their landscapes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._front import (
    TABLE,
    PlanReporter,
    draw_front,
    front_facts,
    label_timing,
    leading,
    show_front,
    write_facts,
)
from ._interrupt import Interrupts
from ._talk import CliError, check_writable, data, print_json, print_table, reported, talk
from ._values import count, parse_duration

if TYPE_CHECKING:
    from rich.console import Console

    from thalweg.workflows import LandscapeAgreements

_MAPS = "landscapes"
"""Folder of maps, and with `.json` what they say."""


@reported
def compare(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False)],
    axes: Annotated[
        str,
        typer.Option(metavar="A,B", help="Columns that count for the front; -A: large is good."),
    ] = "micros,force_rmse",
    landscapes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            show_default=False,
            help="Map the molecule under these force fields and under the label method as well.",
        ),
    ] = None,
    budget: Annotated[
        str, typer.Option(metavar="TIME", help="Mapping time for each landscape: 90s, 10m.")
    ] = "3m",
    seeds: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Minima and transition states of the last one that the reference begins from.",
        ),
    ] = 40,
    temperature: Annotated[
        float, typer.Option(metavar="T", help="Of what the landscapes mean, in K.")
    ] = 300.0,
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure",
            metavar="FILE",
            show_default=False,
            help="Draw accuracy against speed, as png, pdf or svg.",
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            show_default=False,
            help="Write everything on one page: .html.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Compare the force fields that `thalweg fit` measured: which ones does no other beat?

    With --landscapes their minima, transition states, heat capacities, rates and free energies
    are compared with those of the method they were fitted to. Maps are kept: the same command
    goes on.
    """
    if not folder.is_dir():
        raise CliError(f"there is no folder {folder}", "`thalweg fit MOLECULE -o DIR` makes one")
    for path, endings in ((figure, (".png", ".pdf", ".svg")), (page, (".html", ".htm"))):
        if path is not None:
            check_writable(path)
            if path.suffix.lower() not in endings:
                raise CliError(f"{path}: the name must end in {' or '.join(endings)}")
    if not temperature > 0:
        raise CliError(f"--temperature {temperature:g} is not positive")
    seconds = parse_duration(budget)
    from ._runtime import prepare_jax

    prepare_jax()
    from thalweg.workflows import read_front

    front = read_front(folder, [part.strip() for part in axes.split(",")])
    anchor = label_timing(folder)
    console = talk(quiet=quiet)
    if landscapes:
        names = [part.strip() for part in landscapes.split(",")]
        _agree(folder, names, seconds, seeds, temperature, console)
    agreements = _known(folder)
    if figure is not None:
        draw_front(front, anchor, figure)
    if page is not None:
        from thalweg.viz import write_comparison

        write_comparison(page, folder.name, front, anchor, agreements, _trees(folder, agreements))
    facts = front_facts("compare", folder, front, anchor)
    facts["landscapes"] = None if agreements is None else agreements.to_dict()
    if as_json:
        written = {"figure": figure, "report": page}
        print_json(facts | {name: p if p is None else str(p) for name, p in written.items()})
    else:
        show_front(front, anchor)
        if agreements is not None:
            _show(agreements)
    drawn = "".join(f", drawn in [bold]{path}[/]" for path in (figure, page) if path is not None)
    console.print(
        f"{len(front.best)} of {count(len(front.records), 'force field')} "
        f"{'is' if len(front.best) == 1 else 'are'} on the front: {leading(front)}{drawn}."
    )


def _agree(
    folder: Path,
    names: list[str],
    seconds: float,
    seeds: int,
    temperature: float,
    console: "Console",
) -> None:
    """Map and compare, and keep what was found."""
    from thalweg.io import label_method, molecule
    from thalweg.workflows import AgreementConfig, landscape_agreement, load_fitted

    source = _source(folder)
    found = molecule(source["molecule"], charge=source["charge"])
    force_fields = {name: load_fitted(folder, name) for name in names}
    config = AgreementConfig(
        budget=seconds, reference_budget=2 * seconds, seeds=seeds, temperature=temperature
    )
    with Interrupts(
        lambda: console.print("stopping after this round; once more ends at once"), lambda: None
    ) as interrupts:
        try:
            agreements = landscape_agreement(
                force_fields, found, label_method(source["labels"]), config,
                folder=folder / _MAPS, report=PlanReporter(console), stop=interrupts.asked,
            )  # fmt: skip
        except KeyboardInterrupt:
            console.print(f"stopped; the same command goes on from [bold]{folder / _MAPS}[/].")
            raise typer.Exit(130) from None
    write_facts(folder / f"{_MAPS}.table.json", agreements.to_dict())


def _source(folder: Path) -> dict[str, Any]:
    """Which molecule and labels a folder belongs to."""
    import json

    path = folder / TABLE
    try:
        return json.loads(path.read_text(encoding="utf-8"))["source"]
    except (OSError, ValueError, KeyError, TypeError):
        raise CliError(
            f"{folder} does not say which molecule and labels it belongs to",
            "let `thalweg fit` come to its end there",
        ) from None


def _known(folder: Path) -> "LandscapeAgreements | None":
    import json

    from thalweg.workflows import LandscapeAgreements

    path = folder / f"{_MAPS}.table.json"
    if not path.is_file():
        return None
    try:
        return LandscapeAgreements.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise CliError(f"{path} is damaged: {error}", "delete it") from None


def _trees(folder: Path, agreements: "LandscapeAgreements | None") -> dict[str, Any]:
    """The landscapes that were compared, by name."""
    from thalweg.landscape import Landscape

    if agreements is None:
        return {}
    return {
        record.name: Landscape.open(folder / _MAPS / f"{record.name}.db")
        for record in agreements.records
    }


def _show(agreements: "LandscapeAgreements") -> None:
    """The table of landscapes, for people."""
    cells = [list(record.cells(agreements.temperature)) for record in agreements.records]
    rows = [
        [record.name, *(text for _, text in row)]
        for record, row in zip(agreements.records, cells, strict=True)
    ]
    data().print()
    print_table(["landscape", *(heading for heading, _ in cells[0])], rows)
