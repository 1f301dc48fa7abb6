"""Parameters given data: a noisy energy that `thalweg.sampling` can sample.

Source: Welling & Teh, ICML (2011) (stochastic-gradient Langevin dynamics).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from thalweg.core import ArgumentError, Array, Float, PRNGKey, Scalar
from thalweg.forcefields._forcefield import ForceField

from ._dataset import Dataset
from ._fit import check_data
from ._loss import Batch, Weights, as_batch, loss
from ._parameters import Parameters


class Posterior(eqx.Module):
    r"""Minus the log-density of parameters, from random batches of frames: `(key, u) → Ê`.

    $$ U(u) = \tfrac12|u|^2 + \frac{1}{2\sigma^2}\sum |F - F_\mathrm{ref}|^2 + \ldots $$

    which is the loss of `fit_forcefield` times $3nm / 2\sigma^2$, and unbiased for any batch.

    Attributes:
        parameters: What is sampled.
        data: All frames.
        weights: Of the loss.
        scale: $3nm / 2\sigma^2$.
        batch: Frames of one estimate.
    """

    parameters: Parameters
    data: Batch
    weights: Weights
    scale: Float[Array, ""]
    batch: int = eqx.field(static=True)

    def __init__(
        self,
        force_field: ForceField,
        dataset: Dataset,
        *,
        noise: float = 1.0,
        energy_weight: float = 0.02,
        batch: int | None = None,
    ):
        """Collect the parts.

        Args:
            force_field: Its parameters are the middle of the prior, `u = 0`. Numbers of networks
                have a flat prior.
            dataset: Labelled frames.
            noise: σ, misfit of a force component that the form is granted, in kcal/(mol Å).
            energy_weight: Weight of energies, in Å⁻², as in `FitConfig`.
            batch: Frames of one estimate; by default all: then it is exact.

        Raises:
            ArgumentError: if a frame has no label, or a number makes no sense.
        """
        check_data(force_field, dataset, "dataset")
        batch = len(dataset) if batch is None else batch
        if not noise > 0 or not 2 <= batch <= len(dataset):
            raise ArgumentError(
                f"noise={noise}, batch={batch}: expected a positive noise and 2 to {len(dataset)} "
                "frames"
            )
        size = dataset.positions.size
        self.parameters = Parameters(force_field)
        self.data = as_batch(dataset)
        self.weights = Weights(jnp.asarray(energy_weight), jnp.asarray(noise**2 / size))
        self.scale = jnp.asarray(size / (2 * noise**2))
        self.batch = batch

    @property
    def start(self) -> Float[np.ndarray, " parameters"]:
        """The middle of the prior, flat."""
        return np.asarray(ravel_pytree(self.parameters.start())[0])

    def force_field(self, u: Float[Array, " parameters"]) -> ForceField:
        """The force field of a draw."""
        return self.parameters.force_field(ravel_pytree(self.parameters.start())[1](u))

    def __call__(self, key: PRNGKey, u: Float[Array, " parameters"]) -> Scalar:
        """An estimate of `U(u)`."""
        moves = ravel_pytree(self.parameters.start())[1](u)
        data = self.data
        if self.batch < len(self.data.x):
            count = len(self.data.x)
            rows = jax.random.choice(key, count, (self.batch,), replace=False)
            data = Batch(*(array[rows] for array in self.data))
        return self.scale * loss(moves, self.parameters, data, self.weights)
