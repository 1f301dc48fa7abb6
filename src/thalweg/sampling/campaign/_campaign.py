"""The campaign: what a laboratory talks to."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd

from thalweg.core import ArgumentError

from ._ask import ask
from ._audit import Audit, audit
from ._change import Change
from ._log import Log, genesis
from ._plan import Kernel, Outcome, Plan, Single, starts
from ._plate import free_wells
from ._random import Stream, key_words
from ._records import Measurement, Request, Status, Told
from ._samples import CampaignSamples, History
from ._space import Condition, Space
from ._state import State
from ._status import CampaignStatus, summarise
from ._tell import tell
from ._views import decisions, observations

SNAPSHOT = 20_000
"""Events after which the folded state is stored: a cache that the log can always replace."""

_HINT = "the first result stands; if it was mistyped, make a note of it: the log keeps both"


class ConflictError(ArgumentError):
    """A result that contradicts the one that was committed first.

    Attributes:
        told: What became of the other results of the same call, which were committed.
    """

    def __init__(self, message: str, hint: str | None, told: Told):
        super().__init__(message, hint)
        self.told = told


class Campaign:
    """Chains of conditions that a laboratory measures, in a database.

    Nothing is kept in memory that is not in the log first: a process may be killed at any moment,
    and two processes may serve one campaign.
    """

    def __init__(self, log: Log):
        self._log = log
        self._stream = Stream(log.plan.key, log.plan.fingerprint)
        self._state: State | None = None
        self._saved = 0
        self._history = History(log.plan)
        with self._log.reading() as connection:
            self._fold(connection)

    @classmethod
    def create(  # noqa: PLR0913  (each of them is decided once, here)
        cls,
        url: str | Path,
        conditions: Sequence[Condition],
        *,
        outcome: Outcome | str = Outcome.weight,
        kernel: Kernel | None = None,
        chains: int = 96,
        key: Any = 0,
        start: Sequence[Mapping[str, Any]] | None = None,
        burn_in: int = 0,
        tune: bool = False,
        refresh: int = 0,
        limit: int | float | None = None,
        threshold: int | float | None = None,
        assay: str = "1",
        layout: int | None = None,
        controls: Sequence[str] = (),
        lease: int | float | None = None,
        name: str = "",
    ) -> "Campaign":
        """Make a campaign; the same call again opens it.

        Args:
            url: File name, or any SQLAlchemy URL.
            conditions: What may be varied: `Range`, `Levels`, `Choice`.
            outcome: What a measurement returns: `"weight"` (a number that is never negative),
                `"pass"` (pass or fail), or `"signed"`. Conditions are visited in proportion to
                its *average*.
            kernel: `Single(replicates=1)` by default, or `Cloud(points, radius)`.
            chains: Number of independent chains; four at least for honest error bars.
            key: Seed, or a JAX key.
            start: First points, taken in turns; anywhere in the box by default. A chain begins
                when its first point has a weight that is not zero.
            burn_in: Steps of each chain that samples leave out.
            tune: Whether the burn-in tries multiples of the steps and keeps the best; then chains
                wait for one another at its end.
            refresh: Measure the present point anew, and go to the new value by the same rule, at
                every such step; 0 for never. It frees chains from a lucky value.
            limit: Largest weight; larger ones count as this, and `censored` results too.
            threshold: With `outcome="pass"`: numbers from here on pass.
            assay: Version of the assay.
            layout: Wells of a plate, such as 96 or 384; requests then name plate and well.
            controls: Wells to leave empty.
            lease: Seconds after which a well without a result is offered again; `None` for never.
            name: For people.

        Raises:
            ArgumentError: if the plan makes no sense.
            StoreMismatchError: if there is a campaign with another plan.
            StoreError: if the database cannot be used.
        """
        space = Space(conditions)
        try:
            kind = Outcome(outcome)
        except ValueError:
            known = ", ".join(Outcome)
            raise ArgumentError(f"outcome: {outcome!r} is unknown", f"one of {known}") from None
        if layout is not None:
            free_wells(layout, tuple(controls))
        plan = Plan(
            space=space,
            outcome=kind,
            kernel=kernel or Single(),
            chains=chains,
            key=key_words(key),
            start=starts(space, start),
            burn_in=burn_in,
            tune=tune,
            refresh=refresh,
            limit=limit,
            threshold=threshold,
            assay=assay,
            layout=layout,
            controls=tuple(controls),
            lease=lease,
            name=name,
        )
        return cls(Log.open(url, plan))

    @classmethod
    def open(cls, url: str | Path) -> "Campaign":
        """Open a campaign.

        Raises:
            StoreError: if there is none, or it cannot be used.
        """
        return cls(Log.open(url, None))

    def close(self) -> None:
        """Let go of the database. A campaign that is not closed loses nothing."""
        self._log.close()

    def __enter__(self) -> "Campaign":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def plan(self) -> Plan:
        """What was decided when it was made."""
        return self._log.plan

    @property
    def name(self) -> str:
        """File name or URL (without a password)."""
        return self._log.name

    # Talking to the laboratory

    def ask(
        self, n: int | None = None, *, lease: int | float | None = None, repeats: bool | None = None
    ) -> list[Request]:
        """Wells to be measured next.

        First those whose lease is over, unchanged; then what begun proposals still need; then new
        proposals, from the chains that lag most.

        Args:
            n: How many at most; by default one plate, or without a layout all that the chains
                can use.
            lease: Seconds, instead of the campaign's.
            repeats: Whether wells that no chain needs measure the noise at the chains' points
                (their results never decide anything); by default the spare wells of a plate.

        Returns:
            The wells; fewer than `n` if the chains wait for results.
        """
        if n is not None and n < 1:
            raise ArgumentError(f"n: {n}, expected at least 1")
        with self._changing() as (change, _):
            term = self.plan.lease if lease is None else lease
            return ask(change, n, term, repeats=repeats)

    def pending(self) -> list[Request]:
        """Wells that were asked for and not told, in the order in which they were asked for."""
        return list(self._current().pending.values())

    def tell(
        self,
        id: str | None = None,
        value: Any = None,
        status: Status | str = Status.ok,
        *,
        conditions: Mapping[str, Any] | None = None,
        assay: str | None = None,
        **facts: Any,
    ) -> Told:
        """One result.

        Args:
            id: The well's id; leave it out for a measurement that nobody asked for.
            value: The number; true, false, "pass" or "fail".
            status: `"ok"`, `"censored"` or `"lost"`.
            conditions: What was measured, if nobody asked for it.
            assay: Version of the assay that was used.
            facts: Anything worth keeping: `operator="…"`, `duration=…`.

        Raises:
            ConflictError: if the id has another result already, which stands; both are logged.
            ArgumentError: if nobody asked for the id, or the value can be no weight.
        """
        return self.tell_many([Measurement(id, value, status, conditions, assay, facts)])

    def tell_many(
        self, measurements: Iterable[Measurement | tuple[str, Any]], *, throw: bool = True
    ) -> Told:
        """Many results in one transaction, in any order.

        If one is malformed or unknown, none is committed. One that contradicts an earlier result
        is not committed, the others are.

        Args:
            measurements: The results, or pairs of id and value.
            throw: Whether to raise after the others are committed.

        Raises:
            ConflictError: if ids had another result already.
            ArgumentError: if an id is unknown or a value can be no weight.
        """
        rows = [m if isinstance(m, Measurement) else Measurement(*m) for m in measurements]
        with self._changing() as (change, connection):
            gone = [m.id for m in rows if m.id is not None and m.id not in change.state.pending]
            told = tell(change, rows, self._log.told(connection, gone))
        if told.conflicts and throw:
            raise ConflictError(
                f"{', '.join(told.conflicts[:5])}: told before with another result", _HINT, told
            )
        return told

    def change_assay(self, version: str, note: str = "") -> None:
        """Declare that measurements are made in another way from now on.

        Stored weights of the old assay are not comparable with new ones. So every chain measures
        its present point again and begins anew there, burn-in included; samples of the two assays
        are never mixed; wells that are pending are void.

        Args:
            version: The new version.
            note: What changed.

        Raises:
            ArgumentError: if it is the present version.
        """
        with self._changing() as (change, _):
            if version == change.state.assay:
                raise ArgumentError(f"version: the assay is {version!r} already")
            change.add("assay", None, {"version": version, "note": note})

    # What is known

    def samples(
        self, step: int | None = None, *, burn_in: int | None = None, epoch: int | None = None
    ) -> CampaignSamples:
        """Samples up to a step that every chain has reached.

        Chains in places that take long to measure are behind at any moment, so that where chains
        are *now* is no sample; where they were at a given step is. For decisions, fix `step`
        beforehand.

        Args:
            step: Last step; by default the largest that all chains have reached.
            burn_in: Steps to leave out, instead of the campaign's.
            epoch: Which assay: 0 for the first; by default the present one.

        Raises:
            ArgumentError: if a chain has not reached the step.
        """
        state = self._current()
        with self._log.reading() as connection:
            self._history.extend(
                self._log.after(connection, self._history.sequence, kinds=("decided",))
            )
        epoch = state.epoch if epoch is None else epoch
        common = self._history.common(epoch)
        if step is not None and step > common:
            raise ArgumentError(
                f"step: {step}, and not every chain has gone beyond step {common}",
                "ask and tell on, or leave it out",
            )
        first = (self.plan.burn_in if burn_in is None else burn_in) + 1
        return self._history.samples(epoch, first, common if step is None else step)

    def status(self) -> CampaignStatus:
        """How far it is, how well it mixes, how noisy the assay is, and what is wrong."""
        samples = self.samples()
        return summarise(self._current(), samples, self.name)

    def decisions(self) -> pd.DataFrame:
        """Every decision: from where, whereto, both stored weights, the random number, the end."""
        with self._log.reading() as connection:
            return decisions(self.plan, self._log.after(connection, 0, kinds=("decided",)))

    def observations(self) -> pd.DataFrame:
        """Every measured value, what it was for, and whether it ever decided anything."""
        with self._log.reading() as connection:
            kinds = ("asked", "told", "observed", "late")
            return observations(self.plan, self._log.after(connection, 0, kinds=kinds))

    def log(self) -> pd.DataFrame:
        """The log as it is stored: sequence, time, kind, subject, body (JSON), hash."""
        with self._log.reading() as connection:
            return pd.DataFrame([row._asdict() for row in self._log.raw(connection)])

    def verify(self, head: str | None = None) -> Audit:
        """Recompute every chain from the log alone, and check the log's own integrity.

        Args:
            head: A head that was noted earlier (`status().head`); it must be part of the log.
        """
        with self._log.reading() as connection:
            found = audit(self.plan, self._stream, self._log.raw(connection), head)
            if not found.ok:
                return found
            fresh = State(self.plan, genesis(self.plan))
            for event in self._log.after(connection, 0):
                fresh.apply(event)
            if fresh.dump() == self._fold(connection).dump():
                return found
            problem = "the stored snapshot does not follow from the log"
            return dataclasses.replace(found, problems=(problem,))

    # Folding

    def _fold(self, connection: Any) -> State:
        """Bring the state up to what is in the log."""
        if self._state is None:
            self._state = State(self.plan, genesis(self.plan))
            saved = self._log.snapshot(connection)
            if saved is not None:
                self._state.load(saved)
            self._saved = self._state.sequence
        for event in self._log.after(connection, self._state.sequence):
            self._state.apply(event)
        return self._state

    def _current(self) -> State:
        with self._log.reading() as connection:
            return self._fold(connection)

    def _keep(self, connection: Any, state: State) -> None:
        """Now and then, store the folded state, so that opening need not read the whole log."""
        if state.sequence - self._saved >= SNAPSHOT:
            self._log.save(connection, state.sequence, state.head, state.dump())
            self._saved = state.sequence

    @contextlib.contextmanager
    def _changing(self) -> Iterator[tuple[Change, Any]]:
        """A transaction: what others have done first, then ours, then all of it or nothing."""
        change: Change | None = None
        try:
            with self._log.writing() as connection:
                change = Change(self.plan, self._stream, self._fold(connection))
                yield change, connection
                self._log.append(connection, change.rows)
                self._keep(connection, change.state)
        except BaseException:
            if change is not None and change.rows:
                self._state = None  # it is ahead of the log: fold it again when it is needed
            raise
