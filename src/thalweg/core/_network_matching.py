"""Which hidden unit of one network is which of another: exact matches and short distances.

For one hidden layer both are linear assignment problems. With more layers the assignments of
neighbours depend on each other. An exact match is found by elimination (`_network_search`). The
shortest distance is a quadratic assignment problem; layers are assigned in turn from several
beginnings, which bounds it from above.

Source: layer-wise assignment as in Ainsworth, Hayase & Srinivasa, ICLR (2023).
"""

import math

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from ._network_layers import Assignment, HiddenLayer, Monomial, monomial
from ._network_search import BRANCHES, SWEEPS, Layers, Search
from ._particles import HostPoint

Gauge = tuple[tuple[int, ...], ...]

_BALANCE_SWEEPS = 1000

MISSING = 1e-8
"""A mode below this fraction of the largest moves nothing, and is left out."""


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


def count_modes(layers: Layers, gauge: Gauge, x: HostPoint) -> int:
    """Number of independent shifts and scalings at `x`."""
    rows = []
    for places in gauge:
        rows.append(np.zeros_like(x))
        rows[-1][list(places)] = 1.0
    for layer in layers:
        if layer.kind == "homogeneous":
            for into, out in zip(layer.incoming, layer.outgoing, strict=True):
                rows.append(np.zeros_like(x))
                rows[-1][into], rows[-1][out] = x[into], -x[out]
    if not rows:
        return 0
    size = np.linalg.norm(rows, axis=1)
    kept = size > MISSING * size.max()
    unit = np.array(rows)[kept] / size[kept, None]
    return int(np.sum(np.linalg.eigvalsh(unit @ unit.T) > MISSING))


def match(layers: Layers, gauge: Gauge, x: HostPoint, y: HostPoint, tol: float) -> Monomial | None:
    """The operation that brings `y` on `x`, both in canonical form within `tol`."""
    (scale_x, shift_x), (scale_y, shift_y) = (_normal(layers, gauge, z) for z in (x, y))
    found = Search(layers, scale_x * (x - shift_x), scale_y * (y - shift_y), tol).run()
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
        best = Search(layers, a, b, small).run()
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
    for _ in range(SWEEPS):
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
    search = Search(small, reduced, reduced, tol)
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
                search.branches = BRANCHES
                orbit += (unit, sign) == (place, 0) or search.run(trial) is not None
            total *= orbit
            search.fix(choices, number, place, place, 0)
            search.eliminate(choices)
    return total
