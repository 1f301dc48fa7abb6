"""From a molecule and a level of theory to labelled frames.

They are kept in a folder as they come: killed at any moment, the same call goes on.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from thalweg.core import (
    KJ,
    METAL,
    AbstractEnergy,
    ArgumentError,
    HostEnergy,
    Outcome,
    StoreMismatchError,
    System,
)
from thalweg.forcefields.fitting import Dataset, conformers
from thalweg.forcefields.md import Langevin, MotionProgress, run_md
from thalweg.io import AbstractLabelMethod, LabelProgress, Molecule, Xtb, label, label_energy
from thalweg.landscape import Landscape
from thalweg.search import LBFGS, quench_many

_WARM_UP = 500
"""Steps before frames are taken."""

_FRICTION = 5.0
"""Of sampling runs, in 1/ps."""

_RELAXED = 100.0
"""Gradient in kJ/(mol nm) to which conformers are quenched before they move: far below thermal."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """Which geometries are labelled.

    Attributes:
        train: Frames to fit to.
        validation: Frames that choose the best parameters.
        test: Frames to judge by, of trajectories of their own.
        hot: Frames out of distribution.
        temperature: Of the first three sets, in K.
        hot_temperature: Of the last, in K.
        step: Of the sampling runs, in fs.
        spacing: Steps between frames.
        trajectories: Independent runs of each set, from conformers of their own.
        key: Seed.
    """

    train: int = 1000
    validation: int = 200
    test: int = 400
    hot: int = 200
    temperature: float = 500.0
    hot_temperature: float = 1200.0
    step: float = 1.0
    spacing: int = 10
    trajectories: int = 24
    key: int = 0

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test", "hot", "spacing", "trajectories"):
            if getattr(self, name) < 1:
                raise ArgumentError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("temperature", "hot_temperature", "step"):
            if not getattr(self, name) > 0:
                raise ArgumentError(f"{name}={getattr(self, name)} must be positive")


@dataclasses.dataclass(frozen=True)
class PlanProgress:
    """Where a plan stands.

    Attributes:
        phase: `sampling`, `labels`, `fit` or `measure`.
        name: Of the set or of the force field.
        done: Steps or frames done.
        total: Steps or frames wanted.
        detail: What else is worth saying.
        seconds: Since the phase began.
    """

    phase: str
    name: str
    done: int
    total: int
    detail: str
    seconds: float


Report = Callable[[PlanProgress], None]


@dataclasses.dataclass(frozen=True)
class Sets:
    """Labelled frames: to fit to, to choose by, to judge by, and out of distribution."""

    train: Dataset
    validation: Dataset
    test: Dataset
    hot: Dataset


SETS = ("train", "validation", "test", "hot")


def make_sets(
    molecule: Molecule,
    method: AbstractLabelMethod,
    config: SamplingConfig | None = None,
    *,
    folder: Path,
    sampler: AbstractLabelMethod | None = None,
    workers: int = 1,
    report: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> Sets:
    """Sample a molecule in time and label the frames; each set comes from runs of its own.

    The first run of a set begins with the given geometry, every other with a conformer: all
    rotatable bonds turned at random, and quenched. A force field that is fitted to one basin says
    nothing about the others, and may put its lowest minimum there.

    Args:
        molecule: What to sample.
        method: What labels.
        config: Which geometries.
        folder: Where `train.npz` and the others are kept, and `labels.db`.
        sampler: What moves the atoms; by default the method itself if it is fast (xTB), else
            GFN2-xTB.
        workers: Processes that compute labels.
        report: Told how it goes.
        stop: Asked now and then; once it says yes, `KeyboardInterrupt` ends it.

    Raises:
        StoreMismatchError: if the folder holds sets of another molecule, method or config.
        ArgumentError: if the method cannot treat these atoms.
    """
    config = config or SamplingConfig()
    mover = sampler or (method if isinstance(method, Xtb) else Xtb())
    energy = label_energy(molecule.numbers, mover, charge=molecule.charge, workers=workers)
    found = {}
    for place, name in enumerate(SETS):
        path = folder / f"{name}.npz"
        wanted = {"config": dataclasses.asdict(config), "sampler": mover.name, "set": name}
        if path.exists():
            found[name] = _checked(Dataset.load(path), path, molecule, method, wanted)
            continue
        count = getattr(config, name)
        temperature = config.hot_temperature if name == "hot" else config.temperature
        x, groups = _sampled(
            molecule, energy, temperature, count, config, (place, name), report, stop
        )
        bare = Dataset.of(
            molecule.numbers, x, groups=groups, charge=molecule.charge, provenance=wanted
        )
        cache = folder / "labels.db"
        labelled = label(
            bare, method, cache=cache, workers=workers, report=_labels(report, name), stop=stop
        )
        _stop_if(stop)
        found[name] = labelled.usable()
        found[name].require_labels(name)
        found[name].save(path)
    if isinstance(energy, HostEnergy):
        energy.close()
    return Sets(**found)


def _checked(
    dataset: Dataset,
    path: Path,
    molecule: Molecule,
    method: AbstractLabelMethod,
    wanted: dict[str, Any],
) -> Dataset:
    same = np.array_equal(dataset.numbers, molecule.numbers) and dataset.charge == molecule.charge
    if not same or dataset.method != method.name:
        raise StoreMismatchError(
            f"{path} holds another molecule, or labels by {dataset.method!r} and not by "
            f"{method.name!r}",
            "write to another folder",
        )
    for name, value in json.loads(json.dumps(wanted)).items():
        if dataset.provenance.get(name) != value:
            raise StoreMismatchError(
                f"{path} was sampled otherwise: {name} was {dataset.provenance.get(name)!r} and is "
                f"now {value!r}",
                "write to another folder",
            )
    return dataset


def _stop_if(stop: Callable[[], bool] | None) -> None:
    if stop is not None and stop():
        raise KeyboardInterrupt


def _sampled(
    molecule: Molecule,
    energy: AbstractEnergy,
    temperature: float,
    count: int,
    config: SamplingConfig,
    which: tuple[int, str],
    report: Report | None,
    stop: Callable[[], bool] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Frames of independent runs, and the run of each."""
    place, name = which
    if isinstance(energy, HostEnergy):
        energy.probe(molecule.positions.reshape(-1))
    runs = min(config.trajectories, count)
    each = math.ceil(count / runs)

    def tell(now: MotionProgress) -> None:
        if report:
            detail = f"{temperature:g} K"
            report(PlanProgress("sampling", name, now.step, now.steps, detail, now.seconds))

    warm = max(1, math.ceil(_WARM_UP / config.spacing))
    key = config.key * len(SETS) + place
    path = run_md(
        energy,
        molecule.masses,
        _beginnings(molecule, energy, runs, key),
        Langevin(temperature, step=config.step, friction=_FRICTION),
        steps=(each + warm) * config.spacing,
        thin=config.spacing,
        temperature=temperature,
        key=key,
        report=tell,
        stop=stop,
    )
    if path.interrupted:
        raise KeyboardInterrupt
    x = np.swapaxes(path.positions[warm:], 0, 1)
    alive = path.alive[warm:].T
    groups = np.repeat(np.arange(runs, dtype=np.int32)[:, None], x.shape[1], axis=1)
    if not alive.any():
        raise ArgumentError(
            f"no geometry of {molecule.name} at {temperature:g} K is finite",
            "is the geometry sensible? Lower the step or the temperature",
        )
    return x[alive][:count], groups[alive][:count]


