"""Molecular dynamics: exact laws of integrators, error bars, breaking bonds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import KJ, AbstractEnergy, ArgumentError, Array
from thalweg.forcefields import HarmonicBonds
from thalweg.forcefields.md import (
    Langevin,
    Respa,
    Trajectory,
    VelocityVerlet,
    bond_distribution,
    conservation,
    estimate,
    maxwell_velocities,
    pair_distribution,
    run_md,
    survival,
    temperature,
    torsion_angles,
    torsion_free_energy,
)

from .conftest import WATER, harmonic_water

KT = KJ.boltzmann * 300.0


class Well(AbstractEnergy):
    """½ k x² on every coordinate."""

    stiffness: Array

    def __call__(self, x):
        return 0.5 * self.stiffness * jnp.sum(x**2)


class Cliff(AbstractEnergy):
    """A bond that lets go: NaN beyond a length."""

    def __call__(self, x):
        r = jnp.linalg.norm(x[:3] - x[3:])
        return jnp.where(r < 0.2, -1e4 * r, jnp.nan)


@pytest.fixture(scope="module")
def nve():
    """Flexible water at constant energy: 1 ps at 0.5 fs and at 0.25 fs."""
    start = {"masses": [15.999, 1.008, 1.008], "positions": WATER, "key": 3, "replicas": 4}
    return [
        run_md(
            harmonic_water(), integrator=VelocityVerlet(0.5 / k),
            steps=2_000 * k, thin=5 * k, **start,
        )
        for k in (1, 2)
    ]  # fmt: skip


def test_energy_is_conserved_and_its_fluctuation_falls_by_four(nve):
    coarse, fine = (conservation(path) for path in nve)
    assert 3.7 < coarse.fluctuation / fine.fluctuation < 4.3
    assert abs(coarse.drift) < 4 * coarse.error + 1e-2
    assert fine.fluctuation < 0.1


def test_momentum_is_conserved(nve):
    momentum = np.einsum("a,rai->ri", nve[0].masses, nve[0].velocities)
    assert np.abs(momentum).max() < 1e-10


@pytest.mark.statistical
def test_baoab_has_the_exact_variance_of_positions_at_a_long_step():
    """kT/k at ω dt = 1, where Verlet's own is off by 1/(1 - ω²dt²/4) = 4/3.

    32 replicas of 16 atoms with τ of about a few steps: the relative error is 0.3 %; the
    test fails by chance once in 10⁴ runs at 4 σ.
    """
    mass, omega = 12.0, 200.0  # dalton, 1/ps
    stiffness = mass * omega**2
    integrator = Langevin(300.0, step=1e3 / omega, friction=omega / 2)
    path = run_md(
        Well(jnp.asarray(stiffness)), np.full(16, mass), np.zeros((16, 3)), integrator,
        steps=4_000, thin=4, replicas=32, key=1,
    )  # fmt: skip
    half = path.positions[100:]
    found = estimate(np.mean(half**2, axis=(2, 3)))
    assert found.error < 0.005 * KT / stiffness
    assert found.mean == pytest.approx(KT / stiffness, abs=4 * found.error)
    # Velocities are not exact: <v²> = kT/m (1 - ω²dt²/4) at order dt².
    assert temperature(path).mean < 0.85 * 300.0


@pytest.mark.slow
@pytest.mark.statistical
def test_equipartition():
    """Kinetic temperature of flexible water; false alarms 1 in 10⁴."""
    path = run_md(
        harmonic_water(), [15.999, 1.008, 1.008], WATER, Langevin(300.0, 0.25, 50.0),
        steps=6_000, thin=20, replicas=64, key=2,
    )  # fmt: skip
    found = temperature(path)
    assert found.error < 3.0
    assert found.mean == pytest.approx(300.0, abs=4 * found.error + 0.5)


@pytest.mark.slow
def test_respa_with_one_inner_step_is_verlet():
    whole = harmonic_water()
    fast = whole.blocks["bonds"]
    path = {
        "masses": [15.999, 1.008, 1.008],
        "positions": WATER,
        "steps": 200,
        "thin": 10,
        "key": 3,
    }
    plain = run_md(whole, integrator=VelocityVerlet(0.5), **path)
    split = run_md(whole, integrator=Respa(_only(whole, fast), 1, 0.5), **path)
    np.testing.assert_allclose(split.positions, plain.positions, atol=1e-10)


def test_respa_conserves_energy_with_a_long_outer_step():
    whole = harmonic_water()
    fast = _only(whole, whole.blocks["bonds"])
    path = {"masses": [15.999, 1.008, 1.008], "positions": WATER, "key": 3, "replicas": 4}
    split = run_md(whole, integrator=Respa(fast, 4, 1.0), steps=1_000, thin=5, **path)
    plain = run_md(whole, integrator=VelocityVerlet(1.0), steps=1_000, thin=5, **path)
    assert conservation(split).fluctuation < 0.5 * conservation(plain).fluctuation
    assert abs(conservation(split).drift) < 4 * conservation(split).error + 1e-2


def _only(force_field, *blocks):
    from thalweg.forcefields import ForceField

    named = {f"b{k}": block for k, block in enumerate(blocks)}
    return ForceField(force_field.topology, named)


def test_a_diatomic_swings_at_its_frequency():
    """ω = √(k/μ); velocity Verlet's is higher by (ω dt)²/24."""
    masses, stiffness, length = np.array([12.0, 16.0]), 1.1e6, 0.113
    bond = HarmonicBonds(
        jnp.array([[0, 1]]), jnp.zeros(1, jnp.int32), jnp.array([stiffness]), jnp.array([length])
    )
    from thalweg.forcefields import ForceField, Topology

    carbon_monoxide = ForceField(
        Topology.from_bonds([6, 8], [(0, 1)], masses=masses.tolist()), {"bond": bond}
    )
    x = np.array([[0.0, 0.0, 0.0], [length + 0.002, 0.0, 0.0]])
    dt = 0.2
    path = run_md(
        carbon_monoxide, masses, x, VelocityVerlet(dt), steps=5_000, thin=1,
        velocities=np.zeros((2, 3)),
    )  # fmt: skip
    stretch = np.linalg.norm(path.positions[:, 0, 0] - path.positions[:, 0, 1], axis=1) - length
    rises = np.flatnonzero((stretch[:-1] < 0) & (stretch[1:] >= 0))
    # Linear interpolation between the frames about a crossing.
    cross = rises - stretch[rises] / (stretch[rises + 1] - stretch[rises])
    omega = 2 * np.pi * (len(cross) - 1) / ((cross[-1] - cross[0]) * dt * 1e-3)
    exact = np.sqrt(stiffness / (masses[0] * masses[1] / masses.sum()))
    assert omega == pytest.approx(exact * (1 + (exact * dt * 1e-3) ** 2 / 24), rel=2e-5)


