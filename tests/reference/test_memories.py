"""Associative memories, Boltzmann machines and a quantum circuit against exact results.

Orthonormal patterns in a dense memory are the mean-field Potts model with its known transitions;
retrieval: Ramsauer et al., arXiv:2008.02217, theorems 3 to 5; Hopfield with few patterns: Amit,
Gutfreund and Sompolinsky, Phys. Rev. A 32, 1007 (1985): mixtures of three are stable below
T = 0.461. QAOA on rings: Farhi, Goldstone and Gutmann, arXiv:1411.4028; transition states from a
layer without angles: Sack, Medina, Kueng and Serbyn, Phys. Rev. A 107, 062404 (2023).
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import FreeSpace, NormalStart, SignedPermutationSymmetry, System, hessian
from thalweg.energies import (
    DenseMemory,
    HopfieldMemory,
    PolynomialMemory,
    memory_states,
    permutation_generators,
    random_directions,
    retrieval,
    sign_flip,
    system,
)
from thalweg.landscape import stationary_points
from thalweg.search import quench_many

POTTS = system("potts-memory3")


def potts(beta):
    """Three orthonormal patterns; `beta` is an array, so that all share one program."""
    return System(
        DenseMemory(jnp.eye(3), jnp.asarray(beta)),
        name="potts",
        space=POTTS.space,
        symmetry=POTTS.symmetry,
        start=POTTS.start,
        length=POTTS.length,
    )


@pytest.mark.parametrize(
    ("beta", "counts"),
    [
        (2.7, {0: 1}),
        (2.75, {0: 4, 1: 3}),
        (2.8, {0: 4, 1: 3}),
        (2.9, {0: 4, 1: 3}),
        (3.01, {0: 3, 1: 3, 2: 1}),
    ],
)
def test_every_point_of_three_orthonormal_patterns(beta, counts):
    found = stationary_points(potts(beta), 300)
    assert found.counts == counts
    assert found.morse_sum == found.euler == 1
    states = memory_states(potts(beta).energy, found.x[found.indices == 0])
    assert states.kinds.count("average") == (beta < 3.0)
    assert states.kinds.count("pattern") == (beta > 2.71)


def test_patterns_and_their_average_are_equally_deep_at_the_transition():
    """β = 2(M - 1) ln(M - 1)/(M - 2) = 4 ln 2: both wells have the same depth."""
    beta = 4.0 * math.log(2.0)
    found = stationary_points(potts(beta), 300)
    low = found.indices == 0
    np.testing.assert_allclose(found.energies[low], -0.5629072918, atol=1e-10)
    shapes = {tuple(np.round(np.sort(x), 8)) for x in found.x[low]}
    third, sixth = round(1 / 3, 8), round(1 / 6, 8)
    assert shapes == {(sixth, sixth, round(2 / 3, 8)), (third,) * 3}
    assert sorted(found.copies[low]) == [1, 3]


def test_the_three_kinds_of_minima():
    """Four similar patterns far from four single ones; with little gain, everything is one."""
    single = 3.0 * np.eye(8)[:4]
    offset = np.eye(8)[[5, 5, 6, 6]] * np.array([[1.0], [-1.0], [1.0], [-1.0]])
    similar = 3.0 * (np.eye(8)[4] + 0.12 * offset)
    patterns = jnp.asarray(np.concatenate([single, similar]))

    def minima(beta):
        built = System(
            DenseMemory(patterns, jnp.asarray(beta)),
            name="kinds",
            space=FreeSpace((8,), extent=100.0),
            start=NormalStart(jnp.zeros(8), scale=2.0),
        )
        return built.energy, stationary_points(built, np.asarray(patterns), quenches=60)

    memory, found = minima(1.5)
    low = found.indices == 0
    states = memory_states(memory, found.x[low])
    assert sorted(set(states.kinds)) == ["mixture", "pattern"]
    assert states.kinds.count("pattern") == 4
    assert states.kinds.count("mixture") == 1
    mixture = states.kinds.index("mixture")
    assert states.effective[mixture] == pytest.approx(4.0, abs=0.1)
    stored = [k for k, kind in enumerate(states.kinds) if kind == "pattern"]
    assert np.max(states.errors[stored]) < 1e-3
    memory, found = minima(0.02)
    states = memory_states(memory, found.x[found.indices == 0])
    assert states.kinds == ("average",)
    assert states.effective[0] > 7.2


def test_exponentially_many_patterns_are_retrieved_within_the_bound():
    """2000 random patterns in 64 dimensions, where a classical memory holds 0.138 · 64 = 8.8."""
    units, count = 64, 2000
    patterns = math.sqrt(units) * random_directions(count, units, 0)
    memory = DenseMemory(patterns, 1.0)
    noise = 0.05 * jax.random.normal(jax.random.key(2), patterns.shape)
    for queries in (patterns, patterns + noise):
        result = retrieval(memory, np.asarray(queries))
        np.testing.assert_array_equal(result.target, np.arange(count))
        assert np.all(result.after <= result.bound + 1e-12)
    # Where the bound says something, retrieval is that good: most patterns here.
    assert np.mean(result.bound < 0.1 * math.sqrt(units)) > 0.3
    assert np.max(result.after) < 0.5
    # The fixed points are as close: a quench from each of some patterns stays with it.
    built = System(memory, name="many", space=FreeSpace((units,)), length=1.0)
    ended = quench_many(built, np.asarray(patterns[:64]))
    exact = retrieval(memory, np.asarray(patterns[:64]))
    moved = np.linalg.norm(ended.x - np.asarray(patterns[:64]), axis=1)
    assert np.all(moved <= 2.0 * exact.bound + 1e-6)
    assert set(memory_states(memory, ended.x).kinds) == {"pattern"}


def all_signs(temperature):
    """Three patterns in which every combination of signs is equally frequent: infinitely many
    units with a vanishing load. The group is that of the cube."""
    patterns = jnp.asarray(np.array(list(itertools.product((-1.0, 1.0), repeat=3))).T)
    flips = [sign_flip(3)._replace(signs=(-1, 1, 1))]
    return System(
        HopfieldMemory(patterns, jnp.asarray(1.0 / temperature)),
        name="hopfield",
        space=FreeSpace((3,)),
        symmetry=SignedPermutationSymmetry(3, [*permutation_generators(3), *flips]),
        start=NormalStart(jnp.zeros(3), scale=0.7),
        length=0.3,
    )


@pytest.mark.parametrize("temperature", [0.3, 0.45, 0.47, 0.8])
def test_hopfield_with_few_patterns(temperature):
    found = stationary_points(all_signs(temperature), 300)
    assert found.morse_sum == found.euler == 1
    memory = all_signs(temperature).energy
    # Single patterns: m = tanh(m/T) along an axis.
    m = 1.0
    for _ in range(2000):
        m = math.tanh(m / temperature)
    states = memory_states(memory, found.x)
    lowest = np.sort(np.abs(found.x[0]))
    np.testing.assert_allclose(lowest, [0.0, 0.0, m], atol=1e-7)
    assert states.kinds[0] == "pattern"
    assert states.errors[0] == 0.0
    assert found.copies[0] == 6
    # Mixtures of three, |m1| = |m2| = |m3|: minima below T = 0.461 only.
    size = np.sort(np.abs(found.x), axis=1)
    three = (size[:, 2] - size[:, 0] < 1e-6) & (size[:, 0] > 1e-3)
    assert np.sum(three) == 1
    assert found.copies[three][0] == 8
    assert (found.indices[three][0] == 0) == (temperature < 0.461)
    assert found.counts[0] == (14 if temperature < 0.461 else 6)
    if temperature < 0.461:
        assert states.kinds[int(np.flatnonzero(three)[0])] == "average"  # of all three


@pytest.mark.slow
def test_the_capacity_of_the_hopfield_memory():
    """Amit, Gutfreund and Sompolinsky: retrieval with few errors ends at a load of 0.138."""
    wrong = []
    for count in (30, 120):
        built = system(f"hopfield600-p{count}-b10")
        ended = quench_many(built, np.eye(count))
        wrong.append(memory_states(built.energy, np.asarray(ended.x)))
    light, heavy = wrong
    np.testing.assert_array_equal(light.nearest, np.arange(30))  # load 0.05
    assert np.mean(light.errors) < 0.005
    lost = (heavy.nearest != np.arange(120)) | (heavy.errors > 0.1)
    assert np.mean(lost) > 0.3  # load 0.2


def test_polynomial_memories_store_opposites_only_when_even():
    patterns = jnp.eye(4)
    x = np.array([[0.0, -2.0, 0.0, 0.0]])
    even, odd = PolynomialMemory(patterns, 4), PolynomialMemory(patterns, 3)
    assert float(even(jnp.asarray(x[0]))) == pytest.approx(-0.25)
    assert float(odd(jnp.asarray(x[0]))) == pytest.approx(1 / 3)
    assert memory_states(even, x).errors[0] == pytest.approx(0.0)
    assert memory_states(odd, x).errors[0] == pytest.approx(2.0)


def test_the_boltzmann_machine_is_a_mixture_of_gaussians():
    built = system("rbm6-h4")
    centres, log_weights = built.energy.centres()
    x = 3.0 * np.array(jax.random.normal(jax.random.key(0), (20, 6)))
    square = np.sum((x[:, None] - centres) ** 2, axis=2)
    direct = -np.log(np.sum(np.exp(log_weights - 0.5 * square), axis=1))
    values = [float(built.energy(jnp.asarray(row))) for row in x]
    np.testing.assert_allclose(values, direct, rtol=1e-12)


@pytest.mark.slow
def test_cuts_of_a_ring():
    """p layers reach (2p + 1)/(2p + 2) of the bonds of a ring longer than 2p + 1."""
    one, two = system("qaoa-ring6-p1"), system("qaoa-ring6-p2")
    best = jnp.array([0.75 * math.pi, 0.375 * math.pi])
    assert float(one.energy(best)) / 6 == pytest.approx(-0.75, abs=1e-12)
    zero = jnp.zeros(2)
    layered = [jnp.concatenate([best, zero]), jnp.concatenate([zero, best])]
    layered.append(jnp.array([best[0], 0.0, 0.0, best[1]]))
    expected = [
        (-2.285, 1.91, 12.37, 24.0),
        (-1.612, 1.378, 12.12, 48.11),
        (-2.167, 2.073, 6.0, 48.09),
    ]
    spectra = []
    for x in layered:
        assert float(two.energy(x)) / 6 == pytest.approx(-0.75, abs=1e-12)
        assert float(jnp.max(jnp.abs(jax.grad(two.energy)(x)))) < 1e-12
        spectra.append(tuple(np.linalg.eigvalsh(np.asarray(hessian(two.energy, x)))))
    for spectrum in expected:
        gap = [max(abs(a - b) for a, b in zip(s, spectrum, strict=True)) for s in spectra]
        assert min(gap) < 0.01
    found = quench_many(two, np.asarray([layered[0] + jnp.array([0.02, -0.03, 0.04, 0.05])]))
    assert float(found.value[0]) / 6 == pytest.approx(-5 / 6, abs=1e-9)
