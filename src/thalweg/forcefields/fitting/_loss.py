r"""How far a force field is from its labels.

$$
L = \mathrm{MSE}_F + w\,\mathrm{MSE}_E + \frac{\sigma^2}{3 n m} |u|^2
$$

in kcal/mol and Å, over m frames of n atoms, with the constant between the two zeros of energy taken
out exactly: for any batch, the unbiased variance of `E - E_ref` estimates that of the whole set.
For labels whose forces the form cannot follow better than σ, the last term is the prior N(0, 1) of
the parameters that have a physical meaning.
"""

from collections.abc import Iterator
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from thalweg.core import Array, Float, Scalar, value_and_grad
from thalweg.forcefields._forcefield import ForceField

from ._dataset import KCAL, KCAL_ANGSTROM, Dataset
from ._parameters import Moves, Parameters

_CHUNK = 128
"""Frames that are evaluated at once."""


class Batch(NamedTuple):
    """Frames for compiled code: flat points, energies, and forces like points."""

    x: Float[Array, "frames dof"]
    energy: Float[Array, " frames"]
    force: Float[Array, "frames dof"]


class Weights(NamedTuple):
    """Of the loss: `w` in Å⁻², and the prior's `σ² / (3 n m)`."""

    energy: Float[Array, ""]
    prior: Float[Array, ""]


def as_batch(dataset: Dataset) -> Batch:
    """All frames of a set; energies relative to their mean, which keeps digits."""
    return Batch(
        jnp.asarray(dataset.points),
        jnp.asarray(dataset.energies - dataset.energies.mean()),
        jnp.asarray(dataset.forces.reshape(len(dataset), -1)),
    )


def misfit(force_field: ForceField, batch: Batch) -> tuple[Array, Array]:
    """`E - E_ref`, `(frames,)`, in kcal/mol, and `F - F_ref`, `(frames, dof)`, in kcal/(mol Å)."""
    energy, gradient = value_and_grad(force_field, batch.x.T)
    return (energy - batch.energy) / KCAL, (-gradient.T - batch.force) / KCAL_ANGSTROM


def loss(moves: Moves, parameters: Parameters, batch: Batch, weights: Weights) -> Scalar:
    """The loss of a batch."""
    energy, force = misfit(parameters.force_field(moves), batch)
    away = energy - jnp.mean(energy)
    spread = jnp.sum(away**2) / max(len(away) - 1, 1)
    return (
        jnp.mean(force**2)
        + weights.energy * spread
        + weights.prior * parameters.square(moves).astype(energy.dtype)
    )


def chunks(count: int, size: int = _CHUNK) -> Iterator[tuple[np.ndarray, int]]:
    """Indices of chunks of one size, the last filled up, and how many of them count."""
    size = min(size, count)
    for first in range(0, count, size):
        rows = np.arange(first, min(first + size, count))
        filled = np.zeros(size, np.int32)
        filled[: len(rows)] = rows
        yield filled, len(rows)


@eqx.filter_jit
def _misfit_chunk(force_field: ForceField, batch: Batch) -> tuple[Array, Array]:
    return misfit(force_field, batch)


def misfits(force_field: ForceField, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Errors of energies, `(m,)` in kcal/mol with their mean removed, and forces, `(m, n, 3)`.

    Forces are in kcal/(mol Å). Frames on which the force field is not finite have NaN.
    """
    batch = as_batch(dataset)
    energies, forces = [], []
    for rows, real in chunks(len(dataset)):
        part = Batch(*(array[rows] for array in batch))
        energy, force = _misfit_chunk(force_field, part)
        energies.append(np.asarray(energy)[:real])
        forces.append(np.asarray(force)[:real])
    energy = np.concatenate(energies).astype(float)
    force = np.concatenate(forces).astype(float).reshape(dataset.positions.shape)
    finite = np.isfinite(energy)
    centre = energy[finite].mean() if finite.any() else 0.0
    return energy - centre, force
