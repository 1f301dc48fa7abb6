"""`thalweg simulate`, and `thalweg map` of a dynamics, from the command line to their files."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from thalweg.cli._app import app

FLOW = """
import jax.numpy as jnp
from thalweg.core import AbstractDynamics


class Toggle(AbstractDynamics):
    def __call__(self, t, x, drive):
        return -x + drive[0] / (1 + x[::-1] ** 2)


toggle = Toggle()
"""


def thalweg(*words):
    return CliRunner().invoke(app, list(words))


def test_a_circuit_in_time(tmp_path):
    done = thalweg("simulate", "organics-scalar", "--time", "0.1", "--points", "5")
    assert done.exit_code == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [row["time"] for row in rows] == ["0", "0.025", "0.05", "0.075", "0.1"]
    assert float(rows[-1]["y1"]) == pytest.approx(0.5 / np.sqrt(0.2525), rel=1e-4)
    assert "1 path of 2 coordinates over 0.1: 1 success" in done.stderr

    figure = tmp_path / "paths.png"
    noisy = ["--noise", "0.01", "--step", "0.0001", "--paths", "5", "--time", "0.02", "--json"]
    done = thalweg("simulate", "organics-scalar", *noisy, "-o", str(figure))
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["outcomes"] == {"success": 5}
    assert facts["coordinates"] == ["y1", "a1"]
    assert facts["steps"] == 5 * 200
    assert figure.read_bytes()[:4] == b"\x89PNG"


def test_a_circuit_that_blows_up(tmp_path):
    path = tmp_path / "gone.npz"
    done = thalweg("simulate", "organics-negative", "--time", "0.2", "-o", str(path))
    assert done.exit_code == 1
    assert "1 escaped" in done.stderr
    with np.load(path) as file:
        assert np.isnan(file["x"][0, -1]).all()
        assert 0 < file["ended"][0] < 0.2


def test_the_map_of_a_flow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FLOW)
    words = ["map", "mine.py:toggle", "--drive", "3", "--dof", "2", "--figure", "t.png", "--json"]
    done = thalweg(*words)
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert [node["kind"] for node in facts["nodes"]] == ["rest", "rest", "saddle"]
    assert facts["connections"] == [[2, 0, 1]]
    assert facts["undecided"] == facts["blown_up"] == 0
    on = sorted(facts["nodes"][0]["x"])
    np.testing.assert_allclose(on, [(3 - 5**0.5) / 2, (3 + 5**0.5) / 2], atol=1e-9)
    assert (tmp_path / "t.png").read_bytes()[:4] == b"\x89PNG"
    again = thalweg(*words)  # nothing left to do
    assert json.loads(again.stdout)["nodes"] == facts["nodes"]
    other = thalweg(*words[:3], "2.5", *words[4:])
    assert other.exit_code == 2
    assert "belongs to the flow" in other.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["simulate", "organics-scalar", "--time", "-1"], "not a positive number"),
        (["simulate", "organics-scalar", "--time", "1", "--noise", "1"], "needs --step"),
        (["simulate", "organics-scalar", "--time", "1", "-o", "x.txt"], "expected .csv"),
        (["simulate", "organics-sclar", "--time", "1"], "organics-scalar"),
        (["simulate", "gru", "--time", "1.5"], "a map steps by one"),
        (["map", "organics-scalar", "--minima", "3"], "goes with an energy"),
        (["map", "lj7", "--drive", "3"], "go with a dynamics"),
    ],
)
def test_wrong_calls(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = thalweg(*words)
    assert done.exit_code == 2, done.stderr
    assert said in done.stderr
