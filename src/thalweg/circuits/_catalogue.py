"""Circuits by name, each with a drive."""

import dataclasses
import difflib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import UnknownSystemError

from ._assembly import assemble
from ._cells import gru, lstm
from ._layers import OrganicsLayers
from ._organics import Organics
from ._peers import WilsonCowan, two_population_network
from ._ring import ThreeTypeOrganics, ring
from ._rnn import LeakyRNN
from ._store import NamedCircuit

_TAU = 0.002
"""Time constant of the named ORGaNICs, in seconds."""


@dataclasses.dataclass(frozen=True)
class _Entry:
    description: str
    build: Callable[[], tuple[Any, Any]]


def _scalar() -> tuple[Any, Any]:
    parameters: dict[str, Any] = {"b": 0.5, "b0": 0.5, "sigma": 0.1, "tau_y": _TAU, "tau_a": _TAU}
    return Organics([[1.0]], **parameters), [1.0]


def _bistable() -> tuple[Any, Any]:
    parameters: dict[str, Any] = {"b": 0.5, "b0": 0.5, "sigma": 0.1, "tau_y": 0.030, "tau_a": _TAU}
    return Organics([[1.0]], W_r=[[2.0]], **parameters), [1.0]


def _negative() -> tuple[Any, Any]:
    parameters: dict[str, Any] = {"b": 1.0, "b0": 0.5, "sigma": 1.0, "tau_y": _TAU, "tau_a": _TAU}
    return Organics([[1.0]], W_r=[[-1.0]], **parameters), [1.0]


def _pair() -> tuple[Any, Any]:
    circuit = Organics(
        [[0.87, 0.64], [0.98, 0.98]],
        b=[0.8, 0.7],
        b0=[1.0, 0.5],
        sigma=[0.97, 0.5],
        W_r=[[-0.38, 0.52], [-0.73, -0.67]],
        tau_y=_TAU,
        tau_a=_TAU,
    )
    return circuit, [0.99, 0.05]


def _pool() -> tuple[Any, Any]:
    n = 8
    circuit = Organics(np.ones((n, n)), b=0.5, b0=0.5, sigma=0.1, tau_y=_TAU, tau_a=_TAU)
    return circuit, 0.5 * np.cos(2 * np.pi * np.arange(n) / n + 0.3)


def _ring() -> tuple[Any, Any]:
    circuit = ring()
    return circuit, np.eye(36)[9] * 0.5


def _three() -> tuple[Any, Any]:
    circuit = ThreeTypeOrganics([[1.0]], b0=1.0, sigma=0.1, tau=[0.002, 0.001, 0.010])
    return circuit, [1.0]


def _layers() -> tuple[Any, Any]:
    first, second = jax.random.split(jax.random.key(0))
    uniform: dict[str, Any] = {"b": 0.5, "b0": 0.5, "sigma": 1.0, "tau_y": _TAU, "tau_a": _TAU}
    layers = [
        Organics(np.ones((6, 6)), W_zx=jax.random.normal(first, (6, 4)), **uniform),
        Organics(np.ones((3, 3)), W_zx=jax.random.normal(second, (3, 6)), **uniform),
    ]
    return OrganicsLayers(layers), [0.3, -0.1, 0.8, 0.2]


def _random_rnn(gain: float, n: int = 64) -> LeakyRNN:
    draws = jax.random.normal(jax.random.key(1), (n, n))
    return LeakyRNN(gain * draws / np.sqrt(n), tau=0.010)


def _assembly() -> tuple[Any, Any]:
    keys = jax.random.split(jax.random.key(2), 3)
    parts = [
        LeakyRNN(0.4 * jax.random.normal(key, (n, n)) / n, tau=0.010)
        for key, n in zip(keys, (6, 4, 5), strict=True)
    ]
    weights = {
        (i, j): 100.0 * jax.random.normal(jax.random.key(7 + i + j), (parts[i].dof, parts[j].dof))
        for i, j in ((0, 1), (1, 2))
    }
    return assemble(parts, weights), np.linspace(-1.0, 1.0, 15)


def _cell(build: Callable[..., Any]) -> tuple[Any, Any]:
    return build(3, 16, jax.random.key(3)), [0.5, -0.2, 0.1]


_ENTRIES = {
    "assembly": _Entry("three contracting networks joined by strong feedback", _assembly),
    "gru": _Entry("a GRU of 16 units with random weights", lambda: _cell(gru)),
    "lstm": _Entry("an LSTM of 16 units with random weights", lambda: _cell(lstm)),
    "organics-layers": _Entry("two ORGaNICs layers of 6 and 3 units", _layers),
    "organics-negative": _Entry("one unit with w_r = -1: no stable fixed point", _negative),
    "organics-pair-unstable": _Entry("two units, no stable fixed point", _pair),
    "organics-pool": _Entry("eight units in one normalisation pool, W_r = I", _pool),
    "organics-ring": _Entry("36 orientations on a ring with recurrence", _ring),
    "organics-scalar": _Entry("one unit, W_r = 1: a damped oscillation of 52.6 Hz", _scalar),
    "organics-scalar-bistable": _Entry("one unit with w_r = 2 and two stable states", _bistable),
    "organics-three-type": _Entry("one unit with three cell types, an unstable focus", _three),
    "rnn-chaotic": _Entry(
        "a random leaky network of 64 units, gain 1.5", lambda: (_random_rnn(1.5), None)
    ),
    "rnn-contracting": _Entry(
        "a random leaky network of 64 units, gain 0.45", lambda: (_random_rnn(0.45), None)
    ),
    "supralinear": _Entry(
        "the stabilised supralinear network of two populations",
        lambda: (two_population_network(), [2.0, 2.0]),
    ),
    "wilson-cowan": _Entry("Wilson-Cowan on its limit cycle", lambda: (WilsonCowan(), [1.25, 0.0])),
    "wilson-cowan-rest": _Entry("Wilson-Cowan at rest", lambda: (WilsonCowan(), [0.0, 0.0])),
}


def circuit(name: str) -> NamedCircuit:
    """A circuit of the catalogue with its drive.

    Args:
        name: Such as `"organics-scalar-bistable"`; `circuit_names()` lists them.

    Raises:
        UnknownSystemError: if there is none of that name; it suggests the closest ones.
    """
    key = name.strip().lower()
    if key not in _ENTRIES:
        close = difflib.get_close_matches(key, _ENTRIES, n=3, cutoff=0.4)
        raise UnknownSystemError(
            f"no circuit is called {name!r}",
            f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(_ENTRIES)}",
        )
    built, drive = _ENTRIES[key].build()
    drive = None if drive is None else jnp.asarray(drive)
    return NamedCircuit(key, built, drive, _ENTRIES[key].description)


def circuit_names() -> dict[str, str]:
    """Names of the catalogue, each with one line about it."""
    return {name: entry.description for name, entry in _ENTRIES.items()}
