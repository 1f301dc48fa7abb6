"""`thalweg train`: circuits and their peers on a task, with seeds, intervals and verdicts."""

import dataclasses
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._interrupt import Interrupts
from ._talk import (
    EXIT_FAILED,
    CliError,
    check_writable,
    print_json,
    print_table,
    reported,
    talk,
)
from ._values import count, duration

if TYPE_CHECKING:
    from rich.console import Console

    from thalweg.circuits.training import Comparison, Interval, Row, TrainConfig, TrainProgress

_EVERY = 5.0
"""Seconds between lines of progress."""

_TASKS = ("digits", "sdigits", "psdigits", "mnist", "smnist", "psmnist", "adding", "copy")


@reported
def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)],
    task: Annotated[str, typer.Option(metavar="NAME", help=f"One of {', '.join(_TASKS)}.")] = (
        "digits"
    ),
    against: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            show_default=False,
            help="Models to compare with, at equal numbers of parameters.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Runs of each model.")] = 1,
    hidden: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            show_default=False,
            help="Units of MODEL; 120,60 for two static layers. Default: the task's.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", show_default=False, help="Default: the task's.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(metavar="X", show_default=False, help="Adam's rate. Default: the task's."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", show_default=False, help="Default: the task's.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="N", show_default=False, help="Stop after N epochs without improvement."
        ),
    ] = None,
    certify_every: Annotated[
        int, typer.Option(metavar="N", help="Epochs between certificates; 0: at the end.")
    ] = 0,
    length: Annotated[
        int | None,
        typer.Option(metavar="N", show_default=False, help="Of adding, or the wait of copy."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", show_default=False, help="Where mnist is."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            show_default=False,
            help="Write networks, histories and certificates; go on from what is there.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Draw the courses of training, or how gradients travel back, as png, pdf or svg.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Train a circuit, without clipping or rescaling gradients, and say whether it stays stable.

    MODEL is organics or one of its variants, lstm, gru, rnn, ssn, cornn or mlp; a wrong name lists
    those of the task. Ctrl-C ends with what there is; with -o the same command goes on.
    """
    others = [name.strip() for name in against.split(",")] if against else []
    sizes = _sizes(hidden)
    if report is not None:
        check_writable(report)
    if output is not None:
        check_writable(output, folder=True)
    from ._runtime import prepare_jax

    prepare_jax()
    from thalweg.circuits.training import SETTINGS, compare
    from thalweg.circuits.training import task as find

    chosen = find(task, data=folder, length=length)
    setting = SETTINGS[task]
    asked = {"epochs": epochs, "rate": rate, "batch": batch, "patience": patience}
    config = dataclasses.replace(
        setting.config,
        certify_every=certify_every,
        **{name: value for name, value in asked.items() if value is not None},
    )
    console = talk(quiet=quiet)
    _announce(console, chosen, config)
    if output is not None:
        output.mkdir(exist_ok=True)
    began = time.monotonic()
    with Interrupts(
        lambda: console.print("stopping after this step; once more ends at once"), lambda: None
    ) as interrupts:
        found = compare(
            chosen,
            [model, *others],
            config,
            hidden=sizes or setting.hidden,
            seeds=seeds,
            encoder=setting.encoder,
            folder=output,
            report=_Reporter(console),
            stop=interrupts.asked,
        )
    _finish(found, chosen, config, console, (output, report), began, as_json)


def _finish(
    found: "Comparison",
    task: Any,
    config: "TrainConfig",
    console: "Console",
    files: tuple[Path | None, Path | None],
    began: float,
    as_json: bool,
) -> None:
    output, report = files
    facts = _facts(found, config)
    if output is not None and found.rows:
        _write_table(output / "table.json", facts)
    if report is not None and found.rows:
        _draw(found, task, report)
    if as_json:
        print_json(facts)
    elif found.rows:
        _show(found)
    for line in _warnings(found):
        console.print(f"[bold red]{line}[/]")
    for verdict in found.verdicts:
        console.print(f"{verdict.sentence}.", markup=False)
    where = f", written to [bold]{output}[/]" if output is not None else ""
    figure = f", drawn in [bold]{report}[/]" if report is not None and found.rows else ""
    runs = count(len(found.runs), "run")
    best = f": {_leading(found)}" if found.rows else ""
    console.print(f"{runs} in {duration(time.monotonic() - began)}{best}{where}{figure}.")
    if found.interrupted:
        raise typer.Exit(130)
    if all(row.diverged == row.runs for row in found.rows):
        raise typer.Exit(EXIT_FAILED)


def _sizes(hidden: str | None) -> tuple[int, ...]:
    if hidden is None:
        return ()
    try:
        sizes = tuple(int(part) for part in hidden.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise CliError(f"--hidden {hidden}: expected positive numbers", "--hidden 64 or 120,60")
    return sizes


def _announce(console: "Console", task: Any, config: "TrainConfig") -> None:
    from thalweg.circuits.training import describe

    shape = task.shape
    kind = f"sequences of {shape.length}" if shape.length else f"{shape.inputs} inputs"
    console.print(
        f"task {task.name}: {kind}, {len(task.train):,} + {len(task.validation):,} + "
        f"{len(task.test):,} samples to train, choose and test; {config.epochs} epochs of batches "
        f"of {config.batch}"
    )
    console.print(f"optimiser: {describe(config)}; nothing clips or rescales gradients")


class _Reporter:
    """A line of progress now and then, and one at the end of every run."""

    def __init__(self, console: "Console"):
        self.console = console
        self.shown = time.monotonic()

    def __call__(self, now: "TrainProgress") -> None:
        """Take where a run stands."""
        last = now.row is not None and now.epoch == now.epochs
        if not last and time.monotonic() - self.shown < _EVERY:
            return
        self.shown = time.monotonic()
        text = f"{now.recipe.model}, seed {now.recipe.seed}: epoch {now.epoch} of {now.epochs}"
        if now.row is None:
            text += f", step {now.step} of {now.steps}"
        else:
            row = now.row
            text += (
                f", loss {row['train_loss']:.4f}, largest gradient {row['gradient_norm_max']:.3g}"
                f", validation {row['validation_score']:.4f}, test {row['test_score']:.4f}"
            )
        self.console.print(text)


def _facts(found: "Comparison", config: "TrainConfig") -> dict[str, Any]:
    """Everything that the command says, as data."""
    from thalweg import __version__
    from thalweg.circuits.training import describe

    runs = [
        {
            "recipe": dataclasses.asdict(run.recipe),
            "outcome": run.outcome.name,
            "failed_at": run.failed_at,
            "test_score": run.test_score,
            "best_epoch": run.best + 1,
            "seconds": run.seconds,
            "certificates": [
                {"epoch": epoch} | dataclasses.asdict(one) for epoch, one in run.certificates
            ],
            "history": run.history,
        }
        for run in found.runs
    ]
    return {
        "thalweg": __version__,
        "command": "train",
        "task": found.task,
        "score": found.score_name,
        "config": dataclasses.asdict(config),
        "optimiser": describe(config),
        "rows": [dataclasses.asdict(row) for row in found.rows],
        "verdicts": [dataclasses.asdict(verdict) for verdict in found.verdicts],
        "runs": runs,
        "interrupted": found.interrupted,
    }


def _write_table(path: Path, facts: dict[str, Any]) -> None:
    import json

    from ._values import plain

    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(plain(facts), indent=2, allow_nan=False), encoding="utf-8")
    partial.replace(path)


def _draw(found: "Comparison", task: Any, path: Path) -> None:
    """For sequences the gradient flow of each model's first run, else the courses of training."""
    from thalweg.circuits.training import gradient_flow
    from thalweg.viz import plot_gradient_flow, plot_training, save_figure

    if task.shape.length:
        first = {run.recipe.model: run for run in reversed(found.runs)}
        flows = {name: gradient_flow(run.model, task) for name, run in first.items()}
        save_figure(plot_gradient_flow(flows), path)
    else:
        save_figure(plot_training(found.runs).figure, path)  # pyright: ignore[reportArgumentType]


def _amount(value: "Interval", *, share: bool) -> str:
    scale, digits = (100.0, 2) if share else (1.0, 4)
    if not math.isfinite(value.mean):
        return "-"
    text = f"{scale * value.mean:.{digits}f}"
    return f"{text} ± {scale * value.half:.{digits}f}" if math.isfinite(value.half) else text


def _show(found: "Comparison") -> None:
    """The table, for people."""
    share = found.score_name == "accuracy"
    published = any(row.published for row in found.rows)
    rows = []
    for row in found.rows:
        cells = [
            row.model,
            "x".join(map(str, row.hidden)),
            f"{row.parameters:,}",
            _amount(row.score, share=share),
            f"{row.diverged} of {row.runs}",
            f"{100 * row.unsettled:.0f} %" if math.isfinite(row.unsettled) else "-",
            f"{row.largest_gradient:.3g}",
            _stability(row),
        ]
        rows.append([*cells, *([row.published or "-"] if published else [])])
    print_table(_headings(found.score_name, published=published), rows)


def _headings(score: str, *, published: bool) -> list[str]:
    name = "accuracy / %" if score == "accuracy" else score
    plain = ["model", "units", "parameters", name, "diverged", "no rest", "largest gradient"]
    return [*plain, "stability", *(["published"] if published else [])]


def _stability(row: "Row") -> str:
    if not math.isfinite(row.worst):
        return "-"
    return f"{row.worst:.3f}" + (f", {row.unstable} unstable" if row.unstable else "")


def _warnings(found: "Comparison") -> list[str]:
    """A theorem that a run contradicts: that would be a bug, or a broken number."""
    return [
        f"{run.recipe.model}, seed {run.recipe.seed}, epoch {epoch}: {sum(one.unstable)} unstable "
        f"rests, although {one.theorem}"
        for run in found.runs
        for epoch, one in run.certificates
        if one.theorem and any(one.unstable)
    ]


def _leading(found: "Comparison") -> str:
    first = found.rows[0]
    share = found.score_name == "accuracy"
    unit = " %" if share else ""
    return f"{first.model} reaches [bold]{_amount(first.score, share=share)}{unit}[/]"
