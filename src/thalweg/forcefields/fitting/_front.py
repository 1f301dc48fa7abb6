"""The plane of force fields: which ones no other beats."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from thalweg.core import ArgumentError

from ._measure import Measurement

if TYPE_CHECKING:
    import pandas as pd

CHEMICAL_ACCURACY = 1.0
"""In kcal/mol."""


def pareto(
    records: Sequence[Measurement], axes: Sequence[str] = ("micros", "force_rmse")
) -> np.ndarray:
    """Which records no other one beats: as good on every axis, and better on one.

    Args:
        records: Measurements.
        axes: Fields that are to be small; one with a minus sign before it is to be large.

    Returns:
        A flag for each. A record that is not finite on an axis is never on the front.

    Raises:
        ArgumentError: if a measurement has no such field.
    """
    signs = np.array([-1.0 if axis.startswith("-") else 1.0 for axis in axes])
    names = [axis.removeprefix("-") for axis in axes]
    known = {field.name for field in dataclasses.fields(Measurement)} - {"name"}
    wrong = [name for name in names if name not in known]
    if wrong or not names:
        raise ArgumentError(
            f"a measurement has no field {', '.join(wrong)}", f"fields: {', '.join(sorted(known))}"
        )
    values = np.array([[getattr(r, name) for name in names] for r in records], float)
    values = values.reshape(len(records), len(names)) * signs
    finite = np.all(np.isfinite(values), axis=1)
    as_good = np.all(values[:, None] <= values[None], axis=2)
    better = np.any(values[:, None] < values[None], axis=2)
    beaten = np.any(as_good & better & finite[:, None], axis=0)
    return finite & ~beaten


@dataclasses.dataclass(frozen=True)
class Front:
    """Measured force fields, and those that no other beats.

    Attributes:
        records: Measurements, by their time for one energy.
        axes: What counts, see `pareto`.
    """

    records: tuple[Measurement, ...]
    axes: tuple[str, ...] = ("micros", "force_rmse")

    @classmethod
    def of(
        cls, records: Sequence[Measurement], axes: Sequence[str] = ("micros", "force_rmse")
    ) -> "Front":
        """Sort, and check the axes."""
        pareto(records, axes)
        ordered = sorted(records, key=lambda r: r.micros if np.isfinite(r.micros) else np.inf)
        return cls(tuple(ordered), tuple(axes))

    @property
    def best(self) -> tuple[Measurement, ...]:
        """The front itself."""
        flags = pareto(self.records, self.axes)
        return tuple(r for r, flag in zip(self.records, flags, strict=True) if flag)

    @property
    def accurate(self) -> tuple[Measurement, ...]:
        """Those within chemical accuracy: energies to 1 kcal/mol on the test set."""
        return tuple(r for r in self.records if r.energy_rmse < CHEMICAL_ACCURACY)

    def within(self, micros: float) -> Measurement | None:
        """The most accurate one whose energy takes at most so many microseconds."""
        fast = [r for r in self.best if r.micros <= micros]
        return min(fast, key=lambda r: r.force_rmse) if fast else None

    def table(self) -> "pd.DataFrame":
        """One row for each record; `front` says which no other beats."""
        import pandas as pd

        frame = pd.DataFrame([dataclasses.asdict(r) for r in self.records])
        if len(frame):
            frame["front"] = pareto(self.records, self.axes)
        return frame
