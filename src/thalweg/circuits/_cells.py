"""Gated recurrent cells of Equinox as maps in discrete time."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from thalweg.core import AbstractMap, Point, PRNGKey

from ._checks import drive_vector


class GRUMap(AbstractMap):
    """One step of a gated recurrent unit; its state is `h`, `(units,)`, its drive the input.

    Attributes:
        cell: The cell.
    """

    cell: eqx.nn.GRUCell

    @property
    def dof(self) -> int:
        """Number of units."""
        return self.cell.hidden_size

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree = None) -> Point:
        """The next state."""
        del t
        u = drive_vector("a GRU", drive, self.cell.input_size, "the input")
        return self.cell(u.astype(x.dtype), x)


class LSTMMap(AbstractMap):
    """One step of a long short-term memory; its state is `(h, c)`, flat, `(2 units,)`.

    Attributes:
        cell: The cell.
    """

    cell: eqx.nn.LSTMCell

    @property
    def dof(self) -> int:
        """Twice the number of units."""
        return 2 * self.cell.hidden_size

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree = None) -> Point:
        """The next state."""
        del t
        u = drive_vector("an LSTM", drive, self.cell.input_size, "the input")
        n = self.cell.hidden_size
        return jnp.concatenate(self.cell(u.astype(x.dtype), (x[:n], x[n:])))


def gru(inputs: int, units: int, key: PRNGKey) -> GRUMap:
    """A GRU with Equinox's random initialisation."""
    return GRUMap(eqx.nn.GRUCell(inputs, units, key=key))


def lstm(inputs: int, units: int, key: PRNGKey) -> LSTMMap:
    """An LSTM with Equinox's random initialisation."""
    return LSTMMap(eqx.nn.LSTMCell(inputs, units, key=key))
