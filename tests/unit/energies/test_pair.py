"""Pair energies: the compiled kernel, the JAX sums and the definition are one function."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError, EnergyError, hessian, hvp, value_and_grad
from thalweg.energies import (
    AbstractPairTerm,
    InversePower,
    LennardJones,
    Morse,
    PairEnergy,
    WeeksChandlerAndersen,
    kob_andersen,
)

COUNT = 6
MIXED = (0, 0, 0, 0, 1, 1)
ENERGIES = {
    "lj": PairEnergy(LennardJones(1.3, 0.9), (0,) * COUNT),
    "morse": PairEnergy(Morse(rho=6.0, epsilon=0.7, distance=1.1), (0,) * COUNT),
    "coulomb": PairEnergy(InversePower(1), (0,) * COUNT),
    "cubic": PairEnergy(InversePower(3, 2.0, 1.2), (0,) * COUNT),
    "soft": PairEnergy(InversePower(12), (0,) * COUNT),
    "wca": PairEnergy(WeeksChandlerAndersen(), (0,) * COUNT),
    "mixture": PairEnergy(kob_andersen(), MIXED),
    "box": PairEnergy(kob_andersen(1.5), MIXED, (3.0, 3.5, 4.0)),
}
energies = pytest.mark.parametrize("energy", ENERGIES.values(), ids=ENERGIES.keys())


@pytest.fixture(params=["numba", "jax"])
def path(request, monkeypatch):
    monkeypatch.setenv("THALWEG_KERNELS", request.param)
    return request.param


def block(lanes, salt=0, scale=1.5):
    key = jax.random.fold_in(jax.random.key(3), salt)
    return jax.random.uniform(key, (3 * COUNT, lanes), minval=-scale, maxval=scale)


def by_definition(energy, x):
    return jax.vmap(jax.value_and_grad(energy), in_axes=-1, out_axes=(0, -1))(x)


def hvp_by_definition(energy, x, v):
    def single(x, v):
        return jax.jvp(jax.grad(energy), (x,), (v,))[1]

    return jax.vmap(single, in_axes=-1, out_axes=-1)(x, v)


def assert_close(got, expected, relative=1e-12):
    """Agreement relative to the largest entry of each lane."""
    scale = jnp.maximum(jnp.max(jnp.abs(expected), axis=0), 1e-30)
    assert float(jnp.max(jnp.abs(got - expected) / scale)) < relative


@energies
def test_block_methods_agree_with_the_definition(energy, path):
    x, v = block(11), block(11, salt=1)
    value, grad = energy.lane_value_and_grad(x)
    expected_value, expected_grad = by_definition(energy, x)
    assert_close(value[None], expected_value[None])
    assert_close(grad, expected_grad)
    assert_close(energy.lane_hvp(x, v), hvp_by_definition(energy, x, v))


def test_a_pair_function_gives_the_derivatives_of_its_value():
    for energy in ENERGIES.values():
        row = tuple(energy.term.table()[0, 0])
        for r2 in (0.7, 1.2, 2.0):

            def value(r2, energy=energy, row=row):
                return energy.term.pair(r2, row)[0]

            _, first, second = energy.term.pair(jnp.asarray(r2), row)
            assert float(first) == pytest.approx(float(jax.grad(value)(r2)), rel=1e-12)
            assert float(second) == pytest.approx(float(jax.grad(jax.grad(value))(r2)), rel=1e-11)


@pytest.mark.parametrize("name", ["lj", "box"])
def test_a_lane_does_not_depend_on_its_company(name):
    energy = ENERGIES[name]
    x, v = block(80), block(80, salt=1)
    value, grad = energy.lane_value_and_grad(x)
    product = energy.lane_hvp(x, v)
    for lanes in (1, 5, 16, 48, 64):
        few_value, few_grad = energy.lane_value_and_grad(x[:, :lanes])
        few_product = energy.lane_hvp(x[:, :lanes], v[:, :lanes])
        np.testing.assert_array_equal(few_value, value[:lanes])
        np.testing.assert_array_equal(few_grad, grad[:, :lanes])
        np.testing.assert_array_equal(few_product, product[:, :lanes])


def test_impossible_points_are_data(path):
    energy = ENERGIES["lj"]
    x = block(16)
    expected, _ = energy.lane_value_and_grad(x)
    x = x.at[3:6, 2].set(x[0:3, 2])  # two atoms in one place
    x = x.at[0, 5].set(jnp.nan)
    x = x.at[0, 7].set(jnp.inf)
    value, grad = energy.lane_value_and_grad(x)
    product = energy.lane_hvp(x, jnp.ones_like(x))
    assert not np.isfinite(value[2])
    assert np.isnan(value[5])
    assert not np.all(np.isfinite(np.asarray(grad[:, [2, 5, 7]])), axis=0).any()
    assert not np.all(np.isfinite(np.asarray(product[:, [2, 5]])), axis=0).any()
    untouched = np.delete(np.arange(16), [2, 5, 7])
    np.testing.assert_array_equal(value[untouched], expected[untouched])


def test_morse_in_the_range_of_its_exponential():
    """Far apart, on top of each other, and beyond what a double holds."""
    energy = PairEnergy(Morse(rho=500.0), (0, 0))
    distances = jnp.array([1e-9, 0.01, 0.5, 0.99, 1.0, 1.2, 2.4, 2.5, 3.0, 50.0])
    x = jnp.zeros((6, distances.size)).at[3].set(distances)
    value, _ = energy.lane_value_and_grad(x)
    np.testing.assert_allclose(value, by_definition(energy, x)[0], rtol=1e-12)
    energy = PairEnergy(Morse(rho=2000.0), (0, 0))
    assert np.isinf(energy.lane_value_and_grad(x)[0][0])


def test_single_precision_takes_the_jax_path():
    x = block(4, scale=2.0)
    energy = ENERGIES["lj"]
    value, grad = energy.lane_value_and_grad(x.astype(jnp.float32))
    assert value.dtype == grad.dtype == jnp.float32
    assert_close(value[None].astype(jnp.float64), by_definition(energy, x)[0][None], 1e-3)


def test_no_lanes(path):
    value, grad = ENERGIES["lj"].lane_value_and_grad(block(0))
    assert value.shape == (0,)
    assert grad.shape == (3 * COUNT, 0)
    assert ENERGIES["lj"].lane_hvp(block(0), block(0)).shape == (3 * COUNT, 0)


def test_inside_loops_and_maps(path):
    energy, x = ENERGIES["lj"], block(8)

    def descend(x):
        return jax.lax.fori_loop(0, 3, lambda _, x: x - 1e-9 * value_and_grad(energy, x)[1], x)

    looped = jax.jit(descend)(x)
    stepped = x
    for _ in range(3):
        stepped = stepped - 1e-9 * value_and_grad(energy, stepped)[1]
    assert_close(looped, stepped)
    stack = jnp.stack([x, 1.1 * x])
    mapped, _ = jax.vmap(energy.lane_value_and_grad)(stack)
    assert_close(mapped[1][None], energy.lane_value_and_grad(stack[1])[0][None])


def test_one_point_and_its_hessian(path):
    energy, x = ENERGIES["mixture"], block(1)[:, 0]
    value, grad = value_and_grad(energy, x)
    assert value.shape == ()
    assert_close(grad, jax.grad(energy)(x))
    assert_close(hessian(energy, x), jax.hessian(energy)(x), 1e-11)
    assert hvp(energy, x, grad).shape == x.shape


def test_the_definition_is_differentiable_in_the_parameters():
    x = block(1)[:, 0]

    def at(epsilon):
        return PairEnergy(LennardJones(epsilon), (0,) * COUNT)(x)

    slope = jax.grad(at)(1.3)
    assert float(slope) == pytest.approx(float(at(1.3)) / 1.3, rel=1e-12)


def test_parameters_may_be_traced_and_do_not_recompile(path):
    x = block(8)

    @jax.jit
    def at(epsilon, x):
        return PairEnergy(LennardJones(epsilon), (0,) * COUNT).lane_value_and_grad(x)[0]

    assert_close(at(2.0, x)[None], 2.0 * at(1.0, x)[None])
    assert at._cache_size() == 1


def test_the_mixture_is_smooth_at_its_cutoff():
    energy = PairEnergy(kob_andersen(), (0, 1))
    cutoff = 2.5 * 0.8
    for distance in (cutoff - 1e-7, cutoff + 1e-7):
        value, slope = jax.value_and_grad(energy)(jnp.array([0.0, 0, 0, distance, 0, 0]))
        assert abs(float(value)) < 1e-12
        assert float(jnp.max(jnp.abs(slope))) < 1e-6
    beyond = energy(jnp.array([0.0, 0, 0, cutoff + 1e-7, 0, 0]))
    assert float(beyond) == 0.0


def test_the_nearest_image_counts():
    energy = PairEnergy(LennardJones(), (0, 0), (5.0, 6.0, 7.0))
    free = PairEnergy(LennardJones(), (0, 0))
    there = jnp.array([0.1, 0.0, 0.0, 4.0, 0.0, 0.0])
    near = jnp.array([0.1, 0.0, 0.0, -1.0, 0.0, 0.0])
    assert float(energy(there)) == pytest.approx(float(free(near)), rel=1e-14)


@pytest.mark.parametrize("species", [(0,), (0, 1), (0, -1)])
def test_species_that_do_not_fit_are_refused(species):
    with pytest.raises(ArgumentError, match="species"):
        PairEnergy(LennardJones(), species)


def test_a_box_that_makes_no_sense_is_refused():
    with pytest.raises(ArgumentError, match="box"):
        PairEnergy(LennardJones(), (0, 0), (1.0, 2.0, -3.0))
    with pytest.raises(ArgumentError, match="exponent"):
        InversePower(0)


def _uses_numpy(r2, p):
    return jnp.tanh(r2), r2, r2


def test_a_pair_function_that_cannot_be_compiled_says_so():
    class Wrong(AbstractPairTerm):
        cites = ()

        @property
        def pair(self):
            return _uses_numpy

        def table(self):
            return jnp.ones((1, 1, 1))

    with pytest.raises(EnergyError, match=r"_uses_numpy cannot be compiled(.|\n)*lane_exp"):
        PairEnergy(Wrong(), (0, 0)).lane_value_and_grad(jnp.ones((6, 1)))


@pytest.mark.slow
def test_kernels_cached_by_different_processes_are_told_apart(tmp_path):
    """Two processes compile one kernel each; a third takes both from the cache."""
    script = (
        "import sys, jax, numpy as np\n"
        "jax.config.update('jax_enable_x64', True)\n"
        "from thalweg.energies import InversePower, PairEnergy\n"
        "x = jax.numpy.zeros((6, 1)).at[3].set(2.0)\n"
        "for power in map(int, sys.argv[1:]):\n"
        "    value, _ = PairEnergy(InversePower(power), (0, 0)).lane_value_and_grad(x)\n"
        "    assert np.isclose(value[0], 2.0**-power, rtol=1e-14), (power, value)\n"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for powers in (["3"], ["5"], ["3", "5"]):
        command = [sys.executable, "-c", script, *powers]
        subprocess.run(command, env=environment, check=True, timeout=200)
