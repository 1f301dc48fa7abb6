import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.core import (
    AbstractDynamics,
    ArgumentError,
    ClusterSymmetry,
    PeriodicSpace,
    PeriodicSymmetry,
    System,
    solve_many,
)
from thalweg.energies import system
from thalweg.sampling import (
    BasinMembership,
    BoxRegion,
    FlowMembership,
    FunctionOracle,
    HostOracle,
    NoisyDescent,
    SkirtOracle,
    SteepestDescent,
    basin_volume,
    mbar_free_energies,
    softness_ladder,
)
from thalweg.sampling.volume import ask_many
from thalweg.sampling.volume._difficulty import beta_roots
from thalweg.sampling.volume._hit_or_miss import log_weights
from thalweg.sampling.volume._membership import checked_identity
from thalweg.sampling.volume._same import deviation, upright
from thalweg.search import FIRE, LBFGS

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def lj4():
    cluster = system("lj4")
    side = 2 ** (1 / 6) / math.sqrt(2)
    tetrahedron = 0.5 * side * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    return cluster, tetrahedron.reshape(-1)


def ball(radius):
    return FunctionOracle(lambda key, x: jnp.sum(x * x) < radius**2, deterministic=True)


def test_top_level_name():
    assert tw.basin_volume is basin_volume


def test_the_key_decides():
    oracle = SkirtOracle(1.0, 0.1)
    runs = [
        basin_volume(oracle, np.zeros(3), jax.random.key(k), calls=4000).log_volume
        for k in (0, 0, 1)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_record_is_consistent():
    volume = basin_volume(ball(1.0), np.zeros(2), KEY, calls=4000)
    low, high = volume.interval
    assert low < volume.log_volume < high
    assert volume.difficulty.noise == 0.0
    assert volume.difficulty.repeats == 0
    assert volume.difficulty.sampling == pytest.approx(1.0, abs=0.02)
    assert volume.hit_or_miss.hits.sum() == len(volume.hit_or_miss.points)
    assert np.all(np.linalg.norm(volume.hit_or_miss.points, axis=1) < 1)
    assert volume.dim == 2
    assert "hit-or-miss" in str(volume)


def test_chance_is_noticed_even_if_the_oracle_does_not_say_that_it_has_none():
    sharp = FunctionOracle(lambda key, x: jnp.sum(x * x) < 1.0)
    volume = basin_volume(sharp, np.zeros(3), KEY, calls=8000)
    assert volume.difficulty.agreement == 1.0
    assert volume.difficulty.noise < 1e-4


def test_displacements_span_the_directions_only():
    seen = []

    def function(x, seeds):
        seen.append(x.copy())
        return np.abs(x[:, 0] + x[:, 1] - 2.0) < 1.0

    rows = np.array([[1.0, 1.0, 0.0]]) / math.sqrt(2)
    volume = basin_volume(
        HostOracle(function, deterministic=True), [1.0, 1.0, 5.0], KEY, calls=2000, directions=rows
    )
    x = np.concatenate(seen)
    assert np.allclose(x[:, 0], x[:, 1])
    assert np.all(x[:, 2] == 5.0)
    assert volume.log_volume == pytest.approx(math.log(math.sqrt(2)), abs=0.15)


def test_points_outside_the_region_are_not_asked_for():
    def function(x, seeds):
        assert np.all(np.abs(x) <= 1.0)
        return np.ones(len(x), bool)

    region = BoxRegion(-jnp.ones(2), jnp.ones(2))
    oracle = HostOracle(function, deterministic=True)
    volume = basin_volume(oracle, np.zeros(2), KEY, calls=10_000, region=region)
    assert volume.log_volume == pytest.approx(math.log(4), abs=3 * volume.error)


def test_ctrl_c_keeps_what_there_is():
    asked = []

    def function(x, seeds):
        asked.append(len(x))
        return np.linalg.norm(x, axis=1) < 1

    oracle = HostOracle(function, deterministic=True)
    full = basin_volume(oracle, np.zeros(2), KEY, calls=40_000)
    batches = len(asked)
    asked.clear()
    half = basin_volume(
        oracle, np.zeros(2), KEY, calls=40_000, stop=lambda: len(asked) > 0.6 * batches
    )
    assert half.calls < full.calls
    assert half.log_volume == pytest.approx(math.log(math.pi), abs=5 * half.error)
    asked.clear()
    with pytest.raises(KeyboardInterrupt):
        basin_volume(oracle, np.zeros(2), KEY, calls=40_000, stop=lambda: True)


def test_ctrl_c_on_the_ladder():
    asked = []

    def function(x, seeds):
        asked.append(len(x))
        return np.linalg.norm(x, axis=1) < 1

    volume = basin_volume(
        HostOracle(function, deterministic=True),
        np.zeros(2),
        KEY,
        calls=20_000,
        stage="ladder",
        stop=lambda: sum(asked) > 11_500,
    )
    assert volume.ladder is None
    assert volume.stage == "hit-or-miss"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"calls": 10}, "calls=10"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"widths": 1}, "widths=1"),
        ({"scale": -1.0}, "scale"),
        ({"directions": np.ones((1, 2))}, "orthonormal"),
        ({"directions": np.eye(3)}, "expected"),
    ],
)
def test_wrong_calls(more, text):
    with pytest.raises(ArgumentError, match=text):
        basin_volume(ball(1.0), np.zeros(2), KEY, **more)


