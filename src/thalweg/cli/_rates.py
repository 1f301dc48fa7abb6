"""`thalweg rates`: rate constants, first-passage times, paths and time scales."""

import csv
import math
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _options as options
from ._talk import (
    EXIT_FAILED,
    CliError,
    check_store,
    complain,
    data,
    print_json,
    reported,
    talk,
)
from ._values import count

if TYPE_CHECKING:
    import numpy as np

    from thalweg.kinetics import MarkovChain, RateConstants, RatePath
    from thalweg.landscape import Landscape, TransitionNetwork

_LN10 = math.log(10.0)


@reported
def rates(
    store: options.Store,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="A",
            show_default=False,
            help="Minima to begin in: ids (3 or 0,4,7), lowest:N, or energies E1:E2.",
        ),
    ],
    target: Annotated[
        str,
        typer.Option("--to", metavar="B", show_default=False, help="Minima to end in, likewise."),
    ],
    temperature: Annotated[
        str,
        typer.Option(
            "--temperature",
            "-t",
            metavar="T[,T2…]",
            show_default=False,
            help="Temperatures: energies in reduced units, else kelvin.",
        ),
    ],
    paths: Annotated[int, typer.Option(metavar="K", help="Fastest paths to list.")] = 3,
    timescales: Annotated[int, typer.Option(metavar="K", help="Slowest time scales to list.")] = 5,
    friction: Annotated[
        float | None,
        typer.Option(
            metavar="G", show_default=False, help="Friction constant, for Kramers' rates."
        ),
    ] = None,
    mass: Annotated[
        float | None,
        typer.Option(
            metavar="M", show_default=False, help="Mass of every particle in dalton: times in ps."
        ),
    ] = None,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print the table of rates as CSV on standard output.")
    ] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    traceback: options.Traceback = False,
) -> None:
    """Say how fast a system moves between two sets of minima, and by which path.

    Rates are those of harmonic transition-state theory; times come from elimination without
    subtraction, which holds at any temperature.
    """
    check_store(store)
    if as_csv and as_json:
        raise CliError("--csv and --json both want standard output", "choose one of them")
    wanted = _temperatures(temperature)
    from thalweg.landscape import Landscape

    with Landscape.open(store) as landscape:
        network = landscape.network
        if not network.n_minima:
            complain(f"{store} holds no minima", "map the system first")
            raise typer.Exit(EXIT_FAILED)
        a, b = _choose(network, source, "--from"), _choose(network, target, "--to")
        facts = _facts(landscape, a, b, wanted, paths, timescales, friction=friction, mass=mass)
    facts = {"command": "rates", "store": store, **facts}
    if as_json:
        print_json(facts)
    elif as_csv:
        _write_csv(facts)
    else:
        _show(facts)
    _close(facts, talk(quiet=quiet))


