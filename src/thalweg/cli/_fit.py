"""`thalweg fit`: force fields of one molecule, fitted to a level of theory and measured."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import _options as options
from ._front import TABLE, PlanReporter, front_facts, leading, show_front, write_facts
from ._interrupt import Interrupts
from ._talk import (
    CliError,
    check_writable,
    print_json,
    reported,
    talk,
)
from ._values import count, duration, parse_duration

if TYPE_CHECKING:
    pass


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
            metavar="A,B",
            show_default=False,
            help="Kinds of force field, their knobs if need be: delta,delta-width8-cutoff0.4. "
            "Default: all there are.",
        ),
    ] = None,
    turns: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Force fields more: each turns one knob of one on the front by a notch.",
        ),
    ] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="Fits of each force field with networks, from first weights of their own: the "
            "best on the validation frames is kept, and error bars contain them all.",
        ),
    ] = 1,
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
        float,
        typer.Option(metavar="PS", help="Length of the run at 300 K that tests survival, in ps."),
    ] = 100.0,
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
    found = find(molecule, charge=charge)
    topology = found.topology()
    if along:
        rungs = [ladder(part.strip()) for part in along.split(",")]
    else:
        rungs = [rung for rung in LADDER.values() if rung.suits(found)]
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
        f"labels by {method.name}; {', '.join(rung.name for rung in rungs)}",
        markup=False,
    )
    began, reporter = time.monotonic(), PlanReporter(console)
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
                found,
                sets,
                folder=folder,
                budget=seconds,
                measuring=MeasureConfig(survival_ps=md, key=key),
                turns=turns,
                seeds=seeds,
                key=key,
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
    facts = front_facts("fit", folder, front, anchor) | {
        "labels": method.name,
        "molecule": found.name,
        "source": {"molecule": molecule, "labels": labels, "charge": charge},
    }
    write_facts(folder / TABLE, facts)
    if as_json:
        print_json(facts)
    else:
        show_front(front, anchor)
    lost = sum(int(part.provenance.get("left_out", 0)) for part in vars(sets).values())
    failed = f"; {count(lost, 'frame')} without a label left out" if lost else ""
    console.print(
        f"{count(len(front.records), 'force field')} in {duration(time.monotonic() - began)}: "
        f"{leading(front)}{failed}, written to [bold]{folder}[/]."
    )
