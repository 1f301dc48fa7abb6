"""Options that several commands of a stored landscape share."""

from typing import Annotated

import typer

Modes = Annotated[
    int | None,
    typer.Option(
        "--modes",
        metavar="N",
        min=1,
        show_default=False,
        help="Vibrational modes of each minimum, for landscapes imported without certificates.",
    ),
]

System = Annotated[
    str | None,
    typer.Option(
        "--system",
        metavar="SYSTEM",
        show_default=False,
        help="What was mapped, as for `thalweg map`. Default: the catalogue's system of the "
        "store's name.",
    ),
]

Energy = Annotated[
    str | None,
    typer.Option(
        "--energy",
        metavar="NAME",
        show_default=False,
        help="Energy of an .xyz file given by --system, as for `thalweg map`.",
    ),
]
