"""Training steps of Thalweg."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from serve import serve

from thalweg.circuits.training import (
    Shape,
    TrainConfig,
    network,
    optimiser,
    train_step,
    trainable,
)

CHAIN = optimiser(TrainConfig(rate=0.01), 1)
READY = {}


def _stepper(name, shape, size, batch):
    """A model, its batch, and a function that makes steps."""
    model = network(name, shape, size, jax.random.key(0))
    if name == "organics-unit":
        # Away from I, where the rest takes more than a sweep.
        noise = 0.05 * jax.random.normal(jax.random.key(1), (size, size), jnp.float32)
        model = eqx.tree_at(
            lambda m: m.layers[0].recurrent.raw, model, jnp.eye(size, dtype=jnp.float32) + noise
        )
    key = jax.random.key(2)
    inputs = (batch, shape.length, 1) if shape.length else (batch, shape.inputs)
    x = jax.random.uniform(key, inputs, jnp.float32)
    y = jnp.arange(batch, dtype=jnp.int32) % 10
    trained, rest = eqx.partition(model, trainable(model))
    memory = CHAIN.init(trained)
    index, weight = jnp.arange(batch, dtype=jnp.int32), jnp.ones(batch, jnp.float32)

    def step():
        return jax.block_until_ready(
            train_step(trained, rest, memory, x, y, index, weight, CHAIN, "class")
        )

    return model, x, step


def _timed(kind, name, shape, arrays, path, size, batch, fresh):
    if fresh:
        model, x, step = _stepper(name, shape, size, batch)
        np.savez(path, x=np.asarray(x), **{k: np.asarray(v) for k, v in arrays(model).items()})
        loss = float(step().loss)
        READY[kind, size] = (step, loss)
    step, loss = READY[kind, size]
    began = time.process_time()
    step()
    return {"step": time.process_time() - began, "loss": loss}


def sequence(path, size, batch, length, fresh):
    """A step on pixel sequences."""

    def arrays(model):
        cell = model.cell
        return {
            "from_input": cell.from_input,
            "gates_from_y": cell.gates_from_y,
            "gates_from_a": cell.gates_from_a,
            "recurrent": cell.recurrent.raw,
            "pool": cell.pool.log,
            "theta": cell.theta,
            "start": cell.start.value,
            "largest": np.asarray(cell.largest),
            "head": model.head.weight,
            "bias": model.head.bias,
        }

    return _timed("sequence", "organics", Shape(1, 10, length), arrays, path, size, batch, fresh)


def static(path, size, batch, length, fresh):
    """A step of a static layer of 40 inputs."""
    del length

    def arrays(model):
        layer = model.layers[0]
        return {
            "drive": layer.drive_weights,
            "gain": layer.gain_weights,
            "beta": layer.beta,
            "pool": layer.pool.log,
            "recurrent": layer.recurrent.raw,
            "head": model.head.weight,
            "bias": model.head.bias,
        }

    return _timed("static", "organics-unit", Shape(40, 10), arrays, path, size, batch, fresh)


if __name__ == "__main__":
    serve({"sequence": sequence, "static": static})
