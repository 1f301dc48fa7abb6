import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.forcefields import ForceField, HarmonicAngles, HarmonicBonds, Topology
from thalweg.forcefields.fitting import Dataset
from thalweg.io import EnergyLabels, label

WATER = np.array([[0.0, 0.0, 0.0], [0.0957, 0.0, 0.0], [-0.024, 0.0927, 0.0]])


def harmonic_water(stiffness=462_750.4, length=0.09572, bend=836.8, angle=1.82421813, **options):
    """Flexible TIP3P (AMBER's tip3p in OpenMM's units)."""
    topology = Topology.from_bonds([8, 1, 1], [(0, 1), (0, 2)], masses=[15.999, 1.008, 1.008])
    blocks = {
        "bonds": HarmonicBonds(
            jnp.asarray(topology.bonds),
            jnp.zeros(2, jnp.int32),
            jnp.array([stiffness]),
            jnp.array([length]),
        ),
        "angles": HarmonicAngles(
            jnp.asarray(topology.angles),
            jnp.zeros(1, jnp.int32),
            jnp.array([bend]),
            jnp.array([angle]),
        ),
    }
    return ForceField(topology, blocks, **options)


@pytest.fixture(scope="session")
def water():
    return harmonic_water()


@pytest.fixture(scope="session")
def labelled(water):
    """Forty rattled frames in four groups, labelled by the water model itself."""
    x = WATER + 0.005 * np.asarray(jax.random.normal(jax.random.key(0), (40, 3, 3)))
    bare = Dataset.of(water.topology.numbers, x, groups=np.arange(40) // 10)
    return label(bare, EnergyLabels(water, "tip3p"))
