"""Ensembles of minima: predict with the mean probability of several solutions."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from thalweg.core import ArgumentError, PRNGKey, as_key

from ._predictions import Predictions
from ._scores import auc_per_class, log_loss, mean_known

_ENTRIES = 2_000_000
"""Entries of a block of bootstrap samples: bounds the memory that many data need."""

_DRAWS = 400
"""Bootstrap samples of the data: the ends of a 95 % interval are then known to a tenth of it."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class EnsembleScores:
    """Ensembles of growing size against single solutions, on the same held-out data.

    Rows are ensembles. Every measure has its value, its bootstrap standard error over the data,
    and the *paired* 95 % interval of its gain over a single solution (better is positive), for
    which both are computed on the same bootstrap samples. An interval above 0 is a gain that
    other data from the same source would show too; it says nothing about other data sets.

    Attributes:
        sizes: Number of solutions in each ensemble, in the order given.
        measures: Names: `loss`, `accuracy`, `auc`; of a regression `loss` alone.
        values: `(ensembles, measures)`.
        errors: Bootstrap standard errors, `(ensembles, measures)`.
        first: Id of the first solution, which a user who looks at the training loss would take.
        first_values: Its measures.
        best: For each measure, the id of the single solution that is best on these data. Nobody
            knows it beforehand: beating it is more than can be asked for.
        best_values: Their measures.
        gain_first: Gain over the first solution, lower and upper end, `(ensembles, measures, 2)`.
        gain_best: Gain over the best one, likewise.
        draws: Bootstrap samples.
    """

    sizes: Int[np.ndarray, " ensembles"]
    measures: tuple[str, ...]
    values: Float[np.ndarray, "ensembles measures"]
    errors: Float[np.ndarray, "ensembles measures"]
    first: int
    first_values: Float[np.ndarray, " measures"]
    best: Int[np.ndarray, " measures"]
    best_values: Float[np.ndarray, " measures"]
    gain_first: Float[np.ndarray, "ensembles measures 2"]
    gain_best: Float[np.ndarray, "ensembles measures 2"]
    draws: int

    def table(self) -> pd.DataFrame:
        """One row an ensemble: `size`, and of each measure its value, error and gains."""
        columns: dict[str, Any] = {"size": self.sizes}
        for m, name in enumerate(self.measures):
            columns[name] = self.values[:, m]
            columns[f"{name}_error"] = self.errors[:, m]
            for over, gain in (("first", self.gain_first), ("best", self.gain_best)):
                columns[f"{name}_gain_{over}_low"] = gain[:, m, 0]
                columns[f"{name}_gain_{over}_high"] = gain[:, m, 1]
        return pd.DataFrame(columns)


