"""The networks that circuits are compared with."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import Array, Float, PRNGKey

from ._cell import AbstractCell, State
from ._numerics import rectified_power, uniform

SSN_POWER = 2.2
SSN_GAIN = 1.093
"""k c^(n−1) for k = 0.01, n = 2.2 and inputs of c = 50: rates in units of c."""
SSN_TOTALS = ((2.0, 0.9), (2.25, 0.5))
"""Weights onto (E, I) units from all (E, I) units, before training."""
SSN_STEPS = (0.1, 0.15)
"""Δt/τ of E and I units: τ_E : τ_I = 6 : 4."""


class LSTMCell(AbstractCell):
    """Long short-term memory, with `equinox.nn.LSTMCell`'s parameters."""

    core: eqx.nn.LSTMCell
    inputs: int = eqx.field(static=True)
    hidden: int = eqx.field(static=True)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of h and c."""
        return (self.hidden,) * 2

    def begin(self, batch: tuple[int, ...]) -> State:
        """Zeros."""
        return (jnp.zeros((*batch, self.hidden), self.core.weight_hh.dtype),) * 2

    def prepare(self) -> Any:
        """Transposed matrices."""
        assert self.core.bias is not None
        return self.core.weight_ih.T, self.core.weight_hh.T, self.core.bias

    def drive(self, ready: Any, x: Float[Array, "*batch inputs"]) -> Any:
        """What the input adds to the four gates."""
        return x @ ready[0] + ready[2]

    def advance(self, ready: Any, state: State, drive: Any) -> State:
        """One step."""
        h, c = state
        i, f, g, o = jnp.split(drive + h @ ready[1], 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    def output(self, state: State) -> Float[Array, "*batch hidden"]:
        """The hidden units, h."""
        return state[0]


class GRUCell(AbstractCell):
    """Gated recurrent unit, with `equinox.nn.GRUCell`'s parameters."""

    core: eqx.nn.GRUCell
    inputs: int = eqx.field(static=True)
    hidden: int = eqx.field(static=True)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The hidden units, h."""
        return (self.hidden,)

    def begin(self, batch: tuple[int, ...]) -> State:
        """Zeros."""
        return (jnp.zeros((*batch, self.hidden), self.core.weight_hh.dtype),)

    def prepare(self) -> Any:
        """Transposed matrices."""
        core = self.core
        assert core.bias is not None
        return core.weight_ih.T, core.weight_hh.T, core.bias, core.bias_n

    def drive(self, ready: Any, x: Float[Array, "*batch inputs"]) -> Any:
        """What the input adds to the gates and the candidate."""
        return x @ ready[0] + ready[2]

    def advance(self, ready: Any, state: State, drive: Any) -> State:
        """One step."""
        (h,) = state
        reset, update, new = jnp.split(drive, 3, axis=-1)
        from_reset, from_update, from_new = jnp.split(h @ ready[1], 3, axis=-1)
        r = jax.nn.sigmoid(reset + from_reset)
        u = jax.nn.sigmoid(update + from_update)
        candidate = jnp.tanh(new + r * (from_new + ready[3]))
        return (candidate + u * (h - candidate),)

    def output(self, state: State) -> Float[Array, "*batch hidden"]:
        """The hidden units, h."""
        return state[0]


class LeakyCell(AbstractCell):
    """h ← (1 − leak) h + leak tanh(W h + U x + c); leak = 1 is the vanilla network."""

    from_input: Float[Array, "hidden inputs"]
    recurrent: Float[Array, "hidden hidden"]
    bias: Float[Array, " hidden"]
    leak: float = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    hidden: int = eqx.field(static=True)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The hidden units, h."""
        return (self.hidden,)

    def begin(self, batch: tuple[int, ...]) -> State:
        """Zeros."""
        return (jnp.zeros((*batch, self.hidden), self.bias.dtype),)

    def prepare(self) -> Any:
        """Transposed matrices."""
        return self.from_input.T, self.recurrent.T, self.bias

    def drive(self, ready: Any, x: Float[Array, "*batch inputs"]) -> Any:
        """U x + c."""
        return x @ ready[0] + ready[2]

    def advance(self, ready: Any, state: State, drive: Any) -> State:
        """One step."""
        (h,) = state
        return (h + self.leak * (jnp.tanh(drive + h @ ready[1]) - h),)

    def output(self, state: State) -> Float[Array, "*batch hidden"]:
        """The hidden units, h."""
        return state[0]


