"""The fits of two damped sines, and what noise in the data does to them.

`y = exp(-q1 x) sin(q2 x + q3) sin(q4 x + q5)` is fitted to 100 data, exact and with noise of
standard deviation 0.02. Quenches of random parameters end in some fifteen minima, which are joined
by paths between them. The true parameters lie at the bottom; the noise moves them a little and
leaves the tree as it is.

After Ballard, Das, Martiniani, Mehta, Sagun, Stevenson & Wales, Phys. Chem. Chem. Phys. 19, 12585
(2017), section IV. Writes a store and a tree of each; `SMOKE=1` maps for half a minute each.
"""

import os
from pathlib import Path

import jax.numpy as jnp
import matplotlib as mpl
import numpy as np

import thalweg as tw
from thalweg.learning import TRUE_WAVES

SMOKE = bool(os.environ.get("SMOKE"))
HOW = {"quenches": 400, "walkers": 0, "climbs": 0, "budget": 30.0 if SMOKE else 120.0}
"""Frequencies are not bounded: climbs would go on to ever higher ones, which fit nothing."""


def main():
    """Map both, compare the lowest minima with the true parameters and with each other."""
    tw.enable_float64()
    mpl.use("agg")
    lowest = {}
    for name in ("waves-noise0", "waves-noise0.02"):
        system, store = tw.system(name), Path(f"{name}.db")
        store.unlink(missing_ok=True)
        landscape = tw.explore(system, store, key=0, **HOW)
        network, points = landscape.network, landscape.store.points("minimum")
        order = np.argsort(network.energies)
        truth = float(system.energy(jnp.asarray(TRUE_WAVES)))
        distance = system.symmetry.align(points[order[0]], np.asarray(TRUE_WAVES))[1]
        print(f"{name}: {network.n_minima} minima, {network.n_transition_states} transition states")
        print("  lowest", ", ".join(f"{e:.6f}" for e in network.energies[order][:5]))
        print(f"  the true parameters have {truth:.6f}, {distance:.4f} from the lowest minimum")
        tree = tw.disconnectivity_tree(network, levels=None)
        drawn = tw.plot_tree(tree, labels=3, energy_label="Sum of squares")
        tw.save_figure(drawn.figure, f"{name}-tree.png")
        lowest[name] = network.energies[order], truth, distance
    exact, truth, distance = lowest["waves-noise0"]
    assert abs(exact[0]) < 1e-15
    assert truth == 0.0
    assert distance < 1e-6
    np.testing.assert_allclose(exact[1:4], [5.491398, 5.530801, 5.534064], atol=1e-6)
    noisy, truth, distance = lowest["waves-noise0.02"]
    assert noisy[0] < truth  # five parameters also fit some of the noise
    assert distance < 0.02
    np.testing.assert_allclose(noisy[1:4], exact[1:4], rtol=0.05)


if __name__ == "__main__":
    main()
