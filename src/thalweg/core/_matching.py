"""Exact comparison of configurations modulo rotation, translation and relabelling, compiled.

Particles are sorted into classes by species and by a number that every operation keeps (the
distance from the centre, or the crowding in a periodic box). The rarest classes of `x` supply one
or two anchors; each pair of particles of `y` that could be their image fixes one operation, and
the operation is tried on all particles, the first failure ending it. Nothing that lies within
the tolerance is missed, and the cost is a few microseconds for small clusters.

All arrays are float64 `(particles, 3)`, in-plane configurations have a zero third column, and
`box` holds zeros along directions that are not periodic. The kernels release the GIL. They share
one file because Numba's cache on disk notices changes in that file only, not in what it imports.

Source: the idea of anchoring on a few atoms of the rarest kind is that of exact matching in
Wales, *Energy Landscapes* (2003), chapter 2, and of Patchkovskii's brute-force symmetry analyser;
the implementation is our own.
"""

import math
from typing import no_type_check

import numba
import numpy as np

from ._tiered import tiered

# `no_type_check` keeps run-time type checkers from wrapping what Numba has to compile.
kernel = numba.njit(nogil=True, cache=True)

# An anchor shorter than this cannot define a direction.
_SHORT = 1e-12
# Relabelling and turning seldom improve a start by more than this factor.
_HOPELESS = 4.0


@kernel
@no_type_check
def _square(x: float) -> float:
    """`x²` by one product, for compiled code and Python alike (a power may round otherwise)."""
    return x * x


