"""Finite groups of signed permutations of the coordinates: lattices, spins, labels, phases.

An element relabels the coordinates, flips some of them and, where they are angles, shifts them:
`x_i ↦ s_i x_labels[i] + t_i`. The group is written down by generators and enumerated once, so every
question (the same point? how far at best? which stabiliser?) is answered exactly, by looking at
all elements.

| system | generators |
|---|---|
| φ⁴ field on a periodic lattice | translations, mirror images, exchange of axes, `q ↦ -q` |
| XY spins | the same, with `θ ↦ -θ`; `uniform` for the global rotation |
| K alike centres in D dimensions | exchanges of blocks of D coordinates |
| sums of sines | exchange, and sign flips with half-turns of phases |
| points of one sphere (p-spin) | `x ↦ -x` where p is even; `radius` for the radial direction |
"""

import functools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._errors import ArgumentError
from ._invariants import Features
from ._operation import Operation
from ._particles import HostPoint
from ._shapes import Block
from ._symmetry import AbstractSymmetry

Numbers = Sequence[float | int] | np.ndarray

LARGEST = 100_000
"""Most elements that are enumerated; beyond, a group needs a class that knows its structure."""

_NUMBERS = 2_000_000
"""Most coefficients that the fingerprint of a group may hold."""

_FEATURES = 4


class SignedPermutation(NamedTuple):
    """The map `x_i ↦ signs[i] · x_labels[i] + shifts[i]`."""

    labels: tuple[int, ...]
    signs: tuple[int, ...]
    shifts: tuple[float, ...]

    @classmethod
    def of(
        cls,
        labels: Numbers,
        signs: Numbers | int = 1,
        shifts: Numbers | float | int = 0.0,
    ) -> "SignedPermutation":
        """From sequences or arrays; one number stands for all coordinates."""
        order = np.asarray(labels).reshape(-1)
        count = len(order)
        return cls(
            tuple(int(label) for label in order),
            tuple(int(sign) for sign in np.broadcast_to(np.asarray(signs), (count,))),
            tuple(float(shift) for shift in np.broadcast_to(np.asarray(shifts), (count,))),
        )


class _Group(NamedTuple):
    """All elements, one a row."""

    labels: np.ndarray
    signs: np.ndarray
    shifts: np.ndarray


