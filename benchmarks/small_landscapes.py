"""Time to the complete landscapes of LJ7 (4 minima, 12 transition states) and LJ8 (8 and 42)."""

import tempfile
import time

from _report import Report, median, ratio
from _sides import Side, available

COMPLETE = {"lj7": (4, 12), "lj8": (8, 42)}
GIVE_UP = {"lj7": 120.0, "lj8": 240.0}
"""CPU seconds after which a map that is still incomplete counts as a miss."""


def run(*, quick: bool) -> Report:
    """Ours over seeds, cold and warm, in turns with topsearch's own example."""
    report = Report("small_landscapes", "Time to complete landscapes from an empty store, one core")
    peers = available("topsearch", "pele")
    seeds = range(1 if quick else 5)
    theirs: list[dict] = []
    with tempfile.TemporaryDirectory() as caches:
        for system in COMPLETE:
            cold, warm = [], []
            for seed in seeds[:2]:  # what is compiled hardly depends on the seed
                folder = f"{caches}/{system}-{seed}"
                cold.append(_process(system, seed, folder))
                warm.append(_process(system, seed, folder))
                if system == "lj7" and "topsearch" in peers:
                    theirs.append(_topsearch(seed, 20.0 if quick else 500.0))
            with Side("thalweg") as side:
                hot = [_map(side, system, seed) for seed in (0, *seeds)]  # the first compiles
            _ours(report, system, "new process, nothing compiled", cold)
            _ours(report, system, "new process, compiled before", warm)
            _ours(report, system, "same process", hot[1:])
    _theirs(report, theirs, peers, quick=quick)
    return report


def _map(side: Side, system: str, seed: int) -> dict:
    minima, saddles = COMPLETE[system]
    return side.ask(
        "landscape",
        system=system,
        key=seed,
        budget=GIVE_UP[system],
        minima=minima,
        transition_states=saddles,
    )


def _process(system: str, seed: int, folder: str) -> dict:
    """A map in a process of its own; times from its launch, imports included."""
    places = {
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
        "NUMBA_CACHE_DIR": folder,
        "XDG_CACHE_HOME": folder,
    }
    with Side("thalweg", **places) as side:
        reply = _map(side, system, seed)
        wall = time.perf_counter() - side.launched
        return reply | {"cpu": reply["process_cpu"], "wall": wall}


def _topsearch(seed: int, budget: float) -> dict:
    with Side("topsearch") as side:
        return side.ask("landscape", atoms=7, seed=seed, hops=150, budget=budget)


def _ours(report: Report, system: str, how: str, replies: list[dict]) -> None:
    minima, saddles = COMPLETE[system]
    good = [r for r in replies if r["ended"] == "target"]
    found = f"{min(r['minima'] for r in replies)}/{min(r['transition_states'] for r in replies)}"
    report.add(
        system=system,
        code=f"Thalweg, {how}",
        complete=f"{len(good)} of {len(replies)}",
        found=f"{found} of {minima}/{saddles}",
        **{
            "CPU s": median([r["cpu"] for r in good]),
            "slowest": max((r["cpu"] for r in good), default=None),
            "wall s": median([r["wall"] for r in good]),
        },
    )


def _theirs(report: Report, theirs: list[dict], peers: list[str], *, quick: bool) -> None:
    ours = [row["CPU s"] for row in report.rows if row["system"] == "lj7"]
    if theirs:
        spent = median([r["cpu"] for r in theirs])
        best = max(theirs, key=lambda r: r["transition_states"])
        report.add(
            system="lj7",
            code="topsearch, its example",
            complete=f"0 of {len(theirs)}",
            found=f"{best['minima']}/{best['transition_states']} of 4/12",
            **{"CPU s": spent, "slowest": max(r["cpu"] for r in theirs), "wall s": None},
        )
        ratios = ", ".join(f"{ratio(spent, t) or 0:.0f}" for t in ours)
        report.notes.append(
            "topsearch's time to its incomplete LJ7 over ours to the complete one, nothing "
            f"compiled, compiled before, same process: {ratios}"
        )
        if not all(r["ended"] for r in theirs):
            report.notes.append("a topsearch run was cut off: its time is a lower bound")
    if "pele" in peers:
        with Side("pele") as side:
            reply = side.ask("connect", atoms=7, seed=0, hops=100, budget=10.0 if quick else 30.0)
        report.add(
            system="lj7",
            code=f"pele, {reply['jobs']} connect jobs",
            complete="0 of 1" if reply["transition_states"] < 12 else "1 of 1",
            found=f"{reply['minima']}/{reply['transition_states']} of 4/12",
            **{"CPU s": reply["cpu"], "slowest": reply["cpu"], "wall s": None},
        )
