"""The data sets behind the named systems."""

import functools
import itertools

import numpy as np

from thalweg.core import ArgumentError

from ._data import LearningData
from ._triatomic import COUNT, TRIATOMIC_CLASSES, read_ljat3

LINEAR_MAP = np.array([[2.0, 0.0, 0.0], [0.0, 0.8, 0.6]])
"""What the linear networks are to learn: singular values 2 and 1."""


@functools.cache
def triatomic_data(rows: int = 400) -> tuple[LearningData, LearningData]:
    """Three distances of a start and the class of its quench: rows to train on, and to test with.

    Args:
        rows: Rows to train on: the first labelled ones of the first half of `read_ljat3()`.

    Returns:
        They, and the labelled rows of the second half. Inputs are r₁₂, r₁₃, r₂₃ in units of σ,
        not standardised, as in the published study.

    Raises:
        ArgumentError: if there are not so many.
    """
    found = read_ljat3()
    labelled = np.flatnonzero(found.labels >= 0)
    first, second = labelled[labelled < COUNT // 2], labelled[labelled >= COUNT // 2]
    if not 2 <= rows <= len(first):
        raise ArgumentError(f"rows={rows}: there are {len(first)} rows to train on")
    sides = (first[:rows], second)
    train, test = (
        LearningData(found.distances[i], found.labels[i], classes=4, names=TRIATOMIC_CLASSES)
        for i in sides
    )
    return train, test


@functools.cache
def digits_data(rows: int = 1000) -> tuple[LearningData, LearningData]:
    """The 8 x 8 handwritten digits that come with scikit-learn, in [0, 1].

    Args:
        rows: Rows to train on, the first of 1797; the others are to test with.

    Raises:
        ArgumentError: if scikit-learn is not installed, or there are not so many.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ArgumentError(
            "the digits come with scikit-learn, which is not installed",
            "pip install 'thalweg[digits]'",
        ) from error
    inputs, labels = load_digits(return_X_y=True)
    if not 10 <= rows < len(labels):
        raise ArgumentError(f"rows={rows}: there are {len(labels)} digits")
    inputs, labels = np.asarray(inputs, float) / 16.0, np.asarray(labels, int)
    return (
        LearningData(inputs[:rows], labels[:rows], classes=10),
        LearningData(inputs[rows:], labels[rows:], classes=10),
    )


def xor_data() -> LearningData:
    """Exclusive or of two inputs, all of them ±1."""
    inputs = np.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    return LearningData(inputs, -np.prod(inputs, axis=1))


def linear_data() -> LearningData:
    """The corners of a cube, whose second moments are the unit matrix, and their image."""
    inputs = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    return LearningData(inputs, inputs @ LINEAR_MAP.T)
