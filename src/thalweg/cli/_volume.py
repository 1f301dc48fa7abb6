"""`thalweg volume`: how big the basin of a minimum is."""

import dataclasses
import enum
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._find import check_system, find_system
from ._interrupt import Interrupts
from ._runtime import prepare_jax
from ._talk import (
    CliError,
    check_store,
    data,
    print_json,
    reported,
    talk,
)
from ._values import count, energy

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from thalweg.core import System
    from thalweg.sampling import BasinVolume

_QUENCHES = 128
"""Random starts from which the minima of a system without a store are found."""


class Minimiser(enum.StrEnum):
    """What decides where a point ends."""

    ode = "ode"
    lbfgs = "lbfgs"
    fire = "fire"


_ENDS = {
    Minimiser.ode: "the gradient flow",
    Minimiser.lbfgs: "L-BFGS",
    Minimiser.fire: "FIRE",
}


@dataclasses.dataclass(frozen=True)
class _State:
    """The minimum in question."""

    system: "System"
    number: int
    energy: float
    x: "np.ndarray"
    spread: float
    """How far any particle of any known minimum is from its centroid."""


@reported
def volume(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    state: Annotated[
        int,
        typer.Option(metavar="N", help="Id of the minimum in a store; of a system, by energy."),
    ] = 0,
    minimiser: Annotated[
        Minimiser, typer.Option(help="What decides where a point ends; ode is the gradient flow.")
    ] = Minimiser.ode,
    calls: Annotated[int, typer.Option(metavar="N", help="About how many quenches.")] = 20_000,
    key: options.Key = 0,
    container: Annotated[
        float | None,
        typer.Option(
            metavar="R",
            show_default=False,
            help="Free clusters: count configurations within R of their centroid. "
            "Default: a diameter beyond the known minima.",
        ),
    ] = None,
    system: options.System = None,
    energy_: options.Energy = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Measure the volume of the basin of a minimum: of all that the minimiser takes there.

    NAME is a system, as for `map`, or a store. Ctrl-C ends with what there is.
    """
    is_store = "://" in name or Path(name).suffix == ".db"
    if is_store:
        check_store(name)
    else:
        check_system(name, energy_)
        if system is not None:
            raise CliError("--system goes with a store", "leave it out")
    prepare_jax()
    console = talk(quiet=quiet)
    if is_store:
        found = _from_store(name, state, system, energy_)
    else:
        found = _from_system(find_system(name, energy_, None), state, console)
    region, where = _region(found, container)
    console.print(
        f"minimum {found.number} of {found.system.name}, energy "
        f"{energy(found.energy, found.system.units.energy)}; a point belongs to it if "
        f"{_ENDS[minimiser]} ends there{where}"
    )
    measured = _measure(found, minimiser, calls, key, region, console)
    if as_json:
        print_json(_facts(name, found, minimiser, where, measured))
    else:
        _show(measured)
    console.print(_closing(found, minimiser, measured))


def _measure(
    found: _State, minimiser: Minimiser, calls: int, key: int, region: Any, console: "Console"
) -> "BasinVolume":
    import jax

    from thalweg.sampling import BasinMembership, SteepestDescent, basin_volume
    from thalweg.search import FIRE, LBFGS

    solver = {Minimiser.ode: SteepestDescent, Minimiser.lbfgs: LBFGS, Minimiser.fire: FIRE}
    member = BasinMembership(found.system, found.x, solver[minimiser]())

    def first() -> None:
        console.print("stopping after this batch; once more ends at once")

    with Interrupts(first, lambda: None) as interrupts:
        return basin_volume(
            member, None, jax.random.key(key), calls=calls, region=region, stop=interrupts.asked
        )


def _from_store(name: str, state: int, system: str | None, energy_name: str | None) -> _State:
    """A minimum of a landscape, with its system checked against the fingerprint."""
    from thalweg.core import UnknownSystemError, fingerprint
    from thalweg.landscape import Landscape

    with Landscape.open(name) as landscape:
        header, known = landscape.header, landscape.network.n_minima
        if not 0 <= state < known:
            raise CliError(
                f"{name} has no minimum {state}", f"it holds {count(known, 'minimum')}, from 0"
            )
        minimum = landscape.minimum(state)
        if minimum.x is None:
            raise CliError(f"{name} holds energies only, and a volume needs coordinates")
        spread = max(_spread(x, header.labels) for x in landscape.points("minimum"))
    try:
        found = find_system(header.name if system is None else system, energy_name, None)
    except UnknownSystemError as error:
        raise CliError(
            f"the catalogue has no {header.name!r}, so there is nothing to quench",
            "name what was mapped: --system path/to/file.py:NAME, or an .xyz file and --energy",
        ) from error
    if fingerprint(found) != header.fingerprint:
        raise CliError(
            f"{found.name} is not the system of this landscape ({header.name})",
            "name what was mapped with --system",
        )
    if spread == 0.0:
        spread = _spread(minimum.x, _particles(found))
    return _State(found, state, minimum.energy, minimum.x, spread)


def _from_system(system: "System", state: int, console: "Console") -> _State:
    """The minima that random starts lead to, by energy."""
    import jax
    import numpy as np

    from thalweg.core import Outcome, start_points
    from thalweg.search import certify_many, quench_many

    console.print(f"looking for minima of {system.name} from {_QUENCHES} random starts")
    starts = np.asarray(start_points(system, jax.random.key(0), 0, _QUENCHES))
    ends = quench_many(system, starts)
    good = np.flatnonzero(ends.outcome == Outcome.success)
    good = good[np.argsort(ends.value[good], kind="stable")]
    known: list[Any] = []
    tol = 1e-3 * system.length
    for row in good:
        x = ends.x[row]
        near = 1e-6 * (1.0 + abs(ends.value[row]))
        same = (old for old in known if abs(ends.value[row] - old.value) < near)
        if any(system.symmetry.match(old.x, x, tol) is not None for old in same):
            continue
        (certified,) = certify_many(system, x[None], 0)
        if certified.certificate.outcome is Outcome.success:
            known.append(certified)
    if not 0 <= state < len(known):
        raise CliError(
            f"random starts of {system.name} lead to {count(len(known), 'minimum')}; there is no "
            f"minimum {state}",
            "map the system first, and name the store: `thalweg map`",
        )
    spread = max(_spread(found.x, _particles(system)) for found in known)
    chosen = known[state]
    return _State(system, state, float(chosen.value), np.asarray(chosen.x), spread)


def _particles(system: "System") -> Any:
    return getattr(system.symmetry, "species", ())


def _spread(x: "np.ndarray", particles: Any) -> float:
    import numpy as np

    if not particles:
        return 0.0
    r = x.reshape(len(particles), -1)
    return float(np.linalg.norm(r - r.mean(axis=0), axis=1).max())


def _region(found: _State, radius: float | None) -> tuple[Any, str]:
    """What a volume is counted in: basins of clusters and of surfaces have no end without it."""
    from thalweg.core import BoundsStart, BoxStart, ClusterSymmetry, PeriodicSpace
    from thalweg.sampling import BoxRegion, Container

    system = found.system
    symmetry = system.symmetry
    if isinstance(symmetry, ClusterSymmetry) and symmetry.translation:
        chosen = found.spread + system.length if radius is None else radius
        where = f", and its atoms lie within {chosen:.3g} of their centroid"
        return Container(len(symmetry.species), chosen, symmetry.dim), where
    if radius is not None:
        raise CliError("--container is for free clusters", "leave it out")
    if isinstance(system.space, PeriodicSpace):
        return None, ""
    start = system.start
    if isinstance(start, BoundsStart):
        return BoxRegion(start.lower, start.upper), ", within the box that searches start in"
    if isinstance(start, BoxStart):
        import jax.numpy as jnp

        corner = jnp.full(start.dof, start.half_width)
        return BoxRegion(-corner, corner), ", within the box that searches start in"
    return None, ""


def _facts(
    name: str, found: _State, minimiser: Minimiser, where: str, measured: "BasinVolume"
) -> dict[str, Any]:
    """Everything that the command says, as data."""
    from thalweg import __version__

    first, ladder = measured.hit_or_miss, measured.ladder
    return {
        "thalweg": __version__,
        "command": "volume",
        "name": name,
        "system": found.system.name,
        "state": found.number,
        "energy": found.energy,
        "minimiser": minimiser.value,
        "region": where.removeprefix(", ").removeprefix("and "),
        "log_volume": measured.log_volume,
        "error": measured.error,
        "dim": measured.dim,
        "mean_square": measured.mean_square,
        "mean_square_error": measured.mean_square_error,
        "calls": measured.calls,
        "trusted": measured.trusted,
        "reasons": measured.reasons,
        "stage": measured.stage,
        "difficulty": dataclasses.asdict(measured.difficulty),
        "widths": first.widths,
        "draws": first.draws,
        "hits": first.hits,
        "hit_or_miss": {"log_volume": first.log_volume, "error": 1.96 * first.log_volume_se},
        "ladder": None
        if ladder is None
        else {
            field.name: getattr(ladder, field.name) for field in dataclasses.fields(type(ladder))
        },
        "seconds": measured.seconds,
    }


def _show(measured: "BasinVolume") -> None:
    """The tables, for people."""
    console, hard, first = data(), measured.difficulty, measured.hit_or_miss
    lines = [
        ("log volume", f"{measured.log_volume:.4f} ± {measured.error:.4f} (95 %)"),
        ("dimensions", f"{measured.dim}"),
        (
            "mean square",
            f"{measured.mean_square:.4g} ± {measured.mean_square_error:.2g} from the minimum",
        ),
        ("stage", f"{measured.stage}, {count(measured.calls, 'call')}"),
        ("difficulty", f"C = {hard.sampling:.3g}, C' = {hard.noise:.3g}, radial {hard.radial:.3g}"),
        ("trusted", "yes" if measured.trusted else "NO"),
        *(("", reason) for reason in measured.reasons),
    ]
    for label, text in lines:
        console.print(f"[bold]{label:<12}[/]", end="")
        console.print(text, markup=False, soft_wrap=True)
    console.print()
    _table(
        ("width", "draws", "hits", "share"),
        [
            (f"{width:.4g}", f"{n:,}", f"{hits:,}", f"{hits / n:.4f}")
            for width, n, hits in zip(first.widths, first.draws, first.hits, strict=True)
        ],
    )
    ladder = measured.ladder
    if ladder is not None:
        console.print()
        exchange = [f"{share:.2f}" for share in ladder.exchange] + [""]
        rows = zip(
            ladder.springs, ladder.log_integrals, ladder.mean_square, ladder.acceptance, exchange,
            strict=True,
        )  # fmt: skip
        _table(
            ("spring", "log integral", "mean square", "accepted", "exchanged"),
            [(f"{k:.4g}", f"{z:.4f}", f"{r2:.4g}", f"{a:.2f}", x) for k, z, r2, a, x in rows],
        )


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    data().print(table)


def _closing(found: _State, minimiser: Minimiser, measured: "BasinVolume") -> str:
    """One sentence."""
    shown = f"[bold]{measured.log_volume:.3f} ± {measured.error:.3f}[/]"
    size = f"a radius of {_radius(measured):.3g} if it were a ball" if measured.trusted else ""
    text = (
        f"The basin of minimum {found.number} under {_ENDS[minimiser]} has a log volume of {shown} "
        f"in {measured.dim} dimensions"
    )
    if measured.trusted:
        return f"{text}, {size}."
    return f"{text}, which is [bold red]not to be trusted[/]: {'; '.join(measured.reasons)}."


def _radius(measured: "BasinVolume") -> float:
    """Radius of the ball of that volume."""
    dim = measured.dim
    log_unit = 0.5 * dim * math.log(math.pi) - math.lgamma(0.5 * dim + 1.0)
    return math.exp((measured.log_volume - log_unit) / dim)
