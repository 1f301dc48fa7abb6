"""`thalweg path` and `thalweg network` on a surface that was just mapped."""

import csv
import io
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from thalweg.cli._app import app


@pytest.fixture(scope="module")
def thalweg(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paths")

    def run(*words):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
            return CliRunner().invoke(app, [str(word) for word in words])

    run.folder = folder
    small = ["--quenches", "32", "--walkers", "0", "--climbs", "32", "--workers", "1"]
    wishes = ["--transition-states", "2", "--minima", "3"]
    found = run("map", "muller-brown", "-o", "mb.db", "-q", *small, *wishes)
    assert found.exit_code == 0, found.stderr
    rows = json.loads(run("info", "mb.db", "--json").stdout)["lowest_minima"]
    run.ids = [row["id"] for row in rows]
    return run


def test_path_as_data_and_files(thalweg):
    a, b, _ = thalweg.ids
    files = ["-o", "p.csv", "-o", "p.npz", "-o", "p.png"]
    result = thalweg("path", "mb.db", a, b, *files, "--points", 41, "--json")
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert [step["energy_ts"] for step in facts["steps"]] == pytest.approx(
        [-40.664843509, -72.248940112], abs=1e-8
    )
    assert facts["minima"] == [a, thalweg.ids[2], b]
    assert facts["barrier"] == pytest.approx(106.034673701, abs=1e-7)
    assert (facts["points"], facts["detours"]) == (41, [])
    assert "2 steps over a barrier of 106.034674" in result.stderr
    assert len((thalweg.folder / "p.csv").read_text().splitlines()) == 42
    with np.load(thalweg.folder / "p.npz") as file:
        assert file["points"].shape == (41, 2)
    assert (thalweg.folder / "p.png").stat().st_size > 1000


def test_path_via_as_table_and_csv(thalweg):
    a, b, _ = thalweg.ids
    found = json.loads(thalweg("path", "mb.db", a, b, "--json", "-q").stdout)
    via = ",".join(str(ts) for ts in found["transition_states"])
    table = thalweg("path", "mb.db", a, b, "--via", via, "--csv", "-q")
    assert table.stderr == ""
    steps = list(csv.DictReader(io.StringIO(table.stdout)))
    assert [int(step["transition_state"]) for step in steps] == found["transition_states"]
    shown = thalweg("path", "mb.db", a, b)
    assert "barrier / ε" in shown.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--via", "high"], "expected 'lowest', 'fastest' or ids"),
        (["--via", "99"], "no transition state of that id"),
        (["-o", "p.gif"], "a path can be written as"),
        (["-o", "p.xyz"], "are not atoms"),
        (["--system", "lj13"], "is not of 'lj13'"),
        (["--system", "lj1x"], "no system is called"),
        (["--json", "--csv"], "both want standard output"),
    ],
)
def test_path_refuses(thalweg, words, complaint):
    result = thalweg("path", "mb.db", *thalweg.ids[:2], *words)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_the_fastest_path_at_a_temperature(thalweg):
    a, b, c = thalweg.ids
    result = thalweg("path", "mb.db", a, b, "--via", "fastest", "-t", 15, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["minima"] == [a, c, b]
    alone = thalweg("path", "mb.db", a, b, "--via", "fastest")
    assert alone.exit_code != 0
    assert "--temperature" in alone.stderr


def test_path_without_a_store(thalweg):
    result = thalweg("path", "none.db", 0, 1)
    assert result.exit_code == 2
    assert "there is no file none.db" in result.stderr


def test_network(thalweg):
    facts = json.loads(thalweg("network", "mb.db", "--json").stdout)
    assert (facts["n_nodes"], facts["n_edges"], facts["diameter"]) == (3, 2, 2)
    assert facts["mean_path"] == pytest.approx(4 / 3)
    assert facts["degree_distribution"][1] == {"degree": 2, "count": 1, "cumulative": 1 / 3}
    rows = list(csv.DictReader(io.StringIO(thalweg("network", "mb.db", "--csv", "-q").stdout)))
    assert {int(row["id"]): int(row["degree"]) for row in rows} == dict(
        zip(thalweg.ids, (1, 1, 2), strict=True)
    )
    shown = thalweg("network", "mb.db")
    assert "mean 1.333" in shown.stdout
    assert "3 minima and 2 edges" in shown.stderr
