"""Volumes that are known exactly, and the paper's oracle where it defeats everybody.

Source of the models: Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017). Statistical tests use
fixed keys; a bound of five standard errors fails by chance once in two million.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from thalweg.energies import system
from thalweg.sampling import Container, FunctionOracle, SkirtOracle, basin_volume
from thalweg.sampling.volume import BasinMembership, BoxRegion, HostOracle, SteepestDescent
from thalweg.search import LBFGS

FIVE = 5.0 / 1.96
"""Five standard errors in units of the half-width of a 95 % interval."""


def skirt_volume(dim, calls, number=0, decay=0.1, **more):
    key = jax.random.fold_in(jax.random.key(dim), number)
    return basin_volume(SkirtOracle(1.0, decay), np.zeros(dim), key, calls=calls, **more)


@pytest.mark.parametrize(("dim", "power"), [(1, 0), (2, 2), (3, 0), (7, 2), (20, 0)])
def test_the_exact_volumes_of_a_skirt_are_integrals(dim, power):
    oracle = SkirtOracle(1.0, 0.1)
    surface = 2.0 * math.pi ** (dim / 2) / math.gamma(dim / 2)

    def shell(r):
        return surface * r ** (dim + power - 1) * (1.0 if r < 1 else math.exp((1 - r) / 0.1))

    moment = integrate.quad(shell, 0, 1)[0] + integrate.quad(shell, 1, 15, limit=200)[0]
    exact = math.exp(oracle.log_volume(dim)) * (oracle.mean_square(dim) if power else 1.0)
    assert moment == pytest.approx(exact, rel=1e-9)


def test_published_numbers_of_the_skirt():
    oracle = SkirtOracle(1.0, 0.1)
    for dim, exact in [(2, 1.3436), (5, 2.2336), (10, 2.4752), (20, 2.6252)]:
        assert oracle.log_volume(dim) == pytest.approx(exact, abs=5e-5)
    for dim, hard in [(2, 1.5), (5, 3.9), (10, 136), (20, 5.0e7)]:
        assert oracle.difficulty(dim) == pytest.approx(hard, rel=0.03)
    cube = SkirtOracle(1.0, 0.1, cubic=True)
    assert cube.log_volume(3) == pytest.approx(3 * math.log(2.2))
    axis = integrate.quad(lambda t: 2 * t * t * math.exp(-max(t - 1, 0) / 0.1), 0, 8)[0] / 2.2
    assert cube.mean_square(2) == pytest.approx(2 * axis, rel=1e-6)


@pytest.mark.statistical
@pytest.mark.parametrize(("dim", "decay"), [(2, 0.1), (5, 0.1), (10, 0.1), (10, 0.02)])
def test_skirt_where_calls_suffice(dim, decay):
    """Within the error bar, and trusted; five standard errors."""
    oracle = SkirtOracle(1.0, decay)
    volume = skirt_volume(dim, 200_000, decay=decay)
    assert volume.trusted, volume.reasons
    assert volume.error < 0.1
    assert abs(volume.log_volume - oracle.log_volume(dim)) < FIVE * volume.error
    off = abs(volume.mean_square - oracle.mean_square(dim))
    assert off < FIVE * volume.mean_square_error
    # The price of the run, estimated from the run.
    assert volume.difficulty.sampling == pytest.approx(oracle.difficulty(dim), rel=0.35)
    assert 200_000 <= volume.calls < 220_000


@pytest.mark.slow
@pytest.mark.statistical
def test_skirt_in_twenty_dimensions_is_not_believed():
    """100 C' is 5e9 calls: the number must come with its flag, whatever the stage."""
    for stage in ("auto", "ladder"):
        volume = skirt_volume(20, 100_000, stage=stage)
        assert not volume.trusted
        assert any("whatever the method" in reason for reason in volume.reasons)
        assert any("tail" in reason for reason in volume.reasons)
        assert volume.difficulty.noise > 1e6
        assert "NOT to be trusted" in str(volume)
    assert not skirt_volume(15, 100_000).trusted


