"""Certificates for many circuits of one shape in one compiled call."""

import concurrent.futures
import dataclasses
import os
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from thalweg.core import ArgumentError, Outcome, require_x64, serial_blas

from ._certify import HYPERBOLIC, Verdict
from ._circuit import AbstractCircuit, LocalProof
from ._newton import Lanes, Newton, search
from ._spectrum import margin, spectrum

Mode = Literal["proof", "spectrum"]

_ROUNDING = 1e-13
"""Margins within this share of the spectral radius are undecided in a batch, times the order."""


@dataclasses.dataclass(frozen=True, eq=False)
class BatchCertificate:
    """One fixed point and its verdict for each circuit of a batch.

    Attributes:
        mode: What was computed.
        points: The fixed points, `(circuits, dof)`; NaN where none was found.
        verdicts: A `Verdict` each.
        slack: Relative slack of the inequality that proves stability, `(circuits,)`; NaN in mode
            `spectrum`.
        margins: `-max Re λ`, `(circuits,)`; NaN in mode `proof`, which computes no eigenvalue.
        spectra: Eigenvalues, `(circuits, dof)`; `None` in mode `proof`.
    """

    mode: Mode
    points: np.ndarray
    verdicts: np.ndarray
    slack: np.ndarray
    margins: np.ndarray
    spectra: np.ndarray | None

    def count(self, verdict: Verdict) -> int:
        """How many circuits have it."""
        return int(np.sum(self.verdicts == verdict))


def certify_batch(
    circuits: AbstractCircuit,
    drives: PyTree,
    *,
    mode: Mode = "proof",
    starts: Any = None,
    newton: Newton = Newton(),
    workers: int | None = None,
) -> BatchCertificate:
    """Certify one fixed point of each of many circuits of one shape.

    Mode `proof` evaluates the theorem that the circuit brings along (`local_proof`): a fixed point
    in closed form and an inequality that implies stability, in `O(n²)` operations for a circuit and
    one compiled call for all. It knows stable or undecided, and no rates. Mode `spectrum` computes
    the fixed points by Newton's method, and all eigenvalues, in `O(n³)`: LAPACK, matrix by matrix
    in `workers` threads, because there is no batched routine for them on a CPU.

    Args:
        circuits: One record whose arrays have a leading axis (`thalweg.circuits.stack`).
        drives: Drives, the circuits first.
        mode: `proof` or `spectrum`.
        starts: In mode `spectrum`, where Newton's method starts, `(circuits, dof)`; by default the
            closed form, which it then polishes.
        newton: Tolerances and limits.
        workers: Threads for the eigenvalues; by default one a core.

    Raises:
        ArgumentError: if the circuits bring no proof and no starts were given, or the mode is
            unknown.
        PrecisionError: if JAX is in float32 mode.
    """
    require_x64()
    if mode not in {"proof", "spectrum"}:
        raise ArgumentError(f"mode={mode!r} is neither 'proof' nor 'spectrum'")
    proof = None
    if mode == "proof" or starts is None:
        proof = _proofs(circuits, drives)
        if proof is None:
            raise ArgumentError(
                "these circuits bring no proof of stability",
                "use mode='spectrum' with starts, or certify one by one",
            )
    if mode == "proof":
        assert proof is not None
        x = np.asarray(proof.x)
        good = np.asarray(proof.proved)
        return BatchCertificate(
            mode=mode,
            points=x,
            verdicts=np.where(good, Verdict.stable, Verdict.undecided),
            slack=np.asarray(proof.slack),
            margins=np.full(len(x), np.nan),
            spectra=None,
        )
    first = np.asarray(proof.x if starts is None else starts, np.float64)  # pyright: ignore
    return _by_spectra(circuits, drives, first, newton, workers or len(os.sched_getaffinity(0)))


@eqx.filter_jit
def _proofs(circuits: AbstractCircuit, drives: PyTree) -> LocalProof | None:
    axes = (eqx.if_array(0), eqx.if_array(0))
    return eqx.filter_vmap(lambda circuit, drive: circuit.local_proof(drive), in_axes=axes)(
        circuits, drives
    )


def _by_spectra(
    circuits: AbstractCircuit, drives: PyTree, starts: np.ndarray, newton: Newton, workers: int
) -> BatchCertificate:
    count = len(starts)
    lanes = _polished(circuits, drives, starts, newton)
    found = np.asarray(lanes.status) == int(Outcome.success)
    matrices = np.where(found[:, None, None], lanes.matrix, np.nan)
    parts = np.array_split(np.arange(count), min(workers, count))
    with serial_blas(), concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        spectra = np.concatenate(list(pool.map(lambda rows: spectrum(matrices[rows]), parts)))
    margins = margin(spectra)
    radius = np.max(np.abs(spectra), axis=1)
    tolerance = np.maximum(HYPERBOLIC, _ROUNDING * spectra.shape[1]) * radius
    signed = np.where(margins > 0, Verdict.stable, Verdict.unstable)
    return BatchCertificate(
        mode="spectrum",
        points=np.where(found[:, None], lanes.x, np.nan),
        verdicts=np.where(np.abs(margins) > tolerance, signed, Verdict.undecided),
        slack=np.full(count, np.nan),
        margins=margins,
        spectra=spectra,
    )


def _polished(
    circuits: AbstractCircuit, drives: PyTree, starts: np.ndarray, newton: Newton
) -> Lanes:
    """Newton's method on every circuit from its own start."""
    count = len(starts)
    width = min(newton.width, count)
    blocks = -(-count // width)
    rows = np.minimum(np.arange(blocks * width), count - 1)

    def blocked(array: Any) -> Any:
        if not eqx.is_array(array):
            return array
        return jnp.asarray(array)[rows].reshape(blocks, width, *array.shape[1:])

    systems, inputs = jax.tree.map(blocked, (circuits, drives))
    size = float(np.sqrt(np.mean(starts[np.isfinite(starts)] ** 2)))
    scale = jnp.asarray(size if size > 0 else 1.0)
    ends = search(systems, inputs, blocked(starts), scale, newton, many=True)

    def flat(array: Array) -> np.ndarray:
        host = np.asarray(array)
        return host.reshape(-1, *host.shape[2:])[:count]

    return jax.tree.map(flat, ends)
