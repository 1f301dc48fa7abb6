"""The data of a fit: inputs and targets, checked once."""

import hashlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Num

from thalweg.core import ArgumentError, as_key


class LearningData(eqx.Module):
    """Inputs with their targets, the rows of a table.

    Both arrays are leaves, not constants: a compiled loss serves every data set of one shape.

    Attributes:
        inputs: `(n, features)`.
        targets: Classes `(n,)`, counted from 0, or numbers `(n, outputs)`.
        classes: Number of classes; `None` for a regression.
        names: Names of the classes, or of the outputs.
    """

    inputs: Float[Array, "n features"]
    targets: Int[Array, " n"] | Float[Array, "n outputs"]
    classes: int | None = eqx.field(static=True)
    names: tuple[str, ...] | None = eqx.field(static=True)

    def __init__(
        self,
        inputs: Num[np.ndarray | Array, "n features"] | Num[np.ndarray | Array, " n"],
        targets: Num[np.ndarray | Array, "m *outputs"] | Bool[np.ndarray | Array, " m"],
        *,
        classes: int | None = None,
        names: tuple[str, ...] | None = None,
    ):
        """Check and keep a table.

        Args:
            inputs: `(n, features)`; `(n,)` is one feature.
            targets: Integers `(n,)` are classes, floats `(n,)` or `(n, outputs)` numbers to fit.
            classes: Number of classes where some may be missing from the table; default the
                largest plus one.
            names: Names of the classes, or of the outputs.

        Raises:
            ArgumentError: if the lengths differ, a row holds NaN or infinity (it is named), there
                is one class only, or a class is out of range.
        """
        rows = np.asarray(inputs, dtype=np.float64)
        rows = rows[:, None] if rows.ndim == 1 else rows
        wanted = np.asarray(targets)
        wanted = wanted.astype(np.int64) if wanted.dtype == bool else wanted
        if len(rows) != len(wanted) or len(rows) == 0:
            raise ArgumentError(
                f"there are {len(rows)} rows of inputs and {len(wanted)} targets",
                "give one target for each row, and at least one row",
            )
        _check_finite("inputs", rows)
        if np.issubdtype(wanted.dtype, np.integer):
            self.targets, self.classes = _classes(wanted, classes)
        else:
            if classes is not None:
                raise ArgumentError(
                    f"classes={classes} goes with integer targets, these are {wanted.dtype}",
                    "convert them: targets.astype(int)",
                )
            numbers = wanted.astype(np.float64)
            numbers = numbers[:, None] if numbers.ndim == 1 else numbers
            if numbers.ndim != 2:
                raise ArgumentError(f"targets of shape {wanted.shape} must be (n,) or (n, outputs)")
            _check_finite("targets", numbers)
            self.targets, self.classes = jnp.asarray(numbers), None
        self.inputs = jnp.asarray(rows)
        width = self.classes if self.classes is not None else self.targets.shape[1]
        if names is not None and len(names) != width:
            raise ArgumentError(f"there are {len(names)} names for {width} classes or outputs")
        self.names = None if names is None else tuple(names)

    def __len__(self) -> int:
        return self.inputs.shape[0]

    @property
    def fingerprint(self) -> str:
        """A short hash of the rows and their order: two tables with one hash are the same."""
        digest = hashlib.sha256(f"{self.inputs.shape};{self.targets.shape};{self.classes}".encode())
        digest.update(np.ascontiguousarray(self.inputs, np.float64).tobytes())
        digest.update(np.ascontiguousarray(self.targets, np.float64).tobytes())
        return digest.hexdigest()[:16]

    def rows(self, index: Int[np.ndarray | Array, " some"] | slice) -> "LearningData":
        """Some of the rows, with the number of classes and the names of the whole."""
        chosen = np.arange(len(self))[index]
        part = (self.inputs[chosen], self.targets[chosen])
        return eqx.tree_at(lambda data: (data.inputs, data.targets), self, part)

    def split(self, key: int | Array, share: float = 0.5) -> tuple["LearningData", "LearningData"]:
        """Train and test rows by a random permutation.

        Args:
            key: Random key or integer.
            share: Share of the rows that the first part gets.

        Raises:
            ArgumentError: if one of the parts would be empty.
        """
        first = round(share * len(self))
        if not 0 < first < len(self):
            raise ArgumentError(f"share={share} of {len(self)} rows leaves one part empty")
        order = np.asarray(jax.random.permutation(as_key(key), len(self)))
        return self.rows(order[:first]), self.rows(order[first:])


def _classes(wanted: np.ndarray, classes: int | None) -> tuple[Int[Array, " n"], int]:
    if wanted.ndim != 1:
        raise ArgumentError(
            f"class targets of shape {wanted.shape} must be (n,): one integer for each row",
            "from one-hot rows: targets.argmax(axis=1)",
        )
    present = np.unique(wanted)
    number = int(present[-1]) + 1 if classes is None else classes
    if present[0] < 0 or present[-1] >= number:
        raise ArgumentError(
            f"classes run from {present[0]} to {present[-1]}, and must be 0 to {number - 1}",
            "number them: numpy.unique(labels, return_inverse=True)[1]",
        )
    if len(present) == 1:
        raise ArgumentError(
            f"all {len(wanted)} rows are of class {present[0]}: there is nothing to tell apart, "
            "and without a penalty the loss of any model falls to zero at infinity",
            "give rows of at least two classes",
        )
    return jnp.asarray(wanted), number


def _check_finite(what: str, rows: np.ndarray) -> None:
    bad = np.flatnonzero(~np.all(np.isfinite(rows), axis=1))
    if len(bad):
        columns = np.flatnonzero(~np.isfinite(rows[bad[0]]))
        raise ArgumentError(
            f"row {bad[0]} of the {what} holds {rows[bad[0], columns[0]]} in column {columns[0]} "
            f"({len(bad)} of {len(rows)} rows hold NaN or infinity)",
            "leave those rows out, or fill the gaps, before the fit",
        )
