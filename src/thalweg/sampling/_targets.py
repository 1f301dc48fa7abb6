r"""What can be sampled: an exact weight, and three kinds of noisy measurement.

The three differ in what is unbiased, and so in which law can be sampled:

| type | one draw | law |
|---|---|---|
| `ExactWeight` | $\ln w(x)$ | $w(x)$ |
| `NoisyWeight` | $\ln \hat w$ with $\langle\hat w\rangle = w(x)$ | $w(x)$, the average weight |
| `NoisyEnergy` | $\hat E$ with $\langle\hat E\rangle = E(x)$ | $e^{-E(x)/kT}$: average energy |
| `Oracle` | yes or no, yes with $p(x)$ | $p(x)$ |

The average weight and the weight at the average energy are different functions of $x$ wherever the
size of the noise depends on $x$: for Gaussian noise of variance $s^2(x)$ in $E/kT$ they differ by
$e^{s^2(x)/2}$. A target is therefore never converted silently.

A function of a key and one point becomes a target in one line; points come in the `shape` that is
given, chains are mapped over by JAX. A function of a key and a whole block `(dof, chains)` may be
given instead, `block=`: it can draw the noise of all chains in one call, which is several times
faster. Every weight may be multiplied by an exactly known `prior` (a log-density) and confined to
a `support`.

Source: Frenkel, Schrenk & Martiniani, PNAS 114, 6924 (2017).
"""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Key

from thalweg.core import (
    AbstractLaneEnergy,
    AbstractNoisyEnergy,
    AbstractNoisyWeight,
    AbstractOracle,
    ArgumentError,
    Array,
    Bool,
    Float,
    Point,
    PRNGKey,
    Scalar,
    System,
    value_and_grad,
)

from ._support import AbstractSupport, Box, Domain

Values = Float[Array, " chains"]
Chains = Float[Array, "dof chains"]


class ExactWeight(eqx.Module):
    """A weight that can be evaluated exactly: `x → log w`."""

    domain: Domain
    function: Callable | None
    block: Callable | None

    def __init__(
        self,
        function: Callable | None = None,
        shape: tuple[int, ...] = (),
        *,
        block: Callable | None = None,
        support: AbstractSupport | None = None,
        prior: Callable | None = None,
    ):
        """Wrap a function.

        Args:
            function: Logarithm of the weight at one point of the given shape.
            shape: Shape of a point; `()` is a number.
            block: The same for a block `(dof, chains)`; returns `(chains,)`.
            support: Where the weight is not zero; default everywhere.
            prior: Log-density that multiplies the weight, a function of one point.

        Raises:
            ArgumentError: if neither `function` nor `block` is a function.
        """
        _check_functions("ExactWeight", "x -> log w", function, block)
        self.domain = Domain(tuple(shape), support, prior)
        self.function = function
        self.block = block

    @property
    def law(self) -> str:
        """What chains sample."""
        return "w(x), known exactly"

    def __call__(self, x: Point) -> Scalar:
        """Logarithm of the weight at one flat point."""
        return self.values(x[:, None])[0]

    def values(self, x: Chains) -> Values:
        """Logarithms of the weights of a block."""
        if self.block is not None:
            return _shaped(self.block(x), x, "block")
        assert self.function is not None
        point = self.domain.point_function(self.function)
        return _shaped(jax.vmap(point, in_axes=-1)(x), x, "function")