@pytest.mark.statistical
@pytest.mark.parametrize("dim", [2, 6])
def test_a_ladder_agrees_with_independent_draws(dim):
    """Both stages alone, on a ball without a skirt and on a skirt."""
    exact = SkirtOracle(1.0, 0.1).log_volume(dim)
    volume = skirt_volume(dim, 200_000, stage="ladder")
    assert volume.stage == "ladder"
    assert volume.ladder is not None
    assert abs(volume.ladder.log_volume - exact) < FIVE * volume.ladder.error
    assert (volume.ladder.exchange > 0.3).all()
    # Every rung, not only the last: draws of all widths give the same integrals.
    first = volume.hit_or_miss
    square = np.sum(first.points**2, axis=1)
    for spring, log_integral in zip(
        volume.ladder.springs, volume.ladder.log_integrals, strict=True
    ):
        alone = np.logaddexp.reduce(first.log_weights - 0.5 * spring * square)
        assert alone == pytest.approx(log_integral, abs=5 * first.log_volume_se + 0.05)


def covered(dim, calls, repeats):
    exact = SkirtOracle(1.0, 0.1).log_volume(dim)
    runs = [skirt_volume(dim, calls, number) for number in range(repeats)]
    inside = sum(abs(run.log_volume - exact) <= run.error for run in runs)
    scaled = np.array([(run.log_volume - exact) / run.error for run in runs])
    return inside, scaled, runs


@pytest.mark.statistical
def test_coverage_of_the_interval():
    """20 runs: 95 % intervals miss more than four times once in 400."""
    inside, _, runs = covered(3, 10_000, 20)
    assert inside >= 16
    # Flags are on the safe side: a pilot of a thousand calls may stop too near.
    assert sum(run.trusted for run in runs) >= 10


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("dim", "calls"), [(2, 40_000), (5, 40_000)])
def test_coverage_over_a_hundred_repeats(dim, calls):
    """Nominally 95; fewer than 88 by chance once in 250, and the middle is where it should be."""
    inside, scaled, runs = covered(dim, calls, 100)
    believed = np.array([run.trusted for run in runs])
    assert inside >= 88
    assert abs(np.mean(scaled)) < 0.25
    assert believed.mean() > 0.8


def majority(oracle, votes):
    """What not to do: ask several times and let the majority decide."""

    def decide(key, x):
        keys = jax.random.split(key, votes)
        return 2 * jnp.sum(jax.vmap(oracle, (0, None))(keys, x)) > votes

    return FunctionOracle(decide)


@pytest.mark.statistical
def test_a_majority_vote_measures_another_state():
    """The mean square of a skirt in two dimensions, (1, 0.2): a vote of eleven is 21 % low."""
    oracle = SkirtOracle(1.0, 0.2)
    exact = oracle.mean_square(2)
    honest = basin_volume(oracle, np.zeros(2), jax.random.key(1), calls=100_000)
    assert abs(honest.mean_square - exact) < FIVE * honest.mean_square_error
    voted = basin_volume(majority(oracle, 11), np.zeros(2), jax.random.key(2), calls=100_000)
    assert voted.trusted  # nothing is wrong with the number: it answers another question
    assert voted.mean_square / exact - 1 == pytest.approx(-0.211, abs=0.015)
    assert voted.log_volume < honest.log_volume - 5 * (voted.error + honest.error)


@pytest.mark.statistical
@pytest.mark.slow
def test_basins_add_up_to_the_box():
    """Müller-Brown: three basins of the gradient flow fill the rectangle; a grid says how."""
    surface = system("muller-brown")
    lower, upper = np.array([-1.5, -0.5]), np.array([1.2, 2.0])
    region = BoxRegion(jnp.asarray(lower), jnp.asarray(upper))
    minima = [[-0.558223635, 1.441725842], [0.623499405, 0.028037759], [-0.050010823, 0.466694105]]
    members = [BasinMembership(surface, minimum) for minimum in minima]
    side = [
        low + (np.arange(96) + 0.5) / 96 * (high - low)
        for low, high in zip(lower, upper, strict=True)
    ]
    grid = np.stack(np.meshgrid(*side), axis=-1).reshape(-1, 2)
    key = jax.random.key(0)
    on_grid = np.array([member.many(key, grid) for member in members])
    assert on_grid.sum(axis=0).min() == on_grid.sum(axis=0).max() == 1
    box = float(np.prod(upper - lower))
    volumes = [
        basin_volume(member, None, jax.random.fold_in(key, i), calls=8_000, region=region)
        for i, member in enumerate(members)
    ]
    for volume, share in zip(volumes, on_grid.mean(axis=1), strict=True):
        # The grid is off by its boundary cells: a percent.
        assert abs(volume.log_volume - math.log(box * share)) < FIVE * volume.error + 0.02
    total = sum(math.exp(volume.log_volume) for volume in volumes)
    error = math.hypot(*(math.exp(v.log_volume) * v.error for v in volumes))
    assert abs(total - box) < FIVE * error


