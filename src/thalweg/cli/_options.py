"""Options that several commands share: one spelling, one type and one sentence for each."""

from typing import Annotated

import typer

# Of every command

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless it is an error.")]
Traceback = Annotated[
    bool, typer.Option("--traceback", "-T", help="Show where an error came from.")
]
Key = Annotated[int, typer.Option("--key", metavar="N", help="Seed of all random numbers.")]

# Of a store

Store = Annotated[str, typer.Argument(metavar="STORE", show_default=False)]

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
        help="Energy of a file of atoms: mmff (organic molecules), amber14 (PDB files), a "
        "fitted force field's .npz, emt, lj, or module:function that makes an ASE calculator.",
    ),
]

# Of a dynamics

Circuit = Annotated[
    str,
    typer.Argument(
        metavar="CIRCUIT",
        show_default=False,
        help="A name of the catalogue, an .npz file, or module:attribute.",
    ),
]

Drive = Annotated[
    str | None,
    typer.Option(
        "--drive",
        metavar="X,Y,…",
        show_default=False,
        help="Constant drive of a dynamics. Default: that of the catalogue or the file.",
    ),
]

Dof = Annotated[
    int | None,
    typer.Option(
        "--dof",
        metavar="N",
        min=1,
        show_default=False,
        help="Number of coordinates, for a dynamics that does not say it.",
    ),
]

Scale = Annotated[
    float | None,
    typer.Option(
        "--scale",
        metavar="S",
        show_default=False,
        help="Standard deviation of random starts. Default: what the circuit proposes, else 1.",
    ),
]
