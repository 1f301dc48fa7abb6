"""Labelling: energies and forces of many geometries, kept in a file as they come.

Every label is committed under the hash of atoms, geometry, charge and method, so that a run that
was killed goes on where it was, and nothing is computed twice. A geometry that cannot be labelled
is kept with the reason.
"""

import concurrent.futures
import dataclasses
import hashlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from thalweg.core import ArgumentError
from thalweg.forcefields.fitting import Dataset
from thalweg.storage import Format, guarded, open_database

from ._label_methods import AbstractLabelMethod, Labeller

_metadata = sa.MetaData()
_meta = sa.Table(
    "meta",
    _metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
_labels = sa.Table(
    "labels",
    _metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("energy", sa.Double),
    sa.Column("forces", sa.LargeBinary),
    sa.Column("reason", sa.Text, nullable=False),
)

LABELS = Format(
    name="thalweg-labels",
    version=1,
    metadata=_metadata,
    noun="file of labels",
    source="`thalweg fit` wrote",
    begin="label something first",
    example="labels.db",
)

_COMMIT_EVERY = 1.0
"""Seconds of labels that a kill may cost."""

_QUERY = 500
"""Hashes in one query."""

_BLOCK = 1_000
"""Geometries that an energy of this package gets at once."""

_CLOSEST = 0.02
"""Distance in nm under which two atoms are on top of each other."""

Row = tuple[int, float, np.ndarray, str]
"""Index, energy, forces, reason."""


@dataclasses.dataclass(frozen=True)
class LabelProgress:
    """Where labelling stands.

    Attributes:
        done: Frames that have a label, or a reason why not.
        total: Frames in all.
        cached: Of `done`, those that were known before.
        failed: Of `done`, those without a label.
        seconds: Since the call.
    """

    done: int
    total: int
    cached: int
    failed: int
    seconds: float


def label(
    dataset: Dataset,
    method: AbstractLabelMethod,
    *,
    cache: str | Path | None = None,
    workers: int = 1,
    report: Callable[[LabelProgress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Dataset:
    """Energies and forces of every geometry of a set.

    Args:
        dataset: Geometries, labelled or not; old labels are replaced.
        method: What labels them.
        cache: SQLite file (or database URL) that keeps labels as they come; the same call goes on
            where another was killed.
        workers: Processes.
        report: Called now and then.
        stop: Asked between labels; once it says yes the rest stays unlabelled, with that reason.

    Returns:
        The set with labels. Frames that failed have NaN and a reason; none is left out.

    Raises:
        ArgumentError: if the method cannot treat these atoms, or an argument makes no sense.
        StoreError: if the cache cannot be used.
    """
    if workers < 1:
        raise ArgumentError(f"workers={workers} must be at least 1")
    run = _Run(dataset, method, report)
    with _Cache(cache, method.name) as kept:
        hashes = [_hash(dataset, k, method.name) for k in range(len(dataset))]
        run.take_cached(hashes, kept)
        run.take_hopeless()
        waiting = [k for k in range(len(dataset)) if not run.known[k]]
        fresh: list[Row] = []
        saved = time.monotonic()
        try:
            for row in _computed(dataset, method, waiting, workers):
                run.put(row)
                fresh.append(row)
                if time.monotonic() - saved > _COMMIT_EVERY:
                    kept.add([(hashes[k], e, f, why) for k, e, f, why in fresh])
                    fresh, saved = [], time.monotonic()
                    run.tell()
                if stop is not None and stop():
                    break
        finally:
            kept.add([(hashes[k], e, f, why) for k, e, f, why in fresh])
    run.tell()
    return run.dataset()


class _Run:
    """The mutable middle."""

    def __init__(
        self,
        dataset: Dataset,
        method: AbstractLabelMethod,
        report: Callable[[LabelProgress], None] | None,
    ):
        self._given, self._method, self._report = dataset, method, report
        self.energies = np.full(len(dataset), np.nan)
        self.forces = np.full(dataset.positions.shape, np.nan)
        self.reasons = ["not labelled: stopped before"] * len(dataset)
        self.known = np.zeros(len(dataset), bool)
        self.cached = 0
        self.began = time.monotonic()

    def put(self, row: Row) -> None:
        k, energy, forces, reason = row
        self.energies[k], self.forces[k], self.reasons[k] = energy, forces, reason
        self.known[k] = True

    def take_cached(self, hashes: Sequence[str], kept: "_Cache") -> None:
        found = kept.find(hashes)
        for k, name in enumerate(hashes):
            if name in found:
                energy, forces, reason = found[name]
                self.put((k, energy, forces.reshape(self._given.positions[k].shape), reason))
        self.cached = int(self.known.sum())

    def take_hopeless(self) -> None:
        """Geometries that no code should be asked about."""
        for k in np.flatnonzero(~self.known):
            reason = _hopeless(self._given.positions[k])
            if reason:
                nan = np.full(self._given.positions[k].shape, np.nan)
                self.put((int(k), np.nan, nan, reason))

    def tell(self) -> None:
        if self._report:
            done = int(self.known.sum())
            failed = int(np.sum(~np.isfinite(self.energies[self.known])))
            seconds = time.monotonic() - self.began
            self._report(LabelProgress(done, len(self.known), self.cached, failed, seconds))

    def dataset(self) -> Dataset:
        return dataclasses.replace(
            self._given,
            energies=self.energies,
            forces=self.forces,
            reasons=tuple(self.reasons),
            method=self._method.name,
        )


def _hopeless(x: np.ndarray) -> str:
    bad = np.flatnonzero(~np.all(np.isfinite(x), axis=1))
    if len(bad):
        return f"atom {bad[0]} has no finite position"
    apart = np.linalg.norm(x[:, None] - x[None], axis=-1)
    apart[np.diag_indices(len(x))] = np.inf
    i, j = divmod(int(np.argmin(apart)), len(x))
    if len(x) > 1 and apart[i, j] < _CLOSEST:
        return f"atoms {i} and {j} are {apart[i, j]:.4f} nm apart"
    return ""


def _hash(dataset: Dataset, k: int, method: str) -> str:
    digest = hashlib.sha256(f"{method};{dataset.charge};".encode())
    digest.update(np.asarray(dataset.numbers, "<i4").tobytes())
    digest.update(np.ascontiguousarray(dataset.positions[k], "<f8").tobytes())
    return digest.hexdigest()


def _computed(
    dataset: Dataset, method: AbstractLabelMethod, waiting: Sequence[int], workers: int
) -> Iterator[Row]:
    """Labels as they come."""
    if not waiting:
        return
    block = method.label_block(dataset.numbers, dataset.charge)
    if block is not None:
        for first in range(0, len(waiting), _BLOCK):
            rows = waiting[first : first + _BLOCK]
            energies, gradients = block(dataset.positions[np.asarray(rows)])
            for k, energy, gradient in zip(rows, energies, gradients, strict=True):
                yield _checked(k, float(energy), gradient)
    elif workers == 1:
        labeller = method.prepare(dataset.numbers, dataset.charge)
        for k in waiting:
            yield _guarded(labeller, k, dataset.positions[k])
    else:
        yield from _by_processes(dataset, method, waiting, workers)


def _guarded(labeller: Labeller, k: int, x: np.ndarray) -> Row:
    """One label; a failure is a reason."""
    try:
        energy, gradient = labeller(np.array(x))
    except ArgumentError:
        raise
    except Exception as error:
        message = " ".join(str(error).split()) or type(error).__name__
        return k, np.nan, np.full(x.shape, np.nan), f"{type(error).__name__}: {message}"
    return _checked(k, energy, np.asarray(gradient))


def _checked(k: int, energy: float, gradient: np.ndarray) -> Row:
    if np.isfinite(energy) and np.all(np.isfinite(gradient)):
        return k, energy, -gradient, ""
    return k, np.nan, np.full(gradient.shape, np.nan), f"the energy is {energy}, or a force is none"


_labeller: Labeller | None = None


def _start_worker(method: AbstractLabelMethod, numbers: np.ndarray, charge: int) -> None:
    # Ctrl-C in a terminal reaches every process; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    global _labeller
    _labeller = method.prepare(numbers, charge)


def _work(k: int, x: np.ndarray) -> Row:
    assert _labeller is not None
    return _guarded(_labeller, k, x)


def _by_processes(
    dataset: Dataset, method: AbstractLabelMethod, waiting: Sequence[int], workers: int
) -> Iterator[Row]:
    method.prepare(dataset.numbers, dataset.charge)  # what is wrong shows here, not in a worker
    pool = concurrent.futures.ProcessPoolExecutor(
        min(workers, len(waiting)),
        # Forking a process that runs XLA's threads can deadlock: start fresh ones.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(method, dataset.numbers, dataset.charge),
    )
    with pool:
        jobs = [pool.submit(_work, k, dataset.positions[k]) for k in waiting]
        try:
            for job in concurrent.futures.as_completed(jobs):
                yield job.result()
        except BrokenProcessPool as error:
            raise ArgumentError(
                f"a process that computed labels died: {error}",
                "the labels before are kept; is there enough memory? workers=1 shows the error",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Cache:
    """Labels by hash; without a file, nothing is kept."""

    def __init__(self, url: str | Path | None, method: str):
        self._url, self._method = url, method
        self._engine: sa.Engine | None = None

    def __enter__(self) -> "_Cache":
        if self._url is not None:
            self._engine, self._name, _ = open_database(self._url, LABELS, {})
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine is not None:
            self._engine.dispose()

    def find(self, hashes: Sequence[str]) -> dict[str, tuple[float, np.ndarray, str]]:
        """What is known of these."""
        found: dict[str, tuple[float, np.ndarray, str]] = {}
        if self._engine is None:
            return found
        with guarded(self._name, LABELS), self._engine.connect() as connection:
            for first in range(0, len(hashes), _QUERY):
                some = hashes[first : first + _QUERY]
                rows = connection.execute(sa.select(_labels).where(_labels.c.hash.in_(some)))
                for row in rows:
                    energy = np.nan if row.energy is None else row.energy
                    found[row.hash] = energy, np.frombuffer(row.forces, "<f8").copy(), row.reason
        return found

    def add(self, rows: Sequence[tuple[str, float, np.ndarray, str]]) -> None:
        """Commit labels; what another process has put in meanwhile stays."""
        if self._engine is None or not rows:
            return
        with guarded(self._name, LABELS), self._engine.begin() as connection:
            known = set(
                connection.scalars(
                    sa.select(_labels.c.hash).where(_labels.c.hash.in_([r[0] for r in rows]))
                )
            )
            new = {
                name: {
                    "hash": name,
                    "method": self._method,
                    "energy": None if np.isnan(energy) else energy,
                    "forces": np.ascontiguousarray(forces, "<f8").tobytes(),
                    "reason": reason,
                }
                for name, energy, forces, reason in rows
                if name not in known
            }
            if new:
                connection.execute(_labels.insert(), list(new.values()))
