"""`thalweg certify`: the fixed points of a circuit, how stable each is, and what proves it."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._find import load_object
from ._runtime import prepare_jax
from ._talk import (
    EXIT_FAILED,
    CliError,
    data,
    print_json,
    reported,
    talk,
)
from ._values import count

if TYPE_CHECKING:
    from rich.console import Console

    from thalweg.circuits import NamedCircuit
    from thalweg.dynamics import CertifiedPoint, StabilityCertificate

_SHOWN = 12
"""Fixed points in the table; `--json` has all."""

_COORDINATES = 4
"""Coordinates of a point in the table."""


@reported
def certify(
    name: options.Circuit,
    drive: options.Drive = None,
    dt: Annotated[
        float | None,
        typer.Option(metavar="H", show_default=False, help="Also certify the Euler map at step H."),
    ] = None,
    starts: Annotated[
        int, typer.Option(metavar="N", min=1, help="Random starts of the search for fixed points.")
    ] = 256,
    scale: options.Scale = None,
    dof: options.Dof = None,
    key: options.Key = 0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Say where a circuit rests, how stable each rest is, and what proves it.

    The exit code is 0 if a stable fixed point was found, and 1 if not.
    """
    _check(name, dt, scale)
    values = None if drive is None else _numbers(drive)
    prepare_jax()
    import jax.numpy as jnp

    from thalweg.dynamics import certify as run

    found = _find(name)
    used = found.drive if values is None else jnp.asarray(values)
    certificate = run(found.circuit, used, step=dt, key=key, number=starts, scale=scale, dof=dof)
    normalisation = _normalisation(found.circuit, used, certificate)
    if as_json:
        print_json(_facts(found, used, certificate, normalisation))
    elif not quiet:
        _table(found, certificate)
    _say(talk(quiet=quiet), found, certificate, normalisation)
    if certificate.verdict != "stable":
        raise typer.Exit(EXIT_FAILED)


def _check(name: str, dt: float | None, scale: float | None) -> None:
    if name.endswith(".npz") and not Path(name).is_file():
        raise CliError(f"there is no file {name}", "thalweg.circuits.save_circuit writes one")
    if name.endswith(".py"):
        raise CliError(f"which circuit in {name}?", f"write {name}:NAME")
    for option, value in (("--dt", dt), ("--scale", scale)):
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise CliError(f"{option} {value:g} is not a positive number")


def _numbers(text: str) -> list[float]:
    try:
        values = [float(part) for part in text.replace(" ", "").split(",")]
    except ValueError:
        raise CliError(
            f"--drive {text!r} is no list of numbers", "write it like --drive 0.3,1.2"
        ) from None
    if not all(map(math.isfinite, values)):
        raise CliError(f"--drive {text!r} holds NaN or an infinity")
    return values


def _find(name: str) -> "NamedCircuit":
    """From what was typed to a circuit with its drive."""
    from thalweg.circuits import NamedCircuit, circuit, load_circuit
    from thalweg.core import AbstractDynamics, AbstractMap

    if name.endswith(".npz"):
        return load_circuit(name)
    if ":" not in name:
        return circuit(name)
    found = load_object(name)
    kinds = (AbstractDynamics, AbstractMap, NamedCircuit)
    if not isinstance(found, kinds) and callable(found):
        try:
            found = found()
        except TypeError as error:
            raise CliError(
                f"{name} needs arguments: {error}", "name an object, or a function without any"
            ) from error
    if isinstance(found, NamedCircuit):
        return found
    if not isinstance(found, AbstractDynamics | AbstractMap):
        raise CliError(
            f"{name} is a {type(found).__name__}, expected an AbstractDynamics or an AbstractMap",
            "derive your system from thalweg.core.AbstractDynamics",
        )
    return NamedCircuit(name.rpartition(":")[2], found)


def _normalisation(circuit: Any, drive: Any, certificate: "StabilityCertificate") -> float | None:
    """How far the stable point is from `b z / √((b0 σ)² + W (b z)²)`, relative."""
    import numpy as np

    from thalweg.circuits import Organics

    if not (isinstance(circuit, Organics) and circuit.W_r is None and certificate.points):
        return None
    exact = np.asarray(circuit.normalised(drive))
    away = np.abs(certificate.points[0].x - exact)
    return float(np.max(away) / np.max(np.abs(exact)))


