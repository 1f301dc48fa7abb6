"""Which minima stand for their surroundings."""

import numpy as np
from jaxtyping import Float, Int

from thalweg.landscape import DisconnectivityTree, TransitionNetwork, disconnectivity_tree


def notable_minima(network: TransitionNetwork, count: int) -> Int[np.ndarray, " chosen"]:
    """Positions of the deepest minima of the component of the global minimum, deepest first.

    Depth is how far one must climb from a minimum before a lower one can be reached; the global
    minimum comes first. It is the persistence of the minimum in the merge tree.

    Args:
        network: Minima and transition states.
        count: How many at most.
    """
    tree = disconnectivity_tree(network, levels=None)
    depth = _depths(tree)
    order = np.lexsort((tree.ids, -depth))
    return tree.minimum[order[:count]]


def _depths(tree: DisconnectivityTree) -> Float[np.ndarray, " leaves"]:
    """Depth of each leaf; infinite at the lowest of a root."""
    depth = np.full(tree.n_leaves, np.inf)
    for node, parent in enumerate(tree.parent.tolist()):
        if parent >= 0 and tree.lowest[node] != tree.lowest[parent]:
            leaf = tree.lowest[node]
            depth[leaf] = tree.height[parent] - tree.height[leaf]
    return depth
