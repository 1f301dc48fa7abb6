"""PyTorch modules: dense networks become an `Mlp`, others are called on the host."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError, FreeSpace, HostEnergy, NormalStart, System

from ._mlp import Dense, Mlp

_NAMES = {
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "Softplus": "softplus",
    "SiLU": "silu",
    "ELU": "elu",
    "Softsign": "softsign",
    "GELU": "gelu",
}
_DEFAULTS = {"negative_slope": 0.01, "alpha": 1.0, "beta": 1.0}
_PASSED = {"Dropout", "Flatten", "Identity"}

_HINT = (
    "a torch.nn.Sequential of Linear layers with one activation between two is converted; write "
    "others in JAX (loss_system), or map them through the host with torch_system(module, loss)"
)


def is_torch(model: Any) -> bool:
    """Whether a model is a PyTorch module; PyTorch is not imported for the question."""
    return any(base.__module__.startswith("torch.nn") for base in type(model).__mro__)


def mlp_from_torch(module: Any) -> tuple[Mlp, Float[np.ndarray, " dof"]]:
    """A `torch.nn.Sequential` of `Linear` layers and activations as an `Mlp`, with its weights.

    Dropout counts as switched off.

    Raises:
        ArgumentError: if it is anything else.
    """
    from torch import nn  # pyright: ignore[reportMissingImports]

    if isinstance(module, nn.Linear):
        module = nn.Sequential(module)
    if not isinstance(module, nn.Sequential):
        raise ArgumentError(f"a torch {type(module).__name__} has no known form", _HINT)
    linears, names = [], []
    for part in module:
        kind = type(part).__name__
        if isinstance(part, nn.Linear):
            if len(linears) > len(names):
                names.append("identity")
            linears.append(part)
        elif kind in _NAMES and len(linears) == len(names) + 1:
            names.append(_activation(part))
        elif kind not in _PASSED:
            raise ArgumentError(f"the torch layer {kind} cannot be converted here", _HINT)
    if len(linears) != len(names) + 1:
        raise ArgumentError(
            "the torch network ends in an activation",
            "leave it out: cross-entropy takes logits, and squared error a linear output",
        )
    with_bias = {part.bias is not None for part in linears}
    if len(with_bias) > 1:
        raise ArgumentError("some torch layers have biases and some have none", _HINT)
    sizes = (linears[0].in_features, *(part.out_features for part in linears))
    model = Mlp(sizes, tuple(names), "each" if with_bias == {True} else "none")
    layers = tuple(
        Dense(_array(part.weight), None if part.bias is None else _array(part.bias))
        for part in linears
    )
    return model, np.asarray(model.ravel(layers))


def _activation(part: Any) -> str:
    """The name of an activation with its usual parameters."""
    for field, usual in _DEFAULTS.items():
        if getattr(part, field, usual) != usual:
            raise ArgumentError(f"{part} is not the usual one, {field}={usual}", _HINT)
    if getattr(part, "approximate", "none") == "tanh":
        return "gelu_tanh"
    return _NAMES[type(part).__name__]


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float64)


def torch_system(
    module: Any, loss: Callable[[Any], Any], *, name: str = "torch", length: float = 1.0
) -> tuple[System, Float[np.ndarray, " dof"]]:
    """Any PyTorch module as a system, evaluated by PyTorch on the host, in float64.

    Gradients are PyTorch's; Hessian-vector products are differences of them, which certificates
    say. The loss must be deterministic: full batch, `module.eval()`, no dropout. The module is
    converted to float64, and its parameters are overwritten by every call.

    Args:
        module: A `torch.nn.Module`.
        loss: `module -> loss`, a scalar tensor, penalty included; its data in float64.
        name: What the system is called.
        length: A typical distance between neighbouring minima.

    Returns:
        The system, whose points are the parameters one after the other, and the module's own.
    """
    import torch  # pyright: ignore[reportMissingImports]

    module = module.double().eval()
    params = [p for p in module.parameters() if p.requires_grad]
    own = np.concatenate([_array(p).ravel() for p in params])

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        torch.nn.utils.vector_to_parameters(torch.from_numpy(np.array(x)), params)
        module.zero_grad(set_to_none=True)
        value = loss(module)
        gradients = torch.autograd.grad(value, params, allow_unused=True)
        filled = [
            np.zeros(tuple(p.shape)) if g is None else _array(g)
            for g, p in zip(gradients, params, strict=True)
        ]
        return float(value.detach()), np.concatenate([g.ravel() for g in filled])

    system = System(
        HostEnergy(evaluate, len(own)),
        name=name,
        space=FreeSpace((len(own),)),
        start=NormalStart(jnp.zeros(len(own)), length),
        length=length,
    )
    return system, own
