"""`thalweg thermo`: what is occupied at which temperature, and the heat capacity."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from . import _thermo_report as report
from ._find import check_system
from ._runtime import prepare_jax
from ._talk import (
    EXIT_FAILED,
    CliError,
    check_store,
    check_writable,
    complain,
    print_json,
    reported,
    talk,
)
from ._tree import FIGURES
from ._values import parse_duration

if TYPE_CHECKING:
    import numpy as np

    from thalweg.core import System
    from thalweg.landscape import Landscape
    from thalweg.sampling import TemperingSamples
    from thalweg.thermo import AbstractEnsemble, HarmonicEnsemble, MissingMinima, QuantumEnsemble

_BUDGET = 60.0
"""Seconds of sampling where no budget is given."""

_RUNGS = 16
"""Temperatures of a tempering ladder."""

_REPLICAS = 8
"""Independent ladders: seven degrees of freedom for an error bar."""

_ENDLESS = 10_000_000


def _option(help_: str, metavar: str) -> Any:
    return typer.Option(help=help_, metavar=metavar, show_default=False)


@dataclasses.dataclass(frozen=True)
class _Sampling:
    """What `--sample` was told."""

    system: str | None
    energy: str | None
    budget: float
    container: float | None
    key: int


@reported
def thermo(
    store: options.Store,
    temperature: Annotated[
        list[float] | None,
        typer.Option(
            "--temperature", "-t", metavar="T", show_default=False, help="Once for each; or a range"
        ),
    ] = None,
    low: Annotated[
        float | None,
        typer.Option(
            "--from",
            metavar="T",
            show_default=False,
            help="Lowest temperature. Default: a third of that of the lowest peak",
        ),
    ] = None,
    high: Annotated[
        float | None,
        typer.Option(
            "--to",
            metavar="T",
            show_default=False,
            help="Highest temperature. Default: twice that of the highest peak",
        ),
    ] = None,
    points: Annotated[
        int, typer.Option(metavar="N", min=2, help="Temperatures of a range, evenly spaced.")
    ] = 200,
    modes: options.Modes = None,
    kinetic: Annotated[
        bool, typer.Option("--kinetic", help="Include kinetic energy: k/2 for each mode.")
    ] = False,
    quantum: Annotated[
        float | None,
        _option(
            "Quantum oscillators, kinetic energy included. ħ for particles of mass 1 in the "
            "system's units: 0.03 for argon and 0.1 for neon in Lennard-Jones units, "
            "0.0646/√(mass in dalton) in eV and Å.",
            "HBAR",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default=False,
            help="Draw the heat capacity: .png, .pdf or .svg.",
        ),
    ] = None,
    csv: Annotated[Path | None, _option("Write the curves as a table.", "FILE")] = None,
    sample: Annotated[
        bool,
        typer.Option("--sample", help="Check against parallel tempering, which is not harmonic."),
    ] = False,
    system: options.System = None,
    energy: options.Energy = None,
    budget: Annotated[str | None, _option("Time to sample for. Default: 60s", "TIME")] = None,
    container: Annotated[
        float | None,
        _option(
            "Radius that atoms may not leave while sampling. Default: that of the largest minimum "
            "and one length more",
            "R",
        ),
    ] = None,
    key: options.Key = 0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Say which minima are occupied, and what heat capacity they make, by harmonic superposition.

    With intervals for minima that are probably missing, where searches tell how many.
    """
    check_store(store)
    _check(output, csv, temperature, low, high)
    if quantum is not None and not 0 < quantum < float("inf"):
        raise CliError(f"--quantum {quantum:g} is not positive", "--quantum 0.03 is that of argon")
    wish = _Sampling(
        system, energy, _BUDGET if budget is None else parse_duration(budget), container, key
    )
    if system is not None:
        check_system(system, energy)
    prepare_jax()
    from thalweg.landscape import Landscape
    from thalweg.thermo import (
        HarmonicEnsemble,
        flat_candidates,
        heat_capacity_peaks,
        reweight,
    )

    console = talk(quiet=quiet)
    with Landscape.open(store) as landscape:
        if landscape.network.n_minima == 0 and not len(landscape.store.frame("rejected")):
            complain(f"{store} holds no minima", "map the system first")
            raise typer.Exit(EXIT_FAILED)
        ensemble = HarmonicEnsemble.of(landscape, modes=modes, kinetic=kinetic)
        if quantum is not None:
            ensemble = _quantum(ensemble, landscape, quantum, (store, system, energy), console)
        grid = _grid(ensemble, temperature, low, high, points)
        peaks = heat_capacity_peaks(ensemble, grid[0], grid[-1]) if len(grid) > 1 else []
        missing = _missing(ensemble, grid, key)
        samples = _sample(landscape, grid, wish, console) if sample else None
        units, flat = landscape.header, flat_candidates(landscape)
    sampled = None if samples is None else reweight(samples, _inside(samples, grid))
    if sampled is not None and (kinetic or quantum is not None):
        sampled = report.with_kinetic(sampled, ensemble)
    found = report.Found(
        store=store,
        ensemble=ensemble,
        grid=grid,
        peaks=peaks,
        missing=missing,
        samples=samples,
        sampled=sampled,
        energy_unit=units.energy_unit,
        flat=flat,
    )
    if csv is not None:
        report.write_csv(found, csv)
    if output is not None:
        report.draw(found, output)
    files = [file for file in (csv, output) if file is not None]
    if as_json:
        print_json(report.as_json(found, files))
    else:
        report.show(found)
    console.print(report.closing(found, files))


