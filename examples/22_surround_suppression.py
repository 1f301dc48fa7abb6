"""Surround suppression: the response to a patch rises with its size, and falls beyond an optimum.

Units on a line pool over a wider neighbourhood than they are driven from. A growing patch first
adds drive to the unit in the centre, then only suppression.
"""

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.circuits import Organics
from thalweg.dynamics import certify

tw.enable_float64()
UNITS, DRIVEN, POOLED = 41, 1.5, 6.0


def gaussian(width):
    """Weights by distance, every row summing to one but at the ends."""
    away = np.subtract.outer(np.arange(UNITS), np.arange(UNITS))
    return np.exp(-((away / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))


def main():
    """Grow a patch, certify the largest, and draw the response of the unit in the centre."""
    circuit = Organics(
        3.0 * gaussian(POOLED), W_zx=gaussian(DRIVEN), sigma=0.1, tau_y=0.002, tau_a=0.002
    )
    centre = UNITS // 2
    radii = np.arange(centre + 1)
    patches = np.abs(np.arange(UNITS) - centre) <= radii[:, None]
    curves = {}
    for contrast in (0.1, 0.3, 1.0):
        states = np.asarray(jax.vmap(circuit.normalised)(jnp.asarray(contrast * patches)))
        curves[contrast] = states[:, centre] ** 2
    best = {contrast: int(np.argmax(rates)) for contrast, rates in curves.items()}
    for contrast, rates in curves.items():
        index = 1 - rates[-1] / rates.max()
        print(f"contrast {contrast}: best radius {best[contrast]}, suppression index {index:.2f}")
        assert 0 < best[contrast] < centre
        assert index > 0.2
    assert best[1.0] <= best[0.1]  # the optimum shrinks with contrast
    certificate = certify(circuit, jnp.asarray(1.0 * patches[-1]), number=8)
    assert certificate.verdict == "stable"
    print(certificate.points[0].reason)
    draw(radii, curves)


def draw(radii, curves):
    """Response against the radius of the patch."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4, 3), layout="constrained")
    for contrast, rates in curves.items():
        axes.plot(radii, rates / rates.max(), label=f"contrast {contrast:g}")
    axes.set(xlabel="radius of the patch", ylabel="firing rate (of its best)")
    axes.legend(frameon=False)
    figure.savefig("surround_suppression.png", dpi=150)


if __name__ == "__main__":
    main()
