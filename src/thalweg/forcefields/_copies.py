"""A force field for two molecules out of that for one."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError

from ._block import AbstractBlock
from ._composition import Region
from ._forcefield import ForceField
from ._topology import Topology

Module = TypeVar("Module", bound=eqx.Module)


def doubled(forcefield: ForceField) -> ForceField:
    """The same parameters for two copies of the atoms, the second after the first.

    Terms with listed atoms are within a copy; pair terms and networks act between the copies too.

    Raises:
        ArgumentError: if a block does not say how it is copied.
    """
    topology = forcefield.topology
    blocks = {
        name: doubled_block(block, topology.n_atoms) for name, block in forcefield.blocks.items()
    }
    box = None if forcefield.box is None else np.asarray(forcefield.box)
    return ForceField(doubled_topology(topology), blocks, fixed=forcefield.fixed, box=box)


def doubled_topology(topology: Topology) -> Topology:
    """Two copies of the atoms; their symmetry classes stay those of one copy."""
    n = topology.n_atoms
    changes: dict[str, Any] = {"charge": 2 * topology.charge, "names": topology.names * 2}
    for name in ("bonds", "angles", "propers", "impropers", "pairs14", "excluded"):
        table = getattr(topology, name)
        changes[name] = np.concatenate([table, table + n])
    for name in ("numbers", "ranks", "masses"):
        changes[name] = np.tile(getattr(topology, name), 2)
    return dataclasses.replace(topology, **changes)


def doubled_block(block: AbstractBlock, n: int) -> AbstractBlock:
    """A block over two copies of its n atoms, by its `layout`.

    Raises:
        ArgumentError: if it has none.
    """
    changed = _doubled_module(block, n)
    if changed is block:
        raise ArgumentError(
            f"{type(block).__name__} does not say how it is copied", "give the class a `layout`"
        )
    return changed


def _doubled_module(module: Module, n: int) -> Module:
    """Itself if nothing in it is about atoms."""
    inner = len(module.atoms) if isinstance(module, Region) else n
    layout = getattr(module, "layout", {})
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(module):
        value = getattr(module, field.name)
        if isinstance(value, AbstractBlock):
            changes[field.name] = doubled_block(value, inner)
        elif isinstance(value, eqx.Module):
            changes[field.name] = _doubled_module(value, inner)
        elif isinstance(value, Mapping):
            changes[field.name] = {name: doubled_block(b, inner) for name, b in value.items()}
        elif field.name in layout:
            changes[field.name] = _doubled_field(layout[field.name], value, n)
    if all(changes[name] is getattr(module, name) for name in changes):
        return module
    # As JAX rebuilds a module from its leaves: a constructor may take other arguments.
    new = object.__new__(type(module))
    for field in dataclasses.fields(module):
        value = changes.get(field.name, getattr(module, field.name))
        object.__setattr__(new, field.name, value)
    return new


def _doubled_field(rule: str, value: Any, n: int) -> Any:
    if rule == "sum":
        return 2 * value
    return jnp.concatenate([value, value + n if rule == "atoms" else value])
