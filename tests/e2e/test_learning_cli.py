"""`thalweg predict`, `thalweg sweep` and `thalweg path` between two checkpoints."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from thalweg.cli._app import app

MODEL = """
import numpy as np
from thalweg.core import NormalStart
from thalweg.learning import LearningData, Mlp, network_system

def rows(count, shift):
    t = np.linspace(-2.0, 2.0, count) + shift
    return LearningData(t, (np.abs(t) > 0.9).astype(int))

def bump(l2=3e-3, name="bump"):
    # One input, two hidden units, one output: is |t| > 0.9? Some minima have a unit that sleeps.
    return network_system(Mlp((1, 2, 1)), rows(24, 0.0), l2=l2, name=name)

def weak():
    return bump(1e-2, "weak")

test = rows(61, 0.01)
"""


@pytest.fixture(scope="module")
def thalweg(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learning")
    (folder / "bump_model.py").write_text(MODEL)

    def run(*words):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
            return CliRunner().invoke(app, [str(word) for word in words])

    run.folder = folder
    small = ["--quenches", "128", "--walkers", "0", "--climbs", "0", "--pairs", "0"]
    wishes = ["--workers", "1", "-q"]
    found = run("map", "bump_model.py:bump", "-o", "bump.db", *small, *wishes)
    assert found.exit_code == 0, found.stderr
    return run


def test_predict_as_data_and_figure(thalweg):
    named = ["--system", "bump_model.py:bump", "--test", "bump_model.py:test"]
    result = thalweg("predict", "bump.db", *named, "-o", "p.png", "--json")
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    best, *others = facts["minima"]
    assert best["test_accuracy"] > 0.95
    assert best["test_auc"] > 0.98
    assert others
    assert others[-1]["test_accuracy"] < best["test_accuracy"]
    assert [row["energy"] for row in facts["minima"]] == sorted(
        r["energy"] for r in facts["minima"]
    )
    assert facts["ensembles"][0]["size"] == 1
    assert facts["flips"]
    assert (thalweg.folder / "p.png").stat().st_size > 10_000
    assert "61 rows" in result.stderr


def test_predict_for_people_and_without_test_data(thalweg):
    result = thalweg("predict", "bump.db", "--system", "bump_model.py:bump", "-o", "all.csv")
    assert result.exit_code == 0, result.stderr
    assert "accuracy" in result.stdout
    assert "no held-out data" in result.stderr
    assert (thalweg.folder / "all.csv").read_text().startswith("id,energy")


def test_the_report_has_a_section_on_predictions(thalweg):
    named = ["--system", "bump_model.py:bump"]
    result = thalweg("report", "bump.db", *named, "-o", "bump.html")
    assert result.exit_code == 0, result.stderr
    page = (thalweg.folder / "bump.html").read_text(encoding="utf-8")
    facts = json.loads(page.split('id="facts-json"')[1].split(">", 1)[1].split("</script>")[0])
    found = facts["predictions"]
    assert "24 rows of training data" in found["about"]
    assert found["headings"][:3] == ["minimum", "energy", "training loss"]
    assert len(found["rows"]) == len(found["errors"]) == facts_of(thalweg)
    assert found["ensembles"][0][0] == "1"
    assert "Flipping data" in [row[0] for row in found["facts"]]


def facts_of(thalweg):
    return json.loads(thalweg("info", "bump.db", "--json").stdout)["minima"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["predict", "none.db"], "there is no file"),
        (["predict", "bump.db", "-o", "x.pdfx"], "expected .png"),
        (["predict", "bump.db", "--volumes", "a"], "expected ids"),
        (
            ["predict", "bump.db", "--system", "bump_model.py:bump", "--test", "t"],
            "expected an .npz",
        ),
        (["path", "bump.db", "0", "x"], "neither the id"),
        (["path", "bump.db", "0", "x.npz"], "there is no file x.npz"),
        (["sweep", "a.xyz"], "systems by name"),
    ],
)
def test_wrong_calls_say_what_to_do(thalweg, words, says):
    result = thalweg(*words)
    assert result.exit_code == 2, result.stderr
    assert says in result.stderr


@pytest.mark.slow
def test_a_path_between_checkpoints(thalweg):
    from thalweg.landscape import Landscape

    with Landscape.open(thalweg.folder / "bump.db") as landscape:
        network, points = landscape.network, landscape.points("minimum")
    low, other = np.argsort(network.energies)[:2]
    np.savez(thalweg.folder / "a.npz", x=points[low] + 1e-3)
    np.save(thalweg.folder / "b.npy", points[other])
    files = ["-o", "between.png", "-o", "between.csv"]
    result = thalweg(
        "path", "bump.db", "a.npz", "b.npy", "--system", "bump_model.py:bump", *files, "--budget",
        "60s", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["energies"] == pytest.approx(network.energies[[low, other]], abs=1e-9)
    barriers = facts["barriers"]
    assert 0 < barriers["path"] <= barriers["aligned line"] + 1e-12
    assert facts["aligned_distance"] <= facts["distance"]
    assert facts["path"]["minima"][0] == network.ids[low]
    for name in ("between.png", "between.csv"):
        assert (thalweg.folder / name).stat().st_size > 500
    new = thalweg("path", "new.db", "a.npz", "b.npy")
    assert new.exit_code == 2
    assert "--system" in new.stderr


@pytest.mark.slow
def test_sweep_draws_trees_side_by_side(thalweg):
    names = ["bump_model.py:bump", "bump_model.py:weak"]
    words = ["sweep", *names, "-o", "maps", "--budget", "20s", "--figure", "trees.png", "--json"]
    result = thalweg(*words)
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert [row["name"] for row in facts["maps"]] == ["bump", "weak"]
    # Stronger regularisation leaves fewer minima (Mehta et al., arXiv:1804.02411).
    strong, weak = (row["minima"] for row in reversed(facts["maps"]))
    assert 0 < strong <= weak
    assert (thalweg.folder / "trees.png").stat().st_size > 10_000
    again = thalweg(*words)
    assert json.loads(again.stdout)["maps"] == facts["maps"]
