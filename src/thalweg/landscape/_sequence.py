"""What a round may bring to a store: points of its kind, with the ids that come next."""

from collections.abc import Mapping, Sequence
from typing import Any

from thalweg.core import StoreError

from ._schema import StoreHeader
from ._stationary import Round

_HINT = "is another run writing to the same store? Open it again to go on from there"


def check_sequence(
    batch: Round, name: str, header: StoreHeader, next_round: int, counts: Mapping[str, int]
) -> None:
    """Refuse a round that does not follow what is stored.

    Args:
        batch: The round.
        name: Name of the store, for messages.
        header: What the store belongs to.
        next_round: Number of the next round.
        counts: Number of stored points by kind.

    Raises:
        StoreError: if the round or an id is not the next one, a point has the wrong number of
            coordinates or is of the other kind of store, or a discovery is of an unknown point.
    """
    if batch.number != next_round:
        raise StoreError(
            f"{name}: round {batch.number} cannot follow round {next_round - 1}", _HINT
        )
    energetic = (batch.minima, batch.transition_states, batch.rejected, batch.searches)
    flowing = (batch.nodes, batch.links)
    if any(flowing if header.kind == "energy" else energetic):
        raise StoreError(f"{name} is of {header}: a round of another kind cannot go into it")
    new: dict[str, Sequence[Any]] = {
        "minimum": batch.minima,
        "transition_state": batch.transition_states,
        "node": batch.nodes,
    }
    for kind, first in counts.items():
        _check_points(name, kind, new[kind], first, header.dof)
    for found in batch.discoveries:
        if not 0 <= found.id < counts.get(found.kind, 0) + len(new[found.kind]):
            raise StoreError(f"{name}: a discovery of {found.kind} {found.id}, unknown")


def _check_points(name: str, kind: str, points: Sequence[Any], first: int, dof: int) -> None:
    """Ids count on, and every point has its coordinates."""
    got = [point.id for point in points]
    if got != list(range(first, first + len(got))):
        raise StoreError(
            f"{name}: new {kind} ids must be {first}, {first + 1}, … in order, got {got[:5]}",
            _HINT,
        )
    for point in points:
        if point.x is not None and len(point.x) != dof:
            raise StoreError(
                f"{name}: {kind} {point.id} has {len(point.x)} coordinates, the system has {dof}"
            )
