"""Layers of ORGaNICs without feedback: the rates of one drive the next."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from thalweg.core import ArgumentError, Point, PRNGKey
from thalweg.dynamics import AbstractCircuit, Theorem

from ._organics import Organics
from ._theory import SOURCE, relu


class OrganicsLayers(AbstractCircuit):
    """A feedforward stack: layer `k + 1` sees the rates `⌊y⌋²` of layer `k` through its `W_zx`.

    The state is `(y, a)` of the first layer, then of the second, and so on.

    Attributes:
        layers: The circuits.
    """

    layers: tuple[Organics, ...]

    def __init__(self, layers: Sequence[Organics]):
        """Collect the layers.

        Raises:
            ArgumentError: if there are none, or the shapes do not follow each other.
        """
        self.layers = tuple(layers)
        if not self.layers:
            raise ArgumentError("a stack needs at least one layer")
        for number, (below, above) in enumerate(
            zip(self.layers, self.layers[1:], strict=False), start=2
        ):
            width = above.n if above.W_zx is None else above.W_zx.shape[-1]
            if width != below.n:
                raise ArgumentError(
                    f"layer {number} takes {width} inputs, and the layer below has {below.n} units"
                )

    @property
    def dof(self) -> int:
        """Units of all layers."""
        return sum(layer.dof for layer in self.layers)

    def _parts(self, x: Array) -> list[Array]:
        return jnp.split(x, np.cumsum([layer.dof for layer in self.layers])[:-1])

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree = None) -> Point:
        """Velocity of all layers under the input of the first."""
        moved = []
        for layer, part in zip(self.layers, self._parts(x), strict=True):
            moved.append(layer(t, part, drive))
            drive = relu(part[: layer.n]) ** 2
        return jnp.concatenate(moved)

    def rates(self, x: Point) -> Float[Array, " n"]:
        """Firing rates `⌊y⌋²` of the last layer."""
        top = self.layers[-1]
        return relu(self._parts(x)[-1][: top.n]) ** 2

    def normalised(self, drive: PyTree) -> Point:
        """The fixed point where every `W_r = I`, layer by layer.

        Raises:
            ArgumentError: if a layer has a recurrence of its own.
        """
        parts = []
        for layer in self.layers:
            parts.append(layer.normalised(drive))
            drive = relu(parts[-1][: layer.n]) ** 2
        return jnp.concatenate(parts)

    def starts(self, key: PRNGKey, number: int, drive: PyTree = None) -> Float[Array, "number dof"]:
        """Those of the layers, each under what the one below would send without recurrence."""
        parts = []
        for index, layer in enumerate(self.layers):
            parts.append(layer.starts(jax.random.fold_in(key, index), number, drive))
            plain = Organics(
                layer.W,
                b=layer.b,
                b0=layer.b0,
                sigma=layer.sigma,
                W_zx=layer.W_zx,
                variant=layer.variant,
            )
            drive = relu(plain.normalised(drive)[: layer.n]) ** 2
        return jnp.concatenate(parts, axis=1)

    def inside(self, x: Point, drive: PyTree = None) -> Bool[Array, ""]:
        """`a > 0` in every layer."""
        pairs = zip(self.layers, self._parts(x), strict=True)
        return jnp.stack([layer.inside(part, drive) for layer, part in pairs]).all()

    def smoothness(self, x: Point, drive: PyTree = None) -> float:
        """That of the layer nearest to a kink."""
        pairs = zip(self.layers, self._parts(jnp.asarray(x)), strict=True)
        return min(layer.smoothness(part, drive) for layer, part in pairs)

    def theorems(self, drive: PyTree = None) -> tuple[Theorem, ...]:
        """Without feedback the Jacobian is block triangular, so each layer decides for itself."""
        name = "unconditional stability of normalisation, layer by layer"
        statement = (
            "Without feedback the Jacobian is block triangular: the spectrum is that of the layers, "
            "each of which has one fixed point and is locally stable where W_r = I."
        )
        if any(layer.W_r is not None for layer in self.layers):
            because = "a layer has a recurrence of its own"
            return (Theorem(name, False, statement, because, SOURCE),)
        point = self.normalised(drive)
        for number, (layer, part) in enumerate(
            zip(self.layers, self._parts(point), strict=True), start=1
        ):
            own = layer.theorems(drive)[0]
            if not own.applies:
                because = f"layer {number}: {own.because}"
                return (Theorem(name, False, statement, because, SOURCE),)
            drive = relu(part[: layer.n]) ** 2
        return (
            Theorem(
                name=name,
                applies=True,
                statement=statement,
                because=f"all {len(self.layers)} layers have W_r = I and W ≥ 0",
                source=SOURCE,
                proves=frozenset({"stable", "all"}),
                points=np.asarray(point)[None],
                limits="it is local: convergence from everywhere is not proved.",
            ),
        )

    def labels(self) -> tuple[str, ...]:
        """`1.y1 …`, the layer first."""
        return tuple(
            f"{k}.{name}" for k, layer in enumerate(self.layers, 1) for name in layer.labels()
        )