class SignedPermutationSymmetry(AbstractSymmetry):
    """The finite group that some signed permutations of the coordinates generate.

    Attributes:
        dof: Number of coordinates.
        generators: Elements that generate it; none for the trivial group.
        period: Period of each coordinate, infinite for those that are no angles; `None` where
            none is.
        uniform: Whether adding one number to all coordinates changes nothing (a global rotation of
            spins): one zero mode. No element of the group may be such a shift.
        radius: Where the energy is a function of the direction of `x` alone: radius of the sphere
            that `canonical` puts points on; one zero mode, along `x`.
    """

    dof: int = eqx.field(static=True)
    generators: tuple[SignedPermutation, ...] = eqx.field(static=True)
    period: tuple[float, ...] | None = eqx.field(static=True)
    uniform: bool = eqx.field(static=True)
    radius: float | None = eqx.field(static=True)

    def __init__(
        self,
        dof: int,
        generators: Iterable[SignedPermutation] = (),
        *,
        period: Numbers | float | int | None = None,
        uniform: bool = False,
        radius: float | None = None,
    ):
        """Check the generators and enumerate the group.

        Args:
            dof: Number of coordinates.
            generators: Made by `SignedPermutation.of(labels, signs, shifts)`.
            period: One for all coordinates or one for each.
            uniform: Whether all coordinates may be raised together.
            radius: For energies of one direction.

        Raises:
            ArgumentError: if a generator is no signed permutation, shifts a coordinate that has
                no period or exchanges different ones, or the group is too large to enumerate.
        """
        self.dof = dof
        self.generators = tuple(SignedPermutation(*generator) for generator in generators)
        if period is None:
            self.period = None
        else:
            each = np.broadcast_to(np.asarray(period, float), (dof,))
            self.period = tuple(float(edge) for edge in each)
        self.uniform = uniform
        self.radius = radius
        _check(self)
        _elements(self.dof, self.generators, self.period)

    def zero_modes(self, x: Block) -> Float[Array, "modes dof *lanes"]:
        """The uniform direction and the one along `x`, as far as they are declared."""
        rows = [jnp.zeros((0, *x.shape), x.dtype)]
        if self.uniform:
            rows.append(jnp.full((1, *x.shape), 1.0 / math.sqrt(self.dof), x.dtype))
        if self.radius is not None:
            rows.append((x / jnp.sqrt(jnp.sum(x**2, axis=0)))[None])
        return jnp.concatenate(rows)

    def expected_zero_modes(self, x: HostPoint) -> int:
        """One for each continuous direction that is declared."""
        del x
        return int(self.uniform) + (self.radius is not None)

    def fingerprint(self, x: Block) -> Features:
        """Smooth functions of fixed projections of `x`, averaged over all its images."""
        flat = x.reshape(self.dof, -1)
        if self.radius is not None:
            flat = self.radius * flat / jnp.sqrt(jnp.sum(flat**2, axis=0))
        if self.uniform and self.period is None:
            flat = flat - jnp.mean(flat, axis=0)
        table = _projections(self.dof, self.generators, self.period, self.uniform)
        part = jnp.asarray(table, x.dtype) @ _embedded(self.period, flat)
        if self.uniform and self.period is not None:
            value = jnp.sqrt(1.0 + part[:, 0] ** 2 + part[:, 1] ** 2)
        else:
            value = jax.nn.softplus(part[:, 0])
        return jnp.mean(value, axis=1).reshape(len(table), *x.shape[1:])

    def canonical(self, x: HostPoint) -> HostPoint:
        """`x` wrapped, without its mean or with its first angle at zero, or put on the sphere."""
        placed = np.asarray(_placed(self, x))
        if self.uniform:
            placed = placed - (placed.mean() if self.period is None else placed[0])
        if self.period is None:
            return placed
        edge = np.asarray(self.period)
        finite = np.isfinite(edge)
        safe = np.where(finite, edge, 1.0)
        return np.where(finite, placed - safe * np.floor(placed / safe), placed)

    def match(self, x: HostPoint, y: HostPoint, tol: float) -> HostPoint | None:
        """The image of `y` on `x`, every angle the copy next to its partner."""
        a = _placed(self, x)
        away = _residuals(self, a, _placed(self, y), exact=True)[0]
        worst = np.max(np.abs(away), axis=1)
        best = int(np.argmin(worst))
        return a - away[best] if worst[best] <= tol else None

    def operation(self, x: HostPoint, y: HostPoint, tol: float) -> Operation | None:
        """One signed permutation with its shifts, as a single turn of the whole point."""
        a, b = _placed(self, x), _placed(self, y)
        away = _residuals(self, a, b, exact=True)[0]
        worst = np.max(np.abs(away), axis=1)
        best = int(np.argmin(worst))
        if worst[best] > tol:
            return None
        group = _elements(self.dof, self.generators, self.period)
        turn = np.zeros((self.dof, self.dof))
        turn[np.arange(self.dof), group.labels[best]] = group.signs[best]
        # What is left besides the turn: shifts of angles, whole turns, the uniform rise.
        shift = np.zeros(self.dof)
        if self.period is not None or self.uniform:
            shift = (a - away[best]) - turn @ b
        return Operation(np.zeros(1, np.int64), turn, shift[None])

    def align(self, x: HostPoint, y: HostPoint) -> tuple[HostPoint, float]:
        """The closest image of `y` of all; with a uniform rise of angles, close to the closest."""
        a = _placed(self, x)
        away = _residuals(self, a, _placed(self, y), exact=False)[0]
        distance = np.linalg.norm(away, axis=1)
        best = int(np.argmin(distance))
        return a - away[best], float(distance[best])

    def order(self, x: HostPoint, tol: float) -> int:
        """Number of elements that leave `x` where it is, up to the continuous directions."""
        a = _placed(self, x)
        away = _residuals(self, a, a, exact=True)[0]
        return int(np.sum(np.max(np.abs(away), axis=1) <= tol))

    def log_group_order(self) -> float:
        """Logarithm of the number of elements."""
        return math.log(len(_elements(self.dof, self.generators, self.period).labels))


