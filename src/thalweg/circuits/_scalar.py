"""The scalar circuit (one principal, one gain unit) with any recurrent weight: all fixed points.

With `s = √a`, `c = (b0 σ)²` and `g = 1 - w_r + w_r s` the fixed points have `y = b z / g` and

    h(s) = (1 - c/s²) g² - w (b z)² = 0,   s > √c,

a quartic in `s`. The roots are bracketed, not taken from a polynomial solver, which loses some:
with `e = 1 - 1/w_r`, the zero of `g`, `h` rises from below zero without bound for
`s > max(√c, e)`, so that there is exactly one root (the principal branch, where `w_r > 0`), and
between `√c` and `e`, if `√c < e`, it rises and falls once, so that there are two roots or none.

Source: the circuit and the statement that a stable fixed point exists for every `w_r > 0` are from
S. Rawat, D. J. Heeger and S. Martiniani, NeurIPS 37, 14712 (2024). The proof is short: on the
principal branch `g > 0`, so that the trace `-g/τ_y - (c/a)/τ_a` is negative and the determinant
`[g c/a + w_r s (1 - c/a)] / (τ_y τ_a)` is positive.
"""

import numpy as np
from jaxtyping import Float

_BISECTIONS = 90
"""Halvings of an interval of logarithms: enough for the last digit of any double."""

_SMALLEST = 1e-300


def principal_branch(
    w_r: Float[np.ndarray, "*circuits"],
    w: Float[np.ndarray, "*circuits"],
    b: Float[np.ndarray, "*circuits"],
    b0: Float[np.ndarray, "*circuits"],
    sigma: Float[np.ndarray, "*circuits"],
    z: Float[np.ndarray, "*circuits"],
) -> tuple[Float[np.ndarray, "*circuits"], Float[np.ndarray, "*circuits"]]:
    """The fixed point that is stable for every `w_r > 0`, of many scalar circuits at once.

    Returns:
        `y` and `a`. At `z = 0` with `w_r > 1` and `b0 σ < 1 - 1/w_r` there are two, `±y`; the
        positive one is returned.
    """
    w_r, w, b, b0, sigma, z = (np.asarray(v, np.float64) for v in (w_r, w, b, b0, sigma, z))
    root, edge = b0 * sigma, 1 - 1 / w_r
    low = np.maximum(root, edge)
    q = w * (b * z) ** 2
    u = _rising_root(w_r, root, edge, q)
    s = low + u
    g = w_r * (u + (low - edge))
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.sqrt((u + (low - root)) * (s + root) / w) / s
        y = np.where(b * z == 0, np.where(low > root, own, 0.0), b * z / g)
    return y, s * s


def _rising_root(w_r: np.ndarray, root: np.ndarray, edge: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The root of `h` above `max(√c, e)`, as its distance from there."""
    low = np.maximum(root, edge)

    def over(u: np.ndarray) -> np.ndarray:
        s = low + u
        return (u + (low - root)) * (s + root) / s**2 * (w_r * (u + (low - edge))) ** 2 > q

    high = np.maximum(low, 1.0) * np.ones_like(q)
    for _ in range(1100):
        short = ~over(high)
        if not short.any():
            break
        high = np.where(short, 2 * high, high)
    first, last = np.full(np.shape(high), np.log(_SMALLEST)), np.log(high)
    for _ in range(_BISECTIONS):
        middle = (first + last) / 2
        above = over(np.exp(middle))
        first, last = np.where(above, first, middle), np.where(above, middle, last)
    return np.where(q == 0, 0.0, np.exp(last))


def scalar_fixed_points(
    w_r: float, w: float, b: float, b0: float, sigma: float, z: float
) -> Float[np.ndarray, "k 2"]:
    """All fixed points `(y, a)` of one scalar circuit, those of the principal branch first.

    Args:
        w_r: Recurrent weight, any number.
        w: Weight of the pool, not negative.
        b: Gain of the drive.
        b0: Gain of the constant drive of `a`.
        sigma: Semi-saturation.
        z: Drive.
    """
    root, target = b0 * sigma, b * z
    if w == 0:
        g = 1 - w_r + w_r * root
        return np.array([[target / g, root**2]]) if g != 0 else np.zeros((0, 2))
    if w_r == 0:
        q = w * target**2
        return np.array([[target, root**2 / (1 - q)]]) if q < 1 else np.zeros((0, 2))
    edge = 1 - 1 / w_r
    if target == 0:
        found = [(0.0, root**2)]
        if edge > root:
            y = float(np.sqrt((1 - (root / edge) ** 2) / w))
            found = [(y, edge**2), (-y, edge**2), *found]
        return np.array(found)
    q = w * target**2
    u = float(_rising_root(*(np.asarray([v]) for v in (w_r, root, edge, q)))[0])
    low = max(root, edge)
    found = [(target / (w_r * (u + (low - edge))), (low + u) ** 2)]
    if edge > root:
        found += [(target / (w_r * (s - edge)), s * s) for s in _inner(w_r, root, edge, q)]
    return np.array(found)


def _inner(w_r: float, root: float, edge: float, q: float) -> list[float]:
    """The roots between `√c` and `e`, where `h` has one maximum."""

    def value(s: float) -> float:
        return (s - root) * (s + root) / s**2 * (w_r * (s - edge)) ** 2 - q

    def slope(s: float) -> float:
        # The logarithmic derivative of the first term of h, times something positive.
        return root**2 * (edge - s) - s * (s - root) * (s + root)

    low, high = root, edge
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    top = (low + high) / 2
    if value(top) <= 0:
        return []
    ends = []
    for outside, inside in ((root, top), (edge, top)):
        out, into = outside, inside
        for _ in range(200):
            middle = (out + into) / 2
            out, into = (out, middle) if value(middle) > 0 else (middle, into)
        ends.append((out + into) / 2)
    return ends
