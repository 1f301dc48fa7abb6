"""The engine of continuation: curves `G(u) = 0` with one unknown more than equations.

Pseudo-arclength continuation: a step along the tangent, then Newton's method in the plane across
it, so that folds are ordinary points. Steps lengthen where Newton's method is quick, and are halved
where it fails or the curve bends. Where one of a set of whole numbers (`signals`) changes between
two points, the change is located by bisection.

Source: Keller, in Applications of Bifurcation Theory (Rabinowitz, ed.), 359 (1977); Kuznetsov,
Elements of Applied Bifurcation Theory, chapter 10.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float

Ending = Literal["bound", "closed", "max_points", "stuck"]

Vector = Float[np.ndarray, " unknowns"]
Signals = tuple[int, ...]

_ITERATIONS = 8
_QUICK, _SLOW = 3, 5
_BEND = 0.9
"""Least cosine between the tangents of neighbouring points."""

_BRACKET = 1e-9
"""Length, in scaled units, to which a change of signal is located."""

_SAME = 1e-5
"""Changes nearer than this are one event: the signals of one bifurcation rarely flip together."""


@dataclasses.dataclass(frozen=True)
class StepRule:
    """How long steps are, in scaled units.

    Attributes:
        first: The first step.
        smallest: Where a shorter step would be needed, the curve ends as `stuck`.
        largest: No step is longer.
        tol: Largest entry of the residual that counts as zero.
        max_points: Most points of a curve.
    """

    first: float = 0.01
    smallest: float = 1e-6
    largest: float = 0.05
    tol: float = 1e-10
    max_points: int = 2000


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """A point of a curve: unknowns, unit tangent, derivatives and signals."""

    u: Vector
    tangent: Vector
    slope: Float[np.ndarray, "equations unknowns"]
    signals: Signals


@dataclasses.dataclass(frozen=True, eq=False)
class Event:
    """Signals that change at a node: their positions in the tuple."""

    node: Node
    changed: frozenset[int]
    position: int


@dataclasses.dataclass(frozen=True)
class Curve:
    """What is continued.

    Attributes:
        evaluate: `u → (G, dG/du)`, in scaled unknowns.
        signals: `(u, tangent, dG/du) → whole numbers`.
        lower: Bounds of the unknowns.
        upper: Bounds of the unknowns.
        rule: Step lengths.
    """

    evaluate: Callable[[Vector], tuple[np.ndarray, np.ndarray]]
    signals: Callable[[Vector, Vector, np.ndarray], Signals]
    lower: Vector
    upper: Vector
    rule: StepRule

    def correct(self, guess: Vector, row: Vector) -> tuple[Vector, np.ndarray, int] | None:
        """Newton's method in the plane `row · (u - guess) = 0`; `None` if it fails."""
        u = guess.copy()
        for iteration in range(_ITERATIONS):
            value, slope = self.evaluate(u)
            if not (np.isfinite(value).all() and np.isfinite(slope).all()):
                return None
            matrix = np.vstack([slope, row])
            residual = np.append(value, row @ (u - guess))
            if np.abs(residual).max() <= self.rule.tol and iteration:
                return u, slope, iteration
            try:
                move = np.linalg.solve(matrix, -residual)
            except np.linalg.LinAlgError:
                return None
            u = u + move
            if not np.isfinite(u).all() or np.abs(move).max() > 10.0:
                return None
        value, slope = self.evaluate(u)
        if np.isfinite(value).all() and np.abs(value).max() <= self.rule.tol:
            return u, slope, _ITERATIONS
        return None

    def node(self, u: Vector, slope: np.ndarray, near: Vector) -> Node:
        """Complete a point with the tangent that points the way of `near`."""
        tangent = null_direction(slope, near)
        return Node(u, tangent, slope, self.signals(u, tangent, slope))

    def start(self, u: Vector, row: Vector, near: Vector) -> Node | None:
        """The first point: a correction across `row`, a tangent along `near`."""
        found = self.correct(u, row)
        return None if found is None else self.node(found[0], found[1], near)

    def between(self, a: Node, b: Node, share: float) -> Node | None:
        """The point of the curve a share of the way from one node to another."""
        chord = b.u - a.u
        row = chord / np.linalg.norm(chord)
        found = self.correct(a.u + share * chord, row)
        return None if found is None else self.node(found[0], found[1], a.tangent)


def null_direction(slope: np.ndarray, near: Vector) -> Vector:
    """The unit tangent of the curve that makes an acute angle with `near`."""
    matrix = np.vstack([slope, near])
    right = np.zeros(len(near))
    right[-1] = 1.0
    try:
        tangent = np.linalg.solve(matrix, right)
        if not np.isfinite(tangent).all():
            raise np.linalg.LinAlgError
    except np.linalg.LinAlgError:
        tangent = np.linalg.svd(slope)[2][-1]
        tangent = tangent * (1.0 if tangent @ near >= 0 else -1.0)
    return tangent / np.linalg.norm(tangent)


