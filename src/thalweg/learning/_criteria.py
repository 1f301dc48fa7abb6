"""What a fit minimises over its data: criteria, as mean losses of rows or of pairs of rows."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from thalweg.core import ArgumentError

from ._data import LearningData

Outputs = Float[Array, "n outputs"]


class AbstractCriterion(eqx.Module):
    """The loss of each row; the energy is its mean."""

    @abc.abstractmethod
    def __call__(self, outputs: Outputs, targets: Array) -> Float[Array, " n"]:
        """Losses of some rows, given what the model says about them."""

    def check(self, outputs: int, data: LearningData) -> None:
        """Refuse data that the criterion cannot judge.

        Raises:
            ArgumentError: naming what does not fit.
        """
        del outputs, data


class CrossEntropy(AbstractCriterion):
    """`-ln p` of the right class, `p` the softmax of the outputs.

    With one output and two classes the output is the log-odds of class 1.
    """

    def __call__(self, outputs: Outputs, targets: Array) -> Float[Array, " n"]:
        """Minus the logarithm of the probability of the right class."""
        if outputs.shape[1] == 1:
            sign = 1.0 - 2.0 * targets.astype(outputs.dtype)
            return jax.nn.softplus(sign * outputs[:, 0])
        right = jnp.take_along_axis(outputs, targets[:, None], axis=1)[:, 0]
        return jax.nn.logsumexp(outputs, axis=1) - right

    def check(self, outputs: int, data: LearningData) -> None:
        """Integer targets, and an output for each class."""
        _check_classes("cross-entropy", outputs, data)


class SquaredError(AbstractCriterion):
    """The sum of squared errors of the outputs; no factor of one half.

    Attributes:
        scale: Factor on it.
    """

    scale: float = eqx.field(static=True, default=1.0)

    def __call__(self, outputs: Outputs, targets: Array) -> Float[Array, " n"]:
        """Squared distance of outputs and targets."""
        return self.scale * jnp.sum((outputs - targets) ** 2, axis=1)

    def check(self, outputs: int, data: LearningData) -> None:
        """Numbers as targets, as many as outputs."""
        if data.classes is not None:
            raise ArgumentError(
                "squared error needs numbers as targets, and these are classes",
                "criterion='cross-entropy', or targets as floats (one-hot rows, for one)",
            )
        if data.targets.shape[1] != outputs:
            raise ArgumentError(
                f"the model has {outputs} outputs and the data {data.targets.shape[1]} targets"
            )


class RowCriterion(AbstractCriterion):
    """A user's function `(outputs, targets) -> losses of the rows`."""

    function: Callable[..., Any] = eqx.field(static=True)

    def __call__(self, outputs: Outputs, targets: Array) -> Array:
        """What the function says."""
        return self.function(outputs, targets)


class PairwiseAuc(AbstractCriterion):
    r"""One minus a smooth area under the ROC curve, averaged over classes against the rest.

    For class `c`, over pairs of a row of it and one that is not,
    $\langle \sigma(-k(s_i - s_j)) \rangle$ with $s$ the log-odds of `c`; for $k \to \infty$ it is
    one minus the Mann-Whitney statistic. Pairs are counted, so its cost grows with the square of
    the number of rows.

    Source: a sigmoid in place of the step, Yan, Dodier, Mozer & Wolniewicz, ICML (2003).

    Attributes:
        steepness: The factor `k`.
        positive: The class that counts; `None` averages over all.
    """

    steepness: float = 1.0
    positive: int | None = eqx.field(static=True, default=None)

    def __call__(self, outputs: Outputs, targets: Array) -> Float[Array, " n"]:
        """Each row's share, so that the mean over the rows is the criterion."""
        return self.shares(log_odds(outputs), targets, log_odds(outputs), targets)

    def shares(self, left: Array, mine: Array, right: Array, others: Array) -> Float[Array, " m"]:
        """Shares of some rows (`left`), each paired with all rows (`right`)."""
        wanted = range(right.shape[1]) if self.positive is None else (self.positive,)
        total, count = jnp.zeros(left.shape[0], left.dtype), others.shape[0]
        for c in wanted:
            rest = (others != c).astype(left.dtype)
            inside = (mine == c).astype(left.dtype)
            gap = left[:, c, None] - right[None, :, c]
            lost = jax.nn.sigmoid(-self.steepness * gap) @ rest
            number = count - jnp.sum(rest)
            pairs = jnp.maximum(number * jnp.sum(rest), 1.0)
            total = total + inside * lost * (count / pairs)
        return total / len(wanted)

    def check(self, outputs: int, data: LearningData) -> None:
        """Integer targets, and an output for each class."""
        _check_classes("the area under the ROC curve", outputs, data)
        if self.positive is not None and not 0 <= self.positive < (data.classes or 0):
            raise ArgumentError(f"positive={self.positive} is no class of 0 to {data.classes}")


def log_odds(outputs: Outputs) -> Float[Array, "n classes"]:
    """Logarithm of the odds of each class; of two classes where there is one output."""
    if outputs.shape[1] == 1:
        return jnp.concatenate([-outputs, outputs], axis=1)
    columns = []
    for c in range(outputs.shape[1]):
        rest = jnp.delete(outputs, c, axis=1)
        columns.append(outputs[:, c] - jax.nn.logsumexp(rest, axis=1))
    return jnp.stack(columns, axis=1)


CRITERIA: dict[str, AbstractCriterion] = {
    "cross-entropy": CrossEntropy(),
    "squared-error": SquaredError(),
    "auc": PairwiseAuc(),
}


def criterion_of(criterion: str | AbstractCriterion | Callable[..., Any]) -> AbstractCriterion:
    """A criterion from its name, itself or a user's function.

    Raises:
        ArgumentError: if no criterion has that name.
    """
    if isinstance(criterion, AbstractCriterion):
        return criterion
    if isinstance(criterion, str):
        if criterion not in CRITERIA:
            raise ArgumentError(
                f"criterion={criterion!r} is none of {', '.join(CRITERIA)}",
                "or give a function (outputs, targets) -> losses of the rows",
            )
        return CRITERIA[criterion]
    return RowCriterion(criterion)


def _check_classes(what: str, outputs: int, data: LearningData) -> None:
    if data.classes is None:
        raise ArgumentError(
            f"{what} needs classes as targets, and these are numbers",
            "criterion='squared-error', or integer targets",
        )
    if outputs != data.classes and not (outputs == 1 and data.classes == 2):
        raise ArgumentError(
            f"the model has {outputs} outputs and the data {data.classes} classes",
            "one output for each class, or a single one for two classes",
        )
