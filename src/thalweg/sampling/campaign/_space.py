"""The conditions that a campaign moves in, and moves that are as likely there as back.

Inside, a point is an array of coordinates: the value itself (`Range`), its logarithm
(`Range(log=True)`), or the number of the level (`Levels`, `Choice`). The target density is with
respect to these coordinates: per unit of a value, per unit of a logarithm, per level.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtri

from thalweg.core import ArgumentError


@dataclasses.dataclass(frozen=True)
class Range:
    """A condition that may have any value between two bounds.

    A proposal beyond a bound is rejected without a measurement: the weight is zero there.

    Attributes:
        name: What it is called, in tables and in files.
        low: Smallest value.
        high: Largest value.
        unit: Its unit, for people.
        step: Standard deviation of a proposal; a tenth of the range by default. With `log`, in
            decades.
        periodic: Whether `low` and `high` are the same (an angle).
        log: Whether to move, and to count, in the logarithm of the value.
    """

    name: str
    low: int | float
    high: int | float
    unit: str = ""
    step: int | float | None = None
    periodic: bool = False
    log: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ArgumentError(
                f"{self.name}: bounds {self.low:g} and {self.high:g}", "two numbers, low < high"
            )
        if self.log and (self.low <= 0 or self.periodic):
            raise ArgumentError(
                f"{self.name}: a logarithmic range has positive bounds and is not periodic"
            )
        _check_step(self.name, self.step)


@dataclasses.dataclass(frozen=True)
class Levels:
    """A condition with ordered levels, such as the doses that a robot can dispense.

    Attributes:
        name: What it is called.
        values: The levels, ascending. Each counts the same, however far apart they are.
        unit: Their unit, for people.
        step: About how many levels a proposal moves (at least one); 1 by default.
        periodic: Whether the first level follows the last.
    """

    name: str
    values: tuple[float, ...]
    unit: str = ""
    step: int | float | None = None
    periodic: bool = False

    def __init__(
        self,
        name: str,
        values: Sequence[int | float],
        unit: str = "",
        step: int | float | None = None,
        periodic: bool = False,  # noqa: FBT001
    ):
        for key, value in (
            ("name", name),
            ("values", tuple(float(v) for v in values)),
            ("unit", unit),
            ("step", step),
            ("periodic", periodic),
        ):
            object.__setattr__(self, key, value)
        _check_name(name)
        if len(self.values) < 2 or any(
            not b > a for a, b in zip(self.values, self.values[1:], strict=False)
        ):
            raise ArgumentError(f"{name}: levels {self.values}", "two or more, ascending")
        _check_step(name, step)


@dataclasses.dataclass(frozen=True)
class Choice:
    """A condition with levels in no order, such as the salt of a buffer.

    Attributes:
        name: What it is called.
        values: The levels.
        change: How likely a proposal changes it.
    """

    name: str
    values: tuple[str, ...]
    change: float = 0.5

    def __init__(self, name: str, values: Sequence[str], change: int | float = 0.5):
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "values", tuple(str(v) for v in values))
        object.__setattr__(self, "change", float(change))
        _check_name(name)
        if len(set(self.values)) != len(self.values) or len(self.values) < 2:
            raise ArgumentError(f"{name}: choices {self.values}", "two or more, all different")
        if not 0 < self.change <= 1:
            raise ArgumentError(f"{name}: change {self.change:g} is no probability", "change=0.5")


Condition = Range | Levels | Choice
_KINDS = {"range": Range, "levels": Levels, "choice": Choice}

RESERVED = frozenset(
    {"id", "plate", "well", "chain", "step", "replicate", "attempt", "purpose", "assay", "seed"}
    | {"value", "status", "duration", "operator", "reference", "weight", "epoch", "use", "time"}
)
"""Column names that a condition cannot have."""


def _check_name(name: str) -> None:
    if not name.strip() or any(mark in name for mark in ',;"\n[]') or name.lower() in RESERVED:
        raise ArgumentError(
            f"a condition cannot be called {name!r}",
            f"a short name without , ; [ ] and none of {', '.join(sorted(RESERVED))}",
        )


def _check_step(name: str, step: int | float | None) -> None:
    if step is not None and not (math.isfinite(step) and step > 0):
        raise ArgumentError(f"{name}: step {step} is not positive")


class Space:
    """All conditions of a campaign; rows of coordinates in, rows of coordinates out."""

    def __init__(self, conditions: Sequence[Condition]):
        self.conditions = tuple(conditions)
        if not self.conditions:
            raise ArgumentError("a campaign needs a condition", 'Range("pH", 4, 9)')
        self.names = tuple(c.name for c in self.conditions)
        if len(set(self.names)) != len(self.names):
            raise ArgumentError(f"conditions {self.names}: names must differ")
        self.low, self.high, self.steps = np.array([_bounds(c) for c in self.conditions]).T
        self.is_range = np.array([isinstance(c, Range) for c in conditions])
        self.is_choice = np.array([isinstance(c, Choice) for c in conditions])
        self.periodic = np.array([getattr(c, "periodic", False) for c in conditions])
        self.period = self.high - self.low + ~self.is_range  # levels: one more than the distance

    @property
    def dof(self) -> int:
        """Number of conditions."""
        return len(self.conditions)

    # Between values and coordinates

    def coordinates(self, values: Mapping[str, Any]) -> list[float]:
        """Coordinates of one point.

        Raises:
            ArgumentError: if a condition is missing, unknown, or out of its bounds.
        """
        unknown = set(values) - set(self.names)
        missing = set(self.names) - set(values)
        if unknown or missing:
            raise ArgumentError(
                f"conditions {', '.join(values)}: "
                + "; ".join(
                    f"{what} {', '.join(sorted(some))}"
                    for what, some in (("unknown", unknown), ("missing", missing))
                    if some
                ),
                f"the campaign has {', '.join(self.names)}",
            )
        return [_coordinate(c, values[c.name]) for c in self.conditions]

    def values(self, row: Sequence[float]) -> dict[str, float | str]:
        """One point as it is told to people and robots."""
        return {
            c.name: (
                c.values[int(y)] if not isinstance(c, Range) else math.exp(y) if c.log else float(y)
            )
            for c, y in zip(self.conditions, row, strict=True)
        }

    def columns(self, points: Float[np.ndarray, "*shape dof"]) -> dict[str, np.ndarray]:
        """Many points as one array for each condition."""
        return {
            c.name: (
                np.asarray(c.values)[points[..., i].astype(int)]
                if not isinstance(c, Range)
                else np.exp(points[..., i])
                if c.log
                else points[..., i]
            )
            for i, c in enumerate(self.conditions)
        }

    # Moves

    def anywhere(self, u: Float[np.ndarray, "n dof"]) -> Float[np.ndarray, "n dof"]:
        """Points of the box from uniform numbers; a point between levels is none."""
        y = self.low + u * self.period
        return np.where(self.is_range, y, np.minimum(np.floor(y), self.high))

    def propose(
        self,
        points: Float[np.ndarray, "n dof"],
        u: Float[np.ndarray, "n dof"],
        factor: Float[np.ndarray, " n"],
    ) -> Float[np.ndarray, "n dof"]:
        """A proposal for each point, as likely as the way back; it may lie outside."""
        jump = ndtri(u) * self.steps * factor[:, None]
        moved = points + np.where(self.is_range, jump, np.sign(jump) * np.ceil(np.abs(jump)))
        if self.is_choice.any():
            change = np.where(self.is_choice, self.steps, 1.0)
            other = 1.0 + np.floor(np.minimum(u / change, 1 - 1e-12) * (self.period - 1.0))
            turned = np.mod(points + np.where(u < change, other, 0.0), self.period)
            moved = np.where(self.is_choice, turned, moved)
        return self.wrap(moved)

    def wrap(self, points: Float[np.ndarray, "*shape dof"]) -> Float[np.ndarray, "*shape dof"]:
        """Periodic conditions back into their range."""
        if not self.periodic.any():
            return points
        turned = self.low + np.mod(points - self.low, self.period)
        return np.where(self.periodic, turned, points)

    def inside(self, points: Float[np.ndarray, "*shape dof"]) -> Bool[np.ndarray, "*shape"]:
        """Which points are within all bounds."""
        return np.all((points >= self.low) & (points <= self.high), axis=-1)

    def squared_jump(
        self, a: Float[np.ndarray, "n dof"], b: Float[np.ndarray, "n dof"]
    ) -> Float[np.ndarray, " n"]:
        """Squared distance in units of the steps; a changed choice counts as one."""
        apart = np.abs(b - a)
        apart = np.where(self.periodic, np.minimum(apart, self.period - apart), apart)
        scaled = np.where(self.is_choice, apart > 0, apart / self.steps)
        return np.sum(scaled**2, axis=-1)

    # JSON

    def to_json(self) -> list[dict[str, Any]]:
        """The conditions as plain objects."""
        kinds = {cls: kind for kind, cls in _KINDS.items()}
        return [{"kind": kinds[type(c)], **dataclasses.asdict(c)} for c in self.conditions]

    @classmethod
    def from_json(cls, items: Sequence[Mapping[str, Any]]) -> "Space":
        """The inverse of `to_json`."""
        return cls(
            [_KINDS[i["kind"]](**{k: v for k, v in i.items() if k != "kind"}) for i in items]
        )


def _bounds(c: Condition) -> tuple[float, float, float]:
    """Bounds and step of one condition, in its coordinate."""
    if isinstance(c, Choice):
        return 0.0, len(c.values) - 1.0, c.change
    if isinstance(c, Levels):
        return 0.0, len(c.values) - 1.0, 1.0 if c.step is None else float(c.step)
    low, high = (math.log(c.low), math.log(c.high)) if c.log else (float(c.low), float(c.high))
    step = (high - low) / 10 if c.step is None else c.step * (math.log(10) if c.log else 1.0)
    return low, high, step


def _coordinate(c: Condition, value: Any) -> float:
    try:
        if isinstance(c, Choice):
            return float(c.values.index(str(value)))
        if isinstance(c, Levels):
            near = [abs(v - float(value)) <= 1e-9 * max(1.0, abs(v)) for v in c.values]
            return float(near.index(True))
        number = float(value)
    except (ValueError, TypeError):
        known = c.values if not isinstance(c, Range) else f"{c.low:g} … {c.high:g}"
        raise ArgumentError(f"{c.name}: {value!r} is not one of {known}") from None
    if not c.low <= number <= c.high:
        raise ArgumentError(f"{c.name}: {number:g} is not in {c.low:g} … {c.high:g}")
    return math.log(number) if c.log else number
