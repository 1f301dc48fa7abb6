"""One force field, judged: errors, extrapolation, speed, survival, conservation."""

import dataclasses
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import AbstractEnergy, value_and_grad
from thalweg.forcefields._forcefield import ForceField
from thalweg.forcefields._properties import PROPERTIES, check_forcefield
from thalweg.forcefields.md import (
    AbstractIntegrator,
    Langevin,
    Trajectory,
    VelocityVerlet,
    bond_lengths,
    conservation,
    run_md,
    survival,
)

from ._dataset import Dataset
from ._fit import check_data
from ._loss import misfits
from ._parameters import Parameters

_REPLICAS = (1, 100, 1000)

_ENOUGH = 0.25
"""CPU seconds of calls that a timing takes."""


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """Errors on one set, a constant of energy taken out.

    Attributes:
        energy_rmse: In kcal/mol.
        energy_rmse_error: Its standard error by the jackknife over groups of frames, each of which
            is one trajectory; NaN for a single group.
        force_rmse: Of components, in kcal/(mol Å).
        force_rmse_error: Its standard error, likewise.
        force_mae: Of components, in kcal/(mol Å).
        force_p95: 95th percentile of the errors of components, in kcal/(mol Å).
        nonfinite: Frames on which the force field gives no number; the errors leave them out.
    """

    energy_rmse: float
    energy_rmse_error: float
    force_rmse: float
    force_rmse_error: float
    force_mae: float
    force_p95: float
    nonfinite: int


_NOTHING = Accuracy(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, 0)


@dataclasses.dataclass(frozen=True)
class Speed:
    """CPU time of one energy with forces.

    Attributes:
        micros: Microseconds for each replica, with 1, 100 and 1000 replicas at once.
        compile_seconds: Compilation of the program for one.
    """

    micros: tuple[float, float, float]
    compile_seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasureConfig:
    """How much to simulate, and what to ask.

    Attributes:
        temperature: Of the runs for survival, in K.
        survival_ps: Their length.
        step: Of those runs, in fs.
        replicas: Their number.
        nve_ps: Length of the runs at constant energy, from 300 K, at steps of 0.5 and 1 fs.
        nve_replicas: Their number.
        properties: Which properties are measured; none takes no time.
        key: Seed.
    """

    temperature: float = 300.0
    survival_ps: float = 100.0
    step: float = 1.0
    replicas: int = 1
    nve_ps: float = 2.0
    nve_replicas: int = 4
    properties: tuple[str, ...] = PROPERTIES
    key: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measurement:
    """One point of the plane of force fields, as a table holds it.

    Attributes:
        name: What it is called.
        parameters: Numbers that a fit may change.
        energy_rmse: On the test set, in kcal/mol, a constant taken out.
        force_rmse: On the test set, of components, in kcal/(mol Å).
        energy_rmse_error: Standard error, from the scatter between the set's trajectories and, of
            more than one fit, between fits.
        force_rmse_error: The same.
        force_mae: The same, mean absolute.
        force_p95: The same, 95th percentile.
        ood_energy_rmse: On the set out of distribution.
        ood_force_rmse: On the set out of distribution.
        ood_energy_rmse_error: Standard error, as above.
        ood_force_rmse_error: Standard error, as above.
        ood_ratio: `ood_force_rmse / force_rmse`.
        micros: CPU microseconds of one energy with forces, alone.
        micros_100: The same of 100 replicas at once, for each.
        micros_1000: The same of 1000.
        compile_seconds: Compilation of the first.
        survival: Share of replicas whose bonds all held.
        survival_ps: Mean time for which they did, at most `md_ps`.
        md_ps: Length of those runs.
        md_temperature: Of those runs, in K.
        drift: Of the total energy at constant energy, in meV per atom and ps, at steps of 0.5 fs.
        drift_error: Its standard error.
        drift_1fs: The same at steps of 1 fs.
        drift_1fs_error: Its standard error.
        broken: Names of the properties that it lacks.
        train_seconds: Time of the fit; NaN if it was not fitted.
        fits: How many fits from other random numbers it is the best of, on the validation set.
        load: Load average of the machine over its cores while it was timed.
    """

    name: str
    parameters: int
    energy_rmse: float
    force_rmse: float
    force_mae: float
    force_p95: float
    energy_rmse_error: float = math.nan
    force_rmse_error: float = math.nan
    ood_energy_rmse: float = math.nan
    ood_force_rmse: float = math.nan
    ood_energy_rmse_error: float = math.nan
    ood_force_rmse_error: float = math.nan
    ood_ratio: float = math.nan
    micros: float = math.nan
    micros_100: float = math.nan
    micros_1000: float = math.nan
    compile_seconds: float = math.nan
    survival: float = math.nan
    survival_ps: float = math.nan
    md_ps: float = math.nan
    md_temperature: float = math.nan
    drift: float = math.nan
    drift_error: float = math.nan
    drift_1fs: float = math.nan
    drift_1fs_error: float = math.nan
    broken: tuple[str, ...] = ()
    train_seconds: float = math.nan
    fits: int = 1
    load: float = math.nan

    def among(self, here: Sequence[Accuracy], there: Sequence[Accuracy]) -> "Measurement":
        """The same with error bars that contain the scatter between fits.

        Args:
            here: Errors of all fits on the test set, its own among them.
            there: The same on the set out of distribution.
        """
        widened: dict[str, float] = {}
        for before, fits in (("", here), ("ood_", there)):
            for name in ("energy_rmse", "force_rmse"):
                scatter = float(np.std([getattr(fit, name) for fit in fits], ddof=1))
                field = f"{before}{name}_error"
                widened[field] = math.hypot(getattr(self, field), scatter)
        return dataclasses.replace(self, fits=len(here), **widened)

    def text(self, field: str, form: str) -> str:
        """A field for a table: `0.87(5)` if it has an error, `-` if it is no number."""
        value = getattr(self, field)
        return uncertain(value, getattr(self, f"{field}_error", math.nan), form)

    @staticmethod
    def from_facts(facts: dict[str, Any]) -> "Measurement":
        """Back from JSON, where NaN is null."""
        fields: dict[str, Any] = {k: math.nan if v is None else v for k, v in facts.items()}
        fields["broken"] = tuple(fields.get("broken", ()))
        return Measurement(**fields)