@kernel
@no_type_check
def sort_classes(species: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Order of the particles by species (numbers 0, 1, ...), then by `key`."""
    count = species.size
    order = np.arange(count)
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:  # Shell's method: short, in place, and quick to compile
        for i in range(gap, count):
            moving, j = order[i], i
            while j >= gap and _later(order[j - gap], moving, species, key):
                order[j] = order[j - gap]
                j -= gap
            order[j] = moving
        gap //= 3
    return order


@kernel
@no_type_check
def _later(i: int, j: int, species: np.ndarray, key: np.ndarray) -> bool:
    if species[i] != species[j]:
        return species[i] > species[j]
    return key[i] > key[j]


@kernel
@no_type_check
def _take(x: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows of `x` in the given order."""
    out = np.empty((order.size, 3))
    for i in range(order.size):
        for k in range(3):
            out[i, k] = x[order[i], k]
    return out


@kernel
@no_type_check
def _pick(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Numbers in the given order."""
    out = np.empty(order.size)
    for i in range(order.size):
        out[i] = values[order[i]]
    return out


@kernel
@no_type_check
def _kinds(species: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Species in the given order."""
    out = np.empty(order.size, np.int64)
    for i in range(order.size):
        out[i] = species[order[i]]
    return out


@kernel
@no_type_check
def _largest(values: np.ndarray) -> float:
    """The largest of some numbers that are not negative."""
    out = 0.0
    for i in range(values.size):
        out = max(out, values[i])
    return out


@kernel
@no_type_check
def _place(
    image: np.ndarray,
    order: np.ndarray,
    y: np.ndarray,
    partner: np.ndarray,
    rotation: np.ndarray,
    shift: np.ndarray,
) -> None:
    """Write `rotation · y + shift` into `image`, in the labels of `x`."""
    for i in range(order.size):
        for k in range(3):
            value = shift[k]
            for l in range(3):
                value += rotation[k, l] * y[partner[i], l]
            image[order[i], k] = value


@kernel
@no_type_check
def _label(
    labels: np.ndarray, order_x: np.ndarray, order_y: np.ndarray, partner: np.ndarray
) -> None:
    """Write which particle of `y` has come to the place of each particle of `x`."""
    for i in range(order_x.size):
        labels[order_x[i]] = order_y[partner[i]]


@kernel
@no_type_check
def windows(
    kind: np.ndarray, key_x: np.ndarray, key_y: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray, bool]:
    """For each sorted particle of `x`, the half-open range of sorted `y` that it may match.

    The last value is false when some particle has no partner within `width`, and so no
    operation can exist.
    """
    count = kind.size
    low = np.empty(count, np.int64)
    high = np.empty(count, np.int64)
    for i in range(count):
        if not abs(key_x[i] - key_y[i]) <= width:
            return low, high, False
        j = i
        while j > 0 and kind[j - 1] == kind[i] and abs(key_y[j - 1] - key_x[i]) <= width:
            j -= 1
        low[i] = j
        j = i + 1
        while j < count and kind[j] == kind[i] and abs(key_y[j] - key_x[i]) <= width:
            j += 1
        high[i] = j
    return low, high, True


@kernel
@no_type_check
def assign(  # noqa: PLR0913  (one compiled inner loop)
    x: np.ndarray,
    y: np.ndarray,
    rotation: np.ndarray,
    shift: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    box: np.ndarray,
    tol: float,
    partner: np.ndarray,
) -> float:
    """Fill `partner` with the particle of `y` that `rotation · y + shift` brings to each of `x`.

    Returns the largest distance left, or infinity when some particle of `x` finds no free
    particle of `y` within `tol`.
    """
    count = x.shape[0]
    used = np.zeros(count, np.bool_)
    worst = 0.0
    z = np.empty(3)
    for i in range(count - 1, -1, -1):  # outermost first: they fail soonest
        for k in range(3):
            z[k] = 0.0
            for l in range(3):
                z[k] += rotation[l, k] * (x[i, l] - shift[l])
        nearest, chosen = tol * tol, -1
        for j in range(low[i], high[i]):
            if used[j]:
                continue
            squared = 0.0
            for k in range(3):
                delta = y[j, k] - z[k]
                if box[k] > 0.0:
                    delta -= box[k] * math.floor(delta / box[k] + 0.5)
                squared += delta * delta
            if squared <= nearest:
                nearest, chosen = squared, j
        if chosen < 0:
            return np.inf
        used[chosen] = True
        partner[i] = chosen
        worst = max(worst, nearest)
    return math.sqrt(worst)


@kernel
@no_type_check
def _frame(a: np.ndarray, b: np.ndarray, frame: np.ndarray) -> bool:
    """Orthonormal rows from `a` and `b`; false when they do not span a plane."""
    length = math.sqrt(_square(a[0]) + _square(a[1]) + _square(a[2]))
    if length < _SHORT:
        return False
    along = (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) / length
    squared = 0.0
    for k in range(3):
        frame[0, k] = a[k] / length
        frame[1, k] = b[k] - along * frame[0, k]
        squared += _square(frame[1, k])
    if squared < _square(_SHORT):
        return False
    for k in range(3):
        frame[1, k] /= math.sqrt(squared)
    for k in range(3):
        l, m = (k + 1) % 3, (k + 2) % 3
        frame[2, k] = frame[0, l] * frame[1, m] - frame[0, m] * frame[1, l]
    return True


@kernel
@no_type_check
def _across(a: np.ndarray, dim: int) -> np.ndarray:
    """A direction that is not along `a`: a quarter turn in the plane, any in space."""
    b = np.zeros(3)
    if dim == 2:
        b[0], b[1] = -a[1], a[0]
    else:
        least = 0
        for k in range(1, 3):
            if abs(a[k]) < abs(a[least]):
                least = k
        b[least] = 1.0
    return b


@kernel
@no_type_check
def _distances(x: np.ndarray) -> np.ndarray:
    """Distances from the origin."""
    out = np.empty(x.shape[0])
    for i in range(x.shape[0]):
        out[i] = math.sqrt(_square(x[i, 0]) + _square(x[i, 1]) + _square(x[i, 2]))
    return out


@kernel
@no_type_check
def _gap(x: np.ndarray, i: int, j: int) -> float:
    """Distance between two particles."""
    return math.sqrt(
        _square(x[i, 0] - x[j, 0]) + _square(x[i, 1] - x[j, 1]) + _square(x[i, 2] - x[j, 2])
    )


@kernel
@no_type_check
def anchors(
    x: np.ndarray, radius: np.ndarray, candidates: np.ndarray, dim: int, tol: float
) -> tuple[int, int, float]:
    """Two particles that fix an operation with the fewest candidates, and the slack to allow.

    The second is -1 when one suffices (in the plane; on a line), both are when all particles sit
    at the centre. The slack is how far a particle may stray when both anchors stray by `tol`.
    """
    count = x.shape[0]
    reach = _largest(radius)
    if reach <= tol:
        return -1, -1, tol
    first, best = -1, np.inf
    for i in range(count):
        if radius[i] > tol and candidates[i] * reach / radius[i] < best:
            first, best = i, candidates[i] * reach / radius[i]
    a = x[first]
    lean = reach / radius[first]
    if dim == 2:
        return first, -1, tol * (1.0 + lean)
    across = np.empty(count)
    for i in range(count):
        along = (a[0] * x[i, 0] + a[1] * x[i, 1] + a[2] * x[i, 2]) / radius[first]
        across[i] = math.sqrt(max(_square(radius[i]) - _square(along), 0.0))
    breadth = _largest(across)
    if breadth <= tol:
        return first, -1, tol * (1.0 + lean)
    second, best = -1, np.inf
    for i in range(count):
        if across[i] > tol and candidates[i] * breadth / across[i] < best:
            second, best = i, candidates[i] * breadth / across[i]
    turn = breadth / across[second] * (1.0 + radius[second] / radius[first])
    return first, second, tol * (1.0 + lean + turn)


@kernel
@no_type_check
def polish_rotation(
    x: np.ndarray, y: np.ndarray, partner: np.ndarray, rotation: np.ndarray
) -> float:
    """Turn `rotation` in place to the least-squares one; return the largest distance left.

    Gauss-Newton in the rotation vector, quadratic from a start that is already close. The ridge
    keeps a line, which may turn about itself for nothing, solvable.
    """
    z = np.empty(3)
    worst = 0.0
    for sweep in range(4):
        inertia = np.zeros((3, 3))
        torque = np.zeros(3)
        worst = 0.0
        for i in range(x.shape[0]):
            left = 0.0
            for k in range(3):
                z[k] = 0.0
                for l in range(3):
                    z[k] += rotation[k, l] * y[partner[i], l]
                left += _square(x[i, k] - z[k])
            worst = max(worst, left)
            squared = _square(z[0]) + _square(z[1]) + _square(z[2])
            for k in range(3):
                l, m = (k + 1) % 3, (k + 2) % 3
                torque[k] += z[l] * x[i, m] - z[m] * x[i, l]
                inertia[k, k] += squared
                for n in range(3):
                    inertia[k, n] -= z[k] * z[n]
        if sweep == 3:
            break
        ridge = 1e-10 * (inertia[0, 0] + inertia[1, 1] + inertia[2, 2]) + 1e-300
        for k in range(3):
            inertia[k, k] += ridge
        _turn(inertia, torque, rotation)
    return math.sqrt(worst)


@kernel
@no_type_check
def _turn(inertia: np.ndarray, torque: np.ndarray, rotation: np.ndarray) -> None:
    """Turn `rotation` in place by the rotation vector that solves `inertia · v = torque`."""
    v = np.zeros(3)
    adjugate = np.empty((3, 3))
    for k in range(3):
        l, m = (k + 1) % 3, (k + 2) % 3
        for n in range(3):
            o, p = (n + 1) % 3, (n + 2) % 3
            adjugate[n, k] = inertia[l, o] * inertia[m, p] - inertia[l, p] * inertia[m, o]
    determinant = 0.0
    for k in range(3):
        determinant += inertia[0, k] * adjugate[k, 0]
    for k in range(3):
        for l in range(3):
            v[k] += adjugate[k, l] * torque[l] / determinant
    angle = math.sqrt(_square(v[0]) + _square(v[1]) + _square(v[2]))
    # sin(a)/a and (1 - cos a)/a² by their series where the quotients lose digits
    sine = 1.0 - _square(angle) / 6.0 if angle < 1e-4 else math.sin(angle) / angle
    cosine = (
        0.5 - _square(angle) / 24.0 if angle < 1e-4 else (1.0 - math.cos(angle)) / _square(angle)
    )
    column = np.empty(3)
    for n in range(3):  # Rodrigues: u + sin(a)/a v×u + (1 - cos a)/a² v×(v×u)
        along = 0.0
        for k in range(3):
            column[k] = rotation[k, n]
            along += v[k] * column[k]
        for k in range(3):
            l, m = (k + 1) % 3, (k + 2) % 3
            cross = v[l] * column[m] - v[m] * column[l]
            twice = v[k] * along - _square(angle) * column[k]
            rotation[k, n] = column[k] + sine * cross + cosine * twice


@kernel
@no_type_check
def _accept(  # noqa: PLR0913  (one compiled inner loop)
    x: np.ndarray,
    y: np.ndarray,
    frame_x: np.ndarray,
    frame_y: np.ndarray,
    flip: int,
    low: np.ndarray,
    high: np.ndarray,
    slack: float,
    tol: float,
    partner: np.ndarray,
    rotation: np.ndarray,
) -> bool:
    """Whether the operation that carries one frame to the other maps `y` on `x` within `tol`."""
    for k in range(3):
        for l in range(3):
            rotation[k, l] = 0.0
            for m in range(3):
                sign = -1.0 if m == flip else 1.0
                rotation[k, l] += sign * frame_x[m, k] * frame_y[m, l]
    nothing = np.zeros(3)
    worst = assign(x, y, rotation, nothing, low, high, nothing, slack, partner)
    if worst <= tol or not worst < np.inf:
        return worst <= tol
    return polish_rotation(x, y, partner, rotation) <= tol


@kernel
@no_type_check
def _crowding(x: np.ndarray, box: np.ndarray, scale: float) -> np.ndarray:
    """Σ_j 1/(1 + d²/scale²) with the smooth periodic distance: kept by all box operations."""
    count = x.shape[0]
    # Sine and cosine of every phase once: the sine of a difference is then two products.
    sine, cosine = np.empty((count, 3)), np.empty((count, 3))
    for i in range(count):
        for k in range(3):
            phase = math.pi * x[i, k] / box[k] if box[k] > 0.0 else 0.0
            sine[i, k], cosine[i, k] = math.sin(phase), math.cos(phase)
    out = np.zeros(count)
    for i in range(count):
        for j in range(i):
            squared = 0.0
            for k in range(3):
                delta = x[i, k] - x[j, k]
                if box[k] > 0.0:
                    delta = sine[i, k] * cosine[j, k] - cosine[i, k] * sine[j, k]
                    delta *= box[k] / math.pi
                squared += delta * delta
            term = 1.0 / (1.0 + squared / _square(scale))
            out[i] += term
            out[j] += term
    return out


@kernel
@no_type_check
def _crowding_width(count: int, scale: float, tol: float) -> float:
    """How far the crowding moves when every particle moves by `tol`.

    Each of `count` distances changes by 2 tol at most, and 1/(1 + u²) by 3√3/8 of that.
    """
    return 1.3 * count * tol / scale + 1e-9


@kernel
@no_type_check
def _match_rigid(  # noqa: PLR0913  (the door to compiled code takes plain arrays)
    x: np.ndarray,
    y: np.ndarray,
    species: np.ndarray,
    dim: int,
    improper: bool,  # noqa: FBT001
    scale: float,
    tol: float,
    every: bool,  # noqa: FBT001
    image: np.ndarray,
    labels: np.ndarray,
) -> int:
    """Count the rotations about the origin (and relabellings) that bring `y` on `x`.

    Unless `every`, stops at the first, and writes that image of `y` and which particle of `y`
    has come to each place. Operations of a line are
    counted without the turns about itself, those of a single place by orientation only.
    Classes are told apart by the distance from the origin or, where that says nothing (points
    on a sphere), by the crowding on a given positive `scale`.
    """
    count = x.shape[0]
    if scale > 0.0:
        key_x, key_y = _crowding(x, np.zeros(3), scale), _crowding(y, np.zeros(3), scale)
        width = _crowding_width(count, scale, tol)
    else:
        key_x, key_y, width = _distances(x), _distances(y), tol
    order_x, order_y = sort_classes(species, key_x), sort_classes(species, key_y)
    xs, ys = _take(x, order_x), _take(y, order_y)
    low, high, possible = windows(
        _kinds(species, order_x), _pick(key_x, order_x), _pick(key_y, order_y), width
    )
    if not possible:
        return 0
    first, second, slack = anchors(xs, _distances(xs), high - low, dim, tol)
    frame_x, frame_y, rotation = np.eye(3), np.eye(3), np.eye(3)
    partner = np.empty(count, np.int64)
    flips = np.array([-1, 1 if dim == 2 else 2]) if improper else np.array([-1])
    if first < 0:
        _place(image, order_x, ys, np.arange(count), rotation, np.zeros(3))
        _label(labels, order_x, order_y, np.arange(count))
        return flips.size
    single = second < 0
    _frame(xs[first], _across(xs[first], dim) if single else xs[second], frame_x)
    apart = 0.0 if single else _gap(xs, first, second)
    found = 0
    for p in range(low[first], high[first]):
        for q in range(p if single else low[second], p + 1 if single else high[second]):
            if not single and abs(_gap(ys, p, q) - apart) > 2.0 * tol:
                continue
            if not _frame(ys[p], _across(ys[p], dim) if single else ys[q], frame_y):
                continue
            for flip in flips:
                if _accept(
                    xs, ys, frame_x, frame_y, flip, low, high, slack, tol, partner, rotation
                ):
                    found += 1
                    if not every:
                        _place(image, order_x, ys, partner, rotation, np.zeros(3))
                        _label(labels, order_x, order_y, partner)
                        return found
    return found


@kernel
@no_type_check
def polish_shift(
    x: np.ndarray,
    image: np.ndarray,
    box: np.ndarray,
    free: bool,  # noqa: FBT001
    tol: float,
) -> bool:
    """Move `image` in place to the particles of `x`: nearest copies, then the mean shift.

    Returns whether all of them lie within `tol`.
    """
    count = x.shape[0]
    mean = np.zeros(3)
    for i in range(count):
        for k in range(3):
            delta = image[i, k] - x[i, k]
            if box[k] > 0.0:
                delta -= box[k] * math.floor(delta / box[k] + 0.5)
            image[i, k] = x[i, k] + delta
            mean[k] += delta / count
    worst = 0.0
    for i in range(count):
        squared = 0.0
        for k in range(3):
            if free:
                image[i, k] -= mean[k]
            squared += _square(image[i, k] - x[i, k])
        worst = max(worst, squared)
    return math.sqrt(worst) <= tol


@kernel
@no_type_check
def _match_shifted(  # noqa: PLR0913  (the door to compiled code takes plain arrays)
    x: np.ndarray,
    y: np.ndarray,
    species: np.ndarray,
    box: np.ndarray,
    operations: np.ndarray,
    free: bool,  # noqa: FBT001
    scale: float,
    tol: float,
    every: bool,  # noqa: FBT001
    image: np.ndarray,
    labels: np.ndarray,
) -> int:
    """Count the given operations, each with any shift when `free`, that bring `y` on `x`.

    Unless `every`, stops at the first, and writes that image of `y`, which particle of `y` has
    come to each place, and the number of the operation after the last label.
    """
    count = x.shape[0]
    key_x, key_y = _crowding(x, box, scale), _crowding(y, box, scale)
    order_x, order_y = sort_classes(species, key_x), sort_classes(species, key_y)
    xs, ys = _take(x, order_x), _take(y, order_y)
    width = _crowding_width(count, scale, tol)
    low, high, possible = windows(
        _kinds(species, order_x), _pick(key_x, order_x), _pick(key_y, order_y), width
    )
    if not possible:
        return 0
    anchor = np.argmin(high - low)
    partner = np.empty(count, np.int64)
    shift = np.zeros(3)
    moved = np.empty((count, 3))
    found = 0
    for m in range(operations.shape[0]):
        operation = operations[m]
        for p in range(low[anchor], high[anchor] if free else low[anchor] + 1):
            if free:
                for k in range(3):
                    shift[k] = xs[anchor, k]
                    for l in range(3):
                        shift[k] -= operation[k, l] * ys[p, l]
            worst = assign(xs, ys, operation, shift, low, high, box, 2.0 * tol, partner)
            if not worst < np.inf:
                continue
            _place(moved, order_x, ys, partner, operation, shift)
            if polish_shift(x, moved, box, free, tol):
                found += 1
                if not every:
                    image[:, :] = moved
                    _label(labels, order_x, order_y, partner)
                    labels[count] = m
                    return found
    return found


@kernel
@no_type_check
def _mismatches(
    x: np.ndarray,
    y: np.ndarray,
    species: np.ndarray,
    rotations: np.ndarray,
    shifts: np.ndarray,
    box: np.ndarray,
    keep: int,
) -> np.ndarray:
    """For each operation, Σ_i min_j |x_i - (R y_j + t)|² within species, a bound from below.

    Infinite for operations that are soon seen not to be among the best `keep`, or to be
    several times worse than the best.
    """
    order = sort_classes(species, np.zeros(species.size))
    xs, ys, kind = _take(x, order), _take(y, order), _kinds(species, order)
    low, high, _ = windows(kind, np.zeros(kind.size), np.zeros(kind.size), 0.0)
    best = np.full(keep, np.inf)  # ascending
    out = np.zeros(rotations.shape[0])
    moved, every = np.empty((order.size, 3)), np.arange(order.size)
    for m in range(rotations.shape[0]):
        _place(moved, every, ys, every, rotations[m], shifts[m])
        for i in range(xs.shape[0]):
            out[m] += _nearest(xs[i], moved, low[i], high[i], box)
            if out[m] > min(best[-1], _HOPELESS * best[0]):
                out[m] = np.inf
                break
        if out[m] < best[-1]:
            place = keep - 1
            while place > 0 and best[place - 1] > out[m]:
                best[place] = best[place - 1]
                place -= 1
            best[place] = out[m]
    return out


@kernel
@no_type_check
def _nearest(x: np.ndarray, y: np.ndarray, low: int, high: int, box: np.ndarray) -> float:
    """Least squared distance from `x` to the particles `low` to `high - 1` of `y`."""
    nearest = np.inf
    for j in range(low, high):
        squared = 0.0
        for k in range(3):
            delta = y[j, k] - x[k]
            if box[k] > 0.0:
                delta -= box[k] * math.floor(delta / box[k] + 0.5)
            squared += delta * delta
        nearest = min(nearest, squared)
    return nearest


def _configurations(x: np.ndarray, y: np.ndarray, *_: object) -> int:
    return x.shape[0] * x.shape[0] * y.shape[0]


def _operations(
    x: np.ndarray, y: np.ndarray, _species: np.ndarray, rotations: np.ndarray, *_: object
) -> int:
    return x.shape[0] * y.shape[0] * rotations.shape[0]


def _pairs(x: np.ndarray, *_: object) -> int:
    return x.shape[0] * x.shape[0]


# What others call: a small cluster is compared long before all this is compiled.
match_rigid = tiered("_match_rigid", globals(), _configurations)
match_shifted = tiered("_match_shifted", globals(), _configurations)
mismatches = tiered("_mismatches", globals(), _operations)
crowding = tiered("_crowding", globals(), _pairs)
