"""The gated ORGaNICs circuit as a recurrent network, and the smallest one.

Rawat, Heeger & Martiniani, "Unconditional stability of a recurrent neural circuit implementing
divisive normalization", NeurIPS 37, 14712 (2024). One explicit Euler step for every input, all
right-hand sides at the old state:

    y ← y + h_y ⊙ (−y + b₁ ⊙ z + (1 − √⌊a⌋) ⊙ ŷ)
    a ← a + h_a ⊙ (−a + (σ b₀)² + W(⌊y⌋² ⊙ ⌊a⌋))
    b_k ← b_k + h_k ⊙ (−b_k + sigm(W_bx^k x + W_by^k y + W_ba^k a)),   k = 0, 1

with h = Δt/τ = h_max sigm(θ) learned for each unit. There are no biases.
"""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core import ArgumentError, Array, Float, PRNGKey

from ._cell import AbstractCell, State
from ._numerics import Fixed, given, safe_sqrt, uniform
from ._weights import (
    AbstractWeights,
    IdentityWeights,
    PositiveWeights,
    recurrent_weights,
    spectral_norm,
)


@dataclasses.dataclass(frozen=True)
class Variant:
    """Where a circuit is rectified, and how its matrices begin.

    Attributes:
        recurrent: Rectification of the recurrent term: `after` ⌊W_r y⌋, `before` W_r ⌊y⌋, or
            `none`.
        drive: Whether z = ⌊W_zx x⌋.
        pool: Whether the pool sees ⌊y⌋² or y².
        recurrence: Kind of recurrent weights, see `recurrent_weights`.
        clipped: Whether the pool's weights are cut at one.
    """

    recurrent: str
    drive: bool
    pool: bool
    recurrence: str
    clipped: bool


VARIANTS = {
    "head": Variant("after", drive=True, pool=True, recurrence="free", clipped=True),
    "unrectified": Variant("none", drive=True, pool=False, recurrence="free", clipped=True),
    "paper": Variant("before", drive=False, pool=True, recurrence="perturbed", clipped=False),
}
"""`head` is the latest public reference code, `paper` what the sequential results were run with."""

PAPER_STEPS = (0.02, 0.005, 0.1)
"""Largest steps h_max of y, a and b in the sequential runs of the paper (784 inputs)."""


