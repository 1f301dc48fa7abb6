"""What is proved about ORGaNICs: the closed form, the inequality behind it, and the theorems.

The functions take any object with the fields of `Organics`, so that they run inside `vmap`.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from thalweg.dynamics import LocalProof, Theorem

from ._scalar import scalar_fixed_points

SOURCE = "S. Rawat, D. J. Heeger, S. Martiniani, NeurIPS 37, 14712 (2024)"

_CLOSED_RESIDUAL = 1e-12
"""Relative residual that the closed form must reach; it is a few roundings."""


def relu(x: Array) -> Array:
    """`max(x, 0)` with derivative zero at zero."""
    return jnp.where(x > 0, x, 0.0)


def root_of(x: Array) -> Array:
    """`√max(x, 0)` with derivative zero where `x ≤ 0`, instead of an infinite one."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def is_pooled_rectified(variant: str) -> bool:
    """Whether the pool sees `⌊y⌋²` instead of `y²`."""
    return variant in {"rectified", "head", "ring"}


def _leak(circuit: Any, y: Array, a: Array) -> Array:
    """`-J_yy τ_y` where `W_r = I`: `√a`, but 1 for units whose recurrence is rectified away."""
    root = jnp.sqrt(a)
    return jnp.where(y > 0, root, 1.0) if circuit.variant in {"rectified", "head"} else root


def normalised(circuit: Any, z: Float[Array, " n"]) -> tuple[Array, Array]:
    """The fixed point for `W_r = I`: `a = (b0 σ)² + W (b z)²`, `y = b z / √a`, for drives `z`.

    Where the circuit is rectified, the pool sees `⌊b z⌋²` and a unit with `z < 0` rests at `b z`.
    """
    push = circuit.b * z
    floor = (circuit.b0 * circuit.sigma) ** 2
    if is_pooled_rectified(circuit.variant):
        a = floor + circuit.W @ relu(push) ** 2
        return relu(push) / jnp.sqrt(a) - relu(-push), a
    a = floor + circuit.W @ push**2
    return push / jnp.sqrt(a), a


def damping_matrix(circuit: Any, y: Array, a: Array) -> tuple[Float[Array, "n n"], Array]:
    """`B` and the diagonal of `K` of the oscillator form `λ² + λB + K` at a fixed point, `W_r = I`.

    `B = D(s/τ_y) + τ_a⁻¹ (I - W D(p))` and `K = D(s/(τ_y τ_a))`, where `p = y²` and `s = √a`; in a
    rectified circuit units with `y ≤ 0` have `p = 0` and, but for the ring, `s = 1`.
    """
    root = _leak(circuit, y, a)
    power = relu(y) ** 2 if is_pooled_rectified(circuit.variant) else y**2
    n = y.shape[0]
    pool = (jnp.eye(n, dtype=y.dtype) - circuit.W * power) / circuit.tau_a[:, None]
    damping = jnp.diag(root / circuit.tau_y) + pool
    return damping, root / (circuit.tau_y * circuit.tau_a)


def local_proof(circuit: Any, z: Float[Array, " n"]) -> LocalProof:
    """The theorem for `W_r = I` as arithmetic: no eigenvalue, `n²` operations, batchable.

    `B` has no positive entry off the diagonal because `W ≥ 0`, and
    `B a = a s/τ_y + (b0 σ)²/τ_a > 0`: it is an M-matrix, which proves stability. The slack is the
    smallest side of that inequality, divided by the sum of the sizes of its terms.
    """
    y, a = normalised(circuit, z)
    s = _leak(circuit, y, a)
    pooled = relu(y) ** 2 if is_pooled_rectified(circuit.variant) else y**2
    mixed = circuit.W @ (a * pooled)
    side = a * s / circuit.tau_y + (a - mixed) / circuit.tau_a
    size = a * s / circuit.tau_y + (a + mixed) / circuit.tau_a
    slack = jnp.min(side / size)
    x = jnp.concatenate([y, a])
    velocity = circuit.velocity(x, z)
    tau = jnp.concatenate([circuit.tau_y, circuit.tau_a])
    terms = jnp.concatenate([jnp.abs(circuit.b * z) + jnp.abs(y), a])
    residual = jnp.max(jnp.abs(velocity * tau) / jnp.where(terms > 0, terms, 1.0))
    proved = _conditions(circuit) & (slack > 0) & (residual < _CLOSED_RESIDUAL)
    return LocalProof(x, residual, proved & jnp.all(jnp.isfinite(x)), slack)


