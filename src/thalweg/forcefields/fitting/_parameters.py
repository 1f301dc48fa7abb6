"""What a fit moves: numbers of one size, whatever the parameters behind them are.

A parameter with a `Quantity` becomes `u ~ N(0, 1)` under its prior; the numbers of a network, of
which nothing is known, are themselves.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Scalar
from thalweg.forcefields._block import AbstractBlock, Quantity
from thalweg.forcefields._forcefield import ForceField

Moves = dict[str, Array]
"""`u` by the parameter's name, `"block.field"`."""


class Parameters(eqx.Module):
    """The parameters of a force field that a fit may change.

    Attributes:
        template: The force field before the fit.
        names: What is fitted, `"block.field"` with the path within it.
        quantities: What is known of each; `None` for numbers of a network.
    """

    template: ForceField
    names: tuple[str, ...] = eqx.field(static=True)
    quantities: tuple[Quantity | None, ...] = eqx.field(static=True)
    _places: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, force_field: ForceField):
        """Collect them.

        Raises:
            ArgumentError: if there are none, or one is not finite.
        """
        found = jax.tree_util.tree_flatten_with_path(force_field.blocks)[0]
        chosen = []
        for place, (path, leaf) in enumerate(found):
            if not eqx.is_inexact_array(leaf) or _fixed(path, force_field.fixed):
                continue
            if _constant(path, force_field.blocks):
                continue
            if not np.all(np.isfinite(np.asarray(leaf))):
                raise ArgumentError(f"parameter {_name(path)} is not finite", "give it a number")
            chosen.append((place, _name(path), _quantity(path, force_field.blocks)))
        if not chosen:
            raise ArgumentError(
                "this force field has no parameter to fit", f"fixed: {', '.join(force_field.fixed)}"
            )
        self.template = force_field
        self._places = tuple(place for place, _, _ in chosen)
        self.names = tuple(name for _, name, _ in chosen)
        self.quantities = tuple(quantity for _, _, quantity in chosen)

    @property
    def count(self) -> int:
        """Numbers that are fitted."""
        return sum(leaf.size for leaf in self._leaves())

    @property
    def physical(self) -> frozenset[str]:
        """Those with a prior."""
        pairs = zip(self.names, self.quantities, strict=True)
        return frozenset(name for name, quantity in pairs if quantity is not None)

    def _leaves(self) -> list[Array]:
        leaves = jax.tree.leaves(self.template.blocks)
        return [leaves[place] for place in self._places]

    def start(self) -> Moves:
        """The moves that stand for the template."""
        return {
            name: leaf if quantity is None else jnp.zeros_like(leaf)
            for name, quantity, leaf in zip(
                self.names, self.quantities, self._leaves(), strict=True
            )
        }

    def force_field(self, moves: Mapping[str, Array]) -> ForceField:
        """The force field of some moves."""
        leaves, tree = jax.tree.flatten(self.template.blocks)
        for place, name, quantity in zip(self._places, self.names, self.quantities, strict=True):
            leaves[place] = _moved(leaves[place], moves[name], quantity)
        return eqx.tree_at(lambda f: f.blocks, self.template, jax.tree.unflatten(tree, leaves))

    def square(self, moves: Mapping[str, Array]) -> Scalar:
        """`|u|²` of the parameters with a prior."""
        return sum((jnp.sum(moves[name] ** 2) for name in sorted(self.physical)), jnp.zeros(()))


def _moved(value: Array, u: Array, quantity: Quantity | None) -> Array:
    if quantity is None:
        return u
    if quantity.positive:
        return value * jnp.exp(quantity.spread * u)
    return value + quantity.spread * u


def _fixed(path: tuple[Any, ...], fixed: tuple[str, ...]) -> bool:
    name = _name(path)
    return any(name == one or name.startswith((f"{one}.", f"{one}[")) for one in fixed)


def _name(path: tuple[Any, ...]) -> str:
    """`bonds.stiffness`, `net.layers[0].weight`."""
    text = ""
    for key in path:
        if isinstance(key, jax.tree_util.SequenceKey):
            text += f"[{key.idx}]"
        else:
            word = key.key if isinstance(key, jax.tree_util.DictKey) else getattr(key, "name", key)
            text += f".{word}" if text else str(word)
    return text


def _constant(path: tuple[Any, ...], blocks: Mapping[str, AbstractBlock]) -> bool:
    """Whether a block around a leaf says that no fit changes it."""
    return any(field in block.constants for block, field in _fields(path, blocks))


def _quantity(path: tuple[Any, ...], blocks: Mapping[str, AbstractBlock]) -> Quantity | None:
    """What the innermost block around a leaf knows of it."""
    found: Quantity | None = None
    for block, field in _fields(path, blocks):
        found = block.quantities.get(field)
    return found


def _fields(
    path: tuple[Any, ...], blocks: Mapping[str, AbstractBlock]
) -> Iterator[tuple[AbstractBlock, str]]:
    """The blocks around a leaf, each with the field that leads to it, the outermost first."""
    node: Any = blocks
    for key in path:
        if isinstance(key, jax.tree_util.DictKey):
            node = node[key.key]
        elif isinstance(key, jax.tree_util.SequenceKey):
            node = node[key.idx]
        else:
            field = getattr(key, "name", None)
            if field is None:
                return
            if isinstance(node, AbstractBlock):
                yield node, field
            node = getattr(node, field)
