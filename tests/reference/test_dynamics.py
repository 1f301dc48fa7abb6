"""Lyapunov spectra, bifurcations, spectra of noise and entropy production against known values."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import AbstractDynamics, AbstractMap, Outcome
from thalweg.dynamics import (
    WhiteNoise,
    continuation,
    entropy_production,
    fold_curve,
    hopf_curve,
    linear_noise,
    lyapunov_spectrum,
    measured_entropy_production,
    measured_spectrum,
    simulate,
    switch_branch,
)


class Flow(AbstractDynamics):
    """Any function of the point and the drive."""

    field: object

    def __call__(self, t, x, drive):
        del t
        return self.field(x, drive)


class Map(AbstractMap):
    """Any function of the point and the drive."""

    field: object

    def __call__(self, t, x, drive):
        del t
        return self.field(x, drive)


class Linear(AbstractDynamics):
    """`dx/dt = A x`."""

    matrix: jax.Array

    def __call__(self, t, x, drive):
        del t, drive
        return self.matrix @ x


def lorenz(x, drive):
    del drive
    a, b, c = x
    return jnp.stack([10.0 * (b - a), a * (28.0 - c) - b, a * b - 8.0 / 3.0 * c])


def roessler(x, drive):
    del drive
    a, b, c = x
    return jnp.stack([-b - c, a + 0.2 * b, 0.2 + c * (a - 5.7)])


def henon(x, drive):
    del drive
    return jnp.stack([1.0 - 1.4 * x[0] ** 2 + x[1], 0.3 * x[0]])


# Lyapunov spectra. Sprott, Chaos and Time-Series Analysis (2003), appendix A.


@pytest.mark.statistical  # 4.5 standard errors: false alarm 1e-5 for each of the three
def test_lorenz():
    starts = jax.random.normal(jax.random.key(1), (64, 3))
    found = lyapunov_spectrum(Flow(lorenz), starts, time=100, transient=20, step=0.01, interval=0.1)
    assert (found.outcome == Outcome.success).all()
    mean, error = found.pooled()
    assert (np.abs(mean - [0.9056, 0.0, -14.5723]) < 4.5 * error + 1e-3).all()
    assert (error < 5e-3).all()
    # The sum is the divergence, -(10 + 1 + 8/3), at every point of every path.
    np.testing.assert_allclose(found.exponents.sum(axis=1), -41 / 3, atol=2e-4)
    assert abs(np.mean(found.dimension) - 2.062) < 2e-3


@pytest.mark.statistical
def test_henon():
    starts = 0.1 * jax.random.normal(jax.random.key(1), (64, 2))
    found = lyapunov_spectrum(Map(henon), starts, time=4000, transient=500)
    mean, error = found.pooled()
    assert (np.abs(mean - [0.41922, -1.62319]) < 4.5 * error).all()
    assert (error < 1.5e-3).all()
    np.testing.assert_allclose(found.exponents.sum(axis=1), math.log(0.3), rtol=1e-12)
    assert abs(np.mean(found.dimension) - 1.25826) < 3e-3


@pytest.mark.slow
@pytest.mark.statistical
def test_roessler():
    starts = jax.random.normal(jax.random.key(1), (64, 3))
    found = lyapunov_spectrum(
        Flow(roessler), starts, time=1000, transient=100, step=0.04, interval=0.4
    )
    mean, error = found.pooled()
    assert (np.abs(mean - [0.0714, 0.0, -5.3943]) < 4.5 * error + 1e-3).all()
    assert (error < 2e-3).all()


@pytest.mark.slow
@pytest.mark.statistical
def test_lorenz_with_the_step_chosen_for_the_user():
    starts = jax.random.normal(jax.random.key(2), (64, 3))
    found = lyapunov_spectrum(Flow(lorenz), starts, time=300, transient=30)
    mean, error = found.pooled()
    assert (np.abs(mean - [0.9056, 0.0, -14.5723]) < 4.5 * error + 2e-4).all()


def test_stable_linear_flow():
    """Real parts of the eigenvalues; a complex pair shares its mean."""
    matrix = jnp.array([[-1.0, 5.0, 0.0], [-5.0, -1.0, 0.0], [1.0, 2.0, -3.0]])
    found = lyapunov_spectrum(
        Linear(matrix), jnp.ones(3), time=200, step=0.02, interval=0.2, solver="dopri8"
    )
    assert found.exponents[0].sum() == pytest.approx(-5.0, rel=2e-10)
    np.testing.assert_allclose(found.exponents[0, 2], -3.0, rtol=1e-9)
    np.testing.assert_allclose(found.exponents[0, :2], -1.0, rtol=0.02)
    assert found.dimension[0] == 0.0


def test_cat_map():
    """ln((3 ± √5)/2), exactly."""
    found = lyapunov_spectrum(
        Map(lambda x, d: jnp.mod(jnp.array([[2.0, 1.0], [1.0, 1.0]]) @ x, 1.0)),
        [[0.1, 0.2], [0.3, 0.7]],
        time=320,
    )
    exact = math.log((3 + math.sqrt(5)) / 2)
    np.testing.assert_allclose(found.exponents, [[exact, -exact]] * 2, rtol=1e-12)
    np.testing.assert_allclose(found.dimension, 2.0)


# Bifurcations. Normal forms: Kuznetsov, Elements of Applied Bifurcation Theory, chapters 3-8.


def test_fold():
    branch = continuation(Flow(lambda x, r: r - x**2), [1.0], 1.0, -1.0)
    (fold,) = branch.bifurcations
    assert fold.kind == "fold"
    assert abs(fold.parameter) < 1e-15
    assert abs(fold.x[0]) < 1e-8
    assert branch.x[-1, 0] == pytest.approx(-1.0)
    assert branch.ending == "bound"
    np.testing.assert_array_equal(branch.stable, branch.x[:, 0] > 0)


def test_pitchfork():
    flow = Flow(lambda x, r: r * x - x**3)
    (crossing,) = continuation(flow, [0.0], -1.0, 1.0).bifurcations
    assert crossing.kind == "branch"
    assert abs(crossing.parameter) < 1e-8
    halves = switch_branch(flow, crossing, -1.0, 1.0)
    for half in halves:
        np.testing.assert_allclose(half.x[:, 0] ** 2, half.parameters, atol=1e-8)
        assert half.stable.all()
    assert halves[0].x[-1] == pytest.approx(-halves[1].x[-1])


def hopf_normal_form(x, drive):
    """`dz/dt = (μ + 2i) z + s z |z|²`."""
    mu, s = drive
    square = x @ x
    return jnp.stack(
        [mu * x[0] - 2.0 * x[1] + s * x[0] * square, 2.0 * x[0] + mu * x[1] + s * x[1] * square]
    )


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_hopf(sign):
    (hopf,) = continuation(
        Flow(hopf_normal_form), [0.0, 0.0], -1.0, 1.0,
        drive=_critical if sign < 0 else _explosive,
    ).bifurcations  # fmt: skip
    assert hopf.kind == "hopf"
    assert abs(hopf.parameter) < 1e-8
    assert hopf.frequency == pytest.approx(2.0, abs=1e-8)
    assert math.copysign(1.0, hopf.coefficient) == sign


def _critical(mu):
    return mu, -1.0


def _explosive(mu):
    return mu, 1.0


def fitzhugh_nagumo(x, drive):
    """`dv/dt = v - v³/3 - w + I`, `dw/dt = 0.08 (v + 0.7 - b w)`."""
    current, b = drive
    v, w = x
    return jnp.stack([v - v**3 / 3 - w + current, 0.08 * (v + 0.7 - b * w)])


def _usual(current):
    return current, 0.8


def test_fitzhugh_nagumo():
    """Trace zero: 1 - v² = 0.08 b, so that v = ∓√0.936; I from the nullclines."""
    branch = continuation(Flow(fitzhugh_nagumo), [-1.2, -0.6], 0.0, 2.0, drive=_usual)
    assert [b.kind for b in branch.bifurcations] == ["hopf", "hopf"]
    for found, sign in zip(branch.bifurcations, (-1, 1), strict=True):
        v = sign * math.sqrt(1 - 0.08 * 0.8)
        assert found.parameter == pytest.approx((v + 0.7) / 0.8 - v + v**3 / 3, abs=1e-8)
        assert found.frequency == pytest.approx(math.sqrt(0.08 - 0.064**2), abs=1e-8)
        assert found.coefficient > 0  # the cycle is born unstable
    inside = (branch.parameters > 0.34) & (branch.parameters < 1.41)
    assert (branch.unstable[inside] == 2).all()


def test_fitzhugh_nagumo_in_two_parameters():
    """Averaging the Liénard form puts the Bautin point at b = (1 - √(1 - ε))/ε."""
    curve = hopf_curve(
        Flow(fitzhugh_nagumo), [-0.967, -0.334], (0.3313, 0.8), ((-3.0, 3.0), (0.1, 3.0))
    )
    v, b = curve.x[:, 0], curve.parameters[:, 1]
    np.testing.assert_allclose(v**2, 1 - 0.08 * b, atol=1e-9)
    np.testing.assert_allclose(curve.frequencies**2, 0.08 - (0.08 * b) ** 2, atol=1e-9)
    ((name, at),) = curve.special
    assert name == "bautin"
    assert at[1] == pytest.approx((1 - math.sqrt(1 - 0.08)) / 0.08, abs=1e-6)


def test_cusp():
    curve = fold_curve(
        Flow(lambda x, d: d[0] + d[1] * x - x**3),
        [1 / math.sqrt(3)],
        (-2 / (3 * math.sqrt(3)), 1.0),
        ((-1.0, 1.0), (-1.0, 2.0)),
    )
    p, q = curve.parameters.T
    np.testing.assert_allclose(27 * p**2, 4 * q**3, atol=1e-10)
    ((name, at),) = curve.special
    assert name == "cusp"
    np.testing.assert_allclose(at, 0.0, atol=1e-10)
    assert q[0] > 1
    assert q[-1] > 1
    assert p[0] * p[-1] < 0


def bogdanov_takens(x, drive):
    p, q = drive
    return jnp.stack([x[1], p + q * x[1] + x[0] ** 2 + x[0] * x[1]])


def test_bogdanov_takens():
    """Folds at p = 0, Hopf points at p = -q², q > 0; they meet at the origin."""
    bounds = ((-2.0, 2.0), (-2.0, 2.0))
    folds = fold_curve(Flow(bogdanov_takens), [0.0, 0.0], (0.0, -1.0), bounds)
    np.testing.assert_allclose(folds.parameters[:, 0], 0.0, atol=1e-9)
    ((name, at),) = folds.special
    assert name == "bogdanov-takens"
    np.testing.assert_allclose(at, 0.0, atol=1e-8)
    hopfs = hopf_curve(Flow(bogdanov_takens), [-1.0, 0.0], (-1.0, 1.0), bounds)
    np.testing.assert_allclose(hopfs.parameters[:, 0], -(hopfs.parameters[:, 1] ** 2), atol=1e-9)


def test_logistic_map():
    branch = continuation(Map(lambda x, r: r * x * (1 - x)), [0.5], 2.0, 3.9)
    (flip,) = branch.bifurcations
    assert flip.kind == "flip"
    assert flip.parameter == pytest.approx(3.0, abs=1e-8)
    trivial = continuation(Map(lambda x, r: r * x * (1 - x)), [0.0], 0.5, 2.5)
    assert [b.kind for b in trivial.bifurcations] == ["branch"]
    assert trivial.bifurcations[0].parameter == pytest.approx(1.0, abs=1e-8)


def test_delayed_logistic_map():
    """A Neimark-Sacker point at r = 2 with the angle π/3 (Kuznetsov, section 4.6)."""
    branch = continuation(
        Map(lambda x, r: jnp.stack([r * x[0] * (1 - x[1]), x[0]])), [0.4, 0.4], 1.6, 2.4
    )
    (found,) = branch.bifurcations
    assert found.kind == "neimark-sacker"
    assert found.parameter == pytest.approx(2.0, abs=1e-8)
    assert found.frequency == pytest.approx(math.pi / 3, abs=1e-8)


# Noise and entropy production.


def rotation(x, drive):
    """`dz/dt = (-γ + iω) z`."""
    gamma, omega = drive
    return jnp.stack([-gamma * x[0] - omega * x[1], omega * x[0] - gamma * x[1]])


def test_rotating_ornstein_uhlenbeck():
    """Φ = 2ω²/γ and Σ = (T/γ)·1 for isotropic noise (Godrèche & Luck 2019)."""
    gamma, omega, temperature = 0.7, 1.9, 0.4
    noise = WhiteNoise(math.sqrt(2 * temperature))
    linear = linear_noise(Flow(rotation), [0.0, 0.0], noise, (gamma, omega))
    np.testing.assert_allclose(linear.covariance, temperature / gamma * np.eye(2), atol=1e-14)
    found = entropy_production(linear)
    assert found.rate == pytest.approx(2 * omega**2 / gamma, rel=1e-12)
    lag = linear.lagged([0.3])[0]
    c, s = math.cos(0.3 * omega), math.sin(0.3 * omega)
    expected = temperature / gamma * math.exp(-0.3 * gamma) * np.array([[c, -s], [s, c]])
    np.testing.assert_allclose(lag, expected, atol=1e-14)


def test_a_gradient_flow_produces_no_entropy():
    root = np.asarray(jax.random.normal(jax.random.key(0), (6, 6)))
    hessian = jnp.asarray(root @ root.T + np.eye(6))
    linear = linear_noise(Linear(-hessian), np.zeros(6), WhiteNoise(0.3))
    assert entropy_production(linear).rate < 1e-12
    skew = jnp.asarray(root - root.T)
    stirred = linear_noise(Linear(-hessian + skew), np.zeros(6), WhiteNoise(0.3))
    assert entropy_production(stirred).rate > 1.0


def test_spectrum_of_two_coordinates():
    """The closed form for two coordinates, and its integral, the covariance."""
    tau_y, tau_a, eta = 0.002, 0.003, 0.7
    matrix = np.array([[-1.3 / tau_y, -0.9 / tau_y], [1.7 / tau_a, -0.2 / tau_a]])
    noise = WhiteNoise(eta, jnp.array([tau_y, tau_a]))
    linear = linear_noise(Linear(jnp.asarray(matrix)), [0.0, 0.0], noise)
    f = np.linspace(0, 400, 97)
    omega = 2 * math.pi * f
    q_y, q_a = eta**2 / tau_y, eta**2 / tau_a
    det, trace = np.linalg.det(matrix), np.trace(matrix)
    closed = q_y * (omega**2 + matrix[1, 1] ** 2) + matrix[0, 1] ** 2 * q_a
    closed = closed / ((det - omega**2) ** 2 + trace**2 * omega**2)
    density = linear.spectrum(f)
    np.testing.assert_allclose(density[:, 0, 0].real, closed, rtol=2e-14)
    np.testing.assert_allclose(density, density.conj().swapaxes(1, 2), rtol=1e-12)
    wide = np.linspace(0, 3e5, 600_001)
    total = 2 * np.trapezoid(linear.spectrum(wide).real, wide, axis=0)
    np.testing.assert_allclose(total, linear.covariance, rtol=2e-3, atol=1e-4)
    residual = matrix @ linear.covariance + linear.covariance @ matrix.T + linear.diffusion
    assert np.abs(residual).max() < 1e-12 * np.abs(linear.diffusion).max()


@pytest.mark.statistical
def test_simulated_noise():
    """Covariance, spectrum, coherence and entropy production of paths against linear theory.

    Tolerances are five standard errors and the bias of steps of 0.01 (a share γ h/2 of the
    variance): a false alarm in one of 1e5 runs.
    """
    gamma, omega = 0.7, 1.9
    noise = WhiteNoise(jnp.array([[0.8, 0.0], [0.3, 0.6]]), jnp.array([1.0, 2.0]))
    linear = linear_noise(Flow(rotation), [0.0, 0.0], noise, (gamma, omega))
    start = jax.random.multivariate_normal(
        jax.random.key(1), jnp.zeros(2), jnp.asarray(linear.covariance), (500,)
    )
    times = np.arange(0, 41.0, 0.02)
    paths = simulate(Flow(rotation), start, times, (gamma, omega), noise=noise, step=0.01, key=3)
    assert paths.ok.all()
    covariance = np.cov(paths.end.T)
    tolerance = 5 * linear.covariance.max() * math.sqrt(2 / 500) + 0.01
    np.testing.assert_allclose(covariance, linear.covariance, atol=tolerance)

    measured = measured_spectrum(paths, segment=1024)
    theory = linear.spectrum(measured.frequencies)
    low = (measured.frequencies > 0.1) & (measured.frequencies < 2.0)
    power = np.real(np.diagonal(theory, axis1=1, axis2=2))
    off = np.abs(measured.power - power)[low]
    assert (off < 5 * measured.error[low] + 0.05 * power[low]).all()
    gap = np.abs(measured.coherence - linear.coherence(measured.frequencies))[low, 0, 1]
    assert gap.max() < 0.08
    phase = np.angle(measured.density[low, 0, 1] / theory[low, 0, 1])
    assert np.abs(phase).max() < 0.1

    rate = measured_entropy_production(Flow(rotation), paths, noise, (gamma, omega))
    exact = entropy_production(linear).rate
    assert abs(rate.rate - exact) < 5 * rate.error + 0.03 * exact
    assert rate.error < 0.02 * exact
