"""`thalweg certify`, from names, files and modules to a verdict."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from thalweg.circuits import circuit, save_circuit
from thalweg.cli._app import app


def thalweg(*words):
    return CliRunner().invoke(app, ["certify", *words])


def test_a_bistable_circuit_is_said_to_be_one():
    done = thalweg("organics-scalar-bistable", "--starts", "32", "--dt", "1e-4", "--json")
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["verdict"] == facts["euler"] == "stable"
    assert facts["stable"] == 2
    assert facts["complete"] is True
    assert [p["verdict"] for p in facts["points"]] == ["stable", "stable", "unstable"]
    assert facts["points"][0]["frequency"][0] == pytest.approx(25.0916, abs=1e-3)
    assert [t["applies"] for t in facts["theorems"]] == [False, True, True]
    assert "2 of the 3 fixed points that exist are stable" in done.stderr
    assert "what this does not prove" in done.stderr
    assert "Local:" in done.stderr


def test_a_file_and_the_normalisation_equation(tmp_path):
    path = save_circuit(tmp_path / "mine.npz", circuit("organics-scalar"), name="mine")
    done = thalweg(str(path), "--drive", "0.5", "--starts", "32")
    assert done.exit_code == 0, done.stderr
    assert "38.447" in done.stdout
    assert "divisive normalisation" in done.stderr
    assert "mine: stable: 1 of the 1 fixed points that exist is stable" in done.stderr


def test_no_stable_rest_is_an_answer_with_an_exit_code():
    done = thalweg("organics-negative", "--starts", "32", "-q")
    assert done.exit_code == 1
    assert done.stderr == ""


def test_own_systems(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        "import jax.numpy as jnp\n"
        "from thalweg.core import AbstractDynamics\n"
        "class Decay(AbstractDynamics):\n"
        "    def __call__(self, t, x, drive=None):\n"
        "        return -x + (0.0 if drive is None else drive)\n"
        "number = 3\n"
    )
    done = thalweg("own.py:Decay", "--dof", "2", "--drive", "1,2", "--json", "-q")
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    np.testing.assert_allclose(facts["points"][0]["x"], [1, 2])
    wrong = thalweg("own.py:number")
    assert wrong.exit_code == 2
    assert "expected an AbstractDynamics" in wrong.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing"], "no circuit is called 'nothing'"),
        (["none.npz"], "there is no file none.npz"),
        (["own.py"], "which circuit in own.py"),
        (["organics-scalar", "--drive", "a,b"], "no list of numbers"),
        (["organics-scalar", "--drive", "nan"], "NaN or an infinity"),
        (["organics-scalar", "--drive", "1,2"], "expected (1,)"),
        (["organics-scalar", "--dt", "-1"], "--dt -1 is not a positive number"),
        (["gru", "--dt", "0.1"], "is a map"),
    ],
)
def test_what_cannot_be_done(words, says):
    done = thalweg(*words)
    assert done.exit_code == 2
    assert says in done.stderr.replace("\n", " ")
