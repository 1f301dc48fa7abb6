"""Thermodynamics against exact models, an independent enumeration, and sampling.

LJ7: complete, by dense eigenvector following; occupations and heat capacities computed from it by
independent code. LJ13: the network that the PATHSAMPLE community shares (1510 minima), read from
the folder named by THALWEG_LJ13. LJ38: a store named by THALWEG_LJ38; the truncated octahedron
gives way to icosahedral structures at T = 0.11 to 0.12 (Doye, Miller & Wales, J. Chem. Phys. 110,
6896 (1999)), and is half occupied at 0.121 in the harmonic superposition of an independent list of
4000 minima.
"""

import math
import os

import jax
import numpy as np
import pytest
from scipy import integrate

import thalweg as tw
from thalweg.core import FreeSpace, System
from thalweg.io import read_pathsample
from thalweg.landscape import Landscape, TransitionNetwork
from thalweg.sampling import Container, parallel_tempering
from thalweg.thermo import (
    HarmonicEnsemble,
    QuantumEnsemble,
    heat_capacity_peaks,
    reweight,
    vibrational_frequencies,
)
from thalweg.viz import plot_heat_capacity, save_figure
from thalweg.workflows import explore

TEMPERATURES = np.array([0.02, 0.1, 0.35, 1.0, 4.0])


def network(energies, orders, log_products):
    """Minima without transition states."""
    bare = TransitionNetwork.bare(
        np.asarray(energies, float), np.zeros(0), np.zeros((0, 2), dtype=int)
    )
    fields = {name: getattr(bare, name) for name in bare.__dataclass_fields__}
    fields |= {"orders": np.asarray(orders), "log_products": np.asarray(log_products, float)}
    return TransitionNetwork(**fields)


LJ7 = network(
    [-16.505384, -15.935043, -15.593211, -15.533060],
    [20, 6, 6, 2],
    [69.9476, 69.2268, 67.5203, 67.4817],
)


def test_two_wells_exactly():
    gap, modes = 0.8, 5
    ensemble = HarmonicEnsemble.of(network([-1.0, -1.0 + gap], [2, 6], [3.0, 1.5]), modes=modes)
    t = TEMPERATURES
    ratio = (2 / 6) * np.exp(0.5 * (3.0 - 1.5)) * np.exp(-gap / t)
    p = ratio / (1.0 + ratio)
    np.testing.assert_allclose(ensemble.occupations(t)[:, 1], p, rtol=1e-12)
    energy = -1.0 + gap * p + 0.5 * modes * t
    np.testing.assert_allclose(ensemble.internal_energy(t), energy, rtol=1e-12)
    capacity = 0.5 * modes + (gap / t) ** 2 * ratio / (1.0 + ratio) ** 2
    np.testing.assert_allclose(ensemble.heat_capacity(t), capacity, rtol=1e-12)
    log_z = 1.0 / t - math.log(2) - 1.5 + 0.5 * modes * np.log(2 * np.pi * t) + np.log1p(ratio)
    np.testing.assert_allclose(ensemble.free_energy(t), -t * log_z, rtol=1e-12)
    np.testing.assert_allclose(ensemble.entropy(t), energy / t + log_z, rtol=1e-11)


def test_three_states_exactly_with_different_numbers_of_modes():
    energies, orders, logs = [0.0, 0.3, 0.35], [1, 2, 12], [4.0, -2.0, 1.0]
    modes = np.array([4, 3, 3])
    ensemble = HarmonicEnsemble.of(network(energies, orders, logs), modes=modes)
    for t in TEMPERATURES.tolist():
        z = [
            math.exp(-e / t - 0.5 * lam) / o * (2 * math.pi * t) ** (0.5 * m)
            for e, o, lam, m in zip(energies, orders, logs, modes, strict=True)
        ]
        p = np.array(z) / math.fsum(z)
        u = np.array(energies) + 0.5 * modes * t
        mean = math.fsum(p * u)
        capacity = math.fsum(p * (0.5 * modes + ((u - mean) / t) ** 2))
        np.testing.assert_allclose(ensemble.occupations(t), p, rtol=1e-12)
        assert ensemble.internal_energy(t) == pytest.approx(mean, rel=1e-12)
        assert ensemble.heat_capacity(t) == pytest.approx(capacity, rel=1e-12)
        assert ensemble.free_energy(t) == pytest.approx(-t * math.log(math.fsum(z)), rel=1e-12)


