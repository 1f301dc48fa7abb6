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
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree
from numpy.typing import ArrayLike

from thalweg.core import AbstractDynamics, AbstractMap, ArgumentError, jacobian, require_x64
from thalweg.dynamics import AbstractCircuit, fixed_points
from thalweg.landscape import (
    Discovery,
    FlowGraph,
    FlowLink,
    FlowNode,
    Round,
    Store,
    StoreHeader,
)

from ._config import versions
from ._flow_arrivals import Arrivals, Law, rest_nodes, spacing, unstable_directions

_PUSH = 1e-3
"""How far a rest is left, as a share of the distance to the next rest."""


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
        The graph as stored; `Landscape.open(store).flow` reads it again.

    Raises:
        ArgumentError: if an argument is out of range, or does not fit the dynamics.
        PrecisionError: if float64 is off.
        StoreError: if the store cannot be used, or belongs to another call.
    """
    require_x64()
    points = _starts(dynamics, drive, config, dof, starts)
    title = name or type(dynamics).__name__
    print_ = _fingerprint(dynamics, drive, config, points)
    law = Law(dynamics, drive, config.time, config.extent)
    header = StoreHeader(
        fingerprint=print_,
        name=title,
        dof=points.shape[1],
        kind="flow",
        system={"discrete": law.discrete},
    )
    with Store.open(store, header) as opened:
        opened.begin_run(dataclasses.asdict(config), versions(), str(config.key))
        status = "interrupted"
        try:
            journey = _Journey(law, config, points, opened)
            while not (interrupted is not None and interrupted()):
                said = journey.step()
                if said is None:
                    status = "finished"
                    break
                if report is not None:
                    report(said)
        finally:
            opened.end_run(status)
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

    def __init__(self, law: Law, config: FlowMapConfig, points: np.ndarray, store: Store):
        self.law, self.config, self.points, self.store = law, config, points, store
        self.began = 0.0

    def step(self) -> str | None:
        """Make the next step and say what it brought; `None` when all is done."""
        self.began = time.perf_counter()
        if self.store.next_round == 0:
            return self._rests()
        graph = self.store.graph()
        if self.store.next_round == 1:
            return self._follow(graph)
        followed = {way.source for way in graph.links}
        left = [
            node
            for node in graph.nodes
            if node.kind in {"saddle", "source"} and not node.periodic and node.id not in followed
        ]
        return self._leave(graph, left[0]) if left else None

    def _commit(self, kind: str, attempts: int, facts: dict[str, int], **brought: Any) -> None:
        """One transaction; `facts` are added to the totals so far."""
        state = {**self.store.state, **facts}
        self.store.commit_round(
            Round(
                number=self.store.next_round,
                kind=kind,
                attempts=attempts,
                seconds=time.perf_counter() - self.began,
                state=state,
                **brought,
            )
        )

    def _rests(self) -> str:
        half = self.points[: max(1, min(self.config.starts, len(self.points)))]
        found = fixed_points(self.law.dynamics, self.law.drive, starts=half)
        new = rest_nodes(found, 0)
        facts = {"newton_starts": found.starts, "converged": round(found.converged * found.starts)}
        self._commit("rests", found.starts, facts, nodes=new)
        return f"{len(new)} rests from {found.starts} starts"

    def _follow(self, graph: FlowGraph) -> str:
        """Random starts, and what they settle on."""
        count = min(self.config.paths, len(self.points))
        seen = Arrivals(self.law, graph, self.points[-count:])
        hits = Counter(end for end in seen.ends if end is not None)
        facts = {
            "starts": count,
            "blown_up": seen.words.count("blown up"),
            "undecided": seen.words.count("undecided"),
        }
        discoveries = [Discovery(kind="node", id=n, count=times) for n, times in hits.items()]
        self._commit("starts", count, facts, nodes=seen.new, discoveries=discoveries)
        return (
            f"{count} starts followed: {facts['blown_up']} blew up, {facts['undecided']} "
            f"undecided, {len(seen.new)} new"
        )

    def _leave(self, graph: FlowGraph, node: FlowNode) -> str:
        """Both ways out along each unstable direction of a rest."""
        matrix = np.asarray(jacobian(self.law.dynamics, jnp.asarray(node.x), self.law.drive))
        rates, directions = unstable_directions(matrix, node.unstable, discrete=self.law.discrete)
        push = _PUSH * spacing(graph, node)
        ways = [(i, side) for i in range(len(directions)) for side in (1, -1)]
        starts = np.array([node.x + side * push * directions[i] for i, side in ways])
        seen = Arrivals(self.law, graph, starts)
        links = [
            FlowLink(node.id, i, side, float(rates[i]), seen.words[row], seen.ends[row])
            for row, (i, side) in enumerate(ways)
        ]
        self._commit("ways", len(ways), {}, nodes=seen.new, links=links)
        targets = ", ".join("?" if link.target is None else str(link.target) for link in links)
        return f"rest {node.id} ({node.unstable} unstable) leads to {targets}"
