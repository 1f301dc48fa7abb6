"""A force field: a topology and a sum of blocks."""

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import AbstractEnergy, ArgumentError, Array, Float, Int, Point, Scalar

from ._block import AbstractBlock, Geometry
from ._topology import Topology

_LANES = 16
"""Structures that mechanics evaluates in step: all of a thousand at once take thrice as long."""

_COLUMNS = 11
"""Columns of a Hessian whose intermediate values a processor's caches hold."""


class ForceField(AbstractEnergy):
    """The sum of named blocks over one topology: an energy in kJ/mol over flat points in nm.

    It is a pytree: its floating-point leaves are the parameters of all blocks, of molecular
    mechanics and learned ones alike, so that gradients of a loss reach them all at once.

    Attributes:
        topology: Who is bonded to whom.
        blocks: The terms, by name.
        fixed: Parameters that no fit changes, as `"block"` or `"block.field"`.
        box: Edges of a periodic box, `(3, 3)`, in nm, or `None`.
        pairs: Neighbours for blocks with a cutoff, `(pairs, 2)`, or `None`: every pair. Made with
            `neighbour_pairs`; they hold while no atom has moved by more than half their skin.
    """

    topology: Topology = eqx.field(static=True)
    blocks: dict[str, AbstractBlock]
    fixed: tuple[str, ...] = eqx.field(static=True)
    box: Float[Array, "3 3"] | None
    pairs: Int[Array, "pairs 2"] | None

    def __init__(
        self,
        topology: Topology,
        blocks: Mapping[str, AbstractBlock],
        *,
        fixed: tuple[str, ...] = (),
        box: Float[np.ndarray, "3 3"] | None = None,
        pairs: Int[np.ndarray, "pairs 2"] | None = None,
    ):
        """Put the parts together.

        Raises:
            ArgumentError: if `fixed` names a block or a parameter that is not there.
        """
        self.topology = topology
        self.blocks = dict(blocks)
        self.fixed = tuple(fixed)
        self.box = None if box is None else jnp.asarray(box, float)
        self.pairs = None if pairs is None else jnp.asarray(pairs)
        for name in self.fixed:
            block, _, field = name.partition(".")
            if block not in self.blocks or (field and not hasattr(self.blocks[block], field)):
                raise ArgumentError(
                    f"fixed: there is no parameter {name!r}", f"blocks: {', '.join(self.blocks)}"
                )

    @property
    def stiff(self) -> bool:
        """Bonds are thousands of times stiffer than torsions."""
        return True

    def second_derivatives(self, x: Point) -> Float[Array, "dof dof"]:
        """Dense Hessian; that of a large network by few columns at a time, twice as fast."""
        if self._asked is None:
            return super().second_derivatives(x)
        columns = jax.linearize(jax.grad(self), x)[1]
        return jax.lax.map(columns, jnp.eye(x.size, dtype=x.dtype), batch_size=_COLUMNS)

    @property
    def lanes_at_once(self) -> int:
        """The least that a block asks for, and a vector register or two where none does."""
        return _LANES if self._asked is None else self._asked

    @property
    def _asked(self) -> int | None:
        asked = [b.lanes_at_once for b in self.blocks.values() if b.lanes_at_once is not None]
        return min(asked, default=None)

    def geometry(self, x: Point) -> Geometry:
        """The structure of a flat point, `(3 n,)`."""
        return Geometry(x.reshape(-1, 3), self.box, self.pairs)

    def __call__(self, x: Point) -> Scalar:
        """Energy of a flat point `(3 n,)`, in kJ/mol."""
        geometry = self.geometry(x)
        return sum((block(geometry) for block in self.blocks.values()), jnp.zeros((), x.dtype))

    def energies(self, x: Point) -> dict[str, Scalar]:
        """The energy of each block, in kJ/mol."""
        geometry = self.geometry(x)
        return {name: block(geometry) for name, block in self.blocks.items()}

    def forces(self, x: Point) -> Float[jax.Array, "n 3"]:
        """Minus the gradient, in kJ/(mol nm)."""
        return -jax.grad(self)(x).reshape(-1, 3)
