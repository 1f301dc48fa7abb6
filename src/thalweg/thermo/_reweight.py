r"""Thermodynamics from samples: MBAR joins the temperatures of a parallel-tempering run.

All samples together give the canonical averages at any temperature within the ladder, weighted by
the multistate Bennett acceptance ratio, whose free energies are solved by pymbar:

$$ w_n(T) \propto \frac{e^{-E_n/kT}}{\sum_k N_k\, e^{f_k - E_n/kT_k}}, \qquad
   C = \frac{\langle E^2\rangle - \langle E\rangle^2}{kT^2}. $$

Error bars are a jackknife over the independent replicas: everything is done again without each of
them. They thus contain whatever one replica has not seen and another has, which error bars from
correlation times do not.

Source: Shirts & Chodera, J. Chem. Phys. 129, 124105 (2008).
"""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy import special

from thalweg.core import ArgumentError
from thalweg.sampling import TemperingSamples, mbar_free_energies

from ._superposition import checked_temperature

_MOST = 24_000
"""Energies that enter the solution; more are thinned evenly, since they are correlated anyway."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Reweighted:
    """Curves from samples, with standard errors from independent replicas.

    Energies and heat capacities are configurational, as those of `HarmonicEnsemble` are.

    Attributes:
        temperatures: Where.
        internal_energy: Mean energy.
        internal_energy_error: Its standard error.
        heat_capacity: In units of k_B.
        heat_capacity_error: Its standard error.
        replicas: Number of independent replicas; the errors have one degree of freedom less.
    """

    temperatures: Float[np.ndarray, " temperatures"]
    internal_energy: Float[np.ndarray, " temperatures"]
    internal_energy_error: Float[np.ndarray, " temperatures"]
    heat_capacity: Float[np.ndarray, " temperatures"]
    heat_capacity_error: Float[np.ndarray, " temperatures"]
    replicas: int


def reweight(
    samples: TemperingSamples, temperatures: Float[np.ndarray, " temperatures"]
) -> Reweighted:
    """Mean energy and heat capacity at any temperatures within the ladder, with error bars.

    Args:
        samples: From `thalweg.sampling.parallel_tempering`, at least two replicas.
        temperatures: Where.

    Raises:
        ArgumentError: if a temperature lies outside the ladder, where no error bar can be
            trusted, or there is one replica only.
    """
    grid = checked_temperature(temperatures)
    ladder, replicas = samples.temperatures, samples.energies.shape[2]
    slack = 1e-9 * ladder[-1]
    if grid.min() < ladder[0] - slack or grid.max() > ladder[-1] + slack:
        raise ArgumentError(
            f"temperatures {grid.min():g} to {grid.max():g} leave the ladder, {ladder[0]:g} to "
            f"{ladder[-1]:g}",
            "sample a wider range",
        )
    if replicas < 2:
        raise ArgumentError("one replica has no error bar", "sample with replicas=4 or more")
    stride = max(1, -(-samples.energies.size // _MOST))
    energies = np.moveaxis(samples.energies[::stride], 0, -1)  # temperatures, replicas, samples
    beta = 1.0 / (samples.boltzmann * ladder)
    targets = 1.0 / (samples.boltzmann * grid)
    free = _free_energies(energies, beta, None)
    mean, capacity = _moments(energies, beta, free, targets)
    parts = []
    for left_out in range(replicas):
        rest = np.delete(energies, left_out, axis=1)
        parts.append(_moments(rest, beta, _free_energies(rest, beta, free), targets))
    return Reweighted(
        temperatures=grid,
        internal_energy=mean,
        internal_energy_error=_jackknife([part[0] for part in parts]),
        heat_capacity=capacity,
        heat_capacity_error=_jackknife([part[1] for part in parts]),
        replicas=replicas,
    )


def _jackknife(parts: list[np.ndarray]) -> np.ndarray:
    values = np.stack(parts)
    count = len(values)
    return np.sqrt((count - 1) / count * np.sum((values - values.mean(axis=0)) ** 2, axis=0))


def _free_energies(
    energies: Float[np.ndarray, "temperatures replicas samples"],
    beta: Float[np.ndarray, " temperatures"],
    guess: Float[np.ndarray, " temperatures"] | None,
) -> Float[np.ndarray, " temperatures"]:
    """Reduced free energies of the ladder, by pymbar."""
    lowest = float(energies.min())
    flat = energies.reshape(-1) - lowest
    if guess is None:  # thermodynamic integration: d(βF)/dβ is the mean energy
        mean = energies.mean(axis=(1, 2)) - lowest
        steps = 0.5 * (mean[1:] + mean[:-1]) * np.diff(beta)
        guess = np.concatenate([[0.0], np.cumsum(steps)])
    return mbar_free_energies(beta[:, None] * flat, guess)


def _moments(
    energies: Float[np.ndarray, "temperatures replicas samples"],
    beta: Float[np.ndarray, " temperatures"],
    free: Float[np.ndarray, " temperatures"],
    targets: Float[np.ndarray, " targets"],
) -> tuple[Float[np.ndarray, " targets"], Float[np.ndarray, " targets"]]:
    """Mean energy and heat capacity in units of k_B at each target."""
    lowest = float(energies.min())
    flat = energies.reshape(-1) - lowest
    mixture = special.logsumexp(free[:, None] - beta[:, None] * flat, axis=0)
    mean, capacity = np.empty(len(targets)), np.empty(len(targets))
    for k, target in enumerate(targets):
        weight = special.softmax(-target * flat - mixture)
        mean[k] = weight @ flat
        capacity[k] = target**2 * (weight @ (flat - mean[k]) ** 2)
    return lowest + mean, capacity
