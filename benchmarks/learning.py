"""Minima and transition states of a network's loss per CPU-minute, everything on one core.

The loss is that of the 3-3-4 network on 400 rows of the triatomic data, weakly and very weakly
regularised: condition numbers 10⁴ and 10⁷. All codes begin at the same random parameters, and what
they return is certified and sorted by one judge, modulo exchange and sign of hidden units.
"""

import tempfile

from _report import Report, ratio
from _sides import Side, available

SYSTEMS = {"ljat3-h3-l1e-3": 1e-3, "ljat3-h3-l1e-5": 1e-5}
QUENCHES, LANDSCAPE, PEER = 60.0, 120.0, 240.0
"""CPU seconds of multi-starts, of our map, and of topsearch's."""

NEAR = 0.1
"""A point of any code may be so far from the stationary point that Newton's method finds."""


def run(*, quick: bool) -> Report:
    """Multi-starts first, in turns, then transition states from nothing."""
    report = Report("learning", "A network's loss: certified points per CPU-minute, one core")
    with tempfile.TemporaryDirectory() as folder, Side("thalweg-learning") as judge:
        for system, l2 in list(SYSTEMS.items())[: 1 if quick else None]:
            data, starts = f"{folder}/data.npz", f"{folder}/starts.npy"
            dof = judge.ask("prepare", system=system, count=2048, data=data, starts=starts)["dof"]
            budget = QUENCHES / 10 if quick else QUENCHES
            _multistart(report, judge, system, l2, (data, starts, f"{folder}/ends.npy"), budget)
            _saddles(report, judge, system, l2, dof, (data, f"{folder}/top"), quick=quick)
    report.notes.append("certified: Newton's method moves it by less than 0.1 and its index holds")
    report.notes.append("compilation is left out of multi-starts and counted in maps")
    return report


def _multistart(
    report: Report,
    judge: Side,
    system: str,
    l2: float,
    files: tuple[str, str, str],
    budget: float,
) -> None:
    data, starts, out = files
    rates: dict[str, float] = {}
    for code in ("thalweg", "scipy and NumPy", "scipy and jitted JAX"):
        if code == "thalweg":
            reply = judge.ask("quench", system=system, starts=starts, budget=budget, out=out)
        else:
            how = "jax" if "JAX" in code else "numpy"
            with Side("learning") as side:
                reply = side.ask(
                    "quench", data=data, starts=starts, l2=l2, how=how, budget=budget, out=out
                )
        found = judge.ask("judge", system=system, path=out, index=0, near=NEAR)
        rates[code] = 60.0 * found["certified"] / reply["cpu"]
        _row(report, system, code, "minima", found, reply, rates[code])
    ours = rates["thalweg"]
    peers = ", ".join(
        f"{name} {ratio(ours, rate) or 0:.1f}" for name, rate in rates.items() if name != "thalweg"
    )
    report.notes.append(f"{system}: certified minima per CPU-minute, ours over {peers}")


def _saddles(
    report: Report,
    judge: Side,
    system: str,
    l2: float,
    dof: int,
    files: tuple[str, str],
    *,
    quick: bool,
) -> None:
    data, out = files
    with Side("thalweg") as side:
        limit = LANDSCAPE / 4 if quick else LANDSCAPE
        reply = side.ask(
            "landscape", system=system, key=0, budget=limit, minima=None, transition_states=None
        )
    count = reply["transition_states"]
    ours = 60.0 * count / reply["cpu"]
    found = {"points": count, "certified": count, "distinct": count}
    _row(report, system, "thalweg, compilation counted", "transition states", found, reply, ours)
    if "topsearch" not in available("topsearch"):
        return
    with Side("topsearch") as side:
        limit = PEER / 8 if quick else PEER
        reply = side.ask("loss", data=data, l2=l2, dof=dof, hops=60, budget=limit, out=out)
    for kind, index in (("minima", 0), ("saddles", 1)):
        found = judge.ask("judge", system=system, path=f"{out}-{kind}.npy", index=index, near=NEAR)
        spent = reply if index or reply["hopping"] is None else {"cpu": reply["hopping"]}
        rate = 60.0 * found["distinct"] / spent["cpu"]
        what = "transition states" if index else "minima"
        _row(report, system, "topsearch", what, found, spent, rate)
    gain = ratio(ours, rate)
    text = "topsearch found none" if gain is None else f"ours over topsearch {gain:.0f}"
    report.notes.append(f"{system}: distinct transition states per CPU-minute, {text}")


def _row(
    report: Report, system: str, code: str, what: str, found: dict, reply: dict, rate: float
) -> None:
    report.add(
        system=system,
        code=code,
        what=what,
        returned=found["points"],
        certified=found["certified"],
        distinct=found["distinct"],
        **{"CPU s": reply["cpu"], "per CPU-minute": rate},
    )
