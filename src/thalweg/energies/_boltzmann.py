"""The free energy of a restricted Boltzmann machine with Gaussian visible units."""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import AbstractEnergy, ArgumentError, Point, Scalar

_MOST_HIDDEN = 20


class BoltzmannMachine(AbstractEnergy):
    """`½ |v - a|² - Σ_j ln(1 + exp(b_j + W_j · v))`: binary hidden units summed out.

    The density `exp(-F)` of the visible units is a mixture of `2^hidden` unit Gaussians, one for
    each state of the hidden units, centred at `a + hW` (`centres` lists them).

    Attributes:
        weights: `W`, `(hidden, visible)`.
        visible: `a`, `(visible,)`.
        hidden: `b`, `(hidden,)`.

    Source: G. E. Hinton and R. R. Salakhutdinov, Science 313, 504 (2006); A. Krizhevsky,
    "Learning Multiple Layers of Features from Tiny Images" (2009), section 1.4.
    """

    weights: Float[Array, "hidden visible"]
    visible: Float[Array, " visible"]
    hidden: Float[Array, " hidden"]

    def __call__(self, x: Point) -> Scalar:
        """The free energy of the visible units `x`."""
        field = self.hidden + self.weights @ x
        return 0.5 * jnp.sum((x - self.visible) ** 2) - jnp.sum(jax.nn.softplus(field))

    def centres(self) -> tuple[Float[np.ndarray, "states visible"], Float[np.ndarray, " states"]]:
        """Centres of the Gaussians and logarithms of their weights, by enumeration.

        `exp(-F(v)) = Σ_h exp(log_weight_h - ½ |v - centre_h|²)`, exactly.

        Raises:
            ArgumentError: with more than 20 hidden units.
        """
        count = self.weights.shape[0]
        if count > _MOST_HIDDEN:
            raise ArgumentError(
                f"{count} hidden units have 2^{count} states; at most {_MOST_HIDDEN} are listed"
            )
        states = np.array(list(itertools.product((0.0, 1.0), repeat=count)))
        push = states @ np.asarray(self.weights)
        centres = np.asarray(self.visible) + push
        log_weights = (
            states @ np.asarray(self.hidden)
            + push @ np.asarray(self.visible)
            + 0.5 * np.sum(push**2, axis=1)
        )
        return centres, log_weights


def random_boltzmann_machine(
    visible: int, hidden: int, seed: int, strength: float = 3.0
) -> BoltzmannMachine:
    """Weights that are independent and normal; biases that put every unit at its threshold.

    Args:
        visible: Number of visible units.
        hidden: Number of hidden units.
        seed: Of the weights, drawn by `jax.random`.
        strength: Typical length of a hidden unit's weight vector; modes separate from about 2.
    """
    drawn = jax.random.normal(jax.random.key(seed), (hidden, visible), jnp.float64)
    weights = strength / np.sqrt(visible) * drawn
    # At b = -|W_j|²/2 a hidden unit alone is as likely on as off.
    return BoltzmannMachine(weights, jnp.zeros(visible), -0.5 * jnp.sum(weights**2, axis=1))


class QaoaRing(AbstractEnergy):
    """Minus the expected cut of a ring after p layers of the quantum approximate optimisation.

    `-<γ,β| Σ_i (1 - Z_i Z_{i+1})/2 |γ,β>`, where `|γ,β>` is the uniform superposition after layers
    of `exp(-iγ_k C)` and `exp(-iβ_k Σ_i X_i)`. The variables are `(γ_1, β_1, …, γ_p, β_p)`. On an
    even ring the best value is `-(2p + 1)/(2p + 2)` a qubit as long as the ring is longer than
    `2p + 1`.

    Attributes:
        qubits: Number of qubits.
        layers: p.

    Source: E. Farhi, J. Goldstone and S. Gutmann, arXiv:1411.4028, section 4.
    """

    qubits: int = eqx.field(static=True)
    layers: int = eqx.field(static=True)

    def __call__(self, x: Point) -> Scalar:
        """Minus the expected cut."""
        cut = jnp.asarray(ring_cuts(self.qubits), x.dtype)
        # Walsh and Hadamard's transform turns every X into Z, whose sum is diagonal.
        ones = np.bitwise_count(np.arange(2**self.qubits, dtype=np.uint32)).astype(float)
        turn = jnp.asarray(_hadamard(self.qubits), x.dtype)
        spins = jnp.asarray(self.qubits - 2.0 * ones, x.dtype)
        real, imaginary = jnp.full_like(cut, 2.0 ** (-0.5 * self.qubits)), jnp.zeros_like(cut)

        def layer(state: tuple[Array, Array], angles: Array) -> tuple[tuple[Array, Array], None]:
            real, imaginary = _phase(*state, angles[0] * cut)
            real, imaginary = _phase(turn @ real, turn @ imaginary, angles[1] * spins)
            return (turn @ real, turn @ imaginary), None

        (real, imaginary), _ = jax.lax.scan(layer, (real, imaginary), x.reshape(self.layers, 2))
        return -jnp.sum((real**2 + imaginary**2) * cut)


def _phase(real: Array, imaginary: Array, angle: Array) -> tuple[Array, Array]:
    """A complex vector times `exp(-i angle)`."""
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return cosine * real + sine * imaginary, cosine * imaginary - sine * real


def _hadamard(qubits: int) -> Float[np.ndarray, "states states"]:
    """The symmetric orthogonal matrix `H ⊗ H ⊗ …`."""
    one = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2.0)
    return functools.reduce(np.kron, [one] * qubits)


def ring_cuts(qubits: int) -> Float[np.ndarray, " states"]:
    """The number of bonds of a ring that each assignment of bits cuts, `(2^qubits,)`."""
    bits = (np.arange(2**qubits)[:, None] >> np.arange(qubits)) & 1
    return np.sum(bits != np.roll(bits, 1, axis=1), axis=1).astype(float)