# Functions, not methods: binding a method of an Equinox module costs more than the work.


def _check(symmetry: SignedPermutationSymmetry) -> None:
    if symmetry.dof < 1:
        raise ArgumentError(f"dof={symmetry.dof} must be at least 1")
    edges = (math.inf,) * symmetry.dof if symmetry.period is None else symmetry.period
    if not all(edge > 0 for edge in edges):
        raise ArgumentError(f"period={symmetry.period!r} must be positive")
    for generator in symmetry.generators:
        if sorted(generator.labels) != list(range(symmetry.dof)) or any(
            sign not in {-1, 1} for sign in generator.signs
        ):
            raise ArgumentError(
                f"{generator!r} is no signed permutation of {symmetry.dof} coordinates",
                "labels hold 0 … dof - 1 once each, signs are 1 or -1",
            )
        for place, label in enumerate(generator.labels):
            if edges[place] != edges[label]:
                raise ArgumentError(
                    f"a generator brings coordinate {label}, of period {edges[label]}, to the "
                    f"place of coordinate {place}, of period {edges[place]}"
                )
            if generator.shifts[place] and math.isinf(edges[place]):
                raise ArgumentError(
                    f"a generator shifts coordinate {place}, which has no period",
                    "such a group would be infinite; give the period of angles",
                )
    if symmetry.uniform and symmetry.period is not None and len(set(symmetry.period)) > 1:
        raise ArgumentError("coordinates that rise together must have one period")
    if symmetry.radius is not None and not symmetry.radius > 0:
        raise ArgumentError(f"radius={symmetry.radius!r} must be positive")
    if symmetry.radius is not None and (symmetry.uniform or symmetry.period is not None):
        raise ArgumentError("a direction (radius) has neither a period nor a uniform rise")


@functools.lru_cache(maxsize=64)
def _elements(
    dof: int, generators: tuple[SignedPermutation, ...], period: tuple[float, ...] | None
) -> _Group:
    """All products of the generators, the identity first."""
    edge = np.full(dof, np.inf) if period is None else np.asarray(period)
    unit = np.where(np.isfinite(edge), edge, 1.0)
    first = _Group(np.arange(dof)[None], np.ones((1, dof)), np.zeros((1, dof)))
    known = set(_names(first))
    found = [first]
    while len(found[-1].labels):
        nothing = _Group(*(a[:0] for a in first))
        layer = _joined([nothing, *(_times(found[-1], g, unit) for g in generators)])
        fresh = []
        for row, name in enumerate(_names(layer)):
            if name not in known:
                known.add(name)
                fresh.append(row)
        found.append(_Group(*(a[fresh] for a in layer)))
        if len(known) > LARGEST:
            raise ArgumentError(
                f"the generators make a group of more than {LARGEST:,} elements",
                "declare a smaller group (fewer generators): every element of it is looked at",
            )
    group = _joined(found)
    return group._replace(shifts=group.shifts * unit)


def _joined(some: list[_Group]) -> _Group:
    return _Group(*(np.concatenate(parts) for parts in zip(*some, strict=True)))


def _times(some: _Group, generator: SignedPermutation, unit: np.ndarray) -> _Group:
    """The generator after each of some elements; shifts in whole turns."""
    label, sign = np.asarray(generator.labels), np.asarray(generator.signs)
    turns = sign * some.shifts[:, label] + np.asarray(generator.shifts) / unit
    turns = turns - np.floor(turns + 1e-9)
    return _Group(some.labels[:, label], sign * some.signs[:, label], turns)


def _names(some: _Group) -> list[bytes]:
    """What tells elements apart, a string each."""
    whole = np.round(some.shifts * 1e6)
    rows = np.concatenate([some.labels, some.signs, whole], axis=1).astype(np.int32)
    return [row.tobytes() for row in rows]


def _placed(symmetry: SignedPermutationSymmetry, x: HostPoint) -> np.ndarray:
    if symmetry.radius is None:
        return np.asarray(x, float)
    return symmetry.radius * np.asarray(x, float) / np.linalg.norm(x)


