"""`thalweg points`: stationary points of every index of a small system."""

from typing import TYPE_CHECKING, Annotated

import typer

from . import _options as options
from ._find import check_system, find_system
from ._runtime import prepare_jax
from ._talk import data, print_json, reported, talk
from ._values import count

if TYPE_CHECKING:
    from thalweg.landscape import StationaryPoints


@reported
def points(
    system: Annotated[
        str,
        typer.Argument(metavar="SYSTEM", show_default=False, help="As for `thalweg map`."),
    ],
    starts: Annotated[
        int, typer.Option(metavar="N", min=1, help="Random starts of Newton's method.")
    ] = 512,
    quenches: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Starts more that are brought to a minimum first."),
    ] = 0,
    key: options.Key = 0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Find stationary points of every index, and check their Morse sum.

    Newton's method from many starts, for systems small enough for dense Hessians. Every point is
    certified; images under the symmetry are one point with so many copies. Points with unexplained
    zero modes are named and not counted.
    """
    check_system(system, None)
    prepare_jax()
    from thalweg.landscape import stationary_points

    found = stationary_points(find_system(system, None, None), starts, key, quenches=quenches)
    if as_json:
        print_json(
            {
                "command": "points",
                "system": system,
                "counts": {str(index): number for index, number in found.counts.items()},
                "distinct": {str(index): number for index, number in found.distinct.items()},
                "morse_sum": found.morse_sum,
                "euler": found.euler,
                "missing": found.missing,
                "coverage": found.coverage,
                "degenerate": found.degenerate.tolist(),
                "starts": found.starts,
                "outcomes": found.outcomes,
                "points": found.table(),
            }
        )
    elif not quiet:
        _show(found)
    talk(quiet=quiet).print(
        f"{count(len(found), 'distinct point')} and {count(sum(found.counts.values()), 'point')} "
        f"with all images from {count(found.starts, 'start')}: {found.statement()}."
    )


def _show(found: "StationaryPoints") -> None:
    """The same for people."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("energy", "index", "copies", "hits", "lowest curvature"):
        table.add_column(heading, justify="right")
    for row in found.table():
        low = row["lowest_curvature"]
        cells = (f"{row['energy']:.8f}", row["index"], row["copies"], row["hits"])
        table.add_row(*map(Text, map(str, cells)), Text("" if low is None else f"{low:.6g}"))
    data().print(table)