class SupralinearCell(AbstractCell):
    """Stabilised supralinear network: r ← r + h ⊙ (−r + k ⌊W r + U x + c⌋ⁿ), with Dale's law.

    Ahmadian, Rubin & Miller, Neural Comput. 25, 1994 (2013). Nothing bounds the rates: beyond the
    reach of its inhibition the network runs away.
    """

    from_input: Float[Array, "hidden inputs"]
    log_weights: Float[Array, "hidden hidden"]
    bias: Float[Array, " hidden"]
    excitatory: int = eqx.field(static=True)
    power: float = eqx.field(static=True)
    gain: float = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    hidden: int = eqx.field(static=True)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The rates, r."""
        return (self.hidden,)

    @property
    def weights(self) -> Float[Array, "hidden hidden"]:
        """W: columns of excitatory units are positive, of inhibitory ones negative."""
        sign = jnp.where(jnp.arange(self.hidden) < self.excitatory, 1.0, -1.0)
        return jnp.exp(self.log_weights) * sign.astype(self.bias.dtype)

    @property
    def steps(self) -> Float[Array, " hidden"]:
        """Δt/τ of each unit."""
        steps = jnp.where(jnp.arange(self.hidden) < self.excitatory, *SSN_STEPS)
        return steps.astype(self.bias.dtype)

    def begin(self, batch: tuple[int, ...]) -> State:
        """Silence."""
        return (jnp.zeros((*batch, self.hidden), self.bias.dtype),)

    def prepare(self) -> Any:
        """Signed, transposed weights."""
        return self.from_input.T, self.weights.T, self.bias, self.steps

    def drive(self, ready: Any, x: Float[Array, "*batch inputs"]) -> Any:
        """U x + c."""
        return x @ ready[0] + ready[2]

    def advance(self, ready: Any, state: State, drive: Any) -> State:
        """One Euler step."""
        (r,) = state
        return (r + ready[3] * (rectified_power(drive + r @ ready[1], self.power, self.gain) - r),)

    def output(self, state: State) -> Float[Array, "*batch hidden"]:
        """The rates, r."""
        return state[0]


class CoupledOscillatorCell(AbstractCell):
    """Coupled oscillators: z ← z + Δt (tanh(W y + V z + U x + c) − γ y − ε z), y ← y + Δt z.

    Rusch & Mishra, ICLR 2021 (coRNN).
    """

    from_input: Float[Array, "hidden inputs"]
    recurrent: Float[Array, "hidden two_hidden"]
    bias: Float[Array, " hidden"]
    step: float = eqx.field(static=True)
    gamma: float = eqx.field(static=True)
    epsilon: float = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    hidden: int = eqx.field(static=True)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of y and z."""
        return (self.hidden,) * 2

    def begin(self, batch: tuple[int, ...]) -> State:
        """Rest."""
        return (jnp.zeros((*batch, self.hidden), self.bias.dtype),) * 2

    def prepare(self) -> Any:
        """Transposed matrices."""
        return self.from_input.T, self.recurrent.T, self.bias

    def drive(self, ready: Any, x: Float[Array, "*batch inputs"]) -> Any:
        """U x + c."""
        return x @ ready[0] + ready[2]

    def advance(self, ready: Any, state: State, drive: Any) -> State:
        """One step; y moves with the new z."""
        y, z = state
        force = jnp.tanh(drive + jnp.concatenate([y, z], axis=-1) @ ready[1])
        z = z + self.step * (force - self.gamma * y - self.epsilon * z)
        return y + self.step * z, z

    def output(self, state: State) -> Float[Array, "*batch hidden"]:
        """The principal neurons, y."""
        return state[0]


