"""The search for an element of the group that brings one network on another.

By elimination: what enters the first layer and what leaves the last one is fixed, a unit whose
partner is known makes one more column of its neighbours known, and where equal units leave a
choice it is tried and taken back if it fails.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from ._network_layers import Assignment, HiddenLayer, monomial
from ._particles import HostPoint

Layers = tuple[HiddenLayer, ...]

BRANCHES = 2000
"""Choices among equal units that a match may try; images need one for each, at most."""

SWEEPS = 50
"""Rounds of layer-wise assignment; each lowers the distance, and few are needed."""


@dataclasses.dataclass
class Choices:
    """For each layer which unit (and sign) may come to each place: `(places, units, signs)`."""

    allowed: list[np.ndarray]

    def copy(self) -> "Choices":
        return Choices([one.copy() for one in self.allowed])


class Search:
    """Which images of `b` coincide with `a`: elimination, and choices that can be taken back."""

    def __init__(self, layers: Layers, a: HostPoint, b: HostPoint, tol: float):
        self.layers = layers
        self.a, self.b, self.tol = a, b, tol
        self.branches = BRANCHES
        fixed = np.ones(len(a), bool)
        for layer in layers:
            fixed[layer.incoming] = fixed[layer.outgoing] = False
        self.hopeless = bool(np.any(np.abs(a[fixed] - b[fixed]) > tol))

    def begin(self) -> Choices:
        """Everything is possible."""
        return Choices(
            [
                np.ones((layer.units, layer.units, 2 if layer.kind == "odd" else 1), bool)
                for layer in self.layers
            ]
        )

    def run(self, choices: Choices | None = None) -> list[Assignment] | None:
        """An assignment that brings `b` on `a`, or `None`."""
        if self.hopeless:
            return None
        choices = self.begin() if choices is None else choices.copy()
        if not self.eliminate(choices):
            return None
        found = self._complete(choices)
        if found is not None or len(self.layers) == 1:
            return found
        return self._branch(choices)

    def _branch(self, choices: Choices) -> list[Assignment] | None:
        """Try the choices of the place that has the fewest."""
        counts = [one.sum(axis=(1, 2)) for one in choices.allowed]
        open_counts = [np.where(count > 1, count, np.iinfo(int).max) for count in counts]
        number = int(np.argmin([count.min() for count in open_counts]))
        place = int(np.argmin(open_counts[number]))
        if counts[number][place] <= 1:
            return None
        for unit, sign in np.argwhere(choices.allowed[number][place]).tolist():
            if self.branches <= 0:
                return None
            self.branches -= 1
            trial = choices.copy()
            self.fix(trial, number, place, unit, sign)
            found = self.run(trial)
            if found is not None:
                return found
        return None

    @staticmethod
    def fix(choices: Choices, number: int, place: int, unit: int, sign: int) -> None:
        """Let one unit come to one place."""
        allowed = choices.allowed[number]
        kept = bool(allowed[place, unit, sign])
        allowed[place] = False
        allowed[:, unit] = False
        allowed[place, unit, sign] = kept

    def eliminate(self, choices: Choices) -> bool:
        """Strike out what cannot be, until nothing changes; whether anything is left."""
        known: list[int] = [-1] * len(self.layers)
        while True:
            settled = [_settled(one) for one in choices.allowed]
            changed = False
            for number, layer in enumerate(self.layers):
                columns = self._columns(number, settled)
                if len(columns) > known[number]:
                    known[number] = len(columns)
                    self._compare(choices, number, layer, columns, settled)
                    changed = True
                if not _propagate(choices.allowed[number]):
                    return False
            if not changed:
                return True

    def _columns(self, number: int, settled: list) -> Int[np.ndarray, " known"]:
        """Columns of a layer (in, then out) on which every neighbour's partner is known."""
        open_places = np.zeros(len(self.a), bool)
        for other, layer in enumerate(self.layers):
            if other != number:
                loose = ~settled[other][0]
                open_places[layer.incoming[loose]] = open_places[layer.outgoing[loose]] = True
        layer = self.layers[number]
        places = np.concatenate([layer.incoming, layer.outgoing], axis=1)
        return np.flatnonzero(~open_places[places].any(axis=0))

    def _compare(
        self,
        choices: Choices,
        number: int,
        layer: HiddenLayer,
        columns: Int[np.ndarray, " known"],
        settled: list,
    ) -> None:
        """Strike out pairs that differ in a known column."""
        partners = [
            Assignment.identity(one.units) if k == number else Assignment(*settled[k][1:])
            for k, one in enumerate(self.layers)
        ]
        now = monomial(self.layers, partners, len(self.a))(self.b)
        places = np.concatenate([layer.incoming, layer.outgoing], axis=1)[:, columns]
        if not places.shape[1]:
            return
        left, right = self.a[places], now[places]
        allowed = choices.allowed[number]
        for sign in range(allowed.shape[2]):
            gap = cdist(left, -right if sign else right, "chebyshev")
            allowed[:, :, sign] &= gap <= self.tol

    def _complete(self, choices: Choices) -> list[Assignment] | None:
        """Assign what is open, layer by layer in turn, and see whether it fits."""
        settled = [_settled(one) for one in choices.allowed]
        found = [Assignment(*one[1:]) for one in settled]
        open_layers = [k for k, one in enumerate(settled) if not one[0].all()]
        for number in open_layers:
            allowed = np.any(choices.allowed[number], axis=2)
            _, units = linear_sum_assignment(np.where(allowed, 0.0, 1.0))
            if not allowed[np.arange(len(units)), units].all():
                return None
            first = choices.allowed[number][np.arange(len(units)), units].argmax(axis=1)
            found[number] = Assignment(units, 1.0 - 2.0 * first)
        for _ in range(SWEEPS if len(open_layers) > 1 else 1):
            if self._fits(found):
                return found
            before = self._distance(found)
            for number in open_layers:
                found[number] = self._assign(number, choices.allowed[number], found)
            if self._distance(found) >= before:
                break
        return found if self._fits(found) else None

    def _fits(self, found: list[Assignment]) -> bool:
        image = monomial(self.layers, found, len(self.a))(self.b)
        return bool(np.max(np.abs(image - self.a), initial=0.0) <= self.tol)

    def _distance(self, found: list[Assignment]) -> float:
        return float(np.linalg.norm(monomial(self.layers, found, len(self.a))(self.b) - self.a))

    def _assign(
        self, number: int, allowed: Bool[np.ndarray, "places units signs"], found: list[Assignment]
    ) -> Assignment:
        """The best allowed assignment of one layer, given the others."""
        layer = self.layers[number]
        others = list(found)
        others[number] = Assignment.identity(layer.units)
        now = monomial(self.layers, others, len(self.a))(self.b)
        places = np.concatenate([layer.incoming, layer.outgoing], axis=1)
        left, right = self.a[places], now[places]
        inner = left @ right.T
        both = np.stack([inner, -inner], axis=2)[:, :, : allowed.shape[2]]
        gain = np.where(allowed, both, -np.inf)
        least = -np.sum(np.abs(left)) * np.max(np.abs(right), initial=0.0) - 1.0
        best = np.maximum(gain.max(axis=2), 1e3 * least)
        _, units = linear_sum_assignment(best, maximize=True)
        sign = gain[np.arange(layer.units), units].argmax(axis=1)
        return Assignment(units, 1.0 - 2.0 * sign)


