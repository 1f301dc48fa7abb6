"""Lowest minima of clusters and points on a sphere, found by basin hopping or plain quenches.

Lennard-Jones and Morse: Cambridge Cluster Database (Wales, Doye, Dullweber et al.), recomputed
independently. Thomson: Erber & Hockney, J. Phys. A 24, L1369 (1991); Wales & Ulker, Phys. Rev. B
74, 212101 (2006).
"""

import jax
import numpy as np
import pytest

from thalweg.core import Outcome, start_points
from thalweg.energies import system as catalogue
from thalweg.search import BasinHopping, certify_many, quench_many

THOMSON = {
    4: 3.674234614,
    5: 6.474691495,
    6: 9.985281374,
    8: 19.675287861,
    10: 32.716949460,
    12: 49.165253058,
}


def _hop(name, target, rounds, walkers=16, hops=20, temperature=0.8):
    """Lowest energy met; stops once it is the target."""
    system = catalogue(name)
    method = BasinHopping(temperature=temperature)
    key = jax.random.key(7)
    state = method.begin(system, key, walkers, None)
    lowest = float(state.energy.min())
    for _ in range(rounds):
        if abs(lowest - target) < 1e-4:
            break
        state, quenches = method.hop(system, key, state, hops)
        sound = quenches.outcome == Outcome.success
        lowest = min(lowest, float(quenches.value[sound].min()))
    return lowest


def test_lj13_icosahedron():
    assert _hop("lj13", -44.326801, rounds=10) == pytest.approx(-44.326801, abs=1e-6)


@pytest.mark.parametrize(("rho", "energy"), [(3, -51.737046), (6, -42.439863)])
def test_soft_morse_13(rho, energy):
    found = _hop(f"morse13-rho{rho}", energy, rounds=20)
    assert found == pytest.approx(energy, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("rho", "energy"), [(10, -39.662975), (14, -37.258877)])
def test_sticky_morse_13(rho, energy):
    found = _hop(f"morse13-rho{rho}", energy, rounds=100, walkers=64)
    assert found == pytest.approx(energy, abs=1e-5)


@pytest.mark.slow
def test_lj38_has_both_funnels():
    system = catalogue("lj38")
    method, key = BasinHopping(), jax.random.key(0)
    state = method.begin(system, key, 64, None)
    energies = state.energy
    for _ in range(20):
        state, quenches = method.hop(system, key, state, 20)
        energies = np.concatenate([energies, quenches.value[quenches.outcome == 0]])
        misses = [np.min(np.abs(energies - bottom)) for bottom in (-173.928427, -173.252378)]
        if max(misses) < 1e-5:
            break
    assert max(misses) < 1e-5
    assert energies.min() == pytest.approx(-173.928427, abs=1e-5)


@pytest.mark.parametrize("count", [4, 6, 12])
def test_thomson(count):
    system = catalogue(f"thomson{count}")
    starts = np.asarray(start_points(system, jax.random.key(0), 0, 16))
    done = quench_many(system, starts)
    best = int(np.argmin(np.where(done.outcome == 0, done.value, np.inf)))
    point = certify_many(system, done.x[best : best + 1], index=0)[0]
    assert point.certificate.ok
    assert point.value == pytest.approx(THOMSON[count], abs=1e-8)
    # One radial gauge direction a point, and three rotations.
    assert point.certificate.zero_modes == count + 3


def test_thomson_16_has_two_minima():
    system = catalogue("thomson16")
    starts = np.asarray(start_points(system, jax.random.key(0), 0, 48))
    done = quench_many(system, starts)
    found = np.unique(done.value[done.outcome == 0].round(5))
    np.testing.assert_allclose(found, [92.911655, 92.920354], atol=1e-5)


def test_binary_lennard_jones_minima_have_three_zero_modes():
    system = catalogue("blj60")
    starts = np.asarray(start_points(system, jax.random.key(0), 0, 4))
    done = quench_many(system, starts)
    assert np.all(done.outcome == 0)
    points = certify_many(system, done.x, index=0)
    assert all(p.certificate.ok for p in points)
    assert {p.certificate.zero_modes for p in points} == {3}
