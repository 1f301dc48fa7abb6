r"""Targets with known answers, to try kernels on.

- `double_well`: $U(x) = 4(x^2 - 1)^2 + x/2$ in units of $kT$, seen through noise of a chosen law;
  $P(x > 0) = 0.28243$, $\langle x\rangle = -0.42922$.
- `gaussian_oracle`: yes with $p(x) = e^{-r^2/2}$; $\langle r^2\rangle = n$.
- `skirt_oracle`: yes within a radius $R$, with $e^{-(r - R)/\lambda}$ outside, as of a basin of
  attraction whose rim is fuzzy.
- `transition_state`: yes if a particle that starts at $x$ with a random kinetic energy crosses a
  barrier; $\langle x^2\rangle = 0.06324$.

Source: Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017), for the last two.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from thalweg.core import ArgumentError, Array, PRNGKey

from ._skirt import SkirtOracle
from ._support import Box
from ._targets import ExactWeight, NoisyEnergy, NoisyWeight, Oracle

Noise = Literal["none", "lognormal", "gamma", "zero", "energy", "energy-unknown"]


@dataclasses.dataclass(frozen=True)
class Demonstration:
    """A target and where a chain may begin.

    Attributes:
        target: What to sample.
        start: A point with a large weight.
        summary: What it is, in a line.
    """

    target: ExactWeight | NoisyWeight | NoisyEnergy | Oracle
    start: tuple[float, ...]
    summary: str


def well_energy(x: Array) -> Array:
    """Energy of the tilted double well, in units of kT."""
    return 4 * (x * x - 1) ** 2 + 0.5 * x


def _lognormal(a: Array, key: PRNGKey, x: Array) -> Array:
    return a * jax.random.normal(key, x.shape[1:], x.dtype) - a * a / 2


def _gamma(a: Array, key: PRNGKey, x: Array) -> Array:
    return jnp.log(jax.random.gamma(key, a, x.shape[1:], x.dtype) / a)


def _sometimes(a: Array, key: PRNGKey, x: Array) -> Array:
    return jnp.where(jax.random.uniform(key, x.shape[1:], x.dtype) < a, -jnp.log(a), -jnp.inf)


_FACTORS = {"lognormal": Partial(_lognormal), "gamma": Partial(_gamma), "zero": Partial(_sometimes)}
"""Logarithms of random factors of mean one: `(amplitude, key, x)`."""


def _noisy_weight(factor: Callable, a: Array, key: PRNGKey, x: Array) -> Array:
    return factor(a, key, x) - well_energy(x[0])


def _noisy_energy(a: Array, key: PRNGKey, x: Array) -> Array:
    return well_energy(x[0]) + a * jax.random.normal(key, x.shape[1:], x.dtype)


def double_well(noise: Noise = "lognormal", amplitude: float = 1.0) -> Demonstration:
    """The tilted double well, seen through noise.

    Args:
        noise: `none` (an exact weight); `lognormal`, `gamma` or `zero` (a noisy weight: standard
            deviation of the log-weight, shape of the gamma law, share of weights that are *not*
            zero); `energy`, `energy-unknown` (a noisy energy of that standard deviation, known or
            not).
        amplitude: Size of the noise.

    Raises:
        ArgumentError: if there is no such noise, or its amplitude is out of range.
    """
    if not (math.isfinite(amplitude) and amplitude > 0) or (noise == "zero" and amplitude > 1):
        raise ArgumentError(f"amplitude={amplitude} is out of range for noise {noise!r}")
    a = jnp.asarray(float(amplitude))  # not compiled in: one program serves all amplitudes
    if noise == "none":
        target = ExactWeight(block=lambda x: -well_energy(x[0]))
    elif noise in _FACTORS:
        target = NoisyWeight(block=Partial(_noisy_weight, _FACTORS[noise], a))
    elif noise in {"energy", "energy-unknown"}:
        variance = amplitude**2 if noise == "energy" else None
        target = NoisyEnergy(block=Partial(_noisy_energy, a), variance=variance)
    else:
        raise ArgumentError(
            f"noise={noise!r} is unknown",
            "known: none, lognormal, gamma, zero, energy, energy-unknown",
        )
    return Demonstration(target, (-1.0,), f"tilted double well, noise {noise}")


def gaussian_oracle(dof: int = 2, box: float | None = None) -> Demonstration:
    """An oracle that says yes with probability `exp(-r²/2)`; `box` makes it periodic in ± box."""

    def ask(key: PRNGKey, x: Array) -> Array:
        u = jax.random.uniform(key, x.shape[1:], x.dtype)
        return u < jnp.exp(-jnp.sum(x * x, axis=0) / 2)

    support = None if box is None else Box(-box, box, periodic=True)
    target = Oracle(block=ask, shape=(dof,), support=support)
    return Demonstration(target, (0.0,) * dof, f"Gaussian oracle in {dof} dimensions")


def skirt_oracle(dof: int = 2, radius: float = 1.0, width: float = 0.2) -> Demonstration:
    """An oracle whose yes fades beyond a radius as `exp(-(r - radius)/width)`: `SkirtOracle`."""
    target = Oracle(SkirtOracle(radius, width), shape=(dof,))
    return Demonstration(target, (0.0,) * dof, f"skirt oracle in {dof} dimensions")


def barrier(x: Array) -> Array:
    """Energy of the barrier of `transition_state`, in units of kT."""
    return 30.0 / math.sqrt(2 * math.pi) * jnp.exp(-x * x / 2)


def transition_state(softness: float = 1.0) -> Demonstration:
    """Which points lie on top of a barrier, known from noisy shots alone.

    A yes at `x` needs `V(x) > V(2)` and a kinetic energy `K`, half a χ² number of one degree of
    freedom, with `softness · K > V(0) - V(x)`.

    Args:
        softness: Factor that heats the shots; 1 is the question itself.
    """

    def ask(key: PRNGKey, x: Array) -> Array:
        v = barrier(x[0])
        kinetic = jax.random.normal(key, v.shape, v.dtype) ** 2 / 2
        high = v > 30.0 / math.sqrt(2 * math.pi) * math.exp(-2.0)
        return high & (softness * kinetic > 30.0 / math.sqrt(2 * math.pi) - v)

    return Demonstration(Oracle(block=ask), (0.0,), "transition state on a known coordinate")


def transition_family(u: Array, x: Array, softness: Array) -> Array:
    """The question of `transition_state` at given noise and softness, as a log-weight.

    The family that `ParameterExchange` climbs: hot shots find the barrier at once.
    """
    top = 30.0 / math.sqrt(2 * math.pi)
    v = barrier(x)
    yes = (v > top * math.exp(-2.0)) & (softness * u**2 / 2 > top - v)
    return jnp.where(yes, 0.0, -jnp.inf).astype(v.dtype)


DEMONSTRATIONS = {
    "double-well": double_well,
    "gaussian-oracle": gaussian_oracle,
    "skirt-oracle": skirt_oracle,
    "transition-state": transition_state,
}
