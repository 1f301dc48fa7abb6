"""`thalweg rates` on a small imported landscape."""

import csv
import io
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from thalweg.cli._app import app
from thalweg.io import write_pathsample
from thalweg.kinetics import transition_rates
from thalweg.landscape import Landscape, TransitionNetwork


@pytest.fixture
def thalweg(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = TransitionNetwork.bare(
        np.array([0.0, 0.5, 0.2, 0.1, 0.7, 0.8]),
        np.array([1.0, 1.5, 1.2, 1.1, 1.0]),
        np.array([[0, 1], [1, 2], [0, 2], [2, 3], [4, 5]]),
    )
    write_pathsample(network, tmp_path / "data")

    def run(*words):
        return CliRunner().invoke(app, [str(word) for word in words])

    assert run("import", "data", "-o", "x.db").exit_code == 0
    return run


def test_json_holds_what_the_chain_says(thalweg):
    words = ["--from", "0", "--to", "3", "-t", "0.1,0.2", "--json"]
    result = thalweg("rates", "x.db", *words)
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    with Landscape.open("x.db") as landscape:
        chain = transition_rates(landscape, 0.1)
    first = facts["results"][0]
    assert first["forward"]["mfpt"] == pytest.approx(chain.mfpt(0, 3), rel=1e-12)
    assert first["backward"]["mfpt"] == pytest.approx(chain.mfpt(3, 0), rel=1e-12)
    assert first["paths"][0]["minima"] == [0, 2, 3]
    assert first["paths"][0]["transition_states"] == [2, 3]
    assert len(first["timescales"]) == 3
    assert facts["time_unit"] == "reduced"
    assert [row["temperature"] for row in facts["results"]] == [0.1, 0.2]


def test_table_and_closing_sentence(thalweg):
    words = ["--from", "lowest:2", "--to", "0.45:0.55", "-t", "0.2"]
    result = thalweg("rates", "x.db", *words)
    assert result.exit_code == 0, result.stderr
    assert "path 1" in result.stdout
    assert "From 2 minima to 1 minimum at T = 0.2" in result.stderr
    assert thalweg("rates", "x.db", *words, "-q").stderr == ""


def test_csv(thalweg):
    result = thalweg("rates", "x.db", "--from", 0, "--to", 1, "-t", "0.1,0.3", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["direction"] for row in rows] == ["forward", "backward"] * 2
    assert float(rows[0]["mfpt"]) * float(rows[0]["rate"]) == pytest.approx(1)


def test_no_path(thalweg):
    result = thalweg("rates", "x.db", "--from", 0, "--to", 5, "-t", "0.1", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["results"][0]["forward"]["mfpt"] is None
    assert "No known path" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "x", "--to", "1", "-t", "1"], "--from x: expected minima"),
        (["--from", "0", "--to", "77", "-t", "1"], "there is no minimum 77"),
        (["--from", "0", "--to", "5:6", "-t", "1"], "--to 5:6 names no minimum"),
        (["--from", "0", "--to", "1", "-t", "cold"], "expected positive numbers"),
        (["--from", "0", "--to", "0", "-t", "1"], "state 0 is in A and in B"),
        (["--from", "0", "--to", "1", "-t", "1", "--csv", "--json"], "choose one"),
    ],
)
def test_wrong_calls(thalweg, words, message):
    result = thalweg("rates", "x.db", *words)
    assert result.exit_code == 2
    assert message in result.stderr
