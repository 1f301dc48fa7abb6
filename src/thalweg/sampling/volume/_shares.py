"""What share of a box belongs to each minimum: starts drawn evenly, quenched and counted.

Where the known minima are few and own the box between them this beats every chain: each start
counts, and the counts are binomial.
"""

import dataclasses

import jax
import numpy as np
from jaxtyping import Float, Int

from thalweg.core import (
    AbstractSolver,
    ArgumentError,
    Outcome,
    PRNGKey,
    System,
    as_key,
    require_x64,
)
from thalweg.search import LBFGS, quench_many

from ._oracles import BoxRegion

_LEVEL = 1e-6
"""Energies within this, relative above one, may belong to one minimum."""

_NEAR = 0.05
"""Distance of an end from an image of its minimum, in units of the system's length."""


@dataclasses.dataclass(frozen=True, eq=False)
class BoxShares:
    """How often starts in a box ended in each minimum, all its images together.

    Attributes:
        hits: Starts that ended in each minimum or an image of it, `(minima,)`.
        calls: Starts.
        log_volumes: Logarithm of the volume of its basins inside the box; `-inf` without a hit.
        errors: Half the 95 % interval of that (Jeffreys), `inf` without a hit.
    """

    hits: Int[np.ndarray, " minima"]
    calls: int
    log_volumes: Float[np.ndarray, " minima"]
    errors: Float[np.ndarray, " minima"]


def box_shares(
    system: System,
    minima: Float[np.ndarray, "minima dof"],
    region: BoxRegion,
    key: PRNGKey | int,
    *,
    calls: int = 2_000,
    minimiser: AbstractSolver | None = None,
) -> BoxShares:
    """Quench starts from a box, and count in which of some minima they end.

    Args:
        system: What they are minima of.
        minima: One image of each.
        region: The box.
        key: Random key or seed.
        calls: Starts.
        minimiser: What a basin is defined by; `LBFGS()` unless given.

    Raises:
        ArgumentError: if there are no starts, or minima of another size.
        PrecisionError: if float64 is off.
    """
    from scipy.stats import beta

    require_x64()
    dof = system.space.dof
    if calls < 1 or minima.shape[1:] != (dof,) or region.lower.shape != (dof,):
        raise ArgumentError(
            f"calls={calls}, minima {minima.shape} and a box of {region.lower.shape}",
            f"expected at least one start, and {dof} coordinates",
        )
    starts = jax.random.uniform(as_key(key), (calls, dof), minval=region.lower, maxval=region.upper)
    ends = quench_many(system, np.asarray(starts), LBFGS() if minimiser is None else minimiser)
    levels = quench_many(system, minima).value
    hits = np.zeros(len(minima), np.int64)
    for x, value, outcome in zip(ends.x, ends.value, ends.outcome, strict=True):
        if outcome != Outcome.success:
            continue
        for k in np.flatnonzero(np.abs(levels - value) <= _LEVEL * max(1.0, abs(value))):
            if system.symmetry.match(minima[k], x, _NEAR * system.length) is not None:
                hits[k] += 1
                break
    box = float(np.sum(np.log(np.asarray(region.upper - region.lower))))
    with np.errstate(divide="ignore"):
        logs = np.log(hits / calls) + box
    low, high = (beta.ppf(p, hits + 0.5, calls - hits + 0.5) for p in (0.025, 0.975))
    errors = np.where(hits > 0, 0.5 * np.log(high / low), np.inf)
    return BoxShares(hits, calls, logs, errors)