def test_wrong_oracles():
    with pytest.raises(ArgumentError, match="does not say where"):
        basin_volume(ball(1.0), None, KEY)
    with pytest.raises(ArgumentError, match="finite"):
        basin_volume(ball(1.0), [np.nan, 0.0], KEY)
    with pytest.raises(ArgumentError, match="no point near the centre"):
        basin_volume(ball(1.0), [5.0, 0.0], KEY, scale=1.0, calls=2000)
    everything = FunctionOracle(lambda key, x: jnp.asarray(True))
    with pytest.raises(ArgumentError, match="infinite"):
        basin_volume(everything, [0.0, 0.0], KEY, calls=2000)
    with pytest.raises(ArgumentError, match="shape"):
        ask_many(HostOracle(lambda x, seeds: True), KEY, np.zeros((3, 2)))
    with pytest.raises(ArgumentError, match="True and False"):
        ask_many(HostOracle(lambda x, seeds: 0.3 + 0 * x[:, 0]), KEY, np.zeros((3, 2)))
    with pytest.raises(ArgumentError, match="positive"):
        SkirtOracle(1.0, 0.0)
    with pytest.raises(ArgumentError, match="below"):
        BoxRegion(jnp.ones(2), jnp.zeros(2))


def test_answers_do_not_depend_on_the_company():
    oracle = SkirtOracle(1.0, 0.3)
    x = np.asarray(jax.random.normal(KEY, (5000, 2)))
    together = ask_many(oracle, KEY, x)
    np.testing.assert_array_equal(together[:100], ask_many(oracle, KEY, x[:100]))
    assert ask_many(oracle, KEY, x[:0]).shape == (0,)


@pytest.mark.parametrize("phi", [0.0, 1e-4, 0.3, 0.9, 1.0])
def test_beta_moments(phi):
    """Against quadrature of the Beta law, and exact at both extremes."""
    q = np.array([0.0, 0.05, 0.5, 0.9, 1.0])
    root, noise = beta_roots(q, np.full(5, phi))
    assert root[0] == noise[0] == noise[-1] == 0.0
    assert root[-1] == 1.0
    if phi == 0.0:
        np.testing.assert_allclose(root, np.sqrt(q))
        np.testing.assert_allclose(noise, np.sqrt(q * (1 - q)))
    elif phi == 1.0:
        np.testing.assert_allclose(root, q)
        np.testing.assert_allclose(noise, 0.0)
    elif phi == 0.3:
        size = 1 / phi - 1
        drawn = np.asarray(jax.random.beta(KEY, q[2] * size, (1 - q[2]) * size, (200_000,)))
        assert root[2] == pytest.approx(np.sqrt(drawn).mean(), abs=3e-3)
        assert noise[2] == pytest.approx(np.sqrt(drawn * (1 - drawn)).mean(), abs=3e-3)


def test_weights_are_inverse_densities():
    widths, draws = np.array([0.5, 2.0]), np.array([100, 300])
    r = np.array([0.0, 1.0, 3.0])
    density = sum(
        n * np.exp(-0.5 * (r / s) ** 2) / (2 * math.pi * s * s) ** 1.5
        for n, s in zip(draws, widths, strict=True)
    )
    np.testing.assert_allclose(np.exp(log_weights(widths, draws, 3, r)), 1 / density)


def free_gaussians(springs):
    x = np.asarray(jax.random.normal(KEY, (400, len(springs), 8, 3)))
    return np.sum(x**2, axis=-1) / springs[None, :, None]


@pytest.mark.statistical
def test_mbar_of_springs():
    """Free Gaussians: `f` is `(dim/2) log κ`; seven standard errors of 3,200 samples."""
    springs = np.array([4.0, 2.0, 1.0])
    for guess in (np.zeros(3), np.array([0.0, 5.0, -40.0])):
        flat = np.moveaxis(free_gaussians(springs), 1, 0).reshape(1, -1)
        free = mbar_free_energies(0.5 * springs[:, None] * flat, guess)
        np.testing.assert_allclose(free, 1.5 * np.log(springs / springs[0]), atol=0.06)


