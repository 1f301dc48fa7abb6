"""Where solutions agree: distances in the space of functions, and which data flip."""

import dataclasses

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from thalweg.core import ArgumentError, System

from ._predictions import Predictions
from ._scores import jensen_shannon


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Agreement:
    """How differently solutions predict the same data; matrices are symmetric.

    Attributes:
        ids: Ids of the solutions.
        rms: Root mean square difference of the outputs.
        divergence: Jensen-Shannon divergence of the predicted probabilities in nats, averaged over
            the data: 0 to ln 2. NaN for a regression.
        agree: Share of the data that both put into the same class. NaN for a regression.
        apart: Misclassification distance: how many data exactly one of the two puts into a wrong
            class. -1 for a regression.
        votes: How many solutions put each datum into each class, `(data, classes)`; empty for a
            regression.
        targets: Class of each datum; empty for a regression.
    """

    ids: Int[np.ndarray, " solutions"]
    rms: Float[np.ndarray, "solutions solutions"]
    divergence: Float[np.ndarray, "solutions solutions"]
    agree: Float[np.ndarray, "solutions solutions"]
    apart: Int[np.ndarray, "solutions solutions"]
    votes: Int[np.ndarray, "data classes"]
    targets: Int[np.ndarray, " data"]

    @property
    def flips(self) -> Float[np.ndarray, " data"]:
        """Share of the pairs of solutions that put a datum into different classes."""
        total = self.votes.sum(axis=1, keepdims=True)
        pairs = np.maximum(total * (total - 1), 1)[:, 0]
        same = (self.votes * (self.votes - 1)).sum(axis=1)
        return np.where(total[:, 0] > 1, 1.0 - same / pairs, 0.0)

    @property
    def flipping(self) -> Int[np.ndarray, " some"]:
        """Rows of the data on which solutions disagree, those that divide them most first."""
        rows = np.flatnonzero(self.flips > 0)
        return rows[np.argsort(-self.flips[rows], kind="stable")]

    def table(self) -> pd.DataFrame:
        """One row a pair of solutions, `a` before `b`."""
        a, b = np.triu_indices(len(self.ids), 1)
        return pd.DataFrame(
            {
                "a": self.ids[a],
                "b": self.ids[b],
                "rms": self.rms[a, b],
                "divergence": self.divergence[a, b],
                "agree": self.agree[a, b],
                "apart": self.apart[a, b],
            }
        )

    def flips_table(self) -> pd.DataFrame:
        """One row a datum on which solutions disagree: `row`, `target`, `flips`, votes."""
        rows = self.flipping
        columns = {"row": rows, "target": self.targets[rows], "flips": self.flips[rows]}
        columns |= {f"votes_{c}": votes for c, votes in enumerate(self.votes[rows].T)}
        return pd.DataFrame(columns)


def agreement_of(predictions: Predictions) -> Agreement:
    """Compare every two solutions by what they predict.

    The misclassification distance is that of Das & Wales, Phys. Chem. Chem. Phys. 19, 12585
    (2017), section on MNIST: the size of the symmetric difference of the sets of wrong data.

    Args:
        predictions: Of two solutions or more, on the same data.
    """
    outputs, count = predictions.outputs, len(predictions.ids)
    flat = outputs.reshape(count, -1)
    rms = np.zeros((count, count))
    divergence = np.full((count, count), np.nan)
    classes = predictions.classes is not None
    for i in range(count):
        rms[i] = np.sqrt(np.mean((flat - flat[i]) ** 2, axis=1))
        if classes:
            p = predictions.probabilities
            divergence[i] = jensen_shannon(p, p[i]).mean(axis=1)
    if not classes:
        none = np.zeros((0, 0), int)
        return Agreement(
            ids=predictions.ids,
            rms=rms,
            divergence=divergence,
            agree=np.full((count, count), np.nan),
            apart=np.full((count, count), -1),
            votes=none,
            targets=np.zeros(0, int),
        )
    labels, wrong = predictions.labels, predictions.wrong.astype(int)
    agree = np.stack([(labels == row).mean(axis=1) for row in labels])
    apart = np.stack([np.abs(wrong - row).sum(axis=1) for row in wrong])
    width = predictions.probabilities.shape[-1]
    votes = np.stack([(labels == c).sum(axis=0) for c in range(width)], axis=1)
    return Agreement(
        ids=predictions.ids,
        rms=rms,
        divergence=divergence,
        agree=agree,
        apart=apart,
        votes=votes,
        targets=predictions.targets,
    )


def parameter_distances(
    system: System, points: Float[np.ndarray, "solutions dof"]
) -> Float[np.ndarray, "solutions solutions"]:
    """Distances between parameters, each pair brought together by the system's symmetry first.

    Two networks that differ by the order and the signs of hidden units have distance 0.

    Args:
        system: What the points are of.
        points: Flat parameters, `(solutions, dof)`.
    """
    if points.shape[1] != system.space.dof:
        raise ArgumentError(
            f"points have {points.shape[1]} coordinates; {system.name} has {system.space.dof}"
        )
    count = len(points)
    found = np.zeros((count, count))
    for i in range(count):
        for j in range(i + 1, count):
            found[i, j] = found[j, i] = system.symmetry.align(points[i], points[j])[1]
    return found
