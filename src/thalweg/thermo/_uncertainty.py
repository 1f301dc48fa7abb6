r"""What minima that nobody has found yet may do to a heat capacity: an interval carried forward.

A map knows $S$ minima and estimates from how often each was found that $M$ more are missing, with
an error (`thalweg.landscape.estimate_completeness`). Nothing is known about those but two things:
how many there probably are, and that whoever was not found is like those that were rarely found.
So, many times over:

1. a number of missing minima is drawn: lognormal about the estimate with its error, then Poisson;
2. each takes the energy, order, modes and curvatures of a known minimum, chosen with a probability
   proportional to $e^{-h} / (1 - e^{-h})$ for one found $h$ times: the Horvitz-Thompson estimate of
   how many like it were missed. These weights are themselves redrawn each time (a Bayesian
   bootstrap), since the rarely found are but a sample;
3. the superposition is evaluated with them added.

Quantiles over the draws are the interval, widened to contain the plain superposition. The known
minima are never taken away: they exist. It cannot tell of a funnel that no search has entered, nor
of a low minimum unlike all that were rarely found; and it is an interval on the harmonic
superposition, not on the true heat capacity.

Sources: Good, Biometrika 40, 237 (1953); Horvitz & Thompson, J. Am. Stat. Assoc. 47, 663 (1952);
Rubin, Ann. Stat. 9, 130 (1981).
"""

import dataclasses
import math

import jax
import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError, PRNGKey
from thalweg.landscape import CompletenessEstimate, estimate_completeness

from ._superposition import AbstractEnsemble, checked_temperature

