"""Charges in a periodic box: Ewald's sum, and its smooth particle-mesh form.

Sources: Ewald, Ann. Phys. 369, 253 (1921); Essmann et al., J. Chem. Phys. 103, 8577 (1995).
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, erfc

from thalweg.core import ArgumentError, Array, Float, Int, Scalar

from ._block import COULOMB, AbstractBlock, Geometry, Quantity
from ._coulomb import CHARGE, neutralised
from ._rule import PairRule

_ORDER = 5
"""Order of the B-splines that spread charges over the grid."""


class Ewald(AbstractBlock):
    """Coulomb energy of a periodic box with conducting surroundings.

    Real space up to the rule's cutoff, reciprocal space on a grid (`grid`, particle mesh) or by
    the plain sum over wave vectors (`waves`, exact and slow), minus the energies of the Gaussian
    charges with themselves and with what the rule excludes, plus special pairs in full. A charged
    box gets the uniform background that neutralises it.

    Attributes:
        rule: The pairs; its cutoff ends the sum in real space, and must be below half the box.
        kind: Kind of each atom, `(n,)`.
        charge: q, `(kinds,)`, in e; what is missing to `total` is shared out equally.
        alpha: Width parameter α of the Gaussian charges, in 1/nm.
        total: Total charge, in e.
        grid: Points of the mesh along each edge.
        waves: Highest wave number along each edge, instead of a mesh.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {"charge": CHARGE}
    layout: ClassVar[Mapping[str, str]] = {"kind": "rows", "total": "sum"}

    rule: PairRule
    kind: Int[Array, " n"]
    charge: Float[Array, " kinds"]
    alpha: float = eqx.field(static=True)
    total: float = eqx.field(static=True, default=0.0)
    grid: tuple[int, int, int] | None = eqx.field(static=True, default=None)
    waves: tuple[int, int, int] | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        if (self.grid is None) == (self.waves is None):
            raise ArgumentError(
                "Ewald needs `grid` (particle mesh) or `waves` (plain sum), and not both"
            )
        if self.rule.cutoff is None or self.rule.switch is not None:
            raise ArgumentError(
                "Ewald's sum in real space ends at a cutoff, without a switch",
                "PairRule.of(topology, cutoff=0.9)",
            )
        if self.grid is not None and min(self.grid) < _ORDER:
            raise ArgumentError(f"grid={self.grid} has fewer than {_ORDER} points along an edge")

    def charges(self) -> Float[jax.Array, " n"]:
        """Charge of each atom, in e."""
        return neutralised(self.charge, self.kind, self.total)

    def __call__(self, geometry: Geometry) -> Scalar:
        """Energy in kJ/mol.

        Raises:
            ArgumentError: without a box.
        """
        box = geometry.box
        if box is None:
            raise ArgumentError("Ewald's sum needs a box", "ForceField(..., box=edges)")
        q = self.charges()

        def real(r: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
            return COULOMB * q[i] * q[j] * erfc(self.alpha * r) / r

        def plain(r: jax.Array, i: jax.Array, j: jax.Array) -> jax.Array:
            return COULOMB * q[i] * q[j] / r

        reciprocal = self._mesh if self.grid is not None else self._sum
        volume = box[0, 0] * box[1, 1] * box[2, 2]
        background = -0.5 * math.pi * jnp.sum(q) ** 2 / (volume * self.alpha**2)
        self_energy = -self.alpha / math.sqrt(math.pi) * jnp.sum(q**2)
        outside = self_energy + background + reciprocal(geometry.positions, box, q)
        energy = self.rule.total(geometry, real, plain) + COULOMB * outside
        if len(self.rule.excluded):
            i, j = self.rule.excluded.T
            r = geometry.distances(i, j)
            apart = r > 0
            near = jnp.where(apart, erf(self.alpha * r) / jnp.where(apart, r, 1.0), 0.0)
            energy = energy - COULOMB * jnp.sum(q[i] * q[j] * near)
        return energy

    def _sum(self, x: Float[Array, "n 3"], box: Float[Array, "3 3"], q: jax.Array) -> Scalar:
        """Reciprocal energy over half of the wave vectors, twice, in e²/nm."""
        edges = [np.arange(-n, n + 1) for n in self.waves or (0, 0, 0)]
        numbers = np.stack(np.meshgrid(*edges, indexing="ij"), -1).reshape(-1, 3)
        half = numbers[len(numbers) // 2 + 1 :]
        waves = jnp.asarray(2.0 * math.pi * half, x.dtype) @ jnp.linalg.inv(box).T
        weight, volume = _influence(jnp.sum(waves**2, axis=1), self.alpha), jnp.linalg.det(box)
        phase = waves @ x.T
        strength = (jnp.cos(phase) @ q) ** 2 + (jnp.sin(phase) @ q) ** 2
        return 4.0 * math.pi / volume * jnp.sum(weight * strength)

    def _mesh(self, x: Float[Array, "n 3"], box: Float[Array, "3 3"], q: jax.Array) -> Scalar:
        """Reciprocal energy from charges spread over the mesh, in e²/nm."""
        grid = self.grid or (0, 0, 0)
        sizes = jnp.asarray(grid, x.dtype)
        place = x @ jnp.linalg.inv(box)
        place = (place - jnp.floor(place)) * sizes
        cell = jax.lax.stop_gradient(jnp.floor(place))
        weights = _b_spline(place - cell)
        cell = cell.astype(int)
        at = [(cell[:, d, None] + np.arange(_ORDER)) % grid[d] for d in range(3)]
        index = (at[0][:, :, None, None] * grid[1] + at[1][:, None, :, None]) * grid[2]
        index = index + at[2][:, None, None, :]
        spread = jnp.einsum("n,na,nb,nc->nabc", q, *(weights[:, d] for d in range(3)))
        mesh = jnp.zeros(math.prod(grid), x.dtype).at[index.reshape(-1)].add(spread.reshape(-1))
        strength = jnp.abs(jnp.fft.rfftn(mesh.reshape(grid))) ** 2
        return jnp.sum(strength * self._green(box))

    def _green(self, box: Float[Array, "3 3"]) -> Float[jax.Array, "a b c"]:
        """Weight of each Fourier coefficient of the mesh; the last axis is halved."""
        grid = self.grid or (0, 0, 0)
        last = grid[2] // 2 + 1
        numbers = [np.fft.fftfreq(m, 1.0 / m) for m in grid[:2]] + [np.arange(last, dtype=float)]
        moduli = [_moduli(m)[: len(n)] for m, n in zip(grid, numbers, strict=True)]
        twice = np.full(last, 2.0)
        twice[0] = 1.0
        if grid[2] % 2 == 0:
            twice[-1] = 1.0
        flat = np.stack(np.meshgrid(*numbers, indexing="ij"), -1)
        waves = 2.0 * math.pi * jnp.asarray(flat, box.dtype) @ jnp.linalg.inv(box).T
        square = jnp.sum(waves**2, axis=-1)
        scale = np.einsum("a,b,c->abc", *moduli) / twice
        return 2.0 * math.pi / jnp.linalg.det(box) * _influence(square, self.alpha) / scale


def _influence(square: jax.Array, alpha: float) -> Float[jax.Array, "..."]:
    """exp(-k²/4α²)/k², without the wave of k = 0."""
    moving = square > 0
    safe = jnp.where(moving, square, 1.0)
    return jnp.where(moving, jnp.exp(-safe / (4.0 * alpha**2)) / safe, 0.0)


def _b_spline(t: Float[Array, "n 3"]) -> Float[jax.Array, "n 3 order"]:
    """Weights of the cardinal B-spline for the grid points from the one below onward."""
    values = [1.0 - t, t]
    for order in range(3, _ORDER + 1):
        below = [jnp.zeros_like(t), *values, jnp.zeros_like(t)]
        # M_n(u) = [u M_{n-1}(u) + (n - u) M_{n-1}(u - 1)]/(n - 1) at u = t + order - 1 - k.
        values = [
            ((t + order - 1 - k) * below[k] + (1.0 - t + k) * below[k + 1]) / (order - 1)
            for k in range(order)
        ]
    return jnp.stack(values, axis=-1)


def _moduli(size: int) -> Float[np.ndarray, " size"]:
    """|Σₖ M(k+1) exp(2πimk/size)|², what the spline does to each Fourier coefficient."""
    knots = np.asarray([1.0, 0.0])
    for order in range(3, _ORDER + 1):
        padded = np.concatenate([[0.0], knots, [0.0]])
        u = np.arange(order)[::-1]
        knots = (u * padded[:-1] + (order - u) * padded[1:]) / (order - 1)
    table = np.zeros(size)
    table[:_ORDER] = knots
    moduli = np.abs(np.fft.fft(table)) ** 2
    # For odd orders the middle coefficient of an even grid vanishes: the mean of its neighbours.
    small = moduli < 1e-7
    moduli[small] = 0.5 * (np.roll(moduli, 1) + np.roll(moduli, -1))[small]
    return moduli
