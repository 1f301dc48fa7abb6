"""Noisy measurements: the third kind of system.

The three types differ in what is unbiased, and so in which law a sampler can target; they are
never exchanged for one another (Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017)).
"""

import abc

import equinox as eqx

from ._shapes import Array, Bool, Point, PRNGKey, Scalar


class AbstractNoisyWeight(eqx.Module):
    """`(key, x) → log ŵ` with `ŵ ≥ 0` and `⟨ŵ⟩ = w(x)`: the *weight* is unbiased."""

    @abc.abstractmethod
    def __call__(self, key: PRNGKey, x: Point) -> Scalar:
        """Logarithm of one draw of the weight at `x`; `-inf` means a weight of zero."""


class AbstractNoisyEnergy(eqx.Module):
    """`(key, x) → (Ê, variance)` with `⟨Ê⟩ = E(x)`: the *energy* is unbiased, its weight is not."""

    @abc.abstractmethod
    def __call__(self, key: PRNGKey, x: Point) -> tuple[Scalar, Scalar]:
        """One draw of the energy at `x` and the variance of such draws."""


class AbstractOracle(eqx.Module):
    """`(key, x) → bool`, true with probability `p(x)`."""

    @abc.abstractmethod
    def __call__(self, key: PRNGKey, x: Point) -> Bool[Array, ""]:
        """One answer at `x`."""
