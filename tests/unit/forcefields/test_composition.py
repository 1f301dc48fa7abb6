"""Blocks made of blocks, and committees."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.forcefields import (
    Committee,
    ForceField,
    Geometry,
    HarmonicBonds,
    Mixture,
    Region,
    Topology,
    Total,
    Weighted,
    doubled,
)
from thalweg.sampling import NoisyEnergy

CHAIN = Topology.from_bonds([6, 6, 6], [(0, 1), (1, 2)], masses=[12.011] * 3)
X = jnp.array([[0.0, 0.0, 0.0], [0.15, 0.0, 0.0], [0.2, 0.15, 0.01]])


def springs(pairs, stiffness, length=0.1):
    atoms = jnp.asarray(pairs, jnp.int32)
    kind = jnp.zeros(len(atoms), jnp.int32)
    return HarmonicBonds(atoms, kind, jnp.array([stiffness]), jnp.array([length]))


def test_operators_are_what_they_say():
    one, two = springs([(0, 1), (1, 2)], 100.0), springs([(0, 2)], 70.0)
    geometry = Geometry(X)
    a, b = float(one(geometry)), float(two(geometry))
    assert float(Weighted(-0.5, one)(geometry)) == pytest.approx(-0.5 * a)
    assert float(Total({"one": one, "two": two})(geometry)) == pytest.approx(a + b)
    path = Mixture(0.3, one, two)
    assert float(path(geometry)) == pytest.approx(0.7 * a + 0.3 * b)
    slope = eqx.filter_grad(lambda p: p(geometry))(path).mixing
    assert float(slope) == pytest.approx(b - a)


def test_a_region_sees_its_atoms_only():
    """Mechanical embedding: a bond's own part out, another in."""
    whole = springs([(0, 1), (1, 2)], 100.0)
    part = Region(jnp.array([2, 1]), springs([(0, 1)], 100.0))
    instead = Region(jnp.array([2, 1]), springs([(0, 1)], 33.0, 0.2))
    forcefield = ForceField(CHAIN, {"mm": whole, "out": Weighted(-1.0, part), "in": instead})
    expected = springs([(0, 1)], 100.0)(Geometry(X)) + springs([(1, 2)], 33.0, 0.2)(Geometry(X))
    assert float(forcefield(X.ravel())) == pytest.approx(float(expected))


def test_a_region_renames_listed_neighbours():
    from thalweg.forcefields import ZBLRepulsion

    near = Topology.from_bonds([6, 6], [], masses=[12.011] * 2)
    region = Region(jnp.array([2, 1]), ZBLRepulsion.for_topology(near, reach=0.0))
    pairs = jnp.array([[0, 1], [1, 2], [0, 2], [0, 0]])
    listed = region(Geometry(X, None, pairs))
    assert float(listed) == pytest.approx(float(region(Geometry(X))), rel=1e-12)
    none = region(Geometry(X, None, jnp.array([[0, 1], [0, 2]])))
    assert float(none) == 0.0


def test_two_copies_have_twice_the_energy():
    blocks = {
        "path": Mixture(0.3, springs([(0, 1)], 100.0), Weighted(2.0, springs([(0, 2)], 70.0))),
        "region": Region(jnp.array([2, 1]), springs([(0, 1)], 100.0)),
    }
    forcefield = ForceField(CHAIN, blocks)
    both = doubled(forcefield)
    x = jnp.concatenate([X, X + 5.0]).ravel()
    assert both.topology.n_atoms == 6
    assert both.topology.bonds.tolist() == [[0, 1], [1, 2], [3, 4], [4, 5]]
    assert float(both(x)) == pytest.approx(2.0 * float(forcefield(X.ravel())))


def members(count=3):
    return [
        ForceField(CHAIN, {"springs": springs([(0, 1), (1, 2)], 100.0 + 10.0 * k)})
        for k in range(count)
    ]


def test_a_committee_is_its_mean_and_its_spread():
    committee, x = Committee(members()), X.ravel()
    values = np.array([float(member(x)) for member in members()])
    np.testing.assert_allclose(committee.energies(x), values, rtol=1e-12)
    assert float(committee(x)) == pytest.approx(values.mean())
    assert float(committee.spread(x)) == pytest.approx(values.std(ddof=1))
    forces = np.array([np.asarray(member.forces(x)) for member in members()])
    np.testing.assert_allclose(committee.forces(x), forces.mean(axis=0), rtol=1e-12)
    away = np.sqrt((forces.std(axis=0, ddof=1) ** 2).sum(axis=1))
    np.testing.assert_allclose(committee.force_spread(x), away, rtol=1e-10)


def test_members_of_different_kinds_sit_together():
    plain, other = members(2)
    rich = ForceField(CHAIN, {**other.blocks, "more": springs([(0, 2)], 5.0)})
    committee, x = Committee([plain, rich]), X.ravel()
    assert float(committee(x)) == pytest.approx(0.5 * float(plain(x) + rich(x)))


def test_draws_of_a_committee_are_unbiased_and_can_be_sampled():
    committee, x = Committee(members()), X.ravel()
    noisy = committee.noisy(draws=4)
    keys = jax.random.split(jax.random.key(0), 4000)
    values, variances = jax.jit(jax.vmap(lambda key: noisy(key, x)))(keys)
    exact = np.var([float(m(x)) for m in members()]) / 4
    error = float(jnp.std(values)) / 4000**0.5
    assert abs(float(jnp.mean(values) - committee(x))) < 4 * error
    assert float(jnp.var(values)) == pytest.approx(exact, rel=0.1)
    assert float(jnp.mean(variances)) == pytest.approx(exact, rel=0.1)
    target = NoisyEnergy(noisy, (9,), variance="returned", samples=4)
    energy, variance = target(keys[0], x)
    assert np.isfinite([float(energy), float(variance)]).all()


def test_wrong_committees():
    with pytest.raises(ArgumentError, match="committee of 1"):
        Committee(members(1))
    other = ForceField(Topology.from_bonds([6], [], masses=[12.011]), {})
    with pytest.raises(ArgumentError, match=r"members\[1\] is for other atoms"):
        Committee([*members(1), other])
    with pytest.raises(ArgumentError, match="draws=1"):
        Committee(members()).noisy(draws=1)


@pytest.mark.parametrize(
    ("numbers", "masses", "said"),
    [
        ([6, 119], [12.011] * 2, r"numbers\[1\]=119 \(atom 1\)"),
        ([6, 6], [12.011, -1.0], r"masses\[1\]=-1.0 \(atom 1\)"),
        ([6, 6], [np.nan, 12.011], r"masses\[0\]=nan \(atom 0\)"),
    ],
)
def test_impossible_atoms_are_named(numbers, masses, said):
    with pytest.raises(ArgumentError, match=said):
        Topology.from_bonds(numbers, [(0, 1)], masses=masses)
