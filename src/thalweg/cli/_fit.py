"""`thalweg fit` and `thalweg compare`: force fields of one molecule, and what each buys."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._interrupt import Interrupts
from ._talk import (
    CliError,
    check_writable,
    data,
    print_json,
    reported,
    talk,
)
from ._values import count, duration, parse_duration

if TYPE_CHECKING:
    from rich.console import Console

    from thalweg.forcefields.fitting import Front, Measurement
    from thalweg.workflows import PlanProgress

_EVERY = 5.0
"""Seconds between lines of progress."""

_WIDE = 130
"""Columns that the table needs, however narrow the terminal is thought to be."""

_TABLE = "table.json"


@reported
def fit(
    molecule: Annotated[str, typer.Argument(metavar="MOLECULE", show_default=False)],
    labels: Annotated[
        str,
        typer.Option(metavar="METHOD", help="gfn2, gfn1, or like b3lyp/def2-svp (PySCF)."),
    ] = "gfn2",
    along: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", show_default=False, help="Kinds of force field. Default: all there are."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            show_default=False,
            help="Folder of frames, labels, fits and measurements; go on from what is there. "
            "Default: MOLECULE-METHOD",
        ),
    ] = None,
    frames: Annotated[int, typer.Option(metavar="N", min=4, help="Frames to fit to.")] = 1000,
    temperature: Annotated[float, typer.Option(metavar="T", help="Of those frames, in K.")] = 500.0,
    hot: Annotated[
        float, typer.Option(metavar="T", help="Of the frames out of distribution, in K.")
    ] = 1200.0,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", show_default=False, help="CPU time for all fits together: 90s, 10m."
        ),
    ] = None,
    md: Annotated[
        float, typer.Option(metavar="PS", help="Length of the runs that test survival, in ps.")
    ] = 5.0,
    charge: Annotated[int, typer.Option(metavar="Q", help="Total charge.")] = 0,
    key: options.Key = 0,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="Processes that compute labels.")
    ] = 1,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Fit force fields to a level of theory, and measure what each is worth and costs.

    MOLECULE is a file of one molecule, in Å, or a name such as ethanol. Frames come from molecular
    dynamics; those to judge by come from runs of their own. Ctrl-C ends with what there is, and
    the same command goes on.
    """
    seconds = parse_duration(budget) if budget else None
    for name, value in (("--temperature", temperature), ("--hot", hot), ("--md", md)):
        if not value > 0:
            raise CliError(f"{name} {value:g} is not positive")
    folder = output or Path(f"{Path(molecule).stem.lower()}-{labels.replace('/', '-')}")
    check_writable(folder, folder=True)
    from ._runtime import prepare_jax

    prepare_jax()
    from thalweg.forcefields.fitting import MeasureConfig
    from thalweg.io import label_method
    from thalweg.io import molecule as find
    from thalweg.workflows import LADDER, SamplingConfig, design, ladder, make_sets, reference

    method = label_method(labels)
    names = [part.strip() for part in along.split(",")] if along else list(LADDER)
    rungs = [ladder(name) for name in names]
    found = find(molecule, charge=charge)
    topology = found.topology()
    sampling = SamplingConfig(
        train=frames,
        validation=max(4, frames // 5),
        test=max(4, 2 * frames // 5),
        hot=max(4, frames // 5),
        temperature=temperature,
        hot_temperature=hot,
        key=key,
    )
    folder.mkdir(exist_ok=True)
    console = talk(quiet=quiet)
    console.print(
        f"{found.name}: {count(topology.n_atoms, 'atom')}, {count(len(topology.bonds), 'bond')}; "
        f"labels by {method.name}; {', '.join(names)}",
        markup=False,
    )
    began, reporter = time.monotonic(), _Reporter(console)
    with Interrupts(
        lambda: console.print("stopping after this step; once more ends at once"), lambda: None
    ) as interrupts:
        try:
            sets = make_sets(
                found, method, sampling, folder=folder, workers=workers, report=reporter,
                stop=interrupts.asked,
            )  # fmt: skip
            front = design(
                rungs,
                topology,
                found.positions,
                sets,
                folder=folder,
                budget=seconds,
                measuring=MeasureConfig(survival_ps=md, temperature=temperature, key=key),
                report=reporter,
                stop=interrupts.asked,
            )
        except KeyboardInterrupt:
            console.print(
                f"stopped after {duration(time.monotonic() - began)}; the same command goes on "
                f"from [bold]{folder}[/]."
            )
            raise typer.Exit(130) from None
    anchor = reference(found, method, sets.test)
    facts = _facts("fit", folder, front, anchor) | {"labels": method.name, "molecule": found.name}
    _write(folder / _TABLE, facts)
    if as_json:
        print_json(facts)
    else:
        _show(front, anchor)
    lost = sum(int(part.provenance.get("left_out", 0)) for part in vars(sets).values())
    failed = f"; {count(lost, 'frame')} without a label left out" if lost else ""
    console.print(
        f"{count(len(front.records), 'force field')} in {duration(time.monotonic() - began)}: "
        f"{_leading(front)}{failed}, written to [bold]{folder}[/]."
    )


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
    anchor = _anchor(folder)
    if figure is not None:
        _draw(front, anchor, figure)
    facts = _facts("compare", folder, front, anchor)
    if as_json:
        print_json(facts | {"figure": None if figure is None else str(figure)})
    else:
        _show(front, anchor)
    drawn = f", drawn in [bold]{figure}[/]" if figure is not None else ""
    talk(quiet=quiet).print(
        f"{len(front.best)} of {count(len(front.records), 'force field')} "
        f"{'is' if len(front.best) == 1 else 'are'} on the front: {_leading(front)}{drawn}."
    )


class _Reporter:
    """A line of progress now and then, and one at the end of every phase."""

    def __init__(self, console: "Console"):
        self._console = console
        self._shown = time.monotonic()

    def __call__(self, now: "PlanProgress") -> None:
        """Take where a plan stands."""
        last = now.done == now.total
        if not last and time.monotonic() - self._shown < _EVERY:
            return
        self._shown = time.monotonic()
        detail = f", {now.detail}" if now.detail else ""
        self._console.print(
            f"{now.phase} {now.name}: {now.done:,} of {now.total:,}{detail}, "
            f"{duration(now.seconds)}",
            markup=False,
        )


def _facts(
    command: str, folder: Path, front: "Front", anchor: "Measurement | None"
) -> dict[str, Any]:
    import dataclasses

    from thalweg import __version__

    best = set(front.best)
    return {
        "thalweg": __version__,
        "command": command,
        "folder": str(folder),
        "axes": list(front.axes),
        "force_fields": [
            dataclasses.asdict(record) | {"front": record in best} for record in front.records
        ],
        "reference": None if anchor is None else dataclasses.asdict(anchor),
    }


def _write(path: Path, facts: dict[str, Any]) -> None:
    import json

    from ._values import plain

    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(plain(facts), indent=2, allow_nan=False), encoding="utf-8")
    partial.replace(path)


def _anchor(folder: Path) -> "Measurement | None":
    """The label method as `thalweg fit` timed it, if it came that far."""
    import json

    from thalweg.forcefields.fitting import Measurement

    path = folder / _TABLE
    if not path.is_file():
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))["reference"]
        return Measurement.from_facts(facts)
    except (ValueError, KeyError, TypeError) as error:
        raise CliError(f"{path} is damaged: {error}", "delete it; `thalweg fit` makes it") from None


