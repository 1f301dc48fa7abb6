"""`thalweg fit` and `thalweg compare` from a name to a figure."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from thalweg.cli._app import app
from thalweg.cli._values import plain
from thalweg.forcefields.fitting import Dataset
from thalweg.io import Xtb, label
from thalweg.workflows import LandscapeAgreement, LandscapeAgreements, SamplingConfig

pytest.importorskip("tblite")
pytest.importorskip("ase")

COMMAND = ["fit", "water", "--frames", "8", "--md", "0.05", "--along", "harmonic", "-o"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder whose frames are there already: sampling them by GFN2 is the slow part."""
    from thalweg.io import molecule

    where = tmp_path_factory.mktemp("fit") / "water"
    where.mkdir()
    water = molecule("water")
    config = SamplingConfig(train=8, validation=4, test=4, hot=4)
    import dataclasses

    for seed, (name, count) in enumerate(
        {"train": 8, "validation": 4, "test": 4, "hot": 4}.items()
    ):
        from thalweg.forcefields.fitting import rattled

        facts = {"config": dataclasses.asdict(config), "sampler": Xtb().name, "set": name}
        bare = Dataset.of(water.numbers, rattled(water.positions, count, 0.004, seed),
                          provenance=facts)  # fmt: skip
        label(bare, Xtb()).save(where / f"{name}.npz")
    return where


@pytest.fixture(scope="module")
def fitted(folder):
    done = CliRunner().invoke(app, [*COMMAND, str(folder), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.slow
def test_knobs_are_turned_and_nothing_is_done_twice(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "water")
    command = ["fit", "water", "--frames", "8", "--md", "0.05", "--along", "splines-knots12"]
    command += ["--turns", "2", "--json", "-o", str(folder)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    first = json.loads(done.stdout)["force_fields"]
    names = {record["name"] for record in first}
    assert len(names) == 3
    assert "splines-knots12" in names
    assert all(name.startswith("splines") for name in names)
    again = CliRunner().invoke(app, command)
    assert json.loads(again.stdout)["force_fields"] == first


def test_a_knob_that_does_not_exist(tmp_path):
    command = ["fit", "water", "--along", "splines-nots12", "-o", str(tmp_path / "none")]
    wrong = CliRunner().invoke(app, command)
    assert wrong.exit_code != 0
    assert "has no knob 'nots'" in wrong.output


def test_fit_measures_and_keeps(fitted, folder):
    (record,) = fitted["force_fields"]
    assert record["name"] == "harmonic"
    assert record["front"]
    assert 0 < record["energy_rmse"] < 2
    assert record["survival"] == 1.0
    assert fitted["reference"]["name"] == "GFN2-xTB"
    assert fitted["reference"]["micros"] > record["micros"]
    assert {"harmonic.json", "harmonic.fit", "table.json"} <= {p.name for p in folder.iterdir()}


def test_the_same_command_does_nothing_again(fitted, folder):
    before = (folder / "harmonic.json").stat().st_mtime_ns
    again = CliRunner().invoke(app, [*COMMAND, str(folder), "--json"])
    assert again.exit_code == 0, again.output
    assert (folder / "harmonic.json").stat().st_mtime_ns == before
    assert "fit harmonic" not in again.stderr
    other = CliRunner().invoke(app, [*COMMAND, str(folder), "--temperature", "300"])
    assert other.exit_code == 2
    assert "was sampled otherwise" in other.stderr


def test_compare_draws_what_fit_measured(fitted, folder, tmp_path):
    figure = tmp_path / "front.svg"
    done = CliRunner().invoke(app, ["compare", str(folder), "--figure", str(figure), "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["force_fields"] == fitted["force_fields"]
    assert "1 kcal/mol" in figure.read_text(encoding="utf-8")
    shown = CliRunner().invoke(app, ["compare", str(folder)])
    assert "harmonic *" in shown.stdout
    assert "1 of 1 force field is on the front" in shown.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "unobtainium"], "no molecule is called"),
        (["fit", "water", "--labels", "magic"], "no label method"),
        (["fit", "water", "--along", "spaghetti"], "no kind of force field"),
        (["fit", "missing.xyz"], "there is no file missing.xyz"),
        (["compare", "nowhere"], "there is no folder"),
    ],
)
def test_wrong_calls_are_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_holds_nothing(tmp_path):
    done = CliRunner().invoke(app, ["compare", str(tmp_path)])
    assert done.exit_code == 2
    assert "no measured force field" in done.stderr


@pytest.mark.slow
def test_from_nothing_to_a_front(tmp_path):
    where = tmp_path / "water"
    done = CliRunner().invoke(app, [*COMMAND, str(where), "--json"])
    assert done.exit_code == 0, done.output
    train = Dataset.load(where / "train.npz")
    assert train.labelled.all()
    assert len(np.unique(train.groups)) == 8


def test_compare_writes_a_page(fitted, folder, tmp_path):
    page = tmp_path / "water.html"
    done = CliRunner().invoke(app, ["compare", str(folder), "--report", str(page)])
    assert done.exit_code == 0, done.output
    text = page.read_text(encoding="utf-8")
    assert "harmonic *" in text
    assert text.count("<svg") >= 2
    assert "{{" not in text


def test_a_fitted_force_field_is_an_energy(fitted, folder, tmp_path):
    """The file that the fit wrote, mapped; another molecule is refused by name."""
    from ase.build import molecule as build
    from ase.io import write

    for name, atoms in (("water", "H2O"), ("methanol", "CH3OH")):
        write(tmp_path / f"{name}.xyz", build(atoms))
    energy = ["--energy", str(folder / "harmonic.forcefield.npz")]
    wrong = CliRunner().invoke(app, ["map", str(tmp_path / "methanol.xyz"), *energy])
    assert wrong.exit_code != 0
    assert "6 atoms" in wrong.output


def test_landscapes_need_a_fit_that_came_to_its_end(fitted, folder):
    done = CliRunner().invoke(app, ["compare", str(folder), "--landscapes", "class2"])
    assert done.exit_code != 0
    assert "no force field 'class2'" in done.output


def test_a_folder_with_landscapes_is_compared_again(fitted, folder, tmp_path):
    """What the first comparison of landscapes wrote is no force field, and is shown."""
    folder = shutil.copytree(folder, tmp_path / "water")
    record = LandscapeAgreement(
        name="reference", minima=1, transition_states=0, matched_minima=1, of_minima=1,
        displacement=0.0, energy_error=0.0, matched_transition_states=0, of_transition_states=0,
        barrier_error=0.0, heat_capacity=0.0,
    )  # fmt: skip
    facts = LandscapeAgreements((record,), (1, None), 300.0).to_dict()
    (folder / "landscapes.table.json").write_text(json.dumps(plain(facts)), encoding="utf-8")
    done = CliRunner().invoke(app, ["compare", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["landscapes"]["records"][0]["name"] == "reference"
