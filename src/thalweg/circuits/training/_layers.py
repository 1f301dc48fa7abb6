"""Layers that answer with the rest of a circuit.

The input drives the circuit, `z = W_zx x / ‖W_zx x‖`, `b = sigm(W_bx x)`; the output is the firing
rate ⌊y⌋² of the principal neurons at rest, as in the static networks of Rawat, Heeger & Martiniani
(NeurIPS 2024).
"""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Float, PRNGKey

from ._numerics import Fixed, rectified_power, uniform, unit_rows
from ._peer_cells import SupralinearCell, supralinear_cell
from ._rest import Circuit, identity_rest, rest, unsettled
from ._weights import AbstractWeights, IdentityWeights, PositiveWeights, recurrent_weights

_TINY = 1e-10
"""Added to the constant drive of a: keeps it positive if B₀ vanishes."""

_IMAGE_TINY = 1e-8


class AbstractLayer(eqx.Module):
    """A function of a batch, `(batch, inputs)` to `(batch, outputs)`."""

    @abc.abstractmethod
    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        """The answers."""

    @abc.abstractmethod
    def unsettled(self, x: Float[Array, "batch inputs"]) -> Array:
        """Samples for which no rest was found, `(batch,)`."""


class Dense(AbstractLayer):
    """`x Wᵀ + c`, and an activation."""

    weight: Float[Array, "outputs inputs"]
    bias: Float[Array, " outputs"]
    activation: str = eqx.field(static=True)

    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        """The activated sum."""
        return _ACTIVATIONS[self.activation](x @ self.weight.T + self.bias)

    def unsettled(self, x: Float[Array, "batch inputs"]) -> Array:
        """None: there is nothing to settle."""
        return jnp.zeros(len(x), bool)


_ACTIVATIONS = {"none": lambda x: x, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}


def dense(
    inputs: int,
    outputs: int,
    key: PRNGKey,
    *,
    activation: str = "none",
    dtype: Any = jnp.float32,
) -> Dense:
    """A dense layer, weights and biases uniform in ±1/√inputs."""
    one, two = jax.random.split(key)
    bound = 1.0 / math.sqrt(inputs)
    weight, bias = (
        uniform(k, s, bound, dtype) for k, s in ((one, (outputs, inputs)), (two, (outputs,)))
    )
    return Dense(weight, bias, activation)


class OrganicsLayer(AbstractLayer):
    """The rest of an ORGaNICs circuit of n principal and n normalisation neurons."""

    drive_weights: Float[Array, "outputs inputs"]
    gain_weights: Float[Array, "outputs inputs"] | None
    beta: Float[Array, " outputs"]
    pool: PositiveWeights
    recurrent: AbstractWeights
    sigma: float = eqx.field(static=True)

    def circuit(self, x: Float[Array, "batch inputs"]) -> Circuit:
        """The circuits that these inputs set."""
        z = unit_rows(x @ self.drive_weights.T)
        base = jax.nn.sigmoid(self.beta)
        gain = base if self.gain_weights is None else jax.nn.sigmoid(x @ self.gain_weights.T)
        floor = (self.sigma * base) ** 2 + _TINY
        return Circuit(gain * z, floor, self.recurrent(), self.pool())

    def rest(
        self, x: Float[Array, "batch inputs"]
    ) -> tuple[Float[Array, "batch outputs"], Float[Array, "batch outputs"]]:
        """The rest, y and a: in closed form for W_r = I."""
        circuit = self.circuit(x)
        if isinstance(self.recurrent, IdentityWeights):
            return identity_rest(circuit.drive, circuit.floor, circuit.pool)
        return rest(circuit)

    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        """Firing rates ⌊y⌋²."""
        return jax.nn.relu(self.rest(x)[0]) ** 2

    def unsettled(self, x: Float[Array, "batch inputs"]) -> Array:
        """Samples whose right-hand sides do not vanish."""
        return unsettled(self.circuit(x), *self.rest(x))


def organics_layer(
    inputs: int,
    outputs: int,
    key: PRNGKey,
    *,
    recurrence: str = "identity",
    attention: bool = True,
    dtype: Any = jnp.float32,
) -> OrganicsLayer:
    """A static layer with the reference initialisation.

    W_zx uniform in ±1/√inputs, W_bx standard normal, β = 0, ℓ uniform in (−1, 0) with zeros on the
    diagonal; W_r, if it is trained, begins at I.

    Args:
        inputs: Numbers in each input.
        outputs: Principal neurons.
        key: Random key.
        recurrence: Kind of recurrent weights; `unit` and `bounded` keep σ_max at or below one.
        attention: Whether the input gain b depends on the input; if not, b = B₀.
        dtype: Precision.
    """
    if inputs < 1 or outputs < 1:
        raise ArgumentError(f"inputs={inputs} and outputs={outputs} must be at least 1")
    keys = jax.random.split(key, 4)
    log = uniform(keys[2], (outputs, outputs), 0.5, dtype) - 0.5
    return OrganicsLayer(
        drive_weights=uniform(keys[0], (outputs, inputs), 1.0 / math.sqrt(inputs), dtype),
        gain_weights=jax.random.normal(keys[1], (outputs, inputs), dtype) if attention else None,
        beta=jnp.zeros((outputs,), dtype),
        pool=PositiveWeights(jnp.where(jnp.eye(outputs, dtype=bool), 0.0, log)),
        recurrent=recurrent_weights(recurrence, outputs, keys[3], dtype, identity=True),
        sigma=1.0,
    )


