"""The whole distribution of a first-passage time, for chains of some hundred states.

The time to absorption of a Markov chain has a phase-type distribution: with the generator `S`
restricted to the states outside B and the initial probabilities `p`, it exceeds `t` with
probability `p exp(S t) 1`.

Source: M. F. Neuts, *Matrix-Geometric Solutions in Stochastic Models* (1981), chapter 2.
"""

import dataclasses
import math

import numpy as np
import scipy.linalg as linalg
from jaxtyping import Float

from thalweg.core import ArgumentError

from . import _first_passage
from ._chain import MarkovChain
from ._sparse_log import States, log_sum, mask

_LARGEST = 2000


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PassageTimes:
    """Distribution of the time of the first passage from A to B.

    Attributes:
        initial: Probabilities of the states outside B at the beginning.
        generator: Rates among them; rows add up to minus the rate into B.
        log_moments: `ln` of the mean and of the mean square, by elimination.
    """

    initial: Float[np.ndarray, " n"]
    generator: Float[np.ndarray, "n n"]
    log_moments: tuple[float, float]

    @classmethod
    def of(cls, chain: MarkovChain, a: States, b: States) -> "PassageTimes":
        """The distribution for a chain that begins in equilibrium in A.

        Raises:
            ArgumentError: if B is not sure to be reached, or there are more than 2000 states.
        """
        n = chain.n_states
        in_a, in_b = mask(a, n, "a"), mask(b, n, "b")
        log_mean = chain.log_mfpt(in_a, in_b)
        times = chain.log_mfpts(in_b)
        inside = ~in_b & np.isfinite(times)
        if not math.isfinite(log_mean) or inside.sum() > _LARGEST:
            raise ArgumentError(
                f"the distribution needs a passage that is sure to end and at most {_LARGEST} "
                f"states; there are {int(inside.sum())}",
                "MarkovChain.mfpt gives the mean of larger chains",
            )
        share = np.where(in_a, chain.log_stationary if in_a.sum() > 1 else 0.0, -np.inf)
        share -= log_sum(share)
        # E[t²] solves the same equations with twice the first moment for a source.
        source = np.where(inside, times + math.log(2.0), -np.inf)
        second = _first_passage.log_mfpts(chain.log_rates, in_b, source)
        return cls(
            initial=np.exp(share[inside]),
            generator=chain.generator.toarray()[np.ix_(inside, inside)],
            log_moments=(log_mean, log_sum((share + second)[inside])),
        )

    @property
    def mean(self) -> float:
        """Mean time."""
        return math.exp(self.log_moments[0])

    @property
    def variation(self) -> float:
        """Standard deviation over the mean: 1 for a single rate-limiting step."""
        return math.sqrt(max(math.exp(self.log_moments[1] - 2 * self.log_moments[0]) - 1.0, 0.0))

    def survival(self, times: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
        """Probability that the passage takes longer."""
        return np.array([self._propagate(t).sum() for t in times]).clip(0.0, 1.0)

    def density(self, times: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
        """Probability density of the time."""
        exits = -self.generator.sum(axis=1)
        return np.array([self._propagate(t) @ exits for t in times]).clip(0.0)

    def _propagate(self, time: float) -> Float[np.ndarray, " n"]:
        return self.initial @ linalg.expm(self.generator * time)
