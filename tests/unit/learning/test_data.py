"""Tables of data: what is refused, and that the message says where."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.learning import LearningData


def table(n=12):
    return np.array(jax.random.normal(jax.random.key(0), (n, 2))), np.arange(n) % 3


def test_classes_and_numbers():
    inputs, classes = table()
    data = LearningData(inputs, classes, names=("a", "b", "c"))
    assert (len(data), data.classes, data.names) == (12, 3, ("a", "b", "c"))
    numbers = LearningData(inputs[:, 0], inputs[:, 1])
    assert numbers.classes is None
    assert numbers.inputs.shape == numbers.targets.shape == (12, 1)
    assert LearningData(inputs, classes, classes=5).classes == 5


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x, t: (x[:-1], t), "11 rows of inputs and 12 targets"),
        (lambda x, t: (np.where(x == x[7, 1], np.nan, x), t), "row 7 of the inputs holds nan in"),
        (lambda x, t: (np.where(x == x[3, 0], np.inf, x), t), r"\(1 of 12 rows hold NaN"),
        (lambda x, t: (x, np.where(t == 1, np.nan, 1.0)), "row 1 of the targets holds nan"),
        (lambda x, t: (x, 0 * t), "all 12 rows are of class 0"),
        (lambda x, t: (x, t - 1), "classes run from -1 to 1"),
        (lambda x, t: (x, np.eye(3, dtype=int)[t]), "argmax"),
        (lambda x, t: (x[:0], t[:0]), "0 rows of inputs"),
    ],
)
def test_what_cannot_be_fitted_is_named(spoil, message):
    with pytest.raises(ArgumentError, match=message):
        LearningData(*spoil(*table()))


def test_names_and_classes_must_fit():
    inputs, classes = table()
    with pytest.raises(ArgumentError, match="2 names for 3 classes"):
        LearningData(inputs, classes, names=("a", "b"))
    with pytest.raises(ArgumentError, match="goes with integer targets"):
        LearningData(inputs, classes.astype(float), classes=3)
    with pytest.raises(ArgumentError, match="0 to 1"):
        LearningData(inputs, classes, classes=2)


def test_split_keeps_every_row_once_and_depends_on_the_key():
    data = LearningData(*table(), names=("a", "b", "c"))
    train, test = data.split(1, 0.75)
    assert (len(train), len(test)) == (9, 3)
    assert train.names == data.names
    assert test.classes == 3
    rows = np.concatenate([train.inputs, test.inputs])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, np.asarray(data.inputs)))
    assert data.split(1, 0.75)[0].fingerprint == train.fingerprint
    assert data.split(2, 0.75)[0].fingerprint != train.fingerprint
    with pytest.raises(ArgumentError, match="one part empty"):
        data.split(0, 1.0)


def test_fingerprint_sees_every_number():
    inputs, classes = table()
    data = LearningData(inputs, classes)
    assert data.fingerprint == LearningData(jnp.asarray(inputs), classes).fingerprint
    inputs[5, 1] += 1e-9
    assert data.fingerprint != LearningData(inputs, classes).fingerprint
