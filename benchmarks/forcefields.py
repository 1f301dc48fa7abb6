"""Energy and forces of alanine dipeptide (22 atoms) with Amber14 in vacuum, one configuration.

Both codes evaluate the same system; their energies must agree.
"""

import contextlib
import statistics
import tempfile

from _report import Report, ratio
from _sides import Side, available

REPLICAS = 1000
TASKS = {
    "single": "one call",
    "steps": "one step of dynamics, compiled loop",
    "many": "one of {replicas} configurations",
}


def run(*, quick: bool) -> Report:
    """CPU microseconds of an energy with its forces."""
    report = Report("forcefields", "CPU microseconds of energy and forces, alanine dipeptide")
    codes = available("thalweg-forcefields", "openmm")
    rounds, replicas = (1, 20) if quick else (5, REPLICAS)
    report.notes.append(
        f"float64; OpenMM on its Reference platform, configurations one after another; median of "
        f"{rounds} rounds in turns"
    )
    if "openmm" not in codes:
        report.notes.append("OpenMM makes the system: nothing to measure without it")
        return report
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sides = {code: stack.enter_context(Side(code)) for code in codes}
        sides["openmm"].ask("prepare", folder=folder, replicas=replicas)
        for task, text in TASKS.items():
            _measure(report, sides, task, text.format(replicas=replicas), (folder, rounds))
    return report


def _measure(report, sides, task, text, how):
    folder, rounds = how
    taken = {code: [] for code in sides}
    energies = {}
    for _ in range(rounds):
        for code, side in sides.items():
            reply = side.ask(task, folder=folder)
            taken[code].append(1e6 * reply["seconds"])
            energies[code] = reply["energy"]
    ours, theirs = energies["thalweg-forcefields"], energies["openmm"]
    if ours is not None and abs(ours - theirs) > 1e-6:
        raise RuntimeError(f"{task}: energies differ, {ours} and {theirs} kJ/mol")
    medians = {code: statistics.median(times) for code, times in taken.items()}
    for code, median in medians.items():
        report.add(
            task=text,
            code="thalweg" if code == "thalweg-forcefields" else code,
            **{"µs": median, "OpenMM ×": ratio(medians["openmm"], median)},
        )