def test_the_basin_of_the_flow_is_exact():
    """Each basin of Rastrigin's surface is a square: the maxima of each term lie near ±1/2."""
    surface = system("rastrigin2")
    x = np.asarray(jax.random.uniform(jax.random.key(0), (1000, 2), minval=-1.4, maxval=1.4))
    edge = 0.50253  # 2 x + 20 π sin 2πx = 0
    exact = np.all(np.abs(x) < edge, axis=1)
    near = np.any(np.abs(np.abs(x) - edge) < 1e-3, axis=1)
    belongs = BasinMembership(surface, np.zeros(2)).many(jax.random.key(1), x)
    assert (belongs == exact)[~near].all()


def test_the_flow_and_an_optimiser_have_different_basins():
    """L-BFGS jumps over ridges that the gradient flow does not cross."""
    surface = system("muller-brown")
    minimum = np.array([-0.5582236346, 1.4417258418])
    unit = np.asarray(jax.random.uniform(jax.random.key(0), (1000, 2)))
    x = np.array([-1.5, -0.3]) + unit * np.array([2.6, 2.3])
    key = jax.random.key(1)
    flow = BasinMembership(surface, minimum).many(key, x)
    jumps = BasinMembership(surface, minimum, LBFGS()).many(key, x)
    assert 0.4 < flow.mean() < 0.55
    assert 0.005 < np.mean(jumps != flow) < 0.06


@pytest.mark.slow
def test_a_cluster_in_a_container():
    """LJ3: labelled basins of the one minimum, and its mirror image, fill the container.

    Three labelled atoms turn into each other's images by rotation, so the triangle has two labelled
    images in the plane and one in space: every configuration belongs to it, and its basin is the
    slice of the container in which the identity fits best.
    """
    cluster = system("lj3")
    side = 2 ** (1 / 6)
    triangle = side * np.array([[0, 0, 0], [1, 0, 0], [0.5, math.sqrt(3) / 2, 0]])
    triangle -= triangle.mean(axis=0)
    member = BasinMembership(cluster, triangle, SteepestDescent(), close=0.05)
    assert member.directions().shape == (3, 9)
    container = Container(3, 1.5)
    volume = basin_volume(member, None, jax.random.key(0), calls=6_000, region=container)

    def allowed(key, x):
        return container(x) & member_upright(x)

    def member_upright(x):
        form = (triangle - triangle.mean(0)).T @ (x.reshape(3, 3) - x.reshape(3, 3).mean(0))
        values = jnp.linalg.eigvalsh(0.5 * (form + form.T))
        return values[0] + values[1] >= 0

    slice_ = basin_volume(
        FunctionOracle(allowed, deterministic=True),
        triangle,
        jax.random.key(1),
        calls=50_000,
        directions=member.directions(),
    )
    assert abs(volume.log_volume - slice_.log_volume) < FIVE * math.hypot(
        volume.error, slice_.error
    )


@pytest.mark.statistical
def test_an_oracle_on_the_host():
    """A Python function with seeds: a ball of radius 2 in three dimensions, passed in 3 of 4."""
    asked = []

    def function(x, seeds):
        asked.append(len(x))
        chance = (seeds.astype(np.uint64) >> np.uint64(11)).astype(float) / 2.0**53 < 0.75
        return (np.linalg.norm(x, axis=1) < 2.0) & chance

    oracle = HostOracle(function)
    exact = math.log(0.75 * 4 / 3 * math.pi * 8)
    volume = basin_volume(oracle, np.ones(3) * 0, jax.random.key(0), calls=40_000)
    assert abs(volume.log_volume - exact) < FIVE * volume.error
    assert volume.calls == sum(asked)
    # √(p(1 - p)) / p with p = 3/4 everywhere.
    assert volume.difficulty.noise == pytest.approx(1 / 3, rel=0.3)
    assert volume.difficulty.agreement == pytest.approx(0.75, abs=0.05)
    again = basin_volume(oracle, np.zeros(3), jax.random.key(0), calls=40_000)
    assert again.log_volume == volume.log_volume
