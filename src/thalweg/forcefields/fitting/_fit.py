"""Fitting a force field to energies and forces.

What is random belongs to (key, epoch), so that a fit that was stopped goes on as if it had not
been. A loss that is no number ends a fit with a named outcome, and the best parameters are kept.
"""

import dataclasses
import hashlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Outcome
from thalweg.forcefields._forcefield import ForceField

from ._checkpoint import load, save
from ._dataset import Dataset
from ._engines import Adam, GaussNewton
from ._loss import Weights, as_batch, misfits
from ._parameters import Parameters

_SAVE_EVERY = 30.0
"""Seconds between checkpoints."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How a force field is fitted.

    Attributes:
        method: `adam`, `gauss-newton`, or `auto`: Gauss-Newton up to `few` parameters.
        steps: Steps of Adam at most; its learning rate falls by a cosine over them.
        iterations: Steps of Gauss-Newton at most.
        batch: Frames of a step of Adam.
        rate: Learning rate of Adam for parameters with a prior, in its standard deviations.
        rate_network: Learning rate of Adam for the numbers of networks.
        energy_weight: Weight w of the energies, in Å⁻².
        noise: σ, misfit of force components that is expected, in kcal/(mol Å): the weight of the
            priors. 0: no prior.
        every: Steps of Adam between looks at the validation set.
        patience: Looks without a better loss after which the fit ends; `None`: never.
        few: See `method`.
        key: Seed of the order of frames.
    """

    method: Literal["auto", "adam", "gauss-newton"] = "auto"
    steps: int = 3_000
    iterations: int = 50
    batch: int = 32
    rate: float = 0.03
    rate_network: float = 2e-3
    energy_weight: float = 0.02
    noise: float = 1.0
    every: int = 50
    patience: int | None = None
    few: int = 400
    key: int = 0

    def __post_init__(self) -> None:
        if self.method not in ("auto", "adam", "gauss-newton"):
            raise ArgumentError(f"method={self.method!r}: expected auto, adam or gauss-newton")
        for name in ("steps", "iterations", "batch", "every"):
            if getattr(self, name) < 1:
                raise ArgumentError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("rate", "rate_network"):
            if not getattr(self, name) > 0:
                raise ArgumentError(f"{name}={getattr(self, name)} must be positive")
        for name in ("energy_weight", "noise"):
            if not getattr(self, name) >= 0:
                raise ArgumentError(f"{name}={getattr(self, name)} must not be negative")
        if self.patience is not None and self.patience < 1:
            raise ArgumentError(f"patience={self.patience} must be at least 1, or None")


@dataclasses.dataclass(frozen=True)
class FitProgress:
    """Where a fit stands.

    Attributes:
        step: Steps done.
        steps: Steps wanted.
        energy: Error of energies on the validation set, root mean square, in kcal/mol.
        force: Error of forces, in kcal/(mol Å).
        seconds: Computing time.
    """

    step: int
    steps: int
    energy: float
    force: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class Fit:
    """What came of a fit.

    Attributes:
        force_field: That of the best validation loss.
        last: After the last step that was a number.
        config: How it was fitted.
        method: `adam` or `gauss-newton`.
        history: One column a name, one row a look: `step`, `loss` (of training, mean since the
            last look), `validation` (its loss without prior), `energy` (kcal/mol), `force`
            (kcal/(mol Å)), `seconds`.
        best: Row of the best look.
        outcome: `success`, or `nonfinite` if the loss was no number.
        failed_at: Step at which the loss was no number.
        parameters: Numbers fitted.
        moved: Largest `|u|` of each parameter with a prior: above 3, the prior is contradicted.
        seconds: Computing time of this and earlier calls.
        interrupted: Whether somebody stopped it.
    """

    force_field: ForceField
    last: ForceField
    config: FitConfig
    method: str
    history: dict[str, np.ndarray]
    best: int
    outcome: Outcome
    failed_at: int | None
    parameters: int
    moved: dict[str, float]
    seconds: float
    interrupted: bool

    @property
    def energy(self) -> float:
        """Error of energies on the validation set, in kcal/mol."""
        return float(self.history["energy"][self.best])

    @property
    def force(self) -> float:
        """Error of forces on the validation set, in kcal/(mol Å)."""
        return float(self.history["force"][self.best])

    @property
    def validation(self) -> float:
        """Loss on the validation set, without prior."""
        return float(self.history["validation"][self.best])