def test_paths_do_not_depend_on_how_many_there_are():
    path = {"masses": [15.999, 1.008, 1.008], "steps": 40, "thin": 10, "key": 5}
    many = run_md(
        harmonic_water(), positions=WATER, integrator=Langevin(300.0), replicas=4,
        velocities=np.zeros((3, 3)), **path,
    )  # fmt: skip
    one = run_md(
        harmonic_water(), positions=WATER, integrator=Langevin(300.0), replicas=1,
        velocities=np.zeros((3, 3)), **path,
    )  # fmt: skip
    np.testing.assert_allclose(many.positions[:, 0], one.positions[:, 0], atol=1e-12)


def test_a_replica_that_blows_up_is_told_and_leaves_the_others_alone():
    x = np.array([[[0.0, 0, 0], [0.1, 0, 0]], [[0.0, 0, 0], [0.1, 0, 0]]])
    v = np.zeros_like(x)
    v[1, 1, 0] = -50.0  # flies together: 0.05 nm in 1 fs
    path = run_md(Cliff(), [12.0, 12.0], x, VelocityVerlet(0.5), steps=400, thin=1, velocities=v)
    held = survival(path, np.array([[0, 1]]), x[0])
    assert held.share == 0.0
    assert held.times[1] < held.times[0]
    assert held.bonds.tolist() == [0, 0]
    # Both atoms fall apart at a = 2 F/m: 0.05 nm takes √(2 · 0.05 m / 2 F).
    assert held.times[0] == pytest.approx(np.sqrt(0.05 * 12.0 / 1e4), abs=6e-4)
    assert not path.alive[-1].any()
    assert np.isnan(conservation(path).drift)
    frames, owner = path.frames()
    assert len(frames) == path.alive.sum()
    assert set(owner) == {0, 1}


