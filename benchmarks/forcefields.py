"""Energy and forces of alanine dipeptide (22 atoms) in vacuum, one configuration.

Molecular mechanics (Amber14, the same system, energies must agree) beside OpenMM's platforms;
learned potentials, with random weights, beside PyTorch's.
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
MECHANICS = (
    ("openmm", "Reference"),
    ("openmm", "CPU"),
    ("thalweg-forcefields", "Amber14"),
)
LEARNED = (
    ("torch-potentials", "ani"),
    ("torch-potentials", "mace"),
    ("thalweg-forcefields", "class II"),
    ("thalweg-forcefields", "symmetry functions"),
    ("thalweg-forcefields", "symmetry functions as ANI's"),
    ("thalweg-forcefields", "invariant messages, 64"),
    ("thalweg-forcefields", "equivariant messages, 32"),
    ("thalweg-forcefields", "equivariant messages, 64"),
)


def run(*, quick: bool) -> Report:
    """CPU microseconds of an energy with its forces."""
    report = Report("forcefields", "CPU microseconds of energy and forces, alanine dipeptide")
    codes = available("thalweg-forcefields", "openmm", "torch-potentials")
    rounds, replicas = (1, 20) if quick else (5, REPLICAS)
    report.notes.append(
        f"median of {rounds} rounds in turns; OpenMM has one configuration after another; "
        "mechanics in float64 (OpenMM's CPU platform: float32), learned networks in float32"
    )
    if "openmm" not in codes:
        report.notes.append("OpenMM makes the system: nothing to measure without it")
        return report
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sides = {code: stack.enter_context(Side(code)) for code in codes}
        sides["openmm"].ask("prepare", folder=folder, replicas=replicas)
        for task, text in TASKS.items():
            shown = text.format(replicas=replicas)
            _measure(report, sides, task, shown, MECHANICS, (folder, rounds))
            if task != "steps":
                _measure(report, sides, task, shown, LEARNED, (folder, rounds))
    return report


def _measure(report, sides, task, text, models, how):
    folder, rounds = how
    models = [(code, model) for code, model in models if code in sides]
    taken = {which: [] for which in models}
    energies, parameters = {}, {}
    for _ in range(rounds):
        for code, model in models:
            reply = sides[code].ask(task, folder=folder, model=model)
            taken[code, model].append(1e6 * reply["seconds"])
            energies[code, model] = reply.get("energy")
            parameters[code, model] = reply.get("parameters")
    if models[0][0] == "openmm":
        _agree(task, energies)
    medians = {which: statistics.median(times) for which, times in taken.items()}
    peers = [which for which in models if which[0] != "thalweg-forcefields"]
    for (code, model), median in medians.items():
        report.add(
            task=text,
            code={"thalweg-forcefields": "thalweg", "torch-potentials": "torch"}.get(code, code),
            model=model,
            parameters=parameters[code, model],
            µs=median,
            **{f"{peer[1]} ×": ratio(medians[peer], median) for peer in peers},
        )


def _agree(task, energies):
    theirs = energies["openmm", "Reference"]
    ours = energies["thalweg-forcefields", "Amber14"]
    if ours is not None and abs(ours - theirs) > 1e-6:
        raise RuntimeError(f"{task}: energies differ, {ours} and {theirs} kJ/mol")
