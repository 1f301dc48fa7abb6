"""Kinds of terms from the symmetry classes of their atoms.

Terms that a symmetry of the bond graph exchanges share their parameters. A term and its reverse
are the same term. Parameters that belong to one *side* of a term (the bond i-j of an angle i-j-k,
say) are numbered by the word of classes read from that side: of a term that reads the same both
ways both sides then have one parameter, and exchanging equivalent atoms leaves the energy as it
is, to the last digit but rounding.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from thalweg.core import Int


def numbered(keys: Iterable[Hashable]) -> tuple[Int[np.ndarray, " keys"], list[int]]:
    """Number equal keys alike, in order of appearance.

    Returns:
        The number of each key, and the place of the first key of each number.
    """
    numbers: dict[Hashable, int] = {}
    kinds, first = [], []
    for place, key in enumerate(keys):
        if key not in numbers:
            numbers[key] = len(numbers)
            first.append(place)
        kinds.append(numbers[key])
    return np.asarray(kinds, np.int32), first


def term_kinds(
    ranks: Int[np.ndarray, " n"], atoms: Int[np.ndarray, "terms width"]
) -> Int[np.ndarray, " terms"]:
    """Kind of each term; a term and its reverse have the same."""
    return numbered(min(word, word[::-1]) for word in _words(ranks, atoms))[0]


def side_kinds(
    ranks: Int[np.ndarray, " n"], atoms: Int[np.ndarray, "terms width"]
) -> Int[np.ndarray, "terms 2"]:
    """Kind of each side of each term: of the term as it is written, and of its reverse."""
    words = _words(ranks, atoms)
    return numbered(side for word in words for side in (word, word[::-1]))[0].reshape(-1, 2)


def class_means(kinds: Int[np.ndarray, " terms"], values: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Mean of the values of each kind."""
    rows = np.asarray(values, float)
    count = int(kinds.max()) + 1 if len(kinds) else 0
    sums = np.zeros((count, *rows.shape[1:]))
    np.add.at(sums, kinds, rows)
    sizes = np.bincount(kinds, minlength=count).astype(float)
    return sums / sizes.reshape(-1, *[1] * (rows.ndim - 1))


def _words(ranks: np.ndarray, atoms: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(int(rank) for rank in ranks[row]) for row in atoms]
