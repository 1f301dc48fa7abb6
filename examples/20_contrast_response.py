"""Contrast response and saturation: a unit follows c²/(σ² + c²), and faster the more it is driven.

Half of the largest response is reached at the semi-saturation contrast c = σ; the effective time
constant τ/√a falls from 19.9 to 1.99 ms between contrasts of 0.01 and 1.
"""

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.circuits import Organics, effective_time_constants
from thalweg.dynamics import certify

tw.enable_float64()
SIGMA = 0.1


def main():
    """Measure the response curve, certify both ends of it, and draw it."""
    circuit = Organics([[1.0]], sigma=SIGMA, tau_y=2.0, tau_a=2.0)  # times in ms
    contrasts = np.geomspace(0.005, 1.0, 60)
    drives = jnp.asarray(contrasts)[:, None]
    rates = np.asarray(jax.vmap(circuit.normalised)(drives))[:, 0] ** 2
    np.testing.assert_allclose(rates, contrasts**2 / (SIGMA**2 + contrasts**2), rtol=1e-12)
    assert np.all(np.diff(rates) > 0)
    assert rates[-1] > 0.98  # saturated
    half = np.interp(0.5, rates, contrasts)
    assert abs(half - SIGMA) < 1e-3
    for contrast in (contrasts[0], contrasts[-1]):
        certificate = certify(circuit, jnp.array([contrast]), number=16)
        print(f"contrast {contrast:.3g}: {certificate.verdict}, {certificate.reason}")
        assert certificate.verdict == "stable"
    constants = np.asarray(jax.vmap(lambda z: effective_time_constants(circuit, z)[0])(drives))
    assert np.all(np.diff(constants) < 0)
    print(
        f"half saturation at {half:.4f}; time constant {constants[0]:.2f} to {constants[-1]:.2f} ms"
    )
    draw(contrasts, rates, constants)


def draw(contrasts, rates, constants):
    """Rate and time constant against contrast."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
    left.semilogx(contrasts, rates)
    left.axvline(SIGMA, color="0.7")
    left.set(xlabel="contrast", ylabel="firing rate (of its maximum)")
    right.loglog(contrasts, constants)
    right.set(xlabel="contrast", ylabel="effective time constant / ms")
    figure.savefig("contrast_response.png", dpi=150)


if __name__ == "__main__":
    main()
