"""Families of the catalogue: losses of models, by name."""

import re

from thalweg.core import System, UnknownSystemError
from thalweg.energies import Family

from ._data_families import DATA_FAMILIES
from ._joints import circuit_loss_system, forcefield_loss_system, formaldehyde_charges
from ._mlp import Mlp
from ._named import (
    digits_data,
    linear_data,
    triatomic_data,
    xor_data,
)
from ._systems import network_system

_LAMBDA = r"l(\d+(?:\.\d+)?(?:e-?\d+)?)"
_HIDDEN = r"h(\d+(?:x\d+)*)"
_ROWS = r"(?:-n(\d+))?"

_WIDEST = 512
"""Hidden units of a layer."""


def _hidden(name: str, text: str) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in text.split("x"))
    if not all(1 <= size <= _WIDEST for size in sizes):
        raise UnknownSystemError(
            f"{name!r} would have hidden layers of {text} units",
            f"a layer has 1 to {_WIDEST} units: h3 for one layer, h3x3 for two",
        )
    return sizes


def _rows(name: str, text: str | None, default: int, least: int, most: int) -> int:
    count = default if text is None else int(text)
    if not least <= count <= most:
        raise UnknownSystemError(
            f"{name!r} would be fitted to {count} rows", f"there are {least} to {most}"
        )
    return count


def _triatomic(name: str, match: re.Match[str]) -> System:
    """The published network: tanh units, a bias for each node, softmax over four classes."""
    train, _ = triatomic_data(_rows(name, match[3], 400, 40, 5000))
    model = Mlp((3, *_hidden(name, match[1]), 4))
    return network_system(model, train, l2=float(match[2]), name=name)


def _triatomic_linear(name: str, match: re.Match[str]) -> System:
    """Convex: its Hessian is that of a softmax regression plus 2λ, so there is one minimum."""
    train, _ = triatomic_data(_rows(name, match[2], 400, 40, 5000))
    return network_system(Mlp((3, 4)), train, l2=float(match[1]), name=name)


def _digits(name: str, match: re.Match[str]) -> System:
    train, _ = digits_data(_rows(name, match[3], 1000, 100, 1500))
    model = Mlp((64, *_hidden(name, match[1]), 10))
    return network_system(model, train, l2=float(match[2]), name=name)


def _xor(name: str, match: re.Match[str]) -> System:
    """Inputs, targets and hidden units are odd: codes are ±1, and the output is linear."""
    model = Mlp((2, *_hidden(name, match[1]), 1))
    return network_system(
        model, xor_data(), criterion="squared-error", l2=float(match[2]), name=name
    )


def _linear(name: str, match: re.Match[str]) -> System:
    """One unit a layer: wider ones could be rotated freely, and minima would not be points."""
    sizes = _hidden(name, match[1])
    if set(sizes) != {1}:
        raise UnknownSystemError(
            f"{name!r}: the hidden layers of a linear network can be rotated into one another",
            "take one unit a layer: linear-h1-l0.1, linear-h1x1-l0.1",
        )
    model = Mlp((3, *sizes, 2), activation="identity", biases="none")
    return network_system(
        model, linear_data(), criterion="squared-error", l2=float(match[2]), name=name
    )


def _circuit(name: str, match: re.Match[str]) -> System:
    """Exclusive or by divisive normalisation."""
    units = _rows(name, match[1], 2, 1, 64)
    return circuit_loss_system(
        units, xor_data(), criterion="squared-error", l2=float(match[2]), name=name
    )


def _charges(name: str, match: re.Match[str]) -> System:
    force_field, dataset = formaldehyde_charges()
    return forcefield_loss_system(force_field, dataset, l2=float(match[1]), name=name)


FAMILIES: tuple[Family, ...] = (
    Family(
        "ljat3-h<H>-l<L>",
        "ljat3-h3-l1e-3",
        rf"ljat3-{_HIDDEN}-{_LAMBDA}{_ROWS}",
        "loss of a network that predicts how three atoms settle: H hidden units (h3x3: two layers),"
        " L2 penalty L, 400 rows or as in ljat3-h3-l1e-3-n1000",
        _triatomic,
    ),
    Family(
        "ljat3-linear-l<L>",
        "ljat3-linear-l1e-3",
        rf"ljat3-linear-{_LAMBDA}{_ROWS}",
        "softmax regression on the same data: convex, one minimum",
        _triatomic_linear,
    ),
    Family(
        "digits-h<H>-l<L>",
        "digits-h10-l1e-3",
        rf"digits-{_HIDDEN}-{_LAMBDA}{_ROWS}",
        "loss of a network that reads 8 x 8 digits: H hidden units, L2 penalty L, 1000 rows",
        _digits,
    ),
    Family(
        "xor-h<H>-l<L>",
        "xor-h2-l0.01",
        rf"xor-{_HIDDEN}-{_LAMBDA}",
        "squared error of a network that learns exclusive or",
        _xor,
    ),
    Family(
        "linear-h<H>-l<L>",
        "linear-h1-l0.1",
        rf"linear-{_HIDDEN}-{_LAMBDA}",
        "squared error of a deep linear network, solvable: one minimum, every saddle strict",
        _linear,
    ),
    Family(
        "organics-h<H>-l<L>",
        "organics-h2-l0.01",
        rf"organics-h(\d+)-{_LAMBDA}",
        "squared error of a normalising circuit of H units that learns exclusive or",
        _circuit,
    ),
    Family(
        "formaldehyde-charges-l<L>",
        "formaldehyde-charges-l0.01",
        rf"formaldehyde-charges-{_LAMBDA}",
        "force error of point charges fitted to a molecule: q and -q are one fit",
        _charges,
    ),
    *DATA_FAMILIES,
)
