"""Which transition states a path goes over."""

import heapq
from collections.abc import Sequence

import numpy as np

from thalweg.core import ArgumentError

from ._network import TransitionNetwork

Route = tuple[list[int], list[int]]
"""Positions of the minima that a path visits, and of the transition states between them."""


def lowest_route(network: TransitionNetwork, a: int, b: int) -> Route:
    """The path over the lowest barrier between two minima.

    Of all paths whose highest transition state is the lowest possible, the one with the least
    sum of barriers (the height of each transition state above the minimum before it), of equals
    the one with the fewest steps. The way back is the same path: turned round, every sum changes
    by the same `E_b - E_a`.

    Args:
        network: Where to look.
        a: Position of the first minimum.
        b: Position of the last.

    Returns:
        Positions of the minima, one more than of transition states, and of those.

    Raises:
        ArgumentError: if no path leads from one to the other, or they are the same.
    """
    ids = network.ids
    if a == b:
        raise ArgumentError(
            f"the path from minimum {ids[a]} to itself has no step",
            "name two minima; a degenerate rearrangement goes `via` its transition state",
        )
    barrier = network.lowest_barrier(a, b)
    if not np.isfinite(barrier):
        raise ArgumentError(
            f"no path leads from minimum {ids[a]} to minimum {ids[b]}: they are in different "
            "pieces of the network",
            "map on until they are connected",
        )
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for edge in network.lowest_edges():
        if network.ts_energies[edge] <= barrier:
            i, j = (int(end) for end in network.ts_minima[edge])
            neighbours.setdefault(i, []).append((j, int(edge)))
            neighbours.setdefault(j, []).append((i, int(edge)))
    return _dijkstra(network, neighbours, a, b)


def _dijkstra(
    network: TransitionNetwork, neighbours: dict[int, list[tuple[int, int]]], a: int, b: int
) -> Route:
    """Least sum of barriers, then fewest steps."""
    before: dict[int, tuple[int, int]] = {}
    queue: list[tuple[float, int, int, int, int]] = [(0.0, 0, a, -1, -1)]
    while queue:
        total, steps, node, parent, edge = heapq.heappop(queue)
        if node in before:
            continue
        before[node] = (parent, edge)
        if node == b:
            break
        for other, over in neighbours.get(node, ()):
            if other not in before:
                height = float(network.ts_energies[over] - network.energies[node])
                heapq.heappush(queue, (total + height, steps + 1, other, node, over))
    minima, edges = [b], []
    while minima[-1] != a:
        parent, edge = before[minima[-1]]
        minima.append(parent)
        edges.append(edge)
    return minima[::-1], edges[::-1]


def route_via(network: TransitionNetwork, a: int, b: int, via: Sequence[int]) -> Route:
    """The path over given transition states, one after the other.

    Args:
        network: Where they are.
        a: Position of the first minimum.
        b: Position of the last.
        via: Ids of the transition states, in order; degenerate ones lead back to their minimum.

    Raises:
        ArgumentError: if there is no such transition state, or the chain does not hold.
    """
    if not len(via):
        raise ArgumentError("via is empty", "name at least one transition state, or leave it out")
    position = {int(known): i for i, known in enumerate(network.ts_ids)}
    minima, edges = [a], []
    for wanted in via:
        if int(wanted) not in position:
            raise ArgumentError(f"via holds {wanted}, but there is no transition state of that id")
        edge = position[int(wanted)]
        i, j = (int(end) for end in network.ts_minima[edge])
        if minima[-1] not in {i, j}:
            raise ArgumentError(
                f"the chain breaks at transition state {wanted}: it joins minima "
                f"{network.ids[i]} and {network.ids[j]}, and the path has come to minimum "
                f"{network.ids[minima[-1]]}",
                "list the transition states in the order in which the path crosses them",
            )
        edges.append(edge)
        minima.append(j if minima[-1] == i else i)
    if minima[-1] != b:
        raise ArgumentError(
            f"the chain ends in minimum {network.ids[minima[-1]]}, not in minimum {network.ids[b]}",
            "add the transition states that are missing",
        )
    return minima, edges
