"""`thalweg campaign status`: how far, how well, and what is wrong."""

import math
from typing import TYPE_CHECKING, Annotated

import typer

from . import _options as options
from ._campaign_talk import check_campaign
from ._runtime import prepare_jax
from ._talk import (
    EXIT_FAILED,
    CliError,
    complain,
    data,
    print_json,
    reported,
    talk,
)
from ._values import count

if TYPE_CHECKING:
    from thalweg.sampling.campaign import Audit, CampaignStatus


@reported
def status(
    store: options.Store,
    check: Annotated[
        bool,
        typer.Option("--check", help="Recompute every decision from the log and check its hashes."),
    ] = False,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            show_default=False,
            help="With --check: a head that was noted earlier must be part of the log.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Say how far a campaign is, how well it mixes, how noisy the assay is, and what is wrong."""
    check_campaign(store)
    if head is not None and not check:
        raise CliError("--head goes with --check")
    prepare_jax()
    from thalweg.sampling.campaign import Campaign

    with Campaign.open(store) as opened:
        found = opened.status()
        audit = opened.verify(head) if check else None
    if as_json:
        facts = {"command": "campaign status", "store": store, **found.to_json()}
        if audit is not None:
            facts["check"] = {"ok": audit.ok, "problems": list(audit.problems)}
        print_json(facts)
    else:
        _print(found)
        console = talk(quiet=quiet)
        for warning in found.warnings:
            console.print(f"[yellow]{warning}[/]")
    if audit is not None:
        _conclude(store, audit, quiet=quiet)


def _print(found: "CampaignStatus") -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _lines(found):
        table.add_row(name, text)
    data().print(table)


def _lines(found: "CampaignStatus") -> list[tuple[str, str]]:
    wells = [f"{found.asked:,} asked for, {found.told:,} told, {found.pending:,} out"]
    for number, text in ((found.lost, "lost"), (found.repeats, "for the noise")):
        if number:
            wells.append(f"{number:,} {text}")
    reach = f"all at step {found.common_step}, the furthest at {found.furthest_step}"
    lines = [
        ("outcome", f"{found.outcome}, assay {found.assay}"),
        ("chains", f"{found.chains:,}, {found.started:,} started; {reach}"),
        ("wells", ", ".join(wells)),
        ("acceptance", _number(found.acceptance, "{:.3f}")),
        ("longest stick", count(found.longest_stick, "step")),
    ]
    if found.burn_in:
        factor = "being tuned" if found.factor is None else f"steps × {found.factor:g}"
        lines.append(("burn-in", f"{count(found.burn_in, 'step')}; {factor}"))
    if not math.isnan(found.noise):
        lines.append(("noise", f"{found.noise:.2f} (s.d. of a log-weight)"))
    if found.redraw_ratio is not None:
        lines.append(("fresh / stored", str(found.redraw_ratio)))
    lines += [(f"⟨{name}⟩", str(value)) for name, value in found.averages.items()]
    lines.append(("independent", _number(found.ess, "{:,.0f} samples")))
    lines.append(("head", found.head))
    return lines


def _number(value: float, form: str) -> str:
    return "not known yet" if math.isnan(value) else form.format(value)


def _conclude(store: str, audit: "Audit", *, quiet: bool) -> None:
    if not audit.ok:
        complain(f"{store}: {audit.problems[0]}", "\n".join(audit.problems[1:]) or None)
        raise typer.Exit(EXIT_FAILED)
    talk(quiet=quiet).print(
        f"{count(audit.decisions, 'decision')} recomputed from {count(audit.events, 'event')}: "
        "all as logged."
    )
