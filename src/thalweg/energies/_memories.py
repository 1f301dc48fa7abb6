"""Associative memories: energies whose minima are stored patterns, and what their minima are.

| memory | variables | minima |
|---|---|---|
| `HopfieldMemory` | overlaps with the patterns | patterns, mixtures of a few, glass states |
| `DenseMemory` | the state itself | patterns, averages of a few, the average of all |
| `PolynomialMemory` | a direction | patterns, mixtures |

`memory_states` names the minima, `retrieval` measures the error of one update against theory.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from thalweg.core import AbstractEnergy, ArgumentError, Point, Scalar

Patterns = Float[Array, "patterns units"]


class HopfieldMemory(AbstractEnergy):
    """`½ |m|² - 1/(βN) Σ_i ln 2 cosh β Σ_μ ξ_i^μ m_μ`: the mean-field Hopfield model, per unit.

    The variables are the overlaps `m_μ = 1/N Σ_i ξ_i^μ v_i` with the patterns. A stationary point
    is a fixed point of the graded response `v = tanh(βWv)` with `W = ξᵀξ/N`, and has the same index
    as that has in the energy of `v`; the state of the units is `units(m)`.

    Attributes:
        patterns: Entries ±1, `(patterns, units)`.
        beta: Inverse temperature (the gain); retrieval needs more than 1.

    Source: J. J. Hopfield, Proc. Natl. Acad. Sci. USA 81, 3088 (1984); D. J. Amit, H. Gutfreund
    and H. Sompolinsky, Phys. Rev. A 32, 1007 (1985), eq. (2.13).
    """

    patterns: Patterns
    beta: float | Scalar = 5.0

    def __call__(self, x: Point) -> Scalar:
        """The free energy per unit at the overlaps `x`."""
        field = self.beta * (x @ self.patterns)
        return 0.5 * jnp.sum(x**2) - jnp.mean(jnp.logaddexp(field, -field)) / self.beta

    def units(self, x: Point) -> Float[Array, " units"]:
        """The units `v = tanh(β Σ_μ ξ^μ m_μ)`."""
        return jnp.tanh(self.beta * (x @ self.patterns))

    def weights(self, x: Point) -> Float[Array, " patterns"]:
        """Share of each pattern: its squared overlap with the units, normalised."""
        overlap = (self.patterns @ self.units(x)) / self.patterns.shape[1]
        return overlap**2 / jnp.maximum(jnp.sum(overlap**2), 1e-300)


class DenseMemory(AbstractEnergy):
    """`½ |ξ|² - 1/β ln Σ_μ exp(β x_μ · ξ)`: the modern Hopfield network with continuous states.

    Its concave-convex iteration `ξ ↦ Σ_μ softmax(βXξ)_μ x_μ` is the attention of transformers.
    Minima are single patterns, averages of similar ones (metastable states), or the average of
    all, whichever the separation of the patterns and `β` allow.

    Attributes:
        patterns: `x_μ`, `(patterns, units)`.
        beta: Inverse temperature.

    Source: H. Ramsauer et al., "Hopfield Networks is All You Need", ICLR 2021 (arXiv:2008.02217),
    eq. (1) without its constants.
    """

    patterns: Patterns
    beta: float | Scalar = 1.0

    def __call__(self, x: Point) -> Scalar:
        """The energy of the state `x`."""
        well = jax.nn.logsumexp(self.beta * (self.patterns @ x)) / self.beta
        return 0.5 * jnp.sum(x**2) - well

    def weights(self, x: Point) -> Float[Array, " patterns"]:
        """The attention that each pattern gets, `softmax(βXξ)`."""
        return jax.nn.softmax(self.beta * (self.patterns @ x))

    def update(self, x: Point) -> Point:
        """One step of retrieval, which never raises the energy."""
        return self.weights(x) @ self.patterns


class PolynomialMemory(AbstractEnergy):
    """`-1/n Σ_μ (x_μ · u)^n` of the direction `u = x/|x|`: polynomial dense memory on the sphere.

    Attributes:
        patterns: Unit vectors, `(patterns, units)`.
        degree: `n`, 2 or more; even ones store a pattern and its opposite.

    Source: D. Krotov and J. J. Hopfield, Adv. Neural Inf. Process. Syst. 29, 1172 (2016), with
    spherical units.
    """

    patterns: Patterns
    degree: int = eqx.field(static=True, default=3)

    def __check_init__(self):
        if self.degree < 2:
            raise ArgumentError(f"degree={self.degree} must be at least 2")

    def __call__(self, x: Point) -> Scalar:
        """The energy of the direction of `x`."""
        overlap = self.patterns @ (x / jnp.sqrt(jnp.sum(x**2)))
        return -jnp.sum(overlap**self.degree) / self.degree

    def weights(self, x: Point) -> Float[Array, " patterns"]:
        """Share of each pattern in the energy."""
        overlap = jnp.abs(self.patterns @ (x / jnp.sqrt(jnp.sum(x**2)))) ** self.degree
        return overlap / jnp.maximum(jnp.sum(overlap), 1e-300)


@dataclasses.dataclass(frozen=True, eq=False)
class MemoryStates:
    """What some points of a memory are.

    Attributes:
        kinds: `"pattern"`, `"mixture"` or `"average"`, one a point.
        nearest: Number of the pattern with the largest weight, `(points,)`.
        weights: Share of every pattern, `(points, patterns)`.
        effective: Number of patterns that take part, `1/Σ_μ p_μ²`, `(points,)`.
        errors: Distance from the nearest pattern (for `HopfieldMemory` of the units, as the share
            of units with the wrong sign), `(points,)`.
    """

    kinds: tuple[str, ...]
    nearest: np.ndarray
    weights: Float[np.ndarray, "points patterns"]
    effective: np.ndarray
    errors: np.ndarray


def memory_states(
    memory: HopfieldMemory | DenseMemory | PolynomialMemory,
    points: Float[np.ndarray, "points dof"],
    *,
    single: float = 0.5,
    spread: float = 0.9,
) -> MemoryStates:
    """Name points of a memory: a stored pattern, a metastable mixture, or the global average.

    Args:
        memory: The energy.
        points: Such as the minima of its landscape, `(points, dof)`.
        single: A point is a pattern where one pattern has more than this share.
        spread: It is the average where the effective number of patterns is at least this share of
            all; everything between is a mixture.

    Returns:
        Kinds with the numbers behind them.

    Raises:
        ArgumentError: if the points do not fit.

    Source: the three kinds of fixed points of Ramsauer et al. (2021), section 2.
    """
    x = np.asarray(points, float)
    if x.ndim != 2:
        raise ArgumentError(f"points has the shape {x.shape}, expected (points, dof)")
    weights = np.asarray(jax.vmap(memory.weights)(jnp.asarray(x)))
    nearest = np.argmax(weights, axis=1)
    effective = 1.0 / np.sum(weights**2, axis=1)
    patterns = np.asarray(memory.patterns)
    if isinstance(memory, HopfieldMemory):
        units = np.asarray(jax.vmap(memory.units)(jnp.asarray(x)))
        wrong = np.mean(np.sign(units) != patterns[nearest], axis=1)
        errors = np.minimum(wrong, np.mean(np.sign(units) != -patterns[nearest], axis=1))
    else:
        place = x if isinstance(memory, DenseMemory) else x / np.linalg.norm(x, axis=1)[:, None]
        errors = np.linalg.norm(place - patterns[nearest], axis=1)
        if isinstance(memory, PolynomialMemory) and memory.degree % 2 == 0:
            errors = np.minimum(errors, np.linalg.norm(place + patterns[nearest], axis=1))
    kinds = tuple(
        "pattern" if top > single else "average" if count >= spread * len(patterns) else "mixture"
        for top, count in zip(weights.max(axis=1), effective, strict=True)
    )
    return MemoryStates(kinds, nearest, weights, effective, errors)


@dataclasses.dataclass(frozen=True, eq=False)
class Retrieval:
    """Errors of one update from some queries, and what theory allows.

    Attributes:
        target: Number of the pattern nearest to each query, `(queries,)`.
        before: Distance of each query from it, `(queries,)`.
        after: Distance after one update, `(queries,)`.
        bound: What `after` cannot exceed, `(queries,)`; infinite where theory says nothing.
        separation: `Δ_i = x_i·x_i - max_{j≠i} x_i·x_j` of the target, `(queries,)`.
    """

    target: np.ndarray
    before: np.ndarray
    after: np.ndarray
    bound: np.ndarray
    separation: np.ndarray


def retrieval(memory: DenseMemory, queries: Float[np.ndarray, "queries units"]) -> Retrieval:
    """The error of one update of a dense memory against the exponential bound.

    `|ξ' - x_i| ≤ 2M (K - 1) exp(-β(Δ_i - 2M |ξ - x_i|))` with K patterns of norms at most M: the
    other patterns' weights are at most `exp(-β ξ·(x_i - x_j))` each, and
    `ξ·(x_i - x_j) ≥ Δ_i - |ξ - x_i| |x_i - x_j|`.

    Args:
        memory: With its patterns and inverse temperature.
        queries: Where to begin, `(queries, units)`.

    Returns:
        Errors and bounds, one a query.

    Source: Ramsauer et al. (2021), theorems 4 and 5.
    """
    x, patterns = np.asarray(queries, float), np.asarray(memory.patterns)
    if x.ndim != 2 or x.shape[1] != patterns.shape[1]:
        raise ArgumentError(
            f"queries has the shape {x.shape}, expected (queries, {patterns.shape[1]})"
        )
    gram = patterns @ patterns.T
    target = np.argmin(np.diag(gram) - 2.0 * (x @ patterns.T), axis=1)
    before = np.linalg.norm(x - patterns[target], axis=1)
    new = np.asarray(jax.vmap(memory.update)(jnp.asarray(x)))
    others = gram - np.diag(np.full(len(patterns), np.inf))
    separation = (np.diag(gram) - others.max(axis=1))[target]
    largest, beta = float(np.max(np.linalg.norm(patterns, axis=1))), float(memory.beta)
    exponent = -beta * (separation - 2.0 * largest * before)
    bound = 2.0 * largest * (len(patterns) - 1) * np.exp(np.minimum(exponent, 700.0))
    return Retrieval(
        target=target,
        before=before,
        after=np.linalg.norm(new - patterns[target], axis=1),
        bound=bound,
        separation=separation,
    )


def random_signs(count: int, units: int, seed: int) -> Patterns:
    """Independent patterns of ±1, `(count, units)`, from `jax.random`."""
    drawn = jax.random.rademacher(jax.random.key(seed), (count, units))
    return drawn.astype(jnp.float64)


def random_directions(count: int, units: int, seed: int) -> Patterns:
    """Independent unit vectors, `(count, units)`, from `jax.random`."""
    drawn = jax.random.normal(jax.random.key(seed), (count, units), jnp.float64)
    return drawn / jnp.linalg.norm(drawn, axis=1, keepdims=True)