class NoisyWeight(AbstractNoisyWeight):
    r"""A weight seen through noise, unbiased: `(key, x) → log ŵ` with $\langle\hat w\rangle = w$.

    The *weight* must be non-negative and right on average; its logarithm is then too small on
    average. `-inf` is a weight of zero and is welcome, NaN is an error.
    """

    domain: Domain
    function: Callable | None
    block_function: Callable | None
    replay_function: Callable | None
    noise_shape: tuple[int, ...] | None = eqx.field(static=True)

    def __init__(
        self,
        function: Callable | None = None,
        shape: tuple[int, ...] = (),
        *,
        block: Callable | None = None,
        replay: Callable | None = None,
        noise_shape: tuple[int, ...] | None = None,
        support: AbstractSupport | None = None,
        prior: Callable | None = None,
    ):
        """Wrap a function.

        Args:
            function: `(key, x) → log ŵ` at one point of the given shape.
            shape: Shape of a point; `()` is a number.
            block: The same for a block: `(key, x)` with `x` of shape `(dof, chains)`; returns
                `(chains,)`, with noise that is independent between chains.
            replay: `(u, x) → log ŵ` of one point, where `u`, of shape `noise_shape`, holds
                independent standard normal numbers: all the noise there is. Kernels that move
                the noise by small steps need it (`CorrelatedWeight`); it may stand alone.
            noise_shape: Shape of `u`.
            support: Where the weight is not zero; default everywhere.
            prior: Exact log-density that multiplies the weight, a function of one point.

        Raises:
            ArgumentError: if no function is given, or `replay` without `noise_shape`.
        """
        _check_functions("NoisyWeight", "(key, x) -> log of the weight", function, block, replay)
        if (replay is None) != (noise_shape is None):
            raise ArgumentError(
                "NoisyWeight takes replay= and noise_shape= together",
                "replay is (u, x) -> log weight, noise_shape the shape of u",
            )
        self.domain = Domain(tuple(shape), support, prior)
        self.function = function
        self.block_function = block
        self.replay_function = replay
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    @property
    def law(self) -> str:
        """What chains sample."""
        return "<w(x)>, the average of the weight"

    def __call__(self, key: PRNGKey, x: Point) -> Scalar:
        """Logarithm of one draw of the weight at one flat point."""
        if self.function is not None:
            return _scalar(self.function(key, x.reshape(self.domain.shape)))
        if self.replay_function is not None:
            assert self.noise_shape is not None
            u = jax.random.normal(key, self.noise_shape, x.dtype)
            return _scalar(self.replay_function(u, x.reshape(self.domain.shape)))
        return self.draw(key, x[:, None])[0]

    def draw(self, key: PRNGKey, x: Chains) -> Values:
        """Logarithms of independent draws of the weights of a block."""
        if self.block_function is not None:
            return _shaped(self.block_function(key, x), x, "block")
        if self.function is None:
            assert self.noise_shape is not None
            u = jax.random.normal(key, (*self.noise_shape, x.shape[1]), x.dtype)
            return self.replay(u, x)
        return self.draw_at(jax.random.split(key, x.shape[1]), x)

    def draw_at(self, keys: Key[Array, " chains"], x: Chains) -> Values:
        """Draws of a block in which every point has its own key: the same key, the same noise."""
        return _shaped(jax.vmap(self, in_axes=(0, -1))(keys, x), x, "function")

    def replay(self, u: Float[Array, "*noise chains"], x: Chains) -> Values:
        """The weights of a block at given noise."""
        assert self.replay_function is not None
        replay, shape = self.replay_function, self.domain.shape
        one = lambda u, x: jnp.asarray(replay(u, x.reshape(shape)))
        return _shaped(jax.vmap(one, in_axes=(-1, -1))(u, x), x, "replay")