_MANY = 20_000
"""Beyond so many missing minima, their expected numbers stand for draws."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MissingMinima:
    """Curves of a superposition with the interval that missing minima give them.

    Attributes:
        temperatures: Temperatures, ascending or not, `(temperatures,)`.
        heat_capacity: Plain superposition, in units of k_B.
        heat_capacity_lower: Lower end of its interval.
        heat_capacity_upper: Upper end.
        internal_energy: Plain superposition.
        internal_energy_lower: Lower end of its interval.
        internal_energy_upper: Upper end.
        known: Probability that a minimum known is occupied, lower end of the interval (the upper
            is 1). Occupations of known minima lie between `known` times the plain ones and those.
        completeness: The estimate behind it.
        confidence: Nominal probability of the interval.
        trusted: Whether there is enough data for an upper end; if not, take the intervals for
            the least that they can be.
    """

    temperatures: Float[np.ndarray, " temperatures"]
    heat_capacity: Float[np.ndarray, " temperatures"]
    heat_capacity_lower: Float[np.ndarray, " temperatures"]
    heat_capacity_upper: Float[np.ndarray, " temperatures"]
    internal_energy: Float[np.ndarray, " temperatures"]
    internal_energy_lower: Float[np.ndarray, " temperatures"]
    internal_energy_upper: Float[np.ndarray, " temperatures"]
    known: Float[np.ndarray, " temperatures"]
    completeness: CompletenessEstimate
    confidence: float
    trusted: bool

    def occupations(
        self, ensemble: AbstractEnsemble
    ) -> tuple[Float[np.ndarray, "temperatures minima"], Float[np.ndarray, "temperatures minima"]]:
        """Lower and upper ends of the occupation of every known minimum."""
        plain = ensemble.occupations(self.temperatures)
        return plain * self.known[:, None], plain


def with_missing_minima(
    ensemble: AbstractEnsemble,
    temperatures: Float[np.ndarray, " temperatures"],
    key: PRNGKey,
    *,
    completeness: CompletenessEstimate | None = None,
    draws: int = 400,
    confidence: float = 0.95,
) -> MissingMinima:
    """The superposition with intervals for the minima that are probably missing.

    Args:
        ensemble: Any superposition; the hits of its network say how often each minimum was found.
        temperatures: Where, `(temperatures,)`.
        key: Random key; the same key gives the same interval.
        completeness: How many are missing; by default estimated from the hits.
        draws: How many times the missing minima are drawn.
        confidence: Probability that the interval is to hold the complete superposition.

    Raises:
        ArgumentError: if nothing was ever found by a search (imported networks have no hits), or
            an argument is out of range.
    """
    grid = checked_temperature(temperatures)
    hits = ensemble.network.hits
    if not 0 < confidence < 1 or draws < 2:
        raise ArgumentError(
            f"confidence={confidence} must lie between 0 and 1, and draws={draws} be at least 2"
        )
    if not (hits > 0).any():
        raise ArgumentError(
            "no minimum of this network was found by a search, so nobody can tell how many are "
            "missing",
            "imported networks have no hits; map the system, or leave the interval out",
        )
    known = estimate_completeness(hits) if completeness is None else completeness
    extra = _draw_extra(hits, known, key, draws)
    capacity, energy, share = _mixtures(ensemble, grid, extra)
    tail = 0.5 * (1.0 - confidence)
    plain_c, plain_u = ensemble.heat_capacity(grid), ensemble.internal_energy(grid)
    low_c, high_c = np.quantile(capacity, [tail, 1.0 - tail], axis=0)
    low_u, high_u = np.quantile(energy, [tail, 1.0 - tail], axis=0)
    return MissingMinima(
        temperatures=grid,
        heat_capacity=plain_c,
        heat_capacity_lower=np.minimum(low_c, plain_c),
        heat_capacity_upper=np.maximum(high_c, plain_c),
        internal_energy=plain_u,
        internal_energy_lower=np.minimum(low_u, plain_u),
        internal_energy_upper=np.maximum(high_u, plain_u),
        known=np.quantile(share, 2 * tail, axis=0),
        completeness=known,
        confidence=confidence,
        trusted=known.trusted,
    )


def _draw_extra(
    hits: np.ndarray, known: CompletenessEstimate, key: PRNGKey, draws: int
) -> Float[np.ndarray, "draws minima"]:
    """How many missing minima resemble each known one, in each draw."""
    odds = np.zeros(len(hits))
    # Beyond some hits the odds of having been missed are nil, and e^h would overflow.
    found = (hits > 0) & (hits < 500)
    odds[found] = 1.0 / np.expm1(hits[found].astype(float))
    number, weights, count, choice = jax.random.split(key, 4)
    donors = np.flatnonzero(odds > 1e-12 * odds.max()) if odds.any() else np.zeros(0, int)
    extra = np.zeros((draws, len(hits)))
    if not len(donors):
        return extra
    bootstrap = odds[donors] * np.asarray(jax.random.exponential(weights, (draws, len(donors))))
    missing = _draw_numbers(known, number, draws)
    counts = np.asarray(jax.random.poisson(count, missing))
    for draw in range(draws):
        cumulative = np.cumsum(bootstrap[draw]) / bootstrap[draw].sum()
        if counts[draw] > _MANY:
            extra[draw, donors] = counts[draw] * np.diff(cumulative, prepend=0.0)
            continue
        uniform = np.asarray(jax.random.uniform(jax.random.fold_in(choice, draw), (_MANY,)))
        chosen = np.searchsorted(cumulative, uniform[: counts[draw]])
        extra[draw, donors] = np.bincount(
            np.minimum(chosen, len(donors) - 1), minlength=len(donors)
        )
    return extra


def _draw_numbers(
    known: CompletenessEstimate, key: PRNGKey, draws: int
) -> Float[np.ndarray, " draws"]:
    """Expected numbers of missing minima: lognormal about the estimate, with its error.

    The standard error of the estimate contains the Poisson scatter of the number itself, which is
    drawn later, so it is taken out here.
    """
    missing = known.missing
    if missing <= 0:
        return np.zeros(draws)
    error = known.standard_error
    ratio = error / missing if math.isfinite(error) else 2.0
    spread = math.sqrt(min(max(ratio**2 - 1.0 / max(missing, 1.0), 0.0), 4.0))
    drawn = np.asarray(jax.random.normal(key, (draws,)))
    return np.minimum(missing * np.exp(spread * drawn), 1e9)


def _mixtures(
    ensemble: AbstractEnsemble,
    grid: Float[np.ndarray, " temperatures"],
    extra: Float[np.ndarray, "draws minima"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heat capacity, energy and share of the known minima, each `(draws, temperatures)`.

    Moments are taken about the plain mean energy; one matrix product serves all draws.
    """
    shape = (len(extra), len(grid))
    capacity, energy, share = np.empty(shape), np.empty(shape), np.empty(shape)
    for k, temperature in enumerate(grid.tolist()):
        p = ensemble.occupations(temperature)
        mean = float(ensemble.internal_energy(temperature))
        away = ensemble.energies(temperature) - mean
        own = ensemble.capacities(temperature)
        columns = np.stack([np.ones_like(p), away, away**2, own], axis=1) * p[:, None]
        sums = columns.sum(axis=0) + extra @ columns
        shift = sums[:, 1] / sums[:, 0]
        kt = ensemble.boltzmann * temperature
        variance = sums[:, 2] / sums[:, 0] - shift**2
        capacity[:, k] = sums[:, 3] / sums[:, 0] + np.maximum(variance, 0.0) / kt**2
        energy[:, k] = mean + shift
        share[:, k] = 1.0 / sums[:, 0]
    return capacity, energy, share
