"""Figures of losses: trees side by side, ways between two points, predictions."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork, disconnectivity_tree, pathway
from thalweg.viz import Profile, TreePanel, plot_profiles, plot_trees, save_figure


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def panel(title, shift, color=None):
    network = TransitionNetwork.bare(
        np.array([0.0, 0.4, 0.6]) + shift, np.array([1.0, 1.3]) + shift, np.array([[0, 1], [1, 2]])
    )
    return TreePanel(title=title, tree=disconnectivity_tree(network), color=color)


def test_trees_share_their_scales(tmp_path):
    first = panel("a", 0.0, np.array([0.1, 0.2, 0.3]))
    second = panel("b", 2.0, np.array([0.5, np.nan, 0.9]))
    figure = plot_trees([first, second], color_label="Test error")
    left, right, bar = figure.axes
    assert left.get_ylim() == right.get_ylim()
    assert left.get_ylim()[0] < 0.0
    assert left.get_ylim()[1] > 3.3
    assert [ax.get_title() for ax in (left, right)] == ["a", "b"]
    assert bar.get_ylabel() == "Test error"
    assert bar.get_ylim() == pytest.approx((0.1, 0.9))
    # One colour scale: the lowest error of all is at its lower end.
    colours = np.asarray(left.collections[1].get_colors())
    assert np.abs(colours - plt.get_cmap("viridis")(0.0)).max(axis=1).min() < 1e-6
    assert save_figure(figure, tmp_path / "t.svg").stat().st_size > 0


def test_trees_with_scales_of_their_own():
    figure = plot_trees([panel("a", 0.0), panel("b", 2.0)], same_scale=False, columns=1)
    one, other = figure.axes
    assert one.get_ylim()[1] < other.get_ylim()[0] + 1.0
    assert one.get_ylabel() == other.get_ylabel() == "Energy"


def test_many_trees_fill_rows():
    figure = plot_trees([panel(str(i), 0.0) for i in range(5)])
    assert len(figure.axes) == 6
    assert not figure.axes[5].axison


@pytest.mark.parametrize("wrong", [{"panels": []}, {"panels": [panel("a", 0.0)], "columns": 0}])
def test_no_trees(wrong):
    with pytest.raises(ArgumentError):
        plot_trees(**wrong)


def test_three_ways(mueller_brown, tmp_path):
    path = pathway(*mueller_brown, 0, 1)
    fractions = np.linspace(0, 1, 5)
    lines = [
        Profile(name=name, fractions=fractions, energies=np.array([-146.0, 0, top, 0, -108.0]))
        for name, top in (("straight line", 12.0), ("aligned line", 3.0))
    ]
    ax = plot_profiles(path, lines)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "straight line", "aligned line", "certified path",
    ]  # fmt: skip
    curve = ax.lines[2]
    assert curve.get_xdata()[[0, -1]] == pytest.approx([0, 1])
    assert curve.get_ydata().max() == pytest.approx(path.energies.max(), abs=1e-3)
    assert save_figure(ax.figure, tmp_path / "w.pdf").stat().st_size > 0
    alone = plot_profiles(None, lines)
    assert len(alone.lines) == 2
    with pytest.raises(ArgumentError, match="no way"):
        plot_profiles(None, [])
