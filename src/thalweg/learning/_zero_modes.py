"""Flat directions of a loss: how many its Hessian has, and which of them have a reason."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import ArgumentError, NetworkSymmetry, Point, System, hessian, require_x64

from ._criteria import CrossEntropy
from ._energy import LossEnergy
from ._mlp import Mlp
from ._systems import loss_of

_RANK = 1e-9
"""Singular values of the Jacobian below this fraction of the largest count as zero."""

_LARGEST = 4000
"""Parameters up to which dense Hessians are made here."""

_ROWS = 1024
"""Rows of data whose Jacobian is held at once."""


@dataclasses.dataclass(frozen=True)
class ZeroModeReport:
    """The flat directions of a loss at a point, and what explains them.

    Attributes:
        dof: Number of parameters.
        zero_modes: Curvatures of the loss that vanish.
        explained: Reasons that the system's symmetry gives, with the number of modes of each.
        unexplained: Zero modes less those; harmonic thermodynamics needs none.
        missing: Modes that the symmetry promises and the Hessian does not have.
        functional_rank: Rank of the Jacobian of all predictions: the number of directions in
            which any of them changes. What is left of `dof` is flat, but for the penalty.
        reasons: What may be behind the unexplained ones, in words.
    """

    dof: int
    zero_modes: int
    explained: tuple[tuple[str, int], ...]
    unexplained: int
    missing: int
    functional_rank: int
    reasons: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every zero mode has its reason, and every reason its zero mode."""
        return self.unexplained == 0 and self.missing == 0

    def __str__(self) -> str:
        parts = [f"{count} {name}" for name, count in self.explained if count]
        known = " and ".join(parts) if parts else "none by symmetry"
        text = (
            f"{self.zero_modes} zero modes of {self.dof}: {known}; {self.unexplained} unexplained"
            f"; predictions depend on {self.functional_rank} directions"
        )
        if self.missing:
            text += f"; {self.missing} that the symmetry promises are not there"
        return "; ".join([text, *self.reasons])


def zero_mode_report(system: System, x: Float[np.ndarray | Array, " dof"]) -> ZeroModeReport:
    """Count the zero modes of a loss at a stationary point, and say which are explained.

    Symmetry explains common shifts of what a softmax takes and scalings of homogeneous units, both
    without a penalty. Units that are off for all data, linear hidden layers and parameters that
    the data do not determine leave zero modes without such an explanation.

    Args:
        system: A loss.
        x: The point, `(dof,)`.

    Raises:
        ArgumentError: if the system is no loss, or too large for a dense Hessian.
    """
    require_x64()
    energy = loss_of(system)
    dof = system.space.dof
    if dof > _LARGEST:
        raise ArgumentError(f"{dof} parameters are too many for a dense Hessian here ({_LARGEST})")
    point = jnp.asarray(x)
    curvatures, shifts = _spectrum(system, point)
    scale = float(np.max(np.abs(curvatures)))
    cut = (energy.zero_cut or 0.0) * scale
    zeros = int(np.sum(np.abs(curvatures) < cut))
    explained = _explained(system, np.asarray(x))
    promised = sum(count for _, count in explained)
    real = int(np.sum(shifts < max(cut, 1e-9 * scale)))
    rank = functional_rank(energy, point)
    unexplained = max(zeros - real, 0)
    return ZeroModeReport(
        dof=dof,
        zero_modes=zeros,
        explained=explained,
        unexplained=unexplained,
        missing=promised - real,
        functional_rank=rank,
        reasons=_reasons(energy, point, rank) if unexplained else (),
    )


@eqx.filter_jit
def _dense(system: System, x: Point) -> tuple[Array, Array]:
    return hessian(system.energy, x), system.symmetry.zero_modes(x)


