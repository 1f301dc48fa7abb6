"""One mean first-passage time: Thalweg beside SciPy's sparse and dense solvers."""

import math
import os
import time
import warnings

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from _report import Report, median, ratio
from scipy.spatial import cKDTree

from thalweg.io import read_pathsample
from thalweg.kinetics import MarkovChain, transition_rates
from thalweg.landscape import TransitionNetwork

DENSE_STATES = 3000


def run(*, quick: bool) -> Report:
    """LJ13, if THALWEG_LJ13 names its folder, and random geometric networks, warm and cold."""
    report = Report("kinetics", "Seconds for one mean first-passage time, the solvers in turns")
    networks = {}
    folder = os.environ.get("THALWEG_LJ13")
    if folder:
        networks["LJ13"] = read_pathsample(folder)
    else:
        report.notes.append("LJ13 left out: THALWEG_LJ13 names no PATHSAMPLE folder")
    states = 2000 if quick else 10_000
    networks |= {f"{states} states in {dim}-d": geometric(states, dim) for dim in (2, 3)}
    for name, network in networks.items():
        for temperature in (0.3,) if quick else (0.3, 0.1, 0.05):
            _rows(report, name, transition_rates(network, temperature), 1 if quick else 3)
    report.notes.append(
        "error: |ln t - ln t of Thalweg|; 'lost' where the solution is negative or not a number"
    )
    return report


def geometric(states: int, dim: int) -> TransitionNetwork:
    """Points of a low-discrepancy sequence, each joined to its six nearest or so."""
    golden = 1.5
    for _ in range(60):
        golden = (1 + golden) ** (1 / (dim + 1))
    steps = golden ** -np.arange(1.0, dim + 3)
    draws = (0.5 + np.arange(1, states + 1)[:, None] * steps) % 1.0
    near = cKDTree(draws[:, :dim]).query(draws[:, :dim], k=7)[1]
    pairs = np.column_stack((np.repeat(np.arange(states), 6), near[:, 1:].ravel()))
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    energies = 3.0 * draws[:, dim]
    heights = np.maximum(energies[pairs[:, 0]], energies[pairs[:, 1]])
    heights -= np.log(draws[np.arange(len(pairs)) % states, dim + 1])
    return TransitionNetwork.bare(energies, heights, pairs)


def _rows(report: Report, name: str, chain: MarkovChain, repeats: int) -> None:
    chain.log_mfpt(0, 1)  # compiles
    solvers = {"Thalweg": lambda: chain.log_mfpt(0, 1), "SciPy spsolve": lambda: _sparse(chain)}
    if chain.n_states <= DENSE_STATES:
        solvers["NumPy dense"] = lambda: _dense(chain)
    taken: dict[str, list[float]] = {solver: [] for solver in solvers}
    found = {}
    for _ in range(repeats):
        for solver, solve in solvers.items():
            began = time.perf_counter()
            found[solver] = solve()
            taken[solver].append(time.perf_counter() - began)
    ours = median(taken["Thalweg"])
    for solver, seconds in taken.items():
        error = abs(found[solver] - found["Thalweg"])
        report.add(
            network=name,
            T=f"{chain.temperature:g}",
            solver=solver,
            seconds=median(seconds),
            **{
                "Thalweg /": ratio(ours, median(seconds)),
                "log10 time": found[solver] / math.log(10),
                "error": f"{error:.1e}" if math.isfinite(error) else "lost",
            },
        )


def _matrix(chain: MarkovChain) -> sparse.csc_array:
    keep = np.arange(chain.n_states) != 1
    return -chain.generator[keep][:, keep].tocsc()


def _sparse(chain: MarkovChain) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the matrix is singular to its digits
        solved = sparse_linalg.spsolve(_matrix(chain), np.ones(chain.n_states - 1))
    return math.log(solved[0]) if solved[0] > 0 else math.nan


def _dense(chain: MarkovChain) -> float:
    try:
        solved = np.linalg.solve(_matrix(chain).toarray(), np.ones(chain.n_states - 1))
    except np.linalg.LinAlgError:
        return math.nan
    return math.log(solved[0]) if solved[0] > 0 else math.nan
