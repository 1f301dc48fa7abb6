"""Disconnectivity trees: which minima can reach each other below which energy.

Sources: Becker & Karplus, J. Chem. Phys. 106, 1495 (1997); Wales, Miller & Walsh, Nature 394,
758 (1998). The exact tree is the merge tree of the sublevel sets.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal, SupportsIndex

import numpy as np
from jaxtyping import Float, Int

from thalweg.core import ArgumentError

from ._network import TransitionNetwork
from ._tree_layout import Order, arrange, left_to_right


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DisconnectivityTree:
    """A forest of superbasins with a layout without crossing lines.

    Nodes `0 … n_leaves - 1` are the minima from left to right; after them come the superbasins by
    ascending height, so that every parent has a larger index than its children.

    Attributes:
        parent: Parent of each node, -1 at a root.
        height: Energy of each node: of the minimum at a leaf; at a superbasin the level at which
            its parts first join (in the exact tree, the energy of the transition state).
        branch: Energy at which the line from each node leaves the vertical towards its parent;
            the node's own `height` or one level below the parent's, whichever is higher.
        x: Horizontal position of each node, in units of leaves.
        size: Number of minima in each node.
        lowest: Leaf of the lowest minimum in each node.
        minimum: Position of each leaf in the network that the tree was made from.
        ids: Id of each leaf.
        levels: The energy levels, ascending; `None` for the exact tree.
        message: What was left out and why; empty when nothing was.
    """

    parent: Int[np.ndarray, " nodes"]
    height: Float[np.ndarray, " nodes"]
    branch: Float[np.ndarray, " nodes"]
    x: Float[np.ndarray, " nodes"]
    size: Int[np.ndarray, " nodes"]
    lowest: Int[np.ndarray, " nodes"]
    minimum: Int[np.ndarray, " leaves"]
    ids: Int[np.ndarray, " leaves"]
    levels: Float[np.ndarray, " levels"] | None
    message: str = ""

    @property
    def n_leaves(self) -> int:
        """Number of minima in the tree."""
        return len(self.minimum)

    @property
    def roots(self) -> Int[np.ndarray, " roots"]:
        """Nodes without a parent: one for each component."""
        return np.flatnonzero(self.parent < 0)

    def ancestors(self, node: SupportsIndex) -> list[int]:
        """The nodes from `node` (included) up to its root."""
        chain = [int(node)]
        while self.parent[chain[-1]] >= 0:
            chain.append(int(self.parent[chain[-1]]))
        return chain

    def join(self, a: SupportsIndex, b: SupportsIndex) -> float:
        """Height at which two leaves become one superbasin; infinity if they never do.

        Args:
            a: A leaf (a position from left to right).
            b: Another leaf.
        """
        above_a = set(self.ancestors(a))
        for node in self.ancestors(b):
            if node in above_a:
                return float(self.height[node])
        return float("inf")


def disconnectivity_tree(
    network: TransitionNetwork,
    *,
    levels: int | Sequence[float] | Float[np.ndarray, " levels"] | None = 64,
    e_max: float | None = None,
    components: Literal["global", "all"] = "global",
    min_size: int = 1,
    order: Order = "centre",
) -> DisconnectivityTree:
    """The disconnectivity tree of a network; never fails for lack of data.

    The cost is that of sorting the transition states.

    Args:
        network: Minima and transition states.
        levels: Number of equally spaced energy levels (the classic graph), or the levels
            themselves, ascending, or `None` for the exact merge tree. The top level is the lowest
            energy at which everything is joined, unless levels are given.
        e_max: Leave out minima and transition states above this energy.
        components: `"global"` keeps what is connected to the global minimum; `"all"` keeps
            every component (those of fewer than `min_size` minima excepted), side by side.
        min_size: With `components="all"`, the smallest component worth drawing.
        order: Arrangement of the branches: `"centre"` lets the lowest basin of each junction
            continue its stem and hangs the others evenly on both sides (large ones beside it);
            `"energy"` puts the lowest to the left, `"size"` the largest to the left.

    Raises:
        ArgumentError: if the levels are not ascending or there are none.

    Example: `disconnectivity_tree(landscape.network, levels=None).join(0, 1)`
    """
    part, position, message = _chosen(network, e_max, components, min_size)
    if part.n_minima == 0:
        return _empty(message)
    forest = part.spanning_forest
    grid = _levels(levels, forest.energies, part.energies)
    heights, ends = forest.energies, forest.minima
    if grid is not None:
        bins = np.searchsorted(grid, heights, side="left")
        inside = bins < len(grid)
        heights, ends = grid[bins[inside]], ends[inside]
    children, height = _merge(part.energies, ends, heights)
    size, lowest = _summaries(part, children)
    arranged, middle = arrange(children, size, lowest, order)
    return _assemble(part, position, (arranged, middle), height, grid, message)


def _chosen(
    network: TransitionNetwork,
    e_max: float | None,
    components: Literal["global", "all"],
    min_size: int,
) -> tuple[TransitionNetwork, Int[np.ndarray, " kept"], str]:
    """The part of the network to draw, where its minima stood, and a word on the rest."""
    if network.n_minima == 0:
        return network, np.zeros(0, dtype=int), "there are no minima yet"
    part, notes = network, []
    position = np.arange(network.n_minima)
    if e_max is not None:
        keep = network.energies <= e_max
        part, position = network.below(e_max), position[keep]
        if part.n_minima == 0:
            return part, position, f"no minimum lies below e_max = {e_max:g}"
        if part.n_minima < network.n_minima:
            notes.append(f"{network.n_minima - part.n_minima} minima lie above e_max = {e_max:g}")
    labels = part.components
    keep = labels == 0 if components == "global" else np.bincount(labels)[labels] >= min_size
    if not part.n_transition_states and part.n_minima > 1:
        notes.append("there are no transition states")
    if not keep.all():
        why = (
            "are not connected to the global minimum"
            if components == "global"
            else f"are in components of fewer than {min_size}"
        )
        notes.append(f"{np.count_nonzero(~keep)} of {part.n_minima} minima {why} (not shown)")
        part, position = part.select(keep), position[keep]
    return part, position, "; ".join(notes)


def _levels(
    levels: int | Sequence[float] | Float[np.ndarray, " levels"] | None,
    edges: Float[np.ndarray, " edges"],
    energies: Float[np.ndarray, " minima"],
) -> Float[np.ndarray, " levels"] | None:
    """The levels as an ascending array, the top one reaching the highest edge."""
    if levels is None:
        return None
    if not isinstance(levels, int):
        grid = np.asarray(levels, dtype=float)
        if grid.ndim != 1 or len(grid) == 0 or not (np.diff(grid) > 0).all():
            raise ArgumentError(f"levels must be ascending energies, got {levels!r}")
        return grid
    if levels < 1:
        raise ArgumentError(f"levels={levels} must be at least 1, or None for the exact tree")
    top = float(edges[-1]) if len(edges) else float(energies.max())
    bottom = float(energies.min())
    step = (top - bottom) / levels
    grid = np.unique(top - step * np.arange(levels)[::-1])
    grid[-1] = top
    return grid


def _merge(
    energies: Float[np.ndarray, " minima"],
    ends: Int[np.ndarray, "edges 2"],
    heights: Float[np.ndarray, " edges"],
) -> tuple[list[list[int]], Float[np.ndarray, " nodes"]]:
    """Children and height of every node: union-find over the edges, equal heights merged.

    Edges must ascend. Children have smaller indices than their parents; leaves come first.
    """
    count = len(energies)
    children: list[list[int]] = [[] for _ in range(count)]
    height = [float(energy) for energy in energies]
    above = list(range(count))  # union-find links between minima
    node_of = list(range(count))  # the top node of the basin of each union-find root

    def root(i: int) -> int:
        while above[i] != i:
            above[i] = above[above[i]]
            i = above[i]
        return i

    for (a, b), energy in zip(ends.tolist(), heights.tolist(), strict=True):
        left, right = root(a), root(b)
        if left == right:
            continue
        parts = [node_of[left], node_of[right]]
        same = [node for node in parts if node >= count and height[node] == energy]
        if same:
            joined = max(same, key=lambda node: len(children[node]))
        else:
            joined = len(children)
            children.append([])
            height.append(energy)
        for part in parts:
            if part in same and part != joined:
                children[joined] += children[part]
                children[part] = []
            elif part != joined:
                children[joined].append(part)
        above[right] = left
        node_of[left] = joined
    return children, np.array(height)


def _summaries(
    network: TransitionNetwork, children: list[list[int]]
) -> tuple[list[int], list[int]]:
    """Number of minima in each node, and the rank by energy of the lowest one."""
    count = network.n_minima
    size = [1] * count
    lowest = _ranks(network).tolist()
    for below in children[count:]:
        size.append(sum(size[child] for child in below))
        lowest.append(min((lowest[child] for child in below), default=count))
    return size, lowest


def _ranks(network: TransitionNetwork) -> Int[np.ndarray, " minima"]:
    """Rank of each minimum by energy, of equals by id."""
    rank = np.empty(network.n_minima, dtype=int)
    rank[np.lexsort((network.ids, network.energies))] = np.arange(network.n_minima)
    return rank


def _assemble(
    part: TransitionNetwork,
    position: Int[np.ndarray, " minima"],
    layout: tuple[list[list[int]], list[list[int]]],
    old_height: Float[np.ndarray, " nodes"],
    grid: Float[np.ndarray, " levels"] | None,
    message: str,
) -> DisconnectivityTree:
    """Number the nodes for the drawing and gather their arrays."""
    (arranged, middle), count = layout, part.n_minima
    leaves = np.array(left_to_right(arranged, count))
    first = np.empty(len(old_height))
    first[leaves] = np.arange(count)
    joints = [node for node in range(count, len(old_height)) if arranged[node]]
    for node in joints:
        first[node] = first[arranged[node][0]]
    joints.sort(key=lambda node: (old_height[node], first[node]))
    old = [*leaves.tolist(), *joints]
    new = {node: i for i, node in enumerate(old)}
    total = len(old)
    parent, size = np.full(total, -1), np.ones(total, dtype=int)
    x, height = np.arange(float(total)), old_height[old]
    rank, lowest = _ranks(part)[leaves], np.arange(total)
    for i in range(count, total):
        below = [new[child] for child in arranged[old[i]]]
        parent[below] = i
        size[i] = size[below].sum()
        lowest[i] = min(lowest[below], key=lambda leaf: rank[leaf])
        ends = x[[new[child] for child in middle[old[i]]]]
        x[i] = 0.5 * (ends.min() + ends.max())
    return DisconnectivityTree(
        parent=parent,
        height=height,
        branch=_branches(parent, height, grid),
        x=x,
        size=size,
        lowest=lowest,
        minimum=position[leaves],
        ids=part.ids[leaves],
        levels=grid,
        message=message,
    )


def _branches(
    parent: Int[np.ndarray, " nodes"],
    height: Float[np.ndarray, " nodes"],
    grid: Float[np.ndarray, " levels"] | None,
) -> Float[np.ndarray, " nodes"]:
    """Where each node's line leaves the vertical."""
    above = np.where(parent >= 0, height[parent], height)
    if grid is None:
        return above
    level = np.searchsorted(grid, above)
    below = np.where(level > 0, grid[np.maximum(level - 1, 0)], -np.inf)
    return np.where(parent >= 0, np.maximum(height, below), height)


def _empty(message: str) -> DisconnectivityTree:
    none, nothing = np.zeros(0, dtype=int), np.zeros(0)
    return DisconnectivityTree(
        parent=none,
        height=nothing,
        branch=nothing,
        x=nothing,
        size=none,
        lowest=none,
        minimum=none,
        ids=none,
        levels=None,
        message=message,
    )
