"""The map of a flow: its rests and cycles, and where the unstable ways out of each rest lead.

Steps, each of them one transaction, so that a killed process loses at most the one in hand:

1. rests: Newton's method from many starts;
2. starts: random starts are followed; what settles on nothing known is looked at for new rests and
   for cycles;
3. ways: every unstable rest is left along each unstable direction, both ways.

Everything follows from the key and the arguments, so that the same call goes on to the same end.
"""

import dataclasses
import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree
from numpy.typing import ArrayLike

from thalweg.core import AbstractDynamics, AbstractMap, ArgumentError, require_x64
from thalweg.dynamics import (
    BLOWN_UP,
    NONFINITE,
    UNDECIDED,
    AbstractCircuit,
    Cycle,
    FixedPoints,
    Reach,
    fixed_points,
    reach,
    recognise_cycle,
)
from thalweg.landscape import FlowGraph, FlowLink, FlowNode, FlowStore, NodeKind, StoreHeader

_NEUTRAL = 1e-9
"""An eigenvalue this near the border, as a share of the largest, has no side."""

_PUSH = 1e-3
"""How far a rest is left, as a share of the distance to the next rest."""

_PATIENCE = 60.0
"""Time that a path is given, in units of the slowest decay at any rest."""

_MAP_STEPS = 4000
_ON_LOOP = 0.03
"""A point belongs to a cycle within this share of its size: its loop has 256 points."""

_LOOKS = 8
"""Undecided paths of a step that are watched for a cycle."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowMapConfig:
    """Wishes for the map of a flow.

    Attributes:
        key: Seed of all random numbers.
        starts: Random starts of Newton's method.
        paths: Random starts that are followed.
        scale: Standard deviation of random starts; what a circuit proposes, else 1.
        time: How long a path is followed; by default sixty times the slowest decay at a rest
            (4000 steps of a map).
        extent: A path has blown up when a coordinate is larger than this.
    """

    key: int = 0
    starts: int = 256
    paths: int = 256
    scale: float | None = None
    time: float | None = None
    extent: float = 1e6

    def __post_init__(self):
        if self.starts < 1 or self.paths < 1 or not self.extent > 0:
            raise ArgumentError(
                f"starts={self.starts}, paths={self.paths}, extent={self.extent}: must be positive"
            )
        for name in ("scale", "time"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ArgumentError(f"{name}={value} must be positive")


def map_flow(  # noqa: PLR0913 - all but two have defaults
    dynamics: AbstractDynamics | AbstractMap,
    store: str | Path,
    drive: PyTree = None,
    config: FlowMapConfig = FlowMapConfig(),
    *,
    name: str = "",
    dof: int | None = None,
    starts: ArrayLike | None = None,
    report: Callable[[str], None] | None = None,
    interrupted: Callable[[], bool] | None = None,
) -> FlowGraph:
    """Find the attractors of a flow or map, its unstable rests, and what leads where.

    Args:
        dynamics: The vector field or map; it must not depend on time.
        store: File name or SQLAlchemy URL. An existing store of the same call is continued.
        drive: Constant external input.
        config: Wishes.
        name: What it is called; by default the name of its class.
        dof: Number of coordinates, where the dynamics does not say it.
        starts: Points to start from, `(starts, dof)`, instead of random ones.
        report: Called with a sentence after every step.
        interrupted: Looked at between steps; once true, the map ends with what it has.

    Returns:
        The graph as stored.

    Raises:
        ArgumentError: if an argument is out of range, or does not fit the dynamics.
        PrecisionError: if float64 is off.
        StoreError: if the store cannot be used, or belongs to another call.
    """
    require_x64()
    points = _starts(dynamics, drive, config, dof, starts)
    title = name or type(dynamics).__name__
    print_ = _fingerprint(dynamics, drive, config, points)
    header = StoreHeader(fingerprint=print_, name=title, dof=points.shape[1])
    with FlowStore.open(store, header) as opened:
        journey = _Journey(dynamics, drive, config, points, opened)
        while not (interrupted is not None and interrupted()):
            said = journey.step()
            if said is None:
                break
            if report is not None:
                report(said)
        return opened.graph()


def _starts(
    dynamics: Any, drive: PyTree, config: FlowMapConfig, dof: int | None, given: Any
) -> np.ndarray:
    """Points for Newton's method and for paths, `(starts + paths, dof)`, or those given."""
    if given is not None:
        points = np.asarray(given, np.float64)
        if points.ndim != 2 or not points.size or not np.isfinite(points).all():
            raise ArgumentError(f"starts has shape {points.shape}: finite (starts, dof) expected")
        return points
    root = jax.random.key(config.key)
    number = config.starts + config.paths
    if config.scale is None and isinstance(dynamics, AbstractCircuit):
        return np.asarray(dynamics.starts(root, number, drive), np.float64)
    size = dof or getattr(dynamics, "dof", None)
    if not isinstance(size, int):
        raise ArgumentError(
            f"{type(dynamics).__name__} does not say how many coordinates it has", "pass dof=N"
        )
    return (config.scale or 1.0) * np.asarray(jax.random.normal(root, (number, size)))


