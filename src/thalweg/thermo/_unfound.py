r"""What minima that nobody has found are like, from those that were found rarely.

The easier a minimum is to find, the more often it was found; what makes one easy is in part its
energy and the width of its well. So let the number of hits of minimum $i$ be Poisson with a rate
whose logarithm is normal about

$$ \mu_i = a + b\,e_i + c\,g_i + d\,(e_i^2 - 1) $$

with $e_i$ the standardised energy and $g_i$ the part of $\ln o_i + \tfrac12 \sum_j \ln
\omega_{ij}^2$ that does not go with it. Coefficients and spread are those of largest posterior
probability for the minima found once to ten times, given that they were found so often (the many
hits of the others say nothing of those never found, and need not follow the law). Each of these
minima then stands for $P_i(0) / P_i(1 \dots 10)$ missing ones: the Horvitz-Thompson estimate.

Sources: Horvitz & Thompson, J. Am. Stat. Assoc. 47, 663 (1952), and with covariates Huggins,
Biometrika 76, 133 (1989); Bulmer, Biometrics 30, 101 (1974), for the law.
"""

import dataclasses
import math

import jax
import numpy as np
from jaxtyping import Float, Int
from scipy import optimize, special

from thalweg.core import PRNGKey
from thalweg.landscape import TransitionNetwork

_RARE = 10
"""The customary limit of a rare species."""

_FITTED = 300
"""Minima that coefficients are fitted to at most."""

_VARIANTS = 25
"""Sets of coefficients drawn from the posterior."""

_PRIOR = np.array([10.0, 1.0, 1.0, 0.3])
"""Standard deviations of a, b, c and d before any data."""

_SPREAD = (math.log(1.5), 0.5)
"""What is believed of the logarithm of the spread, as `estimate_completeness` does."""

