"""Measure Thalweg beside other codes: `python benchmarks/run.py [names] [--quick] [--json]`."""

import argparse
import importlib
import json
import time

from _report import Report
from _sides import machine, machine_line

BENCHMARKS = {
    "energy": "cost of an energy and gradient, and of a Hessian-vector product",
    "quenches": "random-start quenches of LJ38 and LJ13 per second",
    "global_minimum": "time to the global minimum of LJ38",
    "small_landscapes": "time to the complete landscapes of LJ7 and LJ8",
    "kinetics": "mean first-passage times on networks of up to 10,000 states",
    "sampling": "Monte Carlo steps of a thousand chains per CPU-second",
    "certificates": "certificates of a thousand circuits in one call",
    "training": "CPU seconds of one training step of recurrent circuits",
    "forcefields": "energy and forces of alanine dipeptide with Amber14",
    "learning": "certified minima and transition states of a network's loss per CPU-minute",
    "saddles": "certified transition states of LJ13 per CPU-minute",
}


def arguments() -> argparse.Namespace:
    """What was typed."""
    listed = "\n".join(f"  {name:18}{text}" for name, text in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        description=f"Measure Thalweg beside the codes that are installed.\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run (default: all)")
    parser.add_argument("--quick", action="store_true", help="few repeats: does it run at all?")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(BENCHMARKS)
    if unknown:
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}"
        )
    return chosen


def main() -> None:
    """Run what was asked for, one after another."""
    chosen = arguments()
    done: list[Report] = []
    if not chosen.json:
        print(machine_line())
    for name in chosen.names or BENCHMARKS:
        began = time.perf_counter()
        report = importlib.import_module(name).run(quick=chosen.quick)
        done.append(report)
        path = report.write()
        if not chosen.json:
            report.show()
            print(f"  {time.perf_counter() - began:.0f} s; written to {path}\n")
    if chosen.json:
        rows = {report.name: report.rows for report in done}
        print(json.dumps({"machine": machine(), "results": rows}, indent=2))


if __name__ == "__main__":
    main()