def _conditions(circuit: Any) -> Bool[Array, ""]:
    parts = (circuit.b, circuit.b0, circuit.sigma, circuit.tau_y, circuit.tau_a)
    positive = jnp.stack([jnp.all(p > 0) for p in parts]).all()
    return positive & jnp.all(circuit.W >= 0)


def identity_theorem(circuit: Any, proof: LocalProof | None) -> Theorem:
    """Unconditional local stability of the normalised state where `W_r = I`."""
    name = "unconditional stability of normalisation (W_r = I)"
    statement = (
        "For every W ≥ 0, every drive and all positive gains and time constants the circuit has one "
        "fixed point, the divisive normalisation a = (b0 σ)² + W(bz)², y = bz/√a, and it is locally "
        "asymptotically stable."
    )
    source = f"{SOURCE}; proof by the M-matrix inequality B a > 0"
    if proof is None:
        return Theorem(name, False, statement, "W_r is not the identity", source)
    if not bool(proof.proved):
        because = f"B a > 0 fails: smallest relative side {float(proof.slack):.2g}"
        return Theorem(name, False, statement, because, source)
    return Theorem(
        name=name,
        applies=True,
        statement=statement,
        because=f"W_r = I, W ≥ 0, and B a > 0 with relative slack {float(proof.slack):.2g}",
        source=source,
        proves=frozenset({"stable", "all"}),
        points=np.asarray(proof.x)[None],
        limits="it is local: convergence from everywhere is not proved.",
    )


def scalar_theorem(circuit: Any, z: Float[Array, " n"]) -> Theorem | None:
    """All fixed points of the main circuit with one unit; the principal one is stable if w_r > 0."""
    if circuit.n != 1 or circuit.variant not in {"main", "head-unrectified"}:
        return None
    values = (circuit.recurrence()[0, 0], circuit.W[0, 0])
    values += (circuit.b[0], circuit.b0[0], circuit.sigma[0], z[0])
    w_r = float(values[0])
    points = scalar_fixed_points(*(float(v) for v in values))
    proves = frozenset({"all"})
    return Theorem(
        name="scalar circuit with any recurrent weight",
        applies=True,
        statement=(
            "The fixed points are the roots of a quartic in √a, all of which are bracketed; for "
            "w_r > 0 the one on the principal branch exists and is locally asymptotically stable."
        ),
        because=f"one unit, w_r = {w_r:g}: {len(points)} fixed point{'s' * (len(points) != 1)}",
        source=f"{SOURCE}; trace and determinant on the principal branch",
        proves=proves,
        points=points if len(points) else None,
        limits=(
            "the stable fixed point need not be the only one."
            if w_r > 0
            else "for w_r ≤ 0 no stable fixed point need exist."
        ),
    )


def principal_theorem(all_points: Theorem, w_r: float) -> Theorem | None:
    """The part of the scalar theorem that proves stability."""
    if w_r <= 0 or all_points.points is None:
        return None
    first = all_points.points[0]
    # At z = 0 above threshold the two mirror images are stable; else the first one alone.
    twin = (all_points.points[:, 0] == -first[0]) & (all_points.points[:, 1] == first[1])
    return Theorem(
        name="principal branch of the scalar circuit (w_r > 0)",
        applies=True,
        statement="The fixed point with 1 - w_r + w_r √a > 0 is locally asymptotically stable.",
        because=f"w_r = {w_r:g} > 0: the trace is negative and the determinant positive",
        source=all_points.source,
        proves=frozenset({"stable"}),
        points=np.concatenate([first[None], all_points.points[1:][twin[1:]]]),
    )


def conjecture(circuit: Any, z: Float[Array, " n"]) -> Theorem:
    """The conjecture for general `W_r`: its conditions, and why it proves nothing."""
    largest = float(np.linalg.norm(np.asarray(circuit.recurrence()), 2))
    norm = float(np.linalg.norm(np.asarray(z)))
    return Theorem(
        name="conjecture for general W_r",
        applies=False,
        statement=(
            "A stable fixed point is conjectured to exist where ‖z‖ ≤ 1 and the largest singular "
            "value of W_r is 1."
        ),
        because=(
            f"it is no theorem (σ_max(W_r) = {largest:.4g}, ‖z‖ = {norm:.4g}), and as worded it "
            "has counterexamples: one unit with w_r = -1, b = z = w = σ = 1, b0 = 0.5 has no stable "
            "fixed point"
        ),
        source=SOURCE,
    )
