"""Distinct transition states of LJ13 per CPU-minute, from nothing, on one core."""

from _report import Report, median, ratio
from _sides import Side, available

BUDGET = 60.0
"""CPU seconds of every run."""

TOPSEARCH_BUDGET = 250.0
"""topsearch needs this long for one cycle of its connections."""


def run(*, quick: bool) -> Report:
    """Ours in a new process (compiling) and in a warm one, in turns with the peers."""
    report = Report("saddles", "Distinct transition states of LJ13 per CPU-minute, one core")
    peers = available("pele", "topsearch")
    budget = BUDGET / 6 if quick else BUDGET
    compiling, warm, pele, topsearch = [], [], [], []
    for seed in range(1 if quick else 3):
        with Side("thalweg", JAX_ENABLE_COMPILATION_CACHE="false") as side:
            first = _map(side, seed, budget)
            compiling.append(first | {"cpu": first["process_cpu"]})
            warm.append(_map(side, seed, budget))
        if "pele" in peers:
            with Side("pele") as side:
                pele.append(side.ask("connect", atoms=13, seed=seed, hops=300, budget=budget))
        if "topsearch" in peers and seed == 0:
            with Side("topsearch") as side:
                limit = 20.0 if quick else TOPSEARCH_BUDGET
                reply = side.ask("landscape", atoms=13, seed=seed, hops=40, budget=limit)
                topsearch.append(reply)
    peer = _rate(pele)
    slow = _rate(topsearch)
    for code, replies in (
        ("Thalweg, warm process", warm),
        ("Thalweg, new process, imports and compilation counted", compiling),
        ("pele connect driver", pele),
        ("topsearch", topsearch),
    ):
        if replies:
            _row(report, code, replies, peer, slow)
    report.notes.append(f"{budget:.0f} CPU s each, imports and compilation on top where counted")
    report.notes.append("ours are certified by their Hessians; the peers' are counted as they are")
    return report


def _map(side: Side, seed: int, budget: float) -> dict:
    return side.ask(
        "landscape", system="lj13", key=seed, budget=budget, minima=None, transition_states=None
    )


def _rate(replies: list[dict], kind: str = "transition_states") -> float | None:
    return median([60.0 * r[kind] / r["cpu"] for r in replies])


def _row(
    report: Report, code: str, replies: list[dict], peer: float | None, slow: float | None
) -> None:
    rate = _rate(replies)
    report.add(
        code=code,
        **{
            "TS/CPU-minute": rate,
            "/ pele": ratio(rate, peer),
            "/ topsearch": ratio(rate, slow),
            "minima/CPU-minute": _rate(replies, "minima"),
            "TS": median([r["transition_states"] for r in replies]),
            "minima": median([r["minima"] for r in replies]),
            "CPU s": median([r["cpu"] for r in replies]),
            "runs": len(replies),
        },
    )