def test_maxwell_velocities():
    v = maxwell_velocities(0, [1.0, 16.0, 12.0], 400.0, 4_000)
    m = np.array([1.0, 16.0, 12.0])
    assert np.abs(np.einsum("a,rai->ri", m, v)).max() < 1e-9
    kinetic = 0.5 * np.einsum("a,rai->r", m, v**2).mean()
    assert kinetic == pytest.approx(0.5 * 6 * KJ.boltzmann * 400.0, rel=0.03)


def test_wrong_calls_are_refused():
    path = {"masses": [1.0, 1.0], "integrator": VelocityVerlet(), "steps": 10}
    with pytest.raises(ArgumentError, match=r"positions has shape \(3, 3\)"):
        run_md(Well(jnp.asarray(1.0)), positions=WATER, **path)
    with pytest.raises(ArgumentError, match="there would be no frame"):
        run_md(Well(jnp.asarray(1.0)), positions=WATER[:2], thin=11, **path)
    for wrong in (
        lambda: VelocityVerlet(0.0),
        lambda: Langevin(-1.0),
        lambda: Respa(harmonic_water(), 0),
    ):
        with pytest.raises(ArgumentError):
            wrong()


@pytest.mark.statistical
def test_error_bars_of_a_correlated_series():
    """An AR(1) series with τ = 19: the error is √((1+φ)/(1-φ)) that of independent values."""
    phi, count = 0.9, 20_000
    noise = np.asarray(jax.random.normal(jax.random.key(7), (count, 4)))
    series = np.zeros((count, 4))
    for k in range(1, count):
        series[k] = phi * series[k - 1] + np.sqrt(1 - phi**2) * noise[k]
    found = estimate(series)
    expected = np.sqrt((1 + phi) / (1 - phi) / series.size)
    assert found.error == pytest.approx(expected, rel=0.25)
    assert abs(found.mean) < 4 * expected
    with pytest.raises(ArgumentError, match="frame 3 of replica 1"):
        estimate(np.where(np.arange(40).reshape(10, 4) == 13, np.nan, 1.0))


def _still(positions):
    frames = len(positions)
    flat = np.zeros((frames, 1))
    return Trajectory(
        times=np.arange(1, frames + 1) * 0.01, positions=positions[:, None], potential=flat,
        kinetic=flat, velocities=np.zeros((1, *positions.shape[1:])),
        masses=np.ones(positions.shape[1]), step=1.0, seconds=0.0, interrupted=False,
    )  # fmt: skip


def test_observables_of_known_geometries():
    """A butane-like chain turned once round, and an ideal gas."""
    angle = np.linspace(-np.pi, np.pi, 720, endpoint=False) + 1e-3
    chain = np.zeros((720, 4, 3))
    chain[:, 0] = [0.1, 0.1, 0.0]
    chain[:, 1] = [0.0, 0.1, 0.0]
    chain[:, 2] = [0.0, 0.0, 0.0]
    chain[:, 3] = np.stack([0.1 * np.cos(angle), 0 * angle, 0.1 * np.sin(angle)], axis=-1)
    found = torsion_angles(chain, (0, 1, 2, 3))
    # IUPAC: looking along 1 -> 2, which points to -y, clockwise is positive.
    np.testing.assert_allclose(np.abs(found), np.abs(angle), atol=1e-12)
    assert np.all(np.diff(np.unwrap(found)) * np.diff(np.unwrap(found))[0] > 0)
    free = torsion_free_energy(_still(chain), (0, 1, 2, 3), 300.0, bins=36)
    assert np.all(free.values < 1e-9)
    lengths = bond_distribution(_still(chain), np.array([[0, 1], [1, 2]]), bins=5)
    assert np.sum(lengths.values) * (lengths.centres[1] - lengths.centres[0]) == pytest.approx(1.0)
    gas = np.asarray(jax.random.uniform(jax.random.key(1), (400, 24, 3))) * 2.0
    g = pair_distribution(_still(gas), box=np.full(3, 2.0), bins=10)
    np.testing.assert_allclose(g.values[3:], 1.0, atol=0.05)
