"""Complete landscapes of small systems, every point certified.

Energies, point-group orders and connections: an independent enumeration by dense eigenvector
following (LJ7: 2435 searches, LJ8: 3079), in agreement with Doye & Wales, J. Chem. Phys. 116,
3777 (2002) and Tsai & Jordan, J. Phys. Chem. 97, 11227 (1993).
"""

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import BoundsStart, System
from thalweg.energies import system as catalogue
from thalweg.workflows import StopReason, explore

LJ7_MINIMA = {0: (-16.505384, 20), 1: (-15.935043, 6), 2: (-15.593211, 6), 3: (-15.533060, 2)}
LJ7_SADDLES = [  # energy, lower minimum, upper minimum, point-group order
    (-15.444734, 0, 1, 2),
    (-15.319864, 1, 2, 2),
    (-15.283421, 1, 3, 1),
    (-15.097846, 1, 1, 4),
    (-15.033384, 0, 2, 2),
    (-15.026438, 0, 3, 1),
    (-14.816400, 3, 3, 2),
    (-14.811130, 3, 3, 4),
    (-14.596946, 0, 3, 1),
    (-14.568061, 2, 2, 4),
    (-14.548573, 3, 3, 2),
    (-12.548938, 2, 2, 12),
]
LJ8_MINIMA = {
    -19.821489: 2,
    -19.765298: 8,
    -19.189311: 4,
    -19.169280: 12,
    -18.976056: 24,
    -18.856826: 2,
    -18.828672: 2,
    -18.778208: 2,
}
MUELLER_BROWN_MINIMA = [
    (-0.558223635, 1.441725842, -146.699517210),
    (0.623499405, 0.028037759, -108.166724117),
    (-0.050010823, 0.466694105, -80.767818130),
]
MUELLER_BROWN_SADDLES = [
    (0.212486582, 0.292988325, -72.248940112),
    (-0.822001559, 0.624312803, -40.664843509),
]


def _certified(landscape):
    """Every stored point has a certificate that passed, with the index that its table says."""
    store = landscape.store
    for index, points in ((0, store.minima()), (1, store.transition_states())):
        for point in points:
            assert point.certificate is not None
            assert point.certificate.ok
            assert point.certificate.index == index
            assert point.certificate.gradient_norm < 1e-9
            assert point.certificate.zero_modes == point.certificate.expected_zero_modes


@pytest.mark.parametrize("key", [0, 1])
def test_lj7_is_complete(tmp_path, key):
    result = explore(catalogue("lj7"), tmp_path / "lj7.db", key=key)
    assert result.reason is StopReason.complete
    landscape = result.landscape
    _certified(landscape)
    minima = landscape.minima.sort_values("energy")
    found = list(zip(minima.energy.round(6), minima.order, strict=True))
    assert found == list(LJ7_MINIMA.values())
    rank = {name: row for row, name in enumerate(minima.index)}
    saddles = [
        (
            round(t.energy, 6),
            *sorted((rank[t.minimum_a], rank[t.minimum_b])),
            t.order,
        )
        for t in landscape.store.transition_states()
    ]
    assert sorted(saddles) == sorted(LJ7_SADDLES)
    logs = landscape.network.log_products[np.argsort(landscape.network.energies)]
    np.testing.assert_allclose(logs, [69.9476, 69.2268, 67.5203, 67.4817], atol=1e-4)


@pytest.mark.slow
def test_lj8_is_complete(tmp_path):
    result = explore(catalogue("lj8"), tmp_path / "lj8.db", key=0)
    _certified(result.landscape)
    minima = result.landscape.minima
    found = dict(zip(minima.energy.round(6), minima.order, strict=True))
    assert found == LJ8_MINIMA
    assert result.landscape.network.n_transition_states == 42


@pytest.mark.slow
def test_lj9_reaches_the_known_numbers(tmp_path):
    result = explore(catalogue("lj9"), tmp_path / "lj9.db", key=0)
    _certified(result.landscape)
    assert result.landscape.network.n_minima == 21
    assert 162 <= result.landscape.network.n_transition_states <= 165


def mueller_brown(p):
    a = jnp.array([-200.0, -100.0, -170.0, 15.0])
    x = p[0] - jnp.array([1.0, 0.0, -0.5, -1.0])
    y = p[1] - jnp.array([0.0, 0.5, 1.5, 1.0])
    quadratic = jnp.array([-1.0, -1.0, -6.5, 0.7]) * x**2 + jnp.array([0.0, 0.0, 11.0, 0.6]) * x * y
    return jnp.sum(a * jnp.exp(quadratic + jnp.array([-10.0, -10.0, -6.5, 0.7]) * y**2))


def test_mueller_brown_from_a_users_function(tmp_path):
    start = BoundsStart(jnp.array([-1.5, -0.5]), jnp.array([1.2, 2.0]))
    system = System(mueller_brown, shape=(2,), start=start, length=0.3)
    result = explore(system, tmp_path / "mb.db", quenches=64, walkers=0, searches=100)
    for kind, expected in (
        ("minimum", MUELLER_BROWN_MINIMA),
        ("transition_state", MUELLER_BROWN_SADDLES),
    ):
        points = result.landscape.store.points(kind)
        network = result.landscape.network
        energies = network.energies if kind == "minimum" else network.ts_energies
        table = np.column_stack([points, energies])[np.argsort(energies)]
        np.testing.assert_allclose(table, expected, atol=1e-8)
    _certified(result.landscape)
