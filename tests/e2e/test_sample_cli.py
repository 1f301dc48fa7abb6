"""`thalweg sample`, from the command line to its file."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from thalweg.cli._app import app

SHORT = ["--chains", "40", "--steps", "300", "--kernel"]


def thalweg(*words):
    return CliRunner().invoke(app, ["sample", *words])


def test_a_run_says_what_it_sampled_and_writes_it(tmp_path):
    path = tmp_path / "x.npz"
    words = ["--noise", "lognormal:0.5", "-o", str(path), "--json"]
    done = thalweg("double-well", *SHORT, "pseudo-marginal", *words)
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["kernel"] == "stored-weight"
    assert facts["law"] == "<w(x)>, the average of the weight"
    assert "40 chains of 300 steps" in done.stderr
    with np.load(path) as file:
        assert file["draws"].shape == (300, 40, 1)


def test_own_targets_and_csv(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "import thalweg as tw\ntarget = tw.ExactWeight(lambda x: -x * x / 2)\n"
    )
    done = thalweg("mine.py:target", *SHORT, "metropolis", "--csv", "-q")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("observable,mean,error,sd,ess,ess_per_evaluation,rhat,tau\nx,")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing"], "there is no target 'nothing'"),
        (["double-well", "--noise", "energy:1", "--kernel", "stored-weight"], "use Penalty"),
        (["double-well", "--noise", "lognormal:x"], "'x' is no number"),
        (["skirt-oracle", "--noise", "lognormal:1"], "goes with double-well"),
        (["double-well", "--dimension", "3"], "goes with the oracles"),
        (["double-well", "-o", "x.csv"], "written as .npz"),
    ],
)
def test_what_cannot_be_done(words, says):
    done = thalweg(*words)
    assert done.exit_code == 2
    assert says in done.stderr.replace("\n", " ")
