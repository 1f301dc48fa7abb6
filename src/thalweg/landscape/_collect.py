"""From finished searches to records: identity, certificates, and the two sides of a saddle."""

import collections
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int

from thalweg.core import AbstractSolver, Finished, Outcome, System
from thalweg.search import Certified, certify_many, push_off, tolerance_beside

from ._identity import PointIndex, Tolerance, fingerprints
from ._rows import failed_searches
from ._stationary import Attempt, Discovery, Kind, Minimum, Rejected, TransitionState
from ._store import Round, Store

_MOST_SADDLES = 3
"""How many saddles in a row a descent may come to rest on before it counts as failed."""


@dataclasses.dataclass
class _Findings:
    """What a round has brought so far."""

    minima: list[Minimum] = dataclasses.field(default_factory=list)
    saddles: list[TransitionState] = dataclasses.field(default_factory=list)
    rejected: list[Rejected] = dataclasses.field(default_factory=list)
    hits: collections.Counter[tuple[Kind, int, int | None]] = dataclasses.field(
        default_factory=collections.Counter
    )
    failures: dict[tuple[Kind, Outcome], list[int]] = dataclasses.field(default_factory=dict)
    searches: collections.Counter[tuple[int, int | None]] = dataclasses.field(
        default_factory=collections.Counter
    )
    successes: collections.Counter[tuple[int, int | None]] = dataclasses.field(
        default_factory=collections.Counter
    )


