import matplotlib.pyplot as plt
import numpy as np
import pytest

from thalweg.landscape import pathway
from thalweg.viz import plot_pathway, save_figure


@pytest.fixture(scope="module")
def path(mueller_brown):
    return pathway(*mueller_brown, 0, 1)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_profile(path, tmp_path):
    ax = plot_pathway(path)
    curve, minima, saddles, highest = ax.lines
    assert curve.get_xdata()[0] == 0
    assert curve.get_xdata()[-1] == pytest.approx(path.length)
    np.testing.assert_allclose(minima.get_ydata(), path.energies[path.rows[::2]])
    np.testing.assert_allclose(saddles.get_ydata(), path.energies[path.rows[1::2]])
    assert highest.get_ydata().item() == path.energies[path.rows].max()
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2", "0", "1"]
    assert ax.get_ylabel() == "Energy / ε"
    assert ax.get_xlabel() == "Arc length / σ"
    assert save_figure(ax.figure, tmp_path / "path.svg").stat().st_size > 0


def test_labels_of_long_paths(path):
    ax = plot_pathway(path, labels=False)
    assert [text.get_text() for text in ax.texts] == ["0", "1", "1"]


def test_given_axes(path):
    _, ax = plt.subplots()
    assert plot_pathway(path, ax) is ax
