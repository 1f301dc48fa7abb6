"""Figures of dynamics: paths in time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.core import ArgumentError

from ._style import GROUPS, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = len(GROUPS)


def plot_trajectories(
    times: Float[np.ndarray, " times"],
    x: Float[np.ndarray, "paths times dof"],
    labels: Sequence[str] = (),
    *,
    title: str = "",
    axes: "Axes | None" = None,
) -> "Axes":
    """Coordinates against time, one colour for each coordinate.

    Args:
        times: `(times,)`.
        x: Paths, `(paths, times, dof)`; what is NaN is not drawn.
        labels: Names of the coordinates. With more than eight, the first eight are drawn.
        title: Written above.
        axes: Where to draw; a new figure by default.

    Raises:
        ArgumentError: if there are fewer labels than coordinates.
    """
    import matplotlib.pyplot as plt

    paths, _, dof = x.shape
    names = list(labels) or [f"x{i + 1}" for i in range(dof)]
    if len(names) != dof:
        raise ArgumentError(f"{len(names)} labels for {dof} coordinates")
    with plt.rc_context(STYLE):
        if axes is None:
            axes = plt.subplots(figsize=(5.0, 3.0))[1]
        alpha = max(0.15, min(1.0, 4.0 / paths))
        for i in range(min(dof, _MOST)):
            lines = axes.plot(times, x[:, :, i].T, color=GROUPS[i], lw=0.9, alpha=alpha)
            lines[0].set_label(names[i])
        axes.set_xlabel("Time")
        axes.set_title(title + (f" (first {_MOST} of {dof})" if dof > _MOST else ""))
        legend = axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        for line in legend.get_lines():
            line.set_alpha(1.0)
    return axes