def _fingerprint(dynamics: Any, drive: PyTree, config: FlowMapConfig, points: np.ndarray) -> str:
    """A hash of the velocity at some of the starts, and of the wishes."""
    digest = hashlib.sha256(f"{points.shape};{config}".encode())
    for x in points[:3]:
        velocity = np.asarray(dynamics(jnp.zeros(()), jnp.asarray(x), drive))
        digest.update(";".join(f"{value:.8e}" for value in [*x, *velocity]).encode())
    return digest.hexdigest()[:16]


class _Journey:
    """One step after the other, each from what the store holds."""

    def __init__(
        self,
        dynamics: Any,
        drive: PyTree,
        config: FlowMapConfig,
        points: np.ndarray,
        store: FlowStore,
    ):
        self.dynamics, self.drive, self.config = dynamics, drive, config
        self.points, self.store = points, store
        self.discrete = isinstance(dynamics, AbstractMap)

    def step(self) -> str | None:
        """Make the next step and say what it brought; `None` when all is done."""
        number, graph = self.store.next_step, self.store.graph()
        if number == 0:
            return self._rests()
        if number == 1:
            return self._follow(graph)
        unstable = [node for node in graph.nodes if node.kind in {"saddle", "source"}]
        left = [node for node in unstable if all(way.source != node.id for way in graph.links)]
        return self._leave(graph, left[0]) if left else None

    def _rests(self) -> str:
        half = self.points[: max(1, min(self.config.starts, len(self.points)))]
        found = fixed_points(self.dynamics, self.drive, starts=half)
        new = self._nodes(found, 0)
        facts = {"converged": found.converged, "newton_starts": found.starts}
        self.store.commit_step("rests", facts, new=new)
        return f"{len(new)} rests from {found.starts} starts"

    def _nodes(self, found: FixedPoints, first: int) -> list[FlowNode]:
        return [_rest_node(first + i, found, i, discrete=self.discrete) for i in range(len(found))]

    def _follow(self, graph: FlowGraph) -> str:
        """Random starts, and what they settle on."""
        count = min(self.config.paths, len(self.points))
        seen = _Arrivals(self, graph, self.points[-count:])
        hits = {node: seen.ends.count(node) for node in set(seen.ends) if node is not None}
        old = {node.id for node in graph.nodes}
        new = [dataclasses.replace(node, hits=hits.get(node.id, 0)) for node in seen.new]
        facts = {"starts": count, "blown_up": seen.words.count("blown up")}
        facts["undecided"] = seen.words.count("undecided")
        self.store.commit_step(
            "starts", facts, new=new, hits={n: h for n, h in hits.items() if n in old}
        )
        return (
            f"{count} starts followed: {facts['blown_up']} blew up, {facts['undecided']} "
            f"undecided, {len(new)} new"
        )

    def _leave(self, graph: FlowGraph, node: FlowNode) -> str:
        """Both ways out along each unstable direction of a rest."""
        matrix = self._jacobian(node.x)
        rates, directions = unstable_directions(matrix, node.unstable, discrete=self.discrete)
        push = _PUSH * _spacing(graph, node)
        ways = [(i, side) for i in range(len(directions)) for side in (1, -1)]
        starts = np.array([node.x + side * push * directions[i] for i, side in ways])
        seen = _Arrivals(self, graph, starts)
        links = [
            FlowLink(node.id, i, side, float(rates[i]), seen.words[row], seen.ends[row])
            for row, (i, side) in enumerate(ways)
        ]
        self.store.commit_step("ways", {"node": node.id}, new=seen.new, ways=links)
        targets = ", ".join("?" if link.target is None else str(link.target) for link in links)
        return f"rest {node.id} ({node.unstable} unstable) leads to {targets}"

    def _jacobian(self, x: np.ndarray) -> np.ndarray:
        from thalweg.core import jacobian

        return np.asarray(jacobian(self.dynamics, jnp.asarray(x), self.drive))

    def patience(self, graph: FlowGraph) -> float:
        """How long a path is followed."""
        if self.config.time is not None:
            return self.config.time
        if self.discrete:
            return float(_MAP_STEPS)
        slow = [float(np.abs(np.real(node.eigenvalues)).min()) for node in graph.nodes
                if node.eigenvalues.size and node.kind != "neutral"]  # fmt: skip
        if not slow:
            raise ArgumentError(
                "no rest was found that could tell how long to follow a path", "give time="
            )
        return _PATIENCE / min(slow)


