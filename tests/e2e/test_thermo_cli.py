"""`thalweg thermo` and `thalweg tree --temperature`, as typed."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from thalweg.cli._app import app


@pytest.fixture(scope="module")
def thalweg(tmp_path_factory):
    """Runs a command in a folder that holds a map of the Müller-Brown surface."""
    folder = tmp_path_factory.mktemp("thermo")

    def run(*words):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
            return CliRunner().invoke(app, [str(word) for word in words])

    run.folder = folder
    small = ["--quenches", "32", "--walkers", "0", "--climbs", "32", "--workers", "1"]
    small += ["--transition-states", "2", "--minima", "3"]
    assert run("map", "muller-brown", "-o", "mb.db", *small).exit_code == 0
    return run


def test_thermo_says_populations_writes_a_table_and_draws(thalweg):
    words = ["--from", "5", "--to", "60", "--points", "12", "--csv", "t.csv", "-o", "t.png"]
    found = thalweg("thermo", "mb.db", *words, "--json")
    assert found.exit_code == 0, found.stderr
    facts = json.loads(found.stdout)
    assert facts["modes"] == [2]
    # Populations at kT = 15: an independent evaluation of the harmonic superposition.
    at = facts["curves"]["temperature"].index(15.0)
    table = pd.read_csv(thalweg.folder / "t.csv")
    np.testing.assert_allclose(table["temperature"], np.linspace(5, 60, 12))
    assert table["heat_capacity"][at] == pytest.approx(facts["curves"]["heat_capacity"][at])
    assert (table["heat_capacity_lower"] <= table["heat_capacity_upper"]).all()
    assert (thalweg.folder / "t.png").stat().st_size > 10_000
    assert "3 minima superposed" in found.stderr
    assert "t.csv, t.png" in found.stderr


def test_populations_of_the_mueller_brown_surface(thalweg):
    found = thalweg("thermo", "mb.db", "-t", "15", "--json", "-q")
    (line,) = json.loads(found.stdout)["occupations"]
    p = [m["probability"] for m in line["minima"]]
    np.testing.assert_allclose(p, [0.904707, 0.0700743, 0.0252184], rtol=2e-5)
    assert found.stderr == ""


def test_the_table_is_data_and_the_rest_is_talk(thalweg):
    found = thalweg("thermo", "mb.db")
    assert found.exit_code == 0, found.stderr
    assert "most occupied" in found.stdout
    assert "peak at T" in found.stdout
    assert "superposed" not in found.stdout


def test_quantum_oscillators(thalweg):
    def capacity(*words):
        found = thalweg("thermo", "mb.db", "-t", "1.5", "-t", "15", "--json", *words)
        assert found.exit_code == 0, found.stderr
        facts = json.loads(found.stdout)
        assert facts["modes"] == [2]
        return np.array(facts["curves"]["heat_capacity"]), facts, found.stderr

    classical, facts, _ = capacity("--kinetic")
    assert (facts["kinetic"], facts["quantum"]) == (True, False)
    warm, facts, told = capacity("--quantum", "1e-4")
    assert facts["quantum"]
    assert "quantum" in told
    np.testing.assert_allclose(warm, classical, rtol=1e-6)
    # At T = 1.5 minimum A alone: two oscillators with its curvatures.
    cold, _, _ = capacity("--quantum", "1.0")
    y = np.sqrt([410.531135, 4068.198955]) / 1.5
    alone = np.sum(y**2 * np.exp(-y) / np.expm1(-y) ** 2)
    assert cold[0] == pytest.approx(alone, rel=1e-3)
    thalweg.folder.joinpath("mb.db").rename(thalweg.folder / "same.db")
    try:
        assert thalweg("thermo", "same.db", "--quantum", "1", "-o", "q.png").exit_code == 0
        wrong = thalweg("thermo", "same.db", "--quantum", "1", "--system", "lj7")
        assert wrong.exit_code == 2
        assert "is not of 'lj7'" in wrong.stderr
    finally:
        thalweg.folder.joinpath("same.db").rename(thalweg.folder / "mb.db")
    refused = thalweg("thermo", "mb.db", "--quantum", "-1")
    assert refused.exit_code == 2
    assert "not positive" in refused.stderr


@pytest.mark.slow
def test_sampling_on_the_same_axes(thalweg):
    words = ["--from", "5", "--to", "30", "--points", "20", "--sample", "--budget", "1s"]
    found = thalweg("thermo", "mb.db", *words, "-o", "s.pdf", "--json")
    assert found.exit_code == 0, found.stderr
    sampling = json.loads(found.stdout)["sampling"]
    assert sampling["replicas"] == 8
    assert min(sampling["exchange"]) > 0.1
    low = json.loads(found.stdout)["curves"]["heat_capacity"][0]
    error = sampling["heat_capacity_error"][0]
    assert abs(sampling["heat_capacity"][0] - low) < 8 * error + 0.2
    assert (thalweg.folder / "s.pdf").is_file()


def test_a_tree_of_free_energies(thalweg):
    found = thalweg("tree", "mb.db", "--temperature", "15", "-o", "f.png", "--json")
    assert found.exit_code == 0, found.stderr
    assert json.loads(found.stdout)["leaves"] == 3
    grouped = thalweg("tree", "mb.db", "--temperature", "15", "--regroup", "40", "--json")
    assert json.loads(grouped.stdout)["leaves"] < 3


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["thermo", "mb.db", "-t", "0"], "not positive"),
        (["thermo", "mb.db", "-t", "1", "--from", "2"], "both given"),
        (["thermo", "mb.db", "--from", "3", "--to", "2"], "must be lower"),
        (["thermo", "mb.db", "-o", "x.bmp"], "a figure ends in"),
        (["thermo", "none.db"], "none.db"),
        (["thermo", "mb.db", "--sample", "--system", "lj7"], "is not the system"),
        (["thermo", "mb.db", "--sample", "--container", "2"], "free clusters"),
        (["tree", "mb.db", "--regroup", "1"], "go with --temperature"),
        (["tree", "mb.db", "--temperature", "1", "--color", "hits"], "leave --color out"),
    ],
)
def test_wrong_words(thalweg, words, complaint):
    found = thalweg(*words)
    assert found.exit_code == 2
    assert complaint in found.stderr
    assert "Traceback" not in found.stderr
