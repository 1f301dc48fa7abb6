"""`thalweg export` and `thalweg import`: other programs' files."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import _options as options
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
from ._values import count

if TYPE_CHECKING:
    from thalweg.landscape import Landscape, StoreHeader, TransitionNetwork


class Format(enum.StrEnum):
    """Formats that a landscape can be written in."""

    pathsample = "pathsample"
    xyz = "xyz"
    npz = "npz"
    csv = "csv"


class Kind(enum.StrEnum):
    """Which points go into a file of structures."""

    minima = "minima"
    transition_states = "transition-states"


@reported
def export(
    store: options.Store,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            show_default=False,
            help="pathsample: min.data, ts.data and points files; xyz: structures; npz: all "
            "arrays; csv: tables.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            show_default=False,
            help="File (xyz, npz) or folder (pathsample, csv). Default: named after STORE",
        ),
    ] = None,
    kind: Annotated[Kind, typer.Option(help="Which structures, for xyz.")] = Kind.minima,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Write a landscape as PATHSAMPLE files, extended xyz, npz or CSV."""
    check_store(store)
    is_folder = format_ in {Format.pathsample, Format.csv}
    stem = Path(store).stem if "://" not in store else "landscape"
    target = output or Path(stem if is_folder else f"{stem}.{format_.value}")
    if format_ is Format.npz and target.suffix != ".npz":
        target = target.with_name(target.name + ".npz")
    check_writable(target, folder=is_folder)
    from thalweg.landscape import Landscape

    with Landscape.open(store) as landscape:
        network = landscape.network
        if network.n_minima == 0:
            complain(f"{store} holds no minima", "map the system first")
            raise typer.Exit(EXIT_FAILED)
        files = _write(landscape, format_, target, kind)
    talk(quiet=quiet).print(
        f"{count(network.n_minima, 'minimum')} and "
        f"{count(network.n_transition_states, 'transition state')} of {store}, written to "
        f"[bold]{', '.join(map(str, files))}[/]."
    )
    if as_json:
        print_json({"command": "export", "store": store, "files": [str(file) for file in files]})


def _write(landscape: "Landscape", format_: Format, target: Path, kind: Kind) -> list[Path]:
    from thalweg.io import save_network, write_csv, write_pathsample, write_xyz

    if format_ is Format.csv:
        return write_csv(landscape, target)
    if format_ is Format.pathsample:
        return write_pathsample(_with_points(landscape), target)
    if format_ is Format.npz:
        save_network(_with_points(landscape), target)
        return [target]
    network, labels = landscape.network, landscape.header.labels or None
    if kind is Kind.minima:
        facts = {"id": network.ids, "energy": network.energies, "order": network.orders}
        write_xyz(target, landscape.points("minimum"), labels, facts)
    else:
        ends = network.ids[network.ts_minima]
        facts = {
            "id": network.ts_ids,
            "energy": network.ts_energies,
            "minimum_a": ends[:, 0],
            "minimum_b": ends[:, 1],
        }
        write_xyz(target, landscape.points("transition_state"), labels, facts)
    return [target]


def _with_points(landscape: "Landscape") -> "TransitionNetwork":
    """The network with coordinates, if the store has any."""
    from thalweg.core import StoreError

    try:
        return landscape.store.load_network(points=True)
    except StoreError:
        return landscape.network


@reported
def import_(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            show_default=False,
            help="Folder with min.data and, if there are any, ts.data, points.min, points.ts "
            "(or the min.data file itself).",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="STORE", show_default=False, help="Default: DIR.db"),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(
            metavar="SYSTEM",
            show_default=False,
            help="What the points are of, as for `thalweg map`, which can then go on from them.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Read PATHSAMPLE files into a new store."""
    source = folder.parent if folder.name == "min.data" else folder
    if not (source / "min.data").is_file():
        raise CliError(f"there is no min.data in {source}", "name the folder that holds it")
    store = output or f"{source.resolve().name}.db"
    if "://" not in store:
        check_writable(Path(store))
        if Path(store).exists():
            raise CliError(f"{store} exists already", "import into a new file: -o NEW.db")
    prepare_jax()
    network = _import(source, store, system)
    talk(quiet=quiet).print(
        f"{count(network.n_minima, 'minimum')} and "
        f"{count(network.n_transition_states, 'transition state')} of {source}, without "
        f"certificates, written to [bold]{store}[/]."
    )
    if as_json:
        print_json(
            {
                "command": "import",
                "store": store,
                "minima": network.n_minima,
                "transition_states": network.n_transition_states,
            }
        )


def _import(source: Path, store: str, system: str | None) -> "TransitionNetwork":
    from thalweg.io import read_pathsample
    from thalweg.landscape import Store, import_network

    network = read_pathsample(source)
    header = _header(source, network, system)
    try:
        with Store.open(store, header) as opened:
            import_network(opened, network)
    except Exception:
        # The file is ours and new: leave nothing behind that looks like a landscape.
        if "://" not in store:
            for suffix in ("", "-wal", "-shm"):
                Path(store + suffix).unlink(missing_ok=True)
        raise
    return network


def _header(source: Path, network: "TransitionNetwork", system: str | None) -> "StoreHeader":
    """The system that was named, or what can be told from the files."""
    from thalweg.landscape import StoreHeader

    if system is not None:
        from thalweg.workflows import store_header

        from ._find import find_system

        return store_header(find_system(system, None, None))
    dof = 0 if network.points is None else network.points.shape[1]
    return StoreHeader(
        fingerprint=f"pathsample:{source.resolve().name}",
        name=source.resolve().name,
        dof=dof,
        shape=(dof // 3, 3) if dof and dof % 3 == 0 else (),
    )