def lstm_cell(inputs: int, hidden: int, key: PRNGKey, *, dtype: Any = jnp.float32) -> LSTMCell:
    """Long short-term memory with Equinox's initialisation (uniform in ±1/√hidden)."""
    return LSTMCell(
        core=eqx.nn.LSTMCell(inputs, hidden, dtype=dtype, key=key), inputs=inputs, hidden=hidden
    )


def gru_cell(inputs: int, hidden: int, key: PRNGKey, *, dtype: Any = jnp.float32) -> GRUCell:
    """Gated recurrent unit with Equinox's initialisation (uniform in ±1/√hidden)."""
    return GRUCell(
        core=eqx.nn.GRUCell(inputs, hidden, dtype=dtype, key=key), inputs=inputs, hidden=hidden
    )


def leaky_cell(
    inputs: int, hidden: int, key: PRNGKey, *, leak: float = 1.0, dtype: Any = jnp.float32
) -> LeakyCell:
    """Vanilla or leaky network, all entries uniform in ±1/√hidden."""
    keys = jax.random.split(key, 3)
    bound = 1.0 / math.sqrt(hidden)
    return LeakyCell(
        from_input=uniform(keys[0], (hidden, inputs), bound, dtype),
        recurrent=uniform(keys[1], (hidden, hidden), bound, dtype),
        bias=uniform(keys[2], (hidden,), bound, dtype),
        leak=leak,
        inputs=inputs,
        hidden=hidden,
    )


def supralinear_cell(
    inputs: int,
    hidden: int,
    key: PRNGKey,
    *,
    share: float = 0.8,
    dtype: Any = jnp.float32,
) -> SupralinearCell:
    """A supralinear network at its published operating point, the weights spread at random.

    Args:
        inputs: Numbers in each input.
        hidden: Units.
        key: Random key.
        share: Of excitatory units.
        dtype: Precision.
    """
    keys = jax.random.split(key, 2)
    excitatory = min(max(1, round(share * hidden)), max(1, hidden - 1))
    groups = (jnp.arange(hidden) >= excitatory).astype(int)
    totals = jnp.asarray(SSN_TOTALS, dtype)[groups[:, None], groups[None, :]]
    numbers = jnp.asarray([excitatory, max(1, hidden - excitatory)], dtype)[groups]
    spread = jax.random.uniform(keys[1], (hidden, hidden), dtype, 0.5, 1.5)
    return SupralinearCell(
        from_input=uniform(keys[0], (hidden, inputs), 1.0 / math.sqrt(inputs), dtype),
        log_weights=jnp.log(totals / numbers * spread),
        bias=jnp.zeros((hidden,), dtype),
        excitatory=excitatory,
        power=SSN_POWER,
        gain=SSN_GAIN,
        inputs=inputs,
        hidden=hidden,
    )


def coupled_oscillator_cell(
    inputs: int, hidden: int, key: PRNGKey, *, step: float = 0.076, dtype: Any = jnp.float32
) -> CoupledOscillatorCell:
    """Coupled oscillators with the published γ = 0.4 and ε = 8 for permuted pixels."""
    keys = jax.random.split(key, 3)
    bound = 1.0 / math.sqrt(inputs + 2 * hidden)
    return CoupledOscillatorCell(
        from_input=uniform(keys[0], (hidden, inputs), bound, dtype),
        recurrent=uniform(keys[1], (hidden, 2 * hidden), bound, dtype),
        bias=uniform(keys[2], (hidden,), bound, dtype),
        step=step,
        gamma=0.4,
        epsilon=8.0,
        inputs=inputs,
        hidden=hidden,
    )
