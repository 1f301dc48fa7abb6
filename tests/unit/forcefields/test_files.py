"""A force field survives its file to the last bit, and what is no force field is refused."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError, RecordFile, Scalar, StoreError, StoreVersionError
from thalweg.forcefields import (
    AbstractBlock,
    AssignedParameters,
    EquivariantMessages,
    ExponentialRepulsion,
    ForceField,
    Geometry,
    HarmonicBonds,
    InvariantMessages,
    LatentCharges,
    Mixture,
    PairSplines,
    Region,
    SymmetryFunctions,
    Topology,
    Total,
    Weighted,
    ZBLRepulsion,
    load_forcefield,
    save_forcefield,
)

WATER = Topology.from_bonds(
    [8, 1, 1], [(0, 1), (0, 2)], masses=[15.999, 1.008, 1.008], names=("O", "H1", "H2")
)


def everything():
    key = jax.random.key(0)
    bonds = HarmonicBonds(
        jnp.asarray(WATER.bonds), jnp.zeros(2, jnp.int32), jnp.array([4e5]), jnp.array([0.096])
    )
    blocks = {
        "bonds": bonds,
        "splines": PairSplines.for_topology(WATER, types="rank"),
        "zbl": ZBLRepulsion.for_topology(WATER),
        "wall": ExponentialRepulsion.for_topology(WATER),
        "acsf": SymmetryFunctions.for_topology(WATER, key=key, dtype="float32", width=4),
        "assigned": AssignedParameters.for_topology(WATER, key=key, width=4),
        "mix": Mixture(
            0.25,
            InvariantMessages.for_topology(WATER, key=key, features=4, layers=1),
            Total({"net": EquivariantMessages.for_topology(WATER, key=key, features=4, layers=1)}),
        ),
        "part": Weighted(
            -1.0,
            Region(
                jnp.array([0, 2]),
                LatentCharges.for_topology(
                    Topology.from_bonds([8, 1], [(0, 1)], masses=[15.999, 1.008]), key=key, width=4
                ),
            ),
        ),
    }
    return ForceField(WATER, blocks, fixed=("zbl", "bonds.length"), box=2.0 * np.eye(3))


class Foreign(AbstractBlock):
    strength: jax.Array

    def __call__(self, geometry: Geometry) -> Scalar:
        return self.strength * jnp.sum(geometry.positions**2)


def test_every_bit_returns(tmp_path):
    before = everything()
    path = save_forcefield(
        tmp_path / "water.npz", before, description="all blocks", certificate={"passed": True}
    )
    stored = load_forcefield(path)
    after = stored.forcefield
    assert (stored.name, stored.description) == ("water", "all blocks")
    assert stored.certificate == {"passed": True}
    assert jax.tree.structure(after) == jax.tree.structure(before)
    assert after.topology == before.topology
    assert after.topology.names == ("O", "H1", "H2")
    assert after.fixed == before.fixed
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    for one, other in pairs:
        assert one.dtype == other.dtype
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def test_a_block_from_elsewhere_is_known_once_it_is_imported(tmp_path):
    path = save_forcefield(
        tmp_path / "own.npz", ForceField(WATER, {"own": Foreign(jnp.array(2.0))})
    )
    assert float(load_forcefield(path).forcefield(jnp.ones(9))) == 18.0


def _with_header(path, change):
    with np.load(path) as file:
        content = {key: file[key] for key in file.files}
    header = json.loads(str(content["header"]))
    change(header)
    np.savez(path, **{**content, "header": np.array(json.dumps(header))})


def test_what_is_no_force_field_is_refused(tmp_path):
    path = tmp_path / "own.npz"
    with pytest.raises(StoreError, match="there is no file"):
        load_forcefield(path)
    path.write_text("nothing")
    with pytest.raises(StoreError, match="holds no force field"):
        load_forcefield(path)
    forcefield = ForceField(WATER, {"own": Foreign(jnp.array(2.0))})
    with pytest.raises(ArgumentError, match=r"written as \.npz"):
        save_forcefield(tmp_path / "own.json", forcefield)
    with pytest.raises(ArgumentError, match="certificate"):
        save_forcefield(path, forcefield, certificate={"x": np.zeros(2)})

    save_forcefield(path, forcefield)
    _with_header(path, lambda h: h.update(schema=99))
    with pytest.raises(StoreVersionError, match="format 99"):
        load_forcefield(path)
    save_forcefield(path, forcefield)
    _with_header(path, lambda h: h.update(thalweg="circuit"))
    with pytest.raises(StoreError, match="holds 'circuit'"):
        load_forcefield(path)
    save_forcefield(path, forcefield)
    _with_header(path, lambda h: h["blocks"]["map"]["own"].update(kind="Wizardry"))
    with pytest.raises(StoreError, match="holds a Wizardry"):
        load_forcefield(path)
    save_forcefield(path, forcefield)
    _with_header(path, lambda h: h["blocks"]["map"]["own"]["fields"].clear())
    with pytest.raises(StoreError, match="damaged"):
        load_forcefield(path)


class Wrapped(eqx.Module):
    net: eqx.nn.MLP
    last: eqx.nn.Linear


def test_networks_of_equinox_are_kept_with_their_activation(tmp_path):
    form = RecordFile("thing", 1, lambda: {"Wrapped": Wrapped}, "a test")
    one, other = jax.random.split(jax.random.key(0))
    net = eqx.nn.MLP(3, 2, 5, 2, activation=jnp.tanh, key=one, dtype=jnp.float32)
    thing = Wrapped(net, eqx.nn.Linear(2, 1, use_bias=False, key=other))
    form.write(tmp_path / "thing.npz", {}, {"thing": thing})
    again = form.read(tmp_path / "thing.npz", ("thing",))["thing"]
    assert eqx.tree_equal(thing, again)
    odd = eqx.nn.MLP(3, 2, 5, 2, activation=jnp.sin, key=one)
    with pytest.raises(ArgumentError, match="activation"):
        form.write(tmp_path / "thing.npz", {}, {"thing": Wrapped(odd, thing.last)})
