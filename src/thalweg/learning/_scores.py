r"""How good predictions are: cross-entropy, accuracy and the area under the ROC curve.

Everything here works on arrays: outputs of one or many solutions, $(\ldots, n, K)$, and the classes
or values that they should have. Probabilities are the softmax of the outputs; of a single output
$z$ they are $(1 - \sigma(z), \sigma(z))$, the softmax of $(0, z)$.

The area under the ROC curve of class $c$ against the rest is the chance that a datum of the class
scores higher than one of another, ties counting one half: the Mann-Whitney statistic

$$ \mathrm{AUC}_c = \frac{1}{n_+ n_-}\sum_{i \in c,\, j \notin c}
   \left[p_{ic} > p_{jc}\right] + \tfrac12 \left[p_{ic} = p_{jc}\right], $$

computed from mid-ranks in $O(n \log n)$. Source: Hanley & McNeil, Radiology 143, 29 (1982).
"""

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from thalweg.core import ArgumentError

_TINY = 1e-300


def class_probabilities(
    outputs: Float[np.ndarray, "*solutions data outputs"],
) -> Float[np.ndarray, "*solutions data classes"]:
    """Probabilities of the classes: softmax, or the logistic function of a single output."""
    if outputs.shape[-1] == 1:
        outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=-1)
    return special.softmax(outputs, axis=-1)


def log_loss(
    probabilities: Float[np.ndarray, "*solutions data classes"], classes: Int[np.ndarray, " data"]
) -> Float[np.ndarray, "*solutions data"]:
    """-ln of the probability given to the right class, one for each datum."""
    right = probabilities[..., np.arange(len(classes)), classes]
    return -np.log(np.maximum(right, _TINY))


def auc(
    scores: Float[np.ndarray, " data"],
    positive: np.ndarray,
    weights: Float[np.ndarray, "*samples data"] | None = None,
) -> float | Float[np.ndarray, "*samples"]:
    """Area under the ROC curve: the Mann-Whitney statistic, ties counting one half.

    Args:
        scores: What the data are ranked by; `(data,)`.
        positive: Which data are of the class; `(data,)`, boolean.
        weights: How often each datum counts, by default once; or how often in each of several
            samples, `(samples, data)` (a bootstrap's multiplicities).

    Returns:
        A number from 0 to 1, one for each sample; NaN where all data are of one kind, or if a
        score is NaN.
    """
    positive = np.asarray(positive, bool)
    if scores.shape != positive.shape:
        raise ArgumentError(f"scores have shape {scores.shape}, positive has {positive.shape}")
    weight = np.ones(len(scores)) if weights is None else np.asarray(weights, float)
    if np.isnan(scores).any():
        return np.full(weight.shape[:-1], np.nan)[()]
    order = np.argsort(scores, kind="stable")
    _, level = np.unique(scores[order], return_inverse=True)
    ends = np.cumsum(np.bincount(level))  # of the runs of equal scores
    up = np.where(positive, weight, 0.0)[..., order]
    down = np.where(positive, 0.0, weight)[..., order]
    below = np.concatenate([np.zeros((*weight.shape[:-1], 1)), np.cumsum(down, axis=-1)], axis=-1)
    begins = np.concatenate([[0], ends[:-1]])
    # Negatives strictly below each run, and half of those inside it.
    won = 0.5 * (below[..., begins] + below[..., ends])[..., level]
    pairs = up.sum(axis=-1) * down.sum(axis=-1)
    area = np.where(pairs > 0, (up * won).sum(axis=-1) / np.where(pairs > 0, pairs, 1.0), np.nan)
    return area[()]


def auc_per_class(
    probabilities: Float[np.ndarray, "data classes"],
    classes: Int[np.ndarray, " data"],
    weights: Float[np.ndarray, "*samples data"] | None = None,
) -> Float[np.ndarray, "*samples classes"]:
    """Each class against the rest; NaN for a class that no datum (or every datum) is of."""
    areas = [
        np.asarray(auc(probabilities[:, c], classes == c, weights))
        for c in range(probabilities.shape[1])
    ]
    return np.stack(areas, axis=-1)


def mean_known(values: Float[np.ndarray, "*rows classes"]) -> Float[np.ndarray, "*rows"]:
    """Mean over the last axis of what is not NaN; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def jensen_shannon(
    p: Float[np.ndarray, "*rows classes"], q: Float[np.ndarray, "*others classes"]
) -> Float[np.ndarray, "*rows"]:
    """Jensen-Shannon divergence in nats: 0 for equal distributions, ln 2 for disjoint ones.

    `q` may have fewer leading axes than `p`, and is then repeated.

    Source: Lin, IEEE Trans. Inf. Theory 37, 145 (1991).
    """
    middle = 0.5 * (p + q)
    parts = special.rel_entr(p, middle) + special.rel_entr(q, middle)
    return np.asarray(np.maximum(0.5 * parts.sum(axis=-1), 0.0))
