"""Several models on one task at equal numbers of parameters: seeds, intervals, verdicts."""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.core import ArgumentError, Outcome

from ._fit import Training, TrainProgress, fit
from ._networks import matched_hidden, parameters_of
from ._optimiser import TrainConfig
from ._saved import Recipe, save, write_whole
from ._tasks import Task

_COMPARABLE = 0.02
"""Difference of accuracies up to which two models count as comparable."""

PUBLISHED: dict[str, dict[str, str]] = {
    "mnist": {
        "organics": "50:50 98.1 %, 80:80 98.2 %, two layers 98.1 %",
        "ssn": "80:20 95.2 %",
        "ssn-half": "50:50 94.9 %",
    },
    "smnist": {
        "organics": "64 units 97.7 %, 128 units 97.8 %",
        "organics-paper": "64 units 97.7 %, 128 units 97.8 %",
        "organics-fixed-steps": "64 units 90.3 %, 128 units 94.8 %",
        "lstm": "128 units 97.3 %",
        "cornn": "128 units 99.3 %",
    },
    "psmnist": {
        "organics": "64 units 89.9 %, 128 units 90.7 %",
        "organics-paper": "64 units 89.9 %, 128 units 90.7 %",
        "organics-fixed-steps": "64 units 80.3 %, 128 units 84.8 %",
        "lstm": "128 units 92.6 %",
        "cornn": "128 units 96.6 %",
    },
}
"""Tables 1 and 2 of Rawat, Heeger & Martiniani (NeurIPS 2024), after up to 300 epochs."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean and the half-width of its 95 % interval (Student); NaN where there are too few."""

    mean: float
    half: float
    count: int


@dataclasses.dataclass(frozen=True)
class Row:
    """One model of a comparison.

    Attributes:
        model: Its name.
        hidden: Units.
        parameters: Numbers trained.
        score: On the test set, at each seed's epoch of best validation; diverged runs left out.
        runs: Seeds that were run to the end, diverged ones included.
        diverged: Of how many the loss or gradient became NaN or infinite.
        unsettled: Share of test samples without a rest, averaged over runs; 0 for sequences.
        largest_gradient: Largest norm of any gradient in any run.
        worst: Largest certified max Re λ or spectral radius over seeds and layers.
        unstable: Fixed points that were found not to be stable, over all seeds.
        seconds: Mean computing time of a run.
        published: What the paper reports, where the task is the paper's.
    """

    model: str
    hidden: tuple[int, ...]
    parameters: int
    score: Interval
    runs: int
    diverged: int
    unsettled: float
    largest_gradient: float
    worst: float
    unstable: int
    seconds: float
    published: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The first model against another, seed by seed.

    Attributes:
        against: The other model.
        difference: First minus other, over the seeds in which neither diverged.
        claim: What was to be shown.
        holds: Whether the interval shows it; `None` if it does not decide.
        sentence: All of this in words.
    """

    against: str
    difference: Interval
    claim: str
    holds: bool | None
    sentence: str


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes:
        task: Name of the task.
        score_name: What is compared.
        rows: One for each model, in order.
        verdicts: The first model against each of the others.
        runs: All runs.
        interrupted: Whether somebody stopped it; then unfinished runs are left out.
    """

    task: str
    score_name: str
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    runs: tuple[Training, ...]
    interrupted: bool


def interval(values: Any) -> Interval:
    """Mean and 95 % half-width of the numbers that are finite."""
    from scipy.special import stdtrit

    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    n = len(known)
    mean = float(known.mean()) if n else math.nan
    if n < 2:
        return Interval(mean, math.nan, n)
    half = float(stdtrit(n - 1, 0.975)) * float(known.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, half, n)


