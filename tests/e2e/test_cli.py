"""Journeys through the command line."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import thalweg as tw
from thalweg.cli._app import app
from thalweg.workflows import MapConfig

SMALL = ["--quenches", "32", "--walkers", "0", "--climbs", "32", "--workers", "1"]
"""A map of a surface of two variables in some seconds."""

ENDLESS = ["--coverage", "1", "--searches", "1000000000"]


@pytest.fixture(scope="module")
def thalweg(tmp_path_factory):
    """Runs a command in this process, in a folder of its own."""
    folder = tmp_path_factory.mktemp("journey")

    def run(*words):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
            return CliRunner().invoke(app, [str(word) for word in words])

    run.folder = folder
    return run


@pytest.fixture(scope="module")
def mapped(thalweg):
    """The Müller-Brown surface, mapped."""
    words = ["--transition-states", "2", "--minima", "3"]
    return thalweg("map", "muller-brown", "-o", "mb.db", "--json", *SMALL, *words)


def test_map_prints_one_object_and_talks_on_the_other_stream(mapped):
    assert mapped.exit_code == 0, mapped.stderr
    found = json.loads(mapped.stdout)
    assert found["system"] == "muller-brown"
    assert (found["minima"], found["transition_states"], found["pieces"]) == (3, 2, 1)
    assert found["lowest_energy"] == pytest.approx(-146.69951721, abs=1e-8)
    assert found["reason"] == "target"
    assert found["config"]["quenches"] == 32
    assert set(found["config"]) == {field.name for field in dataclasses.fields(MapConfig)}
    assert set(found) == {
        *("thalweg", "command", "system", "store", "reason", "energy_unit", "minima"),
        *("transition_states", "pieces", "lowest_energy", "completeness", "searches", "seconds"),
        *("rounds", "failures", "config"),
    }
    talk = mapped.stderr
    assert "key 0" in talk
    assert "32 quenches" in talk
    assert "first minima, the lowest at -146.699517" in talk
    assert "3 minima and 2 transition states in 1 piece" in talk
    assert talk.rstrip().endswith("Written to mb.db.")


def test_the_same_command_goes_on(thalweg, mapped):
    result = thalweg("map", "muller-brown", "-o", "mb.db", *SMALL, "--minima", "3")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "going on from 3 minima and 2 transition states" in result.stderr


def test_quiet_says_nothing(thalweg, mapped):
    result = thalweg("map", "muller-brown", "-o", "mb.db", *SMALL, "--minima", "3", "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_another_systems_store_is_refused(thalweg, mapped):
    result = thalweg("map", "three-hole", "-o", "mb.db", *SMALL)
    assert result.exit_code == 2
    assert "mb.db belongs to the system 'muller-brown'" in result.stderr
    assert "hint: give each system a store of its own" in result.stderr


def test_info(thalweg, mapped):
    found = json.loads(thalweg("info", "mb.db", "--json", "--check", "--lowest", 2).stdout)
    assert (found["minima"], found["transition_states"]) == (3, 2)
    assert found["integrity"] == {**found["integrity"], "ok": True, "problems": []}
    energies = [row["energy"] for row in found["lowest_minima"]]
    assert energies == pytest.approx([-146.69951721, -108.16672412], abs=1e-8)
    assert found["runs"][0]["versions"]["jax"]
    text = thalweg("info", "mb.db").stdout
    assert "3 minima, 2 transition states" in text
    assert "-146.699517" in text


def test_a_broken_store_fails_its_check(thalweg, mapped):
    import sqlite3

    broken = thalweg.folder / "broken.db"
    with sqlite3.connect(thalweg.folder / "mb.db") as good, sqlite3.connect(broken) as copy:
        good.backup(copy)
        copy.execute("UPDATE minima SET hits = hits + 1 WHERE id = 0")
    good.close()
    copy.close()
    result = thalweg("info", "broken.db", "--check")
    assert result.exit_code == 1
    assert "broken.db is broken" in result.stdout
    assert "hits" in result.stdout
    assert thalweg("info", "broken.db").exit_code == 0


@pytest.mark.parametrize("color", [None, "energy", "order", "hits", "log_product", "piece"])
def test_tree(thalweg, mapped, color):
    words = [] if color is None else ["--color", color]
    result = thalweg("tree", "mb.db", "-o", "mb.svg", "--labels", 3, "--json", *words)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["leaves"] == 3
    assert "3 minima from -146.699517" in result.stderr
    assert (thalweg.folder / "mb.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_an_empty_tree_is_no_crash(thalweg, mapped):
    result = thalweg("tree", "mb.db", "--e-max", "-1000")
    assert result.exit_code == 1
    assert "there is no tree to draw" in result.stderr
    assert not (thalweg.folder / "mb.png").exists()


def test_export_and_import(thalweg, mapped):
    for format_ in ("pathsample", "npz", "csv"):
        result = thalweg("export", "mb.db", "--format", format_)
        assert result.exit_code == 0, result.stderr
    names = {path.name for path in (thalweg.folder / "mb").iterdir()}
    assert {"min.data", "ts.data", "points.min", "minima.csv"} <= names
    with np.load(thalweg.folder / "mb.npz") as arrays:
        assert arrays["energies"].shape == (3,)
    result = thalweg("import", "mb", "-o", "copy.db", "--system", "muller-brown")
    assert result.exit_code == 0, result.stderr
    copy = json.loads(thalweg("info", "copy.db", "--json").stdout)
    assert (copy["minima"], copy["transition_states"]) == (3, 2)
    again = thalweg("import", "mb", "-o", "copy.db")
    assert again.exit_code == 2
    assert "copy.db exists already" in again.stderr


def test_the_same_from_python(thalweg, mapped):
    landscape = tw.explore(
        tw.system("muller-brown"), thalweg.folder / "mb.db", quenches=32, walkers=0, minima=3
    )
    assert landscape.minima["energy"].min() == pytest.approx(-146.69951721, abs=1e-8)
    assert tw.disconnectivity_tree(landscape.network).n_leaves == 3
    landscape.close()


_BAD = """
import jax
import jax.numpy as jnp
import thalweg as tw

