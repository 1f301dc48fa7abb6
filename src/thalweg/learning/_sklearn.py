"""Fitted estimators of scikit-learn: the same loss as a system, and where the fit ended."""

from typing import Any

import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError, System

from ._criteria import CrossEntropy, SquaredError
from ._data import LearningData
from ._mlp import Dense, Mlp
from ._systems import loss_system

_ACTIVATIONS = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}


def sklearn_system(
    estimator: Any, inputs: np.ndarray, targets: np.ndarray, *, name: str | None = None
) -> tuple[System, Float[np.ndarray, " dof"]]:
    """The loss that an estimator minimised on some data, and its fitted parameters.

    scikit-learn penalises weights, not biases: `MLPClassifier` and `MLPRegressor` with
    `alpha / (2 n) Σ w²`, `LogisticRegression` with `1 / (2 C n) Σ w²`.

    Args:
        estimator: A fitted `MLPClassifier`, `MLPRegressor` or `LogisticRegression`.
        inputs: What it was fitted to, `(n, features)`.
        targets: Labels or numbers.
        name: What the system is called; default the kind of the estimator.

    Returns:
        The system, and the flat parameters of the estimator, a point of it.

    Raises:
        ArgumentError: if the estimator is of another kind, not fitted, or uses options that this
            loss does not have.
    """
    kind = type(estimator).__name__
    if kind in {"MLPClassifier", "MLPRegressor"}:
        model, layers, l2 = _network(estimator, len(inputs))
    elif kind == "LogisticRegression":
        model, layers, l2 = _logistic(estimator, len(inputs))
    else:
        raise ArgumentError(
            f"sklearn_system got a {kind}, expected MLPClassifier, MLPRegressor or "
            "LogisticRegression",
            "for other models write the prediction in JAX: loss_system(predict, params, data)",
        )
    if kind == "MLPRegressor":
        data = LearningData(inputs, np.asarray(targets, np.float64))
        criterion: Any = SquaredError(0.5 / model.sizes[-1])
    else:
        data = LearningData(inputs, _numbered(estimator, targets), classes=len(estimator.classes_))
        criterion = CrossEntropy()
    system = loss_system(
        model,
        model.template,
        data,
        criterion=criterion,
        l2=l2,
        penalised="weights",
        name=name or kind,
    )
    return system, np.asarray(model.ravel(layers))


def _network(estimator: Any, count: int) -> tuple[Mlp, tuple[Dense, ...], float]:
    if not hasattr(estimator, "coefs_"):
        raise ArgumentError(f"the {type(estimator).__name__} is not fitted", "call fit(X, y) first")
    if getattr(estimator, "out_activation_", "identity") == "logistic" and estimator.n_outputs_ > 1:
        raise ArgumentError("fits of several labels at once have no loss here")
    if getattr(estimator, "loss", "squared_error") not in {"squared_error", "log_loss"}:
        raise ArgumentError(f"the loss {estimator.loss!r} is none of squared_error, log_loss")
    weights = [np.asarray(w, np.float64).T for w in estimator.coefs_]
    sizes = (weights[0].shape[1], *(len(w) for w in weights))
    layers = tuple(
        Dense(w, np.asarray(b, np.float64))
        for w, b in zip(weights, estimator.intercepts_, strict=True)
    )
    model = Mlp(sizes, _ACTIVATIONS[estimator.activation])
    return model, layers, 0.5 * float(estimator.alpha) / count


def _logistic(estimator: Any, count: int) -> tuple[Mlp, tuple[Dense, ...], float]:
    if not hasattr(estimator, "coef_"):
        raise ArgumentError("the LogisticRegression is not fitted", "call fit(X, y) first")
    if estimator.penalty in {"l1", "elasticnet"} or getattr(estimator, "l1_ratio", 0.0):
        raise ArgumentError("an L1 penalty has kinks where its minima are: it has no Hessian there")
    weight = np.asarray(estimator.coef_, np.float64)
    bias = np.asarray(estimator.intercept_, np.float64) if estimator.fit_intercept else None
    model = Mlp((weight.shape[1], len(weight)), "tanh", "none" if bias is None else "each")
    strength = 0.0 if estimator.penalty is None or np.isinf(estimator.C) else 0.5 / estimator.C
    return model, (Dense(weight, bias),), float(strength) / count


def _numbered(estimator: Any, targets: np.ndarray) -> np.ndarray:
    """Labels as numbers of the estimator's classes."""
    wanted = np.asarray(targets)
    number = np.searchsorted(estimator.classes_, wanted)
    number = np.minimum(number, len(estimator.classes_) - 1)
    if not np.array_equal(estimator.classes_[number], wanted):
        raise ArgumentError("some labels are no class that the estimator was fitted to")
    return number
