"""The order of a tree's branches from left to right, so that no lines cross."""

from typing import Literal

Order = Literal["centre", "energy", "size"]

# A basin that joins a lower one makes a fork, rather than a side branch of a straight stem, if it
# has at least so many minima, this share of all of them, and this ratio to those of the lower one.
_FORK_LEAST, _FORK_SHARE, _FORK_RATIO = 3.0, 0.05, 0.25


def arrange(
    children: list[list[int]], size: list[int], lowest: list[int], order: Order
) -> tuple[list[list[int]], list[list[int]]]:
    """Children of each node from left to right; a last entry holds the roots.

    Only energies, sizes and ids decide, never positions.

    Returns:
        The order, and for each node the children above whose middle it stands.
    """
    inside = {child for below in children for child in below}
    roots = [node for node in range(len(children)) if size[node] and node not in inside]
    arranged = [*children, roots]
    if order == "energy":
        arranged = [sorted(nodes, key=lambda node: lowest[node]) for nodes in arranged]
        return arranged, arranged
    if order == "size":
        arranged = [sorted(nodes, key=lambda n: (-size[n], lowest[n])) for nodes in arranged]
        return arranged, arranged
    large = max(_FORK_LEAST, _FORK_SHARE * sum(size[root] for root in roots))
    # How many minima already hang left and right of the stem that a node continues.
    weights = [(0, 0)] * len(arranged)
    middle = [list(nodes) for nodes in arranged]
    for node in range(len(arranged) - 1, -1, -1):
        if len(arranged[node]) > 1:
            arms, arranged[node], both = _around_stem(
                arranged[node], (size, lowest), weights[node], large
            )
            middle[node] = arms
            if len(arms) == 1:
                weights[arms[0]] = both
    return arranged, middle


def _around_stem(
    nodes: list[int],
    ranks: tuple[list[int], list[int]],
    weights: tuple[int, int],
    large: float,
) -> tuple[list[int], list[int], tuple[int, int]]:
    """Siblings with the lowest basin in the middle, the others by size outwards.

    Each goes to the side that carries less, counted along the whole stem. A sibling that is not
    small beside the lowest basin makes a fork: both are arms, and each begins a stem of its own.

    Returns:
        The arms (one if the stem goes straight on), the order from left to right, and what each
        side of the stem carries now.
    """
    size, lowest = ranks
    stem = min(nodes, key=lambda node: lowest[node])
    fork = max(large, _FORK_RATIO * size[stem])
    left, right = weights
    before, after, arms = [], [], [stem]
    for node in sorted(nodes, key=lambda node: (-size[node], lowest[node])):
        if node == stem:
            continue
        if size[node] >= fork:
            arms.append(node)
        if left <= right:
            before.append(node)
            left += size[node]
        else:
            after.append(node)
            right += size[node]
    return arms, [*reversed(before), stem, *after], (left, right)


def left_to_right(arranged: list[list[int]], count: int) -> list[int]:
    """Every leaf in the order of the drawing."""
    leaves: list[int] = []
    stack = arranged[-1][::-1]
    while stack:
        node = stack.pop()
        if node < count:
            leaves.append(node)
        stack.extend(reversed(arranged[node]))
    return leaves
