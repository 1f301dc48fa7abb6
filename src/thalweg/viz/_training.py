"""Courses of training, and gradients against the lag."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._style import GROUPS, INK, MUTED, STYLE

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure


def plot_training(
    runs: Sequence[Any], ax: "matplotlib.axes.Axes | None" = None
) -> "matplotlib.axes.Axes":
    """Draw the test score of runs against the epoch: a colour a model, a line a seed.

    A run that diverged ends in a cross.

    Args:
        runs: Runs of one task, `thalweg.circuits.training.Training`.
        ax: Axes to draw into; by default a new figure.

    Returns:
        The axes.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    with mpl.rc_context(STYLE):
        if ax is None:
            _, ax = plt.subplots(figsize=(3.6, 2.8), layout="constrained")
        named: set[str] = set()
        names = list(dict.fromkeys(run.recipe.model for run in runs))
        for run in runs:
            name = run.recipe.model
            color = GROUPS[names.index(name) % len(GROUPS)]
            if not run.history:
                continue
            epochs, scores = run.history["epoch"], run.history["test_score"]
            label = None if name in named else name
            named.add(name)
            ax.plot(epochs, scores, color=color, linewidth=0.9, alpha=0.8, label=label)
            if run.failed_at is not None:
                ax.plot(epochs[-1], scores[-1], "x", color=color, markersize=5.0)
        ax.set_xlabel("Epoch")
        ax.set_ylabel("Test score")
        if named:
            ax.legend(fontsize=7)
    return ax


def plot_gradient_flow(
    flows: dict[str, Any], figure: "matplotlib.figure.Figure | None" = None
) -> "matplotlib.figure.Figure":
    """Draw how gradients travel back: norms, sign changes and singular values.

    Args:
        flows: A `thalweg.circuits.training.GradientFlow` for each model.
        figure: Figure to fill; by default a new one.

    Returns:
        The figure: ‖∂L/∂h_t‖ relative to the last one, the share of components whose sign changes
        from one step to the next, and the largest and median singular value of ∂h_T/∂h_{T−lag}.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    with mpl.rc_context(STYLE):
        if figure is None:
            figure = plt.figure(figsize=(8.0, 2.6), layout="constrained")
        norms, signs, values = figure.subplots(1, 3)
        for i, (name, flow) in enumerate(flows.items()):
            color = GROUPS[i % len(GROUPS)]
            with np.errstate(divide="ignore", invalid="ignore"):
                norms.semilogy(flow.norms / flow.norms[0], color=color, linewidth=1.0, label=name)
            signs.plot(
                np.arange(1, len(flow.oscillation) + 1),
                flow.oscillation,
                color=color,
                linewidth=1.0,
            )
            if len(flow.lags):
                top = flow.singular_values.max(axis=1)
                middle = np.median(flow.singular_values, axis=1)
                values.loglog(flow.lags, top, "o-", color=color, markersize=3.0, linewidth=1.0)
                values.loglog(flow.lags, middle, "o--", color=color, markersize=2.0, linewidth=0.7)
        norms.axhline(1.0, color=MUTED, linewidth=0.6)
        signs.axhline(0.5, color=MUTED, linewidth=0.6)
        values.axhline(1.0, color=MUTED, linewidth=0.6)
        signs.set_ylim(0.0, 1.0)
        norms.set_ylabel("Gradient norm, relative", color=INK)
        signs.set_ylabel("Share of sign changes", color=INK)
        values.set_ylabel("Singular values", color=INK)
        for ax in (norms, signs, values):
            ax.set_xlabel("Lag", color=INK)
        norms.legend(fontsize=7)
    return figure
