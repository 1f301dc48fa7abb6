"""`thalweg path STORE A B` where A or B is a file: a search between two solutions."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._interrupt import Interrupts
from ._runtime import prepare_jax
from ._system_of import system_of
from ._talk import CliError, check_writable, data, print_json, talk
from ._values import count, duration, energy

if TYPE_CHECKING:
    from thalweg.core import System
    from thalweg.workflows import Between, BetweenProgress

_POINTS = (".npz", ".npy", ".eqx")
_FIGURES = (".png", ".pdf", ".svg")


@dataclasses.dataclass(frozen=True)
class Ends:
    """What was typed."""

    store: str
    a: str
    b: str
    system: str | None
    energy: str | None


def is_point(text: str) -> bool:
    """Whether this names a file that holds a point."""
    return Path(text).suffix.lower() in _POINTS


def find_between(
    ends: Ends,
    files: list[Path],
    budget: float | None,
    key: int,
    *,
    csv: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Search for the path between two points, and say what was found.

    Raises:
        CliError: if a file is missing, or nobody says of what system it is.
    """
    for text in (ends.a, ends.b):
        if is_point(text) and not Path(text).is_file():
            raise CliError(f"there is no file {text}", "check the name")
        if not is_point(text) and not text.isdecimal():
            raise CliError(f"{text!r} is neither a file of a point nor the id of a minimum")
    exists = "://" in ends.store or Path(ends.store).is_file()
    if not exists:
        check_writable(Path(ends.store))
        if ends.system is None:
            raise CliError(
                f"there is no store {ends.store} yet, so nobody says what the points are of",
                "name it: --system NAME, module:object or file.py:object",
            )
        if any(text.isdecimal() for text in (ends.a, ends.b)):
            raise CliError(f"there is no store {ends.store}, and so no minimum with an id")
    prepare_jax()
    from thalweg.workflows import path_between

    console = talk(quiet=quiet)
    system = _system(ends, exists=exists)
    points = [_point(text, ends.store, system) for text in (ends.a, ends.b)]

    def report(now: "BetweenProgress") -> None:
        console.print(_line(now, system.units.energy))

    with Interrupts(
        lambda: console.print("stopping after this round; once more ends at once"), lambda: None
    ) as stop:
        found = path_between(
            system, points[0], points[1], ends.store, key=key, budget=budget, report=report,
            interrupted=stop.asked,
        )  # fmt: skip
    for file in files:
        _write(found, file, system)
    if as_json:
        print_json(_facts(found, ends, files))
    elif csv:
        found.table().to_csv(sys.stdout, index=False)
    elif not quiet:
        _show(found)
    written = f", written to [bold]{', '.join(map(str, files))}[/]" if files else ""
    console.print(_closing(found, ends.store, system.units.energy) + written + ".")


def _system(ends: Ends, *, exists: bool) -> "System":
    if not exists:
        from ._find import find_system

        assert ends.system is not None
        return find_system(ends.system, ends.energy, None)
    from thalweg.landscape import Landscape

    with Landscape.open(ends.store) as landscape:
        landscape.store.require("energy")
        return system_of(landscape.header, ends.store, ends.system, ends.energy)


def _point(text: str, store: str, system: "System") -> Any:
    if is_point(text):
        from thalweg.io import read_point

        return read_point(text, system)
    from thalweg.landscape import Landscape

    with Landscape.open(store) as landscape:
        return landscape.minimum(int(text)).x


def _line(now: "BetweenProgress", unit: str) -> str:
    """Where the search stands."""
    import math

    way = "no path yet"
    if math.isfinite(now.barrier):
        way = f"highest transition state {energy(now.barrier, unit)}"
    return (
        f"round {now.round}: {count(now.minima, 'minimum')}, "
        f"{count(now.transition_states, 'transition state')}, {way}, {duration(now.seconds)}"
    )


def _write(found: "Between", file: Path, system: "System") -> None:
    if file.suffix.lower() not in _FIGURES:
        if found.pathway is None:
            raise CliError(f"there is no path to write to {file}", "name a figure instead")
        from thalweg.io import write_pathway

        write_pathway(found.pathway, file)
        return
    import matplotlib as mpl

    mpl.use("agg")
    from typing import cast

    from matplotlib.figure import Figure

    from thalweg.viz import Profile, plot_profiles, save_figure

    lines = [
        Profile(name=name, fractions=line.fractions, energies=line.energies)
        for name, line in (("straight line", found.straight), ("aligned line", found.aligned))
    ]
    unit = system.units.energy
    axes = plot_profiles(
        found.pathway, lines, energy_label=f"Energy / {unit}" if unit else "Energy"
    )
    save_figure(cast(Figure, axes.figure), file)


def _facts(found: "Between", ends: Ends, files: list[Path]) -> dict[str, Any]:
    way = found.pathway
    return {
        "command": "path",
        "store": ends.store,
        "system": found.name,
        "files": [str(file) for file in files],
        "ends": [ends.a, ends.b],
        "minima": found.ids,
        "energies": found.energies,
        "given_energies": found.given,
        "moved": found.moved,
        "same": found.same,
        "distance": found.distance,
        "aligned_distance": found.aligned_distance,
        "barriers": found.barriers,
        "ways": found.table().to_dict("records"),
        "path": None
        if way is None
        else {"minima": way.minima, "transition_states": way.transition_states},
        "known_minima": found.network.n_minima,
        "known_transition_states": found.network.n_transition_states,
        "stopped": found.stopped,
        "seconds": found.seconds,
    }


def _show(found: "Between") -> None:
    """The ends and the ways, for people."""
    import math

    from rich.table import Table

    console = data()
    for name, place in (("A", 0), ("B", 1)):
        console.print(
            f"{name}: minimum {found.ids[place]}, energy {found.energies[place]:.6f} "
            f"(given {found.given[place]:.6f}, {found.moved[place]:.4g} away)"
        )
    console.print(
        f"distance {found.distance:.4f}, {found.aligned_distance:.4f} after alignment modulo "
        "symmetry\n"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("way", "highest", "barrier", "above the chord", "length"):
        table.add_column(heading, justify="left" if heading == "way" else "right")

    def text(value: float) -> str:
        return f"{value:.6f}" if math.isfinite(value) else "-"

    for row in found.table().to_dict("records"):
        table.add_row(
            str(row["way"]), *(text(row[k]) for k in ("highest", "barrier", "bulge", "length"))
        )
    console.print(table)


def _closing(found: "Between", store: str, unit: str) -> str:
    """One sentence, without its full stop."""
    if found.same:
        return (
            f"Both lead to minimum {found.ids[0]} (energy {energy(found.energies[0], unit)}): one "
            "solution, up to the symmetry of the system"
        )
    if found.pathway is None:
        return (
            f"No path found yet between minima {found.ids[0]} and {found.ids[1]} "
            f"({found.stopped}); the same command goes on from {store}"
        )
    return (
        f"A barrier of {energy(found.barrier, unit)} above the higher minimum, over "
        f"{count(found.pathway.n_steps, 'transition state')}; the straight line rises by "
        f"{found.straight.barrier:.6f}, the aligned one by {found.aligned.barrier:.6f}"
    )