def uncertain(value: float, error: float, form: str = ".3g") -> str:
    """A number with its error in units of its last digit, `0.87(5)`; without one, by `form`."""
    if not math.isfinite(value):
        return "-"
    if not (math.isfinite(error) and error > 0):
        return format(value, form)
    size = math.floor(math.log10(max(abs(value), error)))
    power = size if not -4 < size < 6 else 0
    value, error = value / 10.0**power, error / 10.0**power
    # One digit of the error, two if the first is a 1: 0.13 says more than 0.1.
    leading = math.floor(math.log10(error))
    digits = max(0, -leading + (error < 2 * 10.0**leading))
    shown = f"{value:.{digits}f}({round(error * 10**digits)})"
    return f"{shown}e{power:+03d}" if power else shown


def accuracy(force_field: ForceField, dataset: Dataset) -> Accuracy:
    """Errors of a force field on labelled frames.

    Raises:
        ArgumentError: if a frame has no label, or the atoms differ.
    """
    check_data(force_field, dataset, "dataset")
    energy, force = misfits(force_field, dataset)
    good = np.isfinite(energy) & np.all(np.isfinite(force), axis=(1, 2))
    if not good.any():
        return dataclasses.replace(_NOTHING, nonfinite=len(dataset))
    energy, force, groups = energy[good], force[good], dataset.groups[good]
    squares = np.mean(force**2, axis=(1, 2))

    def energy_rmse(kept: np.ndarray) -> float:
        return float(np.std(energy[kept]))

    def force_rmse(kept: np.ndarray) -> float:
        return float(np.sqrt(np.mean(squares[kept])))

    every, parts = np.ones(len(energy), bool), np.abs(force).reshape(-1)
    return Accuracy(
        energy_rmse(every),
        _jackknife(energy_rmse, groups),
        force_rmse(every),
        _jackknife(force_rmse, groups),
        float(parts.mean()),
        float(np.percentile(parts, 95)),
        int(np.sum(~good)),
    )


def _jackknife(statistic: Callable[[np.ndarray], float], groups: np.ndarray) -> float:
    """Standard error of a statistic of frames, from leaving out one group after the other."""
    names = np.unique(groups)
    if len(names) < 2:
        return math.nan
    left = np.array([statistic(groups != name) for name in names])
    return float(np.sqrt((len(names) - 1) * np.mean((left - left.mean()) ** 2)))


