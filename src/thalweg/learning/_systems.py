"""From a model and data to a system whose landscape can be mapped."""

import math
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

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
from ._equinox import EquinoxModel, equinox_network, kind_of
from ._mlp import Dense, Kind, Mlp, layers_of
from ._torch import is_torch, mlp_from_torch

Criterion = str | AbstractCriterion | Callable[..., Any]

_CHUNK = 2048

_FAR = 100.0
"""Lengths beyond which the weights of a classifier have run away: its outputs are saturated."""
"""Rows that are evaluated at once where there are more."""


def loss_system(  # noqa: PLR0913 - a record of wishes; all but three have defaults
    predict: Callable[..., Any],
    params: PyTree,
    data: LearningData,
    *,
    criterion: Criterion = "cross-entropy",
    l2: float = 0.0,
    penalised: Literal["all", "weights"] = "all",
    symmetry: Literal["auto"] | AbstractSymmetry | None = "auto",
    chunk: int | None = None,
    name: str = "loss",
    length: float = 1.0,
    start: AbstractStart | None = None,
    extent: float | None = None,
) -> System:
    """The loss of any differentiable model as a system.

    Args:
        predict: `(params, inputs) -> outputs`, rows to rows; an `Mlp` is one.
        params: Parameters of the right shapes, any pytree of arrays; values do not matter.
        data: What is fitted.
        criterion: `"cross-entropy"`, `"squared-error"`, `"auc"`, or a function
            `(outputs, targets) -> losses of the rows`.
        l2: Strength of the penalty `l2 Σ p²`.
        penalised: `"all"` parameters, or only `"weights"`: arrays of two axes or more.
        symmetry: `"auto"` finds that of an `Mlp` and declares none for other models.
        chunk: Rows at a time; default all up to 2048, else blocks of 2048.
        name: What the system is called.
        length: A typical distance between neighbouring minima.
        start: Where searches begin; default independent normal parameters of width `length`.
        extent: Largest parameter that a search may have before it counts as escaped. Default: a
            hundred lengths for a classifier without penalty, whose loss falls for ever where its
            rows can be separated; otherwise none.

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
    model: Any = predict if isinstance(predict, eqx.Module) else FunctionModel(predict)
    chosen = criterion_of(criterion)
    energy = LossEnergy(
        model,
        chosen,
        data,
        jnp.asarray(float(l2)),
        unravel,
        _CHUNK if chunk is None and len(data) > _CHUNK else chunk,
        None if penalised == "all" else _weights(params),
        bool(getattr(model, "kinks", False)),
    )
    _check(energy)
    if isinstance(symmetry, str):
        symmetry = _automatic(model, params, energy)
    template = jax.tree.map(lambda leaf: jnp.zeros(jnp.shape(leaf)), params)
    classifies = isinstance(chosen, CrossEntropy | PairwiseAuc)
    if extent is None:
        extent = _FAR * length if classifies and l2 == 0 else math.inf
    return System(
        energy,
        name=name,
        space=FlatSpace(template, extent=float(extent)),
        symmetry=NoSymmetry() if symmetry is None else symmetry,
        start=NormalStart(jnp.zeros(unravel.dof), length) if start is None else start,
        length=length,
        floor=-1e-9 if classifies else -math.inf,
    )


def network_system(
    model: Any,
    data: LearningData,
    *,
    criterion: Criterion = "cross-entropy",
    l2: float = 0.0,
    **wishes: Any,
) -> System:
    """The loss of a network as a system, with the symmetry of its hidden units.

    Hidden units are found in an `Mlp`, in `equinox.nn.MLP`, in an `equinox.nn.Sequential` of
    linear layers and functions, and in a `torch.nn.Sequential` of linear layers and activations
    (which becomes an `Mlp`). Other Equinox models are taken without symmetry.

    Args:
        model: The network.
        data: What is fitted.
        criterion: As in `loss_system`.
        l2: Strength of the penalty `l2 Σ p²`.
        wishes: The other arguments of `loss_system`.

    Raises:
        ArgumentError: if the model is of no known kind, or does not fit the data.
    """
    predict, params = _network(model)
    options = {"name": "network", **wishes}
    return loss_system(predict, params, data, criterion=criterion, l2=l2, **options)


def parameters_of(model: Any) -> Float[np.ndarray, " dof"]:
    """The flat parameters that an Equinox or PyTorch network holds: a point of its system."""
    if is_torch(model):
        return mlp_from_torch(model)[1]
    if isinstance(model, Mlp):
        raise ArgumentError("an Mlp holds no parameters", "draw some: model.init(key)")
    params = _network(model)[1]
    return np.concatenate(
        [np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(params)]
    )


def loss_of(system: System) -> LossEnergy:
    """The energy of a system that is a loss.

    Raises:
        ArgumentError: if it is none.
    """
    if not isinstance(system.energy, LossEnergy):
        raise ArgumentError(
            f"{system.name} is no loss: its energy is a {type(system.energy).__name__}",
            "loss_system and network_system make losses",
        )
    return system.energy


def _network(model: Any) -> tuple[Any, PyTree]:
    """A network as a function, and parameters of the right shapes."""
    if isinstance(model, Mlp):
        return model, model.template
    if isinstance(model, eqx.Module):
        return equinox_network(model)
    if is_torch(model):
        converted = mlp_from_torch(model)[0]
        return converted, converted.template
    raise ArgumentError(
        f"network_system got a {type(model).__name__}, expected an Mlp, an Equinox model or a "
        "torch.nn.Sequential",
        "loss_system takes any function (params, inputs) -> outputs; sklearn_system estimators",
    )


def _weights(params: PyTree) -> Bool[Array, " dof"]:
    """Which parameters are in arrays of two axes or more."""
    marks = [
        np.full(np.size(leaf), np.ndim(leaf) >= 2, dtype=bool) for leaf in jax.tree.leaves(params)
    ]
    return jnp.asarray(np.concatenate(marks))


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


def _automatic(model: Any, params: PyTree, energy: LossEnergy) -> AbstractSymmetry:
    """The symmetry of a chain of dense layers under this criterion and penalty."""
    found = model.chain(Unravel.of(params)) if isinstance(model, Mlp | EquinoxModel) else None
    if found is None:
        return NoSymmetry()
    chain = found.places
    kinds: list[Kind] = [kind_of(activation) for activation in found.activations]
    free = float(energy.l2) == 0.0
    allowed: list[Kind] = [
        _allowed(kind, layer, free) for kind, layer in zip(kinds, chain[:-1], strict=True)
    ]
    layers = layers_of(chain, allowed)
    gauge = tuple(
        places
        for places in _shifts(energy.criterion, chain[-1])
        if free or (energy.penalised is not None and not energy.penalised[np.array(places)].any())
    )
    return NetworkSymmetry(layers, gauge) if layers or gauge else NoSymmetry()


def _allowed(kind: Kind, layer: Dense, free: bool) -> Kind:  # noqa: FBT001 - a fact, not a wish
    """What the units of a layer may do, given their biases and the penalty."""
    if layer.bias is not None and np.ndim(layer.bias) == 0:
        return "plain"  # a bias that others share can change neither sign nor scale
    return "plain" if kind == "homogeneous" and not free else kind


def _shifts(criterion: AbstractCriterion, last: Dense) -> list[tuple[int, ...]]:
    """Sets of places of the last layer whose common shift the criterion does not see."""
    weight = np.asarray(last.weight)
    biases = [] if last.bias is None else [int(place) for place in np.ravel(last.bias)]
    columns = [tuple(int(place) for place in column) for column in weight.T]
    if len(weight) > 1 and isinstance(criterion, CrossEntropy):
        return columns + ([tuple(biases)] if biases else [])
    if isinstance(criterion, PairwiseAuc) and len(weight) <= 2:
        # Of two classes only the order of the rows counts, so that each bias is free.
        return (columns if len(weight) > 1 else []) + [(place,) for place in biases]
    if isinstance(criterion, PairwiseAuc):
        return columns + ([tuple(biases)] if biases else [])
    return []