def fit_forcefield(
    force_field: ForceField,
    train: Dataset,
    validation: Dataset,
    config: FitConfig | None = None,
    *,
    checkpoint: Path | None = None,
    report: Callable[[FitProgress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Fit:
    """Fit the parameters of a force field to energies and forces.

    Parameters that the force field has `fixed`, and its box, stay.

    Args:
        force_field: Where to begin; the priors are about its parameters.
        train: Labelled frames.
        validation: Labelled frames of other trajectories: they choose the best parameters.
        config: How.
        checkpoint: File to go on from if it exists, and to write while running.
        report: Called after every look at the validation set.
        stop: Asked between looks; once it says yes, the fit ends with what there is.

    Raises:
        ArgumentError: if a frame has no label, the atoms differ, or there is nothing to fit.
        StoreError: if the checkpoint cannot be used, or belongs to another fit.
    """
    check_data(force_field, train, "train")
    check_data(force_field, validation, "validation")
    run = _Run(force_field, train, validation, config or FitConfig(), checkpoint, report)
    interrupted = run.drive(stop or (lambda: False))
    return run.result(interrupted=interrupted)


def check_data(force_field: ForceField, dataset: Dataset, name: str) -> None:
    """Refuse a set that the force field cannot be compared with.

    Raises:
        ArgumentError: naming the atom or the frame.
    """
    force_field.topology.require_atoms(dataset.numbers, name)
    dataset.require_labels(name)


class _Run:
    """The mutable middle of a fit."""

    def __init__(
        self,
        force_field: ForceField,
        train: Dataset,
        validation: Dataset,
        config: FitConfig,
        path: Path | None,
        report: Callable[[FitProgress], None] | None,
    ):
        self.config, self.validation, self.path, self.report = config, validation, path, report
        self.parameters = Parameters(force_field)
        self.engine = make_engine(self.parameters, train, config)
        self.train = train
        self.moves = self.best_moves = self.parameters.start()
        self.memory = self.engine.init(self.moves)
        self.step, self.best, self.done = 0, -1, False
        self.rows: list[dict[str, float]] = []
        self.failed_at: int | None = None
        self.before = 0.0
        self.began = self.saved = time.perf_counter()
        if path is not None and path.exists():
            self._resume(path)

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.began

    def drive(self, stop: Callable[[], bool]) -> bool:
        """Run what is left; whether somebody stopped it."""
        stopped = False
        try:
            if not self.rows:
                self._look(math.nan)
            while not self._finished():
                if stop():
                    stopped = True
                    break
                self._block()
        except KeyboardInterrupt:
            stopped = True
        if not self.rows:
            raise KeyboardInterrupt
        if self.path is not None:
            self._save(self.path)
        return stopped

    def _finished(self) -> bool:
        patience = self.config.patience
        tired = patience is not None and len(self.rows) - 1 - self.best >= patience
        over = self.step >= self.engine.steps
        return self.done or over or tired or self.failed_at is not None

    def _block(self) -> None:
        new = self.engine.advance(self.moves, self.memory, self.step)
        bad = np.flatnonzero(~np.isfinite(new.losses))
        if len(bad):
            self.failed_at = self.step + int(bad[0]) + 1
            return
        self.moves, self.memory, self.done = new.moves, new.memory, new.done
        self.step += len(new.losses)
        self._look(float(np.mean(new.losses)))
        if self.path is not None and time.perf_counter() - self.saved > _SAVE_EVERY:
            self._save(self.path)

    def _look(self, loss: float) -> None:
        """Compare with the validation set, remember, tell."""
        energy, force = misfits(self.parameters.force_field(self.moves), self.validation)
        rms_energy, rms_force = (float(np.sqrt(np.mean(e**2))) for e in (energy, force))
        row = {
            "step": float(self.step),
            "loss": loss,
            "validation": rms_force**2 + self.config.energy_weight * rms_energy**2,
            "energy": rms_energy,
            "force": rms_force,
            "seconds": self.seconds,
        }
        self.rows.append(row)
        finite = math.isfinite(row["validation"])
        if not finite and self.step:
            self.failed_at = self.step
        if self.best < 0 or (finite and not row["validation"] >= self._best_loss()):
            self.best, self.best_moves = len(self.rows) - 1, self.moves
        if self.report:
            self.report(
                FitProgress(self.step, self.engine.steps, rms_energy, rms_force, self.seconds)
            )

    def _best_loss(self) -> float:
        return self.rows[self.best]["validation"]

    def _facts(self) -> dict[str, Any]:
        config = dataclasses.asdict(self.config)
        del config["patience"]
        digest = hashlib.sha256(",".join(self.parameters.names).encode())
        for leaf in jax.tree.leaves(self.parameters.template):
            digest.update(np.asarray(leaf).tobytes())
        return {
            "kind": "fit",
            "config": config,
            "train": self.train.fingerprint,
            "validation": self.validation.fingerprint,
            "force_field": digest.hexdigest()[:16],
        }

    def _save(self, path: Path) -> None:
        header = self._facts() | {
            "step": self.step,
            "rows": self.rows,
            "best": self.best,
            "done": self.done,
            "failed_at": self.failed_at,
            "seconds": self.seconds,
        }
        save(path, header, (self.moves, self.memory, self.best_moves))
        self.saved = time.perf_counter()

    def _resume(self, path: Path) -> None:
        header, tree = load(path, (self.moves, self.memory, self.best_moves), self._facts())
        self.moves, self.memory, self.best_moves = tree
        self.step, self.rows, self.best = header["step"], header["rows"], header["best"]
        self.done, self.failed_at = header["done"], header["failed_at"]
        self.before = header["seconds"]

    def result(self, *, interrupted: bool) -> Fit:
        """What came of it."""
        outcome = Outcome.success if self.failed_at is None else Outcome.nonfinite
        return Fit(
            force_field=self.parameters.force_field(self.best_moves),
            last=self.parameters.force_field(self.moves),
            config=self.config,
            method=self.engine.name,
            history={name: np.array([r[name] for r in self.rows]) for name in self.rows[0]},
            best=self.best,
            outcome=outcome,
            failed_at=self.failed_at,
            parameters=self.parameters.count,
            moved={
                name: float(jnp.max(jnp.abs(self.best_moves[name]), initial=0.0))
                for name in sorted(self.parameters.physical)
            },
            seconds=self.seconds,
            interrupted=interrupted,
        )


def make_engine(parameters: Parameters, train: Dataset, config: FitConfig) -> Adam | GaussNewton:
    """What lowers the loss, as a config asks for it."""
    data = as_batch(train)
    weights = Weights(
        jnp.asarray(config.energy_weight), jnp.asarray(config.noise**2 / train.positions.size)
    )
    few = config.method == "auto" and parameters.count <= config.few
    if few or config.method == "gauss-newton":
        return GaussNewton(parameters, data, weights, steps=config.iterations)
    return Adam(
        parameters,
        data,
        weights,
        steps=config.steps,
        block=config.every,
        batch=config.batch,
        rates=(config.rate, config.rate_network),
        key=jax.random.key(config.key),
    )
