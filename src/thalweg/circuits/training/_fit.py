"""Training: backpropagation through time (or through the rest of a circuit) and Adam.

Gradients are neither clipped nor rescaled. A loss that is no number ends a run with a named
outcome, not with an error; what is random belongs to (key, epoch), so that a run that was stopped
goes on as if it had not been.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import Outcome, require_x64

from ._certificates import CircuitCertificate, certify_network
from ._numerics import count_parameters, trainable
from ._optimiser import TrainConfig, describe, optimiser
from ._saved import Recipe, load, save
from ._step import packs, score, train_step
from ._tasks import Task

_SAVE_EVERY = 60.0
"""Seconds between checkpoints within an epoch."""


@dataclasses.dataclass(frozen=True)
class TrainProgress:
    """Where a run stands.

    Attributes:
        recipe: Which run.
        epoch: Epochs done.
        epochs: Epochs wanted.
        step: Steps done in the present epoch.
        steps: Steps of an epoch.
        row: The history's newest row, if an epoch has just ended.
        seconds: Since the call.
    """

    recipe: Recipe
    epoch: int
    epochs: int
    step: int
    steps: int
    row: dict[str, float] | None
    seconds: float


@dataclasses.dataclass(frozen=True)
class Training:
    """What came of a run.

    Attributes:
        recipe: What was built.
        config: How it was trained.
        model: The network of the best epoch by validation score.
        last: The network after the last step that was a number.
        history: One column a name, one row an epoch.
        outcome: `success`, or `nonfinite` if the loss or its gradient became NaN or infinite.
        failed_at: Epoch and step at which it did.
        best: Row of the best epoch; -1 if none was completed.
        parameters: Numbers trained.
        certificates: After which epoch, and what was found.
        chain: The optimiser in words.
        seconds: Computing time of this and earlier calls.
        interrupted: Whether somebody stopped it.
    """

    recipe: Recipe
    config: TrainConfig
    model: Any
    last: Any
    history: dict[str, np.ndarray]
    outcome: Outcome
    failed_at: tuple[int, int] | None
    best: int
    parameters: int
    certificates: tuple[tuple[int, CircuitCertificate], ...]
    chain: str
    seconds: float
    interrupted: bool

    @property
    def test_score(self) -> float:
        """Score on the test set at the best epoch; NaN if the run failed."""
        failed = self.best < 0 or self.outcome is not Outcome.success
        return math.nan if failed else float(self.history["test_score"][self.best])


def fit(
    recipe: Recipe,
    task: Task,
    config: TrainConfig | None = None,
    *,
    checkpoint: Path | None = None,
    report: Callable[[TrainProgress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Training:
    """Train one network.

    Args:
        recipe: What to train.
        task: On what.
        config: How.
        checkpoint: File to go on from if it exists, and to write while running.
        report: Called after every epoch, and now and then within one.
        stop: Asked between steps; once it says yes, the run ends with what there is.

    Raises:
        PrecisionError: if JAX is in float32 mode: networks are trained in single precision, but
            certificates are of stationary points.
        StoreError: if the checkpoint cannot be used, or belongs to another run.
    """
    require_x64()
    run = _Run(recipe, task, config or TrainConfig(), checkpoint, report)
    interrupted = run.drive(stop or (lambda: False))
    return run.training(interrupted=interrupted)


class _Run:
    """The mutable middle of a run."""

    def __init__(
        self,
        recipe: Recipe,
        task: Task,
        config: TrainConfig,
        path: Path | None,
        report: Callable[[TrainProgress], None] | None,
    ):
        self.recipe, self.task, self.config = recipe, task, config
        self.path, self.report = path, report
        model = recipe.build()
        self.trained, self.rest = eqx.partition(model, trainable(model))
        self.parameters = count_parameters(model)
        self.steps = math.ceil(len(task.train) / config.batch)
        self.chain = optimiser(config, self.steps)
        self.memory = self.chain.init(self.trained)
        self.best_trained = self.trained
        self.epoch = self.step = 0
        self.rows: list[dict[str, float]] = []
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.certificates: list[tuple[int, CircuitCertificate]] = []
        self.failed_at: tuple[int, int] | None = None
        self.best = -1
        self.before = 0.0
        self.began = time.perf_counter()
        self.data = (jnp.asarray(task.train.x), jnp.asarray(task.train.y))
        if path is not None and path.exists():
            self._resume(path)

    def drive(self, stop: Callable[[], bool]) -> bool:
        """Run the epochs that are left; whether somebody stopped it."""
        stopped = False
        self.saved = time.perf_counter()
        try:
            while not stopped and not self._finished():
                stopped = self._epoch(stop)
        except KeyboardInterrupt:
            stopped = True
        if self.path is not None:
            self._save()
        return stopped

    def _finished(self) -> bool:
        patience = self.config.patience
        tired = patience is not None and len(self.rows) - 1 - self.best >= patience
        return self.failed_at is not None or self.epoch >= self.config.epochs or tired

    def _epoch(self, stop: Callable[[], bool]) -> bool:
        """The rest of an epoch; whether it was left early."""
        key = jax.random.fold_in(jax.random.key(self.recipe.seed), 1)
        key = jax.random.fold_in(key, self.epoch)
        order = np.asarray(jax.random.permutation(key, len(self.task.train)))
        batches = packs(order, self.config.batch)
        while self.step < len(batches):
            if stop():
                return True
            if not self._advance(*batches[self.step]):
                self.failed_at = (self.epoch + 1, self.step + 1)
                self._tell(None)
                return False
            if time.perf_counter() - self.saved > _SAVE_EVERY:
                self._tell(None)
                if self.path is not None:
                    self._save()
        self._close_epoch()
        return False

    def _advance(self, index: np.ndarray, weight: np.ndarray) -> bool:
        """One step; whether its loss and gradient were numbers."""
        new = train_step(
            self.trained,
            self.rest,
            self.memory,
            *self.data,
            jnp.asarray(index),
            jnp.asarray(weight),
            self.chain,
            self.task.loss,
        )
        loss, norm = float(new.loss), float(new.gradient)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return False
        self.trained, self.memory = new.trained, new.memory
        self.losses.append(loss)
        self.norms.append(norm)
        self.step += 1
        return True

    def _close_epoch(self) -> None:
        """Score, certify, remember, save."""
        model = eqx.combine(self.trained, self.rest)
        held, test = (score(model, self.task, s) for s in (self.task.validation, self.task.test))
        self.epoch += 1
        row = {
            "epoch": float(self.epoch),
            "train_loss": float(np.mean(self.losses)),
            "gradient_norm": float(np.mean(self.norms)),
            "gradient_norm_max": float(np.max(self.norms)),
            "validation_loss": held.loss,
            "validation_score": held.score,
            "test_loss": test.loss,
            "test_score": test.score,
            "unsettled": test.unsettled,
            "seconds": self.before + time.perf_counter() - self.began,
        }
        self.rows.append(row)
        self.losses, self.norms, self.step = [], [], 0
        if not math.isfinite(held.loss):
            self.failed_at = (self.epoch, self.steps)
        elif self.best < 0 or self._better(held.score, self.rows[self.best]["validation_score"]):
            self.best, self.best_trained = len(self.rows) - 1, self.trained
        every = self.config.certify_every
        if every and self.epoch % every == 0 and self.failed_at is None:
            self.certificates.append((self.epoch, certify_network(model, self.task)))
        if self.path is not None and time.perf_counter() - self.saved > 1.0:
            self._save()
        self._tell(row)

    def _better(self, new: float, old: float) -> bool:
        return new > old if self.task.loss == "class" else new < old

    def _tell(self, row: dict[str, float] | None) -> None:
        if self.report:
            seconds = self.before + time.perf_counter() - self.began
            self.report(
                TrainProgress(
                    self.recipe, self.epoch, self.config.epochs, self.step, self.steps, row, seconds
                )
            )

    def _facts(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to be gone on from; more epochs may be asked."""
        config = dataclasses.asdict(self.config)
        for name in ("epochs", "patience", "certify_every"):
            del config[name]
        return {
            "kind": "checkpoint",
            "recipe": dataclasses.asdict(self.recipe),
            "config": config,
            "samples": len(self.task.train),
        }

    def _save(self) -> None:
        assert self.path is not None
        header = self._facts() | {
            "epoch": self.epoch,
            "step": self.step,
            "rows": self.rows,
            "losses": self.losses,
            "norms": self.norms,
            "failed_at": self.failed_at,
            "best": self.best,
            "certificates": [[epoch, dataclasses.asdict(c)] for epoch, c in self.certificates],
            "seconds": self.before + time.perf_counter() - self.began,
        }
        save(self.path, header, (self.trained, self.memory, self.best_trained))
        self.saved = time.perf_counter()

    def _resume(self, path: Path) -> None:
        tree = (self.trained, self.memory, self.best_trained)
        header, tree = load(path, tree, self._facts())
        self.trained, self.memory, self.best_trained = tree
        self.epoch, self.step = header["epoch"], header["step"]
        self.rows, self.best = header["rows"], header["best"]
        self.losses, self.norms = header["losses"], header["norms"]
        self.failed_at = tuple(header["failed_at"]) if header["failed_at"] else None
        self.certificates = [(e, CircuitCertificate(**c)) for e, c in header["certificates"]]
        self.before = header["seconds"]

    def training(self, *, interrupted: bool) -> Training:
        """What came of it."""
        model = eqx.combine(self.best_trained, self.rest)
        if self.best >= 0 and (not self.certificates or self.certificates[-1][0] != self.epoch):
            self.certificates.append((self.best + 1, certify_network(model, self.task)))
        names = list(self.rows[0]) if self.rows else []
        return Training(
            recipe=self.recipe,
            config=self.config,
            model=model,
            last=eqx.combine(self.trained, self.rest),
            history={name: np.array([row[name] for row in self.rows]) for name in names},
            outcome=Outcome.success if self.failed_at is None else Outcome.nonfinite,
            failed_at=self.failed_at,
            best=self.best,
            parameters=self.parameters,
            certificates=tuple(self.certificates),
            chain=describe(self.config),
            seconds=self.before + time.perf_counter() - self.began,
            interrupted=interrupted,
        )
