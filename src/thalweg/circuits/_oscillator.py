"""The linearised circuit with `W_r = I` as coupled damped oscillators, and its energy.

About the normalised state, with `x = D(√a τ_y/y)(y - y_s)`, the linearised circuit is

    M ẍ + B ẋ + K x = 0,   M = I,
    B = D(√a/τ_y) + τ_a⁻¹ (I - W D(y²)),   K = D(√a/(τ_y τ_a)),

and `det(λ - J) = det(λ² + λB + K)` exactly. `B` is an M-matrix, so a diagonal `T > 0` with
`TB + BᵀT ≻ 0` exists (`thalweg.dynamics.diagonal_metric`), and

    E = ẋᵀ T ẋ + xᵀ T K x,   dE/dt = -ẋᵀ (TB + BᵀT) ẋ ≤ 0

along the linearised flow. In the variables of the circuit `E` is a sum over neurons of a
normalisation error and an input mismatch. Along the nonlinear flow it is not monotone at finite
amplitude: `energy_along` measures it.

Source: S. Rawat, D. J. Heeger and S. Martiniani, NeurIPS 37, 14712 (2024), for the oscillators and
the form of the energy; the diagonal `T` is constructed here.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from thalweg.core import ArgumentError, Point
from thalweg.dynamics import damping_ratios, diagonal_metric, frequencies, spectrum

from ._organics import Organics
from ._theory import damping_matrix, is_pooled_rectified


@dataclasses.dataclass(frozen=True, eq=False)
class Oscillators:
    """Coupled damped oscillators `M ẍ + B ẋ + K x = 0` with the spectrum of the circuit.

    Attributes:
        mass: `M`, the identity, `(n, n)`.
        damping: `B`, `(n, n)`.
        stiffness: `K`, diagonal and positive, `(n, n)`.
        eigenvalues: The `2n` roots of `det(λ² M + λB + K)`, the largest real part first.
        damping_ratio: Of each, `(2n,)`.
        frequency: Of each, in cycles for each unit of time, `(2n,)`.
        state: The fixed point, `(2n,)`.
    """

    mass: np.ndarray
    damping: np.ndarray
    stiffness: np.ndarray
    eigenvalues: np.ndarray
    damping_ratio: np.ndarray
    frequency: np.ndarray
    state: np.ndarray


def oscillators(circuit: Organics, drive: PyTree = None) -> Oscillators:
    """The oscillator form of a circuit with `W_r = I` at its normalised state.

    Args:
        circuit: Any variant.
        drive: Its constant drive.

    Raises:
        ArgumentError: if the circuit has a recurrence of its own.
    """
    state = circuit.normalised(drive)
    n = circuit.n
    damping, stiffness = (np.asarray(v) for v in damping_matrix(circuit, state[:n], state[n:]))
    companion = np.block([[np.zeros((n, n)), np.eye(n)], [-np.diag(stiffness), -damping]])
    values = spectrum(companion)
    return Oscillators(
        mass=np.eye(n),
        damping=damping,
        stiffness=np.diag(stiffness),
        eigenvalues=values,
        damping_ratio=damping_ratios(values),
        frequency=frequencies(values),
        state=np.asarray(state),
    )


class CircuitEnergy(eqx.Module):
    """The energy that the linearised circuit lowers, one term for each neuron.

    `V = Σᵢ tᵢ aᵢ/yᵢ² [ (τ_y/τ_a) √aᵢ (y - yᵢ)² + (√a y - b z)² ]` with `yᵢ`, `aᵢ` at the fixed point:
    what a neuron does at its rest is to make its own term vanish, by being at the normalised
    response and by letting its gain match its input.

    Attributes:
        t: Diagonal of the metric `T`, `(n,)`.
        state: The fixed point, `(2n,)`.
        push: `b z`, `(n,)`.
        ratio: `τ_y/τ_a`, `(n,)`.
    """

    t: Float[Array, " n"]
    state: Float[Array, " dof"]
    push: Float[Array, " n"]
    ratio: Float[Array, " n"]

    def terms(self, x: Point) -> Float[Array, "two n"]:
        """Normalisation error and input mismatch of each neuron at the state `x`, `(2, n)`."""
        n = self.t.shape[0]
        y, a, ys, a_s = x[:n], x[n:], self.state[:n], self.state[n:]
        weight = self.t * a_s / ys**2
        error = weight * self.ratio * jnp.sqrt(a_s) * (y - ys) ** 2
        mismatch = weight * (jnp.sqrt(jnp.where(a > 0, a, 0.0)) * y - self.push) ** 2
        return jnp.stack([error, mismatch])

    def neurons(self, x: Point) -> Float[Array, " n"]:
        """The term of each neuron, `(n,)`."""
        return self.terms(x).sum(0)

    def __call__(self, x: Point) -> Float[Array, ""]:
        """The energy of the state `x`, zero at the fixed point and positive elsewhere."""
        return self.terms(x).sum()

    def quadratic(self, deviation: Point) -> Float[Array, ""]:
        """The same to second order in the deviation `(δy, δa)`: non-increasing when linearised."""
        n = self.t.shape[0]
        dy, da, ys, a_s = deviation[:n], deviation[n:], self.state[:n], self.state[n:]
        weight = self.t * a_s / ys**2
        mismatch = jnp.sqrt(a_s) * dy + ys * da / (2 * jnp.sqrt(a_s))
        return jnp.sum(weight * (self.ratio * jnp.sqrt(a_s) * dy**2 + mismatch**2))


def circuit_energy(circuit: Organics, drive: PyTree = None) -> CircuitEnergy:
    """The energy of a circuit with `W_r = I` about its normalised state.

    Args:
        circuit: A circuit that is not rectified in the pool (`main`, `head-unrectified`).
        drive: Its constant drive, with no zero in it.

    Raises:
        ArgumentError: if the circuit has another form, or a neuron has no drive: its term has
            `y²` in the denominator.
    """
    if is_pooled_rectified(circuit.variant):
        raise ArgumentError(
            f"the energy is that of the main circuit, and this is the variant {circuit.variant!r}",
            "where all drives are positive the main circuit has the same linearisation",
        )
    state = circuit.normalised(drive)
    n = circuit.n
    z = circuit.drive(drive)
    if not np.all(np.asarray(z) != 0):
        silent = int(np.flatnonzero(np.asarray(z) == 0)[0]) + 1
        raise ArgumentError(
            f"neuron {silent} has no drive, so it decouples and the energy has no term for it",
            "leave such neurons out of the circuit, or give them a drive",
        )
    damping = np.asarray(damping_matrix(circuit, state[:n], state[n:])[0])
    metric = diagonal_metric(damping, v=np.asarray(state[n:]))
    if metric is None:
        raise ArgumentError(
            "rounding hides that B is an M-matrix: the rates of this circuit differ by too many "
            "powers of ten"
        )
    return CircuitEnergy(jnp.asarray(metric.t), state, circuit.b * z, circuit.tau_y / circuit.tau_a)


@dataclasses.dataclass(frozen=True, eq=False)
class EnergyAlong:
    """The energy along trajectories of the nonlinear circuit.

    Attributes:
        times: `(steps + 1,)`.
        energies: `(runs, steps + 1)`.
        rises: Whether a run ever rises by more than rounding, `(runs,)`.
        largest: Largest rise from a running minimum, relative to the first energy, `(runs,)`.
    """

    times: np.ndarray
    energies: np.ndarray
    rises: np.ndarray
    largest: np.ndarray


def energy_along(
    circuit: Organics,
    drive: PyTree,
    starts: Float[Array, "runs dof"],
    *,
    step: float,
    steps: int,
) -> EnergyAlong:
    """Follow the energy along the nonlinear flow; it need not fall, and this says where it rises.

    Args:
        circuit: A circuit with `W_r = I`.
        drive: Its constant drive.
        starts: Initial states.
        step: Step of the classical fourth-order Runge-Kutta method, in the circuit's unit of time.
        steps: Number of steps.
    """
    energy = circuit_energy(circuit, drive)
    states = trajectories(circuit, drive, jnp.asarray(starts), step, steps)
    values = np.asarray(jax.vmap(jax.vmap(energy))(states)).T
    over = values - np.minimum.accumulate(values, axis=1)
    # V is a sum of squares of differences of numbers of the size that V has at the origin.
    whole = float(energy(jnp.zeros_like(energy.state)))
    rounding = 16 * np.finfo(np.float64).eps * (np.sqrt(values * whole) + whole * 1e-16)
    first = values[:, 0]
    return EnergyAlong(
        times=step * np.arange(steps + 1),
        energies=values,
        rises=np.any(over > rounding, axis=1),
        largest=np.max(over, axis=1) / np.where(first > 0, first, 1.0),
    )


@eqx.filter_jit
def trajectories(
    system: Any, drive: PyTree, starts: Float[Array, "runs dof"], step: float, steps: int
) -> Float[Array, "times runs dof"]:
    """States of many runs at `steps + 1` times by the classical Runge-Kutta method."""
    velocity = jax.vmap(lambda x: system(jnp.zeros((), x.dtype), x, drive))

    def advance(x: Array, _: None) -> tuple[Array, Array]:
        one = velocity(x)
        two = velocity(x + step / 2 * one)
        three = velocity(x + step / 2 * two)
        four = velocity(x + step * three)
        new = x + step / 6 * (one + 2 * two + 2 * three + four)
        return new, new

    last = jax.lax.scan(advance, starts, None, length=steps)[1]
    return jnp.concatenate([starts[None], last])
