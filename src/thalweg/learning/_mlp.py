"""Multilayer perceptrons: what their parameters are, and what they compute."""

import functools
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import ArgumentError, HiddenLayer, Point, PRNGKey

Kind = Literal["odd", "plain", "homogeneous"]

ACTIVATIONS: dict[str, tuple[Callable[..., Array], Kind]] = {
    "tanh": (jnp.tanh, "odd"),
    "identity": (lambda x: x, "odd"),
    "sine": (jnp.sin, "odd"),
    "arctan": (jnp.arctan, "odd"),
    "erf": (jax.lax.erf, "odd"),
    "softsign": (jax.nn.soft_sign, "odd"),
    "sigmoid": (jax.nn.sigmoid, "plain"),
    "softplus": (jax.nn.softplus, "plain"),
    "gelu": (functools.partial(jax.nn.gelu, approximate=False), "plain"),
    "gelu_tanh": (jax.nn.gelu, "plain"),
    "silu": (jax.nn.silu, "plain"),
    "elu": (jax.nn.elu, "plain"),
    "relu": (jax.nn.relu, "homogeneous"),
    "leaky_relu": (jax.nn.leaky_relu, "homogeneous"),
}
"""Activations by name, with what they do to a unit: `odd` ones let its sign flip, `homogeneous`
ones its scale, `plain` ones neither."""

KINKED = frozenset({"relu", "leaky_relu", "elu", "softsign"})
"""Activations whose second derivative jumps, at 0."""


class Dense(NamedTuple):
    """Parameters of one layer: `weight @ x + bias`.

    Attributes:
        weight: `(units, inputs)`.
        bias: `(units,)`, `()` where all units share one, or `None`.
    """

    weight: Array | np.ndarray
    bias: Array | np.ndarray | None


class Chain(NamedTuple):
    """Dense layers with functions of one number between them.

    Attributes:
        places: The place of each parameter in the flat vector.
        activations: One for each hidden layer.
    """

    places: tuple[Dense, ...]
    activations: tuple[Callable[[Array], Array], ...]

    def order(self) -> np.ndarray:
        """Places in the flat vector, layer by layer, weights row by row and then the biases."""
        parts = [np.ravel(part) for layer in self.places for part in layer if part is not None]
        return np.concatenate(parts)

    def layers(self, x: Point) -> tuple[Dense, ...]:
        """The parameters of each layer at a flat point."""
        return tuple(
            Dense(x[weight], None if bias is None else x[bias]) for weight, bias in self.places
        )

    def held(self) -> int:
        """Numbers of a row that a dense Hessian holds at a time."""
        units = max(len(layer.weight) for layer in self.places)
        inputs = max(layer.weight.shape[1] + 1 for layer in self.places)
        return max(units ** (3 if len(self.places) > 2 else 2), inputs**2)


