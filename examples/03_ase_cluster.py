"""Map argon clusters with ASE's Lennard-Jones calculator instead of our own energy.

The numbers of stationary points of five and six Lennard-Jones atoms are known, so another code's
energies and forces must lead to them. `SMOKE=1` does five atoms only.
"""

import os
from pathlib import Path

import ase
import numpy as np
from ase.calculators.lj import LennardJones

import thalweg as tw

EPSILON, SIGMA = 0.0104, 3.40  # eV and Å: argon
KNOWN = {5: (1, 2, -9.103852), 6: (2, 3, -12.712062)}  # minima, transition states, lowest energy
SMOKE = bool(os.environ.get("SMOKE"))


def argon(count):
    """Argon atoms with a calculator, placed at random."""
    points = np.asarray(tw.BallStart(count, 1.2 * SIGMA)(tw_key(count))).reshape(-1, 3)
    return ase.Atoms("Ar" * count, positions=points)


def tw_key(seed):
    """A JAX random key."""
    import jax

    return jax.random.key(seed)


def calculator():
    """ASE's Lennard-Jones energy without a cutoff that an atom could cross."""
    return LennardJones(epsilon=EPSILON, sigma=SIGMA, rc=100 * SIGMA, ro=99 * SIGMA)


def main():
    """Map, check and draw."""
    tw.enable_float64()
    for count in [5] if SMOKE else [5, 6]:
        minima, transition_states, lowest = KNOWN[count]
        system = tw.system_from_ase(argon(count), calculator)
        store = Path(f"ar{count}.db")
        store.unlink(missing_ok=True)
        landscape = tw.explore(
            system,
            store,
            key=0,
            budget=300.0,
            quenches=8,
            walkers=0,
            climbs=16,
            minima=minima,
            transition_states=transition_states,
            workers=1,
            report=lambda p: print(p.kind, p.minima, p.transition_states, p.seconds, p.failures)
        )
        print(landscape.transition_states)
        network = landscape.network
        assert (network.n_minima, network.n_transition_states) == (minima, transition_states)
        assert abs(network.energies.min() / EPSILON - lowest) < 1e-6
        landscape.close()


if __name__ == "__main__":
    main()
