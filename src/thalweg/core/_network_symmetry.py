"""The symmetry of feed-forward networks: hidden units may change places and signs.

The units of a hidden layer can be permuted; where the activation is odd (tanh) the weights into
and out of a unit can change sign together; where it is homogeneous (ReLU), and nothing penalises
the weights, they can be scaled by `a` and `1/a`, which is a continuous symmetry. All of it in
every layer at once. A softmax does not see a common shift of its inputs: without a penalty that
is a continuous symmetry too (`gauge`).

Source: Sussmann, Neural Networks 5, 589 (1992), for tanh networks; Chen, Lu & Hecht-Nielsen,
Neural Computation 5, 910 (1993), for the order of the group.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import _network_features, _network_matching
from ._invariants import Features
from ._network_layers import HiddenLayer, Monomial
from ._network_matching import MISSING
from ._particles import HostPoint
from ._shapes import Block
from ._symmetry import AbstractSymmetry


class NetworkSymmetry(AbstractSymmetry):
    """Permutations and sign flips (or scalings) of the hidden units of every layer.

    Attributes:
        layers: The hidden layers, from the input to the output.
        gauge: Sets of places whose common shift changes nothing: for a softmax without a penalty
            the weights from each last hidden unit to all classes, and the biases of the classes.
    """

    layers: tuple[HiddenLayer, ...] = eqx.field(static=True)
    gauge: tuple[tuple[int, ...], ...] = eqx.field(static=True, default=())

    def zero_modes(self, x: Block) -> Float[Array, "modes dof *lanes"]:
        """Shifts of the softmax, and one scaling for each homogeneous unit; none for others."""
        if x.ndim == 1:
            return self._modes(x)
        return jax.vmap(self._modes, in_axes=-1, out_axes=-1)(x)

    def _modes(self, x: Float[Array, " dof"]) -> Float[Array, "modes dof"]:
        unit = [jnp.zeros_like(x).at[np.array(places)].set(1.0) for places in self.gauge]
        rows = [jnp.stack(unit)] if unit else []
        for layer in self.layers:
            if layer.kind == "homogeneous":
                into, out, unit = layer.incoming, layer.outgoing, np.arange(layer.units)[:, None]
                block = jnp.zeros((layer.units, *x.shape), x.dtype)
                block = block.at[unit, into].set(x[into]).at[unit, out].set(-x[out])
                rows.append(block)
        if not rows:
            return jnp.zeros((0, *x.shape), x.dtype)
        return _orthonormal(jnp.concatenate(rows))

    def expected_zero_modes(self, x: HostPoint) -> int:
        """One for each shift, and for each homogeneous unit that has any weights."""
        return _network_matching.count_modes(self.layers, self.gauge, x)

    def fingerprint(self, x: Block) -> Features:
        """Norms over units of what enters and leaves them."""
        return _network_features.features(self.layers, self.gauge, x)

    def canonical(self, x: HostPoint) -> HostPoint:
        """`x` without gauge, and with homogeneous units balanced: as much in as out."""
        return _network_matching.canonical(self.layers, self.gauge, x)

    def match(self, x: HostPoint, y: HostPoint, tol: float) -> HostPoint | None:
        """The image of `y` that coincides with `x`."""
        found = self.operation(x, y, tol)
        return None if found is None else found(y)

    def operation(self, x: HostPoint, y: HostPoint, tol: float) -> Monomial | None:
        """Which unit of `y` comes to each place, with its sign or scale."""
        return _network_matching.match(self.layers, self.gauge, x, y, tol)

    def align(self, x: HostPoint, y: HostPoint) -> tuple[HostPoint, float]:
        """Layer by layer an optimal assignment: exact for one hidden layer, else a bound."""
        return _network_matching.align(self.layers, self.gauge, x, y)

    def order(self, x: HostPoint, tol: float) -> int:
        """Zero units: 2 for each and k! for k of them; k equal or opposite units: k!."""
        return _network_matching.order(self.layers, self.gauge, x, tol)

    def log_group_order(self) -> float:
        """Σ over layers of log(n!), plus n log 2 where signs flip."""
        return math.fsum(
            math.lgamma(layer.units + 1) + layer.units * math.log(2.0) * (layer.kind == "odd")
            for layer in self.layers
        )


def _orthonormal(rows: Float[Array, "modes dof"]) -> Float[Array, "modes dof"]:
    """Orthonormal rows of the same span; zero rows where they are dependent."""
    size = jnp.sqrt(jnp.sum(rows * rows, axis=1, keepdims=True))
    scale = jnp.max(size)
    unit = jnp.where(size > MISSING * scale, rows / jnp.where(size > 0, size, 1.0), 0.0)
    weight, vectors = jnp.linalg.eigh(unit @ unit.T)
    kept = weight > MISSING
    inverse = jnp.where(kept, 1.0 / jnp.sqrt(jnp.where(kept, weight, 1.0)), 0.0)
    return inverse[:, None] * (vectors.T @ unit)
