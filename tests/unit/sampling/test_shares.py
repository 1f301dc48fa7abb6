"""Shares of a box among minima, against what is known exactly."""

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError, System
from thalweg.sampling import BoxRegion, box_shares

WELLS = System(lambda x: (x[0] ** 2 - 1) ** 2 + 0.1 * x[0] + x[1] ** 2, name="wells", shape=(2,))
BOX = BoxRegion(jnp.array([-1.0, -2.0]), jnp.array([3.0, 2.0]))
_TOP = 0.02501564  # the root of 4x³ - 4x + 0.1 between the wells


def _minima():
    roots = np.sort(np.roots([4.0, 0.0, -4.0, 0.1]).real)
    return np.array([[roots[0], 0.0], [roots[2], 0.0]]), roots[1]


def test_each_well_owns_its_side():
    minima, top = _minima()
    assert abs(top - _TOP) < 1e-7
    found = box_shares(WELLS, minima, BOX, 0, calls=4_000)
    assert found.hits.sum() == 4_000
    exact = np.log(4.0 * np.array([top + 1.0, 3.0 - top]))
    assert np.all(np.abs(found.log_volumes - exact) < 1.5 * found.errors)
    assert np.all(found.errors < 0.07)


def test_one_that_is_never_reached_has_no_volume():
    minima, _ = _minima()
    corner = BoxRegion(jnp.array([1.0, -2.0]), jnp.array([3.0, 2.0]))
    found = box_shares(WELLS, minima, corner, 0, calls=100)
    assert found.hits.tolist() == [0, 100]
    assert found.log_volumes[0] == -np.inf
    assert found.errors[0] == np.inf


def test_same_key_same_counts():
    minima, _ = _minima()
    counts = [box_shares(WELLS, minima, BOX, 7, calls=200).hits for _ in range(2)]
    np.testing.assert_array_equal(*counts)


def test_wrong_sizes_are_named():
    with pytest.raises(ArgumentError, match="calls=0"):
        box_shares(WELLS, _minima()[0], BOX, 0, calls=0)
    with pytest.raises(ArgumentError, match=r"expected .* 2 coordinates"):
        box_shares(WELLS, np.zeros((1, 3)), BOX, 0)
