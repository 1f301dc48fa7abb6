"""Numbers of circuits that normalise: closed forms, spectra, oscillations, and where they fail.

Circuit and theorems: S. Rawat, D. J. Heeger, S. Martiniani, NeurIPS 37, 14712 (2024),
arXiv:2409.18946. Frequencies, the bistable and the unstable circuits were computed independently,
in NumPy, from the Jacobian in closed form.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from thalweg.circuits import (
    Organics,
    WilsonCowan,
    circuit,
    circuit_energy,
    effective_time_constants,
    energy_along,
    iterate_fixed_point,
    oscillators,
    principal_branch,
    scalar_fixed_points,
    trajectories,
)
from thalweg.core import AbstractDynamics, jacobian
from thalweg.dynamics import Verdict, certify, critical_step, spectrum

VARIANTS = ("main", "rectified", "head", "head-unrectified", "ring")
N = 12


def random_circuit(seed, n=N, *, W_r=None, variant="main", decades=0.5):
    """Parameters over `2 * decades` decades, and a drive of mixed signs."""
    keys = jax.random.split(jax.random.key(seed), 8)

    def draw(key, shape=(n,)):
        return 10 ** jax.random.uniform(key, shape, jnp.float64, -decades, decades)

    made = Organics(
        draw(keys[0], (n, n)),
        b=draw(keys[1]),
        b0=draw(keys[2]),
        sigma=draw(keys[3]),
        tau_y=draw(keys[4]),
        tau_a=draw(keys[5]),
        W_r=W_r,
        variant=variant,
    )
    return made, jax.random.normal(keys[6], (n,)) * draw(keys[7])


def analytic_jacobian(made, x):
    """The Jacobian of the main circuit as the paper's equations give it."""
    n = made.n
    y, a = x[:n], x[n:]
    W, W_r = np.asarray(made.W), np.asarray(made.recurrence())
    top = [-np.eye(n) + (1 - np.sqrt(a))[:, None] * W_r, -np.diag(W_r @ y / (2 * np.sqrt(a)))]
    bottom = [W * (2 * y * a), -np.eye(n) + W * y**2]
    tau = np.concatenate([made.tau_y, made.tau_a])
    return np.block([top, bottom]) / tau[:, None]


@pytest.mark.parametrize("variant", VARIANTS)
def test_closed_form_is_a_fixed_point(variant):
    for seed in range(4):
        made, z = random_circuit(seed, variant=variant)
        x = made.normalised(z)
        moved = made.velocity(x, made.drive(z)) * jnp.concatenate([made.tau_y, made.tau_a])
        assert np.max(np.abs(moved)) < 1e-14 * max(1, np.max(np.abs(x)))


def test_the_flow_arrives_at_divisive_normalisation():
    made = Organics(np.ones((3, 3)), b=0.5, b0=0.5, sigma=0.1)
    z = jnp.array([0.7, -0.2, 0.4])
    last = trajectories(made, z, jnp.full((1, 6), 0.01), 0.05, 4000)[-1, 0]
    y = 0.5 * z / jnp.sqrt(0.25 * 0.01 + jnp.sum((0.5 * z) ** 2))
    np.testing.assert_allclose(last[:3], y, rtol=0, atol=1e-12)


def test_jacobian_and_eigenvalues_against_scipy():
    for seed in range(5):
        draw = jax.random.normal(jax.random.key(seed), (N, N))
        made, z = random_circuit(seed, W_r=draw / jnp.linalg.norm(draw, 2))
        x = np.asarray(made.starts(jax.random.key(1), 1, z)[0])
        ours, theirs = np.asarray(jacobian(made, jnp.asarray(x), z)), analytic_jacobian(made, x)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * np.abs(theirs).max())
        values = scipy.linalg.eigvals(theirs)
        for value in spectrum(ours):
            assert np.min(np.abs(values - value)) < 1e-9 * np.abs(values).max()


