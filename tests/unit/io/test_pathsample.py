import dataclasses

import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.io import principal_moments, read_pathsample, write_pathsample
from thalweg.landscape import TransitionNetwork


def line(energy, log_product, order, *ends):
    """A line in the Fortran layout of the files, with moments 1, 2 and 3."""
    integers = f"{order:{10 if ends else 6}d}" + "".join(f"{end:10d}" for end in ends)
    return f"{energy:20.10f}{log_product:20.10f}{integers}" + 3 * "%20.10f" % (1, 2, 3) + "\n"


MIN_DATA = line(-12.5000000001, 158.25, 120) + line(-11.75, 153.8092000861, 2)
TS_DATA = line(-10.25, 148.9095497699, 1, 2, 1) + line(-9.5, 151.0993221115, 48, 1, 1)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "min.data").write_text(MIN_DATA)
    (tmp_path / "ts.data").write_text(TS_DATA)
    return tmp_path


def test_read(folder):
    network = read_pathsample(folder)
    assert network.energies.tolist() == [-12.5000000001, -11.75]
    assert network.orders.tolist() == [120, 2]
    assert network.log_products[0] == 158.25
    assert network.ts_orders.tolist() == [1, 48]
    assert network.ts_minima.tolist() == [[1, 0], [0, 0]]
    assert network.ts_log_products[1] == 151.0993221115
    assert network.points is None


def test_round_trip_keeps_the_text(folder, tmp_path):
    network = read_pathsample(folder)
    write_pathsample(network, tmp_path / "out" / "deep")
    again = read_pathsample(tmp_path / "out" / "deep")
    for field in dataclasses.fields(network):
        np.testing.assert_array_equal(getattr(network, field.name), getattr(again, field.name))
    columns = [line[:46] for line in MIN_DATA.splitlines()]
    written = (tmp_path / "out" / "deep" / "min.data").read_text().splitlines()
    assert [line[:46] for line in written] == columns


def test_points_and_moments(folder, tmp_path):
    # Two atoms a distance 2 apart on x, and a third on y.
    triangle = np.array([0.0, 0, 0, 2, 0, 0, 0, 1, 0])
    network = dataclasses.replace(
        read_pathsample(folder),
        points=np.stack([triangle, triangle + 5]),
        ts_points=np.stack([2 * triangle, triangle]),
    )
    files = write_pathsample(network, tmp_path / "out")
    assert [file.name for file in files] == ["min.data", "ts.data", "points.min", "points.ts"]
    again = read_pathsample(tmp_path / "out")
    np.testing.assert_array_equal(again.points, network.points)
    np.testing.assert_array_equal(again.ts_points, network.ts_points)
    moments = principal_moments(network.points)
    np.testing.assert_allclose(moments[0], moments[1])
    assert moments[0].sum() / 2 == pytest.approx(10 / 3)  # Σ r² about the centre
    assert moments[0][2] == pytest.approx(moments[0][0] + moments[0][1])  # a flat body
    first = (tmp_path / "out" / "min.data").read_text().splitlines()[0]
    np.testing.assert_allclose([float(x) for x in first.split()[3:]], moments[0], atol=1e-9)


def test_minima_alone(tmp_path):
    (tmp_path / "min.data").write_text(MIN_DATA)
    (tmp_path / "ts.data").write_text("")
    network = read_pathsample(tmp_path)
    assert (network.n_minima, network.n_transition_states) == (2, 0)


def test_empty_network_can_be_written_and_read(tmp_path):
    empty = TransitionNetwork.bare(np.zeros(0), np.zeros(0), np.zeros((0, 2), dtype=int))
    write_pathsample(empty, tmp_path)
    assert read_pathsample(tmp_path).n_minima == 0


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ts.data", TS_DATA.replace("         2         1 ", "         3         1 "), "line 1"),
        ("ts.data", MIN_DATA, "6 columns, expected 8"),
        ("min.data", "energy order\n", "not a table of numbers"),
        ("min.data", MIN_DATA + "1 2\n", "not a table of numbers"),
    ],
)
def test_files_of_another_form_are_refused(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(ArgumentError, match=message):
        read_pathsample(folder)


def test_missing_and_mismatched_files(folder, tmp_path):
    with pytest.raises(ArgumentError, match=r"no min\.data"):
        read_pathsample(tmp_path / "none")
    np.zeros(7).tofile(folder / "points.min")
    with pytest.raises(ArgumentError, match="no multiple of 2 points"):
        read_pathsample(folder)


def test_twenty_thousand_lines_are_read_quickly(tmp_path):
    """Parsing is one call into compiled code: no loop over lines."""
    (tmp_path / "min.data").write_text(MIN_DATA)
    (tmp_path / "ts.data").write_text(TS_DATA * 10_000)
    assert read_pathsample(tmp_path).n_transition_states == 20_000
