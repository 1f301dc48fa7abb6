"""Which kernel is right for which target; a wrong pair is refused with the right one's name."""

from collections.abc import Callable
from typing import Any

from thalweg.core import ArgumentError
from thalweg.sampling._targets import ExactWeight, NoisyEnergy, NoisyWeight, Oracle, Target

from ._blackjax import Blackjax
from ._cloud import Cloud
from ._correlated import BlockWeight, CorrelatedWeight
from ._exchange import Exchange
from ._kernel import AbstractKernel
from ._metropolis import Metropolis
from ._minibatch import MinibatchBarker
from ._oracle import AcceptIfPass
from ._penalty import Penalty
from ._stored import StoredWeight
from ._two_coin import TwoCoin

_NAMES: dict[str, Callable[[], AbstractKernel]] = {
    "metropolis": Metropolis,
    "stored-weight": StoredWeight,
    "correlated-weight": CorrelatedWeight,
    "block-weight": BlockWeight,
    "cloud": Cloud,
    "penalty": Penalty,
    "minibatch-barker": MinibatchBarker,
    "accept-if-pass": AcceptIfPass,
    "two-coin": TwoCoin,
    "exchange": lambda: Exchange.geometric(6, 0.08),
    "nuts": lambda: Blackjax(algorithm="nuts"),
    "hmc": lambda: Blackjax(algorithm="hmc"),
    "mala": lambda: Blackjax(algorithm="mala"),
}
_ALIASES = {
    "pseudo-marginal": "stored-weight",
    "stochastic-weight": "stored-weight",
    "random-walk": "metropolis",
}

_WHY = {
    ExactWeight: ("an exact weight", "Metropolis, or Blackjax('nuts')", "no noise to correct for"),
    NoisyWeight: (
        "a noisy weight",
        "StoredWeight",
        "the drawn weight of the current point must be kept, and counted as part of the state",
    ),
    NoisyEnergy: (
        "a noisy energy",
        "Penalty",
        "exp of minus a noisy energy is no unbiased weight: its average is another law",
    ),
    Oracle: ("an oracle", "AcceptIfPass", "a yes is an unbiased weight of 1, a no one of 0"),
}


def kernel_names() -> list[str]:
    """Names that `sample(kernel=...)` knows, besides `"auto"`."""
    return sorted([*_NAMES, *_ALIASES])


def find_kernel(kernel: Any) -> AbstractKernel:
    """The kernel of that name, with its defaults, or the kernel itself.

    Raises:
        ArgumentError: if there is none of that name, or it is no kernel.
    """
    if isinstance(kernel, AbstractKernel):
        return kernel
    if isinstance(kernel, str):
        name = _ALIASES.get(kernel, kernel)
        if name in _NAMES:
            return _NAMES[name]()
        raise ArgumentError(
            f"kernel={kernel!r} is no name of a kernel", f"known: auto, {', '.join(kernel_names())}"
        )
    hint = f"{kernel.__name__}()" if isinstance(kernel, type) else "kernel='auto', for one"
    raise ArgumentError(f"kernel is a {type(kernel).__name__}, expected a name or a kernel", hint)


def check_pair(kernel: AbstractKernel, target: Target) -> None:
    """Refuse a kernel that does not sample the target's law.

    Raises:
        ArgumentError: naming the right kernel.
    """
    if isinstance(target, kernel.accepts):
        return
    what, right, why = _WHY[type(target)]
    raise ArgumentError(
        f"kernel {kernel.name} is not legal for {what}, whose law is {target.law}",
        f"use {right}: {why}; kernel='auto' chooses by itself",
    )
