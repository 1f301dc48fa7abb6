"""Whole networks: a front end, circuits, and a read-out."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Float, PRNGKey

from ._cell import AbstractCell, run_cell
from ._layers import (
    AbstractLayer,
    Dense,
    OrganicsConvolution,
    dense,
    organics_convolution,
    organics_layer,
    supralinear_layer,
)
from ._numerics import count_parameters
from ._organics_cell import PAPER_STEPS, minimal_organics_cell, organics_cell
from ._peer_cells import (
    coupled_oscillator_cell,
    gru_cell,
    leaky_cell,
    lstm_cell,
    supralinear_cell,
)

_PAPER_LENGTH = 784
ENCODER = (360, 120, 40)
"""Units of the front end of the static networks for 28 × 28 images."""


class StaticNetwork(eqx.Module):
    """Front end, layers, read-out; with a decoder, also a reconstruction of the input."""

    front: tuple[Dense, ...]
    layers: tuple[AbstractLayer, ...]
    head: Dense
    decoder: tuple[Dense, ...]

    def __call__(self, x: Float[Array, "batch inputs"]) -> Array:
        """Scores of the classes, `(batch, classes)`."""
        h = self.encode(x)
        for layer in self.layers:
            h = layer(h)
        return self.head(h)

    def encode(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch features"]:
        """What the first circuit sees."""
        for layer in self.front:
            x = layer(x)
        return x

    def extra_loss(self, x: Float[Array, "batch inputs"]) -> Float[Array, " batch"]:
        """Mean square error of the reconstruction, zero without a decoder."""
        h = self.encode(x)
        for layer in self.decoder:
            h = layer(h)
        return jnp.mean((h - x) ** 2, axis=-1) if self.decoder else jnp.zeros(len(x), x.dtype)

    def entries(self, x: Float[Array, "batch inputs"]) -> list[Array]:
        """The input of each layer: each circuit is analysed alone, for nothing is fed back."""
        into = [self.encode(x)]
        for layer in self.layers[:-1]:
            into.append(layer(into[-1]))
        return into


class ImageNetwork(eqx.Module):
    """A convolutional circuit and a read-out, for square images given as rows."""

    layer: OrganicsConvolution
    head: Dense
    side: int = eqx.field(static=True)

    def __call__(self, x: Float[Array, "batch inputs"]) -> Array:
        """Scores of the classes."""
        rates = self.layer(x.reshape(len(x), 1, self.side, self.side))
        return self.head(rates.reshape(len(x), -1))

    def extra_loss(self, x: Float[Array, "batch inputs"]) -> Float[Array, " batch"]:
        """Nothing."""
        return jnp.zeros(len(x), x.dtype)


class SequenceNetwork(eqx.Module):
    """A cell that reads a sequence, and a read-out at the end or at every time."""

    cell: AbstractCell
    head: Dense
    every: bool = eqx.field(static=True)

    def __call__(
        self,
        x: Float[Array, "batch time inputs"],
        nudges: Float[Array, "time batch dof"] | None = None,
    ) -> Array:
        """Scores `(batch, classes)`, or `(batch, time, classes)` if read at every time."""
        last, outputs = run_cell(self.cell, x, every=self.every, nudges=nudges)
        if outputs is None:
            return self.head(self.cell.output(last))
        flat = self.head(outputs.reshape(-1, outputs.shape[-1]))
        return jnp.moveaxis(flat.reshape(*outputs.shape[:2], -1), 0, 1)

    def extra_loss(self, x: Float[Array, "batch time inputs"]) -> Float[Array, " batch"]:
        """Nothing."""
        return jnp.zeros(len(x), x.dtype)


Network = StaticNetwork | ImageNetwork | SequenceNetwork


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a task asks of a network.

    Attributes:
        inputs: Numbers in an input, or in each input of a sequence.
        outputs: Classes, or numbers to predict.
        length: Inputs in a sequence; 0 if the task is static.
        every: Whether every time has an answer.
    """

    inputs: int
    outputs: int
    length: int = 0
    every: bool = False


Maker = Callable[[int, int, PRNGKey, Shape, Any], Any]


def _steps(shape: Shape) -> tuple[float, float, float]:
    """The paper's largest steps are for 784 inputs: shorter sequences get proportionally longer."""
    longer = max(1.0, _PAPER_LENGTH / max(1, shape.length))
    y, a, b = (min(1.0, longer * step) for step in PAPER_STEPS)
    return y, a, b


def _organics(variant: str, recurrence: str | None = None, *, learned: bool = True) -> Maker:
    def make(inputs: int, hidden: int, key: PRNGKey, shape: Shape, dtype: Any) -> Any:
        return organics_cell(
            inputs,
            hidden,
            key,
            variant=variant,
            recurrence=recurrence,
            largest=_steps(shape),
            learn_steps=learned,
            dtype=dtype,
        )

    return make


def _minimal(inputs: int, hidden: int, key: PRNGKey, shape: Shape, dtype: Any) -> Any:
    step = min(1.0, 1e-3 * max(1.0, _PAPER_LENGTH / max(1, shape.length)))
    return minimal_organics_cell(inputs, hidden, key, step=step, dtype=dtype)


def _plain(maker: Callable[..., Any], **options: Any) -> Maker:
    return lambda inputs, hidden, key, shape, dtype: maker(
        inputs, hidden, key, dtype=dtype, **options
    )


