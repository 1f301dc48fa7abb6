"""Learned blocks: precision, neighbours, other molecules, and wrong calls."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError, hessian
from thalweg.forcefields import (
    AssignedParameters,
    EquivariantMessages,
    ExponentialRepulsion,
    ForceField,
    Geometry,
    InvariantMessages,
    LatentCharges,
    PairSplines,
    SymmetryDescriptor,
    SymmetryFunctions,
    Topology,
    ZBLRepulsion,
    transferred,
)

KEY = jax.random.key(0)
X = 0.1 * np.array(
    [[0.0, 0.0, 0.0], [0.96, 0.05, 0.1], [-0.24, 0.93, 0.0], [2.4, 0.1, 0.3], [2.8, 0.9, -0.2]]
)
MASSES = [15.999, 1.008, 1.008, 15.999, 1.008]
CLUSTER = Topology.from_bonds([8, 1, 1, 8, 1], [(0, 1), (0, 2), (3, 4)], masses=MASSES, charge=-1)
SMALL = SymmetryDescriptor.even(2, radial=3, angular=1, zetas=(1,))


def blocks(dtype="float64"):
    return {
        "functions": SymmetryFunctions.for_topology(
            CLUSTER, key=KEY, descriptor=SMALL, width=4, dtype=dtype
        ),
        "invariant": InvariantMessages.for_topology(
            CLUSTER, key=KEY, features=4, layers=1, dtype=dtype
        ),
        "equivariant": EquivariantMessages.for_topology(
            CLUSTER, key=KEY, features=4, layers=1, dtype=dtype
        ),
        "charges": LatentCharges.for_topology(
            CLUSTER, key=KEY, descriptor=SMALL, width=4, dtype=dtype
        ),
    }


def others():
    splines = PairSplines.for_topology(CLUSTER, separate=2)
    drawn = jax.random.normal(KEY, splines.coefficients.shape)
    return {
        "splines": eqx.tree_at(lambda s: s.coefficients, splines, drawn),
        "zbl": ZBLRepulsion.for_topology(CLUSTER),
        "wall": ExponentialRepulsion.for_topology(CLUSTER),
    }


@eqx.filter_jit
def each(forcefield, x, pairs):
    geometry = Geometry(x, None, pairs)
    return {name: block(geometry) for name, block in forcefield.blocks.items()}


@pytest.fixture(scope="module")
def energies():
    return each(ForceField(CLUSTER, {**blocks(), **others()}), jnp.asarray(X), None)


def test_listed_neighbours_and_fillers_change_nothing(energies):
    pairs = jnp.asarray([*itertools.combinations(range(5), 2), (0, 0), (0, 0), (0, 0)])
    listed = each(ForceField(CLUSTER, {**blocks(), **others()}), jnp.asarray(X), pairs)
    for name, energy in energies.items():
        assert abs(float(energy)) > 1e-6, name
        np.testing.assert_allclose(listed[name], energy, rtol=1e-11, err_msg=name)


@pytest.mark.slow
def test_single_precision_is_the_networks_and_not_the_energys():
    made = blocks("float32")
    single = ForceField(CLUSTER, {name: made[name] for name in ("functions", "equivariant")})
    leaves = [leaf for leaf in jax.tree.leaves(single) if eqx.is_inexact_array(leaf)]
    assert {leaf.dtype for leaf in leaves} == {np.dtype("float32")}
    found = each(single, jnp.asarray(X), None)
    assert len(found) == 2
    for energy in found.values():
        assert energy.dtype == jnp.float64
        assert np.isfinite(energy)


def test_hidden_charges_sum_to_the_total():
    block = blocks()["charges"]
    charges = eqx.filter_jit(lambda b, x: b.charges(Geometry(x)))(block, jnp.asarray(X))
    assert float(jnp.sum(charges)) == pytest.approx(-1.0, abs=1e-14)
    assert float(jnp.std(charges)) > 1e-3
    with pytest.raises(ArgumentError, match="Ewald"):
        block(Geometry(jnp.asarray(X), 2.0 * jnp.eye(3)))


def test_a_block_moves_to_another_molecule(energies):
    order = np.array([3, 1, 4, 0, 2])
    place = np.argsort(order)
    bonds = [(int(place[i]), int(place[j])) for i, j in CLUSTER.bonds]
    other = Topology.from_bonds(
        CLUSTER.numbers[order].tolist(), bonds, masses=CLUSTER.masses[order].tolist(), charge=-1
    )
    moved = {name: transferred(block, other) for name, block in blocks().items()}
    again = each(ForceField(other, moved), jnp.asarray(X[order]), None)
    for name, energy in again.items():
        np.testing.assert_allclose(energy, energies[name], rtol=1e-11, err_msg=name)
    with pytest.raises(ArgumentError, match=r"atom 1.*atomic number 6"):
        transferred(blocks()["functions"], Topology.from_bonds([8, 6], [], masses=[16.0, 12.0]))
    with pytest.raises(ArgumentError, match="tied to"):
        transferred(PairSplines.for_topology(CLUSTER), CLUSTER)


def test_assigned_parameters_know_the_graph_and_nothing_else():
    """Propene from both ends: the same terms in another order; alike atoms have one charge."""
    numbers = [6, 6, 6, 1, 1, 1, 1, 1, 1]
    bonds = [(0, 1), (1, 2), (0, 3), (0, 4), (1, 5), (2, 6), (2, 7), (2, 8)]
    masses = [12.011] * 3 + [1.008] * 6
    forward = Topology.from_bonds(numbers, bonds, masses=masses)
    backward = Topology.from_bonds(
        numbers[::-1], [(8 - i, 8 - j) for i, j in bonds], masses=masses[::-1]
    )
    net = AssignedParameters.for_topology(forward, key=KEY, width=8)
    assign = eqx.filter_jit(lambda net: net.terms())
    one, other = jax.device_get((assign(net), assign(net.on(backward))))
    for name in ("bond_stiffness", "bond_length", "angle_stiffness", "angle"):
        np.testing.assert_allclose(
            np.sort(getattr(one, name)), np.sort(getattr(other, name)), rtol=1e-12
        )
    np.testing.assert_allclose(
        np.sort(one.torsion, axis=0), np.sort(other.torsion, axis=0), rtol=1e-10
    )
    np.testing.assert_allclose(one.charges, other.charges[::-1], rtol=1e-11)
    np.testing.assert_allclose(one.charges[6:], one.charges[6], rtol=1e-12)
    assert float(np.sum(one.charges)) == pytest.approx(0.0, abs=1e-13)
    assert np.all((np.asarray(one.angle) > 0) & (np.asarray(one.angle) < np.pi))
    assert set(net.blocks()) == {"bonds", "angles", "torsions", "charges"}
    x = jax.random.normal(KEY, (9, 3)) * 0.15
    energies = jax.jit(lambda x: (net(Geometry(x)), net.on(backward)(Geometry(x[::-1]))))(x)
    assert float(energies[0]) == pytest.approx(float(energies[1]), rel=1e-10)


def test_rings_are_seen():
    ring = Topology.from_bonds(
        [6] * 6, [(0, 1), (1, 2), (2, 3), (3, 0), (3, 4), (4, 5)], masses=[12.0] * 6
    )
    from thalweg.forcefields._assigned import graph_features

    features = graph_features(ring, formal=[0, 0, 0, 0, 0, 1])
    in_four = features[:, 7]  # degrees 0 to 5, then rings of 3, 4, …
    assert in_four.tolist() == [1, 1, 1, 1, 0, 0]
    assert features[:, 6].sum() == features[:, 8:12].sum() == 0
    assert features[:, 12].tolist() == [0, 0, 0, 0, 0, 1]
    with pytest.raises(ArgumentError, match="formal has 2"):
        graph_features(ring, formal=[0, 0])


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: SymmetryFunctions.for_topology(CLUSTER, key=KEY, dtype="float16"), "float16"),
        (lambda: InvariantMessages.for_topology(CLUSTER, key=KEY, cutoff=50.0), "cutoff=50"),
        (lambda: EquivariantMessages.for_topology(CLUSTER, key=KEY, cutoff=-1.0), "cutoff=-1"),
        (lambda: SymmetryDescriptor.even(2, zetas=(0,)), "zetas"),
        (
            lambda: SymmetryFunctions.for_topology(
                CLUSTER, key=KEY, descriptor=SymmetryDescriptor.even(3)
            ),
            "descriptor is for 3",
        ),
        (lambda: PairSplines.for_topology(CLUSTER, start=0.7), "knots=30 from 0.7"),
        (lambda: PairSplines.for_topology(CLUSTER, separate=4), "separate=4"),
        (
            lambda: PairSplines.of_function(
                lambda r: np.where(r < 0.2, np.nan, r), CLUSTER, knots=8, start=0.1, cutoff=0.5
            ),
            r"function\(0.1 nm\)",
        ),
        (lambda: LatentCharges.for_topology(CLUSTER, key=KEY, softening=0.0), "softening"),
        (
            lambda: ZBLRepulsion.for_topology(Topology.from_bonds([118], [], masses=[294.0])),
            "atomic number 118",
        ),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, match):
    with pytest.raises(ArgumentError, match=match):
        call()


def test_hessians_by_few_columns():
    """Large networks go a few columns at a time; the matrix is that of all columns at once."""
    learned = ForceField(CLUSTER, {name: blocks()[name] for name in ("functions", "invariant")})
    assert learned.lanes_at_once is not None
    points = jnp.stack([jnp.ravel(X), jnp.ravel(X) + 0.001], axis=1)
    found = eqx.filter_jit(hessian)(learned, points)
    whole = jax.jit(jax.hessian(learned))(points[:, 1])
    assert float(jnp.abs(whole).max()) > 1.0
    np.testing.assert_allclose(found[1], whole, atol=1e-10 * float(jnp.abs(whole).max()))
