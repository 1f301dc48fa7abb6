"""The lowest eigenvector of a small symmetric matrix, as broadcasting arithmetic over lanes."""

from collections.abc import Sequence

import jax.numpy as jnp

from thalweg.core import Flag, Value


def lowest_of_three(
    gram: Sequence[Sequence[Value]], present: Sequence[Flag | None]
) -> tuple[Value, Value, Value]:
    """Components of the unit eigenvector of the lowest eigenvalue of a 3 x 3 matrix.

    Args:
        gram: Matrix entries, one array over lanes each; symmetrised here.
        present: Whether each basis vector exists; `None` means always.

    Returns:
        Three components, the first non-negative.

    Source: the trigonometric solution of the characteristic cubic (Smith, Commun. ACM 4, 168
    (1961)); the eigenvector is the longest cross product of two rows of `A - λ I`.
    """
    a = [[0.5 * (gram[i][j] + gram[j][i]) for j in range(3)] for i in range(3)]
    scale = jnp.sqrt(_frobenius(a)) + 1e-300
    big = 10.0 * scale
    for k, there in enumerate(present):
        if there is not None:
            for j in range(3):
                off = jnp.where(there, a[k][j], 0.0)
                a[k][j], a[j][k] = off, off
            a[k][k] = jnp.where(there, gram[k][k], big)
    mean = (a[0][0] + a[1][1] + a[2][2]) / 3.0
    b = [[a[i][j] - (mean if i == j else 0.0) for j in range(3)] for i in range(3)]
    spread = jnp.sqrt(_frobenius(b) / 6.0) + 1e-300
    determinant = (
        b[0][0] * (b[1][1] * b[2][2] - b[1][2] ** 2)
        - b[0][1] * (b[0][1] * b[2][2] - b[1][2] * b[0][2])
        + b[0][2] * (b[0][1] * b[1][2] - b[1][1] * b[0][2])
    )
    angle = jnp.arccos(jnp.clip(determinant / (2.0 * spread**3), -1.0, 1.0)) / 3.0
    lowest = mean + 2.0 * spread * jnp.cos(angle + 2.0 * jnp.pi / 3.0)
    rows = [[a[i][j] - (lowest if i == j else 0.0) for j in range(3)] for i in range(3)]
    best = _cross(rows[0], rows[1])
    length = _square(best)
    for pair in ((0, 2), (1, 2)):
        other = _cross(rows[pair[0]], rows[pair[1]])
        size = _square(other)
        best = [jnp.where(size > length, o, c) for o, c in zip(other, best, strict=True)]
        length = jnp.maximum(size, length)
    # A (numerically) scalar matrix has no preferred vector: keep the first.
    fine = length > (1e-14 * scale**2) ** 2
    inverse = 1.0 / jnp.sqrt(jnp.where(fine, length, 1.0))
    sign = jnp.where(best[0] < 0, -inverse, inverse)
    return (
        jnp.where(fine, best[0] * sign, 1.0),
        jnp.where(fine, best[1] * sign, 0.0),
        jnp.where(fine, best[2] * sign, 0.0),
    )


def _cross(u: Sequence[Value], v: Sequence[Value]) -> list[Value]:
    return [
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ]


def _square(u: Sequence[Value]) -> Value:
    return u[0] ** 2 + u[1] ** 2 + u[2] ** 2


def _frobenius(a: Sequence[Sequence[Value]]) -> Value:
    return _square(a[0]) + _square(a[1]) + _square(a[2])