@pytest.mark.parametrize("variant", VARIANTS)
def test_oscillators_have_the_spectrum_of_the_circuit(variant):
    for seed in range(3):
        made, z = random_circuit(seed, variant=variant, decades=0.3)
        form = oscillators(made, z)
        matrix = np.asarray(jacobian(made, jnp.asarray(form.state), z))
        for at in (0.3 + 0.7j, -2.0 + 0.1j, 1.5):
            ours = np.linalg.slogdet(at**2 * form.mass + at * form.damping + form.stiffness)
            theirs = np.linalg.slogdet(at * np.eye(2 * N) - matrix)
            assert abs(ours[0] * np.exp(ours[1] - theirs[1]) / theirs[0] - 1) < 1e-11
        for value in form.eigenvalues:
            away = np.min(np.abs(spectrum(matrix) - value))
            assert away < 1e-8 * np.abs(form.eigenvalues).max()


def test_the_inequality_that_proves_stability():
    for seed in range(20):
        made, z = random_circuit(seed, decades=1.0)
        form = oscillators(made, z)
        a = form.state[N:]
        expected = a**1.5 / made.tau_y + (made.b0 * made.sigma) ** 2 / made.tau_a
        np.testing.assert_allclose(form.damping @ a, expected, rtol=1e-11 * np.max(a) / np.min(a))
        t = np.asarray(circuit_energy(made, z).t)
        both = t[:, None] * form.damping
        both = both + both.T
        scale = 1 / np.sqrt(np.diagonal(both))
        assert np.all(t > 0)
        assert np.linalg.eigvalsh(scale[:, None] * both * scale)[0] > 0


def test_the_energy_falls_along_the_linearised_flow():
    made, z = random_circuit(3, n=5)
    energy = circuit_energy(made, z)
    matrix = jacobian(made, energy.state, z)
    deviations = jax.random.normal(jax.random.key(2), (200, 10))

    def rate(d):
        return jax.jvp(energy.quadratic, (d,), (matrix @ d,))[1]

    rates = np.asarray(jax.vmap(rate)(deviations))
    assert np.all(rates < 0)
    form = oscillators(made, z)
    y, a = energy.state[:5], energy.state[5:]
    both = energy.t[:, None] * form.damping
    speed = -(jnp.sqrt(a) / y) * (
        jnp.sqrt(a) * deviations[:, :5] + y * deviations[:, 5:] / (2 * jnp.sqrt(a))
    )
    expected = -jnp.einsum("ri,ij,rj->r", speed, both + both.T, speed)
    np.testing.assert_allclose(rates, expected, rtol=1e-10)


def test_the_energy_is_a_sum_over_neurons_and_quadratic_near_the_rest():
    made, z = random_circuit(4, n=5)
    energy = circuit_energy(made, z)
    x = energy.state * (1 + 0.1 * jnp.cos(jnp.arange(10.0)))
    assert float(energy.neurons(x).sum()) == pytest.approx(float(energy(x)), rel=1e-14)
    assert float(energy(energy.state)) < 1e-25 * float(energy(x))
    small = 1e-6 * energy.state * jnp.sin(jnp.arange(10.0) + 1)
    near = float(energy(energy.state + small))
    assert near == pytest.approx(float(energy.quadratic(small)), rel=1e-4)


def test_the_energy_may_rise_along_the_nonlinear_flow():
    made = Organics([[1.0]], b=0.5, b0=0.5, sigma=0.1)
    z = jnp.array([1.0])
    rest = made.normalised(z)
    turns = 2 * np.pi * np.arange(40) / 40
    around = np.stack([np.cos(turns), np.sin(turns)], axis=1) * np.asarray(rest)
    share = {}
    for size in (1e-4, 0.1):
        run = energy_along(made, z, rest + size * around, step=0.02, steps=1500)
        share[size] = np.mean(run.rises)
        assert np.all(run.energies[:, -1] < 1e-3 * run.energies[:, 0])
    assert share[1e-4] == 0
    assert share[0.1] > 0.2  # it is no Lyapunov function of the nonlinear circuit


@pytest.mark.parametrize(
    ("contrast", "frequency"),
    [(0.05, 0.0), (0.1, 0.0), (0.2, 23.539), (0.5, 38.447), (1.0, 52.597), (2.0, 68.887)],
)
def test_oscillation_sets_in_and_rises_with_the_drive(contrast, frequency):
    made = circuit("organics-scalar").circuit
    form = oscillators(made, jnp.array([contrast]))
    assert form.frequency.max() == pytest.approx(frequency, abs=5e-4)
    quality = {0.2: 1.07, 0.5: 1.72, 1.0: 1.38, 2.0: 1.00}.get(contrast)
    if quality:
        assert 1 / (2 * form.damping_ratio[0]) == pytest.approx(quality, abs=6e-3)


