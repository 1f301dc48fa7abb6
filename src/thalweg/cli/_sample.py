"""`thalweg sample`: chains on an exact weight, a noisy weight, a noisy energy or an oracle."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._find import load_object
from ._talk import (
    EXIT_FAILED,
    CliError,
    check_writable,
    print_json,
    reported,
    talk,
)
from ._values import count, duration

if TYPE_CHECKING:
    from thalweg.sampling import SampleProgress, Samples

_TARGETS = ("double-well", "gaussian-oracle", "skirt-oracle", "transition-state")


@reported
def sample(
    target: Annotated[str, typer.Argument(metavar="TARGET", show_default=False)],
    noise: Annotated[
        str | None,
        typer.Option(
            metavar="LAW[:SIZE]",
            show_default=False,
            help="Noise of the double well: none, lognormal:1.0, gamma:0.7, zero:0.3, energy:1.0 "
            "or energy-unknown:1.0.",
        ),
    ] = None,
    dimension: Annotated[
        int | None,
        typer.Option(metavar="N", show_default=False, help="Dimensions of an oracle. Default: 2."),
    ] = None,
    kernel: Annotated[
        str, typer.Option(metavar="NAME", help="'auto' chooses by a pilot and says why.")
    ] = "auto",
    chains: Annotated[int, typer.Option(metavar="N", help="Independent chains.")] = 1_000,
    steps: Annotated[int, typer.Option(metavar="N", help="Steps of each after warm-up.")] = 4_000,
    warmup: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            show_default=False,
            help="Steps thrown away. Default: a quarter of --steps, at least 400.",
        ),
    ] = None,
    key: options.Key = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default=False,
            help="Write draws and their facts as .npz.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Go on from this file if it exists; keep it up to date.",
        ),
    ] = None,
    float32: Annotated[
        bool, typer.Option("--float32", help="Single precision: faster, and often enough.")
    ] = False,
    as_json: options.AsJson = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the table of averages as CSV.")] = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Sample a weight that is seen through noise, exactly.

    TARGET is double-well, gaussian-oracle, skirt-oracle, transition-state, or your own:
    module:name or file.py:name, naming an ExactWeight, NoisyWeight, NoisyEnergy or Oracle, or a
    function without arguments that returns one.
    """
    if output is not None and output.suffix != ".npz":
        raise CliError(f"{output}: samples are written as .npz", f"-o {output.stem}.npz")
    for path in (output, checkpoint):
        if path is not None:
            check_writable(path)
    law, size = _parse_noise(target, noise)
    if dimension is not None and (not target.endswith("-oracle") or dimension < 1):
        raise CliError("--dimension is a positive number and goes with the oracles")
    from ._runtime import prepare_jax

    prepare_jax()
    found, start = _find(target, law, size, dimension)
    import jax.numpy as jnp

    from thalweg.sampling import sample as run

    console = talk(quiet=quiet)
    console.print(f"target: {target}, sampled law: {found.law}", markup=False)
    samples = run(
        found,
        kernel,
        chains=chains,
        steps=steps,
        warmup=warmup,
        key=key,
        start=start,
        checkpoint=checkpoint,
        report=None if quiet else _Reporter(console),
        dtype=jnp.float32 if float32 else None,
    )
    if samples.reason:
        console.print(f"kernel {samples.kernel.name}: {samples.reason}", markup=False)
    table = samples.summary()
    if csv:
        typer.echo(table.to_csv(), nl=False)
    else:
        console.print(table.to_string(float_format=lambda v: f"{v:.4g}"), markup=False)
    for flag in samples.flags:
        console.print(f"[yellow]{flag.name}[/]: {flag.message}")
    if output is not None:
        _write(output, samples)
    where = f", written to {output}" if output is not None else ""
    console.print(
        f"{count(samples.chains, 'chain')} of {count(samples.steps, 'step')} in "
        f"{duration(samples.seconds)}: {samples.total_evaluations:,} evaluations, "
        f"{_best(samples)} effective samples{where}."
    )
    if as_json:
        print_json(_facts(target, noise, samples, output))
    if samples.interrupted:
        raise typer.Exit(130)
    if not math.isfinite(float(samples.mean.sum())):
        raise typer.Exit(EXIT_FAILED)


