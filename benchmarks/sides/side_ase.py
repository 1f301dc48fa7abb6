"""ASE: its Lennard-Jones calculator with its own optimisers."""

import numpy as np
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.optimize import FIRE, LBFGS
from serve import repeated, serve

_OPTIMISERS = {"FIRE": FIRE, "LBFGS": LBFGS}


def cluster(x: np.ndarray) -> Atoms:
    """Atoms with every pair inside the cutoff."""
    points = x.reshape(-1, 3)
    atoms = Atoms("Ar" * len(points), positions=points)
    atoms.calc = LennardJones(sigma=1.0, epsilon=1.0, rc=1000.0, smooth=False)
    return atoms


def quench(path: str, first: int, count: int, tol: float, optimiser: str) -> dict:
    """Quench rows; the tolerance is on the largest force."""
    evaluations, converged, lowest = 0, 0, np.inf
    for x in np.load(path)[first : first + count]:
        atoms = cluster(x)
        run = _OPTIMISERS[optimiser](atoms, logfile=None)
        converged += bool(run.run(fmax=tol * np.sqrt(3.0), steps=3000))
        evaluations += run.nsteps + 1
        lowest = min(lowest, atoms.get_potential_energy())
    return {
        "quenches": count,
        "converged": converged,
        "evaluations": evaluations,
        "lowest": float(lowest),
    }


def energy(path: str) -> dict:
    """CPU time of one energy and gradient."""
    rows = np.load(path)
    atoms, turn = cluster(rows[0]), iter(np.resize(rows, (100_000, rows.shape[1])))

    def once() -> None:
        atoms.positions = next(turn).reshape(-1, 3)
        atoms.get_forces()

    return {"energy": repeated(once)}


if __name__ == "__main__":
    serve({"quench": quench, "energy": energy})
