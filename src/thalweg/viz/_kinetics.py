"""First-passage times against temperature, and the spectrum of slow time scales."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from ._style import ACCENT, GROUPS, INK, MUTED, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_arrhenius(
    temperatures: Float[np.ndarray, " t"],
    log_times: dict[str, Float[np.ndarray, " t"]],
    *,
    ax: "Axes | None" = None,
    temperature_label: str = "1 / T",
    time_label: str = "Mean first-passage time",
) -> "Axes":
    """Draw times on a logarithmic axis against 1/T, where a single barrier is a straight line.

    Args:
        temperatures: Temperatures.
        log_times: Natural logarithms of the times, by what they are called.
        ax: Axes to draw on; new ones if not given.
        temperature_label: Label of the horizontal axis.
        time_label: Label of the vertical axis; " (log₁₀)" is added.

    Returns:
        The axes.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    with mpl.rc_context(STYLE):
        if ax is None:
            ax = plt.subplots(figsize=(3.4, 2.6), layout="constrained")[1]
        for k, (name, logs) in enumerate(log_times.items()):
            color = GROUPS[k % len(GROUPS)]
            # Logarithms, because a float may not hold the times themselves.
            ax.plot(1 / temperatures, logs / np.log(10.0), "o-", ms=3, lw=1, color=color, label=name)
        ax.set_xlabel(temperature_label)
        ax.set_ylabel(f"{time_label} (log₁₀)")
        if len(log_times) > 1:
            ax.legend()
    return ax


def plot_timescales(
    times: Float[np.ndarray, " modes"],
    *,
    groups: int | None = None,
    ax: "Axes | None" = None,
    time_label: str = "Relaxation time",
) -> "Axes":
    """Draw the slowest relaxation times as a ladder; a gap separates slow processes from fast ones.

    Args:
        times: Relaxation times, slowest first (`MarkovChain.timescales`).
        groups: Number of metastable groups chosen; the modes that separate them are marked.
        ax: Axes to draw on; new ones if not given.
        time_label: Label of the vertical axis.

    Returns:
        The axes.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    with mpl.rc_context(STYLE):
        if ax is None:
            ax = plt.subplots(figsize=(3.4, 2.6), layout="constrained")[1]
        number = np.arange(1, len(times) + 1)
        chosen = number < (groups or 1)
        ax.vlines(number, times.min() / 2, times, color=MUTED, lw=0.7)
        ax.plot(number[~chosen], times[~chosen], "o", ms=4, color=INK)
        ax.plot(number[chosen], times[chosen], "o", ms=4, color=ACCENT)
        ax.set_yscale("log")
        ax.set_ylim(bottom=times.min() / 2)
        ax.set_xlabel("Mode")
        ax.set_ylabel(time_label)
        ax.xaxis.get_major_locator().set_params(integer=True)
    return ax
