"""What becomes of many starts, and volumes of basins that are known exactly."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import AbstractDynamics, AbstractMap, ArgumentError
from thalweg.dynamics import BLOWN_UP, NONFINITE, UNDECIDED, reach, wilson_interval
from thalweg.sampling import AttractionMembership, basin_volume


class Disc(AbstractDynamics):
    """`dr/dt = -r (1 - r²)`, turning: the basin of the origin is the open unit ball."""

    def __call__(self, t, x, drive):
        del t
        square = jnp.sum(x * x)
        turn = jnp.stack([-x[1], x[0]])
        return -x * (1.0 - square) + drive * turn


class Wells(AbstractDynamics):
    """`dx/dt = x - x³`, `dy/dt = -y`, with NaN above y = 3."""

    def __call__(self, t, x, drive):
        del t, drive
        velocity = jnp.stack([x[0] - x[0] ** 3, -x[1]])
        return jnp.where(x[1] > 3.0, jnp.nan, velocity)


class Square(AbstractMap):
    """`x → x²`: 0 attracts the interval (-1, 1)."""

    def __call__(self, t, x, drive):
        del t, drive
        return x * x


def test_every_ending_has_a_label():
    starts = np.array([[0.5, 1.0], [-2.0, 0.5], [0.0, 1.0], [1.0, 4.0], [0.3, -2.9]])
    found = reach(Wells(), starts, [[1.0, 0.0], [-1.0, 0.0]], time=20)
    assert found.labels.tolist() == [0, 1, UNDECIDED, NONFINITE, 0]
    assert found.resting.tolist() == [0, 0, 1, 0, 0]  # the third came to the saddle
    assert found.to(0).count == 2
    assert found.undecided.count == 1
    assert found.blown_up.share == 0.2
    assert (found.arrival[[0, 1, 4]] < 20).all()
    np.testing.assert_allclose(found.end[0], [1.0, 0.0], atol=found.radius)
    assert "attractor 0 0.4" in str(found)


def test_the_boundary_of_a_known_basin():
    angle = jnp.linspace(0.0, 6.0, 300)
    radius = jnp.where(jnp.arange(300) % 2 == 0, 0.999, 1.001)
    starts = radius[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
    found = reach(Disc(), starts, [[0.0, 0.0]], 2.0, time=30)
    assert (found.labels[::2] == 0).all()
    assert (found.labels[1::2] == BLOWN_UP).all()


@pytest.mark.statistical  # the 95 % interval doubled: a false alarm in one of 1e4 runs
@pytest.mark.slow
def test_volume_of_a_known_basin():
    oracle = AttractionMembership(Disc(), [0.0, 0.0], time=15, drive=2.0)
    volume = basin_volume(oracle, None, jax.random.key(0), calls=4_000)
    assert volume.trusted, volume.reasons
    assert abs(volume.log_volume - math.log(math.pi)) < 2 * volume.error
    assert volume.error < 0.1


def test_basin_of_a_map():
    starts = [[0.5], [-0.99], [1.01], [-3.0], [1.0]]
    found = reach(Square(), starts, [[0.0]], time=64)
    assert found.labels.tolist() == [0, 0, BLOWN_UP, BLOWN_UP, UNDECIDED]
    oracle = AttractionMembership(Square(), [0.0], time=64)
    assert bool(oracle(jax.random.key(0), jnp.array([0.5])))
    answers = oracle.many(jax.random.key(0), np.array([[0.5], [2.0], [np.nan]]))
    assert answers.tolist() == [True, False, False]


def test_wilson_interval():
    """Table of Agresti & Coull, Am. Stat. 52, 119 (1998): 0 of 10 reaches to 0.278."""
    low, high = wilson_interval(0, 10)
    assert low == 0.0
    assert high == pytest.approx(0.2775, abs=1e-4)
    assert wilson_interval(10, 10)[0] == pytest.approx(1 - 0.2775, abs=1e-4)
    low, high = wilson_interval(5, 10)
    assert (low + high) / 2 == pytest.approx(0.5)
    with pytest.raises(ArgumentError, match="0 ≤ count"):
        wilson_interval(3, 2)


def test_wrong_calls():
    with pytest.raises(ArgumentError, match="starts"):
        reach(Wells(), [[0.0, 0.0]], [[0.0]], time=1)
    with pytest.raises(ArgumentError, match="time=0"):
        reach(Wells(), [[0.0, 0.0]], [[0.0, 0.0]], time=0)
    with pytest.raises(ArgumentError, match="same point"):
        reach(Wells(), [[0.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]], time=1)
    with pytest.raises(ArgumentError, match="others"):
        AttractionMembership(Wells(), [1.0, 0.0], time=1, others=[[1.0]])