def _residuals(
    symmetry: SignedPermutationSymmetry, a: np.ndarray, b: np.ndarray, *, exact: bool
) -> tuple[np.ndarray, _Group]:
    """`a` minus every image of `b`, the shortest way round, `(elements, dof)`.

    A uniform rise is chosen for each: that of the first coordinate where the points should
    coincide (`exact`), else the circular mean; then the mean of what is left.
    """
    group = _elements(symmetry.dof, symmetry.generators, symmetry.period)
    away = a - (group.signs * b[group.labels] + group.shifts)
    if symmetry.period is None:
        return (away - away.mean(axis=1, keepdims=True) if symmetry.uniform else away), group
    edge = np.asarray(symmetry.period)
    if not symmetry.uniform:
        return _wrapped(away, edge), group
    if exact:
        rise = away[:, :1]
    else:
        turn = 2.0 * np.pi / edge
        rise = np.angle(np.mean(np.exp(1j * turn * away), axis=1, keepdims=True)) / turn[0]
    away = _wrapped(away - rise, edge)
    return _wrapped(away - away.mean(axis=1, keepdims=True), edge), group


def _wrapped(away: np.ndarray, edge: np.ndarray) -> np.ndarray:
    finite = np.isfinite(edge)
    safe = np.where(finite, edge, 1.0)
    return np.where(finite, away - safe * np.round(away / safe), away)


def _embedded(period: tuple[float, ...] | None, x: Array) -> Array:
    """Coordinates; angles as points of a circle, cosines first and then sines."""
    if period is None:
        return x
    edge = np.asarray(period)[:, None]
    finite = np.isfinite(edge)
    turn = np.where(finite, 2.0 * np.pi / edge, 0.0)
    scale = 1.0 / np.where(finite, turn, 1.0)
    return jnp.concatenate(
        [
            jnp.where(finite, scale * jnp.cos(turn * x), 0.0),
            jnp.where(finite, scale * jnp.sin(turn * x), x),
        ]
    )


@functools.lru_cache(maxsize=64)
def _projections(
    dof: int,
    generators: tuple[SignedPermutation, ...],
    period: tuple[float, ...] | None,
    uniform: bool,  # noqa: FBT001 - the key of a cache
) -> np.ndarray:
    """Coefficients of fixed projections of all images of a point, from the point as embedded.

    Shape `(features, parts, elements, dof or 2 dof)`: two parts, real and imaginary, where only
    the modulus of a complex projection is invariant, else one.
    """
    group = _elements(dof, generators, period)
    width = dof if period is None else 2 * dof
    parts = 2 if uniform and period is not None else 1
    count = int(np.clip(_NUMBERS // (parts * len(group.labels) * width), 1, _FEATURES))
    index = np.arange(1.0, dof + 1.0)
    out = np.zeros((count, parts, len(group.labels), width))
    for k in range(count):
        # Any fixed irregular vectors serve.
        real = np.cos(index**2 * math.sqrt(2.0 + k) + k)
        other = np.sin(index**2 * math.sqrt(3.0 + k) + 2.0 * k)
        size = math.sqrt(float(np.sum(real**2 + (other**2 if period is not None else 0.0))))
        real, other = real / size, other / size
        pairs = [(real, -other), (other, real)][:parts] if parts == 2 else [(real, other)]
        for part, (cosine, sine) in enumerate(pairs):
            _spread(out[k, part], group, period, cosine, sine)
    return out


def _spread(
    rows: np.ndarray,
    group: _Group,
    period: tuple[float, ...] | None,
    cosine: np.ndarray,
    sine: np.ndarray,
) -> None:
    """`Σ_i cosine_i cos θ'_i + sine_i sin θ'_i` of the images `θ'`, in terms of `θ`."""
    element = np.arange(len(group.labels))[:, None]
    dof = group.labels.shape[1]
    if period is None:
        rows[element, group.labels] = cosine * group.signs
        return
    edge = np.asarray(period)
    finite = np.isfinite(edge)
    turn = np.where(finite, 2.0 * np.pi / edge, 0.0) * group.shifts
    from_cosine = np.where(finite, cosine * np.cos(turn) + sine * np.sin(turn), 0.0)
    from_sine = np.where(
        finite, group.signs * (sine * np.cos(turn) - cosine * np.sin(turn)), group.signs * sine
    )
    rows[element, group.labels] = from_cosine
    rows[element, dof + group.labels] = from_sine
