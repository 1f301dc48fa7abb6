"""Stationary points as records: what is stored, and what is handed to whoever asks."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from thalweg.core import Certificate, Outcome

from ._flow_graph import FlowLink, FlowNode

Kind = Literal["minimum", "transition_state"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Minimum:
    """A local minimum.

    Attributes:
        id: Its number in the store, in order of discovery from 0.
        energy: Energy, in the system's unit.
        x: Its coordinates, flat; `None` where only the energy is known (imported lists).
        order: Order of its point group.
        log_product: Natural logarithm of the product of the positive curvatures (eigenvalues of
            the Hessian with the zero modes removed; unit masses).
        certificate: The evidence; `None` for imported points, which have none.
        hits: How often searches have found it. The store counts; in a new record it is ignored.
        item: Number of the work item that found it first, -1 if unknown.
        round: Number of the round that found it first, -1 if unknown.
    """

    id: int
    energy: float
    x: Float[np.ndarray, " dof"] | None
    order: int
    log_product: float
    certificate: Certificate | None = None
    hits: int = 0
    item: int = -1
    round: int = -1

    @property
    def curvatures(self) -> tuple[float, ...]:
        """The lowest few curvatures that are not zero; empty without a certificate."""
        return () if self.certificate is None else tuple(self.certificate.curvatures)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TransitionState:
    """An index-1 saddle and the two minima below it.

    Attributes:
        id: Its number in the store, in order of discovery from 0.
        energy: Energy, in the system's unit.
        x: Its coordinates, flat; `None` where only the energy is known.
        order: Order of its point group.
        log_product: Natural logarithm of the product of the *positive* curvatures. The negative
            one is left out, as in PATHSAMPLE files and as rate theory needs it.
        minimum_a: Id of the minimum on one side.
        minimum_b: Id of the minimum on the other; equal to `minimum_a` when the transition state
            joins two symmetry images of one minimum (a degenerate rearrangement).
        negative_curvature: The one negative curvature; NaN if unknown.
        direction: Unit vector along it, flat, or `None`.
        certificate: The evidence; `None` for imported points.
        hits: How often searches have found it. The store counts; in a new record it is ignored.
        item: Number of the work item that found it first, -1 if unknown.
        round: Number of the round that found it first, -1 if unknown.
    """

    id: int
    energy: float
    x: Float[np.ndarray, " dof"] | None
    order: int
    log_product: float
    minimum_a: int
    minimum_b: int
    negative_curvature: float = float("nan")
    direction: Float[np.ndarray, " dof"] | None = None
    certificate: Certificate | None = None
    hits: int = 0
    item: int = -1
    round: int = -1

    @property
    def curvatures(self) -> tuple[float, ...]:
        """The lowest few curvatures that are not zero; empty without a certificate."""
        return () if self.certificate is None else tuple(self.certificate.curvatures)

    @property
    def degenerate(self) -> bool:
        """Whether both sides lead to the same minimum."""
        return self.minimum_a == self.minimum_b


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rejected:
    """A point that did not earn its place, kept apart with the reason.

    Attributes:
        kind: What it was meant to be, `"minimum"` or `"transition_state"`.
        outcome: Why it failed.
        energy: Energy there, NaN if it never had one.
        x: Coordinates, flat, or `None`.
        item: Number of the work item, -1 if unknown.
        detail: Anything that helps to understand it.
    """

    kind: Kind
    outcome: Outcome
    energy: float = float("nan")
    x: Float[np.ndarray, " dof"] | None = None
    item: int = -1
    detail: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Discovery:
    """A successful search: which point it ended in. A point's `hits` are its discoveries.

    Attributes:
        kind: `"minimum"`, `"transition_state"`, or `"node"` of a flow.
        id: Id of the point found, new or known.
        source: Id of the minimum that the search began from; `None` for a random start.
        count: How many searches this record stands for.
    """

    kind: Kind | Literal["node"]
    id: int
    source: int | None = None
    count: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attempt:
    """Searches begun from a minimum, or between two minima, whatever became of them.

    Attributes:
        minimum_a: Id of the minimum.
        minimum_b: Id of the other end of a double-ended search; `None` for a climb from one end.
        count: How many were begun.
        successes: How many ended in a certified transition state.
    """

    minimum_a: int
    minimum_b: int | None = None
    count: int = 1
    successes: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Round:
    """What one round of work adds to a store, all at once or not at all.

    Attributes:
        number: Its number; rounds count from 0 without gaps (`Store.next_round`).
        kind: What was done: `"minimise"`, `"climb"`, `"connect"`, `"import"`, `"rests"`, ….
        attempts: How many searches ended in it, well or badly.
        seconds: How long it took.
        minima: New minima, with the ids that follow those stored (`Store.n_minima`).
        transition_states: New transition states, likewise.
        discoveries: What every successful search found, new or known; hits are counted from it.
        rejected: Points that failed.
        searches: Where searches began, whatever became of them.
        nodes: New nodes of a flow, with the ids that follow those stored (`Store.n_nodes`).
        links: Ways out of unstable rests of a flow that were followed.
        state: What the plan needs in order to go on after this round; anything JSON can hold.
    """

    number: int
    kind: str
    attempts: int = 0
    seconds: float = 0.0
    minima: Sequence[Minimum] = ()
    transition_states: Sequence[TransitionState] = ()
    discoveries: Sequence[Discovery] = ()
    rejected: Sequence[Rejected] = ()
    searches: Sequence[Attempt] = ()
    nodes: Sequence[FlowNode] = ()
    links: Sequence[FlowLink] = ()
    state: Mapping[str, Any] = dataclasses.field(default_factory=dict)
