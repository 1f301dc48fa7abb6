import dataclasses

import numpy as np
import pandas as pd
import pytest

from thalweg.core import ArgumentError
from thalweg.io import write_pathway
from thalweg.landscape import Pathway


def path(shape=(2, 3), labels=("Ar", "Ne")):
    """A made-up path over one transition state."""
    count, dof = 5, shape[0] * shape[1]
    return Pathway(
        minima=(4, 7),
        transition_states=(3,),
        points=np.arange(count * dof, dtype=float).reshape(count, dof),
        energies=np.array([-2.0, -1.5, -1.0, -1.7, -3.0]),
        lengths=np.arange(5.0),
        tangents=np.full((count, dof), dof**-0.5),
        slopes=np.zeros(count),
        rows=np.array([0, 2, 4]),
        shape=shape,
        labels=labels,
    )


def test_xyz_read_by_ase(tmp_path):
    ase_io = pytest.importorskip("ase.io")
    frames = ase_io.read(write_pathway(path(), tmp_path / "p.xyz"), index=":")
    assert len(frames) == 5
    assert frames[0].get_chemical_symbols() == ["Ar", "Ne"]
    assert [frame.info["kind"] for frame in frames] == [0, -1, 1, -1, 0]
    np.testing.assert_allclose([frame.info["s"] for frame in frames], path().lengths)
    np.testing.assert_allclose([frame.get_potential_energy() for frame in frames], path().energies)
    np.testing.assert_allclose(frames[3].positions.ravel(), path().points[3])


def test_xyz_of_a_plane_without_labels(tmp_path):
    text = write_pathway(path((2, 2), ()), tmp_path / "p.xyz").read_text(encoding="utf-8")
    assert text.splitlines()[2].split() == ["X", "0.0000000000", "1.0000000000", "0.0000000000"]


def test_csv(tmp_path):
    frame = pd.read_csv(write_pathway(path(), tmp_path / "p.csv"))
    assert list(frame) == ["s", "energy", "step", "kind"]
    np.testing.assert_allclose(frame.energy, path().energies)


def test_npz(tmp_path):
    with np.load(write_pathway(path(), tmp_path / "p.npz"), allow_pickle=False) as file:
        for field in ("points", "energies", "lengths", "rows", "tangents", "minima"):
            np.testing.assert_array_equal(file[field], getattr(path(), field))
        assert file["labels"].tolist() == ["Ar", "Ne"]


def test_refusals(tmp_path):
    with pytest.raises(ArgumentError, match=r"ends in '\.dat'"):
        write_pathway(path(), tmp_path / "p.dat")
    with pytest.raises(ArgumentError, match="no folder"):
        write_pathway(path(), tmp_path / "none" / "p.csv")
    with pytest.raises(ArgumentError, match="not atoms"):
        write_pathway(dataclasses.replace(path(), shape=(6, 1), labels=()), tmp_path / "p.xyz")