class NoisyEnergy(AbstractNoisyEnergy):
    r"""An energy seen through noise, unbiased: `(key, x) → Ê` with $\langle\hat E\rangle = E$.

    It samples $e^{-E(x)/kT}$, the weight at the average energy, and not $\langle e^{-\hat E/kT}
    \rangle$. Kernels for it are exact for *Gaussian* noise.
    """

    domain: Domain
    function: Callable | None
    block_function: Callable | None
    variance: Array | Callable | None
    variance_from: Literal["unknown", "known", "returned"] = eqx.field(static=True)
    samples: int | None = eqx.field(static=True)
    kt: float

    def __init__(
        self,
        function: Callable | None = None,
        shape: tuple[int, ...] = (),
        *,
        variance: float | Callable | Literal["returned"] | None = None,
        samples: int | None = None,
        kt: float = 1.0,
        block: Callable | None = None,
        support: AbstractSupport | None = None,
        prior: Callable | None = None,
    ):
        """Wrap a function.

        Args:
            function: `(key, x) → Ê` at one point of the given shape.
            shape: Shape of a point; `()` is a number.
            variance: Variance of one draw: a number, or a function of a point, if it is known;
                `"returned"` if the function returns `(Ê, variance)`; `None` if it is unknown and
                must be estimated from repeats.
            samples: From how many independent terms a returned variance was estimated; leave it
                out if that variance is exact.
            kt: Temperature in the unit of the energy.
            block: The function for a block: `(key, x)` with `x` of shape `(dof, chains)`; returns
                `(chains,)`, or a pair of them.
            support: Where the weight is not zero; default everywhere.
            prior: Exact log-density that multiplies the weight, a function of one point.

        Raises:
            ArgumentError: if an argument makes no sense.
        """
        _check_functions("NoisyEnergy", "(key, x) -> energy", function, block)
        if not kt > 0:
            raise ArgumentError(f"kt={kt} must be positive")
        if isinstance(variance, int | float) and not isinstance(variance, bool) and variance < 0:
            raise ArgumentError(f"variance={variance} is negative")
        if samples is not None and (variance != "returned" or samples < 2):
            raise ArgumentError(
                f"samples={samples} goes with variance='returned', and must be at least 2"
            )
        self.domain = Domain(tuple(shape), support, prior)
        self.function = function
        self.block_function = block
        self.samples = samples
        self.kt = float(kt)
        if isinstance(variance, str):
            self.variance, self.variance_from = None, "returned"
        else:
            known = isinstance(variance, int | float)
            self.variance = jnp.asarray(float(variance)) if known else variance
            self.variance_from = "unknown" if variance is None else "known"

    @property
    def law(self) -> str:
        """What chains sample."""
        return "exp(-<E(x)>/kT), the weight at the average energy, not <exp(-E(x)/kT)>"

    @property
    def exact_variance(self) -> bool:
        """Whether the variance of the noise is known, not estimated."""
        return self.variance_from == "known" or (
            self.variance_from == "returned" and self.samples is None
        )

    def __call__(self, key: PRNGKey, x: Point) -> tuple[Scalar, Scalar]:
        """One energy and its variance (NaN if unknown), in units of kT, at one flat point."""
        if self.function is None:
            energy, variance = self.draw(key, x[:, None])
            return energy[0], variance[0]
        drawn = self.function(key, x.reshape(self.domain.shape))
        energy, variance = drawn if self.variance_from == "returned" else (drawn, jnp.nan)
        if callable(self.variance):
            variance = self.variance(x.reshape(self.domain.shape))
        elif self.variance is not None:
            variance = self.variance
        return (
            jnp.asarray(energy, x.dtype) / self.kt,
            jnp.asarray(variance, x.dtype) / self.kt**2,
        )

    def draw(self, key: PRNGKey, x: Chains) -> tuple[Values, Values]:
        """Independent energies of a block and their variances, in units of kT."""
        if self.block_function is None:
            keys = jax.random.split(key, x.shape[1])
            return jax.vmap(self, in_axes=(0, -1), out_axes=(0, 0))(keys, x)
        drawn = self.block_function(key, x)
        energy, variance = drawn if self.variance_from == "returned" else (drawn, None)
        if callable(self.variance):
            variance = jax.vmap(self.domain.point_function(self.variance), in_axes=-1)(x)
        elif variance is None:
            variance = jnp.full(x.shape[1], jnp.nan if self.variance is None else self.variance)
        energy = _shaped(energy, x, "block") / self.kt
        return energy, jnp.asarray(variance).astype(x.dtype) / self.kt**2


class Oracle(AbstractOracle):
    """A question answered with yes or no: `(key, x) → bool`, yes with probability `p(x)`."""

    domain: Domain
    function: Callable | None
    block_function: Callable | None

    def __init__(
        self,
        function: Callable | None = None,
        shape: tuple[int, ...] = (),
        *,
        block: Callable | None = None,
        support: AbstractSupport | None = None,
        prior: Callable | None = None,
    ):
        """Wrap a function.

        Args:
            function: `(key, x) → bool` at one point of the given shape.
            shape: Shape of a point; `()` is a number.
            block: The same for a block: `(key, x)` with `x` of shape `(dof, chains)`; returns
                `(chains,)` booleans.
            support: Where the answer may be yes; default everywhere.
            prior: Exact log-density that multiplies `p(x)`, a function of one point.

        Raises:
            ArgumentError: if neither `function` nor `block` is a function.
        """
        _check_functions("Oracle", "(key, x) -> bool", function, block)
        self.domain = Domain(tuple(shape), support, prior)
        self.function = function
        self.block_function = block

    @property
    def law(self) -> str:
        """What chains sample."""
        return "p(x), the probability of a yes"

    def __call__(self, key: PRNGKey, x: Point) -> Bool[Array, ""]:
        """One answer at one flat point."""
        if self.function is None:
            return self.draw(key, x[:, None])[0]
        return _scalar(self.function(key, x.reshape(self.domain.shape)))

    def draw(self, key: PRNGKey, x: Chains) -> Bool[Array, " chains"]:
        """Independent answers at the points of a block."""
        if self.block_function is not None:
            answer = jnp.asarray(self.block_function(key, x))
        else:
            answer = jax.vmap(self, in_axes=(0, -1))(jax.random.split(key, x.shape[1]), x)
        if answer.shape != x.shape[1:] or answer.dtype != jnp.bool_:
            raise ArgumentError(
                f"an oracle answered with shape {answer.shape} and type {answer.dtype} for "
                f"{x.shape[1]} points, expected one boolean for each",
                "compare: u < p, for one; a number is no answer",
            )
        return answer


