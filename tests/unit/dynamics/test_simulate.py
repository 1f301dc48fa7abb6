"""Every way in which a path can end, and what paths do not depend on."""

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import AbstractDynamics, AbstractMap, ArgumentError, Outcome
from thalweg.dynamics import (
    WhiteNoise,
    continuation,
    entropy_production,
    kaplan_yorke,
    linear_noise,
    lyapunov_spectrum,
    simulate,
    stationary_covariance,
)
from thalweg.dynamics import _simulate as module


class Growth(AbstractDynamics):
    """`dx/dt = x²`, and NaN below -5."""

    def __call__(self, t, x, drive):
        del t, drive
        return jnp.where(x < -5.0, jnp.nan, x * x)


class Decay(AbstractDynamics):
    """`dx/dt = -k x`."""

    def __call__(self, t, x, drive):
        del t
        return -drive * x


class Doubling(AbstractMap):
    """`x → 2 x`."""

    def __call__(self, t, x, drive):
        del t, drive
        return 2.0 * x


@pytest.mark.parametrize("step", [None, 0.01])
def test_endings(step):
    found = simulate(Growth(), [[1.0], [-1.0], [-6.0]], [0.0, 0.5, 2.0], step=step)
    # A fixed step is too long for the last moment of a blow-up: it overflows.
    gone = Outcome.escaped if step is None else Outcome.nonfinite
    assert found.outcome.tolist() == [gone, Outcome.success, Outcome.nonfinite]
    assert sum(found.counts().values()) == 3
    np.testing.assert_allclose(found.x[0, 1], 2.0, rtol=1e-6)
    assert np.isnan(found.x[0, 2]).all()
    np.testing.assert_allclose(found.x[1, :, 0], [-1.0, -1 / 1.5, -1 / 3], rtol=1e-7)
    assert found.ended[0] == pytest.approx(1.0, abs=0.02)
    assert found.ended.tolist()[1:] == [2.0, 0.0]
    assert found.x[2, 0, 0] == -6.0
    assert np.isnan(found.x[2, 1:]).all()
    assert "1 success" in str(found)


def test_too_few_steps():
    found = simulate(Decay(), [1.0], [0.0, 100.0], 1e3, max_steps=20)
    assert found.outcome.tolist() == [Outcome.max_steps]
    assert not found.ok.any()


