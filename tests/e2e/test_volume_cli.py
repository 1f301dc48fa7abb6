"""`thalweg volume` from the outside."""

import json
import math

import pytest
from typer.testing import CliRunner

from thalweg.cli._app import app

run = CliRunner()


def test_half_a_double_well():
    done = run.invoke(app, ["volume", "double-well", "--calls", "2000", "--json", "-q"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["dim"] == 2
    assert facts["minimiser"] == "ode"
    assert facts["difficulty"]["noise"] == 0.0
    # The box that searches start in is 3 by 2, and half of it belongs to either minimum.
    assert abs(facts["log_volume"] - math.log(3.0)) < 2.5 * facts["error"]


def test_words_for_people():
    done = run.invoke(app, ["volume", "double-well", "--calls", "2000", "--minimiser", "lbfgs"])
    assert done.exit_code == 0, done.output
    assert "log volume" in done.output
    assert "L-BFGS ends there, within the box that searches start in" in done.output
    assert "in 2 dimensions" in done.output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nowhere.db"], "there is no file nowhere.db"),
        (["double-well", "--system", "lj7"], "--system goes with a store"),
        (["double-well", "--state", "7"], "no minimum 7"),
        (["double-well", "--container", "2"], "--container is for free clusters"),
        (["double-well", "--calls", "10"], "calls=10"),
    ],
)
def test_wrong_words(words, text):
    done = run.invoke(app, ["volume", *words])
    assert done.exit_code == 2
    assert text in " ".join(done.output.split())