def test_effective_time_constants_shrink_with_contrast():
    made = Organics([[1.0]], sigma=0.1, tau_y=2.0, tau_a=2.0)
    found = [float(effective_time_constants(made, jnp.array([c]))[0]) for c in (0.01, 0.1, 1.0)]
    np.testing.assert_allclose(found, [19.90, 14.14, 1.990], rtol=4e-4)


def test_spectra_in_closed_form():
    # Diagonal W: independent pairs λ² + λ(√a/τ_y + (b0 σ)²/(a τ_a)) + √a/(τ_y τ_a) = 0.
    made, z = random_circuit(6, n=7)
    made = eqx.tree_at(lambda c: c.W, made, jnp.diag(jnp.diagonal(made.W)))
    form = oscillators(made, z)
    a, c = form.state[7:], np.asarray((made.b0 * made.sigma) ** 2)
    tau_y, tau_a = np.asarray(made.tau_y), np.asarray(made.tau_a)
    first, last = np.sqrt(a) / tau_y + c / (a * tau_a), np.sqrt(a) / (tau_y * tau_a)
    pairs = np.concatenate([np.roots([1, p, q]) for p, q in zip(first, last, strict=True)])
    for value in pairs:
        assert np.min(np.abs(form.eigenvalues - value)) < 1e-9 * np.abs(pairs).max()
    # One pool, rectified, k of n units driven: -1/τ_y, -1/τ_a, -√d/τ_y and one pair.
    n, k, tau_y, tau_a = 6, 4, 0.002, 0.003
    made = Organics(
        np.full((n, n), 0.7),
        b=0.6,
        b0=0.6,
        sigma=0.2,
        tau_y=tau_y,
        tau_a=tau_a,
        variant="rectified",
    )
    z = jnp.array([0.5, 0.9, 0.3, 0.2, -0.4, -0.6])
    total = 0.7 * np.sum(np.maximum(0.6 * np.asarray(z), 0) ** 2)
    d = (0.6 * 0.2) ** 2 + total
    expected = [-1 / tau_y] * (n - k) + [-1 / tau_a] * (n - 1) + [-np.sqrt(d) / tau_y] * (k - 1)
    middle = (1 - total / d) / tau_a + np.sqrt(d) / tau_y
    expected = np.array([*expected, *np.roots([1, middle, np.sqrt(d) / (tau_y * tau_a)])])
    found = oscillators(made, z).eigenvalues
    np.testing.assert_allclose(
        np.sort_complex(found.round(6)), np.sort_complex(expected.round(6)), rtol=1e-6
    )
    dense = spectrum(np.asarray(jacobian(made, made.normalised(z), z)))
    for value in expected:
        assert np.min(np.abs(dense - value)) < 1e-9 * np.abs(expected).max() * 10


def test_principal_branch_of_the_scalar_circuit_is_stable():
    keys = jax.random.split(jax.random.key(0), 9)
    count = 100_000
    draws = [10 ** np.asarray(jax.random.uniform(k, (count,), minval=-2, maxval=2)) for k in keys]
    w_r, w, b, b0, sigma, z, tau_y, tau_a = draws[:8]
    z = z * np.where(np.asarray(jax.random.bernoulli(keys[8], 0.5, (count,))), 1, -1)
    y, a = principal_branch(w_r, w, b, b0, sigma, z)
    s, c = np.sqrt(a), (b0 * sigma) ** 2
    g = b * z / y
    assert np.all(g > 0)
    trace = -g / tau_y - c / a / tau_a
    assert np.all(trace < 0)
    assert np.all(g * c / a + w_r * s * (1 - c / a) > 0)  # the determinant times both constants
    residual = (1 - c / a) * g**2 - w * (b * z) ** 2
    size = g**2 + w * (b * z) ** 2
    assert np.max(np.abs(residual) / size) < 1e-10
    # Where the wanted eigenvalues are computed, they agree: the largest real part is negative.
    some = slice(0, 2000)
    first = np.stack([-g / tau_y, -w_r * y / (2 * s) / tau_y], axis=-1)[some]
    second = np.stack([2 * w * y * a / tau_a, (-1 + w * y**2) / tau_a], axis=-1)[some]
    values = np.linalg.eigvals(np.stack([first, second], axis=1))
    assert np.all(values.real.max(1) < 1e-12 * np.abs(values).max(1))


