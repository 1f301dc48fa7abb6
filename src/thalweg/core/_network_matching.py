"""Which hidden unit of one network is which of another: exact matches and short distances.

For one hidden layer both are linear assignment problems. With more layers the assignments of
neighbours depend on each other. An exact match is found by elimination: what enters the first
layer and what leaves the last one is fixed, a unit whose partner is known makes one more column
of its neighbours known, and where equal units leave a choice it is tried and taken back if it
fails. The shortest distance is a quadratic assignment problem; layers are assigned in turn from
several beginnings, which bounds it from above.

Source: layer-wise assignment as in Ainsworth, Hayase & Srinivasa, ICLR (2023).
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from ._network_layers import Assignment, HiddenLayer, Monomial, monomial
from ._particles import HostPoint

Layers = tuple[HiddenLayer, ...]
Gauge = tuple[tuple[int, ...], ...]

_BRANCHES = 2000
"""Choices among equal units that a match may try; images need one for each, at most."""

_SWEEPS = 50
"""Rounds of layer-wise assignment; each lowers the distance, and few are needed."""

_BALANCE_SWEEPS = 1000


def canonical(layers: Layers, gauge: Gauge, x: HostPoint) -> HostPoint:
    """`x` without gauge, its homogeneous units balanced."""
    scale, shift = _normal(layers, gauge, x)
    return scale * (x - shift)


def _normal(
    layers: Layers, gauge: Gauge, x: HostPoint
) -> tuple[Float[np.ndarray, " dof"], Float[np.ndarray, " dof"]]:
    """Factors and shift of each coordinate with which `factors (x - shift)` is canonical."""
    shift = np.zeros_like(x)
    for places in gauge:
        at = np.array(places)
        shift[at] = np.mean(x[at])
    factors = np.ones_like(x)
    loose = [layer for layer in layers if layer.kind == "homogeneous"]
    if not loose:
        return factors, shift
    now = x - shift
    for _ in range(_BALANCE_SWEEPS):
        worst = 0.0
        for layer in loose:
            into = np.linalg.norm(now[layer.incoming], axis=1)
            out = np.linalg.norm(now[layer.outgoing], axis=1)
            lost_in, lost_out = into == 0, out == 0
            safe_in, safe_out = np.where(lost_in, 1.0, into), np.where(lost_out, 1.0, out)
            scale = np.where(lost_out, 1.0 / safe_in, np.sqrt(safe_out / safe_in))
            scale = np.where(lost_in, safe_out, scale)
            worst = max(worst, float(np.max(np.abs(np.log(scale)))))
            for places, by in ((layer.incoming, scale), (layer.outgoing, 1.0 / scale)):
                factors[places] *= by[:, None]
                now[places] *= by[:, None]
        if worst < 1e-14:
            break
    return factors, shift


def match(layers: Layers, gauge: Gauge, x: HostPoint, y: HostPoint, tol: float) -> Monomial | None:
    """The operation that brings `y` on `x`, both in canonical form within `tol`."""
    (scale_x, shift_x), (scale_y, shift_y) = (_normal(layers, gauge, z) for z in (x, y))
    found = _Search(layers, scale_x * (x - shift_x), scale_y * (y - shift_y), tol).run()
    if found is None:
        return None
    return _carried(layers, found, (scale_x, shift_x), (scale_y, shift_y))


def _carried(
    layers: Layers,
    assignments: list[Assignment],
    normal_x: tuple[np.ndarray, np.ndarray],
    normal_y: tuple[np.ndarray, np.ndarray],
) -> Monomial:
    """An operation between canonical points, as one between the points themselves."""
    (scale_x, shift_x), (scale_y, shift_y) = normal_x, normal_y
    inner = monomial(layers, assignments, len(scale_x))
    factors = inner.factors * scale_y[inner.labels] / scale_x
    shift = shift_x - factors * shift_y[inner.labels]
    return Monomial(inner.labels, np.eye(1), shift[:, None], factors)


def align(layers: Layers, gauge: Gauge, x: HostPoint, y: HostPoint) -> tuple[HostPoint, float]:
    """The nearest image of `y` that is found, and its distance."""
    normal_x, normal_y = (_normal(layers, gauge, z) for z in (x, y))
    a, b = (s * (z - t) for z, (s, t) in ((x, normal_x), (y, normal_y)))
    best = None
    if len(layers) > 1:
        small = 1e-7 * max(float(np.max(np.abs(a), initial=0.0)), 1e-300)
        best = _Search(layers, a, b, small).run()
    if best is None:
        beginnings = [_identity(layers)]
        if len(layers) > 1:
            order = range(len(layers))
            beginnings += [_chain(layers, a, b, list(o)) for o in (order, reversed(order))]
        improved = [_improve(layers, a, b, begin) for begin in beginnings]
        best = min(improved, key=lambda found: _distance(layers, a, b, found))
    image = _carried(layers, best, normal_x, normal_y)(y)
    distance, plain = float(np.linalg.norm(image - x)), float(np.linalg.norm(y - x))
    return (image, distance) if distance <= plain else (y, plain)


def _identity(layers: Layers) -> list[Assignment]:
    return [Assignment.identity(layer.units) for layer in layers]


def _distance(layers: Layers, a: HostPoint, b: HostPoint, found: list[Assignment]) -> float:
    return float(np.linalg.norm(a - monomial(layers, found, len(a))(b)))


def _improve(
    layers: Layers, a: HostPoint, b: HostPoint, found: list[Assignment]
) -> list[Assignment]:
    """Assign one layer after the other, given the rest, until nothing changes."""
    found = list(found)
    for _ in range(_SWEEPS):
        before = [(one.units.copy(), one.factors.copy()) for one in found]
        for number, layer in enumerate(layers):
            found[number] = Assignment.identity(layer.units)
            now = monomial(layers, found, len(a))(b)
            found[number] = _assign(layer, a, now, slice(None), slice(None))
        same = all(
            np.array_equal(old, one.units) and np.array_equal(signs, one.factors)
            for (old, signs), one in zip(before, found, strict=True)
        )
        if same or len(layers) == 1:
            break
    return found


def _chain(layers: Layers, a: HostPoint, b: HostPoint, order: list[int]) -> list[Assignment]:
    """Assign layers in a given order, each by the parameters on the side already assigned."""
    found = _identity(layers)
    forward = order[0] == 0
    for number in order:
        now = monomial(layers, found, len(a))(b)
        into, out = (slice(None), slice(0)) if forward else (slice(0), slice(None))
        found[number] = _assign(layers[number], a, now, into, out)
    return found


def _assign(layer: HiddenLayer, a: HostPoint, b: HostPoint, into: slice, out: slice) -> Assignment:
    """The assignment of one layer with the least sum of squares, each pair with its best sign."""
    rows = [
        np.concatenate([z[layer.incoming[:, into]], z[layer.outgoing[:, out]]], axis=1)
        for z in (a, b)
    ]
    inner = rows[0] @ rows[1].T
    gain = np.abs(inner) if layer.kind == "odd" else inner
    _, units = linear_sum_assignment(gain, maximize=True)
    signs = np.ones(layer.units)
    if layer.kind == "odd":
        signs = np.where(inner[np.arange(layer.units), units] < 0, -1.0, 1.0)
    return Assignment(units, signs)


@dataclasses.dataclass
class _Choices:
    """For each layer which unit (and sign) may come to each place: `(places, units, signs)`."""

    allowed: list[np.ndarray]

    def copy(self) -> "_Choices":
        return _Choices([one.copy() for one in self.allowed])


class _Search:
    """Which images of `b` coincide with `a`: elimination, and choices that can be taken back."""

    def __init__(self, layers: Layers, a: HostPoint, b: HostPoint, tol: float):
        self.layers = layers
        self.a, self.b, self.tol = a, b, tol
        self.branches = _BRANCHES
        fixed = np.ones(len(a), bool)
        for layer in layers:
            fixed[layer.incoming] = fixed[layer.outgoing] = False
        self.hopeless = bool(np.any(np.abs(a[fixed] - b[fixed]) > tol))

    def begin(self) -> _Choices:
        """Everything is possible."""
        return _Choices(
            [
                np.ones((layer.units, layer.units, 2 if layer.kind == "odd" else 1), bool)
                for layer in self.layers
            ]
        )

    def run(self, choices: _Choices | None = None) -> list[Assignment] | None:
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

    def _branch(self, choices: _Choices) -> list[Assignment] | None:
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
    def fix(choices: _Choices, number: int, place: int, unit: int, sign: int) -> None:
        """Let one unit come to one place."""
        allowed = choices.allowed[number]
        kept = bool(allowed[place, unit, sign])
        allowed[place] = False
        allowed[:, unit] = False
        allowed[place, unit, sign] = kept

    def eliminate(self, choices: _Choices) -> bool:
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
        choices: _Choices,
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

    def _complete(self, choices: _Choices) -> list[Assignment] | None:
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
        for _ in range(_SWEEPS if len(open_layers) > 1 else 1):
            if self._fits(found):
                return found
            before = _distance(self.layers, self.a, self.b, found)
            for number in open_layers:
                found[number] = self._assign(number, choices.allowed[number], found)
            if _distance(self.layers, self.a, self.b, found) >= before:
                break
        return found if self._fits(found) else None

    def _fits(self, found: list[Assignment]) -> bool:
        image = monomial(self.layers, found, len(self.a))(self.b)
        return bool(np.max(np.abs(image - self.a), initial=0.0) <= self.tol)

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


def order(layers: Layers, gauge: Gauge, x: HostPoint, tol: float) -> int:
    """Number of permutations and signs that leave `x` where it is.

    Units that are equal or opposite form classes whose own permutations are counted at once; what
    is left are operations between classes, counted place by place (orbit and stabiliser).
    """
    a = canonical(layers, gauge, x)
    total = 1
    kept_layers = []
    colours = []
    for layer in layers:
        label, zero = _classes(layer, a, tol)
        members = np.bincount(label[~zero], minlength=1)
        signs = 2 ** int(zero.sum()) if layer.kind == "odd" else 1
        total *= signs * math.factorial(int(zero.sum()))
        total *= math.prod(math.factorial(int(size)) for size in members)
        first = np.unique(label[~zero], return_index=True)[1]
        chosen = np.flatnonzero(~zero)[first]
        colours.append(members[label[chosen]])
        kept_layers.append(chosen)
    if len(layers) == 1 or all(len(chosen) == 0 for chosen in kept_layers):
        return total
    return total * _between_classes(layers, kept_layers, colours, a, tol)


def _classes(
    layer: HiddenLayer, a: HostPoint, tol: float
) -> tuple[Int[np.ndarray, " units"], Bool[np.ndarray, " units"]]:
    """A label for each unit, the same for equal or opposite ones, and which units are zero."""
    from scipy.sparse import csgraph

    rows = np.concatenate([a[layer.incoming], a[layer.outgoing]], axis=1)
    zero = np.max(np.abs(rows), axis=1) <= tol
    same = cdist(rows, rows, "chebyshev") <= tol
    if layer.kind == "odd":
        same |= cdist(rows, -rows, "chebyshev") <= tol
    same[zero] = same[:, zero] = False
    label = csgraph.connected_components(same, directed=False)[1]
    return label, zero


def _between_classes(
    layers: Layers,
    kept: list[np.ndarray],
    colours: list[np.ndarray],
    a: HostPoint,
    tol: float,
) -> int:
    """Number of operations that permute classes of units, one representative each."""
    reduced, at = a.copy(), [k for k, chosen in enumerate(kept) if len(chosen)]
    for layer, chosen in zip(layers, kept, strict=True):
        rest = np.setdiff1d(np.arange(layer.units), chosen)
        reduced[layer.incoming[rest]] = reduced[layer.outgoing[rest]] = 0.0
    small = tuple(
        HiddenLayer(layers[k].incoming[kept[k]], layers[k].outgoing[kept[k]], layers[k].kind)
        for k in at
    )
    search = _Search(small, reduced, reduced, tol)
    choices = search.begin()
    for allowed, colour in zip(choices.allowed, (colours[k] for k in at), strict=True):
        allowed &= (colour[:, None] == colour[None, :])[:, :, None]
    total = 1
    if not search.eliminate(choices):
        return total
    for number in range(len(small)):
        for place in range(small[number].units):
            options = np.argwhere(choices.allowed[number][place]).tolist()
            if len(options) == 1:
                continue
            orbit = 0
            for unit, sign in options:
                trial = choices.copy()
                search.fix(trial, number, place, unit, sign)
                search.branches = _BRANCHES
                orbit += (unit, sign) == (place, 0) or search.run(trial) is not None
            total *= orbit
            search.fix(choices, number, place, place, 0)
            search.eliminate(choices)
    return total
