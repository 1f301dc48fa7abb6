"""Random numbers that belong to a place in the campaign, not to a moment.

The generator is JAX's own, Threefry-2x32 with 20 rounds (Salmon et al., SC '11), evaluated on the
host: the same numbers come out whatever JAX's precision, flags or version are, so that a campaign
replays bit for bit. A key is a pair of 32-bit words, as `jax.random.key_data` gives it, and
`fold_in` is `jax.random.fold_in`.
"""

import enum
import functools
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt32, UInt64
from scipy.special import ndtri

from thalweg.core import ArgumentError

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


class Purpose(enum.IntEnum):
    """What a random number is for; part of its address."""

    propose = 1
    accept = 2
    drops = 3
    start = 4
    start_drops = 5
    seed = 6
    wells = 7
    repeat = 8


def key_words(key: Any) -> tuple[int, int]:
    """A seed or a JAX key as two 32-bit words.

    Args:
        key: An integer from 0 to 2³²-1, or a scalar `jax.random.key`.

    Raises:
        ArgumentError: if it is neither.
    """
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        words = np.asarray(jax.random.key_data(key)).ravel()
        if words.size == 2:
            return int(words[0]), int(words[1])
        raise ArgumentError(f"key: expected one threefry key, got {key!r}", "jax.random.key(0)")
    try:
        seed = operator.index(key)
    except TypeError:
        raise ArgumentError(f"key: {key!r} is no seed and no JAX key", "key=0") from None
    if not 0 <= seed < 2**32:
        raise ArgumentError(f"key: {seed} is not in 0 … 2³²-1", "key=0")
    return 0, seed


def threefry(
    key: UInt32[np.ndarray, "*shape 2"], high: Any, low: Any
) -> tuple[UInt32[np.ndarray, "*any"], UInt32[np.ndarray, "*any"]]:
    """Two words for each key and each 64-bit counter, broadcast against one another."""
    first, second = key[..., 0], key[..., 1]
    schedule = (first, second, first ^ second ^ _PARITY)
    with np.errstate(over="ignore"):
        a, b = np.asarray(high, np.uint32) + first, np.asarray(low, np.uint32) + second
        for block in range(5):
            for turn in _ROTATIONS[block % 2]:
                a = a + b
                b = (b << np.uint32(turn)) | (b >> np.uint32(32 - turn))
                b = b ^ a
            a = a + schedule[(block + 1) % 3]
            b = b + schedule[(block + 2) % 3] + np.uint32(block + 1)
    return np.asarray(a), np.asarray(b)


def fold_in(key: UInt32[np.ndarray, "*shape 2"], data: Any) -> UInt32[np.ndarray, "*any 2"]:
    """A new key for each number, as `jax.random.fold_in`."""
    return np.stack(threefry(key, np.uint32(0), np.asarray(data).astype(np.uint32)), axis=-1)


def bits(key: UInt32[np.ndarray, "*shape 2"], number: int) -> UInt64[np.ndarray, "*shape n"]:
    """So many 64-bit words for each key, as `jax.random.bits`."""
    high, low = threefry(key[..., None, :], np.uint32(0), np.arange(number, dtype=np.uint32))
    return (high.astype(np.uint64) << np.uint64(32)) | low


def uniform(key: UInt32[np.ndarray, "*shape 2"], number: int) -> Float[np.ndarray, "*shape n"]:
    """Uniform numbers strictly between 0 and 1."""
    return ((bits(key, number) >> np.uint64(11)).astype(float) + 0.5) * 2.0**-53


def ball(
    u: Float[np.ndarray, "*shape k one_more"],
) -> Float[np.ndarray, "*shape k dof"]:
    """Points uniform in the unit ball, each from `dof + 1` uniform numbers."""
    normal = ndtri(u[..., :-1])
    dof = normal.shape[-1]
    length = np.sqrt(np.sum(normal**2, axis=-1, keepdims=True))
    return normal / length * u[..., -1:] ** (1.0 / dof)


class Stream:
    """The random numbers of one campaign, by epoch, chain, step and purpose.

    Each address has its own key: `root → epoch → chain → step → purpose`, by `fold_in`.
    """

    def __init__(self, words: tuple[int, int], fingerprint: str):
        root = fold_in(np.array(words, np.uint32), int(fingerprint[:8], 16))
        self._epoch = functools.cache(lambda epoch: fold_in(root, epoch))

    def key(
        self, epoch: int, chain: Any, step: Any, purpose: Purpose
    ) -> UInt32[np.ndarray, "*shape 2"]:
        """Keys for chains and steps, broadcast against one another."""
        return fold_in(fold_in(fold_in(self._epoch(epoch), chain), step), int(purpose))

    def uniform(
        self, epoch: int, chain: Any, step: Any, purpose: Purpose, number: int
    ) -> Float[np.ndarray, "*shape n"]:
        """So many uniform numbers for each chain and step."""
        return uniform(self.key(epoch, chain, step, purpose), number)

    def shuffled(self, plate: int, number: int) -> list[int]:
        """The positions of a plate in random order."""
        order = np.argsort(bits(self.key(0, plate, 0, Purpose.wells), number), kind="stable")
        return order.tolist()