def _spectrum(system: System, x: Point) -> tuple[np.ndarray, np.ndarray]:
    """All curvatures, and how far each promised zero mode is from being one."""
    matrix, modes = (np.asarray(part) for part in _dense(system, x))
    there = modes[np.sum(modes * modes, axis=1) > 0.5]
    return np.linalg.eigvalsh(matrix), np.linalg.norm(there @ matrix, axis=1)


def _explained(system: System, x: np.ndarray) -> tuple[tuple[str, int], ...]:
    symmetry = system.symmetry
    expected = symmetry.expected_zero_modes(x)
    if not isinstance(symmetry, NetworkSymmetry):
        return (("of the system's symmetry", expected),)
    shifts = len(symmetry.gauge)
    return (
        ("common shifts of the outputs", shifts),
        ("scalings of hidden units", expected - shifts),
    )


def functional_rank(energy: LossEnergy, x: Float[Array, " dof"]) -> int:
    """Rank of the Jacobian of all predictions by the parameters.

    Predictions are the outputs, for a softmax less their mean, which it does not see. Blocks of
    rows are folded into one triangular factor, so that memory is bounded.

    Args:
        energy: The loss.
        x: Flat parameters.
    """
    inputs = np.asarray(energy.data.inputs)
    shifted = isinstance(energy.criterion, CrossEntropy)
    factor = np.zeros((0, len(x)))
    for first in range(0, len(inputs), _ROWS):
        block = np.asarray(
            _jacobian(energy, x, jnp.asarray(inputs[first : first + _ROWS]), shifted)
        )
        factor = np.linalg.qr(np.concatenate([factor, block]), mode="r")
    sizes = np.linalg.svd(factor, compute_uv=False)
    return int(np.sum(sizes > _RANK * sizes.max(initial=0.0)))


@eqx.filter_jit
def _jacobian(
    energy: LossEnergy,
    x: Point,
    inputs: Array,
    shifted: bool,  # noqa: FBT001 - not public
) -> Array:
    def predictions(x: Point) -> Array:
        outputs = energy.outputs(x, inputs)
        if shifted and outputs.shape[1] > 1:
            outputs = outputs - jnp.mean(outputs, axis=1, keepdims=True)
        return outputs.reshape(-1)

    return jax.jacrev(predictions)(x)


def _reasons(energy: LossEnergy, x: Point, rank: int) -> tuple[str, ...]:
    """What may be behind zero modes without an explanation."""
    reasons = []
    model = energy.predict
    if isinstance(model, Mlp):
        off, on = _stuck_units(model, x, energy.data.inputs)
        if off:
            reasons.append(f"{off} ReLU units are off for all data: their parameters do nothing")
        if on:
            reasons.append(
                f"{on} ReLU units never switch on the data: there they are linear, and their "
                "parameters can be traded for those of the next layer"
            )
        linear = [
            size
            for size, name in zip(model.sizes[1:-1], model.activations, strict=True)
            if name == "identity"
        ]
        if linear:
            what = "rotated" if float(energy.l2) else "mixed"
            reasons.append(f"hidden layers of {linear} linear units can be {what} at no cost")
    if float(energy.l2) == 0 and rank < len(x):
        reasons.append(
            f"the data determine {rank} of {len(x)} directions of the parameters: add a penalty "
            "(l2), or leave out parameters"
        )
    return tuple(reasons) or ("no known reason: a flat valley, or a symmetry not declared",)


def _stuck_units(model: Mlp, x: Point, inputs: Array) -> tuple[int, int]:
    """ReLU units that no row of the data switches on, and units that never change their slope."""
    values, off, on = inputs, 0, 0
    for number, (weight, bias) in enumerate(model.unravel(x)[:-1]):
        values = values @ weight.T
        values = values if bias is None else values + bias
        name = model.activations[number]
        below, above = jnp.all(values <= 0, axis=0), jnp.all(values >= 0, axis=0)
        if name == "relu":
            off, on = off + int(jnp.sum(below)), on + int(jnp.sum(above))
        elif name == "leaky_relu":
            on += int(jnp.sum(below | above))
        values = model.activate(number, values)
    return off, on
