"""From labelled frames to measured force fields.

Fits and measurements are kept in a folder as they come: killed at any moment, the same call goes
on.
"""

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from thalweg.core import ArgumentError, StoreError, StoreMismatchError
from thalweg.forcefields import ForceField, load_forcefield, save_forcefield
from thalweg.forcefields.fitting import (
    Dataset,
    Fit,
    FitConfig,
    FitProgress,
    Front,
    MeasureConfig,
    Measurement,
    accuracy,
    affordable_steps,
    fit_forcefield,
    measure,
)
from thalweg.io import AbstractLabelMethod, Molecule

from ._rung import Builder, Rung
from ._sets import SETS, PlanProgress, Report, Sets
from ._walk import next_rung

_VERSION = 1

_TABLE = "table.json"
"""How the names end of what commands keep beside the force fields."""


def design(  # noqa: PLR0913 - all but four have defaults
    rungs: Sequence[Rung],
    molecule: Molecule,
    sets: Sets,
    *,
    folder: Path,
    budget: float | None = None,
    measuring: MeasureConfig | None = None,
    turns: int = 0,
    seeds: int = 1,
    key: int = 0,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> Front:
    """Fit and measure candidates, and say which no other beats.

    With `turns` it goes on from the front: each turn moves one knob of a force field on it by one
    notch (the width of a network, its depth, its functions, its cutoff), where the gap between
    neighbours on the front is largest.

    With `seeds` every candidate whose fit is random (networks: first weights, order of frames) is
    fitted so many times. The fit that is best on the validation set is kept, and error bars contain
    the scatter between all of them.

    Args:
        rungs: Candidates.
        molecule: Of which atoms.
        sets: Labelled frames.
        folder: Where `NAME.json` (what was measured), `NAME.fit` (the fit's checkpoint; of
            further seeds `NAME.seed1.fit` and so on) and `NAME.forcefield.npz` are kept; a
            candidate that is there, from as many seeds, is not done again.
        budget: CPU seconds for all fits together, shared equally; by default what each rung's own
            config takes.
        measuring: How much to simulate.
        turns: Candidates more that are found by turning knobs.
        seeds: Fits of each candidate that is fitted at random.
        key: Seed of the first; the others have the integers that follow.
        report: Told how it goes.
        stop: Asked now and then; once it says yes, `KeyboardInterrupt` ends it.

    Raises:
        ArgumentError: if there are no seeds.
        StoreMismatchError: if the folder holds a candidate of that name fitted to other frames.
    """
    if seeds < 1:
        raise ArgumentError(f"seeds={seeds} must be at least 1")
    fits = sum(seeds if rung.random else 1 for rung in rungs) + turns * seeds
    share = None if budget is None else budget / max(fits, 1)
    plan = _Plan(molecule, sets, folder, share, measuring, range(key, key + seeds), report, stop)

    def judged(rung: Rung) -> Measurement:
        return _judged(rung, plan)

    known = {rung.name: rung for rung in rungs}
    records = [judged(rung) for rung in known.values()]
    for _ in range(turns):
        rung = next_rung(Front.of(records), known)
        if rung is None:
            break
        known[rung.name] = rung
        records.append(judged(rung))
    return Front.of(records)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What every candidate is fitted to and measured by; see `design`."""

    molecule: Molecule
    sets: Sets
    folder: Path
    share: float | None
    measuring: MeasureConfig | None
    seeds: range
    report: Report | None
    stop: Callable[[], bool] | None

    def tell(self, now: PlanProgress) -> None:
        if self.report:
            self.report(now)


def _judged(rung: Rung, plan: _Plan) -> Measurement:
    """A candidate fitted, measured and kept; what is kept already is read."""
    path = plan.folder / f"{rung.name}.json"
    seeds = plan.seeds if rung.random else plan.seeds[:1]
    if path.exists():
        done = _read(path, rung.name, plan.sets)
        if done.fits >= len(seeds):
            return done
    if rung.config is None:
        fit, start = None, rung.build(plan.molecule, plan.sets.train)
        done = _measured(rung.name, start, None, plan)
    else:
        fits = [_fitted(rung, rung.config, place, seed, plan) for place, seed in enumerate(seeds)]
        fit = min(fits, key=lambda fit: _or_worst(fit.validation))
        done = _measured(rung.name, fit.force_field, fit, plan)
        if len(fits) > 1:
            sets = (plan.sets.test, plan.sets.hot)
            here, there = ([accuracy(fit.force_field, data) for fit in fits] for data in sets)
            done = done.among(here, there)
        start = fit.force_field
    save_forcefield(
        _stored(plan.folder, rung.name),
        start,
        name=rung.name,
        description=f"{rung.summary}; {plan.molecule.name}, labels by {plan.sets.train.method}",
        certificate=_plain(dataclasses.asdict(done)),
    )
    _write(path, done, fit, plan.sets, rung)
    # The next one needs other programs. Each maps memory, of which processes have 65,530
    # mappings; a dozen force fields came to the end of them.
    jax.clear_caches()
    return done


def _or_worst(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


def _fitted(rung: Rung, config: FitConfig, place: int, seed: int, plan: _Plan) -> Fit:
    """One fit of a candidate, from one seed."""
    start = rung.build(plan.molecule, plan.sets.train, seed)
    planned = plan.folder / f"{rung.name}.plan.json"
    if planned.exists():
        config = FitConfig(**json.loads(planned.read_text(encoding="utf-8")))
    else:
        if plan.share is not None:
            config = affordable_steps(start, plan.sets.train, config, plan.share)
        _replace(planned, json.dumps(dataclasses.asdict(config)))
    which = f", seed {place + 1} of {len(plan.seeds)}" if rung.random and plan.seeds[1:] else ""

    def tell(now: FitProgress) -> None:
        detail = f"{now.force:.2f} kcal/(mol Å), {now.energy:.2f} kcal/mol"
        name = f"{rung.name}{which}"
        plan.tell(PlanProgress("fit", name, now.step, now.steps, detail, now.seconds))

    checkpoint = plan.folder / f"{rung.name}{f'.seed{seed}' if place else ''}.fit"
    fit = fit_forcefield(
        start, plan.sets.train, plan.sets.validation, dataclasses.replace(config, key=seed),
        checkpoint=checkpoint, report=tell, stop=plan.stop,
    )  # fmt: skip
    if fit.interrupted:
        raise KeyboardInterrupt
    return fit


def _measured(name: str, judged: ForceField, fit: Fit | None, plan: _Plan) -> Measurement:
    began = time.perf_counter()
    plan.tell(PlanProgress("measure", name, 0, 1, "", 0.0))
    spent = math.nan if fit is None else fit.seconds
    found = measure(
        name, judged, plan.sets.test, plan.sets.hot, plan.measuring, train_seconds=spent,
        stop=plan.stop,
    )  # fmt: skip
    plan.tell(PlanProgress("measure", name, 1, 1, "", time.perf_counter() - began))
    return found


def _digest(sets: Sets) -> str:
    prints = [getattr(sets, name).fingerprint for name in SETS]
    return hashlib.sha256(";".join(prints).encode()).hexdigest()[:16]


def _write(path: Path, done: Measurement, fit: Fit | None, sets: Sets, rung: Rung) -> None:
    facts = {
        "version": _VERSION,
        "sets": _digest(sets),
        "method": sets.train.method,
        "summary": rung.summary,
        "measurement": dataclasses.asdict(done),
        "fit": None if fit is None else _told(fit),
    }
    _replace(path, json.dumps(_plain(facts), indent=1, allow_nan=False))


def _told(fit: Fit) -> dict[str, Any]:
    return {
        "method": fit.method,
        "config": dataclasses.asdict(fit.config),
        "outcome": fit.outcome.name,
        "best_step": float(fit.history["step"][fit.best]),
        "energy": fit.energy,
        "force": fit.force,
        "moved": fit.moved,
        "history": {name: column.tolist() for name, column in fit.history.items()},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _read(path: Path, name: str, sets: Sets) -> Measurement:
    facts = _facts(path)
    if facts["sets"] != _digest(sets):
        raise StoreMismatchError(
            f"{path} belongs to other frames", f"delete it, or write {name} to another folder"
        )
    return Measurement.from_facts(facts["measurement"])


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["version"] > _VERSION:
            raise ValueError("a newer version wrote it")
        Measurement.from_facts(facts["measurement"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is no measured force field: {error}") from error
    return facts


def read_front(folder: str | Path, axes: Sequence[str] = ("micros", "force_rmse")) -> Front:
    """The measured force fields of a folder.

    Raises:
        StoreError: if it holds none.
    """
    where = Path(folder)
    if not where.is_dir():
        raise StoreError(f"there is no folder {where}", "`thalweg fit` makes one")
    names = [
        path
        for path in sorted(where.glob("*.json"))
        if not path.name.endswith((".plan.json", _TABLE))
    ]
    if not names:
        raise StoreError(f"{where} holds no measured force field", "`thalweg fit` makes some")
    records = [Measurement.from_facts(_facts(path)["measurement"]) for path in names]
    return Front.of(records, axes)


def reference(
    molecule: Molecule, method: AbstractLabelMethod, test: Dataset, *, calls: int = 20
) -> Measurement:
    """The label method itself as a point of the plane: no error, and its own time.

    Args:
        molecule: Of which atoms.
        method: What to time.
        test: Geometries to time it on.
        calls: How many.
    """
    labeller = method.prepare(molecule.numbers, molecule.charge)
    labeller(test.positions[0])
    spent = []
    for x in test.positions[1 : calls + 1]:
        began = time.process_time()
        labeller(x)
        spent.append(time.process_time() - began)
    micros = float(np.median(spent)) * 1e6 if spent else math.nan
    return Measurement(
        name=method.name.split(",")[0],
        parameters=0,
        energy_rmse=0.0,
        force_rmse=0.0,
        force_mae=0.0,
        force_p95=0.0,
        ood_energy_rmse=0.0,
        ood_force_rmse=0.0,
        micros=micros,
    )


def load_fitted(folder: str | Path, name: str) -> ForceField:
    """A force field of a folder, as it was judged.

    Raises:
        StoreError: if it was not fitted there.
    """
    where = _stored(Path(folder), name)
    if not where.exists():
        raise StoreError(f"{folder} holds no force field {name!r}", "`thalweg fit` makes one")
    return load_forcefield(where).forcefield


def _stored(folder: Path, name: str) -> Path:
    return folder / f"{name}.forcefield.npz"


def candidate(name: str, make: Builder, config: FitConfig | None = None) -> Rung:
    """A candidate of your own for `design`."""
    return Rung(name, "", make, config or FitConfig())