def test_seven_atoms_have_the_published_occupations_and_heat_capacities():
    ensemble = HarmonicEnsemble.of(LJ7, modes=15, kinetic=True)
    expected = {
        0.1: [0.981143, 0.0156379, 0.00120279, 0.00201588],
        0.3: [0.278325, 0.198749, 0.149287, 0.373639],
    }
    for t, p in expected.items():
        # The log-products above have four decimals.
        np.testing.assert_allclose(ensemble.occupations(t), p, atol=2e-5, rtol=1e-4)
    capacities = ensemble.heat_capacity(np.array([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(capacities, [15.785005, 19.126005, 16.850571], atol=1e-4)


@pytest.mark.slow
def test_thirteen_atoms_melt_where_the_complete_network_says():
    ensemble = HarmonicEnsemble.of(_lj13(), modes=33, kinetic=True)
    assert ensemble.network.n_minima == 1510
    (peak,) = heat_capacity_peaks(ensemble, 0.05, 1.0)
    # Tabulated on a grid of 0.0005.
    assert peak.temperature == pytest.approx(0.3395, abs=3e-4)
    assert peak.heat_capacity == pytest.approx(83.677, abs=2e-3)
    icosahedron = ensemble.network.global_minimum
    p = ensemble.occupations([0.2, 0.3])[:, icosahedron]
    np.testing.assert_allclose(p, [0.99902, 0.81711], atol=1e-5)
    np.testing.assert_array_equal(peak.falling, [icosahedron])


@pytest.mark.slow
def test_thirty_eight_atoms_change_from_fcc_to_icosahedral_below_melting():
    store = os.environ.get("THALWEG_LJ38")
    if not store:
        pytest.skip("THALWEG_LJ38 names no store")
    with Landscape.open(store) as landscape:
        ensemble = HarmonicEnsemble.of(landscape, kinetic=True)
    grid = np.linspace(0.08, 0.16, 161)
    p = ensemble.occupations(grid)[:, ensemble.network.global_minimum]
    assert np.interp(-0.5, -p, grid) == pytest.approx(0.121, abs=0.002)
    assert grid[np.argmin(np.gradient(p, grid))] == pytest.approx(0.115, abs=0.005)
    # A peak of its own if few liquid minima are known, else a shoulder of melting.
    capacity = ensemble.heat_capacity(grid)
    curvature = np.gradient(np.gradient(capacity, grid), grid)
    assert 0.105 < grid[5 + np.argmin(curvature[5:-5])] < 0.125
    melting = heat_capacity_peaks(ensemble, 0.08, 0.3)[-1]
    assert melting.temperature == pytest.approx(0.17, abs=0.025)
    slopes = ensemble.occupation_slopes(0.121)
    rising = ensemble.network.energies[np.argsort(-slopes)[:5]]
    assert (rising < -172.0).all()


def test_one_quantum_oscillator_exactly():
    quantum = 0.7
    single = network([-2.0], [1], [2 * math.log(quantum)])
    ensemble = QuantumEnsemble.of(HarmonicEnsemble.of(single, modes=1), hbar=1.0)
    t = TEMPERATURES
    y = quantum / t
    np.testing.assert_allclose(
        ensemble.internal_energy(t), -2.0 + 0.5 * quantum / np.tanh(0.5 * y), rtol=1e-12
    )
    capacity = (0.5 * y / np.sinh(0.5 * y)) ** 2
    np.testing.assert_allclose(ensemble.heat_capacity(t), capacity, rtol=1e-12)
    log_z = 2.0 / t - np.log(2 * np.sinh(0.5 * y))
    np.testing.assert_allclose(ensemble.free_energy(t), -t * log_z, rtol=1e-12)


def test_quantum_statistics_become_classical_when_hbar_vanishes():
    classical = HarmonicEnsemble.of(LJ7, modes=15, kinetic=True)
    quantum = QuantumEnsemble.of(classical, hbar=1e-4)
    for t in (0.1, 0.3):
        np.testing.assert_allclose(quantum.occupations(t), classical.occupations(t), rtol=1e-4)
        assert quantum.heat_capacity(t) == pytest.approx(float(classical.heat_capacity(t)), 1e-4)


def test_frequencies_of_a_harmonic_well_with_masses(tmp_path):
    """Coordinates of masses 1 and 4 in wells of curvature 9 and 16: frequencies 3 and 2."""
    curvatures = jax.numpy.asarray([9.0, 16.0])
    system = System(lambda x: 0.5 * jax.numpy.sum(curvatures * x * x), shape=(2,), name="well")
    explore(system, tmp_path / "well.db", key=0, quenches=8, walkers=0, climbs=1, budget=1.0)
    with Landscape.open(tmp_path / "well.db") as landscape:
        found = vibrational_frequencies(system, landscape, masses=[1.0, 4.0])
        bare = vibrational_frequencies(system, landscape)
        ensemble = HarmonicEnsemble.of(landscape)
    np.testing.assert_allclose(found, [[2.0, 3.0]], rtol=1e-12)
    np.testing.assert_allclose(bare, [[3.0, 4.0]], rtol=1e-12)
    exact = QuantumEnsemble.of(ensemble, hbar=1.0, frequencies=found)
    y = np.array([2.0, 3.0]) / 0.8
    expected = np.sum((0.5 * y / np.sinh(0.5 * y)) ** 2)
    assert exact.heat_capacity(0.8) == pytest.approx(expected, rel=1e-12)
    assert not exact.approximate
    assert QuantumEnsemble.of(ensemble, hbar=1.0).approximate


@pytest.mark.slow
@pytest.mark.statistical
def test_tempering_and_reweighting_of_a_double_well_equal_integrals():
    """A particle in two unequal wells with a wall; false-alarm rate below 1e-3.

    Eight replicas: seven degrees of freedom, 14 comparisons, limit 8 standard errors (5e-5 each
    by Student's law, two-sided 1e-4).
    """

    def energy(x):
        return 3.0 * (x[0] ** 2 - 1.0) ** 2 + 0.4 * x[0]

    system = System(energy, shape=(1,), space=FreeSpace((1,)), name="wells", length=0.5)
    samples = parallel_tempering(
        system,
        np.geomspace(0.2, 2.0, 6),
        jax.random.key(3),
        sweeps=4000,
        moves=4,
        replicas=8,
        constraint=lambda x: x[0] < 1.4,
    )
    assert samples.exchange.min() > 0.2
    assert samples.round_trips.min() > 5
    np.testing.assert_allclose(samples.acceptance, 0.3, atol=0.08)
    grid = np.geomspace(0.2, 2.0, 7)
    found = reweight(samples, grid)
    for k, t in enumerate(grid.tolist()):
        moments = [
            integrate.quad(
                lambda x, n=n, t=t: energy([x]) ** n * math.exp(-energy([x]) / t),
                -4.0,
                1.4,
                epsabs=1e-13,
                points=[-1, 1],
            )[0]
            for n in range(3)
        ]
        mean = moments[1] / moments[0]
        capacity = (moments[2] / moments[0] - mean**2) / t**2
        assert abs(found.internal_energy[k] - mean) < 8 * found.internal_energy_error[k]
        assert abs(found.heat_capacity[k] - capacity) < 8 * found.heat_capacity_error[k]
        assert found.internal_energy_error[k] < 0.05
        assert found.heat_capacity_error[k] < 0.06


COLD, WARM = 0.005, 0.05
"""Where wells are harmonic, and where they visibly are not."""


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.timeout(900)
def test_superposition_agrees_with_sampling_where_wells_are_harmonic(tmp_path):
    """LJ7, LJ8 and, if it is there, LJ13 on one figure.

    At T = 0.005 the heat capacities agree within five standard errors and 2 % (the anharmonic
    excess is about 0.2 modes / 2 per 0.05 of T, positive); at T = 0.05 sampling lies above by 5
    to 25 %. Eight replicas, limit five errors: false-alarm rate 0.0016 a cluster.
    """
    from matplotlib import pyplot as plt

    known = {"lj7": (4, 7, 2.25), "lj8": (8, 8, 2.4)}
    _, axes = plt.subplots(1, 3, figsize=(15, 3.4), layout="constrained")
    ensembles = {}
    for name, (minima, atoms, _) in known.items():
        path = tmp_path / f"{name}.db"
        wish = {"minima": minima, "budget": 180.0}
        explore(tw.system(name), path, key=0, **wish)
        with Landscape.open(path) as landscape:
            ensembles[name] = HarmonicEnsemble.of(landscape)
        assert ensembles[name].network.n_minima == minima
        assert set(ensembles[name].modes) == {3 * atoms - 6}
    if os.environ.get("THALWEG_LJ13"):
        known["lj13"] = (1510, 13, 2.6)
        ensembles["lj13"] = HarmonicEnsemble.of(_lj13(), modes=33)
    for ax, (name, (_, atoms, radius)) in zip(axes, known.items(), strict=False):
        samples = parallel_tempering(
            tw.system(name),
            np.geomspace(COLD, 0.4, 26),
            jax.random.key(1),
            sweeps=6000,
            replicas=8,
            # Thirteen atoms from random starts need far longer to find the icosahedron.
            start=_icosahedron() if atoms == 13 else None,
            constraint=Container(atoms, radius),
        )
        found = reweight(samples, np.geomspace(COLD, 0.4, 30))
        ensemble = ensembles[name]
        grid = np.geomspace(COLD, 0.4, 200)
        plot_heat_capacity(ensemble, grid, ax, samples=found)
        harmonic = ensemble.heat_capacity(found.temperatures)
        difference = found.heat_capacity - harmonic
        assert abs(difference[0]) < 5 * found.heat_capacity_error[0] + 0.02 * harmonic[0]
        warm = int(np.argmin(np.abs(found.temperatures - WARM)))
        assert difference[warm] > 3 * found.heat_capacity_error[warm]
        assert 0.05 < difference[warm] / harmonic[warm] < 0.25
    save_figure(axes[0].figure, tmp_path / "heat_capacities.png")


def _icosahedron():
    golden = 0.5 * (1 + math.sqrt(5))
    ring = np.array([(0.0, a, b * golden) for a in (1, -1) for b in (1, -1)])
    shell = np.concatenate([np.roll(ring, k, axis=1) for k in range(3)])
    found = tw.quench(tw.system("lj13"), 0.55 * np.concatenate([np.zeros((1, 3)), shell]))
    assert found.value.value == pytest.approx(-44.326801, abs=1e-6)
    return found.value.x


def _lj13():
    folder = os.environ.get("THALWEG_LJ13")
    if not folder:
        pytest.skip("THALWEG_LJ13 names no folder with min.data and ts.data")
    return read_pathsample(folder)
