"""Identity modulo symmetry: images are one point, neighbours are not."""

import jax
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from thalweg.core import NoSymmetry, start_points
from thalweg.energies import system as catalogue
from thalweg.landscape import PointIndex, fingerprints
from thalweg.search import quench_many


@pytest.fixture(scope="module")
def minima():
    lj8 = catalogue("lj8")
    starts = np.asarray(start_points(lj8, jax.random.key(0), 0, 60))
    done = quench_many(lj8, starts)
    good = done.outcome == 0
    return lj8, done.x[good], done.value[good]


def _image(x, seed):
    order, turn, shift = jax.random.split(jax.random.key(seed), 3)
    points = np.array(jax.random.permutation(order, x.reshape(-1, 3)))
    rotation = Rotation.from_quat(np.array(jax.random.normal(turn, (4,))))
    sign = 1.0 if seed % 2 else -1.0
    return (sign * rotation.apply(points) + np.asarray(jax.random.normal(shift, (3,)))).reshape(-1)


def test_images_are_found(minima):
    system, x, energies = minima
    index = PointIndex(system.symmetry, system.length)
    index.extend(energies[:1], x[:1])
    for seed in range(20):
        image = _image(x[0], seed)
        features = fingerprints(system.symmetry, image[None])[0]
        assert index.find(energies[0], image, features) == 0


def test_classes_are_those_of_energy_and_shape(minima):
    system, x, energies = minima
    index = PointIndex(system.symmetry, system.length)
    labels, classes = index.group(energies, x)
    assert len(index) == 0
    assert len(classes) == labels.max() + 1
    for label in range(len(classes)):
        assert np.ptp(energies[labels == label]) < 1e-7
    assert len(classes) == len(np.unique(energies.round(5)))


def test_energy_window_holds_at_any_magnitude():
    index = PointIndex(NoSymmetry(), 1.0)
    x = np.array([0.5, 0.5])
    for energy in (0.0, -1e-9, 3.0, -173.928427, 1e6, -1e9):
        number = index.add(energy, x, np.zeros(0))
        near = energy + 0.9e-8 * (1 + abs(energy))
        far = energy + 3e-8 * (1 + abs(energy))
        assert index.find(near, x, np.zeros(0)) is not None
        assert index.find(far, x, np.zeros(0)) is None
        del number


def test_same_energy_other_place_is_another_point():
    index = PointIndex(NoSymmetry(), 1.0)
    index.add(1.0, np.array([1.0, 0.0]), np.zeros(0))
    assert index.find(1.0, np.array([-1.0, 0.0]), np.zeros(0)) is None
