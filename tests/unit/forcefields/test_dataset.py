"""Data sets: what they hold, how they are cut, what they refuse."""

import dataclasses

import numpy as np
import pytest

from thalweg.core import ArgumentError, StoreError
from thalweg.forcefields.fitting import Dataset
from thalweg.io import read_dataset, write_dataset


def test_a_split_never_tears_a_group(labelled):
    train, validation, test = labelled.split(0.5, 0.25, 0.25)
    assert [len(part) for part in (train, validation, test)] == [20, 10, 10]
    assert not set(train.groups) & set(validation.groups)
    with pytest.raises(ArgumentError, match="4 groups cannot be cut into 5 parts"):
        labelled.split(*[0.2] * 5)
    assert [len(part) for part in labelled.split(0.9, 0.1, frames=True)] == [36, 4]


def test_no_part_of_a_split_is_empty(labelled):
    assert [len(np.unique(p.groups)) for p in labelled.split(0.98, 0.01, 0.01)] == [2, 1, 1]


@pytest.mark.parametrize("suffix", ["npz", "extxyz"])
def test_files_give_back_what_they_were_given(labelled, tmp_path, suffix):
    forces = labelled.forces.copy()
    forces[3] = np.nan
    energies = labelled.energies.copy()
    energies[3] = np.nan
    reasons = [""] * 40
    reasons[3] = 'the SCF did "not" converge'
    given = dataclasses.replace(labelled, forces=forces, energies=energies, reasons=tuple(reasons))
    path = write_dataset(given, tmp_path / f"water.{suffix}")
    back = read_dataset(path)
    np.testing.assert_allclose(back.positions, given.positions, atol=1e-9)
    np.testing.assert_allclose(back.energies, given.energies, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(back.forces, given.forces, rtol=1e-6, atol=2e-3)
    assert np.array_equal(back.groups, given.groups)
    assert back.method == given.method
    assert not back.labelled[3]
    assert back.labelled.sum() == 39
    assert "converge" in back.reasons[3]
    if suffix == "npz":
        assert back.fingerprint == given.fingerprint


def test_frames_without_labels_are_named(labelled):
    energies = labelled.energies.copy()
    energies[[7, 12]] = np.nan
    reasons = tuple("no SCF" if k == 7 else "" for k in range(40))
    broken = dataclasses.replace(labelled, energies=energies, reasons=reasons)
    with pytest.raises(ArgumentError, match=r"2 of 40 frames have no label: frame 7, 12 \(no SCF"):
        broken.require_labels("train")
    kept = broken.usable()
    assert len(kept) == 38
    assert kept.provenance["left_out"] == 2
    x = labelled.positions.copy()
    x[5, 1] = np.inf
    with pytest.raises(ArgumentError, match="frame 5: atom 1 has no finite position"):
        dataclasses.replace(labelled, positions=x).require_labels("train")


def test_wrong_shapes_and_files_are_refused(labelled, tmp_path):
    with pytest.raises(ArgumentError, match=r"forces has shape \(39, 3, 3\)"):
        dataclasses.replace(labelled, forces=labelled.forces[1:])
    (tmp_path / "a.npz").write_bytes(b"nothing")
    with pytest.raises(StoreError, match="no labelled geometries"):
        Dataset.load(tmp_path / "a.npz")


def test_joined_parts_keep_their_groups_apart(labelled):
    parts = labelled.split(0.5, 0.5)
    joined = Dataset.join(parts)
    assert len(np.unique(joined.groups)) == 4
    np.testing.assert_array_equal(joined.energies, labelled.energies)
    with pytest.raises(ArgumentError, match="part 1 has other atoms"):
        Dataset.join([labelled, dataclasses.replace(labelled, method="other")])


def test_the_fingerprint_sees_every_number(labelled):
    x = labelled.positions.copy()
    x[0, 0, 0] += 1e-12
    assert dataclasses.replace(labelled, positions=x).fingerprint != labelled.fingerprint
