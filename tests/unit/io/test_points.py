"""Points from files: every format, and every way not to fit."""

import equinox as eqx
import jax
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.io import read_point
from thalweg.learning import LearningData, Mlp, network_system


@pytest.fixture(scope="module")
def system():
    data = LearningData(np.array([[-1.0, 0.0], [0.5, 1.0], [1.0, 0.0]]), np.array([0, 1, 0]))
    return network_system(Mlp((2, 3, 2)), data, l2=0.01, name="small")


@pytest.fixture
def x(system):
    return np.asarray(jax.random.normal(jax.random.key(0), (system.space.dof,)))


def leaves(system, x):
    params = system.energy.unravel(jax.numpy.asarray(x))
    return params, [np.asarray(leaf) for leaf in jax.tree.leaves(params)]


def test_flat_arrays(system, x, tmp_path):
    np.save(tmp_path / "a.npy", x)
    np.savez(tmp_path / "b.npz", params=x, loss=0.3)
    np.savez(tmp_path / "c.npz", whatever=x)
    for name in ("a.npy", "b.npz", "c.npz"):
        assert np.array_equal(read_point(tmp_path / name, system), x)


def test_leaves_of_the_parameters(system, x, tmp_path):
    params, parts = leaves(system, x)
    assert len(parts) > 1
    np.savez(tmp_path / "order.npz", *parts)
    named, _ = jax.tree_util.tree_flatten_with_path(params)
    names = [jax.tree_util.keystr(where, simple=True, separator=".") for where, _ in named]
    arrays = dict(reversed(list(zip(names, parts, strict=True))))
    np.savez(tmp_path / "names.npz", **arrays)
    eqx.tree_serialise_leaves(tmp_path / "tree.eqx", params)
    for name in ("order.npz", "names.npz", "tree.eqx"):
        assert np.array_equal(read_point(tmp_path / name, system), x)


def test_what_does_not_fit_is_refused(system, x, tmp_path):
    _, parts = leaves(system, x)
    np.save(tmp_path / "short.npy", x[:-1])
    np.save(tmp_path / "nan.npy", np.where(np.arange(len(x)) == 2, np.nan, x))
    np.save(tmp_path / "text.npy", np.array(["a", "b"]))
    np.savez(tmp_path / "shapes.npz", *parts[1:], parts[0])
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    (tmp_path / "bad.eqx").write_bytes(b"nothing")
    for name, match in (
        ("short.npy", "parameters"),
        ("nan.npy", "NaN"),
        ("text.npy", "cannot be read as numbers"),
        ("shapes.npz", "expected"),
        ("bad.npz", "no .npz file"),
        ("bad.eqx", "does not fit"),
        ("none.npy", "there is no file"),
        ("x.pt", "ends in '.pt'"),
    ):
        with pytest.raises(ArgumentError, match=match):
            read_point(tmp_path / name, system)
