"""Textbook surfaces: functions of a few variables whose stationary points are known.

Each takes an array of shape `(dim,)`; the ones of two variables have the shape in their name.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from thalweg.core import Scalar

_MUELLER_BROWN = (
    # A, a, b, c, x0, y0
    (-200.0, -1.0, 0.0, -10.0, 1.0, 0.0),
    (-100.0, -1.0, 0.0, -10.0, 0.0, 0.5),
    (-170.0, -6.5, 11.0, -6.5, -0.5, 1.5),
    (15.0, 0.7, 0.6, 0.7, -1.0, 1.0),
)


def mueller_brown(x: Float[Array, "2"]) -> Scalar:
    """Four Gaussians; three minima and two transition states.

    Source: K. Müller and L. D. Brown, Theor. Chim. Acta 53, 75 (1979).
    """
    height, a, b, c, x0, y0 = jnp.asarray(_MUELLER_BROWN, x.dtype).T
    dx, dy = x[0] - x0, x[1] - y0
    return jnp.sum(height * jnp.exp(a * dx**2 + b * dx * dy + c * dy**2))


def double_well(x: Float[Array, "2"]) -> Scalar:
    """`(x² - 1)² + y²`: minima of energy 0 at `x = ±1`, a transition state of energy 1 between."""
    return (x[0] ** 2 - 1.0) ** 2 + x[1] ** 2


def wolfe_quapp(x: Float[Array, "2"]) -> Scalar:
    """A quartic in two variables with three minima.

    Source: W. Quapp, J. Chem. Phys. 122, 174106 (2005).
    """
    a, b = x[0], x[1]
    return a**4 + b**4 - 2.0 * a**2 - 4.0 * b**2 + a * b + 0.3 * a + 0.1 * b


def three_hole(x: Float[Array, "2"]) -> Scalar:
    """Two deep wells joined by a direct path and by one through a shallow third well.

    Source: P. Metzner, C. Schütte and E. Vanden-Eijnden, J. Chem. Phys. 125, 084110 (2006).
    """
    a, b = x[0], x[1]
    return (
        3.0 * jnp.exp(-(a**2) - (b - 1 / 3) ** 2)
        - 3.0 * jnp.exp(-(a**2) - (b - 5 / 3) ** 2)
        - 5.0 * jnp.exp(-((a - 1.0) ** 2) - b**2)
        - 5.0 * jnp.exp(-((a + 1.0) ** 2) - b**2)
        + 0.2 * a**4
        + 0.2 * (b - 1 / 3) ** 4
    )


def rastrigin(x: Float[Array, " dim"]) -> Scalar:
    """`Σ 10 + x² - 10 cos 2πx`: a parabola covered with equal ripples, global minimum 0 at 0.

    Source: L. A. Rastrigin, Systems of Extremal Control (Nauka, Moscow, 1974).
    """
    return jnp.sum(10.0 + x**2 - 10.0 * jnp.cos(2.0 * jnp.pi * x))


def schwefel(x: Float[Array, " dim"]) -> Scalar:
    """`Σ 418.9829 - x sin √|x|` for `|x| ≤ 500`, below which it is unbounded.

    The best minimum, near 0, lies at `x = 420.9687` in every variable, far from the second best.
    Source: H.-P. Schwefel, Numerical Optimization of Computer Models (Wiley, 1981).
    """
    safe = jnp.where(x == 0.0, 1.0, x)  # √|x| has no derivative at 0; x sin √|x| has: 0
    wave = jnp.where(x == 0.0, 0.0, safe * jnp.sin(jnp.sqrt(jnp.abs(safe))))
    return jnp.sum(418.98288727243369 - wave)


def rosenbrock(x: Float[Array, " dim"]) -> Scalar:
    """`Σ 100 (x_{i+1} - x_i²)² + (1 - x_i)²`: a curved, flat valley; minimum 0 at `(1, …, 1)`.

    Source: H. H. Rosenbrock, Comput. J. 3, 175 (1960).
    """
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)
