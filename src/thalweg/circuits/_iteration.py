"""The fixed point of a circuit with any recurrence, by alternating between `y` and `a`.

    y ← (I - D(1 - √a) W_r)⁻¹ b z,   a ← (b0 σ)² + W (a y²)

from `a = (b0 σ)² + W (W_r b z)²`. It converges linearly where it does; Newton's method
(`thalweg.dynamics.fixed_points`) is the one to find every fixed point.

Source: the authors' iterative algorithm for S. Rawat, D. J. Heeger and S. Martiniani, NeurIPS 37,
14712 (2024), with `b z` in the start (for `b0 z`), and `√a` in the solve (for `a`), as the
circuit's equations have it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from thalweg.core import ArgumentError

from ._organics import Organics


@eqx.filter_jit
def _iterate(circuit: Organics, z: Array, steps: int) -> Array:
    push, floor = circuit.b * z, (circuit.b0 * circuit.sigma) ** 2
    again, one = circuit.recurrence(), jnp.eye(circuit.n, dtype=push.dtype)
    first = again @ push
    a = floor + circuit.W @ first**2

    def solve(a: Array) -> Array:
        return jnp.linalg.solve(one - (1 - jnp.sqrt(a))[:, None] * again, push)

    def advance(now: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
        y = solve(now[1])
        a = floor + circuit.W @ (now[1] * y**2)
        return (y, a), jnp.concatenate([y, a])

    start = (first / jnp.sqrt(a), a)
    rest = jax.lax.scan(advance, start, None, length=steps)[1]
    return jnp.concatenate([jnp.concatenate(start)[None], rest])


def iterate_fixed_point(
    circuit: Organics, drive: PyTree = None, *, steps: int = 50
) -> Float[np.ndarray, "iterates dof"]:
    """The iterates from the start on, `(steps + 1, 2n)`.

    Args:
        circuit: A circuit whose recurrence and pool are not rectified (`main`,
            `head-unrectified`).
        drive: Its constant drive.
        steps: Iterations.

    Raises:
        ArgumentError: if the circuit is rectified: the solve for `y` is then not linear.
    """
    if circuit.variant not in {"main", "head-unrectified"}:
        raise ArgumentError(
            f"the iteration solves a linear equation for y, and the variant {circuit.variant!r} "
            "has none",
            "use thalweg.dynamics.fixed_points",
        )
    if steps < 0:
        raise ArgumentError(f"steps={steps} is negative")
    return np.asarray(_iterate(circuit, circuit.drive(drive), steps))
