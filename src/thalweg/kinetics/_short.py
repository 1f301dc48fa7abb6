"""Rates in one line, by the ids of minima."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ._rates import Source, transition_rates

Ids = int | np.integer | np.ndarray | Iterable[int]
"""The id of a minimum, or several."""


def rate(source: Source, a: Ids, b: Ids, *, temperature: float, **wishes: Any) -> float:
    """Rate constant from the minima A to the minima B: `Σ_a p_a / t_aB`, with `p_a` the
    equilibrium probability of `a` within A and `t_aB` the mean first-passage time from `a` to B.

    Args:
        source: A landscape, a network, or a harmonic ensemble.
        a: Ids of the minima in A.
        b: Ids of the minima in B.
        temperature: Temperature: an energy in reduced units, else in kelvin.
        wishes: Anything else that `transition_rates` takes.

    Returns:
        The rate, 0 if no path leads from A to B.

    Raises:
        ArgumentError: if an id is unknown, A and B overlap, or rates cannot be had.

    Example: `rate(landscape, 0, 1, temperature=0.3)`
    """
    chain = transition_rates(source, temperature, **wishes)
    forward, _ = chain.rate_constants(_positions(chain, a), _positions(chain, b))
    return forward.rate


def mean_first_passage_time(
    source: Source, a: Ids, b: Ids, *, temperature: float, **wishes: Any
) -> float:
    """Mean first-passage time from equilibrium within the minima A to the minima B.

    Args:
        source: A landscape, a network, or a harmonic ensemble.
        a: Ids of the minima in A.
        b: Ids of the minima in B.
        temperature: Temperature: an energy in reduced units, else in kelvin.
        wishes: Anything else that `transition_rates` takes.

    Returns:
        The time, infinite if no path leads from A to B.

    Raises:
        ArgumentError: if an id is unknown, A and B overlap, or rates cannot be had.
    """
    chain = transition_rates(source, temperature, **wishes)
    return chain.mfpt(_positions(chain, a), _positions(chain, b))


def _positions(chain: Any, ids: Ids) -> list[int]:
    names = list(ids) if isinstance(ids, Iterable) else [int(ids)]
    return chain.positions(names).tolist()