def _settled(
    allowed: Bool[np.ndarray, "places units signs"],
) -> tuple[Bool[np.ndarray, " places"], Int[np.ndarray, " places"], Float[np.ndarray, " places"]]:
    """Which places have one choice left, and a choice for each, the only one where settled."""
    counts = np.sum(allowed, axis=(1, 2))
    flat = allowed.reshape(len(allowed), -1).argmax(axis=1)
    signs = allowed.shape[2]
    units, sign = flat // signs, flat % signs
    settled = counts == 1
    # Places that are open hold a unit that nobody else has: any, so that it is a permutation.
    spare = np.setdiff1d(np.arange(len(allowed)), units[settled])
    units[~settled] = spare[: int((~settled).sum())]
    return settled, units, np.where(settled, 1.0 - 2.0 * sign, 1.0)


def _propagate(allowed: Bool[np.ndarray, "places units signs"]) -> bool:
    """A unit can be in one place only; whether every place and unit still has a choice."""
    while True:
        pairs: np.ndarray = np.any(allowed, axis=2)
        if not (pairs.any(axis=1).all() and pairs.any(axis=0).all()):
            return False
        before = int(pairs.sum())
        lone = np.flatnonzero(pairs.sum(axis=1) == 1)
        units = pairs[lone].argmax(axis=1)
        if len(np.unique(units)) < len(units):
            return False
        mask = np.zeros(len(allowed), bool)
        mask[lone] = True
        taken = np.zeros(len(allowed), bool)
        taken[units] = True
        allowed[np.ix_(~mask, taken)] = False
        pairs = np.any(allowed, axis=2)
        sought = np.flatnonzero(pairs.sum(axis=0) == 1)
        places = pairs[:, sought].argmax(axis=0)
        if len(np.unique(places)) < len(places):
            return False
        keep = np.array(allowed[places, sought])
        allowed[places] = False
        allowed[places, sought] = keep
        if int(allowed.any(axis=2).sum()) == before:
            return bool(allowed.any(axis=(1, 2)).all())
