"""Drive-dependent oscillation: none below a contrast, then a frequency that rises with the drive.

The linearised circuit is a damped oscillator. It sets in between contrasts of 0.1 and 0.2 and
reaches 23.539, 38.447, 52.597 and 68.887 Hz at contrasts of 0.2, 0.5, 1 and 2, as gamma
oscillations in V1 rise with contrast. The simulated circuit rings at these frequencies.
"""

import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.circuits import circuit, oscillators, trajectories

tw.enable_float64()
EXPECTED = {0.1: 0.0, 0.2: 23.539, 0.5: 38.447, 1.0: 52.597, 2.0: 68.887}


def ringing(made, contrast):
    """The frequency of the circuit after a small push, from its crossings of the rest, in Hz."""
    drive, step = jnp.array([contrast]), 1e-5
    rest = made.normalised(drive)
    path = np.asarray(trajectories(made, drive, rest[None] * 1.001, step, 8000))[:, 0, 0]
    away = path - float(rest[0])
    before = np.flatnonzero((away[:-1] < 0) != (away[1:] < 0))
    crossings = before + away[before] / (away[before] - away[before + 1])
    return 0.5 / (step * np.mean(np.diff(crossings[:4])))


def main():
    """Predict, simulate, compare, draw."""
    made = circuit("organics-scalar").circuit
    for contrast, expected in EXPECTED.items():
        form = oscillators(made, jnp.array([contrast]))
        found = form.frequency.max()
        assert abs(found - expected) < 5e-4
        line = f"contrast {contrast}: {found:.3f} Hz, damping ratio {form.damping_ratio.min():.3f}"
        if expected:
            heard = ringing(made, contrast)
            assert abs(heard / found - 1) < 0.01
            line += f", simulated {heard:.2f} Hz"
        print(line)
    draw(made)


def draw(made):
    """Frequency and damping against contrast."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    contrasts = np.geomspace(0.02, 4.0, 120)
    forms = [oscillators(made, jnp.array([c])) for c in contrasts]
    figure, axes = plt.subplots(figsize=(4, 3), layout="constrained")
    axes.semilogx(contrasts, [form.frequency.max() for form in forms])
    axes.set(xlabel="contrast", ylabel="frequency / Hz")
    figure.savefig("drive_dependent_oscillation.png", dpi=150)


if __name__ == "__main__":
    main()
