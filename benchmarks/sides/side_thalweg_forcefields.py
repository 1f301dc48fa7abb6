"""The same force field as blocks."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import openmm
from serve import repeated, serve

import thalweg
from thalweg.forcefields import Topology
from thalweg.io import forcefield_from_openmm

thalweg.enable_float64()
READY = {}


def _functions(folder):
    if folder not in READY:
        system = openmm.XmlSerializer.deserialize(Path(folder, "system.xml").read_text())
        data = np.load(Path(folder, "molecule.npz"))
        topology = Topology.from_bonds(
            data["numbers"].tolist(), data["bonds"].tolist(), masses=data["masses"].tolist()
        )
        forcefield = forcefield_from_openmm(system, topology)
        one = jax.value_and_grad(lambda x: forcefield(x))
        x = jnp.asarray(data["x"].reshape(len(data["x"]), -1))
        READY[folder] = (jax.jit(one), jax.jit(jax.vmap(one)), x)
    return READY[folder]


def single(folder):
    """One call from Python."""
    one, _, x = _functions(folder)
    first = x[0]
    return {
        "seconds": repeated(lambda: jax.block_until_ready(one(first))),
        "energy": float(one(first)[0]),
    }


def steps(folder):
    """One step of velocity Verlet inside a compiled loop."""
    _, _, x = _functions(folder)
    one = _functions(folder)[0]

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


def many(folder):
    """All structures at once."""
    _, batch, x = _functions(folder)
    return {
        "seconds": repeated(lambda: jax.block_until_ready(batch(x))) / len(x),
        "energy": float(batch(x)[0][-1]),
    }


serve({"single": single, "steps": steps, "many": many})
