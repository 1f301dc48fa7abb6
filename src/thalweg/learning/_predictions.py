"""What each minimum of a loss predicts for each datum."""

import dataclasses
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from thalweg.core import ArgumentError

from ._data import LearningData
from ._energy import LossEnergy
from ._scores import auc_per_class, class_probabilities, log_loss, mean_known

_NUMBERS = 4_000_000
"""Outputs computed in one compiled call: bounds the memory that many data need."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """The outputs of several solutions on the same data, and what they should have been.

    A solution is a minimum of a loss, or any other set of parameters. Everything is by position;
    `ids` says which solution is which in the store.

    Attributes:
        ids: Ids of the solutions.
        outputs: Outputs of each for each datum, `(solutions, data, outputs)`.
        targets: Class of each datum, `(data,)`, or the values that the outputs should have,
            `(data, outputs)`.
        classes: Number of classes; `None` for a regression.
    """

    ids: Int[np.ndarray, " solutions"]
    outputs: Float[np.ndarray, "solutions data outputs"]
    targets: np.ndarray
    classes: int | None

    def __post_init__(self):
        count, data, width = self.outputs.shape
        if len(self.ids) != count:
            raise ArgumentError(f"{len(self.ids)} ids for the outputs of {count} solutions")
        if len(self.targets) != data:
            raise ArgumentError(f"{len(self.targets)} targets for outputs on {data} data")
        if self.classes is None:
            if self.targets.shape != (data, width):
                raise ArgumentError(
                    f"targets have shape {self.targets.shape}, outputs on the data {(data, width)}"
                )
        elif width != self.classes and not (width == 1 and self.classes == 2):
            raise ArgumentError(
                f"{width} outputs for {self.classes} classes: expected one for each class, or a "
                "single one for two"
            )

    @property
    def n_data(self) -> int:
        """Number of data."""
        return len(self.targets)

    @functools.cached_property
    def probabilities(self) -> Float[np.ndarray, "solutions data classes"]:
        """Probabilities of the classes.

        Raises:
            ArgumentError: for a regression, which has none.
        """
        if self.classes is None:
            raise ArgumentError(
                "these are predictions of values, not of classes: there are no probabilities",
                "give the data `classes`",
            )
        return class_probabilities(self.outputs)

    @functools.cached_property
    def labels(self) -> Int[np.ndarray, "solutions data"]:
        """The most probable class; of equals the first."""
        return np.argmax(self.probabilities, axis=-1)

    @functools.cached_property
    def wrong(self) -> Bool[np.ndarray, "solutions data"]:
        """Which data each solution puts into a wrong class."""
        return self.labels != self.targets

    @functools.cached_property
    def losses(self) -> Float[np.ndarray, "solutions data"]:
        """Loss of each datum: -ln p of its class, or the squared error summed over outputs."""
        if self.classes is None:
            return np.sum((self.outputs - self.targets) ** 2, axis=-1)
        return log_loss(self.probabilities, self.targets)

    def scores(self) -> "Scores":
        """Loss, accuracy and area under the ROC curve of each solution."""
        loss = self.losses.mean(axis=1)
        if self.classes is None:
            none = np.full((len(self.ids), 0), np.nan)
            return Scores(
                ids=self.ids, loss=loss, accuracy=np.full(len(loss), np.nan), auc_classes=none
            )
        areas = np.stack([auc_per_class(p, self.targets) for p in self.probabilities])
        accuracy = 1.0 - self.wrong.mean(axis=1)
        return Scores(ids=self.ids, loss=loss, accuracy=accuracy, auc_classes=areas)

    def select(self, positions: Any) -> "Predictions":
        """Those of some solutions, by position."""
        return dataclasses.replace(self, ids=self.ids[positions], outputs=self.outputs[positions])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """How good each solution is on some data.

    Attributes:
        ids: Ids of the solutions.
        loss: Mean of -ln p of the right class, or mean squared error; without a penalty.
        accuracy: Share of the data in the right class; NaN for a regression.
        auc_classes: Area under the ROC curve of each class against the rest,
            `(solutions, classes)`; NaN for a class that the data do not hold.
    """

    ids: Int[np.ndarray, " solutions"]
    loss: Float[np.ndarray, " solutions"]
    accuracy: Float[np.ndarray, " solutions"]
    auc_classes: Float[np.ndarray, "solutions classes"]

    @property
    def error(self) -> Float[np.ndarray, " solutions"]:
        """Share of the data in a wrong class; the mean squared error for a regression."""
        return np.where(np.isnan(self.accuracy), self.loss, 1.0 - self.accuracy)

    @property
    def auc(self) -> Float[np.ndarray, " solutions"]:
        """Mean over the classes that the data hold."""
        return mean_known(self.auc_classes)

    def table(self) -> pd.DataFrame:
        """One row a solution: `id`, `loss`, and of classes `accuracy`, `auc` and `auc_0`, …."""
        columns: dict[str, Any] = {"id": self.ids, "loss": self.loss}
        if not np.isnan(self.accuracy).all():
            columns |= {"accuracy": self.accuracy, "auc": self.auc}
            columns |= {f"auc_{c}": area for c, area in enumerate(self.auc_classes.T)}
        return pd.DataFrame(columns)


def predictions_of(
    energy: LossEnergy,
    points: Float[np.ndarray, "solutions dof"],
    data: LearningData,
    ids: Int[np.ndarray, " solutions"] | None = None,
) -> Predictions:
    """What each set of parameters predicts for each datum, in few compiled calls.

    Args:
        energy: The loss; its own data do not matter.
        points: Flat parameters, `(solutions, dof)`: `Landscape.points("minimum")`, say.
        data: The data to predict, a `LearningData`; need not be those of the loss.
        ids: Ids of the solutions; by default they are counted.

    Raises:
        ArgumentError: if shapes do not fit.
    """
    inputs, targets = np.asarray(data.inputs), np.asarray(data.targets)
    if not len(points):
        raise ArgumentError("there are no solutions to predict with", "map the loss first")
    probe = np.asarray(_outputs(energy, jnp.asarray(points[:1]), jnp.asarray(inputs[:1])))
    width = probe.shape[-1]
    rows = max(1, min(len(points), _NUMBERS // max(1, len(inputs) * width)))
    blocks = []
    for first in range(0, len(points), rows):
        part = np.resize(points[first : first + rows], (rows, points.shape[1]))
        found = _outputs(energy, jnp.asarray(part), jnp.asarray(inputs))
        blocks.append(np.asarray(found, float)[: len(points) - first])
    if data.classes is None:
        targets = targets.astype(float).reshape(len(inputs), -1)
    return Predictions(
        ids=np.arange(len(points)) if ids is None else np.asarray(ids),
        outputs=np.concatenate(blocks),
        targets=targets,
        classes=data.classes,
    )


@eqx.filter_jit
def _outputs(energy: LossEnergy, points: jax.Array, inputs: jax.Array) -> jax.Array:
    found = jax.vmap(lambda x: energy.outputs(x, inputs))(points)
    return found.reshape(*points.shape[:1], inputs.shape[0], -1)
