"""`thalweg campaign new`: conditions and rules, once and for all."""

import enum
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import _options as options
from ._runtime import prepare_jax
from ._talk import CliError, check_writable, print_json, reported, talk
from ._values import count, parse_duration

if TYPE_CHECKING:
    from thalweg.sampling.campaign import Choice, Levels, Range

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"\s*(.+?)\s*=\s*({_NUMBER})\s*:\s*({_NUMBER})\s*(.*?)\s*")
_LEVELS = re.compile(rf"\s*(.+?)\s*=\s*({_NUMBER}(?:\s*,\s*{_NUMBER})+)\s*(.*?)\s*")
_STEP = re.compile(rf"\s*(.+?)\s*=\s*({_NUMBER})\s*")


class OutcomeName(enum.StrEnum):
    """What a measurement returns."""

    weight = "weight"
    passed = "pass"
    signed = "signed"


def _several(help_: str, metavar: str) -> object:
    return typer.Option(metavar=metavar, show_default=False, help=help_)


@reported
def new(
    store: options.Store,
    range_: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            metavar="NAME=LOW:HIGH UNIT",
            show_default=False,
            help='A condition between two bounds: --range "pH=4:9" --range "T=20:60 °C".',
        ),
    ] = None,
    log: Annotated[
        list[str] | None, _several("The same, in its logarithm.", "NAME=LOW:HIGH UNIT")
    ] = None,
    periodic: Annotated[
        list[str] | None, _several("The same, with equal ends (an angle).", "NAME=LOW:HIGH UNIT")
    ] = None,
    levels: Annotated[
        list[str] | None, _several("A condition with ordered levels.", "NAME=A,B,… UNIT")
    ] = None,
    choice: Annotated[
        list[str] | None, _several("A condition with levels in no order.", "NAME=A,B,…")
    ] = None,
    step: Annotated[
        list[str] | None,
        _several(
            "How far a proposal goes: in the condition's unit, in decades with --log, in levels. "
            "Default: a tenth of the range, one level.",
            "NAME=S",
        ),
    ] = None,
    outcome: Annotated[
        OutcomeName,
        typer.Option(help="weight: a number, never negative; pass: pass or fail; signed."),
    ] = OutcomeName.weight,
    chains: Annotated[int, typer.Option(metavar="N", help="Independent chains.")] = 96,
    replicates: Annotated[
        int, typer.Option(metavar="N", help="Wells for each proposal, averaged.")
    ] = 1,
    cloud: Annotated[
        int | None,
        typer.Option(
            metavar="N", show_default=False, help="Propose clouds of N points instead of one."
        ),
    ] = None,
    radius: Annotated[
        float, typer.Option(metavar="R", help="Radius of a cloud, in units of the steps.")
    ] = 1.0,
    plate: Annotated[
        int | None,
        typer.Option(metavar="N", show_default=False, help="Wells of a plate: 96, 384, …"),
    ] = None,
    control: Annotated[
        list[str] | None, _several("A well to leave empty (repeat it).", "WELL")
    ] = None,
    burn_in: Annotated[
        int, typer.Option(metavar="N", help="Steps of each chain that samples leave out.")
    ] = 0,
    tune: Annotated[
        bool, typer.Option("--tune", help="Try several step lengths in the burn-in.")
    ] = False,
    refresh: Annotated[
        int, typer.Option(metavar="N", help="Measure the present point anew at every Nth step.")
    ] = 0,
    limit: Annotated[
        float | None,
        typer.Option(metavar="W", show_default=False, help="Largest weight, for censored results."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="X", show_default=False, help="With --outcome pass: X or more passes."
        ),
    ] = None,
    assay: Annotated[str, typer.Option(metavar="VERSION", help="Version of the assay.")] = "1",
    lease: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default=False,
            help="Offer a well again if it has no result after 24h, say.",
        ),
    ] = None,
    key: options.Key = 0,
    name: Annotated[str, typer.Option(metavar="TEXT", show_default=False, help="A title.")] = "",
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Make a campaign: what may be varied, what a measurement returns, how chains move.

    Chains visit conditions in proportion to the average outcome there.
    """
    if "://" not in store:
        check_writable(Path(store))
    if cloud is not None and replicates != 1:
        raise CliError("--cloud and --replicates exclude one another")
    seconds = None if lease is None else parse_duration(lease)
    prepare_jax()
    from thalweg.sampling.campaign import Campaign, Cloud, Single

    conditions = _conditions(
        {"": range_ or [], "log": log or [], "periodic": periodic or []},
        levels or [],
        choice or [],
        step or [],
    )
    with Campaign.create(
        store,
        conditions,
        outcome=outcome.value,
        kernel=Single(replicates) if cloud is None else Cloud(cloud, radius),
        chains=chains,
        key=key,
        burn_in=burn_in,
        tune=tune,
        refresh=refresh,
        limit=limit,
        threshold=threshold,
        assay=assay,
        layout=plate,
        controls=tuple(control or ()),
        lease=seconds,
        name=name,
    ) as made:
        plan = made.plan
    talk(quiet=quiet).print(
        f"{count(chains, 'chain')} in {count(len(conditions), 'condition')}, "
        f"{count(plan.width, 'well')} for each proposal, written to [bold]{store}[/]."
    )
    if as_json:
        print_json({"command": "campaign new", "store": store, "plan": plan.to_json()})


def _conditions(
    ranges: dict[str, list[str]], levels: list[str], choices: list[str], steps: list[str]
) -> "list[Range | Levels | Choice]":
    from thalweg.sampling.campaign import Choice, Levels, Range

    lengths = dict(_length(text) for text in steps)
    found: list[Range | Levels | Choice] = []
    for kind, texts in ranges.items():
        for text in texts:
            match = _RANGE.fullmatch(text)
            if match is None:
                raise CliError(f"{text!r} is no range", 'write it like "T=20:60 °C"')
            name, low, high, unit = match.groups()
            found.append(
                Range(
                    name,
                    float(low),
                    float(high),
                    unit,
                    lengths.pop(name, None),
                    periodic=kind == "periodic",
                    log=kind == "log",
                )
            )
    for text in levels:
        match = _LEVELS.fullmatch(text)
        if match is None:
            raise CliError(f"{text!r} are no levels", 'write them like "dose=1,2,5 mg"')
        name, numbers, unit = match.groups()
        values = [float(number) for number in numbers.split(",")]
        found.append(Levels(name, values, unit, lengths.pop(name, None)))
    for text in choices:
        name, _, values = text.partition("=")
        found.append(Choice(name.strip(), [v.strip() for v in values.split(",") if v.strip()]))
    if lengths:
        raise CliError(
            f"--step {', '.join(lengths)}: no range and no levels of that name",
            "give the condition as well, with the same name",
        )
    if not found:
        raise CliError("a campaign needs a condition", '--range "pH=4:9"')
    return found


def _length(text: str) -> tuple[str, float]:
    match = _STEP.fullmatch(text)
    if match is None:
        raise CliError(f"{text!r} is no step", "write it like pH=0.5")
    return match[1], float(match[2])
