"""The landscape: a handle on everything that was found."""

import dataclasses
import functools
from pathlib import Path
from types import TracebackType

import numpy as np
import pandas as pd
from jaxtyping import Float

from ._completeness import CompletenessEstimate, Method, estimate_completeness
from ._flow_graph import FlowGraph
from ._integrity import Integrity
from ._network import TransitionNetwork
from ._schema import StoreHeader
from ._stationary import Kind, Minimum, TransitionState
from ._store import Store


@dataclasses.dataclass(frozen=True, kw_only=True)
class Completeness:
    """How much of a landscape is probably known: one estimate for each kind of point."""

    minima: CompletenessEstimate
    transition_states: CompletenessEstimate

    def __str__(self) -> str:
        return f"minima {self.minima}; transition states {self.transition_states}"


class Landscape:
    """Everything found about one system or flow, read from its store when first asked for.

    A flow has no energy, and so none of the minima, transition states and estimates: it has `flow`.

    Reading is lazy and cached; `refresh` forgets the cache when another process has been writing.
    Use it in a `with` block, or `close` it.
    """

    def __init__(self, store: Store):
        self.store = store

    @classmethod
    def open(cls, url: str | Path) -> "Landscape":
        """Open an existing store.

        Args:
            url: File name, or any SQLAlchemy URL.

        Raises:
            StoreError: if there is none, or it cannot be read.
        """
        return cls(Store.open(url))

    @property
    def header(self) -> StoreHeader:
        """What it is of."""
        return self.store.header

    @functools.cached_property
    def network(self) -> TransitionNetwork:
        """Minima and transition states as frozen arrays, without coordinates."""
        return self.store.load_network()

    @functools.cached_property
    def flow(self) -> FlowGraph:
        """Attractors and saddles of a flow, and what leads where."""
        return self.store.graph()

    @functools.cached_property
    def minima(self) -> pd.DataFrame:
        """One row for each minimum.

        Columns: `id`, `energy`, `order` (of the point group), `log_product` (of the positive
        curvatures), `hits`, `component` (0: connected to the global minimum), `item`, `round`.
        """
        frame = self.store.frame("minima").drop(columns="certificate")
        frame.insert(5, "component", self.network.components)
        return frame

    @functools.cached_property
    def transition_states(self) -> pd.DataFrame:
        """One row for each transition state.

        Columns: `id`, `energy`, `minimum_a`, `minimum_b`, `order`, `log_product`,
        `negative_curvature`, `hits`, `item`, `round`.
        """
        columns = ["id", "energy", "minimum_a", "minimum_b", "order", "log_product"]
        columns += ["negative_curvature", "hits", "item", "round"]
        return self.store.frame("transition_states").loc[:, columns]

    @functools.cached_property
    def completeness(self) -> Completeness:
        """How many minima and transition states are probably still missing."""
        return self.estimate()

    def estimate(self, method: Method = "lognormal") -> Completeness:
        """Completeness by a chosen estimator (see `estimate_completeness`)."""
        return Completeness(
            minima=estimate_completeness(self.network.hits, method=method),
            transition_states=estimate_completeness(self.network.ts_hits, method=method),
        )

    def minimum(self, point_id: int) -> Minimum:
        """One minimum with its coordinates and certificate."""
        return self.store.minimum(point_id)

    def transition_state(self, point_id: int) -> TransitionState:
        """One transition state with its coordinates and certificate."""
        return self.store.transition_state(point_id)

    def points(self, kind: Kind = "minimum") -> Float[np.ndarray, "n dof"]:
        """Coordinates of all minima or transition states, by id."""
        return self.store.points(kind)

    def integrity(self) -> Integrity:
        """Whether the store holds together."""
        return self.store.integrity()

    def refresh(self) -> None:
        """Forget what was read, so that it is read again."""
        for name in ("network", "flow", "minima", "transition_states", "completeness"):
            self.__dict__.pop(name, None)

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def __enter__(self) -> "Landscape":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.header.kind == "flow":
            return f"Landscape({self.store.name!r}: {self.flow})"
        return (
            f"Landscape({self.store.name!r}: {self.header.name}, {self.store.n_minima} minima, "
            f"{self.store.n_transition_states} transition states)"
        )