# ---------------------------------------------------------------- memberships


@pytest.mark.parametrize("minimiser", [SteepestDescent(), LBFGS(), FIRE()])
def test_a_cluster_near_its_minimum_belongs(lj4, minimiser):
    cluster, x = lj4
    member = BasinMembership(cluster, x, minimiser)
    rows = member.directions()
    assert rows.shape == (6, 12)
    np.testing.assert_allclose(rows @ rows.T, np.eye(6), atol=1e-12)
    zero = np.asarray(cluster.symmetry.zero_modes(jnp.asarray(x)))
    np.testing.assert_allclose(rows @ zero.T, 0.0, atol=1e-12)
    u = 0.03 * np.asarray(jax.random.normal(KEY, (10, 6)))
    assert member.many(KEY, x + u @ rows).all()


def test_labels_count_and_mirror_images_do_not(lj4):
    cluster, x = lj4
    swapped = x.reshape(4, 3)[[1, 0, 2, 3]].reshape(1, -1)
    rotation = np.linalg.qr(np.asarray(jax.random.normal(KEY, (3, 3))))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    turned = (x.reshape(4, 3) @ rotation.T + 3.0).reshape(1, -1)
    symmetry = cluster.symmetry
    assert deviation(symmetry, x, turned)[0] < 1e-12
    # Two labels of a tetrahedron exchanged make its mirror image.
    assert deviation(symmetry, x, swapped)[0] > 0.1
    assert deviation(symmetry, jnp.asarray(x), jnp.asarray(swapped), jnp)[0] > 0.1
    labelled = BasinMembership(cluster, x, LBFGS())
    isomer = BasinMembership(cluster, x, LBFGS(), identity="isomer")
    far = np.asarray(jax.random.normal(KEY, (200, 6))) * 0.6 @ labelled.directions() + x
    one, any_ = labelled.many(KEY, far), isomer.many(KEY, far)
    assert np.all(any_[one])
    assert any_.sum() > one.sum() > 0


def test_each_configuration_is_on_the_slice_once(lj4):
    cluster, x = lj4
    half_turn = np.diag([-1.0, -1.0, 1.0])
    member = BasinMembership(cluster, x)
    turned = (x.reshape(4, 3) @ half_turn).reshape(-1)
    rows = member.directions()
    # The turned copy lies on the slice, and quenches to the minimum, but it is not counted.
    np.testing.assert_allclose((turned - x) @ rows.T @ rows, turned - x, atol=1e-12)
    assert deviation(cluster.symmetry, x, turned[None])[0] < 1e-12
    np.testing.assert_array_equal(
        upright(cluster.symmetry, x, np.stack([x, turned])), [True, False]
    )
    np.testing.assert_array_equal(member.many(KEY, np.stack([x, turned])), [True, False])


def test_compiled_and_batched_answers_agree(lj4):
    cluster, x = lj4
    member = BasinMembership(cluster, x)
    points = x + 0.4 * np.asarray(jax.random.normal(KEY, (24, 6))) @ member.directions()
    single = jax.jit(jax.vmap(member))(jax.random.split(KEY, 24), jnp.asarray(points))
    many = member.many(KEY, points)
    np.testing.assert_array_equal(np.asarray(single), many)
    assert 0 < many.sum() < 24


def packing():
    """Four soft discs in a periodic square: repulsion that is harmonic up to contact."""
    box = (2.0, 2.0)
    first, second = np.triu_indices(4, 1)

    def energy(r):
        d = r[first] - r[second]
        d = d - 2.0 * jnp.round(d / 2.0)
        squared = jnp.sum(d * d, axis=1)
        return 0.5 * jnp.sum(jnp.maximum(1.1 - jnp.sqrt(squared + 1e-12), 0.0) ** 2)

    return System(
        energy,
        shape=(4, 2),
        name="discs",
        space=PeriodicSpace(4, box),
        symmetry=PeriodicSymmetry((0,) * 4, box),
    )


def test_periodic_boxes_are_not_folded():
    discs = packing()
    square = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5], [1.5, 1.5]]).reshape(-1)
    member = BasinMembership(discs, square, LBFGS())
    assert member.directions().shape == (6, 8)
    moved = square + np.tile([0.3, -0.2], 4)
    folded = square.copy()
    folded[0] += 2.0
    off = deviation(discs.symmetry, square, np.stack([moved, folded]))
    assert off[0] < 1e-12
    assert off[1] > 1.0