class OrganicsCell(AbstractCell):
    """The gated circuit: principal neurons y, normalisation neurons a, gains b₀ and b₁."""

    from_input: Float[Array, "three_hidden inputs"]
    gates_from_y: Float[Array, "two_hidden hidden"]
    gates_from_a: Float[Array, "two_hidden hidden"]
    recurrent: AbstractWeights
    pool: PositiveWeights
    theta: Array | Fixed
    start: Fixed
    largest: tuple[float, float, float] = eqx.field(static=True)
    variant: Variant = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    hidden: int = eqx.field(static=True)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of y, a, b₀ and b₁."""
        return (self.hidden,) * 4

    @property
    def steps(self) -> Float[Array, "4 hidden"]:
        """Steps h = Δt/τ of y, a, b₀ and b₁ for each unit."""
        theta = given(self.theta)
        y, a, b = self.largest
        return jnp.asarray([y, a, b, b], theta.dtype)[:, None] * jax.nn.sigmoid(theta)

    def begin(self, batch: tuple[int, ...]) -> State:
        """The y₀ and a₀ drawn once, b₀ = 1, b₁ as drawn once; the same for all samples."""
        y, a, b1 = self.start()
        parts = (y, a, jnp.ones_like(y), b1)
        return tuple(jnp.broadcast_to(part, (*batch, self.hidden)) for part in parts)

    def prepare(self) -> Any:
        """Fused matrices, transposed: [W_r |] W_by, W_ba, W, and the steps."""
        from_y = self.gates_from_y.T
        recurrent = None
        if not isinstance(self.recurrent, IdentityWeights):
            recurrent = self.recurrent().T
            if self.variant.recurrent != "before":
                from_y, recurrent = jnp.concatenate([recurrent, from_y], axis=1), None
        return self.from_input.T, from_y, self.gates_from_a.T, recurrent, self.pool().T, self.steps

    def drive(self, ready: Any, x: Float[Array, "*batch inputs"]) -> Any:
        """Drive z, and what the input adds to the gates."""
        z, gates = jnp.split(x @ ready[0], [self.hidden], axis=-1)
        return jax.nn.relu(z) if self.variant.drive else z, gates

    def advance(self, ready: Any, state: State, drive: Any) -> State:
        """One Euler step from the old state."""
        _, from_y, from_a, recurrent, pool, h = ready
        y, a, b0, b1 = state
        z, gates = drive
        above = jax.nn.relu(y)
        products = y @ from_y
        if products.shape[-1] == 3 * self.hidden:
            echo, products = jnp.split(products, [self.hidden], axis=-1)
        else:
            source = above if self.variant.recurrent == "before" else y
            echo = source if recurrent is None else source @ recurrent
        if self.variant.recurrent == "after":
            echo = jax.nn.relu(echo)
        gate0, gate1 = jnp.split(jax.nn.sigmoid(gates + products + a @ from_a), 2, axis=-1)
        active = above if self.variant.pool else y
        pooled = (active * active * jax.nn.relu(a)) @ pool
        return (
            y + h[0] * (b1 * z - y + (1.0 - safe_sqrt(a)) * echo),
            a + h[1] * (b0 * b0 - a + pooled),
            b0 + h[2] * (gate0 - b0),
            b1 + h[3] * (gate1 - b1),
        )

    def output(self, state: State) -> Float[Array, "*batch hidden"]:
        """The principal neurons, y."""
        return state[0]


def organics_cell(
    inputs: int,
    hidden: int,
    key: PRNGKey,
    *,
    variant: str | Variant = "head",
    recurrence: str | None = None,
    largest: tuple[float, float, float] = PAPER_STEPS,
    learn_steps: bool = True,
    dtype: Any = jnp.float32,
) -> OrganicsCell:
    """A gated circuit with the reference initialisation.

    W_zx uniform in ±1/√inputs, divided by its spectral norm; gates uniform in ±1/√fan-in; θ
    standard normal; `head`: W uniform in (0, 1) with ones on the diagonal; `paper`: ℓ uniform in
    (−1, 0) with zeros on the diagonal.

    Args:
        inputs: Numbers in each input.
        hidden: Principal neurons; the state has four times as many numbers.
        key: Random key.
        variant: `head`, `unrectified`, `paper`, or a `Variant`.
        recurrence: Kind of recurrent weights; by default the variant's.
        largest: h_max of y, a and b, each in (0, 1].
        learn_steps: Whether time constants are trained; if not, θ = 1.
        dtype: Precision.

    Raises:
        ArgumentError: if an argument is out of range.
    """
    kind = _variant(variant)
    if inputs < 1 or hidden < 1:
        raise ArgumentError(f"inputs={inputs} and hidden={hidden} must be at least 1")
    if not all(0.0 < step <= 1.0 for step in largest):
        raise ArgumentError(
            f"largest={largest} must lie in (0, 1]",
            "a step above 1 is longer than the time constant and may turn a negative",
        )
    keys = jax.random.split(key, 10)
    wide, deep = 1.0 / math.sqrt(inputs), 1.0 / math.sqrt(hidden)
    z = uniform(keys[0], (hidden, inputs), wide, dtype)
    gates = uniform(keys[1], (2 * hidden, inputs), wide, dtype)
    theta = jax.random.normal(keys[2], (4, hidden), dtype)
    y0, a0, b1 = jax.random.uniform(keys[3], (3, hidden), dtype)
    return OrganicsCell(
        from_input=jnp.concatenate([z / spectral_norm(z), gates]),
        gates_from_y=uniform(keys[4], (2 * hidden, hidden), deep, dtype),
        gates_from_a=uniform(keys[5], (2 * hidden, hidden), deep, dtype),
        recurrent=recurrent_weights(recurrence or kind.recurrence, hidden, keys[6], dtype),
        pool=_pool(hidden, keys[7], dtype, clipped=kind.clipped),
        theta=theta if learn_steps else Fixed(jnp.ones_like(theta)),
        start=Fixed(jnp.stack([y0 / jnp.linalg.norm(y0), a0, b1])),
        largest=largest,
        variant=kind,
        inputs=inputs,
        hidden=hidden,
    )


def _variant(variant: str | Variant) -> Variant:
    if isinstance(variant, Variant):
        return variant
    if variant not in VARIANTS:
        raise ArgumentError(
            f"there is no variant {variant!r}", f"use one of {', '.join(VARIANTS)}, or a Variant"
        )
    return VARIANTS[variant]


def _pool(size: int, key: PRNGKey, dtype: Any, *, clipped: bool) -> PositiveWeights:
    unit = jnp.eye(size, dtype=bool)
    draws = jax.random.uniform(key, (size, size), dtype)
    log = jnp.log(jnp.maximum(draws, 1e-8)) if clipped else -draws
    return PositiveWeights(jnp.where(unit, 0.0, log), clipped)


class MinimalOrganicsCell(AbstractCell):
    """The circuit without gates: b₀ and b₁ are learned constants, the step is fixed, W_r = I."""

    from_input: Float[Array, "hidden inputs"]
    pool: PositiveWeights
    gains: Float[Array, "2 hidden"]
    start: Fixed
    step: float = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    hidden: int = eqx.field(static=True)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of y and a."""
        return (self.hidden,) * 2

    def begin(self, batch: tuple[int, ...]) -> State:
        """The y₀ and a₀ drawn once."""
        return tuple(jnp.broadcast_to(part, (*batch, self.hidden)) for part in self.start())

    def prepare(self) -> Any:
        """Transposed matrices and the gains."""
        return self.from_input.T, self.pool().T, self.gains

    def drive(self, ready: Any, x: Float[Array, "*batch inputs"]) -> Any:
        """b₁ ⊙ ⌊W_zx x⌋."""
        return ready[2][1] * jax.nn.relu(x @ ready[0])

    def advance(self, ready: Any, state: State, drive: Any) -> State:
        """One Euler step from the old state."""
        y, a = state
        above = jax.nn.relu(y)
        pooled = (above * above * jax.nn.relu(a)) @ ready[1]
        return (
            y + self.step * (drive - y + (1.0 - safe_sqrt(a)) * above),
            a + self.step * (ready[2][0] ** 2 - a + pooled),
        )

    def output(self, state: State) -> Float[Array, "*batch hidden"]:
        """The principal neurons, y."""
        return state[0]


def minimal_organics_cell(
    inputs: int, hidden: int, key: PRNGKey, *, step: float = 1e-3, dtype: Any = jnp.float32
) -> MinimalOrganicsCell:
    """The smallest circuit: W = 1, W_zx standard normal, gains uniform in (0, 1)."""
    keys = jax.random.split(key, 3)
    y0, a0 = jax.random.uniform(keys[2], (2, hidden), dtype)
    return MinimalOrganicsCell(
        from_input=jax.random.normal(keys[0], (hidden, inputs), dtype),
        pool=PositiveWeights(jnp.zeros((hidden, hidden), dtype)),
        gains=jax.random.uniform(keys[1], (2, hidden), dtype),
        start=Fixed(jnp.stack([y0 / jnp.linalg.norm(y0), a0])),
        step=step,
        inputs=inputs,
        hidden=hidden,
    )
