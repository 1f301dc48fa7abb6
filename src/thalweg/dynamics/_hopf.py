"""Which way a Hopf bifurcation goes: the first Lyapunov coefficient."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree
from numpy.typing import ArrayLike

from thalweg.core import AbstractDynamics, jacobian


def first_lyapunov_coefficient(
    dynamics: AbstractDynamics, x: ArrayLike, drive: PyTree = None
) -> float:
    """The first Lyapunov coefficient `ℓ₁` of a flow at a Hopf point.

    Negative: the cycle that is born is stable (supercritical). Positive: it is unstable
    (subcritical), and the state jumps when the fixed point loses its stability. Its size depends
    on the normalisation of the eigenvector (unit length here), its sign does not.

    Source: Kuznetsov, Elements of Applied Bifurcation Theory, equation (5.62).

    Args:
        dynamics: The vector field, three times differentiable.
        x: The Hopf point, `(dof,)`: a fixed point with a pair of eigenvalues ±iω.
        drive: The external input there.

    Returns:
        `ℓ₁`; NaN if the derivatives are not finite.
    """
    point = jnp.asarray(np.asarray(x, np.float64))
    a = np.asarray(jacobian(dynamics, point, drive))
    if not np.isfinite(a).all():
        return float("nan")
    values, right = np.linalg.eig(a)
    pair = np.flatnonzero(np.imag(values) > 0)
    if not len(pair):
        return float("nan")
    which = pair[int(np.argmin(np.abs(np.real(values[pair]))))]
    omega = np.imag(values[which])
    q = right[:, which] / np.linalg.norm(right[:, which])
    left_values, left = np.linalg.eig(a.T)
    p = left[:, int(np.argmin(np.abs(left_values + 1j * omega)))]
    p = p / np.vdot(q, p)  # then ⟨p, q⟩ = Σ p̄ q = 1
    real, imag = jnp.asarray(q.real), jnp.asarray(q.imag)
    aa, ab, bb, aaa, abb, aab, bbb = (
        np.asarray(form) for form in _forms(dynamics, point, drive, real, imag)
    )
    qq, qc = aa - bb + 2j * ab, aa + bb
    cubic = aaa + abb + 1j * (aab + bbb)  # C(q, q, q̄)
    size = len(a)
    h0 = -np.linalg.solve(a, qc)
    h2 = np.linalg.solve(2j * omega * np.eye(size) - a, qq)
    first = _bilinear(dynamics, point, drive, q, h0)
    second = _bilinear(dynamics, point, drive, q.conj(), h2)
    total = np.vdot(p, cubic) + 2.0 * np.vdot(p, first) + np.vdot(p, second)
    return float(total.real / (2.0 * omega))


def _bilinear(
    dynamics: AbstractDynamics, x: Array, drive: PyTree, u: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """`B(u, v)` for complex vectors, from its real parts."""

    def b(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.asarray(_form(dynamics, x, drive, jnp.asarray(u), jnp.asarray(v)))

    (ur, ui), (vr, vi) = (np.real(u), np.imag(u)), (np.real(v), np.imag(v))
    return b(ur, vr) - b(ui, vi) + 1j * (b(ur, vi) + b(ui, vr))


@eqx.filter_jit
def _form(
    dynamics: AbstractDynamics, x: Array, drive: PyTree, u: Array, v: Array
) -> Float[Array, " dof"]:
    """The second derivative along two real vectors."""

    def field(y: Array) -> Array:
        return dynamics(jnp.zeros((), y.dtype), y, drive)

    return jax.jvp(lambda y: jax.jvp(field, (y,), (u,))[1], (x,), (v,))[1]


@eqx.filter_jit
def _forms(
    dynamics: AbstractDynamics, x: Array, drive: PyTree, a: Array, b: Array
) -> tuple[Array, ...]:
    """`B(a,a)`, `B(a,b)`, `B(b,b)`, `C(a,a,a)`, `C(a,b,b)`, `C(a,a,b)` and `C(b,b,b)`."""

    def c(u: Array, v: Array, w: Array) -> Array:
        return jax.jvp(lambda y: _form(dynamics, y, drive, u, v), (x,), (w,))[1]

    second = [_form(dynamics, x, drive, u, v) for u, v in ((a, a), (a, b), (b, b))]
    third = [c(u, v, w) for u, v, w in ((a, a, a), (a, b, b), (a, a, b), (b, b, b))]
    return (*second, *third)
