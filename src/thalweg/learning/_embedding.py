"""One more hidden unit: where a solution of a smaller network lies in the larger one."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from thalweg.core import ArgumentError, Point, System

from ._energy import LossEnergy
from ._mlp import ACTIVATIONS, Dense, Mlp, places_of
from ._systems import loss_of


@dataclasses.dataclass(frozen=True, eq=False)
class Embedded:
    """A network with one more unit, all of whose weights are zero.

    Attributes:
        model: The larger network.
        x: Its flat parameters.
        incoming: Places of the parameters that enter the new unit.
        outgoing: Places of those that leave it.
    """

    model: Mlp
    x: Float[np.ndarray, " dof"]
    incoming: Int[np.ndarray, " in"]
    outgoing: Int[np.ndarray, " out"]


def embed_unit(model: Mlp, x: Float[np.ndarray | Array, " dof"], *, layer: int = 0) -> Embedded:
    """Add a hidden unit with zero weights to a network.

    The outputs do not change, and a stationary point of a loss with or without penalty stays
    one: the activation vanishes at 0. What becomes of its index `added_curvatures` tells.

    Source: Fukumizu & Amari, Neural Networks 13, 317 (2000); Mehta, Zhao, Bernal & Wales,
    Phys. Rev. E 97, 052307 (2018).

    Args:
        model: The network.
        x: Its flat parameters.
        layer: Hidden layer that gets the unit, counted from 0.

    Raises:
        ArgumentError: if there is no such layer, the activation does not vanish at 0, or the
            units share a bias.
    """
    _check_layer(model, layer)
    if model.biases == "shared":
        raise ArgumentError(
            "units with a shared bias have no zero unit: the new one would be switched on",
            "use biases='each' or 'none'",
        )
    if float(ACTIVATIONS[model.activations[layer]][0](jnp.zeros(()))) != 0.0:
        raise ArgumentError(
            f"{model.activations[layer]}(0) is not 0: a unit with zero weights acts as a bias, and "
            "a stationary point does not stay one",
            "use an activation that vanishes at 0: tanh, gelu, silu",
        )
    sizes = list(model.sizes)
    sizes[layer + 1] += 1
    larger = Mlp(tuple(sizes), model.activation, model.biases)
    old = model.unravel(jnp.asarray(x))
    new = list(old)
    weight, bias = old[layer]
    new[layer] = Dense(
        jnp.pad(weight, ((0, 1), (0, 0))), None if bias is None else jnp.pad(bias, (0, 1))
    )
    weight, bias = old[layer + 1]
    new[layer + 1] = Dense(jnp.pad(weight, ((0, 0), (0, 1))), bias)
    places = places_of(larger)
    into, bias_place = places[layer]
    incoming = [np.asarray(into)[-1]]
    if bias_place is not None:
        incoming.append(np.asarray(bias_place)[-1:])
    outgoing = np.asarray(places[layer + 1].weight)[:, -1]
    return Embedded(
        larger, np.asarray(larger.ravel(tuple(new))), np.concatenate(incoming), outgoing
    )


def added_curvatures(
    system: System, x: Float[np.ndarray | Array, " dof"], *, layer: int = 0
) -> Float[np.ndarray, " curvatures"]:
    r"""Curvatures that a new zero unit of an odd activation adds to the Hessian, ascending.

    With $C$ the mean over the data of (gradient in what enters the next layer) times (1, values
    of the layer before), and $\sigma_i$ its singular values, they are $2\lambda \pm \sigma_i$ and
    $2\lambda$ for what is unpaired. A minimum stays one if $\lambda > \sigma_\text{max} / 2$; else
    it becomes a saddle whose index is the number of $\sigma_i > 2\lambda$.

    Args:
        system: The loss of an `Mlp` with its uniform penalty.
        x: A stationary point.
        layer: Hidden layer that would get the unit, counted from 0.

    Raises:
        ArgumentError: if the system is not the loss of such a network.
    """
    energy = loss_of(system)
    model = energy.predict
    if not isinstance(model, Mlp) or energy.penalised is not None:
        raise ArgumentError(
            "added_curvatures needs the loss of an Mlp whose parameters are all penalised alike",
            "network_system(Mlp(...), data, l2=...)",
        )
    _check_layer(model, layer)
    features = model.sizes[layer] + (model.biases == "each")
    slope = float(jax.grad(ACTIVATIONS[model.activations[layer]][0])(jnp.zeros(())))

    link = jnp.zeros((model.sizes[layer + 2], features))
    matrix = np.asarray(_link_gradient(energy, model, jnp.asarray(x), layer, link))
    sigma = slope * np.linalg.svd(matrix, compute_uv=False)
    unpaired = np.zeros(abs(matrix.shape[0] - matrix.shape[1]))
    return np.sort(2.0 * float(energy.l2) + np.concatenate([sigma, -sigma, unpaired]))


@eqx.filter_jit
def _link_gradient(energy: LossEnergy, model: Mlp, x: Point, layer: int, link: Array) -> Array:
    """Gradient of the loss by a linear link past a hidden layer."""

    def loss(link: Array) -> Array:
        outputs = _linked(model, model.unravel(x), energy.data.inputs, layer, link)
        return jnp.mean(energy.criterion(outputs, energy.data.targets))

    return jax.grad(loss)(link)


def _linked(model: Mlp, params: tuple[Dense, ...], inputs: Array, layer: int, link: Array) -> Array:
    """Outputs with a linear link from the values before a hidden layer to what follows it."""
    values, before = inputs, inputs
    for number, (weight, bias) in enumerate(params):
        values = model.activate(number - 1, values) if number else values
        before = values if number == layer else before
        values = values @ weight.T
        values = values if bias is None else values + bias
        if number == layer + 1:
            wide = before
            if model.biases == "each":
                wide = jnp.concatenate([before, jnp.ones((len(before), 1), before.dtype)], axis=1)
            values = values + wide @ link.T
    return values


def _check_layer(model: Mlp, layer: int) -> None:
    if not 0 <= layer < len(model.sizes) - 2:
        raise ArgumentError(
            f"layer={layer}: the network has {len(model.sizes) - 2} hidden layers, counted from 0"
        )
