"""Map a function of your own: the surface of Müller and Brown, in five lines.

Writes `mueller-brown.db` and `mueller-brown.png`. `SMOKE=1` searches less long.

Source: K. Müller and L. D. Brown, Theor. Chim. Acta 53, 75 (1979); the coordinates below are from
Newton's method, converged to machine precision.
"""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np

import thalweg as tw

tw.enable_float64()  # before the first array: constants made earlier keep float32's digits
SMOKE = bool(os.environ.get("SMOKE"))

MINIMA = [  # x, y, energy
    (-0.558223635, 1.441725842, -146.699517210),
    (0.623499405, 0.028037759, -108.166724117),
    (-0.050010823, 0.466694105, -80.767818130),
]
TRANSITION_STATES = [
    (0.212486582, 0.292988325, -72.248940112),
    (-0.822001559, 0.624312803, -40.664843509),
]

# The five lines.
A, a, b, c = jnp.array(
    [[-200, -100, -170, 15], [-1, -1, -6.5, 0.7], [0, 0, 11, 0.6], [-10, -10, -6.5, 0.7]]
)
X, Y = jnp.array([[1, 0, -0.5, -1], [0, 0.5, 1.5, 1]])


def mueller_brown(r):
    u, v = r[0] - X, r[1] - Y
    return jnp.sum(A * jnp.exp(a * u**2 + b * u * v + c * v**2))


def check(landscape, kind, energies, expected):
    """Every known point is there, to 1e-8, and no other."""
    order = np.argsort(energies)
    found = np.column_stack([landscape.points(kind)[order], energies[order]])
    assert found.shape == (len(expected), 3), found
    assert np.max(np.abs(found - np.array(expected))) < 1e-8, found


def draw(landscape, file):
    """The surface from above, minima as discs and transition states as crosses."""
    mpl.use("agg")
    from matplotlib import pyplot as plt

    x, y = np.meshgrid(np.linspace(-1.5, 1.2, 200), np.linspace(-0.4, 2.0, 200))
    height = jax.vmap(mueller_brown)(jnp.stack([x.ravel(), y.ravel()], axis=1)).reshape(x.shape)
    figure, axes = plt.subplots(figsize=(4.5, 4), layout="constrained")
    axes.contourf(x, y, np.minimum(height, 60), levels=40, cmap="viridis")
    axes.plot(*landscape.points("minimum").T, "wo", label="minima")
    axes.plot(*landscape.points("transition_state").T, "rx", label="transition states")
    axes.legend(loc="upper right")
    tw.save_figure(figure, file)


def main():
    """Map, check and draw."""
    system = tw.System(mueller_brown, shape=(2,), name="mueller-brown")
    store = Path("mueller-brown.db")
    store.unlink(missing_ok=True)
    less = {"quenches": 32, "climbs": 64, "searches": 100} if SMOKE else {}
    landscape = tw.explore(system, store, key=0, **less)
    print(landscape.minima)
    print(landscape.transition_states)
    check(landscape, "minimum", landscape.network.energies, MINIMA)
    check(landscape, "transition_state", landscape.network.ts_energies, TRANSITION_STATES)
    draw(landscape, "mueller-brown.png")
    print("3 minima and 2 transition states, each where it should be; see mueller-brown.png")


if __name__ == "__main__":
    main()