Target = ExactWeight | NoisyWeight | NoisyEnergy | Oracle


def boltzmann(system: System, kt: float, *, support: AbstractSupport | None = None) -> ExactWeight:
    """The Boltzmann weight of a system's energy, `exp(-E(x)/kT)`, as an exact target.

    Args:
        system: Whose energy; its space is not looked at, so give `support` where it needs one.
        kt: Temperature in the unit of the energy.
        support: Where walkers may go; default everywhere, which a finite cluster does not survive.

    Raises:
        ArgumentError: if `kt` is not positive.
    """
    if not kt > 0:
        raise ArgumentError(f"kt={kt} must be positive")
    energy = system.energy

    def block(x: Chains) -> Values:
        if isinstance(energy, AbstractLaneEnergy):
            return -value_and_grad(energy, x)[0] / kt
        return -jax.vmap(energy, in_axes=-1)(x) / kt

    return ExactWeight(block=block, shape=(system.space.dof,), support=support)


def check_target(target: Any) -> None:
    """Refuse what is no target, and say how to make one.

    Raises:
        ArgumentError: if it is none of the four types.
    """
    if isinstance(target, ExactWeight | NoisyWeight | NoisyEnergy | Oracle):
        return
    wrap = "ExactWeight, NoisyWeight, NoisyEnergy or Oracle"
    for abstract, name in (
        (AbstractNoisyWeight, "NoisyWeight(it, shape=...)"),
        (AbstractNoisyEnergy, "NoisyEnergy(it, shape=..., variance='returned')"),
        (AbstractOracle, "Oracle(it, shape=...)"),
    ):
        if isinstance(target, abstract):
            wrap = name
    hint = f"wrap it: {wrap}"
    if isinstance(target, System):
        hint = "its Boltzmann weight is thalweg.sampling.boltzmann(system, kt)"
    raise ArgumentError(f"target is a {type(target).__name__}, expected {wrap}", hint)


def _check_functions(name: str, form: str, *functions: Callable | None) -> None:
    given = [one for one in functions if one is not None]
    if not given or not all(callable(one) for one in given):
        got = ", ".join(type(one).__name__ for one in given) or "nothing"
        raise ArgumentError(
            f"{name} got {got}, expected a function {form}", f"{name}(f, shape=(2,))"
        )


def _scalar(value: Any) -> Array:
    """The user's value at one point, refused if it is not one number."""
    value = jnp.asarray(value)
    if value.shape != ():
        raise ArgumentError(
            f"function returned shape {value.shape} for one point, expected one number",
            "sum over the terms; points have the shape= that was given",
        )
    return value


def _shaped(value: Any, x: Chains, name: str) -> Values:
    """The user's values, refused if they are not one number for each chain."""
    value = jnp.asarray(value)
    if value.shape != x.shape[1:]:
        raise ArgumentError(
            f"{name} returned shape {value.shape} for {x.shape[1]} points of "
            f"{x.shape[0]} coordinates, expected one number for each point",
            "a function of one point returns a scalar; a block function returns (chains,)",
        )
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise ArgumentError(f"{name} returned {value.dtype}, expected floating-point numbers")
    return value.astype(x.dtype)


__all__ = ["Box", "ExactWeight", "NoisyEnergy", "NoisyWeight", "Oracle", "Target", "boltzmann"]
