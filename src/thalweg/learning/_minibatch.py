"""Losses on some of the rows: a noisy energy, or another energy under another name."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from thalweg.core import ArgumentError, Point, PRNGKey, Scalar, System
from thalweg.sampling import NoisyEnergy

from ._criteria import PairwiseAuc
from ._energy import LossEnergy
from ._systems import loss_of


class _Draw(eqx.Module):
    """The loss on rows drawn with replacement, and the variance of such draws."""

    energy: LossEnergy
    size: int = eqx.field(static=True)

    def __call__(self, key: PRNGKey, x: Point) -> tuple[Scalar, Scalar]:
        data = self.energy.data
        rows = jax.random.randint(key, (self.size,), 0, len(data))
        targets = data.targets[rows]
        if data.classes is None:
            targets = targets.astype(x.dtype)
        losses = self.energy.criterion(self.energy.outputs(x, data.inputs[rows]), targets)
        value = jnp.mean(losses) + self.energy.penalty(x)
        return value, jnp.var(losses, ddof=1) / self.size


def minibatch_energy(system: System, size: int, *, kt: float = 1.0) -> NoisyEnergy:
    """The loss seen through minibatches, for kernels that sample noisy energies.

    Rows are drawn anew at every call, with replacement, so that the average of the draws is the
    full loss. It is an energy with noise and not a weight with noise, and it is no system: a
    search for stationary points needs one surface, and gets the full loss, or `frozen_minibatch`.

    Args:
        system: A loss, as `loss_system` makes them.
        size: Rows of a batch, 2 or more.
        kt: Temperature in the unit of the loss.

    Raises:
        ArgumentError: if the system is no loss, its criterion is about pairs of rows, or `size`
            is too small.
    """
    energy = _rowwise(system)
    if size < 2:
        raise ArgumentError(f"size={size}: two rows at least, for the variance between rows")
    return NoisyEnergy(
        _Draw(energy, size), (system.space.dof,), variance="returned", samples=size, kt=kt
    )


def frozen_minibatch(system: System, rows: Int[np.ndarray | Array, " some"]) -> System:
    """The loss of some of the rows, always the same ones: another surface, and named so.

    Its stationary points and their indices are properties of this batch, not of the data.

    Args:
        system: A loss, as `loss_system` makes them.
        rows: Numbers of the rows.

    Raises:
        ArgumentError: if the system is no loss.
    """
    energy = loss_of(system)
    chosen = np.asarray(rows)
    part = eqx.tree_at(lambda loss: loss.data, energy, energy.data.rows(chosen))
    return System(
        part,
        name=f"{system.name} (frozen batch of {len(chosen)} of {len(energy.data)} rows)",
        space=system.space,
        symmetry=system.symmetry,
        start=system.start,
        units=system.units,
        length=system.length,
        floor=system.floor,
        labels=system.labels,
    )


def _rowwise(system: System) -> LossEnergy:
    energy = loss_of(system)
    if isinstance(energy.criterion, PairwiseAuc):
        raise ArgumentError(
            "the area under the ROC curve is about pairs of rows: its mean over a batch is not "
            "the whole's",
            "sample the cross-entropy, or freeze a batch: frozen_minibatch",
        )
    return energy
