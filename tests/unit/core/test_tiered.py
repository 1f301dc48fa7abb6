"""Kernels as plain Python and compiled: the same bits, and the compiled form when it pays."""

import types

import jax
import numpy as np
import pytest

from thalweg.core import _matching
from thalweg.core._tiered import Tiered

COUNT = 7


def configurations(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A configuration of particles, and the same one turned, relabelled and slightly off."""
    keys = jax.random.split(jax.random.key(seed), 4)
    x = np.asarray(jax.random.normal(keys[0], (COUNT, 3)))
    x = x - x.mean(axis=0)
    turn = np.linalg.qr(np.asarray(jax.random.normal(keys[1], (3, 3))))[0]
    order = np.asarray(jax.random.permutation(keys[2], COUNT))
    noise = 1e-9 * np.asarray(jax.random.normal(keys[3], (COUNT, 3)))
    return x, (x @ turn.T)[order] + noise


def both(door: Tiered, *args: object) -> tuple[object, object]:
    return door.compiled(*args), door.plain(*args)


@pytest.mark.parametrize("seed", range(5))
def test_both_forms_of_a_rigid_match_give_the_same_bits(seed: int):
    x, y = configurations(seed)
    species = np.array([0, 0, 0, 0, 1, 1, 1])
    for kinds, scale in ((np.zeros(COUNT, np.int64), 0.0), (species * 0, 0.7)):
        images, labels = np.zeros((2, COUNT, 3)), np.zeros((2, COUNT), np.int64)
        for k, form in enumerate((_matching.match_rigid.compiled, _matching.match_rigid.plain)):
            found = form(x, y, kinds, 3, True, scale, 1e-6, False, images[k], labels[k])
            assert found == 1
        np.testing.assert_array_equal(images[0], images[1])
        np.testing.assert_array_equal(labels[0], labels[1])


@pytest.mark.parametrize("seed", range(3))
def test_both_forms_of_the_others_give_the_same_bits(seed: int):
    x, y = configurations(seed)
    species, box = np.zeros(COUNT, np.int64), np.array([3.0, 3.5, 0.0])
    np.testing.assert_array_equal(*both(_matching.crowding, x, box, 0.8))
    turns = np.stack([np.eye(3), -np.eye(3), np.diag([1.0, -1.0, -1.0])])
    shifts = 0.1 * np.arange(9.0).reshape(3, 3)
    np.testing.assert_array_equal(*both(_matching.mismatches, x, y, species, turns, shifts, box, 2))
    images, labels = np.zeros((2, COUNT, 3)), np.zeros((2, COUNT + 1), np.int64)
    moved = x[::-1] + np.array([0.4, 1.1, 0.0])
    doors = (_matching.match_shifted.compiled, _matching.match_shifted.plain)
    for k, form in enumerate(doors):
        args = (x, moved, species, box, np.eye(3)[None], True, 0.8, 1e-6, False)
        assert form(*args, images[k], labels[k]) == 1
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_array_equal(labels[0], labels[1])


class Dispatcher:
    """Stands for a compiled function that no cache holds."""

    def __init__(self):
        self.calls = 0
        self.stats = types.SimpleNamespace(cache_path=None)

    def __call__(self, size: int) -> int:
        self.calls += 1
        return size


def test_python_runs_small_calls_and_the_compiled_form_a_large_one():
    compiled = Dispatcher()
    door = Tiered(compiled, lambda size: -size, work=lambda size: size, budget=0.5)
    assert door(10) == -10
    assert compiled.calls == 0
    assert door(10**9) == 10**9
    assert door(10) == 10  # once compiled, always
    assert compiled.calls == 2


def test_what_python_has_spent_counts():
    compiled = Dispatcher()
    door = Tiered(compiled, lambda size: sum(range(10**5)) * 0 - size, lambda size: 1, 1e-4)
    assert door(3) == -3
    assert door(3) == 3