class SupralinearLayer(AbstractLayer):
    """A supralinear network, relaxed from silence for a fixed number of Euler steps.

    It may have no rest, or run away; then its rates grow until they are no numbers, which is what
    the trainer counts.
    """

    cell: SupralinearCell
    steps: int = eqx.field(static=True)

    def _relax(self, x: Float[Array, "batch inputs"]) -> tuple[Array, Array]:
        ready = self.cell.prepare()
        drive = self.cell.drive(ready, x)

        def step(state: Any, _: None) -> tuple[Any, None]:
            now, _old = state
            return (self.cell.advance(ready, now, drive), now), None

        silent = self.cell.begin((len(x),))
        (last, before), _ = jax.lax.scan(
            jax.checkpoint(step, prevent_cse=False), (silent, silent), None, self.steps
        )
        return last[0], before[0]

    def __call__(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        """Rates after the relaxation."""
        return self._relax(x)[0]

    def unsettled(self, x: Float[Array, "batch inputs"]) -> Array:
        """Samples whose velocity −r + k⌊…⌋ⁿ is above 1 % of the rates, or no number."""
        last, _ = self._relax(x)
        cell = self.cell
        weights, bias = cell.weights, cell.bias
        total = x @ cell.from_input.T + bias + last @ weights.T
        velocity = rectified_power(total, cell.power, cell.gain) - last
        size = jnp.max(jnp.abs(last), axis=-1)
        return ~(jnp.max(jnp.abs(velocity), axis=-1) <= 0.01 * size + 1e-6)


def supralinear_layer(
    inputs: int,
    outputs: int,
    key: PRNGKey,
    *,
    share: float = 0.8,
    steps: int = 100,
    dtype: Any = jnp.float32,
) -> SupralinearLayer:
    """A supralinear layer of which `share` is excitatory; 100 steps are ten time constants."""
    return SupralinearLayer(supralinear_cell(inputs, outputs, key, share=share, dtype=dtype), steps)


class OrganicsConvolution(eqx.Module):
    """Images, normalised within each channel over space; W_r = I in closed form.

    Output b²⌊z⌋² / ((σB₀)² + W_c · (b²⌊z⌋²)) with z and sigm⁻¹(b) convolutions of the image.
    """

    kernel: Float[Array, "channels channels_in height width"]
    gain_kernel: Float[Array, "channels channels_in height width"]
    beta: Float[Array, "channels rows columns"]
    pool_log: Fixed
    sigma: float = eqx.field(static=True)

    def __call__(
        self, x: Float[Array, "batch channels_in rows_in columns_in"]
    ) -> Float[Array, "batch channels rows columns"]:
        """Firing rates."""
        z, gain = (
            jax.lax.conv_general_dilated(x, k, (1, 1), "VALID")
            for k in (self.kernel, self.gain_kernel)
        )
        rate = (jax.nn.sigmoid(gain) * jax.nn.relu(z)) ** 2
        flat = rate.reshape(*rate.shape[:2], -1)
        pooled = jnp.einsum("cij,bcj->bci", jnp.exp(self.pool_log()), flat).reshape(rate.shape)
        return rate / ((self.sigma * jax.nn.sigmoid(self.beta)) ** 2 + pooled + _IMAGE_TINY)


def organics_convolution(
    image: tuple[int, int, int],
    channels: int,
    key: PRNGKey,
    *,
    size: int = 3,
    dtype: Any = jnp.float32,
) -> OrganicsConvolution:
    """A convolutional layer with the reference initialisation; its pool is not trained.

    Args:
        image: Channels, rows and columns of the input.
        channels: Channels of the output.
        key: Random key.
        size: Width of the square kernels.
        dtype: Precision.
    """
    into, rows, columns = image
    if min(rows, columns) < size:
        raise ArgumentError(f"image={image} is smaller than the kernel, size={size}")
    one, two = jax.random.split(key)
    bound = 1.0 / math.sqrt(into * size * size)
    shape = (channels, into, size, size)
    out = (rows - size + 1, columns - size + 1)
    return OrganicsConvolution(
        kernel=uniform(one, shape, bound, dtype),
        gain_kernel=uniform(two, shape, bound, dtype),
        beta=jnp.zeros((channels, *out), dtype),
        pool_log=Fixed(jnp.zeros((channels, math.prod(out), math.prod(out)), dtype)),
        sigma=1.0,
    )