def test_the_scalar_circuit_can_be_bistable():
    named = circuit("organics-scalar-bistable")
    certificate = certify(named.circuit, named.drive, number=16)
    assert certificate.verdict is Verdict.stable
    assert certificate.complete
    assert [p.verdict for p in certificate.points] == ["stable", "stable", "unstable"]
    assert certificate.points[0].theorem.startswith("principal branch")
    # The second becomes stable once τ_y/τ_a > 12.2.
    points = scalar_fixed_points(2.0, 1.0, 0.5, 0.5, 0.1, 1.0)
    assert len(points) == 3
    changes = []
    for ratio in (12.1, 12.3):
        made = Organics([[1.0]], b=0.5, b0=0.5, sigma=0.1, tau_y=ratio, tau_a=1.0, W_r=[[2.0]])
        rates = [spectrum(analytic_jacobian(made, p)).real.max() for p in points]
        changes.append(int(np.sum(np.array(rates) < 0)))
    assert changes == [1, 2]


def test_without_drive_a_strong_recurrence_has_two_mirror_images():
    points = scalar_fixed_points(2.0, 1.0, 0.5, 0.5, 0.1, 0.0)
    y = np.sqrt(1 - 0.0025 / 0.25)
    np.testing.assert_allclose(points, [[y, 0.25], [-y, 0.25], [0.0, 0.0025]], rtol=1e-14)
    made = Organics([[1.0]], b=0.5, b0=0.5, sigma=0.1, W_r=[[2.0]])
    certificate = certify(made, jnp.zeros(1), number=8)
    assert sorted(p.verdict for p in certificate.points) == ["stable", "stable", "unstable"]


@pytest.mark.parametrize(("sigma", "exists"), [(0.5, True), (1.0, False)])
def test_a_negative_recurrence_can_have_no_stable_fixed_point(sigma, exists):
    # w_r = -1: one exists if and only if w (bz)² ≤ (1 - c/s*²)(2 - s*)² with s* = (2c)^(1/3).
    c = (0.5 * sigma) ** 2
    s = (2 * c) ** (1 / 3)
    assert ((1 - c / s**2) * (2 - s) ** 2 >= 1) is exists
    made = Organics([[1.0]], b0=0.5, sigma=sigma, W_r=[[-1.0]])
    certificate = certify(made, jnp.array([1.0]), number=8)
    assert (certificate.verdict == "stable") is exists
    assert certificate.complete
    if not exists:
        assert certificate.reason == "none of the 1 fixed points that exist is stable"
        assert (1 - c / s**2) * (2 - s) ** 2 == pytest.approx(0.87768, abs=1e-5)


def test_two_units_inside_the_conjectures_box_without_a_stable_fixed_point():
    named = circuit("organics-pair-unstable")
    made = named.circuit
    assert np.linalg.norm(made.W_r, 2) == pytest.approx(0.9953, abs=1e-4)
    assert np.linalg.norm(named.drive) < 1
    certificate = certify(made, named.drive)
    assert certificate.verdict is Verdict.unstable
    assert len(certificate.points) == 1
    assert not certificate.applying
    run = trajectories(made, named.drive, jnp.full((1, 4), 0.01), 0.002 / 20, 260)[:, 0]
    assert np.max(np.abs(run[200])) < 1e3  # 10 τ
    assert not np.max(np.abs(run[-1])) < 1e3  # 13 τ: it has run away


