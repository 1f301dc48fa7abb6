"""Exactly known sets of stationary points: φ⁴ fields, XY rings, mean-field spins, p-spin glasses.

φ⁴: M. Kastner and D. Mehta, Phys. Rev. Lett. 107, 160602 (2011), λ = 3/5, μ² = 2; at J = 0 the
counts are binomial, those at J > 0 were found independently by Newton's method from grids of
starts and sum to the Euler characteristic. XY rings: formulas of Wiley, Strogatz and Girvan (2006)
and DeVille (2012). p = 3: at most 2(2^N - 1) points (Cartwright and Sturmfels 2013), `x ↦ -x`
reverses the indices; the counts of these nine draws were found independently. p = 2: eigenvectors.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import NormalStart, SignedPermutationSymmetry, SphereSpace, System
from thalweg.energies import Phi4, PSpin, system
from thalweg.landscape import stationary_points
from thalweg.search import certify_many

FIELD = system("phi4-2x2")


def phi4(coupling):
    """The 2 x 2 lattice; the coupling is an array, so that all of them share one program."""
    return System(
        Phi4((2, 2), jnp.asarray(coupling)),
        name="phi4",
        space=FIELD.space,
        symmetry=FIELD.symmetry,
        start=FIELD.start,
        length=FIELD.length,
    )


@pytest.mark.parametrize(
    ("coupling", "counts"),
    [
        (0.0, {0: 16, 1: 32, 2: 24, 3: 8, 4: 1}),
        (0.1, {0: 16, 1: 32, 2: 24, 3: 8, 4: 1}),
        (0.3, {0: 6, 1: 8, 2: 4, 3: 1}),
        (0.4, {0: 2, 1: 4, 2: 4, 3: 1}),
        (0.6, {0: 2, 1: 1}),
    ],
)
def test_every_point_of_the_field_on_four_sites(coupling, counts):
    found = stationary_points(phi4(coupling), 400)
    assert found.counts == counts
    assert found.morse_sum == found.euler == 1
    assert not found.missing
    assert len(found.degenerate) == 0
    assert found.energies[0] == pytest.approx(-40.0, abs=1e-9)  # -10 a site, whatever J
    assert all(certificate.ok for certificate in found.certificates)
    assert sum(found.outcomes.values()) == found.starts == 400


@pytest.mark.parametrize("coupling", [0.25, 0.5])
def test_a_bifurcation_is_named_and_not_counted(coupling):
    """The origin loses a direction: `-μ² + J l = 0` for an eigenvalue `l` = 8 or 4."""
    origin = certify_many(phi4(coupling), np.zeros((1, 4)), None)[0]
    assert origin.certificate.outcome.name == "unexplained_zero_modes"
    found = stationary_points(phi4(coupling), np.zeros((1, 4)))
    assert len(found) == 0
    assert found.degenerate == pytest.approx([0.0], abs=1e-12)
    assert found.missing is None
    assert "degenerate" in found.statement()


def test_a_missing_point_is_told_by_the_sum():
    found = stationary_points(phi4(0.1), 4)
    assert found.missing
    assert "missing" in found.statement()


@pytest.mark.slow
def test_a_larger_field_is_never_claimed_to_be_complete():
    """3 x 3 at J = 0.2 has thousands of points; some hundred starts miss most of them."""
    found = stationary_points(system("phi4-3x3-j0.2"), 600)
    assert found.missing
    assert found.euler == 1
    assert sum(found.counts.values()) > 2000


def ramps(spins, count):
    """Rough twists of up to half a turn a step: at random, the more twisted states are rare."""
    keys = jax.random.split(jax.random.key(1), 2)
    turns = np.array(jax.random.uniform(keys[0], (count, 1), minval=-0.5, maxval=0.5))
    noise = np.array(jax.random.normal(keys[1], (count, spins)))
    return 2.0 * math.pi * turns * np.arange(spins) + noise * np.linspace(0.1, 1.5, count)[:, None]


@pytest.mark.parametrize("spins", [5, 9])
def test_rings_of_spins(spins):
    found = stationary_points(system(f"xy-ring{spins}"), ramps(spins, 400))
    twists = range((spins - 1) // 4 + 1)
    low = found.indices == 0
    expected = [spins * (1.0 - math.cos(2.0 * math.pi * q / spins)) for q in twists]
    np.testing.assert_allclose(found.energies[low], expected, atol=1e-9)
    assert found.counts[0] == 2 * ((spins - 1) // 4) + 1
    saddles = found.indices == 1
    passes = [
        spins - (spins - 2) * math.cos((2 * q - 1) * math.pi / (spins - 2)) for q in twists if q
    ]
    np.testing.assert_allclose(found.energies[saddles], passes, atol=1e-9)
    np.testing.assert_array_equal(found.copies[saddles], 2 * spins)
    # Every point is a choice of angles of the same sine: no gradient, no invention.
    for x in found.x:
        step = np.sin(np.roll(x, -1) - x)
        assert np.ptp(step) < 1e-7
    if spins == 5:
        assert found.counts == {0: 3, 1: 10, 2: 10, 3: 5, 4: 2}
        assert found.morse_sum == found.euler == 0
        assert found.missing is False


def test_a_ring_with_degenerate_twists():
    """Steps of a quarter turn have no stiffness: with N divisible by 4 there are such states."""
    ring = system("xy-ring8")
    twisted = 0.5 * math.pi * np.arange(8.0)
    found = stationary_points(ring, twisted[None])
    assert len(found) == 0
    assert found.degenerate == pytest.approx([8.0])
    assert found.outcomes == {"unexplained_zero_modes": 1}


def test_continua_of_the_mean_field_model():
    """Isolated points: every spin with or against the mean, 2^(N-1) for odd N, index = against."""
    found = stationary_points(system("xy-mean5"), 300)
    assert found.counts == {0: 1, 1: 5, 2: 10}
    mean = np.abs(np.mean(np.exp(1j * found.x), axis=1))
    np.testing.assert_allclose(mean, [1.0, 0.6, 0.2], atol=1e-9)
    np.testing.assert_allclose(found.energies, 2.5 * (1.0 - mean**2), atol=1e-9)
    # What is left belongs to the continuum of vanishing magnetisation.
    assert len(found.degenerate) > 0
    np.testing.assert_allclose(found.degenerate, 2.5, atol=1e-9)
    rest = np.abs(np.mean(np.exp(1j * found.degenerate_x), axis=1))
    np.testing.assert_allclose(rest, 0.0, atol=1e-6)
    assert found.missing is None
    assert found.outcomes["unexplained_zero_modes"] == found.degenerate_hits.sum()


def glass(couplings, *, even):
    """A p-spin glass with given couplings; arrays, so that draws of one size share a program."""
    size, p = len(couplings), couplings.ndim
    flips = system("pspin2-4").symmetry.generators[0]._replace
    order = tuple(range(size))
    flip = flips(labels=order, signs=(-1,) * size, shifts=(0.0,) * size)
    radius = math.sqrt(size)
    return System(
        PSpin(jnp.asarray(couplings), jnp.asarray(size ** (-0.5 * (p - 1)))),
        name="glass",
        space=SphereSpace(1, size, radius),
        symmetry=SignedPermutationSymmetry(size, [flip] if even else [], radius=radius),
        start=NormalStart(jnp.zeros(size)),
        length=0.3 * radius,
    )


@pytest.mark.parametrize(
    ("size", "counts"),
    [
        (3, [(3, 4, 3), (3, 4, 3), (3, 4, 3)]),
        (4, [(4, 5, 5, 4), (3, 2, 2, 3), (3, 6, 6, 3)]),
        (5, [(4, 9, 12, 9, 4), (3, 5, 6, 5, 3), (2, 4, 6, 4, 2)]),
    ],
)
def test_every_point_of_small_glasses(size, counts):
    for seed, expected in enumerate(counts):
        couplings = np.random.default_rng(seed).normal(size=(size,) * 3)  # noqa: TID251 - theirs
        found = stationary_points(glass(couplings, even=False), 800)
        assert tuple(found.counts.values()) == expected
        assert len(found) <= 2 * (2**size - 1)
        assert found.morse_sum == found.euler == 1 + (-1) ** (size - 1)
        # The opposite point has the opposite energy.
        np.testing.assert_allclose(np.sort(found.energies), np.sort(-found.energies), atol=1e-9)


def test_two_spin_couplings_have_eigenvectors():
    couplings = np.random.default_rng(7).normal(size=(8, 8))  # noqa: TID251 - as above
    found = stationary_points(glass(couplings, even=True), 500)
    eigenvalues, vectors = np.linalg.eigh(0.5 * (couplings + couplings.T))
    assert sum(found.counts.values()) == 16
    np.testing.assert_allclose(found.energies, math.sqrt(8) * eigenvalues, atol=1e-9)
    np.testing.assert_array_equal(found.indices, np.arange(8))
    np.testing.assert_array_equal(found.copies, 2)
    overlap = np.abs(found.x @ vectors) / math.sqrt(8)
    np.testing.assert_allclose(overlap, np.eye(8), atol=1e-7)
    assert found.morse_sum == found.euler == 0


def test_a_glass_by_name():
    """`Var H = N`: couplings of unit variance, `scale² N^p = N`; the same for the same seed."""
    built, other = system("pspin3-12-s3"), system("pspin3-12-s4")
    couplings = np.asarray(built.energy.couplings)
    # 1728 draws: the standard error of the variance is 3.4 %.
    assert np.var(couplings) == pytest.approx(1.0, abs=0.12)
    assert built.energy.scale**2 * 12**3 == pytest.approx(12)
    np.testing.assert_array_equal(couplings, system("pspin3-12-s3").energy.couplings)
    assert not np.any(couplings == np.asarray(other.energy.couplings))
    x = np.arange(1.0, 13.0)
    spin = x * math.sqrt(12.0 / np.sum(x**2))
    direct = np.einsum("ijk,i,j,k", couplings, spin, spin, spin) / 12.0
    assert float(built.energy(jnp.asarray(x))) == pytest.approx(direct, rel=1e-12)
