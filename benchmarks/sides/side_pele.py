"""pele: its compiled L-BFGS, its basin hopping and its connect driver, with its own settings."""

import time

import numpy as np
import numpy.random as global_draws  # noqa: TID251  pele draws from the global generator
from pele.landscape import ConnectManager
from pele.optimize import lbfgs_cpp
from pele.potentials import LJ
from pele.systems import LJCluster
from serve import repeated, serve


def quench(path: str, first: int, count: int, tol: float) -> dict:
    """Quench rows of the file of starts."""
    rows, potential = np.load(path)[first : first + count], LJ()
    found = [lbfgs_cpp(x, potential, tol=tol, nsteps=10_000) for x in rows]
    return {
        "quenches": len(rows),
        "converged": sum(bool(r.success) for r in found),
        "evaluations": sum(int(r.nfev) for r in found),
        "lowest": min(float(r.energy) for r in found),
    }


def energy(path: str) -> dict:
    """CPU time of one energy and gradient, the call from Python included."""
    rows, potential = np.load(path)[:64], LJ()
    spent = repeated(lambda: [potential.getEnergyGradient(x) for x in rows])
    return {"energy": spent / len(rows)}


def connect(atoms: int, seed: int, hops: int, budget: float) -> dict:
    """Basin hopping for minima, then connect jobs until the CPU time is used up."""
    global_draws.seed(seed)  # noqa: NPY002
    system = LJCluster(atoms)
    database = system.create_database()
    began = time.process_time()
    system.get_basinhopping(database=database, outstream=None).run(hops)
    hopping = time.process_time() - began
    start = (database.number_of_minima(), hopping)
    manager, jobs, curve = ConnectManager(database, verbosity=0), 0, []
    while (spent := time.process_time() - began) < budget:
        try:
            pair = manager.get_connect_job("random")
        except ConnectManager.NoMoreConnectionsError:
            manager = ConnectManager(database, verbosity=0)
            if jobs > 2000:
                break
            continue
        system.get_double_ended_connect(*pair, database, fresh_connect=True, verbosity=-1).connect()
        jobs += 1
        curve.append((spent, database.number_of_minima(), database.number_of_transition_states()))
    return {
        "cpu": time.process_time() - began,
        "minima": database.number_of_minima(),
        "transition_states": database.number_of_transition_states(),
        "jobs": jobs,
        "first": start,
        "curve": curve[:: max(1, len(curve) // 50)],
    }


def hop(atoms: int, seed: int, target: float, most: int) -> dict:
    """Basin hopping until the target energy, at most `most` hops."""
    global_draws.seed(seed)  # noqa: NPY002
    walk = LJCluster(atoms).get_basinhopping(outstream=None)
    began, hops = time.process_time(), 0
    while hops < most and walk.result.energy > target:
        walk.run(10)
        hops += 10
    return {
        "found": bool(walk.result.energy <= target),
        "quenches": hops + 1,
        "evaluations": int(walk.result.nfev),
        "cpu": time.process_time() - began,
    }


if __name__ == "__main__":
    serve({"quench": quench, "energy": energy, "connect": connect, "hop": hop})
