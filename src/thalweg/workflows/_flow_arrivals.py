"""What paths of a flow come to: known nodes, new rests, cycles, or nothing."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import PyTree

from thalweg.core import AbstractMap, ArgumentError
from thalweg.dynamics import (
    BLOWN_UP,
    NONFINITE,
    UNDECIDED,
    Cycle,
    FixedPoints,
    Reach,
    Verdict,
    fixed_points,
    floquet_multipliers,
    reach,
    recognise_cycle,
)
from thalweg.landscape import FlowGraph, FlowNode, NodeKind

_NEUTRAL = 1e-9
"""An eigenvalue this near the border, as a share of the largest, has no side."""

_PATIENCE = 60.0
"""Time that a path is given, in units of the slowest decay at any rest."""

_MAP_STEPS = 4000
_ON_LOOP = 0.03
"""A point belongs to a cycle within this share of its size: its loop is a polygon."""

_LOOKS = 8
"""Undecided paths of a step that are watched for a cycle."""


@dataclasses.dataclass(frozen=True, eq=False)
class Law:
    """What is followed: the dynamics, its constant input, and when a path is given up.

    Attributes:
        dynamics: The vector field or map.
        drive: Its constant input.
        time: How long a path is followed; `None` takes sixty times the slowest decay at a rest.
        extent: A path has blown up when a coordinate is larger than this.
    """

    dynamics: Any
    drive: PyTree
    time: float | None
    extent: float

    @property
    def discrete(self) -> bool:
        """Whether it is a map."""
        return isinstance(self.dynamics, AbstractMap)

    def patience(self, graph: FlowGraph) -> float:
        """How long a path is followed.

        Raises:
            ArgumentError: if neither a wish nor a rest tells.
        """
        if self.time is not None:
            return self.time
        if self.discrete:
            return float(_MAP_STEPS)
        slow = [
            float(np.abs(np.real(node.eigenvalues)).min())
            for node in graph.nodes
            if node.eigenvalues.size and not node.periodic and node.kind != "neutral"
        ]
        if not slow:
            raise ArgumentError(
                "no rest was found that could tell how long to follow a path", "give time="
            )
        return _PATIENCE / min(slow)


class Arrivals:
    """Where paths from some starts end.

    Attributes:
        ends: For each start the id of the node that it came to, or `None`.
        words: For each start how it ended (see `thalweg.landscape.End`).
        new: Nodes that were not known before, with the ids that come next.
    """

    def __init__(self, law: Law, graph: FlowGraph, starts: np.ndarray):
        self.law, self.graph = law, graph
        self.new: list[FlowNode] = []
        rests = [node for node in graph.nodes if node.kind == "rest"]
        self.radius = 1e-3 * min((spacing(graph, node) for node in graph.nodes), default=1.0)
        self.time = law.patience(graph)
        dof = starts.shape[1]
        found = reach(
            law.dynamics,
            starts,
            np.array([node.x for node in rests]).reshape(-1, dof),
            law.drive,
            time=self.time,
            radius=self.radius,
            extent=law.extent,
        )
        self.ends: list[int | None] = [
            rests[label].id if label >= 0 else None for label in found.labels.tolist()
        ]
        gone = np.isin(found.labels, (BLOWN_UP, NONFINITE))
        self.words: list[Any] = [
            "attractor" if end is not None else "blown up" if lost else "undecided"
            for end, lost in zip(self.ends, gone.tolist(), strict=True)
        ]
        self._look_closer(found)

    def _look_closer(self, found: Reach) -> None:
        """Undecided paths: at a rest that was not known, at a saddle, or on a cycle?"""
        open_ = np.flatnonzero((found.labels == UNDECIDED) & np.isfinite(found.end).all(axis=1))
        still = [int(row) for row in open_ if found.resting[row]]
        if still:
            near = fixed_points(self.law.dynamics, self.law.drive, starts=found.end[still])
            for node in rest_nodes(near, 0):
                old = [n for n in self._known if _apart(n.x, node.x) <= 10 * self.radius]
                if not old:
                    self.new.append(dataclasses.replace(node, id=len(self._known)))
            for row in still:
                self._settle(row, found.end[row])
        looks = 0
        for row in open_.tolist():
            if self.words[row] != "undecided" or self._on_known_cycle(row, found.end[row]):
                continue
            if looks < _LOOKS:
                looks += 1
                cycle = recognise_cycle(
                    self.law.dynamics, found.end[row], self.law.drive,
                    time=self.time, extent=self.law.extent,
                )  # fmt: skip
                if cycle is None:
                    continue
                node = cycle_node(self.law, cycle, len(self._known))
                # A path that winds slowly onto a known cycle has not come to it, but its cycle has.
                if not self._on_known_cycle(row, node.x):
                    self.new.append(node)
                    self._arrive(row, node)

    @property
    def _known(self) -> list[FlowNode]:
        return [*self.graph.nodes, *self.new]

    def _settle(self, row: int, x: np.ndarray) -> None:
        """A path that hardly moves, at a rest of either kind."""
        for node in self._known:
            if not node.periodic and _apart(node.x, x) <= 10 * self.radius:
                self._arrive(row, node)
                return

    def _on_known_cycle(self, row: int, x: np.ndarray) -> bool:
        for node in self._known:
            if node.periodic:
                size = float(np.ptp(node.loop, axis=0).max())
                if _from_loop(node.loop, x, closed=not self.law.discrete) <= _ON_LOOP * size:
                    self._arrive(row, node)
                    return True
        return False

    def _arrive(self, row: int, node: FlowNode) -> None:
        self.ends[row] = node.id
        self.words[row] = "attractor" if node.attracts else "saddle"


def rest_nodes(found: FixedPoints, first: int) -> list[FlowNode]:
    """Fixed points as nodes, numbered from `first`."""
    return [_rest_node(first + i, found, i) for i in range(len(found))]


def _rest_node(number: int, found: FixedPoints, i: int) -> FlowNode:
    """On which side of the border each eigenvalue lies."""
    values = np.asarray(found.spectra[i], complex)
    off = np.abs(values) - 1.0 if found.discrete else np.real(values)
    slack = max(_NEUTRAL * float(np.abs(values).max(initial=0.0)), float(found.doubts[i]))
    x = np.asarray(found.points[i], float)
    return FlowNode(
        id=number, kind=_kind(off, slack), x=x, unstable=int((off > slack).sum()),
        eigenvalues=values, loop=np.zeros((0, len(x))), residual=float(found.residuals[i]),
        doubt=slack,
    )  # fmt: skip


def _kind(off: np.ndarray, slack: float) -> NodeKind:
    unstable = int((off > slack).sum())
    if (np.abs(off) <= slack).any():
        return "neutral"
    if unstable == 0:
        return "rest"
    return "source" if unstable == len(off) else "saddle"


def cycle_node(law: Law, cycle: Cycle, number: int) -> FlowNode:
    """A recognised cycle, and by its Floquet multipliers what kind it is of.

    One whose multipliers cannot be had (they overflow, say) is `neutral`, without any.
    """
    try:
        found = floquet_multipliers(law.dynamics, cycle.loop[0], law.drive, period=cycle.period)
    except ArgumentError:
        return FlowNode(
            id=number, kind="neutral", x=cycle.loop[0], unstable=0, loop=cycle.loop,
            eigenvalues=np.zeros(0, complex), period=cycle.period,
            residual=cycle.closure * cycle.size,
        )  # fmt: skip
    kinds: dict[Verdict, NodeKind] = {
        Verdict.stable: "cycle", Verdict.unstable: "saddle", Verdict.undecided: "neutral",
    }  # fmt: skip
    return FlowNode(
        id=number, kind=kinds[found.verdict], x=found.x, unstable=found.unstable,
        eigenvalues=found.multipliers, period=found.period, loop=cycle.loop,
        residual=found.closure, doubt=found.doubt,
    )  # fmt: skip


def unstable_directions(
    matrix: np.ndarray, count: int, *, discrete: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Growth rates and unit directions that span the unstable space, the fastest first.

    Args:
        matrix: The Jacobian, `(dof, dof)`.
        count: Dimension of the unstable space.
        discrete: Whether it is a map's.

    Returns:
        Rates `(count,)` (real parts; logarithms of moduli for a map) and directions
        `(count, dof)`: eigenvectors, or real and imaginary part of those of a pair.
    """
    values, vectors = np.linalg.eig(matrix)
    growth = np.log(np.abs(values)) if discrete else np.real(values)
    rates, directions = [], []
    for i in np.argsort(-growth, kind="stable"):
        if len(rates) >= count or np.imag(values[i]) < 0:
            continue
        parts = [np.real(vectors[:, i])]
        if np.imag(values[i]) > 0:
            parts.append(np.imag(vectors[:, i]))
        for part in parts:
            rates.append(float(growth[i]))
            directions.append(part / np.linalg.norm(part))
    return np.array(rates), np.array(directions)


def spacing(graph: FlowGraph, node: FlowNode) -> float:
    """Distance to the next rest, or the size of a single one (at least 1)."""
    others = [
        _apart(other.x, node.x)
        for other in graph.nodes
        if other.id != node.id and not other.periodic
    ]
    return min(others) if others else max(1.0, float(np.abs(node.x).max(initial=0.0)))


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b))


def _from_loop(loop: np.ndarray, x: np.ndarray, *, closed: bool) -> float:
    """Distance from a point to a loop: to the polygon through its points, or to them alone.

    The points are spaced evenly in time, so that they lie far apart where a cycle is fast.
    """
    if not closed:
        return float(np.linalg.norm(loop - x, axis=1).min())
    side = np.roll(loop, -1, axis=0) - loop
    length = np.maximum(np.sum(side**2, axis=1), 1e-300)
    along = np.clip(np.sum((x - loop) * side, axis=1) / length, 0.0, 1.0)
    return float(np.linalg.norm(loop + along[:, None] * side - x, axis=1).min())
