"""The graph of a flow: its attractors, its unstable rests, and where their unstable ways lead.

A flow has no energy, and so no heights; what is left of a landscape is who leads to whom. A saddle
with one unstable direction has two ways out; where they lead to two attractors, the saddle lies on
the border between their basins, as a transition state does. A saddle of higher index is left along
each of its unstable eigenvectors, both ways: samples of a manifold with more dimensions.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Complex, Float

if TYPE_CHECKING:
    import networkx as nx

NodeKind = Literal["rest", "saddle", "source", "cycle", "neutral"]
"""`rest`: a stable fixed point. `saddle`, `source`: some, all directions unstable. `cycle`: an
attracting cycle. `neutral`: an eigenvalue so near the border that its side is not told. A `saddle`
or `neutral` node with a period is a cycle."""

End = Literal["attractor", "saddle", "blown up", "undecided"]
"""`saddle`: it came to rest at an unstable one, as symmetry can make it."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FlowNode:
    """A rest or a cycle, with the evidence for it.

    Attributes:
        id: Its number.
        kind: See `NodeKind`.
        x: The point, or one of the cycle's, `(dof,)`.
        unstable: Number of unstable directions.
        eigenvalues: Of the Jacobian there, `(dof,)`, the largest real part first. Of a cycle its
            Floquet multipliers, the largest modulus first after the one that is 1 along a flow.
        period: Of a cycle; NaN else.
        loop: Points of a cycle, `(points, dof)`; empty else.
        residual: Largest component of the velocity (of the displacement, for a map) at a rest; of
            a cycle the distance by which it misses closing after its period.
        doubt: How far an eigenvalue may be off, and so how near the border none is told apart.
        hits: Random starts that came to it. The store counts; in a new record it is ignored.
    """

    id: int
    kind: NodeKind
    x: Float[np.ndarray, " dof"]
    unstable: int
    eigenvalues: Complex[np.ndarray, " values"]
    period: float = float("nan")
    loop: Float[np.ndarray, "points dof"]
    residual: float = float("nan")
    doubt: float = float("nan")
    hits: int = 0

    @property
    def attracts(self) -> bool:
        """Whether it is an attractor."""
        return self.kind in {"rest", "cycle"}

    @property
    def periodic(self) -> bool:
        """Whether it is a cycle, of whatever kind."""
        return not math.isnan(self.period)


@dataclasses.dataclass(frozen=True)
class FlowLink:
    """One way out of an unstable rest.

    Attributes:
        source: Node that is left.
        direction: Number of the unstable direction, the fastest first.
        side: `1` or `-1`.
        rate: Real part of its eigenvalue, in the inverse of the time unit.
        end: How the path ended.
        target: The node it came to; `None` if it came to none.
    """

    source: int
    direction: int
    side: int
    rate: float
    end: End
    target: int | None


@dataclasses.dataclass(frozen=True, eq=False)
class FlowGraph:
    """Everything found about a flow or map.

    Attributes:
        name: What it is called.
        nodes: By id.
        links: The ways out of unstable rests that have been followed.
        starts: Random starts that were followed.
        blown_up: How many of them blew up.
        undecided: How many came to nothing known.
        discrete: Whether it is of a map; its eigenvalues are multipliers then, its time is steps.
    """

    name: str
    nodes: Sequence[FlowNode]
    links: Sequence[FlowLink]
    starts: int
    blown_up: int
    undecided: int
    discrete: bool = False

    @property
    def attractors(self) -> list[FlowNode]:
        """Stable rests and cycles."""
        return [node for node in self.nodes if node.attracts]

    def leading(self, node: FlowNode) -> complex:
        """The eigenvalue of a node that decides how stable it is; NaN if none is known.

        That of the largest real part at a rest of a flow, of the largest modulus at one of a map.
        Of a cycle it is the multiplier of the largest modulus; along the cycle of a flow itself one
        multiplier is 1, and it does not count.
        """
        values = node.eigenvalues
        if not node.periodic and not self.discrete:
            order = np.argsort(-np.real(values), kind="stable")
        else:
            values = values[0 if self.discrete else 1 :]
            order = np.argsort(-np.abs(values), kind="stable")
        return complex(values[order[0]]) if len(values) else complex(math.nan)

    def connections(self) -> list[tuple[int, int, int]]:
        """`(saddle, attractor, attractor)` for each index-1 saddle with both ways followed."""
        found = []
        for node in self.nodes:
            if node.kind != "saddle" or node.unstable != 1:
                continue
            ends = [link.target for link in self.links if link.source == node.id]
            known = sorted(end for end in ends if end is not None)
            if len(known) == 2:
                found.append((node.id, known[0], known[1]))
        return found

    def to_networkx(self) -> "nx.MultiDiGraph":
        """A directed graph; nodes and links carry their fields."""
        import networkx as nx

        graph: Any = nx.MultiDiGraph(name=self.name)
        for node in self.nodes:
            graph.add_node(
                node.id, kind=node.kind, unstable=node.unstable, hits=node.hits, x=node.x
            )
        for link in self.links:
            if link.target is not None:
                graph.add_edge(link.source, link.target, rate=link.rate, side=link.side)
        return graph

    def __str__(self) -> str:
        kinds = [node.kind for node in self.nodes]
        counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
        parts = [
            f"{many} {kind}{'s' if many != 1 and kind != 'neutral' else ''}"
            for kind, many in counts.items()
        ]
        lost = sum(link.target is None for link in self.links)
        return (
            f"{self.name}: {', '.join(parts) or 'no rest'}; {len(self.links)} ways out followed, "
            f"{lost} of them to no known attractor"
        )
