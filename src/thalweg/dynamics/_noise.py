"""Noise at a fixed point: covariance, spectra and coherence of the linearised flow.

Near a stable fixed point `dx = J x dt + dW` with `⟨dW dWᵀ⟩ = Q dt`. Then the stationary covariance
solves `J Σ + Σ Jᵀ = -Q`, the covariance after a lag is `e^{Jt} Σ`, and the two-sided spectral
density is

    S(f) = (2πif - J)⁻¹ Q (2πif - J)⁻ᴴ,      ∫ S df = Σ.

Source: Gardiner, Handbook of Stochastic Methods, section 4.4.6 (Ornstein-Uhlenbeck processes).
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Complex, Float, PyTree
from numpy.typing import ArrayLike

from thalweg.core import AbstractDynamics, ArgumentError, jacobian, require_x64

from ._simulate import at_time, check_velocity
from ._trajectories import Trajectories
from ._white_noise import WhiteNoise


@dataclasses.dataclass(frozen=True, eq=False)
class LinearNoise:
    """A stable linear flow under white noise, `dx = J (x - x*) dt + dW`, `⟨dW dWᵀ⟩ = Q dt`.

    Attributes:
        point: `x*`, `(dof,)`.
        jacobian: `J`, `(dof, dof)`.
        diffusion: `Q`, `(dof, dof)`.
        covariance: The stationary covariance `Σ`, `(dof, dof)`.
    """

    point: Float[np.ndarray, " dof"]
    jacobian: Float[np.ndarray, "dof dof"]
    diffusion: Float[np.ndarray, "dof dof"]
    covariance: Float[np.ndarray, "dof dof"]

    def spectrum(self, frequencies: ArrayLike) -> Complex[np.ndarray, "frequencies dof dof"]:
        """The two-sided cross-spectral density `S(f)`.

        Args:
            frequencies: `(frequencies,)`, in cycles for the time unit of the flow.

        Returns:
            `(frequencies, dof, dof)`; the diagonal holds the power spectra.
        """
        return spectral_density(self.jacobian, self.diffusion, frequencies)

    def coherence(self, frequencies: ArrayLike) -> Float[np.ndarray, "frequencies dof dof"]:
        """Squared coherence `|S_xy|² / (S_xx S_yy)`, `(frequencies, dof, dof)`, 0 to 1."""
        return coherence(self.spectrum(frequencies))

    def lagged(self, lags: ArrayLike) -> Float[np.ndarray, "lags dof dof"]:
        """The covariance `⟨x(t + lag) x(t)ᵀ⟩ = e^{J lag} Σ`, `(lags, dof, dof)`, lags ≥ 0."""
        from scipy.linalg import expm

        waits = np.atleast_1d(np.asarray(lags, float))
        if (waits < 0).any():
            raise ArgumentError("lags must not be negative", "C(-t) is the transpose of C(t)")
        return expm(self.jacobian[None] * waits[:, None, None]) @ self.covariance


def linear_noise(
    dynamics: AbstractDynamics, x: ArrayLike, noise: WhiteNoise, drive: PyTree = None
) -> LinearNoise:
    """Linearise a noisy flow about a stable fixed point.

    Args:
        dynamics: The vector field.
        x: The fixed point, `(dof,)`.
        noise: The white noise; a strength that depends on the state is taken at the fixed point.
        drive: Constant external input.

    Raises:
        ArgumentError: if the flow is not stable there, or the arguments do not fit each other.
        PrecisionError: if float64 is off.
    """
    import jax.numpy as jnp

    require_x64()
    point = np.asarray(x, np.float64)
    if point.ndim != 1 or not np.isfinite(point).all():
        raise ArgumentError(f"x has shape {point.shape}: one point of finite numbers is expected")
    check_velocity(dynamics, point, drive)
    at, now = jnp.asarray(point), at_time(drive, 0.0)
    matrix = np.asarray(jacobian(dynamics, at, now))
    diffusion = np.asarray(noise.diffusion(at, now))
    return LinearNoise(point, matrix, diffusion, stationary_covariance(matrix, diffusion))


def stationary_covariance(
    jacobian: ArrayLike, diffusion: ArrayLike
) -> Float[np.ndarray, "dof dof"]:
    """`Σ` with `J Σ + Σ Jᵀ = -Q`, by the method of Bartels and Stewart (SciPy).

    Args:
        jacobian: `J`, `(dof, dof)`, every eigenvalue with a negative real part.
        diffusion: `Q`, `(dof, dof)`, symmetric and not negative.

    Raises:
        ArgumentError: if `J` is not stable (nothing stationary exists then), or the shapes differ.
    """
    from scipy.linalg import solve_continuous_lyapunov

    matrix, noise = _square(jacobian, "jacobian"), _square(diffusion, "diffusion")
    if matrix.shape != noise.shape:
        raise ArgumentError(f"jacobian is {matrix.shape} and diffusion {noise.shape}")
    if not np.allclose(noise, noise.T, rtol=1e-10, atol=1e-300):
        raise ArgumentError("diffusion is not symmetric", "it is a covariance: (L S)(L S)ᵀ")
    abscissa = float(np.linalg.eigvals(matrix).real.max())
    if not abscissa < 0:
        raise ArgumentError(
            f"the flow is not stable there: the largest real part of an eigenvalue is {abscissa:g}",
            "a stationary covariance exists at a stable fixed point only",
        )
    covariance = solve_continuous_lyapunov(matrix, -noise)
    return 0.5 * (covariance + covariance.T)


def spectral_density(
    jacobian: ArrayLike, diffusion: ArrayLike, frequencies: ArrayLike
) -> Complex[np.ndarray, "frequencies dof dof"]:
    """`S(f) = (2πif - J)⁻¹ Q (2πif - J)⁻ᴴ`, two-sided.

    Args:
        jacobian: `J`, `(dof, dof)`.
        diffusion: `Q`, `(dof, dof)`.
        frequencies: `(frequencies,)`, in cycles for the time unit of `J`.

    Returns:
        `(frequencies, dof, dof)`.
    """
    matrix, noise = _square(jacobian, "jacobian"), _square(diffusion, "diffusion")
    omega = 2.0 * math.pi * np.atleast_1d(np.asarray(frequencies, float))
    resolvent = np.linalg.inv(1j * omega[:, None, None] * np.eye(len(matrix)) - matrix)
    return resolvent @ noise @ np.conj(resolvent.swapaxes(1, 2))


def coherence(
    spectrum: Complex[np.ndarray, "frequencies dof dof"],
) -> Float[np.ndarray, "frequencies dof dof"]:
    """Squared coherence `|S_xy|² / (S_xx S_yy)`; NaN where a power is zero."""
    power = np.real(np.diagonal(spectrum, axis1=1, axis2=2))
    product = power[:, :, None] * power[:, None, :]
    return np.divide(
        np.abs(spectrum) ** 2, product, out=np.full(product.shape, np.nan), where=product > 0
    )


@dataclasses.dataclass(frozen=True, eq=False)
class MeasuredSpectrum:
    """Spectra of simulated paths by Welch's method.

    Attributes:
        frequencies: `(frequencies,)`, not negative, in cycles for the time unit.
        density: Two-sided cross-spectral density, `(frequencies, dof, dof)`, mean of the paths.
        error: Standard error of the power spectra from the scatter between paths,
            `(frequencies, dof)`; NaN with a single path.
    """

    frequencies: Float[np.ndarray, " frequencies"]
    density: Complex[np.ndarray, "frequencies dof dof"]
    error: Float[np.ndarray, "frequencies dof"]

    @property
    def power(self) -> Float[np.ndarray, "frequencies dof"]:
        """The power spectra."""
        return np.real(np.diagonal(self.density, axis1=1, axis2=2)).copy()

    @property
    def coherence(self) -> Float[np.ndarray, "frequencies dof dof"]:
        """Squared coherence, of the mean density."""
        return coherence(self.density)


def measured_spectrum(paths: Trajectories, segment: int = 256) -> MeasuredSpectrum:
    """Power and cross spectra of simulated paths, by Welch's method with Hann windows.

    Args:
        paths: Paths at equal intervals; those that ended early are left out.
        segment: Points of one window; windows overlap by half.

    Returns:
        The two-sided density.

    Raises:
        ArgumentError: if the times are not equidistant, or no path is long enough.
    """
    from scipy import signal

    gaps = np.diff(paths.times)
    if not np.allclose(gaps, gaps[0], rtol=1e-6):
        raise ArgumentError(
            "spectra need equal intervals between times", "numpy.linspace(0, 10, n)"
        )
    x = paths.x[paths.ok]
    if not len(x) or x.shape[1] < segment or segment < 8:
        raise ArgumentError(
            f"{len(x)} paths of {x.shape[1]} points are not enough for windows of {segment}"
        )
    dof = x.shape[2]
    each = []
    frequencies = np.zeros(0)
    for i in range(dof):
        for j in range(dof):
            # SciPy's csd conjugates its first argument; S_xy here is ⟨x y*⟩.
            frequencies, cross = signal.csd(
                x[:, :, j], x[:, :, i], 1.0 / gaps[0], nperseg=segment, return_onesided=False
            )
            each.append(cross)
    keep = frequencies >= 0
    block = np.stack(each, axis=-1)[:, keep].reshape(len(x), int(keep.sum()), dof, dof)
    power = np.real(np.diagonal(block, axis1=2, axis2=3))
    spread = np.full(power.shape[1:], np.nan)
    if len(x) > 1:
        spread = power.std(axis=0, ddof=1) / math.sqrt(len(x))
    return MeasuredSpectrum(frequencies[keep], block.mean(axis=0), spread)


def _square(matrix: ArrayLike, name: str) -> Float[np.ndarray, "dof dof"]:
    array = np.asarray(matrix, np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not np.isfinite(array).all():
        raise ArgumentError(f"{name} has shape {array.shape}: a square of finite numbers, expected")
    return array
