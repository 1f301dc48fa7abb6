"""Stability of trained circuits at the inputs of a test set.

Static layers: all eigenvalues of the flow's Jacobian at the rest that each input sets. Cells: a
fixed point of the map under a constant input, found by Newton's method, and the spectral radius of
the map's Jacobian there. Both are local statements. All is computed in float64.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import Array, Float, require_x64

from ._cell import AbstractCell, join
from ._layers import OrganicsLayer
from ._networks import SequenceNetwork, StaticNetwork
from ._numerics import cast
from ._rest import rest_jacobian
from ._tasks import Task
from ._weights import IdentityWeights

TAU = 2.0
"""Time constant of all neurons in milliseconds, as in the paper's histograms."""

_INPUTS = 200
_CONSTANT_INPUTS = 4
_SETTLE = 500
_NEWTON = 60


@dataclasses.dataclass(frozen=True)
class CircuitCertificate:
    """What was found at some inputs of the test set.

    Attributes:
        kind: `flow` (max Re λ in 1/ms, stable below 0), `map` (spectral radius, stable below 1) or
            `none` (nothing to certify).
        worst: The largest over inputs, for each layer; NaN if no input led to a fixed point.
        median: The median, for each layer.
        inputs: Inputs looked at.
        found: Of how many a fixed point was found, for each layer.
        unstable: Of how many it is not stable, for each layer.
        theorem: What is known without looking, if anything.
        norm: Largest singular value of W_r, for each layer.
    """

    kind: str
    worst: list[float]
    median: list[float]
    inputs: int
    found: list[int]
    unstable: list[int]
    theorem: str
    norm: list[float]

    @property
    def stable(self) -> bool | None:
        """Whether every input's fixed point is stable; `None` if one was not found."""
        if any(self.unstable):
            return False
        return None if any(n < self.inputs for n in self.found) or not self.found else True


_THEOREM = (
    "W_r = I: locally stable for every input and all positive parameters (says nothing of how far)"
)


def certify_network(model: Any, task: Task, *, inputs: int = _INPUTS) -> CircuitCertificate:
    """The certificate of a network at inputs of its test set.

    Args:
        model: The network.
        task: Where inputs come from.
        inputs: How many are looked at; of sequences, at most four constant ones.

    Raises:
        PrecisionError: if JAX is in float32 mode.
    """
    require_x64()
    if isinstance(model, SequenceNetwork):
        return _certify_cell(model.cell, task, min(inputs, _CONSTANT_INPUTS))
    layers = model.layers if isinstance(model, StaticNetwork) else ()
    if not layers or not all(isinstance(layer, OrganicsLayer) for layer in layers):
        return CircuitCertificate("none", [], [], 0, [], [], "", [])
    wide = cast(model, jnp.float64)
    x = jnp.asarray(task.test.x[:inputs], jnp.float64)
    tops, norms = [], []
    for layer, entry in zip(wide.layers, _entries(wide, x), strict=True):
        tops.append(flow_abscissae(layer, entry))
        norms.append(float(np.linalg.norm(np.asarray(layer.circuit(entry[:1]).recurrent), 2)))
    identity = all(
        isinstance(layer, OrganicsLayer) and isinstance(layer.recurrent, IdentityWeights)
        for layer in layers
    )
    return _summary("flow", tops, 0.0, _THEOREM if identity else "", norms)


@eqx.filter_jit
def _entries(model: StaticNetwork, x: Float[Array, "batch inputs"]) -> list[Array]:
    return model.entries(x)


def flow_abscissae(
    layer: OrganicsLayer, x: Float[Array, "batch inputs"], tau: float = TAU
) -> np.ndarray:
    """The largest Re λ of the flow at the rest of each input, in 1/ms; NaN where there is none."""
    found, loose = _flow_matrices(layer, x)
    matrices = np.asarray(found) / tau
    good = ~np.asarray(loose) & np.isfinite(matrices).all(axis=(1, 2))
    tops = np.full(len(x), np.nan)
    if good.any():
        tops[good] = np.linalg.eigvals(matrices[good]).real.max(axis=1)
    return tops