def speed(energy: AbstractEnergy, positions: np.ndarray) -> Speed:
    """Median CPU time of one energy with forces, compilation apart.

    CPU time and not the clock on the wall, which other processes on the machine lengthen.

    Args:
        energy: In kJ/mol.
        positions: A geometry, `(n, 3)`, in nm.
    """
    compiling, micros = math.nan, []
    for replicas in _REPLICAS:
        x = jnp.asarray(np.repeat(np.reshape(positions, (-1, 1)), replicas, axis=1))
        began = time.perf_counter()
        program = jax.jit(lambda x: value_and_grad(energy, x)).lower(x).compile()
        if replicas == 1:
            compiling = time.perf_counter() - began
        jax.block_until_ready(program(x))
        spent: list[float] = []
        while sum(spent) < _ENOUGH or len(spent) < 3:
            began = time.process_time()
            jax.block_until_ready(program(x))
            spent.append(time.process_time() - began)
        micros.append(float(np.median(spent)) / replicas * 1e6)
    return Speed((micros[0], micros[1], micros[2]), compiling)


def measure(
    name: str,
    force_field: ForceField,
    test: Dataset,
    ood: Dataset | None = None,
    config: MeasureConfig | None = None,
    *,
    train_seconds: float = math.nan,
    stop: Callable[[], bool] | None = None,
) -> Measurement:
    """Judge one force field.

    Args:
        name: What to call it.
        force_field: What to judge.
        test: Labelled frames of trajectories that no fit has seen.
        ood: Labelled frames out of distribution: hotter, for one.
        config: How much to simulate.
        train_seconds: Time of its fit.
        stop: Asked now and then; once it says yes, `KeyboardInterrupt` ends it.

    Raises:
        ArgumentError: if a frame has no label, or the atoms differ.
    """
    config = config or MeasureConfig()
    here = accuracy(force_field, test)
    there = _NOTHING if ood is None else accuracy(force_field, ood)
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    timed = speed(force_field, test.positions[0])
    return Measurement(
        name=name,
        parameters=_count(force_field),
        energy_rmse=here.energy_rmse,
        force_rmse=here.force_rmse,
        energy_rmse_error=here.energy_rmse_error,
        force_rmse_error=here.force_rmse_error,
        force_mae=here.force_mae,
        force_p95=here.force_p95,
        ood_energy_rmse=there.energy_rmse,
        ood_force_rmse=there.force_rmse,
        ood_energy_rmse_error=there.energy_rmse_error,
        ood_force_rmse_error=there.force_rmse_error,
        ood_ratio=there.force_rmse / here.force_rmse if here.force_rmse > 0 else math.nan,
        micros=timed.micros[0],
        micros_100=timed.micros[1],
        micros_1000=timed.micros[2],
        compile_seconds=timed.compile_seconds,
        train_seconds=train_seconds,
        fits=1,
        load=load,
        broken=_broken(force_field, test, config),
        **_moving(force_field, test, config, stop),
    )


def _broken(force_field: ForceField, test: Dataset, config: MeasureConfig) -> tuple[str, ...]:
    """Properties that it lacks, at the test frame of lowest energy."""
    if not config.properties:
        return ()
    lowest = test.positions[int(np.argmin(test.energies))]
    key = jax.random.key(config.key)
    return check_forcefield(force_field, lowest.reshape(-1), key, only=config.properties).failed


def _moving(
    force_field: ForceField,
    test: Dataset,
    config: MeasureConfig,
    stop: Callable[[], bool] | None,
) -> dict[str, float]:
    """Survival at a temperature, and conservation of the energy."""
    topology, start = force_field.topology, test.positions[0]

    def run(
        integrator: AbstractIntegrator, picoseconds: float, replicas: int, kelvin: float, key: int
    ) -> Trajectory:
        step = float(integrator.step)
        thin = max(1, round(10.0 / step))
        steps = max(3 * thin, round(picoseconds * 1e3 / step))
        path = run_md(
            force_field, topology.masses, start, integrator, steps=steps, thin=thin,
            replicas=replicas, temperature=kelvin, key=key, stop=stop,
        )  # fmt: skip
        if path.interrupted:
            raise KeyboardInterrupt
        return path

    thermostat = Langevin(config.temperature, step=config.step)
    hot = run(thermostat, config.survival_ps, config.replicas, config.temperature, config.key)
    found = {"md_ps": float(hot.times[-1]), "md_temperature": config.temperature}
    if len(topology.bonds):
        usual = bond_lengths(test.positions, topology.bonds).mean(axis=0)
        held = survival(hot, topology.bonds, usual)
        found |= {"survival": held.share, "survival_ps": held.mean}
    for step, label in ((0.5, "drift"), (1.0, "drift_1fs")):
        free = run(VelocityVerlet(step), config.nve_ps, config.nve_replicas, 300.0, config.key + 1)
        kept = conservation(free)
        found |= {label: kept.drift, f"{label}_error": kept.error}
    return found


def _count(force_field: ForceField) -> int:
    try:
        return Parameters(force_field).count
    except ValueError:
        return 0
