import dataclasses

import numpy as np
import pandas as pd
import pytest

from thalweg.core import ArgumentError
from thalweg.io import load_network, save_network, write_csv, write_xyz
from thalweg.landscape import (
    Discovery,
    Landscape,
    Minimum,
    Round,
    Store,
    StoreHeader,
    TransitionNetwork,
)

NETWORK = TransitionNetwork.bare(np.array([-2.0, -1.0]), np.array([0.5]), np.array([[0, 1]]))


def test_xyz_frames(tmp_path):
    points = np.arange(12.0).reshape(2, 6)
    facts = {"energy": NETWORK.energies, "order": [3, 4]}
    write_xyz(tmp_path / "two.xyz", points, ["Ar", "H"], facts)
    lines = (tmp_path / "two.xyz").read_text().splitlines()
    assert len(lines) == 8
    assert lines[0] == "2"
    assert lines[1] == "Properties=species:S:1:pos:R:3 energy=-2.0 order=3"
    assert lines[2].split() == ["Ar", "0.0000000000", "1.0000000000", "2.0000000000"]
    assert lines[7].split()[0] == "H"
    assert float(lines[7].split()[3]) == 11.0


def test_xyz_in_two_dimensions(tmp_path):
    write_xyz(tmp_path / "flat.xyz", np.ones((1, 6)), ["A", "B", "C"])
    assert (tmp_path / "flat.xyz").read_text().splitlines()[4].split()[3] == "0.0000000000"


def test_xyz_reads_back_in_ase(tmp_path):
    ase_io = pytest.importorskip("ase.io")
    points = np.linspace(-1, 1, 18).reshape(2, 9)
    write_xyz(tmp_path / "a.xyz", points, facts={"energy": [1.5, 2.5]})
    frames = ase_io.read(tmp_path / "a.xyz", index=":")
    assert [len(frame) for frame in frames] == [3, 3]
    np.testing.assert_allclose(frames[1].positions.ravel(), points[1], atol=1e-9)
    assert frames[1].get_potential_energy() == 2.5


def test_xyz_refuses_what_is_no_atoms(tmp_path):
    with pytest.raises(ArgumentError, match="hold atoms"):
        write_xyz(tmp_path / "x.xyz", np.zeros((1, 2)))
    with pytest.raises(ArgumentError, match="hold atoms"):
        write_xyz(tmp_path / "x.xyz", np.zeros((1, 7)), ["A", "B"])
    with pytest.raises(ArgumentError, match="1 values for 2 frames"):
        write_xyz(tmp_path / "x.xyz", np.zeros((2, 3)), facts={"energy": [1.0]})


@pytest.mark.parametrize("with_points", [False, True])
def test_npz_round_trip(tmp_path, with_points):
    network = NETWORK
    if with_points:
        network = dataclasses.replace(network, points=np.eye(2), ts_points=np.ones((1, 2)))
    save_network(network, tmp_path / "net.npz")
    again = load_network(tmp_path / "net.npz")
    for field in dataclasses.fields(network):
        before, after = getattr(network, field.name), getattr(again, field.name)
        assert (before is None) == (after is None)
        if before is not None:
            np.testing.assert_array_equal(before, after)


def test_npz_refuses_other_files(tmp_path):
    with pytest.raises(ArgumentError, match="no file"):
        load_network(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(ArgumentError, match="no npz file"):
        load_network(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", a=np.ones(2))
    with pytest.raises(ArgumentError, match="no network"):
        load_network(tmp_path / "other.npz")
    np.save(tmp_path / "one.npy", np.ones(2))
    with pytest.raises(ArgumentError, match="no npz file"):
        load_network(tmp_path / "one.npy")


def test_csv(tmp_path):
    header = StoreHeader(fingerprint="f", name="n", dof=0)
    with Store.open(":memory:", header) as store:
        point = Minimum(id=0, energy=-1.0, x=None, order=1, log_product=0.0)
        found = [Discovery(kind="minimum", id=0)]
        store.commit_round(Round(number=0, kind="x", minima=[point], discoveries=found))
        files = write_csv(Landscape(store), tmp_path / "tables")
    assert [file.name for file in files] == ["minima.csv", "transition_states.csv"]
    assert pd.read_csv(files[0])["energy"].tolist() == [-1.0]
    assert len(pd.read_csv(files[1])) == 0