@eqx.filter_jit
def _flow_matrices(
    layer: OrganicsLayer, x: Float[Array, "batch inputs"]
) -> tuple[Float[Array, "batch two_n two_n"], Array]:
    y, a = layer.rest(x)
    return rest_jacobian(layer.circuit(x), y, a), layer.unsettled(x)


def _certify_cell(cell: AbstractCell, task: Task, inputs: int) -> CircuitCertificate:
    """At constant inputs: levels from the least to the most of the task's first channels."""
    wide = cast(cell, jnp.float64)
    flat = task.test.x.reshape(-1, task.test.x.shape[-1])
    levels = np.linspace(flat.min(axis=0), flat.max(axis=0), inputs).astype(np.float64)
    radii = np.array([map_radius(wide, jnp.asarray(level)) for level in levels])
    recurrent = getattr(cell, "recurrent", None)
    matrix = recurrent() if callable(recurrent) else recurrent
    norms = [] if matrix is None else [float(np.linalg.norm(np.asarray(matrix), 2))]
    return _summary("map", [radii], 1.0, "", norms)


def map_radius(cell: AbstractCell, level: Float[Array, " inputs"]) -> float:
    """Spectral radius of the map at a fixed point under a constant input; NaN if none was found."""
    point, matrix, error = _fixed_point(cell, level)
    scale = 1.0 + float(jnp.max(jnp.abs(point)))
    if not float(error) <= 1e-9 * scale or not bool(jnp.all(jnp.isfinite(matrix))):
        return float("nan")
    return float(np.abs(np.linalg.eigvals(np.asarray(matrix))).max())


@eqx.filter_jit
def _fixed_point(
    cell: AbstractCell, level: Float[Array, " inputs"]
) -> tuple[Float[Array, " dof"], Float[Array, "dof dof"], Float[Array, ""]]:
    """Run the map for a while, then Newton's method, each step halved until it helps."""
    zero = jnp.zeros((), level.dtype)
    step = lambda x: cell(zero, x, level)
    start = join(cell.begin(()))
    x = jax.lax.fori_loop(0, _SETTLE, lambda _, x: step(x), start)
    x = jnp.where(jnp.all(jnp.isfinite(x)), x, start)
    shares = 0.5 ** jnp.arange(12.0, dtype=x.dtype)

    def size(x: Array) -> Array:
        error = jnp.max(jnp.abs(step(x) - x))
        return jnp.where(jnp.isfinite(error), error, jnp.inf)

    def newton(carry: Any) -> Any:
        count, x, error = carry
        matrix = jax.jacfwd(step)(x) - jnp.eye(len(x), dtype=x.dtype)
        move = -jnp.linalg.solve(matrix, step(x) - x)
        errors = jax.vmap(lambda share: size(x + share * move))(shares)
        best = jnp.argmin(errors)
        helps = errors[best] < error
        x = jnp.where(helps, x + shares[best] * move, x)
        return jnp.where(helps, count + 1, _NEWTON), x, jnp.where(helps, errors[best], error)

    def going(carry: Any) -> Array:
        count, _, error = carry
        return (count < _NEWTON) & (error > 1e-13)

    _, x, error = jax.lax.while_loop(going, newton, (0, x, size(x)))
    return x, jax.jacfwd(step)(x), error


def _summary(
    kind: str, values: list[np.ndarray], bound: float, theorem: str, norms: list[float]
) -> CircuitCertificate:
    known = [v[np.isfinite(v)] for v in values]
    return CircuitCertificate(
        kind=kind,
        worst=[float(v.max()) if len(v) else float("nan") for v in known],
        median=[float(np.median(v)) if len(v) else float("nan") for v in known],
        inputs=len(values[0]),
        found=[len(v) for v in known],
        unstable=[int((v >= bound).sum()) for v in known],
        theorem=theorem,
        norm=norms,
    )
