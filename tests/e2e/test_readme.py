"""The README's Python block and its command lines do what they say."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def _blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def _run(arguments, folder):
    return subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=True)


@pytest.mark.timeout(280)
def test_python_block(tmp_path):
    (block,) = _blocks("python")
    done = _run([sys.executable, "-c", block], tmp_path)
    assert "-16.505384" in done.stdout
    assert (tmp_path / "lj7-python.db").exists()


@pytest.mark.timeout(280)
def test_command_lines(tmp_path):
    (block,) = _blocks("console")
    for line in block.splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "thalweg"
        _run([sys.executable, "-m", "thalweg", *arguments], tmp_path)
    assert (tmp_path / "lj7.png").stat().st_size > 5_000


def test_every_link_leads_somewhere():
    root = Path(__file__).parents[2]
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (root / target).exists(), target