def ensemble_scores(
    predictions: Predictions,
    weights: Float[np.ndarray, " solutions"] | None = None,
    *,
    sizes: Any = None,
    draws: int = _DRAWS,
    key: PRNGKey | int = 0,
) -> EnsembleScores:
    """Score the mean prediction of the first 1, 2, … solutions against single ones.

    Order the solutions first, by their training loss for one (`Predictions.select`). For a
    Boltzmann ensemble pass the occupations of the minima at a temperature,
    `HarmonicEnsemble.of(landscape).occupations(T)`, as weights.

    Args:
        predictions: Of the solutions, on held-out data.
        weights: Weight of each solution, not negative; equal by default.
        sizes: Sizes of the ensembles; by default 1, 2, 3, 5, 10, 20, … and all.
        draws: Bootstrap samples of the data.
        key: Random key of the bootstrap.

    Raises:
        ArgumentError: if a size or a weight is out of range.
    """
    count = len(predictions.ids)
    chosen = _sizes(count) if sizes is None else np.atleast_1d(np.asarray(sizes, int))
    if chosen.min() < 1 or chosen.max() > count:
        raise ArgumentError(f"sizes={chosen.tolist()}: expected 1 to {count} solutions")
    if draws < 2:
        raise ArgumentError(f"draws={draws} must be at least 2")
    weight = np.ones(count) if weights is None else np.asarray(weights, float).reshape(-1)
    if len(weight) != count or not np.isfinite(weight).all() or weight.min() < 0:
        raise ArgumentError(f"weights: expected {count} numbers, finite and not negative")
    if weight[: chosen.min()].sum() <= 0:
        raise ArgumentError("weights: those of the first solutions are all zero")
    classes = predictions.classes is not None
    means = predictions.probabilities if classes else predictions.outputs
    mixed = np.stack(
        [np.tensordot(weight[:k] / weight[:k].sum(), means[:k], axes=1) for k in chosen.tolist()]
    )
    both = np.concatenate([mixed, means])
    targets = predictions.targets
    names = ("loss", "accuracy", "auc") if classes else ("loss",)
    data = predictions.n_data
    here = _measures(both, targets, np.ones((1, data)), classes=classes)[0]
    sign = np.array([-1.0, 1.0, 1.0])[: len(names)]
    best = np.argmax(np.where(np.isnan(here), -np.inf, sign * here)[len(chosen) :], axis=0)
    compared = np.concatenate([mixed, means[:1], means[best]])
    again = np.concatenate(
        [
            _measures(compared, targets, part, classes=classes)
            for part in _resampled(as_key(key), draws, data)
        ]
    )
    ensembles = again[:, : len(chosen)]
    against_first = again[:, len(chosen) : len(chosen) + 1]
    rows = len(chosen) + 1 + np.arange(len(names))
    against_best = again[:, rows, np.arange(len(names))][:, None]
    return EnsembleScores(
        sizes=chosen,
        measures=names,
        values=here[: len(chosen)],
        errors=ensembles.std(axis=0, ddof=1),
        first=int(predictions.ids[0]),
        first_values=here[len(chosen)],
        best=predictions.ids[best],
        best_values=here[len(chosen) + best, np.arange(len(names))],
        gain_first=_interval(sign * (ensembles - against_first)),
        gain_best=_interval(sign * (ensembles - against_best)),
        draws=draws,
    )


def _sizes(count: int) -> Int[np.ndarray, " sizes"]:
    steps = [1, 2, 3, 5]
    wanted = [m * 10**e for e in range(7) for m in steps if m != 3 or e == 0]
    return np.array([*(k for k in sorted(wanted) if k < count), count])


def _interval(
    gains: Float[np.ndarray, "draws ensembles measures"],
) -> Float[np.ndarray, "ensembles measures 2"]:
    return np.moveaxis(np.quantile(gains, [0.025, 0.975], axis=0), 0, -1)


def _resampled(key: PRNGKey, draws: int, data: int) -> Iterator[Float[np.ndarray, "part data"]]:
    """How often each datum comes in each bootstrap sample, a few samples at a time."""
    step = max(1, _ENTRIES // data)
    for first in range(0, draws, step):
        part = min(step, draws - first)
        rows = jax.random.randint(jax.random.fold_in(key, first), (part, data), 0, data)
        yield np.stack([np.bincount(row, minlength=data) for row in np.asarray(rows)]).astype(float)


def _measures(
    means: Float[np.ndarray, "predictors data width"],
    targets: np.ndarray,
    weights: Float[np.ndarray, "samples data"],
    *,
    classes: bool,
) -> Float[np.ndarray, "samples predictors measures"]:
    """Measures of mean predictions; weights are how often a bootstrap sample holds each datum."""
    total = weights.sum(axis=1, keepdims=True)
    if not classes:
        squares = np.sum((means - targets) ** 2, axis=-1)
        return (weights @ squares.T / total)[..., None]
    loss = weights @ log_loss(means, targets).T / total
    right = weights @ (np.argmax(means, axis=-1) == targets).astype(float).T / total
    area = np.stack([mean_known(auc_per_class(p, targets, weights)) for p in means], axis=1)
    return np.stack([loss, right, area], axis=-1)
