"""Fits: exact recovery, resumption, priors, what is fixed and what is refused."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError, Outcome, StoreMismatchError
from thalweg.forcefields import AbstractBlock, Committee, ForceField, SymmetryFunctions, Topology
from thalweg.forcefields.fitting import (
    FitConfig,
    Parameters,
    Posterior,
    affordable_steps,
    calibration,
    disagreement,
    fit_committee,
    fit_forcefield,
    misfits,
    select,
)

from .conftest import WATER, harmonic_water

ADAM = FitConfig(method="adam", steps=60, every=20, batch=8, noise=0.0)


class Correction(AbstractBlock):
    """A small network of the three distances: parameters of which nothing is known."""

    net: eqx.nn.MLP

    def __call__(self, geometry):
        r = geometry.distances(jnp.array([0, 0, 1]), jnp.array([1, 2, 2]))
        return self.net(10.0 * r)[0]


class Poison(AbstractBlock):
    """An energy that becomes NaN once its parameter has moved."""

    at: jax.Array

    def __call__(self, geometry):
        return jnp.where(jnp.abs(self.at - 1.0) > 2e-3, jnp.nan, self.at) * geometry.positions[0, 0]


def delta_water():
    start = harmonic_water(400_000.0, 0.097, 700.0, 1.85)
    net = eqx.nn.MLP(3, 1, 8, 1, jax.nn.silu, key=jax.random.key(1))
    return ForceField(start.topology, {**start.blocks, "net": Correction(net)})


@pytest.fixture(scope="module")
def halves(labelled):
    return labelled.split(0.75, 0.25)


@pytest.fixture(scope="module")
def straight(halves):
    """A fit of harmonic and network parameters together, without interruption."""
    return fit_forcefield(delta_water(), *halves, ADAM)


def test_one_fit_reaches_both_kinds_of_parameters(straight):
    assert straight.outcome is Outcome.success
    assert straight.parameters == 4 + 3 * 8 + 8 + 8 + 1
    assert straight.force < 0.7 * straight.history["force"][0]
    assert straight.history["step"].tolist() == [0, 20, 40, 60]
    before, after = delta_water(), straight.force_field
    assert not np.allclose(before.blocks["bonds"].length, after.blocks["bonds"].length)
    assert not np.allclose(before.blocks["net"].net.layers[0].weight,
                           after.blocks["net"].net.layers[0].weight)  # fmt: skip
    assert set(straight.moved) == {"bonds.stiffness", "bonds.length", "angles.stiffness",
                                   "angles.angle"}  # fmt: skip


def test_an_interrupted_fit_goes_on_to_the_same_bits(straight, halves, tmp_path):
    path = tmp_path / "water.fit"
    looks = iter([False, True])
    first = fit_forcefield(delta_water(), *halves, ADAM, checkpoint=path, stop=lambda: next(looks))
    assert first.interrupted
    assert first.history["step"].tolist() == [0, 20]
    rest = fit_forcefield(delta_water(), *halves, ADAM, checkpoint=path)
    assert not rest.interrupted
    for one, other in zip(jax.tree.leaves(rest.last), jax.tree.leaves(straight.last), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(StoreMismatchError, match="another fit: config"):
        fit_forcefield(delta_water(), *halves, dataclasses.replace(ADAM, rate=0.1), checkpoint=path)
    with pytest.raises(StoreMismatchError, match="another fit: train"):
        fit_forcefield(delta_water(), halves[0][:20], halves[1], ADAM, checkpoint=path)


def test_fixed_parameters_stay(halves):
    config = FitConfig(iterations=3, noise=0.0)
    start = harmonic_water(400_000.0, 0.097, 700.0, 1.85, fixed=("bonds.length", "angles"))
    assert Parameters(start).names == ("bonds.stiffness",)
    done = fit_forcefield(start, *halves, config).force_field
    assert float(done.blocks["bonds"].length[0]) == 0.097
    assert float(done.blocks["angles"].stiffness[0]) == 700.0
    assert float(done.blocks["bonds"].stiffness[0]) != 400_000.0
    with pytest.raises(ArgumentError, match="no parameter to fit"):
        Parameters(harmonic_water(fixed=("bonds", "angles")))


def test_a_box_is_no_parameter(water):
    boxed = ForceField(water.topology, water.blocks, box=np.eye(3))
    assert Parameters(boxed).names == Parameters(water).names


def test_a_strong_prior_holds_parameters_where_they_were(halves):
    start = harmonic_water(400_000.0, 0.097, 700.0, 1.85)
    free = fit_forcefield(start, *halves, FitConfig(iterations=20, noise=0.0))
    held = fit_forcefield(start, *halves, FitConfig(iterations=20, noise=1e4))
    away = {name: abs(u) for name, u in free.moved.items()}
    assert all(held.moved[name] < 0.2 * u for name, u in away.items())


def test_positive_parameters_stay_positive():
    parameters = Parameters(harmonic_water())
    moves = {name: jnp.full_like(u, -40.0) for name, u in parameters.start().items()}
    done = parameters.force_field(moves)
    assert float(done.blocks["bonds"].stiffness[0]) > 0
    same = parameters.force_field(parameters.start())
    for one, other in zip(jax.tree.leaves(same), jax.tree.leaves(parameters.template), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_loss_that_is_no_number_is_an_outcome(halves):
    start = harmonic_water()
    poisoned = ForceField(
        start.topology,
        {**start.blocks, "poison": Poison(jnp.asarray(1.0))},
        fixed=("bonds", "angles"),
    )
    done = fit_forcefield(poisoned, *halves, dataclasses.replace(ADAM, rate_network=1e-3))
    assert done.outcome is Outcome.nonfinite
    assert 1 < done.failed_at <= 20
    assert np.isfinite(done.force)
    assert done.best == 0


def test_sets_that_do_not_belong_are_refused(halves):
    train, validation = halves
    other = dataclasses.replace(train, numbers=np.array([16, 1, 1], np.int32))
    with pytest.raises(ArgumentError, match="train: atom 0 has atomic number 16"):
        fit_forcefield(harmonic_water(), other, validation)
    energies = train.energies.copy()
    energies[4] = np.nan
    with pytest.raises(ArgumentError, match="frame 4"):
        fit_forcefield(harmonic_water(), dataclasses.replace(train, energies=energies), validation)
    for wrong in ({"steps": 0}, {"rate": 0.0}, {"noise": -1.0}, {"method": "magic"}):
        with pytest.raises((ArgumentError, TypeError)):
            FitConfig(**wrong)


def test_energies_are_compared_up_to_a_constant(labelled, water):
    shifted = dataclasses.replace(labelled, energies=labelled.energies - 3e4)
    energy, force = misfits(water, shifted)
    assert np.abs(energy).max() < 1e-9
    assert np.abs(force).max() < 1e-9


def test_a_budget_becomes_steps(halves):
    short = affordable_steps(delta_water(), halves[0], ADAM, 1e-6)
    long = affordable_steps(delta_water(), halves[0], ADAM, 100.0)
    assert short.steps == 100
    assert long.steps > 1_000


@pytest.fixture(scope="module")
def committee(halves):
    """Three members that saw resamplings of four frames: of a wrong form, so they differ."""
    few = halves[0][::8]
    config = FitConfig(iterations=3, noise=0.0, energy_weight=0.0)

    def wrong(k):
        return harmonic_water(4e5, 0.097 + 1e-4 * k, 700.0, 2.1, fixed=("angles.angle",))

    fits = fit_committee(wrong, few, halves[1], config, members=3)
    return Committee([done.last for done in fits])


def test_a_committee_disagrees_where_it_has_seen_nothing(committee):
    near = WATER + 0.002 * np.asarray(jax.random.normal(jax.random.key(1), (20, 3, 3)))
    far = near * np.linspace(1.0, 1.6, 20)[:, None, None]
    apart = disagreement(committee, far).force
    assert apart[-1] > 3 * apart[0]
    chosen = select(committee, far, 4, apart=0.003)
    assert chosen[0] == np.argmax(apart)
    assert len(chosen) == len(set(chosen)) == 4
    i, j = np.triu_indices(3, 1)
    r = np.linalg.norm(far[chosen][:, i] - far[chosen][:, j], axis=-1)
    gaps = np.sqrt(np.mean((r[:, None] - r[None]) ** 2, axis=-1))
    assert gaps[~np.eye(4, dtype=bool)].min() >= 0.003
    assert len(select(committee, np.repeat(far[:1], 5, axis=0), 3)) == 1
    far[2] = np.nan
    assert np.isinf(disagreement(committee, far).force[2])
    assert 2 not in select(committee, far, 20, apart=0.0, most=1e9)


def test_the_mean_of_a_committee_is_an_energy(committee, labelled):
    x = jnp.asarray(labelled.points[0])
    each = [float(member(x)) for member in committee.members]
    assert float(committee(x)) == pytest.approx(np.mean(each))
    assert -1.0 <= calibration(committee, labelled) <= 1.0
    with pytest.raises(ArgumentError, match="no geometry"):
        disagreement(committee, labelled.positions[:0])


@pytest.mark.slow
@pytest.mark.statistical
def test_the_posterior_has_the_width_that_the_data_give(labelled):
    """A harmonic posterior: the deviation of each draw's stiffness is that of the curvature.

    64 chains; the standard deviation is known to 10 %, asserted to 35 %.
    """
    from thalweg.sampling import NoisyEnergy, sample
    from thalweg.sampling.kernels import Langevin

    start = harmonic_water(fixed=("bonds.length", "angles"))
    posterior = Posterior(start, labelled, noise=100.0, batch=20)
    zero = jnp.asarray(posterior.start)
    exact = Posterior(start, labelled, noise=100.0)
    width = 1.0 / np.sqrt(float(jax.hessian(lambda u: exact(jax.random.key(0), u))(zero)[0, 0]))
    assert 0.01 < width < 0.9  # the data say more than the prior
    target = NoisyEnergy(posterior, zero.shape)
    drawn = sample(target, Langevin(scale=0.4 * width), chains=64, steps=400, warmup=100,
                   start=np.asarray(zero), key=1)  # fmt: skip
    assert drawn.draws.std() == pytest.approx(width, rel=0.35)
    batches = [
        float(posterior(key, zero + width)) for key in jax.random.split(jax.random.key(2), 64)
    ]
    spread = np.std(batches) / 8
    assert np.mean(batches) == pytest.approx(
        float(exact(jax.random.key(0), zero + width)), abs=4 * spread
    )
    assert posterior.force_field(zero).blocks["bonds"].stiffness[0] == start.blocks[
        "bonds"
    ].stiffness[0]  # fmt: skip


def test_what_a_block_calls_constant_is_not_fitted():
    water = Topology.from_bonds([8, 1, 1], [(0, 1), (0, 2)], masses=[15.999, 1.008, 1.008])
    learned = SymmetryFunctions.for_topology(water, key=jax.random.key(0))
    names = Parameters(ForceField(water, {"learned": learned})).names
    assert any("networks" in name for name in names)
    assert not any(name.endswith((".mean", ".spread")) for name in names)
