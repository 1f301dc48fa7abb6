"""Networks of networks: contracting modules joined so that the whole contracts."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from thalweg.core import ArgumentError, Point, PRNGKey
from thalweg.dynamics import AbstractCircuit, Theorem

from ._checks import drive_vector, matrix, vector
from ._rnn import KOZACHKOV, LeakyRNN, contraction_metric

_ANTISYMMETRIC = 1e-12
"""Largest relative violation of `M L + Lᵀ M = 0` that rounding explains."""


class Assembly(AbstractCircuit):
    """Leaky networks joined by linear feedback `L` that is antisymmetric in their metric.

    Each module follows its own equation; the joint state also moves by `dx/dt += L x`. If module `i`
    contracts with rate `cᵢ` in the metric `Mᵢ`, and `M L + Lᵀ M = 0` for `M` with the blocks `Mᵢ`, the
    whole contracts in `M` with rate `min cᵢ`, however strong `L` is: in `M J + Jᵀ M` it cancels.

    Attributes:
        modules: The networks.
        L: Feedback between them, `(n, n)`.
        metric: Diagonal of `M`, `(n,)`.
    """

    modules: tuple[LeakyRNN, ...]
    L: Float[Array, "n n"]
    metric: Float[Array, " n"]

    def __init__(self, modules: Sequence[LeakyRNN], L: Any, metric: Any):
        """Collect the parts; `assemble` makes `L` and the metric.

        Raises:
            ArgumentError: if the shapes do not fit or the metric is not positive.
        """
        self.modules = tuple(modules)
        if not self.modules:
            raise ArgumentError("an assembly needs at least one module")
        n = sum(m.dof for m in self.modules)
        self.L = matrix("L", L, (n, n))
        self.metric = vector("metric", metric, n, positive=True)

    @property
    def dof(self) -> int:
        """Units of all modules."""
        return self.L.shape[-1]

    def _cuts(self) -> np.ndarray:
        return np.cumsum([m.dof for m in self.modules])[:-1]

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree = None) -> Point:
        """Velocity; the drive is one number for each unit, or none."""
        parts = jnp.split(x, self._cuts())
        pushes: list[Any] = [None] * len(parts)
        if drive is not None:
            u = drive_vector("this assembly", drive, self.dof, "the input of each unit")
            pushes = jnp.split(u, self._cuts())
        own = [m(t, p, u) for m, p, u in zip(self.modules, parts, pushes, strict=True)]
        return jnp.concatenate(own) + self.L @ x

    def starts(self, key: PRNGKey, number: int, drive: PyTree = None) -> Float[Array, "number dof"]:
        """Those of the modules."""
        del drive
        keys = jax.random.split(key, len(self.modules))
        parts = [m.starts(k, number, None) for m, k in zip(self.modules, keys, strict=True)]
        return jnp.concatenate(parts, axis=1)

    def theorems(self, drive: PyTree = None) -> tuple[Theorem, ...]:
        """Contraction of the whole, from that of the parts."""
        del drive
        return (_assembly_theorem(self),)


def assemble(modules: Sequence[LeakyRNN], feedback: Mapping[tuple[int, int], Any]) -> Assembly:
    """Join contracting modules by feedback that keeps the whole contracting.

    Args:
        modules: Networks for which `contraction_metric` finds a metric; their inputs must be one
            number for each unit (`W_in=None`).
        feedback: For pairs `(i, j)` of different modules the weights from `j` to `i`, of shape
            `(units of i, units of j)`. The way back is `-Mⱼ⁻¹ Bᵀ Mᵢ`.

    Raises:
        ArgumentError: if a module has no metric, or the weights do not fit.

    Source: L. Kozachkov, M. Ennis and J.-J. Slotine, "RNNs of RNNs", NeurIPS 35 (2022),
    arXiv:2106.08928.
    """
    metrics = []
    for number, module in enumerate(modules):
        if module.W_in is not None:
            raise ArgumentError(
                f"module {number} has a W_in, and an assembly drives units directly"
            )
        found = contraction_metric(module)
        if found is None:
            raise ArgumentError(
                f"no metric was found in which module {number} contracts",
                "scale its weights down until the spectral radius of g|W| or g σ_max(W) is below 1",
            )
        metrics.append(found[0])
    ends = np.cumsum([0, *[m.dof for m in modules]])
    L = np.zeros((ends[-1], ends[-1]))
    for (i, j), weights in feedback.items():
        if i == j or not (0 <= i < len(modules) and 0 <= j < len(modules)):
            raise ArgumentError(f"feedback ({i}, {j}) does not join two different modules")
        B = np.asarray(matrix(f"feedback ({i}, {j})", weights, (modules[i].dof, modules[j].dof)))
        to, back = slice(ends[i], ends[i + 1]), slice(ends[j], ends[j + 1])
        L[to, back] += B
        L[back, to] -= B.T * metrics[i] / metrics[j][:, None]
    return Assembly(modules, L, np.concatenate(metrics))


def _assembly_theorem(circuit: Assembly) -> Theorem:
    name = "contraction of an assembly"
    statement = (
        "Modules that contract in metrics M_i, joined by linear feedback L with M L + Lᵀ M = 0, "
        "contract together, with the slowest rate of theirs."
    )
    M = np.asarray(circuit.metric)
    ends = np.cumsum([0, *[m.dof for m in circuit.modules]])
    rates = []
    for number, module in enumerate(circuit.modules):
        found = contraction_metric(module)
        if found is None:
            return Theorem(name, False, statement, f"module {number} has no metric", KOZACHKOV)
        own, mine = M[ends[number] : ends[number + 1]], found[0]
        ratio = own / mine
        if np.ptp(ratio) > 1e-9 * ratio.max():
            because = f"the metric of module {number} is not the one in which it contracts"
            return Theorem(name, False, statement, because, KOZACHKOV)
        rates.append(found[1])
    form = M[:, None] * np.asarray(circuit.L)
    off = float(np.max(np.abs(form + form.T)))
    if off > _ANTISYMMETRIC * max(float(np.max(np.abs(form))), 1e-300):
        because = f"M L + Lᵀ M has an entry of {off:.2g}, expected 0"
        return Theorem(name, False, statement, because, KOZACHKOV)
    return Theorem(
        name=name,
        applies=True,
        statement=statement,
        because=f"{len(rates)} modules contract with rates {min(rates):.4g} to {max(rates):.4g}",
        source=KOZACHKOV,
        proves=frozenset({"stable", "all", "contracting"}),
        rate=min(rates),
    )
