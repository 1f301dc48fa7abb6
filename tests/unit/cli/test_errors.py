"""Every error is one line and a hint; nothing is done before it is found."""

import dataclasses
import re

import pytest
from typer.testing import CliRunner

from thalweg.cli import _talk
from thalweg.cli._app import app
from thalweg.workflows import MapConfig


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Commands leave settings alone that the environment makes; the other tests need theirs.
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["map", "ljj13"], "no system is called 'ljj13'", "did you mean lj<N>"),
        (["map", "lj7", "--budget", "soon"], "'soon' is no length of time", "1h30m"),
        (["map", "lj7", "-o", "no/such/x.db"], "there is no folder no/such", "mkdir -p no/such"),
        (["map", "lj7", "-o", "."], ". is a folder", "name a file"),
        (["map", "lj7", "--walkers", "-1"], "walkers=-1: expected 0 or more", None),
        (["map", "lj7", "--coverage", "2"], "coverage=2.0", None),
        (["map", "atoms.xyz"], "there is no file atoms.xyz", "check the name"),
        (["tree", "no.db"], "there is no file no.db", "there is text.db"),
        (["tree", "text.db", "-o", "x.jpg"], "a figure ends in .png", "-o x.png"),
        (["tree", "text.db", "--levels", "0"], "expected a positive number", None),
        (["info", "text.db"], "not a landscape store", "name a file"),
        (["info", "."], "is a folder", ".db"),
        (["export", "text.db", "-f", "xyz", "-o", "no/x.xyz"], "there is no folder no", "mkdir"),
        (["export", "text.db", "-f", "csv", "-o", "text.db"], "expected a folder", "name a new"),
        (["import", "."], "there is no min.data", "name the folder"),
    ],
)
def test_errors_are_one_line_and_a_hint(run, tmp_path, words, message, hint):
    (tmp_path / "text.db").write_text("not a database, and long enough to look like a header")
    result = run(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert "Traceback" not in result.stderr
    if hint is not None:
        assert lines[1] == ""
        assert lines[2].startswith("hint: ")
        assert hint in lines[2]
    assert {path.name for path in tmp_path.iterdir()} <= {"text.db"}


def test_an_unforeseen_error_is_one_line_too(capsys):
    @_talk.reported
    def command(*, traceback=False):
        raise ZeroDivisionError("division\nby zero")

    with pytest.raises(_talk.typer.Exit) as caught:
        command()
    assert caught.value.exit_code == _talk.EXIT_BUG
    talk = capsys.readouterr().err
    assert talk.startswith("error: ZeroDivisionError: division\n\nhint: ")
    assert "--traceback" in talk
    with pytest.raises(_talk.typer.Exit):
        command(traceback=True)
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_read_only_folder_is_found_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(_talk.os, "access", lambda *_: False)
    with pytest.raises(_talk.CliError, match="cannot be written"):
        _talk.check_writable(tmp_path / "x.db")


def test_the_help_states_the_defaults_of_the_config(run):
    text = " ".join(run("map", "--help").stdout.split())
    for field in dataclasses.fields(MapConfig):
        option = "--" + field.name.replace("_", "-")
        stated = re.search(rf"{option} (?:[A-Z]|<int>|TIME) (.*?)(?= --|$)", text)
        if isinstance(field.default, int | float) and stated and "suits" not in stated[1]:
            assert f"default: {field.default}" in stated[1].lower(), option


def test_systems_and_references_as_data(run):
    for command in ("systems", "cite"):
        result = run(command, "--json")
        assert result.exit_code == 0
        assert result.stdout.startswith("[\n  {")
    assert "lj13" in run("systems").stdout
