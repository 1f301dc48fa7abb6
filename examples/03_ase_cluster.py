"""Map a cluster whose energy and forces come from ASE: argon, by ASE's Lennard-Jones calculator.

The stationary points of a few Lennard-Jones atoms are known, so another code's energies and forces
must lead to them. Any other calculator is used in the same way. Writes a store and a figure for
each size; `SMOKE=1` does four atoms only.
"""

import os
from pathlib import Path

import ase
import jax
import matplotlib as mpl
import numpy as np
from ase.calculators.lj import LennardJones

import thalweg as tw

SMOKE = bool(os.environ.get("SMOKE"))

EPSILON, SIGMA = 0.0104, 3.40  # eV and Å, about those of argon
KNOWN = {4: (1, 1, -6.0), 5: (1, 2, -9.103852)}  # minima, transition states, lowest energy / ε


def calculator():
    """ASE's Lennard-Jones energy, with a cutoff so far out that no atom crosses it."""
    return LennardJones(epsilon=EPSILON, sigma=SIGMA, rc=100 * SIGMA, ro=99 * SIGMA)


def argon(count):
    """Some argon atoms, anywhere near each other."""
    points = tw.BallStart(count, SIGMA)(jax.random.key(count))
    return ase.Atoms(f"Ar{count}", positions=np.asarray(points).reshape(-1, 3))


def main():
    """Map, check and draw."""
    tw.enable_float64()
    mpl.use("agg")
    for count in [4] if SMOKE else [4, 5]:
        n_minima, n_transition_states, lowest = KNOWN[count]
        store = Path(f"ar{count}.db")
        store.unlink(missing_ok=True)
        landscape = tw.explore(
            tw.system_from_ase(argon(count), calculator),
            store,
            key=0,
            quenches=2,
            walkers=0,  # hopping's temperature would be 0.8 eV here
            climbs=4,
            lanes=4,  # a lane without work costs a call as well
            workers=1,
            minima=n_minima,
            transition_states=n_transition_states,
            budget=300.0,
        )
        network = landscape.network
        print(landscape.minima)
        print(landscape.transition_states)
        assert (network.n_minima, network.n_transition_states) == (n_minima, n_transition_states)
        assert abs(network.energies.min() / EPSILON - lowest) < 1e-6
        axes = tw.plot_tree(tw.disconnectivity_tree(network), labels=1, energy_label="Energy / eV")
        tw.save_figure(axes.figure, f"ar{count}.png")
        print(f"{count} atoms: {n_minima} and {n_transition_states}, as known; see ar{count}.png")


if __name__ == "__main__":
    main()
