"""Onset transient: at a step of contrast the response overshoots, then settles at normalisation.

The gain units follow the principal units with a delay, so that the first response is not yet
normalised. The overshoot grows with contrast, and the settling is what the certified spectrum says.
"""

import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.circuits import Organics, oscillators, trajectories

tw.enable_float64()
STEP, STEPS = 5e-5, 5000


def main():
    """Step from no drive to three contrasts, measure, and draw the time courses."""
    circuit = Organics([[1.0]], b=0.5, b0=0.5, sigma=0.1, tau_y=0.002, tau_a=0.002)
    dark = circuit.normalised(jnp.zeros(1))
    times = STEP * np.arange(STEPS + 1)
    courses, overshoots = {}, []
    for contrast in (0.1, 0.5, 1.0):
        drive = jnp.array([contrast])
        rates = np.asarray(trajectories(circuit, drive, dark[None], STEP, STEPS))[:, 0, 0] ** 2
        rest = float(circuit.normalised(drive)[0]) ** 2
        form = oscillators(circuit, drive)
        assert abs(rates[-1] / rest - 1) < 1e-6  # divisive normalisation
        overshoots.append(rates.max() / rest - 1)
        frequency, rate = form.frequency.max(), -form.eigenvalues.real.max()
        print(
            f"contrast {contrast}: overshoot {overshoots[-1]:.0%}, "
            f"predicted {frequency:.1f} Hz, settling in {1e3 / rate:.1f} ms"
        )
        late = np.abs(rates / rest - 1)[times > 12 / rate]
        assert late.max() < 1e-3
        courses[contrast] = rates
    assert overshoots[-1] > 0.1
    assert np.all(np.diff(overshoots) > 0)
    draw(times, courses)


def draw(times, courses):
    """Rates after the onset."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4, 3), layout="constrained")
    for contrast, rates in courses.items():
        axes.plot(1e3 * times, rates, label=f"contrast {contrast:g}")
    axes.set(xlabel="time after the onset / ms", ylabel="firing rate", xlim=(0, 100))
    axes.legend(frameon=False)
    figure.savefig("onset_transient.png", dpi=150)


if __name__ == "__main__":
    main()
