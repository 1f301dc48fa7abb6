"""Exact expansions of losses of multilayer perceptrons, layer by layer, as matrix products."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import Point, Scalar

from ._criteria import AbstractCriterion
from ._mlp import Chain


class _Layer(NamedTuple):
    """A layer over some rows, rows last.

    Attributes:
        weight: `(units, inputs)`.
        places: Of its weights (and biases) among all parameters, `(units, inputs + bias)`.
        inputs: What they multiply, `(inputs + bias, n)`.
        slope: First derivative of its activation, `(units, n)`; that of outputs is not used.
        bend: Second derivative of its activation, `(units, n)`.
    """

    weight: Float[Array, "units inputs"]
    places: np.ndarray
    inputs: Float[Array, "own n"]
    slope: Float[Array, "units n"]
    bend: Float[Array, "units n"]


def layered_expansion(
    chain: Chain,
    criterion: AbstractCriterion,
    x: Point,
    inputs: Float[Array, "n features"],
    targets: Array,
    weights: Float[Array, " n"],
) -> tuple[Scalar, Float[Array, " dof"], Float[Array, "dof dof"]]:
    r"""$\sum_r w_r\,c(f(x, \mathrm{inputs}_r), \mathrm{targets}_r)$, its gradient and Hessian.

    With $z_l = W_l a_{l-1} + b_l$ what enters the units of layer $l$, the derivatives of a row's
    loss by pairs of units, $K_{lm}$, follow from those of the layer above,
    $K_{lm} = a_l' W_{l+1}^\top K_{l+1,m}$, with $a_l'' W_{l+1}^\top \partial L/\partial z_{l+1}$
    on the diagonal of $K_{ll}$. Weights see them through what they multiply,
    $\sum_r K_{lm,uv}\,a_{l-1,i}\,a_{m-1,k}$, and a weight multiplies what weights below it change,
    $\sum_r (\partial L/\partial z_{m,u})(\partial a_{m-1,i}/\partial z_{l,v})\,a_{l-1,k}$. Sums
    over rows are products of matrices; a Hessian-vector product for each column costs many times
    as much.

    Args:
        chain: The network; its parameters are all of `x`.
        criterion: Loss of a row; it must not mix rows.
        x: Flat parameters.
        inputs: Rows, `(n, features)`.
        targets: Their targets.
        weights: Weights of the rows, `(n,)`; 0 leaves a row out.

    Source: after Bishop, *Exact calculation of the Hessian matrix for the multilayer perceptron*,
    Neural Comput. 4, 494 (1992).
    """
    layers, outputs = _forward(chain, x, inputs.T)
    value, delta, curved = _of_outputs(criterion, outputs, targets, weights)
    grad, matrix = jnp.zeros_like(x), jnp.zeros((x.size, x.size), x.dtype)
    deltas, pairs = [delta], [curved]  # by z of the layer that is looked at, and of all above it
    for number in range(len(layers) - 1, -1, -1):
        here, above = layers[number], layers[number + 1 :]
        if above:
            back = above[0].weight.T @ deltas[0]
            pairs = [here.slope[:, None] * _pushed(above[0].weight, pair) for pair in pairs]
            curved = here.slope[:, None] * _pushed(above[0].weight, jnp.swapaxes(pairs[0], 0, 1))
            diagonal = np.arange(len(curved))
            pairs.insert(0, curved.at[diagonal, diagonal].add(back * here.bend))
            matrix = _changed(matrix, here, above, deltas)
            deltas.insert(0, back * here.slope)
        grad = grad.at[here.places].add(deltas[0] @ here.inputs.T)
        rows = here.places[:, :, None, None]
        matrix = matrix.at[rows, here.places].add(_seen(here, here, pairs[0]))
        for there, pair in zip(above, pairs[1:], strict=True):
            matrix = _at_both(matrix, rows, there.places, _seen(here, there, pair))
    return value, grad, matrix


def _forward(
    chain: Chain, x: Point, values: Float[Array, "features n"]
) -> tuple[list[_Layer], Float[Array, "outputs n"]]:
    """All layers, and the outputs."""
    layers, outputs = [], values
    for number, (weight, bias) in enumerate(chain.layers(x)):
        into, places = values, np.asarray(chain.places[number].weight)
        outputs = jnp.asarray(weight) @ values
        if bias is not None:
            outputs = outputs + (bias[:, None] if bias.ndim else bias)
            into = jnp.concatenate([values, jnp.ones_like(values[:1])])
            ones = np.broadcast_to(np.asarray(chain.places[number].bias), len(places))
            places = np.concatenate([places, ones[:, None]], axis=1)
        slope = bend = outputs
        if number < len(chain.activations):
            values, slope, bend = _activated(chain.activations[number], outputs)
        layers.append(_Layer(jnp.asarray(weight), places, into, slope, bend))
    return layers, outputs


def _activated(activation: Callable[[Array], Array], z: Array) -> tuple[Array, Array, Array]:
    """The activation with its first and second derivative, element by element."""
    ones = jnp.ones_like(z)

    def first(z: Array) -> tuple[Array, Array]:
        return jax.jvp(activation, (z,), (ones,))

    (value, slope), (_, bend) = jax.jvp(first, (z,), (ones,))
    return value, slope, bend


def _of_outputs(
    criterion: AbstractCriterion, outputs: Array, targets: Array, weights: Array
) -> tuple[Scalar, Float[Array, "outputs n"], Float[Array, "outputs outputs n"]]:
    """The weighted criterion, its gradient and second derivatives by the outputs of each row."""

    def loss(output: Array, target: Array, weight: Array) -> Array:
        return weight * criterion(output[None], target[None])[0]

    over = (1, 0, 0)
    slopes = jax.vmap(jax.value_and_grad(loss), over, (0, 1))
    value, delta = slopes(outputs, targets, weights)
    curved = jax.vmap(jax.hessian(loss), over, 2)(outputs, targets, weights)
    return jnp.sum(value), delta, curved


def _pushed(weight: Array, pair: Float[Array, "above other n"]) -> Float[Array, "units other n"]:
    """Derivatives by what enters a layer become those by what leaves the layer below."""
    return (weight.T @ pair.reshape(len(pair), -1)).reshape(-1, *pair.shape[1:])


def _seen(here: _Layer, there: _Layer, pair: Array) -> Float[Array, "v k u i"]:
    """What the weights of two layers see of the derivatives by pairs of their units."""
    products = here.inputs[:, None] * there.inputs
    sums = pair.reshape(-1, pair.shape[-1]) @ products.reshape(-1, pair.shape[-1]).T
    sums = sums.reshape(*pair.shape[:2], len(here.inputs), len(there.inputs))
    return jnp.swapaxes(sums, 1, 2)


def _changed(matrix: Array, here: _Layer, above: list[_Layer], deltas: list[Array]) -> Array:
    """Add what weights above see of the values that the weights of a layer change."""
    units = len(here.weight)
    diagonal = here.places[:, :, None], above[0].places[:, :units].T[:, None]
    each = here.slope[:, None] * deltas[0]
    sums = each.reshape(-1, each.shape[-1]) @ here.inputs.T
    sums = jnp.swapaxes(sums.reshape(units, len(deltas[0]), -1), 1, 2)
    matrix = _at_both(matrix, *diagonal, sums)
    change = jnp.eye(units, dtype=each.dtype)[:, :, None] * here.slope
    for below, layer, delta in zip(above[:-1], above[1:], deltas[1:], strict=True):
        entering = below.weight @ change.reshape(len(change), -1)
        change = below.slope[:, None] * entering.reshape(-1, *change.shape[1:])
        each = delta[:, None, None] * change
        sums = each.reshape(-1, each.shape[-1]) @ here.inputs.T
        columns = layer.places[:, : len(change), None, None]
        matrix = _at_both(matrix, here.places, columns, sums.reshape(*each.shape[:-1], -1))
    return matrix


def _at_both(matrix: Array, rows: np.ndarray, columns: np.ndarray, values: Array) -> Array:
    """Add values at some places and at those with rows and columns exchanged."""
    return matrix.at[rows, columns].add(values).at[columns, rows].add(values)
