"""Force fields as blocks: OpenMM's own system, and the ones that are learned."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import openmm
from serve import repeated, serve

import thalweg
from thalweg.core import value_and_grad
from thalweg.forcefields import (
    EquivariantMessages,
    ForceField,
    InvariantMessages,
    SymmetryDescriptor,
    SymmetryFunctions,
    Topology,
)
from thalweg.io import forcefield_from_openmm, generic_forcefield

thalweg.enable_float64()
READY = {}


def _openmm(folder, topology, x):
    system = openmm.XmlSerializer.deserialize(Path(folder, "system.xml").read_text())
    return forcefield_from_openmm(system, topology)


def _class_two(folder, topology, x):
    return generic_forcefield(topology, x[0], "II")


def _functions(folder, topology, x):
    """As many symmetry functions and units as ANI, near enough."""
    elements = len(set(topology.numbers.tolist()))
    descriptor = SymmetryDescriptor.even(elements, radial=16, angular=8, zetas=(1, 4))
    block = SymmetryFunctions.for_topology(
        topology, key=jax.random.key(0), descriptor=descriptor, width=160, depth=3, dtype="float32"
    )
    return ForceField(topology, {"learned": block.calibrated(jnp.asarray(x))})


def _small_functions(folder, topology, x):
    block = SymmetryFunctions.for_topology(topology, key=jax.random.key(0), dtype="float32")
    return ForceField(topology, {"learned": block.calibrated(jnp.asarray(x))})


def _messages(kind, features):
    def build(folder, topology, x):
        block = kind.for_topology(
            topology, key=jax.random.key(0), features=features, dtype="float32"
        )
        return ForceField(topology, {"learned": block})

    return build


MODELS = {
    "Amber14": _openmm,
    "class II": _class_two,
    "symmetry functions": _small_functions,
    "symmetry functions as ANI's": _functions,
    "invariant messages, 64": _messages(InvariantMessages, 64),
    "equivariant messages, 32": _messages(EquivariantMessages, 32),
    "equivariant messages, 64": _messages(EquivariantMessages, 64),
}


def _ready(folder, model):
    if (folder, model) not in READY:
        data = np.load(Path(folder, "molecule.npz"))
        topology = Topology.from_bonds(
            data["numbers"].tolist(), data["bonds"].tolist(), masses=data["masses"].tolist()
        )
        forcefield = MODELS[model](folder, topology, data["x"])
        one = jax.value_and_grad(lambda x: forcefield(x))
        x = jnp.asarray(data["x"].reshape(len(data["x"]), -1))
        count = sum(leaf.size for leaf in jax.tree.leaves(forcefield) if leaf.dtype.kind == "f")
        block = jax.jit(lambda x: value_and_grad(forcefield, x))
        READY[folder, model] = (jax.jit(one), block, x, count)
    return READY[folder, model]


def single(folder, model):
    """One call from Python."""
    one, _, x, count = _ready(folder, model)
    first = x[0]
    return {
        "seconds": repeated(lambda: jax.block_until_ready(one(first))),
        "energy": float(one(first)[0]),
        "parameters": count,
    }


def steps(folder, model):
    """One step of velocity Verlet inside a compiled loop."""
    one, _, x, _ = _ready(folder, model)

    @jax.jit
    def hundred(x, v, force):
        def step(_, state):
            x, v, force = state
            v = v - 0.5 * 5e-4 / 12.0 * force
            x = x + 5e-4 * v
            force = one(x)[1]
            return x, v - 0.5 * 5e-4 / 12.0 * force, force

        return jax.lax.fori_loop(0, 100, step, (x, v, force))

    begin = (x[0], jnp.zeros_like(x[0]), one(x[0])[1])
    return {
        "seconds": repeated(lambda: jax.block_until_ready(hundred(*begin))) / 100,
        "energy": None,
    }


def many(folder, model):
    """All structures at once."""
    _, block, x, count = _ready(folder, model)
    lanes = x.T
    return {
        "seconds": repeated(lambda: jax.block_until_ready(block(lanes))) / len(x),
        "energy": float(block(lanes)[0][-1]),
        "parameters": count,
    }


serve({"single": single, "steps": steps, "many": many})