def _beginnings(molecule: Molecule, energy: AbstractEnergy, runs: int, key: int) -> np.ndarray:
    """The given geometry, and conformers; those that find no rest begin as it does."""
    given = molecule.positions
    x = conformers(molecule.topology(), given, runs, jax.random.fold_in(jax.random.key(7), key))
    system = System(energy, shape=given.shape)
    rest = LBFGS(tol=_RELAXED, max_steps=200)
    found = quench_many(system, x[1:].reshape(runs - 1, given.size), (rest,))
    good = (found.outcome == Outcome.success)[:, None, None]
    x[1:] = np.where(good, found.x.reshape(-1, *given.shape), given)
    return x


def _labels(report: Report | None, name: str) -> Callable[[LabelProgress], None]:
    def tell(now: LabelProgress) -> None:
        if report:
            detail = f"{now.failed} without a label" if now.failed else ""
            report(PlanProgress("labels", name, now.done, now.total, detail, now.seconds))

    return tell


def landscape_points(landscape: Landscape, numbers: Sequence[int] | np.ndarray) -> Dataset:
    """Minima (group 0) and transition states (group 1) of a landscape, to be labelled.

    Raises:
        ArgumentError: if its points are no geometries of these atoms, or its unit of length is
            unknown.
    """
    scale = {KJ.length: 1.0, METAL.length: 0.1}.get(landscape.header.length_unit)
    if scale is None:
        raise ArgumentError(f"the landscape's unit of length is {landscape.header.length_unit!r}")
    kinds = [landscape.points("minimum"), landscape.points("transition_state")]
    n = len(numbers)
    for points in kinds:
        if len(points) and points.shape[1] != 3 * n:
            raise ArgumentError(f"points of {points.shape[1]} coordinates are no {n} atoms")
    x = np.concatenate([points.reshape(-1, n, 3) for points in kinds]) * scale
    groups = np.repeat(np.arange(2, dtype=np.int32), [len(points) for points in kinds])
    return Dataset.of(numbers, x, groups=groups, provenance={"landscape": landscape.header.name})
