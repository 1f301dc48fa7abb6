"""Labels and fits against other codes, exact parameters and published constants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.forcefields import ForceField, HarmonicAngles, HarmonicBonds, Topology
from thalweg.forcefields.fitting import Dataset, FitConfig, fit_forcefield
from thalweg.io import EnergyLabels, Pyscf, Xtb, label, molecule

HARTREE = 2625.4996394799  # kJ/mol: CODATA 2018, 4.3597447222071e-18 J times 6.02214076e23 / 1000
BOHR = 0.0529177210903  # nm: CODATA 2018
WATER = np.array([[0.0, 0.0, 0.0], [0.0957, 0.0, 0.0], [-0.024, 0.0927, 0.0]])


def harmonic_water(stiffness=462_750.4, length=0.09572, bend=836.8, angle=1.82421813):
    """Flexible TIP3P."""
    topology = Topology.from_bonds([8, 1, 1], [(0, 1), (0, 2)], masses=[15.999, 1.008, 1.008])
    first = jnp.zeros(2, jnp.int32)
    bonds = HarmonicBonds(
        jnp.asarray(topology.bonds), first, jnp.array([stiffness]), jnp.array([length])
    )
    angles = HarmonicAngles(
        jnp.asarray(topology.angles), first[:1], jnp.array([bend]), jnp.array([angle])
    )
    return ForceField(topology, {"bonds": bonds, "angles": angles})


@pytest.fixture(scope="module")
def ethanol():
    pytest.importorskip("ase")
    return molecule("ethanol")


def test_gfn2_of_ethanol_is_what_tblite_says(ethanol):
    """-11.391425 hartree at the G2 geometry; energies and forces by the code itself."""
    interface = pytest.importorskip("tblite.interface")
    calculator = interface.Calculator("GFN2-xTB", ethanol.numbers, ethanol.positions / BOHR)
    calculator.set("verbosity", 0)
    calculator.set("accuracy", 0.01)
    found = calculator.singlepoint()
    done = label(Dataset.of(ethanol.numbers, ethanol.positions), Xtb())
    assert found.get("energy") == pytest.approx(-11.391425, abs=1e-6)
    assert done.energies[0] == pytest.approx(found.get("energy") * HARTREE, abs=1e-6)
    np.testing.assert_allclose(
        done.forces[0], -found.get("gradient") * HARTREE / BOHR, rtol=1e-9, atol=1e-4
    )


def _slope(method, molecule, step, axis):
    """Force on the first atom along an axis, by a central difference of energies."""
    x = np.repeat(molecule.positions[None], 3, axis=0)
    x[1, 0, axis] += step
    x[2, 0, axis] -= step
    done = label(Dataset.of(molecule.numbers, x), method)
    return done.forces[0, 0, axis], -(done.energies[1] - done.energies[2]) / (2 * step)


@pytest.mark.parametrize("method", [Xtb(), Xtb("GFN1-xTB")], ids=["gfn2", "gfn1"])
def test_forces_are_the_slope_of_energies_in_kj_and_nm(ethanol, method):
    pytest.importorskip("tblite")
    force, slope = _slope(method, ethanol, 1e-4, 0)
    assert force == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("functional", ["hf", "b3lyp"])
def test_pyscf_forces_are_the_slope_of_its_energies(functional):
    pytest.importorskip("pyscf")
    force, slope = _slope(Pyscf(functional, "sto-3g", grid=1), molecule("HCl"), 1e-4, 2)
    assert force == pytest.approx(slope, rel=2e-3)


def test_hartree_fock_of_water_is_the_textbook_one():
    """-74.94207993 hartree, RHF/STO-3G: Crawford's programming project 3, geometry in bohr."""
    pytest.importorskip("pyscf")
    x = BOHR * np.array(
        [[0.0, -0.143225816552, 0.0], [1.638036840407, 1.136548822547, 0.0],
         [-1.638036840407, 1.136548822547, 0.0]]
    )  # fmt: skip
    done = label(Dataset.of([8, 1, 1], x), Pyscf("hf", "sto-3g", fitting=False))
    assert done.energies[0] / HARTREE == pytest.approx(-74.942079928192, abs=1e-7)


@pytest.mark.parametrize("method", ["gauss-newton", pytest.param("adam", marks=pytest.mark.slow)])
def test_a_water_model_is_recovered_from_its_own_labels(method):
    """Flexible TIP3P (Jorgensen et al. 1983 with AMBER's force constants), to 1e-6."""
    exact = harmonic_water()
    noise = np.asarray(jax.random.normal(jax.random.key(0), (40, 3, 3)))
    bare = Dataset.of([8, 1, 1], WATER + 0.005 * noise, groups=np.arange(40) // 10)
    train, held = label(bare, EnergyLabels(exact, "tip3p")).split(0.75, 0.25)
    start = harmonic_water(300_000.0, 0.1, 600.0, 1.9)
    config = FitConfig(method=method, noise=0.0, steps=2_000, every=500, batch=16)
    done = fit_forcefield(start, train, held, config)
    for block in ("bonds", "angles"):
        for name, value in exact.blocks[block].parameters().items():
            np.testing.assert_allclose(done.force_field.blocks[block].parameters()[name], value,
                                       rtol=1e-6)  # fmt: skip
    assert done.force < 1e-6