def compare(  # noqa: PLR0913 - all but two have defaults
    task: Task,
    models: list[str],
    config: TrainConfig | None = None,
    *,
    hidden: int | tuple[int, ...] = 64,
    seeds: int = 5,
    encoder: tuple[int, ...] = (),
    folder: Path | None = None,
    report: Callable[[TrainProgress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Comparison:
    """Train models on a task at equal numbers of parameters.

    Args:
        task: The task.
        models: Names; the first one, with `hidden` units, sets the number of parameters.
        config: How all of them are trained.
        hidden: Units of the first model.
        seeds: Runs of each, with seeds 0, 1, …
        encoder: Front end of static networks.
        folder: Where networks, histories and certificates are written, and gone on from.
        report: Called as runs go on.
        stop: Asked between steps.

    Raises:
        ArgumentError: if there is no model or no seed.
    """
    if not models or len(set(models)) < len(models) or seeds < 1:
        raise ArgumentError(
            f"models={models}, seeds={seeds}: expected different names and at least one seed"
        )
    sizes = (hidden,) if isinstance(hidden, int) else tuple(hidden)
    recipes = [Recipe(models[0], task.name, task.shape, sizes, 0, encoder)]
    if len(models) > 1:
        wanted = parameters_of(models[0], task.shape, sizes, encoder)
        for name in models[1:]:
            units = matched_hidden(name, task.shape, wanted, encoder)
            recipes.append(Recipe(name, task.name, task.shape, (units,), 0, encoder))
    runs: list[Training] = []
    interrupted = False
    for seed in range(seeds):
        for recipe in recipes:
            seeded = dataclasses.replace(recipe, seed=seed)
            path = None if folder is None else folder / f"{stem(seeded)}.checkpoint"
            run = fit(seeded, task, config, checkpoint=path, report=report, stop=stop)
            interrupted = interrupted or run.interrupted
            if interrupted:
                break
            runs.append(run)
            if folder is not None:
                write_training(run, folder)
        if interrupted:
            break
    return _summarise(task, models, runs, interrupted=interrupted)


def _summarise(
    task: Task, models: list[str], runs: list[Training], *, interrupted: bool
) -> Comparison:
    rows = tuple(_row(task, name, mine) for name in models if (mine := _of(runs, name)))
    verdicts = tuple(
        judge(task, models[0], _of(runs, models[0]), name, _of(runs, name))
        for name in models[1:]
        if _of(runs, name)
    )
    return Comparison(task.name, task.score_name, rows, verdicts, tuple(runs), interrupted)


def _of(runs: list[Training], name: str) -> list[Training]:
    return [run for run in runs if run.recipe.model == name]


def _row(task: Task, name: str, runs: list[Training]) -> Row:
    last = [run.certificates[-1][1] for run in runs if run.certificates]
    worst = [value for found in last for value in found.worst if math.isfinite(value)]
    norms = [run.history["gradient_norm_max"].max() for run in runs if run.history]
    loose = [run.history["unsettled"][run.best] for run in runs if run.best >= 0]
    return Row(
        model=name,
        hidden=runs[0].recipe.hidden,
        parameters=runs[0].parameters,
        score=interval([run.test_score for run in runs]),
        runs=len(runs),
        diverged=sum(run.outcome is Outcome.nonfinite for run in runs),
        unsettled=float(np.mean(loose)) if loose else math.nan,
        largest_gradient=float(max(norms)) if norms else math.nan,
        worst=max(worst) if worst else math.nan,
        unstable=sum(sum(found.unstable) for found in last),
        seconds=float(np.mean([run.seconds for run in runs])),
        published=PUBLISHED.get(task.name, {}).get(name, ""),
    )


def judge(
    task: Task, first: str, ours: list[Training], other: str, theirs: list[Training]
) -> Verdict:
    """The paired difference, and what it says about the claim that belongs to the task.

    Static tasks: the first model outperforms the other. Sequences of classes: they are comparable,
    within two points. Errors: the first is not above the other.
    """
    other_by_seed = {run.recipe.seed: run for run in theirs}
    pairs = [
        run.test_score - other_by_seed[run.recipe.seed].test_score
        for run in ours
        if run.recipe.seed in other_by_seed
    ]
    found = interval(pairs)
    failed = sum(run.outcome is Outcome.nonfinite for run in theirs)
    beside = f"; {failed} of {len(theirs)} runs of {other} diverged" if failed else ""
    if task.loss == "square":
        claim = f"{first} has no larger error than {other}"
        holds = _decide(-found.mean, found.half, 0.0)
        amount = f"{found.mean:+.4f} ± {found.half:.4f}"
    elif task.shape.length:
        claim = f"{first} performs comparably to {other} (within {100 * _COMPARABLE:.0f} points)"
        holds = _decide(_COMPARABLE - abs(found.mean), found.half, 0.0)
        amount = f"{100 * found.mean:+.2f} ± {100 * found.half:.2f} points"
    else:
        claim = f"{first} outperforms {other}"
        holds = _decide(found.mean, found.half, 0.0)
        amount = f"{100 * found.mean:+.2f} ± {100 * found.half:.2f} points"
    if found.count < 2:
        words = "undecided, fewer than two seeds in which neither diverged"
        holds = None
    else:
        words = {True: "holds here", False: "does NOT hold here", None: "undecided"}[holds]
    if holds is False and task.shape.length and task.loss == "class" and found.mean > 0:
        words += f", {first} is better by more"
    sentence = f"{claim}: {words}, difference {amount} over {found.count} seeds{beside}"
    return Verdict(other, found, claim, holds, sentence)


def _decide(value: float, half: float, bound: float) -> bool | None:
    """Whether the whole interval lies above the bound, below it, or neither."""
    if value - half > bound:
        return True
    return False if value + half < bound else None


def stem(recipe: Recipe) -> str:
    """The beginning of a run's file names."""
    units = "x".join(map(str, recipe.hidden))
    return f"{recipe.model}-{recipe.task}-{units}-{recipe.seed}"


def write_training(run: Training, folder: Path) -> list[Path]:
    """Write the network of the best epoch, its history and its certificates.

    Returns:
        The files: `.eqx`, `.csv`, `.npz`, `.certificate.json`.
    """
    base = folder / stem(run.recipe)
    names = [base.with_name(base.name + end) for end in (".eqx", ".csv", ".npz")]
    beside = base.with_name(base.name + ".certificate.json")
    facts = {
        "kind": "network",
        "recipe": dataclasses.asdict(run.recipe),
        "config": dataclasses.asdict(run.config),
        "parameters": run.parameters,
        "outcome": run.outcome.name,
        "failed_at": run.failed_at,
        "best_epoch": run.best + 1,
        "optimiser": run.chain,
    }
    save(names[0], facts, run.model)
    columns = list(run.history)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*(run.history[name].tolist() for name in columns), strict=True))
    write_whole(names[1], text.getvalue().encode())
    packed = io.BytesIO()
    np.savez(packed, **run.history)  # pyright: ignore[reportArgumentType]
    write_whole(names[2], packed.getvalue())
    found = [{"epoch": epoch} | dataclasses.asdict(one) for epoch, one in run.certificates]
    write_whole(beside, json.dumps(facts | {"certificates": _plain(found)}, indent=2).encode())
    return [*names, beside]


def _plain(value: Any) -> Any:
    """NaN as null, for JSON."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
