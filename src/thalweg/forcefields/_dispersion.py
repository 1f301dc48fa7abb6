"""Repulsion and dispersion: Lennard-Jones forms and their kin.

Parameters are one a kind of atom, joined by a combination rule, or a table over two kinds.
Lengths are in nm and energies in kJ/mol.

Sources: Waldman and Hagler, J. Comput. Chem. 14, 1077 (1993) (sixth-power rule); Halgren, JACS
114, 7827 (1992) (buffered 14-7 and its rules); Buckingham, Proc. R. Soc. A 168, 264 (1938);
Tang and Toennies, J. Chem. Phys. 80, 3726 (1984).
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import ArgumentError, Array, Float, Int, Scalar

from ._block import AbstractBlock, Geometry, Quantity, safe_sqrt
from ._rule import PairRule, switching

PerKind = Float[Array, " kinds"] | Float[Array, "kinds kinds"]
"""One a kind of atom, or a symmetric table over two kinds."""

_DEPTH = Quantity("kJ/mol", 0.5, positive=True)
_SIZE = Quantity("nm", 0.05, positive=True)


def arithmetic(p: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
    """Half the sum, or the entry of a table."""
    return p[i, j] if p.ndim == 2 else 0.5 * (p[i] + p[j])


def geometric(p: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
    """Root of the product, or the entry of a table; its gradient at 0 is 0."""
    if p.ndim == 2:
        return p[i, j]
    root = safe_sqrt(p)
    return root[i] * root[j]


def harmonic(p: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
    """Harmonic mean, or the entry of a table."""
    if p.ndim == 2:
        return p[i, j]
    whole = p[i] + p[j]
    return 2.0 * p[i] * p[j] / jnp.where(whole > 0, whole, 1.0)


class LennardJones(AbstractBlock):
    """`Σ 4ε[(σ/r)¹² - (σ/r)⁶]`.

    Attributes:
        rule: The pairs.
        kind: Kind of each atom, `(n,)`.
        sigma: σ, `(kinds,)` or `(kinds, kinds)`, in nm.
        epsilon: ε, the same shape, in kJ/mol.
        combination: `"lorentz-berthelot"` (mean σ, AMBER) or `"geometric"` (OPLS); ε is combined
            geometrically in both.
        tail: Whether to add, in a box, the energy of what the cutoff leaves out with a uniform
            fluid beyond it.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {"sigma": _SIZE, "epsilon": _DEPTH}
    layout: ClassVar[Mapping[str, str]] = {"kind": "rows"}

    rule: PairRule
    kind: Int[Array, " n"]
    sigma: PerKind
    epsilon: PerKind
    combination: str = eqx.field(static=True, default="lorentz-berthelot")
    tail: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        if self.combination not in ("lorentz-berthelot", "geometric"):
            raise ArgumentError(
                f"combination={self.combination!r} is no rule",
                "'lorentz-berthelot' or 'geometric'",
            )
        if self.tail and self.rule.cutoff is None:
            raise ArgumentError("tail: there is no cutoff to correct for", "give the rule a cutoff")

    def _mixed(self, a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean = arithmetic if self.combination == "lorentz-berthelot" else geometric
        return mean(jnp.asarray(self.sigma), a, b), geometric(jnp.asarray(self.epsilon), a, b)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""

        def pair(r: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
            sigma, epsilon = self._mixed(self.kind[i], self.kind[j])
            sixth = (sigma / r) ** 6
            return 4.0 * epsilon * sixth * (sixth - 1.0)

        energy = self.rule.total(geometry, pair)
        if self.tail and geometry.box is not None:
            energy = energy + self._beyond() / _volume(geometry.box)
        return energy

    def _beyond(self) -> Scalar:
        """Tail energy times volume: 2πN² ∫ (1 - S) u r² dr, u averaged over all pairs of atoms."""
        rc = self.rule.cutoff
        assert rc is not None
        n = len(self.kind)
        kinds = self.sigma.shape[0]
        count = jnp.zeros(kinds, self.sigma.dtype).at[self.kind].add(1.0)
        a = jnp.arange(kinds)
        sigma, epsilon = self._mixed(a[:, None], a[None, :])
        # As OpenMM counts: unordered pairs, an atom with itself among them.
        weight = 0.5 * (count[:, None] * count[None, :] + jnp.diag(count)) / (0.5 * n * (n + 1))
        sixth = sigma**6
        twelfth = jnp.sum(weight * epsilon * sixth**2)
        sixth = jnp.sum(weight * epsilon * sixth)
        integral = twelfth / (9.0 * rc**9) - sixth / (3.0 * rc**3)
        if self.rule.switch is not None:
            node, width = np.polynomial.legendre.leggauss(48)
            r = 0.5 * (rc - self.rule.switch) * (node + 1.0) + self.rule.switch
            lost = 0.5 * (rc - self.rule.switch) * width * r**2
            lost = lost * (1.0 - switching(jnp.asarray(r), self.rule.switch, rc))
            integral = integral + jnp.sum(lost * (twelfth / r**12 - sixth / r**6))
        return 8.0 * math.pi * n**2 * integral


class LennardJones96(AbstractBlock):
    """`Σ ε[2(ρ/r)⁹ - 3(ρ/r)⁶]` with sixth-power combination, as in class II force fields.

    Attributes:
        rule: The pairs.
        kind: Kind of each atom, `(n,)`.
        minimum: ρ, distance of the minimum, `(kinds,)` or `(kinds, kinds)`, in nm.
        epsilon: ε, the same shape, in kJ/mol.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {"minimum": _SIZE, "epsilon": _DEPTH}
    layout: ClassVar[Mapping[str, str]] = {"kind": "rows"}

    rule: PairRule
    kind: Int[Array, " n"]
    minimum: PerKind
    epsilon: PerKind

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        size, depth = jnp.asarray(self.minimum), jnp.asarray(self.epsilon)

        def pair(r: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
            a, b = self.kind[i], self.kind[j]
            rho = arithmetic(size**6, a, b) ** (1.0 / 6.0)
            epsilon = geometric(depth, a, b)
            if depth.ndim == 1:
                epsilon = epsilon * size[a] ** 3 * size[b] ** 3 / rho**6
            cube = (rho / r) ** 3
            return epsilon * cube**2 * (2.0 * cube - 3.0)

        return self.rule.total(geometry, pair)


class Buckingham(AbstractBlock):
    """`Σ ε/(1-6/α) [(6/α) exp(α(1-r/ρ)) - (ρ/r)⁶] + ε(cρ/r)¹²`: exp-6 with a core.

    The exponential is finite at r = 0 and the dispersion is not; without the last term atoms
    would fall into each other. With c = 0.55 and α between 11 and 16 it is monotone below ρ, and
    changes the depth by less than 0.1 %.

    Attributes:
        rule: The pairs.
        kind: Kind of each atom, `(n,)`.
        minimum: ρ, `(kinds,)` or `(kinds, kinds)`, in nm; arithmetic mean.
        epsilon: ε, the same shape, in kJ/mol; geometric mean.
        steepness: α, the same shape; arithmetic mean.
        core: c.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "minimum": _SIZE,
        "epsilon": _DEPTH,
        "steepness": Quantity("1", 0.1, positive=True),
    }
    layout: ClassVar[Mapping[str, str]] = {"kind": "rows"}

    rule: PairRule
    kind: Int[Array, " n"]
    minimum: PerKind
    epsilon: PerKind
    steepness: PerKind
    core: float = eqx.field(static=True, default=0.55)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""

        def pair(r: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
            a, b = self.kind[i], self.kind[j]
            rho = arithmetic(jnp.asarray(self.minimum), a, b)
            epsilon = geometric(jnp.asarray(self.epsilon), a, b)
            alpha = arithmetic(jnp.asarray(self.steepness), a, b)
            wall = (6.0 / alpha) * jnp.exp(alpha * (1.0 - r / rho))
            soft = (wall - (rho / r) ** 6) / (1.0 - 6.0 / alpha)
            return epsilon * (soft + (self.core * rho / r) ** 12)

        return self.rule.total(geometry, pair)


class Buffered147(AbstractBlock):
    """`Σ ε [(1+δ)/(x+δ)]⁷ [(1+γ)/(x⁷+γ) - 2]`, x = r/ρ, as in AMOEBA and MMFF94.

    Attributes:
        rule: The pairs.
        kind: Kind of each atom, `(n,)`.
        minimum: ρ, `(kinds,)` or `(kinds, kinds)`, in nm; cubic mean (Σρ³)/(Σρ²).
        epsilon: ε, the same shape, in kJ/mol; 4ε₁ε₂/(√ε₁+√ε₂)².
        delta: δ.
        gamma: γ.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {"minimum": _SIZE, "epsilon": _DEPTH}
    layout: ClassVar[Mapping[str, str]] = {"kind": "rows"}

    rule: PairRule
    kind: Int[Array, " n"]
    minimum: PerKind
    epsilon: PerKind
    delta: float = eqx.field(static=True, default=0.07)
    gamma: float = eqx.field(static=True, default=0.12)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        size, root = jnp.asarray(self.minimum), safe_sqrt(jnp.asarray(self.epsilon))

        def pair(r: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
            a, b = self.kind[i], self.kind[j]
            if size.ndim == 2:
                rho, depth = size[a, b], self.epsilon[a, b]
            else:
                rho = (size[a] ** 3 + size[b] ** 3) / (size[a] ** 2 + size[b] ** 2)
                depth = harmonic(root, a, b) ** 2
            x = r / rho
            wall = ((1.0 + self.delta) / (x + self.delta)) ** 7
            return depth * wall * ((1.0 + self.gamma) / (x**7 + self.gamma) - 2.0)

        return self.rule.total(geometry, pair)


class DoubleExponential(AbstractBlock):
    """`Σ ε/(α-β) [β exp(α(1-r/ρ)) - α exp(β(1-r/ρ))]`: soft at contact, finite everywhere.

    Attributes:
        rule: The pairs.
        kind: Kind of each atom, `(n,)`.
        minimum: ρ, `(kinds,)` or `(kinds, kinds)`, in nm; arithmetic mean.
        epsilon: ε, the same shape, in kJ/mol; geometric mean.
        repulsion: α, `()`; near 16.8.
        attraction: β, `()`; near 4.4, below α.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "minimum": _SIZE,
        "epsilon": _DEPTH,
        "repulsion": Quantity("1", 0.1, positive=True),
        "attraction": Quantity("1", 0.1, positive=True),
    }
    layout: ClassVar[Mapping[str, str]] = {"kind": "rows"}

    rule: PairRule
    kind: Int[Array, " n"]
    minimum: PerKind
    epsilon: PerKind
    repulsion: Float[Array, ""]
    attraction: Float[Array, ""]

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        alpha, beta = self.repulsion, self.attraction

        def pair(r: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
            a, b = self.kind[i], self.kind[j]
            x = 1.0 - r / arithmetic(jnp.asarray(self.minimum), a, b)
            epsilon = geometric(jnp.asarray(self.epsilon), a, b)
            shape = beta * jnp.exp(alpha * x) - alpha * jnp.exp(beta * x)
            return epsilon * shape / (alpha - beta)

        return self.rule.total(geometry, pair)


class TangToennies(AbstractBlock):
    """`Σ A exp(-br) - Σₙ fₙ(br) Cₙ/rⁿ`, n = 6, 8, 10, `fₙ(x) = 1 - e⁻ˣ Σₖ₌₀ⁿ xᵏ/k!`.

    The damping takes away the divergence of the dispersion: the energy is finite at r = 0.

    Attributes:
        rule: The pairs.
        kind: Kind of each atom, `(n,)`.
        repulsion: A, `(kinds,)` or `(kinds, kinds)`, in kJ/mol; geometric mean.
        decay: b, the same shape, in 1/nm; harmonic mean.
        c6: C₆, in kJ nm⁶/mol; geometric mean.
        c8: C₈, in kJ nm⁸/mol; geometric mean.
        c10: C₁₀, in kJ nm¹⁰/mol; geometric mean.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "repulsion": Quantity("kJ/mol", 0.5, positive=True),
        "decay": Quantity("1/nm", 0.05, positive=True),
        "c6": Quantity("kJ nm⁶/mol", 0.3, positive=True),
        "c8": Quantity("kJ nm⁸/mol", 0.5, positive=True),
        "c10": Quantity("kJ nm¹⁰/mol", 0.7, positive=True),
    }
    layout: ClassVar[Mapping[str, str]] = {"kind": "rows"}

    rule: PairRule
    kind: Int[Array, " n"]
    repulsion: PerKind
    decay: PerKind
    c6: PerKind
    c8: PerKind
    c10: PerKind

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol."""
        coefficients = {6: self.c6, 8: self.c8, 10: self.c10}

        def pair(r: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
            a, b = self.kind[i], self.kind[j]
            decay = harmonic(jnp.asarray(self.decay), a, b)
            energy = geometric(jnp.asarray(self.repulsion), a, b) * jnp.exp(-decay * r)
            for n, c in coefficients.items():
                energy = energy - _damping(n, decay * r) * geometric(jnp.asarray(c), a, b) / r**n
            return energy

        return self.rule.total(geometry, pair)


def _volume(box: Float[Array, "3 3"]) -> Scalar:
    return box[0, 0] * box[1, 1] * box[2, 2]


def _damping(n: int, x: jax.Array) -> jax.Array:
    """1 - e⁻ˣ Σₖ₌₀ⁿ xᵏ/k!; below 4 by the rest of the series, where nothing cancels."""
    near, far = jnp.minimum(x, 4.0), jnp.maximum(x, 4.0)
    rest = jnp.ones_like(near)
    for k in reversed(range(n + 2, n + 30)):
        rest = 1.0 + near / k * rest
    rest = jnp.exp(-near) * near ** (n + 1) / math.factorial(n + 1) * rest
    head = jnp.ones_like(far)
    for k in reversed(range(1, n + 1)):
        head = 1.0 + far / k * head
    return jnp.where(x < 4.0, rest, 1.0 - jnp.exp(-far) * head)