def trace(curve: Curve, first: Node) -> tuple[list[Node], list[Event], Ending]:
    """Follow a curve from its first node along that node's tangent.

    Returns:
        The nodes in order, the events between them, and why the curve ended.
    """
    rule = curve.rule
    nodes, events = [first], []
    step = rule.first
    while len(nodes) < rule.max_points:
        here = nodes[-1]
        found = _step(curve, here, step)
        if found is None:
            step *= 0.5
            if step < rule.smallest:
                return nodes, events, "stuck"
            continue
        new, iterations = found
        outside = (new.u < curve.lower) | (new.u > curve.upper)
        if outside.any():
            edge = _edge(curve, here, new)
            if edge is not None:
                events += _events(curve, here, edge, len(nodes) - 1)
                nodes.append(edge)
            return nodes, events, "bound"
        closed = len(nodes) > 5 and _passes(here, new, first)
        events += _events(curve, here, new, len(nodes) - 1)
        nodes.append(new)
        if closed:
            return nodes, events, "closed"
        if iterations <= _QUICK:
            step = min(1.5 * step, rule.largest)
        elif iterations >= _SLOW:
            step = max(0.5 * step, rule.smallest)
    return nodes, events, "max_points"


def _step(curve: Curve, here: Node, step: float) -> tuple[Node, int] | None:
    """One step, unless Newton's method fails or the curve bends too much."""
    found = curve.correct(here.u + step * here.tangent, here.tangent)
    if found is None:
        return None
    new = curve.node(found[0], found[1], here.tangent)
    far = np.linalg.norm(new.u - here.u) > 2.0 * step
    if far or new.tangent @ here.tangent < _BEND:
        return None
    return new, found[2]


def _edge(curve: Curve, inside: Node, outside: Node) -> Node | None:
    """The point where a curve leaves its bounds, with the bound met exactly."""
    over = np.maximum(outside.u - curve.upper, curve.lower - outside.u)
    which = int(np.argmax(over))
    bound = curve.upper[which] if outside.u[which] > curve.upper[which] else curve.lower[which]
    span = outside.u[which] - inside.u[which]
    share = (bound - inside.u[which]) / span if span else 1.0
    if share < 1e-9:  # the curve began on its bound and turns back to it at once
        return None
    guess = inside.u + share * (outside.u - inside.u)
    guess[which] = bound
    row = np.zeros(len(guess))
    row[which] = 1.0
    found = curve.correct(guess, row)
    return None if found is None else curve.node(found[0], found[1], inside.tangent)


def _passes(a: Node, b: Node, first: Node) -> bool:
    """Whether the chord from `a` to `b` passes the first node, the way that one points."""
    chord = b.u - a.u
    share = float(np.clip((first.u - a.u) @ chord / (chord @ chord), 0, 1))
    miss = np.linalg.norm(a.u + share * chord - first.u)
    return bool(miss < 0.1 * np.linalg.norm(chord) and b.tangent @ first.tangent > _BEND)


def _events(curve: Curve, a: Node, b: Node, position: int) -> list[Event]:
    """The changes of signal between two neighbours, in order."""
    found: list[tuple[Node, set[int]]] = []
    length = float(np.linalg.norm(b.u - a.u))
    left = a
    for _ in range(8):
        if left.signals == b.signals:
            break
        lo, hi = _bracket(curve, left, b)
        changed = {i for i, (s, t) in enumerate(zip(lo.signals, hi.signals, strict=True)) if s != t}
        if found and np.linalg.norm(hi.u - found[-1][0].u) < _SAME * max(length, 1e-3):
            found[-1][1].update(changed)
        else:
            found.append((hi, changed))
        if np.linalg.norm(b.u - hi.u) <= _BRACKET:
            break
        left = hi
    return [Event(node, frozenset(changed), position) for node, changed in found]


def _bracket(curve: Curve, a: Node, b: Node) -> tuple[Node, Node]:
    """Halve the way from `a` to `b` about the first change of `a`'s signals that it meets."""
    lo, hi = a, b
    while np.linalg.norm(hi.u - lo.u) > _BRACKET:
        middle = curve.between(lo, hi, 0.5)
        if middle is None:
            middle = curve.between(lo, hi, 0.45)
        if middle is None or not (middle.u - lo.u) @ (hi.u - lo.u) > 0:
            break
        if middle.signals == lo.signals:
            lo = middle
        else:
            hi = middle
    return lo, hi