def _draw(front: "Front", anchor: "Measurement | None", path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from thalweg.viz import plot_front, save_figure

    save_figure(plot_front(front, anchor), path)


_COLUMNS = (
    ("energy / kcal/mol", "energy_rmse", ".3g"),
    ("force / kcal/(mol Å)", "force_rmse", ".3g"),
    ("hot force", "ood_force_rmse", ".3g"),
    ("µs", "micros", ".0f"),
    ("µs of 100", "micros_100", ".1f"),
    ("µs of 1000", "micros_1000", ".1f"),
    ("whole", "survival", ".0%"),
    ("drift / meV/ps", "drift", ".1e"),
    ("fit / s", "train_seconds", ".0f"),
)


def _show(front: "Front", anchor: "Measurement | None") -> None:
    """The table, for people."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("force field")
    table.add_column("parameters", justify="right")
    for heading, _, _ in _COLUMNS:
        table.add_column(heading, justify="right", overflow="fold")
    best = set(front.best)
    for record in (*front.records, *([anchor] if anchor else [])):
        mark = " *" if record in best else ""
        table.add_row(
            record.name + mark,
            f"{record.parameters:,}",
            *(_cell(getattr(record, field), form) for _, field, form in _COLUMNS),
        )
    console = data()
    console.width = max(console.width, _WIDE)
    console.print(table)


def _cell(value: float, form: str) -> str:
    return format(value, form) if value == value and abs(value) != float("inf") else "-"


def _leading(front: "Front") -> str:
    best: Sequence[Measurement] = front.best
    if not best:
        return "none gives finite numbers"
    fast, good = best[0], min(best, key=lambda r: r.force_rmse)
    worth = f"{good.force_rmse:.3g} kcal/(mol Å) in {good.micros:.0f} µs"
    text = f"{good.name} is the most accurate, {worth}"
    return text if fast is good else f"{text}, {fast.name} the fastest, {fast.micros:.0f} µs"