def _temperatures(text: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(math.isfinite(value) and value > 0 for value in values):
        raise CliError(
            f"--temperature {text}: expected positive numbers", "write it like 0.3 or 0.1,0.2,0.3"
        )
    return values


def _choose(network: "TransitionNetwork", text: str, option: str) -> "np.ndarray":
    """Positions of the minima that `0,3`, `lowest:5` or `-44:-41` name."""
    import numpy as np

    try:
        if text.startswith("lowest:"):
            order = np.lexsort((network.ids, network.energies))
            chosen = order[: int(text.removeprefix("lowest:"))]
        elif ":" in text:
            low, high = (float(end) if end else None for end in text.split(":"))
            inside = network.energies >= (-np.inf if low is None else low)
            inside &= network.energies <= (np.inf if high is None else high)
            chosen = np.flatnonzero(inside)
        else:
            ids = [int(part) for part in text.split(",")]
            missing = np.setdiff1d(ids, network.ids)
            if len(missing):
                raise CliError(f"{option} {text}: there is no minimum {missing[0]}")
            chosen = np.flatnonzero(np.isin(network.ids, ids))
    except ValueError:
        raise CliError(
            f"{option} {text}: expected minima", "ids like 3 or 0,4,7, lowest:5, or energies E1:E2"
        ) from None
    if not len(chosen):
        raise CliError(f"{option} {text} names no minimum")
    return chosen


def _facts(
    landscape: "Landscape",
    a: "np.ndarray",
    b: "np.ndarray",
    temperatures: list[float],
    n_paths: int,
    n_times: int,
    **wishes: Any,
) -> dict[str, Any]:
    """Everything that the command says, as data."""
    import numpy as np

    from thalweg.kinetics import transition_rates

    results, unit = [], "reduced"
    for temperature in temperatures:
        chain = transition_rates(landscape, temperature, **wishes)
        unit = chain.time_unit
        forward, back = chain.rate_constants(a, b)
        connected = math.isfinite(forward.log_mfpt)
        piece = np.flatnonzero(chain.components == chain.components[a[0]])
        inner = chain.select(piece)
        number = min(n_times, inner.n_states - 1)
        results.append(
            {
                "temperature": temperature,
                "forward": _constants(forward),
                "backward": _constants(back),
                "paths": [
                    _path(path, chain)
                    for path in (
                        chain.fastest_paths(a, b, n_paths) if connected and n_paths else []
                    )
                ],
                "timescales": inner.timescales(number).tolist() if number > 0 else [],
                "timescale_states": inner.n_states,
            }
        )
    network = landscape.network
    return {
        "from": network.ids[a].tolist(),
        "to": network.ids[b].tolist(),
        "time_unit": unit,
        "energy_unit": landscape.header.energy_unit,
        "results": results,
    }


def _constants(constants: "RateConstants") -> dict[str, float]:
    return {
        "rate": constants.rate,
        "mfpt": constants.mfpt,
        "steady_state": constants.steady_state,
        "non_steady_state": constants.non_steady_state,
        "log10_rate": constants.log_rate / _LN10,
        "log10_mfpt": constants.log_mfpt / _LN10,
    }


def _path(path: "RatePath", chain: "MarkovChain") -> dict[str, Any]:
    network = chain.network
    assert network is not None
    return {
        "minima": path.ids.tolist(),
        "transition_states": network.ts_ids[path.transition_states].tolist(),
        "ts_energies": network.ts_energies[path.transition_states].tolist(),
        "probability": path.weight,
        "limiting_transition_state": int(
            network.ts_ids[path.transition_states[path.limiting_step]]
        ),
    }


_COLUMNS = ("rate", "mfpt", "steady_state", "non_steady_state", "log10_rate", "log10_mfpt")


def _write_csv(facts: dict[str, Any]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["temperature", "direction", *_COLUMNS])
    for row in facts["results"]:
        for direction in ("forward", "backward"):
            values = [repr(float(row[direction][name])) for name in _COLUMNS]
            writer.writerow([row["temperature"], direction, *values])


def _number(value: float, log10: float) -> str:
    """Four digits, also of what a float cannot hold."""
    if value == 0 or math.isinf(value):
        if math.isinf(log10):
            return "0" if log10 < 0 else "∞"
        whole = math.floor(log10)
        return f"{10 ** (log10 - whole):.3f}e{whole:+d}"
    return f"{value:.4g}"


def _show(facts: dict[str, Any]) -> None:
    from rich.table import Table

    console = data()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("T", "rate A→B", "time A→B", "rate B→A", "time B→A", "slowest relaxation"):
        table.add_column(heading, justify="right")
    for row in facts["results"]:
        cells = [f"{row['temperature']:g}"]
        for direction in ("forward", "backward"):
            constants = row[direction]
            cells.append(_number(constants["rate"], constants["log10_rate"]))
            cells.append(_number(constants["mfpt"], constants["log10_mfpt"]))
        times = row["timescales"]
        cells.append(", ".join(f"{time:.4g}" for time in times[:3]) or "-")
        table.add_row(*cells)
    console.print(table)
    for row in facts["results"]:
        for k, path in enumerate(row["paths"]):
            console.print(
                f"T = {row['temperature']:g}, path {k + 1}, probability {path['probability']:.3g}: "
                f"{_draw_path(path)}",
                soft_wrap=True,
            )


def _draw_path(path: dict[str, Any]) -> str:
    """`0 -(17)- 3 -(4*)- 1`: minima and transition states, the limiting one with a star."""
    parts = [str(path["minima"][0])]
    for minimum, ts in zip(path["minima"][1:], path["transition_states"], strict=True):
        star = "*" if ts == path["limiting_transition_state"] else ""
        parts.append(f"─({ts}{star})─ {minimum}")
    return " ".join(parts)


def _close(facts: dict[str, Any], console: Any) -> None:
    """The closing sentence."""
    row = facts["results"][0]
    sizes = f"{count(len(facts['from']), 'minimum')} to {count(len(facts['to']), 'minimum')}"
    unit = facts["time_unit"]
    unit = "in reduced units" if unit == "reduced" else unit
    time = _number(row["forward"]["mfpt"], row["forward"]["log10_mfpt"])
    back = _number(row["backward"]["mfpt"], row["backward"]["log10_mfpt"])
    if time == "∞":
        console.print("No known path leads from A to B: map the landscape further.")
        return
    console.print(
        f"From {sizes} at T = {row['temperature']:g}: {time} {unit} there, {back} back. "
        "Transition states are in brackets; the star limits the rate."
    )
