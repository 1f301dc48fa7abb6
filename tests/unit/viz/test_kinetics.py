"""Plots of times: what is drawn is what was given."""

import matplotlib.pyplot as plt
import numpy as np

from thalweg.viz import plot_arrhenius, plot_timescales


def test_arrhenius():
    temperatures = np.array([0.1, 0.2, 0.4])
    logs = {"there": 400 / temperatures, "back": 3 / temperatures}  # e^4000 is no float
    ax = plot_arrhenius(temperatures, logs)
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert set(lines) == {"there", "back"}
    np.testing.assert_allclose(lines["there"].get_xdata(), 1 / temperatures)
    np.testing.assert_allclose(lines["there"].get_ydata(), logs["there"] / np.log(10))
    assert "log₁₀" in ax.get_ylabel()
    plt.close(ax.figure)


def test_timescales():
    times = np.array([1e6, 1e3, 2.0, 1.0])
    ax = plot_timescales(times, groups=3)
    rest, chosen = ax.get_lines()
    np.testing.assert_allclose(chosen.get_ydata(), times[:2])
    np.testing.assert_allclose(rest.get_ydata(), times[2:])
    assert ax.get_yscale() == "log"
    plt.close(ax.figure)
