"""`thalweg simulate`: follow a circuit, or any dynamics, in time."""

import csv
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from . import _certify as circuits
from . import _options as options
from ._runtime import prepare_jax
from ._talk import (
    EXIT_FAILED,
    CliError,
    check_writable,
    print_json,
    reported,
    talk,
)
from ._values import count

if TYPE_CHECKING:
    import numpy as np

    from thalweg.circuits import NamedCircuit
    from thalweg.dynamics import Trajectories

FORMATS = (".csv", ".npz", ".png", ".pdf", ".svg")
"""Endings of output files."""

_REST = 0.01
"""Every coordinate of the default start: near rest, where square roots are still smooth."""


@reported
def simulate(
    name: options.Circuit,
    time: Annotated[
        float,
        typer.Option(
            metavar="T",
            show_default=False,
            help="How long, in the time unit of the flow (steps, for a map).",
        ),
    ],
    points: Annotated[
        int, typer.Option(metavar="N", min=2, help="Times to keep, equally spaced, for a flow.")
    ] = 201,
    drive: options.Drive = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,…", show_default=False, help="Where to start. Default: 0.01 everywhere."
        ),
    ] = None,
    paths: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            show_default=False,
            help="Number of paths; random starts, unless --start is given.",
        ),
    ] = None,
    scale: options.Scale = None,
    noise: Annotated[
        float | None,
        typer.Option(
            metavar="ETA",
            show_default=False,
            help="Strength of white noise, divided by √τ; needs --step.",
        ),
    ] = None,
    tau: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,…",
            show_default=False,
            help="Time constants of the noise. Default: those of the circuit, else 1.",
        ),
    ] = None,
    step: Annotated[
        float | None,
        typer.Option(
            metavar="H", show_default=False, help="Fixed steps of this length. Default: adaptive."
        ),
    ] = None,
    solver: Annotated[
        str, typer.Option(metavar="NAME", help="tsit5, dopri8, kvaerno5 (stiff), heun or euler.")
    ] = "tsit5",
    extent: Annotated[
        float, typer.Option(metavar="X", help="A path has blown up beyond this.")
    ] = 1e6,
    dof: options.Dof = None,
    key: options.Key = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default=False,
            help="Table (.csv), arrays (.npz) or figure (.png, .pdf, .svg). Default: a table on "
            "standard output.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Follow a circuit in time, from one start or many, with or without noise.

    Paths that blow up or meet NaN end there, and are counted. The exit code is 1 if none reached
    the end.
    """
    circuits._check(name, step, scale)
    _check(time, noise, step, tau, output)
    lists = [None if text is None else circuits._numbers(text) for text in (drive, start, tau)]
    prepare_jax()
    import jax.numpy as jnp
    import numpy as np

    from thalweg.dynamics import WhiteNoise
    from thalweg.dynamics import simulate as run

    found = circuits._find(name)
    used = found.drive if lists[0] is None else jnp.asarray(lists[0])
    starts = _starts(found, used, lists[1], paths, scale, dof, key)
    shaken = None
    if noise is not None:
        shaken = WhiteNoise(noise, _time_constants(found.circuit, lists[2], starts.shape[1]))
    followed = run(
        found.circuit, starts, _times(found, time, points), used,
        step=step, solver=solver, noise=shaken, key=key, extent=extent,
    )  # fmt: skip
    labels = _labels(found.circuit, starts.shape[1])
    if output is not None:
        _write(output, followed, labels, found.name)
    elif not as_json and not quiet:
        _table(sys.stdout, followed, labels)
    if as_json:
        print_json(_facts(found, followed, labels, output))
    console = talk(quiet=quiet)
    ends = ", ".join(f"{n} {outcome}" for outcome, n in followed.counts().items())
    where = "" if output is None else f", written to [bold]{output}[/]"
    console.print(
        f"{count(len(followed.x), 'path')} of {count(len(labels), 'coordinate')} over {time:g}: "
        f"{ends}; {int(np.sum(followed.steps)):,} steps{where}."
    )
    if not followed.ok.any():
        raise typer.Exit(EXIT_FAILED)


def _check(
    time: float, noise: float | None, step: float | None, tau: str | None, output: Path | None
) -> None:
    """Refuse what can be seen to be wrong before any library is loaded."""
    if not (time > 0 and math.isfinite(time)):
        raise CliError(f"--time {time:g} is not a positive number")
    if noise is not None and not (noise > 0 and math.isfinite(noise)):
        raise CliError(f"--noise {noise:g} is not a positive number")
    if noise is not None and step is None:
        raise CliError("--noise needs --step", "a twentieth of the shortest time constant, say")
    if tau is not None and noise is None:
        raise CliError("--tau goes with --noise", "leave --tau out")
    if output is not None:
        if output.suffix.lower() not in FORMATS:
            raise CliError(f"{output}: expected {', '.join(FORMATS)}", f"-o {output.stem}.csv")
        check_writable(output)


def _starts(
    found: "NamedCircuit",
    drive: Any,
    given: list[float] | None,
    paths: int | None,
    scale: float | None,
    dof: int | None,
    key: int,
) -> "np.ndarray":
    """Starting points, `(paths, dof)`."""
    import jax
    import numpy as np

    from thalweg.dynamics import AbstractCircuit

    circuit: Any = found.circuit
    if given is not None:
        if scale is not None:
            raise CliError("--scale goes with random starts", "leave --start or --scale out")
        return np.repeat([given], paths or 1, axis=0)
    size = dof or getattr(circuit, "dof", None)
    if not isinstance(size, int):
        raise CliError(f"{found.name} does not say how many coordinates it has", "add --dof N")
    if paths is None:
        return np.full((1, size), _REST)
    root = jax.random.fold_in(jax.random.key(key), 1)
    if scale is None and isinstance(circuit, AbstractCircuit):
        return np.asarray(circuit.starts(root, paths, drive))
    return (scale or 1.0) * np.asarray(jax.random.normal(root, (paths, size)))


def _times(found: "NamedCircuit", time: float, points: int) -> "np.ndarray":
    import numpy as np

    from thalweg.core import AbstractMap

    if not isinstance(found.circuit, AbstractMap):
        return np.linspace(0.0, time, points)
    if time != round(time):
        raise CliError(f"--time {time:g}: a map steps by one", f"--time {math.ceil(time)}")
    return np.arange(int(time) + 1)


def _time_constants(circuit: Any, given: list[float] | None, dof: int) -> Any:
    """What the noise is divided by: `(dof,)`, or one number."""
    import jax.numpy as jnp

    if given is not None:
        return given[0] if len(given) == 1 else jnp.asarray(given)
    parts = [getattr(circuit, name) for name in ("tau_y", "tau_a") if hasattr(circuit, name)]
    if parts:
        joined = jnp.concatenate([jnp.ravel(jnp.asarray(part)) for part in parts])
        if joined.shape == (dof,):
            return joined
    own = getattr(circuit, "tau", None)
    if own is not None and jnp.shape(own) in {(), (dof,)}:
        return jnp.asarray(own)
    return 1.0


def _labels(circuit: Any, dof: int) -> tuple[str, ...]:
    """Names of the coordinates."""
    from thalweg.dynamics import AbstractCircuit

    if isinstance(circuit, AbstractCircuit):
        known = tuple(circuit.labels())
        if len(known) == dof:
            return known
    return tuple(f"x{i + 1}" for i in range(dof))


def _table(file: Any, followed: "Trajectories", labels: tuple[str, ...]) -> None:
    """One row for each path and time, as long as the path goes."""
    import numpy as np

    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["path", "time", *labels])
    for number, path in enumerate(followed.x):
        for t, x in zip(followed.times.tolist(), path, strict=True):
            if np.isfinite(x).all():
                writer.writerow([number, f"{t:.10g}", *(f"{v:.10g}" for v in x.tolist())])


def _write(output: Path, followed: "Trajectories", labels: tuple[str, ...], title: str) -> None:
    import numpy as np

    if output.suffix == ".csv":
        with output.open("w", encoding="utf-8", newline="") as file:
            _table(file, followed, labels)
    elif output.suffix == ".npz":
        np.savez_compressed(
            output, times=followed.times, x=followed.x, outcome=followed.outcome,
            ended=followed.ended, labels=np.array(labels),
        )  # fmt: skip
    else:
        import matplotlib as mpl

        mpl.use("agg")
        from thalweg.viz import plot_trajectories, save_figure

        axes = plot_trajectories(followed.times, followed.x, labels, title=title)
        save_figure(cast("Any", axes.figure), output)


def _facts(
    found: "NamedCircuit", followed: "Trajectories", labels: tuple[str, ...], output: Path | None
) -> dict[str, Any]:
    return {
        "command": "simulate",
        "circuit": found.name,
        "paths": len(followed.x),
        "coordinates": list(labels),
        "time": followed.times[-1],
        "outcomes": followed.counts(),
        "steps": int(followed.steps.sum()),
        "end": followed.end,
        "file": None if output is None else str(output),
    }
