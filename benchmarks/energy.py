"""What one energy and gradient, and one Hessian-vector product, cost."""

import contextlib
import tempfile
from pathlib import Path

from _report import Report, median, ratio
from _sides import Side, available

LANES = (1, 8, 64, 128, 512)
WAYS = (
    ("Thalweg, kernel", "kernel", LANES),
    ("Thalweg, block sums in JAX", "jax", (64, 512)),
    ("Thalweg, definition under vmap", "definition", (64, 512)),
)


def run(*, quick: bool) -> Report:
    """Every way and width for LJ13 and LJ38, in turns."""
    report = Report("energy", "Microseconds of CPU time for one point, one core")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        codes = available("thalweg", "pele", "c", "scipy", "ase")
        ours = {way: stack.enter_context(Side("thalweg")) for _, way, _ in WAYS}
        others = {code: stack.enter_context(Side(code)) for code in codes if code != "thalweg"}
        for system in ("lj13", "lj38"):
            path = str(folder / f"{system}.npy")
            ours["kernel"].ask("starts", system=system, key=1, count=512, path=path)
            taken: dict[tuple[str, int | None], list[dict]] = {}
            for _ in range(1 if quick else 3):
                for label, way, widths in WAYS:
                    for lanes in widths[-1:] if quick else widths:
                        wishes = {"system": system, "path": path, "lanes": lanes, "how": way}
                        reply = ours[way].ask("energy", **wishes)
                        taken.setdefault((label, lanes), []).append(reply)
                for code, side in others.items():
                    taken.setdefault((code, None), []).append(side.ask("energy", path=path))
            _rows(report, system, taken)
    return report


def _rows(report: Report, system: str, taken: dict) -> None:
    peer = [r["energy"] for r in taken.get(("pele", None), [])]
    for (label, lanes), replies in taken.items():
        once = [r["energy"] for r in replies]
        product = [r["hvp"] for r in replies if "hvp" in r]
        shown = median(product)
        report.add(
            system=system,
            code=label,
            lanes=lanes,
            **{
                "energy+gradient": 1e6 * (median(once) or 0.0),
                "pele /": median([b / a for a, b in zip(once, peer, strict=False)]),
                "H·v": None if shown is None else 1e6 * shown,
                "H·v / gradient": ratio(shown, median(once)),
            },
        )
