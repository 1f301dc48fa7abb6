"""The triatomic data set: labels, reproducibility, and the file that keeps it."""

import json

import numpy as np
import pytest
import typer.testing

from thalweg.cli import _app
from thalweg.core import ArgumentError, Outcome, StoreError
from thalweg.learning import TRIATOMIC_CLASSES, TriatomicOutcomes, read_ljat3, triatomic_outcomes
from thalweg.learning import _triatomic as triatomic
from thalweg.search import LBFGS


@pytest.fixture(scope="module")
def outcomes():
    return triatomic_outcomes(0, 1000)


def _line(central):
    others = [atom for atom in range(3) if atom != central]
    x = np.zeros((3, 3))
    x[others[0], 2], x[others[1], 2] = 1.108762891, -1.108762891
    return x.ravel()


def test_labels_of_the_four_minima():
    side = 1.168752321
    triangle = np.array([0, 0, 0, side, 0, 0, side / 2, side * np.sqrt(0.75), 0])
    x = np.stack([triangle, *(_line(central) for central in range(3)), 1.01 * triangle])
    assert triatomic.classify(x).tolist() == [0, 1, 2, 3, -1]
    np.testing.assert_allclose(
        triatomic.pair_distances(_line(2)[None]), [[2.217525782, 1.108762891, 1.108762891]]
    )


def test_a_start_is_the_same_in_every_set(outcomes):
    few = triatomic_outcomes(0, 70)
    np.testing.assert_array_equal(few.starts, outcomes.starts[:70])
    np.testing.assert_array_equal(few.labels, outcomes.labels[:70])
    other = triatomic_outcomes(1, 70)
    assert not np.array_equal(other.starts, few.starts)


def test_every_quench_ends_in_a_minimum(outcomes):
    """Starts with two close atoms and a far one, too: they cross a long concave stretch."""
    assert outcomes.failures() == {}
    assert outcomes.counts().sum() == 1000
    low = np.where(outcomes.labels == 0, -2.1850988403, -2.2190981696)
    np.testing.assert_allclose(outcomes.energies, low, atol=1e-8)
    assert np.abs(outcomes.starts).max() <= np.sqrt(3.0)
    assert outcomes.steps.max() < 1000


def test_what_does_not_converge_has_no_label():
    short = LBFGS(tol=1e-6, max_step=0.1, max_steps=40)
    found = triatomic_outcomes(0, 200, short)
    late = found.outcomes == Outcome.max_steps
    assert 20 < late.sum() < 180
    assert np.all(found.labels[late] == -1)
    assert found.failures() == {"max_steps": int(late.sum())}
    assert found.counts().sum() == 200 - late.sum()


def test_the_file_keeps_everything(outcomes, tmp_path):
    path = outcomes.save(tmp_path / "some" / "set.npz")
    kept = TriatomicOutcomes.load(path)
    assert kept.definition == outcomes.definition
    for name in ("starts", "distances", "labels", "outcomes", "energies", "steps"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(outcomes, name))
    assert [p.name for p in path.parent.iterdir()] == ["set.npz"]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(StoreError, match="no triatomic data") as told:
        TriatomicOutcomes.load(path)
    assert "thalweg data ljat3" in (told.value.hint or "")


def test_a_kept_set_is_read_and_a_stale_one_is_made_again(outcomes, tmp_path, monkeypatch):
    made = []

    def make():
        made.append(1)
        return outcomes

    monkeypatch.setattr(triatomic, "triatomic_outcomes", make)
    monkeypatch.setattr(triatomic, "COUNT", 1000)
    for folder, times in ((tmp_path, 1), (tmp_path, 1)):
        read_ljat3.cache_clear()
        assert read_ljat3(folder).definition == outcomes.definition
        assert len(made) == times
    (tmp_path / "outcomes.npz").write_bytes(b"broken")
    read_ljat3.cache_clear()
    read_ljat3(tmp_path)
    assert len(made) == 2
    monkeypatch.setattr(triatomic, "MINIMISER", LBFGS())
    read_ljat3.cache_clear()
    read_ljat3(tmp_path)
    assert len(made) == 3
    read_ljat3.cache_clear()


def test_command(outcomes, tmp_path, monkeypatch):
    monkeypatch.setattr(triatomic, "triatomic_outcomes", lambda: outcomes)
    read_ljat3.cache_clear()
    done = typer.testing.CliRunner().invoke(
        _app.app, ["data", "ljat3", "--data", str(tmp_path), "--json"]
    )
    read_ljat3.cache_clear()
    assert done.exit_code == 0, done.output
    assert "1,000 quenches of three atoms by LBFGS" in done.stderr
    told = json.loads(done.stdout)
    assert list(told["classes"]) == list(TRIATOMIC_CLASSES)
    assert sum(told["classes"].values()) == 1000
    assert told["definition"]["minimiser"] == "LBFGS"
    assert (tmp_path / "outcomes.npz").is_file()


def test_wrong_count():
    with pytest.raises(ArgumentError, match="count=0"):
        triatomic_outcomes(0, 0)
