"""What a campaign is: decided before the first measurement, and never changed after it."""

import dataclasses
import enum
import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from thalweg.core import ArgumentError

from ._space import Choice, Range, Space

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Multiples of the step that a tuned burn-in tries."""


class Outcome(enum.StrEnum):
    """What a measurement returns."""

    weight = "weight"
    """A number that is never negative; its average at a condition is the condition's weight."""
    passed = "pass"
    """Pass or fail; the probability to pass is the condition's weight."""
    signed = "signed"
    """A number of either sign, such as a yield minus its background. Chains walk in the
    distribution of its absolute value, and averages carry the sign (Lyne et al., Stat. Sci. 30,
    443 (2015))."""


@dataclasses.dataclass(frozen=True)
class Single:
    """One condition at a time, measured in a planned number of replicate wells.

    Metropolis with the *stored* mean of the replicates: pseudo-marginal Metropolis-Hastings
    (Andrieu & Roberts, Ann. Stat. 37, 697 (2009)), or, with one pass-or-fail replicate, "accept
    if and only if it passes" (Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017)). A chain visits
    conditions with probability proportional to their average weight, exactly.

    Attributes:
        replicates: Wells for each proposal; their mean is the proposal's weight.
    """

    replicates: int = 1


@dataclasses.dataclass(frozen=True)
class Cloud:
    """A cloud of conditions around a centre, all measured at once.

    The weight of a cloud is the sum over its points, and the *points* are the samples, each with
    its share of that sum (Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017)); the centre's own
    distribution is smeared out and never reported. Fewer rounds for more wells: right where a
    pass is rare and plates are cheap. Only for `Range` conditions.

    Attributes:
        points: Wells for each proposal.
        radius: Radius of the ball that they are drawn from, in units of the steps.
    """

    points: int = 8
    radius: int | float = 1.0


Kernel = Single | Cloud


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that decides what a campaign will ask; `Campaign.create` describes the fields."""

    space: Space
    outcome: Outcome
    kernel: Kernel
    chains: int
    key: tuple[int, int]
    start: tuple[tuple[float, ...], ...] | None = None
    burn_in: int = 0
    tune: bool = False
    refresh: int = 0
    limit: int | float | None = None
    threshold: int | float | None = None
    assay: str = "1"
    layout: int | None = None
    controls: tuple[str, ...] = ()
    lease: int | float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_outcome(self)
        if isinstance(self.kernel, Cloud):
            bad = [c.name for c in self.space.conditions if not isinstance(c, Range)]
            if bad:
                raise ArgumentError(
                    f"kernel: a cloud lives in ranges, and {', '.join(bad)} has levels",
                    "kernel=Single()",
                )
        if self.tune and all(isinstance(c, Choice) for c in self.space.conditions):
            raise ArgumentError("tune: choices have no step to tune", "tune=False")

    @property
    def width(self) -> int:
        """Wells for each proposal."""
        return self.kernel.points if isinstance(self.kernel, Cloud) else self.kernel.replicates

    @property
    def is_cloud(self) -> bool:
        """Whether a proposal is a cloud."""
        return isinstance(self.kernel, Cloud)

    def to_json(self) -> dict[str, Any]:
        """Plain objects."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        kind = "cloud" if self.is_cloud else "single"
        return plain | {
            "space": self.space.to_json(),
            "outcome": self.outcome.value,
            "kernel": {"kind": kind, **dataclasses.asdict(self.kernel)},
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Plan":
        """The inverse of `to_json`."""
        kernel = dict(plain["kernel"])
        kind = {"cloud": Cloud, "single": Single}[kernel.pop("kind")]
        start = plain["start"]
        return cls(
            **{
                **plain,
                "space": Space.from_json(plain["space"]),
                "outcome": Outcome(plain["outcome"]),
                "kernel": kind(**kernel),
                "key": tuple(plain["key"]),
                "start": None if start is None else tuple(tuple(row) for row in start),
                "controls": tuple(plain["controls"]),
            }
        )

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of all that decides what is asked; names, leases and layouts do not."""
        plain = self.to_json()
        for key in ("name", "lease", "layout", "controls"):
            del plain[key]
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    # What a measurement is worth

    def weight(self, value: int | float, *, censored: bool) -> float:
        """The weight of a measured value.

        Args:
            value: The number, or 1 and 0 for pass and fail.
            censored: Whether the instrument only said "above the limit".

        Raises:
            ArgumentError: if it can be no weight; nothing may then be committed.
        """
        if censored:
            if self.limit is None:
                raise ArgumentError(
                    "a censored value needs the limit that was fixed when the campaign was made",
                    "make the campaign with limit=…, which then bounds every value alike",
                )
            return float(self.limit)
        if not math.isfinite(value):
            raise ArgumentError(
                f"the value {value} is no weight",
                "tell it as status='lost' if nothing was measured, whatever the condition is",
            )
        if self.outcome is Outcome.passed:
            if self.threshold is not None:
                return float(value >= self.threshold)
            if value not in (0.0, 1.0):
                raise ArgumentError(
                    f"the value {value:g} is neither pass nor fail",
                    "make the campaign with threshold=… to tell numbers",
                )
            return float(value)
        if self.outcome is Outcome.weight and value < 0:
            raise ArgumentError(
                f"the value {value:g} is negative, and a weight never is",
                "cutting it off at zero would bias the result: make a campaign with outcome='pass' "
                "and a threshold, or with outcome='signed'",
            )
        if self.limit is not None:
            return float(max(min(value, self.limit), -self.limit))
        return float(value)


def starts(
    space: Space, start: Sequence[Mapping[str, Any]] | None
) -> tuple[tuple[float, ...], ...] | None:
    """Starting points as coordinates."""
    if start is None:
        return None
    if not start:
        raise ArgumentError("start: an empty list", "leave it out to start anywhere in the box")
    return tuple(tuple(space.coordinates(point)) for point in start)


def _check_numbers(plan: Plan) -> None:
    for name, value, least in (
        ("chains", plan.chains, 1),
        ("the number of wells of a proposal", plan.width, 1),
        ("burn_in", plan.burn_in, 1 if plan.tune else 0),
        ("refresh", plan.refresh, 0),
    ):
        if value < least:
            hint = "a tuned campaign needs a burn-in to tune in: burn_in=20" if plan.tune else None
            raise ArgumentError(f"{name}: {value}, expected at least {least}", hint)
    if isinstance(plan.kernel, Cloud) and not plan.kernel.radius > 0:
        raise ArgumentError(f"radius: {plan.kernel.radius:g} is not positive")
    if plan.lease is not None and not plan.lease >= 0:
        raise ArgumentError(f"lease: {plan.lease} s is negative", "lease=None never expires")
    if plan.refresh == 1:
        raise ArgumentError("refresh: 1 would never move", "refresh=10 re-measures every 10th step")


def _check_outcome(plan: Plan) -> None:
    if plan.threshold is not None and plan.outcome is not Outcome.passed:
        raise ArgumentError("threshold goes with outcome='pass'", "use limit= to bound a weight")
    if plan.limit is None:
        return
    if plan.outcome is Outcome.passed:
        raise ArgumentError("limit goes with outcome='weight'", "pass or fail is bounded already")
    if not (math.isfinite(plan.limit) and plan.limit > 0):
        raise ArgumentError(f"limit: {plan.limit} is not a positive number")
