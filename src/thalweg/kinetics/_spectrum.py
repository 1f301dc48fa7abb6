"""Slow relaxation: time scales, modes and the groups of states that they separate.

A generator's slow eigenvalues are differences of its large entries, and at low temperature nothing
is left of them: sparse solvers return noise of the size of the fastest rate times 1e-16. Here the
*inverse* is applied instead, by elimination without subtraction, so that the slowest time scale
is the largest eigenvalue and comes out with all its digits. This is inverse iteration with shift
zero, in Lanczos form.

Source: for accurate inverses of such matrices, A. S. Alfa, J. Xue and Q. Ye, Math. Comp. 71, 217
(2002); for the grouping, P. Deuflhard and M. Weber, Linear Algebra Appl. 398, 161 (2005).
"""

import dataclasses

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from jaxtyping import Float, Int

from scipy.sparse import csgraph

from thalweg.core import ArgumentError

from ._elimination import Elimination, eliminate
from ._sparse_log import log_matrix, log_sum, structure

# Times below this share of the slowest have lost half of their digits beside it.
_SHARP = 1e-8


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """The slowest relaxation modes of a reversible chain, slowest first.

    Attributes:
        times: Relaxation times `1 / λ`, descending; the stationary mode is left out.
        modes: Right eigenvectors of the generator, one a column, with `Σ_i π_i ψ_i² = 1`; the sign
            is such that the state of the largest probability is not positive. A mode's large
            entries say which states it fills from the others.
        log_stationary: `ln π`.
    """

    times: Float[np.ndarray, " modes"]
    modes: Float[np.ndarray, "n modes"]
    log_stationary: Float[np.ndarray, " n"]

    def leading_states(self, mode: int = 0, count: int = 10) -> Int[np.ndarray, " count"]:
        """The states that a mode moves most probability into or out of (`π |ψ|`)."""
        moved = np.exp(self.log_stationary) * np.abs(self.modes[:, mode])
        return np.argsort(-moved, kind="stable")[:count]


def spectrum(
    log_rates: sparse.csr_array, log_stationary: Float[np.ndarray, " n"], count: int
) -> Spectrum:
    """The `count` slowest relaxation modes of a reversible, connected chain.

    Args:
        log_rates: `ln k_ij`, without a diagonal.
        log_stationary: `ln π`.
        count: How many; at most one less than there are states.
    """
    n = len(log_stationary)
    if not 1 <= count < n:
        raise ArgumentError(f"{count} relaxation times asked of {n} states", f"1…{n - 1} exist")
    found = _slowest(log_rates, log_stationary, count)
    known = int(np.sum(found.times > _SHARP * found.times[0]))
    if known == count:
        return found
    # What is so much faster happens within the groups that the slow modes separate, as if these
    # were alone. Cut where the gap is widest.
    times = np.maximum(found.times, 1e-15 * found.times[0])
    slow = 1 + int(np.argmax(times[:known] / times[1 : known + 1]))
    return _merge(log_rates, found, slow, count)


def _merge(log_rates: sparse.csr_array, found: Spectrum, slow: int, count: int) -> Spectrum:
    """The `slow` slowest modes found, and the slowest within each of the groups they separate."""
    labels = group(found, slow + 1)
    times, modes = list(found.times[:slow]), list(found.modes[:, :slow].T)
    for label in range(slow + 1):
        _within(log_rates, found.log_stationary, np.flatnonzero(labels == label), times, modes, count)
    order = np.argsort(-np.array(times), kind="stable")[:count]
    return Spectrum(
        times=np.array(times)[order],
        modes=np.column_stack([modes[k] for k in order]),
        log_stationary=found.log_stationary,
    )


def _within(
    log_rates: sparse.csr_array,
    log_stationary: np.ndarray,
    states: np.ndarray,
    times: list,
    modes: list,
    count: int,
) -> None:
    """Append the slow modes of some states by themselves."""
    if len(states) < 2:
        return
    position = np.full(len(log_stationary), -1)
    position[states] = np.arange(len(states))
    rows = np.repeat(np.arange(len(log_stationary)), np.diff(log_rates.indptr))
    i, j = position[rows], position[log_rates.indices]
    stays = (i >= 0) & (j >= 0)
    inner = log_matrix(i[stays], j[stays], log_rates.data[stays], len(states))
    pieces, labels = csgraph.connected_components(structure(inner), directed=False)
    if pieces > 1:
        for piece in range(pieces):
            _within(log_rates, log_stationary, states[labels == piece], times, modes, count)
        return
    weight = log_sum(log_stationary[states])
    part = spectrum(inner, log_stationary[states] - weight, min(count, len(states) - 1))
    for time, mode in zip(part.times, part.modes.T, strict=True):
        whole = np.zeros(len(log_stationary))
        with np.errstate(over="ignore"):
            whole[states] = mode * np.exp(-weight / 2)
        times.append(float(time))
        modes.append(whole)