def _table(found: "NamedCircuit", certificate: "StabilityCertificate") -> None:
    from rich.table import Table
    from rich.text import Text

    discrete = certificate.search.discrete
    table = Table(box=None, pad_edge=False, header_style="bold")
    heads = ["", "verdict", "1 - max |μ|" if discrete else "max Re λ"]
    heads += [] if discrete else ["frequency", "damping", "Euler step <"]
    heads += ["at this dt"] * (certificate.step is not None) + ["starts", "point"]
    for head in heads:
        table.add_column(head, justify="left" if head in {"verdict", "point"} else "right")
    for number, point in enumerate(certificate.points[:_SHOWN], start=1):
        row = [str(number), point.verdict, f"{point.margin if discrete else -point.margin:.6g}"]
        if not discrete:
            row += [f"{_slowest(point):.5g}", f"{point.damping.min():.3f}"]
            row.append(f"{point.critical_step:.5g}")
        if certificate.step is not None:
            row.append(str(point.euler))
        row += [str(point.hits), _short(found.circuit, point)]
        table.add_row(*map(Text, row))
    data().print(table)


def _slowest(point: "CertifiedPoint") -> float:
    """The frequency of the least damped mode."""
    return float(point.frequency[point.damping.argmin()])


def _short(circuit: Any, point: "CertifiedPoint") -> str:
    names = circuit.labels() if hasattr(circuit, "labels") else ()
    if len(names) != len(point.x):
        names = tuple(f"x{i}" for i in range(len(point.x)))
    shown = [
        f"{name}={value:.4g}" for name, value in zip(names[:_COORDINATES], point.x, strict=False)
    ]
    return " ".join(shown) + (" …" if len(point.x) > _COORDINATES else "")


def _say(
    console: "Console",
    found: "NamedCircuit",
    certificate: "StabilityCertificate",
    normalisation: float | None,
) -> None:
    from rich.markup import escape

    hidden = len(certificate.points) - _SHOWN
    if hidden > 0:
        console.print(f"and {count(hidden, 'fixed point')} more (--json has all)")
    for theorem in certificate.theorems:
        word = "applies" if theorem.applies else "does not apply"
        console.print(f"[bold]{escape(theorem.name)}[/] {word}: {escape(theorem.because)}")
        if theorem.applies:
            console.print(f"  {escape(theorem.statement)} [dim]({escape(theorem.source)})[/]")
    if normalisation is not None:
        console.print(
            "divisive normalisation y = bz / √((b0 σ)² + W(bz)²) holds to "
            f"{normalisation:.1g} (relative)"
        )
    console.print("what this does not prove:")
    for limit in certificate.limits:
        console.print(f"  {escape(limit)}")
    euler = ""
    if certificate.step is not None:
        word = "keeps it" if certificate.euler == "stable" else f"is {certificate.euler}"
        euler = f"; explicit Euler at {certificate.step:g} {word}"
    console.print(
        f"{escape(found.name)}: [bold]{certificate.verdict}[/]: "
        f"{escape(certificate.reason)}{euler}."
    )


def _facts(
    found: "NamedCircuit",
    drive: Any,
    certificate: "StabilityCertificate",
    normalisation: float | None,
) -> dict[str, Any]:
    return {
        "command": "certify",
        "circuit": found.name,
        "kind": type(found.circuit).__name__,
        "drive": drive,
        "verdict": str(certificate.verdict),
        "reason": certificate.reason,
        "complete": certificate.complete,
        "contracting": certificate.contracting,
        "stable": len(certificate.stable),
        "step": certificate.step,
        "euler": certificate.euler,
        "normalisation_error": normalisation,
        "points": [_point_facts(point) for point in certificate.points],
        "theorems": [
            {
                "name": t.name,
                "applies": t.applies,
                "statement": t.statement,
                "because": t.because,
                "source": t.source,
                "proves": sorted(t.proves),
                "rate": t.rate,
            }
            for t in certificate.theorems
        ],
        "limits": certificate.limits,
        "starts": certificate.search.starts,
        "outcomes": certificate.search.outcomes,
    }


def _point_facts(point: "CertifiedPoint") -> dict[str, Any]:
    import numpy as np

    return {
        "x": point.x,
        "verdict": str(point.verdict),
        "reason": point.reason,
        "margin": point.margin,
        "error": point.error,
        "condition": point.condition,
        "eigenvalues_real": np.real(point.eigenvalues),
        "eigenvalues_imag": np.imag(point.eigenvalues),
        "frequency": point.frequency,
        "damping": point.damping,
        "critical_step": point.critical_step,
        "euler": point.euler,
        "theorem": point.theorem,
        "hits": point.hits,
        "residual": point.residual,
    }
