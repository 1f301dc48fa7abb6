"""Random-start quenches per CPU-second: the same starts, one core, in turns."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

from _report import Report, median, ratio
from _sides import Side, available

TOL = 1e-5
"""Root-mean-square gradient at which a quench has converged."""

# Label, code, task arguments, starts of a round (LJ38, LJ13), rounds at most.
CONTESTANTS = (
    ("Thalweg, 64 lanes", "thalweg", {"lanes": 64}, (1024, 8192), None),
    ("Thalweg, 128 lanes", "thalweg", {"lanes": 128}, (1024, 8192), None),
    ("pele lbfgs_cpp", "pele", {}, (512, 2048), None),
    ("C loop", "c", {"max_step": 0.1}, (1024, 8192), None),
    ("SciPy L-BFGS-B + NumPy", "scipy", {}, (8, 32), None),
    ("ASE LBFGS", "ase", {"optimiser": "LBFGS"}, (1, 2), 1),
    ("ASE FIRE", "ase", {"optimiser": "FIRE"}, (1, 2), 1),
)


def run(*, quick: bool) -> Report:
    """All contestants, round after round."""
    report = Report("quenches", "Random-start quenches per CPU-second, one core, rms 1e-5")
    codes = available("thalweg", "pele", "c", "scipy", "ase")
    contestants = [c for c in CONTESTANTS if c[1] in codes]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sides = {code: stack.enter_context(Side(code)) for code in codes}
        for which, system in enumerate(("lj38", "lj13")):
            taken = _measure(system, which, contestants, sides, folder, quick=quick)
            _rows(report, system, taken)
    report.notes.append("ratios are medians over rounds of figures taken side by side")
    report.notes.append("SciPy and ASE test the largest component, the others the mean square")
    return report


def _measure(
    system: str, which: int, contestants: list, sides: dict[str, Side], folder: Path, *, quick: bool
) -> dict[str, list[dict[str, Any]]]:
    """Replies by contestant, one a round; the first, which compiles, is not counted."""
    path, rounds = str(folder / f"{system}.npy"), 1 if quick else 5
    extent = sides["thalweg"].ask("starts", system=system, key=0, count=8192, path=path)["extent"]
    taken: dict[str, list[dict[str, Any]]] = {label: [] for label, *_ in contestants}
    for turn in range(rounds + 1):
        for label, code, settings, counts, most in contestants:
            if most is not None and turn > most:
                continue
            count = counts[which] // (8 if quick and counts[which] > 100 else 1)
            wishes = {"path": path, "first": 0, "count": count, "tol": TOL} | settings
            if code == "thalweg":
                wishes |= {"system": system}
            if code == "c":
                wishes |= {"extent": extent}
            if turn == 0:
                wishes["count"] = min(wishes["count"], 130)
            reply = sides[code].ask("quench", **wishes)
            if turn:
                taken[label].append(reply)
    return taken


def _rows(report: Report, system: str, taken: dict[str, list[dict[str, Any]]]) -> None:
    """One row a contestant; ratios round by round."""

    def rates(label: str) -> list[float]:
        return [r["quenches"] / r["cpu"] for r in taken.get(label, [])]

    def against(label: str, other: str) -> float | None:
        pairs = zip(rates(label), rates(other), strict=False)
        return median([a / b for a, b in pairs])

    for label, replies in taken.items():
        quenches = sum(r["quenches"] for r in replies)
        evaluations = sum(r["evaluations"] for r in replies)
        report.add(
            system=system,
            code=label,
            **{
                "quenches/s": median(rates(label)),
                "/ pele": against(label, "pele lbfgs_cpp"),
                "/ C": against(label, "C loop"),
                "evaluations/quench": ratio(evaluations, quenches),
                "us/evaluation": ratio(1e6 * sum(r["cpu"] for r in replies), evaluations),
                "converged %": ratio(100.0 * sum(r["converged"] for r in replies), quenches),
                "quenches": quenches,
            },
        )
