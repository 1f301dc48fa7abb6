"""Cross-orientation suppression: a mask that does not drive a unit lowers its response.

Two units share one normalisation pool. A mask of contrast m that drives only the second turns the
response of the first to a grating of contrast c into c²/(σ² + c² + m²).
"""

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.circuits import Organics
from thalweg.dynamics import certify

tw.enable_float64()
SIGMA = 0.1


def main():
    """Sweep contrast and mask, certify the strongest case, and draw the curves."""
    circuit = Organics(np.ones((2, 2)), sigma=SIGMA, tau_y=0.002, tau_a=0.002)
    contrasts, masks = np.geomspace(0.01, 1.0, 40), (0.0, 0.1, 0.3, 1.0)
    curves = []
    for mask in masks:
        drives = jnp.stack([jnp.asarray(contrasts), jnp.full(40, mask)], axis=1)
        rates = np.asarray(jax.vmap(circuit.normalised)(drives))[:, 0] ** 2
        expected = contrasts**2 / (SIGMA**2 + contrasts**2 + mask**2)
        np.testing.assert_allclose(rates, expected, rtol=1e-12)
        curves.append(rates)
    suppression = 1 - np.array(curves[1:]) / curves[0]
    assert np.all(suppression > 0)
    assert np.all(np.diff(suppression, axis=0) > 0)  # a stronger mask suppresses more
    assert np.all(np.diff(suppression, axis=1) < 0)  # and weak gratings are suppressed most
    certificate = certify(circuit, jnp.array([0.1, 1.0]), number=16)
    assert certificate.verdict == "stable"
    print(f"a mask of contrast 1 takes {suppression[-1, 0]:.0%} of the weakest response")
    print(certificate.points[0].reason)
    draw(contrasts, masks, curves)


def draw(contrasts, masks, curves):
    """Response of the first unit against its contrast, one curve a mask."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4, 3), layout="constrained")
    for mask, rates in zip(masks, curves, strict=True):
        axes.semilogx(contrasts, rates, label=f"mask {mask:g}")
    axes.set(xlabel="contrast of the grating", ylabel="firing rate (of its maximum)")
    axes.legend(frameon=False)
    figure.savefig("cross_orientation.png", dpi=150)


if __name__ == "__main__":
    main()
