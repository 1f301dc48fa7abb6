"""The system: an energy together with everything that makes its points mean something."""

import hashlib
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._energy import AbstractEnergy, FunctionEnergy, value_and_grad
from ._errors import ArgumentError
from ._shapes import Array, Float, Int, PRNGKey
from ._space import AbstractSpace, FreeSpace
from ._start import AbstractStart, BoxStart
from ._symmetry import AbstractSymmetry, NoSymmetry
from ._units import REDUCED, Units


class System(eqx.Module):
    """Energy, space, symmetry, units and starting points: what every journey begins with.

    A user's function is enough: `System(energy=f, shape=(2,))`.

    Attributes:
        name: What it is called in tables and file names.
        energy: The scalar field, over flat points.
        space: What a flat point stands for.
        symmetry: Which displacements and relabellings leave the energy unchanged.
        start: Where searches begin: `key → x`.
        units: Names of the units of energy and length.
        length: A typical distance between neighbouring minima, in the length unit; step caps,
            displacements and push-offs are multiples of it.
        floor: Energies below this count as a collapse (an energy unbounded below).
        labels: Element symbols or names of the particles, for files and pictures.
    """

    name: str = eqx.field(static=True)
    energy: AbstractEnergy
    space: AbstractSpace
    symmetry: AbstractSymmetry
    start: AbstractStart
    units: Units = eqx.field(static=True)
    length: float = eqx.field(static=True)
    floor: float = eqx.field(static=True)
    labels: tuple[str, ...] | None = eqx.field(static=True)

    def __init__(  # noqa: PLR0913 - it is a record; all but two have defaults
        self,
        energy: AbstractEnergy | Callable[..., Any],
        shape: tuple[int, ...] | None = None,
        *,
        name: str = "user",
        space: AbstractSpace | None = None,
        symmetry: AbstractSymmetry | None = None,
        start: AbstractStart | None = None,
        units: Units = REDUCED,
        length: float = 1.0,
        floor: float = -float("inf"),
        labels: tuple[str, ...] | None = None,
    ):
        """Collect the parts; what is not given takes the plainest default.

        Args:
            energy: An `AbstractEnergy`, or any JAX function of an array of shape `shape`.
            shape: Shape of the array that the function takes; not needed with `space`.
            name: Name in tables and provenance.
            space: Defaults to `FreeSpace(shape)`.
            symmetry: Defaults to `NoSymmetry()`.
            start: Defaults to a uniform draw from a box of half-width `length`.
            units: Defaults to reduced units.
            length: Typical distance between neighbouring minima.
            floor: Energy below which a search counts as collapsed.
            labels: Particle names.

        Raises:
            ArgumentError: if neither `shape` nor `space` is given, or `length` is not positive.
        """
        if space is None:
            if shape is None:
                raise ArgumentError(
                    "System needs `shape` (the shape of the array your function takes) or `space`",
                    "for a function of 13 atoms in three dimensions: System(f, shape=(13, 3))",
                )
            space = FreeSpace(shape)
        if not length > 0:
            raise ArgumentError(f"length={length!r} must be a positive number")
        if not isinstance(energy, AbstractEnergy):
            energy = FunctionEnergy(energy, _shape_of(space, shape))
        self.name = name
        self.energy = energy
        self.space = space
        self.symmetry = NoSymmetry() if symmetry is None else symmetry
        self.start = BoxStart(space.dof, length) if start is None else start
        self.units = units
        self.length = float(length)
        self.floor = float(floor)
        self.labels = labels


def _shape_of(space: AbstractSpace, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    if shape is not None:
        return shape
    return jax.eval_shape(space.unravel, jax.ShapeDtypeStruct((space.dof,), jnp.float64)).shape


def fingerprint(system: System) -> str:
    """A short hash that tells systems apart: their structure and their energy at probe points.

    Probing makes it work for plain functions, whose text it never sees; it does not change when
    code is moved or renamed.
    """
    digest = hashlib.sha256()
    digest.update(f"{system.space.dof};{system.symmetry!r};".encode())
    probe = probes(system, 3)
    values = np.asarray(jax.vmap(lambda x: value_and_grad(system.energy, x)[0])(probe))
    digest.update(";".join(f"{value:.8e}" for value in values).encode())
    return digest.hexdigest()[:16]


_PROBE_SEED = 20170531

_STARTS = 64
"""Starting points are drawn in blocks of so many, all by one compiled program."""


def probes(system: System, count: int) -> Float[Array, "count dof"]:
    """`count` fixed points of the system, shape `(count, dof)`, for checks that need some."""
    return start_points(system, jax.random.key(_PROBE_SEED), 0, count)


def start_points(system: System, key: PRNGKey, first: int, count: int) -> Float[Array, "count dof"]:
    """Starting points of items `first … first + count - 1`, shape `(count, dof)`.

    Item `i` always gets the same point, whatever batch it comes in.
    """
    items = np.arange(first, first + count)
    blocks = [items[begin : begin + _STARTS] for begin in range(0, count, _STARTS)]
    drawn = [
        np.asarray(_start_block(system, key, jnp.asarray(np.resize(b, _STARTS))))[: len(b)]
        for b in blocks
    ]
    return jnp.asarray(np.concatenate([np.empty((0, system.space.dof)), *drawn]))


@eqx.filter_jit
def _start_block(system: System, key: PRNGKey, items: Int[Array, " items"]) -> Array:
    def start(item: Array) -> Array:
        return system.space.retract(system.start(jax.random.fold_in(key, item)))

    return jax.vmap(start)(items)
