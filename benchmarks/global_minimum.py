"""Basin hopping to the global minimum of LJ38: what the first encounter costs."""

from _report import Report, ratio
from _sides import Side, available

TARGET = -173.928427 + 1e-4
MOST = 40_000
"""Quenches after which a run counts as a miss."""

PELE_MOST = 6000
WALKERS = 32
HOPS = 20
"""Hops between two looks at the lowest energy: about three seconds' work at most."""


def run(*, quick: bool) -> Report:
    """Ours over ten seeds in turns with pele's over three."""
    report = Report("global_minimum", "Basin hopping to the global minimum of LJ38, one core")
    ours, theirs = [], []
    peers = available("pele")
    with Side("thalweg") as side:
        wishes = {"system": "lj38", "target": TARGET, "walkers": WALKERS, "hops": HOPS}
        side.ask("hop", key=1000, most=1, **wishes)  # compiles
        side.ask("hop", key=1000, most=2 * WALKERS, **wishes)
        for seed in range(2 if quick else 10):
            ours.append(side.ask("hop", key=seed, most=MOST // (10 if quick else 1), **wishes))
            if "pele" in peers and seed < (1 if quick else 3):
                with Side("pele") as peer:
                    most = PELE_MOST // (10 if quick else 1)
                    theirs.append(peer.ask("hop", atoms=38, seed=seed, target=TARGET, most=most))
    _row(report, f"Thalweg, {WALKERS} walkers", ours)
    if theirs:
        _row(report, "pele get_basinhopping", theirs)
        a, b = (row["s each"] for row in report.rows)
        report.notes.append(f"pele's seconds over ours: {ratio(b, a) or float('nan'):.1f}")
    report.notes.append("mean over encounters: everything spent, misses included, by successes")
    return report


def _row(report: Report, code: str, replies: list[dict]) -> None:
    found = [r for r in replies if r["found"]]
    counts = sorted(r["quenches"] for r in found)

    def each(what: str) -> float | None:
        return ratio(sum(r[what] for r in replies), len(found))

    report.add(
        code=code,
        found=f"{len(found)} of {len(replies)}",
        **{
            "quenches each": each("quenches"),
            "median": counts[len(counts) // 2] if counts else None,
            "evaluations each": each("evaluations"),
            "s each": each("cpu"),
            "quenches/s": ratio(
                sum(r["quenches"] for r in replies), sum(r["cpu"] for r in replies)
            ),
        },
    )
