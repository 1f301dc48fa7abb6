import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork, disconnectivity_tree
from thalweg.viz import TreeStyle, figure_size, plot_tree, save_figure


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def network(count):
    """A minimum at every depth, each joined to an earlier one."""
    energies = -((np.arange(count) * 7919) % 101) / 10.0
    ends = np.array([(i, (i * i + 3) % i) for i in range(1, count)], dtype=int).reshape(-1, 2)
    heights = 1.0 + ((np.arange(1, count) * 37) % 41) / 10.0
    return TransitionNetwork.bare(energies, heights, ends)


def segments(ax):
    return [path for lines in ax.collections for path in lines.get_segments()]


@pytest.mark.parametrize("levels", [None, 20])
@pytest.mark.parametrize("count", [1, 2, 4, 300])
def test_every_leaf_has_a_line_down_to_its_energy(count, levels):
    tree = disconnectivity_tree(network(count), levels=levels)
    ax = plot_tree(tree)
    ends = {(float(x), float(y)) for path in segments(ax) for x, y in path}
    for leaf in range(tree.n_leaves):
        assert (float(tree.x[leaf]), float(tree.height[leaf])) in ends
    low, high = ax.get_ylim()
    assert low < tree.height.min()
    assert high > tree.height.max()
    assert not ax.xaxis.get_visible()


def test_global_minimum_is_marked():
    tree = disconnectivity_tree(network(30))
    (mark,) = plot_tree(tree).lines
    assert mark.get_ydata()[0] == tree.height.min()
    assert not plot_tree(tree, style=TreeStyle(mark_global_minimum=False)).lines


def test_square_lines_are_level_or_upright():
    ax = plot_tree(disconnectivity_tree(network(30)), shape="square")
    for (x0, y0), (x1, y1) in segments(ax):
        assert x0 == x1 or y0 == y1


def test_continuous_colours_follow_the_mean_and_have_a_bar():
    net = network(12)
    tree = disconnectivity_tree(net, levels=None)
    ax = plot_tree(tree, color=net.energies, color_label="energy")
    bar = ax.figure.axes[1]
    assert bar.get_ylabel() == "energy"
    assert np.ptp(bar.get_ylim()) == pytest.approx(np.ptp(net.energies))
    assert len(ax.collections[0].get_colors()) == len(tree.parent)


def test_missing_values_are_drawn_muted():
    tree = disconnectivity_tree(network(5), levels=None)
    values = np.array([np.nan, np.nan, np.nan, np.nan, 1.0])
    assert len(plot_tree(tree, color=values).figure.axes) == 2
    assert len(plot_tree(tree, color={0: 0.5, 1: 0.25}).figure.axes) == 2
    plot_tree(tree, color=np.full(5, np.nan))


def test_groups_have_a_legend_and_mixed_basins_none():
    tree = disconnectivity_tree(network(12), levels=None)
    ax = plot_tree(tree, color=["a", "b"] * 6, color_label="kind")
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["a", "b"]
    colours = {tuple(colour) for colour in ax.collections[1].get_colors()}
    assert len(colours) == 3
    some = plot_tree(tree, color={0: "only"})
    assert [text.get_text() for text in some.get_legend().get_texts()] == ["only"]


def test_integers_name_groups():
    ax = plot_tree(disconnectivity_tree(network(6)), color=[0, 0, 0, 1, 1, 1])
    assert len(ax.get_legend().get_texts()) == 2


def test_labels():
    tree = disconnectivity_tree(network(12))
    lowest = {str(i) for i in tree.ids[np.argsort(tree.height[:12], kind="stable")[:3]]}
    assert {text.get_text() for text in plot_tree(tree, labels=3).texts} == lowest
    ax = plot_tree(tree, labels={0: "first", 99: "not there"})
    assert [text.get_text() for text in ax.texts] == ["first"]


def test_thickness_by_size():
    tree = disconnectivity_tree(network(40))
    ax = plot_tree(tree, style=TreeStyle(width_by_size=True, linewidth=0.5))
    widths = ax.collections[1].get_linewidths()
    assert min(widths) == 0.5
    assert max(widths) == pytest.approx(0.5 * (1 + np.log10(40)))


def test_empty_tree_says_so():
    empty = TransitionNetwork.bare(np.zeros(0), np.zeros(0), np.zeros((0, 2), dtype=int))
    ax = plot_tree(disconnectivity_tree(empty), color=[], labels=3)
    assert ax.texts[0].get_text() == "there are no minima yet"


def test_existing_axes_are_used():
    _, ax = plt.subplots()
    assert plot_tree(disconnectivity_tree(network(3)), ax) is ax


def test_width_suits_the_number_of_minima():
    widths = [figure_size(count)[0] for count in (1, 4, 40, 400, 10_000)]
    assert widths == sorted(widths)
    assert (widths[0], widths[-1]) == (3.3, 10.0)


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_save(tmp_path, ending):
    path = save_figure(
        plot_tree(disconnectivity_tree(network(20)), energy_label="Energy / ε").figure,
        tmp_path / f"tree.{ending}",
    )
    assert path.stat().st_size > 1000


def test_save_refuses_unknown_endings_and_folders(tmp_path):
    figure = plot_tree(disconnectivity_tree(network(3))).figure
    with pytest.raises(ArgumentError, match="no figure format"):
        save_figure(figure, tmp_path / "tree.docx")
    with pytest.raises(ArgumentError, match="no figure format"):
        save_figure(figure, tmp_path / "tree")
    with pytest.raises(ArgumentError, match="no folder"):
        save_figure(figure, tmp_path / "none" / "tree.png")


def test_colours_must_fit():
    with pytest.raises(ArgumentError, match="a value for each"):
        plot_tree(disconnectivity_tree(network(5)), color=[1.0, 2.0])


def test_importing_viz_does_not_import_matplotlib():
    code = "import sys, thalweg.viz; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