CELLS: dict[str, Maker] = {
    "organics": _organics("head"),
    "organics-paper": _organics("paper"),
    "organics-unrectified": _organics("unrectified"),
    "organics-identity": _organics("head", "identity"),
    "organics-bounded": _organics("head", "bounded"),
    "organics-orthogonal": _organics("head", "orthogonal"),
    "organics-fixed-steps": _organics("head", learned=False),
    "organics-minimal": _minimal,
    "lstm": _plain(lstm_cell),
    "gru": _plain(gru_cell),
    "rnn": _plain(leaky_cell),
    "leaky-rnn": _plain(leaky_cell, leak=0.1),
    "ssn": _plain(supralinear_cell),
    "cornn": _plain(coupled_oscillator_cell),
}
"""Models that read sequences."""

LAYERS: dict[str, Maker] = {
    "organics": _plain(organics_layer),
    "organics-bounded": _plain(organics_layer, recurrence="bounded"),
    "organics-unit": _plain(organics_layer, recurrence="unit"),
    "organics-orthogonal": _plain(organics_layer, recurrence="orthogonal"),
    "ssn": _plain(supralinear_layer),
    "ssn-half": _plain(supralinear_layer, share=0.5),
    "mlp": _plain(dense, activation="relu"),
}
"""Models that answer at once."""

IMAGE_MODELS = ("organics-conv",)


def models(shape: Shape) -> tuple[str, ...]:
    """Names of the models that fit a task."""
    return tuple(CELLS) if shape.length else (*LAYERS, *IMAGE_MODELS)


def network(
    name: str,
    shape: Shape,
    hidden: int | tuple[int, ...],
    key: PRNGKey,
    *,
    encoder: tuple[int, ...] = (),
    dtype: Any = jnp.float32,
) -> Network:
    """A network by the name of its circuit.

    Args:
        name: See `models`.
        shape: What the task asks for.
        hidden: Units of the circuit, or of each of several static layers.
        key: Random key.
        encoder: Static tasks: units of a front end trained with a decoder (all but its last layer
            rectified, the last one sigmoid), as the paper uses for 28 × 28 images.
        dtype: Precision.

    Raises:
        ArgumentError: if no such model fits the task.
    """
    if name not in models(shape):
        raise ArgumentError(
            f"there is no model {name!r} for this task", f"use one of {', '.join(models(shape))}"
        )
    sizes = [hidden] if isinstance(hidden, int) else list(hidden)
    if not sizes or min(sizes) < 1:
        raise ArgumentError(f"hidden={hidden} must be at least 1")
    one, two, three, four = jax.random.split(key, 4)
    if shape.length:
        if len(sizes) > 1:
            raise ArgumentError(f"hidden={hidden}: a sequence is read by one layer")
        units = max(sizes)
        cell = CELLS[name](shape.inputs, units, one, shape, dtype)
        head = dense(units, shape.outputs, two, dtype=dtype)
        return SequenceNetwork(cell, head, shape.every)
    if name in IMAGE_MODELS:
        side = round(shape.inputs**0.5)
        layer = organics_convolution((1, side, side), sizes[0], one, dtype=dtype)
        return ImageNetwork(layer, dense(layer.beta.size, shape.outputs, two, dtype=dtype), side)
    widths = (encoder[-1] if encoder else shape.inputs, *sizes)
    keys = jax.random.split(one, len(sizes))
    layers = tuple(
        LAYERS[name](into, out, k, shape, dtype)
        for (into, out), k in zip(itertools.pairwise(widths), keys, strict=True)
    )
    ends = (shape.inputs, *encoder)
    return StaticNetwork(
        front=_stack(ends, three, dtype) if encoder else (),
        layers=layers,
        head=dense(sizes[-1], shape.outputs, two, dtype=dtype),
        decoder=_stack(ends[::-1], four, dtype) if encoder else (),
    )


def _stack(widths: tuple[int, ...], key: PRNGKey, dtype: Any) -> tuple[Dense, ...]:
    keys = jax.random.split(key, len(widths) - 1)
    pairs = list(itertools.pairwise(widths))
    return tuple(
        dense(
            into,
            out,
            k,
            activation="sigmoid" if i == len(pairs) - 1 else "relu",
            dtype=dtype,
        )
        for i, ((into, out), k) in enumerate(zip(pairs, keys, strict=True))
    )


def parameters_of(
    name: str, shape: Shape, hidden: int | tuple[int, ...], encoder: tuple[int, ...] = ()
) -> int:
    """How many numbers such a network trains, without building it."""
    skeleton = eqx.filter_eval_shape(
        lambda key: network(name, shape, hidden, key, encoder=encoder), jax.random.key(0)
    )
    return count_parameters(skeleton)


def matched_hidden(name: str, shape: Shape, parameters: int, encoder: tuple[int, ...] = ()) -> int:
    """The number of units with which a model has nearest to so many parameters."""
    low, high = 1, 1
    while parameters_of(name, shape, high, encoder) < parameters:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if parameters_of(name, shape, middle, encoder) < parameters:
            low = middle
        else:
            high = middle
    return min((low, high), key=lambda n: abs(parameters_of(name, shape, n, encoder) - parameters))