@pytest.mark.parametrize("accuracy", [1e-3, 1e-5])
def test_flow_follows_the_differential_equation(accuracy):
    """Against an implicit solver at tight tolerances, ends and all."""
    from scipy.integrate import solve_ivp

    surface = system("muller-brown")
    x = np.asarray(
        jax.random.uniform(KEY, (60, 2), minval=jnp.array([-1.5, -0.5]), maxval=jnp.array([1.2, 2]))
    )
    flow = solve_many(surface, SteepestDescent(accuracy=accuracy), x)
    assert (flow.outcome == 0).all()
    assert (flow.grad_rms < 1e-6).all()
    slope = jax.jit(jax.grad(surface.energy))
    for start, end in zip(x[:12], flow.x, strict=False):
        exact = solve_ivp(
            lambda t, y: -np.asarray(slope(jnp.asarray(y))),
            (0, 5),
            start,
            method="LSODA",
            rtol=1e-9,
            atol=1e-10,
        )
        np.testing.assert_allclose(exact.y[:, -1], end, atol=1e-3)


def test_a_flow_that_cannot_be_followed_is_data():
    falls = System(lambda x: jnp.sum(x), shape=(2,), floor=-5.0)
    finished = solve_many(falls, SteepestDescent(), np.zeros((1, 2)))
    assert finished.outcome[0] != 0


@pytest.mark.statistical
def test_noisy_descent_is_a_probability():
    """On the ridge of a symmetric double well half of the descents end on either side: 5 s.e."""
    well = system("double-well")
    member = NoisyDescent(well, [1.0, 0.0], step=0.02, steps=60, temperature=0.3)
    ridge = np.zeros((400, 2))
    assert abs(member.many(KEY, ridge).mean() - 0.5) < 5 * 0.025
    np.testing.assert_array_equal(member.many(KEY, ridge), member.many(KEY, ridge))
    deep = np.tile([1.3, 0.0], (50, 1))
    assert member.many(KEY, deep).mean() > 0.9
    single = jax.jit(jax.vmap(member))(jax.random.split(KEY, 64), jnp.zeros((64, 2)))
    assert 10 < int(single.sum()) < 54
    # A minibatch: the gradient is right on average, each draw of it is not.
    batch = NoisyDescent(
        well,
        [1.0, 0.0],
        step=0.02,
        steps=60,
        gradient=lambda key, x: jax.grad(well.energy)(x) + 3.0 * jax.random.normal(key, (2,)),
    )
    share = batch.many(KEY, np.tile([0.1, 0.0], (400, 1))).mean()
    assert 0.5 < share < 0.98


class Spiral(AbstractDynamics):
    """Into the origin within the unit circle, away beyond it."""

    def __call__(self, t, x, drive):
        r2 = jnp.sum(x * x)
        return x * (r2 - 1.0) / (1.0 + r2) + 2.0 * jnp.stack([-x[1], x[0]])


def test_basin_of_a_dynamics():
    member = FlowMembership(Spiral(), jnp.zeros(2), 0.05, 12.0, 200)
    volume = basin_volume(member, None, KEY, calls=4000)
    # The boundary is the unit circle, up to what cannot get home in time.
    assert volume.log_volume == pytest.approx(math.log(math.pi), abs=3 * volume.error + 0.01)
    with pytest.raises(ArgumentError, match="radius"):
        FlowMembership(Spiral(), jnp.zeros(2), -1.0, 12.0, 200)


def test_wrong_memberships(lj4):
    cluster, x = lj4
    with pytest.raises(ArgumentError, match="coordinates"):
        BasinMembership(cluster, x[:-1])
    with pytest.raises(ArgumentError, match="identity"):
        checked_identity("same")
    with pytest.raises(ArgumentError, match="not defined"):
        BasinMembership(system("thomson4"), np.ones(12))
    with pytest.raises(ArgumentError, match="NoisyDescent"):
        NoisyDescent(cluster, x, step=-1.0, steps=3)
    with pytest.raises(ArgumentError, match="on the host"):
        BasinMembership(cluster, x, identity="isomer")(KEY, jnp.asarray(x))
    assert isinstance(cluster.symmetry, ClusterSymmetry)


def test_wrong_softness_ladders():
    def passes(x, kept, softness):
        return softness * kept > x[0]

    for more, text in [
        ({"softness": [2.0, 4.0]}, "ascend"),
        ({"step": 0.0}, "step"),
        ({"sweeps": 0}, "sweeps"),
    ]:
        with pytest.raises(ArgumentError, match=text):
            softness_ladder(passes, jax.random.uniform, [0.0], KEY, **more)
