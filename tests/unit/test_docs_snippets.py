"""What the documentation shows is what the code does.

Every Python block of a page runs, page by page in one namespace and an empty folder; every shell
line names commands, options and targets that exist.
"""

import re
import shlex
from pathlib import Path

import jax
import pytest
import typer.main

from thalweg.cli import _app
from thalweg.core import LANE_WIDTH
from thalweg.landscape import Tolerance
from thalweg.learning import LossEnergy
from thalweg.search import LBFGS, _certify, _saddle
from thalweg.workflows import MapConfig

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
SLOW = {
    "dynamics.md",
    "forcefields-fitting.md",
    "forcefields-learned.md",
    "losses.md",
    "molecular-mechanics.md",
    "train-a-circuit.md",
    "volume.md",
    "map-an-ase-system.md",
    "map-a-cluster.md",
    "map-a-loss.md",
    "choose-a-kernel.md",
    "noisy-weights.md",
}
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def _name(page):
    return page.relative_to(ROOT).as_posix()


def _blocks(page, language):
    """The blocks of a language, each after as many empty lines as stand above it."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        if match[1] == language:
            yield "\n" * text.count("\n", 0, match.start(2)) + match[2]


def _python_pages():
    for page in PAGES:
        if any(_blocks(page, "python")):
            marks = [pytest.mark.slow] if page.name in SLOW else []
            yield pytest.param(page, id=_name(page), marks=marks)


@pytest.mark.parametrize("page", list(_python_pages()))
def test_python_runs(page, tmp_path, monkeypatch):
    pytest.importorskip("ase")
    monkeypatch.chdir(tmp_path)
    if page.name == "add-an-energy.md":
        # Compiling its pair function takes half a minute; `tests/unit/energies` compiles others.
        monkeypatch.setenv("THALWEG_KERNELS", "jax")
    # A page's reader has the usual promotion of types.
    with jax.numpy_dtype_promotion("standard"):
        namespace = {"__name__": "__docs__"}
        # A name that is no file: compiled pair functions of a page are not kept on disk.
        for block in _blocks(page, "python"):
            exec(compile(block, f"<{page.name}>", "exec"), namespace)


def _command_lines():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for block in _blocks(page, "console"):
            for line in block.splitlines():
                if line.startswith("$ "):
                    words = shlex.split(line[2:], comments=True)
                    yield pytest.param(words, id=f"{page.stem}: {' '.join(words)}")


@pytest.mark.parametrize("words", list(_command_lines()))
def test_shell_line_exists(words):
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert all(re.search(rf"^{word}:", makefile, re.MULTILINE) for word in words[1:])
        return
    assert words[0] == "thalweg"
    group = typer.main.get_command(_app.app)
    command = group.commands[words[1]]
    rest = words[2:]
    if hasattr(command, "commands"):
        command, rest = command.commands[rest[0]], rest[1:]
    # Parsing needs no file to exist: paths are checked by the commands themselves.
    command.make_context(words[1], rest)


def test_every_option_of_map_is_explained():
    text = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    group = typer.main.get_command(_app.app)
    commands = dict(group.commands)
    for name, command in group.commands.items():
        for inner, below in getattr(command, "commands", {}).items():
            commands[f"{name} {inner}"] = below
    assert {name for name in commands if f"`thalweg {name}" not in text} == set()
    for name, command in commands.items():
        options = {flag for param in command.params for flag in param.opts if flag[:2] == "--"}
        assert {f for f in options if f not in text and f != "--help"} == set(), name


def _help(param):
    return getattr(param, "help", None) or ""


def test_help_states_the_defaults_of_the_config():
    group = typer.main.get_command(_app.app)
    for param in group.commands["map"].params:
        stated = re.search(r"Default: (\d[\d.]*)", _help(param))
        if stated:
            assert float(stated[1].rstrip(".")) == getattr(MapConfig(), param.name), param.name


@pytest.mark.parametrize(
    ("page", "text", "holds"),
    [
        ("certificate", "At most four steps", _certify._NEWTON_STEPS == 4),
        ("certificate", r"than $10^{-7} \lambda", _certify._EXACT_ZERO == 1e-7),
        ("certificate", r"($10^{-4} \lambda", _certify._DIFFERENCE_ZERO == 1e-4),
        ("certificate", r"$10^{-11} \lambda", LossEnergy.zero_cut == 1e-11),
        ("certificate", r"shorter than $10^{-4}$", _certify._LEFT == 1e-4),
        ("certificate", "longer than a tenth", _certify._FOR_EVER == 0.1),
        ("certificate", "is 0.02 of the system's", _saddle.PUSH_OFF == 0.02),
        ("identity", "energy=1e-8", Tolerance().energy == 1e-8),
    ],
)
def test_numbers_on_concept_pages(page, text, holds):
    assert text in (ROOT / f"docs/concepts/{page}.md").read_text(encoding="utf-8")
    assert holds


def test_numbers_on_how_to_pages():
    assert LBFGS().max_step == 0.1  # "a tenth unless you say otherwise"
    assert LANE_WIDTH == 8  # "eight configurations in each vector register"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_page_is_in_the_navigation(page):
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert page.relative_to(ROOT / "docs").as_posix() in nav
