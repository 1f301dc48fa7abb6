"""Exact Hessians of losses of multilayer perceptrons, layer by layer, as matrix products."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import Point

from ._criteria import AbstractCriterion
from ._mlp import Chain, Dense


class _Hidden(NamedTuple):
    """A hidden layer over some rows, rows last.

    Attributes:
        slope: First derivative of the activation, `(units, n)`.
        bend: Its second derivative, `(units, n)`.
        inputs: What the units' own weights (and bias) multiply, `(inputs + bias, n)`.
        into: Derivatives of what enters a unit by all parameters up to here, `(units, p, n)`.
        out: Derivatives of what leaves it, `(units, p, n)`.
    """

    slope: Float[Array, "units n"]
    bend: Float[Array, "units n"]
    inputs: Float[Array, "own n"]
    into: Float[Array, "units p n"]
    out: Float[Array, "units p n"]


def layered_hessian(
    chain: Chain,
    criterion: AbstractCriterion,
    x: Point,
    inputs: Float[Array, "n features"],
    targets: Array,
    weights: Float[Array, " n"],
) -> Float[Array, "dof dof"]:
    r"""Second derivatives of $\sum_r w_r\,c(f(x, \mathrm{inputs}_r), \mathrm{targets}_r)$.

    With $z_l$ what enters layer $l$ and $a_l$ what leaves it, $z_{l+1} = W a_l + b$, the second
    derivatives of the outputs are pushed back to the layers in which they arise:
    $J^\top C J$ of the outputs, $\sum_j (\partial L / \partial a_{l,j})\,a''(z_{l,j})\,
    \mathrm{d}z_{l,j} \otimes \mathrm{d}z_{l,j}$ of each hidden layer, and $\mathrm{d}W \otimes
    \mathrm{d}a_l$ between each layer's weights and all before it. All are products of matrices
    whose long side are the rows; a Hessian-vector product for each column costs three to eight
    times as much.

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
    layers, places, order = chain.layers(x), chain.in_order(), chain.order()
    hidden, outputs, jacobian = _forward(chain.activations, layers, inputs.T)
    delta, curved = _of_outputs(criterion, outputs, targets, weights)
    matrix = jnp.einsum("oun,upn->opn", curved, jacobian)
    matrix = _contract(matrix, jacobian)
    for number in range(len(hidden), 0, -1):
        layer, weight = hidden[number - 1], jnp.asarray(layers[number].weight)
        own = np.ravel(places[number].weight)
        before = layer.out.shape[1]
        cross = delta @ layer.out.reshape(-1, delta.shape[1]).T
        cross = cross.reshape(own.size, before)
        matrix = matrix.at[own, :before].add(cross).at[:before, own].add(cross.T)
        back = weight.T @ delta
        matrix = _bent(matrix, layer, back * layer.bend, places[0] if number == 1 else None)
        delta = back * layer.slope
    return jnp.zeros_like(matrix).at[order[:, None], order].set(matrix)


def _forward(
    activations: tuple[Callable[[Array], Array], ...],
    layers: tuple[Dense, ...],
    values: Float[Array, "features n"],
) -> tuple[list[_Hidden], Float[Array, "outputs n"], Float[Array, "outputs dof n"]]:
    """Every hidden layer, the outputs and their derivatives by all parameters."""
    hidden: list[_Hidden] = []
    entering, jacobian, x_type = values, values[None], values.dtype
    for number, (weight, bias) in enumerate(layers):
        units, n = weight.shape[0], values.shape[1]
        entering, own = jnp.asarray(weight) @ values, values
        each = jnp.eye(units, dtype=x_type)[:, :, None]
        parts = [(each[..., None] * values).reshape(units, -1, n)]
        if bias is not None:
            entering = entering + (bias[:, None] if bias.ndim else bias)
            by_bias = each if bias.ndim else jnp.ones((units, 1, 1), x_type)
            parts.append(jnp.broadcast_to(by_bias, (*by_bias.shape[:2], n)))
            own = jnp.concatenate([values, jnp.ones_like(values[:1])])
        if hidden:
            parts.insert(0, jnp.einsum("oi,ipn->opn", weight, hidden[-1].out))
        jacobian = jnp.concatenate(parts, axis=1)
        if number + 1 < len(layers):
            values, slope, bend = _activated(activations[number], entering)
            hidden.append(_Hidden(slope, bend, own, jacobian, slope[:, None] * jacobian))
    return hidden, entering, jacobian


def _activated(activation: Callable[[Array], Array], z: Array) -> tuple[Array, Array, Array]:
    """The activation with its first and second derivative, element by element."""
    ones = jnp.ones_like(z)

    def first(z: Array) -> tuple[Array, Array]:
        return jax.jvp(activation, (z,), (ones,))

    (value, slope), (_, bend) = jax.jvp(first, (z,), (ones,))
    return value, slope, bend


def _of_outputs(
    criterion: AbstractCriterion, outputs: Array, targets: Array, weights: Array
) -> tuple[Float[Array, "outputs n"], Float[Array, "outputs outputs n"]]:
    """Weighted gradient and second derivatives of the criterion by the outputs of each row."""

    def loss(output: Array, target: Array, weight: Array) -> Array:
        return weight * criterion(output[None], target[None])[0]

    over = (1, 0, 0)
    delta = jax.vmap(jax.grad(loss), over, 1)(outputs, targets, weights)
    return delta, jax.vmap(jax.hessian(loss), over, 2)(outputs, targets, weights)


def _bent(matrix: Array, layer: _Hidden, strength: Array, first: Dense | None) -> Array:
    """Add what the bends of a layer's activations give; `first` are places of the first layer.

    What enters a unit of the first layer depends on the unit's own weights alone.
    """
    before = layer.into.shape[1]
    if first is None:
        return matrix.at[:before, :before].add(
            _contract(strength[:, None] * layer.into, layer.into)
        )
    blocks = jnp.einsum("un,kn,ln->ukl", strength, layer.inputs, layer.inputs)
    own = np.asarray(first.weight)
    if first.bias is not None:
        bias = np.broadcast_to(np.asarray(first.bias), own.shape[:1])
        own = np.concatenate([own, bias[:, None]], axis=1)
    return matrix.at[own[:, :, None], own[:, None, :]].add(blocks)


def _contract(left: Array, right: Array) -> Array:
    """Sum of `left ⊗ right` over units and rows: one product, long sides innermost."""
    a, b = (jnp.swapaxes(side, 0, 1).reshape(side.shape[1], -1) for side in (left, right))
    return a @ b.T
