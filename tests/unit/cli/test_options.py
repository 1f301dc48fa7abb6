"""Options that several commands share are spelled and explained alike."""

import collections

import pytest
import typer.main

from thalweg.cli._app import app

SHARED = {
    "--json": 20, "--quiet": 18, "--traceback": 20, "--key": 6, "--drive": 3, "--dof": 3,
    "--scale": 2, "--modes": 3, "--energy": 5,
}  # fmt: skip
"""How many commands have it, at least."""


def commands(group):
    for command in group.commands.values():
        yield from commands(command) if hasattr(command, "commands") else [command]


@pytest.fixture(scope="module")
def spellings():
    """For each option the ways in which commands spell and explain it, with their number."""
    found = collections.defaultdict(collections.Counter)
    for command in commands(typer.main.get_command(app)):
        for option in command.params:
            for name in option.opts:
                found[name][tuple(option.opts), getattr(option, "help", ""), option.metavar] += 1
    return found


@pytest.mark.parametrize("name", SHARED)
def test_one_spelling(spellings, name):
    ((_, number),) = spellings[name].items()
    assert number >= SHARED[name]
