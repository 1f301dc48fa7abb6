"""Descent in a spherical glass ends at the threshold, not at the ground state.

Random starts on the sphere `|w|² = N` go downhill in the p = 3 spherical spin glass,
`H = (1/N) Σ X_ijk w_i w_j w_k`. For large N nearly all minima that descent reaches have
`H/N = -2 √(2/3) = -1.63299`, where minima first outnumber saddles; the ground state is at -1.65700.
Finite systems end higher and spread; extrapolations in `N^(-2/3)` and `N^(-1/2)` end at -1.61 and
-1.63.

After Ballard, Das, Martiniani, Mehta, Sagun, Stevenson & Wales, Phys. Chem. Chem. Phys. 19, 12585
(2017), section VII; threshold and ground state: Auffinger, Ben Arous & Černý, Commun. Pure Appl.
Math. 66, 165 (2013). Writes one figure; `SMOKE=1` takes fewer and smaller systems.
"""

import os

import jax
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

import thalweg as tw
from thalweg.core import start_points
from thalweg.search import quench_many

SMOKE = bool(os.environ.get("SMOKE"))
SPINS = (10, 20, 40) if SMOKE else (10, 20, 40, 80, 120)
GLASSES, STARTS = (2, 32) if SMOKE else (8, 64)
THRESHOLD, GROUND = -2.0 * np.sqrt(2.0 / 3.0), -1.6570


def main():
    """Quench, average, extrapolate, draw."""
    tw.enable_float64()
    mpl.use("agg")
    mean, error, lowest = [], [], []
    for spins in SPINS:
        ends = []
        for seed in range(GLASSES):
            system = tw.system(f"pspin3-{spins}-s{seed}")
            starts = np.asarray(start_points(system, jax.random.key(seed), 0, STARTS))
            finished = quench_many(system, starts)
            assert np.all(np.asarray(finished.outcome) == 0)
            ends.append(np.asarray(finished.value) / spins)
        glasses = np.array([np.mean(end) for end in ends])
        mean.append(glasses.mean())
        error.append(glasses.std(ddof=1) / np.sqrt(GLASSES))
        lowest.append(np.mean([end.min() for end in ends]))
        print(f"N = {spins}: {mean[-1]:.4f} +- {error[-1]:.4f}, lowest {lowest[-1]:.4f} a spin")
    mean, error, size = np.array(mean), np.array(error), np.array(SPINS, float)
    use = size >= (10 if SMOKE else 20)
    lines = {}
    for power in (2 / 3, 1 / 2):
        fit = np.polyfit(size[use] ** -power, mean[use], 1, w=1.0 / error[use])
        lines[power] = fit
        print(f"limit in N^-{power:.2f}: {fit[1]:.4f}")
        assert abs(fit[1] - THRESHOLD) < (0.15 if SMOKE else 0.03)
    print(f"threshold {THRESHOLD:.4f}, ground state {GROUND:.4f}")
    assert np.all(np.diff(mean) < 0)
    assert np.all(mean > THRESHOLD)
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    place = size ** (-2 / 3)
    axes.errorbar(place, mean, 2 * error, fmt="o", capsize=3, label="where descent ends, 95 %")
    axes.plot(place, lowest, "v", label=f"lowest of {STARTS}")
    sizes = np.geomspace(size[use].min(), 1e6, 200)
    for power, (slope, limit) in lines.items():
        text = f"in $N^{{-{power:.2f}}}$: {limit:.3f}"
        axes.plot(sizes ** (-2 / 3), limit + slope * sizes**-power, lw=1, label=text)
    axes.axhline(THRESHOLD, ls="--", color="0.4", label="threshold")
    axes.axhline(GROUND, ls=":", color="0.4", label="ground state")
    axes.set(xlabel="$N^{-2/3}$", ylabel="Energy a spin")
    axes.legend()
    tw.save_figure(figure, "spherical-glass.png")


if __name__ == "__main__":
    main()
