"""Where the hidden units of a network are in its flat parameters, and what can be done to them."""

import dataclasses
import functools
import hashlib
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from ._errors import ArgumentError
from ._operation import Operation

Kind = Literal["odd", "plain", "homogeneous"]


class HiddenLayer:
    """Where the units of one hidden layer are in the flat vector of parameters.

    Equal and of equal hash where the places are equal, so that it can be a constant of compiled
    programs. Not to be changed.

    Attributes:
        incoming: Places of what enters each unit, its bias included, `(units, in)`.
        outgoing: Places of what leaves it, `(units, out)`; between two hidden layers
            `outgoing[j, k]` is a place of `incoming[k]` of the next.
        kind: What the activation allows besides permutations: a change of sign (`odd`), of scale
            (`homogeneous`), or neither (`plain`).
    """

    incoming: Int[np.ndarray, "units in"]
    outgoing: Int[np.ndarray, "units out"]
    kind: Kind

    def __init__(
        self,
        incoming: Int[np.ndarray, "_ in"],
        outgoing: Int[np.ndarray, "_ out"],
        kind: Kind = "odd",
    ):
        """Keep the places.

        Raises:
            ArgumentError: if the numbers of units differ.
        """
        if len(incoming) != len(outgoing):
            raise ArgumentError(
                f"a hidden layer has {len(incoming)} units by its incoming parameters and "
                f"{len(outgoing)} by its outgoing ones"
            )
        if kind not in {"odd", "plain", "homogeneous"}:
            raise ArgumentError(f"kind={kind!r} is none of 'odd', 'plain', 'homogeneous'")
        self.incoming, self.outgoing, self.kind = incoming, outgoing, kind

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.incoming)

    @functools.cached_property
    def digest(self) -> str:
        """A hash of all places."""
        text = f"{self.kind};{self.incoming.shape};{self.outgoing.shape}".encode()
        places = np.concatenate([self.incoming.ravel(), self.outgoing.ravel()])
        return hashlib.sha256(text + places.astype(np.int64).tobytes()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HiddenLayer) and self.digest == other.digest

    def __repr__(self) -> str:
        return f"HiddenLayer({self.units} {self.kind} units, {self.digest})"


@dataclasses.dataclass(frozen=True, eq=False)
class Monomial(Operation):
    """Permute coordinates and multiply each: `x_i ↦ f_i x_labels[i] + t_i`.

    Attributes:
        factors: The factor `f` of each coordinate, ±1 unless units are scaled.
    """

    factors: Float[np.ndarray, " dof"]

    def _turned(self, points: np.ndarray, shift: np.ndarray) -> np.ndarray:
        return self.factors * points[..., self.labels] + shift[:, 0]


@dataclasses.dataclass
class Assignment:
    """Which unit comes to each place of a layer, and with which sign or scale.

    Attributes:
        units: For each place the unit that comes there.
        factors: What multiplies its incoming parameters; the outgoing ones are divided by it.
    """

    units: Int[np.ndarray, " units"]
    factors: Float[np.ndarray, " units"]

    @classmethod
    def identity(cls, count: int) -> "Assignment":
        """Every unit stays."""
        return cls(np.arange(count), np.ones(count))


def monomial(
    layers: tuple[HiddenLayer, ...],
    assignments: list[Assignment],
    dof: int,
    shift: Float[np.ndarray, " dof"] | None = None,
) -> Monomial:
    """The operation on all coordinates that does something to the units of each layer."""
    labels, factors = np.arange(dof), np.ones(dof)
    for layer, done in zip(layers, assignments, strict=True):
        into, out, scale = layer.incoming, layer.outgoing, done.factors[:, None]
        from_in, from_out = into[done.units], out[done.units]
        new_labels, new_factors = labels.copy(), factors.copy()
        new_labels[into], new_labels[out] = labels[from_in], labels[from_out]
        new_factors[into] = factors[from_in] * scale
        new_factors[out] = factors[from_out] / scale
        labels, factors = new_labels, new_factors
    moved = np.zeros(dof) if shift is None else shift
    return Monomial(labels, np.eye(1), moved[:, None], factors)
