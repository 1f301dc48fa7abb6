"""What goes to the laboratory, what comes back, and what became of it."""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any


class Purpose(enum.StrEnum):
    """Why a well is asked for."""

    start = "start"
    """A chain looks for its first point."""
    move = "move"
    """A chain's proposal."""
    repeat = "repeat"
    """A spare well: the noise at a chain's present point. It never decides anything."""


class Status(enum.StrEnum):
    """How a measurement ended."""

    ok = "ok"
    censored = "censored"
    """Above the limit that was fixed when the campaign was made."""
    lost = "lost"
    """Nothing was measured, for a reason that has to do neither with the condition nor with the
    result. The well is asked for again, with new noise."""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One well to be measured.

    Attributes:
        id: Its name, to be given back with the result.
        conditions: What to measure.
        chain: The chain that asked.
        step: The step of the chain that the result decides; 0 while it looks for a start.
        replicate: Which replicate, or which point of the cloud.
        attempt: How often this well was lost before.
        purpose: Why.
        seed: A number of its own, below 2⁶³, for a simulator's noise.
        assay: Version of the assay to use.
        plate: Number of the plate, if the campaign has plates.
        well: Name of the well on it.
        until: When the lease ends, in seconds since 1970; `None` for never.
    """

    id: str
    conditions: Mapping[str, float | str]
    chain: int
    step: int
    replicate: int
    attempt: int
    purpose: Purpose
    seed: int
    assay: str
    plate: int | None = None
    well: str | None = None
    until: int | float | None = None


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One result.

    Attributes:
        id: The well's id; `None` for something nobody asked for, which needs `conditions`.
        value: A number; true, false, `"pass"` or `"fail"`; `None` if it was lost.
        status: How it ended.
        conditions: What was measured, if nobody asked for it.
        assay: Version of the assay that was used; refused if it is not the campaign's.
        facts: Anything worth keeping, such as operator, duration, or the raw file's name.
    """

    id: str | None
    value: Any = None
    status: Status | str = Status.ok
    conditions: Mapping[str, Any] | None = None
    assay: str | None = None
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Told:
    """What became of results.

    Attributes:
        committed: Results that are new.
        duplicates: Results that were known already.
        lost: Wells that will be asked for again (part of `committed`).
        observed: Measurements nobody asked for, kept as observational.
        late: Results for an assay that has been replaced, kept as observational.
        conflicts: Ids whose result contradicts the one that stands.
        steps: Steps that chains have taken.
        moves: How many of those were accepted.
    """

    committed: int = 0
    duplicates: int = 0
    lost: int = 0
    observed: int = 0
    late: int = 0
    conflicts: tuple[str, ...] = ()
    steps: int = 0
    moves: int = 0
