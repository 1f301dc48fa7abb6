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

from thalweg.core import StoreError, StoreMismatchError
from thalweg.forcefields import ForceField, load_forcefield, save_forcefield
from thalweg.forcefields.fitting import (
    Dataset,
    Fit,
    FitConfig,
    FitProgress,
    Front,
    MeasureConfig,
    Measurement,
    affordable_steps,
    fit_forcefield,
    measure,
)
from thalweg.io import AbstractLabelMethod, Molecule

from ._rung import Builder, Rung
from ._sets import SETS, PlanProgress, Report, Sets
from ._walk import next_rung

_VERSION = 1


def design(  # noqa: PLR0913 - all but four have defaults
    rungs: Sequence[Rung],
    molecule: Molecule,
    sets: Sets,
    *,
    folder: Path,
    budget: float | None = None,
    measuring: MeasureConfig | None = None,
    turns: int = 0,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> Front:
    """Fit and measure candidates, and say which no other beats.

    With `turns` it goes on from the front: each turn moves one knob of a force field on it by one
    notch (the width of a network, its depth, its functions, its cutoff), where the gap between
    neighbours on the front is largest.

    Args:
        rungs: Candidates.
        molecule: Of which atoms.
        sets: Labelled frames.
        folder: Where `NAME.json` (what was measured), `NAME.fit` (the fit's checkpoint) and
            `NAME.forcefield.npz` are kept; a candidate that is there is not done again.
        budget: CPU seconds for all fits together, shared equally; by default what each rung's own
            config takes.
        measuring: How much to simulate.
        turns: Candidates more that are found by turning knobs.
        report: Told how it goes.
        stop: Asked now and then; once it says yes, `KeyboardInterrupt` ends it.

    Raises:
        StoreMismatchError: if the folder holds a candidate of that name fitted to other frames.
    """
    share = None if budget is None else budget / max(len(rungs) + turns, 1)

    def judged(rung: Rung) -> Measurement:
        return _judged(rung, molecule, sets, folder, share, measuring, report, stop)

    known = {rung.name: rung for rung in rungs}
    records = [judged(rung) for rung in known.values()]
    for _ in range(turns):
        rung = next_rung(Front.of(records), known)
        if rung is None:
            break
        known[rung.name] = rung
        records.append(judged(rung))
    return Front.of(records)


def _judged(
    rung: Rung,
    molecule: Molecule,
    sets: Sets,
    folder: Path,
    share: float | None,
    measuring: MeasureConfig | None,
    report: Report | None,
    stop: Callable[[], bool] | None,
) -> Measurement:
    """A candidate fitted, measured and kept; what is kept already is read."""
    path = folder / f"{rung.name}.json"
    if path.exists():
        return _read(path, rung.name, sets)
    start = rung.build(molecule, sets.train)
    fit = None
    if rung.config is not None:
        fit = _fitted(rung, rung.config, start, sets, folder, share, report, stop)
    done = _measured(rung.name, start, fit, sets, measuring, report, stop)
    save_forcefield(
        _stored(folder, rung.name),
        start if fit is None else fit.force_field,
        name=rung.name,
        description=f"{rung.summary}; {molecule.name}, labels by {sets.train.method}",
        certificate=_plain(dataclasses.asdict(done)),
    )
    _write(path, done, fit, sets, rung)
    # The next one needs other programs. Each maps memory, of which processes have 65,530
    # mappings; a dozen force fields came to the end of them.
    jax.clear_caches()
    return done


def _fitted(
    rung: Rung,
    config: FitConfig,
    start: ForceField,
    sets: Sets,
    folder: Path,
    share: float | None,
    report: Report | None,
    stop: Callable[[], bool] | None,
) -> Fit:
    plan = folder / f"{rung.name}.plan.json"
    if plan.exists():
        config = FitConfig(**json.loads(plan.read_text(encoding="utf-8")))
    else:
        if share is not None:
            config = affordable_steps(start, sets.train, config, share)
        _replace(plan, json.dumps(dataclasses.asdict(config)))

    def tell(now: FitProgress) -> None:
        if report:
            detail = f"{now.force:.2f} kcal/(mol Å), {now.energy:.2f} kcal/mol"
            report(PlanProgress("fit", rung.name, now.step, now.steps, detail, now.seconds))

    fit = fit_forcefield(
        start, sets.train, sets.validation, config, checkpoint=folder / f"{rung.name}.fit",
        report=tell, stop=stop,
    )  # fmt: skip
    if fit.interrupted:
        raise KeyboardInterrupt
    return fit


def _measured(
    name: str,
    start: ForceField,
    fit: Fit | None,
    sets: Sets,
    config: MeasureConfig | None,
    report: Report | None,
    stop: Callable[[], bool] | None,
) -> Measurement:
    began = time.perf_counter()
    if report:
        report(PlanProgress("measure", name, 0, 1, "", 0.0))
    judged = start if fit is None else fit.force_field
    spent = math.nan if fit is None else fit.seconds
    found = measure(name, judged, sets.test, sets.hot, config, train_seconds=spent, stop=stop)
    if report:
        report(PlanProgress("measure", name, 1, 1, "", time.perf_counter() - began))
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
        if not path.name.endswith(".plan.json") and path.name != "table.json"
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


def candidate(name: str, build: Builder, config: FitConfig | None = None) -> Rung:
    """A candidate of your own for `design`."""
    return Rung(name, "", build, config or FitConfig())
