"""Thalweg on a network's loss, and the judge of what all codes found."""

import time

import jax
import numpy as np
from serve import serve

import thalweg as tw
from thalweg.core import start_points
from thalweg.landscape import PointIndex
from thalweg.learning import triatomic_data
from thalweg.search import LBFGS, Newton, certify_many, quench_many

tw.enable_float64()
DOWN = LBFGS(grow=2.0, memory=10, max_steps=60), Newton(max_step=0.5)
"""Gradients first, exact Hessians then: what a map of a loss quenches with."""


def prepare(system: str, count: int, data: str, starts: str) -> dict:
    """Write the rows and the random starts that all codes use."""
    found = tw.system(system)
    train, _ = triatomic_data(400)
    np.savez(data, inputs=np.asarray(train.inputs), labels=np.asarray(train.targets))
    np.save(starts, np.asarray(start_points(found, jax.random.key(0), 0, count)))
    return {"dof": found.space.dof}


def quench(system: str, starts: str, budget: float, out: str) -> dict:
    """Quench blocks of starts until the CPU time is used up; compiled beforehand."""
    found, rows = tw.system(system), np.load(starts)
    quench_many(found, rows[:16], DOWN, width=16)
    began, ends = time.process_time(), []
    for first in range(0, len(rows), 64):
        done = quench_many(found, rows[first : first + 64], DOWN, width=16)
        ends.append(done.x)
        if time.process_time() - began > budget:
            break
    spent = time.process_time() - began
    np.save(out, np.concatenate(ends))
    return {"cpu": spent, "quenches": sum(map(len, ends))}


def judge(system: str, path: str, index: int, near: float) -> dict:
    """How many points are certified without moving farther than `near`, and how many differ."""
    found, x = tw.system(system), np.load(path)
    points = certify_many(found, x, index) if len(x) else []
    moved = [np.linalg.norm(p.x - row) for p, row in zip(points, x, strict=True)]
    good = [p for p, d in zip(points, moved, strict=True) if p.certificate.ok and d < near]
    known = PointIndex(found.symmetry, found.length)
    if good:
        values, places = np.array([p.value for p in good]), np.stack([p.x for p in good])
        _, known = known.group(values, places)
    return {"points": len(x), "certified": len(good), "distinct": len(known)}


if __name__ == "__main__":
    serve({"prepare": prepare, "quench": quench, "judge": judge})
