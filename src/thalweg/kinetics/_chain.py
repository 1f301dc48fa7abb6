"""The Markov chain: states, rates between them, and everything one can ask of it."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Float, Int
from scipy.sparse import csgraph

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork

from . import _first_passage, _paths, _spectrum
from ._first_passage import RateConstants
from ._paths import RatePath
from ._sparse_log import States, log_matrix, log_sum, mask, owners, row_log_sums, structure
from ._spectrum import Spectrum

# A chain counts as reversible if its fluxes balance to this relative accuracy.
_BALANCE = 1e-8


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MarkovChain:
    """A continuous-time Markov chain with sparse rates of any magnitude.

    States are counted by position, `0 … n - 1`. Rates and probabilities are kept as natural
    logarithms, which nothing overflows.

    Attributes:
        log_rates: `ln k_ij` as compressed rows: one stored entry for each ordered pair with a
            rate, none on the diagonal. (A stored 0 is a rate of 1.)
        log_weights: `ln π` up to a constant, if it is known beforehand; else it is computed.
        ids: What the states are called; default: their positions.
        time_unit: Unit of time: `"reduced"`, or `"ps"`, ...
        temperature: Temperature, if the chain has one.
        network: The network it was made of, if any; states are the positions of its minima.
        ts_log_rates: `ln` of the rate over each of the network's transition states, from its
            first minimum to its second and back, `-inf` for degenerate rearrangements.
    """

    log_rates: sparse.csr_array
    log_weights: Float[np.ndarray, " n"] | None = None
    ids: Int[np.ndarray, " n"] | None = None
    time_unit: str = "reduced"
    temperature: float | None = None
    network: TransitionNetwork | None = None
    ts_log_rates: Float[np.ndarray, "ts 2"] | None = None

    def __post_init__(self):
        n = self.log_rates.shape[0]
        if self.ids is None:
            object.__setattr__(self, "ids", np.arange(n))
        if np.isnan(self.log_rates.data).any() or np.isposinf(self.log_rates.data).any():
            raise ArgumentError("log_rates holds values that are no logarithms of finite rates")

    @classmethod
    def from_generator(
        cls,
        generator: Float[np.ndarray, "n n"] | sparse.sparray,
        *,
        time_unit: str = "reduced",
    ) -> "MarkovChain":
        """A chain from its rates.

        Args:
            generator: `k_ij` from `i` (row) to `j`, not negative; the diagonal is not read.
            time_unit: Unit of time.

        Raises:
            ArgumentError: if a rate is negative or not finite.
        """
        entries = sparse.coo_array(generator)
        rows, columns = entries.coords
        away = (rows != columns) & (entries.data != 0)
        rows, columns, rates = rows[away], columns[away], entries.data[away].astype(float)
        wrong = np.flatnonzero(~((rates > 0) & np.isfinite(rates)))
        if len(wrong):
            k = wrong[0]
            raise ArgumentError(
                f"the rate from state {rows[k]} to {columns[k]} is {rates[k]}, "
                "which is not a positive number",
                "rows are where a jump begins; columns, where it ends",
            )
        log = log_matrix(rows, columns, np.log(rates), entries.shape[0])
        return cls(log_rates=log, time_unit=time_unit)

    @property
    def n_states(self) -> int:
        """Number of states."""
        return self.log_rates.shape[0]

    @functools.cached_property
    def generator(self) -> sparse.csr_array:
        """Rates in floats, with minus the row sums on the diagonal: every row adds up to zero."""
        rates = sparse.csr_array(
            (np.exp(self.log_rates.data), self.log_rates.indices, self.log_rates.indptr),
            shape=self.log_rates.shape,
        )
        return (rates - sparse.diags_array(rates.sum(axis=1))).tocsr()

    @functools.cached_property
    def log_exit_rates(self) -> Float[np.ndarray, " n"]:
        """`ln Σ_j k_ij`; `-inf` for a state that nothing leads out of."""
        return row_log_sums(self.log_rates)

    @functools.cached_property
    def components(self) -> Int[np.ndarray, " n"]:
        """A label for each state, equal where each of two can be reached from the other."""
        _, labels = csgraph.connected_components(
            structure(self.log_rates), directed=True, connection="strong"
        )
        return labels.astype(int)

    @functools.cached_property
    def log_stationary(self) -> Float[np.ndarray, " n"]:
        """`ln` of the stationary probabilities.

        Of a chain made of a network they are the Boltzmann weights of all minima, connected or not.
        Otherwise they are computed by elimination, which gives even the smallest all its digits.

        Raises:
            ArgumentError: if they are not unique because the chain falls apart.
        """
        if self.log_weights is not None:
            return self.log_weights - log_sum(self.log_weights)
        if self.components.max(initial=0):
            raise ArgumentError(
                f"the chain falls into {self.components.max() + 1} components, so its stationary "
                "probabilities are not unique",
                "chain.select(chain.components == 0) is one of them",
            )
        return _first_passage.log_stationary(self.log_rates)

    @property
    def stationary(self) -> Float[np.ndarray, " n"]:
        """Stationary probabilities."""
        return np.exp(self.log_stationary)

    @functools.cached_property
    def is_reversible(self) -> bool:
        """Whether `π_i k_ij = π_j k_ji` for every pair."""
        rows, columns = owners(self.log_rates), self.log_rates.indices
        flux = self.log_rates.data + self.log_stationary[rows]
        back = sparse.csr_array((flux, (columns, rows)), shape=self.log_rates.shape)
        back.sort_indices()
        return (
            bool(np.array_equal(back.indptr, self.log_rates.indptr))
            and bool(np.array_equal(back.indices, columns))
            and bool(np.max(np.abs(back.data - flux), initial=0.0) < _BALANCE)
        )

    def positions(self, ids: Sequence[int] | Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
        """Positions of the states with these ids.

        Raises:
            ArgumentError: if an id is unknown.
        """
        where = {int(name): k for k, name in enumerate(self.ids)}
        missing = [int(name) for name in ids if int(name) not in where]
        if missing:
            raise ArgumentError(f"there is no state with id {missing[0]}")
        return np.array([where[int(name)] for name in ids], dtype=int)

    def select(self, keep: States) -> "MarkovChain":
        """The chain of the chosen states and the rates among them."""
        chosen = mask(keep, self.n_states, "keep")
        position = np.cumsum(chosen) - 1
        rows, columns = owners(self.log_rates), self.log_rates.indices
        stays = chosen[rows] & chosen[columns]
        log = log_matrix(
            position[rows[stays]],
            position[columns[stays]],
            self.log_rates.data[stays],
            int(chosen.sum()),
        )
        weights = None if self.log_weights is None else self.log_weights[chosen]
        return MarkovChain(
            log_rates=log,
            log_weights=weights,
            ids=self.ids[chosen],
            time_unit=self.time_unit,
            temperature=self.temperature,
        )

    def log_mfpts(self, b: States) -> Float[np.ndarray, " n"]:
        """`ln` of the mean first-passage time from every state to B; see `mfpts`."""
        return _first_passage.log_mfpts(self.log_rates, mask(b, self.n_states, "b"))

    def mfpts(self, b: States) -> Float[np.ndarray, " n"]:
        """Mean first-passage time from every state to the set B.

        Args:
            b: A state, several, or a mask.

        Returns:
            Times, 0 in B, infinite from where B is not sure to be reached (and where a time
            exceeds 1e308: then `log_mfpts` still knows it).
        """
        with np.errstate(over="ignore"):
            return np.exp(self.log_mfpts(b))

    def log_mfpt(
        self, a: States, b: States, initial: Float[np.ndarray, " n"] | None = None
    ) -> float:
        """`ln` of the mean first-passage time from A to B; see `mfpt`."""
        in_a, _ = self._sets(a, b)
        if initial is None:
            log_share = self._log_share(in_a)[in_a]
        else:
            chosen = np.where(in_a, initial, 0.0)
            if len(initial) != self.n_states or not (initial >= 0).all() or not chosen.sum() > 0:
                raise ArgumentError(
                    "initial must hold one probability for each state, some of them in A"
                )
            with np.errstate(divide="ignore"):
                log_share = np.log(chosen[in_a] / chosen.sum())
        times = self.log_mfpts(b)[in_a]
        started = ~np.isneginf(log_share)
        if np.isposinf(times[started]).any():
            return math.inf
        return log_sum(times[started] + log_share[started])

    def mfpt(self, a: States, b: States, initial: Float[np.ndarray, " n"] | None = None) -> float:
        """Mean first-passage time from the set A to the set B.

        Args:
            a: A state, several, or a mask.
            b: The same, without a state of A.
            initial: Where in A the passage begins, as probabilities of all states; default:
                equilibrium within A.

        Returns:
            The time, infinite if B is not sure to be reached.

        Raises:
            ArgumentError: if A and B overlap, or name states that do not exist.
        """
        log = self.log_mfpt(a, b, initial)
        return math.exp(log) if log < 709.78 else math.inf

    def rate_constants(self, a: States, b: States) -> tuple[RateConstants, RateConstants]:
        """Rate constants from A to B, and back.

        Raises:
            ArgumentError: if A and B overlap, or name states that do not exist.
        """
        in_a, in_b = self._sets(a, b)
        return _first_passage.rate_constants(self.log_rates, self.log_stationary, in_a, in_b)

    def committor(self, a: States, b: States) -> Float[np.ndarray, " n"]:
        """Probability of reaching B before A from every state.

        `committor(a, b) + committor(b, a)` is 1; each is accurate where it is small.

        Returns:
            0 in A, 1 in B, NaN from where neither can be reached.
        """
        return np.exp(_first_passage.committor(self.log_rates, *self._sets(a, b)))

    def fastest_paths(self, a: States, b: States, count: int = 1) -> list[RatePath]:
        """The paths from A to B with the largest product of branching probabilities.

        Args:
            a: A state, several, or a mask; they start with their equilibrium share of A.
            b: The same.
            count: How many, at most.

        Raises:
            ArgumentError: if there is none; the message names the components.
        """
        in_a, in_b = self._sets(a, b)
        log_share = self._log_share(in_a)
        ways = _paths.fastest_ways(self.log_rates, in_a, in_b, log_share, count)
        if not ways:
            sets = [np.unique(self.components[chosen]).tolist() for chosen in (in_a, in_b)]
            raise ArgumentError(
                f"no path leads from A (in component {sets[0]}) to B (in component {sets[1]})",
                "choose states of one component, or map the landscape further",
            )
        weights = self.log_stationary
        return [
            _paths.describe(way, self.log_rates, log_share, weights, self.ids, self._dominating)
            for way in ways
        ]

    def fastest_path(self, a: States, b: States) -> RatePath:
        """The path from A to B with the largest product of branching probabilities."""
        return self.fastest_paths(a, b)[0]

    def spectrum(self, count: int = 10) -> Spectrum:
        """The slowest relaxation modes; at most one less than there are states.

        Raises:
            ArgumentError: if the chain is not reversible or not connected.
        """
        if self.components.max(initial=0):
            raise ArgumentError(
                f"the chain falls into {self.components.max() + 1} components: its slowest "
                "relaxation takes forever",
                "chain.select(chain.components == 0) is one of them",
            )
        if not self.is_reversible:
            raise ArgumentError(
                "the spectrum is that of a reversible chain, and this one does not obey detailed "
                "balance",
                "take the eigenvalues of `chain.generator.toarray()`",
            )
        return _spectrum.spectrum(self.log_rates, self.log_stationary, count)

    def timescales(self, count: int = 10) -> Float[np.ndarray, " count"]:
        """The slowest relaxation times, descending."""
        return self.spectrum(min(count, self.n_states - 1)).times

    def metastable(self, count: int) -> Int[np.ndarray, " n"]:
        """Gather the states into `count` groups that interconvert slowly (PCCA+).

        Returns:
            A label for each state; group 0 holds the most probability.
        """
        if count == 1:
            return np.zeros(self.n_states, dtype=int)
        return _spectrum.group(self.spectrum(count - 1), count)

    @functools.cached_property
    def _dominating(self) -> sparse.csr_array | None:
        """For each joined pair, the position of the transition state with the largest rate, + 1."""
        if self.network is None or self.ts_log_rates is None:
            return None
        keep = np.flatnonzero(~np.isneginf(self.ts_log_rates[:, 0]))
        ends, n = self.network.ts_minima[keep], self.n_states
        # The largest last, so that it stays when pairs are made unique from the back.
        order = np.lexsort(
            (-keep, self.ts_log_rates[keep, 0] + self.log_stationary[ends[:, 0]])
        )[::-1]
        low, high = ends[order].min(axis=1), ends[order].max(axis=1)
        _, first = np.unique(low * n + high, return_index=True)
        marks, low, high = keep[order][first] + 1.0, low[first], high[first]
        places = (np.concatenate((low, high)), np.concatenate((high, low)))
        return sparse.csr_array((np.concatenate((marks, marks)), places), shape=(n, n))

    def _log_share(self, a: np.ndarray) -> np.ndarray:
        """`ln` of the equilibrium probabilities within A."""
        if a.sum() == 1:
            return np.where(a, 0.0, -np.inf)
        return _paths.share(self.log_stationary, a)

    def _sets(self, a: States, b: States) -> tuple[np.ndarray, np.ndarray]:
        in_a, in_b = mask(a, self.n_states, "a"), mask(b, self.n_states, "b")
        both = np.flatnonzero(in_a & in_b)
        if len(both):
            raise ArgumentError(f"state {both[0]} is in A and in B")
        return in_a, in_b