class _Arrivals:
    """What starts come to: known nodes, new rests and cycles, nothing."""

    def __init__(self, journey: _Journey, graph: FlowGraph, starts: np.ndarray):
        self.journey, self.graph = journey, graph
        self.new: list[FlowNode] = []
        rests = [node for node in graph.nodes if node.kind == "rest"]
        self.radius = 1e-3 * min((_spacing(graph, node) for node in graph.nodes), default=1.0)
        self.time = journey.patience(graph)
        dof = starts.shape[1]
        found = reach(
            journey.dynamics,
            starts,
            np.array([node.x for node in rests]).reshape(-1, dof),
            journey.drive,
            time=self.time,
            radius=self.radius,
            extent=journey.config.extent,
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
            near = fixed_points(self.journey.dynamics, self.journey.drive, starts=found.end[still])
            first = len(self.graph.nodes) + len(self.new)
            for node in self.journey._nodes(near, first):
                old = [n for n in self._known if _apart(n.x, node.x) <= 10 * self.radius]
                if not old:
                    fresh = dataclasses.replace(node, id=len(self.graph.nodes) + len(self.new))
                    self.new.append(fresh)
            for row in still:
                self._settle(row, found.end[row])
        looks = 0
        for row in open_.tolist():
            if self.words[row] != "undecided" or self._on_known_cycle(row, found.end[row]):
                continue
            if looks < _LOOKS:
                looks += 1
                cycle = recognise_cycle(
                    self.journey.dynamics, found.end[row], self.journey.drive,
                    time=self.time, extent=self.journey.config.extent,
                )  # fmt: skip
                if cycle is not None:
                    self._add(cycle)
                    self._on_known_cycle(row, found.end[row])

    @property
    def _known(self) -> list[FlowNode]:
        return [*self.graph.nodes, *self.new]

    def _settle(self, row: int, x: np.ndarray) -> None:
        """A path that hardly moves, at a rest of either kind."""
        for node in self._known:
            if node.kind != "cycle" and _apart(node.x, x) <= 10 * self.radius:
                self.ends[row] = node.id
                self.words[row] = "attractor" if node.attracts else "saddle"
                return

    def _on_known_cycle(self, row: int, x: np.ndarray) -> bool:
        for node in self._known:
            if node.kind == "cycle":
                size = float(np.ptp(node.loop, axis=0).max())
                if np.linalg.norm(node.loop - x, axis=1).min() <= _ON_LOOP * size:
                    self.ends[row], self.words[row] = node.id, "attractor"
                    return True
        return False

    def _add(self, cycle: Cycle) -> None:
        dof = cycle.loop.shape[1]
        self.new.append(
            FlowNode(
                id=len(self.graph.nodes) + len(self.new), kind="cycle", x=cycle.loop[0],
                unstable=0, eigenvalues=np.zeros(0, complex), period=cycle.period,
                loop=cycle.loop.reshape(-1, dof), hits=0,
            )
        )  # fmt: skip


def _rest_node(number: int, found: FixedPoints, i: int, *, discrete: bool) -> FlowNode:
    """A fixed point as a node: on which side of the border each eigenvalue lies."""
    values = np.asarray(found.spectra[i], complex)
    off = np.abs(values) - 1.0 if discrete else np.real(values)
    slack = max(_NEUTRAL * float(np.abs(values).max(initial=0.0)), float(found.doubts[i]))
    unstable = int((off > slack).sum())
    kind: NodeKind = "saddle"
    if (np.abs(off) <= slack).any():
        kind = "neutral"
    elif unstable == 0:
        kind = "rest"
    elif unstable == len(values):
        kind = "source"
    x = np.asarray(found.points[i], float)
    return FlowNode(number, kind, x, unstable, values, math.nan, np.zeros((0, len(x))), 0)


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


def _spacing(graph: FlowGraph, node: FlowNode) -> float:
    """Distance to the next rest, or the size of a single one (at least 1)."""
    others = [
        _apart(other.x, node.x)
        for other in graph.nodes
        if other.id != node.id and other.kind != "cycle"
    ]
    return min(others) if others else max(1.0, float(np.abs(node.x).max(initial=0.0)))


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b))