_BOUNDS = [(-16.0, 8.0), (-8.0, 8.0), (-8.0, 8.0), (-4.0, 4.0), (math.log(0.1), math.log(4.0))]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(17)
_LOG_WEIGHTS = np.log(_WEIGHTS / _WEIGHTS.sum())
_COUNTS = np.arange(_RARE + 1)
_LOG_FACTORIALS = special.gammaln(_COUNTS + 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Unfound:
    """How many missing minima each rarely found one stands for.

    Attributes:
        donors: Positions of the rarely found minima.
        odds: Missing minima for each of them, for coefficients drawn from their posterior,
            `(variants, donors)`.
    """

    donors: Int[np.ndarray, " donors"]
    odds: Float[np.ndarray, "variants donors"]

    @classmethod
    def of(cls, network: TransitionNetwork, key: PRNGKey) -> "Unfound":
        """Fit the law to a network's hits.

        Args:
            network: Minima with their hits.
            key: Random key.
        """
        donors = np.flatnonzero((network.hits > 0) & (network.hits <= _RARE))
        if not len(donors):
            return cls(donors=donors, odds=np.zeros((_VARIANTS, 0)))
        properties, hits = _properties(network)[donors], network.hits[donors]
        subset, draws = jax.random.split(key)
        shuffled = np.argsort(np.asarray(jax.random.uniform(subset, (rounded(len(donors)),))))
        some = shuffled[shuffled < len(donors)][:_FITTED]
        best, spread = _fit(properties[some], hits[some])
        noise = np.asarray(jax.random.normal(draws, (_VARIANTS, len(best))))
        low, high = np.array(_BOUNDS).T
        variants = np.clip(best + noise @ spread.T, low, high)
        return cls(donors=donors, odds=np.stack([_odds(v, properties) for v in variants]))


def _properties(network: TransitionNetwork) -> Float[np.ndarray, "minima 4"]:
    """What may make a minimum easy to find, standardised."""
    energy = _standard(network.energies)
    width = np.log(network.orders) + 0.5 * network.log_products
    width = _standard(_standard(width) - energy * np.mean(_standard(width) * energy))
    return np.stack([np.ones_like(energy), energy, width, energy**2 - 1.0], axis=1)


def _standard(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    away = values - values.mean()
    size = float(np.sqrt(np.mean(away**2)))
    return away / size if size > 1e-9 * (1.0 + float(np.abs(values).max())) else 0.0 * away


def _log_probabilities(
    parameters: Float[np.ndarray, "5"], properties: Float[np.ndarray, "n 4"]
) -> Float[np.ndarray, "n counts"]:
    """Logarithms of the probabilities of zero to ten hits, by Gauss-Hermite quadrature."""
    log_rate = (properties @ parameters[:-1])[:, None] + math.exp(parameters[-1]) * _NODES
    log_rate = np.clip(log_rate, -50.0, 12.0)
    # The largest term of each sum is taken out, so that none of them underflows.
    fixed = (_LOG_WEIGHTS - np.exp(log_rate))[:, None, :]
    terms = fixed + _COUNTS[None, :, None] * log_rate[:, None, :] - _LOG_FACTORIALS[None, :, None]
    top = terms.max(axis=2, keepdims=True)
    return top[..., 0] + np.log(np.exp(terms - top).sum(axis=2))


def _odds(
    parameters: Float[np.ndarray, "5"], properties: Float[np.ndarray, "n 4"]
) -> Float[np.ndarray, " n"]:
    log = _log_probabilities(parameters, properties)
    return np.exp(np.minimum(log[:, 0] - np.logaddexp.reduce(log[:, 1:], axis=1), 20.0))


def _fit(
    properties: Float[np.ndarray, "n 4"], hits: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "5"], Float[np.ndarray, "5 5"]]:
    """The most probable parameters, and a root of their covariance."""
    rows = np.arange(len(hits))

    def loss(parameters: np.ndarray) -> float:
        log = _log_probabilities(parameters, properties)
        known = log[rows, hits] - np.logaddexp.reduce(log[:, 1:], axis=1)
        prior = np.sum((parameters[:-1] / _PRIOR) ** 2)
        prior += ((parameters[-1] - _SPREAD[0]) / _SPREAD[1]) ** 2
        return 0.5 * float(prior) - float(known.sum())

    start = np.array([math.log(float(hits.mean())) - 1.0, 0.0, 0.0, 0.0, 0.0])
    best = optimize.minimize(loss, start, method="L-BFGS-B", bounds=_BOUNDS).x
    steps = 2e-2 * np.eye(len(best))
    curvature = np.array(
        [
            [
                loss(best + a + b) - loss(best + a - b) - loss(best - a + b) + loss(best - a - b)
                for b in steps
            ]
            for a in steps
        ]
    ) / (4 * 2e-2**2)
    values, vectors = np.linalg.eigh(0.5 * (curvature + curvature.T))
    return best, vectors / np.sqrt(np.maximum(values, 1e-2))


def rounded(count: int) -> int:
    """The next power of two: random numbers of few shapes, since each is compiled once."""
    return max(64, 1 << max(count - 1, 0).bit_length())


def level(
    weights: Float[np.ndarray, "draws donors"], totals: Float[np.ndarray, " draws"]
) -> Float[np.ndarray, "draws donors"]:
    """Cut the largest weights of each draw to one height, so that no row exceeds its total."""
    ascending = np.sort(weights, axis=1)
    below = np.cumsum(ascending, axis=1)
    count = weights.shape[1]
    # If all from the k-th on were cut to the height of the k-th.
    left = count - np.arange(count)
    sums = below + ascending * (left - 1)
    first = np.sum(sums < totals[:, None], axis=1)
    place = np.minimum(first, count - 1)[:, None]
    before = np.take_along_axis(below - ascending, place, axis=1)[:, 0]
    height = (totals - before) / left[place[:, 0]]
    return np.where((first == count)[:, None], weights, np.minimum(weights, height[:, None]))