class Collector:
    """Turns results of searches into new records, against everything that a store holds.

    Every point is first looked for among the known ones; only new points are polished, certified
    and (saddles) followed down both sides. Points that fail are kept apart with the reason.
    """

    def __init__(
        self,
        system: System,
        store: Store,
        *,
        tolerance: Tolerance | None = None,
        width: int | None = None,
        minimiser: AbstractSolver | None = None,
        spread: Callable[[Callable[[Any], Any], Any], Any] | None = None,
    ):
        """Read the known points of `store` into indices.

        Args:
            system: What they are points of.
            store: Where they are kept, and where `commit` writes.
            tolerance: When two points count as one.
            width: Lanes of the quenches on both sides of saddles.
            minimiser: Of these quenches; that of `push_off` unless given.
            spread: `spread(function, rows)` computes `function(rows)`, perhaps in several parts
                at once.
        """
        self.system = system
        self._width = width
        self._minimiser = minimiser
        self._spread = spread or (lambda function, rows: function(rows))
        self.store = store
        self._findings = _Findings()
        self._minima = PointIndex(system.symmetry, system.length, tolerance)
        self._saddles = PointIndex(system.symmetry, system.length, tolerance)
        self._ends: list[tuple[int, int]] = []
        network = store.load_network()
        if network.n_minima:
            self._minima.extend(network.energies, store.points("minimum"))
        if network.n_transition_states:
            self._saddles.extend(network.ts_energies, store.points("transition_state"))
            self._ends = [(int(a), int(b)) for a, b in network.ids[network.ts_minima]]

    @property
    def n_minima(self) -> int:
        """Known minima, those of this round included."""
        return len(self._minima)

    @property
    def n_transition_states(self) -> int:
        """Known transition states, those of this round included."""
        return len(self._saddles)

    def minima(
        self, finished: Finished, items: Int[np.ndarray, " items"]
    ) -> Int[np.ndarray, " items"]:
        """Take the ends of quenches.

        Args:
            finished: What the engine returned, one row an item.
            items: Numbers of the work items, for provenance.

        Returns:
            The id of the minimum that each quench ended in, -1 where it failed.
        """
        ids = self._minimum_ids(finished, items)
        for found in ids[ids >= 0].tolist():
            self._findings.hits["minimum", found, None] += 1
        return ids

    def _minimum_ids(
        self, finished: Finished, items: Int[np.ndarray, " items"], depth: int = 0
    ) -> Int[np.ndarray, " items"]:
        ids, fresh = self._known(self._minima, finished, "minimum", items)
        if not fresh.size:
            return ids
        classes, certified, origin = self._certify(finished, items, fresh, index=0)
        names = np.full(len(certified), -1, np.int64)
        # A descent that keeps a symmetry can end on a saddle; beside it the way down goes on.
        stranded = [
            k
            for k, point in enumerate(certified)
            if point.certificate.outcome is Outcome.wrong_index and depth < _MOST_SADDLES
        ]
        for number in sorted(set(range(len(certified))) - set(stranded)):
            names[number] = self._new_minimum(certified[number], int(origin[number]))
        if stranded:
            below = self._push_off([certified[k] for k in stranded], sides=(1.0,))
            names[stranded] = self._minimum_ids(below, origin[stranded], depth + 1)
        ids[fresh] = names[classes]
        return ids

    def _push_off(self, points: list[Certified], sides: tuple[float, ...]) -> Finished:
        """Quenches on the given sides of saddles, one side after the other."""
        x = np.stack([point.x for point in points] * len(sides))
        modes = np.stack([side * point.mode for side in sides for point in points])
        tol = tolerance_beside(self.system, np.array([point.curvature for point in points]))
        return self._spread(
            lambda rows: push_off(
                self.system, *rows, width=self._width, minimiser=self._minimiser, tol=tol
            ),
            (x, modes),
        )

    def _known(
        self, index: PointIndex, finished: Finished, kind: Kind, items: Int[np.ndarray, " items"]
    ) -> tuple[Int[np.ndarray, " items"], Int[np.ndarray, " fresh"]]:
        """Ids of what is known (-1 elsewhere), and the rows that are successful and new."""
        ids = np.full(len(items), -1, np.int64)
        fresh = []
        features = fingerprints(self.system.symmetry, finished.x)
        lost = (finished.outcome == Outcome.success) & ~self.system.space.contains(finished.x)
        outcomes = np.where(lost, int(Outcome.escaped), finished.outcome)
        for row, outcome in enumerate(outcomes.tolist()):
            if outcome != Outcome.success:
                failures = self._findings.failures.setdefault((kind, Outcome(outcome)), [])
                failures.append(int(items[row]))
                continue
            found = index.find(finished.value[row], finished.x[row], features[row])
            if found is None:
                fresh.append(row)
            else:
                ids[row] = found
        return ids, np.array(fresh, np.int64)

    def _certify(
        self,
        finished: Finished,
        items: Int[np.ndarray, " items"],
        fresh: Int[np.ndarray, " fresh"],
        index: int,
    ) -> tuple[Int[np.ndarray, " fresh"], list[Certified], Int[np.ndarray, " classes"]]:
        """Sort new points into classes, certify one of each, and say which item found it."""
        of_kind = self._minima if index == 0 else self._saddles
        classes, _ = of_kind.group(finished.value[fresh], finished.x[fresh])
        first = fresh[np.unique(classes, return_index=True)[1]]
        certified = self._spread(
            lambda x: np.array(certify_many(self.system, x, index), object), finished.x[first]
        )
        return classes, list(certified), items[first]

    def _new_minimum(self, point: Certified, item: int) -> int:
        """Number of a certified minimum (it may turn out to be known), or -1."""
        if not point.certificate.ok:
            self._findings.rejected.append(
                Rejected(
                    kind="minimum",
                    outcome=point.certificate.outcome,
                    energy=point.value,
                    x=point.x,
                    item=item,
                    detail=_describe(point),
                )
            )
            return -1
        features = fingerprints(self.system.symmetry, point.x[None])[0]
        known = self._minima.find(point.value, point.x, features)
        if known is not None:
            return known
        number = self._minima.add(point.value, point.x, features)
        self._findings.minima.append(
            Minimum(
                id=number,
                energy=point.value,
                x=point.x,
                order=point.certificate.order,
                log_product=point.certificate.log_product,
                certificate=point.certificate,
                item=item,
            )
        )
        return number

    def saddles(
        self,
        finished: Finished,
        items: Int[np.ndarray, " items"],
        sources: Int[np.ndarray, "items 2"] | None = None,
    ) -> Int[np.ndarray, " items"]:
        """Take the ends of climbs; new ones are certified and followed down both sides.

        Args:
            finished: What the engine returned; its `extra` is `(mode, curvature)`.
            items: Numbers of the work items, for provenance.
            sources: Ids of the minimum that each climb began from and -1, or of the two minima
                whose band it began from; without it climbs began at points from elsewhere.

        Returns:
            The id of the transition state that each climb ended in, -1 where it failed.
        """
        ids, fresh = self._known(self._saddles, finished, "transition_state", items)
        if fresh.size:
            classes, certified, origin = self._certify(finished, items, fresh, index=1)
            ids[fresh] = self._new_saddles(certified, origin)[classes]
        if sources is None:
            for found in ids[ids >= 0].tolist():
                self._hit(found, None)
            return ids
        for found, (a, b) in zip(ids.tolist(), sources.tolist(), strict=True):
            if b < 0:
                self._findings.searches[a, None] += 1
                self._findings.successes[a, None] += found >= 0
            if found >= 0:
                self._hit(found, a)
        return ids

    def tried(
        self, pairs: Int[np.ndarray, "pairs 2"], successes: Int[np.ndarray, " pairs"]
    ) -> None:
        """Note double-ended searches, and how many transition states each one led to."""
        for (a, b), count in zip(pairs.tolist(), successes.tolist(), strict=True):
            self._findings.searches[a, b] += 1
            self._findings.successes[a, b] += count

    def _hit(self, saddle: int, source: int | None) -> None:
        """A search from `source`, or from elsewhere, found a saddle and the minima beside it."""
        self._findings.hits["transition_state", saddle, source] += 1
        for end in set(self._ends[saddle]) - {source}:
            self._findings.hits["minimum", end, source] += 1

    def _new_saddles(
        self, certified: list[Certified], origin: Int[np.ndarray, " points"]
    ) -> Int[np.ndarray, " points"]:
        names = np.full(len(certified), -1, np.int64)
        features = fingerprints(self.system.symmetry, np.stack([p.x for p in certified]))
        good = []
        for number, point in enumerate(certified):
            if not point.certificate.ok:
                self._reject_saddle(point, point.certificate.outcome, int(origin[number]))
                continue
            known = self._saddles.find(point.value, point.x, features[number])
            if known is None:
                good.append(number)
            else:
                names[number] = known
        if not good:
            return names
        sides = self._push_off([certified[k] for k in good], sides=(1.0, -1.0))
        ends = self._minimum_ids(sides, np.tile(origin[good], 2)).reshape(2, -1)
        for number, a, b in zip(good, *ends.tolist(), strict=True):
            point, item = certified[number], int(origin[number])
            if a < 0 or b < 0:
                self._reject_saddle(point, Outcome.no_downhill_path, item)
                continue
            names[number] = self._saddles.add(point.value, point.x, features[number])
            self._ends.append((a, b))
            self._findings.saddles.append(
                TransitionState(
                    id=int(names[number]),
                    energy=point.value,
                    x=point.x,
                    order=point.certificate.order,
                    log_product=point.certificate.log_product,
                    minimum_a=min(a, b),
                    minimum_b=max(a, b),
                    negative_curvature=point.curvature,
                    direction=point.mode,
                    certificate=point.certificate,
                    item=item,
                )
            )
        return names

    def _reject_saddle(self, point: Certified, outcome: Outcome, item: int) -> None:
        self._findings.rejected.append(
            Rejected(
                kind="transition_state",
                outcome=outcome,
                energy=point.value,
                x=point.x,
                item=item,
                detail=_describe(point),
            )
        )

    def commit(self, kind: str, attempts: int, seconds: float, state: dict) -> Round:
        """Write the findings since the last commit as the store's next round."""
        found = self._findings
        failures = [
            failed_searches(how, what, items) for (what, how), items in found.failures.items()
        ]
        batch = Round(
            number=self.store.next_round,
            kind=kind,
            attempts=attempts,
            seconds=seconds,
            minima=found.minima,
            transition_states=found.saddles,
            discoveries=[
                Discovery(kind=what, id=name, source=source, count=count)
                for (what, name, source), count in found.hits.items()
            ],
            rejected=found.rejected + failures,
            searches=[
                Attempt(minimum_a=a, minimum_b=b, count=n, successes=found.successes[a, b])
                for (a, b), n in found.searches.items()
            ],
            state=state,
        )
        self.store.commit_round(batch)
        self._findings = _Findings()
        return batch


def _describe(point: Certified) -> str:
    proof = point.certificate
    return (
        f"rms gradient {proof.gradient_norm:.1e}, index {proof.index}, "
        f"{proof.zero_modes} zero modes ({proof.expected_zero_modes} expected), "
        f"lowest curvatures {', '.join(f'{c:.3g}' for c in proof.curvatures[:3])}"
    )