def test_the_iteration_converges_linearly():
    errors = []
    for seed in range(40):
        keys = jax.random.split(jax.random.key(seed), 6)
        recurrence = jax.random.normal(keys[0], (10, 10))
        z = jax.random.normal(keys[1], (10,))
        made = Organics(
            jax.random.uniform(keys[2], (10, 10)),
            b=jax.random.uniform(keys[3], (10,), minval=0.01),
            b0=jax.random.uniform(keys[4], (10,), minval=0.01),
            sigma=jax.random.uniform(keys[5], (10,), minval=0.01),
            W_r=recurrence / jnp.linalg.norm(recurrence, 2),
        )
        path = iterate_fixed_point(made, z / jnp.linalg.norm(z), steps=60)
        last = jnp.asarray(path[-1])
        moved = made(jnp.zeros(()), last, z / jnp.linalg.norm(z))
        assert np.max(np.abs(moved)) < 1e-10
        errors.append(np.linalg.norm(path[:, :10] - path[-1, :10], axis=1))
    mean = np.mean(errors, axis=0)
    assert mean[10] < 1e-3
    assert mean[20] < 1e-2 * mean[10]
    assert mean[30] < 1e-1 * mean[20]


def test_gains_stay_positive_and_euler_fails_at_the_critical_step():
    made, z = circuit("organics-scalar").circuit, jnp.array([1.0])
    limit = float(critical_step(oscillators(made, z).eigenvalues))
    rest = np.asarray(made.normalised(z))
    at = {}
    for factor in (1 - 1e-4, 1 + 1e-4):
        step = factor * limit
        certificate = certify(made, z, step=step, number=4)
        at[factor] = certificate.euler
        x = jnp.asarray(rest * (1 + 1e-6))
        euler = eqx.filter_jit(
            lambda x, step: jax.lax.scan(
                lambda x, _: (x + step * made(jnp.zeros(()), x, z),) * 2, x, None, length=60_000
            )[1]
        )
        path = np.asarray(euler(x, step))
        assert np.all(path[:, 1] > 0)
        at[-factor] = np.max(np.abs(path[-100:] - rest)) > 1e-6
    assert list(at.values()) == ["stable", False, "unstable", True]


class _Linear(AbstractDynamics):
    matrix: jax.Array

    def __call__(self, t, x, drive=None):
        return self.matrix @ x


class _Lorenz(AbstractDynamics):
    """E. N. Lorenz, J. Atmos. Sci. 20, 130 (1963)."""

    rho: jax.Array

    def __call__(self, t, x, drive=None):
        return jnp.stack(
            [10 * (x[1] - x[0]), x[0] * (self.rho - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]
        )


def test_linear_systems_are_classified():
    for shift, verdict in ((-0.1, "stable"), (0.1, "unstable"), (0.0, "undecided")):
        matrix = jnp.array([[shift, 3.0, 0.0], [-3.0, shift, 0.0], [0.2, 0.1, -1.0]])
        certificate = certify(_Linear(matrix), dof=3, number=8)
        assert certificate.verdict == verdict
        assert certificate.points[0].margin == pytest.approx(-shift, abs=1e-12)


def test_lorenz_has_three_unstable_fixed_points_and_two_stable_ones_below_the_bifurcation():
    def certificate(rho):
        return certify(_Lorenz(jnp.asarray(rho)), dof=3, scale=15.0, number=64)

    chaotic = certificate(28.0)
    assert [p.verdict for p in chaotic.points] == ["unstable"] * 3
    wing = np.sqrt(8 / 3 * 27)
    np.testing.assert_allclose(np.abs(chaotic.points[0].x), [wing, wing, 27], rtol=1e-12)
    # The two wings lose stability at ρ = 470/19 (Lorenz 1963).
    for rho, verdict in ((470 / 19 - 1e-3, "stable"), (470 / 19 + 1e-3, "unstable")):
        assert [p.verdict for p in certificate(rho).points[:2]] == [verdict] * 2


def test_wilson_cowan_on_its_limit_cycle_has_one_unstable_fixed_point():
    made, push = WilsonCowan(), jnp.array([1.25, 0.0])
    certificate = certify(made, push)
    assert certificate.verdict is Verdict.unstable
    assert len(certificate.points) == 1
    rest = certificate.points[0].x
    run = np.asarray(trajectories(made, push, jnp.asarray(rest[None] + 1e-3), 0.02, 10_000))[
        5000:, 0
    ]
    assert np.ptp(run[:, 0]) > 0.1  # it goes round and round
    assert np.sum((run[:-1, 0] < rest[0]) & (run[1:, 0] >= rest[0])) > 5
    assert certify(made, jnp.zeros(2)).points[0].verdict is Verdict.stable
