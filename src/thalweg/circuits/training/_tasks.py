"""What networks are trained on: digits at once, pixel by pixel, permuted; adding; copying."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError

from ._idx import read_mnist
from ._networks import Shape

SPLIT_KEY = 73
"""Key of every split and of the permutation: the same for all models and seeds."""

_SYMBOLS = 8
_COPIED = 10


@dataclasses.dataclass(frozen=True)
class Split:
    """Inputs and answers.

    Attributes:
        x: `(samples, inputs)` or `(samples, time, inputs)`, float32.
        y: Classes `(samples,)` or `(samples, time)`, or numbers `(samples,)`.
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


@dataclasses.dataclass(frozen=True)
class Task:
    """A task: what a network must look like, and three sets of data.

    Attributes:
        name: As `task` knows it.
        shape: What it asks of a network.
        loss: `class` (cross-entropy) or `square`.
        train: Trained on.
        validation: Used to choose an epoch.
        test: Used for nothing but the result.
        scored: With an answer at every time: how many of the last ones count for accuracy.
        chance: Score of a network that has learnt nothing: accuracy, or mean square error.
    """

    name: str
    shape: Shape
    loss: str
    train: Split
    validation: Split
    test: Split
    chance: float
    scored: int = 0

    @property
    def score_name(self) -> str:
        """What is reported of the test set."""
        return "accuracy" if self.loss == "class" else "mean square error"


def task(name: str, *, data: Path | None = None, length: int | None = None) -> Task:
    """A task by name.

    `digits` are scikit-learn's 8 × 8 images, `mnist` the 28 × 28 ones; `s…` shows one pixel at a
    time, `ps…` in an order that was permuted once. `adding`: the sum of two marked numbers in a
    sequence. `copy`: ten symbols, a wait, and the same symbols again.

    Args:
        name: See `TASKS`.
        data: Folder of the 28 × 28 digits.
        length: Inputs of `adding` (100 by default), or the wait of `copy` (50).

    Raises:
        ArgumentError: if there is no such task.
        DataError: if its data are missing.
    """
    if name not in TASKS:
        raise ArgumentError(f"there is no task {name!r}", f"use one of {', '.join(TASKS)}")
    if length is not None and (name not in {"adding", "copy"} or length < 2):
        raise ArgumentError(
            f"length={length} goes with adding and copy", "and is at least 2; leave it out"
        )
    return TASKS[name](name, data, length)


def _digits(name: str, data: Path | None, length: int | None) -> Task:
    del data, length
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ArgumentError(
            "the 8 × 8 digits come with scikit-learn, which is not installed",
            "pip install 'thalweg[digits]'",
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    pixels, labels = np.asarray(pixels), np.asarray(labels)
    order = np.asarray(jax.random.permutation(jax.random.key(SPLIT_KEY), len(labels)))
    x = (pixels[order] / 16.0).astype(np.float32)
    y = labels[order].astype(np.int32)
    pieces = [Split(x[a:b], y[a:b]) for a, b in ((0, 1257), (1257, 1437), (1437, 1797))]
    return _images(name, name.removesuffix("digits"), pieces)


def _mnist(name: str, data: Path | None, length: int | None) -> Task:
    del length
    arrays = read_mnist(data)
    x, test_x = (
        (arrays[file].reshape(-1, 784) / np.float32(255.0)).astype(np.float32)
        for file in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")
    )
    y, test_y = (
        arrays[file].astype(np.int32)
        for file in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte")
    )
    order = np.asarray(jax.random.permutation(jax.random.key(SPLIT_KEY), len(y)))
    kept, held = order[:57_000], order[57_000:]
    pieces = [Split(x[kept], y[kept]), Split(x[held], y[held]), Split(test_x, test_y)]
    return _images(name, name.removesuffix("mnist"), pieces)


def _images(name: str, prefix: str, pieces: list[Split]) -> Task:
    pixels = pieces[0].x.shape[1]
    if prefix:
        order = np.arange(pixels)
        if prefix == "ps":
            key = jax.random.fold_in(jax.random.key(SPLIT_KEY), 1)
            order = np.asarray(jax.random.permutation(key, pixels))
        pieces = [Split(np.ascontiguousarray(s.x[:, order, None]), s.y) for s in pieces]
    shape = Shape(1, 10, pixels) if prefix else Shape(pixels, 10)
    return Task(name, shape, "class", *pieces, chance=0.1)


def _adding(name: str, data: Path | None, length: int | None) -> Task:
    """Numbers uniform in (0, 1), one marked in each half; the answer is the sum of the two."""
    del data
    steps = 100 if length is None else length

    def draw(count: int, stream: int) -> Split:
        keys = jax.random.split(jax.random.fold_in(jax.random.key(SPLIT_KEY), stream), 3)
        values = np.asarray(jax.random.uniform(keys[0], (count, steps), jnp.float32))
        half = steps // 2
        marks = np.zeros_like(values)
        rows = np.arange(count)
        first = np.asarray(jax.random.randint(keys[1], (count,), 0, half))
        second = np.asarray(jax.random.randint(keys[2], (count,), half, steps))
        marks[rows, first] = marks[rows, second] = 1.0
        return Split(np.stack([values, marks], axis=-1), np.sum(values * marks, axis=1))

    pieces = [draw(count, 10 + i) for i, count in enumerate((10_000, 1_000, 2_000))]
    # The variance of the sum of two uniform numbers.
    return Task(name, Shape(2, 1, steps), "square", *pieces, chance=1.0 / 6.0)


def _copy(name: str, data: Path | None, length: int | None) -> Task:
    """Ten of eight symbols, a wait of blanks, a cue; the answer is blanks, then the symbols."""
    del data
    wait = 50 if length is None else length
    blank, cue = _SYMBOLS, _SYMBOLS + 1
    total = wait + 2 * _COPIED

    def draw(count: int, stream: int) -> Split:
        key = jax.random.fold_in(jax.random.key(SPLIT_KEY), stream)
        symbols = np.asarray(jax.random.randint(key, (count, _COPIED), 0, _SYMBOLS))
        read = np.full((count, total), blank, np.int32)
        read[:, :_COPIED] = symbols
        read[:, total - _COPIED - 1] = cue
        answer = np.full((count, total), blank, np.int32)
        answer[:, -_COPIED:] = symbols
        return Split(np.eye(_SYMBOLS + 2, dtype=np.float32)[read], answer)

    pieces = [draw(count, 20 + i) for i, count in enumerate((10_000, 1_000, 2_000))]
    shape = Shape(_SYMBOLS + 2, _SYMBOLS + 1, total, every=True)
    return Task(name, shape, "class", *pieces, chance=1.0 / _SYMBOLS, scored=_COPIED)


TASKS: dict[str, Callable[[str, Path | None, int | None], Task]] = {
    "digits": _digits,
    "sdigits": _digits,
    "psdigits": _digits,
    "mnist": _mnist,
    "smnist": _mnist,
    "psmnist": _mnist,
    "adding": _adding,
    "copy": _copy,
}
"""Tasks by name."""
