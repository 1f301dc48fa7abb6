"""ORGaNICs: oscillatory recurrent gated neural integrator circuits, which normalise their input.

`n` principal units `y` and `n` gain units `a` with a drive `z`:

    τ_y dy/dt = -y + b z + (1 - √⌊a⌋) W_r y
    τ_a da/dt = -a + (b0 σ)² + W (⌊a⌋ y²)

where `⌊x⌋ = max(x, 0)`, products are element by element, and `W ≥ 0` holds the weights of the
normalisation pools, row `i` that of unit `i`. For `W_r = I` the circuit rests at
`y = b z / √((b0 σ)² + W (b z)²)`: divisive normalisation.

Source: S. Rawat, D. J. Heeger and S. Martiniani, "Unconditional stability of a recurrent neural
circuit implementing divisive normalization", NeurIPS 37, 14712 (2024), arXiv:2409.18946.
"""

from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from thalweg.core import ArgumentError, Point, PRNGKey
from thalweg.dynamics import AbstractCircuit, LocalProof, Theorem

from . import _theory as theory
from ._checks import drive_vector, matrix, vector
from ._theory import relu, root_of

Variant = Literal["main", "rectified", "head", "head-unrectified", "ring"]


class Organics(AbstractCircuit):
    """An ORGaNICs circuit of `n` principal and `n` gain units; its state is `(y, a)`, flat.

    The variants place the rectification differently; all of them are in use:

    | `variant` | recurrence | drive | pool |
    |---|---|---|---|
    | `main` | `W_r y` | `z` | `W (y² ⌊a⌋)` |
    | `rectified` | `W_r ⌊y⌋` | `z` | `W (⌊y⌋² ⌊a⌋)` |
    | `head` | `⌊W_r y⌋` | `⌊z⌋` | `W (⌊y⌋² ⌊a⌋)` |
    | `head-unrectified` | `W_r y` | `⌊z⌋` | `W (y² ⌊a⌋)` |
    | `ring` | `W_r y` | `⌊z⌋` | `W (⌊y⌋² ⌊a⌋)` |

    Attributes:
        W: Weights of the normalisation pools, `(n, n)`, not negative.
        b: Gain of the drive, `(n,)`.
        b0: Gain of the constant drive of `a`, `(n,)`.
        sigma: Semi-saturation constant, `(n,)`.
        tau_y: Time constants of `y`, `(n,)`, in any unit of time.
        tau_a: Time constants of `a`, `(n,)`, in the same unit.
        W_r: Recurrent weights, `(n, n)`; `None` is the identity, for which there are theorems.
        W_zx: Weights of the input, `(n, m)`; `None` lets the drive be `z` itself.
        variant: Where the rectification is.
    """

    W: Float[Array, "*batch n n"]
    b: Float[Array, "*batch n"]
    b0: Float[Array, "*batch n"]
    sigma: Float[Array, "*batch n"]
    tau_y: Float[Array, "*batch n"]
    tau_a: Float[Array, "*batch n"]
    W_r: Float[Array, "*batch n n"] | None
    W_zx: Float[Array, "*batch n m"] | None
    variant: Variant = eqx.field(static=True)

    def __init__(  # noqa: PLR0913 - it is a record
        self,
        W: Any,
        *,
        b: Any = 1.0,
        b0: Any = 1.0,
        sigma: Any = 1.0,
        tau_y: Any = 1.0,
        tau_a: Any = 1.0,
        W_r: Any = None,
        W_zx: Any = None,
        variant: Variant = "main",
    ):
        """Collect the parameters; a number given once stands for all units.

        Raises:
            ArgumentError: if a shape is wrong, a weight of a pool is negative, a gain, `sigma` or
                a time constant is not positive, or the variant is unknown.
        """
        if variant not in get_args(Variant):
            raise ArgumentError(f"variant={variant!r} is none of {', '.join(get_args(Variant))}")
        self.W = matrix("W", W, (None, None), nonnegative=True)
        n = self.W.shape[0]
        matrix("W", W, (n, n))
        self.b = vector("b", b, n, positive=True)
        self.b0 = vector("b0", b0, n, positive=True)
        self.sigma = vector("sigma", sigma, n, positive=True)
        self.tau_y = vector("tau_y", tau_y, n, positive=True)
        self.tau_a = vector("tau_a", tau_a, n, positive=True)
        self.W_r = None if W_r is None else matrix("W_r", W_r, (n, n))
        self.W_zx = None if W_zx is None else matrix("W_zx", W_zx, (n, None))
        self.variant = variant

    @property
    def n(self) -> int:
        """Number of principal units."""
        return self.b.shape[-1]

    @property
    def dof(self) -> int:
        """`2 n`."""
        return 2 * self.n

    def recurrence(self) -> Float[Array, "n n"]:
        """`W_r`, the identity where none was given."""
        return jnp.eye(self.n, dtype=self.W.dtype) if self.W_r is None else self.W_r

    def drive(self, drive: PyTree) -> Float[Array, " n"]:
        """The drive `z` of the principal units: `W_zx x`, or the drive itself.

        Raises:
            ArgumentError: if it is missing or has the wrong length.
        """
        if self.W_zx is None:
            z = drive_vector("this circuit", drive, self.n, "the drive z of each unit")
        else:
            x = drive_vector("this circuit", drive, self.W_zx.shape[-1], "the input x")
            z = self.W_zx @ x.astype(self.W_zx.dtype)
        z = z.astype(self.W.dtype)
        return relu(z) if self.variant in {"head", "head-unrectified", "ring"} else z

    def __call__(self, t: Float[Array, ""], x: Point, drive: PyTree = None) -> Point:
        """Velocity of `(y, a)` under the drive, `(2n,)`."""
        del t
        return self.velocity(x, self.drive(drive))

    def velocity(self, x: Point, z: Float[Array, " n"]) -> Point:
        """The same for a given drive `z` of the principal units."""
        y, a = x[: self.n], x[self.n :]
        seen = relu(y) if self.variant == "rectified" else y
        again = seen if self.W_r is None else self.W_r @ seen
        again = relu(again) if self.variant == "head" else again
        power = relu(y) ** 2 if theory.is_pooled_rectified(self.variant) else y**2
        dy = -y + self.b * z + (1 - root_of(a)) * again
        da = -a + (self.b0 * self.sigma) ** 2 + self.W @ (relu(a) * power)
        return jnp.concatenate([dy / self.tau_y, da / self.tau_a])

    def normalised(self, drive: PyTree) -> Point:
        """The fixed point for `W_r = I`, in closed form, `(2n,)`.

        Raises:
            ArgumentError: if the circuit has another recurrence.
        """
        if self.W_r is not None:
            raise ArgumentError(
                "the closed form holds for W_r = I, and this circuit has a W_r of its own",
                "iterate_fixed_point solves for it, fixed_points finds all",
            )
        return jnp.concatenate(theory.normalised(self, self.drive(drive)))

    def starts(self, key: PRNGKey, number: int, drive: PyTree = None) -> Float[Array, "number dof"]:
        """Gains over three decades about those of `W_r = I`, each with the `y` that it implies.

        Given `a`, the rest of `y` solves a linear equation, so every fixed point lies on this
        surface (on another piece of it, where the circuit is rectified).
        """
        floor, push = (self.b0 * self.sigma) ** 2, self.b * self.drive(drive)
        usual = floor + self.W @ push**2
        one, two = jax.random.split(key)
        common = jax.random.uniform(one, (number, 1), self.W.dtype, -1.0, 2.0)
        own = jax.random.uniform(two, (number, self.n), self.W.dtype, -0.3, 0.3)
        a = jnp.maximum(usual * 10 ** (common + own), floor)
        if self.W_r is None:
            y = push / jnp.sqrt(a)
        else:
            loop = jnp.eye(self.n, dtype=a.dtype) - (1 - jnp.sqrt(a))[..., None] * self.W_r
            y = jnp.linalg.solve(loop, jnp.broadcast_to(push, a.shape)[..., None])[..., 0]
        return jnp.concatenate([y, a], axis=1)

    def theorems(self, drive: PyTree = None) -> tuple[Theorem, ...]:
        """The theorem for `W_r = I`, that of the scalar circuit, and the conjecture."""
        z = self.drive(drive)
        if self.W_r is None or _is_identity(self.W_r):
            plain = eqx.tree_at(lambda c: c.W_r, self, None, is_leaf=lambda a: a is None)
            return (theory.identity_theorem(plain, theory.local_proof(plain, z)),)
        said = [theory.identity_theorem(self, None)]
        scalar = theory.scalar_theorem(self, z)
        if scalar is None:
            return (*said, theory.conjecture(self, z))
        principal = theory.principal_theorem(scalar, float(self.W_r[0, 0]))
        return (*said, scalar) if principal is None else (*said, scalar, principal)

    def local_proof(self, drive: PyTree = None) -> LocalProof | None:
        """The theorem for `W_r = I` in compiled code; nothing for another recurrence."""
        return None if self.W_r is not None else theory.local_proof(self, self.drive(drive))

    def inside(self, x: Point, drive: PyTree = None) -> Bool[Array, ""]:
        """`a > 0`: at a fixed point `a` is at least `(b0 σ)²`."""
        del drive
        return jnp.all(x[self.n :] > 0)

    def smoothness(self, x: Point, drive: PyTree = None) -> float:
        """Distance to `a = 0` and, in the rectified variants, to `y = 0` (`W_r y = 0`)."""
        del drive
        y, a = np.asarray(x[: self.n]), np.asarray(x[self.n :])
        away = float(np.min(np.abs(a)) / np.max(np.abs(a), initial=1e-300))
        if self.variant not in {"rectified", "head"}:
            return away
        bent = np.asarray(self.recurrence()) @ y if self.variant == "head" else y
        return min(away, float(np.min(np.abs(bent)) / max(np.max(np.abs(y)), 1e-300)))

    def labels(self) -> tuple[str, ...]:
        """`y1 … yn, a1 … an`."""
        return tuple(f"{name}{i + 1}" for name in "ya" for i in range(self.n))


def _is_identity(matrix_: Array) -> bool:
    return bool(np.array_equal(np.asarray(matrix_), np.eye(matrix_.shape[-1])))


def effective_time_constants(circuit: Organics, drive: PyTree) -> Float[Array, " n"]:
    """`τ_y / √a`, how fast each principal unit follows at the normalised state; it shrinks with drive."""
    a = circuit.normalised(drive)[circuit.n :]
    return circuit.tau_y / jnp.sqrt(a)


def stack(circuits: Any) -> Any:
    """Circuits of one shape as one record whose arrays have a leading axis, for `certify_batch`.

    Raises:
        ArgumentError: if there are none, or their shapes or options differ.
    """
    circuits = list(circuits)
    if not circuits:
        raise ArgumentError("there are no circuits to stack")
    try:
        return jax.tree.map(lambda *a: jnp.stack(a), *circuits)
    except ValueError as error:
        raise ArgumentError(
            "the circuits differ in shape or options and cannot be stacked",
            str(error).split("\n")[0],
        ) from error