def _slowest(
    log_rates: sparse.csr_array, log_stationary: Float[np.ndarray, " n"], count: int
) -> Spectrum:
    """The slowest modes, with an error of 1e-16 of the slowest time."""
    n = len(log_stationary)
    ground = int(np.argmax(log_stationary))
    keep = np.zeros(n, dtype=bool)
    keep[ground] = True
    solver = eliminate(log_rates, keep)
    root = np.exp(log_stationary / 2)

    def apply(u: np.ndarray) -> np.ndarray:
        u = u.ravel()
        u = u - (u @ root) * root
        y = _invert(solver, u, log_stationary)
        return y - (y @ root) * root

    if n <= max(40, 3 * count):
        matrix = np.column_stack([apply(column) for column in np.eye(n)])
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    else:
        operator = sparse_linalg.LinearOperator((n, n), matvec=apply, dtype=float)
        # A start without randomness, of which no mode can be expected to be free.
        start = np.cos(np.arange(1, n + 1) * 1.6180339887)
        values, vectors = sparse_linalg.eigsh(
            operator, k=count, which="LA", v0=start, ncv=min(n, max(2 * count + 1, 24))
        )
    order = np.argsort(-values)[:count]
    vectors = vectors[:, order]
    modes = np.zeros((n, len(order)))
    for k, u in enumerate(vectors.T):
        modes[:, k] = _mode(solver, u, log_stationary, modes[:, :k])
    flip = np.where(vectors[ground] > 0, -1.0, 1.0)
    return Spectrum(times=values[order], modes=modes * flip, log_stationary=log_stationary)


def _mode(
    solver: Elimination,
    u: Float[np.ndarray, " n"],
    log_stationary: Float[np.ndarray, " n"],
    slower: Float[np.ndarray, "n k"],
) -> Float[np.ndarray, " n"]:
    """The right eigenvector that belongs to `u = √π ψ`, free of the slower ones.

    Where `π` is tiny, `u / √π` is noise. One more application of the inverse, on `ψ` itself, gives
    such a state the value that it relaxes to.
    """
    known = np.abs(u) > 1e-8 * np.abs(u).max()
    with np.errstate(over="ignore", invalid="ignore"):
        rough = u * np.exp(-log_stationary / 2)
    bound = np.abs(rough[known]).max()
    rough = np.clip(np.nan_to_num(rough), -bound, bound)
    nothing = np.full(len(u), -np.inf)
    weights = np.exp(log_stationary)
    y = np.zeros(len(u))
    with np.errstate(divide="ignore"):
        log = np.log(np.abs(rough))
    for sign in (1.0, -1.0):
        y += sign * np.exp(solver.solve(np.where(sign * rough > 0, log, -np.inf), nothing))
    for _ in range(2):
        y -= weights @ y
        y -= slower @ (slower.T @ (weights * y))
    return y / np.sqrt(weights @ y**2)


def _invert(
    solver: Elimination, u: Float[np.ndarray, " n"], log_stationary: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """`D (-Q)⁻¹ D⁻¹ u` with `D = √π`; the kept state's value is 0."""
    nothing = np.full(len(u), -np.inf)
    total = np.zeros(len(u))
    with np.errstate(divide="ignore"):
        log = np.log(np.abs(u)) - log_stationary / 2
    for sign in (1.0, -1.0):
        source = np.where(sign * u > 0, log, -np.inf)
        total += sign * np.exp(solver.solve(source, nothing) + log_stationary / 2)
    return total


def group(modes: Spectrum, count: int) -> Int[np.ndarray, " n"]:
    """Gather states into metastable groups by the signs and sizes of the slow modes.

    The inner simplex method of PCCA+: the states lie in a simplex spanned by the constant and the
    `count - 1` slowest modes; its corners are found one after the other as the state farthest
    from those before, and each state joins the corner it has most of.

    Returns:
        A label for each state; group 0 holds the most probability, and so on down.
    """
    n = len(modes.log_stationary)
    if not 1 <= count <= modes.times.size + 1:
        raise ArgumentError(
            f"{count} groups need {count - 1} modes, and there are {modes.times.size}"
        )
    basis = np.column_stack((np.ones(n), modes.modes[:, : count - 1]))
    corners = _corners(basis)
    membership = np.linalg.solve(basis[corners].T, basis.T).T
    labels = np.argmax(membership, axis=1)
    weight = np.bincount(labels, weights=np.exp(modes.log_stationary), minlength=count)
    rank = np.empty(count, dtype=int)
    rank[np.argsort(-weight, kind="stable")] = np.arange(count)
    return rank[labels]


def _corners(basis: Float[np.ndarray, "n m"]) -> list[int]:
    """The states farthest from one another in the space of the slow modes."""
    corners = [int(np.argmax(np.linalg.norm(basis, axis=1)))]
    rest = basis - basis[corners[0]]
    for _ in range(basis.shape[1] - 1):
        lengths = np.linalg.norm(rest, axis=1)
        corner = int(np.argmax(lengths))
        corners.append(corner)
        direction = rest[corner] / lengths[corner]
        rest = rest - np.outer(rest @ direction, direction)
    return corners
