"""SciPy's L-BFGS-B with a Lennard-Jones energy in vectorised NumPy."""

import numpy as np
from scipy.optimize import minimize
from serve import repeated, serve


def value_and_grad(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Energy and gradient of a cluster."""
    points = x.reshape(-1, 3)
    d = points[:, None, :] - points[None, :, :]
    r2 = np.einsum("ijk,ijk->ij", d, d)
    np.fill_diagonal(r2, np.inf)
    w = 1.0 / r2
    w3 = w * w * w
    force = -24.0 * w * w3 * (2.0 * w3 - 1.0)
    return 2.0 * float(np.sum(w3 * (w3 - 1.0))), np.einsum("ij,ijk->ik", force, d).ravel()


def quench(path: str, first: int, count: int, tol: float) -> dict:
    """Quench rows; the tolerance is on the largest component."""
    rows = np.load(path)[first : first + count]
    options = {"gtol": tol, "ftol": 0.0, "maxiter": 10_000, "maxfun": 20_000}
    found = [
        minimize(value_and_grad, x, jac=True, method="L-BFGS-B", options=options) for x in rows
    ]
    return {
        "quenches": len(rows),
        "converged": sum(np.sqrt(np.mean(r.jac**2)) < tol for r in found).item(),
        "evaluations": sum(int(r.nfev) for r in found),
        "lowest": min(float(r.fun) for r in found),
    }


def energy(path: str) -> dict:
    """CPU time of one energy and gradient."""
    rows = np.load(path)[:32]
    return {"energy": repeated(lambda: [value_and_grad(x) for x in rows]) / len(rows)}


if __name__ == "__main__":
    serve({"quench": quench, "energy": energy})
