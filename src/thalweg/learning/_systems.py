"""From a model and data to a system whose landscape can be mapped."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from thalweg.core import (
    AbstractStart,
    AbstractSymmetry,
    ArgumentError,
    FlatSpace,
    NetworkSymmetry,
    NormalStart,
    NoSymmetry,
    System,
)

from ._criteria import AbstractCriterion, CrossEntropy, PairwiseAuc, criterion_of
from ._data import LearningData
from ._energy import FunctionModel, LossEnergy, Unravel
from ._mlp import Dense, Mlp, places_of

Criterion = str | AbstractCriterion | Callable[..., Any]

_CHUNK = 2048
"""Rows that are evaluated at once where there are more."""


def loss_system(
    predict: Callable[..., Any],
    params: PyTree,
    data: LearningData,
    *,
    criterion: Criterion = "cross-entropy",
    l2: float = 0.0,
    symmetry: Literal["auto"] | AbstractSymmetry | None = "auto",
    chunk: int | None = None,
    name: str = "loss",
    length: float = 1.0,
    start: AbstractStart | None = None,
) -> System:
    """The loss of any differentiable model as a system.

    Args:
        predict: `(params, inputs) -> outputs`, rows to rows; an `Mlp` is one.
        params: Parameters of the right shapes, any pytree of arrays; values do not matter.
        data: What is fitted.
        criterion: `"cross-entropy"`, `"squared-error"`, `"auc"`, or a function
            `(outputs, targets) -> losses of the rows`.
        l2: Strength of the penalty `l2 Σ p²` on all parameters.
        symmetry: `"auto"` finds that of an `Mlp` and declares none for other models.
        chunk: Rows at a time; default all up to 2048, else blocks of 2048.
        name: What the system is called.
        length: A typical distance between neighbouring minima.
        start: Where searches begin; default independent normal parameters of width `length`.

    Raises:
        ArgumentError: if model, data and criterion do not fit together.
    """
    if not l2 >= 0 or not np.isfinite(l2):
        raise ArgumentError(
            f"l2={l2} must be a number that is not negative",
            "the penalty holds the parameters: l2=1e-3, for one",
        )
    if chunk is not None and chunk < 1:
        raise ArgumentError(f"chunk={chunk} must be at least one row")
    unravel = Unravel.of(params)
    model = predict if isinstance(predict, eqx.Module) else FunctionModel(predict)
    chosen = criterion_of(criterion)
    blocks = _CHUNK if chunk is None and len(data) > _CHUNK else chunk
    kinks = bool(getattr(model, "kinks", False))
    penalty = jnp.asarray(float(l2))
    energy = LossEnergy(model, chosen, data, penalty, unravel, blocks, kinks)
    _check(energy)
    if isinstance(symmetry, str):
        symmetry = _automatic(model, energy, float(l2))
    template = jax.tree.map(lambda leaf: jnp.zeros(jnp.shape(leaf)), params)
    return System(
        energy,
        name=name,
        space=FlatSpace(template),
        symmetry=NoSymmetry() if symmetry is None else symmetry,
        start=NormalStart(jnp.zeros(unravel.dof), length) if start is None else start,
        length=length,
        floor=-1e-9 if isinstance(chosen, CrossEntropy | PairwiseAuc) else -float("inf"),
    )


def network_system(
    model: Any,
    data: LearningData,
    *,
    criterion: Criterion = "cross-entropy",
    l2: float = 0.0,
    chunk: int | None = None,
    name: str = "network",
    length: float = 1.0,
    start: AbstractStart | None = None,
) -> System:
    """The loss of a network as a system, with the symmetry of its hidden units.

    Args:
        model: An `Mlp`.
        data: What is fitted.
        criterion: As in `loss_system`.
        l2: Strength of the penalty `l2 Σ p²` on all parameters.
        chunk: Rows at a time.
        name: What the system is called.
        length: A typical distance between neighbouring minima.
        start: Where searches begin.

    Raises:
        ArgumentError: if the model is of no known kind, or does not fit the data.
    """
    if not isinstance(model, Mlp):
        raise ArgumentError(
            f"network_system got a {type(model).__name__}, expected an Mlp",
            "loss_system takes any function (params, inputs) -> outputs",
        )
    return loss_system(
        model,
        model.template,
        data,
        criterion=criterion,
        l2=l2,
        chunk=chunk,
        name=name,
        length=length,
        start=start,
    )


def _check(energy: LossEnergy) -> None:
    """Model, data and criterion fit together; found without computing anything."""
    data, dof = energy.data, energy.unravel.dof
    point = jax.ShapeDtypeStruct((dof,), jnp.zeros(()).dtype)
    try:
        outputs = jax.eval_shape(energy.outputs, point, data.inputs)
    except ArgumentError:
        raise
    except Exception as error:
        raise ArgumentError(
            f"the model failed on {len(data)} rows of {data.inputs.shape[1]} features: {error}",
            "it is called as predict(params, inputs) with inputs of shape (n, features)",
        ) from error
    if outputs.ndim != 2 or outputs.shape[0] != len(data):
        raise ArgumentError(
            f"the model returned shape {outputs.shape} for {len(data)} rows",
            "return one row of outputs for each row of inputs, (n, outputs)",
        )
    energy.criterion.check(outputs.shape[1], data)
    losses = jax.eval_shape(energy.criterion, outputs, data.targets)
    if losses.shape != (len(data),):
        raise ArgumentError(
            f"the criterion returned shape {losses.shape} for {len(data)} rows",
            "return the loss of each row, (n,); their mean is taken",
        )


def _automatic(model: eqx.Module, energy: LossEnergy, l2: float) -> AbstractSymmetry:
    """The symmetry of an `Mlp` under this criterion and penalty."""
    if not isinstance(model, Mlp):
        return NoSymmetry()
    layers = model.hidden_layers(rescaling=l2 == 0)
    shifts = isinstance(energy.criterion, CrossEntropy) and l2 == 0 and model.sizes[-1] > 1
    gauge = softmax_gauge(places_of(model)[-1]) if shifts else ()
    return NetworkSymmetry(layers, gauge) if layers or gauge else NoSymmetry()


def softmax_gauge(last: Dense) -> tuple[tuple[int, ...], ...]:
    """Sets of places of the last layer whose common shift a softmax does not see."""
    sets = [tuple(int(place) for place in column) for column in np.asarray(last.weight).T]
    if last.bias is not None:
        sets.append(tuple(int(place) for place in np.ravel(last.bias)))
    return tuple(sets)