class _Reporter:
    """A plain line now and then."""

    def __init__(self, console: Any):
        self.console = console
        self.shown = 0.0

    def __call__(self, progress: "SampleProgress") -> None:
        """Take the state after a block."""
        if progress.seconds - self.shown < 5.0:
            return
        self.shown = progress.seconds
        self.console.print(
            f"{duration(progress.seconds)} · {progress.steps:,} of {progress.total:,} steps · "
            f"accepted {100 * progress.acceptance:.0f} %"
        )


def _parse_noise(target: str, noise: str | None) -> tuple[str, float]:
    if noise is None:
        return "lognormal", 1.0
    if target != "double-well":
        raise CliError("--noise goes with double-well", "your own target brings its own noise")
    law, _, size = noise.partition(":")
    try:
        return law.strip().lower(), float(size) if size else 1.0
    except ValueError:
        raise CliError(
            f"--noise {noise}: {size!r} is no number", "write it like lognormal:1.0"
        ) from None


def _find(target: str, law: str, size: float, dimension: int | None) -> tuple[Any, Any]:
    """The target and a starting point, if it brings one."""
    from thalweg.sampling import DEMONSTRATIONS, check_target

    if target in DEMONSTRATIONS:
        make: Any = DEMONSTRATIONS[target]
        if target == "double-well":
            made = make(law, size)
        else:
            made = make(dimension) if dimension is not None else make()
        return made.target, made.start
    if ":" not in target:
        raise CliError(
            f"there is no target {target!r}",
            f"known: {', '.join(_TARGETS)}; or module:name for your own",
        )
    found = load_object(target)
    if callable(found) and not hasattr(found, "domain"):
        found = found()
    check_target(found)
    return found, None


def _best(samples: "Samples") -> str:
    ess = samples.ess[~(samples.ess != samples.ess)]
    return f"{ess.min():,.0f}" if len(ess) else "an unknown number of"


def _write(path: Path, samples: "Samples") -> None:
    import io

    import numpy as np

    from thalweg.sampling import write_whole

    content = io.BytesIO()
    np.savez_compressed(
        content,
        draws=samples.draws,
        log_weights=samples.log_weights,
        means=samples.means,
        variance=samples.variance,
        evaluations=samples.evaluations,
        accepted=samples.accepted,
        longest=samples.longest,
        names=np.array(samples.names),
        law=np.array(samples.law),
        kernel=np.array(samples.kernel.name),
        steps=samples.steps,
        thin=samples.thin,
    )
    write_whole(path, content.getvalue())


def _facts(
    target: str, noise: str | None, samples: "Samples", output: Path | None
) -> dict[str, Any]:
    """The whole run as one object."""
    check = samples.check
    return {
        "command": "sample",
        "target": target,
        "noise": noise,
        "law": samples.law,
        "kernel": samples.kernel.name,
        "reason": samples.reason,
        "chains": samples.chains,
        "steps": samples.steps,
        "acceptance": samples.acceptance,
        "scale": samples.warmup.scale,
        "evaluations": samples.total_evaluations,
        "longest_stick": samples.longest_stick,
        "summary": samples.summary().reset_index().to_dict(orient="records"),
        "stored_weights": None
        if check is None
        else {"balance": check.balance, "z": check.z, "shift": check.shift, "s2": check.variance},
        "flags": [{"name": flag.name, "message": flag.message} for flag in samples.flags],
        "interrupted": samples.interrupted,
        "seconds": samples.seconds,
        "file": None if output is None else str(output),
    }
