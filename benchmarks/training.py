"""One training step: the gated circuit on pixel sequences, and a static layer with W_r ≠ I.

Both codes start from the same parameters and see the same batch; their first losses must agree.
"""

import contextlib
import statistics
import tempfile
from pathlib import Path

from _report import Report, ratio
from _sides import Side, available

BATCH = 256
LENGTH = 784


def run(*, quick: bool) -> Report:
    """CPU seconds of a step: forward, backward, Adam."""
    report = Report("training", f"CPU seconds of one training step, batch {BATCH}")
    codes = available("thalweg-training", "torch")
    rounds, length = (1, 16) if quick else (3, LENGTH)
    report.notes.append(
        f"sequences of {length}; the torch loop keeps all of its intermediates, its static layer "
        "unrolls ten solves; median of rounds in turns"
    )
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sides = {code: stack.enter_context(Side(code)) for code in codes}
        for task, sizes in (("sequence", (64, 128)), ("static", (80,))):
            for size in sizes:
                _measure(report, sides, task, size, (folder, length, rounds))
    return report


def _measure(report, sides, task, size, how):
    folder, length, rounds = how
    taken = {code: [] for code in sides}
    losses = {}
    for number in range(rounds):
        for code, side in sides.items():
            path = str(folder / f"{task}-{size}.npz")
            reply = side.ask(
                task, path=path, size=size, batch=BATCH, length=length, fresh=number == 0
            )
            taken[code].append(reply["step"])
            losses.setdefault(code, reply["loss"])
    if len(losses) == 2:
        ours, theirs = losses.values()
        if abs(ours - theirs) > 1e-3:
            raise RuntimeError(f"{task} {size}: losses differ, {ours} and {theirs}")
    medians = {code: statistics.median(times) for code, times in taken.items()}
    for code, median in medians.items():
        report.add(
            task=task,
            units=size,
            code="thalweg" if code == "thalweg-training" else code,
            step=median,
            **{"torch ×": ratio(medians.get("torch"), median), "first loss": losses[code]},
        )
