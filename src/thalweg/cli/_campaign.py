"""`thalweg campaign`: a laboratory's plates, from the command line."""

import dataclasses
import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import _options as options
from ._campaign_new import new
from ._campaign_status import status
from ._campaign_talk import check_campaign
from ._runtime import prepare_jax
from ._talk import (
    EXIT_FAILED,
    CliError,
    check_writable,
    complain,
    print_json,
    reported,
    talk,
)
from ._values import count, parse_duration

if TYPE_CHECKING:
    import pandas as pd

    from thalweg.sampling.campaign import Campaign, Request

campaign = typer.Typer(
    help="Sample conditions in a laboratory: ask for wells, tell results.",
    epilog='Begin with `thalweg campaign new lab.db --range "pH=4:9" --outcome pass --plate 96`.',
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@reported
def ask(
    store: options.Store,
    number: Annotated[
        int | None,
        typer.Option(
            "--number",
            "-n",
            metavar="N",
            show_default=False,
            help="Wells at most. Default: one plate, or all that the chains can use.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default=False,
            help="CSV file to write. Default: standard output.",
        ),
    ] = None,
    pending: Annotated[
        bool,
        typer.Option("--pending", help="Write again what was asked for and not told; ask nothing."),
    ] = False,
    lease: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            show_default=False,
            help="Offer a well again if it has no result after 24h, say.",
        ),
    ] = None,
    repeats: Annotated[
        bool | None,
        typer.Option(
            "--repeats/--no-repeats",
            show_default=False,
            help="Whether spare wells measure the noise. Default: the spare wells of a plate do.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Fill a plate: a CSV file of wells with empty columns for their results."""
    check_campaign(store)
    if output is not None:
        check_writable(output)
    if number is not None and number < 1:
        raise CliError(f"-n {number}: expected at least 1")
    if pending and (number is not None or lease is not None or repeats is not None):
        raise CliError("--pending asks for nothing new", "leave -n, --lease and --repeats out")
    seconds = None if lease is None else parse_duration(lease)
    prepare_jax()
    from thalweg.sampling.campaign import Campaign

    with Campaign.open(store) as opened:
        wells = opened.pending() if pending else opened.ask(number, lease=seconds, repeats=repeats)
        if not wells:
            out = len(opened.pending())
            hint = f"{count(out, 'well')} still out; `--pending` writes them again" if out else None
            complain(f"{store}: nothing to measure", hint)
            raise typer.Exit(EXIT_FAILED)
        _write(opened, wells, output, as_json=as_json)
    target = f", written to [bold]{output}[/]" if output else ""
    plates = sorted({w.plate for w in wells if w.plate is not None})
    where = f" on plate {', '.join(map(str, plates))}" if plates else ""
    repeated = sum(w.purpose.value == "repeat" for w in wells)
    spare = f", {repeated} of them for the noise" if repeated else ""
    talk(quiet=quiet).print(f"{count(len(wells), 'well')}{where}{spare}{target}.")


def _write(
    opened: "Campaign", wells: "list[Request]", output: Path | None, *, as_json: bool
) -> None:
    from thalweg.sampling.campaign import write_requests

    if output is not None:
        write_requests(output, opened.plan, wells)
    if as_json:
        items = [dataclasses.asdict(well) for well in wells]
        print_json({"command": "campaign ask", "store": opened.name, "wells": items})
    elif output is None:
        write_requests(sys.stdout, opened.plan, wells)


@reported
def tell(
    store: options.Store,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", show_default=False, help="CSV file with results; - for standard input."
        ),
    ],
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Take results in: the file of `ask`, its columns value and status filled in.

    In any order, partly, or twice. A row without id is a measurement of your own choice.
    """
    check_campaign(store)
    if file != "-" and not Path(file).is_file():
        raise CliError(f"there is no file {file}")
    prepare_jax()
    from thalweg.sampling.campaign import Campaign, read_results

    with Campaign.open(store) as opened:
        results = read_results(sys.stdin if file == "-" else Path(file), opened.plan)
        if not results:
            complain(f"{file}: no row has a value or a status", "fill in the column value")
            raise typer.Exit(EXIT_FAILED)
        told = opened.tell_many(results, throw=False)
    parts = [f"{count(told.committed, 'result')} committed"]
    for number, text in (
        (told.lost, "lost and to be asked for again"),
        (told.duplicates, "known before"),
        (told.observed, "of your own choice"),
        (told.late, "for an assay that was replaced"),
    ):
        if number:
            parts.append(f"{number:,} {text}")
    talk(quiet=quiet).print(
        f"{', '.join(parts)}; {count(told.steps, 'step')}, {told.moves:,} accepted."
    )
    if as_json:
        print_json({"command": "campaign tell", "store": store, **dataclasses.asdict(told)})
    if told.conflicts:
        complain(
            f"{', '.join(told.conflicts[:5])}: told before with another result, which stands",
            "both are in the log: `thalweg campaign export --what log`",
        )
        raise typer.Exit(EXIT_FAILED)


class What(enum.StrEnum):
    """Tables that can be exported."""

    samples = "samples"
    decisions = "decisions"
    results = "results"
    log = "log"


@reported
def export(
    store: options.Store,
    what: Annotated[
        What,
        typer.Option(
            help="samples: conditions in proportion to their average; decisions: every step with "
            "its weights and its random number; results: every measured value; log: everything."
        ),
    ] = What.samples,
    step: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            show_default=False,
            help="Last step of the samples. Default: the largest that all chains have reached.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default=False,
            help="CSV file to write. Default: standard output.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Write samples, decisions, results or the whole log as a table."""
    check_campaign(store)
    if output is not None:
        check_writable(output)
    if step is not None and what is not What.samples:
        raise CliError("--step goes with --what samples")
    prepare_jax()
    from thalweg.sampling.campaign import Campaign

    with Campaign.open(store) as opened:
        frame: pd.DataFrame
        if what is What.samples:
            frame = opened.samples(step).frame()
        elif what is What.decisions:
            frame = opened.decisions()
        else:
            frame = opened.observations() if what is What.results else opened.log()
    if output is not None:
        frame.to_csv(output, index=False, lineterminator="\n")
    elif not as_json:
        frame.to_csv(sys.stdout, index=False, lineterminator="\n")
    if as_json:
        facts = {"command": "campaign export", "store": store, "what": what.value}
        file = None if output is None else str(output)
        print_json({**facts, "rows": frame.to_dict("records"), "file": file})
    target = f", written to [bold]{output}[/]" if output else ""
    talk(quiet=quiet).print(f"{count(len(frame), 'row')} of {what.value}{target}.")


@reported
def assay(
    store: options.Store,
    version: Annotated[str, typer.Argument(metavar="VERSION", show_default=False)],
    note: Annotated[
        str, typer.Option(metavar="TEXT", show_default=False, help="What has changed.")
    ] = "",
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Declare another assay: every chain measures its present point anew and begins there.

    Wells that are still out are void; samples of the two assays are never mixed.
    """
    check_campaign(store)
    prepare_jax()
    from thalweg.sampling.campaign import Campaign

    with Campaign.open(store) as opened:
        void = len(opened.pending())
        opened.change_assay(version, note)
    talk(quiet=quiet).print(f"Assay {version} from now on; {count(void, 'well')} void.")
    if as_json:
        facts = {"command": "campaign assay", "store": store, "assay": version, "void": void}
        print_json(facts)


campaign.command("new", short_help="Make a campaign.")(new)
campaign.command("ask", short_help="Write a plate of wells to be measured.")(ask)
campaign.command("tell", short_help="Take a file of results in.")(tell)
campaign.command("status", short_help="Say how far it is, and what is wrong.")(status)
campaign.command("export", short_help="Write samples, decisions, results or the log.")(export)
campaign.command("assay", short_help="Declare that the assay has changed.")(assay)