nan = tw.System(lambda x: jnp.sum(x) * jnp.nan, shape=(2,))

@jax.custom_vjp
def slanted(x):
    return jnp.sum(x**2)

slanted.defvjp(lambda x: (slanted(x), x), lambda x, g: (3 * g * x,))
wrong = tw.System(slanted, shape=(2,))
shaped = tw.System(lambda x: x**2, shape=(2,))
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [("nan", "nan"), ("wrong", "gradient"), ("shaped", "scalar|return value")],
)
def test_energies_that_break_their_contract(thalweg, name, message):
    (thalweg.folder / "bad.py").write_text(_BAD)
    result = thalweg("map", f"bad.py:{name}", *SMALL)
    assert result.exit_code == 2
    first, blank, hint = result.stderr.splitlines()[-3:]
    assert first.startswith("error: ")
    assert re.search(message, first.lower())
    assert (blank, hint[:6]) == ("", "hint: ")
    assert not (thalweg.folder / f"{name}.db").exists()


def _start(folder, *words):
    """A command in a process of its own, as from a shell."""
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "thalweg", *map(str, words)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read_until(process, pattern):
    """Lines of talk up to the first that holds the pattern."""
    lines = []
    for line in process.stderr:
        lines.append(line)
        if re.search(pattern, line):
            return lines
    raise AssertionError("".join(lines))


def _store_is_sound(path):
    with tw.Landscape.open(path) as landscape:
        integrity = landscape.integrity()
        assert integrity.ok, integrity.problems
        return landscape.store.next_round, integrity


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_finishes_the_round_and_says_how_to_go_on(tmp_path, number):
    process = _start(tmp_path, "map", "muller-brown", "--json", *SMALL, *ENDLESS)
    _read_until(process, r"transition states")
    process.send_signal(number)
    output, talk = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert "finishing the round in hand" in talk
    command = f"thalweg map muller-brown --json {' '.join([*SMALL, *ENDLESS])}"
    assert f"To go on: {command}" in talk
    found = json.loads(output)
    assert found["reason"] == "interrupted"
    rounds, integrity = _store_is_sound(tmp_path / "muller-brown.db")
    assert (rounds, integrity.minima) == (found["rounds"], found["minima"])


def test_help_comes_at_once():
    # Loose, for busy machines; 0.2 s on an idle one. What it must not do is import JAX (> 1 s).
    began = time.perf_counter()
    command = [sys.executable, "-m", "thalweg", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert time.perf_counter() - began < 2.0
    assert "tree" in done.stdout


@pytest.mark.slow
def test_killed_in_the_middle_and_resumed(tmp_path):
    words = ["map", "lj13", "--quenches", "64", "--walkers", "4", "--climbs", "64"]
    process = _start(tmp_path, *words)
    talk = _read_until(process, r"transition states")
    time.sleep(3.0)
    process.kill()
    process.communicate()
    said = re.search(r"([\d,]+)(?: of \S+)? minima", talk[-1])
    assert said
    rounds, before = _store_is_sound(tmp_path / "lj13.db")
    assert before.minima >= int(said[1].replace(",", ""))
    resumed = _start(tmp_path, *words, "--budget", "10s", "--json")
    output, talk = resumed.communicate(timeout=280)
    assert resumed.returncode == 0, talk
    assert f"going on from {before.minima:,} minima" in talk
    assert json.loads(output)["minima"] >= before.minima
    after, _ = _store_is_sound(tmp_path / "lj13.db")
    assert after > rounds


@pytest.mark.slow
def test_the_second_interrupt_ends_at_once(tmp_path):
    words = ["map", "lj38", "--walkers", "64", "--hops", "5000"]  # a round of many minutes
    process = _start(tmp_path, *words)
    _read_until(process, r"transition states")
    process.send_signal(signal.SIGINT)
    _read_until(process, r"finishing the round")
    time.sleep(0.5)  # sooner it would count as an echo of the first
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate(timeout=60)
    assert time.monotonic() - began < 3.0
    assert process.returncode == 128 + signal.SIGINT
    assert f"To go on: thalweg {' '.join(words)}" in talk
    _store_is_sound(tmp_path / "lj38.db")


@pytest.mark.slow
def test_atoms_with_an_ase_calculator(thalweg):
    pytest.importorskip("ase")
    (thalweg.folder / "cu4.xyz").write_text(
        "4\n\nCu 0 0 0\nCu 2.4 0 0\nCu 1.2 2.1 0\nCu 1.2 0.7 2.0\n"
    )
    words = ["--quenches", "8", "--walkers", "0", "--climbs", "8", "--budget", "20s"]
    result = thalweg("map", "cu4.xyz", "--energy", "emt", "--json", *words)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["system"] == "cu4"
    assert found["energy_unit"] == "eV"
    assert found["minima"] >= 1
