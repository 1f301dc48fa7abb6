"""Equinox models: their parameters, what they compute, and where their hidden units are."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from thalweg.core import ArgumentError

from ._energy import Unravel
from ._mlp import KINKED, Chain, Dense, Kind

_KINKS = frozenset(
    {jax.nn.relu, jax.nn.relu6, jax.nn.leaky_relu, jax.nn.elu, jax.nn.celu, jax.nn.selu, jnp.abs}
    | {jax.nn.hard_tanh, jax.nn.hard_sigmoid, jax.nn.soft_sign}
)


class EquinoxModel(eqx.Module):
    """An Equinox model as a function of its floating-point arrays, rows to rows.

    Attributes:
        static: The model without those arrays.
        kinks: Whether an activation with kinks was found in it.
    """

    static: PyTree
    kinks: bool = eqx.field(static=True, default=False)

    def __call__(self, params: PyTree, inputs: Array) -> Array:
        """Outputs, one row for each row of inputs."""
        model = eqx.combine(params, self.static)
        outputs = jax.vmap(model)(inputs)
        return outputs[:, None] if outputs.ndim == 1 else outputs

    def chain(self, unravel: Unravel) -> Chain | None:
        """Its dense layers, and where their parameters are; `None` if it is no such chain."""
        model = eqx.combine(unravel.places(), self.static)
        found = _mlp_parts(model) if isinstance(model, eqx.nn.MLP) else _sequence_parts(model)
        if found is None:
            return None
        linears, activations = found
        layers = [(np.asarray(one.weight), one.bias) for one in linears]
        if any(weight.ndim != 2 for weight, _ in layers):
            return None
        places = tuple(Dense(weight, None if b is None else np.asarray(b)) for weight, b in layers)
        return Chain(places, tuple(activations))


def equinox_network(model: eqx.Module) -> tuple[EquinoxModel, PyTree]:
    """An Equinox model as a function, and its parameters; dropout is switched off.

    Raises:
        ArgumentError: if it holds no floating-point arrays.
    """
    model = eqx.nn.inference_mode(model)
    params, static = eqx.partition(model, eqx.is_inexact_array)
    if not jax.tree.leaves(params):
        raise ArgumentError(
            f"the {type(model).__name__} holds no floating-point arrays: nothing can be fitted"
        )
    kinks = any(_is_kinked(leaf) for leaf in jax.tree.leaves(static))
    return EquinoxModel(static, kinks), params


def _mlp_parts(model: eqx.nn.MLP) -> tuple[list[Any], list[Callable]] | None:
    """Linear layers and hidden activations; the activation of the outputs must be none."""
    outputs: Any = model.final_activation
    with jax.ensure_compile_time_eval():
        probe = jnp.linspace(-2.0, 2.0, 5)
        try:
            last_linear = bool(jnp.all(jax.vmap(outputs)(probe) == probe))
        except Exception:
            last_linear = False
    if not last_linear or _learnt(model.activation):
        return None
    linears: list[Any] = list(model.layers)
    if getattr(model, "scan", False) and model.depth > 1:
        first, stacked, last = linears
        middle = [jax.tree.map(lambda leaf, k=k: leaf[k], stacked) for k in range(model.depth - 1)]
        linears = [first, *middle, last]
    return linears, [model.activation] * (len(linears) - 1)


def _sequence_parts(model: Any) -> tuple[list[Any], list[Callable]] | None:
    """Linear layers and the functions between them, if they alternate."""
    if not isinstance(model, eqx.nn.Sequential):
        return None
    linears, between = [], []
    for layer in model.layers:
        if isinstance(layer, eqx.nn.Linear) and len(linears) == len(between):
            linears.append(layer)
        elif isinstance(layer, eqx.nn.Lambda) and len(linears) == len(between) + 1:
            between.append(layer.fn)
        elif not isinstance(layer, eqx.nn.Dropout | eqx.nn.Identity):
            return None
    return (linears, between) if len(linears) == len(between) + 1 else None


def _learnt(activation: Any) -> bool:
    return bool(jax.tree.leaves(eqx.filter(activation, eqx.is_array)))


def _is_kinked(leaf: Any) -> bool:
    try:
        return leaf in _KINKS or getattr(leaf, "__name__", "") in KINKED
    except TypeError:
        return False


def kind_of(activation: Callable[..., Any]) -> Kind:
    """What a function of one number allows, by its values at many points.

    Raises:
        ArgumentError: if it does not act on each number by itself.
    """
    with jax.ensure_compile_time_eval():
        x = jnp.concatenate([jnp.linspace(0.03, 9.7, 97), jnp.array([1e-3, 31.7])])
        up, down = np.asarray(activation(x)), np.asarray(activation(-x))
        alone = np.array([float(activation(one)) for one in x[::9]])
        twice, below = np.asarray(activation(2.5 * x)), np.asarray(activation(-2.5 * x))
    size = 1e-10 * (1.0 + np.abs(up) + np.abs(down))
    if up.shape != x.shape or np.any(np.abs(alone - up[::9]) > size[::9]):
        raise ArgumentError(
            f"the activation {activation!r} mixes its inputs: hidden units are not alike",
            "declare the symmetry yourself: loss_system(..., symmetry=None)",
        )
    if np.all(np.abs(up + down) <= size):
        return "odd"
    scaled = np.abs(twice - 2.5 * up) + np.abs(below - 2.5 * down)
    return "homogeneous" if np.all(scaled <= 3 * size) else "plain"
