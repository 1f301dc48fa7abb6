"""The whole landscape of seven Lennard-Jones atoms: 4 minima and 12 transition states.

Six of the twelve lead from a minimum to a copy of itself, so no search between pairs of minima
finds them. Writes `lj7.db` and `lj7.png`. `SMOKE=1` stops at the known numbers; otherwise the map
goes on until its own estimate says that it is complete.
"""

import os
from pathlib import Path

import matplotlib as mpl
import numpy as np

import thalweg as tw

SMOKE = bool(os.environ.get("SMOKE"))

MINIMA = [-16.505384, -15.935043, -15.593211, -15.533060]
TRANSITION_STATES = [  # energy, and the ranks of the two minima by energy
    (-15.444734, 0, 1),
    (-15.319864, 1, 2),
    (-15.283421, 1, 3),
    (-15.097846, 1, 1),
    (-15.033384, 0, 2),
    (-15.026438, 0, 3),
    (-14.816400, 3, 3),
    (-14.811130, 3, 3),
    (-14.596946, 0, 3),
    (-14.568061, 2, 2),
    (-14.548573, 3, 3),
    (-12.548938, 2, 2),
]


def check(network):
    """Energies, and which minima each transition state joins."""
    rank = np.argsort(np.argsort(network.energies))
    order = np.argsort(network.ts_energies)
    assert np.allclose(np.sort(network.energies), MINIMA, rtol=0, atol=1e-6)
    energies, *ends = np.array(TRANSITION_STATES).T
    assert np.allclose(network.ts_energies[order], energies, rtol=0, atol=1e-6)
    found = np.sort(rank[network.ts_minima[order]], axis=1)
    assert np.array_equal(found, np.array(ends, int).T), found


def main():
    """Map, check and draw."""
    tw.enable_float64()
    store = Path("lj7.db")
    store.unlink(missing_ok=True)
    wishes = {"minima": 4, "transition_states": 12, "budget": 300.0} if SMOKE else {}
    landscape = tw.explore(tw.system("lj7"), store, key=0, **wishes)
    print(landscape.minima)
    print(landscape.transition_states)
    print(landscape.completeness)
    check(landscape.network)
    mpl.use("agg")
    tree = tw.disconnectivity_tree(landscape.network, levels=None)
    axes = tw.plot_tree(tree, labels=4, energy_label="Energy / ε")
    tw.save_figure(axes.figure, "lj7.png")
    print("complete: 4 minima, 12 transition states; the tree is in lj7.png")


if __name__ == "__main__":
    main()