class Mlp(eqx.Module):
    """A multilayer perceptron as a function of its parameters.

    Its parameters are a tuple of `Dense`, or flat: layer by layer, the weights row by row, then
    the biases. The last layer is linear.

    Attributes:
        sizes: Inputs, units of every hidden layer, outputs.
        activation: Name of the activation of all hidden layers, one of `ACTIVATIONS`, or one name
            for each hidden layer.
        biases: One for each unit, one shared by the units of a layer, or none.
    """

    sizes: tuple[int, ...] = eqx.field(static=True)
    activation: str | tuple[str, ...] = eqx.field(static=True, default="tanh")
    biases: Literal["each", "shared", "none"] = eqx.field(static=True, default="each")

    def __check_init__(self):
        if len(self.sizes) < 2 or any(size < 1 for size in self.sizes):
            raise ArgumentError(
                f"sizes={self.sizes} must hold inputs, hidden layers (or none) and outputs",
                "Mlp((3, 3, 4)): 3 inputs, 3 hidden units, 4 classes",
            )
        if not set(self.activations) <= set(ACTIVATIONS):
            known = ", ".join(ACTIVATIONS)
            raise ArgumentError(f"activation={self.activation!r} is none of {known}")
        if len(self.activations) != len(self.sizes) - 2:
            raise ArgumentError(
                f"activation={self.activation!r} names {len(self.activations)} for "
                f"{len(self.sizes) - 2} hidden layers"
            )
        if self.biases not in {"each", "shared", "none"}:
            raise ArgumentError(f"biases={self.biases!r} is none of 'each', 'shared', 'none'")

    @property
    def activations(self) -> tuple[str, ...]:
        """Name of the activation of each hidden layer."""
        if isinstance(self.activation, tuple):
            return self.activation
        return (self.activation,) * (len(self.sizes) - 2)

    @property
    def kinks(self) -> bool:
        """Whether second derivatives of the activation jump."""
        return not KINKED.isdisjoint(self.activations)

    @property
    def dof(self) -> int:
        """Number of parameters."""
        return sum(
            out * (inputs + (self.biases == "each")) + (self.biases == "shared")
            for inputs, out in zip(self.sizes[:-1], self.sizes[1:], strict=True)
        )

    @property
    def template(self) -> tuple[Dense, ...]:
        """Parameters of the right shapes, all zero."""
        shape = {"each": lambda out: jnp.zeros(out), "shared": lambda _: jnp.zeros(())}
        bias = shape.get(self.biases, lambda _: None)
        return tuple(
            Dense(jnp.zeros((out, inputs)), bias(out))
            for inputs, out in zip(self.sizes[:-1], self.sizes[1:], strict=True)
        )

    def unravel(self, x: Float[Array, " dof"]) -> tuple[Dense, ...]:
        """The layers behind a flat point."""
        layers, begin = [], 0
        for empty in self.template:
            end = begin + empty.weight.size
            weight, begin = x[begin:end].reshape(empty.weight.shape), end
            bias = empty.bias
            if bias is not None:
                end = begin + bias.size
                bias, begin = x[begin:end].reshape(bias.shape), end
            layers.append(Dense(weight, bias))
        return tuple(layers)

    def ravel(self, params: tuple[Dense, ...]) -> Float[Array, " dof"]:
        """The flat point of some layers."""
        return jnp.concatenate([jnp.ravel(jnp.asarray(part)) for part in jax.tree.leaves(params)])

    def __call__(
        self,
        params: tuple[Dense, ...] | Float[Array | np.ndarray, " dof"],
        inputs: Float[Array | np.ndarray, "n features"],
    ) -> Float[Array, "n outputs"]:
        """Outputs (logits) for rows of inputs."""
        if isinstance(params, jax.Array | np.ndarray):
            params = self.unravel(jnp.asarray(params))
        values = jnp.asarray(inputs)
        for number, (weight, bias) in enumerate(params):
            values = self.activate(number - 1, values) if number else values
            values = values @ weight.T
            values = values if bias is None else values + bias
        return values

    def chain(self, unravel: object) -> Chain:
        """Its layers, and where their parameters are."""
        del unravel
        return Chain(places_of(self), tuple(ACTIVATIONS[name][0] for name in self.activations))

    def activate(self, layer: int, values: Array) -> Array:
        """The activation of a hidden layer, counted from 0."""
        return ACTIVATIONS[self.activations[layer]][0](values)

    def init(self, key: PRNGKey, scale: float = 1.0) -> Float[Array, " dof"]:
        """A flat random point: weights `N(0, scale² / inputs)`, biases `N(0, scale²)`."""
        layers = []
        for number, empty in enumerate(self.template):
            first, second = jax.random.split(jax.random.fold_in(key, number))
            size = empty.weight.shape[1] ** -0.5
            weight = scale * size * jax.random.normal(first, empty.weight.shape)
            bias = empty.bias
            bias = None if bias is None else scale * jax.random.normal(second, bias.shape)
            layers.append(Dense(weight, bias))
        return self.ravel(tuple(layers))


def layers_of(index: Sequence[Dense], kinds: Sequence[Kind]) -> tuple[HiddenLayer, ...]:
    """Hidden layers of a chain of dense ones, given the place of each parameter.

    Args:
        index: Places in the flat vector, in the shapes of weights and biases.
        kinds: What the activation of each hidden layer allows.
    """
    layers = []
    for kind, here, after in zip(kinds, index[:-1], index[1:], strict=True):
        columns = [np.asarray(here.weight)]
        if here.bias is not None and np.ndim(here.bias):
            columns.append(np.asarray(here.bias)[:, None])
        into = np.concatenate(columns, axis=1)
        layers.append(HiddenLayer(into, np.asarray(after.weight).T, kind))
    return tuple(layers)


def places_of(mlp: Mlp) -> tuple[Dense, ...]:
    """The place of each parameter in the flat vector, in the shape of the parameters."""
    places, begin = [], 0
    for empty in mlp.template:
        parts = []
        for part in empty:
            if part is None:
                parts.append(None)
                continue
            place = np.arange(begin, begin + part.size).reshape(part.shape)
            parts.append(place)
            begin += part.size
        places.append(Dense(*parts))
    return tuple(places)
