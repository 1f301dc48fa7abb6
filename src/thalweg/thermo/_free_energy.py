r"""Free-energy networks: minima, or groups of minima, and the passes between them at a temperature.

A minimum has the free energy $F_i = -kT \ln z_i$, and all transition states between two of them
together that of their ridges, $F^\ddagger_{ij} = -kT \ln \sum z^\ddagger$, so that the rate from
$i$ to $j$ is $(kT/2\pi)^{1/2}\, e^{-(F^\ddagger_{ij} - F_i)/kT}$ for unit masses. The factor in
front has a unit of length in it, so a barrier is defined up to $kT$ times the logarithm of the
unit of length; barriers can be compared with each other without it.

Regrouping joins what interconverts quickly: as long as two groups are separated by a barrier of at
most the threshold, seen from the higher of the two, the pair with the lowest such barrier becomes
one group, $F_{I} = -kT \ln \sum_{i \in I} z_i$, and its passes to any third group are added up.
The relaxation between two groups is as fast as the faster of the two rates, and that is the one
out of the higher group.

Sources: Krivov & Karplus, J. Chem. Phys. 117, 10894 (2002); Evans & Wales, J. Chem. Phys. 118, 3891
(2003); Carr, Trygubenko & Wales, J. Chem. Phys. 122, 234903 (2005); Wales & Salamon, Proc. Natl.
Acad. Sci. 111, 617 (2014).
"""

import heapq

import numpy as np
from jaxtyping import Float, Int

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork

from ._superposition import HarmonicEnsemble, checked_temperature


def free_energy_groups(
    ensemble: HarmonicEnsemble, temperature: float, barrier: float
) -> Int[np.ndarray, " minima"]:
    """Group of each minimum after regrouping by a free-energy barrier.

    Args:
        ensemble: Classical superposition.
        temperature: One temperature.
        barrier: Groups separated by at most this free energy become one, in the system's unit.

    Returns:
        Labels from 0 on, by ascending free energy of the groups.

    Raises:
        ArgumentError: if the temperature is not positive, or the barrier is negative.
    """
    kt = _kt(ensemble, temperature)
    if not barrier >= 0:
        raise ArgumentError(f"barrier={barrier} must not be negative", "0 regroups nothing slow")
    weights = ensemble.log_weights(float(temperature))
    passes = _passes(ensemble, float(temperature))
    return _ranked(_Regrouping(weights, passes, barrier / kt).run(), weights)


def free_energy_network(
    ensemble: HarmonicEnsemble, temperature: float, *, barrier: float | None = None
) -> TransitionNetwork:
    """The network of free energies at a temperature, for `disconnectivity_tree` to draw.

    Energies of the network are free energies (up to one constant for all), so its orders are 1
    and its log-products 0. Each node bears the id of its most occupied minimum, and the sum of
    the hits of its minima; there is one transition state for each joined pair, which bears the id
    of the one that carries most. Where a pass lies below a minimum beside it (a well so wide that
    it has no barrier in free energy), it is drawn at the height of that minimum.

    Args:
        ensemble: Classical superposition.
        temperature: One temperature.
        barrier: Join groups of minima separated by at most this free energy, in the system's
            unit; `None` leaves every minimum by itself.

    Raises:
        ArgumentError: if the temperature is not positive, or the barrier is negative.

    Example: `disconnectivity_tree(free_energy_network(ensemble, 0.15, barrier=0.5))`
    """
    kt, network = _kt(ensemble, temperature), ensemble.network
    weights = ensemble.log_weights(float(temperature))
    labels = np.arange(network.n_minima)
    if barrier is not None:
        labels = free_energy_groups(ensemble, temperature, barrier)
    count = int(labels.max()) + 1
    grouped = _log_sums(weights, labels, count)
    order = np.lexsort((network.ids, -weights))
    chief = np.empty(count, dtype=int)
    chief[labels[order[::-1]]] = order[::-1]
    hits = np.zeros(count, dtype=int)
    np.add.at(hits, labels, network.hits)
    pairs, ridge, carrier = _joined(ensemble, float(temperature), labels, count)
    ridge = np.minimum(ridge, grouped[pairs].min(axis=1))
    return TransitionNetwork(
        ids=network.ids[chief],
        energies=-kt * grouped,
        orders=np.ones(count, dtype=int),
        log_products=np.zeros(count),
        hits=hits,
        ts_ids=network.ts_ids[carrier],
        ts_energies=-kt * ridge,
        ts_orders=np.ones(len(carrier), dtype=int),
        ts_log_products=np.zeros(len(carrier)),
        ts_hits=network.ts_hits[carrier],
        ts_minima=pairs,
    )


