"""From what the user typed to a system."""

import pytest

import thalweg as tw
from thalweg.cli import _find as find
from thalweg.cli._talk import CliError

_MODULE = """
import jax.numpy as jnp
import thalweg as tw

def energy(x):
    return jnp.sum((x**2 - 1.0) ** 2)

well = tw.System(energy, shape=(2,), name="well")

def factory():
    return well

def broken():
    raise RuntimeError("no parameters")

number = 3
"""


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "wells.py"
    path.write_text(_MODULE)
    return path


@pytest.mark.parametrize("name", ["well", "factory"])
def test_a_system_or_its_factory_in_a_file(module, name):
    system = find.find_system(f"{module}:{name}", None, None)
    assert isinstance(system, tw.System)
    assert system.name == "well"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("energy", "needs arguments", "thalweg.System"),
        ("broken", "RuntimeError: no parameters", "--traceback"),
        ("number", "is a int", "make one"),
        ("wel", "has no 'wel'", "did you mean well"),
    ],
)
def test_what_is_no_system_is_refused(module, name, message, hint):
    with pytest.raises(CliError) as caught:
        find.find_system(f"{module}:{name}", None, None)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_an_error_in_the_users_file_is_told_as_such(tmp_path):
    path = tmp_path / "typo.py"
    path.write_text("import jax\nx = jax.nunpy\n")
    with pytest.raises(CliError, match="cannot be run: AttributeError"):
        find.find_system(f"{path}:x", None, None)


def test_unknown_modules_and_files(tmp_path):
    with pytest.raises(CliError, match="there is no module 'no_such_module'"):
        find.find_system("no_such_module:x", None, None)
    with pytest.raises(CliError, match="there is no file"):
        find.find_system(f"{tmp_path}/absent.py:x", None, None)
    with pytest.raises(CliError, match="which system"):
        find.find_system("some/file.py", None, None)


@pytest.mark.parametrize(
    ("text", "energy", "message"),
    [
        ("{}/atoms.xyz", None, "no energy was given"),
        ("{}/absent.xyz", "emt", "there is no file"),
        ("lj13", "emt", "goes with a file of atoms"),
    ],
)
def test_energies_go_with_atoms(tmp_path, text, energy, message):
    (tmp_path / "atoms.xyz").write_text("1\n\nAr 0 0 0\n")
    with pytest.raises(CliError, match=message):
        find.check_system(text.format(tmp_path), energy)


def test_unknown_calculators_are_refused():
    pytest.importorskip("ase")
    with pytest.raises(CliError, match="no energy is called 'gfn9'"):
        find.calculator("gfn9")


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("lj13", "lj13.db"),
        ("LJ13", "lj13.db"),
        ("some/path/cluster.xyz", "cluster.db"),
        ("some/file.py:Well", "well.db"),
        ("package.module:attribute.system", "attribute.system.db"),
    ],
)
def test_default_store(text, file):
    assert find.default_store(text) == file
