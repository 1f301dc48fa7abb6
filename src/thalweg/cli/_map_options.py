"""What only `thalweg map` can be told; the defaults are those of `MapConfig.suited_to`."""

from pathlib import Path
from typing import Annotated, Any

import typer


def _option(help_: str, metavar: str = "N") -> Any:
    return typer.Option(help=help_, metavar=metavar, show_default=False)


System = Annotated[
    str,
    typer.Argument(
        metavar="SYSTEM",
        help="A name of the catalogue (see `thalweg systems`), module:object, "
        "path/to/file.py:object, or an .xyz file with --energy.",
        show_default=False,
    ),
]

Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="STORE",
        show_default=False,
        help="File or database URL that receives the landscape; an old one is continued. "
        "Default: SYSTEM.db",
    ),
]

Figure = Annotated[
    Path | None, _option("Draw the graph of a dynamics in this file (.png, .pdf, .svg).", "FILE")
]

# When to stop

Budget = Annotated[
    str | None, _option("Time to work for: 60s, 10m, 1h30m. Default: no limit", "TIME")
]
Minima = Annotated[int | None, _option("Stop when so many minima are known.")]
TransitionStates = Annotated[int | None, _option("Stop when so many transition states are known.")]
Coverage = Annotated[
    float | None,
    _option(
        "Probability that a search ends in a known point at which the map is complete. "
        "Default: 0.9995",
        "P",
    ),
]
Searches = Annotated[
    int | None,
    _option(
        "Searches from every minimum before the map may be complete. Default: suits the system"
    ),
]

# How hard to look

Quenches = Annotated[int | None, _option("Random starts quenched first. Default: suits the system")]
Walkers = Annotated[
    int | None, _option("Basin-hopping walkers; 0 for none. Default: suits the system")
]
Hops = Annotated[int | None, _option("Hops of each walker in a round. Default: suits the system")]
Patience = Annotated[
    int | None,
    _option("Rounds of hopping without a lower energy that end it. Default: suits the system"),
]
Temperature = Annotated[
    float | None, _option("Basin-hopping temperature, in units of energy. Default: 0.8", "T")
]
Climbs = Annotated[
    int | None, _option("Single-ended searches in a round. Default: suits the system")
]
Pairs = Annotated[
    int | None,
    _option(
        "Pairs of minima connected in a round, while there are pieces. Default: suits the system"
    ),
]

# With what

Lanes = Annotated[int | None, _option("Searches advanced at once. Default: what suits the device")]
Workers = Annotated[
    int | None,
    _option("Threads, or with --energy processes. Default: all cores, or with --energy 1"),
]