def _check(
    output: Path | None,
    csv: Path | None,
    temperature: list[float] | None,
    low: float | None,
    high: float | None,
) -> None:
    """Refuse what can be seen to be wrong before any library is loaded."""
    if output is not None:
        if output.suffix.lower() not in FIGURES:
            raise CliError(
                f"{output}: a figure ends in .png, .pdf or .svg", f"-o {output.stem}.png"
            )
        check_writable(output)
    if csv is not None:
        check_writable(csv)
    if temperature and (low is not None or high is not None):
        raise CliError(
            "--temperature and a range were both given", "use --from and --to, or --temperature"
        )
    for value in (*(temperature or ()), low, high):
        if value is not None and not value > 0:
            raise CliError(f"temperature {value:g} is not positive")
    if low is not None and high is not None and not low < high:
        raise CliError(f"--from {low:g} must be lower than --to {high:g}")
    if temperature and len(set(temperature)) < 2 and output is not None:
        raise CliError("a curve needs a range of temperatures", "leave --temperature out")


def _grid(
    ensemble: "AbstractEnsemble",
    temperature: list[float] | None,
    low: float | None,
    high: float | None,
    points: int,
) -> "np.ndarray":
    """The temperatures asked for, ascending."""
    import numpy as np

    from thalweg.thermo import temperature_grid, temperature_range

    if temperature:
        return np.array(sorted(set(temperature)))
    first, last = (low, high) if low and high else temperature_range(ensemble)
    first, last = low or first, high or last
    if not first < last:
        raise CliError(f"the range {first:g} to {last:g} is empty", "give both --from and --to")
    return temperature_grid(first, last, points)


def _quantum(
    classical: "HarmonicEnsemble",
    landscape: "Landscape",
    hbar: float,
    named: tuple[str, str | None, str | None],
    console: Any,
) -> "QuantumEnsemble":
    """Quantum oscillators with the frequencies of each minimum, where the system is known."""
    from thalweg.thermo import QuantumEnsemble, vibrational_frequencies

    from ._system_of import system_of

    frequencies = None
    try:
        found = system_of(landscape.header, *named)
    except CliError as error:
        if named[1] is not None:
            raise
        console.print(
            f"[yellow]note:[/] {error.message}; so each minimum gets the mean of its frequencies "
            "for all its modes, and the heat capacity vanishes too early when it is cold"
        )
    else:
        frequencies = vibrational_frequencies(found, landscape)
    return QuantumEnsemble.of(classical, hbar, frequencies=frequencies)


def _missing(ensemble: "AbstractEnsemble", grid: "np.ndarray", key: int) -> "MissingMinima | None":
    """Intervals for missing minima, where there are searches to tell from."""
    import jax

    from thalweg.thermo import with_missing_minima

    if not (ensemble.network.hits > 0).any():
        return None
    return with_missing_minima(ensemble, grid, jax.random.key(key))


def _sample(
    landscape: "Landscape", grid: "np.ndarray", wish: _Sampling, console: Any
) -> "TemperingSamples":
    """Parallel tempering over the range of temperatures."""
    import jax
    import numpy as np

    from thalweg.sampling import parallel_tempering

    if len(grid) < 2:
        raise CliError("sampling needs a range of temperatures", "use --from and --to")
    found = _system(landscape, wish)
    constraint = _container(found, landscape, wish.container)
    held = "" if constraint is None else f" within {constraint.radius:.3g} of their centroid"
    console.print(
        f"sampling {found.name} at {_RUNGS} temperatures, {_REPLICAS} independent ladders"
        f"{', atoms' + held if held else ''}"
    )
    return parallel_tempering(
        found,
        np.geomspace(grid[0], grid[-1], _RUNGS),
        jax.random.key(wish.key),
        sweeps=_ENDLESS,
        replicas=_REPLICAS,
        constraint=constraint,
        budget=wish.budget,
    )


def _system(landscape: "Landscape", wish: _Sampling) -> "System":
    """The system behind the store, checked against its fingerprint."""
    from thalweg.core import UnknownSystemError, fingerprint

    from ._find import find_system

    name = landscape.header.name if wish.system is None else wish.system
    try:
        found = find_system(name, wish.energy, None)
    except UnknownSystemError as error:
        raise CliError(
            f"the catalogue has no {name!r}, so there is nothing to sample",
            "name what was mapped: --system path/to/file.py:NAME, or an .xyz file and --energy",
        ) from error
    if fingerprint(found) != landscape.header.fingerprint:
        raise CliError(
            f"{name} is not the system of this landscape ({landscape.header.name})",
            "name what was mapped with --system",
        )
    return found


def _container(found: "System", landscape: "Landscape", radius: float | None) -> Any:
    """A wall for free clusters: nothing else can evaporate."""
    import numpy as np

    from thalweg.core import ClusterSymmetry
    from thalweg.sampling import Container

    symmetry = found.symmetry
    if not (isinstance(symmetry, ClusterSymmetry) and symmetry.translation):
        if radius is not None:
            raise CliError("--container is for free clusters", "leave it out")
        return None
    atoms = len(symmetry.species)
    if radius is None:
        r = landscape.points("minimum").reshape(-1, atoms, symmetry.dim)
        away = np.linalg.norm(r - r.mean(axis=1, keepdims=True), axis=2)
        radius = float(away.max()) + found.length
    return Container(atoms, radius, symmetry.dim)


def _inside(samples: "TemperingSamples", grid: "np.ndarray") -> "np.ndarray":
    """Where sampled curves are wanted: a few dozen of the temperatures."""
    import numpy as np

    step = max(1, len(grid) // 40)
    return np.clip(grid[::step], samples.temperatures[0], samples.temperatures[-1])
