"""Entropy production: how far a noisy flow is from equilibrium, for flows that have no energy.

At a stable fixed point the linearised flow under noise `Q = 2D` has the probability current
`j(x) = Ω Σ⁻¹ x p(x)` with the antisymmetric `Ω = J Σ + D`; it produces entropy at the rate

    Φ = ⟨vᵀ D⁻¹ v⟩ = tr(Σ⁻¹ Ωᵀ D⁻¹ Ω),      v = Ω Σ⁻¹ x,

in units of `k_B` for the time unit. `Φ = 0` if and only if detailed balance holds, as it does for
a gradient flow under isotropic noise. Every coordinate counts as even under reversal of time.

Sources: Qian, Proc. R. Soc. Lond. A 457, 1645 (2001); Godrèche & Luck, J. Phys. A 52, 035002
(2019). Along paths: Seifert, Phys. Rev. Lett. 95, 040602 (2005).
"""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from thalweg.core import AbstractDynamics, ArgumentError

from ._noise import LinearNoise
from ._simulate import at_time
from ._trajectories import Trajectories
from ._white_noise import WhiteNoise


@dataclasses.dataclass(frozen=True, eq=False)
class EntropyProduction:
    """The rate at which a linearised noisy flow produces entropy, and through which rotation.

    Attributes:
        rate: `Φ ≥ 0`, in `k_B` for the time unit; infinite if the current runs along a direction
            that the noise does not reach.
        rotation: The antisymmetric `Ω = J Σ + D`, `(dof, dof)`.
        mean_force: `J + D Σ⁻¹`, the irreversible part of the drift, `(dof, dof)`.
    """

    rate: float
    rotation: Float[np.ndarray, "dof dof"]
    mean_force: Float[np.ndarray, "dof dof"]


def entropy_production(linear: LinearNoise) -> EntropyProduction:
    """The entropy production rate of a flow linearised about a stable fixed point.

    Args:
        linear: The linearised flow; see `linear_noise`.

    Raises:
        ArgumentError: if the noise is so degenerate that the stationary state has no density.
    """
    d = 0.5 * linear.diffusion
    sigma, vectors = np.linalg.eigh(linear.covariance)
    if not sigma[0] > 1e-14 * sigma[-1]:
        raise ArgumentError(
            "the noise does not reach every direction: the stationary state has no density",
            "give each neuron some noise, or leave the silent ones out",
        )
    drift = linear.jacobian @ linear.covariance
    rotation = 0.5 * (drift - drift.T)
    root = (vectors / np.sqrt(sigma)) @ vectors.T
    current = rotation @ root
    power, axes = np.linalg.eigh(d)
    along = axes.T @ current
    live = power > 1e-14 * power[-1]
    silent = float(np.abs(along[~live]).max(initial=0.0))
    rate = float((along[live] ** 2 / power[live, None]).sum())
    if silent > 1e-10 * float(np.abs(along).max(initial=0.0)) and silent > 0:
        rate = math.inf
    return EntropyProduction(rate, rotation, rotation @ root @ root)


@dataclasses.dataclass(frozen=True, eq=False)
class MeasuredEntropyProduction:
    """Entropy production of simulated paths.

    Attributes:
        rate: Mean over the paths, in `k_B` for the time unit.
        error: Its standard error, from the scatter between paths.
        rates: Of each path, `(paths,)`.
    """

    rate: float
    error: float
    rates: Float[np.ndarray, " paths"]


def measured_entropy_production(
    dynamics: AbstractDynamics, paths: Trajectories, noise: WhiteNoise, drive: PyTree = None
) -> MeasuredEntropyProduction:
    """The entropy production rate of a *nonlinear* flow with additive noise, from its paths.

    `Φ = ⟨f(x)ᵀ D⁻¹ ∘ dx⟩ / t` in Stratonovich's sense, by the midpoint of every interval: the
    paths must have been kept at every step, or nearly so, and begin in the stationary state.

    Args:
        dynamics: The vector field.
        paths: Simulated paths; those that ended early are left out.
        noise: The noise that they were simulated with; its matrix must be invertible.
        drive: Constant external input.

    Raises:
        ArgumentError: if the noise depends on the state or cannot be inverted, or fewer than two
            paths are whole.
    """
    x = paths.x[paths.ok]
    if len(x) < 2:
        raise ArgumentError(f"{len(x)} whole paths: at least two are needed for an error bar")
    if not noise.additive:
        raise ArgumentError("the noise depends on the state; this estimate needs additive noise")
    diffusion = np.asarray(noise.diffusion(jnp.asarray(x[0, 0]), at_time(drive, 0.0)))
    if np.linalg.matrix_rank(diffusion, hermitian=True) < len(diffusion):
        raise ArgumentError(
            "the noise does not reach every direction", "give each coordinate some noise"
        )
    heat = np.asarray(
        _heat(dynamics, jnp.asarray(x), jnp.asarray(np.linalg.inv(0.5 * diffusion)), drive)
    )
    rates = heat / (paths.times[-1] - paths.times[0])
    return MeasuredEntropyProduction(
        float(rates.mean()), float(rates.std(ddof=1) / math.sqrt(len(rates))), rates
    )


@eqx.filter_jit
def _heat(
    dynamics: AbstractDynamics,
    x: Float[Array, "paths times dof"],
    inverse: Float[Array, "dof dof"],
    drive: PyTree,
) -> Float[Array, " paths"]:
    zero = jnp.zeros((), x.dtype)
    field = jax.vmap(jax.vmap(lambda y: dynamics(zero, y, at_time(drive, zero))))
    middle, moved = 0.5 * (x[:, 1:] + x[:, :-1]), jnp.diff(x, axis=1)
    return jnp.einsum("pti,ij,ptj->p", field(middle), inverse, moved)
