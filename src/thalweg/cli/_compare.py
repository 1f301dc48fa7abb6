"""`thalweg compare`: fitted force fields against each other, and their landscapes."""

from pathlib import Path
from typing import Annotated

import typer

from . import _options as options
from ._front import draw_front, front_facts, label_timing, leading, show_front
from ._talk import CliError, check_writable, print_json, reported, talk
from ._values import count


@reported
def compare(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False)],
    axes: Annotated[
        str,
        typer.Option(metavar="A,B", help="Columns that count for the front; -A: large is good."),
    ] = "micros,force_rmse",
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure",
            metavar="FILE",
            show_default=False,
            help="Draw accuracy against speed, as png, pdf or svg.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Compare the force fields that `thalweg fit` measured: which ones does no other beat?"""
    if not folder.is_dir():
        raise CliError(f"there is no folder {folder}", "`thalweg fit MOLECULE -o DIR` makes one")
    if figure is not None:
        check_writable(figure)
        if figure.suffix.lower() not in (".png", ".pdf", ".svg"):
            raise CliError(f"{figure}: a figure ends in .png, .pdf or .svg")
    from ._runtime import prepare_jax

    prepare_jax()
    from thalweg.workflows import read_front

    front = read_front(folder, [part.strip() for part in axes.split(",")])
    anchor = label_timing(folder)
    if figure is not None:
        draw_front(front, anchor, figure)
    facts = front_facts("compare", folder, front, anchor)
    if as_json:
        print_json(facts | {"figure": None if figure is None else str(figure)})
    else:
        show_front(front, anchor)
    drawn = f", drawn in [bold]{figure}[/]" if figure is not None else ""
    talk(quiet=quiet).print(
        f"{len(front.best)} of {count(len(front.records), 'force field')} "
        f"{'is' if len(front.best) == 1 else 'are'} on the front: {leading(front)}{drawn}."
    )