def _kt(ensemble: HarmonicEnsemble, temperature: float) -> float:
    array = checked_temperature(temperature)
    if array.ndim:
        raise ArgumentError("a free-energy network belongs to one temperature, got several")
    return ensemble.boltzmann * float(array)


def _log_sums(
    values: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"], count: int
) -> Float[np.ndarray, " groups"]:
    """Ln Σ exp over each group, without overflow."""
    top = np.full(count, -np.inf)
    np.maximum.at(top, labels, values)
    total = np.zeros(count)
    np.add.at(total, labels, np.exp(values - top[labels]))
    return top + np.log(total)


def _joined(
    ensemble: HarmonicEnsemble, temperature: float, labels: Int[np.ndarray, " minima"], count: int
) -> tuple[Int[np.ndarray, "pairs 2"], Float[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """Pairs of groups, the ln of what passes between them, and who carries most of it."""
    ends = np.sort(labels[ensemble.network.ts_minima], axis=1)
    between = np.flatnonzero(ends[:, 0] != ends[:, 1])
    weights = ensemble.ts_log_weights(temperature)[between]
    pair, index = np.unique(ends[between, 0] * count + ends[between, 1], return_inverse=True)
    carrier = np.zeros(len(pair), dtype=int)
    order = np.argsort(weights, kind="stable")
    carrier[index[order]] = between[order]
    pairs = np.stack([pair // count, pair % count], axis=1).astype(int)
    return pairs, _log_sums(weights, index, len(pair)), carrier


def _passes(ensemble: HarmonicEnsemble, temperature: float) -> list[dict[int, float]]:
    """For each minimum, the ln of what passes to each neighbour."""
    count = ensemble.network.n_minima
    pairs, weights, _ = _joined(ensemble, temperature, np.arange(count), count)
    passes: list[dict[int, float]] = [{} for _ in range(count)]
    for (a, b), weight in zip(pairs.tolist(), weights.tolist(), strict=True):
        passes[a][b] = passes[b][a] = weight
    return passes


def _ranked(
    groups: Int[np.ndarray, " minima"], weights: Float[np.ndarray, " minima"]
) -> Int[np.ndarray, " minima"]:
    """Labels by descending weight of the groups."""
    _, labels = np.unique(groups, return_inverse=True)
    total = _log_sums(weights, labels, int(labels.max()) + 1)
    rank = np.empty(len(total), dtype=int)
    rank[np.argsort(-total, kind="stable")] = np.arange(len(total))
    return rank[labels]


class _Regrouping:
    """Joins the pair of groups with the lowest barrier until none is low enough.

    A heap holds barriers in units of kT. Growing groups only raise the barriers out of them, so
    an entry is checked when it comes up; added passes lower one, and make a new entry. The smaller
    neighbourhood moves into the larger, so the cost is about that of sorting.
    """

    def __init__(
        self,
        weights: Float[np.ndarray, " minima"],
        passes: list[dict[int, float]],
        threshold: float,
    ):
        self.weight = weights.tolist()
        self.passes = passes
        self.threshold = threshold
        self.parent = list(range(len(passes)))
        self.heap: list[tuple[float, int, int]] = []
        for a, neighbours in enumerate(passes):
            for b in neighbours:
                if a < b:
                    self._push(a, b)

    def run(self) -> Int[np.ndarray, " minima"]:
        """A representative for each minimum."""
        while self.heap:
            barrier, a, b = heapq.heappop(self.heap)
            if b not in self.passes[a]:
                continue
            if self._barrier(a, b) > barrier:
                self._push(a, b)
            else:
                self._join(a, b)
        return np.array([self._root(i) for i in range(len(self.parent))])

    def _barrier(self, a: int, b: int) -> float:
        return min(self.weight[a], self.weight[b]) - self.passes[a][b]

    def _push(self, a: int, b: int) -> None:
        barrier = self._barrier(a, b)
        if barrier <= self.threshold:
            heapq.heappush(self.heap, (barrier, min(a, b), max(a, b)))

    def _join(self, a: int, b: int) -> None:
        if len(self.passes[a]) < len(self.passes[b]):
            a, b = b, a
        moved, self.passes[b] = self.passes[b], {}
        self.weight[a] = float(np.logaddexp(self.weight[a], self.weight[b]))
        self.parent[b] = a
        for c, weight in moved.items():
            del self.passes[c][b]
            if c != a:
                total = float(np.logaddexp(self.passes[a].get(c, -np.inf), weight))
                self.passes[a][c] = self.passes[c][a] = total
                self._push(a, c)

    def _root(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i