def test_drives():
    each = simulate(Decay(), [[1.0], [1.0]], [0.0, 1.0], drives=jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(each.end[:, 0], np.exp([-1.0, -2.0]), rtol=1e-8)
    ramp = simulate(Decay(), [1.0], [0.0, 1.0], lambda t: t)
    np.testing.assert_allclose(ramp.end, np.exp(-0.5), rtol=1e-8)


def test_maps():
    found = simulate(Doubling(), [[1.0], [1e-6]], [0, 3, 30])
    np.testing.assert_allclose(found.x[:, 1, 0], [8.0, 8e-6])
    assert found.outcome.tolist() == [Outcome.escaped, Outcome.success]
    assert found.ended[0] == 19.0  # 2¹⁹ is the last power below a million
    with pytest.raises(ArgumentError, match="whole numbers"):
        simulate(Doubling(), [1.0], [0.0, 0.5])
    with pytest.raises(ArgumentError, match="step and noise"):
        simulate(Doubling(), [1.0], [0, 1], step=0.1)


def test_a_noisy_path_does_not_depend_on_its_company(monkeypatch):
    settings = {"noise": WhiteNoise(0.3, 0.5), "step": 0.05, "key": 7}
    start = np.ones((5, 2))
    all_of_them = simulate(Decay(), start, [0.0, 1.0, 1.3], 1.0, **settings)
    assert len(np.unique(all_of_them.end)) == 10
    monkeypatch.setattr(module, "_CHUNK", 2)
    again = simulate(Decay(), start, [0.0, 1.0, 1.3], 1.0, **settings)
    np.testing.assert_allclose(again.x, all_of_them.x, rtol=1e-14)


def test_noise_matrices():
    tau = jnp.array([1.0, 4.0])
    x = jnp.zeros(2)
    np.testing.assert_allclose(WhiteNoise(0.6, tau).diffusion(x), np.diag([0.36, 0.09]))
    matrix = jnp.array([[1.0, 0.5], [0.0, 2.0]])
    np.testing.assert_allclose(WhiteNoise(matrix, tau).matrix(x), matrix / np.array([1.0, 2.0]))
    state = WhiteNoise(lambda t, x, drive: jnp.abs(x) + drive)
    np.testing.assert_allclose(state.matrix(jnp.array([-1.0, 2.0]), 1.0), np.diag([2.0, 3.0]))
    assert not state.additive
    with pytest.raises(ArgumentError, match="time_constants"):
        WhiteNoise(1.0, -1.0)
    with pytest.raises(ArgumentError, match="strength"):
        WhiteNoise(jnp.ones(3)).matrix(x)


def test_silent_directions():
    """A current along a direction without noise costs infinitely much entropy."""
    jacobian = np.array([[-1.0, -2.0], [2.0, -1.0]])

    class Turn(AbstractDynamics):
        def __call__(self, t, x, drive):
            return jnp.asarray(jacobian) @ x

    linear = linear_noise(Turn(), [0.0, 0.0], WhiteNoise(jnp.array([1.0, 0.0])))
    assert entropy_production(linear).rate == np.inf
    with pytest.raises(ArgumentError, match="not stable"):
        stationary_covariance(-jacobian, np.eye(2))
    with pytest.raises(ArgumentError, match="symmetric"):
        stationary_covariance(jacobian, np.array([[1.0, 1.0], [0.0, 1.0]]))


@pytest.mark.parametrize(
    ("exponents", "dof", "dimension"),
    [
        ([0.9056, 0.0, -14.5723], None, 2 + 0.9056 / 14.5723),
        ([-1.0, -2.0], None, 0.0),
        ([0.0, -1.0], None, 1.0),
        ([1.0, -0.5], None, 2.0),
        ([1.0, -0.5], 5, np.nan),
        ([np.nan, 1.0], None, np.nan),
    ],
)
def test_kaplan_yorke(exponents, dof, dimension):
    np.testing.assert_allclose(kaplan_yorke(exponents, dof), dimension)


def test_wrong_calls():
    flow = Decay()
    with pytest.raises(ArgumentError, match="increasing"):
        simulate(flow, [1.0], [1.0, 0.0], 1.0)
    with pytest.raises(ArgumentError, match="x0"):
        simulate(flow, [np.nan], [0.0, 1.0], 1.0)
    with pytest.raises(ArgumentError, match="solver='rk4'"):
        simulate(flow, [1.0], [0.0, 1.0], 1.0, solver="rk4")
    with pytest.raises(ArgumentError, match="noise needs step and key"):
        simulate(flow, [1.0], [0.0, 1.0], 1.0, noise=WhiteNoise(1.0))
    with pytest.raises(ArgumentError, match="shape"):
        simulate(Wrong(), [1.0, 2.0], [0.0, 1.0])
    with pytest.raises(ArgumentError, match="one for all paths"):
        simulate(flow, [1.0], [0.0, 1.0], 1.0, drives=jnp.ones(1))
    with pytest.raises(ArgumentError, match="count=3"):
        lyapunov_spectrum(flow, [1.0], 1.0, time=1.0, count=3)
    with pytest.raises(ArgumentError, match="no fixed point near"):
        continuation(Empty(), [0.0], 1.0, 2.0)
    with pytest.raises(ArgumentError, match="equal"):
        continuation(flow, [0.0], 1.0, 1.0)


class Wrong(AbstractDynamics):
    """Loses a coordinate."""

    def __call__(self, t, x, drive):
        return x[:1]


class Empty(AbstractDynamics):
    """`dx/dt = x² + p`: no fixed point for p > 0."""

    def __call__(self, t, x, drive):
        return x**2 + drive


def test_chaos_that_blows_up_is_named():
    found = lyapunov_spectrum(Doubling(), [[1.0], [0.0]], time=64)
    assert found.outcome.tolist() == [Outcome.escaped, Outcome.success]
    assert np.isnan(found.exponents[0]).all()
    assert found.exponents[1, 0] == pytest.approx(np.log(2.0))
    mean, _ = found.pooled()
    assert mean[0] == pytest.approx(np.log(2.0))
